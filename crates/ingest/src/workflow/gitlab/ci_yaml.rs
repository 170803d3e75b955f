//! `.gitlab-ci.yml`: what a pipeline would hand on, get and include.
//!
//! A definition is no run: its handoffs have neither parent nor child, and its secrets
//! belong to the definition (GitLab, "CI/CD YAML syntax reference").

use super::PLATFORM;
use crate::importer::Recognised;
use crate::workflow::github::dispatch::input;
use crate::{Document, TextSink};
use leakgraph_model::tables::{Handoff, SecretPassed};
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

pub(crate) fn import(document: &Document<'_>, value: &Value, sink: &mut dyn TextSink) -> Evidence {
    let mut definition = Definition { document, evidence: Evidence::default() };
    let Some(members) = value.as_object() else { return definition.evidence };
    if let Some(include) = members.get("include") {
        definition.includes(include);
    }
    for (name, job) in jobs(members) {
        definition.secrets(job);
        if let Some(trigger) = job.get("trigger") {
            definition.trigger(name, trigger, job, sink);
        }
    }
    definition.evidence
}

struct Definition<'a> {
    document: &'a Document<'a>,
    evidence: Evidence,
}

impl Definition<'_> {
    /// Key of something in this definition, by what it says.
    fn key(&self, parts: &[&str]) -> Key {
        let source = self.document.source_key.to_string();
        let part = self.document.part.to_string();
        Key::of("handoff", &[&[PLATFORM, &source, &part], parts].concat())
    }

    fn handoff(&mut self, row: Handoff) {
        self.evidence.handoffs.push(Handoff {
            link_method: "unlinked".to_owned(),
            gate: "unknown".to_owned(),
            evidence: "yaml".to_owned(),
            source_key: self.document.source_key,
            ..row
        });
    }

    /// Code of other projects that runs in this one's pipelines, with its secrets.
    fn includes(&mut self, include: &Value) {
        let items = match include {
            Value::Array(items) => items.iter().collect(),
            other => vec![other],
        };
        for item in items {
            let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
            let reference = if let Some(component) = text("component") {
                component
                    .rsplit_once('@')
                    .map(|(path, version)| (Some(path.to_owned()), None, Some(version.to_owned())))
            } else if let Some(project) = text("project") {
                Some((Some(project), files(item.get("file")), text("ref")))
            } else {
                text("remote").map(|url| (None, Some(url), None))
            };
            // Files of the same repository and GitLab's own templates cross no boundary.
            let Some((repo, file, reference)) = reference else { continue };
            let natural = [&repo, &file, &reference].map(|part| part.clone().unwrap_or_default());
            let key = self.key(&["include", &natural.concat()]);
            let sha = reference.as_deref().filter(|name| is_sha(name)).map(str::to_owned);
            self.handoff(Handoff {
                handoff_key: key,
                crosses: if repo.is_some() { "repo" } else { "platform" }.to_owned(),
                child_repo: repo,
                child_workflow: file,
                mechanism: "include".to_owned(),
                credential_kind: "none".to_owned(),
                child_ref: reference,
                child_sha: sha,
                ..Handoff::default()
            });
        }
    }

    /// Names of the secrets and tokens a job asks for.
    fn secrets(&mut self, job: &Map<String, Value>) {
        for (member, how) in [("secrets", "yaml_reference"), ("id_tokens", "id_token")] {
            for name in job.get(member).and_then(Value::as_object).into_iter().flat_map(Map::keys) {
                if self.evidence.secrets_passed.iter().any(|row| row.name == *name) {
                    continue;
                }
                self.evidence.secrets_passed.push(SecretPassed {
                    job_key: None,
                    run_key: Key::of("run", &["definition", &self.document.source_key.to_string()]),
                    name: name.clone(),
                    secret_scope: if how == "id_token" { "job" } else { "external" }.to_owned(),
                    how: how.to_owned(),
                    source_key: self.document.source_key,
                });
            }
        }
    }

    /// A trigger job: a pipeline of another project, or one of its own from a file.
    fn trigger(&mut self, name: &str, trigger: &Value, job: &Map<String, Value>, sink: &mut dyn TextSink) {
        let text = |name: &str| trigger.get(name).and_then(Value::as_str).map(str::to_owned);
        let project = trigger.as_str().map(str::to_owned).or_else(|| text("project"));
        let key = self.key(&["trigger", name]);
        let file = match trigger.get("include") {
            Some(Value::String(file)) => Some(file.clone()),
            Some(Value::Array(items)) => {
                items.first().and_then(|item| files(item.get("local").or(item.get("file"))))
            }
            _ => None,
        };
        self.handoff(Handoff {
            handoff_key: key,
            crosses: if project.is_some() { "repo" } else { "none" }.to_owned(),
            mechanism: if project.is_some() { "trigger_multi" } else { "trigger_child" }.to_owned(),
            child_repo: project,
            child_workflow: file,
            credential_kind: "user".to_owned(),
            child_ref: text("branch"),
            ..Handoff::default()
        });
        // YAML variables of the job are forwarded unless `forward` says no.
        let forwards = trigger.pointer("/forward/yaml_variables") != Some(&Value::Bool(false));
        let variables = job.get("variables").filter(|_| forwards).and_then(Value::as_object);
        let inputs = trigger.get("inputs").and_then(Value::as_object);
        for (name, value) in variables.into_iter().chain(inputs).flatten() {
            let shown = match value {
                Value::String(text) => text.clone(),
                Value::Object(members) => {
                    members.get("value").and_then(Value::as_str).unwrap_or_default().to_owned()
                }
                other => other.to_string(),
            };
            // The whole file is scanned: here only what kind of value it is.
            let row = input(key, name, &shown, "yaml", self.document.source_key, sink);
            self.evidence.handoff_inputs.push(row);
        }
    }
}

/// One file, or several as a list.
fn files(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(file) => Some(file.clone()),
        Value::Array(files) => Some(files.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")),
        _ => None,
    }
}

fn is_sha(name: &str) -> bool {
    matches!(name.len(), 40 | 64) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
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
