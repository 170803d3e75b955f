//! Builds, their jobs, the builds that triggered them and the gates between.

use super::super::parts::{Bound, JobOf, Part, write_step};
use super::super::rows::between;
use super::super::values::{Import, Owner, Spot};
use super::{BuildPath, PLATFORM, read_log, run_key};
use crate::TextContext;
use crate::value::{text, time};
use leakgraph_model::Key;
use leakgraph_model::tables::{Approval, Handoff, Job, Run, Step, Trigger, job_key};
use serde_json::Value;

/// Addresses of the service, which tell its objects.
fn is_address(value: &Value, pointer: &str, part: &str) -> bool {
    let of_service = |url: &str| {
        let host = url.strip_prefix("https://").and_then(|rest| rest.split('/').next()).unwrap_or("");
        (host == "buildkite.com" || host.ends_with(".buildkite.com")) && url.contains(part)
    };
    value.pointer(pointer).and_then(Value::as_str).is_some_and(of_service)
}

/// `GET /v2/organizations/{org}/pipelines/{pipeline}/builds[/{number}]`
pub(super) fn is_build(value: &Value) -> bool {
    value.get("number").is_some()
        && value.get("state").is_some()
        && value.get("commit").is_some()
        && (is_address(value, "/url", "/builds/") || is_address(value, "/web_url", "/builds/"))
}

/// The build of a webhook body (`build.finished`, `job.started`, …).
pub(super) fn hooked(value: &Value) -> Option<&Value> {
    let event = value.get("event")?.as_str()?;
    let is_known = event.starts_with("build.") || event.starts_with("job.");
    value.get("build").filter(|build| is_known && is_build(build))
}

/// `GET …/jobs/{id}/log`
pub(super) fn is_log(value: &Value) -> bool {
    value.get("content").is_some_and(Value::is_string)
        && value.get("header_times").is_some()
        && is_address(value, "/url", "/jobs/")
}

/// `GET …/jobs/{id}/env`
pub(super) fn is_environment(value: &Value) -> bool {
    value.pointer("/env/BUILDKITE_JOB_ID").is_some() && value.pointer("/env/BUILDKITE_BUILD_NUMBER").is_some()
}

fn place(value: &Value) -> BuildPath {
    let by_api = BuildPath::of(&text(value, "/url").unwrap_or_default());
    if by_api.key().is_some() { by_api } else { BuildPath::of(&text(value, "/web_url").unwrap_or_default()) }
}

/// E-mail address, else name, of a person.
fn person(value: &Value, pointer: &str) -> Option<String> {
    let named = |member: &str| text(value, &format!("{pointer}/{member}")).filter(|name| !name.is_empty());
    named("email").or_else(|| named("name")).or_else(|| named("id"))
}

pub(super) fn webhook(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let mut build = hooked(value)?.clone();
    if let (Some(members), Some(pipeline)) = (build.as_object_mut(), value.get("pipeline")) {
        members.entry("pipeline").or_insert_with(|| pipeline.clone());
        if let Some(job) = value.get("job") {
            members.entry("jobs").or_insert_with(|| Value::Array(vec![job.clone()]));
        }
    }
    let key = self::build(import, &build)?;
    for run in import.evidence.runs.iter_mut().filter(|run| run.run_key == key) {
        "webhook".clone_into(&mut run.evidence);
    }
    Some(key)
}

pub(super) fn build(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let place = place(value);
    let key = place.key()?;
    let creator = person(value, "/creator");
    let (status, conclusion) = outcome(value);
    let repository = text(value, "/pipeline/repository");
    let head_repository = text(value, "/pull_request/repository");
    let heads = head_repository.as_deref().and_then(slug).zip(repository.as_deref().and_then(slug));
    let run = Run {
        run_key: key,
        platform: PLATFORM.to_owned(),
        repo: repository.as_deref().and_then(slug),
        platform_run_id: place.number.clone(),
        attempt: Some(1),
        workflow_name: text(value, "/pipeline/name").or_else(|| place.pipeline.clone()),
        event: text(value, "/source"),
        status,
        conclusion,
        head_ref: text(value, "/branch"),
        head_sha: text(value, "/commit").filter(|commit| commit != "HEAD"),
        from_fork: heads.map(|(head, base)| !head.eq_ignore_ascii_case(&base)),
        actor_kind: Some(if creator.is_some() { "user" } else { "unknown" }.to_owned()),
        actor: creator,
        created_at: time(value, "/created_at"),
        started_at: time(value, "/started_at"),
        ended_at: time(value, "/finished_at"),
        visibility: text(value, "/pipeline/visibility"),
        evidence: "rest".to_owned(),
        source_key: import.source(),
        ..Run::default()
    };
    trigger(import, &run);
    handoff(import, &run, &place, value);
    for job in value.get("jobs").and_then(Value::as_array).into_iter().flatten() {
        self::job(import, &run, job);
    }
    let owner = Owner { run: Some(key), ..Owner::default() };
    import.rest(owner, value, &["/env", "/meta_data", "/jobs"]);
    import.evidence.runs.push(run);
    Some(key)
}

/// status and conclusion in the words of the columns.
fn outcome(value: &Value) -> (Option<String>, Option<String>) {
    let state = text(value, "/state").unwrap_or_default();
    let (status, conclusion) = match state.as_str() {
        "passed" => ("completed", Some("success")),
        "failed" => ("completed", Some("failure")),
        "canceled" => ("completed", Some("cancelled")),
        "skipped" | "not_run" => ("completed", Some("skipped")),
        "blocked" => ("waiting", None),
        "scheduled" | "creating" => ("queued", None),
        "running" | "failing" | "canceling" => ("in_progress", None),
        _ => ("unknown", None),
    };
    (Some(status.to_owned()), conclusion.map(str::to_owned))
}

/// `owner/name` of a repository's address.
fn slug(address: &str) -> Option<String> {
    let path = address.trim_end_matches('/').trim_end_matches(".git");
    let (_, path) = path.split_once("://").or_else(|| path.split_once(':'))?;
    let mut parts = path.rsplit('/');
    let (name, owner) = (parts.next()?, parts.next()?);
    let owner = owner.rsplit(':').next().unwrap_or(owner);
    (!name.is_empty() && !owner.is_empty()).then(|| format!("{owner}/{name}"))
}

fn trigger(import: &mut Import<'_, '_>, run: &Run) {
    let kind = match run.event.as_deref() {
        None => return,
        Some("ui") => "manual",
        Some("api") => "api",
        Some("schedule") => "schedule",
        Some("trigger_job") => "upstream",
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

/// What started the build, with the variables and meta-data it was given.
fn handoff(import: &mut Import<'_, '_>, run: &Run, place: &BuildPath, value: &Value) {
    let child = Some(run.run_key);
    let organisation = place.organisation.as_deref().unwrap_or_default();
    let triggered = value.pointer("/triggered_from").filter(|from| from.is_object()).and_then(|from| {
        run_key(organisation, &text(from, "/build_pipeline_slug")?, &text(from, "/build_number")?)
    });
    let rebuilt = || BuildPath::of(&text(value, "/rebuilt_from/url")?).key();
    let given = ["/env", "/meta_data"].map(|pointer| value.pointer(pointer).unwrap_or(&Value::Null));
    let has_any = given.iter().any(|given| given.as_object().is_some_and(|all| !all.is_empty()));
    let source = import.source();
    let mut row = if triggered.is_some() {
        between(triggered, child, "trigger_job", source)
    } else if let Some(before) = rebuilt() {
        between(Some(before), child, "rebuild", source)
    } else if has_any && matches!(run.event.as_deref(), Some("api" | "ui" | "schedule")) {
        between(None, child, "api_other", source)
    } else {
        // Variables of a push are no handoff, but may be secrets.
        let owner = Owner { run: child, ..Owner::default() };
        for given in given {
            import.rest(owner, given, &[]);
        }
        return;
    };
    row.credential_kind = if run.actor.is_some() { "user" } else { "unknown" }.to_owned();
    row.credential_subject.clone_from(&run.actor);
    row.child_repo.clone_from(&run.repo);
    row.child_workflow.clone_from(&place.pipeline);
    row.child_ref.clone_from(&run.head_ref);
    row.child_sha.clone_from(&run.head_sha);
    row.sent_at = run.created_at;
    let owner = Owner { run: child, handoff: Some(row.handoff_key), ..Owner::default() };
    import.evidence.handoffs.push(row);
    for (prefix, given) in ["env", "meta_data"].iter().zip(given) {
        import.inputs(owner, prefix, given);
    }
}

fn job(import: &mut Import<'_, '_>, run: &Run, value: &Value) {
    // Waiters and groups do nothing themselves.
    match text(value, "/type").as_deref() {
        Some("manual") => block(import, run, value),
        Some("trigger") => trigger_job(import, run, value),
        Some("script") => {
            script(import, run, value);
        }
        _ => {
            let owner = Owner { run: Some(run.run_key), ..Owner::default() };
            import.rest(owner, value, &[]);
        }
    }
}

/// The row of a job of any type.
fn job_row(import: &mut Import<'_, '_>, run: &Run, value: &Value) -> Option<Key> {
    let id = text(value, "/id")?;
    let named = |pointer: &str| text(value, pointer).filter(|name| !name.trim().is_empty());
    let job_key = job_key(run.run_key, &id);
    let strings = value.get("agent_query_rules").and_then(Value::as_array).into_iter().flatten();
    import.evidence.jobs.push(Job {
        job_key,
        run_key: run.run_key,
        name: named("/name")
            .or_else(|| named("/label"))
            .or_else(|| named("/step_key"))
            .unwrap_or_else(|| id.clone()),
        platform_job_id: Some(id),
        runner_kind: Some("unknown".to_owned()),
        runner_name: text(value, "/agent/name"),
        runner_version: text(value, "/agent/version"),
        labels: strings.filter_map(|rule| rule.as_str().map(str::to_owned)).collect(),
        conclusion: outcome(value).1,
        started_at: time(value, "/started_at"),
        ended_at: time(value, "/finished_at"),
        evidence: "rest".to_owned(),
        source_key: import.source(),
        ..Job::default()
    });
    Some(job_key)
}

/// A job that runs commands.
fn script(import: &mut Import<'_, '_>, run: &Run, value: &Value) -> Option<Key> {
    let job_key = job_row(import, run, value)?;
    let owner = Owner { run: Some(run.run_key), job: Some(job_key), ..Owner::default() };
    if let Some(command) = text(value, "/command") {
        let first = command.lines().next().unwrap_or_default().to_owned();
        let step_key = super::super::parts::step_key(job_key, None, 0);
        import.evidence.steps.push(Step {
            step_key,
            job_key,
            name: first,
            kind: "run".to_owned(),
            script_bytes: i64::try_from(command.len()).ok(),
            conclusion: outcome(value).1,
            started_at: time(value, "/started_at"),
            ended_at: time(value, "/finished_at"),
            attribution: "api".to_owned(),
            source_key: import.source(),
            ..Step::default()
        });
        import.values.text(owner, Spot::step("script_echo", step_key), "command", &command);
    }
    import.rest(owner, value, &["/command"]);
    Some(job_key)
}

/// A job that starts a build of another pipeline.
fn trigger_job(import: &mut Import<'_, '_>, run: &Run, value: &Value) {
    let Some(job_key) = job_row(import, run, value) else { return };
    let child = text(value, "/triggered_build/url").or_else(|| text(value, "/triggered_build/web_url"));
    let child = child.map(|url| BuildPath::of(&url)).unwrap_or_default();
    let row = between(Some(run.run_key), child.key(), "trigger_job", import.source());
    let is_known = child.key().is_some();
    import.evidence.handoffs.push(Handoff {
        // Without a child there is one handoff per job.
        handoff_key: if is_known {
            row.handoff_key
        } else {
            Key::of("handoff", &[&job_key.to_string(), "trigger_job"])
        },
        parent_job_key: Some(job_key),
        child_workflow: child.pipeline,
        link_method: if is_known { "explicit_id" } else { "unlinked" }.to_owned(),
        confidence: f64::from(u8::from(is_known)),
        credential_subject: run.actor.clone(),
        sent_at: time(value, "/started_at").or_else(|| time(value, "/runnable_at")),
        ..row
    });
    if !is_known {
        import.gap(run.run_key, "handoffs", "blast_radius", "no_child");
    }
    let owner = Owner { run: Some(run.run_key), job: Some(job_key), ..Owner::default() };
    import.rest(owner, value, &[]);
}

/// A block step: nothing after it runs before someone unblocks it.
fn block(import: &mut Import<'_, '_>, run: &Run, value: &Value) {
    let reviewer = person(value, "/unblocked_by");
    let is_open = matches!(text(value, "/state").as_deref(), Some("unblocked" | "finished"));
    let state = if reviewer.is_some() || is_open { "approved" } else { "pending" };
    import.evidence.approvals.push(Approval {
        run_key: run.run_key,
        environment: text(value, "/step_key").or_else(|| text(value, "/label")),
        reviewer_kind: if reviewer.is_some() { "user" } else { "unknown" }.to_owned(),
        reviewer,
        state: state.to_owned(),
        self_review: None,
        decided_at: time(value, "/unblocked_at"),
        source_key: import.source(),
    });
    let owner = Owner { run: Some(run.run_key), ..Owner::default() };
    import.rest(owner, value, &[]);
}

/// A job's log as JSON: the text is that of the raw log.
pub(super) fn log(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let place = BuildPath::of(&text(value, "/url")?);
    place.key()?;
    let content = text(value, "/content")?;
    let path = import.document.path;
    let source = import.source();
    let (marks, run_key, job_key) = read_log(&place, path, content.as_bytes(), source, &mut import.evidence);
    let context = TextContext {
        run_key: Some(run_key),
        job_key: Some(job_key),
        name: place.job.clone(),
        marks,
        ..TextContext::of(path, source, "log")
    };
    import.values.sink().text(&context, content.as_bytes());
    Some(run_key)
}

/// The variables a job was given.
pub(super) fn environment(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let of = |name: &str| text(value, &format!("/env/BUILDKITE_{name}"));
    let run_key = run_key(&of("ORGANIZATION_SLUG")?, &of("PIPELINE_SLUG")?, &of("BUILD_NUMBER")?)?;
    let job_key = job_key(run_key, &of("JOB_ID")?);
    let mut part = Part { number: Some(-1), ..Part::new("Environment", "setup") };
    for (name, value) in value.get("env").and_then(Value::as_object)? {
        if let Some(value) = value.as_str() {
            part.bound.push(Bound::shown(name, value, 0, "unknown"));
        }
    }
    // Beside the steps of the log, not in their place.
    let job = JobOf { run_key, job_key, source_key: import.source(), attribution: "unknown" };
    write_step(job, 0, &part, &mut import.evidence);
    let owner = Owner { run: Some(run_key), job: Some(job_key), ..Owner::default() };
    import.rest(owner, value, &[]);
    Some(run_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_named_by_address() {
        let cases = [
            ("git@github.com:acme/shop.git", Some("acme/shop")),
            ("https://github.com/acme/shop.git", Some("acme/shop")),
            ("ssh://git@host:22/acme/shop", Some("acme/shop")),
            ("shop", None),
        ];
        for (address, expected) in cases {
            assert_eq!(slug(address).as_deref(), expected, "{address}");
        }
    }
}
