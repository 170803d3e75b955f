//! Rows of a job trace.

use super::job::{Bound, Handed, PartMark, Trace};
use super::place::{self, Place};
use super::{PLATFORM, user};
use crate::importer::TextFile;
use crate::limits::Limits;
use crate::reader::source_file;
use crate::workflow::github::{dispatch::input, steps::guess};
use crate::workflow::parts::long_line;
use crate::{Mark, TextContext, TextSink};
use leakgraph_model::tables::{Binding, Handoff, Job, Run, SecretPassed, Step};
use leakgraph_model::{Evidence, Key};

/// Who a trace belongs to: by its path, by what a debug trace shows, else by its content.
struct Owner {
    place: Place,
    run_key: Key,
    job_key: Key,
    source_key: Key,
}

impl Owner {
    fn of(path: &str, trace: &Trace, source_key: Key) -> Self {
        let variable = |name: &str| trace.variable(name).map(str::to_owned);
        let told = Place {
            project: variable("CI_PROJECT_PATH"),
            pipeline: variable("CI_PIPELINE_ID"),
            job: variable("CI_JOB_ID"),
        };
        let place = Place::of_path(path).or(told);
        let source = source_key.to_string();
        let job_key = match (&place.project, &place.job) {
            (Some(project), Some(job)) => place::job_key(project, job),
            _ => Key::of("job", &["source", &source]),
        };
        let run_key = place.run_key().unwrap_or_else(|| place::run_of_job(job_key));
        Self { place, run_key, job_key, source_key }
    }
}

/// Imports one trace; its text goes to `sink` once.
pub(crate) fn import(file: TextFile<'_>, limits: &Limits, sink: &mut dyn TextSink) -> Evidence {
    let TextFile { path, bytes, .. } = file;
    let content = file.content();
    let trace = Trace::of(bytes);
    let owner = Owner::of(path, &trace, content.key);
    let mut evidence = Evidence::default();
    evidence.runs.push(run(&owner, &trace));
    evidence.jobs.push(job(path, &owner, &trace));
    let steps = steps(&owner, &trace, &mut evidence);
    for (ordinal, bound) in trace.bound.iter().enumerate() {
        binding(&owner, &steps, ordinal, bound, &mut evidence);
    }
    if let Some(login) = trace.variable("GITLAB_USER_LOGIN") {
        evidence.identities_used.push(user(
            login,
            owner.run_key,
            owner.job_key,
            trace.started_at(),
            owner.source_key,
        ));
    }
    for (ordinal, handed) in trace.handed.iter().enumerate() {
        handoff(&owner, ordinal, handed, &mut evidence, sink);
    }
    evidence.problems.extend(long_line(path, bytes, limits));
    evidence.source_files.push(source_file(path, &content, PLATFORM, "job_trace", evidence.rows()));
    let context = TextContext {
        run_key: Some(owner.run_key),
        job_key: Some(owner.job_key),
        marks: trace.marks.iter().map(|mark| mark_of(mark, &steps)).collect(),
        ..TextContext::of(path, content.key, "log")
    };
    sink.text(&context, bytes);
    evidence
}

fn mark_of(mark: &PartMark, steps: &[Key]) -> Mark {
    Mark {
        offset: mark.offset,
        step_key: mark.part.and_then(|part| steps.get(part).copied()),
        place: mark.place,
        name: mark.name.clone(),
        at: mark.at,
    }
}

fn run(owner: &Owner, trace: &Trace) -> Run {
    let variable = |name: &str| trace.variable(name).map(str::to_owned);
    Run {
        run_key: owner.run_key,
        platform: PLATFORM.to_owned(),
        repo: owner.place.project.clone(),
        platform_run_id: owner.place.pipeline.clone(),
        attempt: owner.place.pipeline.as_ref().map(|_| 1),
        event: variable("CI_PIPELINE_SOURCE"),
        head_ref: variable("CI_COMMIT_REF_NAME").or_else(|| trace.head_ref.clone()),
        head_sha: variable("CI_COMMIT_SHA"),
        workflow_path: variable("CI_CONFIG_PATH"),
        actor: variable("GITLAB_USER_LOGIN"),
        visibility: variable("CI_PROJECT_VISIBILITY"),
        evidence: "log".to_owned(),
        source_key: owner.source_key,
        ..Run::default()
    }
}

fn job(path: &str, owner: &Owner, trace: &Trace) -> Job {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = file.split('.').next().filter(|stem| !stem.is_empty()).unwrap_or(file);
    let unnamed = owner.place.job.as_ref().map_or_else(|| stem.to_owned(), |id| format!("job {id}"));
    Job {
        job_key: owner.job_key,
        run_key: owner.run_key,
        platform_job_id: owner.place.job.clone(),
        name: trace.variable("CI_JOB_NAME").map_or(unnamed, str::to_owned),
        environment: trace.variable("CI_ENVIRONMENT_NAME").map(str::to_owned),
        runner_kind: Some(trace.runner_kind().to_owned()),
        runner_name: trace.runner_name.clone(),
        runner_version: trace.runner_version.clone(),
        conclusion: trace.conclusion.map(str::to_owned),
        started_at: trace.started_at(),
        ended_at: trace.ended_at(),
        has_log: true,
        evidence: "log".to_owned(),
        source_key: owner.source_key,
        ..Job::default()
    }
}

fn steps(owner: &Owner, trace: &Trace, evidence: &mut Evidence) -> Vec<Key> {
    let mut keys = Vec::with_capacity(trace.parts.len());
    for (ordinal, part) in trace.parts.iter().enumerate() {
        let step_key = Key::of("step", &[&owner.job_key.to_string(), "ordinal", &ordinal.to_string()]);
        evidence.steps.push(Step {
            step_key,
            job_key: owner.job_key,
            ordinal: i64::try_from(ordinal).unwrap_or(i64::MAX),
            name: part.name.clone(),
            kind: part.kind.to_owned(),
            script_bytes: i64::try_from(part.script_bytes).ok().filter(|bytes| *bytes > 0),
            started_at: part.started_at,
            ended_at: part.ended_at,
            attribution: "order".to_owned(),
            source_key: owner.source_key,
            ..Step::default()
        });
        keys.push(step_key);
    }
    keys
}

fn binding(owner: &Owner, steps: &[Key], ordinal: usize, bound: &Bound, evidence: &mut Evidence) {
    let Some(step_key) = steps.get(bound.part).copied() else { return };
    let state = match bound.value.as_str() {
        "" => "empty",
        "[MASKED]" => "masked",
        value if value.contains("[MASKED]") => "partial",
        _ => "clear",
    };
    if state == "masked" && !evidence.secrets_passed.iter().any(|row| row.name == bound.name) {
        evidence.secrets_passed.push(SecretPassed {
            job_key: Some(owner.job_key),
            run_key: owner.run_key,
            name: bound.name.clone(),
            secret_scope: "unknown".to_owned(),
            how: "binding".to_owned(),
            source_key: owner.source_key,
        });
    }
    evidence.bindings.push(Binding {
        binding_key: Key::of("binding", &[&step_key.to_string(), "env", &bound.name, &ordinal.to_string()]),
        step_key,
        job_key: owner.job_key,
        place: "env".to_owned(),
        name: bound.name.clone(),
        state: state.to_owned(),
        value_bytes: (state == "clear").then(|| i64::try_from(bound.value.len()).unwrap_or(i64::MAX)),
        guessed_kind: guess(&bound.name).to_owned(),
        byte_offset: i64::try_from(bound.offset).unwrap_or(i64::MAX),
        source_key: owner.source_key,
    });
}

/// Work or a token that a command handed on.
fn handoff(owner: &Owner, ordinal: usize, handed: &Handed, evidence: &mut Evidence, sink: &mut dyn TextSink) {
    let sent = &handed.sent;
    let child_key = handed.child.as_ref().and_then(Place::run_key);
    let child_repo =
        handed.child.as_ref().and_then(|child| child.project.clone()).or_else(|| sent.project.clone());
    let crosses = match (sent.mechanism, &owner.place.project, &child_repo) {
        ("remote_exec", ..) => "platform",
        (_, Some(parent), Some(child)) => place::crosses(parent, child),
        _ => "none",
    };
    let handoff_key = match child_key {
        Some(child) => super::handoff_key(child),
        None => Key::of(
            "handoff",
            &[&owner.job_key.to_string(), &handed.part.to_string(), sent.mechanism, &ordinal.to_string()],
        ),
    };
    evidence.handoffs.push(Handoff {
        handoff_key,
        parent_run_key: Some(owner.run_key),
        parent_job_key: Some(owner.job_key),
        child_run_key: child_key,
        child_repo,
        mechanism: sent.mechanism.to_owned(),
        credential_kind: sent.credential_kind.to_owned(),
        crosses: crosses.to_owned(),
        link_method: if child_key.is_some() { "url_in_log" } else { "unlinked" }.to_owned(),
        confidence: if child_key.is_some() { 1.0 } else { 0.0 },
        child_ref: sent.reference.clone(),
        gate: "unknown".to_owned(),
        sent_at: handed.at,
        evidence: "log".to_owned(),
        source_key: owner.source_key,
        ..Handoff::default()
    });
    for (name, value) in &sent.inputs {
        // The log itself is scanned: only what kind of value it is.
        evidence.handoff_inputs.push(input(handoff_key, name, value, "log", owner.source_key, sink));
    }
}
