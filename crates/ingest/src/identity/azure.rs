//! Entra ID and Azure: what their exports have in common.
//!
//! Natural ids: the application id (`appId`) of applications, service principals and managed
//! identities; the object id of users, groups, and of principals whose application no file
//! names (linking replaces those).

use super::{azure_roles, entra, entra_activity};
use crate::Document;
use crate::importer::Recognised;
use leakgraph_model::tables::{Identity, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;

pub(super) fn recognise(value: &Value) -> Option<Recognised> {
    azure_roles::recognise(value)
        .or_else(|| entra_activity::recognise(value))
        .or_else(|| entra::recognise(value))
}

pub(super) fn import(kind: &str, document: &Document<'_>, value: &Value) -> Evidence {
    match kind {
        "azure_role_definitions" | "azure_role_assignments" => azure_roles::import(kind, document, value),
        "entra_sign_in_activity" => entra_activity::import(document, value),
        _ => entra::import(kind, document, value),
    }
}

/// The objects of pages (`value`) and of arrays of either.
pub(super) fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(items_of).collect(),
        other => items_of(other),
    }
}

fn items_of(value: &Value) -> Vec<&Value> {
    match value.get("value").and_then(Value::as_array) {
        Some(list) => list.iter().collect(),
        None => vec![value],
    }
}

pub(super) fn is_guid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The id at the end of a resource id.
pub(super) fn ends_with_guid(resource: &str) -> Option<String> {
    resource.rsplit('/').next().filter(|id| is_guid(id)).map(str::to_owned)
}

/// A principal by its object id; of service principals, `name` may be the application id.
pub(super) fn principal(principal_type: &str, object: &str, name: Option<&str>, source: Key) -> Identity {
    let app = name.filter(|name| is_guid(name) && principal_type == "ServicePrincipal");
    let (kind, is_nhi) = match principal_type {
        "ServicePrincipal" => ("service_principal", Some(true)),
        "User" => ("user", Some(false)),
        "Group" | "ForeignGroup" => ("group", Some(false)),
        _ => ("principal", None),
    };
    let native_id = app.unwrap_or(object);
    Identity {
        identity_key: identity_key("azure", native_id),
        platform: "azure".to_owned(),
        kind: kind.to_owned(),
        name: name.unwrap_or(object).to_owned(),
        native_id: native_id.to_owned(),
        unique_id: Some(object.to_owned()),
        is_nhi,
        status: "unknown".to_owned(),
        source_key: source,
        ..Identity::default()
    }
}
