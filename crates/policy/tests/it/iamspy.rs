//! IAMSpy's own table of questions and answers.

use crate::support::{aws, inventory, json_of, strings};
use leakgraph_ingest::link;
use leakgraph_model::Evidence;
use leakgraph_policy::{Decision, can};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Rows on which we differ, and why: inventories hold the caller's side only.
const CROSS_ACCOUNT: &str = "the other account's resource policy, which is needed, is absent";
const RESOURCE_POLICY: &str = "a resource policy decides";
const DIFFERENT: [(usize, &str); 10] = [
    (8, CROSS_ACCOUNT),
    (14, RESOURCE_POLICY),
    (15, RESOURCE_POLICY),
    (16, RESOURCE_POLICY),
    (19, CROSS_ACCOUNT),
    (29, RESOURCE_POLICY),
    (35, RESOURCE_POLICY),
    (36, RESOURCE_POLICY),
    (37, RESOURCE_POLICY),
    (38, RESOURCE_POLICY),
];

#[test]
fn its_table_holds() {
    let folder = identities!().join("iamspy");
    let table = json_of(&folder.join("oracle/iamspy.test-table.json"));
    let (mut equal, mut unsure, mut different) = (0, Vec::new(), BTreeMap::new());
    for (place, case) in table["cases"].as_array().unwrap().iter().enumerate() {
        let [files, question, expected] = case["row"].as_array().unwrap().as_slice() else {
            panic!("row {place}: {case}")
        };
        let evidence = setting(&folder.join("tests/files"), files);
        let ours = answers(&evidence, question);
        let theirs = positive(&evidence, question, expected);
        let sure: BTreeSet<_> = allowed(&ours, Decision::Yes);
        let possible: BTreeSet<_> = allowed(&ours, Decision::May);
        if sure == theirs && possible == theirs {
            equal += 1;
        } else if sure.is_subset(&theirs) && theirs.is_subset(&possible) {
            assert_eq!(files["gaads"], json!(["allow-with-conditions.json"]), "row {place}");
            unsure.push(place);
        } else {
            different.insert(place, format!("theirs {theirs:?}, ours {ours:?}, files {files}"));
        }
    }
    let skipped = DIFFERENT.map(|(place, reason)| format!("{place}: {reason}"));
    eprintln!("IAMSpy: {equal} rows equal, unsure {unsure:?}, skipped {skipped:?}");
    // An exception that no longer differs has to go.
    for (place, reason) in DIFFERENT {
        assert!(different.remove(&place).is_some(), "row {place} agrees, although {reason}");
    }
    assert!(different.is_empty(), "{different:#?}");
    assert_eq!((equal, unsure.len()), (21, 8));
}

/// Whether each pair of identity and resource is allowed.
type Answers = BTreeMap<(String, String), Decision>;

fn allowed(answers: &Answers, at_least: Decision) -> BTreeSet<(String, String)> {
    answers.iter().filter(|(_, decision)| **decision >= at_least).map(|(pair, _)| pair.clone()).collect()
}

/// `[who, action, resource, …]`, `[action, resource, …]` or `[action, [resource, …]]`.
fn parts(question: &Value) -> (Option<&str>, &str, Vec<&str>) {
    let parts = question.as_array().unwrap();
    let has_who = parts[0].as_str().unwrap().starts_with("arn:");
    let (who, rest) = if has_who { (parts[0].as_str(), &parts[1..]) } else { (None, &parts[..]) };
    let resources = rest[1].as_str().map_or_else(|| strings(&rest[1]), |resource| vec![resource]);
    (who, rest[0].as_str().unwrap(), resources)
}

fn answers(evidence: &Evidence, question: &Value) -> Answers {
    let (who, action, resources) = parts(question);
    let everyone: Vec<&str> = evidence
        .identities
        .iter()
        .filter(|identity| identity.kind != "account")
        .map(|identity| identity.native_id.as_str())
        .collect();
    let mut answers = Answers::new();
    for who in who.map_or(everyone, |who| vec![who]) {
        for resource in &resources {
            let answer = can(aws(who), &evidence.grants, action, resource);
            answers.insert((who.to_owned(), (*resource).to_owned()), answer.decision);
        }
    }
    answers
}

/// The pairs that the table says are allowed.
fn positive(evidence: &Evidence, question: &Value, expected: &Value) -> BTreeSet<(String, String)> {
    let (who, _, resources) = parts(question);
    let owned = |who: &str, resource: &str| (who.to_owned(), resource.to_owned());
    match (expected, who) {
        (Value::Bool(true), Some(who)) => [owned(who, resources[0])].into(),
        (Value::Bool(false), Some(_)) => BTreeSet::new(),
        (Value::Array(rows), None) => rows
            .iter()
            .map(|row| match row.as_str() {
                Some(who) => owned(who, resources[0]),
                None => owned(strings(row)[0], strings(row)[1]),
            })
            .collect(),
        _ => panic!("{question}: {expected}, {} identities", evidence.identities.len()),
    }
}

/// The inventories of a row, with the control policies that bind their accounts.
fn setting(folder: &Path, files: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    for name in strings(&files["gaads"]) {
        let mut found = inventory(&folder.join(name));
        evidence.identities.append(&mut found.identities);
        evidence.grants.append(&mut found.grants);
    }
    for name in strings(&files["scps"]) {
        let mut found = inventory(&folder.join(name));
        evidence.identities.append(&mut found.identities);
        evidence.grants.append(&mut found.grants);
    }
    link(&mut evidence);
    evidence
}
