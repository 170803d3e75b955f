//! The paths of DataDog/pathfinding.cloud (Apache-2.0): each must be found on an identity
//! that has what the path requires, and on none that lacks a part of it.

use crate::support::{aws, inventory_of, role, role_arn};
use leakgraph_policy::{Decision, assume_edges, effective, escalations};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A path as published.
struct Published {
    id: String,
    category: String,
    required: Vec<String>,
}

fn published(folder: &Path) -> Vec<Published> {
    let mut files = Vec::new();
    for service in std::fs::read_dir(folder).unwrap() {
        let service = service.unwrap().path();
        let entries = std::fs::read_dir(service).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path: &PathBuf| path.extension().is_some_and(|end| end == "yaml")));
    }
    files.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let value: Value = serde_yaml_ng::from_str(&text).unwrap();
        let required = value["permissions"]["required"].as_array().unwrap();
        Published {
            id: value["id"].as_str().unwrap().to_owned(),
            category: value["category"].as_str().unwrap().to_owned(),
            required: required.iter().map(|need| need["permission"].as_str().unwrap().to_owned()).collect(),
        }
    };
    files.iter().map(read).collect()
}

/// Ways up that a role with these actions has, in an account with a role that a service may
/// take on and one that the account may assume. Becoming that one is `sts-001`.
fn found(actions: &[String]) -> BTreeMap<String, Decision> {
    let mut passable = role("passable", &[]);
    passable["AssumeRolePolicyDocument"] = trust(&json!({"Service": "ec2.amazonaws.com"}));
    let mut open = role("open", &[]);
    open["AssumeRolePolicyDocument"] = trust(&json!({"AWS": "arn:aws:iam::123456789012:root"}));
    let own = json!({"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]});
    let evidence = inventory_of(&json!({ "RoleDetailList": [role("actor", &[&own]), passable, open] }));
    let actor = aws(&role_arn("actor"));
    let able = effective(&evidence.identities, &evidence.grants);
    let ways = escalations(&able, &evidence.identities, &evidence.grants, &evidence.trusts);
    let mut found: BTreeMap<String, Decision> = ways
        .into_iter()
        .filter(|way| way.identity_key == actor)
        .map(|way| (way.primitive, way.decision))
        .collect();
    let edges = assume_edges(&evidence.identities, &evidence.grants, &evidence.trusts);
    let becomes = edges.iter().filter(|edge| edge.source == Some(actor)).map(|edge| edge.decision).max();
    found.extend(becomes.map(|decision| ("sts-001".to_owned(), decision)));
    found
}

fn trust(principal: &Value) -> Value {
    json!({"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]})
}

/// Why a path is perhaps one only: the inventory of an account does not say.
fn unsure(category: &str) -> Option<&'static str> {
    (category == "existing-passrole").then_some("needs a resource that holds a role; inventories list none")
}

#[test]
fn all_paths_are_found_and_none_without_what_it_requires() {
    let folder = identities!().join("pathfinding.cloud/data/paths");
    let paths = published(&folder);
    let mut missing = Vec::new();
    eprintln!("path | category | found | why not surely");
    for path in &paths {
        let decision = found(&path.required).get(&path.id).copied();
        let reason = unsure(&path.category);
        eprintln!("{} | {} | {decision:?} | {}", path.id, path.category, reason.unwrap_or(""));
        let expected = if reason.is_some() { Decision::May } else { Decision::Yes };
        if decision != Some(expected) {
            missing.push(format!("{}: {decision:?}, expected {expected:?}", path.id));
        }
        for place in 0..path.required.len() {
            let mut less = path.required.clone();
            let gone = less.remove(place);
            assert!(
                less.is_empty() || !found(&less).contains_key(&path.id),
                "{} is found without {gone}",
                path.id
            );
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert_eq!(paths.len(), 65);
}

#[test]
fn paths_that_are_not_in_the_catalogue_are_found_too() {
    for (id, action) in [
        ("iam-set-default-policy-version", "iam:SetDefaultPolicyVersion"),
        ("ecs-execute-command", "ecs:ExecuteCommand"),
    ] {
        assert_eq!(found(&[action.to_owned()]), [(id.to_owned(), Decision::May)].into(), "{action}");
    }
}
