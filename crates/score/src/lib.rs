//! Scores: excess privilege per identity, blast radius per handoff, identity
//! and secret, and the reach graph they rest on; delegated execution paths, verdicts on
//! workflows, and the exposure of secrets.

mod base;
mod blast;
mod boundary;
mod bridge;
mod choke;
pub mod export;
mod factors;
mod forwarded;
mod graph;
#[cfg(test)]
mod handoff_tests;
mod handoffs;
mod holding;
mod index;
mod lifecycle;
mod path;
mod privilege;
mod relations;
mod secret_exposure;
mod sensitivity;
mod sides;
#[cfg(test)]
mod tests;
mod tokens;
mod trigger;
mod trust;
mod weights;

pub use choke::{Action, Change, Moved, WhatIf};
pub use sensitivity::{Sensitivity, sensitivity};
pub use weights::{ClassWeight, Weights};

/// Reach in graphs of any size, apart from what their nodes are.
pub mod reach {
    pub use crate::graph::closure::{Plan, Radii, radii};
    pub use crate::graph::components::components;
    pub use crate::graph::csr::{Arc, Csr};
    pub use crate::graph::growth::{Closure, Growth};
}

use base::{Base, PrivilegeGap};
use leakgraph_model::scored::{
    BoundaryCrossing, BoundaryStep, ChokePoint, DelegationLink, DelegationPath, HandoffScore, JobHolding,
    NhiLifecycle, NhiScore, NhiUsage, PrivilegePart, PrivilegeTotal, ReachEdge, ReachNode, SecretExposure,
    SecretScore, TokenScore, TriggerDecision, WorkflowTrust,
};
use leakgraph_model::tables::EvidenceGap;
use leakgraph_model::{Evidence, Key};
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
    /// A change names no edge, or more than one.
    #[error("no single edge is called {0:?}: use a choke_key, or SOURCE -> TARGET as in reach_edges")]
    Edge(String),
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
    /// What privilege scores are sums of.
    pub privilege_parts: Vec<PrivilegePart>,
    /// One per account, and one for all.
    pub privilege_totals: Vec<PrivilegeTotal>,
    /// One per NHI that acts.
    pub nhi_lifecycle: Vec<NhiLifecycle>,
    /// One per handoff.
    pub handoff_scores: Vec<HandoffScore>,
    /// One per secret.
    pub secret_scores: Vec<SecretScore>,
    /// Nodes of the reach graph.
    pub reach_nodes: Vec<ReachNode>,
    /// Its edges.
    pub reach_edges: Vec<ReachEdge>,
    /// One per run and job that started.
    pub trigger_decisions: Vec<TriggerDecision>,
    /// What jobs hold.
    pub job_holdings: Vec<JobHolding>,
    /// Steps that can read it.
    pub boundary_steps: Vec<BoundaryStep>,
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
    /// What to cut first.
    pub choke_points: Vec<ChokePoint>,
    /// What was missing.
    pub evidence_gaps: Vec<EvidenceGap>,
}

/// Scores linked evidence.
///
/// # Errors
/// Only if a relational step fails; missing evidence becomes null and a gap.
pub fn score(evidence: &Evidence, weights: &Weights) -> Result<Scores, Error> {
    let base = Base::of(evidence)?;
    let graph = base.graph(evidence, weights);
    let (mut scores, privilege_gaps) = base.ranked(evidence, &graph, weights);
    let (tokens, parts) = tokens::scores(evidence, weights);
    scores.token_scores = tokens;
    scores.privilege_parts.extend(parts);
    scores.nhi_lifecycle = lifecycle::lifecycle(evidence, &scores.nhi_scores, weights);
    let cutter = choke::Cutter::new(evidence, &graph, weights);
    scores.reach_nodes = graph::rows::nodes(evidence, &graph);
    scores.reach_edges = graph::rows::edges(&graph, &cutter.cuts());
    scores.choke_points = cutter.points(weights);
    let index = index::Index::of(evidence, &scores.nhi_scores);
    scores.trigger_decisions = trigger::decisions(&index, weights);
    let boundaries = boundary::crossings(&index, weights);
    scores.boundary_crossings = boundaries.crossings;
    scores.boundary_steps = boundaries.steps;
    scores.job_holdings = boundaries.holdings;
    let mut gaps = gaps(evidence, &scores, &base, &privilege_gaps);
    let classes = trust::Classes::of(&scores.trigger_decisions, &scores.boundary_crossings);
    gaps.extend(delegation_and_trust(&index, &base.crossings, &classes, &mut scores, weights));
    gaps.sort_by(|left, right| {
        (left.subject_key, &left.analytic, &left.gap).cmp(&(right.subject_key, &right.analytic, &right.gap))
    });
    gaps.dedup();
    scores.evidence_gaps = gaps;
    Ok(scores)
}

/// What removing or hardening edges would do to the reach of everything, without doing it.
///
/// # Errors
/// An edge does not exist or is ambiguous, or a relational step fails.
pub fn what_if(evidence: &Evidence, weights: &Weights, changes: &[Change]) -> Result<WhatIf, Error> {
    let base = Base::of(evidence)?;
    let graph = base.graph(evidence, weights);
    choke::Cutter::new(evidence, &graph, weights).what_if(changes).map_err(Error::Edge)
}

/// Paths, exposures and verdicts; gives what they lacked. `classes` is what trigger decisions
/// and boundary crossings say of runs and jobs.
fn delegation_and_trust(
    index: &index::Index<'_>,
    crossings: &HashMap<Key, handoffs::Crossing>,
    classes: &trust::Classes,
    scores: &mut Scores,
    weights: &Weights,
) -> Vec<EvidenceGap> {
    let (evidence, hash) = (index.evidence, weights.hash());
    let paths = path::Facts { index, crossings, weights: weights.delegation(), weights_hash: &hash };
    let mut delegation = path::delegation(evidence, &paths);
    let (exposures, unexposed) = secret_exposure::exposures(evidence, weights.trust());
    let is_orphan = |row: &&DelegationPath| row.orphan == Some(true);
    let orphans = delegation.paths.iter().filter(is_orphan).filter_map(|row| row.root_run_key).collect();
    let facts = trust::Facts {
        index,
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

fn gaps(evidence: &Evidence, scores: &Scores, base: &Base, privilege: &[PrivilegeGap]) -> Vec<EvidenceGap> {
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
    for row in &base.effective {
        for reason in &row.gaps {
            gaps.push(gap(row.identity_key, "identities", "excess_privilege", reason, "lower_bound_only"));
        }
    }
    for handoff in &evidence.handoffs {
        for reason in base.crossings.get(&handoff.handoff_key).into_iter().flat_map(|crossing| &crossing.gaps)
        {
            let effect = if *reason == "no_child" { "lower_bound_only" } else { "upper_bound_only" };
            gaps.push(gap(handoff.handoff_key, "handoffs", "blast_radius", reason, effect));
        }
    }
    for row in scores.secret_scores.iter().filter(|row| row.blast.is_none()) {
        gaps.push(gap(row.secret_key, "secrets", "blast_radius", "no_inventory", "not_computed"));
    }
    gaps.extend(trigger::gaps(&scores.trigger_decisions));
    gaps.extend(boundary::gaps(&scores.boundary_crossings));
    gaps
}
