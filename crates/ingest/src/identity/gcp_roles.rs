//! Google Cloud: predefined and custom roles and what they permit.
//!
//! Format: IAM API v1, `roles` (`gcloud iam roles list|describe --format=json`). A list has
//! `includedPermissions` only in its full view: without them nothing of a role is known.

use super::gcp::holder;
use super::gcp_accounts::of_asset;
use crate::Document;
use crate::importer::Recognised;
use crate::link::role_key;
use crate::reader::incomplete;
use crate::value::text;
use leakgraph_model::tables::{Grant, Identity};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;

pub(super) fn recognise(value: &Value) -> Option<Recognised> {
    let first = roles(value).into_iter().next()?;
    let name = text(first, "/name")?;
    let is_role = name.starts_with("roles/") || name.contains("/roles/");
    let is_described = ["stage", "title", "includedPermissions"].iter().any(|name| first.get(name).is_some());
    (is_role && is_described)
        .then(|| Recognised::new("gcp_roles", "names of roles with `stage` or permissions"))
}

fn roles(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(roles).collect(),
        Value::Object(members) => {
            match ["roles", "assets"].iter().find_map(|page| members.get(*page)?.as_array()) {
                Some(list) => list.iter().map(of_asset).collect(),
                None => vec![of_asset(value)],
            }
        }
        _ => Vec::new(),
    }
}

pub(super) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    let (mut nameless, mut empty) = (0, 0);
    for role in roles(value) {
        let Some(name) = text(role, "/name") else {
            nameless += 1;
            continue;
        };
        let key = role_key("gcp", &name);
        let deleted = role.get("deleted") == Some(&Value::Bool(true));
        evidence.identities.push(Identity {
            identity_key: key,
            kind: "role_definition".to_owned(),
            name: text(role, "/title").unwrap_or_else(|| name.clone()),
            account: name
                .strip_prefix("projects/")
                .and_then(|rest| rest.split('/').next())
                .map(str::to_owned),
            is_nhi: Some(false),
            status: if deleted { "disabled" } else { "enabled" }.to_owned(),
            ..holder("role_definition", &format!("role:{}", name.to_ascii_lowercase()), document.source_key)
        });
        match permissions(role) {
            Some(actions) => evidence.grants.push(contents(key, &name, actions, document.source_key)),
            None => empty += 1,
        }
    }
    evidence.problems.extend(incomplete(document, nameless, "roles have no name"));
    let mut without =
        incomplete(document, empty, "roles come without their permissions, as the basic view has them");
    without.iter_mut().for_each(|problem| problem.lossy = false);
    evidence.problems.extend(without);
    evidence
}

fn permissions(role: &Value) -> Option<Vec<String>> {
    let list = role.get("includedPermissions")?.as_array()?;
    Some(list.iter().filter_map(|permission| permission.as_str().map(str::to_owned)).collect())
}

fn contents(key: Key, role: &str, actions: Vec<String>, source: Key) -> Grant {
    Grant {
        grant_key: Key::of("grant", &[&key.to_string(), "role", role, "0"]),
        identity_key: key,
        platform: "gcp".to_owned(),
        policy_kind: "role".to_owned(),
        policy: role.to_owned(),
        statement: "0".to_owned(),
        effect: "allow".to_owned(),
        actions,
        resources: vec!["*".to_owned()],
        understood: true,
        source_key: source,
        ..Grant::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_role_is_known_by_its_permissions() {
        let value = json!([
            {"name": "roles/viewer", "stage": "GA", "title": "Viewer", "includedPermissions": ["storage.buckets.get"]},
            {"name": "projects/p/roles/own", "stage": "GA", "title": "Own", "deleted": true},
        ]);
        assert_eq!(recognise(&value).unwrap().kind, "gcp_roles");
        let document = Document { path: "r.json", source_key: Key::default(), part: 0, bytes: b"" };
        let evidence = import(&document, &value);
        let kinds: Vec<_> =
            evidence.identities.iter().map(|row| (row.kind.as_str(), row.status.as_str())).collect();
        assert_eq!(kinds, [("role_definition", "enabled"), ("role_definition", "disabled")]);
        assert_eq!(evidence.grants[0].actions, ["storage.buckets.get"]);
        assert_eq!(evidence.identities[1].account.as_deref(), Some("p"));
        assert!(evidence.problems.iter().all(|problem| !problem.lossy) && evidence.problems.len() == 1);
    }
}
