//! The service that gives out links to archives, asked over HTTP.

use std::error::Error;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use url::Url;

/// It redirects once, to the same path with a slash behind it.
const MOST_REDIRECTS: usize = 5;
/// A pre-signed URL has about 2 kB; an answer that is larger is not what was asked for.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error("storage-broker knows no archive of it")]
    Unknown,
    #[error("storage-broker does not answer in time")]
    Late,
    #[error("storage-broker cannot be asked")]
    Unreachable(#[source] reqwest::Error),
    #[error("storage-broker answered {0}")]
    Refused(StatusCode),
    #[error("storage-broker's answer has more than {LONGEST_ANSWER} bytes")]
    TooLong,
    #[error("storage-broker's answer is not the JSON that was asked for")]
    NotUnderstood,
}

impl From<reqwest::Error> for BrokerError {
    /// Without the URL: where a redirect led may be secret.
    fn from(error: reqwest::Error) -> Self {
        match error.is_timeout() {
            true => Self::Late,
            false => Self::Unreachable(error.without_url()),
        }
    }
}

impl BrokerError {
    /// For the log: a request that ends in an error of the gateway.
    pub fn log(&self) {
        tracing::warn!(error = self as &dyn Error, "no link to an archive");
    }
}

/// Storage-broker, behind one address.
#[derive(Clone, Debug)]
pub struct StorageBroker {
    client: Client,
    url: Url,
}

/// What it answers, among other things.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    url: Option<String>,
}

impl StorageBroker {
    /// `timeout`: for a whole answer, redirects included.
    ///
    /// # Errors
    /// The system's certificates cannot be loaded.
    pub fn at(url: Url, timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .timeout(timeout)
            .redirect(Policy::limited(MOST_REDIRECTS))
            .referer(false)
            .build()?;
        Ok(Self { client, url })
    }

    /// A link to the archive of the payload with this canonical request id, valid for a while.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn link(&self, request_id: &str) -> Result<String, BrokerError> {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("request_id", request_id);
        let answer = self.client.get(url).send().await?;
        match answer.status() {
            StatusCode::OK => {}
            // It says 400 of a payload that it has no archive of; the id itself is always a UUID.
            StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => return Err(BrokerError::Unknown),
            other => return Err(BrokerError::Refused(other)),
        }
        let body = body(answer).await?;
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|_| BrokerError::NotUnderstood)?;
        let link = answer.url.filter(|url| !url.is_empty());
        link.ok_or(BrokerError::Unknown)
    }
}

async fn body(mut answer: Response) -> Result<Vec<u8>, BrokerError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(BrokerError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
