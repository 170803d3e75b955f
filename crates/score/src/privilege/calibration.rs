//! The score of AWS-managed policies with everything unused, against the table it was
//! calibrated with: breadth, conditions and sensitivity at 1, escalation paths from AWS's and
//! others' catalogs. The documents are read from `$LEAKGRAPH_CORPUS/identities`; without that
//! variable there is nothing to compare.

use super::tests::role;
use crate::{Weights, score};
use leakgraph_model::tables::{Grant, Trust, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Policy, X of the table, and how far ours may lie from it, with the reason.
const TABLE: [(&str, f64, f64, &str); 11] = [
    ("AdministratorAccess", 99.9, 0.2, ""),
    ("IAMFullAccess", 99.7, 0.5, ""),
    ("AWSLambda_FullAccess", 98.7, 1.0, ""),
    ("SecretsManagerReadWrite", 96.3, 1.0, ""),
    ("ReadOnlyAccess", 94.6, 1.0, ""),
    ("AmazonS3FullAccess", 90.5, 1.0, ""),
    ("ViewOnlyAccess", 71.9, 1.0, ""),
    ("AmazonSSMManagedInstanceCore", 59.6, 1.0, ""),
    ("AmazonS3ReadOnlyAccess", 55.2, 1.0, ""),
    ("IAMReadOnlyAccess", 2.8, 0.5, ""),
    ("AWSLambdaBasicExecutionRole", 2.3, 0.1, ""),
];

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(list) => list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// Statements of a document, on every resource and without conditions.
fn grants(name: &str, document: &Value) -> Vec<Grant> {
    let statements = match &document["Statement"] {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let grant = |(place, statement): (usize, &Value)| Grant {
        grant_key: Key::of("grant", &[name, &place.to_string()]),
        identity_key: identity_key("aws", name),
        platform: "aws".to_owned(),
        policy_kind: "identity".to_owned(),
        policy: name.to_owned(),
        effect: "allow".to_owned(),
        actions: [strings(&statement["Action"]), strings(&statement["NotAction"])].concat(),
        not_actions: !statement["NotAction"].is_null(),
        resources: vec!["*".to_owned()],
        understood: true,
        ..Grant::default()
    };
    let allows = statements.iter().enumerate().filter(|(_, statement)| statement["Effect"] == "Allow");
    allows.map(grant).collect()
}

/// AWS-managed policies by name, from dumps of accounts and from the policies' own files.
fn documents(folder: &Path) -> BTreeMap<String, Value> {
    let read = |path: PathBuf| -> Option<Value> { serde_json::from_slice(&std::fs::read(path).ok()?).ok() };
    let mut found = BTreeMap::new();
    for entry in
        std::fs::read_dir(folder.join("iam-dataset/aws/managedpolicies")).into_iter().flatten().flatten()
    {
        let name = entry.path().file_stem().map(|name| name.to_string_lossy().into_owned());
        if let (Some(name), Some(policy)) = (name, read(entry.path())) {
            found.insert(name, policy["document"].clone());
        }
    }
    for size in [20, 100, 500] {
        let dump = read(folder.join(format!("synthetic-gaad/gaad-{size}.json"))).unwrap_or_default();
        for policy in dump["Policies"].as_array().into_iter().flatten() {
            let is_managed = policy["Arn"].as_str().is_some_and(|arn| arn.contains(":aws:policy/"));
            let versions = policy["PolicyVersionList"].as_array().into_iter().flatten();
            let default = versions.filter(|version| version["IsDefaultVersion"] == true).next();
            if let (true, Some(name), Some(version)) = (is_managed, policy["PolicyName"].as_str(), default) {
                found.entry(name.to_owned()).or_insert_with(|| version["Document"].clone());
            }
        }
    }
    found
}

#[test]
fn managed_policies_score_as_calibrated() {
    let Some(corpus) = std::env::var_os("LEAKGRAPH_CORPUS") else {
        eprintln!("SKIPPED: LEAKGRAPH_CORPUS is not set");
        return;
    };
    let documents = documents(&PathBuf::from(corpus).join("identities"));
    let mut evidence = Evidence::default();
    for (name, document) in &documents {
        evidence.identities.push(role(name, None));
        evidence.grants.extend(grants(name, document));
    }
    // Roles that can be passed and assumed: a path is judged by its actions alone.
    evidence.trusts = ["service", "aws"]
        .map(|kind| Trust { principal_kind: kind.to_owned(), effect: "allow".to_owned(), ..Trust::default() })
        .to_vec();
    let scores = score(&evidence, &Weights::builtin()).unwrap();
    let of = |name: &str| scores.nhi_scores.iter().find(|row| row.identity == name);
    let mut different = Vec::new();
    for (name, expected, tolerance, reason) in TABLE {
        let Some(row) = of(name) else {
            eprintln!("{name}: not in the data");
            continue;
        };
        eprintln!("{name}: {:.1}, table {expected} {reason} {:?}", row.granted_risk, row.classes);
        if (row.granted_risk - expected).abs() > tolerance {
            different.push(name);
        }
    }
    let mut all: Vec<f64> = scores.nhi_scores.iter().map(|row| row.granted_risk).collect();
    all.sort_by(f64::total_cmp);
    let share =
        |from: f64, to: f64| all.iter().filter(|x| (from..to).contains(*x)).count() as f64 / all.len() as f64;
    eprintln!(
        "{} policies: quartiles {:.1} {:.1} {:.1}, {:.1} % high, {:.1} % medium",
        all.len(),
        all[all.len() / 4],
        all[all.len() / 2],
        all[all.len() * 3 / 4],
        100.0 * share(67.0, 101.0),
        100.0 * share(34.0, 67.0)
    );
    for name in ["SecurityAudit", "PowerUserAccess"] {
        eprintln!("{name}: {:?}", of(name).map(|row| (row.granted_risk, &row.classes, &row.top_grants)));
    }
    assert!(different.is_empty(), "{different:?}");
}
