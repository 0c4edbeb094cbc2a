use std::time::Duration;

use super::Failure;
use super::text::Text;
use crate::config::{Environment, Metrics};

/// Container health checks give up after some seconds too.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the pt-consumer or pt-api on this machine whether it is ready.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example, for a container's health check:
  METRICSPORT=8081 pt health

It asks /ready on METRICSPORT. The exit code is 0 when ready, else 1 and stderr has the reason.")]
pub struct Args {}

pub async fn run(_args: Args) -> Result<(), Failure> {
    let environment = Environment::from_process().map_err(Failure::settings)?;
    let metrics = Metrics::load(&environment).map_err(Failure::settings)?;
    let url = format!("http://localhost:{}/ready", metrics.port);
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .no_proxy()
        .build()?;
    let answer = client.get(&url).send().await.map_err(|error| {
        Failure::work(format!(
            "nobody answers at {url} (METRICSPORT names another port): {}",
            Failure::from(error.without_url())
        ))
    })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let reason = answer.text().await?;
    Err(Failure::work(format!("{status}: {}", Text::new(&reason))))
}
