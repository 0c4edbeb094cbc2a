//! Facts as an explanation.

use chrono::{DateTime, TimeDelta, Utc};

use super::answer::{
    Await, Compared, Expected, ExplainedPayload, Explanation, IdKind, LatestPayload, OtherMatch,
    PathStep, SimilarFailures, StatisticsOf, StepName, Usual, Why,
};
use super::find::{Cause, Facts, Subject};
use crate::api::names::NamesById;
use crate::api::render::Instant;
use crate::explain::{
    Awaited, Class, Expectation, Fingerprint, Path, Spread, Statistics, Stay, Step, Telling, wait,
};
use crate::store::entity::payloads;

/// What is told about `facts`, in which `names` has all names.
pub fn explanation(facts: Facts, names: &NamesById, now: DateTime<Utc>) -> Explanation {
    let teller = Teller { names, now };
    let subject = facts.subject;
    let payloads = match facts.kind {
        IdKind::Request => Vec::new(),
        IdKind::Inventory | IdKind::System => std::iter::once(&subject)
            .chain(&facts.older)
            .map(|subject| teller.latest(subject))
            .collect(),
    };
    let other = |(kind, payloads)| OtherMatch { kind, payloads };
    let expected = subject.finding.expected.iter();
    Explanation {
        summary: teller.sentence(&subject, facts.cause.as_ref()),
        verdict: subject.finding.verdict.into(),
        matched: facts.kind,
        at: subject.finding.at.map(|step| teller.name(step)),
        before: subject.finding.before.map(|step| teller.name(step)),
        since: Instant(subject.finding.since),
        why: facts.cause.map(|cause| teller.why(cause)),
        path: teller.path(&subject.path, &facts.statistics),
        expected: expected.map(|one| teller.expected(one)).collect(),
        payloads,
        other_matches: facts.others.into_iter().map(other).collect(),
        as_of: Instant(now),
        statistics: facts.learnt.map(|learnt| StatisticsOf {
            computed_at: Instant(learnt.computed_at),
            since: Instant(learnt.since),
            payloads: learnt.payloads,
        }),
        truncated: subject.truncated,
        payload: payload(subject.payload),
    }
}

struct Teller<'n> {
    names: &'n NamesById,
    now: DateTime<Utc>,
}

impl Teller<'_> {
    fn name(&self, step: Step) -> StepName {
        StepName {
            service: self.names.service(step.service).unwrap_or_default(),
            source: self.names.source(step.source),
        }
    }

    fn sentence(&self, subject: &Subject, cause: Option<&Cause>) -> String {
        let telling = Telling {
            finding: &subject.finding,
            path: &subject.path,
            now: self.now,
            name: |step| {
                let StepName { service, source } = self.name(step);
                source.map_or(service.clone(), |source| format!("{service} ({source})"))
            },
            message: cause.map(|cause| cause.message.as_str()),
        };
        telling.sentence()
    }

    fn why(&self, cause: Cause) -> Why {
        let date = cause.status.date;
        Why {
            step: self.name(cause.status.step),
            status: self.names.status(cause.status.name).unwrap_or_default(),
            date: Instant(date),
            message: cause.message,
            fingerprint: cause.fingerprint.text,
            fingerprint_id: Fingerprint::hex(cause.fingerprint.hash),
            similar: cause.similar.map(|similar| SimilarFailures {
                payloads_last_hour: similar.payloads,
                first_seen: Instant(similar.first_seen),
                last_seen: Instant(similar.last_seen),
            }),
        }
    }

    fn path(&self, path: &Path, statistics: &Statistics) -> Vec<PathStep> {
        let before = std::iter::once(None).chain(path.stays().iter().map(Some));
        let steps = path.stays().iter().zip(before);
        steps
            .map(|(stay, before)| self.step(stay, before, statistics))
            .collect()
    }

    fn step(&self, stay: &Stay, before: Option<&Stay>, statistics: &Statistics) -> PathStep {
        let took = match stay.class() {
            Class::Progress => self.now - stay.entered(),
            Class::Success | Class::Failure => stay.took(),
        };
        let waited = before.map(|before| wait(before, stay));
        let usual_wait = before.and_then(|before| statistics.wait(before.step(), stay.step()));
        PathStep {
            step: self.name(stay.step()),
            status: self.names.status(stay.last.name).unwrap_or_default(),
            class: stay.class().into(),
            statuses: stay.statuses,
            entered: Instant(stay.entered()),
            left: Instant(stay.left()),
            took: seconds(stay.took()),
            took_usually: statistics
                .took(stay.step())
                .map(|spread| usual(spread, took)),
            waited: waited.map(seconds),
            waited_usually: usual_wait
                .zip(waited)
                .map(|(spread, waited)| usual(spread, waited)),
        }
    }

    fn expected(&self, one: &Expectation) -> Expected {
        let (what, after) = match one.awaited {
            Awaited::End(_) => (Await::End, None),
            Awaited::Follower { after, .. } => (Await::Entry, Some(self.name(after))),
        };
        Expected {
            step: self.name(one.awaited.step()),
            what,
            after,
            samples: one.usual.samples,
            p50: seconds(one.usual.p50),
            p95: seconds(one.usual.p95),
            since: one.since.map(Instant),
            by: one.by().map(Instant),
            overdue: one.overdue(self.now).map(seconds),
        }
    }

    fn latest(&self, subject: &Subject) -> LatestPayload {
        LatestPayload {
            request_id: subject.payload.request_id.clone(),
            created_at: Instant(subject.payload.created_at),
            verdict: subject.finding.verdict.into(),
            at: subject.finding.at.map(|step| self.name(step)),
            since: Instant(subject.finding.since),
        }
    }
}

fn payload(payload: payloads::Model) -> ExplainedPayload {
    // The Go tracker stored `''` for absent.
    let present = |text: Option<String>| text.filter(|text| !text.is_empty());
    ExplainedPayload {
        id: payload.id,
        request_id: payload.request_id,
        account: present(payload.account),
        org_id: present(payload.org_id),
        inventory_id: present(payload.inventory_id),
        system_id: present(payload.system_id),
        created_at: Instant(payload.created_at),
    }
}

fn usual(spread: Spread, this: TimeDelta) -> Usual {
    let compared = if this <= spread.p50 {
        Compared::WithinP50
    } else if this <= spread.p95 {
        Compared::WithinP95
    } else {
        Compared::PastP95
    };
    Usual {
        p50: seconds(spread.p50),
        p95: seconds(spread.p95),
        samples: spread.samples,
        compared,
    }
}

/// To the microsecond.
fn seconds(length: TimeDelta) -> f64 {
    length
        .num_microseconds()
        .map_or(f64::MAX, |micros| micros as f64 / 1e6)
}
