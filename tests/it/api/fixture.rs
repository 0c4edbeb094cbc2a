use std::collections::HashMap;
use std::sync::Arc;

use payload_tracker::api::{App, Archive, Live, Reader, Sessions, ready_check, router};
use payload_tracker::config::{self, Database, Environment};
use payload_tracker::telemetry::metrics::ApiMetrics;
use payload_tracker::telemetry::serve::serve_until;
use prometheus::Registry;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{self, TestDatabase};

/// The API on a port of its own and a database of its own.
pub struct Api {
    pub database: Arc<TestDatabase>,
    pub metrics: ApiMetrics,
    /// Ends all streams.
    pub stop: CancellationToken,
    /// What its address begins with, such as `http://127.0.0.1:4711`.
    pub url: String,
    client: Client,
}

impl Api {
    pub async fn start() -> Self {
        Self::on(support::database().await).await
    }

    pub async fn on(database: TestDatabase) -> Self {
        let config = database.config();
        Self::started(database, &config, &[]).await
    }

    /// `config`: how the API finds the database.
    pub async fn started(
        database: impl Into<Arc<TestDatabase>>,
        config: &Database,
        origins: &[&str],
    ) -> Self {
        let origins = origins.join(",");
        Self::set(database, config, &[("CORS_ALLOWED_ORIGINS", &origins)]).await
    }

    /// With these variables in its environment.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        let database = support::database().await;
        let config = database.config();
        Self::set(database, &config, variables).await
    }

    async fn set(
        database: impl Into<Arc<TestDatabase>>,
        config: &Database,
        variables: &[(&str, &str)],
    ) -> Self {
        let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        let variables: HashMap<String, String> = variables.iter().map(owned).collect();
        let settings = config::Api::load(&Environment::new(variables).unwrap()).unwrap();
        let metrics = ApiMetrics::new(&Registry::new()).unwrap();
        let stop = CancellationToken::new();
        let reader = || Reader::new(Sessions::with(config, 0), metrics.db_seconds.clone());
        let live = Live::new(reader(), metrics.clone(), stop.clone());
        let reader = reader();
        let ready = ready_check(&reader);
        let archive = Archive::new(settings.archive).unwrap();
        let app = App::new(reader, live, metrics.clone(), archive, settings.kibana);
        let service = router(app, ready, &settings.http);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        // Not `stop`: when that is told, streams end and the port stays.
        tokio::spawn(serve_until(CancellationToken::new(), listener, service));
        Self {
            database: database.into(),
            metrics,
            stop,
            url,
            client: Client::new(),
        }
    }

    /// A request to a path of the server.
    pub fn request(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    pub async fn send(&self, path: &str) -> Response {
        self.request(path).send().await.unwrap()
    }

    /// What `{mount}{path}` answers, which has to be a 200.
    pub async fn text(&self, path: &str) -> String {
        let response = self.send(&format!("/api/v1{path}")).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// The same as JSON.
    pub async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path).await).unwrap()
    }

    /// Status and message of `{mount}{path}`, which has to answer an error in the one form.
    pub async fn problem(&self, path: &str) -> (u16, String) {
        problem(self.send(&format!("/api/v1{path}")).await).await
    }

    /// One field of each row of a list, in its order.
    pub async fn column(&self, path: &str, field: &str) -> Vec<String> {
        let list = self.json(path).await;
        let rows = list["data"].as_array().unwrap();
        rows.iter()
            .map(|row| row[field].as_str().unwrap_or("-").to_owned())
            .collect()
    }

    pub async fn sql(&self, statement: &'static str) {
        sea_orm::sqlx::raw_sql(statement)
            .execute(&self.database.pool)
            .await
            .unwrap();
    }
}

/// Status and message of an error, in the one form that errors have.
pub async fn problem(response: Response) -> (u16, String) {
    let status = response.status();
    let kind = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let text = response.text().await.unwrap();
    assert_eq!(kind, "application/json", "{text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    let body = body.as_object().unwrap();
    assert_eq!(body.len(), 3, "{text}");
    assert_eq!(body["status"], status.as_u16(), "{text}");
    assert_eq!(body["title"], status.canonical_reason().unwrap(), "{text}");
    (
        status.as_u16(),
        body["message"].as_str().unwrap().to_owned(),
    )
}
