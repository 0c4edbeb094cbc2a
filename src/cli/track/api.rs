//! The three questions `pt track` asks the read API.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use url::Url;

use crate::cli::text::Text;

/// The environment variable that names the API, and its default.
pub const VARIABLE: &str = "PT_API_URL";
pub const DEFAULT_URL: &str = "http://localhost:8080";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Error)]
pub enum ApiError {
    #[error("{VARIABLE}={url:?} is not the URL of an API: {reason}; an example is {DEFAULT_URL}")]
    Url { url: String, reason: String },
    #[error("no API answers at {url} ({VARIABLE} names another)")]
    Unreachable { url: Url, source: reqwest::Error },
    #[error("what answers at {url} is not Payload Tracker's API ({VARIABLE} names another)")]
    Foreign { url: Url },
    #[error("the API at {url} says {status}: {message}")]
    Refused {
        url: Url,
        status: StatusCode,
        message: Text,
    },
}

/// One status of a payload, oldest first in [`Path::data`].
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Hash)]
#[serde(default)]
pub struct Row {
    pub request_id: Text,
    pub service: Text,
    pub source: Text,
    pub status: Text,
    pub status_msg: Text,
    pub account: Text,
    pub org_id: Text,
    pub inventory_id: Text,
    pub system_id: Text,
    pub date: DateTime<Utc>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Durations {
    #[serde(default)]
    pub total_time: Text,
}

/// What happened to one payload.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Path {
    pub data: Vec<Row>,
    #[serde(default)]
    pub duration: Durations,
    /// The API left out all but the newest statuses.
    #[serde(default)]
    pub truncated: bool,
}

/// A payload in a list.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Payload {
    pub request_id: Text,
    #[serde(default)]
    pub org_id: Text,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Payloads {
    pub count: u64,
    #[serde(default)]
    pub count_capped: bool,
    pub data: Vec<Payload>,
}

#[derive(Deserialize)]
struct Problem {
    message: Text,
}

/// Which id of a host a list is filtered by.
#[derive(Clone, Copy, Debug)]
pub enum HostId {
    Inventory,
    System,
}

impl HostId {
    fn parameter(self) -> &'static str {
        match self {
            Self::Inventory => "inventory_id",
            Self::System => "system_id",
        }
    }
}

pub struct Api {
    client: reqwest::Client,
    base: Url,
}

impl Api {
    /// `base` is where the API's root is, as in [`DEFAULT_URL`].
    ///
    /// # Errors
    /// It is no http or https URL.
    pub fn new(base: &str) -> Result<Self, ApiError> {
        let bad = |reason: String| ApiError::Url {
            url: base.to_owned(),
            reason,
        };
        let url = Url::parse(base).map_err(|error| bad(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("it must begin with http:// or https://".into()));
        }
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build()
            .map_err(|source| ApiError::Unreachable {
                url: url.clone(),
                source,
            })?;
        Ok(Self { client, base: url })
    }

    pub fn url(&self) -> &Url {
        &self.base
    }

    /// The payload's statuses, oldest first; `None` if there is no such payload.
    pub async fn path(&self, request_id: &str) -> Result<Option<Path>, ApiError> {
        let mut url = self.endpoint(&["payloads", request_id]);
        url.query_pairs_mut()
            .append_pair("sort_by", "date")
            .append_pair("sort_dir", "asc");
        match self.get(url).await {
            Err(ApiError::Refused { status, .. }) if status == StatusCode::NOT_FOUND => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// The newest payloads that ever named the host, newest first.
    pub async fn payloads_of(&self, kind: HostId, id: &str) -> Result<Payloads, ApiError> {
        let mut url = self.endpoint(&["payloads"]);
        url.query_pairs_mut().append_pair(kind.parameter(), id);
        self.get(url).await
    }

    fn endpoint(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Only a URL that cannot have a path refuses, and those are not http.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1"]).extend(segments);
        }
        url
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, ApiError> {
        let unreachable = |source: reqwest::Error| ApiError::Unreachable {
            url: self.base.clone(),
            source: source.without_url(),
        };
        let foreign = || ApiError::Foreign {
            url: self.base.clone(),
        };
        let answer = self.client.get(url).send().await.map_err(unreachable)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| foreign());
        }
        let problem: Problem = serde_json::from_slice(&body).map_err(|_| foreign())?;
        Err(ApiError::Refused {
            url: self.base.clone(),
            status,
            message: problem.message,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_cannot_leave_their_place_in_the_url() {
        let api = Api::new("http://localhost:8080/").unwrap();
        let url = api.endpoint(&["payloads", "a/../b?c#d e"]);
        assert_eq!(
            url.as_str(),
            "http://localhost:8080/api/v1/payloads/a%2F..%2Fb%3Fc%23d%20e"
        );
        let below = Api::new("https://example.com/app/payload-tracker").unwrap();
        assert_eq!(
            below.endpoint(&["payloads"]).as_str(),
            "https://example.com/app/payload-tracker/api/v1/payloads"
        );
    }

    #[test]
    fn a_wrong_url_names_the_variable() {
        for base in ["localhost:8080", "", "ftp://example.com"] {
            let error = Api::new(base).err().unwrap().to_string();
            assert!(error.contains("PT_API_URL="), "{error}");
        }
    }
}
