//! 90 days of data, taken down to seven.

use std::time::{Duration, Instant};

use payload_tracker::upkeep::{Event, LONGEST, Table};

use super::fixture::{Site, deleted, kept};

const PAYLOADS_A_DAY: u32 = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn ninety_days_are_taken_down_to_seven() {
    let site = Site::new().await;
    site.partitions(0..=90).await;
    for ago in 0..=90 {
        site.payloads(ago, PAYLOADS_A_DAY).await;
    }
    let begun = Instant::now();
    let events = site.done().await;
    let took = begun.elapsed();
    let longest =
        |of: fn(&Event) -> Option<Duration>| events.iter().filter_map(of).max().unwrap_or_default();
    let held = longest(|event| match event {
        Event::Step { held, .. } => Some(*held),
        _ => None,
    });
    let detached = longest(|event| match event {
        Event::Detached { took, .. } => Some(*took),
        _ => None,
    });
    println!(
        "{} payloads and {} partitions in {took:?}; longest step {held:?}, longest detach {detached:?}",
        deleted(&events, Table::Payloads),
        90 - kept(),
    );
    assert!(held <= LONGEST, "{held:?}");
    let left = kept() as i64 + 1;
    assert_eq!(
        site.count("payloads").await,
        left * i64::from(PAYLOADS_A_DAY)
    );
    assert_eq!(
        site.count("payload_statuses").await,
        left * 2 * i64::from(PAYLOADS_A_DAY)
    );
    assert_eq!(site.days().await.len() as i64, left + 3);
    site.is_consistent().await;
}
