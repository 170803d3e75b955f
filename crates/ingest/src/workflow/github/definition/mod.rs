//! Workflow and action files (YAML, or the same as JSON): what is declared.
//!
//! Syntax: GitHub documentation, "Workflow syntax for GitHub Actions" and "Metadata syntax
//! for GitHub Actions". Rows are definitions, never observations: no handoff and no
//! `secrets_passed` follows from a file, because no run is known.

mod expressions;
mod inputs;
mod place;

pub(crate) use place::DefinitionPath;

use self::expressions::{Sinks, all_texts, secret_names};
use self::inputs::Inputs;
use super::sent;
use super::steps::pinned;
use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::text;
use leakgraph_model::tables::WorkflowDefinition;
use leakgraph_model::{Evidence, Key};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Events whose runs have secrets and a writing token, while their subject may come from
/// anyone (GitHub Security Lab, "Preventing pwn requests").
const PRIVILEGED: [&str; 3] = ["pull_request_target", "workflow_run", "issue_comment"];

pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    if is_zizmor(value) {
        return Some(Recognised::new(
            "zizmor_json",
            "findings with `ident`, `determinations` and `locations`",
        ));
    }
    let members = value.as_object()?;
    let jobs = members.get("jobs").and_then(Value::as_object);
    let is_job = |job: &Value| ["runs-on", "uses", "steps"].iter().any(|name| job.get(name).is_some());
    if events(members).is_some() && jobs.is_some_and(|jobs| jobs.values().any(is_job)) {
        return Some(Recognised::new("workflow_yaml", "`on` and `jobs` with `runs-on`, `steps` or `uses`"));
    }
    let using = value.pointer("/runs/using").and_then(Value::as_str);
    if using.is_some() && (members.contains_key("name") || members.contains_key("description")) {
        return Some(Recognised::new("action_yaml", "`runs.using` beside a name or description"));
    }
    let first = value.pointer("/updates/0")?;
    let is_dependabot = first.get("package-ecosystem").is_some() && members.contains_key("version");
    is_dependabot.then(|| Recognised::new("dependabot_yaml", "`updates` with `package-ecosystem`"))
}

/// A report of zizmor (`--format=json-v1`: a flat array of findings).
fn is_zizmor(value: &Value) -> bool {
    let first = value.as_array().and_then(|findings| findings.first());
    first.is_some_and(|finding| {
        ["ident", "determinations", "locations"].iter().all(|name| finding.get(name).is_some())
    })
}

/// `on:`; readers of YAML 1.1 take the word for a truth value.
fn events(members: &Map<String, Value>) -> Option<&Value> {
    members.get("on").or_else(|| members.get("true"))
}

pub(crate) fn import(kind: &str, document: &Document<'_>, value: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    match kind {
        "workflow_yaml" => workflow(document, value, &mut evidence),
        "action_yaml" => action(document, value, &mut evidence),
        // Known, and of no use to any table.
        _ => {}
    }
    evidence
}

/// The columns that all jobs of a file share.
fn common(document: &Document<'_>, value: &Value) -> WorkflowDefinition {
    let place = DefinitionPath::of(document.path);
    WorkflowDefinition {
        platform: "github".to_owned(),
        repo: place.repo,
        path: place.file,
        definition_ref: place.reference,
        workflow_name: text(value, "/name"),
        source_key: document.source_key,
        ..WorkflowDefinition::default()
    }
}

fn definition_key(row: &WorkflowDefinition, document: &Document<'_>, job: &str) -> Key {
    let repo = row.repo.as_deref().unwrap_or("").to_lowercase();
    let (source, part) = (row.source_key.to_string(), document.part.to_string());
    Key::of("workflow_definition", &[&repo, row.path.as_deref().unwrap_or(""), &source, &part, job])
}

fn workflow(document: &Document<'_>, value: &Value, evidence: &mut Evidence) {
    let Some(members) = value.as_object() else { return };
    let (triggers, trigger_filters) = events(members).map(triggers).unwrap_or_default();
    let inputs = events(members).map(Inputs::of_events).unwrap_or_default();
    let workflow_permissions = members.get("permissions").map(permissions);
    let is_callable = triggers.iter().any(|event| event == "workflow_call");
    let shared = WorkflowDefinition {
        kind: if is_callable { "reusable_workflow" } else { "workflow" }.to_owned(),
        triggers,
        trigger_filters,
        inputs: inputs.declared(),
        free_inputs: inputs.free(),
        workflow_permissions: workflow_permissions.clone().unwrap_or_default(),
        ..common(document, value)
    };
    let mut unusable = 0;
    for (id, job) in members.get("jobs").and_then(Value::as_object).into_iter().flatten() {
        if !job.is_object() {
            unusable += 1;
            continue;
        }
        let (permissions_from, permissions) =
            match (job.get("permissions").map(permissions), &workflow_permissions) {
                (Some(own), _) => ("job", own),
                (None, Some(all)) => ("workflow", all.clone()),
                (None, None) => ("default", Vec::new()),
            };
        let calls = text(job, "/uses");
        // What a workflow sets for all its jobs reaches each of them.
        let texts = all_texts([Some(job), members.get("env")].into_iter().flatten());
        let secrets = secret_names(&texts);
        let steps = job.get("steps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let row = WorkflowDefinition {
            definition_key: definition_key(&shared, document, id),
            job_id: Some(id.clone()),
            job_name: text(job, "/name"),
            needs: words(job.get("needs")),
            condition: condition(job),
            runs_on: runs_on(job.get("runs-on")),
            environment: text(job, "/environment/name").or_else(|| text(job, "/environment")),
            concurrency: [job, value]
                .iter()
                .find_map(|at| text(at, "/concurrency/group").or_else(|| text(at, "/concurrency"))),
            permissions,
            permissions_from: permissions_from.to_owned(),
            inherits_secrets: job.get("secrets").and_then(Value::as_str) == Some("inherit"),
            reads_all_secrets: secrets.all,
            secrets: secrets.names.into_iter().collect(),
            unpinned_uses: calls.iter().filter(|uses| is_unpinned(uses)).cloned().collect(),
            uses: calls.iter().cloned().collect(),
            calls,
            ..shared.clone()
        };
        evidence.workflow_definitions.push(of_steps(row, steps, &inputs));
    }
    let problem = incomplete(document, unusable, "jobs are no mappings");
    evidence.problems.extend(problem);
}

fn action(document: &Document<'_>, value: &Value, evidence: &mut Evidence) {
    let inputs = Inputs::of_action(value.get("inputs"));
    let shared = common(document, value);
    let using = text(value, "/runs/using").unwrap_or_default();
    let kind = match using.as_str() {
        "composite" => "composite_action",
        "docker" => "docker_action",
        _ => "node_action",
    };
    let texts = all_texts([value]);
    let secrets = secret_names(&texts);
    let image = text(value, "/runs/image").filter(|image| image.starts_with("docker://"));
    let row = WorkflowDefinition {
        definition_key: definition_key(&shared, document, ""),
        kind: kind.to_owned(),
        inputs: inputs.declared(),
        free_inputs: inputs.free(),
        permissions_from: "default".to_owned(),
        secrets: secrets.names.into_iter().collect(),
        reads_all_secrets: secrets.all,
        unpinned_uses: image.iter().filter(|uses| is_unpinned(uses)).cloned().collect(),
        uses: image.into_iter().collect(),
        ..shared
    };
    let steps = value.pointer("/runs/steps").and_then(Value::as_array).map(Vec::as_slice);
    evidence.workflow_definitions.push(of_steps(row, steps.unwrap_or_default(), &inputs));
}

/// Completes a row by what its steps use, run, check out and send.
fn of_steps(mut row: WorkflowDefinition, steps: &[Value], inputs: &Inputs) -> WorkflowDefinition {
    let is_privileged = row.triggers.iter().any(|event| PRIVILEGED.contains(&event.as_str()));
    let mut sinks = Sinks::default();
    let mut sent_rows = BTreeSet::new();
    row.steps = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    for (ordinal, step) in steps.iter().enumerate() {
        let uses = text(step, "/uses");
        let script = text(step, "/run");
        if let Some(script) = &script {
            sinks.add(&format!("steps[{ordinal}].run"), script, inputs);
        }
        let with = |names: &[&str]| names.iter().find_map(|name| text(step, &format!("/with/{name}")));
        let mut sent: Vec<_> = script.as_deref().map(sent::by_script).unwrap_or_default();
        if let Some(uses) = uses {
            // `script` of actions/github-script is run like `run:`.
            if let Some(script) = with(&["script"]).filter(|_| uses.starts_with("actions/github-script")) {
                sinks.add(&format!("steps[{ordinal}].with.script"), &script, inputs);
            }
            if uses.starts_with("actions/checkout") {
                let persists = with(&["persist-credentials"]).as_deref() != Some("false");
                let persists = persists
                    && !matches!(step.pointer("/with/persist-credentials"), Some(Value::Bool(false)));
                row.persists_credentials = Some(persists || row.persists_credentials == Some(true));
                let of_outsider = [with(&["ref"]), with(&["repository"])].into_iter().flatten();
                row.untrusted_checkouts
                    .extend(of_outsider.filter(|text| is_privileged && expressions::is_outsiders_code(text)));
            }
            sent.extend(sent::by_action(&uses, &with));
            if is_unpinned(&uses) && !row.unpinned_uses.contains(&uses) {
                row.unpinned_uses.push(uses.clone());
            }
            if !row.uses.contains(&uses) {
                row.uses.push(uses);
            }
        }
        let fetched =
            script.as_deref().filter(|_| is_privileged).and_then(expressions::fetches_outsiders_code);
        row.untrusted_checkouts.extend(fetched.map(str::to_owned));
        for sent in sent {
            let parts =
                [Some(sent.mechanism.to_owned()), sent.repo, sent.workflow].map(Option::unwrap_or_default);
            sent_rows.insert(parts.join(" "));
        }
    }
    row.untrusted_expressions = sinks.untrusted;
    row.input_expressions = sinks.inputs;
    row.dispatches = sent_rows.into_iter().collect();
    row
}

/// Whether the owner of what is used may change it: tags, branches and images without digest.
fn is_unpinned(uses: &str) -> bool {
    match pinned(uses) {
        "docker" => !uses.contains("@sha256:"),
        how => matches!(how, "tag" | "branch"),
    }
}

/// Names and filters of the events of `on:`, which is a name, a list or a mapping.
fn triggers(value: &Value) -> (Vec<String>, Vec<String>) {
    let Some(events) = value.as_object() else { return (words(Some(value)), Vec::new()) };
    let mut filters = Vec::new();
    for (event, of_event) in events {
        if event == "schedule" {
            let crons = of_event.as_array().into_iter().flatten().filter_map(|entry| text(entry, "/cron"));
            filters.extend(crons.map(|cron| format!("schedule.cron={cron}")));
            continue;
        }
        for (filter, allowed) in of_event.as_object().into_iter().flatten() {
            if !matches!(filter.as_str(), "inputs" | "outputs" | "secrets") {
                let allowed = words(Some(allowed));
                filters.extend(allowed.into_iter().map(|allowed| format!("{event}.{filter}={allowed}")));
            }
        }
    }
    (events.keys().cloned().collect(), filters)
}

/// `scope:access` of a `permissions:` value; scopes set to `none` are left out.
fn permissions(value: &Value) -> Vec<String> {
    match value {
        Value::String(all) => match all.as_str() {
            "write-all" => vec!["*:write".to_owned()],
            "read-all" => vec!["*:read".to_owned()],
            _ => Vec::new(),
        },
        Value::Object(scopes) => scopes
            .iter()
            .filter_map(|(scope, access)| Some((scope, access.as_str()?)))
            .filter(|(_, access)| *access != "none")
            .map(|(scope, access)| format!("{scope}:{access}"))
            .collect(),
        _ => Vec::new(),
    }
}

fn condition(job: &Value) -> Option<String> {
    match job.get("if")? {
        Value::Bool(constant) => Some(constant.to_string()),
        _ => text(job, "/if").map(|condition| condition.trim().to_owned()),
    }
}

fn runs_on(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Object(members)) => {
            let group = members.get("group").and_then(Value::as_str).map(|group| format!("group:{group}"));
            group.into_iter().chain(words(members.get("labels"))).collect()
        }
        other => words(other),
    }
}

/// A text, or the texts of a list.
fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(|item| text(item, "")).collect(),
        Some(item) => text(item, "").into_iter().collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
