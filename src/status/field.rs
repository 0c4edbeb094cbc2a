use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A field of a status message; every other key is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    Service,
    RequestId,
    Status,
    Date,
    OrgId,
    Source,
    Account,
    InventoryId,
    SystemId,
    StatusMsg,
}

impl Field {
    /// Every field, in the order of declaration.
    pub const ALL: [Self; 10] = [
        Self::Service,
        Self::RequestId,
        Self::Status,
        Self::Date,
        Self::OrgId,
        Self::Source,
        Self::Account,
        Self::InventoryId,
        Self::SystemId,
        Self::StatusMsg,
    ];

    /// The key in a message, and the name in `REQUIRED_FIELDS`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::RequestId => "request_id",
            Self::Status => "status",
            Self::Date => "date",
            Self::OrgId => "org_id",
            Self::Source => "source",
            Self::Account => "account",
            Self::InventoryId => "inventory_id",
            Self::SystemId => "system_id",
            Self::StatusMsg => "status_msg",
        }
    }

    /// Whether a message without this field cannot be a status in any deployment.
    pub fn is_indispensable(self) -> bool {
        matches!(
            self,
            Self::Service | Self::RequestId | Self::Status | Self::Date
        )
    }

    /// The field that a message's key means, without regard to ASCII case.
    pub(super) fn of_key(key: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|field| field.name().eq_ignore_ascii_case(key))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no field of a message has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no field of a status message")]
pub struct UnknownField(pub String);

impl FromStr for Field {
    type Err = UnknownField;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::of_key(name).ok_or_else(|| UnknownField(name.to_owned()))
    }
}
