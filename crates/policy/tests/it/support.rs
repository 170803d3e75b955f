//! Inventories, read by the importers as the program reads them.

use leakgraph_ingest::{Limits, TextContext, TextSink, discover, link, read};
use leakgraph_model::tables::{Grant, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The folder of saved inventories and answers; returns from the test if there is none.
macro_rules! identities {
    () => {
        match crate::support::corpus() {
            Some(corpus) => corpus.join("identities"),
            None => {
                eprintln!("SKIPPED: LEAKGRAPH_CORPUS is not set");
                return;
            }
        }
    };
}

pub(crate) fn corpus() -> Option<PathBuf> {
    std::env::var_os("LEAKGRAPH_CORPUS").map(PathBuf::from)
}

struct Nowhere;

impl TextSink for Nowhere {
    fn text(&mut self, _context: &TextContext, _bytes: &[u8]) {}

    fn fingerprint(&mut self, _value: &[u8]) -> Option<String> {
        None
    }
}

/// Reads one inventory file; it must be understood without loss.
pub(crate) fn inventory(path: &Path) -> Evidence {
    let limits = Limits::default();
    let (items, mut problems) = discover(&[path.to_owned()], &limits);
    let mut evidence = Evidence::default();
    for item in &items {
        let mut found = read(item, &limits, &mut Nowhere);
        evidence.identities.append(&mut found.identities);
        evidence.grants.append(&mut found.grants);
        evidence.trusts.append(&mut found.trusts);
        evidence.activity.append(&mut found.activity);
        problems.append(&mut found.problems);
    }
    assert!(problems.is_empty(), "{}: {problems:?}", path.display());
    assert!(!evidence.identities.is_empty(), "{}: no identities", path.display());
    link(&mut evidence);
    evidence
}

/// Reads an inventory given as a value.
pub(crate) fn inventory_of(value: &Value) -> Evidence {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gaad.json");
    std::fs::write(&path, value.to_string()).unwrap();
    inventory(&path)
}

/// Reads an inventory of which statements may be malformed.
pub(crate) fn lossy_inventory_of(value: &Value) -> Evidence {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gaad.json");
    std::fs::write(&path, value.to_string()).unwrap();
    let limits = Limits::default();
    let mut evidence = Evidence::default();
    for item in &discover(&[path], &limits).0 {
        evidence.append(read(item, &limits, &mut Nowhere));
    }
    link(&mut evidence);
    evidence
}

/// Reads files given as values, by their names, and links them.
pub(crate) fn linked(files: &[(&str, Value)]) -> Evidence {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, value.to_string()).unwrap();
    }
    inventory(folder.path())
}

/// A role of account 123456789012 with inline policies.
pub(crate) fn role(name: &str, policies: &[&Value]) -> Value {
    let inline: Vec<Value> = policies
        .iter()
        .enumerate()
        .map(|(place, document)| json!({"PolicyName": format!("p{place}"), "PolicyDocument": document}))
        .collect();
    json!({"RoleName": name, "Arn": role_arn(name), "Path": "/", "RolePolicyList": inline})
}

pub(crate) fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::123456789012:role/{name}")
}

pub(crate) fn aws(arn: &str) -> Key {
    identity_key("aws", arn)
}

/// The grants of one identity only, so that many questions about it are cheap.
pub(crate) fn grants_of(evidence: &Evidence, identity: Key) -> Vec<Grant> {
    evidence.grants.iter().filter(|grant| grant.identity_key == identity).cloned().collect()
}

pub(crate) fn json_of(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn json_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The action that a call recorded by CloudTrail is.
pub(crate) fn activity_of(source: &str, event: &str) -> String {
    let record = json!({"eventVersion": "1.08", "eventSource": format!("{source}.amazonaws.com"), "eventName": event,
        "eventTime": "2026-01-01T00:00:00Z", "eventID": "1", "awsRegion": "eu-west-1", "eventType": "AwsApiCall",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ada"}});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trail.json");
    std::fs::write(&path, json!({ "Records": [record] }).to_string()).unwrap();
    let (items, _) = discover(&[path], &Limits::default());
    let found = read(&items[0], &Limits::default(), &mut Nowhere);
    found.activity[0].action.clone()
}
