use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Asks until there is an answer.
///
/// # Panics
/// With `what`, when there is none within `deadline`.
pub async fn eventually<T, F>(what: &str, deadline: Duration, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + deadline;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        sleep(LOOK).await;
    }
}
