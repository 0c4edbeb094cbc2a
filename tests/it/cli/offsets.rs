use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use sea_orm::sqlx;

use super::tool::{Said, pt};
use crate::ingest::lab::{Lab, SOON, Totals, numbered, statuses};
use crate::support::eventually;

async fn offsets(lab: &Lab, args: &[&str]) -> Said {
    let args = [&["offsets"], args].concat();
    pt(&args, lab.database.env().into_iter().chain(lab.kafka.env())).await
}

/// First, next, stored, skipped and gap of each lane.
async fn rows(lab: &Lab) -> Vec<(i32, i64, i64, i64, i64, i64)> {
    sqlx::query_as(
        "SELECT partition, first_offset, next_offset, stored, skipped, gap
           FROM consumer_offsets ORDER BY partition",
    )
    .fetch_all(lab.pool())
    .await
    .unwrap()
}

/// Two lanes of ten messages each, stored by a consumer that is gone.
async fn consumed() -> Lab {
    let lab = Lab::with_partitions(2).await;
    lab.kafka.send(Some(0), numbered(0..10)).await;
    lab.kafka.send(Some(1), numbered(10..20)).await;
    let mut consumer = lab.ready_consumer(&[]).await;
    lab.passed(20, SOON).await;
    assert!(consumer.terminate().await.success());
    lab
}

fn squeezed(text: &str) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(words).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn list_shows_the_counters_the_group_the_log_and_whether_they_fit() {
    let lab = Lab::with_partitions(4).await;
    lab.kafka.send(Some(0), numbered(0..10)).await;
    let consumer = lab.ready_consumer(&[]).await;
    lab.passed(10, SOON).await;
    eventually("the group's offset", SOON, || async {
        let said = offsets(&lab, &["list"]).await;
        let row = squeezed(&said.stdout).into_iter().nth(1)?;
        (row == "0 10 10 0 0 0 10 0 10 0 fits").then_some(())
    })
    .await;
    drop(consumer);
    lab.kafka.send(Some(0), numbered(10..15)).await;
    for statement in [
        "DELETE FROM consumer_offsets WHERE partition = 1",
        "UPDATE consumer_offsets SET next_offset = 7, rejected = 4, skipped = 3 WHERE partition = 2",
        "UPDATE consumer_offsets SET partition = 9 WHERE partition = 3",
    ] {
        sqlx::query(statement).execute(lab.pool()).await.unwrap();
    }
    let said = offsets(&lab, &["list"]).await;
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert_eq!(
        squeezed(&said.stdout),
        [
            "PARTITION NEXT STORED REJECTED SKIPPED GAP GROUP LOG START LOG END LAG STATE",
            "0 10 10 0 0 0 10 0 15 5 fits",
            "1 - - - - - - 0 0 - nothing is stored yet",
            "2 7 0 4 3 0 - 0 0 0 lies beyond the log: the topic was made anew",
            "3 - - - - - - 0 0 - nothing is stored yet",
            "9 0 0 0 0 0 - - - - the topic has no such partition",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn set_changes_nothing_without_yes_and_keeps_the_counters_adding_up_with_it() {
    let lab = consumed().await;
    let before = rows(&lab).await;
    let back = "0: 10 -> 4 (up to 6 messages are read again; the rows they made stay, so these will be there twice)";
    let args = ["set", "--partition", "0", "--to", "4"];

    let dry = offsets(&lab, &[&args[..], &["--dry-run"]].concat()).await;
    assert_eq!(
        (dry.code, dry.stdout.trim_end()),
        (0, &*format!("would set partition {back}"))
    );
    let hesitant = offsets(&lab, &args).await;
    assert_eq!(hesitant.code, 2);
    assert!(hesitant.stderr.contains("--yes"), "{}", hesitant.stderr);
    assert_eq!(rows(&lab).await, before);

    let done = offsets(&lab, &[&args[..], &["--yes"]].concat()).await;
    assert_eq!(
        (done.code, done.stdout.trim_end()),
        (0, &*format!("set partition {back}"))
    );
    assert_eq!(
        rows(&lab).await,
        [(0, -6, 4, 10, 0, 0), (1, 0, 10, 10, 0, 0)]
    );
    let _consumer = lab.ready_consumer(&[]).await;
    let totals = lab.passed(26, SOON).await;
    assert_eq!(
        (totals.statuses, totals.origins, totals.stored),
        (26, 20, 26)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn set_forward_counts_what_it_skips() {
    let lab = consumed().await;
    lab.kafka.send(Some(0), numbered(20..30)).await;
    lab.kafka.send(Some(1), numbered(30..35)).await;
    let done = offsets(&lab, &["set", "--all", "--to", "latest", "--yes"]).await;
    assert_eq!(
        squeezed(&done.stdout),
        [
            "set partition 0: 10 -> 20 (10 offsets are skipped unread)",
            "set partition 1: 10 -> 15 (5 offsets are skipped unread)",
        ]
    );
    assert_eq!(
        rows(&lab).await,
        [(0, 0, 20, 10, 10, 0), (1, 0, 15, 10, 5, 0)]
    );
    let again = offsets(&lab, &["set", "--all", "--to", "latest", "--yes"]).await;
    assert!(again.stdout.contains("partition 0 is at 20 already"));
    let idle = offsets(&lab, &["set", "--all", "--to", "latest"]).await;
    assert_eq!(idle.code, 0, "there is nothing to confirm: {}", idle.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_lane_that_is_set_back_is_read_again_by_the_consumer_that_runs() {
    let lab = Lab::with_partitions(2).await;
    let consumer = lab.ready_consumer(&[]).await;
    lab.kafka.send(Some(0), numbered(0..10)).await;
    lab.kafka.send(Some(1), numbered(10..20)).await;
    lab.passed(20, SOON).await;
    let done = offsets(
        &lab,
        &["set", "--partition", "1", "--to", "earliest", "--yes"],
    )
    .await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    let totals = lab.passed(30, SOON).await;
    assert_eq!(
        (totals.statuses, totals.origins, totals.stored),
        (30, 20, 30)
    );
    assert!(
        consumer.log().contains(r#""moved":"{1: (10, Some(0))}""#),
        "{}",
        consumer.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_lane_can_be_set_while_its_consumer_writes() {
    let lab = Lab::with_partitions(1).await;
    let consumer = lab.ready_consumer(&[("BATCH_MAX_MESSAGES", "20")]).await;
    lab.kafka.send(Some(0), statuses(4_000)).await;
    let back = ["set", "--partition", "0", "--to", "0", "--yes"];
    lab.passed(1_000, SOON).await;
    assert_eq!(offsets(&lab, &back).await.code, 0);
    let forward = ["set", "--partition", "0", "--to", "3900", "--yes"];
    assert_eq!(offsets(&lab, &forward).await.code, 0);
    let end = eventually("the end of the log", SOON, || async {
        let rows = rows(&lab).await;
        (rows[0].2 == 4_000).then_some(rows[0])
    })
    .await;
    let (_, first, next, stored, skipped, gap) = end;
    let totals = lab.totals().await;
    assert!(first < 0 && skipped > 0, "{end:?}");
    assert_eq!((stored + skipped, gap), (next - first, 0));
    assert_eq!(
        totals.statuses, stored,
        "every row is counted, no other is there"
    );
    assert!(consumer.log().contains("moved"), "{}", consumer.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_set_is_said_with_what_can() {
    let lab = consumed().await;
    let before = rows(&lab).await;
    for (args, said) in [
        (
            vec!["--partition", "2", "--to", "0"],
            "has the partitions 0 to 1",
        ),
        (
            vec!["--partition", "0", "--to", "11"],
            "the log of partition 0 holds 0 to 10",
        ),
        (
            vec!["--all", "--to", "newest"],
            "allowed is earliest, latest, an offset",
        ),
        (vec!["--all", "--to", "-1"], "an offset is not negative"),
        (vec!["--to", "0"], "--partition"),
    ] {
        let answer = offsets(&lab, &[&["set", "--yes"], &args[..]].concat()).await;
        assert_eq!(answer.code, 2, "{args:?}");
        assert!(answer.stderr.contains(said), "{args:?}: {}", answer.stderr);
    }
    assert_eq!(rows(&lab).await, before);

    let unseen = Lab::with_partitions(2).await;
    let one = ["set", "--partition", "0", "--to", "0", "--yes"];
    let answer = offsets(&unseen, &one).await;
    assert_eq!(answer.code, 2);
    assert!(answer.stderr.contains("set --all"), "{}", answer.stderr);
    let all = offsets(&unseen, &["set", "--all", "--to", "0", "--yes"]).await;
    assert_eq!(
        all.stdout.lines().next(),
        Some("set partition 0: no offset -> 0")
    );
    assert_eq!(rows(&unseen).await.len(), 2);

    let nowhere = Lab::without_topic().await;
    let answer = offsets(&nowhere, &["list"]).await;
    assert_eq!(answer.code, 1);
    assert!(
        answer.stderr.contains("does not exist"),
        "{}",
        answer.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn set_finds_the_first_message_that_is_not_older_and_counts_what_is_gone() {
    let lab = Lab::with_partitions(2).await;
    lab.kafka.send(Some(0), numbered(0..10)).await;
    lab.kafka.send(Some(1), numbered(10..20)).await;
    let mut consumer = lab.ready_consumer(&[]).await;
    lab.passed(20, SOON).await;
    assert!(consumer.terminate().await.success());
    let between = Utc::now();
    eventually("another millisecond", SOON, || async {
        (Utc::now() - between > chrono::TimeDelta::milliseconds(5)).then_some(())
    })
    .await;
    lab.kafka.send(Some(0), numbered(20..30)).await;
    let time = (between + Duration::from_millis(2)).to_rfc3339_opts(SecondsFormat::Millis, true);
    let done = offsets(&lab, &["set", "--all", "--to", &time, "--yes"]).await;
    assert_eq!(
        squeezed(&done.stdout),
        [
            "partition 0 is at 10 already",
            "partition 1 is at 10 already"
        ],
        "{}",
        done.stderr
    );
    lab.kafka.forget_beginning(0, 15).await;
    let gone = offsets(&lab, &["list"]).await;
    assert!(
        gone.stdout.contains("5 are gone from the log"),
        "{}",
        gone.stdout
    );
    let done = offsets(&lab, &["set", "--partition", "0", "--to", "18", "--yes"]).await;
    assert_eq!(
        done.stdout.trim_end(),
        "set partition 0: 10 -> 18 (8 offsets are skipped unread, 5 of them gone from the log)"
    );
    assert_eq!(rows(&lab).await[0], (0, 0, 18, 10, 8, 5));
    let _next = lab.ready_consumer(&[]).await;
    let expected = Totals {
        skipped: 8,
        passed: 30,
        ..Totals::of(22)
    };
    assert_eq!(lab.passed(30, SOON).await, expected);
}
