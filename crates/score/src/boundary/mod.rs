//! Execution boundaries: per job, the first step where code of users or third parties runs
//! with privileged material in reach.
//!
//! `BC = 100 · max over steps of distrust(code) · weight(material in reach) · life(material)`.
//! The upper bound puts all material in reach of every step: code that ran earlier can change
//! what runs later, and a process can read another's memory.

mod code;
mod cross;
mod reach;
#[cfg(test)]
mod tests;

use crate::Error;
use crate::index::Index;
use crate::weights::{Weights, unit};
use leakgraph_model::scored::{BoundaryCrossing, BoundaryStep, JobHolding};
use leakgraph_model::tables::EvidenceGap;
use rayon::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Distrust of code, 0 to 1, and from where on code and material count.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BoundaryWeights {
    untrusted: f64,
    privileged: f64,
    code: BTreeMap<String, f64>,
}

/// Whose code there is.
const ORIGINS: [&str; 9] = [
    "outsider",
    "expression",
    "proposed",
    "build",
    "agent_tool",
    "third_party_unpinned",
    "third_party_pinned",
    "platform",
    "own",
];

impl BoundaryWeights {
    pub(crate) fn check(&self) -> Result<(), Error> {
        for value in self.code.values().chain([&self.untrusted, &self.privileged]) {
            unit("boundary", *value)?;
        }
        if let Some(missing) = ORIGINS.iter().find(|origin| !self.code.contains_key(**origin)) {
            return Err(Error::Weights(format!("no boundary.code.{missing}")));
        }
        match self.code.keys().find(|origin| !ORIGINS.contains(&origin.as_str())) {
            Some(unknown) => Err(Error::Weights(format!("unknown boundary.code.{unknown}"))),
            None => Ok(()),
        }
    }

    fn distrust(&self, origin: &str) -> f64 {
        self.code.get(origin).copied().unwrap_or(1.0)
    }
}

/// A row per job that ran, in the order of keys, and what it rests on.
#[derive(Debug, Default)]
pub(crate) struct Boundaries {
    pub(crate) crossings: Vec<BoundaryCrossing>,
    pub(crate) steps: Vec<BoundaryStep>,
    pub(crate) holdings: Vec<JobHolding>,
}

/// Looks at every job that ran.
pub(crate) fn crossings(index: &Index<'_>, weights: &Weights) -> Boundaries {
    let hash = weights.hash();
    let mut looked: Vec<cross::Looked> = index
        .evidence
        .jobs
        .par_iter()
        .filter(|job| job.conclusion.as_deref() != Some("skipped") && job.condition_result != Some(false))
        .map(|job| cross::row(index, job, weights, &hash))
        .collect();
    looked.sort_by_key(|looked| looked.crossing.job_key);
    let mut found = Boundaries::default();
    for cross::Looked { crossing, steps, holdings } in looked {
        found.crossings.push(crossing);
        found.steps.extend(steps);
        found.holdings.extend(holdings);
    }
    found
}

/// What the rows lacked, as gaps of their jobs.
pub(crate) fn gaps(rows: &[BoundaryCrossing]) -> impl Iterator<Item = EvidenceGap> {
    rows.iter().flat_map(|row| {
        row.gaps.iter().map(|gap| EvidenceGap {
            subject_key: row.job_key,
            subject_table: "jobs".to_owned(),
            analytic: "boundary_crossing".to_owned(),
            gap: gap.clone(),
            effect: if row.bc.is_none() { "not_computed" } else { "lower_bound_only" }.to_owned(),
        })
    })
}
