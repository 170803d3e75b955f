//! Trigger decisions: which decision let a run and its jobs start, and how strong it was.
//!
//! `TP = 100 · privilege · (1 − d)`, d the strength of the decision by its class. Bounds take
//! the least and the most privilege, and every gate that cannot be ruled out as passed or not
//! there. A review that is not on record is no proof that there was none.

mod condition;
mod decide;
mod origin;
mod review;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use decide::asks_for_review;
pub(crate) use origin::{is_outsiders_event, is_proposal};

use crate::Error;
use crate::holding::{Holdings, holdings};
use crate::index::Index;
use crate::weights::{Weights, unit};
use decide::{Deciding, Decision};
use leakgraph_model::Key;
use leakgraph_model::scored::TriggerDecision;
use leakgraph_model::tables::{EvidenceGap, Job, Run};
use origin::Origins;
use rayon::prelude::*;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Strength of each class of decision, 0 to 1.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TriggerWeights {
    approved: f64,
    policy: f64,
    condition_only: f64,
    time_only: f64,
    machine: f64,
    #[serde(rename = "self")]
    self_made: f64,
    untrusted: f64,
    privileged: f64,
    link: f64,
}

impl TriggerWeights {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let strengths = [
            self.approved,
            self.policy,
            self.condition_only,
            self.time_only,
            self.machine,
            self.self_made,
            self.untrusted,
        ];
        for value in strengths.iter().chain([&self.privileged, &self.link]) {
            unit("trigger", *value)?;
        }
        Ok(())
    }

    /// Strength of a class; of an unknown one that of the weakest by a member.
    fn strength(&self, class: Class) -> f64 {
        match class {
            Class::Approved => self.approved,
            Class::Policy => self.policy,
            Class::ConditionOnly => self.condition_only,
            Class::TimeOnly => self.time_only,
            Class::Machine => self.machine,
            Class::SelfMade | Class::Unknown => self.self_made,
            Class::Untrusted => self.untrusted,
        }
    }
}

/// Class of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Approved,
    Policy,
    ConditionOnly,
    TimeOnly,
    Machine,
    SelfMade,
    Untrusted,
    Unknown,
}

impl Class {
    fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "APPROVED",
            Self::Policy => "POLICY",
            Self::ConditionOnly => "CONDITION_ONLY",
            Self::TimeOnly => "TIME_ONLY",
            Self::Machine => "MACHINE",
            Self::SelfMade => "SELF",
            Self::Untrusted => "UNTRUSTED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Privilege of a job, or of all jobs of a run.
#[derive(Clone, Debug, Default)]
struct Privilege {
    low: Option<f64>,
    high: f64,
    privileged: Option<bool>,
    secrets: BTreeSet<String>,
    permissions_known: bool,
    secrets_known: bool,
    evidence: BTreeSet<String>,
}

impl Privilege {
    fn of(holdings: &Holdings<'_>, weights: &Weights) -> Self {
        Self {
            low: holdings.low(),
            high: holdings.high(),
            privileged: holdings.privileged(weights.trigger().privileged),
            secrets: holdings.secrets().map(str::to_owned).collect(),
            permissions_known: holdings.permissions_known,
            secrets_known: holdings.secrets_known,
            evidence: holdings.rows.iter().map(|row| row.evidence.clone()).collect(),
        }
    }

    /// What the jobs of a run hold together; a run without jobs may hold anything.
    fn of_run(jobs: &[Self], weights: &Weights) -> Self {
        if jobs.is_empty() {
            return Self { high: weights.privilege().admin, ..Self::default() };
        }
        Self {
            low: jobs.iter().filter_map(|job| job.low).max_by(f64::total_cmp),
            high: jobs.iter().map(|job| job.high).fold(0.0, f64::max),
            privileged: if jobs.iter().any(|job| job.privileged == Some(true)) {
                Some(true)
            } else {
                jobs.iter().all(|job| job.privileged == Some(false)).then_some(false)
            },
            secrets: jobs.iter().flat_map(|job| job.secrets.iter().cloned()).collect(),
            permissions_known: jobs.iter().all(|job| job.permissions_known),
            secrets_known: jobs.iter().all(|job| job.secrets_known),
            evidence: jobs.iter().flat_map(|job| job.evidence.iter().cloned()).collect(),
        }
    }
}

/// A decision per run and per job that started, in the order of keys.
pub(crate) fn decisions(index: &Index<'_>, weights: &Weights) -> Vec<TriggerDecision> {
    let origins = Origins::of(index, weights);
    let deciding = Deciding::of(index, &origins, weights);
    let scoring = Scoring { index, hash: weights.hash() };
    let mut rows: Vec<TriggerDecision> = index
        .evidence
        .runs
        .par_iter()
        .flat_map_iter(|run| {
            let jobs = Index::rows(&index.jobs, run.run_key);
            let mut rows = Vec::with_capacity(jobs.len() + 1);
            let mut held = Vec::with_capacity(jobs.len());
            for job in jobs.iter().filter(|job| started(job)) {
                let privilege = Privilege::of(&holdings(index, job, weights), weights);
                let decision = deciding.job(run, job, jobs.len() == 1);
                rows.push(scoring.row(run, Some(job), decision, &privilege));
                held.push(privilege);
            }
            let whole = Privilege::of_run(&held, weights);
            rows.push(scoring.row(run, None, deciding.run(run), &whole));
            rows
        })
        .collect();
    rows.sort_by_key(|row| row.decision_key);
    rows
}

/// Whether a job ran: one that its condition or a review stopped had no decision to start.
fn started(job: &Job) -> bool {
    job.conclusion.as_deref() != Some("skipped") && job.condition_result != Some(false)
}

struct Scoring<'a> {
    index: &'a Index<'a>,
    hash: String,
}

impl Scoring<'_> {
    fn row(
        &self,
        run: &Run,
        job: Option<&Job>,
        mut decision: Decision,
        privilege: &Privilege,
    ) -> TriggerDecision {
        let start = job.map_or(run.started_at.or(run.created_at), |job| job.started_at);
        let tp = |privilege: f64, strength: f64| 100.0 * privilege * (1.0 - strength);
        let state = state::identity_state(self.index, run, job, decision.decided_by.as_deref());
        if job.is_some() && state == "unknown" {
            decision.gaps.insert("no_inventory");
        }
        if job.is_some() {
            for (known, gap) in
                [(privilege.permissions_known, "no_permissions"), (privilege.secrets_known, "no_secrets")]
            {
                if !known {
                    decision.gaps.insert(gap);
                }
            }
        }
        if run.triggering_actor.is_some() && run.actor.is_some() && run.triggering_actor != run.actor {
            decision.checks.insert("rerun_by_other");
            decision.reasons.push(format!(
                "{} ran it anew with the rights of {}",
                run.triggering_actor.as_deref().unwrap_or_default(),
                run.actor.as_deref().unwrap_or_default()
            ));
        }
        if decision.condition_always_true && privilege.privileged != Some(false) {
            decision.checks.insert("condition_always_true");
            decision.reasons.push("its condition is always true".to_owned());
        }
        decision.reasons.push(match privilege.secrets.len() {
            0 => "no named secret is on record".to_owned(),
            count => format!("{count} named secrets: {}", few(&privilege.secrets)),
        });
        decision.evidence.extend(job.map(|job| format!("jobs:{}", job.job_key)));
        if job.is_some() {
            decision.evidence.extend(privilege.evidence.iter().cloned());
        }
        let known = decision.class != Class::Unknown;
        TriggerDecision {
            decision_key: decision_key(run.run_key, job),
            run_key: run.run_key,
            job_key: job.map(|job| job.job_key),
            subject: self.index.label(run.run_key, job),
            event: run.event.clone(),
            class: decision.class.as_str().to_owned(),
            decided_by: decision.decided_by,
            decided_at: decision.decided_at,
            lag_s: start.zip(decision.decided_at).map(|(start, at)| start.seconds_since(at)),
            condition: decision.condition,
            environment: decision.environment,
            identity_state: state.to_owned(),
            checks: decision.checks.into_iter().map(str::to_owned).collect(),
            privilege: privilege.low,
            privilege_high: privilege.high,
            secrets: i64::try_from(privilege.secrets.len()).unwrap_or(i64::MAX),
            holds_privilege: privilege.privileged,
            strength: decision.strength,
            strength_high: decision.strength_high,
            tp: privilege.low.filter(|_| known).map(|low| tp(low, decision.strength)),
            tp_low: tp(privilege.low.unwrap_or(0.0), decision.strength_high),
            tp_high: tp(privilege.high, decision.strength),
            reasons: decision.reasons,
            evidence: decision.evidence.into_iter().collect(),
            gaps: decision.gaps.into_iter().map(str::to_owned).collect(),
            weights_hash: self.hash.clone(),
        }
    }
}

/// The first names, and how many more.
fn few(names: &BTreeSet<String>) -> String {
    const MOST: usize = 5;
    let mut text = names.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text.push_str(&format!(" and {} more", names.len() - MOST));
    }
    text
}

fn decision_key(run: Key, job: Option<&Job>) -> Key {
    let job = job.map(|job| job.job_key.to_string()).unwrap_or_default();
    Key::of("trigger_decision", &[&run.to_string(), &job])
}

/// What the decisions lacked, as gaps of their runs and jobs.
pub(crate) fn gaps(rows: &[TriggerDecision]) -> impl Iterator<Item = EvidenceGap> {
    rows.iter().flat_map(|row| {
        row.gaps.iter().map(|gap| EvidenceGap {
            subject_key: row.job_key.unwrap_or(row.run_key),
            subject_table: if row.job_key.is_some() { "jobs" } else { "runs" }.to_owned(),
            analytic: "trigger_decision".to_owned(),
            gap: gap.clone(),
            effect: match gap.as_str() {
                _ if row.tp.is_none() => "not_computed",
                // Of the state of identities; the score does without.
                "no_inventory" => "not_computed",
                "no_permissions" | "no_secrets" => "lower_bound_only",
                _ => "upper_bound_only",
            }
            .to_owned(),
        })
    })
}
