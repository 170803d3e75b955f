//! Handoffs to the runs and jobs they started.

use super::children::{self, SKEW_SECONDS};
use super::{fill, merged};
use crate::workflow::github::crossing;
use leakgraph_model::tables::{Handoff, Run};
use leakgraph_model::{Evidence, Key};
use std::collections::{HashMap, HashSet};

pub(super) fn link(evidence: &mut Evidence) {
    evidence.handoffs = merged(std::mem::take(&mut evidence.handoffs), |row| row.handoff_key, merge_handoff);
    drop_scheduled(evidence);
    distinct_inputs(evidence);
    super::named::link(evidence);
    drop_covered_references(evidence);
    children::link(evidence);
    carried_parents(evidence);
    join_deliveries(evidence);
    link_jobs(evidence);
    gates(evidence);
}

/// Both sides of a handoff, or several files, may tell of it: the surest row, of those that
/// know the child if any does, completed by the others.
fn merge_handoff(kept: &mut Handoff, mut other: Handoff) {
    let sureness = |handoff: &Handoff| (handoff.child_run_key.is_some(), handoff.confidence);
    if sureness(&other) > sureness(kept) {
        std::mem::swap(kept, &mut other);
    }
    fill!(
        kept,
        other,
        parent_run_key,
        parent_job_key,
        child_run_key,
        child_job_key,
        child_repo,
        child_workflow,
        credential_subject,
        child_ref,
        child_sha,
        sent_at
    );
    // A console does not say whether a step or a post-build trigger started it.
    if kept.mechanism == "upstream_cause" {
        kept.mechanism = other.mechanism;
    }
    if kept.credential_kind == "unknown" {
        kept.credential_kind = other.credential_kind;
    }
    if kept.link_method == "cause" && other.link_method == "explicit_id" {
        kept.link_method = other.link_method;
    }
}

/// One row per handoff and name, the first: both sides of a handoff may show its inputs.
fn distinct_inputs(evidence: &mut Evidence) {
    let mut seen: HashSet<(Key, String)> = HashSet::new();
    evidence.handoff_inputs.retain(|input| seen.insert((input.handoff_key, input.name.clone())));
}

/// A build that was scheduled without waiting has no number in the log of its parent. Where
/// the child names that parent, it is the same handoff.
fn drop_scheduled(evidence: &mut Evidence) {
    let place =
        |handoff: &Handoff| Some((handoff.parent_run_key?, handoff.child_repo.as_ref()?.to_lowercase()));
    let mut told: HashMap<(Key, String), usize> = HashMap::new();
    for handoff in evidence.handoffs.iter().filter(|handoff| handoff.link_method == "cause") {
        if let Some(place) = place(handoff) {
            *told.entry(place).or_default() += 1;
        }
    }
    // Those the log of the parent gives a number are told already: no second time.
    let is_scheduled = |handoff: &Handoff| {
        handoff.link_method == "unlinked"
            && handoff.evidence == "log"
            && matches!(handoff.mechanism.as_str(), "build_step" | "upstream_cause")
    };
    evidence.handoffs.retain(|handoff| {
        let left = place(handoff).filter(|_| is_scheduled(handoff)).and_then(|place| told.get_mut(&place));
        match left {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        }
    });
}

/// A chain in the log says more than `referenced_workflows` of the same call.
fn drop_covered_references(evidence: &mut Evidence) {
    let by_chain: HashSet<(Option<Key>, Option<String>)> = evidence
        .handoffs
        .iter()
        .filter(|handoff| handoff.link_method == "chain")
        .map(|handoff| (handoff.parent_run_key, handoff.child_workflow.clone()))
        .collect();
    let is_covered = |handoff: &Handoff| {
        handoff.mechanism == "workflow_call"
            && handoff.link_method == "explicit_id"
            && by_chain.contains(&(handoff.parent_run_key, handoff.child_workflow.clone()))
    };
    let dropped: HashSet<Key> = evidence
        .handoffs
        .iter()
        .filter(|handoff| is_covered(handoff))
        .map(|handoff| handoff.handoff_key)
        .collect();
    evidence.handoffs.retain(|handoff| !dropped.contains(&handoff.handoff_key));
    evidence.handoff_inputs.retain(|input| !dropped.contains(&input.handoff_key));
}

/// Confidence of a parent whose run id an input carries: whoever dispatches may write any.
const CARRIED: f64 = 0.5;

/// The parent run that a dispatch names among its inputs. Ids are unique on a platform.
fn carried_parents(evidence: &mut Evidence) {
    let mut runs: HashMap<&str, Vec<&Run>> = HashMap::new();
    for run in &evidence.runs {
        if let Some(id) = &run.platform_run_id {
            runs.entry(id).or_default().push(run);
        }
    }
    for handoff in evidence.handoffs.iter_mut().filter(|handoff| handoff.parent_run_key.is_none()) {
        let attempts = handoff.carried_run_id.as_deref().and_then(|id| runs.get(id));
        // The attempt that ran then: the last one that had begun.
        let begun = |run: &&&Run| match (run.started_at.or(run.created_at), handoff.sent_at) {
            (Some(start), Some(sent)) => sent.seconds_since(start) >= -SKEW_SECONDS,
            _ => true,
        };
        let parent =
            attempts.into_iter().flatten().filter(begun).max_by_key(|run| (run.attempt, run.run_key));
        if let Some(parent) = parent.filter(|parent| Some(parent.run_key) != handoff.child_run_key) {
            handoff.parent_run_key = Some(parent.run_key);
            handoff.crosses = crossing(handoff.child_repo.as_deref(), parent.repo.as_deref()).to_owned();
            if handoff.link_method == "unlinked" {
                "correlation_input".clone_into(&mut handoff.link_method);
                handoff.confidence = CARRIED;
            }
        }
    }
}

/// A dispatch seen by its sender's log and by the webhook of its receiver or in the audit
/// log is one handoff: the log knows the parent, the webhook the inputs in clear, the audit
/// log the credential. They are matched by their child, or, where that is unknown, by
/// receiver and time.
fn join_deliveries(evidence: &mut Evidence) {
    join_audits(evidence);
    let mut logs: Vec<Handoff> =
        evidence.handoffs.iter().filter(|handoff| handoff.evidence == "log").cloned().collect();
    let mut joined: HashMap<Key, Key> = HashMap::new();
    let is_delivery = |handoff: &&mut Handoff| matches!(handoff.evidence.as_str(), "webhook" | "audit");
    for delivery in evidence.handoffs.iter_mut().filter(is_delivery) {
        let fits = |log: &Handoff| log.mechanism == delivery.mechanism && same_dispatch(log, delivery);
        // Taken, so that a second delivery keeps its own row.
        let Some(log) = logs.iter().position(fits).map(|at| logs.swap_remove(at)) else { continue };
        delivery.parent_run_key = log.parent_run_key.or(delivery.parent_run_key);
        delivery.parent_job_key = log.parent_job_key;
        delivery.crosses = log.crosses;
        if log.confidence > delivery.confidence {
            delivery.link_method = log.link_method;
            delivery.confidence = log.confidence;
        }
        joined.insert(log.handoff_key, delivery.handoff_key);
    }
    evidence.handoffs.retain(|handoff| !joined.contains_key(&handoff.handoff_key));
    let known: HashSet<(Key, String)> =
        evidence.handoff_inputs.iter().map(|input| (input.handoff_key, input.name.clone())).collect();
    evidence.handoff_inputs.retain_mut(|input| match joined.get(&input.handoff_key) {
        Some(delivery) => {
            input.handoff_key = *delivery;
            !known.contains(&(*delivery, input.name.clone()))
        }
        None => true,
    });
}

/// What the audit log says of a dispatch whose webhook is known, too: its credential.
fn join_audits(evidence: &mut Evidence) {
    let (audits, mut others): (Vec<Handoff>, Vec<Handoff>) = std::mem::take(&mut evidence.handoffs)
        .into_iter()
        .partition(|row| row.evidence == "audit" && row.mechanism.ends_with("_dispatch"));
    let webhooks = others.iter_mut().filter(|row| row.evidence == "webhook" && row.child_run_key.is_some());
    let mut by_child: HashMap<(Option<Key>, String), &mut Handoff> =
        webhooks.map(|row| ((row.child_run_key, row.mechanism.clone()), row)).collect();
    let mut left = Vec::new();
    for audit in audits {
        match by_child.get_mut(&(audit.child_run_key, audit.mechanism.clone())) {
            Some(webhook) => webhook.credential_kind.clone_from(&audit.credential_kind),
            None => left.push(audit),
        }
    }
    others.append(&mut left);
    evidence.handoffs = others;
}

fn same_dispatch(log: &Handoff, delivery: &Handoff) -> bool {
    match (log.child_run_key, delivery.child_run_key) {
        (Some(child), Some(other)) => child == other,
        (None, None) => {
            let repo = |handoff: &Handoff| handoff.child_repo.as_ref().map(|repo| repo.to_lowercase());
            let gap = delivery.sent_at.zip(log.sent_at).map(|(sent, told)| sent.seconds_since(told));
            let is_named = delivery.parent_run_key.is_some() && delivery.parent_run_key == log.parent_run_key;
            repo(log).is_some()
                && repo(log) == repo(delivery)
                && (is_named || delivery.parent_run_key.is_none())
                && gap.is_some_and(|gap| (-SKEW_SECONDS..=SKEW_SECONDS + 5.0).contains(&gap))
        }
        _ => false,
    }
}

/// A child run of one job is that job; a parent run of one job likewise.
fn link_jobs(evidence: &mut Evidence) {
    let mut jobs: HashMap<Key, Vec<Key>> = HashMap::new();
    for job in &evidence.jobs {
        jobs.entry(job.run_key).or_default().push(job.job_key);
    }
    let only = |run: Option<Key>| match jobs.get(&run?).map(Vec::as_slice) {
        Some([job]) => Some(*job),
        _ => None,
    };
    for handoff in &mut evidence.handoffs {
        let within_one_run = handoff.child_run_key == handoff.parent_run_key;
        if handoff.child_job_key.is_none() && !within_one_run {
            handoff.child_job_key = only(handoff.child_run_key);
        }
        if handoff.parent_job_key.is_none() && !within_one_run {
            handoff.parent_job_key = only(handoff.parent_run_key);
        }
    }
}

/// An approval of the child run by someone other than its actor is a passed gate.
fn gates(evidence: &mut Evidence) {
    let actors: HashMap<Key, &str> =
        evidence.runs.iter().filter_map(|run| Some((run.run_key, run.actor.as_deref()?))).collect();
    let mut states: HashMap<Key, &str> = HashMap::new();
    for approval in &mut evidence.approvals {
        if approval.self_review.is_none() {
            let actor = actors.get(&approval.run_key);
            approval.self_review =
                actor.zip(approval.reviewer.as_deref()).map(|(actor, reviewer)| *actor == reviewer);
        }
    }
    for approval in &evidence.approvals {
        let gate = match (approval.state.as_str(), approval.self_review) {
            ("approved", Some(true)) => "bypassed",
            ("approved", _) => "passed",
            ("pending", _) => "waiting",
            _ => continue,
        };
        states.insert(approval.run_key, gate);
    }
    for handoff in &mut evidence.handoffs {
        if let Some(gate) = handoff.child_run_key.and_then(|run| states.get(&run)) {
            (*gate).clone_into(&mut handoff.gate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakgraph_model::Timestamp;

    fn run(id: &str, event: &str, at: &str) -> Run {
        Run {
            run_key: Key::of("run", &[id]),
            repo: Some("Acme/deploy".to_owned()),
            event: Some(event.to_owned()),
            workflow_path: Some(".github/workflows/deploy.yml".to_owned()),
            created_at: Timestamp::parse(at),
            ..Run::default()
        }
    }

    #[test]
    fn the_log_and_the_webhook_of_a_dispatch_are_one_handoff() {
        let child = run("child", "workflow_dispatch", "2026-10-01T00:00:12Z");
        let row = |name: &str, evidence: &str| Handoff {
            handoff_key: Key::of("handoff", &[name]),
            mechanism: "workflow_dispatch".to_owned(),
            child_repo: Some("acme/deploy".to_owned()),
            child_workflow: Some("deploy.yml".to_owned()),
            sent_at: Timestamp::parse("2026-10-01T00:00:10Z"),
            evidence: evidence.to_owned(),
            ..Handoff::default()
        };
        let log = Handoff { parent_run_key: Some(Key::of("run", &["parent"])), ..row("log", "log") };
        let webhook = row("webhook", "webhook");
        let input = |handoff: &Handoff, name: &str| leakgraph_model::tables::HandoffInput {
            handoff_key: handoff.handoff_key,
            name: name.to_owned(),
            ..Default::default()
        };
        let mut evidence = Evidence {
            handoff_inputs: vec![input(&log, "token"), input(&webhook, "token"), input(&log, "extra")],
            handoffs: vec![log.clone(), webhook.clone()],
            runs: vec![child],
            ..Evidence::default()
        };
        super::link(&mut evidence);
        let [joined] = evidence.handoffs.as_slice() else { panic!("one handoff") };
        assert_eq!((joined.handoff_key, joined.parent_run_key), (webhook.handoff_key, log.parent_run_key));
        let names: Vec<_> = evidence.handoff_inputs.iter().map(|input| input.name.as_str()).collect();
        assert_eq!(names, ["token", "extra"]);
    }
}
