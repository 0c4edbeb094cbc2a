//! What happens to an upload: the steps of those that succeed, fail and get stuck.

use chrono::TimeDelta;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::failures::Failing;
use super::producers::{
    ADVISOR, COMPLIANCE, INGRESS, INVENTORY, PATCHMAN, PUPTOO, Producer, STORAGE_BROKER,
    VULNERABILITY, YUPTOO,
};

/// One status report.
#[derive(Debug)]
pub struct Step {
    pub producer: &'static Producer,
    pub status: &'static str,
    pub message: String,
    /// About how long after the step before it.
    pub wait: TimeDelta,
    /// Which of the upload's hosts it names.
    pub host: Option<usize>,
}

/// A step that names no host, `wait` milliseconds after the one before.
pub fn step(
    wait: i64,
    producer: &'static Producer,
    status: &'static str,
    message: impl Into<String>,
) -> Step {
    Step {
        producer,
        status,
        message: message.into(),
        wait: TimeDelta::milliseconds(wait),
        host: None,
    }
}

impl Step {
    pub fn of_host(mut self, host: usize) -> Self {
        self.host = Some(host);
        self
    }
}

/// What is uploaded and how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journey {
    /// One host's archive, through all services.
    Archive,
    /// One host's OpenSCAP report.
    Scan,
    /// A report that names this many hosts.
    Hosts(usize),
    /// One host's archive that a service cannot digest.
    Fails(Failing),
    /// One host's archive of which inventory never speaks again.
    Stuck,
}

impl Journey {
    /// Mostly archives that succeed.
    pub fn any(rng: &mut StdRng) -> Self {
        match rng.random_range(0..20) {
            0..11 => Self::Archive,
            11..14 => Self::Scan,
            14..16 => Self::Hosts(rng.random_range(2..=4)),
            16..19 => Self::Fails(*Failing::ALL.choose(rng).unwrap_or(&Failing::Inventory)),
            _ => Self::Stuck,
        }
    }

    pub fn hosts(self) -> usize {
        match self {
            Self::Hosts(count) => count,
            Self::Archive | Self::Scan | Self::Fails(_) | Self::Stuck => 1,
        }
    }

    pub fn steps(self, rng: &mut StdRng) -> Vec<Step> {
        match self {
            Self::Archive => archive(rng),
            Self::Scan => scan(),
            Self::Hosts(count) => many_hosts(count),
            Self::Fails(failing) => failing.cut(archive(rng)),
            Self::Stuck => archive(rng).into_iter().take(5).collect(),
        }
    }
}

fn received(validator: &str) -> Vec<Step> {
    vec![
        step(0, &INGRESS, "received", "Payload received by ingress"),
        step(
            180,
            &INGRESS,
            "success",
            format!("Sent to validation service: {validator}"),
        ),
    ]
}

fn archive(rng: &mut StdRng) -> Vec<Step> {
    let hits = rng.random_range(0..9);
    let mut steps = received("advisor");
    steps.extend([
        step(60, &PUPTOO, "received", "Received message"),
        step(900, &PUPTOO, "success", "Message sent to inventory"),
        step(110, &INVENTORY, "received", "message received"),
        step(70, &INVENTORY, "processing", "host operation complete"),
        step(60, &INVENTORY, "processing_success", "").of_host(0),
        step(
            200,
            &STORAGE_BROKER,
            "success",
            "payload validation successful for advisor payload",
        ),
        step(120, &PATCHMAN, "received", "Received by listener").of_host(0),
        step(
            80,
            &VULNERABILITY,
            "received",
            "system received from inventory, sending to grouper",
        )
        .of_host(0),
        step(700, &ADVISOR, "received", "Processing engine results").of_host(0),
        step(
            150,
            &ADVISOR,
            "success",
            format!("Successfully logged {hits} reports."),
        )
        .of_host(0),
        step(1800, &PATCHMAN, "success", "advisories evaluation").of_host(0),
        step(900, &VULNERABILITY, "success", "evaluation succeeded").of_host(0),
    ]);
    steps
}

fn scan() -> Vec<Step> {
    let mut steps = received("compliance");
    steps.extend([
        step(
            900,
            &COMPLIANCE,
            "received",
            "File of xccdf_org.ssgproject.content_profile_standard is valid. Job enqueued",
        )
        .of_host(0),
        step(
            300,
            &STORAGE_BROKER,
            "success",
            "payload validation successful for compliance payload",
        ),
        step(
            2600,
            &COMPLIANCE,
            "success",
            "Report of xccdf_org.ssgproject.content_profile_standard parsed",
        )
        .of_host(0),
    ]);
    steps
}

fn many_hosts(count: usize) -> Vec<Step> {
    let mut steps = received("qpc");
    steps.push(step(300, &YUPTOO, "processing", "Report Downloaded"));
    steps.push(step(
        1200,
        &YUPTOO,
        "success",
        format!("{count}/{count} hosts has been send to the inventory service."),
    ));
    for host in 0..count {
        steps.push(step(90, &INVENTORY, "received", "message received").of_host(host));
        steps.push(step(130, &INVENTORY, "processing_success", "").of_host(host));
    }
    steps
}
