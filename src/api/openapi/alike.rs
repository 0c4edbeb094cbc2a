//! What is the same for every route, and so is said here once.

use serde_json::{Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Parameter, ParameterIn, PathItem};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

/// What each route but the probes may answer, beside what it says itself.
pub fn add_failures(item: &mut PathItem) {
    let Some(get) = &mut item.get else { return };
    let of_all = [
        (
            "429",
            "The client has sent more requests than it may within a minute",
        ),
        ("500", "A defect of the service; its log says more"),
    ];
    for (status, description) in of_all {
        let problem = problem(description).into();
        get.responses.responses.insert(status.to_owned(), problem);
    }
}

fn problem(description: &str) -> Response {
    let error = Content::new(Some(Ref::from_schema_name("Error")));
    ResponseBuilder::new()
        .description(description)
        .content("application/json", error)
        .build()
}

/// What parameters look like, and that empty ones are ignored; of the probes too.
pub fn add_details(item: &mut PathItem) {
    let Some(get) = &mut item.get else { return };
    for parameter in get.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else {
            continue;
        };
        if parameter.parameter_in != ParameterIn::Path {
            exemplify(parameter);
        }
        if parameter.parameter_in == ParameterIn::Query {
            // utoipa leaves this one out, since OpenAPI advises against it for new APIs.
            let empty = [("allowEmptyValue", json!(true))];
            parameter.extensions = Some(Extensions::from_iter(empty));
        }
    }
}

/// Gives an example to each query parameter and header that has no default. It belongs to the schema: pages
/// that try a route fill in a parameter's own, which would narrow every list to nothing.
fn exemplify(parameter: &mut Parameter) {
    let Some(example) = example(&parameter.name) else {
        return;
    };
    match &mut parameter.schema {
        Some(RefOr::T(Schema::Object(schema))) if schema.default.is_none() => {
            schema.examples = vec![example];
        }
        Some(RefOr::T(Schema::AnyOf(schema))) if schema.default.is_none() => {
            schema.examples = vec![example];
        }
        _ => {}
    }
}

/// All of them together are true of one status, the one that answers have for an example; but for `cursor`
/// and `Last-Event-ID`, which are good for nothing but where they come from.
fn example(parameter: &str) -> Option<Value> {
    Some(match parameter {
        "service" => json!("puptoo"),
        "source" => json!("inventory"),
        "status" => json!("success"),
        "status_msg" => json!("payload unpacked"),
        "request_id" => json!("0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d"),
        "inventory_id" => json!("5b1c4f0a-9d3e-4b7f-8a6c-2e1d0f9b8c7a"),
        "system_id" => json!("7d0e6c2b-1f4a-4c9d-b8e3-6a5f4e3d2c1b"),
        "account" => json!("540155"),
        "org_id" => json!("1979710"),
        "reason" => json!("missing_field"),
        "partition" => json!(3),
        "redriven" => json!("false"),
        "cursor" => json!("b6oD1l2W0nAABkQX0AxXgAAAAAAAABJn"),
        "Last-Event-ID" => json!("AsSt_JjBMwLvtZ22BQDnJACABe-1nbYFAdsGAOwO"),
        "x-rh-identity" => {
            json!(
                "eyJpZGVudGl0eSI6eyJhc3NvY2lhdGUiOnsiUm9sZSI6WyJwbGF0Zm9ybS1hcmNoaXZlLWRvd25sb2FkIl19fX0="
            )
        }
        name if name.ends_with("_lt") || name.ends_with("_lte") => json!("2100-01-01"),
        name if name.ends_with("_gt") || name.ends_with("_gte") => json!("2026-01-31T08:15:30Z"),
        _ => return None,
    })
}
