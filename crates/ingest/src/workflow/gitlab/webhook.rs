//! Webhook bodies: pipelines, jobs, deployments (GitLab, "Webhook events").

use super::place::{self, Place};
use super::rest::{NAMELESS, runner_kind, started, trigger};
use super::{PLATFORM, actor_kind, handoff_key, outcome, time, user};
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::{strings, text};
use crate::workflow::values::{Owner, Values};
use crate::{Document, TextSink};
use leakgraph_model::tables::{Handoff, Job, Run, Trigger};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;

/// The event, by `object_kind`: no other platform has it.
pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let kind = value.get("object_kind")?.as_str()?;
    let has = |name: &str| value.get(name).is_some();
    let (kind, because) = match kind {
        "pipeline" if has("object_attributes") => ("webhook_pipeline", "`object_kind` is `pipeline`"),
        "build" if has("build_id") => ("webhook_job", "`object_kind` is `build`, with `build_id`"),
        "deployment" if has("deployment_id") => {
            ("webhook_deployment", "`object_kind` is `deployment`, with `deployment_id`")
        }
        _ if has("object_attributes") || has("project_id") || has("project") => {
            ("webhook_other", "`object_kind` and a project")
        }
        _ => return None,
    };
    Some(Recognised::new(kind, because))
}

pub(crate) fn import(
    kind: &str,
    document: &Document<'_>,
    value: &Value,
    sink: &mut dyn TextSink,
) -> Evidence {
    let mut evidence = Evidence::default();
    let kept = match kind {
        "webhook_pipeline" => pipeline(document, value, &mut evidence, sink),
        "webhook_job" => job(document, value, &mut evidence),
        "webhook_deployment" => deployment(document, value, &mut evidence),
        // webhook_other: only scanned, by the reader.
        _ => Some(()),
    };
    evidence.problems.extend(incomplete(document, usize::from(kept.is_none()), NAMELESS));
    evidence
}

/// `path_with_namespace`, or what the URL says.
fn project(value: &Value, pointer: &str) -> Option<String> {
    text(value, &format!("{pointer}/path_with_namespace"))
        .or_else(|| Place::of_url(&text(value, &format!("{pointer}/web_url"))?).project)
}

fn visibility(value: &Value) -> Option<String> {
    let level = value.pointer("/project/visibility_level").and_then(Value::as_i64)?;
    let name = match level {
        0 => "private",
        10 => "internal",
        20 => "public",
        _ => return None,
    };
    Some(name.to_owned())
}

fn pipeline(
    document: &Document<'_>,
    value: &Value,
    evidence: &mut Evidence,
    sink: &mut dyn TextSink,
) -> Option<()> {
    let project = project(value, "/project")?;
    let attribute = |name: &str| text(value, &format!("/object_attributes/{name}"));
    let id = attribute("id")?;
    let status = attribute("status").unwrap_or_default();
    let (status, conclusion) = outcome(&status);
    let login = text(value, "/user/username");
    let projects = ["/merge_request/source_project_id", "/merge_request/target_project_id"]
        .map(|pointer| text(value, pointer));
    let from_fork = match &projects {
        [Some(source), Some(target)] => Some(source != target),
        _ => None,
    };
    let run = Run {
        run_key: place::run_key(&project, &id),
        platform: PLATFORM.to_owned(),
        repo: Some(project.clone()),
        platform_run_id: Some(id),
        attempt: Some(1),
        workflow_name: attribute("name"),
        event: attribute("source"),
        status: Some(status.to_owned()),
        conclusion: conclusion.map(str::to_owned),
        head_ref: attribute("ref"),
        head_sha: attribute("sha"),
        from_fork,
        actor_kind: login.as_deref().map(|login| actor_kind(login).to_owned()),
        actor: login,
        created_at: time(value, "/object_attributes/created_at"),
        ended_at: time(value, "/object_attributes/finished_at"),
        visibility: visibility(value),
        evidence: "webhook".to_owned(),
        source_key: document.source_key,
        ..Run::default()
    };
    evidence.triggers.extend(trigger(&run));
    upstream(document, value, &run, evidence);
    inputs(document, value, &run, evidence, sink);
    let mut nameless = 0;
    for build in value.get("builds").and_then(Value::as_array).into_iter().flatten() {
        nameless += usize::from(build_of(document, &project, run.run_key, build, evidence).is_none());
    }
    evidence.problems.extend(incomplete(document, nameless, NAMELESS));
    evidence.runs.push(run);
    Some(())
}

/// `source_pipeline`: the pipeline and job this one was started by.
fn upstream(document: &Document<'_>, value: &Value, child: &Run, evidence: &mut Evidence) -> Option<()> {
    let parent = project(value, "/source_pipeline/project")?;
    let parent_run = place::run_key(&parent, &text(value, "/source_pipeline/pipeline_id")?);
    let child_project = child.repo.as_deref()?;
    let is_same = parent.eq_ignore_ascii_case(child_project);
    evidence.handoffs.push(Handoff {
        parent_run_key: Some(parent_run),
        parent_job_key: text(value, "/source_pipeline/job_id").map(|job| place::job_key(&parent, &job)),
        mechanism: if is_same { "trigger_child" } else { "trigger_multi" }.to_owned(),
        crosses: place::crosses(&parent, child_project).to_owned(),
        link_method: "explicit_id".to_owned(),
        confidence: 1.0,
        ..started(handoff_key(child.run_key), Some(child.run_key), child.repo.clone(), Some(child), document)
    });
    Some(())
}

/// Variables the pipeline was started with, in clear.
fn inputs(
    document: &Document<'_>,
    value: &Value,
    run: &Run,
    evidence: &mut Evidence,
    sink: &mut dyn TextSink,
) {
    let variables = value.pointer("/object_attributes/variables").and_then(Value::as_array);
    let Some(variables) = variables.filter(|variables| !variables.is_empty()) else { return };
    let key = handoff_key(run.run_key);
    if !evidence.handoffs.iter().any(|row| row.handoff_key == key) {
        evidence.handoffs.push(started(key, Some(run.run_key), run.repo.clone(), Some(run), document));
    }
    let owner = Owner::run(run.run_key).handoff(key);
    let mut given = Values::new(document, sink).seen_in("webhook");
    for variable in variables {
        if let Some(name) = text(variable, "/key") {
            given.shown(owner, &name, text(variable, "/value").as_deref(), evidence);
        }
    }
    given.flush();
}

/// One of a pipeline's jobs.
fn build_of(
    document: &Document<'_>,
    project: &str,
    run_key: Key,
    value: &Value,
    evidence: &mut Evidence,
) -> Option<()> {
    let (id, name) = (text(value, "/id")?, text(value, "/name")?);
    let job_key = place::job_key(project, &id);
    let started_at = time(value, "/started_at");
    let login = text(value, "/user/username");
    evidence.jobs.push(Job {
        job_key,
        run_key,
        platform_job_id: Some(id),
        name,
        environment: text(value, "/environment/name"),
        conclusion: text(value, "/status").and_then(|status| outcome(&status).1).map(str::to_owned),
        started_at,
        ended_at: time(value, "/finished_at"),
        ..job_row(document, value)
    });
    if let Some(login) = &login {
        evidence.identities_used.push(user(login, run_key, job_key, started_at, document.source_key));
    }
    let is_manual = value.get("manual").and_then(Value::as_bool).unwrap_or_default();
    if is_manual && started_at.is_some() {
        evidence.triggers.push(Trigger {
            run_key,
            job_key: Some(job_key),
            kind: "manual".to_owned(),
            subject_trust: login
                .as_deref()
                .map_or("unknown", |login| if actor_kind(login) == "bot" { "bot" } else { "unknown" })
                .to_owned(),
            decided_by: login,
            decided_at: started_at,
            source_key: document.source_key,
            ..Trigger::default()
        });
    }
    Some(())
}

/// What jobs of all bodies have.
fn job_row(document: &Document<'_>, value: &Value) -> Job {
    Job {
        runner_kind: Some(runner_kind(value).to_owned()),
        runner_name: text(value, "/runner/description"),
        labels: strings(value, "/runner/tags"),
        has_log: false,
        evidence: "webhook".to_owned(),
        source_key: document.source_key,
        ..Job::default()
    }
}

fn job(document: &Document<'_>, value: &Value, evidence: &mut Evidence) -> Option<()> {
    let project = project(value, "/project")
        .or_else(|| Place::of_url(&text(value, "/repository/homepage")?).project)?;
    let (id, name, pipeline) =
        (text(value, "/build_id")?, text(value, "/build_name")?, text(value, "/pipeline_id")?);
    let run = Run {
        run_key: place::run_key(&project, &pipeline),
        platform: PLATFORM.to_owned(),
        repo: Some(project.clone()),
        platform_run_id: Some(pipeline),
        attempt: Some(1),
        workflow_name: text(value, "/commit/name"),
        head_ref: text(value, "/ref"),
        head_sha: text(value, "/sha"),
        visibility: visibility(value),
        evidence: "webhook".to_owned(),
        source_key: document.source_key,
        ..Run::default()
    };
    evidence.jobs.push(Job {
        job_key: place::job_key(&project, &id),
        run_key: run.run_key,
        platform_job_id: Some(id),
        name,
        environment: text(value, "/environment/name"),
        conclusion: text(value, "/build_status").and_then(|status| outcome(&status).1).map(str::to_owned),
        started_at: time(value, "/build_started_at"),
        ended_at: time(value, "/build_finished_at"),
        ..job_row(document, value)
    });
    upstream(document, value, &run, evidence);
    evidence.runs.push(run);
    Some(())
}

/// A deployment names its job, but not its pipeline.
fn deployment(document: &Document<'_>, value: &Value, evidence: &mut Evidence) -> Option<()> {
    let of_url = text(value, "/deployable_url").map(|url| Place::of_url(&url)).unwrap_or_default();
    let project = project(value, "/project").or(of_url.project)?;
    let id = text(value, "/deployable_id").or(of_url.job)?;
    let job_key = place::job_key(&project, &id);
    let run_key = place::run_of_job(job_key);
    let environment = text(value, "/environment");
    let status = text(value, "/status").unwrap_or_default();
    evidence.runs.push(Run {
        run_key,
        platform: PLATFORM.to_owned(),
        repo: Some(project),
        head_ref: text(value, "/ref"),
        actor: text(value, "/user/username"),
        visibility: visibility(value),
        evidence: "webhook".to_owned(),
        source_key: document.source_key,
        ..Run::default()
    });
    evidence.jobs.push(Job {
        job_key,
        run_key,
        platform_job_id: Some(id),
        name: environment
            .as_deref()
            .map_or_else(|| "deployment".to_owned(), |name| format!("deployment to {name}")),
        environment,
        conclusion: outcome(&status).1.map(str::to_owned),
        ended_at: time(value, "/status_changed_at").filter(|_| outcome(&status).0 == "completed"),
        runner_kind: Some("unknown".to_owned()),
        evidence: "webhook".to_owned(),
        source_key: document.source_key,
        ..Job::default()
    });
    Some(())
}
