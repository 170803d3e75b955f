//! Roles and bindings of Kubernetes.
//!
//! What was used in a namespace only becomes a Role of it, even if it was granted in all of the
//! cluster. What groups give (`system:authenticated`) stays theirs and is not written.

use super::{Allowance, Coverage, Document, Trimmed, Used, file_name};
use crate::Decision;
use crate::answer::applies;
use crate::kubernetes::Scope;
use leakgraph_model::tables::{Grant, Identity};
use std::collections::{BTreeMap, BTreeSet};

/// Verbs of reading requests.
const READS: [&str; 3] = ["get", "list", "watch"];
/// Verbs that are only asked for while another request is decided, and are in no audit log
/// ("Using RBAC Authorization", "Certificate Signing Requests", "Pod Security Policies").
const CHECKED: [&str; 6] = ["bind", "escalate", "use", "approve", "sign", "attest"];

/// API group, resource or URL, names; URLs have no group.
type Object = (Option<String>, String, BTreeSet<String>);
/// Verbs by object, by namespace; `None` is all of the cluster.
type Kept = BTreeMap<Option<String>, BTreeMap<Object, BTreeSet<String>>>;

pub(super) fn trim(identity: &Identity, own: &[&Grant], used: &[Used<'_>], coverage: Coverage) -> Trimmed {
    let mut trimmed = Trimmed::default();
    let (own, of_groups): (Vec<&Grant>, Vec<&Grant>) = own
        .iter()
        .filter(|grant| grant.effect == "allow")
        .partition(|grant| grant.policy_kind == "permission");
    let mut kept = Kept::new();
    for grant in own.iter().filter(|grant| !grant.understood) {
        trimmed.notes.push(format!("{} is of a role that is not in the inventory", grant.policy));
    }
    for row in used {
        keep_used(&own, &of_groups, row, &mut kept);
    }
    for grant in own.iter().filter(|grant| grant.understood) {
        for pattern in &grant.actions {
            let verbs = unseen(pattern, coverage);
            for (verb, because) in verbs {
                let action = with_verb(pattern, verb);
                let is_new =
                    grant.resources.iter().filter(|resource| add(&mut kept, &action, resource)).count();
                if is_new > 0 {
                    trimmed.allowance.push(Allowance { action, because });
                }
            }
        }
    }
    trimmed.removed = own
        .iter()
        .filter(|grant| grant.understood)
        .flat_map(|grant| {
            grant
                .resources
                .iter()
                .flat_map(|resource| grant.actions.iter().map(move |action| (action, resource)))
        })
        .filter(|(action, resource)| !is_kept(&kept, action, resource))
        .map(|(action, resource)| format!("{action} on {resource}"))
        .collect();
    trimmed.notes.sort();
    trimmed.notes.dedup();
    if !kept.is_empty() {
        let name = file_name(&identity.name);
        trimmed.documents =
            vec![Document { name: format!("{name}.yaml"), text: yaml(identity, &name, &kept) }];
    }
    trimmed
}

/// Keeps a use where a grant of the identity's own allows it: without a resource, on all of what
/// is granted.
fn keep_used(own: &[&Grant], of_groups: &[&Grant], used: &Used<'_>, kept: &mut Kept) {
    let may = |grant: &&&Grant, resource: &str| applies(grant, used.action, resource) > Decision::No;
    let is_url = used.action.contains(' ');
    let Some(resource) = used.resource.or(is_url.then_some("*")) else {
        let names = |grant: &&&Grant| grant.resources.iter().any(|resource| may(grant, resource));
        for grant in own.iter().filter(names) {
            for resource in &grant.resources {
                add(kept, used.action, resource);
            }
        }
        return;
    };
    let allowing: Vec<&&Grant> = own.iter().filter(|grant| may(grant, resource)).collect();
    let is_of_group = of_groups.iter().any(|grant| applies(grant, used.action, resource) == Decision::Yes);
    if allowing.is_empty() || is_of_group && allowing.iter().all(|grant| !grant.understood) {
        return;
    }
    // A rule for all names needs no names; the namespace is that of the request.
    let scope = Scope::of(resource);
    let covers =
        |grant: &&Grant, all: &str| grant.resources.iter().any(|own| crate::matches_wildcards(own, all));
    let wide = match scope.namespace {
        Some("") | None => "*".to_owned(),
        Some(namespace) => format!("{namespace}/*"),
    };
    let is_wide = allowing.iter().any(|grant| covers(grant, &wide));
    add(kept, used.action, if is_wide { &wide } else { resource });
}

/// Whether it is new.
fn add(kept: &mut Kept, action: &str, resource: &str) -> bool {
    let Some((object, verb)) = parts(action) else { return false };
    let scope = Scope::of(resource);
    let names = scope.name.filter(|_| object.0.is_some()).map(plain).into_iter().collect();
    let namespace = scope.namespace.filter(|namespace| !namespace.is_empty() && object.0.is_some());
    let rules = kept.entry(namespace.map(str::to_owned)).or_default();
    rules.entry((object.0, object.1, names)).or_default().insert(verb)
}

/// `group/resource:verb` or `verb /path`, unescaped.
fn parts(action: &str) -> Option<((Option<String>, String), String)> {
    if let Some((verb, path)) = action.split_once(' ') {
        return Some(((None, plain(path)), plain(verb)));
    }
    let (object, verb) = action.rsplit_once(':')?;
    let (group, resource) = object.split_once('/')?;
    let group = if group == "core" { String::new() } else { plain(group) };
    Some(((Some(group), plain(resource)), plain(verb)))
}

/// A text as it is in objects.
fn plain(text: &str) -> String {
    let escapes = [("%2A", "*"), ("%3F", "?"), ("%24", "$"), ("%3A", ":"), ("%20", " "), ("%25", "%")];
    escapes.iter().fold(text.to_owned(), |text, (escape, letter)| text.replace(escape, letter))
}

fn with_verb(pattern: &str, verb: &str) -> String {
    match (pattern.split_once(' '), pattern.rsplit_once(':')) {
        (Some((_, path)), _) => format!("{verb} {path}"),
        (None, Some((object, _))) => format!("{object}:{verb}"),
        (None, None) => pattern.to_owned(),
    }
}

/// Verbs of a granted pattern of which no use would be seen.
fn unseen(pattern: &str, coverage: Coverage) -> Vec<(&'static str, &'static str)> {
    let Some((_, verb)) = parts(pattern) else { return Vec::new() };
    let reads = READS.iter().filter(|read| !coverage.data_events && (verb == **read || verb == "*"));
    // A wildcard covers these, but does not ask for them.
    let checked = CHECKED.iter().filter(|check| verb == **check);
    let reads = reads.map(|verb| (*verb, "the audit log has no reads"));
    reads.chain(checked.map(|verb| (*verb, "it is checked, not logged"))).collect()
}

/// Whether anything is left of a granted action.
fn is_kept(kept: &Kept, action: &str, resource: &str) -> bool {
    let Some((object, verb)) = parts(action) else { return true };
    let scope = Scope::of(resource);
    let touches = |pattern: &str, text: &str| {
        pattern == "*" || crate::matches_wildcards(pattern, text) || crate::matches_wildcards(text, pattern)
    };
    kept.iter()
        .filter(|(namespace, _)| match (scope.namespace, namespace) {
            (Some(own), Some(other)) => own == other,
            (Some(_), None) => false,
            (None, _) => true,
        })
        .flat_map(|(_, rules)| rules)
        .any(|((group, name, _), verbs)| {
            group.is_some() == object.0.is_some()
                && touches(object.0.as_deref().unwrap_or("*"), group.as_deref().unwrap_or("*"))
                && touches(&object.1, name)
                && verbs.iter().any(|own| touches(&verb, own))
        })
}

fn list<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    // Lists of JSON are lists of YAML.
    serde_json::Value::from_iter(texts.into_iter().cloned()).to_string()
}

fn yaml(identity: &Identity, name: &str, kept: &Kept) -> String {
    let subject = subject(&identity.native_id);
    let mut text = String::new();
    for (namespace, rules) in kept {
        let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
        let place = namespace
            .as_ref()
            .map(|name| format!("\n  namespace: {}", serde_json::json!(name)))
            .unwrap_or_default();
        let header = |kind: &str| {
            format!(
                "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: {name}-least-privilege{place}\n"
            )
        };
        text.push_str(&header(kind));
        text.push_str("rules:\n");
        for ((group, verbs, names), objects) in joined(rules) {
            text.push_str(&match group {
                Some(group) => format!("- apiGroups: {}\n  resources: {}\n", list([&group]), list(&objects)),
                None => format!("- nonResourceURLs: {}\n", list(&objects)),
            });
            if !names.is_empty() {
                text.push_str(&format!("  resourceNames: {}\n", list(&names)));
            }
            text.push_str(&format!("  verbs: {}\n", list(&verbs)));
        }
        text.push_str(&header(&format!("{kind}Binding")));
        text.push_str(&format!(
            "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {name}-least-privilege\nsubjects:\n{subject}"
        ));
    }
    text
}

/// Group, verbs and names of a rule.
type Like = (Option<String>, BTreeSet<String>, BTreeSet<String>);

/// Objects with the same group, verbs and names share a rule.
fn joined(rules: &BTreeMap<Object, BTreeSet<String>>) -> BTreeMap<Like, BTreeSet<String>> {
    let mut joined: BTreeMap<Like, BTreeSet<String>> = BTreeMap::new();
    for ((group, object, names), verbs) in rules {
        joined.entry((group.clone(), verbs.clone(), names.clone())).or_default().insert(object.clone());
    }
    joined
}

fn subject(native_id: &str) -> String {
    let account = native_id.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    if let Some((namespace, name)) = account {
        return format!(
            "- kind: ServiceAccount\n  name: {}\n  namespace: {}\n",
            serde_json::json!(name),
            serde_json::json!(namespace)
        );
    }
    let (kind, name) = match native_id.strip_prefix("group:") {
        Some(name) => ("Group", name),
        None => ("User", native_id.strip_prefix("user:").unwrap_or(native_id)),
    };
    format!("- kind: {kind}\n  name: {}\n  apiGroup: rbac.authorization.k8s.io\n", serde_json::json!(name))
}
