//! A payload's way, step by step.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use crate::api::payload::{Named, Traced};
use crate::status::canonical_request_id;
use crate::store::entity::payloads;
use crate::store::entity::status_classes::Class;

/// A service, and the source it named.
#[derive(Debug)]
pub struct Step {
    pub service: String,
    pub source: Option<String>,
    /// At least one; by date, then row id.
    pub statuses: Vec<Said>,
}

#[derive(Debug)]
pub struct Said {
    pub status: String,
    pub message: Option<String>,
    pub at: DateTime<Utc>,
    pub class: Class,
}

impl Step {
    /// As the keys of `duration` name it, but that an absent source is left out.
    pub fn name(&self) -> String {
        match &self.source {
            Some(source) => format!("{}:{source}", self.service),
            None => self.service.clone(),
        }
    }

    pub fn first(&self) -> Option<DateTime<Utc>> {
        self.statuses.first().map(|said| said.at)
    }

    pub fn last(&self) -> Option<&Said> {
        self.statuses.last()
    }

    pub fn class(&self) -> Class {
        self.last().map_or(Class::Progress, |said| said.class)
    }
}

/// All steps, in the order of their first statuses, then by name.
#[derive(Debug)]
pub struct Journey {
    /// In canonical form.
    pub request_id: String,
    pub payload: Option<payloads::Model>,
    pub steps: Vec<Step>,
    /// There are older statuses than these.
    pub truncated: bool,
}

impl Journey {
    pub fn of(traced: Traced, classes: &HashMap<String, Class>) -> Self {
        let payload = traced.rows.first().map(|row| row.payload.clone());
        let request_id = payload
            .as_ref()
            .map(|payload| canonical_request_id(&payload.request_id).into_owned());
        Self {
            request_id: request_id.unwrap_or_default(),
            payload,
            steps: steps(traced.rows, classes),
            truncated: traced.truncated,
        }
    }

    pub fn first(&self) -> Option<DateTime<Utc>> {
        self.steps.iter().filter_map(Step::first).min()
    }

    pub fn last(&self) -> Option<DateTime<Utc>> {
        let last = self.steps.iter().filter_map(Step::last);
        last.map(|said| said.at).max()
    }

    /// Failure where a step failed, success where all succeeded.
    pub fn class(&self) -> Class {
        let mut classes = self.steps.iter().map(Step::class);
        if classes.clone().any(|class| class == Class::Failure) {
            Class::Failure
        } else if !self.steps.is_empty() && classes.all(|class| class == Class::Success) {
            Class::Success
        } else {
            Class::Progress
        }
    }
}

fn steps(mut rows: Vec<Named>, classes: &HashMap<String, Class>) -> Vec<Step> {
    rows.sort_by_key(|row| (row.date, row.row));
    let mut statuses: BTreeMap<(String, Option<String>), Vec<Said>> = BTreeMap::new();
    for row in rows {
        let status = row.status.unwrap_or_default();
        let said = Said {
            class: classes.get(&status).copied().unwrap_or(Class::Progress),
            status,
            message: row.status_msg,
            at: row.date,
        };
        let step = (row.service.unwrap_or_default(), row.source);
        statuses.entry(step).or_default().push(said);
    }
    let mut steps: Vec<Step> = statuses
        .into_iter()
        .map(|((service, source), statuses)| Step {
            service,
            source,
            statuses,
        })
        .collect();
    steps.sort_by_key(Step::first);
    steps
}
