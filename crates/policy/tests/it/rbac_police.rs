//! Policies of rbac-police, said again in Rust after its Rego files, over the same objects,
//! against our primitives. Every difference is in a table below.
//!
//! The objects are read here once more, without our importer.

use crate::support::inventory;
use leakgraph_model::Key;
use leakgraph_policy::{Escalation, escalations};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Where a policy wants its rule to hold.
#[derive(Clone, Copy, PartialEq)]
enum Where {
    Anywhere,
    /// In all of the cluster.
    Cluster,
    /// There or in kube-system.
    Privileged,
    /// In other namespaces.
    Weak,
}
use Where::{Anywhere, Cluster, Privileged, Weak};

/// API group, resources, verbs, and whether rules for names do not count.
type Alternative = (&'static str, &'static [&'static str], &'static [&'static str], bool);

struct Policy {
    name: &'static str,
    place: Where,
    any: &'static [Alternative],
    /// Primitives of ours that say the same.
    ours: &'static [&'static str],
}

const CHANGE: &[&str] = &["create", "update", "patch"];
const MODIFY: &[&str] = &["update", "patch"];
const CONTROL: &[Alternative] = &[
    ("", &["pods"], &["create"], false),
    ("", &["replicationcontrollers"], CHANGE, false),
    ("apps", &["deployments", "daemonsets", "statefulsets", "replicasets"], CHANGE, false),
    ("batch", &["jobs", "cronjobs"], CHANGE, false),
];

const POLICIES: &[Policy] = &[
    Policy { name: "assign_sa", place: Privileged, any: CONTROL, ours: &["k8s-run-workload"] },
    Policy {
        name: "bind_roles",
        place: Privileged,
        any: &[("rbac.authorization.k8s.io", &["clusterrolebindings", "rolebindings"], &["bind"], false)],
        ours: &["k8s-bind-clusterrole", "k8s-bind-role"],
    },
    Policy {
        name: "cluster_admin",
        place: Cluster,
        any: &[("", &["*"], &["*"], false)],
        ours: &["k8s-admin"],
    },
    Policy {
        name: "control_webhooks",
        place: Anywhere,
        any: &[(
            "admissionregistration.k8s.io",
            &["validatingwebhookconfigurations", "mutatingwebhookconfigurations"],
            CHANGE,
            false,
        )],
        ours: &["k8s-mutating-webhook", "k8s-validating-webhook"],
    },
    Policy {
        name: "escalate_roles",
        place: Privileged,
        any: &[("rbac.authorization.k8s.io", &["clusterroles", "roles"], &["escalate"], false)],
        ours: &["k8s-escalate-clusterrole", "k8s-escalate-role"],
    },
    Policy {
        name: "impersonate",
        place: Anywhere,
        any: &[
            ("", &["users", "groups", "serviceaccounts"], &["impersonate"], false),
            ("authentication.k8s.io", &["userextras"], &["impersonate"], false),
        ],
        ours: &["k8s-impersonate-user", "k8s-impersonate-group", "k8s-impersonate-account"],
    },
    Policy {
        name: "issue_token_secrets",
        place: Privileged,
        any: &[("", &["secrets"], CHANGE, false)],
        ours: &["k8s-token-secret"],
    },
    Policy {
        name: "list_secrets",
        place: Cluster,
        any: &[("", &["secrets"], &["list"], false)],
        ours: &["k8s-read-tokens"],
    },
    Policy {
        name: "modify_pods",
        place: Privileged,
        any: &[("", &["pods"], MODIFY, true)],
        ours: &["k8s-modify-pod"],
    },
    Policy {
        name: "nodes_proxy",
        place: Anywhere,
        any: &[("", &["nodes/proxy"], &["create"], false)],
        ours: &["k8s-kubelet"],
    },
    Policy {
        name: "obtain_token_weak_ns",
        place: Weak,
        any: &[
            ("", &["secrets"], &["get", "list", "create", "update", "patch"], false),
            ("", &["serviceaccounts/token"], &["create"], false),
            ("", &["pods"], &["create"], false),
        ],
        ours: &["k8s-read-tokens", "k8s-token-secret", "k8s-token-request", "k8s-run-workload"],
    },
    Policy {
        name: "pods_ephemeral_ctrs",
        place: Anywhere,
        any: &[("", &["pods/ephemeralcontainers"], MODIFY, false)],
        ours: &["k8s-ephemeral-container"],
    },
    Policy {
        name: "pods_exec",
        place: Privileged,
        any: &[("", &["pods/exec"], &["create"], true)],
        ours: &["k8s-exec"],
    },
    Policy {
        name: "rce_weak_ns",
        place: Weak,
        any: &[("", &["pods"], MODIFY, true), ("", &["pods/exec"], &["create"], true)],
        ours: &["k8s-modify-pod", "k8s-exec"],
    },
    Policy {
        name: "retrieve_token_secrets",
        place: Privileged,
        any: &[("", &["secrets"], &["get", "list"], true)],
        ours: &["k8s-read-tokens"],
    },
    Policy {
        name: "token_request",
        place: Privileged,
        any: &[("", &["serviceaccounts/token"], &["create"], false)],
        ours: &["k8s-token-request"],
    },
];

/// Policy, who has it alone, subject, and why.
const DIFFERENCES: [(&str, &str, &str, &str); 13] = [
    (
        "issue_token_secrets",
        "theirs",
        "generic-garbage-collector",
        "changes secrets, whose type never changes",
    ),
    ("list_secrets", "ours", "bootstrap-signer", "lists in kube-system, where controllers' tokens are"),
    ("list_secrets", "ours", "token-cleaner", "lists in kube-system, where controllers' tokens are"),
    ("list_secrets", "ours", "expand-controller", GET),
    ("list_secrets", "ours", "persistent-volume-binder", GET),
    ("list_secrets", "ours", "system:controller:glbc", GET),
    ("nodes_proxy", "ours", "generic-garbage-collector", WEBSOCKET),
    ("nodes_proxy", "ours", "metadata-agent", WEBSOCKET),
    ("nodes_proxy", "ours", "namespace-controller", WEBSOCKET),
    ("obtain_token_weak_ns", "theirs", "kubernetes-dashboard", "three secrets by name, none of them a token"),
    ("pods_exec", "ours", "generic-garbage-collector", WEBSOCKET),
    ("pods_exec", "ours", "metadata-agent", WEBSOCKET),
    ("pods_exec", "ours", "namespace-controller", WEBSOCKET),
];
const GET: &str = "may, not surely: gets secrets whose names it knows or guesses";
const WEBSOCKET: &str = "may, not surely: `get` suffices over a web socket where the server lets it";

/// A role's rules and where a binding lets them hold; `None` is all of the cluster.
struct Bound<'v> {
    namespace: Option<&'v str>,
    rules: &'v [Value],
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn array<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What each subject is bound to.
fn bound(items: &[Value]) -> BTreeMap<String, Vec<Bound<'_>>> {
    let mut subjects: BTreeMap<String, Vec<Bound<'_>>> = BTreeMap::new();
    for binding in items.iter().filter(|item| text(item, "/kind").ends_with("RoleBinding")) {
        let namespace =
            (text(binding, "/kind") == "RoleBinding").then(|| text(binding, "/metadata/namespace"));
        let role = items.iter().filter(|item| {
            text(item, "/kind") == text(binding, "/roleRef/kind")
                && text(item, "/metadata/name") == text(binding, "/roleRef/name")
                && (text(item, "/kind") == "ClusterRole"
                    || Some(text(item, "/metadata/namespace")) == namespace)
        });
        for role in role {
            for subject in array(binding, "subjects") {
                let name = text(subject, "/name");
                let key = match text(subject, "/kind") {
                    "User" => format!("user:{name}"),
                    "Group" => format!("group:{name}"),
                    _ => format!("system:serviceaccount:{}:{name}", text(subject, "/namespace")),
                };
                let rules = array(role, "rules");
                subjects.entry(key).or_default().push(Bound { namespace, rules });
            }
        }
    }
    subjects
}

impl Policy {
    fn violated(&self, bound: &[Bound<'_>]) -> bool {
        bound.iter().any(|bound| {
            let is_privileged = bound.namespace.is_none_or(|namespace| namespace == "kube-system");
            let place = match self.place {
                Anywhere => true,
                Cluster => bound.namespace.is_none(),
                Privileged => is_privileged,
                Weak => !is_privileged,
            };
            place && bound.rules.iter().any(|rule| self.any.iter().any(|wanted| is_met(rule, wanted)))
        })
    }
}

fn is_met(rule: &Value, (group, resources, verbs, nameless): &Alternative) -> bool {
    let has = |list: &str, wanted: &str| array(rule, list).iter().any(|item| item == "*" || item == wanted);
    let has_resource = |resource: &&str| {
        let subresource = resource.split_once('/').map(|(_, of)| format!("*/{of}"));
        has("resources", resource)
            || subresource.is_some_and(|any| array(rule, "resources").iter().any(|item| *item == any))
    };
    has("apiGroups", group)
        && verbs.iter().any(|verb| has("verbs", verb))
        && resources.iter().any(has_resource)
        && !(*nameless && rule.get("resourceNames").is_some())
}

fn items(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let list: Value = serde_yaml_ng::from_str(&text).unwrap();
    array(&list, "items").to_vec()
}

#[test]
fn primitives_are_rbac_polices_policies() {
    let folder = identities!();
    let path = folder.join("kubernetes-combined/combined.yaml");
    let (items, evidence) = (items(&path), inventory(&path));
    let subjects = bound(&items);
    let found = escalations(&[], &evidence.identities, &evidence.grants, &evidence.trusts);
    let names: BTreeMap<Key, &str> =
        evidence.identities.iter().map(|row| (row.identity_key, row.native_id.as_str())).collect();
    let (mut equal, mut explained) = (0, BTreeSet::new());
    for policy in POLICIES {
        let theirs: BTreeSet<&str> = subjects
            .iter()
            .filter(|(_, bound)| policy.violated(bound))
            .map(|(name, _)| name.as_str())
            .collect();
        let of_policy: Vec<&Escalation> =
            found.iter().filter(|one| policy.ours.contains(&one.primitive.as_str())).collect();
        // The administrator is who is reached from where they call privileged.
        let privileged: BTreeSet<Key> =
            of_policy.iter().filter(|one| one.target.is_none()).map(|one| one.identity_key).collect();
        let ours: BTreeSet<&str> = of_policy
            .iter()
            .filter(|one| match policy.place {
                Anywhere => true,
                Cluster | Privileged => one.target.is_none(),
                Weak => !privileged.contains(&one.identity_key),
            })
            .map(|one| names[&one.identity_key])
            .collect();
        for name in theirs.symmetric_difference(&ours) {
            let side = if theirs.contains(name) { "theirs" } else { "ours" };
            let place = DIFFERENCES.iter().position(|(of, who, subject, _)| {
                *of == policy.name && *who == side && name.ends_with(&format!(":{subject}"))
            });
            let place = place.unwrap_or_else(|| panic!("{}: {side} alone has {name}", policy.name));
            explained.insert(place);
        }
        equal += theirs.intersection(&ours).count();
    }
    eprintln!("rbac-police: {equal} equal, {} differences explained", explained.len());
    assert_eq!(explained.len(), DIFFERENCES.len(), "a difference of the table is gone");
    assert!(equal >= 65, "{equal}");
}
