//! Every route there is, from the OpenAPI document: what is tried on all of them is tried on those that are
//! added later, too.

use payload_tracker::api::openapi;
use serde_json::Value;

/// A payload, a host and a reject that tests put in, so that each route has something to answer.
pub const REQUEST: &str = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d";
pub const REJECT: &str = "1";

/// A route under the mounts, or a probe.
#[derive(Clone, Debug)]
pub struct Route {
    /// As documented, such as `/payloads/{request_id}`.
    pub path: String,
    /// The statuses it may answer.
    pub answers: Vec<u16>,
    /// It is a stream, which does not end.
    pub is_stream: bool,
    pub query: Vec<Parameter>,
    mount: &'static str,
}

/// A parameter of the query string.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: String,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Number,
    Word,
    /// Anything; what nothing has matches nothing.
    Text,
    /// Text that has to be a time, a cursor and the like.
    Formed,
}

impl Route {
    /// Where it is, with something that exists for its id.
    pub fn target(&self) -> String {
        self.with_id(match self.path.as_str() {
            "/rejects/{id}" => REJECT,
            _ => REQUEST,
        })
    }

    /// With this id as it is written in a URL.
    pub fn with_id(&self, id: &str) -> String {
        let path = self.path.replace("{request_id}", id).replace("{id}", id);
        format!("{}{path}", self.mount)
    }

    pub fn has_id(&self) -> bool {
        self.path.contains('{')
    }

    pub fn may_answer(&self, status: u16) -> bool {
        self.answers.contains(&status)
    }

    /// Whether it is outside the mounts.
    pub fn is_probe(&self) -> bool {
        self.mount.is_empty()
    }

    /// Whether it asks the database whatever it is asked.
    pub fn reads(&self) -> bool {
        self.may_answer(503)
    }
}

/// All of them.
pub fn routes() -> Vec<Route> {
    let document: Value = serde_json::from_str(&openapi::printed().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    paths.iter().map(|(path, item)| route(path, item)).collect()
}

fn route(path: &str, item: &Value) -> Route {
    let get = &item["get"];
    assert_eq!(
        item.as_object()
            .unwrap()
            .keys()
            .filter(|k| *k != "servers")
            .count(),
        1,
        "{path}: only GET is tried"
    );
    let answers = get["responses"].as_object().unwrap().keys();
    let parameters = get["parameters"].as_array().into_iter().flatten();
    Route {
        path: path.to_owned(),
        answers: answers.map(|status| status.parse().unwrap()).collect(),
        is_stream: get["responses"]["200"]["content"]
            .get("text/event-stream")
            .is_some(),
        query: parameters
            .filter(|p| p["in"] == "query")
            .map(parameter)
            .collect(),
        mount: if item.get("servers").is_some() {
            ""
        } else {
            "/v1"
        },
    }
}

fn parameter(parameter: &Value) -> Parameter {
    let name = parameter["name"].as_str().unwrap();
    let is_time = ["_lt", "_lte", "_gt", "_gte"]
        .iter()
        .any(|bound| name.ends_with(bound));
    let is_formed = is_time || ["cursor", "since", "older_than"].contains(&name);
    let schema = &parameter["schema"];
    let kind = match schema["type"].as_str() {
        Some("integer") => Kind::Number,
        _ if schema.get("enum").is_some() || name == "reason" => Kind::Word,
        _ if is_formed => Kind::Formed,
        _ => Kind::Text,
    };
    Parameter {
        name: name.to_owned(),
        kind,
    }
}
