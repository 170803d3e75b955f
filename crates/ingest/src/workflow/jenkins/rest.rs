//! Build JSON: `/job/<name>/<number>/api/json`.

use super::causes::{self, Cause, Caused};
use super::place::{self, JOB, Place};
use super::{PLATFORM, conclusion};
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::text;
use crate::workflow::values::{Owner, Values};
use crate::{Document, TextSink};
use leakgraph_model::Evidence;
use leakgraph_model::tables::{Job, Run};
use serde_json::Value;

/// A build, or a job with its builds (`depth=1` or `tree=builds[…]`).
pub(super) fn recognise(value: &Value) -> Option<Recognised> {
    let first = builds(value).into_iter().next()?;
    is_build(first).then(|| Recognised::new("build_json", "`actions`, `number` and a URL of a Jenkins job"))
}

fn is_build(value: &Value) -> bool {
    let url = value.get("url").and_then(Value::as_str).unwrap_or_default();
    value.get("actions").is_some_and(Value::is_array)
        && value.get("number").is_some_and(Value::is_number)
        && Place::of_url(url).run_key().is_some()
}

/// The builds of an array, of a job or a bare object.
fn builds(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(builds).collect(),
        Value::Object(members) => {
            let list = ["builds", "allBuilds"].iter().find_map(|name| members.get(*name)?.as_array());
            list.map_or_else(|| vec![value], |list| list.iter().collect())
        }
        _ => Vec::new(),
    }
}

pub(super) fn import(document: &Document<'_>, value: &Value, sink: &mut dyn TextSink) -> Evidence {
    let mut evidence = Evidence::default();
    let mut nameless = 0;
    for value in builds(value) {
        nameless += usize::from(build(document, value, &mut evidence, sink).is_none());
    }
    let problem = incomplete(document, nameless, "builds have no URL that names their job and number");
    evidence.problems.extend(problem);
    evidence
}

fn build(
    document: &Document<'_>,
    value: &Value,
    evidence: &mut Evidence,
    sink: &mut dyn TextSink,
) -> Option<()> {
    let place = Place::of_url(&text(value, "/url")?);
    let run_key = place.run_key()?;
    let actions: Vec<&Value> = value.get("actions").and_then(Value::as_array).into_iter().flatten().collect();
    let lists = |name: &str| {
        actions.iter().filter_map(|action| action.get(name)?.as_array()).flatten().collect::<Vec<_>>()
    };
    let causes: Vec<Cause> =
        lists("causes").into_iter().filter_map(|cause| Cause::of_json(cause, 0)).collect();
    let started = millis(value, "timestamp").and_then(super::time);
    let ended = super::ended(started, millis(value, "duration"));
    let caused = Caused {
        run_key,
        name: place.name.as_deref(),
        at: started,
        evidence: "rest",
        source_key: document.source_key,
    };
    let handoff = causes::add(&causes, &caused, evidence);
    let parameters = lists("parameters");
    if !parameters.is_empty() && handoff.is_none() {
        evidence.handoffs.push(causes::started(&caused, &causes));
    }
    let handoff = handoff.unwrap_or_else(|| causes::started_key(run_key));
    let owner = Owner::run(run_key).job(place::job_key(run_key)).handoff(handoff);
    let mut given = Values::new(document, sink);
    for parameter in parameters {
        let Some(name) = text(parameter, "/name") else { continue };
        // Passwords are exported without a value.
        let shown = parameter.get("value").filter(|value| !value.is_null());
        let shown = shown.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        given.shown(owner, &name, shown.as_deref(), evidence);
    }
    given.flush();
    // The Git plug-in's `BuildData`.
    let revision = actions.iter().find_map(|action| action.get("lastBuiltRevision"));
    let result = text(value, "/result");
    let first = causes.first();
    let is_running = value.get("building").and_then(Value::as_bool).unwrap_or_default();
    evidence.runs.push(Run {
        run_key,
        platform: PLATFORM.to_owned(),
        repo: place.name.clone(),
        platform_run_id: place.number,
        attempt: Some(1),
        workflow_name: place.name,
        event: first.map(|cause| cause.event().to_owned()),
        status: Some(if is_running { "in_progress" } else { "completed" }.to_owned()),
        conclusion: result.as_deref().and_then(conclusion).map(str::to_owned),
        head_ref: revision.and_then(|revision| text(revision, "/branch/0/name")),
        head_sha: revision.and_then(|revision| text(revision, "/SHA1")),
        actor: first.and_then(Cause::actor).map(str::to_owned),
        created_at: started,
        started_at: started,
        ended_at: ended,
        evidence: "rest".to_owned(),
        source_key: document.source_key,
        ..Run::default()
    });
    evidence.jobs.push(Job {
        job_key: place::job_key(run_key),
        run_key,
        name: JOB.to_owned(),
        runner_kind: Some("self_hosted".to_owned()),
        runner_name: text(value, "/builtOn").filter(|name| !name.is_empty()),
        conclusion: result.as_deref().and_then(conclusion).map(str::to_owned),
        started_at: started,
        ended_at: ended,
        evidence: "rest".to_owned(),
        source_key: document.source_key,
        ..Job::default()
    });
    Some(())
}

fn millis(value: &Value, name: &str) -> Option<i64> {
    value.get(name).and_then(Value::as_i64)
}
