//! Answers of the REST API: runs, jobs, approvals.

use super::deployments;
use super::run_path::RunPath;
use super::steps::pinned;
use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::{text, time};
use leakgraph_model::tables::{Approval, Handoff, Job, Run, Step, Trigger, job_key, run_key};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;
use std::collections::HashSet;

/// The kind of a REST document: by shape, approvals only beside a run.
pub(crate) fn recognise(path: &str, value: &Value) -> Option<Recognised> {
    let first = first(value)?;
    if first.get("workflow_runs").is_some() || is_run(first) {
        return Some(Recognised::new(
            "run_json",
            "`workflow_runs`, or a run with `workflow_id` and `head_sha`",
        ));
    }
    if first.get("jobs").is_some_and(Value::is_array) || is_job(first) {
        return Some(Recognised::new("job_json", "`jobs`, or a job with `run_id` and `steps`"));
    }
    if let Some(known) = deployments::recognise(first) {
        return Some(known);
    }
    let is_approval =
        first.get("state").is_some() && first.get("environments").is_some() && first.get("user").is_some();
    (is_approval && RunPath::of(path).run_id.is_some())
        .then(|| Recognised::new("approval_json", "reviews of `environments`, in a path that names a run"))
}

/// The first object of a list or of a list of pages, as `gh api --paginate --slurp` writes it.
fn first(value: &Value) -> Option<&Value> {
    match value {
        Value::Array(items) => items.iter().find_map(first),
        other => Some(other),
    }
}

fn is_run(value: &Value) -> bool {
    value.get("run_number").is_some() && value.get("workflow_id").is_some() && value.get("head_sha").is_some()
}

fn is_job(value: &Value) -> bool {
    value.get("run_id").is_some() && value.get("steps").is_some() && value.get("labels").is_some()
}

pub(crate) fn import(kind: &str, document: &Document<'_>, value: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    let mut nameless = 0;
    let mut seen = HashSet::new();
    for value in items(value) {
        let kept = match kind {
            "run_json" => run(document, value, &mut evidence),
            "job_json" => {
                let (jobs, steps) = (evidence.jobs.len(), evidence.steps.len());
                let key = job(document, value, None, &mut evidence);
                if key.is_some_and(|key| !seen.insert(key)) {
                    tell_apart(&mut evidence, jobs, steps);
                }
                run_of_job(document, value, &mut evidence);
                key
            }
            _ => approval(document, value, &mut evidence),
        };
        nameless += usize::from(kept.is_none());
    }
    evidence.problems.extend(incomplete(document, nameless, NAMELESS));
    evidence
}

/// Jobs of a matrix may share a name. The first one keeps the key by which its log is found;
/// the next ones, whose rows begin at these places, are known by the platform's id.
fn tell_apart(evidence: &mut Evidence, jobs: usize, steps: usize) {
    let Some(job) = evidence.jobs.get_mut(jobs) else { return };
    let id = job.platform_job_id.clone().unwrap_or_default();
    job.job_key = job_key(job.run_key, &format!("{}#{id}", job.name));
    let key = job.job_key;
    for step in evidence.steps.iter_mut().skip(steps) {
        step.job_key = key;
        let number = step.number.unwrap_or_default().to_string();
        step.step_key = Key::of("step", &[&key.to_string(), "number", &number]);
    }
}

/// Why an object gives no row.
pub(crate) const NAMELESS: &str =
    "objects do not say, nor does their path, which repository and run they are of";

/// The objects of a page, an array of pages, or a bare object.
pub(super) fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(pages) => pages.iter().flat_map(items).collect::<Vec<_>>(),
        Value::Object(members) => {
            match members.get("workflow_runs").or_else(|| members.get("jobs")).and_then(Value::as_array) {
                Some(list) => list.iter().collect::<Vec<_>>(),
                None => vec![value],
            }
        }
        _ => Vec::new(),
    }
}

/// user, bot or unknown, by GitHub's `type` and the login's suffix.
pub(crate) fn actor_kind(value: &Value, pointer: &str) -> &'static str {
    let login = text(value, &format!("{pointer}/login")).unwrap_or_default();
    match text(value, &format!("{pointer}/type")).as_deref() {
        Some("Bot") => "bot",
        _ if login.ends_with("[bot]") => "bot",
        Some("User") => "user",
        _ => "unknown",
    }
}

/// A run object, as REST and webhooks have it.
pub(crate) fn run(document: &Document<'_>, value: &Value, evidence: &mut Evidence) -> Option<Key> {
    let path = RunPath::of(document.path);
    let repo = text(value, "/repository/full_name").or(path.repo)?;
    let run_id = text(value, "/id")?;
    let attempt = value.pointer("/run_attempt").and_then(Value::as_i64).or(path.attempt).unwrap_or(1);
    let key = run_key("github", &repo.to_lowercase(), &run_id, attempt);
    let (workflow_path, workflow_ref) = match text(value, "/path") {
        Some(path) => match path.split_once('@') {
            Some((path, reference)) => (Some(path.to_owned()), Some(reference.to_owned())),
            None => (Some(path), None),
        },
        None => (None, None),
    };
    let head_repo = text(value, "/head_repository/full_name");
    let event = text(value, "/event");
    let row = Run {
        run_key: key,
        platform: "github".to_owned(),
        from_fork: head_repo.map(|head| !head.eq_ignore_ascii_case(&repo)),
        platform_run_id: Some(run_id),
        attempt: Some(attempt),
        workflow_name: text(value, "/name"),
        workflow_path,
        workflow_ref,
        event: event.clone(),
        status: text(value, "/status"),
        conclusion: text(value, "/conclusion"),
        head_ref: text(value, "/head_branch"),
        head_sha: text(value, "/head_sha"),
        actor: text(value, "/actor/login"),
        actor_kind: Some(actor_kind(value, "/actor").to_owned()),
        display_title: text(value, "/display_title"),
        triggering_actor: text(value, "/triggering_actor/login"),
        created_at: time(value, "/created_at"),
        started_at: time(value, "/run_started_at"),
        ended_at: time(value, "/updated_at")
            .filter(|_| text(value, "/status").as_deref() == Some("completed")),
        visibility: text(value, "/repository/visibility").or_else(|| {
            value
                .pointer("/repository/private")
                .and_then(Value::as_bool)
                .map(|private| if private { "private" } else { "public" }.to_owned())
        }),
        repo: Some(repo),
        evidence: "rest".to_owned(),
        source_key: document.source_key,
        ..Run::default()
    };
    trigger(&row, evidence);
    references(value, &row, evidence);
    evidence.runs.push(row);
    Some(key)
}

/// The event as the run's trigger.
pub(super) fn trigger(run: &Run, evidence: &mut Evidence) {
    let Some(event) = run.event.as_deref() else { return };
    let kind = match event {
        "schedule" => "schedule",
        "workflow_dispatch" if run.actor_kind.as_deref() == Some("user") => "manual",
        "workflow_dispatch" | "repository_dispatch" => "api",
        "workflow_run" | "workflow_call" => "upstream",
        "issue_comment" | "pull_request_review_comment" => "comment",
        "label" => "label",
        _ => "event",
    };
    let subject_trust = match (run.from_fork, run.actor_kind.as_deref()) {
        (Some(true), _) => "fork",
        (_, Some("bot")) => "bot",
        _ => "unknown",
    };
    evidence.triggers.push(Trigger {
        run_key: run.run_key,
        kind: kind.to_owned(),
        subject_trust: subject_trust.to_owned(),
        decided_by: run.triggering_actor.clone().or_else(|| run.actor.clone()),
        decided_at: run.created_at,
        source_key: run.source_key,
        ..Trigger::default()
    });
}

/// `referenced_workflows`: reusable workflows the run called, without the job.
fn references(value: &Value, run: &Run, evidence: &mut Evidence) {
    for reference in value.pointer("/referenced_workflows").and_then(Value::as_array).into_iter().flatten() {
        let Some(path) = text(reference, "/path") else { continue };
        let path = path.split('@').next().unwrap_or(&path).to_owned();
        let child_repo: String = path.split('/').take(2).collect::<Vec<_>>().join("/");
        let crosses = match &run.repo {
            Some(repo) if repo.eq_ignore_ascii_case(&child_repo) => "none",
            Some(repo) if repo.split('/').next() == child_repo.split('/').next() => "repo",
            _ => "org",
        };
        evidence.handoffs.push(Handoff {
            handoff_key: Key::of("handoff", &[&run.run_key.to_string(), "referenced", &path]),
            parent_run_key: Some(run.run_key),
            child_run_key: Some(run.run_key),
            child_repo: Some(child_repo),
            child_workflow: Some(super::system::workflow_file(&path).to_owned()),
            mechanism: "workflow_call".to_owned(),
            credential_kind: "GITHUB_TOKEN".to_owned(),
            crosses: crosses.to_owned(),
            link_method: "explicit_id".to_owned(),
            confidence: 1.0,
            child_ref: text(reference, "/ref"),
            child_sha: text(reference, "/sha"),
            gate: "unknown".to_owned(),
            sent_at: run.started_at,
            evidence: "rest".to_owned(),
            source_key: run.source_key,
            ..Handoff::default()
        });
    }
}

/// A job object, as REST and webhooks have it; the latter name the repository beside it.
pub(crate) fn job(
    document: &Document<'_>,
    value: &Value,
    repo: Option<String>,
    evidence: &mut Evidence,
) -> Option<Key> {
    let path = RunPath::of(document.path);
    let repo = repo.or_else(|| text(value, "/run_url").and_then(|url| RunPath::of(&url).repo)).or(path.repo);
    let (repo, run_id, name) = (repo?, text(value, "/run_id")?, text(value, "/name")?);
    let attempt = value.pointer("/run_attempt").and_then(Value::as_i64).or(path.attempt).unwrap_or(1);
    let run = run_key("github", &repo.to_lowercase(), &run_id, attempt);
    let key = job_key(run, &name);
    let strings = |pointer: &str| -> Vec<String> {
        value
            .pointer(pointer)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect()
    };
    let group = text(value, "/runner_group_name");
    let labels = strings("/labels");
    let runner_kind = match group.as_deref() {
        Some("GitHub Actions") => "hosted",
        _ if labels.iter().any(|label| label == "self-hosted") => "self_hosted",
        Some(_) => "larger",
        None => "unknown",
    };
    evidence.jobs.push(Job {
        job_key: key,
        run_key: run,
        platform_job_id: text(value, "/id"),
        name,
        runner_kind: Some(runner_kind.to_owned()),
        runner_name: text(value, "/runner_name"),
        labels,
        conclusion: text(value, "/conclusion"),
        started_at: time(value, "/started_at"),
        ended_at: time(value, "/completed_at"),
        environment: text(value, "/environment"),
        has_log: false,
        evidence: "rest".to_owned(),
        source_key: document.source_key,
        ..Job::default()
    });
    for (ordinal, step) in value.pointer("/steps").and_then(Value::as_array).into_iter().flatten().enumerate()
    {
        let Some(number) = step.get("number").and_then(Value::as_i64) else { continue };
        let name = text(step, "/name").unwrap_or_default();
        let uses = name
            .strip_prefix("Run ")
            .filter(|rest| rest.contains('@') && !rest.contains(' '))
            .map(str::to_owned);
        evidence.steps.push(Step {
            step_key: Key::of("step", &[&key.to_string(), "number", &number.to_string()]),
            job_key: key,
            number: Some(number),
            ordinal: i64::try_from(ordinal).unwrap_or(i64::MAX),
            kind: if uses.is_some() { "action" } else { "run" }.to_owned(),
            pinned: uses.as_deref().map(|uses| pinned(uses).to_owned()),
            uses_ref: uses.as_ref().and_then(|uses| Some(uses.split_once('@')?.1.to_owned())),
            uses,
            name,
            conclusion: text(step, "/conclusion"),
            started_at: time(step, "/started_at"),
            ended_at: time(step, "/completed_at"),
            attribution: "api".to_owned(),
            source_key: document.source_key,
            ..Step::default()
        });
    }
    Some(key)
}

/// What a job says of its run. A page that lies in the run's folder has the run's object there.
fn run_of_job(document: &Document<'_>, value: &Value, evidence: &mut Evidence) {
    let Some(run_key) = evidence.jobs.last().map(|job| job.run_key) else { return };
    let is_known = evidence.runs.iter().rev().any(|run| run.run_key == run_key);
    if !is_known && RunPath::of(document.path).run_id.is_none() {
        let repo = text(value, "/run_url").and_then(|url| RunPath::of(&url).repo);
        run_of_jobs(document, run_key, repo, value, evidence);
    }
}

/// The row of a run of which a job tells.
pub(super) fn run_of_jobs(
    document: &Document<'_>,
    run_key: Key,
    repo: Option<String>,
    value: &Value,
    evidence: &mut Evidence,
) {
    evidence.runs.push(Run {
        run_key,
        platform: "github".to_owned(),
        repo,
        platform_run_id: text(value, "/run_id"),
        attempt: value.pointer("/run_attempt").and_then(Value::as_i64).or(Some(1)),
        workflow_name: text(value, "/workflow_name"),
        head_ref: text(value, "/head_branch"),
        head_sha: text(value, "/head_sha"),
        evidence: "rest".to_owned(),
        source_key: document.source_key,
        ..Run::default()
    });
}

/// One review of the run's environments.
fn approval(document: &Document<'_>, value: &Value, evidence: &mut Evidence) -> Option<Key> {
    let run_key = RunPath::of(document.path).key()?;
    for environment in value.pointer("/environments").and_then(Value::as_array).into_iter().flatten() {
        evidence.approvals.push(Approval {
            run_key,
            environment: text(environment, "/name"),
            reviewer: text(value, "/user/login"),
            reviewer_kind: actor_kind(value, "/user").to_owned(),
            state: text(value, "/state").unwrap_or_else(|| "pending".to_owned()),
            self_review: None,
            decided_at: None,
            source_key: document.source_key,
        });
    }
    Some(run_key)
}
