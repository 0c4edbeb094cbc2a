//! A group that does not take this member, and what to do about it.

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::time::{Duration, Instant};
use tracing::warn;

use super::{ConsumeError, Consumer};
use crate::config::Membership;

/// The client tries again every second, which is too often to be told.
const REMINDER: Duration = Duration::from_secs(60);

impl Consumer {
    /// Says why the group refuses this member, here and in the readiness, where its settings are the reason.
    /// The client goes on trying: the reason may go away.
    pub(super) fn refused(&mut self, code: RDKafkaErrorCode) -> bool {
        let Some(reason) = reason(code, &self.setup.membership) else {
            return false;
        };
        self.setup.health.refused(&reason);
        if self.complained.is_none_or(|at| at.elapsed() >= REMINDER) {
            self.complained = Some(Instant::now());
            warn!("{reason}");
        }
        true
    }

    /// What ended the client for good.
    pub(super) fn fatal(&self, error: KafkaError) -> ConsumeError {
        let cause = self.setup.client.client().fatal_error();
        match (cause, &self.setup.membership.instance_id) {
            (Some((RDKafkaErrorCode::FencedInstanceId, _)), Some(id)) => {
                ConsumeError::Fenced(id.clone())
            }
            (Some((code, _)), _) => KafkaError::MessageConsumptionFatal(code).into(),
            (None, _) => error.into(),
        }
    }
}

fn reason(code: RDKafkaErrorCode, membership: &Membership) -> Option<String> {
    match code {
        RDKafkaErrorCode::InconsistentGroupProtocol => Some(format!(
            "the group has members whose protocol is not that of KAFKA_ASSIGNMENT_STRATEGY={}: \
             stop them (the Go tracker's have range), or give all members one strategy",
            membership.strategy.as_str()
        )),
        RDKafkaErrorCode::InvalidSessionTimeout => Some(format!(
            "the brokers do not allow KAFKA_SESSION_TIMEOUT_MS={}: \
             see their group.min.session.timeout.ms and group.max.session.timeout.ms",
            membership.session_timeout.as_millis()
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AssignmentStrategy;

    #[test]
    fn what_a_setting_mends_names_the_setting_and_its_value() {
        let membership = Membership {
            strategy: AssignmentStrategy::Range,
            instance_id: None,
            session_timeout: Duration::from_secs(7),
        };
        let said = |code| reason(code, &membership).unwrap_or_default();
        let protocol = said(RDKafkaErrorCode::InconsistentGroupProtocol);
        assert!(protocol.contains("KAFKA_ASSIGNMENT_STRATEGY=range"));
        let session = said(RDKafkaErrorCode::InvalidSessionTimeout);
        assert!(session.contains("KAFKA_SESSION_TIMEOUT_MS=7000"));
        assert_eq!(said(RDKafkaErrorCode::RebalanceInProgress), "");
    }
}
