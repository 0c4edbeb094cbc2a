//! A topic, a database and consumers between them.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use sea_orm::sqlx::{self, PgPool};

use crate::support::{self, OwnServer, Process, TestDatabase, TestKafka, eventually};

/// Long enough for a noisy machine; a test that works does not wait for it.
pub const SOON: Duration = Duration::from_secs(60);

pub struct Lab {
    pub database: TestDatabase,
    pub kafka: TestKafka,
}

/// What the database holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows of `payload_statuses`.
    pub statuses: i64,
    /// Different places they came from.
    pub origins: i64,
    /// Rows of `rejects`.
    pub rejects: i64,
    /// The counters of `consumer_offsets`.
    pub stored: i64,
    pub rejected: i64,
    pub skipped: i64,
    /// `next_offset - first_offset`.
    pub passed: i64,
}

impl Totals {
    /// Everything stored once, nothing rejected, nothing skipped.
    pub fn of(messages: usize) -> Self {
        let messages = messages as i64;
        Self {
            statuses: messages,
            origins: messages,
            stored: messages,
            passed: messages,
            ..Self::default()
        }
    }
}

impl Lab {
    /// A migrated database and a topic with that many partitions.
    pub async fn with_partitions(partitions: u16) -> Self {
        let lab = Self::without_topic().await;
        lab.kafka.create_topic(partitions).await;
        lab
    }

    pub async fn without_topic() -> Self {
        Self {
            database: support::database().await,
            kafka: support::kafka().await,
        }
    }

    /// With a server that the test may stop.
    pub async fn on(server: &OwnServer, partitions: u16) -> Self {
        let lab = Self {
            database: TestDatabase::on(server).await,
            kafka: support::kafka().await,
        };
        lab.kafka.create_topic(partitions).await;
        lab
    }

    pub fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    /// Stores where partition 0 starts.
    pub async fn store_start(&self, offset: i64) {
        sqlx::query(
            "INSERT INTO consumer_offsets (topic, partition, first_offset, next_offset)
             VALUES ($1, 0, $2, $2)",
        )
        .bind(&self.kafka.topic)
        .bind(offset)
        .execute(self.pool())
        .await
        .unwrap();
    }

    /// Moves a lane back behind its consumer's back, counters and all.
    pub async fn move_lane(&self, partition: i32, offset: i64) {
        sqlx::query(
            "UPDATE consumer_offsets SET stored = stored - (next_offset - $2), next_offset = $2
              WHERE partition = $1",
        )
        .bind(partition)
        .bind(offset)
        .execute(self.pool())
        .await
        .unwrap();
    }

    /// A consumer with these settings besides the lab's; the later of two of one name counts.
    pub fn consumer(&self, settings: &[(&str, &str)]) -> Process {
        let own = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let envs = self.database.env().into_iter().chain(self.kafka.env());
        Process::spawn("pt-consumer", envs.chain(own))
    }

    /// The same, once it is ready.
    pub async fn ready_consumer(&self, settings: &[(&str, &str)]) -> Process {
        let consumer = self.consumer(settings);
        is_ready(&consumer).await;
        consumer
    }

    pub async fn totals(&self) -> Totals {
        self.try_totals().await.unwrap()
    }

    async fn try_totals(&self) -> sqlx::Result<Totals> {
        let row: (i64, i64, i64, i64, i64, i64, i64) = sqlx::query_as(
            "SELECT s.statuses, s.origins, r.rejects, o.*
               FROM (SELECT count(*) AS statuses,
                            count(DISTINCT (origin_partition, origin_offset)) AS origins
                       FROM payload_statuses) AS s,
                    (SELECT count(*) AS rejects FROM rejects) AS r,
                    (SELECT coalesce(sum(stored), 0)::bigint AS stored,
                            coalesce(sum(rejected), 0)::bigint AS rejected,
                            coalesce(sum(skipped), 0)::bigint AS skipped,
                            coalesce(sum(next_offset - first_offset), 0)::bigint AS passed
                       FROM consumer_offsets) AS o",
        )
        .fetch_one(&self.database.pool)
        .await?;
        let (statuses, origins, rejects, stored, rejected, skipped, passed) = row;
        Ok(Totals {
            statuses,
            origins,
            rejects,
            stored,
            rejected,
            skipped,
            passed,
        })
    }

    /// Waits until that many offsets are passed; also while the database comes and goes.
    pub async fn passed(&self, messages: usize, deadline: Duration) -> Totals {
        eventually("offsets passed", deadline, || async {
            let totals = self.try_totals().await.ok()?;
            (totals.passed >= messages as i64).then_some(totals)
        })
        .await
    }
}

pub async fn is_ready(process: &Process) {
    eventually("ready", SOON, || async {
        let (code, _) = process.probe("/ready").await?;
        (code == 200).then_some(())
    })
    .await;
}

/// Waits until the process is not ready because of that, which may come after other reasons, and answers
/// all it says.
pub async fn is_not_ready(process: &Process, because: &str) -> String {
    eventually(&format!("not ready: {because}"), SOON, || async {
        let (code, body) = process.probe("/ready").await?;
        (code == 503 && body.contains(because)).then_some(body)
    })
    .await
}

/// Good messages, five for each payload, dated now.
pub fn statuses(messages: usize) -> impl Iterator<Item = Vec<u8>> {
    numbered(0..messages)
}

/// The same, of a part of the numbers.
pub fn numbered(numbers: std::ops::Range<usize>) -> impl Iterator<Item = Vec<u8>> {
    let date = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    numbers.map(move |number| {
        let payload = number / 5;
        let (service, status) = [
            ("ingress", "received"),
            ("ingress", "success"),
            ("puptoo", "received"),
            ("puptoo", "success"),
            ("inventory", "success"),
        ][number % 5];
        format!(
            r#"{{"service":"{service}","source":"it","account":"6089719","org_id":"11789772",
                "request_id":"{payload:032x}","inventory_id":"766637dd-653f-4bf0-99a1-{payload:012x}",
                "status":"{status}","status_msg":"message {number}","date":"{date}"}}"#
        )
        .into_bytes()
    })
}
