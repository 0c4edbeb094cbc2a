use std::time::Duration;

use super::kafka::is_name;
use super::{ConfigError, Environment};

/// How the group's members share the topic's partitions among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignmentStrategy {
    /// Only partitions that move are let go.
    CooperativeSticky,
    /// Every rebalance lets go of all partitions: the eager protocol.
    Range,
    /// Eager too.
    RoundRobin,
}

impl AssignmentStrategy {
    const NAMES: [(&str, Self); 3] = [
        ("cooperative-sticky", Self::CooperativeSticky),
        ("range", Self::Range),
        ("roundrobin", Self::RoundRobin),
    ];

    /// librdkafka's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CooperativeSticky => "cooperative-sticky",
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
        }
    }
}

/// What kind of member of its group a consumer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// `KAFKA_ASSIGNMENT_STRATEGY` (`cooperative-sticky`). A group has members of one protocol only,
    /// and one that wants the other is refused until they are gone.
    pub strategy: AssignmentStrategy,
    /// `KAFKA_GROUP_INSTANCE_ID` (none): a name that stays over restarts and that no other member has.
    /// A consumer that is back within its session has its partitions still.
    pub instance_id: Option<String>,
    /// `KAFKA_SESSION_TIMEOUT_MS` (10,000, or 45,000 with an instance id; 6,000 to 300,000): for how
    /// long a member that is silent keeps its partitions. The least and the most are what brokers and
    /// librdkafka allow by default. Longer with an instance id, since it must outlast a restart.
    pub session_timeout: Duration,
}

impl Membership {
    /// # Errors
    ///
    /// On a value that is not allowed.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        let strategy = env
            .setting("KAFKA_ASSIGNMENT_STRATEGY")
            .one_of("cooperative-sticky", &AssignmentStrategy::NAMES)?;
        let instance_id = env.setting("KAFKA_GROUP_INSTANCE_ID").parsed(
            "",
            "1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'",
            |id| match id {
                "" => Some(None),
                id => is_name(id).then(|| Some(id.to_owned())),
            },
        )?;
        let default = if instance_id.is_some() {
            45_000
        } else {
            10_000
        };
        let session_timeout = env
            .setting("KAFKA_SESSION_TIMEOUT_MS")
            .number(default, 6_000..=300_000)?;
        Ok(Self {
            strategy,
            instance_id,
            session_timeout: Duration::from_millis(session_timeout),
        })
    }
}
