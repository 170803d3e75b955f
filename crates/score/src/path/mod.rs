//! Delegated execution paths: from the event that set work going over every handoff to the
//! identities it was done as and the calls they made.
//!
//! `DP = 100·(1 − Π_links (1 − r))`,
//! `r = 0.5·w·(1 − 0.6·revalidated)·(1 − 0.4·revocable)·(1.25 if widened)`.
//!
//! A link's `w` is what it hands over: token scopes and secrets of the jobs behind a trigger or
//! handoff, grants of the identity behind a credential. API calls hand over nothing.

mod facts;
mod hops;
mod links;
mod root;
mod rows;
#[cfg(test)]
mod tests;
mod walk;

use crate::Error;
use crate::handoffs::Crossing;
use crate::index::Index;
use leakgraph_model::scored::{DelegationLink, DelegationPath};
use leakgraph_model::tables::EvidenceGap;
use leakgraph_model::{Evidence, Key};
use rayon::prelude::*;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The numbers of delegation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DelegationWeights {
    /// Risk of a link that hands over full privilege with no check.
    privilege: f64,
    /// Share of the risk that a re-validation takes away.
    revalidated: f64,
    /// Share of the rest that goes where the credential dies with its origin.
    revocable: f64,
    /// Factor where the far side holds more than the near one.
    widened: f64,
    /// Weight of a named secret.
    secret: f64,
    /// Hours for which an approval holds.
    approval_hours: f64,
    /// Paths of one root, and hops of one path; beyond them a gap is recorded.
    max_paths: usize,
    max_links: usize,
    /// Logins of AI agents.
    pub(super) agents: Vec<String>,
    /// Weights of token scopes; `read` and `write` are those of the others.
    scope: BTreeMap<String, f64>,
}

impl DelegationWeights {
    /// # Errors
    /// A number is out of its bounds.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let units = [self.privilege, self.revalidated, self.revocable, self.secret];
        if units.iter().chain(self.scope.values()).any(|value| !(0.0..=1.0).contains(value)) {
            return Err(Error::Weights("delegation: weights must be 0 to 1".to_owned()));
        }
        let is_sound = self.widened.is_finite() && self.widened >= 1.0 && self.approval_hours > 0.0;
        // A path is walked by recursion.
        if is_sound && self.max_paths > 0 && (1..=512).contains(&self.max_links) {
            Ok(())
        } else {
            let bounds = "widened at least 1, approval_hours and max_paths above 0, max_links 1 to 512";
            Err(Error::Weights(format!("delegation: {bounds}")))
        }
    }

    fn scope(&self, scope: &str) -> f64 {
        let access = scope.rsplit(':').next().unwrap_or_default();
        let access = if access == "admin" { "write" } else { access };
        self.scope.get(scope).or_else(|| self.scope.get(access)).copied().unwrap_or(1.0)
    }
}

/// What paths rest on beside the evidence.
pub(crate) struct Facts<'a> {
    pub(crate) index: &'a Index<'a>,
    pub(crate) crossings: &'a HashMap<Key, Crossing>,
    pub(crate) weights: &'a DelegationWeights,
    pub(crate) weights_hash: &'a str,
}

/// Paths by key, their links in order, and what was missing.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Delegation {
    pub(crate) paths: Vec<DelegationPath>,
    pub(crate) links: Vec<DelegationLink>,
    pub(crate) gaps: Vec<EvidenceGap>,
}

pub(crate) fn delegation(evidence: &Evidence, facts: &Facts<'_>) -> Delegation {
    let known = facts::Known::of(evidence, facts);
    let hops = hops::Hops::of(evidence);
    let calls = links::Calls::of(evidence);
    let ranks: Vec<f64> = hops.all.iter().map(|hop| links::hop_risk(&known, hop).central).collect();
    let limits = walk::Limits { paths: facts.weights.max_paths, links: facts.weights.max_links };
    let walked = walk::walk(&hops, &starts(evidence, &hops), &ranks, limits);
    let mut built: Vec<(DelegationPath, Vec<DelegationLink>)> = walked
        .chains
        .par_iter()
        .map(|chain| {
            let is_loop = walked.loops.contains(&chain.root);
            rows::path(&known, &hops, &calls, chain, is_loop, facts.weights_hash)
        })
        .collect();
    built.sort_by_key(|(path, _)| path.path_key);
    let mut delegation = Delegation { gaps: gaps(&built, &walked.cut), ..Delegation::default() };
    for (path, links) in built {
        delegation.paths.push(path);
        delegation.links.extend(links);
    }
    delegation
}

/// Every run that a path may begin with, the earliest first.
fn starts(evidence: &Evidence, hops: &hops::Hops<'_>) -> Vec<Key> {
    let times: HashMap<Key, _> =
        evidence.runs.iter().map(|run| (run.run_key, run.created_at.or(run.started_at))).collect();
    let ends = hops.all.iter().flat_map(|hop| [hop.parent, hop.child]).flatten().map(|unit| unit.run);
    let mut runs: Vec<Key> = times.keys().copied().chain(ends).collect();
    runs.sort_unstable();
    runs.dedup();
    // Runs without a time come last.
    runs.sort_by_key(|run| {
        let at = times.get(run).copied().flatten();
        (at.is_none(), at, *run)
    });
    runs
}

fn gaps(built: &[(DelegationPath, Vec<DelegationLink>)], cut: &BTreeSet<Key>) -> Vec<EvidenceGap> {
    let mut found: BTreeSet<(Key, &str, &str, &str)> = BTreeSet::new();
    for run in cut {
        found.insert((*run, "runs", "too_many_paths", "lower_bound_only"));
    }
    for (path, links) in built {
        for link in links {
            let Some(handoff) = link.handoff_key else { continue };
            for gap in &link.gaps {
                let effect = if gap == "no_child" { "lower_bound_only" } else { "upper_bound_only" };
                found.insert((handoff, "handoffs", gap, effect));
            }
        }
        let Some(run) = path.root_run_key else { continue };
        for gap in &path.gaps {
            if let "no_parent" | "no_conclusion" | "no_actor" | "no_offboarding" | "cycle" | "too_long" =
                gap.as_str()
            {
                found.insert((run, "runs", gap, "not_computed"));
            }
        }
    }
    found
        .into_iter()
        .map(|(subject_key, table, gap, effect)| EvidenceGap {
            subject_key,
            subject_table: table.to_owned(),
            analytic: "delegation_path".to_owned(),
            gap: gap.to_owned(),
            effect: effect.to_owned(),
        })
        .collect()
}
