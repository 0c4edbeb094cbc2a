//! One status from flags.

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The fields of a status message.
#[derive(Debug, clap::Args)]
pub struct Flags {
    /// The service that reports
    #[arg(long, required_unless_present = "file")]
    service: Option<String>,
    /// What it reports, such as received, processing, success or error
    #[arg(long, required_unless_present = "file")]
    status: Option<String>,
    /// The payload's id [default: a new one, which is printed]
    #[arg(long)]
    request_id: Option<String>,
    /// The organisation
    #[arg(long)]
    org_id: Option<String>,
    /// What the service says about it
    #[arg(long)]
    status_msg: Option<String>,
    /// Where the service has it from
    #[arg(long)]
    source: Option<String>,
    /// The account number
    #[arg(long)]
    account: Option<String>,
    /// The host's id in inventory
    #[arg(long)]
    inventory_id: Option<String>,
    /// The host's own id
    #[arg(long)]
    system_id: Option<String>,
    /// When it happened, RFC 3339 [default: now]
    #[arg(long)]
    date: Option<String>,
    /// Sends the message even if the consumer will reject it
    #[arg(long)]
    no_validate: bool,
}

impl Flags {
    /// The request id, and the message as it is sent; flags that were not given are left out.
    pub fn message(self) -> (String, Vec<u8>) {
        let request_id = self
            .request_id
            .unwrap_or_else(|| Uuid::new_v4().simple().to_string());
        let date = self
            .date
            .unwrap_or_else(|| Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true));
        let fields = [
            ("service", self.service),
            ("source", self.source),
            ("account", self.account),
            ("org_id", self.org_id),
            ("request_id", Some(request_id.clone())),
            ("inventory_id", self.inventory_id),
            ("system_id", self.system_id),
            ("status", self.status),
            ("status_msg", self.status_msg),
            ("date", Some(date)),
        ];
        let object: Map<String, Value> = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
            .collect();
        (request_id, Value::Object(object).to_string().into_bytes())
    }

    pub fn is_validated(&self) -> bool {
        !self.no_validate
    }
}
