//! Rows of a console.

use super::causes::{self, Cause, Caused};
use super::console::{Console, Credential, Part, Started, is_input};
use super::place::{self, JOB, Place};
use super::{PLATFORM, conclusion};
use crate::importer::TextFile;
use crate::limits::Limits;
use crate::reader::source_file;
use crate::workflow::github::steps::{guess, pinned};
use crate::workflow::parts::long_line;
use crate::{Mark, TextContext, TextSink};
use leakgraph_model::tables::{
    Approval, Binding, EvidenceGap, Handoff, IdentityUsed, Job, Run, SecretPassed, Step, identity_key,
};
use leakgraph_model::{Evidence, Key};

/// Who a console belongs to: it does not name its own build, so its path must.
struct Owner {
    place: Place,
    run_key: Key,
    job_key: Key,
    source_key: Key,
}

/// Imports one console; its text goes to `sink` once.
pub(super) fn import(file: TextFile<'_>, limits: &Limits, sink: &mut dyn TextSink) -> Evidence {
    let TextFile { path, bytes, .. } = file;
    let content = file.content();
    let console = Console::of(bytes);
    let place = Place::of_path(path);
    let run_key = place.run_key().unwrap_or_else(|| Key::of("run", &["source", &content.key.to_string()]));
    let owner = Owner { place, run_key, job_key: place::job_key(run_key), source_key: content.key };
    let mut evidence = Evidence::default();
    evidence.runs.push(run(&owner, &console));
    evidence.jobs.push(job(&owner, &console));
    let caused = Caused {
        run_key,
        name: owner.place.name.as_deref(),
        at: console.first_at,
        evidence: "log",
        source_key: content.key,
    };
    causes::add(&console.causes, &caused, &mut evidence);
    let steps = steps(&owner, &console, &mut evidence);
    for (ordinal, credential) in console.credentials.iter().enumerate() {
        secret(&owner, &steps, ordinal, credential, &mut evidence);
    }
    for (ordinal, started) in console.started.iter().enumerate() {
        handoff(&owner, ordinal, started, &mut evidence);
    }
    approvals(&owner, &console, &mut evidence);
    evidence.identities_used.extend(console.runs_as.as_deref().map(|name| runs_as(&owner, &console, name)));
    evidence.problems.extend(long_line(path, bytes, limits));
    evidence.source_files.push(source_file(path, &content, PLATFORM, "console", evidence.rows()));
    let marks = console.marks.iter().map(|mark| Mark {
        offset: mark.offset,
        step_key: mark.part.and_then(|part| steps.get(part).copied()),
        place: mark.place,
        name: None,
        at: mark.at,
    });
    let context = TextContext {
        run_key: Some(run_key),
        job_key: Some(owner.job_key),
        marks: marks.collect(),
        ..TextContext::of(path, content.key, "log")
    };
    sink.text(&context, bytes);
    evidence
}

fn run(owner: &Owner, console: &Console) -> Run {
    let first = console.causes.first();
    Run {
        run_key: owner.run_key,
        platform: PLATFORM.to_owned(),
        repo: owner.place.name.clone(),
        platform_run_id: owner.place.number.clone(),
        attempt: owner.place.number.as_ref().map(|_| 1),
        workflow_name: owner.place.name.clone(),
        workflow_path: console.workflow_path.clone(),
        workflow_sha: console.workflow_sha.clone(),
        event: first.map(|cause| cause.event().to_owned()),
        status: console.result.as_ref().map(|_| "completed".to_owned()),
        conclusion: console.result.as_deref().and_then(conclusion).map(str::to_owned),
        actor: first.and_then(Cause::actor).map(str::to_owned),
        started_at: console.first_at,
        ended_at: console.result.as_ref().and(console.last_at),
        evidence: "log".to_owned(),
        source_key: owner.source_key,
        ..Run::default()
    }
}

fn job(owner: &Owner, console: &Console) -> Job {
    Job {
        job_key: owner.job_key,
        run_key: owner.run_key,
        name: JOB.to_owned(),
        runner_kind: Some("self_hosted".to_owned()),
        runner_name: console.runner.clone(),
        conclusion: console.result.as_deref().and_then(conclusion).map(str::to_owned),
        started_at: console.first_at,
        ended_at: console.result.as_ref().and(console.last_at),
        has_log: true,
        evidence: "log".to_owned(),
        source_key: owner.source_key,
        ..Job::default()
    }
}

fn steps(owner: &Owner, console: &Console, evidence: &mut Evidence) -> Vec<Key> {
    let key =
        |ordinal: usize| Key::of("step", &[&owner.job_key.to_string(), "ordinal", &ordinal.to_string()]);
    for (ordinal, part) in console.parts.iter().enumerate() {
        let Part { name, kind, uses, resolved_sha, shell, script_bytes, started_at, .. } = part;
        evidence.steps.push(Step {
            step_key: key(ordinal),
            job_key: owner.job_key,
            ordinal: i64::try_from(ordinal).unwrap_or(i64::MAX),
            name: name.clone(),
            kind: (*kind).to_owned(),
            uses_ref: uses.as_deref().and_then(|uses| Some(uses.split_once('@')?.1.to_owned())),
            pinned: uses.as_deref().map(|uses| pinned(uses).to_owned()),
            uses: uses.clone(),
            resolved_sha: resolved_sha.clone(),
            shell: shell.clone(),
            script_bytes: i64::try_from(*script_bytes).ok().filter(|bytes| *bytes > 0),
            started_at: *started_at,
            attribution: "order".to_owned(),
            source_key: owner.source_key,
            ..Step::default()
        });
    }
    (0..console.parts.len()).map(key).collect()
}

/// A credential the build got, by name; those bound to a variable are bindings, too.
fn secret(owner: &Owner, steps: &[Key], ordinal: usize, credential: &Credential, evidence: &mut Evidence) {
    let Credential { name, how, part, offset } = credential;
    if !evidence.secrets_passed.iter().any(|row| row.name == *name && row.how == *how) {
        evidence.secrets_passed.push(SecretPassed {
            job_key: Some(owner.job_key),
            run_key: owner.run_key,
            name: name.clone(),
            secret_scope: "unknown".to_owned(),
            how: (*how).to_owned(),
            source_key: owner.source_key,
        });
    }
    let Some(step_key) = part.and_then(|part| steps.get(part).copied()).filter(|_| *how == "binding") else {
        return;
    };
    evidence.bindings.push(Binding {
        binding_key: Key::of(
            "binding",
            &[&step_key.to_string(), "withCredentials", name, &ordinal.to_string()],
        ),
        step_key,
        job_key: owner.job_key,
        place: "withCredentials".to_owned(),
        name: name.clone(),
        state: "masked".to_owned(),
        value_bytes: None,
        guessed_kind: guess(name).to_owned(),
        byte_offset: i64::try_from(*offset).unwrap_or(i64::MAX),
        source_key: owner.source_key,
    });
}

/// A build that this one started. Consoles show display names, where `»` separates folders.
fn handoff(owner: &Owner, ordinal: usize, started: &Started, evidence: &mut Evidence) {
    let name = started.name.replace(" » ", "/");
    let is_renamed = name != started.name;
    let child = started.number.as_deref().map(|number| place::run_key(&name, number));
    let of_step = || {
        let parts = [&owner.job_key.to_string(), &ordinal.to_string(), started.mechanism];
        Key::of("handoff", &parts)
    };
    let handoff_key = child.map_or_else(of_step, |child| place::handoff_key(owner.run_key, child));
    evidence.handoffs.push(Handoff {
        handoff_key,
        parent_run_key: Some(owner.run_key),
        parent_job_key: Some(owner.job_key),
        child_run_key: child,
        child_job_key: child.map(place::job_key),
        crosses: causes::crosses(owner.place.name.as_deref(), Some(&name)).to_owned(),
        child_repo: Some(name),
        mechanism: started.mechanism.to_owned(),
        credential_kind: "unknown".to_owned(),
        link_method: if child.is_some() { "explicit_id" } else { "unlinked" }.to_owned(),
        confidence: match child {
            Some(_) if is_renamed => 0.9,
            Some(_) => 1.0,
            None => 0.0,
        },
        gate: "unknown".to_owned(),
        sent_at: started.at,
        evidence: "log".to_owned(),
        source_key: owner.source_key,
        ..Handoff::default()
    });
    if child.is_none() {
        evidence.evidence_gaps.push(EvidenceGap {
            subject_key: handoff_key,
            subject_table: "handoffs".to_owned(),
            analytic: "handoff_identity".to_owned(),
            gap: "no_child".to_owned(),
            effect: "lower_bound_only".to_owned(),
        });
    }
}

/// `input` steps: who let the build go on. Both sides are shown by display name.
fn approvals(owner: &Owner, console: &Console, evidence: &mut Evidence) {
    let starter = match console.causes.as_slice() {
        [Cause::User(Some(name))] => Some(name.as_str()),
        _ => None,
    };
    for part in console.parts.iter().filter(|part| is_input(part)) {
        let decided = part.inputs.decided.as_ref();
        let state = match decided {
            Some((true, ..)) => "approved",
            Some((false, ..)) => "rejected",
            // An ended build waits no more: it was decided by nobody the console names.
            None if console.result.is_some() => continue,
            None => "pending",
        };
        evidence.approvals.push(Approval {
            run_key: owner.run_key,
            environment: None,
            reviewer: decided.map(|(_, who, _)| who.clone()),
            reviewer_kind: if decided.is_some() { "user" } else { "unknown" }.to_owned(),
            state: state.to_owned(),
            self_review: decided.zip(starter).map(|((_, who, _), starter)| who == starter),
            decided_at: decided.and_then(|(.., at)| *at),
            source_key: owner.source_key,
        });
    }
}

/// `Running as SYSTEM`: whoever starts such a build, it may do what Jenkins may.
fn runs_as(owner: &Owner, console: &Console, name: &str) -> IdentityUsed {
    IdentityUsed {
        job_key: Some(owner.job_key),
        run_key: Some(owner.run_key),
        identity_key: Some(identity_key(PLATFORM, &format!("user:{name}"))),
        identity_kind: "jenkins_user".to_owned(),
        how: if name == "SYSTEM" { "ambient" } else { "inherited" }.to_owned(),
        subject: Some(name.to_owned()),
        issued_at: console.first_at,
        join_method: "exact_id".to_owned(),
        confidence: 1.0,
        source_key: owner.source_key,
        ..IdentityUsed::default()
    }
}
