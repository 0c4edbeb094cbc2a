//! Is everything there that the Go tracker's clients know?
//!
//! `go_tracker_api.json` lists its routes, parameters, what it sorts by, its errors and the fields of its
//! answers with their types, as its Swagger document and its code have them. Where it refuses an id that can
//! be none with a 400, a 404 is enough (contract, section 3).

use serde_json::Value;

use super::document::{Document, words};

#[test]
fn nothing_of_the_go_tracker_s_api_is_missing() {
    let document = Document::of_the_code();
    let theirs: Value =
        serde_json::from_str(include_str!("../fixtures/go_tracker_api.json")).unwrap();
    let servers = document.root["servers"].as_array().unwrap();
    let mounts: Vec<_> = servers.iter().map(|server| &server["url"]).collect();
    for mount in theirs["mounts"].as_array().unwrap() {
        assert!(mounts.contains(&mount), "{mount}");
    }
    for (path, their) in theirs["routes"].as_object().unwrap() {
        let our = &document.root["paths"][path]["get"];
        assert!(our.is_object(), "{path}");
        parameters(&document, path, their);
        for status in words(&their["errors"]) {
            let missing = "no field of an error";
            let error = document.answer(path, &status);
            fields(&document, error.expect(missing), &theirs["error"], path);
        }
        if let Some(answer) = document.answer(path, "200") {
            fields(&document, answer, &their["answer"], path);
        }
    }
}

fn parameters(document: &Document, path: &str, their: &Value) {
    let ours = document.parameters(path);
    for name in words(&their["parameters"]) {
        let our = ours.iter().find(|our| our["name"] == *name);
        let our = our.unwrap_or_else(|| panic!("{path} does not take {name}"));
        if name == "sort_by" {
            let sorted_by = words(&our["schema"]["enum"]);
            let missing: Vec<_> = words(&their["sort_by"])
                .difference(&sorted_by)
                .cloned()
                .collect();
            assert!(missing.is_empty(), "{path} is not sorted by {missing:?}");
        }
    }
}

fn fields(document: &Document, schema: &Value, theirs: &Value, path: &str) {
    for (field, kind) in theirs.as_object().unwrap() {
        let found = document.field(schema, field);
        let found = found.unwrap_or_else(|| panic!("{path} does not answer {field}"));
        assert_eq!(found["type"], *kind, "{path} {field}");
    }
}
