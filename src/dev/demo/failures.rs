//! How an archive fails: where, and with which words.

use super::journey::{Step, step};
use super::producers::{
    ADVISOR, INVENTORY, PATCHMAN, PUPTOO, Producer, STORAGE_BROKER, VULNERABILITY,
};

/// The service that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    Validation,
    Inventory,
    Broker,
    Advisor,
    Patchman,
    Vulnerability,
}

impl Failing {
    pub const ALL: [Self; 6] = [
        Self::Validation,
        Self::Inventory,
        Self::Broker,
        Self::Advisor,
        Self::Patchman,
        Self::Vulnerability,
    ];

    /// The steps with what the failing service achieved replaced by its failure. Where a later
    /// service needs what this one should have handed on, nothing follows.
    pub fn cut(self, steps: Vec<Step>) -> Vec<Step> {
        let producer = self.producer();
        let is_outcome =
            |step: &Step| step.producer.service == producer.service && step.status != "received";
        let mut before = Vec::new();
        let mut after = Vec::new();
        let mut failed = false;
        for step in steps {
            if is_outcome(&step) {
                failed = true;
            } else if failed {
                after.push(step);
            } else {
                before.push(step);
            }
        }
        before.extend(self.last_words());
        if self.others_go_on() {
            before.extend(after);
        }
        before
    }

    fn producer(self) -> &'static Producer {
        match self {
            Self::Validation => &PUPTOO,
            Self::Inventory | Self::Broker => &INVENTORY,
            Self::Advisor => &ADVISOR,
            Self::Patchman => &PATCHMAN,
            Self::Vulnerability => &VULNERABILITY,
        }
    }

    fn others_go_on(self) -> bool {
        match self {
            Self::Validation | Self::Inventory | Self::Broker => false,
            Self::Advisor | Self::Patchman | Self::Vulnerability => true,
        }
    }

    fn last_words(self) -> Vec<Step> {
        match self {
            Self::Validation => vec![
                step(
                    700,
                    &PUPTOO,
                    "failed",
                    "Validation failure. Message sent to storage broker",
                ),
                step(
                    250,
                    &STORAGE_BROKER,
                    "error",
                    "invalid validation response: failure from advisor",
                ),
            ],
            Self::Inventory => vec![step(90, &INVENTORY, "error", DUPLICATE_HOST).of_host(0)],
            Self::Broker => vec![step(90, &INVENTORY, "processing_error", TOO_LARGE)],
            Self::Advisor => vec![step(400, &ADVISOR, "error", LOST_CONNECTION).of_host(0)],
            Self::Patchman => vec![step(30_000, &PATCHMAN, "error", NO_VMAAS).of_host(0)],
            Self::Vulnerability => vec![step(900, &VULNERABILITY, "error", LOCKED).of_host(0)],
        }
    }
}

const DUPLICATE_HOST: &str = r#"IntegrityError encountered in (handle_message): (psycopg2.errors.UniqueViolation) duplicate key value violates unique constraint "hosts_pkey"
DETAIL:  Key (org_id, id) already exists.

[SQL: INSERT INTO hbi.hosts (id, org_id, display_name) VALUES (%(id)s, %(org_id)s, %(display_name)s)]"#;

const TOO_LARGE: &str = r#"KafkaException encountered in (write_message_batch): KafkaError{code=MSG_SIZE_TOO_LARGE,val=10,str="Unable to produce message: Broker: Message size too large"}"#;

const LOST_CONNECTION: &str = r#"Traceback (most recent call last):
  File "/opt/app-root/lib64/python3.12/site-packages/django/db/backends/utils.py", line 105, in _execute
    return self.cursor.execute(sql, params)
psycopg2.OperationalError: server closed the connection unexpectedly
	This probably means the server terminated abnormally
	before or while processing the request."#;

const NO_VMAAS: &str = r#"evaluation failed: Post "http://vmaas-webapp:8000/api/v3/updates": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"#;

const LOCKED: &str = "evaluation failed: canceling statement due to lock timeout";
