//! Scores: excess privilege per identity, blast radius per handoff, identity
//! and secret, and the reach graph they rest on; delegated execution paths, verdicts on
//! workflows, and the exposure of secrets.

mod blast;
mod boundary;
mod bridge;
mod graph;
mod handoffs;
mod holding;
mod index;
mod lifecycle;
mod path;
mod privilege;
mod relations;
mod secret_exposure;
mod sides;
#[cfg(test)]
mod tests;
mod tokens;
mod trigger;
mod trust;
mod weights;

pub use weights::{ClassWeight, Weights};

use leakgraph_model::scored::{
    BoundaryCrossing, DelegationLink, DelegationPath, HandoffScore, NhiLifecycle, NhiScore, NhiUsage,
    PrivilegeTotal, ReachEdge, SecretExposure, SecretScore, TokenScore, TriggerDecision, WorkflowTrust,
};
use leakgraph_model::tables::{EvidenceGap, Grant, Identity};
use leakgraph_model::{Evidence, Key};
use leakgraph_policy::Escalation;
use rayon::prelude::*;
use std::collections::HashMap;

/// Why scoring failed; missing evidence is no failure but a gap.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The weights are malformed.
    #[error("weights: {0}")]
    Weights(String),
    /// Rows could not be made an Arrow batch.
    #[error("columns: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// A relational step failed.
    #[error("relational step: {0}")]
    Polars(#[from] polars::error::PolarsError),
}

/// Rows of the scored tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// One per NHI with grants.
    pub nhi_scores: Vec<NhiScore>,
    /// One per identity and action that it used or tried.
    pub nhi_usage: Vec<NhiUsage>,
    /// One per job of a workflow with a token.
    pub token_scores: Vec<TokenScore>,
    /// One per account, and one for all.
    pub privilege_totals: Vec<PrivilegeTotal>,
    /// One per NHI that acts.
    pub nhi_lifecycle: Vec<NhiLifecycle>,
    /// One per handoff.
    pub handoff_scores: Vec<HandoffScore>,
    /// One per secret.
    pub secret_scores: Vec<SecretScore>,
    /// The reach graph.
    pub reach_edges: Vec<ReachEdge>,
    /// One per run and job that started.
    pub trigger_decisions: Vec<TriggerDecision>,
    /// One per job.
    pub boundary_crossings: Vec<BoundaryCrossing>,
    /// One per chain of handoffs.
    pub delegation_paths: Vec<DelegationPath>,
    /// Their links.
    pub delegation_links: Vec<DelegationLink>,
    /// One per run and one per workflow.
    pub workflow_trust: Vec<WorkflowTrust>,
    /// One per secret.
    pub secret_exposures: Vec<SecretExposure>,
    /// What was missing.
    pub evidence_gaps: Vec<EvidenceGap>,
}

/// Scores linked evidence.
///
/// # Errors
/// Only if a relational step fails; missing evidence becomes null and a gap.
pub fn score(evidence: &Evidence, weights: &Weights) -> Result<Scores, Error> {
    let sides = sides::Sides::of(evidence);
    let usage = relations::usage(evidence)?;
    let crossings = handoffs::crossings(evidence, &sides)?;
    let effective = leakgraph_policy::effective(&evidence.identities, &evidence.grants);
    let assume = leakgraph_policy::assume_edges(&evidence.identities, &evidence.grants, &evidence.trusts);
    let escalations =
        leakgraph_policy::escalations(&effective, &evidence.identities, &evidence.grants, &evidence.trusts);
    let facts = graph::build::Facts {
        sides: &sides,
        crossings: &crossings,
        effective: &effective,
        assume: &assume,
        escalations: &escalations,
    };
    let graph = graph::build::build(evidence, &facts, weights);
    let blast = blast::Blast::new(evidence, &graph, weights);
    let mut scores = Scores::default();
    let privilege_gaps = privileges(evidence, &effective, &escalations, &usage, weights, &mut scores);
    blast.identities(&mut scores.nhi_scores);
    scores.token_scores = tokens::scores(evidence, weights);
    scores.nhi_lifecycle = lifecycle::lifecycle(evidence, &scores.nhi_scores, weights);
    scores.handoff_scores = blast.handoffs(&sides, &crossings);
    scores.secret_scores = blast.secrets();
    scores.reach_edges = blast::reach_edges(&graph);
    let index = index::Index::of(evidence, &scores.nhi_scores);
    scores.trigger_decisions = trigger::decisions(&index, weights);
    scores.boundary_crossings = boundary::crossings(&index, weights);
    scores.evidence_gaps = gaps(evidence, &scores, &crossings, &effective, &privilege_gaps);
    let classes = trust::Classes::of(&scores.trigger_decisions, &scores.boundary_crossings);
    let more = delegation_and_trust(evidence, &crossings, &classes, &mut scores, weights);
    scores.evidence_gaps.extend(more);
    scores.evidence_gaps.sort_by(|left, right| {
        let order = |gap: &EvidenceGap| (gap.subject_key, gap.analytic.clone(), gap.gap.clone());
        order(left).cmp(&order(right))
    });
    Ok(scores)
}

/// Paths, exposures and verdicts; gives what they lacked. `classes` is what trigger decisions
/// and boundary crossings say of runs and jobs.
fn delegation_and_trust(
    evidence: &Evidence,
    crossings: &HashMap<Key, handoffs::Crossing>,
    classes: &trust::Classes,
    scores: &mut Scores,
    weights: &Weights,
) -> Vec<EvidenceGap> {
    let hash = weights.hash();
    let paths = path::Facts {
        crossings,
        nhi_scores: &scores.nhi_scores,
        weights: weights.delegation(),
        weights_hash: &hash,
    };
    let mut delegation = path::delegation(evidence, &paths);
    let (exposures, unexposed) = secret_exposure::exposures(evidence, weights.trust());
    let is_orphan = |row: &&DelegationPath| row.orphan == Some(true);
    let orphans = delegation.paths.iter().filter(is_orphan).filter_map(|row| row.root_run_key).collect();
    let facts = trust::Facts {
        crossings,
        nhi_scores: &scores.nhi_scores,
        exposures: &exposures,
        orphans: &orphans,
        classes,
        weights: weights.trust(),
        weights_hash: &hash,
    };
    let (trust, unproven) = trust::trust(evidence, &facts);
    delegation.gaps.extend(unexposed);
    delegation.gaps.extend(unproven);
    scores.delegation_paths = delegation.paths;
    scores.delegation_links = delegation.links;
    scores.workflow_trust = trust;
    scores.secret_exposures = exposures;
    delegation.gaps
}

/// Fills the tables of excess privilege; returns what identities lack for it.
fn privileges(
    evidence: &Evidence,
    effective: &[leakgraph_policy::Effective],
    escalations: &[Escalation],
    usage: &HashMap<Key, Vec<relations::Use>>,
    weights: &Weights,
    scores: &mut Scores,
) -> Vec<(Key, (&'static str, &'static str))> {
    let trails = privilege::trails(evidence);
    let identities: HashMap<Key, &Identity> =
        evidence.identities.iter().map(|row| (row.identity_key, row)).collect();
    let mut paths: HashMap<Key, Vec<&Escalation>> = HashMap::new();
    for path in escalations {
        paths.entry(path.identity_key).or_default().push(path);
    }
    let mut grants: HashMap<Key, Vec<&Grant>> = HashMap::new();
    for grant in &evidence.grants {
        grants.entry(grant.identity_key).or_default().push(grant);
    }
    let mut assumed: HashMap<Key, i64> = HashMap::new();
    for row in evidence.assumptions.iter().filter(|row| !row.denied) {
        if let Some((key, at)) = row.target_identity_key.zip(row.last_at.or(row.first_at)) {
            let last = assumed.entry(key).or_insert(at.0);
            *last = at.0.max(*last);
        }
    }
    let scored: Vec<privilege::Scored> = effective
        .par_iter()
        .filter_map(|effective| {
            let key = effective.identity_key;
            let identity = identities.get(&key).filter(|identity| identity.is_nhi != Some(false))?;
            let subject = privilege::Subject {
                identity,
                effective,
                escalations: paths.get(&key).map_or(&[], Vec::as_slice),
                grants: grants.get(&key).map_or(&[], Vec::as_slice),
                uses: usage.get(&key).map_or(&[], Vec::as_slice),
                trail: privilege::account(identity).and_then(|account| trails.get(&account)),
                assumed: assumed.get(&key).copied(),
            };
            Some(privilege::score(&subject, weights))
        })
        .collect();
    let mut gaps = Vec::new();
    for scored in scored {
        gaps.extend(scored.gaps.into_iter().map(|gap| (scored.score.identity_key, gap)));
        scores.nhi_scores.push(scored.score);
        scores.nhi_usage.extend(scored.usage);
    }
    scores.privilege_totals = privilege::totals(&scores.nhi_scores, &identities, weights);
    gaps
}

fn gaps(
    evidence: &Evidence,
    scores: &Scores,
    crossings: &HashMap<Key, handoffs::Crossing>,
    effective: &[leakgraph_policy::Effective],
    privilege: &[(Key, (&'static str, &'static str))],
) -> Vec<EvidenceGap> {
    let gap = |subject: Key, table: &str, analytic: &str, gap: &str, effect: &str| EvidenceGap {
        subject_key: subject,
        subject_table: table.to_owned(),
        analytic: analytic.to_owned(),
        gap: gap.to_owned(),
        effect: effect.to_owned(),
    };
    let mut gaps = Vec::new();
    for (key, (reason, effect)) in privilege {
        gaps.push(gap(*key, "identities", "excess_privilege", reason, effect));
    }
    for row in effective {
        for reason in &row.gaps {
            gaps.push(gap(row.identity_key, "identities", "excess_privilege", reason, "lower_bound_only"));
        }
    }
    for handoff in &evidence.handoffs {
        for reason in crossings.get(&handoff.handoff_key).into_iter().flat_map(|crossing| &crossing.gaps) {
            let effect = if *reason == "no_child" { "lower_bound_only" } else { "upper_bound_only" };
            gaps.push(gap(handoff.handoff_key, "handoffs", "blast_radius", reason, effect));
        }
    }
    for row in scores.secret_scores.iter().filter(|row| row.blast.is_none()) {
        gaps.push(gap(row.secret_key, "secrets", "blast_radius", "no_inventory", "not_computed"));
    }
    gaps.extend(trigger::gaps(&scores.trigger_decisions));
    gaps.extend(boundary::gaps(&scores.boundary_crossings));
    gaps.sort_by(|left, right| {
        (left.subject_key, &left.analytic, &left.gap).cmp(&(right.subject_key, &right.analytic, &right.gap))
    });
    gaps.dedup();
    gaps
}
