//! Settings of a project that bound its pipelines: job token access, protected environments.

use super::PLATFORM;
use super::place::Place;
use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::text;
use leakgraph_model::tables::{Grant, Identity, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;

/// `GET /projects/:id/job_token_scope[/allowlist]` and `…/protected_environments`. An
/// allowlist is a list of projects: only its path tells it from any other.
pub(crate) fn recognise(path: &str, value: &Value) -> Option<Recognised> {
    let first = match value {
        Value::Array(items) => items.first()?,
        other => other,
    };
    let has = |name: &str| first.get(name).is_some();
    let (kind, because) =
        if has("inbound_enabled") && first.as_object().is_some_and(|members| members.len() <= 3) {
            ("job_token_scope_json", "`inbound_enabled`, the scope of a job token")
        } else if has("path_with_namespace") && path.contains("job_token_scope") {
            ("job_token_scope_json", "projects, in a path that names a job token's scope")
        } else if has("deploy_access_levels") && has("name") {
            ("protected_environment_json", "environments with `deploy_access_levels`")
        } else {
            return None;
        };
    Some(Recognised::new(kind, because))
}

pub(crate) fn import(kind: &str, document: &Document<'_>, value: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    let items = match value {
        Value::Array(items) => items.iter().collect(),
        other => vec![other],
    };
    let Some(project) = Place::of_path(document.path).project else {
        let what = "settings do not say, nor does their path, of which project they are";
        evidence.problems.extend(incomplete(document, items.len(), what));
        return evidence;
    };
    let mut nameless = 0;
    for item in items {
        let kept = match kind {
            "job_token_scope_json" => job_token(document, &project, item, &mut evidence),
            _ => environment(document, &project, item, &mut evidence),
        };
        nameless += usize::from(kept.is_none());
    }
    evidence.problems.extend(incomplete(document, nameless, "items have no name"));
    evidence
}

fn identity(document: &Document<'_>, kind: &str, name: &str, native_id: &str, project: &str) -> Identity {
    Identity {
        identity_key: identity_key(PLATFORM, native_id),
        platform: PLATFORM.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        native_id: native_id.to_owned(),
        account: project.split('/').next().map(str::to_owned),
        is_nhi: Some(kind != "environment"),
        status: "enabled".to_owned(),
        source_key: document.source_key,
        ..Identity::default()
    }
}

/// Whose job tokens may come in: all, or those of a project on the list.
fn job_token(document: &Document<'_>, project: &str, value: &Value, evidence: &mut Evidence) -> Option<Key> {
    let holder =
        match (value.get("inbound_enabled").and_then(Value::as_bool), text(value, "/path_with_namespace")) {
            (Some(is_limited), _) => {
                let mut own =
                    identity(document, "repository_token", "CI_JOB_TOKEN", &token(project), project);
                own.tags.push(format!("job_token_inbound={}", if is_limited { "limited" } else { "open" }));
                if let Some(is_limited) = value.get("outbound_enabled").and_then(Value::as_bool) {
                    own.tags
                        .push(format!("job_token_outbound={}", if is_limited { "limited" } else { "open" }));
                }
                let key = own.identity_key;
                evidence.identities.push(own);
                if is_limited {
                    return Some(key);
                }
                identity(document, "repository_token", "CI_JOB_TOKEN of any project", "repo:*:token", project)
            }
            (None, Some(other)) => {
                identity(document, "repository_token", "CI_JOB_TOKEN", &token(&other), &other)
            }
            (None, None) => return None,
        };
    let resource = format!("repo:{project}");
    let key = holder.identity_key;
    evidence.grants.push(Grant {
        grant_key: Key::of("grant", &[&key.to_string(), "permission", "job_token_scope", &resource]),
        identity_key: key,
        platform: PLATFORM.to_owned(),
        policy_kind: "permission".to_owned(),
        policy: "job_token_scope".to_owned(),
        statement: "0".to_owned(),
        effect: "allow".to_owned(),
        actions: vec!["job_token:access".to_owned()],
        resources: vec![resource],
        // What the token may do there depends on the user of the job, too.
        conditions: Some("{\"user\":\"member\"}".to_owned()),
        understood: true,
        source_key: document.source_key,
        ..Grant::default()
    });
    evidence.identities.push(holder);
    Some(key)
}

fn token(project: &str) -> String {
    format!("repo:{project}:token")
}

/// An environment, who may deploy to it and how many must approve.
fn environment(
    document: &Document<'_>,
    project: &str,
    value: &Value,
    evidence: &mut Evidence,
) -> Option<Key> {
    let name = text(value, "/name")?;
    let mut row = identity(document, "environment", &name, &format!("env:{project}/{name}"), project);
    row.environment = Some(name);
    row.tags.push("protected=true".to_owned());
    let levels = |pointer: &str| value.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    for level in levels("/deploy_access_levels") {
        if let Some(who) = text(level, "/access_level_description") {
            row.tags.push(format!("deploys={who}"));
        }
    }
    for rule in levels("/approval_rules") {
        let who = text(rule, "/access_level_description").unwrap_or_else(|| "unknown".to_owned());
        let count = text(rule, "/required_approvals").unwrap_or_else(|| "1".to_owned());
        row.tags.push(format!("approves={who}:{count}"));
    }
    if let Some(count) = value.get("required_approval_count").and_then(Value::as_i64) {
        row.tags.push(format!("required_approvals={count}"));
    }
    let key = row.identity_key;
    evidence.identities.push(row);
    Some(key)
}
