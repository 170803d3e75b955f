//! Laws of RBAC, on clusters made up for the purpose and read by the importer.

use crate::support::inventory_of;
use leakgraph_model::tables::identity_key;
use leakgraph_model::{Evidence, Key};
use leakgraph_policy::{Decision, assume_edges, can, effective, escalations};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const RBAC: &str = "rbac.authorization.k8s.io/v1";
const ME: &str = "system:serviceaccount:dev:me";

fn key(native_id: &str) -> Key {
    identity_key("kubernetes", native_id)
}

fn rule(group: &str, resource: &str, verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": [resource], "verbs": verbs})
}

fn role(name: &str, rules: &[Value]) -> Value {
    json!({"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules})
}

/// Binds a ClusterRole to the account, in a namespace or everywhere.
fn bind(role: &str, namespace: Option<&str>) -> Value {
    let kind = if namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
    json!({"apiVersion": RBAC, "kind": kind, "metadata": {"name": format!("{role}-b"), "namespace": namespace},
        "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "me", "namespace": "dev"}]})
}

fn account(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "dev"}})
}

fn cluster(items: &[Value]) -> Evidence {
    inventory_of(&json!({"apiVersion": "v1", "kind": "List", "items": items}))
}

fn ask(evidence: &Evidence, action: &str, resource: &str) -> Decision {
    can(key(ME), &evidence.grants, action, resource).decision
}

/// Primitive and target (`""` for the administrator) of what the account can do.
fn ways(evidence: &Evidence) -> BTreeMap<(String, String), Decision> {
    let names: BTreeMap<Key, &str> =
        evidence.identities.iter().map(|row| (row.identity_key, row.native_id.as_str())).collect();
    escalations(&[], &evidence.identities, &evidence.grants, &evidence.trusts)
        .into_iter()
        .filter(|one| one.identity_key == key(ME))
        .map(|one| {
            let target = one.target.map_or("", |target| names.get(&target).copied().unwrap_or("?"));
            ((one.primitive, target.trim_start_matches("system:serviceaccount:").to_owned()), one.decision)
        })
        .collect()
}

fn way(evidence: &Evidence, primitive: &str, target: &str) -> Decision {
    ways(evidence).get(&(primitive.to_owned(), target.to_owned())).copied().unwrap_or_default()
}

#[test]
fn aggregated_roles_have_the_rules_of_all_they_select() {
    let labelled = |name: &str, label: &str, rules: &[Value]| {
        let mut role = role(name, rules);
        role["metadata"]["labels"] = json!({ label: "true" });
        role
    };
    let aggregating = |mut role: Value, selector: Value| {
        role["rules"] = Value::Null;
        role["aggregationRule"] = json!({"clusterRoleSelectors": [selector]});
        role
    };
    let evidence = cluster(&[
        labelled("pods", "to-view", &[rule("", "pods", &["get"])]),
        aggregating(labelled("view", "to-edit", &[]), json!({"matchLabels": {"to-view": "true"}})),
        labelled("writes", "to-edit", &[rule("", "pods", &["create"])]),
        aggregating(
            labelled("edit", "to-view", &[]),
            json!({"matchExpressions": [{"key": "to-edit", "operator": "Exists"}]}),
        ),
        bind("edit", Some("dev")),
    ]);
    // `edit` has what `view` has, whose turn it is to select `edit` again.
    assert_eq!(ask(&evidence, "core/pods:get", "dev/a"), Decision::Yes);
    assert_eq!(ask(&evidence, "core/pods:create", "dev/*"), Decision::Yes);
    assert_eq!(ask(&evidence, "core/pods:get", "ops/a"), Decision::No);
    assert_eq!(ask(&evidence, "core/pods:delete", "dev/a"), Decision::No);
}

#[test]
fn members_have_what_their_groups_have() {
    let mut binding = bind("reader", None);
    binding["subjects"] = json!([{"kind": "Group", "name": "system:serviceaccounts:dev"}]);
    let evidence = cluster(&[role("reader", &[rule("", "secrets", &["list"])]), binding, account("me")]);
    assert_eq!(ask(&evidence, "core/secrets:list", "*"), Decision::Yes);
    assert_eq!(way(&evidence, "k8s-read-tokens", ""), Decision::May);
}

#[test]
fn a_role_that_is_absent_may_allow_anything_where_it_is_bound() {
    let evidence = cluster(&[account("me"), bind("absent", Some("dev"))]);
    assert_eq!(ask(&evidence, "core/secrets:get", "dev/a"), Decision::May);
    assert_eq!(ask(&evidence, "core/secrets:get", "ops/a"), Decision::No);
    let found = effective(&evidence.identities, &evidence.grants);
    let mine = found.iter().find(|row| row.identity_key == key(ME)).unwrap();
    assert_eq!(mine.gaps, ["missing_role"]);
    // All but one: every cluster has cluster-admin.
    let admin = cluster(&[account("me"), bind("cluster-admin", None)]);
    assert_eq!(ask(&admin, "core/secrets:get", "ops/a"), Decision::Yes);
    assert_eq!(ask(&admin, "get /metrics", ""), Decision::Yes);
    assert_eq!(way(&admin, "k8s-admin", ""), Decision::Yes);
}

#[test]
fn escalation_needs_all_of_its_permissions_in_one_place() {
    const R: &str = "rbac.authorization.k8s.io";
    let with = |rules: &[Value], namespace: Option<&str>| {
        cluster(&[role("r", rules), bind("r", namespace), account("me"), account("other")])
    };
    let escalate = rule(R, "clusterroles", &["escalate"]);
    let patch = rule(R, "clusterroles", &["patch"]);
    let (binds, creates) = (rule(R, "clusterroles", &["bind"]), rule(R, "clusterrolebindings", &["create"]));
    let some = json!({"apiGroups": [R], "resources": ["clusterroles"], "verbs": ["bind"], "resourceNames": ["view"]});
    let all = json!({"apiGroups": [R], "resources": ["clusterroles"], "verbs": ["bind"], "resourceNames": ["cluster-admin"]});
    let cases: [(&str, Vec<Value>, Option<&str>, Decision); 8] = [
        ("k8s-escalate-clusterrole", vec![escalate.clone()], None, Decision::No),
        ("k8s-escalate-clusterrole", vec![escalate.clone(), patch.clone()], None, Decision::Yes),
        ("k8s-escalate-clusterrole", vec![escalate, patch], Some("dev"), Decision::No),
        ("k8s-bind-clusterrole", vec![creates.clone()], None, Decision::No),
        ("k8s-bind-clusterrole", vec![binds, creates.clone()], None, Decision::Yes),
        ("k8s-bind-clusterrole", vec![some, creates.clone()], None, Decision::May),
        ("k8s-bind-clusterrole", vec![all, creates], None, Decision::Yes),
        ("k8s-admin", vec![rule("*", "*", &["*"])], Some("dev"), Decision::No),
    ];
    for (primitive, rules, namespace, expected) in cases {
        let evidence = with(&rules, namespace);
        assert_eq!(way(&evidence, primitive, ""), expected, "{primitive} {rules:?} {namespace:?}");
    }
    let owner = with(&[rule("*", "*", &["*"])], Some("dev"));
    assert_eq!(way(&owner, "k8s-token-request", "dev:other"), Decision::Yes);
    assert_eq!(way(&owner, "k8s-privileged-pod", ""), Decision::May);
    assert!(!ways(&owner).keys().any(|(_, target)| target == "dev:me"), "nobody becomes himself");
}

#[test]
fn names_reach_those_they_name() {
    let named = |resource: &str, verb: &str, name: &str| json!({"apiGroups": [""], "resources": [resource], "verbs": [verb], "resourceNames": [name]});
    let token = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "t", "namespace": "dev", "annotations": {"kubernetes.io/service-account.name": "other"}}});
    let with = |rule: Value| {
        let objects =
            [role("r", &[rule]), bind("r", Some("dev")), account("other"), account("third"), token.clone()];
        ways(&cluster(&objects))
    };
    let only = |primitive: &str, target: &str| {
        BTreeMap::from([((primitive.to_owned(), target.to_owned()), Decision::Yes)])
    };
    assert_eq!(
        with(named("serviceaccounts/token", "create", "third")),
        only("k8s-token-request", "dev:third")
    );
    assert_eq!(
        with(named("serviceaccounts", "impersonate", "other")),
        only("k8s-impersonate-account", "dev:other")
    );
    assert_eq!(with(named("secrets", "get", "t")), only("k8s-read-tokens", "dev:other"));
    assert_eq!(with(named("secrets", "get", "elsewhere")), BTreeMap::new());
    assert_eq!(with(named("pods", "create", "web")), BTreeMap::new(), "creating has no name");
    assert_eq!(with(named("secrets", "get", "*")), BTreeMap::new(), "a star is no wildcard of names");
}

#[test]
fn pods_are_reached_where_they_run() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "dev"},
        "spec": {"serviceAccountName": "other", "containers": []}});
    let exec = role("r", &[rule("", "pods/exec", &["create"])]);
    let objects = [exec, bind("r", Some("dev")), account("other"), account("third")];
    let unseen = ways(&cluster(&objects));
    let of = |ways: &BTreeMap<(String, String), Decision>, who: &str| {
        ways.get(&("k8s-exec".to_owned(), who.to_owned())).copied().unwrap_or_default()
    };
    assert_eq!((of(&unseen, "dev:other"), of(&unseen, "dev:third")), (Decision::May, Decision::May));
    let with_pod = cluster(&[objects.as_slice(), &[pod]].concat());
    let seen = ways(&with_pod);
    assert_eq!((of(&seen, "dev:other"), of(&seen, "dev:third")), (Decision::Yes, Decision::No));
    let edges = assume_edges(&with_pod.identities, &with_pod.grants, &with_pod.trusts);
    let ends: Vec<_> = edges.iter().map(|edge| (edge.source, edge.target, edge.decision)).collect();
    assert_eq!(ends, [(Some(key("Pod/dev/web")), key("system:serviceaccount:dev:other"), Decision::Yes)]);
}

const GROUPS: [&str; 3] = ["", "apps", "*"];
const RESOURCES: [&str; 6] = ["pods", "pods/exec", "deployments", "*", "*/exec", "pods/*"];
const VERBS: [&str; 3] = ["get", "create", "*"];
const NAMES: [&str; 3] = ["a", "b", "*"];

/// pkg/apis/rbac/v1/evaluation_helpers.go, as it is written there.
fn allows(rule: &Value, verb: &str, group: &str, resource: &str, subresource: &str, name: &str) -> bool {
    let list = |member: &str| -> Vec<&str> {
        rule.get(member).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let combined =
        if subresource.is_empty() { resource.to_owned() } else { format!("{resource}/{subresource}") };
    let resource_matches = list("resources").into_iter().any(|one| {
        one == "*" || one == combined || !subresource.is_empty() && one == format!("*/{subresource}")
    });
    let names = list("resourceNames");
    list("verbs").iter().any(|one| *one == "*" || *one == verb)
        && list("apiGroups").iter().any(|one| *one == "*" || *one == group)
        && resource_matches
        && (names.is_empty() || names.contains(&name))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Reading, binding and asking together decide as the API server does.
    #[test]
    fn decisions_are_those_of_the_api_server(
        group in prop::sample::select(GROUPS.to_vec()),
        resources in prop::collection::vec(prop::sample::select(RESOURCES.to_vec()), 1..3),
        verb in prop::sample::select(VERBS.to_vec()),
        names in prop::collection::vec(prop::sample::select(NAMES.to_vec()), 0..2),
        bound_to in prop::option::of(prop::sample::select(vec!["dev", "ops"])),
    ) {
        let rule = json!({"apiGroups": [group], "resources": resources, "verbs": [verb], "resourceNames": names});
        let evidence = cluster(&[role("r", std::slice::from_ref(&rule)), bind("r", bound_to), account("me")]);
        for (verb, name) in [("get", "a"), ("get", "b"), ("list", ""), ("create", "")] {
            for (group, resource, subresource) in
                [("", "pods", ""), ("", "pods", "exec"), ("apps", "deployments", ""), ("apps", "deployments", "exec")]
            {
                let combined = if subresource.is_empty() { resource.to_owned() } else { format!("{resource}/{subresource}") };
                let action = format!("{}/{combined}:{verb}", if group.is_empty() { "core" } else { group });
                let on = format!("dev/{}", if name.is_empty() { "*" } else { name });
                let theirs = bound_to.is_none_or(|namespace| namespace == "dev")
                    && allows(&rule, verb, group, resource, subresource, name);
                let ours = ask(&evidence, &action, &on);
                prop_assert_eq!(ours == Decision::Yes, theirs, "{} {} by {} in {:?}", action, on, rule, bound_to);
                prop_assert!(ours != Decision::May);
            }
        }
    }

    /// More bindings never take anything away.
    #[test]
    fn bindings_only_add(
        first in prop::sample::select(RESOURCES.to_vec()),
        second in prop::sample::select(RESOURCES.to_vec()),
        namespace in prop::option::of(Just("dev")),
    ) {
        let of = |resource: &str| rule("*", resource, &["*"]);
        let roles = [role("a", &[of(first)]), role("b", &[of(second)]), account("me"), account("other"), bind("a", namespace)];
        let less = ways(&cluster(&roles));
        let more = ways(&cluster(&[roles.as_slice(), &[bind("b", None)]].concat()));
        for (way, decision) in less {
            prop_assert!(more.get(&way).is_some_and(|other| *other >= decision), "{:?}", way);
        }
    }
}
