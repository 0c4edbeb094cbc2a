use tokio::time::Instant;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`; another takes its place.
    ConsumerKilled,
    /// SIGTERM; another takes its place.
    ConsumerStopped,
    /// One more, as long as there is room.
    ConsumerAdded,
    /// One less by SIGTERM, as long as one is left.
    ConsumerRemoved,
    /// Frozen until others have read on in all lanes, then it goes on where it was.
    ConsumerFrozen,
    /// The server terminates every session that is in a transaction.
    BackendsKilled,
    /// Transactions commit, and nobody hears of it.
    AnswersLost,
    /// A fast shutdown, and some time later a start.
    DatabaseStopped,
    /// An immediate shutdown, as a crash, and a start that recovers.
    DatabaseCrashed,
    /// Every connection to the database is cut.
    DatabaseCut,
    /// No connection to the database for some time.
    DatabaseUnreachable,
    /// A shutdown in order, and a start.
    BrokerStopped,
    /// `kill -9` and a start.
    BrokerKilled,
    /// Every connection to the broker is cut.
    BrokerCut,
    /// No connection to the broker for some time.
    BrokerUnreachable,
}

impl Fault {
    pub const ALL: [Self; 15] = [
        Self::ConsumerKilled,
        Self::ConsumerStopped,
        Self::ConsumerAdded,
        Self::ConsumerRemoved,
        Self::ConsumerFrozen,
        Self::BackendsKilled,
        Self::AnswersLost,
        Self::DatabaseStopped,
        Self::DatabaseCrashed,
        Self::DatabaseCut,
        Self::DatabaseUnreachable,
        Self::BrokerStopped,
        Self::BrokerKilled,
        Self::BrokerCut,
        Self::BrokerUnreachable,
    ];

    /// Those that take no time, and may happen while another lasts.
    pub const SUDDEN: [Self; 4] = [
        Self::ConsumerKilled,
        Self::ConsumerAdded,
        Self::DatabaseCut,
        Self::BrokerCut,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::ConsumerKilled => "consumer killed",
            Self::ConsumerStopped => "consumer stopped",
            Self::ConsumerAdded => "consumer added",
            Self::ConsumerRemoved => "consumer removed",
            Self::ConsumerFrozen => "consumer frozen",
            Self::BackendsKilled => "backends killed",
            Self::AnswersLost => "COMMITs unanswered",
            Self::DatabaseStopped => "database stopped",
            Self::DatabaseCrashed => "database crashed",
            Self::DatabaseCut => "database cut off",
            Self::DatabaseUnreachable => "database unreachable",
            Self::BrokerStopped => "broker stopped",
            Self::BrokerKilled => "broker killed",
            Self::BrokerCut => "broker cut off",
            Self::BrokerUnreachable => "broker unreachable",
        }
    }
}

/// A fault that happened.
#[derive(Clone, Copy)]
pub struct Record {
    pub fault: Fault,
    pub begun: Instant,
}
