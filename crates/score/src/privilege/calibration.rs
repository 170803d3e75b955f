//! The score of AWS-managed policies with everything unused, against the table it was
//! calibrated with: breadth, conditions and sensitivity at 1, escalation paths from AWS's and
//! others' catalogs. The documents are read from `$LEAKGRAPH_CORPUS/identities`; without that
//! variable there is nothing to compare.

use super::tests::role;
use crate::weights::BUILTIN;
use crate::{Weights, score};
use leakgraph_model::tables::{Grant, Trust, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// X of the table, rounded as there.
const TABLE: [(&str, f64); 11] = [
    ("AdministratorAccess", 99.9),
    ("IAMFullAccess", 99.7),
    ("AWSLambda_FullAccess", 98.7),
    ("SecretsManagerReadWrite", 96.3),
    ("ReadOnlyAccess", 94.6),
    ("AmazonS3FullAccess", 90.5),
    ("ViewOnlyAccess", 71.9),
    ("AmazonSSMManagedInstanceCore", 59.6),
    ("AmazonS3ReadOnlyAccess", 55.2),
    ("IAMReadOnlyAccess", 2.8),
    ("AWSLambdaBasicExecutionRole", 2.3),
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
            let mut versions = policy["PolicyVersionList"].as_array().into_iter().flatten();
            let default = versions.find(|version| version["IsDefaultVersion"] == true);
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
    // The table was made without s(g).
    let mut plain: toml::Table = BUILTIN.parse().unwrap();
    plain.insert("permission".to_owned(), toml::Table::new().into());
    let plain = scored(&evidence, &Weights::parse(&plain.to_string()).unwrap());
    for (name, expected) in TABLE {
        match plain.get(name) {
            Some(x) => assert!((x - expected).abs() < 0.1, "{name}: {x:.2} instead of {expected}"),
            None => eprintln!("{name}: not in the data"),
        }
    }
    assert!(TABLE.iter().filter(|(name, _)| plain.contains_key(*name)).count() >= 9);
    let ours = scored(&evidence, &Weights::builtin());
    for (kind, scores) in [("s(g) = 1", &plain), ("s(g) as weighted", &ours)] {
        let mut all: Vec<f64> = scores.values().copied().collect();
        all.sort_by(f64::total_cmp);
        let at = |quarter: usize| all[all.len() * quarter / 4];
        let share = |from: f64, to: f64| {
            100.0 * all.iter().filter(|x| (from..to).contains(*x)).count() as f64 / all.len() as f64
        };
        let (high, medium) = (share(67.0, 101.0), share(34.0, 67.0));
        eprintln!(
            "{kind}: {} policies, quartiles {:.1} {:.1} {:.1}, {high:.1} % high, {medium:.1} % medium",
            all.len(),
            at(1),
            at(2),
            at(3)
        );
        // A scale on which most are at one end would rank nothing.
        assert!((10.0..30.0).contains(&high) && (10.0..30.0).contains(&medium));
    }
    // What only looks at permissions or opens a registry no longer looks like an administrator.
    for name in ["SecurityAudit", "ViewOnlyAccess", "ReadOnlyAccess"] {
        eprintln!("{name}: {:.1}, without s(g) {:.1}", ours[name], plain[name]);
        assert!(ours[name] < plain[name]);
    }
}

fn scored(evidence: &Evidence, weights: &Weights) -> BTreeMap<String, f64> {
    let rows = score(evidence, weights).unwrap().nhi_scores;
    rows.into_iter().map(|row| (row.identity, row.granted_risk)).collect()
}
