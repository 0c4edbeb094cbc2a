//! What the documents name is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let nested = entries.map(|entry| match entry.path() {
        path if path.is_dir() => files(&path),
        path => vec![path],
    });
    nested.flatten().collect()
}

/// What stands between backticks in a document.
fn quoted(document: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let parts = text.split('`').map(str::to_owned);
    parts.skip(1).step_by(2).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_test_and_file_that_docs_delivery_names_exists() {
    let sources = [root().join("tests"), root().join("src")];
    let sources: String = sources
        .iter()
        .flat_map(|folder| files(folder))
        .filter_map(|file| fs::read_to_string(file).ok())
        .collect();
    let named = quoted("docs/DELIVERY.md");
    // A test's name is a sentence; nothing else quoted there is.
    let tests = named.iter().filter(|name| name.matches('_').count() > 3);
    let mut count = 0;
    for test in tests {
        count += 1;
        assert!(sources.contains(&format!("fn {test}(")), "{test}");
    }
    assert!(count > 30, "the document was read wrongly");
    for file in named.iter().filter(|name| name.ends_with(".rs")) {
        let known = ["src", "tests/it"].map(|top| root().join(top).join(file));
        assert!(known.iter().any(|path| path.exists()), "{file}");
    }
}

/// Names of environment variables among what stands between a kind of quotes.
fn variables(text: &str, quote: char) -> BTreeSet<&str> {
    let is_variable =
        |name: &&str| name.len() > 3 && name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    text.split(quote).filter(is_variable).collect()
}

#[test]
fn the_readme_has_every_setting_and_no_other() {
    let code: String = files(&root().join("src/config"))
        .iter()
        .filter(|file| !file.components().any(|part| part.as_os_str() == "tests"))
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let mut known = variables(&code, '"');
    // Values of KAFKA_SECURITY_PROTOCOL and KAFKA_SASL_MECHANISM.
    for value in ["PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL", "PLAIN"] {
        assert!(known.remove(value), "{value}");
    }
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let table = readme.split("| **Kafka** |").nth(1).unwrap();
    let table = table.split("| **`pt`** |").next().unwrap();
    let mut named = variables(table, '`');
    for value in ["SASL_PLAINTEXT", "SASL_SSL", "PLAIN", "PLAINTEXT"] {
        named.remove(value);
    }
    // The text before the table explains it.
    named.insert("ACG_CONFIG");
    assert!(readme.contains("`ACG_CONFIG` names a Clowder file"));
    assert_eq!(named, known);
}
