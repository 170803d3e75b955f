//! Bindings of Kubernetes to grants: what a role allows becomes a grant of everyone a
//! binding names, and of every member of the groups it names.
//!
//! A ClusterRole with an aggregation rule has the rules of all ClusterRoles its label
//! selectors match, of theirs in turn too. A RoleBinding narrows a ClusterRole to its
//! namespace. A role that no dump holds may allow anything: its grant is not understood.

use crate::identity::kubernetes::rbac::{anything, role_key};
use crate::identity::kubernetes::service_account_of;
use leakgraph_model::tables::{Grant, Identity};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(super) fn link(evidence: &mut Evidence) {
    let bindings: BTreeMap<Key, &Grant> = of_kind(&evidence.grants, "binding").collect();
    if bindings.is_empty() {
        return;
    }
    let roles = Roles::of(evidence);
    let members = members(&evidence.identities);
    let mut found: BTreeMap<Key, Grant> = BTreeMap::new();
    for binding in bindings.into_values() {
        let grants = roles.bound(binding);
        let groups = members.get(&binding.identity_key).map(Vec::as_slice).unwrap_or_default();
        let holders = std::iter::once((binding.identity_key, "permission"))
            .chain(groups.iter().map(|member| (*member, "group")));
        for (holder, kind) in holders {
            for grant in &grants {
                let row = held(grant, holder, kind, binding);
                found.insert(row.grant_key, row);
            }
        }
    }
    evidence.grants.retain(|grant| !found.contains_key(&grant.grant_key));
    evidence.grants.extend(found.into_values());
}

fn of_kind<'e>(grants: &'e [Grant], kind: &str) -> impl Iterator<Item = (Key, &'e Grant)> {
    grants
        .iter()
        .filter(move |grant| grant.platform == "kubernetes" && grant.policy_kind == kind)
        .map(|grant| (grant.grant_key, grant))
}

/// A role's rule as a grant of one holder.
fn held(rule: &Grant, holder: Key, kind: &str, binding: &Grant) -> Grant {
    let statement = format!("{}#{}", rule.policy, rule.statement);
    let parts = [&holder.to_string(), kind, &binding.policy, &statement, &rule.grant_key.to_string()];
    Grant {
        grant_key: Key::of("grant", &parts),
        identity_key: holder,
        policy_kind: kind.to_owned(),
        policy: binding.policy.clone(),
        statement,
        source_key: binding.source_key,
        ..rule.clone()
    }
}

/// Service accounts and users by the key of a group all of them are in (Kubernetes,
/// "Authenticating"). Other groups are known to the authenticator alone.
fn members(identities: &[Identity]) -> HashMap<Key, Vec<Key>> {
    let mut members: HashMap<Key, Vec<Key>> = HashMap::new();
    for identity in identities.iter().filter(|identity| identity.platform == "kubernetes") {
        let mut groups = Vec::new();
        match (identity.kind.as_str(), service_account_of(&identity.native_id)) {
            ("service_account", Some((namespace, _))) => {
                groups.push("system:serviceaccounts".to_owned());
                groups.push(format!("system:serviceaccounts:{namespace}"));
                groups.push("system:authenticated".to_owned());
            }
            ("user", _) if identity.name == "system:anonymous" => {
                groups.push("system:unauthenticated".to_owned());
            }
            ("user", _) => groups.push("system:authenticated".to_owned()),
            _ => {}
        }
        for group in groups {
            let group = role_key(&format!("group:{group}"));
            members.entry(group).or_default().push(identity.identity_key);
        }
    }
    members
}

struct Roles<'e> {
    rules: HashMap<Key, Vec<&'e Grant>>,
    selectors: HashMap<Key, Vec<Value>>,
    /// Labels of the ClusterRoles there are.
    cluster: BTreeMap<Key, HashMap<&'e str, &'e str>>,
    known: BTreeSet<Key>,
}

impl<'e> Roles<'e> {
    fn of(evidence: &'e Evidence) -> Self {
        let mut rules: HashMap<Key, Vec<&Grant>> = HashMap::new();
        for grant in of_kind(&evidence.grants, "role").collect::<BTreeMap<_, _>>().into_values() {
            rules.entry(grant.identity_key).or_default().push(grant);
        }
        let mut selectors: HashMap<Key, Vec<Value>> = HashMap::new();
        for (_, grant) in of_kind(&evidence.grants, "aggregation") {
            let selector = grant.conditions.as_deref().and_then(|text| serde_json::from_str(text).ok());
            selectors.entry(grant.identity_key).or_default().extend(selector);
        }
        let is_role = |row: &&Identity| matches!(row.kind.as_str(), "rbac_role" | "rbac_cluster_role");
        let roles = || evidence.identities.iter().filter(is_role);
        let labels = |row: &'e Identity| row.tags.iter().filter_map(|tag| tag.split_once('=')).collect();
        Self {
            rules,
            selectors,
            cluster: roles()
                .filter(|row| row.kind == "rbac_cluster_role")
                .map(|row| (row.identity_key, labels(row)))
                .collect(),
            known: roles().map(|row| row.identity_key).collect(),
        }
    }

    /// What a binding gives.
    fn bound(&self, binding: &Grant) -> Vec<Grant> {
        let role = role_key(&binding.statement);
        // `None` for a binding of all the cluster.
        let namespace = binding.resources.first().and_then(|scope| scope.strip_suffix("/*"));
        if self.known.contains(&role) {
            let rules = self.with_aggregated(role);
            return rules.into_iter().filter_map(|rule| narrowed(rule, namespace)).collect();
        }
        // Every cluster has this role, and it is the one that matters most.
        let is_admin = binding.statement == "ClusterRole/cluster-admin";
        vec![Grant {
            actions: anything(),
            resources: binding.resources.clone(),
            policy: binding.statement.clone(),
            statement: if is_admin { "default" } else { "missing" }.to_owned(),
            understood: is_admin,
            conditions: None,
            ..binding.clone()
        }]
    }

    /// The rules of a role and of all it aggregates.
    fn with_aggregated(&self, role: Key) -> Vec<&'e Grant> {
        let mut seen = BTreeSet::from([role]);
        let mut open = vec![role];
        let mut rules = Vec::new();
        while let Some(role) = open.pop() {
            rules.extend(self.rules.get(&role).into_iter().flatten());
            for selector in self.selectors.get(&role).into_iter().flatten() {
                let matching = self.cluster.iter().filter(|(_, labels)| selects(selector, labels));
                open.extend(matching.map(|(key, _)| *key).filter(|key| seen.insert(*key)));
            }
        }
        rules
    }
}

/// A ClusterRole's rule in one namespace; URLs have none.
fn narrowed(rule: &Grant, namespace: Option<&str>) -> Option<Grant> {
    let mut rule = rule.clone();
    let Some(namespace) = namespace else { return Some(rule) };
    rule.actions.retain(|action| !action.contains(' '));
    for resource in &mut rule.resources {
        if resource == "*" {
            *resource = format!("{namespace}/*");
        } else if let Some(name) = resource.strip_prefix("*/") {
            *resource = format!("{namespace}/{name}");
        }
    }
    (!rule.actions.is_empty()).then_some(rule)
}

/// Whether a label selector matches; one that asks for nothing matches all.
fn selects(selector: &Value, labels: &HashMap<&str, &str>) -> bool {
    let equal = selector.get("matchLabels").and_then(Value::as_object);
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    equal.into_iter().flatten().all(|(name, value)| labels.get(name.as_str()).copied() == value.as_str())
        && expressions.into_iter().flatten().all(|expression| is_true(expression, labels))
}

fn is_true(expression: &Value, labels: &HashMap<&str, &str>) -> bool {
    let text = |name: &str| expression.get(name).and_then(Value::as_str);
    let held = text("key").and_then(|name| labels.get(name).copied());
    let values = expression.get("values").and_then(Value::as_array);
    let is_listed =
        || held.is_some_and(|held| values.into_iter().flatten().any(|value| value.as_str() == Some(held)));
    match text("operator") {
        Some("In") => is_listed(),
        Some("NotIn") => !is_listed(),
        Some("Exists") => held.is_some(),
        Some("DoesNotExist") => held.is_none(),
        _ => false,
    }
}
