//! Each verdict and each border between two.

use super::*;
use crate::explain::path::Status;
use crate::explain::statistics::{Follower, Spread, StepStatistics};

pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

pub fn step(service: i32) -> Step {
    Step {
        service,
        source: None,
    }
}

pub fn status(id: i64, service: i32, class: Class, seconds: i64) -> Status {
    Status {
        id,
        step: step(service),
        name: 1,
        class,
        date: at(seconds),
    }
}

pub fn spread(samples: i64, p50: i64, p95: i64) -> Spread {
    Spread {
        samples,
        p50: TimeDelta::seconds(p50),
        p95: TimeDelta::seconds(p95),
    }
}

pub const DAY: i64 = 86_400;
/// p95 of how long a step takes.
const TAKES: i64 = 10;
/// p95 of how long a payload waits for the next one.
const WAITS: i64 = 60;

/// Services 1, 2 and 3, one after the other, seen by so many payloads.
pub fn pipeline(samples: i64) -> Statistics {
    let mut statistics = Statistics::default();
    for service in 1..=3 {
        let took = Some(spread(samples, 5, TAKES));
        let passed = samples;
        statistics.put_step(step(service), StepStatistics { passed, took });
    }
    for (after, next, p95) in [(1, 2, WAITS), (2, 3, WAITS), (1, 3, 2 * WAITS)] {
        let wait = spread(samples, 20, p95);
        statistics.put_follower(
            step(after),
            Follower {
                step: step(next),
                wait,
            },
        );
    }
    statistics
}

fn find(statuses: &[(i32, Class, i64)], statistics: &Statistics, now: i64) -> Finding {
    let status = |(id, (service, class, second)): (usize, &(i32, Class, i64))| {
        status(id as i64, *service, *class, *second)
    };
    let path: Path = statuses.iter().enumerate().map(status).collect();
    Finding::of(&path, at(0), statistics, at(now))
}

use Class::{Failure, Progress, Success};
use Verdict::{Failed, InProgress, Stuck, Succeeded, Unknown};

#[test]
fn the_first_rule_that_holds_is_the_verdict() {
    let known = pipeline(20);
    let few = pipeline(19);
    let all = |last| vec![(1, Success, 0), (2, Success, 1), (3, last, 2)];
    for (name, statuses, statistics, now, verdict) in [
        // failed | stuck, succeeded, unknown, in_progress
        ("a failure", all(Failure), &known, 3, Failed),
        (
            "a failure before others succeed",
            vec![(1, Failure, 0), (2, Success, 1), (3, Success, 2)],
            &known,
            3,
            Failed,
        ),
        (
            "a failure, and another step is past its p95",
            vec![(1, Failure, 0), (2, Progress, 0)],
            &known,
            100,
            Failed,
        ),
        ("a failure long ago", all(Failure), &few, 3 * DAY, Failed),
        (
            "a failure that was made good",
            vec![
                (1, Failure, 0),
                (1, Success, 1),
                (2, Success, 1),
                (3, Success, 2),
            ],
            &known,
            3,
            Succeeded,
        ),
        (
            "a failure that goes on",
            vec![(1, Failure, 0), (1, Progress, 1)],
            &few,
            3,
            InProgress,
        ),
        // stuck | in_progress: a step
        (
            "in progress at its p95",
            vec![(1, Progress, 0)],
            &known,
            TAKES,
            InProgress,
        ),
        (
            "in progress past its p95",
            vec![(1, Progress, 0)],
            &known,
            TAKES + 1,
            Stuck,
        ),
        (
            "past its p95 from its first status, not its last",
            vec![(1, Progress, 0), (1, Progress, 9)],
            &known,
            TAKES + 1,
            Stuck,
        ),
        (
            "too few samples for a p95",
            vec![(1, Progress, 0)],
            &few,
            TAKES + 1,
            InProgress,
        ),
        // stuck | in_progress: a follower
        (
            "waiting at p95",
            vec![(1, Success, 0)],
            &known,
            WAITS,
            InProgress,
        ),
        (
            "waiting past p95",
            vec![(1, Success, 0)],
            &known,
            WAITS + 1,
            Stuck,
        ),
        (
            "waiting, too few samples",
            vec![(1, Success, 0)],
            &few,
            WAITS + 1,
            InProgress,
        ),
        (
            "waiting from the last status on",
            vec![(1, Progress, 0), (1, Success, 9)],
            &known,
            WAITS + 9,
            InProgress,
        ),
        (
            "the next of the next",
            vec![(1, Success, 0), (2, Success, 1)],
            &known,
            2 * WAITS,
            Stuck,
        ),
        (
            "one that is entered is waited for no more",
            vec![(1, Success, 0), (2, Progress, 1)],
            &known,
            2 + TAKES - 1,
            InProgress,
        ),
        // stuck | succeeded
        (
            "all but the last, in time",
            vec![(1, Success, 0), (2, Success, 1)],
            &known,
            2,
            InProgress,
        ),
        (
            "all success, nothing due",
            all(Success),
            &known,
            3,
            Succeeded,
        ),
        (
            "a last step in progress past its p95",
            all(Progress),
            &known,
            2 + TAKES + 1,
            Stuck,
        ),
        // stuck | unknown
        (
            "stuck for days",
            vec![(1, Success, 0)],
            &known,
            3 * DAY,
            Stuck,
        ),
        // succeeded | unknown
        ("success for days", all(Success), &known, 3 * DAY, Succeeded),
        // succeeded | in_progress: who has spoken
        (
            "one service, too few samples",
            vec![(1, Success, 0)],
            &few,
            1,
            InProgress,
        ),
        (
            "two services, too few samples",
            vec![(1, Success, 0), (2, Success, 1)],
            &few,
            2,
            Succeeded,
        ),
        (
            "one service after which nothing is due",
            vec![(3, Success, 0)],
            &known,
            1,
            Succeeded,
        ),
        (
            "all success but one in progress",
            vec![(1, Success, 0), (2, Progress, 1)],
            &few,
            2,
            InProgress,
        ),
        // unknown | in_progress
        (
            "quiet for almost a day",
            vec![(1, Progress, 0)],
            &few,
            DAY - 1,
            InProgress,
        ),
        (
            "quiet for a day",
            vec![(1, Progress, 0)],
            &few,
            DAY,
            Unknown,
        ),
        (
            "one service for a day",
            vec![(1, Success, 0)],
            &few,
            DAY,
            Unknown,
        ),
        (
            "quiet for a day since the latest of all",
            vec![(1, Progress, 5), (2, Success, 0)],
            &few,
            DAY + 4,
            InProgress,
        ),
        // without statuses
        ("nothing was said", vec![], &known, 1, InProgress),
        ("nothing was said for a day", vec![], &known, DAY, Unknown),
        (
            "a date ahead of now",
            vec![(1, Progress, 500)],
            &known,
            0,
            InProgress,
        ),
    ] {
        let found = find(&statuses, statistics, now);
        assert_eq!(found.verdict, verdict, "{name}: {found:?}");
    }
}

#[test]
fn sources_of_one_service_are_not_several_services() {
    let mut second = status(2, 1, Success, 1);
    second.step.source = Some(7);
    let path: Path = [status(1, 1, Success, 0), second].into_iter().collect();
    let found = Finding::of(&path, at(0), &pipeline(19), at(2));
    assert_eq!(found.verdict, InProgress);
}

#[test]
fn it_says_where_and_since_when() {
    let known = pipeline(20);
    let place = |found: &Finding| {
        let service = |step: Option<Step>| step.map(|step| step.service);
        (service(found.at), service(found.before), found.since)
    };
    let failed = find(
        &[(1, Failure, 1), (2, Failure, 2), (3, Success, 3)],
        &known,
        4,
    );
    assert_eq!(place(&failed), (Some(2), None, at(2)));
    assert!(failed.expected.is_empty(), "{failed:?}");
    let in_step = find(
        &[(1, Success, 0), (2, Progress, 5), (2, Progress, 9)],
        &known,
        100,
    );
    assert_eq!(place(&in_step), (Some(2), None, at(5)));
    let between = find(&[(1, Progress, 0), (1, Success, 4)], &known, 100);
    assert_eq!(place(&between), (Some(1), Some(2), at(4)));
    let done = find(
        &[(1, Success, 0), (2, Success, 4), (3, Success, 9)],
        &known,
        100,
    );
    assert_eq!(place(&done), (Some(3), None, at(9)));
    let going = find(
        &[(1, Success, 0), (2, Progress, 4), (2, Progress, 6)],
        &known,
        7,
    );
    assert_eq!(place(&going), (Some(2), None, at(4)));
    let quiet = find(
        &[(1, Progress, 0), (1, Progress, 6)],
        &Statistics::default(),
        DAY + 6,
    );
    assert_eq!(place(&quiet), (Some(1), None, at(6)));
}

#[test]
fn what_is_expected_comes_in_the_order_of_its_p95() {
    let known = pipeline(20);
    let expected = |found: &Finding| -> Vec<(Awaited, Option<DateTime<Utc>>)> {
        found
            .expected
            .iter()
            .map(|one| (one.awaited, one.by()))
            .collect()
    };
    let follower = |after, next| Awaited::Follower {
        after: step(after),
        step: step(next),
    };
    let left = find(&[(1, Success, 0)], &known, WAITS + 5);
    assert_eq!(
        expected(&left),
        [
            (follower(1, 2), Some(at(WAITS))),
            (follower(1, 3), Some(at(2 * WAITS)))
        ]
    );
    assert_eq!(left.expected[0].overdue(at(WAITS)), None);
    assert_eq!(
        left.expected[0].overdue(at(WAITS + 5)),
        Some(TimeDelta::seconds(5))
    );
    // The last step that knows of it speaks, and its time begins when that is left.
    let within = find(&[(1, Success, 0), (2, Progress, 30)], &known, 31);
    assert_eq!(
        expected(&within),
        [
            (Awaited::End(step(2)), Some(at(30 + TAKES))),
            (follower(2, 3), None)
        ]
    );
    // Where it is not known how long a step takes, its last status is all there is to go by.
    let mut endless = known.clone();
    endless.put_step(
        step(2),
        StepStatistics {
            passed: 20,
            took: None,
        },
    );
    let within = find(&[(1, Success, 0), (2, Progress, 30)], &endless, 31);
    assert_eq!(expected(&within), [(follower(2, 3), Some(at(30 + WAITS)))]);
}
