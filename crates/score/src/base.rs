//! What the evidence says before graph and weights come in, and the rankings made of it.

use crate::{Error, Scores, Weights, blast, graph, handoffs, privilege, relations, sides};
use leakgraph_model::tables::{Grant, Identity};
use leakgraph_model::{Evidence, Key};
use leakgraph_policy::Escalation;
use rayon::prelude::*;
use std::collections::HashMap;

/// An identity, and (gap, effect) of what it lacks.
pub(crate) type PrivilegeGap = (Key, (&'static str, &'static str));

/// What the evidence says, whatever the weights.
pub(crate) struct Base {
    pub(crate) sides: sides::Sides,
    pub(crate) usage: HashMap<Key, Vec<relations::Use>>,
    pub(crate) crossings: HashMap<Key, handoffs::Crossing>,
    pub(crate) effective: Vec<leakgraph_policy::Effective>,
    pub(crate) assume: Vec<leakgraph_policy::AssumeEdge>,
    pub(crate) escalations: Vec<Escalation>,
}

impl Base {
    pub(crate) fn of(evidence: &Evidence) -> Result<Self, Error> {
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

    pub(crate) fn graph(&self, evidence: &Evidence, weights: &Weights) -> graph::Graph {
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
    /// And what identities lack for their excess privilege.
    pub(crate) fn ranked(
        &self,
        evidence: &Evidence,
        graph: &graph::Graph,
        weights: &Weights,
    ) -> (Scores, Vec<PrivilegeGap>) {
        let blast = blast::Blast::new(evidence, graph, weights);
        let mut scores = Scores::default();
        let gaps = self.privileges(evidence, weights, &mut scores);
        blast.identities(&mut scores.nhi_scores);
        scores.handoff_scores = blast.handoffs(&self.sides, &self.crossings);
        scores.secret_scores = blast.secrets();
        (scores, gaps)
    }

    /// Fills the tables of excess privilege; returns what identities lack for it.
    fn privileges(&self, evidence: &Evidence, weights: &Weights, scores: &mut Scores) -> Vec<PrivilegeGap> {
        let trails = privilege::trails(evidence);
        let identities: HashMap<Key, &Identity> =
            evidence.identities.iter().map(|row| (row.identity_key, row)).collect();
        let mut paths: HashMap<Key, Vec<&Escalation>> = HashMap::new();
        for path in &self.escalations {
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
        let scored: Vec<privilege::Scored> = self
            .effective
            .par_iter()
            .filter_map(|effective| {
                let key = effective.identity_key;
                let identity = identities.get(&key).filter(|identity| identity.is_nhi != Some(false))?;
                let subject = privilege::Subject {
                    identity,
                    effective,
                    escalations: paths.get(&key).map_or(&[], Vec::as_slice),
                    grants: grants.get(&key).map_or(&[], Vec::as_slice),
                    uses: self.usage.get(&key).map_or(&[], Vec::as_slice),
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
            scores.privilege_parts.extend(scored.parts);
        }
        scores.privilege_totals = privilege::totals(&scores.nhi_scores, &identities, weights);
        gaps
    }
}
