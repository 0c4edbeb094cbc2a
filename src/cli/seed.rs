mod shift;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::block_in_place;

use super::producer::Producer;
use super::{Failure, stdout};
use crate::config::{Environment, Kafka};

/// One message a line, as the platform's producers write them; some are broken on purpose.
const MESSAGES: &[u8] = include_bytes!("../../seed/producer_messages.jsonl");

/// The payload of which most messages speak.
const EXAMPLE: &str = "747c1300667b441e8e8f448337588ec0";

/// Sends the example messages to the topic, their dates shifted to now.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The newest message is dated now and the others keep their distance to it. Some are broken
on purpose, so that there are rejects to look at.

Example:
  KAFKA_BOOTSTRAP_SERVERS=localhost:29092 pt seed")]
pub struct Args {}

pub async fn run(_args: Args) -> Result<(), Failure> {
    let environment = Environment::from_process().map_err(Failure::settings)?;
    let kafka = Kafka::load(&environment).map_err(Failure::settings)?;
    block_in_place(|| {
        let producer = Producer::connect(&kafka)?;
        for message in messages(Utc::now()) {
            producer.send(&message);
        }
        producer.finish().report(&kafka)
    })?;
    let next = format!("most of them are about one payload: pt track {EXAMPLE}");
    Ok(stdout::print(&next)?)
}

/// The messages with the newest date moved to `now`, to the second.
fn messages(now: DateTime<Utc>) -> Vec<Vec<u8>> {
    let lines = || {
        MESSAGES
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
    };
    let newest = lines().filter_map(shift::date).max();
    let by = newest.map_or(TimeDelta::zero(), |newest| now - newest);
    lines().map(|line| shift::shifted(line, by)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_now_and_distances_stay() {
        let now = "2027-03-01T12:00:00.75Z".parse().unwrap();
        let messages = messages(now);
        let dates: Vec<_> = messages
            .iter()
            .filter_map(|line| shift::date(line))
            .collect();
        assert_eq!(messages.len(), 45);
        assert_eq!(dates.len(), 41);
        assert_eq!(
            dates.iter().max().unwrap().to_rfc3339(),
            "2027-03-01T12:00:00+00:00"
        );
        let oldest = now - *dates.iter().min().unwrap();
        assert_eq!(oldest.num_days(), 20, "the one that is too old stays so");
    }

    #[test]
    fn only_digits_of_dates_change() {
        let shape = |line: &[u8]| -> Vec<u8> {
            let digits_masked = line
                .iter()
                .map(|b| if b.is_ascii_digit() { b'0' } else { *b });
            digits_masked.collect()
        };
        let originals = MESSAGES.split(|&byte| byte == b'\n');
        for (sent, original) in messages(Utc::now()).iter().zip(originals) {
            assert_eq!(shape(sent), shape(original));
        }
    }
}
