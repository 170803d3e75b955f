//! Trustworthy workflow: seven controls per run, each passed, failed or unknown by rows of
//! evidence. A verdict is no average: one failure makes a run untrustworthy, one unknown leaves
//! it unproven. No click of an approval changes T1, T2 or T3.

mod controls;
mod index;
#[cfg(test)]
mod tests;
mod trend;

use crate::Error;
use crate::handoffs::Crossing;
use index::Index;
use leakgraph_model::scored::{BoundaryCrossing, NhiScore, SecretExposure, TriggerDecision, WorkflowTrust};
use leakgraph_model::tables::{EvidenceGap, Run};
use leakgraph_model::{Evidence, Key};
use rayon::prelude::*;
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The numbers of trust and of the life of secrets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrustWeights {
    /// Excess privilege an identity may have, 0 to 100.
    pub(crate) max_excess: f64,
    /// Days after which a stored secret is over age.
    pub(crate) max_secret_days: f64,
    /// Hours within which a credential ends by itself.
    pub(crate) short_hours: f64,
    /// Hours after which what is issued for hours has ended.
    pub(crate) session_hours: f64,
    /// Runs that the verdict on a workflow looks back on.
    pub(crate) window_runs: usize,
}

impl TrustWeights {
    /// # Errors
    /// A number is out of its bounds.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let positive = [self.max_secret_days, self.short_hours, self.session_hours];
        let is_sound = positive.iter().all(|value| value.is_finite() && *value > 0.0)
            && (0.0..=100.0).contains(&self.max_excess)
            && self.window_runs > 0;
        if is_sound {
            Ok(())
        } else {
            Err(Error::Weights("trust: max_excess must be 0 to 100, all others above 0".to_owned()))
        }
    }
}

/// Which decision let a run or job start, as `trigger_decisions` has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TriggerClass {
    /// APPROVED, POLICY, CONDITION_ONLY, TIME_ONLY, SELF, MACHINE, UNTRUSTED, UNKNOWN.
    pub(crate) class: String,
    /// Whether it held privilege; null if that is not known.
    pub(crate) privileged: Option<bool>,
    /// stale, self, replayed, bypassed, …: what was wrong with the decision.
    pub(crate) faults: Vec<String>,
    /// Its row, as `trigger_decisions:key`.
    pub(crate) evidence: String,
}

/// How a job kept credentials and foreign code apart, as `boundary_crossings` has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct BoundaryClass {
    /// MEDIATED, SHARED, AMBIENT, FULL, NONE, UNKNOWN.
    pub(crate) class: String,
    /// Its row, as `boundary_crossings:key`.
    pub(crate) evidence: String,
}

/// What other analytics concluded, by the key of the run or job. What is absent is unknown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Classes {
    pub(crate) triggers: HashMap<Key, TriggerClass>,
    pub(crate) boundaries: HashMap<Key, BoundaryClass>,
}

impl Classes {
    pub(crate) fn of(decisions: &[TriggerDecision], crossings: &[BoundaryCrossing]) -> Self {
        let trigger = |row: &TriggerDecision| {
            let class = TriggerClass {
                class: row.class.clone(),
                privileged: row.holds_privilege,
                // That a condition is always true says nothing of an approval.
                faults: row
                    .checks
                    .iter()
                    .filter(|check| *check != "condition_always_true")
                    .cloned()
                    .collect(),
                evidence: format!("trigger_decisions:{}", row.decision_key),
            };
            (row.job_key.unwrap_or(row.run_key), class)
        };
        let boundary = |row: &BoundaryCrossing| {
            let evidence = format!("boundary_crossings:{}", row.job_key);
            (row.job_key, BoundaryClass { class: row.class.clone(), evidence })
        };
        Self {
            triggers: decisions.iter().map(trigger).collect(),
            boundaries: crossings.iter().map(boundary).collect(),
        }
    }
}

/// What verdicts rest on beside the evidence.
pub(crate) struct Facts<'a> {
    pub(crate) index: &'a crate::index::Index<'a>,
    pub(crate) crossings: &'a HashMap<Key, Crossing>,
    pub(crate) nhi_scores: &'a [NhiScore],
    pub(crate) exposures: &'a [SecretExposure],
    /// Runs that another must have started that nobody knows.
    pub(crate) orphans: &'a HashSet<Key>,
    pub(crate) classes: &'a Classes,
    pub(crate) weights: &'a TrustWeights,
    pub(crate) weights_hash: &'a str,
}

/// How one control came out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    failures: BTreeSet<String>,
    unknowns: BTreeSet<String>,
    failing: BTreeSet<String>,
    passing: BTreeSet<String>,
}

impl Outcome {
    fn fail(&mut self, reason: String, evidence: String) {
        self.failures.insert(reason);
        self.failing.insert(evidence);
    }

    fn unknown(&mut self, reason: impl Into<String>) {
        self.unknowns.insert(reason.into());
    }

    fn pass(&mut self, evidence: String) {
        self.passing.insert(evidence);
    }

    /// A pass that nothing shows is none.
    fn state(&self) -> &'static str {
        if !self.failures.is_empty() {
            "fail"
        } else if self.unknowns.is_empty() && !self.passing.is_empty() {
            "pass"
        } else {
            "unknown"
        }
    }
}

const NAMES: [&str; 7] = ["T1", "T2", "T3", "T4", "T5", "T6", "T7"];

/// Most reasons and rows of evidence that the row of a workflow repeats.
const MAX_LISTED: usize = 40;

/// Rows by key, and what was missing.
pub(crate) fn trust(evidence: &Evidence, facts: &Facts<'_>) -> (Vec<WorkflowTrust>, Vec<EvidenceGap>) {
    let index = Index::of(evidence, facts);
    let mut runs: Vec<&Run> = evidence.runs.iter().collect();
    runs.sort_by_key(|run| run.run_key);
    runs.dedup_by_key(|run| run.run_key);
    let mut rows: Vec<WorkflowTrust> = runs.par_iter().map(|run| run_row(run, &index, facts)).collect();
    let workflows = trend::workflows(&mut rows, facts);
    let gaps = gaps(&rows);
    rows.extend(workflows);
    rows.sort_by_key(|row| (row.trust_key, row.run_key));
    (rows, gaps)
}

fn run_row(run: &Run, index: &Index<'_>, facts: &Facts<'_>) -> WorkflowTrust {
    let outcomes = controls::outcomes(run, index, facts);
    let mut row = WorkflowTrust {
        trust_key: run.run_key,
        run_key: Some(run.run_key),
        platform: run.platform.clone(),
        repo: run.repo.clone(),
        workflow: run.workflow_path.clone().or_else(|| run.workflow_name.clone()),
        run: run.platform_run_id.as_ref().map(|id| format!("{id}#{}", run.attempt.unwrap_or(1))),
        at: run.created_at.or(run.started_at),
        conclusion: run.conclusion.clone(),
        runs: 1,
        weights_hash: facts.weights_hash.to_owned(),
        ..WorkflowTrust::default()
    };
    let states = [&mut row.t1, &mut row.t2, &mut row.t3, &mut row.t4, &mut row.t5, &mut row.t6, &mut row.t7];
    for (state, outcome) in states.into_iter().zip(&outcomes) {
        outcome.state().clone_into(state);
    }
    for (name, outcome) in NAMES.iter().zip(&outcomes) {
        let listed =
            |texts: &BTreeSet<String>| texts.iter().map(|text| format!("{name}: {text}")).collect::<Vec<_>>();
        let shown =
            |keys: &BTreeSet<String>| keys.iter().map(|key| format!("{name} {key}")).collect::<Vec<_>>();
        row.failures.extend(listed(&outcome.failures));
        row.unknowns.extend(listed(&outcome.unknowns));
        if outcome.state() == "unknown" && outcome.unknowns.is_empty() {
            row.unknowns.push(format!("{name}: nothing shows it"));
        }
        row.failing_evidence.extend(shown(&outcome.failing));
        if outcome.state() == "pass" {
            row.passing_evidence.extend(shown(&outcome.passing));
        }
    }
    judge(&mut row);
    row
}

/// Controls of a row, in order.
fn states(row: &WorkflowTrust) -> [&str; 7] {
    [&row.t1, &row.t2, &row.t3, &row.t4, &row.t5, &row.t6, &row.t7].map(String::as_str)
}

fn judge(row: &mut WorkflowTrust) {
    let states = states(row);
    let verdict = if states.contains(&"fail") {
        "UNTRUSTWORTHY"
    } else if states.iter().all(|state| *state == "pass") {
        "TRUSTWORTHY"
    } else {
        "UNPROVEN"
    };
    verdict.clone_into(&mut row.verdict);
    row.succeeded_but_untrusted =
        row.conclusion.as_ref().map(|conclusion| conclusion == "success" && verdict == "UNTRUSTWORTHY");
}

/// One gap per run and control that could not be decided.
fn gaps(rows: &[WorkflowTrust]) -> Vec<EvidenceGap> {
    let open = |row: &WorkflowTrust| {
        let key = row.trust_key;
        let open =
            NAMES.iter().zip(states(row)).filter(|(_, state)| *state == "unknown").map(|(name, _)| *name);
        open.map(|name| (key, name)).collect::<Vec<_>>()
    };
    rows.iter()
        .flat_map(open)
        .map(|(subject_key, name)| EvidenceGap {
            subject_key,
            subject_table: "runs".to_owned(),
            analytic: "workflow_trust".to_owned(),
            gap: format!("unproven_{}", name.to_lowercase()),
            effect: "not_computed".to_owned(),
        })
        .collect()
}
