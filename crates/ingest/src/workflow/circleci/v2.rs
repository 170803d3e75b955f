//! Pipelines, workflows and jobs of API v2, and webhooks.

use super::super::rows::between;
use super::super::values::{Import, Owner};
use super::{PLATFORM, job_key, repo, run_key};
use crate::value::{text, time};
use leakgraph_model::Key;
use leakgraph_model::tables::{self, Approval, Handoff, Job, Run, SecretPassed, Trigger};
use serde_json::Value;

fn has(value: &Value, names: &[&str]) -> bool {
    names.iter().all(|name| value.get(name).is_some())
}

/// `GET /pipeline/{id}`
pub(super) fn is_pipeline(value: &Value) -> bool {
    has(value, &["id", "project_slug", "number", "state"]) && value.pointer("/trigger/received_at").is_some()
}

/// `GET /pipeline/{id}/workflow`, `GET /workflow/{id}`
pub(super) fn is_workflow(value: &Value) -> bool {
    has(value, &["id", "pipeline_id", "pipeline_number", "project_slug", "status"])
}

/// `GET /workflow/{id}/job`
pub(super) fn is_workflow_job(value: &Value) -> bool {
    let kind = value.get("type").and_then(Value::as_str);
    has(value, &["id", "name", "project_slug", "dependencies"]) && matches!(kind, Some("build" | "approval"))
}

/// `GET /project/{slug}/job/{number}`
pub(super) fn is_job_detail(value: &Value) -> bool {
    has(value, &["number", "name", "parallel_runs"]) && value.pointer("/latest_workflow/id").is_some()
}

/// `workflow-completed` and `job-completed`
pub(super) fn is_webhook(value: &Value) -> bool {
    let kind = value.get("type").and_then(Value::as_str);
    matches!(kind, Some("workflow-completed" | "job-completed"))
        && has(value, &["happened_at", "project"])
        && value.pointer("/workflow/id").is_some()
        && value.pointer("/pipeline/id").is_some()
}

/// conclusion and status in the words of the columns.
fn outcome(status: Option<&str>) -> (Option<String>, Option<String>) {
    let (status, conclusion) = match status {
        None => return (None, None),
        Some("success" | "fixed" | "no_tests") => ("completed", Some("success")),
        Some(
            "failed" | "error" | "infrastructure_fail" | "timedout" | "unauthorized" | "terminated-unknown",
        ) => ("completed", Some("failure")),
        Some("canceled") => ("completed", Some("cancelled")),
        Some("not_run") => ("completed", Some("skipped")),
        Some("on_hold" | "blocked") => ("waiting", None),
        Some("queued" | "not_running" | "scheduled") => ("queued", None),
        Some("running" | "failing") => ("in_progress", None),
        Some(_) => ("unknown", None),
    };
    (Some(status.to_owned()), conclusion.map(str::to_owned))
}

pub(super) fn conclusion(status: Option<&str>) -> Option<String> {
    outcome(status).1
}

fn run(import: &Import<'_, '_>, run_key: Key, id: Option<String>) -> Run {
    Run {
        run_key,
        platform: PLATFORM.to_owned(),
        platform_run_id: id,
        attempt: Some(1),
        evidence: "rest".to_owned(),
        source_key: import.source(),
        ..Run::default()
    }
}

pub(super) fn pipeline(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let id = text(value, "/id")?;
    let key = run_key(&id);
    let slug = text(value, "/project_slug").unwrap_or_default();
    let [origin, target] =
        ["/vcs/origin_repository_url", "/vcs/target_repository_url"].map(|at| text(value, at));
    let row = Run {
        repo: repo(&slug),
        event: text(value, "/trigger/type"),
        head_ref: text(value, "/vcs/branch").or_else(|| text(value, "/vcs/tag")),
        head_sha: text(value, "/vcs/revision"),
        from_fork: origin.zip(target).map(|(origin, target)| !origin.eq_ignore_ascii_case(&target)),
        actor: text(value, "/trigger/actor/login"),
        actor_kind: Some("unknown".to_owned()),
        created_at: time(value, "/trigger/received_at").or_else(|| time(value, "/created_at")),
        started_at: time(value, "/created_at"),
        ..run(import, key, Some(id))
    };
    trigger(import, &row);
    parameters(import, &row, value, "/trigger_parameters");
    let owner = Owner { run: Some(key), ..Owner::default() };
    import.rest(owner, value, &["/trigger_parameters"]);
    import.evidence.runs.push(row);
    Some(key)
}

fn trigger(import: &mut Import<'_, '_>, run: &Run) {
    let kind = match run.event.as_deref() {
        None => return,
        Some("api" | "explicit") => "api",
        Some("schedule" | "scheduled_pipeline") => "schedule",
        Some(_) => "event",
    };
    import.evidence.triggers.push(Trigger {
        run_key: run.run_key,
        kind: kind.to_owned(),
        subject_trust: if run.from_fork == Some(true) { "fork" } else { "unknown" }.to_owned(),
        decided_by: run.actor.clone(),
        decided_at: run.created_at,
        source_key: run.source_key,
        ..Trigger::default()
    });
}

/// What whoever triggered the pipeline gave it.
pub(super) fn parameters(import: &mut Import<'_, '_>, run: &Run, value: &Value, at: &str) {
    let Some(given) = value.pointer(at).filter(|given| given.as_object().is_some_and(|all| !all.is_empty()))
    else {
        return;
    };
    let handoff = Handoff {
        credential_kind: if run.actor.is_some() { "user" } else { "unknown" }.to_owned(),
        credential_subject: run.actor.clone(),
        child_repo: run.repo.clone(),
        child_ref: run.head_ref.clone(),
        child_sha: run.head_sha.clone(),
        sent_at: run.created_at,
        ..between(None, Some(run.run_key), "api_other", run.source_key)
    };
    let owner = Owner { run: Some(run.run_key), handoff: Some(handoff.handoff_key), ..Owner::default() };
    import.evidence.handoffs.push(handoff);
    import.inputs(owner, "", given);
}

pub(super) fn workflow(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let (id, pipeline) = (text(value, "/id")?, text(value, "/pipeline_id")?);
    let slug = text(value, "/project_slug").unwrap_or_default();
    let (key, parent) = (run_key(&id), run_key(&pipeline));
    let (status, conclusion) = outcome(text(value, "/status").as_deref());
    let row = Run {
        repo: repo(&slug),
        workflow_name: text(value, "/name"),
        event: Some("pipeline".to_owned()),
        status,
        conclusion,
        actor: text(value, "/started_by"),
        actor_kind: Some("unknown".to_owned()),
        created_at: time(value, "/created_at"),
        ended_at: time(value, "/stopped_at"),
        ..run(import, key, Some(id))
    };
    hand_on(import, parent, &row);
    let owner = Owner { run: Some(key), ..Owner::default() };
    import.rest(owner, value, &[]);
    import.evidence.runs.push(row);
    Some(key)
}

/// A pipeline and one of its workflows.
pub(super) fn hand_on(import: &mut Import<'_, '_>, pipeline: Key, workflow: &Run) {
    import.evidence.handoffs.push(Handoff {
        credential_kind: "none".to_owned(),
        child_repo: workflow.repo.clone(),
        child_workflow: workflow.workflow_name.clone(),
        gate: "none".to_owned(),
        sent_at: workflow.created_at,
        ..between(Some(pipeline), Some(workflow.run_key), "pipeline", workflow.source_key)
    });
}

/// A setup workflow writes the configuration of the others of its pipeline ("Dynamic
/// configuration"); it is told by its tag, the link by the pipeline.
pub(super) fn continuations(import: &mut Import<'_, '_>, workflows: &[&Value]) {
    let is_setup = |value: &&&Value| value.get("tag").and_then(Value::as_str) == Some("setup");
    for setup in workflows.iter().filter(is_setup) {
        let Some(id) = text(setup, "/id") else { continue };
        let others = workflows.iter().filter(|other| !is_setup(other));
        for other in others.filter(|other| other.get("pipeline_id") == setup.get("pipeline_id")) {
            let Some(child) = text(other, "/id") else { continue };
            import.evidence.handoffs.push(Handoff {
                credential_kind: "continuation_key".to_owned(),
                child_workflow: text(other, "/name"),
                link_method: "cause".to_owned(),
                confidence: 0.9,
                gate: "none".to_owned(),
                sent_at: time(setup, "/stopped_at"),
                ..between(Some(run_key(&id)), Some(run_key(&child)), "continuation", import.source())
            });
        }
    }
}

/// The workflow in a path such as `workflow/{id}/job`.
fn workflow_of_path(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split(['/', '\\']).collect();
    let at = parts.iter().rposition(|part| matches!(*part, "workflow" | "workflows"))?;
    let id = parts.get(at + 1)?.split('.').next()?;
    let is_id = id.len() == 36 && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    is_id.then(|| id.to_owned())
}

/// A job or a gate of a workflow, which only the address names.
pub(super) fn workflow_job(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let run = run_key(&workflow_of_path(import.document.path)?);
    let id = text(value, "/id")?;
    let status = text(value, "/status");
    let owner = Owner { run: Some(run), ..Owner::default() };
    if text(value, "/type").as_deref() == Some("approval") {
        let state = match status.as_deref() {
            Some("success") => "approved",
            Some("canceled" | "failed" | "unauthorized" | "not_run") => "rejected",
            _ => "pending",
        };
        let reviewer = text(value, "/approved_by");
        import.evidence.approvals.push(Approval {
            run_key: run,
            environment: text(value, "/name"),
            reviewer_kind: if reviewer.is_some() { "user" } else { "unknown" }.to_owned(),
            reviewer,
            state: state.to_owned(),
            self_review: None,
            decided_at: time(value, "/stopped_at"),
            source_key: import.source(),
        });
    } else {
        let number = text(value, "/job_number");
        let slug = text(value, "/project_slug").unwrap_or_default();
        let name = text(value, "/name").unwrap_or_else(|| id.clone());
        let job_key = number.map_or_else(|| tables::job_key(run, &id), |number| job_key(&slug, &number));
        import.evidence.jobs.push(Job {
            conclusion: conclusion(status.as_deref()),
            started_at: time(value, "/started_at"),
            ended_at: time(value, "/stopped_at"),
            ..job(import, job_key, run, text(value, "/job_number"), name)
        });
    }
    import.rest(owner, value, &[]);
    Some(run)
}

pub(super) fn job(
    import: &Import<'_, '_>,
    job_key: Key,
    run_key: Key,
    id: Option<String>,
    name: String,
) -> Job {
    Job {
        job_key,
        run_key,
        platform_job_id: id,
        name,
        runner_kind: Some("unknown".to_owned()),
        evidence: "rest".to_owned(),
        source_key: import.source(),
        ..Job::default()
    }
}

pub(super) fn job_detail(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let (number, slug) = (text(value, "/number")?, text(value, "/project/slug")?);
    let run = run_key(&text(value, "/latest_workflow/id")?);
    let key = job_key(&slug, &number);
    let class = text(value, "/executor/resource_class");
    // Classes of self-hosted runners are `namespace/name` ("Self-hosted runner concepts").
    let runner_kind = match &class {
        Some(class) if class.contains('/') => "self_hosted",
        Some(_) => "hosted",
        None => "unknown",
    };
    import.evidence.jobs.push(Job {
        runner_kind: Some(runner_kind.to_owned()),
        labels: class.into_iter().collect(),
        conclusion: conclusion(text(value, "/status").as_deref()),
        started_at: time(value, "/started_at"),
        ended_at: time(value, "/stopped_at"),
        ..job(import, key, run, Some(number.clone()), text(value, "/name").unwrap_or(number))
    });
    contexts(import, run, key, value);
    let owner = Owner { run: Some(run), job: Some(key), ..Owner::default() };
    import.rest(owner, value, &[]);
    Some(key)
}

/// A context is a named set of secrets; which they are, the job does not tell.
fn contexts(import: &mut Import<'_, '_>, run_key: Key, job_key: Key, value: &Value) {
    let contexts: Vec<String> = value
        .get("contexts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|context| text(context, "/name"))
        .collect();
    for name in contexts {
        import.evidence.secrets_passed.push(SecretPassed {
            job_key: Some(job_key),
            run_key,
            name,
            secret_scope: "org".to_owned(),
            how: "context".to_owned(),
            source_key: import.source(),
        });
        import.gap(job_key, "jobs", "blast_radius", "no_inventory");
    }
}

pub(super) fn webhook(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let (workflow, pipeline) = (text(value, "/workflow/id")?, text(value, "/pipeline/id")?);
    let slug = text(value, "/project/slug").unwrap_or_default();
    let (key, parent) = (run_key(&workflow), run_key(&pipeline));
    let mut of_pipeline = Run {
        repo: repo(&slug),
        event: text(value, "/pipeline/trigger/type"),
        head_ref: text(value, "/pipeline/vcs/branch").or_else(|| text(value, "/pipeline/vcs/tag")),
        head_sha: text(value, "/pipeline/vcs/revision"),
        created_at: time(value, "/pipeline/created_at"),
        ..run(import, parent, Some(pipeline))
    };
    "webhook".clone_into(&mut of_pipeline.evidence);
    trigger(import, &of_pipeline);
    parameters(import, &of_pipeline, value, "/pipeline/trigger_parameters");
    let (status, conclusion) = outcome(text(value, "/workflow/status").as_deref());
    let row = Run {
        repo: repo(&slug),
        workflow_name: text(value, "/workflow/name"),
        event: Some("pipeline".to_owned()),
        status,
        conclusion,
        created_at: time(value, "/workflow/created_at"),
        ended_at: time(value, "/workflow/stopped_at"),
        evidence: "webhook".to_owned(),
        ..run(import, key, Some(workflow))
    };
    hand_on(import, parent, &row);
    import.evidence.runs.extend([of_pipeline, row]);
    let number = text(value, "/job/number");
    if let Some(number) = number {
        import.evidence.jobs.push(Job {
            conclusion: self::conclusion(text(value, "/job/status").as_deref()),
            started_at: time(value, "/job/started_at"),
            ended_at: time(value, "/job/stopped_at"),
            evidence: "webhook".to_owned(),
            ..job(
                import,
                job_key(&slug, &number),
                key,
                Some(number.clone()),
                text(value, "/job/name").unwrap_or(number),
            )
        });
    }
    let owner = Owner { run: Some(key), ..Owner::default() };
    import.rest(owner, value, &["/pipeline/trigger_parameters"]);
    Some(key)
}
