//! What is set up for pipelines: definitions and variable groups.
//!
//! Azure DevOps REST API reference, "Definitions - Get" (Build) and "Variablegroups - Get"
//! (Distributed Task). Values of secret variables are null.

use super::super::values::{Import, Owner, Spot};
use super::PLATFORM;
use super::checks::organisation;
use crate::value::{text, time};
use leakgraph_model::Key;
use leakgraph_model::tables::{Credential, WorkflowDefinition};
use serde_json::{Map, Value};

pub(super) fn is_definition(value: &Value) -> bool {
    ["jobAuthorizationScope", "revision", "repository", "id", "name"]
        .iter()
        .all(|name| value.get(name).is_some())
        && value.get("process").is_some_and(Value::is_object)
}

pub(super) fn is_variable_group(value: &Value) -> bool {
    matches!(text(value, "/type").as_deref(), Some("Vsts" | "AzureKeyVault"))
        && value.get("variables").is_some_and(Value::is_object)
        && ["id", "name"].iter().all(|name| value.get(name).is_some())
        && ["variableGroupProjectReferences", "createdBy", "modifiedOn"]
            .iter()
            .any(|name| value.get(name).is_some())
}

/// Variables of a definition or a group, and whether each is secret.
fn variables(value: &Value) -> impl Iterator<Item = (&String, &Value, bool)> {
    let variables = value.get("variables").and_then(Value::as_object).into_iter().flat_map(Map::iter);
    variables.map(|(name, variable)| {
        (name, variable, variable.get("isSecret").and_then(Value::as_bool).unwrap_or_default())
    })
}

/// A pipeline, whose file is in its repository.
pub(super) fn definition(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let (id, name) = (text(value, "/id")?, text(value, "/name")?);
    let organisation =
        organisation(import, value, &["/url", "/_links/self/href", "/project/url"]).unwrap_or_default();
    let key = Key::of("workflow_definition", &[PLATFORM, &organisation.to_lowercase(), &id]);
    let groups = value.get("variableGroups").and_then(Value::as_array).into_iter().flatten();
    let of_groups = groups.clone().filter_map(|group| Some((text(group, "/name")?, group)));
    let mut secrets: Vec<String> =
        variables(value).filter(|(.., is_secret)| *is_secret).map(|(name, ..)| name.clone()).collect();
    for (group, value) in of_groups {
        // A group that is not spelt out is named all the same.
        let names: Vec<&String> =
            variables(value).filter(|(.., secret)| *secret).map(|(name, ..)| name).collect();
        if value.get("variables").is_none() {
            secrets.push(format!("{group}/*"));
        }
        secrets.extend(names.into_iter().map(|name| format!("{group}/{name}")));
    }
    // Whoever may queue a build sets these.
    let settable: Vec<String> = variables(value)
        .filter(|(_, variable, _)| variable.get("allowOverride").and_then(Value::as_bool) == Some(true))
        .map(|(name, ..)| name.clone())
        .collect();
    let triggers = value.get("triggers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let source_key = import.source();
    let row = WorkflowDefinition {
        definition_key: key,
        platform: PLATFORM.to_owned(),
        kind: "workflow".to_owned(),
        repo: text(value, "/repository/properties/fullName").or_else(|| text(value, "/repository/name")),
        path: text(value, "/process/yamlFilename"),
        definition_ref: text(value, "/repository/defaultBranch"),
        workflow_name: Some(name.clone()),
        triggers: triggers.iter().filter_map(|trigger| text(trigger, "/triggerType")).collect(),
        trigger_filters: triggers.iter().flat_map(filters).collect(),
        inputs: settable.iter().map(|name| format!("queue.{name}:string")).collect(),
        free_inputs: settable,
        runs_on: text(value, "/queue/pool/name").or_else(|| text(value, "/queue/name")).into_iter().collect(),
        permissions: text(value, "/jobAuthorizationScope")
            .map(|scope| format!("scope:{scope}"))
            .into_iter()
            .collect(),
        permissions_from: "workflow".to_owned(),
        secrets,
        source_key,
        ..WorkflowDefinition::default()
    };
    import.evidence.workflow_definitions.push(row);
    let scope = format!("{organisation}/{name}");
    kept(import, value, &scope);
    import.rest(Owner::default(), value, &["/variables"]);
    Some(key)
}

/// `continuousIntegration.branchFilters=+refs/heads/main`.
fn filters(trigger: &Value) -> Vec<String> {
    let kind = text(trigger, "/triggerType").unwrap_or_default();
    let of = |member: &str| {
        let items = trigger.get(member).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| Some(format!("{kind}.{member}={}", text(item, "")?))).collect::<Vec<_>>()
    };
    [of("branchFilters"), of("pathFilters")].concat()
}

/// A group of variables, or of secrets of a vault, that pipelines name.
pub(super) fn variable_group(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let name = text(value, "/name")?;
    let projects = value.get("variableGroupProjectReferences").and_then(Value::as_array);
    let project = projects.into_iter().flatten().find_map(|project| text(project, "/projectReference/name"));
    let organisation = organisation(import, value, &["/createdBy/url", "/modifiedBy/url"]);
    let scope: Vec<String> = [organisation, project, Some(name)].into_iter().flatten().collect();
    let scope = scope.join("/");
    kept(import, value, &scope);
    import.rest(Owner::default(), value, &["/variables"]);
    Some(Key::of("variable_group", &[PLATFORM, &scope]))
}

/// Secret variables are credentials; others are scanned, for what should have been secret.
fn kept(import: &mut Import<'_, '_>, value: &Value, scope: &str) {
    let source_key = import.source();
    let of_vault = text(value, "/type").as_deref() == Some("AzureKeyVault");
    for (name, variable, is_secret) in variables(value) {
        if let Some(shown) = text(variable, "/value") {
            import.values.text(Owner::default(), Spot::of("json"), name, &shown);
        }
        if is_secret || of_vault {
            import.evidence.credentials.push(Credential {
                credential_key: Key::of("credential", &[PLATFORM, "ci_variable", scope, name]),
                kind: "ci_variable".to_owned(),
                name: name.clone(),
                scope: Some(scope.to_owned()),
                status: match variable.get("enabled").and_then(Value::as_bool) {
                    Some(false) => "inactive",
                    _ => "active",
                }
                .to_owned(),
                created_at: time(value, "/createdOn").or_else(|| time(value, "/createdDate")),
                expires_at: time(variable, "/expires"),
                source_key,
                ..Credential::default()
            });
        }
    }
}
