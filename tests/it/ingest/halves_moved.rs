//! Lanes that are moved after a crash left half a batch behind.

use std::collections::BTreeMap;

use sea_orm::sqlx::{self, Connection, Executor};

use super::halves::{EVEN_PAYLOAD, MESSAGES, halfway, lab, offsets};
use super::lab::{Lab, SOON, Totals};
use crate::cli::tool::pt;

/// The odd half of everything is committed, and nobody is there any more.
async fn left_behind() -> Lab {
    let lab = lab(&[EVEN_PAYLOAD]).await;
    let (mut consumer, held) = halfway(&lab, &[]).await;
    consumer.kill9().await;
    held.close().await.unwrap();
    lab
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_back_after_a_kill_is_sent_back_for_both_halves() {
    let lab = left_behind().await;
    // As for a topic made anew: what was stored has nothing to do with what comes.
    lab.pool()
        .execute(
            "DELETE FROM payload_statuses;
             UPDATE consumer_offsets SET next_offset = next_offset - 1, first_offset = first_offset - 1;
             UPDATE consumer_offsets SET next_offset = next_offset + 1, first_offset = first_offset + 1",
        )
        .await
        .unwrap();
    assert_eq!(
        offsets(&lab).await,
        BTreeMap::from([(0, (0, -1)), (1, (0, -1))])
    );
    let _next = lab.consumer(&[]);
    assert_eq!(lab.passed(MESSAGES, SOON).await, Totals::of(MESSAGES));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_passed_over_counts_as_stored_where_it_is() {
    let lab = left_behind().await;
    let envs = lab.database.env().into_iter().chain(lab.kafka.env());
    let set = [
        "offsets",
        "set",
        "--partition",
        "0",
        "--to",
        "1500",
        "--yes",
    ];
    let said = pt(&set, envs).await;
    assert_eq!(said.code, 0, "{said:?}");
    let odd: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM payload_statuses WHERE origin_partition = 0 AND origin_offset < 1500",
    )
    .fetch_one(lab.pool())
    .await
    .unwrap();
    assert!((500..1_000).contains(&odd), "{odd}");
    let _next = lab.consumer(&[]);
    let good = MESSAGES as i64 - (1_500 - odd);
    let expected = Totals {
        statuses: good,
        origins: good,
        stored: good,
        skipped: 1_500 - odd,
        passed: MESSAGES as i64,
        ..Totals::default()
    };
    assert_eq!(lab.passed(MESSAGES, SOON).await, expected);
}

/// The lanes' offsets fit the log, but not the odd ones.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_ends_before_the_odd_half_is_another_and_is_read_whole() {
    let lab = left_behind().await;
    lab.pool()
        .execute(
            "DELETE FROM payload_statuses;
             UPDATE odd_offsets SET next_offset = next_offset + 1",
        )
        .await
        .unwrap();
    let next = lab.consumer(&[]);
    assert_eq!(lab.passed(MESSAGES, SOON).await, Totals::of(MESSAGES));
    assert!(next.log().contains("the log ends before what a crash left"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_down_waits_until_the_half_is_a_whole() {
    let lab = left_behind().await;
    let down = ["migrate", "down"];
    let refused = pt(&down, lab.database.env()).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("half a batch is stored"),
        "{refused:?}"
    );
    let mut next = lab.consumer(&[]);
    lab.passed(MESSAGES, SOON).await;
    assert!(next.terminate().await.success());
    let done = pt(&down, lab.database.env()).await;
    assert_eq!(done.code, 0, "{done:?}");
}
