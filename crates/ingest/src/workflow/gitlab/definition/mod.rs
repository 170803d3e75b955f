//! `.gitlab-ci.yml`: what is declared of a pipeline and its jobs.
//!
//! Syntax: GitLab documentation, "CI/CD YAML syntax reference". Rows are definitions, never
//! observations: no handoff and no `secrets_passed` follows from a file, because no run is known.

mod includes;
mod job;
mod rules;

use self::job::Job;
use super::PLATFORM;
use super::place::Place;
use crate::importer::Recognised;
use crate::value::text;
use crate::{Document, documents};
use leakgraph_model::tables::WorkflowDefinition;
use leakgraph_model::{Evidence, Key};
use serde_json::{Map, Value};

/// Top-level keys that are no jobs.
const KEYWORDS: [&str; 12] = [
    "after_script",
    "before_script",
    "cache",
    "default",
    "image",
    "include",
    "pages",
    "services",
    "spec",
    "stages",
    "variables",
    "workflow",
];
/// Top-level keys of other tools' files, where jobs look alike.
const FOREIGN: [&str; 13] = [
    "apiVersion",
    "jobs",
    "kind",
    "language",
    "on",
    "openapi",
    "pipelines",
    "pool",
    "steps",
    "swagger",
    "tasks",
    "trigger",
    "version",
];

/// A pipeline definition: by its name, or by jobs and stages as only GitLab has them.
pub(crate) fn recognise(path: &str, value: &Value) -> Option<Recognised> {
    let members = value.as_object()?;
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path).to_ascii_lowercase();
    if file.ends_with(".gitlab-ci.yml") || file.ends_with(".gitlab-ci.yaml") {
        return Some(Recognised::new("ci_yaml", "a file named `.gitlab-ci.yml`"));
    }
    let is_yaml = file.ends_with(".yml") || file.ends_with(".yaml");
    if !is_yaml || FOREIGN.iter().any(|key| members.contains_key(*key)) {
        return None;
    }
    // The header of a file with inputs; its jobs are the next document.
    if members.len() == 1 && value.pointer("/spec/inputs").is_some_and(Value::is_object) {
        return Some(Recognised::new("ci_yaml", "`spec` with `inputs` and nothing else"));
    }
    let stages = members.get("stages").and_then(Value::as_array);
    let has_stages = stages.is_some_and(|stages| !stages.is_empty() && stages.iter().all(Value::is_string));
    let is_sure = |job: &Map<String, Value>| {
        let has = |names: &[&str]| names.iter().any(|name| job.contains_key(*name));
        (has(&["script"]) || has(&["trigger"]))
            && (has_stages || has(&["stage", "rules", "only", "except", "id_tokens", "needs"]))
    };
    if jobs(members).any(|(_, job)| is_sure(job)) {
        return Some(Recognised::new("ci_yaml", "jobs with `script` or `trigger`, and stages or rules"));
    }
    let includes = members.get("include").and_then(Value::as_array);
    let is_reference = |item: &Value| {
        item.get("project").is_some() && item.get("file").is_some() || item.get("component").is_some()
    };
    includes
        .is_some_and(|items| items.iter().any(is_reference))
        .then(|| Recognised::new("ci_yaml", "`include` of a project's file or a component"))
}

/// The jobs of a definition, hidden ones included: they are templates of others.
fn jobs(members: &Map<String, Value>) -> impl Iterator<Item = (&String, &Map<String, Value>)> {
    let is_job = |name: &&String| !KEYWORDS.contains(&name.as_str()) || name.as_str() == "pages";
    members
        .iter()
        .filter(move |(name, _)| is_job(name))
        .filter_map(|(name, job)| Some((name, job.as_object()?)))
}

/// Rows of a file: one for what it includes for all its jobs, and one per job that may run.
pub(crate) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    let Some(members) = value.as_object() else { return evidence };
    // A header with inputs is the document before.
    let header = (document.part == 1).then(|| documents::yaml(document.bytes).next()?.ok()).flatten();
    let inputs = header.as_ref().or(Some(value)).and_then(|header| header.pointer("/spec/inputs"));
    let inputs = inputs.and_then(Value::as_object);
    let workflow_rules = value.get("workflow").map(rules::of).unwrap_or_default();
    let shared = WorkflowDefinition {
        platform: PLATFORM.to_owned(),
        kind: if inputs.is_some() { "reusable_workflow" } else { "workflow" }.to_owned(),
        repo: Place::of_path(document.path).project,
        path: document.path.rsplit(['/', '\\']).next().map(str::to_owned),
        workflow_name: text(value, "/workflow/name"),
        inputs: inputs.into_iter().flatten().map(|(name, input)| declared(name, input)).collect(),
        free_inputs: inputs
            .into_iter()
            .flatten()
            .filter(|(_, input)| is_free(input))
            .map(|(name, _)| name.clone())
            .collect(),
        // Nothing in a file says what a job token may do: that is set in the project.
        permissions_from: "default".to_owned(),
        source_key: document.source_key,
        ..WorkflowDefinition::default()
    };
    let included = value.get("include").map(includes::of).unwrap_or_default();
    if !included.is_empty() {
        evidence.workflow_definitions.push(WorkflowDefinition {
            definition_key: definition_key(&shared, document, ""),
            triggers: workflow_rules.sources.clone(),
            trigger_filters: workflow_rules.filters("workflow"),
            unpinned_uses: included
                .iter()
                .filter(|item| !item.is_pinned)
                .map(|item| item.name.clone())
                .collect(),
            uses: included.into_iter().map(|item| item.name).collect(),
            ..shared.clone()
        });
    }
    // Hidden jobs are templates: they run as what extends them.
    for (name, _) in jobs(members).filter(|(name, _)| !name.starts_with('.')) {
        let row = WorkflowDefinition {
            definition_key: definition_key(&shared, document, name),
            job_id: Some(name.clone()),
            ..shared.clone()
        };
        evidence.workflow_definitions.push(Job::of(members, name).row(row, &workflow_rules));
    }
    evidence
}

fn definition_key(row: &WorkflowDefinition, document: &Document<'_>, job: &str) -> Key {
    let repo = row.repo.as_deref().unwrap_or("").to_lowercase();
    let (source, part) = (row.source_key.to_string(), document.part.to_string());
    Key::of("workflow_definition", &[PLATFORM, &repo, row.path.as_deref().unwrap_or(""), &source, &part, job])
}

/// `spec.name:type[:required][:option|option]`, as inputs of other platforms are written.
fn declared(name: &str, input: &Value) -> String {
    let kind = text(input, "/type").unwrap_or_else(|| "string".to_owned());
    let required = if input.get("default").is_none() { ":required" } else { "" };
    let options: Vec<String> = input
        .get("options")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|item| text(item, ""))
        .collect();
    let options = if options.is_empty() { String::new() } else { format!(":{}", options.join("|")) };
    format!("spec.{name}:{kind}{required}{options}")
}

/// Whether an input may be any text.
fn is_free(input: &Value) -> bool {
    let is_text = matches!(text(input, "/type").as_deref(), None | Some("string" | "array"));
    is_text && input.get("options").is_none() && input.get("regex").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn is_known(path: &str, value: Value) -> bool {
        recognise(path, &value).is_some()
    }

    #[test]
    fn definitions_are_told_from_files_that_look_alike() {
        assert!(is_known("x/.gitlab-ci.yml", json!({"build": {"script": "make"}})));
        assert!(is_known("ci/deploy.yml", json!({"stages": ["a"], "job": {"script": ["make"]}})));
        assert!(is_known("ci/child.yaml", json!({"job": {"trigger": "a/b", "rules": []}})));
        assert!(is_known("t/c.yml", json!({"spec": {"inputs": {"stage": {"default": "test"}}}})));
        assert!(is_known("ci/inc.yml", json!({"include": [{"project": "a/b", "file": "/x.yml"}]})));
        // GitHub, CircleCI, Azure, Compose, Travis, Taskfile, and anything with a script.
        assert!(!is_known("w.yml", json!({"on": "push", "jobs": {"a": {"steps": []}}})));
        assert!(!is_known("c.yml", json!({"version": 2, "jobs": {}, "workflows": {}})));
        assert!(!is_known("a.yml", json!({"trigger": ["main"], "stages": [{"stage": "a"}]})));
        assert!(!is_known("d.yml", json!({"version": "3", "services": {"web": {"image": "x"}}})));
        assert!(!is_known("t.yml", json!({"language": "c", "script": "make"})));
        assert!(!is_known("p.yml", json!({"thing": {"script": "make"}})));
        assert!(!is_known("j.json", json!({"stages": ["a"], "job": {"script": ["make"]}})));
    }
}
