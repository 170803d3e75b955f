//! Risky roles and subjects of clusters, against KubiScan's saved answers.
//!
//! KubiScan looks for roles that hold one of its risky rules word by word: it knows no API
//! groups, no names and no `escalate`. Every difference is in a table below.

use crate::support::{inventory, json_of};
use leakgraph_model::tables::Grant;
use leakgraph_model::{Evidence, Key};
use leakgraph_policy::{Escalation, escalations};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const BOOTSTRAP: (&str, &str) = (
    "kubernetes-1.20.2-debian/bootstrap-all.yaml",
    "kubernetes-1.20.2-debian/oracle/kubiscan.bootstrap-all.json",
);
const COMBINED: (&str, &str) =
    ("kubernetes-combined/combined.yaml", "kubernetes-combined/oracle/kubiscan.combined.json");

/// What KubiScan calls risky and we do not: who, and why not.
const THEIRS: [(&str, &str); 6] = [
    ("ClusterRole/system:aggregate-to-admin", "binds roles, but without `bind` none beyond its own"),
    ("ClusterRole/system:controller:horizontal-pod-autoscaler", "all resources, of metrics APIs only"),
    ("ClusterRole/resource-metrics-server-resources", "all resources, of metrics.k8s.io only"),
    ("Role/kubernetes-dashboard/kubernetes-dashboard", "three secrets by name, none of them a token"),
    ("system:serviceaccount:kube-system:horizontal-pod-autoscaler", "bound to the role above"),
    ("system:serviceaccount:kubernetes-dashboard:kubernetes-dashboard", "bound to the role above"),
];

/// What we find and KubiScan does not: who, by which primitive, and why KubiScan misses it.
const OURS: [(&str, &str, &str); 12] = [
    (
        "ClusterRole/system:controller:clusterrole-aggregation-controller",
        "k8s-escalate-clusterrole",
        ESCALATE,
    ),
    (
        "system:serviceaccount:kube-system:clusterrole-aggregation-controller",
        "k8s-escalate-clusterrole",
        ESCALATE,
    ),
    ("ClusterRole/system:kubelet-api-admin", "k8s-kubelet", WILDCARD),
    ("ClusterRole/kubelet-api-admin", "k8s-kubelet", WILDCARD),
    ("user:kube-apiserver", "k8s-kubelet", WILDCARD),
    ("ClusterRole/system:persistent-volume-provisioner", "k8s-host-volume", "no rule for volumes"),
    ("ClusterRole/calico-cpva", "k8s-run-workload", PATCH),
    ("system:serviceaccount:kube-system:calico-cpva", "k8s-run-workload", PATCH),
    ("ClusterRole/typha-cpva", "k8s-run-workload", PATCH),
    ("system:serviceaccount:kube-system:typha-cpva", "k8s-run-workload", PATCH),
    ("Role/kube-system/system:fluentd-gcp-scaler", "k8s-run-workload", PATCH),
    ("system:serviceaccount:kube-system:fluentd-gcp-scaler", "k8s-run-workload", PATCH),
];
const ESCALATE: &str = "no rule for `escalate`";
const WILDCARD: &str = "its rule for nodes/proxy names verbs, this role has `*`";
const PATCH: &str = "its rules for workloads have create and update, this role has patch";

/// Escalations by the name of who has them.
fn named<'e>(evidence: &'e Evidence, found: &[Escalation]) -> BTreeMap<&'e str, BTreeSet<String>> {
    let names: BTreeMap<Key, &str> =
        evidence.identities.iter().map(|row| (row.identity_key, row.native_id.as_str())).collect();
    let mut by_name: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for escalation in found {
        by_name.entry(names[&escalation.identity_key]).or_default().insert(escalation.primitive.clone());
    }
    by_name
}

/// Subjects of bindings, and roles as if somebody was bound to each of them.
fn risky(evidence: &Evidence) -> BTreeMap<&str, BTreeSet<String>> {
    let of = |grants: &[Grant]| escalations(&[], &evidence.identities, grants, &evidence.trusts);
    let mut found = named(evidence, &of(&evidence.grants));
    let held = |grant: &Grant| Grant { policy_kind: "permission".to_owned(), ..grant.clone() };
    let roles: Vec<Grant> =
        evidence.grants.iter().filter(|grant| grant.policy_kind == "role").map(held).collect();
    found.extend(named(evidence, &of(&roles)));
    found
}

fn theirs(answer: &Value) -> BTreeSet<String> {
    let lists = ["risky_roles", "risky_clusterroles", "risky_subjects"];
    let rows = lists.iter().flat_map(|list| answer[list].as_array().unwrap());
    rows.map(|row| {
        let (name, namespace) = (row["name"].as_str().unwrap(), row["namespace"].as_str());
        match row["kind"].as_str().unwrap() {
            "User" => format!("user:{name}"),
            "Group" => format!("group:{name}"),
            "ServiceAccount" => format!("system:serviceaccount:{}:{name}", namespace.unwrap()),
            "Role" => format!("Role/{}/{name}", namespace.unwrap()),
            kind => format!("{kind}/{name}"),
        }
    })
    .collect()
}

#[test]
fn risky_roles_and_subjects_are_kubiscans() {
    let folder = identities!();
    let (mut explained, mut equal) = (BTreeSet::new(), 0);
    for (input, oracle) in [BOOTSTRAP, COMBINED] {
        let evidence = inventory(&folder.join(input));
        let ours = risky(&evidence);
        let theirs = theirs(&json_of(&folder.join(oracle)));
        for name in theirs.iter().filter(|name| !ours.contains_key(name.as_str())) {
            assert!(THEIRS.iter().any(|(who, _)| who == name), "{input}: KubiScan alone has {name}");
            explained.insert(name.clone());
        }
        for (name, primitives) in &ours {
            if theirs.contains(*name) {
                equal += 1;
                continue;
            }
            let known = OURS.iter().find(|(who, ..)| who == name);
            let (_, primitive, _) = known.unwrap_or_else(|| panic!("{input}: we alone have {name}"));
            assert!(primitives.contains(*primitive), "{input}: {name} has {primitives:?}");
            explained.insert((*name).to_owned());
        }
    }
    eprintln!("KubiScan: {equal} roles and subjects equal, {} differences explained", explained.len());
    // 37 and 51 answers of KubiScan, less 3 and 6 of the first table.
    assert_eq!(equal, 34 + 45);
    assert_eq!(explained.len(), THEIRS.len() + OURS.len(), "a difference of the tables is gone");
}

/// Who escalates in a cluster that has nothing but its defaults: by design, no finding.
#[test]
fn defaults_are_the_baseline_of_a_cluster() {
    let folder = identities!();
    let of = |input: &str| -> BTreeSet<String> {
        let evidence = inventory(&folder.join(input));
        risky(&evidence).into_keys().filter(|name| !name.contains("Role/")).map(str::to_owned).collect()
    };
    let (defaults, combined) = (of(BOOTSTRAP.0), of(COMBINED.0));
    let controllers = defaults.iter().filter(|name| name.starts_with("system:serviceaccount:kube-system:"));
    assert_eq!((defaults.len(), controllers.count()), (17, 15));
    assert!(defaults.is_subset(&combined));
    let added: Vec<&str> = combined.difference(&defaults).map(String::as_str).collect();
    assert_eq!(
        added,
        [
            "system:serviceaccount:kube-system:calico-cpva",
            "system:serviceaccount:kube-system:fluentd-gcp-scaler",
            "system:serviceaccount:kube-system:metadata-agent",
            "system:serviceaccount:kube-system:metrics-server",
            "system:serviceaccount:kube-system:typha-cpva",
            "system:serviceaccount:monitoring:kube-state-metrics",
            "system:serviceaccount:monitoring:prometheus-operator",
            "user:kube-apiserver",
            "user:kubelet",
            "user:system:controller:glbc",
        ]
    );
}
