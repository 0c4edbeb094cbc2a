//! The end of a member of the group.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tracing::{info, warn};

use super::assignment::answer_all;
use crate::ingest::context::GroupContext;

/// How long the brokers have for their answers.
const LEAVE_WAIT: Duration = Duration::from_secs(3);

/// Leaves the group, if its brokers answer in time. A static member does not: it keeps its lanes for its session.
///
/// The client's own end waits without a limit, for the answer to the last commit above all, and so for ever
/// when the brokers are gone. On a thread of its own it holds up nothing but itself.
pub fn leave(client: BaseConsumer<GroupContext>) {
    info!("letting go of Kafka");
    client.context().close();
    answer_all(&client);
    let (done, left) = channel();
    thread::spawn(move || {
        drop(client);
        // Nobody listens any more when it took too long.
        let _ = done.send(());
    });
    if left.recv_timeout(LEAVE_WAIT).is_err() {
        warn!("Kafka does not answer: the group learns by itself that this member is gone");
    }
}
