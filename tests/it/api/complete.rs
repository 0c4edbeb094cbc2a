//! What the OpenAPI document has to say of every route, parameter and answer.

use std::collections::BTreeSet;

use serde_json::Value;

use super::document::{Document, words};

const PROBES: [&str; 3] = ["/live", "/ready", "/health"];
/// They ask no database.
const WITHOUT_DATABASE: [&str; 6] = [
    "/",
    "/live",
    "/archive/{id}",
    "/payloads/{request_id}/archiveLink",
    "/payloads/{request_id}/kibanaLink",
    "/roles/archiveLink",
];

#[test]
fn every_route_says_how_it_may_fail() {
    let document = Document::of_the_code();
    for (path, get) in document.routes() {
        let answers = get["responses"].as_object().unwrap();
        let statuses: BTreeSet<&str> = answers.keys().map(String::as_str).collect();
        assert_eq!(
            statuses,
            expected(path, document.parameters(path)),
            "{path}"
        );
        for (status, answer) in answers.iter().filter(|(status, _)| *status != "200") {
            let schema = &answer["content"]["application/json"]["schema"];
            assert_eq!(
                schema["$ref"], "#/components/schemas/Error",
                "{path} {status}"
            );
            let waits = ["429", "503"].contains(&status.as_str());
            let after = &answer["headers"]["Retry-After"];
            assert_eq!(after.is_object(), waits, "{path} {status}");
        }
    }
}

/// Those of an answer that tests get are looked at in `headers.rs`; a 500 carries as much.
#[test]
fn every_answer_but_a_probe_s_names_the_headers_that_all_have() {
    let document = Document::of_the_code();
    for (path, get) in document.routes().filter(|(path, _)| !PROBES.contains(path)) {
        for (status, answer) in get["responses"].as_object().unwrap() {
            for header in [
                "Cache-Control",
                "X-RateLimit-Limit",
                "X-RateLimit-Remaining",
                "X-RateLimit-Reset",
                "X-Request-Id",
                "X-Rh-Insights-Request-Id",
            ] {
                let described = document.resolved(&answer["headers"][header]);
                let about = described["description"].as_str().unwrap_or_default();
                assert!(!about.is_empty(), "{path} {status} lacks {header}");
            }
        }
    }
}

fn expected(path: &str, parameters: &[Value]) -> BTreeSet<&'static str> {
    let mut statuses = BTreeSet::from(["200"]);
    if !PROBES.contains(&path) {
        statuses.extend(["429", "500"]);
    }
    if !WITHOUT_DATABASE.contains(&path) {
        statuses.insert("503");
    }
    if path.contains('{') {
        statuses.insert("404");
    }
    if parameters.iter().any(may_be_refused) {
        statuses.insert("400");
    }
    if path.ends_with("/archiveLink") {
        statuses.extend(["401", "403"]);
    }
    if path == "/payloads/{request_id}/archiveLink" {
        statuses.extend(["400", "502", "504"]);
    }
    statuses
}

/// Filters take any text, and in a path what is no id finds nothing.
fn may_be_refused(parameter: &Value) -> bool {
    let schema = &parameter["schema"];
    let is_any_text = schema["type"] == "string"
        && ["anyOf", "enum", "pattern"]
            .iter()
            .all(|limit| schema.get(limit).is_none());
    match parameter["in"].as_str().unwrap() {
        "query" => !is_any_text,
        "header" => parameter["name"] == "Last-Event-ID",
        _ => false,
    }
}

#[test]
fn every_parameter_has_an_example_or_a_default() {
    let document = Document::of_the_code();
    for (path, _) in document.routes() {
        for parameter in document.parameters(path) {
            let schema = &parameter["schema"];
            let shown = parameter.get("example").or(schema["examples"].get(0));
            let shown = shown.or(schema.get("default"));
            let shown = shown.unwrap_or_else(|| panic!("{path}: {parameter}"));
            assert_eq!(
                shown.is_string(),
                schema["type"] == "string",
                "{path}: {parameter}"
            );
            let allowed = schema.get("enum").and_then(Value::as_array);
            assert!(
                allowed.is_none_or(|words| words.contains(shown)),
                "{path}: {parameter}"
            );
        }
    }
}

#[test]
fn every_answer_has_an_example() {
    let document = Document::of_the_code();
    for (path, get) in document.routes() {
        for (kind, content) in get["responses"]["200"]["content"].as_object().unwrap() {
            if content.get("example").is_none() {
                let mut without = Vec::new();
                Leaves(&document).without_example(&content["schema"], kind, &mut without);
                assert!(without.is_empty(), "{path} has no example of {without:?}");
            }
        }
    }
}

struct Leaves<'d>(&'d Document);

impl Leaves<'_> {
    /// The fields within a schema that a page could not show anything for.
    fn without_example(&self, schema: &Value, at: &str, found: &mut Vec<String>) {
        let schema = self.0.resolved(schema);
        let says = ["example", "enum", "default"];
        if says.iter().any(|word| schema.get(word).is_some()) || schema["type"] == "null" {
            return;
        }
        let alternatives = ["oneOf", "anyOf", "allOf"].iter();
        let alternatives = alternatives.filter_map(|word| schema[word].as_array());
        let items = ["items", "additionalProperties"].iter();
        let items = items.filter_map(|word| schema.get(word));
        let parts: Vec<&Value> = alternatives.flatten().chain(items).collect();
        let fields = schema["properties"].as_object();
        if parts.is_empty() && fields.is_none() {
            found.push(at.to_owned());
        }
        for part in parts {
            self.without_example(part, at, found);
        }
        for (name, field) in fields.into_iter().flatten() {
            self.without_example(field, &format!("{at} {name}"), found);
        }
    }
}

#[test]
fn what_is_one_of_a_few_words_is_an_enum() {
    let document = Document::of_the_code();
    let enums = [
        "sort_by", "sort_dir", "format", "stat", "redriven", "reason",
    ];
    for (path, _) in document.routes() {
        for parameter in document.parameters(path) {
            let name = parameter["name"].as_str().unwrap();
            let words = words(&parameter["schema"]["enum"]);
            assert_eq!(!words.is_empty(), enums.contains(&name), "{path} {name}");
        }
    }
}
