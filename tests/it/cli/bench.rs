use sea_orm::sqlx::{Executor, query_scalar};

use super::tool::{Said, pt};
use crate::ingest::lab::{Lab, statuses};

async fn bench(lab: &Lab) -> Said {
    let envs = lab.database.env().into_iter().chain(lab.kafka.env());
    pt(&["bench", "ingest"], envs).await
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_ingest_drains_what_the_topic_holds_and_says_how_fast() {
    let lab = Lab::with_partitions(3).await;
    lab.kafka.send(None, statuses(500)).await;
    let said = bench(&lab).await;
    assert_eq!(said.code, 0, "{said:?}");
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(lines[0].starts_with("500 messages (500 offsets) in "));
    assert!(lines[0].ends_with(" messages/s"));
    assert!(lines[1].contains("batch"));
    assert!(said.stdout.contains("statuses"), "{said:?}");
    let rows: i64 = query_scalar("SELECT count(*) FROM payload_statuses")
        .fetch_one(lab.pool())
        .await
        .unwrap();
    assert_eq!(rows, 500);

    let again = bench(&lab).await;
    assert!(again.stdout.starts_with("0 messages (0 offsets)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_ingest_ends_with_one_line_where_the_consumer_would() {
    let lab = Lab::without_topic().await;
    let said = bench(&lab).await;
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("does not exist"), "{said:?}");

    lab.kafka.create_topic(1).await;
    lab.kafka.send(None, statuses(5)).await;
    lab.pool()
        .execute("ALTER TABLE payload_ids RENAME TO elsewhere")
        .await
        .unwrap();
    let said = bench(&lab).await;
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("refuses a batch"), "{said:?}");
}
