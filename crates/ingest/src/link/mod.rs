//! Joins what different files say of the same thing.

mod artifacts;
mod bindings;
mod children;
mod dispatches;
mod federation;
mod held;
mod identities;
mod job_logs;
mod named;
mod pods;
mod runs;
mod subjects;
mod upstream;

pub(crate) use held::role_key;
pub(crate) use named::named_run;

use crate::workflow::generic::identities::{UNKNOWN_KIND, owner_of};
use leakgraph_model::tables::{Identity, Job, Run, Step};
use leakgraph_model::{Evidence, Key};
use std::collections::{BTreeMap, HashSet};

/// Merges rows of equal keys, links handoffs to the runs and jobs they started, and
/// joins identities used to inventories.
pub fn link(evidence: &mut Evidence) {
    job_logs::join(evidence);
    pods::join(evidence);
    runs::join_by_job(evidence);
    evidence.runs = merged(std::mem::take(&mut evidence.runs), |run| run.run_key, merge_run);
    evidence.jobs = merged(std::mem::take(&mut evidence.jobs), |job| job.job_key, merge_job);
    evidence.steps = steps(std::mem::take(&mut evidence.steps));
    evidence.identities =
        merged(std::mem::take(&mut evidence.identities), |row| row.identity_key, merge_identity);
    dispatches::link(evidence);
    upstream::link(evidence);
    artifacts::link(evidence);
    federation::link(evidence);
    identities::link(evidence);
    held::link(evidence);
    bindings::link(evidence);
}

/// One row per key, in the order of keys.
fn merged<R>(rows: Vec<R>, key: fn(&R) -> Key, merge: fn(&mut R, R)) -> Vec<R> {
    let mut kept: BTreeMap<Key, R> = BTreeMap::new();
    for row in rows {
        match kept.get_mut(&key(&row)) {
            Some(first) => merge(first, row),
            None => {
                kept.insert(key(&row), row);
            }
        }
    }
    kept.into_values().collect()
}

macro_rules! fill {
    ($kept:ident, $other:ident, $($field:ident),+) => {
        $( if $kept.$field.is_none() { $kept.$field = $other.$field; } )+
    };
}
use fill;

fn merge_run(kept: &mut Run, other: Run) {
    // REST knows who and why; the log knows the commit of the workflow.
    fill!(
        kept,
        other,
        repo,
        platform_run_id,
        attempt,
        workflow_name,
        workflow_path,
        workflow_ref,
        workflow_sha,
        event,
        status,
        conclusion,
        head_ref,
        head_sha,
        from_fork,
        actor,
        actor_kind,
        display_title,
        triggering_actor,
        created_at,
        started_at,
        ended_at,
        visibility
    );
    // The audit log says least.
    if other.evidence == "rest" || kept.evidence == "audit" {
        kept.evidence = other.evidence;
    }
}

fn merge_job(kept: &mut Job, other: Job) {
    let is_known = |kind: &Option<String>| kind.as_deref().is_some_and(|kind| kind != "unknown");
    if !is_known(&kept.runner_kind) && is_known(&other.runner_kind) {
        kept.runner_kind.clone_from(&other.runner_kind);
    }
    if kept.labels.is_empty() {
        kept.labels.clone_from(&other.labels);
    }
    // A log may know its job by the id only, or have no better name than its file's.
    let is_id = |job: &Job| job.platform_job_id.as_ref() == Some(&job.name);
    if is_id(kept) || rank(&other.evidence) > rank(&kept.evidence) && !is_id(&other) {
        kept.name.clone_from(&other.name);
    }
    if rank(&other.evidence) > rank(&kept.evidence) {
        kept.evidence = other.evidence;
    }
    kept.has_log |= other.has_log;
    kept.chain_depth = kept.chain_depth.max(other.chain_depth);
    fill!(
        kept,
        other,
        platform_job_id,
        environment,
        runner_name,
        runner_version,
        secret_source,
        conclusion,
        started_at,
        ended_at,
        job_workflow_path,
        job_workflow_ref,
        job_workflow_sha,
        condition,
        condition_result
    );
}

/// How well a source names a job.
fn rank(evidence: &str) -> u8 {
    match evidence {
        "rest" => 2,
        "webhook" | "disk" => 1,
        _ => 0,
    }
}

fn merge_identity(kept: &mut Identity, other: Identity) {
    // Who an inventory knows better than who is only referred to.
    if kept.kind == UNKNOWN_KIND && other.kind != UNKNOWN_KIND {
        kept.kind = other.kind;
        kept.name = other.name;
        kept.source_key = other.source_key;
    }
    fill!(kept, other, unique_id, account, is_nhi, owner, environment, created_at, last_used_at);
    for tag in other.tags {
        if !kept.tags.contains(&tag) {
            kept.tags.push(tag);
        }
    }
    // A list of owners knows better than a tag of the inventory.
    if let Some(owner) = owner_of(&kept.tags) {
        kept.owner = Some(owner);
    }
    if kept.status == "unknown" {
        kept.status = other.status;
    }
}

/// One row per step. The API's steps complete those that were read from a file per
/// step; beside steps told by their order they would count everything twice.
fn steps(rows: Vec<Step>) -> Vec<Step> {
    let by_order: HashSet<Key> =
        rows.iter().filter(|step| step.attribution == "order").map(|step| step.job_key).collect();
    let rows = rows.into_iter().filter(|step| step.attribution != "api" || !by_order.contains(&step.job_key));
    // Read rows first, so that they are the ones kept.
    let (api, read): (Vec<Step>, Vec<Step>) = rows.partition(|step| step.attribution == "api");
    merged(read.into_iter().chain(api).collect(), |step| step.step_key, merge_step)
}

fn merge_step(kept: &mut Step, other: Step) {
    // A log may know its step by the number only.
    if kept.name.is_empty() {
        kept.name = other.name;
        kept.kind = other.kind;
    }
    fill!(kept, other, number, uses, uses_ref, pinned, conclusion, started_at, ended_at);
}
