//! Real objects and audit logs of Kubernetes against counts of their documents.

use crate::support::{corpus, files_below, read_path};
use leakgraph_model::Evidence;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The objects of a file, lists taken apart; `None` where it is no YAML.
fn objects(path: &Path) -> Option<Vec<Value>> {
    let text = fs::read_to_string(path).ok()?;
    let documents: Result<Vec<Value>, _> =
        serde_yaml_ng::Deserializer::from_str(&text).map(Value::deserialize).collect();
    let mut objects = Vec::new();
    for document in documents.ok()? {
        match document.get("items").and_then(Value::as_array) {
            Some(items) => objects.extend(items.iter().cloned()),
            None => objects.push(document),
        }
    }
    Some(objects)
}

fn array<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What is counted: kinds of objects, rules and subjects.
fn counts(objects: &[Value]) -> BTreeMap<String, usize> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for object in objects {
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
        let counted = match kind {
            "Role" | "ClusterRole" | "ServiceAccount" | "Secret" => kind,
            "Pod" | "Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet" | "Job" | "CronJob" => {
                "workload"
            }
            _ => "",
        };
        *counts.entry(counted.to_owned()).or_default() += 1;
        *counts.entry("rule".to_owned()).or_default() +=
            array(object, "rules").len() * usize::from(kind.ends_with("Role"));
        *counts.entry("subject".to_owned()).or_default() += array(object, "subjects").len();
    }
    counts.retain(|kind, count| !kind.is_empty() && *count > 0);
    counts
}

fn rows(evidence: &Evidence) -> BTreeMap<String, usize> {
    let identities = |kind: &str| {
        evidence.identities.iter().filter(|row| row.kind == kind && row.status == "enabled").count()
    };
    let grants = |kind: &str| evidence.grants.iter().filter(|row| row.policy_kind == kind).count();
    let credentials = evidence.credentials.iter().filter(|row| row.status == "active").count();
    let counts = [
        ("Role", identities("rbac_role")),
        ("ClusterRole", identities("rbac_cluster_role")),
        ("ServiceAccount", identities("service_account")),
        ("workload", identities("workload")),
        ("Secret", credentials),
        ("rule", grants("role")),
        ("subject", grants("binding")),
    ];
    counts.into_iter().filter(|(_, count)| *count > 0).map(|(kind, count)| (kind.to_owned(), count)).collect()
}

#[test]
fn every_object_of_a_cluster_has_its_rows() {
    let Some(corpus) = corpus() else { return };
    let mut totals: BTreeMap<String, usize> = BTreeMap::new();
    let (mut files, mut templates) = (0, 0);
    for folder in ["kubernetes-1.20.2-debian", "kubernetes-combined", "kube-prometheus"] {
        for path in files_below(&corpus.join("identities").join(folder)) {
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let (evidence, _) = read_path(&path);
            let Some(objects) = objects(&path) else {
                // `{{ … }}` may happen to be a mapping of mappings, which is YAML but no JSON.
                let is_malformed = evidence.problems.iter().any(|row| row.code == "malformed_yaml");
                assert!(is_malformed || rows(&evidence).contains_key("workload"), "{}", path.display());
                templates += 1;
                continue;
            };
            let expected = counts(&objects);
            assert_eq!(rows(&evidence), expected, "{}", path.display());
            assert_eq!(evidence.problems, [], "{}", path.display());
            expected.into_iter().for_each(|(kind, count)| *totals.entry(kind).or_default() += count);
            files += 1;
        }
    }
    // Three manifests are templates of a configuration tool, as are three of Python's YAML reader.
    assert_eq!((files, templates), (147, 3));
    // Counted beforehand with a script.
    let expected = [
        ("ClusterRole", 237),
        ("Role", 49),
        ("Secret", 3),
        ("ServiceAccount", 57),
        ("rule", 1062),
        ("subject", 270),
        ("workload", 60),
    ];
    assert_eq!(totals, expected.map(|(kind, count)| (kind.to_owned(), count)).into());
}

#[test]
fn every_event_of_an_audit_log_is_a_call() {
    let Some(corpus) = corpus() else { return };
    let path = corpus.join("identities/audit2rbac/testdata/demo.log");
    let (evidence, _) = read_path(&path);
    assert_eq!(evidence.problems, []);
    assert_eq!(evidence.source_files.first().map(|row| row.kind.as_str()), Some("kubernetes_audit"));
    let mut expected: BTreeMap<(String, bool), i64> = BTreeMap::new();
    for line in fs::read_to_string(&path).expect("a log").lines() {
        let event: Value = serde_json::from_str(line).expect("an event");
        let who = event.pointer("/impersonatedUser/username").and_then(Value::as_str).expect("a user");
        let refused = event.pointer("/responseStatus/code").and_then(Value::as_u64) == Some(403);
        *expected.entry((who.to_owned(), refused)).or_default() += 1;
    }
    assert_eq!(expected.values().sum::<i64>(), 37, "lines of the log, by `wc -l`");
    // All of it was sent by system:admin, as somebody else.
    expected.insert(("system:admin".to_owned(), false), 37);
    let mut found: BTreeMap<(String, bool), i64> = BTreeMap::new();
    for row in &evidence.activity {
        *found.entry((row.principal.clone(), row.denied)).or_default() += row.calls;
    }
    assert_eq!(found, expected);
    let count = |resource: &str| {
        let rows = evidence.activity.iter().filter(|row| {
            row.principal == "bob"
                && row.action == "core/pods:list"
                && row.resource.as_deref() == Some(resource)
        });
        rows.map(|row| (row.denied, row.calls)).collect::<Vec<_>>()
    };
    assert_eq!((count("default/*"), count("ns1/*")), (vec![(false, 2), (true, 2)], vec![(true, 1)]));
    assert_eq!(evidence.assumptions.iter().map(|row| row.calls).sum::<i64>(), 37);
    assert!(evidence.activity.len() < 2 * 37, "equal calls are one row");
}
