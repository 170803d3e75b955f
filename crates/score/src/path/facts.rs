//! What the evidence says of the two sides of a link: privilege, checks, revocability, agents.

use super::hops::{Hop, Unit};
use super::{DelegationWeights, Facts};
use crate::handoffs::Crossing;
use crate::holding::may_be_own_token;
use crate::index::{Index, by_key};
use leakgraph_model::tables::{Approval, Job};
use leakgraph_model::{Evidence, Key, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Clocks of two systems may differ by this much.
pub(super) const SKEW_SECONDS: f64 = 2.0;

/// What a unit holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Held {
    /// Label to weight.
    pub(super) privileges: BTreeMap<String, f64>,
    /// Whether the permissions of its token are known.
    pub(super) is_known: bool,
}

impl Held {
    pub(super) fn heaviest(&self) -> Option<f64> {
        let most = self.privileges.values().copied().fold(0.0, f64::max);
        (self.is_known || !self.privileges.is_empty()).then_some(most)
    }
}

/// Answer to "was it checked again, and how?".
pub(super) type Check = (Option<bool>, Option<&'static str>);

pub(super) struct Known<'a> {
    pub(super) weights: &'a DelegationWeights,
    pub(super) index: &'a Index<'a>,
    pub(super) jobs: HashMap<Key, &'a Job>,
    pub(super) crossings: &'a HashMap<Key, Crossing>,
    held: HashMap<Key, Held>,
    approvals: HashMap<Key, Vec<&'a Approval>>,
    agent_jobs: HashSet<Key>,
}

impl<'a> Known<'a> {
    pub(super) fn of(evidence: &'a Evidence, facts: &Facts<'a>) -> Self {
        let agents = evidence.steps.iter().filter(|step| matches!(step.kind.as_str(), "tool" | "model"));
        let called = evidence.handoffs.iter().filter(|row| row.mechanism == "agent_call");
        Self {
            weights: facts.weights,
            index: facts.index,
            jobs: evidence.jobs.iter().map(|job| (job.job_key, job)).collect(),
            crossings: facts.crossings,
            held: held(evidence, facts),
            approvals: by_key(evidence.approvals.iter().map(|row| (row.run_key, row))),
            agent_jobs: agents
                .map(|step| step.job_key)
                .chain(called.filter_map(|row| row.child_job_key))
                .collect(),
        }
    }

    /// The jobs that stand for a unit: all of its run, if none is named.
    pub(super) fn jobs_of(&self, unit: Unit) -> Vec<Key> {
        match unit.job {
            Some(job) => vec![job],
            None => jobs_of(self.index, unit.run),
        }
    }

    pub(super) fn held(&self, unit: Unit) -> Held {
        let mut all = Held::default();
        for held in self.jobs_of(unit).iter().filter_map(|job| self.held.get(job)) {
            all.is_known |= held.is_known;
            all.privileges.extend(held.privileges.iter().map(|(name, weight)| (name.clone(), *weight)));
        }
        all
    }

    /// `widened`, `same`, `narrowed` or `unknown`, from what is known of the crossing.
    pub(super) fn scope_change(&self, hop: &Hop<'_>) -> &'static str {
        let Some(crossing) = self.crossings.get(&hop.handoff.handoff_key) else { return "unknown" };
        let is_open = crossing.gaps.iter().any(|gap| matches!(*gap, "no_child" | "no_permissions"));
        if !crossing.permissions_added.is_empty() || !crossing.secrets_added.is_empty() {
            "widened"
        } else if is_open {
            "unknown"
        } else if crossing.permissions_dropped.is_empty() {
            "same"
        } else {
            "narrowed"
        }
    }

    /// When a hop was crossed: sent, else the child's beginning.
    pub(super) fn crossed_at(&self, hop: &Hop<'_>) -> Option<Timestamp> {
        hop.handoff.sent_at.or_else(|| hop.child.and_then(|child| self.begin(child)))
    }

    pub(super) fn begin(&self, unit: Unit) -> Option<Timestamp> {
        let job = unit.job.and_then(|job| self.jobs.get(&job)).and_then(|job| job.started_at);
        job.or_else(|| self.index.runs.get(&unit.run).and_then(|run| run.created_at.or(run.started_at)))
    }

    /// Whether a hop's child was checked after it was sent. A token that the platform issues to
    /// every run by itself is no check; that an identity was taken by OIDC is, and stands on
    /// the credential's own link.
    pub(super) fn revalidated(&self, hop: &Hop<'_>) -> Check {
        match hop.handoff.gate.as_str() {
            "passed" => return (Some(true), Some("gate")),
            "bypassed" => return (Some(false), Some("gate")),
            _ => {}
        }
        let Some(child) = hop.child else { return (None, None) };
        let (is_fresh, by) = self.approved(child, hop.handoff.sent_at, hop.enters());
        if is_fresh == Some(true) {
            return (is_fresh, by);
        }
        if self.by_condition(child) {
            return (Some(true), Some("condition"));
        }
        match hop.handoff.gate.as_str() {
            "none" | "waiting" => (Some(false), by),
            _ => (is_fresh, by),
        }
    }

    /// Whether another person approved the unit, after `since`; false if all reviews of it are
    /// by its own cause, by a program, negative or older; null without a review.
    pub(super) fn approved(&self, unit: Unit, since: Option<Timestamp>, enters: bool) -> Check {
        let environments: BTreeSet<&str> =
            self.jobs_of(unit).iter().filter_map(|job| self.jobs.get(job)?.environment.as_deref()).collect();
        let concerns = |row: &&&Approval| match row.environment.as_deref() {
            Some(environment) => environments.contains(environment) || (enters && environments.is_empty()),
            None => enters,
        };
        let answers: Vec<Option<bool>> = self
            .approvals
            .get(&unit.run)
            .into_iter()
            .flatten()
            .filter(concerns)
            .map(|row| self.is_fresh(row, since))
            .collect();
        if answers.contains(&Some(true)) {
            (Some(true), Some("approval"))
        } else if answers.is_empty() || answers.contains(&None) {
            (None, None)
        } else {
            (Some(false), Some("approval"))
        }
    }

    fn is_fresh(&self, row: &Approval, since: Option<Timestamp>) -> Option<bool> {
        if row.state != "approved" || row.reviewer_kind == "bot" {
            return Some(false);
        }
        let run = self.index.runs.get(&row.run_key);
        let distinct = row.self_review.map(|own| !own).or_else(|| {
            let (reviewer, actor) = (row.reviewer.as_deref()?, run?.actor.as_deref()?);
            Some(reviewer != actor && run?.triggering_actor.as_deref() != Some(reviewer))
        })?;
        let late = match (row.decided_at, since) {
            (Some(decided), Some(since)) => decided.seconds_since(since) >= -SKEW_SECONDS,
            (None, Some(_)) => return if distinct { None } else { Some(false) },
            (_, None) => true,
        };
        Some(distinct && late)
    }

    /// When another person last approved a run.
    pub(super) fn approved_at(&self, run: Key) -> Option<Timestamp> {
        let reviews = self.approvals.get(&run).into_iter().flatten();
        reviews.filter(|row| self.is_fresh(row, None) == Some(true)).filter_map(|row| row.decided_at).max()
    }

    /// Whether all jobs of a unit asked who it is, and liked the answer.
    fn by_condition(&self, unit: Unit) -> bool {
        let asks = |job: &Key| {
            self.jobs.get(job).is_some_and(|job| {
                job.condition_result == Some(true) && job.condition.as_deref().is_some_and(names_identity)
            })
        };
        let jobs = self.jobs_of(unit);
        !jobs.is_empty() && jobs.iter().all(asks)
    }

    /// Whether what authorised a hop dies with its sender.
    pub(super) fn revocable(hop: &Hop<'_>) -> Option<bool> {
        match hop.credential {
            "GITHUB_TOKEN" | "job_token" | "CI_JOB_TOKEN" | "System.AccessToken" | "continuation_key"
            | "app" => Some(true),
            "pat" | "trigger_token" => Some(false),
            // Within a run there is nothing but the run.
            "none" if !hop.enters() => Some(true),
            _ => None,
        }
    }

    /// Name of the AI agent that stands in a unit.
    pub(super) fn agent(&self, unit: Unit) -> Option<String> {
        if let Some(job) = unit.job.filter(|job| self.agent_jobs.contains(job)) {
            return self.jobs.get(&job).map(|job| job.name.clone()).or_else(|| Some("agent".to_owned()));
        }
        let run = self.index.runs.get(&unit.run)?;
        let actor = run.triggering_actor.iter().chain(&run.actor).find(|name| self.is_agent(name));
        actor.cloned().or_else(|| {
            let jobs = self.jobs_of(unit);
            let all = !jobs.is_empty() && jobs.iter().all(|job| self.agent_jobs.contains(job));
            all.then(|| run.workflow_name.clone().unwrap_or_else(|| "agent".to_owned()))
        })
    }

    pub(super) fn is_agent(&self, login: &str) -> bool {
        self.weights.agents.iter().any(|agent| agent.eq_ignore_ascii_case(login))
    }

    pub(super) fn actor(&self, unit: Unit) -> Option<&'a str> {
        let job = unit.job.filter(|job| self.agent_jobs.contains(job)).and_then(|job| self.jobs.get(&job));
        job.map(|job| job.name.as_str()).or_else(|| self.index.runs.get(&unit.run)?.actor.as_deref())
    }
}

/// Whether a condition looks at who caused the run.
fn names_identity(condition: &str) -> bool {
    let condition = condition.to_lowercase();
    [
        "github.actor",
        "github.triggering_actor",
        "github.event.sender",
        "author_association",
        ".user.login",
        "gitlab_user_",
        "build.requestedfor",
        "build.creator",
    ]
    .iter()
    .any(|word| condition.contains(word))
}

fn jobs_of(index: &Index<'_>, run: Key) -> Vec<Key> {
    Index::rows(&index.jobs, run).iter().map(|job| job.job_key).collect()
}

/// What each job holds: scopes of its token and the secrets it was passed.
fn held(evidence: &Evidence, facts: &Facts<'_>) -> HashMap<Key, Held> {
    let weights = facts.weights;
    let mut held: HashMap<Key, Held> = HashMap::new();
    for row in &evidence.token_permissions {
        let job = held.entry(row.job_key).or_default();
        job.is_known = true;
        if row.access != "none" {
            let scope = format!("{}:{}", row.scope, row.access);
            let weight = weights.scope(&scope);
            job.privileges.insert(scope, weight);
        }
    }
    for row in evidence.secrets_passed.iter().filter(|row| !may_be_own_token(row)) {
        let run = || jobs_of(facts.index, row.run_key);
        for job in row.job_key.map_or_else(run, |job| vec![job]) {
            held.entry(job).or_default().privileges.insert(format!("secret:{}", row.name), weights.secret);
        }
    }
    held
}
