//! What answers carry beside their bodies.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::PathItem;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Response};

/// Of each answer of the resources, errors included.
const OF_ALL: [&str; 6] = [
    "Cache-Control",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-Id",
    "X-Rh-Insights-Request-Id",
];

/// Of lists as CSV: what stands beside the rows in JSON.
const OF_CSV: [&str; 4] = ["Content-Disposition", "X-Count", "X-Count-Capped", "X-Next"];

/// Each header, by its name.
pub fn described() -> BTreeMap<String, RefOr<Header>> {
    let headers = [
        (
            "Cache-Control",
            "Answers are not to be kept",
            word("no-store"),
            json!("no-store"),
        ),
        (
            "Content-Disposition",
            "Only of CSV: what to call the file",
            text(),
            json!("attachment; filename=\"payloads.csv\""),
        ),
        (
            "Retry-After",
            "Seconds after which it is worth asking again",
            number(),
            json!(3),
        ),
        (
            "X-Accel-Buffering",
            "Has proxies pass each event on at once",
            word("no"),
            json!("no"),
        ),
        (
            "X-Count",
            "Only of CSV: `count` of the list",
            number(),
            json!(1),
        ),
        (
            "X-Count-Capped",
            "Only of CSV: `count_capped` of the list; left out where that is false",
            word("true"),
            json!("true"),
        ),
        (
            "X-Next",
            "Only of CSV: `next` of the list; left out where that is",
            text(),
            json!("b6oD1l2W0nAABkQX0AxXgAAAAAAAABJn"),
        ),
        (
            "X-RateLimit-Limit",
            "Requests that this client may send in a minute; left out where there is no limit",
            number(),
            json!(3_000),
        ),
        (
            "X-RateLimit-Remaining",
            "Those it may still send in this one; left out where there is no limit",
            number(),
            json!(2_999),
        ),
        (
            "X-RateLimit-Reset",
            "The Unix second in which the minute ends; left out where there is no limit",
            number(),
            json!(1_769_847_360),
        ),
        (
            "X-Request-Id",
            "The request's id as it was sent, or one made up",
            id(),
            json!("9f2d6c1b8e7a4f03b5d4c3a2e1f0968d"),
        ),
        (
            "X-Rh-Insights-Request-Id",
            "The same, by the name that the platform has for it",
            id(),
            json!("9f2d6c1b8e7a4f03b5d4c3a2e1f0968d"),
        ),
    ];
    headers
        .map(|(name, about, schema, example)| (name.to_owned(), header(about, schema, example)))
        .into()
}

fn header(about: &str, schema: Object, example: Value) -> RefOr<Header> {
    HeaderBuilder::new()
        .description(Some(about))
        .schema(Some(schema))
        .example(Some(example))
        .build()
        .into()
}

fn text() -> Object {
    Object::with_type(Type::String)
}

fn word(only: &str) -> Object {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.enum_values(Some([only])).build()
}

fn number() -> Object {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    number.minimum(Some(0)).build()
}

fn id() -> Object {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.pattern(Some("^[A-Za-z0-9_.:/+=@-]{1,128}$")).build()
}

/// Names what each answer of a resource carries.
pub fn add_common(item: &mut PathItem) {
    for response in responses(item).map(|(_, response)| response) {
        name(response, &OF_ALL);
        if response.content.contains_key("text/csv") {
            name(response, &OF_CSV);
        }
        if response.content.contains_key("text/event-stream") {
            name(response, &["X-Accel-Buffering"]);
        }
    }
}

/// Says when to come back; of the probes too.
pub fn add_waits(item: &mut PathItem) {
    let waiting = responses(item).filter(|(status, _)| ["429", "503"].contains(status));
    waiting.for_each(|(_, response)| name(response, &["Retry-After"]));
}

fn responses(item: &mut PathItem) -> impl Iterator<Item = (&str, &mut Response)> {
    let all = item
        .get
        .iter_mut()
        .flat_map(|get| &mut get.responses.responses);
    all.filter_map(|(status, response)| match response {
        RefOr::T(response) => Some((status.as_str(), response)),
        RefOr::Ref(_) => None,
    })
}

fn name(response: &mut Response, headers: &[&str]) {
    let named = headers.iter().map(|header| {
        let described = Ref::new(format!("#/components/headers/{header}"));
        ((*header).to_owned(), RefOr::Ref(described))
    });
    response.headers.extend(named);
}
