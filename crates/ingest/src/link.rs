//! Joins what different files say of the same thing.

use leakgraph_model::tables::{Handoff, Identity, Job, Run};
use leakgraph_model::{Evidence, Key};
use std::collections::{BTreeMap, HashMap};

/// Dispatches and child runs farther apart than this are not linked by time.
const WINDOW_SECONDS: f64 = 60.0;
/// Clocks of dispatcher and server may differ by this much.
const SKEW_SECONDS: f64 = 2.0;
/// Candidates below this score are no link.
const LEAST_CONFIDENCE: f64 = 0.2;

/// Merges rows of equal keys, links handoffs to the runs and jobs they started, and
/// joins identities used to inventories.
pub fn link(evidence: &mut Evidence) {
    evidence.runs = merged(std::mem::take(&mut evidence.runs), |run| run.run_key, merge_run);
    evidence.jobs = merged(std::mem::take(&mut evidence.jobs), |job| job.job_key, merge_job);
    evidence.identities =
        merged(std::mem::take(&mut evidence.identities), |row| row.identity_key, merge_identity);
    evidence.handoffs = merged(std::mem::take(&mut evidence.handoffs), |row| row.handoff_key, |_, _| {});
    evidence.handoff_inputs.dedup();
    drop_covered_references(evidence);
    link_children(evidence);
    link_jobs(evidence);
    gates(evidence);
    join_identities(evidence);
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
        triggering_actor,
        created_at,
        started_at,
        ended_at,
        visibility
    );
    if other.evidence == "rest" {
        kept.evidence = other.evidence;
    }
}

fn merge_job(kept: &mut Job, other: Job) {
    let is_known = |kind: &Option<String>| kind.as_deref().is_some_and(|kind| kind != "unknown");
    if !is_known(&kept.runner_kind) && is_known(&other.runner_kind) {
        kept.runner_kind.clone_from(&other.runner_kind);
    }
    if kept.labels.is_empty() {
        kept.labels = other.labels;
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

fn merge_identity(kept: &mut Identity, other: Identity) {
    fill!(kept, other, unique_id, account, is_nhi, owner, environment, created_at, last_used_at);
    if kept.tags.is_empty() {
        kept.tags = other.tags;
    }
}

/// A chain in the log says more than `referenced_workflows` of the same call.
fn drop_covered_references(evidence: &mut Evidence) {
    let by_chain: std::collections::HashSet<(Option<Key>, Option<String>)> = evidence
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
    let dropped: std::collections::HashSet<Key> = evidence
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

/// Identities by ARN; sessions and trails know no path, so roles also by account and name.
fn join_identities(evidence: &mut Evidence) {
    let mut by_name: HashMap<(String, String), Key> = HashMap::new();
    let mut known: std::collections::HashSet<Key> = std::collections::HashSet::new();
    for identity in &evidence.identities {
        known.insert(identity.identity_key);
        if let Some((account, name)) = role_name(&identity.native_id) {
            by_name.insert((account, name), identity.identity_key);
        }
    }
    let resolve = |key: Option<Key>, arn: Option<&str>| {
        if key.is_some_and(|key| known.contains(&key)) {
            return key;
        }
        arn.and_then(role_name).and_then(|name| by_name.get(&name).copied()).or(key)
    };
    for used in &mut evidence.identities_used {
        used.identity_key = resolve(used.identity_key, used.subject.as_deref());
    }
    for row in &mut evidence.activity {
        row.identity_key = resolve(row.identity_key, Some(&row.principal));
    }
    for row in &mut evidence.assumptions {
        row.source_identity_key = resolve(row.source_identity_key, Some(&row.source));
        row.target_identity_key = resolve(row.target_identity_key, Some(&row.target));
    }
}

/// Account and name of a role or role session.
fn role_name(arn: &str) -> Option<(String, String)> {
    let mut parts = arn.splitn(6, ':');
    let account = parts.nth(4)?;
    let resource = parts.next()?;
    let name = match resource.split_once('/')? {
        ("role", path) => path.rsplit('/').next()?,
        ("assumed-role", session) => session.split('/').next()?,
        _ => return None,
    };
    Some((account.to_owned(), name.to_owned()))
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
    fn sessions_are_matched_to_roles_with_paths() {
        assert_eq!(
            role_name("arn:aws:sts::1:assumed-role/Deploy/s"),
            role_name("arn:aws:iam::1:role/ci/Deploy")
        );
        assert_eq!(role_name("arn:aws:iam::1:user/Deploy"), None);
    }
}
