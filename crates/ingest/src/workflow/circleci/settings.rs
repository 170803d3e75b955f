//! Contexts and the names of variables: what secrets there are.
//!
//! "CircleCI API v2", `GET /context`, `GET /context/{id}/environment-variable`,
//! `GET /project/{slug}/envvar`; of values no more than four letters are shown.

use super::super::values::{Import, Owner};
use super::{PLATFORM, normal};
use crate::value::{text, time};
use leakgraph_model::Key;
use leakgraph_model::tables::Credential;
use serde_json::Value;

/// A variable of a context.
pub(super) fn is_context_variable(value: &Value) -> bool {
    ["variable", "context_id", "created_at"].iter().all(|name| value.get(name).is_some())
}

/// A context: nothing but these members, and a path that says so.
pub(super) fn is_context(path: &str, value: &Value) -> bool {
    let names_context = path.split(['/', '\\']).any(|part| part.starts_with("context"));
    let members = value.as_object();
    names_context
        && members.is_some_and(|members| {
            members.len() == 3 && ["id", "name", "created_at"].iter().all(|name| members.contains_key(*name))
        })
}

/// A variable of a project: `xxxx` and the end of its value.
pub(super) fn is_project_variable(path: &str, value: &Value) -> bool {
    let is_masked = text(value, "/value").is_some_and(|value| value.starts_with("xxxx") && value.len() <= 8);
    is_masked && value.get("name").is_some() && project(path).is_some()
}

/// `gh/acme/shop` of `project/gh/acme/shop/envvar.json`.
fn project(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    let at = parts.iter().rposition(|part| *part == "project")?;
    let [host, owner, name, rest] = parts.get(at + 1..at + 5)? else { return None };
    rest.starts_with("envvar").then(|| normal(&format!("{host}/{owner}/{name}")))
}

/// Writes a secret by the name it is kept under.
pub(super) fn import(kind: &str, import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let (kind, scope, name) = match kind {
        "context_json" => ("context", text(value, "/id")?, text(value, "/name")?),
        "context_variable_json" => {
            ("ci_variable", format!("context/{}", text(value, "/context_id")?), text(value, "/variable")?)
        }
        _ => ("ci_variable", project(import.document.path)?, text(value, "/name")?),
    };
    let key = Key::of("credential", &[PLATFORM, kind, &scope, &name]);
    import.evidence.credentials.push(Credential {
        credential_key: key,
        kind: kind.to_owned(),
        name,
        scope: Some(if kind == "context" { format!("context/{scope}") } else { scope }),
        status: "active".to_owned(),
        created_at: time(value, "/created_at").or_else(|| time(value, "/created-at")),
        rotated_at: time(value, "/updated_at"),
        source_key: import.source(),
        ..Credential::default()
    });
    import.rest(Owner::default(), value, &[]);
    Some(key)
}
