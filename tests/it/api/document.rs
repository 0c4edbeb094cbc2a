//! The OpenAPI document, as tests look things up in it.

use std::collections::BTreeSet;

use payload_tracker::api::openapi;
use serde_json::Value;

pub struct Document {
    pub root: Value,
}

impl Document {
    pub fn of_the_code() -> Self {
        let root = serde_json::from_str(&openapi::printed().unwrap()).unwrap();
        Self { root }
    }

    /// Each path with its GET.
    pub fn routes(&self) -> impl Iterator<Item = (&str, &Value)> {
        let paths = self.root["paths"].as_object().unwrap();
        paths
            .iter()
            .map(|(path, item)| (path.as_str(), &item["get"]))
    }

    pub fn parameters(&self, path: &str) -> &[Value] {
        let parameters = &self.root["paths"][path]["get"]["parameters"];
        parameters.as_array().map_or(&[], Vec::as_slice)
    }

    /// The schema of an answer in JSON.
    pub fn answer(&self, path: &str, status: &str) -> Option<&Value> {
        let content = &self.root["paths"][path]["get"]["responses"][status]["content"];
        content["application/json"].get("schema")
    }

    /// The schema that this one refers to, or itself.
    pub fn resolved<'d>(&'d self, schema: &'d Value) -> &'d Value {
        let Some(reference) = schema["$ref"].as_str() else {
            return schema;
        };
        let pointer = reference.strip_prefix('#').unwrap();
        self.resolved(self.root.pointer(pointer).expect(reference))
    }

    /// The schema of a field such as `data[].id`.
    pub fn field<'d>(&'d self, schema: &'d Value, field: &str) -> Option<&'d Value> {
        field.split('.').try_fold(schema, |schema, step| {
            let (name, is_list) = match step.strip_suffix("[]") {
                Some(name) => (name, true),
                None => (step, false),
            };
            let found = self.resolved(schema)["properties"].get(name)?;
            let found = self.resolved(found);
            Some(self.resolved(if is_list { &found["items"] } else { found }))
        })
    }
}

/// An array of strings.
pub fn words(array: &Value) -> BTreeSet<String> {
    let words = array.as_array().into_iter().flatten();
    words
        .map(|word| word.as_str().unwrap().to_owned())
        .collect()
}
