//! Objects and events of Kubernetes that the corpus does not have.

use crate::support::{Inputs, Texts, problem};
use leakgraph_ingest::{Limits, link};
use leakgraph_model::Evidence;
use leakgraph_model::tables::identity_key;
use serde_json::{Value, json};

fn read(name: &str, value: &Value) -> (Evidence, Texts) {
    let inputs = Inputs::new();
    inputs.add(name, value.to_string());
    inputs.read(&Limits::default())
}

fn identity(evidence: &Evidence, native_id: &str) -> Option<String> {
    let key = identity_key("kubernetes", native_id);
    evidence.identities.iter().find(|row| row.identity_key == key).map(|row| row.kind.clone())
}

#[test]
fn annotations_of_accounts_name_cloud_identities() {
    let account = |name: &str, annotation: &str, value: &str| {
        json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": "shop", "annotations": {annotation: value}}})
    };
    let role = "arn:aws:iam::123456789012:role/app";
    let robot = "robot@project.iam.gserviceaccount.com";
    let client = "11111111-2222-3333-4444-555555555555";
    let (evidence, _) = read(
        "list.json",
        &json!({"apiVersion": "v1", "kind": "List", "items": [
            account("a", "eks.amazonaws.com/role-arn", role),
            account("g", "iam.gke.io/gcp-service-account", robot),
            account("z", "azure.workload.identity/client-id", client),
            account("t", "eks.amazonaws.com/role-arn", "{{ .Values.role }}"),
        ]}),
    );
    let trusts: Vec<_> =
        evidence.trusts.iter().map(|row| (row.principal.as_str(), row.identity_key)).collect();
    assert_eq!(
        trusts,
        [
            ("system:serviceaccount:shop:a", identity_key("aws", role)),
            ("system:serviceaccount:shop:g", identity_key("gcp", robot)),
            ("system:serviceaccount:shop:z", identity_key("azure", client)),
        ]
    );
    assert_eq!(identity(&evidence, "system:serviceaccount:shop:t").as_deref(), Some("service_account"));
}

#[test]
fn values_of_secrets_go_to_the_scanner_and_names_stay() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "app-token", "namespace": "shop", "creationTimestamp": "2024-01-02T03:04:05Z",
            "annotations": {"kubernetes.io/service-account.name": "app"}},
        "data": {"token": "c28tc2VjcmV0LWEtdmFsdWU="}});
    let (mut evidence, texts) = read("secret.json", &secret);
    assert_eq!(texts.count("c28tc2VjcmV0LWEtdmFsdWU="), 1, "the scanner gets the manifest once");
    let row = evidence.credentials.iter().find(|row| row.kind == "service_account_token").expect("a token");
    assert_eq!(row.identity_key, Some(identity_key("kubernetes", "system:serviceaccount:shop:app")));
    assert_eq!((row.name.as_str(), row.scope.as_deref()), ("app-token", Some("shop")));
    assert!(row.created_at.is_some() && row.expires_at.is_none());
    evidence.for_each_text(&mut |text| {
        assert!(!text.contains("c28tc2Vj"), "{text} holds the value");
    });
}

#[test]
fn items_of_typed_lists_and_users_of_accounts_are_known() {
    let roles = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBindingList", "items": [{
        "metadata": {"name": "b", "namespace": "shop"}, "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [
            {"kind": "User", "name": "system:serviceaccount:shop:app"},
            {"kind": "ServiceAccount", "name": "near"},
            {"kind": "User", "name": "alice"},
            {"kind": "Robot", "name": "x"}]}]});
    let (evidence, _) = read("bindings.json", &roles);
    let kinds = ["system:serviceaccount:shop:app", "system:serviceaccount:shop:near", "user:alice"]
        .map(|id| identity(&evidence, id).unwrap_or_default());
    assert_eq!(kinds, ["service_account", "service_account", "user"]);
    let broken = problem(&evidence, "bindings.json", "malformed_policy");
    assert_eq!(broken.reason, "subject 3 of RoleBinding/shop/b names nobody");
}

/// `kubectl get` writes a file per kind, and manifests a file per object.
#[test]
fn roles_and_bindings_of_different_files_are_joined() {
    const RBAC: &str = "apiVersion: rbac.authorization.k8s.io/v1\n";
    let inputs = Inputs::new();
    inputs.add(
        "a/binding.yaml",
        format!("{RBAC}kind: RoleBinding\nmetadata: {{name: b, namespace: shop}}\nroleRef: {{kind: ClusterRole, name: r}}\nsubjects: [{{kind: ServiceAccount, name: app}}]\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: app, namespace: shop, labels: {{team: checkout}}}}\n"),
    );
    inputs.add(
        "b/role.yaml",
        format!("{RBAC}kind: ClusterRole\nmetadata: {{name: r}}\nrules: [{{verbs: [get], apiGroups: [''], resources: [secrets, nodes], resourceNames: [a]}}]\n"),
    );
    let (mut evidence, _) = inputs.read(&Limits::default());
    for _ in 0..2 {
        link(&mut evidence);
        let key = identity_key("kubernetes", "system:serviceaccount:shop:app");
        let held: Vec<_> = evidence
            .grants
            .iter()
            .filter(|row| row.identity_key == key && row.policy_kind == "permission")
            .map(|row| (row.policy.as_str(), row.statement.as_str(), row.resources.join(",")))
            .collect();
        assert_eq!(held, [("RoleBinding/shop/b", "ClusterRole/r#0", "shop/a".to_owned())]);
        let account = evidence.identities.iter().find(|row| row.identity_key == key).expect("an account");
        assert_eq!((account.owner.as_deref(), account.status.as_str()), (Some("checkout"), "enabled"));
    }
}

#[test]
fn a_broken_rule_is_named_and_counts_as_unknown() {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "r", "namespace": "shop"},
        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}, {"verbs": "get", "resources": ["pods"]}]});
    let (evidence, _) = read("role.json", &role);
    let broken = problem(&evidence, "role.json", "malformed_policy");
    assert_eq!(broken.reason, "rule 1 of Role/shop/r has a member that is no list of texts");
    let grants: Vec<_> = evidence
        .grants
        .iter()
        .map(|row| (row.actions.join(","), row.resources.join(","), row.understood))
        .collect();
    assert_eq!(
        grants,
        [
            ("core/pods:get".to_owned(), "shop/*".to_owned(), true),
            ("*/*:*,* /*".to_owned(), "shop/*".to_owned(), false),
        ]
    );
}

#[test]
fn other_peoples_objects_are_left_to_them() {
    for value in [
        json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "w"}}),
        json!({"apiVersion": "v1", "kind": "Config", "clusters": [], "users": []}),
        json!({"kind": "Pod"}),
    ] {
        let (evidence, _) = read("other.json", &value);
        problem(&evidence, "other.json", "unrecognised");
    }
}

fn event(verb: &str, object: &Value, code: u64, extra: &Value) -> Value {
    let mut event = json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "stage": "ResponseComplete",
        "requestURI": "/x?timeout=1", "verb": verb, "user": {"username": "system:serviceaccount:shop:app"},
        "objectRef": object, "responseStatus": {"code": code}, "requestReceivedTimestamp": "2026-10-01T00:00:00.000000Z"});
    let members = event.as_object_mut().expect("an object");
    extra.as_object().into_iter().flatten().for_each(|(name, value)| {
        members.insert(name.clone(), value.clone());
    });
    event
}

fn calls(events: &[Value]) -> (Evidence, Vec<(String, String, bool, i64)>) {
    let inputs = Inputs::new();
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    inputs.add("audit.log", lines.join("\n"));
    let (evidence, _) = inputs.read(&Limits::default());
    let rows = evidence
        .activity
        .iter()
        .map(|row| (row.action.clone(), row.resource.clone().unwrap_or_default(), row.denied, row.calls))
        .collect();
    (evidence, rows)
}

#[test]
fn events_are_calls_as_grants_write_them() {
    let secret = json!({"resource": "secrets", "namespace": "shop", "name": "s", "apiVersion": "v1"});
    let exec = json!({"resource": "pods", "namespace": "shop", "name": "web", "subresource": "exec"});
    let deployments = json!({"resource": "deployments", "namespace": "shop", "apiGroup": "apps"});
    let allowed = json!({"annotations": {"authorization.k8s.io/decision": "allow"}});
    let (evidence, rows) = calls(&[
        event("get", &secret, 200, &Value::Null),
        event("get", &secret, 404, &Value::Null),
        event("get", &secret, 403, &Value::Null),
        event("create", &exec, 101, &Value::Null),
        // Refused by admission, after RBAC had allowed it.
        event("create", &deployments, 403, &allowed),
        event("get", &Value::Null, 200, &Value::Null),
        event("get", &secret, 0, &json!({"stage": "RequestReceived"})),
    ]);
    let row = |action: &str, on: &str, denied, calls| (action.to_owned(), on.to_owned(), denied, calls);
    assert_eq!(
        rows,
        [
            row("apps/deployments:create", "shop/*", false, 1),
            row("core/pods/exec:create", "shop/web", false, 1),
            row("core/secrets:get", "shop/s", false, 2),
            row("core/secrets:get", "shop/s", true, 1),
            row("get /x", "", false, 1),
        ]
    );
    let key = identity_key("kubernetes", "system:serviceaccount:shop:app");
    assert!(evidence.activity.iter().all(|row| row.identity_key == Some(key)));
    assert!(evidence.activity.iter().all(|row| row.data_event == row.action.starts_with("core/secrets")));
}

#[test]
fn becoming_someone_else_is_an_assumption() {
    let token =
        json!({"resource": "serviceaccounts", "namespace": "shop", "name": "other", "subresource": "token"});
    let users = json!({"resource": "pods", "namespace": "shop"});
    let refusal = json!({"responseStatus": {"code": 403, "message":
        "users \"bob\" is forbidden: User \"a\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope"}});
    let (evidence, rows) = calls(&[
        event("create", &token, 201, &Value::Null),
        event("list", &users, 200, &json!({"impersonatedUser": {"username": "bob"}})),
        event("list", &users, 403, &refusal),
    ]);
    let seen: Vec<_> =
        evidence.assumptions.iter().map(|row| (row.mechanism.as_str(), row.target.as_str())).collect();
    assert_eq!(seen, [("impersonate", "bob"), ("TokenRequest", "system:serviceaccount:shop:other")]);
    let impersonated: Vec<_> = rows
        .iter()
        .filter(|(action, ..)| action == "core/users:impersonate")
        .map(|row| (row.1.as_str(), row.2))
        .collect();
    assert_eq!(impersonated, [("/bob", false), ("/bob", true)]);
}
