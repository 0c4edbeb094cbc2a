//! Messages as services send them: several uploads at a time, five statuses each, in no particular order.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use crate::cli::Failure;
use crate::cli::producer::Producer;
use crate::config::Kafka;

/// Uploads under way at any time.
const OPEN: usize = 1_000;

/// A backlog's messages came at this rate; it only decides their dates.
const BACKLOG_RATE: u64 = 2_000;

/// What an upload goes through.
const STEPS: [(&str, &str); 5] = [
    ("ingress", "received"),
    ("ingress", "success"),
    ("puptoo", "received"),
    ("puptoo", "success"),
    ("inventory", "success"),
];

/// From this step on the host is known.
const NAMES_HOST: usize = 2;

/// A message to send.
pub(super) struct Message {
    pub request_id: String,
    /// Whether it is its payload's first.
    pub is_first: bool,
    pub value: String,
}

impl Message {
    pub(super) fn key(&self, keyed: bool) -> Option<&[u8]> {
        keyed.then_some(self.request_id.as_bytes())
    }
}

/// What a topic was filled with.
pub(super) struct Sent {
    pub messages: u64,
    pub bytes: u64,
}

/// An endless stream of messages; the ids differ with each stream.
pub(super) struct Traffic {
    rng: StdRng,
    open: Vec<Upload>,
}

struct Upload {
    request_id: String,
    host: Uuid,
    account: u32,
    org_id: u32,
    step: usize,
}

impl Upload {
    fn new(rng: &mut StdRng) -> Self {
        Self {
            request_id: format!("{:032x}", rng.random::<u128>()),
            host: Uuid::from_u128(rng.random()),
            account: rng.random_range(0..10_000_000),
            org_id: rng.random_range(0..100_000_000),
            step: 0,
        }
    }
}

impl Traffic {
    pub(super) fn new() -> Self {
        let mut rng = StdRng::from_os_rng();
        let open = (0..OPEN).map(|_| Upload::new(&mut rng)).collect();
        Self { rng, open }
    }

    /// The next message, of one of the uploads under way.
    pub(super) fn next(&mut self, date: DateTime<Utc>) -> Message {
        let which = self.rng.random_range(0..OPEN);
        let upload = &mut self.open[which];
        let message = upload.message(date);
        upload.step += 1;
        if upload.step == STEPS.len() {
            *upload = Upload::new(&mut self.rng);
        }
        message
    }
}

impl Upload {
    fn message(&self, date: DateTime<Utc>) -> Message {
        let Self {
            request_id,
            host,
            account,
            org_id,
            step,
        } = self;
        let (service, status) = STEPS[*step];
        let date = date.to_rfc3339_opts(SecondsFormat::Micros, true);
        let named = if *step >= NAMES_HOST {
            format!(r#", "inventory_id": "{host}""#)
        } else {
            String::new()
        };
        let value = format!(
            r#"{{"service": "{service}", "source": "bench", "account": "{account}", "org_id": "{org_id}", "request_id": "{request_id}", "status": "{status}", "status_msg": "processing of the payload goes on as planned, step {step}", "date": "{date}"{named}}}"#
        );
        Message {
            request_id: request_id.clone(),
            is_first: *step == 0,
            value,
        }
    }
}

/// Sends a backlog that ends now.
///
/// # Errors
///
/// Not all of it was delivered.
pub(super) fn fill(kafka: &Kafka, messages: u64, keyed: bool) -> Result<Sent, Failure> {
    let producer = Producer::connect_as_many(kafka)?;
    let mut traffic = Traffic::new();
    let now = Utc::now();
    let mut bytes = 0;
    for number in 0..messages {
        let age = (messages - number) * 1_000_000 / BACKLOG_RATE;
        let message = traffic.next(now - TimeDelta::microseconds(age as i64));
        bytes += message.value.len() as u64;
        producer.send_keyed(message.key(keyed), message.value.as_bytes());
        if producer.is_cut_off() {
            break;
        }
    }
    producer.finish().all_delivered()?;
    Ok(Sent { messages, bytes })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::status::{self, Rules};

    #[test]
    fn every_upload_reports_its_steps_in_order_and_all_are_accepted() {
        let mut traffic = Traffic::new();
        let mut steps: HashMap<String, usize> = HashMap::new();
        let now = Utc::now();
        for _ in 0..20_000 {
            let message = traffic.next(now);
            let step = steps.entry(message.request_id).or_default();
            assert_eq!(message.is_first, *step == 0);
            let decoded =
                status::Message::decode(message.value.as_bytes(), &Rules::default(), now).unwrap();
            assert_eq!(
                (decoded.service.as_str(), decoded.status.as_str()),
                STEPS[*step]
            );
            assert_eq!(decoded.inventory_id.is_some(), *step >= NAMES_HOST);
            *step += 1;
        }
        assert!(steps.values().any(|steps| *steps == STEPS.len()));
    }
}
