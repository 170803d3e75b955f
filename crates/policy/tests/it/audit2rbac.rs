//! Roles made of an audit log, against what audit2rbac (liggitt, Apache-2.0) makes of its demo log
//! with its default options.

use crate::support::{corpus, linked};
use leakgraph_ingest::{Limits, TextContext, TextSink, discover, link, read};
use leakgraph_model::Evidence;
use leakgraph_model::tables::identity_key;
use leakgraph_policy::{Coverage, Decision, Used, can, least_privilege};
use serde_json::{Value, json};
use std::collections::BTreeSet;

struct Nowhere;

impl TextSink for Nowhere {
    fn text(&mut self, _context: &TextContext, _bytes: &[u8]) {}

    fn fingerprint(&mut self, _value: &[u8]) -> Option<String> {
        None
    }
}

/// User, what audit2rbac lets it do (README and `DefaultGenerateOptions`: get, list and watch
/// come together, one namespace of several becomes all of the cluster).
const THEIRS: [(&str, &[(&str, &str)]); 3] = [
    ("user:alice", &[("ns1/*", "configmaps"), ("ns1/*", "pods"), ("ns1/*", "secrets")]),
    ("user:bob", &[("*", "nodes"), ("*", "pods")]),
    ("system:serviceaccount:ns1:sa1", &[("*", "nodes"), ("*", "pods")]),
];

/// Why theirs is wider.
const WIDER: [&str; 2] = ["get and watch come with list", "namespaces become all of the cluster"];

#[test]
fn roles_are_theirs_without_what_they_add() {
    let Some(corpus) = corpus() else {
        eprintln!("SKIPPED: LEAKGRAPH_CORPUS is not set");
        return;
    };
    let limits = Limits::default();
    let (items, _) = discover(&[corpus.join("identities/audit2rbac/testdata/demo.log")], &limits);
    let mut log = Evidence::default();
    items.iter().for_each(|item| log.append(read(item, &limits, &mut Nowhere)));
    let mut differences: BTreeSet<&str> = BTreeSet::new();
    for (user, theirs) in THEIRS {
        let mut evidence = administrator(user);
        let key = identity_key("kubernetes", user);
        // Its requests were refused in the demo: audit2rbac makes the role that was missing.
        evidence.activity =
            log.activity.iter().filter(|row| row.identity_key == Some(key)).cloned().collect();
        link(&mut evidence);
        let used: Vec<Used<'_>> = evidence
            .activity
            .iter()
            .map(|row| Used { action: &row.action, resource: row.resource.as_deref() })
            .collect();
        assert!(!used.is_empty(), "{user} did nothing");
        let identity = evidence.identities.iter().find(|row| row.identity_key == key).unwrap();
        let trimmed =
            least_privilege(identity, &evidence.grants, &used, Coverage { data_events: true }).unwrap();
        let text = &trimmed.documents[0].text;
        let values: Vec<(String, Value)> = text
            .split("---\n")
            .filter(|part| !part.is_empty())
            .enumerate()
            .map(|(place, part)| (format!("{place}.json"), serde_yaml_ng::from_str(part).unwrap()))
            .collect();
        let files: Vec<(&str, Value)> =
            values.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let ours = linked(&files).grants;
        for row in &used {
            let asked = can(key, &ours, row.action, row.resource.unwrap_or("*")).decision;
            assert_eq!(asked, Decision::Yes, "{user}: {} on {:?}\n{text}", row.action, row.resource);
        }
        for (scope, resource) in theirs {
            for verb in ["get", "list", "watch"] {
                let action = format!("core/{resource}:{verb}");
                if can(key, &ours, &action, scope).decision == Decision::Yes {
                    continue;
                }
                differences.insert(if verb == "list" { WIDER[1] } else { WIDER[0] });
            }
        }
        let strange = |action: &str, scope: &str| can(key, &ours, action, scope).decision;
        assert_eq!(strange("core/secrets:delete", "ns1/x"), Decision::No);
        assert_eq!(
            strange("core/pods:list", "kube-system/*") == Decision::Yes,
            user.ends_with("sa1"),
            "{text}"
        );
    }
    eprintln!("audit2rbac: all requests covered; theirs is wider: {differences:?}");
    assert_eq!(differences, WIDER.into_iter().collect());
}

fn administrator(user: &str) -> Evidence {
    let subject = match user.strip_prefix("user:") {
        Some(name) => json!({"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}),
        None => json!({"kind": "ServiceAccount", "name": "sa1", "namespace": "ns1"}),
    };
    let all = json!(["*"]);
    linked(&[(
        "rbac.json",
        json!({"kind": "List", "apiVersion": "v1", "items": [
        {"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "all"}, "rules": [
            {"apiGroups": all, "resources": all, "verbs": all}, {"nonResourceURLs": all, "verbs": all}]},
        {"kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "all"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "all"}, "subjects": [subject]}]}),
    )])
}
