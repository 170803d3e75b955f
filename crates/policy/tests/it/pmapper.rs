//! Decisions, edges and administrators, against PMapper's.

use crate::support::{aws, grants_of, inventory, json_lines, json_of, strings};
use leakgraph_model::tables::Grant;
use leakgraph_model::{Evidence, Key};
use leakgraph_policy::{Decision, Escalation, assume_edges, can, effective, escalations};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Inventory, PMapper's decisions, what it decided and how often we are as sure.
const DECISIONS: [(&str, &str, f64); 2] = [
    (
        "cloudsplaining/examples/files/example.json",
        "cloudsplaining/oracle/pmapper-decisions.example.jsonl",
        0.94,
    ),
    ("airiam/gaad.json", "airiam/oracle/pmapper-decisions.jsonl", 0.97),
];

/// PMapper decides for one context without any condition keys: what it allows we must not
/// rule out, what it denies we must not be sure of.
#[test]
fn decisions_never_contradict() {
    let folder = identities!();
    for (input, decisions, sure) in DECISIONS {
        let evidence = inventory(&folder.join(input));
        let mut grants: BTreeMap<Key, Vec<Grant>> = BTreeMap::new();
        let mut counts: BTreeMap<(bool, Decision), usize> = BTreeMap::new();
        let mut contradictions = Vec::new();
        let mut groundless = Vec::new();
        for row in json_lines(&folder.join(decisions)) {
            let [principal, action, resource] =
                ["principal", "action", "resource"].map(|name| row[name].as_str().unwrap());
            let key = aws(principal);
            let grants = grants.entry(key).or_insert_with(|| grants_of(&evidence, key));
            let theirs = row["allowed"].as_bool().unwrap();
            let answer = can(key, grants, action, resource);
            *counts.entry((theirs, answer.decision)).or_default() += 1;
            if matches!((theirs, answer.decision), (true, Decision::No) | (false, Decision::Yes)) {
                contradictions.push(row.to_string());
            }
            let is_unsure = |grant: &&Grant| {
                grant.conditions.is_some()
                    || !grant.understood
                    || grant.resources.iter().any(|resource| resource.contains("${"))
            };
            let mut deciding = grants.iter().filter(|grant| answer.deciding.contains(&grant.grant_key));
            if answer.decision == Decision::May && !deciding.any(|grant| is_unsure(&grant)) {
                groundless.push(row.to_string());
            }
        }
        let count = |wanted: &[(bool, Decision)]| -> usize {
            wanted.iter().filter_map(|cell| counts.get(cell)).sum()
        };
        let same = count(&[(true, Decision::Yes), (false, Decision::No)]);
        let all: usize = counts.values().sum();
        eprintln!("PMapper, {input}: {same} of {all} equal; (theirs, ours): {counts:?}");
        assert!(contradictions.is_empty(), "{input}: {contradictions:#?}");
        assert!(groundless.is_empty(), "{input}: May without a reason: {groundless:#?}");
        assert!(all > 1_900 && same as f64 >= sure * all as f64, "{input}: {same} of {all}");
    }
}

/// Inventory and PMapper's graph of it.
const GRAPHS: [(&str, &str); 5] = [
    ("cloudsplaining/examples/files/example.json", "cloudsplaining/oracle/pmapper.example.json"),
    (
        "cloudsplaining/test/files/example-authz-details.json",
        "cloudsplaining/oracle/pmapper.example-authz-details.json",
    ),
    ("airiam/gaad.json", "airiam/oracle/pmapper.json"),
    ("synthetic-gaad/gaad-100.json", "synthetic-gaad/oracle/pmapper.gaad-100.json"),
    ("synthetic-gaad/gaad-20.json", "synthetic-gaad/oracle/pmapper.gaad-20.json"),
];

/// An edge of PMapper's graph: from, to, kind, how in words.
fn edges_of(graph: &Value) -> Vec<[&str; 4]> {
    let edges = graph["edges"].as_array().unwrap().iter();
    edges.map(|edge| strings(edge).try_into().unwrap()).collect()
}

#[test]
fn assume_edges_are_pmappers() {
    let folder = identities!();
    let (mut total, mut by_boundary) = (0, 0);
    for (input, oracle) in GRAPHS {
        let evidence = inventory(&folder.join(input));
        let graph = json_of(&folder.join(oracle));
        let ours: HashMap<(Key, Key), Decision> =
            assume_edges(&evidence.identities, &evidence.grants, &evidence.trusts)
                .into_iter()
                .filter_map(|edge| Some(((edge.source?, edge.target), edge.decision)))
                .collect();
        let edges = edges_of(&graph);
        let theirs: HashSet<(Key, Key)> = edges
            .iter()
            .filter(|[_, _, kind, _]| *kind == "AssumeRole")
            .map(|[from, to, _, _]| (aws(from), aws(to)))
            .collect();
        // PMapper forgets the boundaries of roles (`gathering.py` passes `None`), which limit a
        // role that a trust policy names by its ARN.
        let bounded: HashSet<Key> = evidence
            .grants
            .iter()
            .filter(|grant| grant.policy_kind == "boundary")
            .map(|grant| grant.identity_key)
            .collect();
        type Pairs<'p> = Vec<&'p (Key, Key)>;
        let (closed, missing): (Pairs<'_>, Pairs<'_>) = theirs
            .iter()
            .filter(|pair| !ours.contains_key(*pair))
            .partition(|(from, _)| bounded.contains(from));
        assert!(missing.is_empty(), "{input}: {missing:?}");
        // PMapper draws no edge from an administrator, nor one that a condition may close.
        let admins: HashSet<Key> = strings(&graph["admins"]).into_iter().map(aws).collect();
        let nodes: HashSet<Key> = graph["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| aws(node["arn"].as_str().unwrap()))
            .collect();
        let (unsure, sure): (Vec<_>, Vec<_>) = ours
            .iter()
            .filter(|((from, to), _)| nodes.contains(from) && nodes.contains(to) && !admins.contains(from))
            .filter(|(pair, _)| !theirs.contains(*pair))
            .partition(|(_, decision)| **decision == Decision::May);
        eprintln!(
            "PMapper, {input}: {} assume edges, {} closed by a boundary, all others found; {} more that depend on conditions",
            theirs.len(),
            closed.len(),
            unsure.len()
        );
        assert!(sure.is_empty(), "{input}: sure, although PMapper has them not: {sure:?}");
        total += theirs.len();
        by_boundary += closed.len();
    }
    assert!(total >= 40, "{total} edges compared");
    // Counted beforehand with a script: roles with a boundary that another role's trust names.
    assert_eq!(by_boundary, 5);
}

/// PMapper's ways to become another principal, and the action each one needs on it.
const WAYS: [(&str, &[&str]); 3] = [
    ("can create access keys to authenticate as", &["iam:CreateAccessKey"]),
    ("can set the password to authenticate as", &["iam:CreateLoginProfile", "iam:UpdateLoginProfile"]),
    ("can update the trust document to access", &["iam:UpdateAssumeRolePolicy"]),
];

#[test]
fn escalations_contain_pmappers_edges() {
    let folder = identities!();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (input, oracle) in GRAPHS {
        let evidence = inventory(&folder.join(input));
        let graph = json_of(&folder.join(oracle));
        let ours = found(&evidence);
        let mut grants: HashMap<Key, Vec<Grant>> = HashMap::new();
        for [from, to, kind, how] in edges_of(&graph) {
            let Some((way, actions)) = WAYS.iter().find(|(way, _)| *way == how) else {
                assert_eq!(kind, "AssumeRole", "{input}: {how}");
                continue;
            };
            let key = aws(from);
            let grants = grants.entry(key).or_insert_with(|| grants_of(&evidence, key));
            let is_possible =
                actions.iter().any(|action| can(key, grants, action, to).decision > Decision::No);
            assert!(is_possible, "{input}: {from} {how} {to}");
            let primitives = ours.get(&key).map(Vec::as_slice).unwrap_or_default();
            let is_found = primitives.iter().any(|escalation| {
                actions.iter().any(|action| escalation.actions.contains(&(*action).to_owned()))
            });
            assert!(is_found, "{input}: {from} {how} {to}: {primitives:?}");
            *counts.entry(way).or_default() += 1;
        }
    }
    eprintln!("PMapper: edges found as primitives: {counts:?}");
    assert!(counts.len() == WAYS.len() && counts.values().sum::<usize>() >= 370, "{counts:?}");
}

#[test]
fn administrators_and_those_who_become_one_are_found() {
    let folder = identities!();
    let (mut admins, mut climbers) = (0, 0);
    for (input, oracle) in GRAPHS {
        let evidence = inventory(&folder.join(input));
        let graph = json_of(&folder.join(oracle));
        let ours = found(&evidence);
        let assuming: HashSet<Key> = assume_edges(&evidence.identities, &evidence.grants, &evidence.trusts)
            .iter()
            .filter_map(|edge| edge.source)
            .collect();
        for arn in strings(&graph["admins"]) {
            let primitives = ours.get(&aws(arn)).map(Vec::as_slice).unwrap_or_default();
            let raises = primitives
                .iter()
                .any(|escalation| escalation.actions.iter().any(|action| RAISING.contains(&action.as_str())));
            assert!(raises, "{input}: {arn} is an administrator, but has only {primitives:?}");
            admins += 1;
        }
        for arn in graph["privesc"].as_object().unwrap().keys() {
            let key = aws(arn);
            assert!(ours.contains_key(&key) || assuming.contains(&key), "{input}: {arn} has no way up");
            climbers += 1;
        }
    }
    eprintln!("PMapper: {admins} administrators and {climbers} others with a way up, all found");
    assert!(admins >= 29 && climbers >= 12, "{admins}, {climbers}");
}

/// With one of these on itself a principal gives itself everything.
const RAISING: [&str; 9] = [
    "iam:PutUserPolicy",
    "iam:PutRolePolicy",
    "iam:PutGroupPolicy",
    "iam:AttachUserPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachGroupPolicy",
    "iam:CreatePolicyVersion",
    "iam:SetDefaultPolicyVersion",
    "iam:AddUserToGroup",
];

/// Escalations by identity.
fn found(evidence: &Evidence) -> HashMap<Key, Vec<Escalation>> {
    let effective = effective(&evidence.identities, &evidence.grants);
    let mut found: HashMap<Key, Vec<Escalation>> = HashMap::new();
    for escalation in escalations(&effective, &evidence.identities, &evidence.grants, &evidence.trusts) {
        found.entry(escalation.identity_key).or_default().push(escalation);
    }
    found
}
