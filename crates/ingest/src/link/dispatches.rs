//! Handoffs to the runs and jobs they started.

use super::merged;
use leakgraph_model::tables::{Handoff, Run};
use leakgraph_model::{Evidence, Key};
use std::collections::{HashMap, HashSet};

/// Dispatches and child runs farther apart than this are not linked by time.
const WINDOW_SECONDS: f64 = 60.0;
/// Clocks of dispatcher and server may differ by this much.
const SKEW_SECONDS: f64 = 2.0;
/// Candidates below this score are no link.
const LEAST_CONFIDENCE: f64 = 0.2;

pub(super) fn link(evidence: &mut Evidence) {
    evidence.handoffs = merged(std::mem::take(&mut evidence.handoffs), |row| row.handoff_key, merge_handoff);
    drop_scheduled(evidence);
    evidence.handoff_inputs.dedup();
    drop_covered_references(evidence);
    link_children(evidence);
    join_deliveries(evidence);
    link_jobs(evidence);
    gates(evidence);
}

/// The surest row of a handoff, completed by the others.
fn merge_handoff(kept: &mut Handoff, mut other: Handoff) {
    if other.confidence > kept.confidence {
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

/// Finds the child run of dispatches that do not name it: same event, repository and
/// workflow are musts; time, sender, a carried run id and uniqueness add up
/// (research: linking children without an id).
fn link_children(evidence: &mut Evidence) {
    let mut children: HashMap<(String, String), Vec<&Run>> = HashMap::new();
    for run in &evidence.runs {
        if let (Some(repo), Some(event)) = (&run.repo, &run.event) {
            children.entry((repo.to_lowercase(), event.clone())).or_default().push(run);
        }
    }
    for handoff in &mut evidence.handoffs {
        let is_dispatch = matches!(handoff.mechanism.as_str(), "workflow_dispatch" | "repository_dispatch");
        if !is_dispatch || handoff.child_run_key.is_some() {
            continue;
        }
        let Some(repo) = &handoff.child_repo else { continue };
        let candidates = children
            .get(&(repo.to_lowercase(), handoff.mechanism.clone()))
            .map(Vec::as_slice)
            .unwrap_or_default();
        let fitting: Vec<(&Run, f64)> =
            candidates.iter().filter_map(|run| Some((*run, likeness(handoff, run)?))).collect();
        let bonus = if fitting.len() == 1 { 0.2 } else { 0.0 };
        let best = fitting.iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.run_key.cmp(&a.0.run_key)));
        if let Some((run, score)) = best.filter(|(_, score)| score + bonus >= LEAST_CONFIDENCE) {
            handoff.child_run_key = Some(run.run_key);
            handoff.confidence = (score + bonus).min(1.0);
            "temporal".clone_into(&mut handoff.link_method);
        }
    }
}

/// How well a run fits a dispatch; `None` if it cannot be its child.
fn likeness(handoff: &Handoff, run: &Run) -> Option<f64> {
    if handoff.mechanism == "workflow_dispatch" {
        let wanted = handoff.child_workflow.as_deref()?;
        let fits = run.workflow_path.as_deref().is_some_and(|path| path.ends_with(wanted))
            || run.workflow_name.as_deref() == Some(wanted);
        if !fits {
            return None;
        }
    }
    let gap = run.created_at?.seconds_since(handoff.sent_at?);
    if !(-SKEW_SECONDS..=WINDOW_SECONDS).contains(&gap) {
        return None;
    }
    let by_time = 0.4 * (-gap.max(0.0) / 15.0).exp();
    let by_actor = match (&handoff.credential_subject, &run.actor) {
        (Some(sender), Some(actor)) if sender == actor => 0.3,
        _ => 0.0,
    };
    Some(by_time + by_actor)
}

/// A dispatch seen by its sender's log and by the webhook of its receiver is one
/// handoff: the log knows the parent, the webhook the inputs in clear. They are matched
/// by their child, or, where that is unknown, by receiver and time.
fn join_deliveries(evidence: &mut Evidence) {
    let mut logs: Vec<Handoff> =
        evidence.handoffs.iter().filter(|handoff| handoff.evidence == "log").cloned().collect();
    let mut joined: HashMap<Key, Key> = HashMap::new();
    for delivery in evidence.handoffs.iter_mut().filter(|handoff| handoff.evidence == "webhook") {
        let fits = |log: &Handoff| log.mechanism == delivery.mechanism && same_dispatch(log, delivery);
        // Taken, so that a second delivery keeps its own row.
        let Some(log) = logs.iter().position(fits).map(|at| logs.swap_remove(at)) else { continue };
        delivery.parent_run_key = log.parent_run_key;
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

fn same_dispatch(log: &Handoff, delivery: &Handoff) -> bool {
    match (log.child_run_key, delivery.child_run_key) {
        (Some(child), Some(other)) => child == other,
        (None, None) => {
            let repo = |handoff: &Handoff| handoff.child_repo.as_ref().map(|repo| repo.to_lowercase());
            let gap = delivery.sent_at.zip(log.sent_at).map(|(sent, told)| sent.seconds_since(told));
            repo(log).is_some()
                && repo(log) == repo(delivery)
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
    fn the_nearest_fitting_run_is_the_child() {
        let handoff = Handoff {
            mechanism: "workflow_dispatch".to_owned(),
            child_repo: Some("acme/deploy".to_owned()),
            child_workflow: Some("deploy.yml".to_owned()),
            sent_at: Timestamp::parse("2026-10-01T00:00:10Z"),
            ..Handoff::default()
        };
        let near = run("near", "workflow_dispatch", "2026-10-01T00:00:12Z");
        let mut evidence = Evidence {
            handoffs: vec![handoff],
            runs: vec![
                run("early", "workflow_dispatch", "2026-10-01T00:00:01Z"),
                near.clone(),
                run("late", "workflow_dispatch", "2026-10-01T00:00:50Z"),
                run("push", "push", "2026-10-01T00:00:11Z"),
            ],
            ..Evidence::default()
        };
        link(&mut evidence);
        assert_eq!(evidence.handoffs[0].child_run_key, Some(near.run_key));
        assert!(evidence.handoffs[0].confidence > 0.3 && evidence.handoffs[0].confidence < 1.0);
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
