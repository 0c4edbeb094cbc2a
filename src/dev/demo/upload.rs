//! One upload: what is reported about it, by whom and when.

use chrono::{DateTime, TimeDelta, Utc};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Map, Value};

use super::fleet::{Host, Organisation, request_id};
use super::journey::{Journey, Step};

/// One message that is to be sent, and the instant it speaks of.
#[derive(Clone, Debug)]
pub struct Report {
    pub date: DateTime<Utc>,
    pub value: Vec<u8>,
}

#[derive(Debug)]
pub struct Upload {
    pub request_id: String,
    org_id: &'static str,
    account: &'static str,
    hosts: Vec<Host>,
    journey: Journey,
}

impl Upload {
    pub fn new(organisation: &Organisation, journey: Journey, rng: &mut StdRng) -> Self {
        Self {
            request_id: request_id(),
            org_id: organisation.org_id,
            account: organisation.account,
            hosts: organisation.some_hosts(journey.hosts(), rng),
            journey,
        }
    }

    /// All its messages in the order of their dates, the first one at `start`.
    pub fn reports(&self, start: DateTime<Utc>, rng: &mut StdRng) -> Vec<Report> {
        let mut date = start;
        let mut reports = Vec::new();
        for step in self.journey.steps(rng) {
            date += uneven(step.wait, rng);
            let value = self.message(&step, date).to_string().into_bytes();
            reports.push(Report { date, value });
        }
        reports
    }

    fn message(&self, step: &Step, date: DateTime<Utc>) -> Value {
        let producer = step.producer;
        let mut fields = Map::new();
        let mut put = |name: &str, value: &str| fields.insert(name.into(), value.into());
        put("service", producer.service);
        put("request_id", &self.request_id_in(step));
        // The real queue workers of host-inventory leave org_id out, which the default
        // REQUIRED_FIELDS rejects; the demo is there to be looked up.
        put("org_id", self.org_id);
        if producer.knows_account {
            put("account", self.account);
        }
        if let Some(source) = producer.source {
            put("source", source);
        }
        if let Some(host) = step.host.and_then(|index| self.hosts.get(index)) {
            put("inventory_id", &host.inventory_id);
            put("system_id", &host.system_id);
        }
        put("status", step.status);
        if !step.message.is_empty() {
            put("status_msg", &step.message);
        }
        put("date", &producer.date.write(date));
        Value::Object(fields)
    }

    /// In an upload of several hosts each host's messages have the composite form.
    fn request_id_in(&self, step: &Step) -> String {
        match step.host {
            Some(index) if self.hosts.len() > 1 => format!("{}:{index}", self.request_id),
            _ => self.request_id.clone(),
        }
    }
}

/// Half to one and a half times `wait`, so that no two uploads look alike.
fn uneven(wait: TimeDelta, rng: &mut StdRng) -> TimeDelta {
    let microseconds = wait.num_milliseconds() * 1000;
    TimeDelta::microseconds(microseconds / 2 + rng.random_range(0..=microseconds))
}
