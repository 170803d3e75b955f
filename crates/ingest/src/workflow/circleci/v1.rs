//! Jobs of API v1.1, which calls them builds: the only ones that show steps and commands.

use super::super::values::{Import, Owner, Spot};
use super::v2::{conclusion, hand_on, job, parameters};
use super::{PLATFORM, job_key, repo, run_key, step_key};
use crate::value::{text, time};
use leakgraph_model::Key;
use leakgraph_model::tables::{self, Job, Run, Step, Trigger};
use serde_json::Value;

/// `GET /api/v1.1/project/{vcs}/{owner}/{name}/{number}`
pub(super) fn is_build(value: &Value) -> bool {
    ["build_num", "vcs_url", "reponame", "username"].iter().all(|name| value.get(name).is_some())
}

/// The project, as API v2 names it.
fn slug(value: &Value) -> Option<String> {
    let host = text(value, "/vcs_type").or_else(|| {
        let url = text(value, "/vcs_url")?;
        Some(if url.contains("bitbucket.org") { "bitbucket" } else { "github" }.to_owned())
    })?;
    Some(super::normal(&format!("{host}/{}/{}", text(value, "/username")?, text(value, "/reponame")?)))
}

pub(super) fn build(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let (slug, number) = (slug(value)?, text(value, "/build_num")?);
    let workflow = text(value, "/workflows/workflow_id");
    // Jobs outside of workflows run on their own.
    let key = match &workflow {
        Some(id) => run_key(id),
        None => tables::run_key(PLATFORM, &slug, &format!("build-{number}"), 1),
    };
    let job_key = job_key(&slug, &number);
    let row = Run {
        run_key: key,
        platform: PLATFORM.to_owned(),
        repo: repo(&slug).map(|_| {
            let part = |at: &str| text(value, at).unwrap_or_default();
            format!("{}/{}", part("/username"), part("/reponame"))
        }),
        platform_run_id: workflow.clone().or_else(|| Some(number.clone())),
        attempt: Some(1),
        workflow_name: text(value, "/workflows/workflow_name"),
        event: text(value, "/why"),
        head_ref: text(value, "/branch").or_else(|| text(value, "/vcs_tag")),
        head_sha: text(value, "/vcs_revision"),
        from_fork: value.get("fork").and_then(Value::as_bool),
        actor: text(value, "/user/login").filter(|login| login != "none"),
        actor_kind: Some(actor_kind(value).to_owned()),
        created_at: time(value, "/queued_at").or_else(|| time(value, "/usage_queued_at")),
        visibility: value
            .get("oss")
            .and_then(Value::as_bool)
            .map(|oss| if oss { "public" } else { "private" }.to_owned()),
        evidence: "rest".to_owned(),
        source_key: import.source(),
        ..Run::default()
    };
    trigger(import, &row);
    if let Some(pipeline) = text(value, "/workflows/pipeline_id") {
        hand_on(import, run_key(&pipeline), &row);
    }
    parameters(import, &row, value, "/build_parameters");
    import.evidence.jobs.push(Job {
        runner_kind: Some(if text(value, "/platform").is_some() { "hosted" } else { "unknown" }.to_owned()),
        labels: text(value, "/picard/resource_class/class").into_iter().collect(),
        runner_version: text(value, "/picard/build_agent/image"),
        conclusion: conclusion(text(value, "/outcome").or_else(|| text(value, "/status")).as_deref()),
        started_at: time(value, "/start_time"),
        ended_at: time(value, "/stop_time"),
        ..job(
            import,
            job_key,
            key,
            Some(number.clone()),
            text(value, "/workflows/job_name").or_else(|| text(value, "/job_name")).unwrap_or(number),
        )
    });
    import.evidence.runs.push(row);
    let owner = Owner { run: Some(key), job: Some(job_key), ..Owner::default() };
    let steps = value.get("steps").and_then(Value::as_array).into_iter().flatten();
    let actions = steps.flat_map(|step| step.get("actions").and_then(Value::as_array).into_iter().flatten());
    for (ordinal, action) in actions.enumerate() {
        self::step(import, owner, job_key, ordinal, action);
    }
    import.rest(owner, value, &["/build_parameters", "/steps"]);
    Some(key)
}

fn actor_kind(value: &Value) -> &'static str {
    match value.pointer("/user/is_user").and_then(Value::as_bool) {
        Some(true) => "user",
        Some(false) => "system",
        None => "unknown",
    }
}

/// `why`: github, bitbucket, trigger, retry, schedule, edit, first-build, …
fn trigger(import: &mut Import<'_, '_>, run: &Run) {
    let kind = match run.event.as_deref() {
        None => return,
        Some("retry" | "ssh" | "rebuild") => "manual",
        Some("trigger" | "api") => "api",
        Some("schedule" | "scheduled-workflow") => "schedule",
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

/// An action is a step in one container.
fn step(import: &mut Import<'_, '_>, owner: Owner, job_key: Key, ordinal: usize, action: &Value) {
    let (number, index) = (text(action, "/step"), text(action, "/index").unwrap_or_else(|| "0".to_owned()));
    let number_text = number.clone().unwrap_or_else(|| ordinal.to_string());
    let step_key = step_key(job_key, &number_text, &index);
    let command = text(action, "/bash_command");
    let name = text(action, "/name").unwrap_or_default();
    let kind = match command {
        Some(_) => "run",
        None if name == "Spin up environment" || name.starts_with("Preparing environment") => "setup",
        None => "action",
    };
    import.evidence.steps.push(Step {
        step_key,
        job_key,
        number: number.and_then(|number| number.parse().ok()),
        ordinal: i64::try_from(ordinal).unwrap_or(i64::MAX),
        name,
        kind: kind.to_owned(),
        shell: command.as_ref().and_then(|command| shebang(command)),
        script_bytes: command.as_ref().and_then(|command| i64::try_from(command.len()).ok()),
        conclusion: conclusion(text(action, "/status").as_deref()),
        started_at: time(action, "/start_time"),
        ended_at: time(action, "/end_time"),
        attribution: "api".to_owned(),
        source_key: import.source(),
        ..Step::default()
    });
    if let Some(command) = command {
        import.values.text(owner, Spot::step("script_echo", step_key), "command", &command);
    }
    // `output_url` is presigned: its signature is no secret of the job.
    import.rest(owner, action, &["/bash_command", "/output_url"]);
}

/// `/bin/bash -eo pipefail` of a command that begins with `#!`.
fn shebang(command: &str) -> Option<String> {
    Some(command.lines().next()?.strip_prefix("#!")?.trim().to_owned())
}
