//! Scores: excess privilege per identity, blast radius per handoff, identity
//! and secret, and the reach graph they rest on.

mod blast;
mod bridge;
mod choke;
pub mod export;
mod factors;
mod forwarded;
mod graph;
#[cfg(test)]
mod handoff_tests;
mod handoffs;
mod privilege;
mod relations;
mod sensitivity;
mod sides;
#[cfg(test)]
mod tests;
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

use leakgraph_model::scored::{ChokePoint, HandoffScore, NhiScore, ReachEdge, SecretScore};
use leakgraph_model::tables::{EvidenceGap, Identity};
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
    /// A change names no edge, or more than one.
    #[error("no single edge is called {0:?}: use a choke_key, or SOURCE -> TARGET as in reach_edges")]
    Edge(String),
}

/// Rows of the scored tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// One per NHI with grants.
    pub nhi_scores: Vec<NhiScore>,
    /// One per handoff.
    pub handoff_scores: Vec<HandoffScore>,
    /// One per secret.
    pub secret_scores: Vec<SecretScore>,
    /// The reach graph.
    pub reach_edges: Vec<ReachEdge>,
    /// What to cut first.
    pub choke_points: Vec<ChokePoint>,
    /// What was missing.
    pub evidence_gaps: Vec<EvidenceGap>,
}

/// What the evidence says, whatever the weights.
struct Base {
    sides: sides::Sides,
    usage: HashMap<Key, Vec<relations::Use>>,
    crossings: HashMap<Key, handoffs::Crossing>,
    effective: Vec<leakgraph_policy::Effective>,
    assume: Vec<leakgraph_policy::AssumeEdge>,
    escalations: Vec<Escalation>,
}

impl Base {
    fn of(evidence: &Evidence) -> Result<Self, Error> {
        let sides = sides::Sides::of(evidence);
        let effective = leakgraph_policy::effective(&evidence.identities, &evidence.grants);
        Ok(Self {
            usage: relations::usage(evidence)?,
            crossings: handoffs::crossings(evidence, &sides)?,
            assume: leakgraph_policy::assume_edges(&evidence.identities, &evidence.grants, &evidence.trusts),
            escalations: leakgraph_policy::escalations(
                &effective,
                &evidence.identities,
                &evidence.grants,
                &evidence.trusts,
            ),
            sides,
            effective,
        })
    }

    fn graph(&self, evidence: &Evidence, weights: &Weights) -> graph::Graph {
        let facts = graph::build::Facts {
            sides: &self.sides,
            crossings: &self.crossings,
            effective: &self.effective,
            assume: &self.assume,
            escalations: &self.escalations,
        };
        graph::build::build(evidence, &facts, weights)
    }

    /// What is ranked: identities, handoffs and secrets.
    fn ranked(&self, evidence: &Evidence, graph: &graph::Graph, weights: &Weights) -> Scores {
        let blast = blast::Blast::new(evidence, graph, weights);
        let mut nhi_scores = nhi_scores(evidence, &self.effective, &self.escalations, &self.usage, weights);
        blast.identities(&mut nhi_scores);
        Scores {
            nhi_scores,
            handoff_scores: blast.handoffs(&self.sides, &self.crossings),
            secret_scores: blast.secrets(),
            ..Scores::default()
        }
    }
}

/// Scores linked evidence.
///
/// # Errors
/// Only if a relational step fails; missing evidence becomes null and a gap.
pub fn score(evidence: &Evidence, weights: &Weights) -> Result<Scores, Error> {
    let base = Base::of(evidence)?;
    let graph = base.graph(evidence, weights);
    let mut scores = base.ranked(evidence, &graph, weights);
    scores.reach_edges = blast::reach_edges(&graph);
    scores.choke_points = choke::Cutter::new(evidence, &graph, weights).points(weights);
    scores.evidence_gaps = gaps(evidence, &scores, &base.crossings, &base.effective);
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

fn nhi_scores(
    evidence: &Evidence,
    effective: &[leakgraph_policy::Effective],
    escalations: &[Escalation],
    usage: &HashMap<Key, Vec<relations::Use>>,
    weights: &Weights,
) -> Vec<NhiScore> {
    let windows = privilege::windows(evidence);
    let identities: HashMap<Key, &Identity> =
        evidence.identities.iter().map(|row| (row.identity_key, row)).collect();
    let mut paths: HashMap<Key, Vec<&Escalation>> = HashMap::new();
    for path in escalations {
        paths.entry(path.identity_key).or_default().push(path);
    }
    effective
        .par_iter()
        .filter_map(|effective| {
            let identity = identities.get(&effective.identity_key)?;
            if identity.is_nhi == Some(false) {
                return None;
            }
            let key = effective.identity_key;
            let subject = privilege::Subject {
                identity,
                effective,
                escalations: paths.get(&key).map_or(&[], Vec::as_slice),
                used: usage.get(&key).map_or(&[], Vec::as_slice),
                window: privilege::account(identity).and_then(|account| windows.get(&account).copied()),
            };
            Some(privilege::score(&subject, weights))
        })
        .collect()
}

fn gaps(
    evidence: &Evidence,
    scores: &Scores,
    crossings: &HashMap<Key, handoffs::Crossing>,
    effective: &[leakgraph_policy::Effective],
) -> Vec<EvidenceGap> {
    let gap = |subject: Key, table: &str, analytic: &str, gap: &str, effect: &str| EvidenceGap {
        subject_key: subject,
        subject_table: table.to_owned(),
        analytic: analytic.to_owned(),
        gap: gap.to_owned(),
        effect: effect.to_owned(),
    };
    let mut gaps = Vec::new();
    for row in scores.nhi_scores.iter().filter(|row| row.excess.is_none()) {
        gaps.push(gap(row.identity_key, "identities", "excess_privilege", "no_usage", "not_computed"));
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
    gaps.sort_by(|left, right| {
        (left.subject_key, &left.analytic, &left.gap).cmp(&(right.subject_key, &right.analytic, &right.gap))
    });
    gaps.dedup();
    gaps
}
