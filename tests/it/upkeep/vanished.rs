//! The database's host vanishes without a word, and another takes its place.

use std::sync::Arc;
use std::time::Duration;

use payload_tracker::config::Database;
use payload_tracker::store::session::{self, Role};
use payload_tracker::telemetry::metrics::UpkeepMetrics;
use payload_tracker::upkeep::learning::Learning;
use payload_tracker::upkeep::service::Upkeep;
use prometheus::Registry;
use tokio_util::sync::CancellationToken;

use super::fixture::{RETENTION, Site};
use crate::support::{Owing, Proxy, eventually};

/// The kernel would take a quarter of an hour.
const IN_TIME: Duration = Duration::from_secs(25);

/// Through the proxy, and silence of 5 s is the end of a session.
fn through(proxy: &Proxy, site: &Site) -> Database {
    Database {
        host: "127.0.0.1".to_owned(),
        port: proxy.port(),
        statement_timeout: Duration::from_millis(2_500),
        ..site.database.config()
    }
}

fn metrics() -> Arc<UpkeepMetrics> {
    Arc::new(UpkeepMetrics::new(&Registry::new()).unwrap())
}

fn upkeep(proxy: &Proxy, site: &Site) -> Upkeep {
    let database = through(proxy, site);
    Upkeep {
        pool: session::connect(&database, Role::Consumer)
            .get_postgres_connection_pool()
            .clone(),
        database,
        retention: RETENTION,
        metrics: metrics(),
    }
}

async fn is_done(metrics: &UpkeepMetrics) {
    eventually("a round is done", IN_TIME, || async {
        (metrics.rounds.with_label_values(&["done"]).get() == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_whose_server_vanishes_is_done_again() {
    let site = Site::new().await;
    let proxy = Proxy::to(site.database.config().port).await;
    let upkeep = upkeep(&proxy, &site);
    let metrics = upkeep.metrics.clone();
    let owing = Owing::of("rejects", site.pool()).await;
    tokio::spawn(upkeep.run(CancellationToken::new()));
    owing.vanish("pt-upkeep", &proxy).await;
    is_done(&metrics).await;
    assert_eq!(metrics.rounds.with_label_values(&["failed"]).get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn judging_ends_when_its_server_vanishes() {
    let site = Site::new().await;
    site.partitions([0, 1]).await;
    site.run("INSERT INTO producer_hours (hour, service) VALUES (date_trunc('hour', now()) - interval '3 hours', 's')")
        .await;
    let proxy = Proxy::to(site.database.config().port).await;
    let upkeep = upkeep(&proxy, &site);
    let metrics = upkeep.metrics.clone();
    let owing = Owing::of("status_classes", site.pool()).await;
    tokio::spawn(upkeep.run(CancellationToken::new()));
    owing.vanish("pt-consumer", &proxy).await;
    is_done(&metrics).await;
    assert_eq!(metrics.failures.with_label_values(&["judge"]).get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn learning_goes_on_when_its_server_vanishes() {
    let site = Site::new().await;
    let proxy = Proxy::to(site.database.config().port).await;
    let learning = Learning {
        database: through(&proxy, &site),
        metrics: metrics(),
    };
    let metrics = learning.metrics.clone();
    let owing = Owing::of("status_classes", site.pool()).await;
    tokio::spawn(learning.run(CancellationToken::new()));
    owing.vanish("pt-upkeep", &proxy).await;
    eventually("a round is done", IN_TIME, || async {
        (metrics.learnt.get() > 0).then_some(())
    })
    .await;
    assert_eq!(metrics.failures.with_label_values(&["learning"]).get(), 1);
}
