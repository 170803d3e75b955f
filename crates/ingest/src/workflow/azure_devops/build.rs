//! Builds and pipeline runs, which are the same under two addresses: what started them, what
//! they were given.

use super::super::rows::between;
use super::super::values::{Import, Owner};
use super::PLATFORM;
use super::location::{Location, run_key};
use crate::value::{text, time};
use leakgraph_model::Key;
use leakgraph_model::tables::{Handoff, Run, SecretPassed, Trigger};
use serde_json::Value;

/// `GET …/_apis/build/builds[/{id}]`
pub(super) fn is_build(value: &Value) -> bool {
    let has = |name: &str| value.get(name).is_some();
    has("id")
        && has("buildNumber")
        && has("definition")
        && (has("queueTime") || has("reason") || has("sourceBranch"))
}

/// `GET …/_apis/pipelines/{id}/runs[/{id}]`
pub(super) fn is_pipeline_run(value: &Value) -> bool {
    let of_pipelines = |url: &str| url.contains("/_apis/pipelines/");
    value.get("pipeline").is_some_and(Value::is_object)
        && value.get("createdDate").is_some()
        && value.get("url").and_then(Value::as_str).is_some_and(of_pipelines)
}

/// Where a build is, by its own address or the document's path.
fn location(import: &Import<'_, '_>, value: &Value, url: &str) -> Location {
    let own = Location { organisation: None, build: text(value, "/id") };
    let address = Location::of_url(&text(value, url).unwrap_or_default());
    own.or(address).or(Location::of_path(import.document.path))
}

pub(super) fn build(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let location = location(import, value, "/url");
    let key = location.key()?;
    let (status, conclusion) = outcome(value, "/status", "/result");
    let requested_for = person(value, "/requestedFor");
    let requested_by = person(value, "/requestedBy");
    let run = Run {
        run_key: key,
        platform: PLATFORM.to_owned(),
        repo: repository(value, &location),
        platform_run_id: text(value, "/id"),
        attempt: Some(1),
        workflow_name: text(value, "/definition/name"),
        event: text(value, "/reason"),
        status,
        conclusion,
        head_ref: text(value, "/sourceBranch"),
        head_sha: text(value, "/sourceVersion"),
        from_fork: is_fork(value),
        actor_kind: Some(actor_kind(value, "/requestedFor").to_owned()),
        triggering_actor: requested_by.clone().filter(|by| requested_for.as_ref() != Some(by)),
        actor: requested_for,
        created_at: time(value, "/queueTime"),
        started_at: time(value, "/startTime"),
        ended_at: time(value, "/finishTime"),
        visibility: text(value, "/project/visibility"),
        evidence: "rest".to_owned(),
        source_key: import.source(),
        ..Run::default()
    };
    trigger(import, &run, value);
    let parameters = text(value, "/parameters").and_then(|json| serde_json::from_str(&json).ok());
    let parameters: Value = parameters.unwrap_or(Value::Null);
    handoff(import, &run, value, &location, &parameters);
    let owner = Owner { run: Some(key), ..Owner::default() };
    import.rest(owner, value, &["/parameters", "/templateParameters"]);
    import.evidence.runs.push(run);
    Some(key)
}

pub(super) fn pipeline_run(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let location = location(import, value, "/url");
    let key = location.key()?;
    let (status, conclusion) = outcome(value, "/state", "/result");
    let source_key = import.source();
    let at = "/resources/repositories/self";
    import.evidence.runs.push(Run {
        run_key: key,
        platform: PLATFORM.to_owned(),
        platform_run_id: text(value, "/id"),
        attempt: Some(1),
        workflow_name: text(value, "/pipeline/name"),
        status,
        conclusion,
        head_ref: text(value, &format!("{at}/refName")),
        head_sha: text(value, &format!("{at}/version")),
        created_at: time(value, "/createdDate"),
        ended_at: time(value, "/finishedDate"),
        evidence: "rest".to_owned(),
        source_key,
        ..Run::default()
    });
    // Secret variables are named, and have no value here.
    for (name, variable) in value.get("variables").and_then(Value::as_object).into_iter().flatten() {
        if variable.get("isSecret").and_then(Value::as_bool) == Some(true) {
            import.evidence.secrets_passed.push(SecretPassed {
                job_key: None,
                run_key: key,
                name: name.clone(),
                secret_scope: "unknown".to_owned(),
                how: "run_variable".to_owned(),
                source_key,
            });
        }
    }
    let given = ["/templateParameters", "/variables"];
    let has_any =
        |pointer: &&str| value.pointer(pointer).and_then(Value::as_object).is_some_and(|all| !all.is_empty());
    if given.iter().any(has_any) {
        let handoff = Handoff {
            credential_kind: "unknown".to_owned(),
            ..between(None, Some(key), "api_other", source_key)
        };
        let owner = Owner { run: Some(key), handoff: Some(handoff.handoff_key), ..Owner::default() };
        import.evidence.handoffs.push(handoff);
        import.inputs(owner, "", value.pointer(given[0]).unwrap_or(&Value::Null));
        for (name, variable) in value.get("variables").and_then(Value::as_object).into_iter().flatten() {
            import.inputs(owner, name, variable.get("value").unwrap_or(&Value::Null));
        }
    }
    let owner = Owner { run: Some(key), ..Owner::default() };
    import.rest(owner, value, &given);
    Some(key)
}

/// status and conclusion in the words of the columns.
fn outcome(value: &Value, status: &str, result: &str) -> (Option<String>, Option<String>) {
    let status = text(value, status).map(|status| {
        match status.as_str() {
            "completed" => "completed",
            "inProgress" | "cancelling" | "canceling" => "in_progress",
            "notStarted" | "postponed" => "queued",
            _ => "unknown",
        }
        .to_owned()
    });
    (status, conclusion(value, result))
}

/// A result in the words of the column `conclusion`.
pub(super) fn conclusion(value: &Value, pointer: &str) -> Option<String> {
    let result = text(value, pointer)?;
    let word = match result.as_str() {
        "succeeded" | "succeededWithIssues" => "success",
        "failed" => "failure",
        "canceled" => "cancelled",
        "skipped" => "skipped",
        "partiallySucceeded" => "partial",
        "abandoned" => "abandoned",
        _ => return None,
    };
    Some(word.to_owned())
}

/// `owner/name` of a repository at GitHub; `organisation/project/name` of one of Azure Repos.
fn repository(value: &Value, location: &Location) -> Option<String> {
    let is_own = matches!(text(value, "/repository/type").as_deref(), Some("TfsGit" | "TfsVersionControl"));
    if !is_own {
        return text(value, "/repository/id").filter(|id| id.contains('/') && !id.contains("://"));
    }
    let (organisation, project) = (location.organisation.as_ref()?, text(value, "/project/name")?);
    let name = text(value, "/repository/name").unwrap_or_else(|| project.clone());
    Some(format!("{organisation}/{project}/{name}"))
}

/// A pull request says whether its head is in a fork, as `True` or `False`.
fn is_fork(value: &Value) -> Option<bool> {
    let says = value.get("triggerInfo")?.get("pr.isFork")?.as_str()?;
    Some(says.eq_ignore_ascii_case("true"))
}

/// Unique name (an e-mail address), else what is shown.
pub(super) fn person(value: &Value, pointer: &str) -> Option<String> {
    let named = |member: &str| text(value, &format!("{pointer}/{member}")).filter(|name| !name.is_empty());
    named("uniqueName").or_else(|| named("displayName")).or_else(|| named("id"))
}

/// By the kind of subject that its descriptor begins with ("Graph subject types").
pub(super) fn actor_kind(value: &Value, pointer: &str) -> &'static str {
    let descriptor = text(value, &format!("{pointer}/descriptor")).unwrap_or_default();
    let shown = text(value, &format!("{pointer}/displayName")).unwrap_or_default();
    match descriptor.split('.').next().unwrap_or("") {
        "aad" | "msa" | "win" | "unusr" | "imp" => "user",
        "svc" => "bot",
        "aadsp" => "app",
        "s2s" => "system",
        _ if shown.contains(" Build Service (") => "bot",
        _ if shown.starts_with("Microsoft.VisualStudio.Services") => "system",
        _ if text(value, &format!("{pointer}/uniqueName")).is_some_and(|name| name.contains('@')) => "user",
        _ => "unknown",
    }
}

/// `reason` as the run's trigger ("BuildReason").
fn trigger(import: &mut Import<'_, '_>, run: &Run, value: &Value) {
    let kind = match run.event.as_deref() {
        None => return,
        Some("manual") if actor_kind(value, "/requestedBy") == "user" => "manual",
        Some("manual" | "userCreated") => "api",
        Some("schedule" | "scheduleForced") => "schedule",
        Some("buildCompletion" | "resourceTrigger") => "upstream",
        Some(_) => "event",
    };
    let subject_trust = match (run.from_fork, run.actor_kind.as_deref()) {
        (Some(true), _) => "fork",
        (_, Some("bot" | "app" | "system")) => "bot",
        _ => "unknown",
    };
    import.evidence.triggers.push(Trigger {
        run_key: run.run_key,
        kind: kind.to_owned(),
        subject_trust: subject_trust.to_owned(),
        decided_by: run.triggering_actor.clone().or_else(|| run.actor.clone()),
        decided_at: run.created_at,
        source_key: run.source_key,
        ..Trigger::default()
    });
}

/// The build before it, or whoever queued it, and what it was given.
fn handoff(import: &mut Import<'_, '_>, run: &Run, value: &Value, location: &Location, parameters: &Value) {
    let organisation = location.organisation.as_deref().unwrap_or_default();
    let child = Some(run.run_key);
    let by_build = value.pointer("/triggeredByBuild").filter(|build| build.is_object()).and_then(|build| {
        let of = Location::of_url(&text(build, "/url").unwrap_or_default());
        run_key(of.organisation.as_deref().unwrap_or(organisation), &text(build, "/id")?)
    });
    // `pipelineId` is the id of the build that completed, not that of its definition: seen in
    // answers of the service, undocumented.
    let by_resource = value
        .pointer("/triggerInfo")
        .filter(|info| info.get("artifactType").and_then(Value::as_str) == Some("Pipeline"))
        .and_then(|info| run_key(organisation, &text(info, "/pipelineId")?));
    let given = [value.pointer("/templateParameters").unwrap_or(&Value::Null), parameters];
    let has_any = given.iter().any(|given| given.as_object().is_some_and(|all| !all.is_empty()));
    let is_change = matches!(run.event.as_deref(), Some("pullRequest" | "individualCI" | "batchedCI"));
    let source = import.source();
    let mut handoff = if let Some(parent) = by_build {
        between(Some(parent), child, "build_completion", source)
    } else if let Some(parent) = by_resource {
        let row = between(Some(parent), child, "build_completion", source);
        Handoff { link_method: "cause".to_owned(), confidence: 0.9, ..row }
    } else if has_any && !is_change {
        between(None, child, "api_other", source)
    } else {
        let owner = Owner { run: child, ..Owner::default() };
        return import.rest(owner, parameters, &[]);
    };
    // A build queued by a job is queued with the token of that job.
    let is_token = actor_kind(value, "/requestedBy") == "bot";
    let kind = if is_token { "System.AccessToken" } else { "user" };
    let is_queued = handoff.mechanism == "api_other";
    handoff.credential_kind = if is_queued { kind } else { "none" }.to_owned();
    handoff.credential_subject = person(value, "/requestedBy").filter(|_| is_queued);
    handoff.child_repo.clone_from(&run.repo);
    handoff.child_workflow.clone_from(&run.workflow_name);
    handoff.child_ref.clone_from(&run.head_ref);
    handoff.child_sha.clone_from(&run.head_sha);
    handoff.sent_at = run.created_at;
    let owner = Owner { run: child, handoff: Some(handoff.handoff_key), ..Owner::default() };
    import.evidence.handoffs.push(handoff);
    for given in given {
        import.inputs(owner, "", given);
    }
}
