//! Roles and bindings.
//!
//! A role is an identity of its own that holds its rules (`policy_kind` role) and which
//! roles it collects (aggregation). A binding gives its subjects a row that names the
//! role (`policy_kind` binding); linking turns both into grants of the subjects.

use super::rules::rule;
use super::{Object, Objects, key, service_account, user};
use leakgraph_model::Key;
use leakgraph_model::tables::Grant;
use serde_json::Value;

/// What a rule that cannot be read may say.
pub(crate) fn anything() -> Vec<String> {
    vec!["*/*:*".to_owned(), "* /*".to_owned()]
}

impl Objects<'_> {
    pub(super) fn role(&mut self, object: Object<'_>) {
        if object.name().is_none() {
            return self.problem("malformed_policy", format!("a {} without a name", object.kind));
        }
        let label = object.label();
        let kind = if object.kind == "Role" { "rbac_role" } else { "rbac_cluster_role" };
        let holder = self.object(object, kind, label.clone(), Some(false)).identity_key;
        let namespace = (object.kind == "Role").then(|| object.namespace());
        // `rules: null` is what an aggregated role has before a controller fills it.
        let rules = match object.value.get("rules") {
            None | Some(Value::Null) => &[],
            Some(Value::Array(rules)) => rules.as_slice(),
            Some(_) => {
                self.problem("malformed_policy", format!("the rules of {label} are no list"));
                self.policy(holder, "role", &label, "0", unreadable(namespace));
                &[]
            }
        };
        for (ordinal, value) in rules.iter().enumerate() {
            let row = match rule(value) {
                Ok(rule) => Grant {
                    actions: rule.actions,
                    resources: resources(namespace, &rule.names),
                    understood: true,
                    ..Grant::default()
                },
                Err(reason) => {
                    self.problem("malformed_policy", format!("rule {ordinal} of {label} {reason}"));
                    unreadable(namespace)
                }
            };
            self.policy(holder, "role", &label, &ordinal.to_string(), row);
        }
        self.aggregation(object, holder, &label);
    }

    fn aggregation(&mut self, object: Object<'_>, holder: Key, label: &str) {
        let Some(selectors) = object.value.pointer("/aggregationRule/clusterRoleSelectors") else { return };
        for (ordinal, selector) in selectors.as_array().into_iter().flatten().enumerate() {
            let row = Grant { conditions: Some(selector.to_string()), understood: true, ..Grant::default() };
            self.policy(holder, "aggregation", label, &ordinal.to_string(), row);
        }
    }

    pub(super) fn binding(&mut self, object: Object<'_>) {
        let label = object.label();
        let namespace = (object.kind == "RoleBinding").then(|| object.namespace());
        let (kind, name) = (object.text("/roleRef/kind"), object.text("/roleRef/name"));
        let role = match (kind, name, namespace) {
            (Some("ClusterRole"), Some(name), _) => format!("ClusterRole/{name}"),
            (Some("Role"), Some(name), Some(namespace)) => format!("Role/{namespace}/{name}"),
            _ => return self.problem("malformed_policy", format!("{label} names no role it could bind")),
        };
        let subjects = object.value.get("subjects").and_then(Value::as_array);
        for (ordinal, subject) in subjects.into_iter().flatten().enumerate() {
            let Some(holder) = self.subject(subject, namespace) else {
                self.problem("malformed_policy", format!("subject {ordinal} of {label} names nobody"));
                continue;
            };
            let row = Grant { resources: resources(namespace, &[]), understood: true, ..Grant::default() };
            self.policy(holder, "binding", &label, &role, row);
        }
    }

    /// Whom a binding names.
    fn subject(&mut self, subject: &Value, namespace: Option<&str>) -> Option<Key> {
        let text = |name: &str| subject.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let name = text("name")?;
        let (kind, native_id, is_nhi) = match text("kind")? {
            "ServiceAccount" => {
                let namespace = text("namespace").or(namespace)?;
                ("service_account", service_account(namespace, name), Some(true))
            }
            "User" => {
                let (kind, native_id) = user(name);
                // Names of components begin with `system:`; of others nobody but the
                // authenticator knows whether they are people.
                let is_nhi = name.starts_with("system:") && name != "system:anonymous";
                (kind, native_id, is_nhi.then_some(true))
            }
            "Group" => ("group", format!("group:{name}"), None),
            _ => return None,
        };
        Some(self.identity(kind, name, native_id, is_nhi).identity_key)
    }

    fn policy(&mut self, holder: Key, kind: &str, policy: &str, statement: &str, row: Grant) {
        let content = format!("{:?} {:?} {:?}", row.actions, row.resources, row.conditions);
        self.evidence.grants.push(Grant {
            // Two dumps may know two versions of a rule: both count.
            grant_key: Key::of("grant", &[&holder.to_string(), kind, policy, statement, &content]),
            identity_key: holder,
            platform: "kubernetes".to_owned(),
            policy_kind: kind.to_owned(),
            policy: policy.to_owned(),
            statement: statement.to_owned(),
            effect: "allow".to_owned(),
            source_key: self.document.source_key,
            ..row
        });
    }
}

fn unreadable(namespace: Option<&str>) -> Grant {
    Grant { actions: anything(), resources: resources(namespace, &[]), ..Grant::default() }
}

/// Patterns of `namespace/name`: `*` all of the cluster, `*/name` of any namespace or none.
fn resources(namespace: Option<&str>, names: &[String]) -> Vec<String> {
    match (namespace, names) {
        (None, []) => vec!["*".to_owned()],
        (Some(namespace), []) => vec![format!("{namespace}/*")],
        (namespace, names) => {
            names.iter().map(|name| format!("{}/{name}", namespace.unwrap_or("*"))).collect()
        }
    }
}

/// Key of the role a binding names.
pub(crate) fn role_key(role: &str) -> Key {
    key(role)
}
