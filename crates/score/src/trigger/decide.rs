//! From what started a run, its reviews, rules and conditions to one decision.

use super::Class;
use super::condition::{Condition, Sense};
use super::origin::{Origin, Origins};
use super::review::{Review, review};
use crate::index::Index;
use crate::weights::Weights;
use leakgraph_model::tables::{Approval, Identity, Job, Run, WorkflowDefinition};
use leakgraph_model::{Key, Timestamp};
use std::collections::{BTreeSet, HashMap};

/// The decision that let a run or job start.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub(super) class: Class,
    /// Strength of what is on record, and at most.
    pub(super) strength: f64,
    pub(super) strength_high: f64,
    pub(super) decided_by: Option<String>,
    pub(super) decided_at: Option<Timestamp>,
    pub(super) condition: Option<String>,
    pub(super) condition_always_true: bool,
    pub(super) environment: Option<String>,
    pub(super) checks: BTreeSet<&'static str>,
    pub(super) reasons: Vec<String>,
    pub(super) evidence: BTreeSet<String>,
    pub(super) gaps: BTreeSet<&'static str>,
}

/// What stands before a job besides reviews on record.
enum Gate<'a> {
    /// The environment asks for reviews.
    Asks(&'a Identity),
    /// No review is asked for: a file names no environment, or the inventory no reviewers.
    Absent,
    /// Not on record.
    Unknown,
}

/// The environment a job runs in.
#[derive(Default)]
struct Guard<'a> {
    name: Option<String>,
    /// Whether it is on record that the job has none.
    absent: bool,
    inventory: Option<&'a Identity>,
}

impl<'a> Guard<'a> {
    fn gate(&self) -> Gate<'a> {
        match self.inventory {
            Some(row) if asks_for_review(row) => Gate::Asks(row),
            Some(_) => Gate::Absent,
            None if self.absent => Gate::Absent,
            None => Gate::Unknown,
        }
    }
}

/// Whether an environment asks for reviewers.
pub(crate) fn asks_for_review(environment: &Identity) -> bool {
    let count = environment.tags.iter().find_map(|tag| tag.strip_prefix("required_reviewers="));
    count.is_some_and(|count| count != "0")
}

/// Indexes the decisions need.
pub(super) struct Deciding<'a> {
    index: &'a Index<'a>,
    origins: &'a Origins<'a>,
    weights: &'a Weights,
    approvals: HashMap<Key, Vec<&'a Approval>>,
    /// Attempts of each run by platform, repository and id.
    attempts: HashMap<(String, String, String), Vec<&'a Run>>,
    conditions: HashMap<Key, Vec<(&'a str, Option<bool>)>>,
    environments: HashMap<String, &'a Identity>,
}

fn attempt_key(run: &Run) -> Option<(String, String, String)> {
    Some((run.platform.clone(), run.repo.as_ref()?.to_lowercase(), run.platform_run_id.clone()?))
}

impl<'a> Deciding<'a> {
    pub(super) fn of(index: &'a Index<'a>, origins: &'a Origins<'a>, weights: &'a Weights) -> Self {
        let evidence = index.evidence;
        let mut approvals: HashMap<Key, Vec<&Approval>> = HashMap::new();
        for row in &evidence.approvals {
            approvals.entry(row.run_key).or_default().push(row);
        }
        let mut attempts: HashMap<_, Vec<&Run>> = HashMap::new();
        for run in &evidence.runs {
            if let Some(key) = attempt_key(run) {
                attempts.entry(key).or_default().push(run);
            }
        }
        let mut conditions: HashMap<Key, Vec<(&str, Option<bool>)>> = HashMap::new();
        for row in &evidence.triggers {
            if let (Some(job), Some(text)) = (row.job_key, &row.condition) {
                conditions.entry(job).or_default().push((text, row.result));
            }
        }
        conditions.values_mut().for_each(|rows| rows.sort_unstable());
        let environments = evidence
            .identities
            .iter()
            .filter(|row| row.kind == "environment")
            .map(|row| (row.native_id.to_lowercase(), row))
            .collect();
        Self { index, origins, weights, approvals, attempts, conditions, environments }
    }

    fn approvals(&self, run: Key) -> &[&'a Approval] {
        self.approvals.get(&run).map_or(&[], Vec::as_slice)
    }

    /// Reviews of earlier attempts of the same run.
    fn earlier(&self, run: &Run) -> Vec<&'a Approval> {
        let attempt = run.attempt.unwrap_or(1);
        let others = attempt_key(run).and_then(|key| self.attempts.get(&key));
        let is_earlier = |other: &&&Run| other.attempt.unwrap_or(1) < attempt;
        let earlier = others.into_iter().flatten().filter(is_earlier);
        earlier.flat_map(|other| self.approvals(other.run_key)).copied().collect()
    }

    /// The decision to start the run. Reviews of environments come later, at its jobs.
    pub(super) fn run(&self, run: &Run) -> Decision {
        let origin = self.origins.origin(self.index, run);
        let of_run = |rows: &[&'a Approval]| -> Vec<&'a Approval> {
            rows.iter().copied().filter(|row| row.environment.is_none()).collect()
        };
        let own = of_run(self.approvals(run.run_key));
        let earlier = of_run(&self.earlier(run));
        let guard = Guard { absent: run.platform == "github", ..Guard::default() };
        let mut decision = self.decide(origin, &review(run, &own, &earlier), &guard, None);
        // Conditions are a matter of jobs.
        decision.gaps.remove("no_condition");
        decision
    }

    /// The decision to start a job; `only` says that its run has no other.
    pub(super) fn job(&self, run: &Run, job: &Job, only: bool) -> Decision {
        let origin = self.origins.origin(self.index, run);
        let definitions = self.index.definitions(job);
        let guard = self.guard(run, job, &definitions);
        let condition = self.condition(job, &definitions);
        let (own, own_maybe) = applying(self.approvals(run.run_key), &guard, only);
        let (earlier, earlier_maybe) = applying(&self.earlier(run), &guard, only);
        let sure = self.decide(origin.clone(), &review(run, &own, &earlier), &guard, condition.as_ref());
        if own_maybe.is_empty() && earlier_maybe.is_empty() {
            return sure;
        }
        let all = |sure: Vec<&'a Approval>, maybe: Vec<&'a Approval>| [sure, maybe].concat();
        let review = review(run, &all(own, own_maybe), &all(earlier, earlier_maybe));
        let perhaps = self.decide(origin, &review, &guard, condition.as_ref());
        if perhaps.class == sure.class {
            return sure;
        }
        Decision {
            class: Class::Unknown,
            strength: sure.strength.min(perhaps.strength),
            strength_high: sure.strength_high.max(perhaps.strength_high),
            reasons: [
                sure.reasons,
                vec![
                    "the run has reviews of an environment; whether the job runs in it is not on record"
                        .to_owned(),
                ],
            ]
            .concat(),
            evidence: &sure.evidence | &perhaps.evidence,
            gaps: &sure.gaps | &BTreeSet::from(["no_environment"]),
            ..sure
        }
    }

    fn guard(&self, run: &Run, job: &Job, definitions: &[&WorkflowDefinition]) -> Guard<'a> {
        let declared: BTreeSet<Option<&str>> =
            definitions.iter().map(|row| row.environment.as_deref()).collect();
        let mut declared = declared.into_iter();
        let (first, more) = (declared.next(), declared.next().is_some());
        // Versions that differ and expressions decide nothing.
        let declared = first.filter(|_| !more);
        let written = declared.flatten().filter(|name| !name.contains("${{"));
        let name = job.environment.clone().or_else(|| written.map(str::to_owned));
        let absent = name.is_none() && declared == Some(None);
        let native = name.as_ref().zip(run.repo.as_ref()).map(|(name, repo)| format!("env:{repo}/{name}"));
        let inventory = native.and_then(|id| self.environments.get(&id.to_lowercase()).copied());
        Guard { name, absent, inventory }
    }

    /// The job's condition: as evaluated, else as written where the job ran.
    fn condition(&self, job: &Job, definitions: &[&WorkflowDefinition]) -> Option<Condition> {
        let evaluated = self.conditions.get(&job.job_key);
        let held = evaluated.into_iter().flatten().find(|(_, result)| *result == Some(true));
        let of_job = job.condition.as_deref().filter(|_| job.condition_result == Some(true));
        if let Some(text) = held.map(|(text, _)| *text).or(of_job) {
            return Some(Condition { text: text.to_owned(), declared: false });
        }
        let written: BTreeSet<&str> =
            definitions.iter().map(|row| row.condition.as_deref().unwrap_or_default()).collect();
        match written.iter().next() {
            Some(text) if written.len() == 1 => Some(Condition { text: (*text).to_owned(), declared: true }),
            _ => None,
        }
    }

    fn decide(
        &self,
        origin: Origin,
        review: &Review<'_>,
        guard: &Guard<'_>,
        condition: Option<&Condition>,
    ) -> Decision {
        // A review that proves nothing leaves what else decided as it was.
        let floor = match review {
            Review::Own(_) | Review::Bypassed(_) | Review::Attempt(_) | Review::Unproven(_) => {
                self.decide(origin.clone(), &Review::None, guard, condition).strength
            }
            _ => 0.0,
        };
        let strength = self.weights.trigger().strength(origin.class).max(floor);
        let mut decision = Decision {
            class: origin.class,
            strength,
            strength_high: strength,
            decided_by: origin.decided_by,
            decided_at: origin.decided_at,
            condition: condition.map(|condition| condition.text.clone()).filter(|text| !text.is_empty()),
            condition_always_true: condition.is_some_and(|condition| condition.sense() == Sense::AlwaysTrue),
            environment: guard.name.clone(),
            checks: BTreeSet::new(),
            reasons: vec![origin.reason],
            evidence: origin.evidence.into_iter().collect(),
            gaps: origin.gap.into_iter().collect(),
        };
        if self.reviewed(&mut decision, review) {
            return decision;
        }
        self.ruled(&mut decision, guard, review);
        if !matches!(decision.class, Class::Policy) {
            self.conditional(&mut decision, condition);
        }
        decision
    }

    /// Applies the reviews; true if they decide.
    fn reviewed(&self, decision: &mut Decision, review: &Review<'_>) -> bool {
        let weights = self.weights.trigger();
        let name = |row: &Approval| row.reviewer.clone().unwrap_or_else(|| "somebody".to_owned());
        let mut told = |row: &Approval| decision.evidence.insert(format!("approvals:{}", row.run_key));
        match review {
            Review::Distinct(row) => {
                told(row);
                decision.reasons.push(format!("{} approved it", name(row)));
                decision.become_class(Class::Approved, row, weights.approved);
                true
            }
            Review::Own(row) | Review::Bypassed(row) => {
                told(row);
                let is_own = matches!(review, Review::Own(_));
                decision.checks.insert(if is_own { "self_review" } else { "bypassed" });
                decision.reasons.push(if is_own {
                    format!("{} approved the own run", name(row))
                } else {
                    format!("{} passed by the review", name(row))
                });
                // Outsiders stay outsiders.
                if decision.class != Class::Untrusted {
                    let strength = decision.strength.max(weights.self_made);
                    decision.become_class(Class::SelfMade, row, strength);
                }
                true
            }
            Review::Attempt(row) | Review::Unproven(row) => {
                told(row);
                let (gap, reason) = match review {
                    Review::Attempt(_) => ("no_attempt", "approved it, or an earlier attempt of it"),
                    _ => ("no_reviewer", "approved it; whether that is another person is not on record"),
                };
                decision.gaps.insert(gap);
                decision.reasons.push(format!("{} {reason}", name(row)));
                decision.class = Class::Unknown;
                decision.strength_high = weights.approved;
                true
            }
            Review::Stale(row) | Review::Replayed(row) => {
                told(row);
                let is_stale = matches!(review, Review::Stale(_));
                decision.checks.insert(if is_stale { "stale_approval" } else { "replayed_approval" });
                let what = if is_stale { "before the run was made" } else { "for an earlier attempt only" };
                decision.reasons.push(format!("{} approved {what}", name(row)));
                false
            }
            Review::Bot(row) => {
                told(row);
                decision.checks.insert("bot_approval");
                decision.reasons.push(format!("{}, a program, approved it", name(row)));
                false
            }
            Review::Open(row) => {
                told(row);
                decision.reasons.push(format!("a review is on record as {}", row.state));
                false
            }
            Review::None => false,
        }
    }

    /// Rules of the environment, and what cannot be ruled out.
    fn ruled(&self, decision: &mut Decision, guard: &Guard<'_>, review: &Review<'_>) {
        let weights = self.weights.trigger();
        let is_open = matches!(review, Review::Open(_));
        let is_reviewed = !matches!(review, Review::None | Review::Open(_));
        match guard.gate() {
            _ if is_reviewed => {}
            Gate::Asks(environment) => {
                decision.evidence.insert(format!("identities:{}", environment.identity_key));
                decision.checks.insert("gate_without_review");
                decision.gaps.insert("no_approvals");
                decision.reasons.push(format!(
                    "{} asks for a review and none of this run is on record",
                    environment.name
                ));
                decision.class = Class::Unknown;
                decision.strength_high = weights.approved;
                return;
            }
            _ if is_open => {
                decision.gaps.insert("no_approvals");
                decision.class = Class::Unknown;
                decision.strength_high = weights.approved;
                return;
            }
            Gate::Unknown => {
                decision.gaps.insert("no_approvals");
                decision.strength_high = weights.approved;
            }
            Gate::Absent => {}
        }
        let rule = guard.inventory.and_then(|row| {
            let tag = row.tags.iter().find(|tag| tag.starts_with("branch_policy="))?;
            (!tag.ends_with("=none") && !tag.ends_with("=all")).then_some((row, tag))
        });
        // The base branch of an outsider's event is always an allowed one.
        if let Some((environment, tag)) = rule.filter(|_| decision.class != Class::Untrusted) {
            decision.evidence.insert(format!("identities:{}", environment.identity_key));
            decision.reasons.push(format!("{} lets only allowed branches deploy ({tag})", environment.name));
            decision.gaps.remove("no_branch_rules");
            decision.class = Class::Policy;
            decision.decided_by = Some(environment.native_id.clone());
            decision.strength = weights.policy;
            decision.strength_high = decision.strength_high.max(weights.policy);
        }
    }

    /// What the `if:` adds where nothing better decided.
    fn conditional(&self, decision: &mut Decision, condition: Option<&Condition>) {
        let decides = match (decision.class, condition.map(Condition::sense)) {
            (Class::Unknown, Some(Sense::Asks | Sense::AsksWho)) => {
                !decision.checks.contains("gate_without_review")
            }
            (Class::Untrusted, Some(Sense::AsksWho)) => true,
            (Class::Unknown | Class::Untrusted, None) => {
                decision.gaps.insert("no_condition");
                false
            }
            _ => false,
        };
        if !decides {
            return;
        }
        let strength = self.weights.trigger().condition_only;
        decision.reasons.push("only its condition decided".to_owned());
        if condition.is_some_and(|condition| condition.declared) {
            decision.reasons.push("the condition is as written, not as evaluated".to_owned());
        }
        decision.class = Class::ConditionOnly;
        decision.strength = decision.strength.max(strength);
        decision.strength_high = decision.strength_high.max(strength);
    }
}

impl Decision {
    fn become_class(&mut self, class: Class, row: &Approval, strength: f64) {
        self.class = class;
        self.decided_by.clone_from(&row.reviewer);
        self.decided_at = row.decided_at;
        (self.strength, self.strength_high) = (strength, strength);
        self.gaps.clear();
    }
}

/// Reviews that surely guard the job, and those that may.
fn applying<'a>(
    rows: &[&'a Approval],
    guard: &Guard<'_>,
    only: bool,
) -> (Vec<&'a Approval>, Vec<&'a Approval>) {
    let (mut sure, mut maybe) = (Vec::new(), Vec::new());
    for row in rows {
        match (&row.environment, &guard.name) {
            (None, _) => sure.push(*row),
            (Some(reviewed), Some(own)) if reviewed.eq_ignore_ascii_case(own) => sure.push(*row),
            (Some(_), None) if guard.absent => {}
            (Some(_), None) if only => sure.push(*row),
            (Some(_), None) => maybe.push(*row),
            (Some(_), Some(_)) => {}
        }
    }
    (sure, maybe)
}
