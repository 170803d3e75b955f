//! Answers of the API: pipelines, jobs, trigger jobs, variables, deployments.

use super::place::{self, Place};
use super::{PLATFORM, actor_kind, handoff_key, job, outcome, time, user};
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::{strings, text};
use crate::workflow::values::{Owner, Values};
use crate::{Document, TextContext, TextSink};
use leakgraph_model::tables::{Approval, Credential, EvidenceGap, Handoff, Job, Run, Trigger};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;

/// The kind of an answer, by shape; variables also by a path that names their pipeline.
pub(crate) fn recognise(path: &str, value: &Value) -> Option<Recognised> {
    let first = items(value).into_iter().next()?;
    let has = |name: &str| first.get(name).is_some();
    let url = first.get("web_url").and_then(Value::as_str).unwrap_or_default();
    let place = Place::of_url(url);
    let (kind, because) = if has("downstream_pipeline") && has("pipeline") && has("stage") {
        ("trigger_job_json", "trigger jobs: `downstream_pipeline`, `pipeline` and `stage`")
    } else if has("pipeline")
        && has("stage")
        && has("name")
        && has("status")
        && (place.job.is_some() || has("tag_list"))
    {
        ("job_json", "jobs: `pipeline`, `stage` and a URL of a job")
    } else if has("deployable") && has("environment") && has("sha") && has("iid") {
        ("deployment_json", "deployments: `deployable`, `environment` and `iid`")
    } else if place.pipeline.is_some() && has("sha") && has("ref") && has("status") {
        ("pipeline_json", "pipelines: `sha`, `ref`, `status` and a URL of a pipeline")
    } else if is_variable(first) && (has("variable_type") || Place::of_path(path).pipeline.is_some()) {
        ("variable_json", "variables: `key`, `value` and `variable_type`, or a path that names a pipeline")
    } else {
        return None;
    };
    Some(Recognised::new(kind, because))
}

fn is_variable(value: &Value) -> bool {
    let has_text = |name: &str| value.get(name).is_some_and(Value::is_string);
    has_text("key") && has_text("value")
}

/// The objects of an array, of an array of pages, or a bare object.
fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(pages) => pages.iter().flat_map(items).collect(),
        Value::Object(_) => vec![value],
        _ => Vec::new(),
    }
}

/// Why an object gives no row.
pub(crate) const NAMELESS: &str =
    "objects do not say, nor does their path, which project, pipeline and job they are of";

pub(crate) fn import(
    kind: &str,
    document: &Document<'_>,
    value: &Value,
    sink: &mut dyn TextSink,
) -> Evidence {
    let mut evidence = Evidence::default();
    if kind == "variable_json" {
        variables(document, &items(value), &mut evidence, sink);
        return evidence;
    }
    let mut nameless = 0;
    for value in items(value) {
        let kept = match kind {
            "pipeline_json" => pipeline(document, value, &mut evidence),
            "trigger_job_json" => trigger_job(document, value, &mut evidence),
            "deployment_json" => deployment(document, value, &mut evidence),
            _ => job_of(document, value, &mut evidence).map(|(run, _)| run),
        };
        nameless += usize::from(kept.is_none());
    }
    evidence.problems.extend(incomplete(document, nameless, NAMELESS));
    evidence
}

/// What a `web_url` names, and, where it leaves something open, the file's path.
fn place_of(document: &Document<'_>, value: &Value, pointer: &str) -> Place {
    text(value, pointer).map(|url| Place::of_url(&url)).unwrap_or_default().or(Place::of_path(document.path))
}

/// A pipeline object.
fn pipeline(document: &Document<'_>, value: &Value, evidence: &mut Evidence) -> Option<Key> {
    let project = place_of(document, value, "/web_url").project?;
    let id = text(value, "/id")?;
    let status = text(value, "/status").unwrap_or_default();
    let (status, conclusion) = outcome(&status);
    let login = text(value, "/user/username");
    let row = Run {
        run_key: place::run_key(&project, &id),
        platform: PLATFORM.to_owned(),
        repo: Some(project),
        platform_run_id: Some(id),
        attempt: Some(1),
        workflow_name: text(value, "/name"),
        event: text(value, "/source"),
        status: Some(status.to_owned()),
        conclusion: conclusion.map(str::to_owned),
        head_ref: text(value, "/ref"),
        head_sha: text(value, "/sha"),
        actor_kind: login.as_deref().map(|login| actor_kind(login).to_owned()),
        actor: login,
        created_at: time(value, "/created_at"),
        started_at: time(value, "/started_at"),
        ended_at: time(value, "/finished_at"),
        evidence: "rest".to_owned(),
        source_key: document.source_key,
        ..Run::default()
    };
    evidence.triggers.extend(trigger(&row));
    let key = row.run_key;
    evidence.runs.push(row);
    Some(key)
}

/// Why a pipeline runs, by its source (GitLab, "CI_PIPELINE_SOURCE predefined variable").
pub(crate) fn trigger(run: &Run) -> Option<Trigger> {
    let kind = match run.event.as_deref()? {
        "schedule" => "schedule",
        "web" | "chat" | "webide" | "ondemand_dast_scan" | "ondemand_dast_validation" => "manual",
        "api" | "trigger" => "api",
        "pipeline" | "parent_pipeline" => "upstream",
        _ => "event",
    };
    let subject_trust = match (run.from_fork, run.actor_kind.as_deref()) {
        (Some(true), _) => "fork",
        (_, Some("bot")) => "bot",
        _ => "unknown",
    };
    Some(Trigger {
        run_key: run.run_key,
        kind: kind.to_owned(),
        subject_trust: subject_trust.to_owned(),
        decided_by: run.actor.clone(),
        decided_at: run.created_at,
        source_key: run.source_key,
        ..Trigger::default()
    })
}

/// A job object; also those of deployments. Gives the keys of its run and of itself.
fn job_of(document: &Document<'_>, value: &Value, evidence: &mut Evidence) -> Option<(Key, Key)> {
    let place = place_of(document, value, "/web_url").or(place_of(document, value, "/pipeline/web_url"));
    let (project, id, name) = (place.project?, text(value, "/id")?, text(value, "/name")?);
    let pipeline = text(value, "/pipeline/id").or(place.pipeline)?;
    let run_key = place::run_key(&project, &pipeline);
    let job_key = place::job_key(&project, &id);
    if !evidence.runs.iter().any(|run| run.run_key == run_key) {
        evidence.runs.push(Run {
            run_key,
            platform: PLATFORM.to_owned(),
            repo: Some(project),
            platform_run_id: Some(pipeline),
            attempt: Some(1),
            event: text(value, "/pipeline/source"),
            head_ref: text(value, "/pipeline/ref"),
            head_sha: text(value, "/pipeline/sha"),
            evidence: "rest".to_owned(),
            source_key: document.source_key,
            ..Run::default()
        });
    }
    let status = text(value, "/status").unwrap_or_default();
    evidence.jobs.push(Job {
        job_key,
        run_key,
        platform_job_id: Some(id),
        name,
        conclusion: outcome(&status).1.map(str::to_owned),
        started_at: time(value, "/started_at"),
        ended_at: time(value, "/finished_at"),
        labels: strings(value, "/tag_list"),
        runner_kind: Some(runner_kind(value).to_owned()),
        runner_name: text(value, "/runner/description"),
        has_log: false,
        evidence: "rest".to_owned(),
        source_key: document.source_key,
        ..Job::default()
    });
    if let Some(login) = text(value, "/user/username") {
        let started = time(value, "/started_at");
        evidence.identities_used.push(user(&login, run_key, job_key, started, document.source_key));
    }
    Some((run_key, job_key))
}

/// hosted, self_hosted or unknown, of an object with `runner`.
pub(crate) fn runner_kind(value: &Value) -> &'static str {
    let description = text(value, "/runner/description").unwrap_or_default();
    match text(value, "/runner/runner_type").as_deref() {
        Some("project_type" | "group_type") => "self_hosted",
        _ => job::runner_kind(&description),
    }
}

/// A trigger job (`bridges`, from 19.2 `trigger_jobs`) and the pipeline it started.
fn trigger_job(document: &Document<'_>, value: &Value, evidence: &mut Evidence) -> Option<Key> {
    let (run_key, job_key) = job_of(document, value, evidence)?;
    let parent =
        place_of(document, value, "/web_url").or(place_of(document, value, "/pipeline/web_url")).project?;
    let downstream = value.get("downstream_pipeline").filter(|value| value.is_object());
    let child_url = downstream.and_then(|value| text(value, "/web_url"));
    let child = child_url.map(|url| Place::of_url(&url)).unwrap_or_default();
    let child_key = child.run_key();
    let status = text(value, "/status").unwrap_or_default();
    // What was never started, or not yet, handed nothing on.
    if child_key.is_none() && !matches!(status.as_str(), "success" | "failed" | "running") {
        return Some(run_key);
    }
    let handoff_key =
        child_key.map_or_else(|| Key::of("handoff", &[&job_key.to_string(), "trigger"]), handoff_key);
    let is_same = child.project.as_ref().is_some_and(|child| child.eq_ignore_ascii_case(&parent));
    evidence.handoffs.push(Handoff {
        handoff_key,
        parent_run_key: Some(run_key),
        parent_job_key: Some(job_key),
        child_run_key: child_key,
        child_repo: child.project.clone(),
        mechanism: if is_same { "trigger_child" } else { "trigger_multi" }.to_owned(),
        // The child runs as the user of the trigger job.
        credential_kind: "user".to_owned(),
        credential_subject: text(value, "/user/username"),
        crosses: child.project.as_deref().map_or("none", |child| place::crosses(&parent, child)).to_owned(),
        link_method: if child_key.is_some() { "explicit_id" } else { "unlinked" }.to_owned(),
        confidence: if child_key.is_some() { 1.0 } else { 0.0 },
        child_ref: downstream.and_then(|child| text(child, "/ref")),
        child_sha: downstream.and_then(|child| text(child, "/sha")),
        gate: "unknown".to_owned(),
        sent_at: downstream.and_then(|child| time(child, "/created_at")).or(time(value, "/started_at")),
        evidence: "rest".to_owned(),
        source_key: document.source_key,
        ..Handoff::default()
    });
    if child_key.is_none() {
        evidence.evidence_gaps.push(no_child(handoff_key));
    }
    Some(run_key)
}

/// A handoff whose other end is not known.
pub(crate) fn no_child(handoff_key: Key) -> EvidenceGap {
    EvidenceGap {
        subject_key: handoff_key,
        subject_table: "handoffs".to_owned(),
        analytic: "handoff_identity".to_owned(),
        gap: "no_child".to_owned(),
        effect: "lower_bound_only".to_owned(),
    }
}

/// Variables that a pipeline was started with, which maintainers see in clear; where the path
/// names no pipeline, those of a project.
fn variables(document: &Document<'_>, values: &[&Value], evidence: &mut Evidence, sink: &mut dyn TextSink) {
    let place = Place::of_path(document.path);
    let nameless = values.iter().filter(|value| text(value, "/key").is_none()).count();
    evidence.problems.extend(incomplete(document, nameless, "variables have no name"));
    if place.pipeline.is_none() {
        return project_variables(document, place.project.as_deref(), values, evidence, sink);
    }
    let run_key = place.run_key();
    // Ids of projects in a path say nothing of their names: then the file stands for itself.
    let of_file =
        || Key::of("handoff", &[PLATFORM, &document.source_key.to_string(), crate::member(document.path)]);
    let key = run_key.map_or_else(of_file, handoff_key);
    let owner = Owner { run: run_key, handoff: Some(key), ..Owner::default() };
    let mut given = Values::new(document, sink);
    for value in values {
        if let Some(name) = text(value, "/key") {
            given.shown(owner, &name, text(value, "/value").as_deref(), evidence);
        }
    }
    given.flush();
    evidence.handoffs.push(started(key, run_key, place.project, None, document));
    if run_key.is_none() {
        evidence.evidence_gaps.push(no_child(key));
    }
}

/// Variables every pipeline of a project gets: names, and values to scan.
fn project_variables(
    document: &Document<'_>,
    project: Option<&str>,
    values: &[&Value],
    evidence: &mut Evidence,
    sink: &mut dyn TextSink,
) {
    for value in values {
        let (Some(name), shown) = (text(value, "/key"), text(value, "/value").unwrap_or_default()) else {
            continue;
        };
        let context = TextContext {
            name: Some(name.clone()),
            ..TextContext::of(document.path, document.source_key, "json")
        };
        sink.text(&context, format!("{name}={shown}").as_bytes());
        let Some(project) = project else { continue };
        let environment = text(value, "/environment_scope").filter(|scope| scope != "*");
        let scope = environment.map_or_else(|| project.to_owned(), |scope| format!("{project}/{scope}"));
        evidence.credentials.push(Credential {
            credential_key: Key::of("credential", &[PLATFORM, "ci_variable", &scope, &name]),
            kind: "ci_variable".to_owned(),
            name,
            scope: Some(scope),
            status: "active".to_owned(),
            source_key: document.source_key,
            ..Credential::default()
        });
    }
    if project.is_none() {
        let what =
            "variables do not say, nor does their path, of which project or pipeline they are: scanned only";
        evidence.problems.extend(incomplete(document, values.len(), what));
    }
}

/// The handoff to a pipeline of which only the child is known.
pub(crate) fn started(
    handoff_key: Key,
    child_run_key: Option<Key>,
    child_repo: Option<String>,
    child: Option<&Run>,
    document: &Document<'_>,
) -> Handoff {
    let credential_kind = match child.and_then(|run| run.event.as_deref()) {
        Some("trigger") => "trigger_token",
        Some("web" | "chat" | "webide" | "schedule" | "parent_pipeline") => "user",
        _ => "unknown",
    };
    Handoff {
        handoff_key,
        child_run_key,
        child_repo,
        mechanism: "api_other".to_owned(),
        credential_kind: credential_kind.to_owned(),
        credential_subject: child.and_then(|run| run.actor.clone()),
        crosses: "none".to_owned(),
        link_method: "unlinked".to_owned(),
        child_ref: child.and_then(|run| run.head_ref.clone()),
        child_sha: child.and_then(|run| run.head_sha.clone()),
        gate: "unknown".to_owned(),
        sent_at: child.and_then(|run| run.created_at),
        evidence: if child.is_some() { "webhook" } else { "rest" }.to_owned(),
        source_key: document.source_key,
        ..Handoff::default()
    }
}

/// A deployment: its job, and who approved it.
fn deployment(document: &Document<'_>, value: &Value, evidence: &mut Evidence) -> Option<Key> {
    let environment = text(value, "/environment/name").or_else(|| text(value, "/environment"));
    let job = value.get("deployable").filter(|value| value.is_object())?;
    let (run_key, job_key) = job_of(document, job, evidence)?;
    if let Some(row) = evidence.jobs.iter_mut().find(|row| row.job_key == job_key) {
        row.environment.clone_from(&environment);
    }
    let starter = text(job, "/user/username").or_else(|| text(value, "/user/username"));
    let rules = value.pointer("/approval_summary/rules").and_then(Value::as_array).into_iter().flatten();
    let of_rules = rules.filter_map(|rule| rule.get("deployment_approvals"));
    let lists = value.get("approvals").into_iter().chain(of_rules);
    for approval in lists.filter_map(Value::as_array).flatten() {
        let reviewer = text(approval, "/user/username");
        let row = Approval {
            run_key,
            environment: environment.clone(),
            self_review: reviewer
                .as_ref()
                .zip(starter.as_ref())
                .map(|(reviewer, starter)| reviewer == starter),
            reviewer_kind: reviewer.as_deref().map_or("unknown", actor_kind).to_owned(),
            reviewer,
            state: text(approval, "/status").unwrap_or_else(|| "pending".to_owned()),
            decided_at: time(approval, "/created_at"),
            source_key: document.source_key,
        };
        // Both lists name what a rule asked for.
        if !evidence.approvals.contains(&row) {
            evidence.approvals.push(row);
        }
    }
    let pending = value.get("pending_approval_count").and_then(Value::as_i64).unwrap_or_default();
    if pending > 0 || text(value, "/status").as_deref() == Some("blocked") {
        evidence.approvals.push(Approval {
            run_key,
            environment,
            reviewer_kind: "unknown".to_owned(),
            state: "pending".to_owned(),
            source_key: document.source_key,
            ..Approval::default()
        });
    }
    Some(run_key)
}
