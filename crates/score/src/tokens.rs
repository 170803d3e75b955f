//! Job tokens of GitHub Actions: what the jobs of a workflow may do and what their runs show
//! in use.
//!
//! A token leaves no record of its calls, so use is read from what ran: actions whose need is
//! documented (`datasets/catalogs/github-action-permissions.tsv`), handoffs that the token
//! authorised, and logins with an OIDC token. What else may use it cannot be observed: an
//! action that is not in the list has all of it; a script has what its environment was given,
//! the checkout's credentials (`contents`) and the service that issues OIDC tokens.

use crate::privilege::mass::{Masses, Part, mass_class, noisy_or};
use crate::privilege::usage::Need;
use crate::weights::{Weights, ordinal, scope_class, scope_id};
use leakgraph_model::scored::{PrivilegePart, TokenScore};
use leakgraph_model::tables::{Job, Run, Step};
use leakgraph_model::{Evidence, Key, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

const ACTIONS: &str = include_str!("../../../datasets/catalogs/github-action-permissions.tsv");
const DAY: f64 = 86_400e6;
/// What scripts can use without being handed the token.
const OF_SCRIPTS: [&str; 2] = ["contents", "id-token"];

/// Permissions an action needs, by its lower-case name without ref.
fn actions() -> &'static HashMap<&'static str, Vec<&'static str>> {
    static ACTIONS_BY_NAME: OnceLock<HashMap<&'static str, Vec<&'static str>>> = OnceLock::new();
    ACTIONS_BY_NAME.get_or_init(|| {
        let rows = ACTIONS.lines().map(|line| line.split_once('\t').unwrap_or((line, "")));
        rows.map(|(name, needs)| (name, needs.split(' ').filter(|need| !need.is_empty()).collect())).collect()
    })
}

/// What one job shows.
#[derive(Default)]
struct Shown {
    /// Permissions as `contents:write`.
    used: BTreeSet<String>,
    /// Scopes that something out of sight may have used; `*` is all of them.
    hidden: BTreeSet<String>,
    has_steps: bool,
}

/// The jobs of one name in one workflow.
#[derive(Default)]
struct Jobs<'a> {
    repo: Option<&'a str>,
    workflow: Option<&'a str>,
    name: &'a str,
    jobs: BTreeMap<Key, Option<Timestamp>>,
    granted: BTreeSet<String>,
    shown: Shown,
}

/// One row per job of a workflow, in the order of keys, and what they are sums of.
pub(crate) fn scores(evidence: &Evidence, weights: &Weights) -> (Vec<TokenScore>, Vec<PrivilegePart>) {
    let runs: HashMap<Key, &Run> = evidence.runs.iter().map(|run| (run.run_key, run)).collect();
    let jobs: HashMap<Key, &Job> = evidence.jobs.iter().map(|job| (job.job_key, job)).collect();
    let shown = shown(evidence);
    let mut grouped: BTreeMap<Key, Jobs<'_>> = BTreeMap::new();
    for row in
        evidence.token_permissions.iter().filter(|row| row.token == "GITHUB_TOKEN" || row.token.is_empty())
    {
        let Some(job) = jobs.get(&row.job_key) else { continue };
        let run = runs.get(&job.run_key).copied();
        let repo = run.and_then(|run| run.repo.as_deref());
        let workflow = run.and_then(|run| run.workflow_path.as_deref().or(run.workflow_name.as_deref()));
        let key = Key::of("token-score", &[repo.unwrap_or(""), workflow.unwrap_or(""), &job.name]);
        let group = grouped.entry(key).or_default();
        (group.repo, group.workflow, group.name) = (repo, workflow, &job.name);
        let at = job.started_at.or(run.and_then(|run| run.started_at.or(run.created_at)));
        if group.jobs.insert(job.job_key, at).is_none()
            && let Some(seen) = shown.get(&job.job_key)
        {
            group.shown.used.extend(seen.used.iter().cloned());
            group.shown.hidden.extend(seen.hidden.iter().cloned());
            group.shown.has_steps |= seen.has_steps;
        }
        if matches!(row.access.as_str(), "read" | "write") {
            group.granted.insert(format!("{}:{}", row.scope.replace('_', "-"), row.access));
        }
    }
    let (scores, parts): (Vec<_>, Vec<_>) =
        grouped.into_iter().map(|(key, jobs)| jobs.score(key, weights)).unzip();
    (scores, parts.into_iter().flatten().collect())
}

fn shown(evidence: &Evidence) -> HashMap<Key, Shown> {
    let mut shown: HashMap<Key, Shown> = HashMap::new();
    // A step has the token if its environment holds something of that name.
    let has_token = |name: &str| name.to_ascii_lowercase().contains("token");
    let handed: BTreeSet<Key> =
        evidence.bindings.iter().filter(|row| has_token(&row.name)).map(|row| row.step_key).collect();
    for step in &evidence.steps {
        shown.entry(step.job_key).or_default().step(step, handed.contains(&step.step_key));
    }
    for row in evidence.handoffs.iter().filter(|row| row.credential_kind == "GITHUB_TOKEN") {
        let used = match row.mechanism.as_str() {
            "workflow_dispatch" => "actions:write",
            "repository_dispatch" => "contents:write",
            "deployment" => "deployments:write",
            _ => continue,
        };
        if let Some(job) = row.parent_job_key {
            shown.entry(job).or_default().used.insert(used.to_owned());
        }
    }
    for row in evidence.identities_used.iter().filter(|row| row.how == "oidc") {
        if let Some(job) = row.job_key {
            shown.entry(job).or_default().used.insert("id-token:write".to_owned());
        }
    }
    shown
}

impl Shown {
    fn step(&mut self, step: &Step, has_token: bool) {
        if matches!(step.kind.as_str(), "setup" | "complete" | "post")
            || step.conclusion.as_deref() == Some("skipped")
        {
            return;
        }
        self.has_steps = true;
        let name = step.uses.as_deref().map(|uses| uses.split('@').next().unwrap_or(uses).to_lowercase());
        match name {
            Some(name) => match actions().get(name.as_str()) {
                Some(needs) => needs.iter().for_each(|need| self.need(need)),
                None => {
                    self.hidden.insert("*".to_owned());
                }
            },
            None if has_token => {
                self.hidden.insert("*".to_owned());
            }
            None => self.hidden.extend(OF_SCRIPTS.map(str::to_owned)),
        }
    }

    /// A permission that an action needs, or one (`?`) that it needs as it is configured.
    fn need(&mut self, need: &str) {
        match need.strip_prefix('?') {
            Some(perhaps) => self.hidden.insert(perhaps.split(':').next().unwrap_or(perhaps).to_owned()),
            None => self.used.insert(need.to_owned()),
        };
    }

    /// Whether a permission was used: writing includes reading.
    fn uses(&self, scope: &str, access: &str) -> bool {
        self.used.contains(&format!("{scope}:write"))
            || access == "read" && self.used.contains(&format!("{scope}:read"))
    }

    fn hides(&self, scope: &str) -> bool {
        self.hidden.contains("*") || self.hidden.contains(scope)
    }
}

impl Jobs<'_> {
    fn score(self, key: Key, weights: &Weights) -> (TokenScore, Vec<PrivilegePart>) {
        let times = || self.jobs.values().copied().flatten().map(|at| at.0);
        let (first, last) = (times().min(), times().max());
        // A permission is as old as the first run that had it.
        let days = first.zip(last).map_or(0.0, |(first, last)| (last - first) as f64 / DAY);
        let age = (days / weights.window_days()).min(1.0);
        let needs: Vec<(String, Need)> = self
            .granted
            .iter()
            .map(|permission| {
                let (scope, access) = permission.split_once(':').unwrap_or((permission, ""));
                let need = match (self.shown.uses(scope, access), self.shown.hides(scope)) {
                    (true, _) => Need::Used,
                    (false, true) => Need::UNKNOWN,
                    (false, false) => Need::Unused { seen: 1.0, age },
                };
                (permission.clone(), need)
            })
            .collect();
        let of = |unneeded: &dyn Fn(Need) -> f64| noisy_or(&masses(&needs, weights, unneeded), weights).0;
        let at = |chance: f64| self.shown.has_steps.then(|| of(&|need| need.unneeded(chance)));
        let with = |wanted: &dyn Fn(Need) -> bool| -> Vec<String> {
            needs
                .iter()
                .filter(|(_, need)| self.shown.has_steps && wanted(*need))
                .map(|(name, _)| name.clone())
                .collect()
        };
        let all: f64 = masses(&needs, weights, &|_| 1.0).iter().sum();
        let seen: f64 = masses(&needs, weights, &Need::seen).iter().sum();
        let ends = [
            self.jobs.iter().min_by_key(|(key, at)| (**at, **key)),
            self.jobs.iter().max_by_key(|(key, at)| (**at, **key)),
        ];
        let ends: BTreeSet<Key> = ends.into_iter().flatten().map(|(key, _)| *key).collect();
        let parts = needs.iter().map(|(permission, need)| PrivilegePart {
            permission: Some(permission.clone()),
            sure: true,
            ..part(key, permission, *need, weights).row(weights)
        });
        let parts = parts.collect();
        let score = TokenScore {
            token_score_key: key,
            repo: self.repo.map(str::to_owned),
            workflow: self.workflow.map(str::to_owned),
            job: self.name.to_owned(),
            runs: i64::try_from(self.jobs.len()).unwrap_or(i64::MAX),
            used: with(&|need| need == Need::Used),
            unneeded: with(&|need| need != Need::Used && need.seen() > 0.0),
            unobserved: with(&|need| need.seen() <= 0.0),
            excess: at(weights.unobservable()),
            excess_low: at(0.0),
            excess_high: at(1.0),
            granted_risk: of(&|_| 1.0),
            coverage: if self.shown.has_steps && all > 0.0 { seen / all } else { 0.0 },
            first_at: first.map(Timestamp),
            last_at: last.map(Timestamp),
            evidence: ends.into_iter().map(|key| format!("jobs:{key}")).collect(),
            weights_hash: weights.hash(),
            granted: self.granted.into_iter().collect(),
        };
        (score, parts)
    }
}

/// A token reaches one repository: r is that of an exact resource. There is no condition on it.
fn part(subject: Key, permission: &str, need: Need, weights: &Weights) -> Part {
    const EXACT: f64 = 0.2;
    let sensitivity = scope_id(permission).map_or(1.0, |id| weights.permission(id));
    Part { subject, class: mass_class(scope_class(permission)), factors: [EXACT, 1.0, sensitivity], need }
}

fn masses(needs: &[(String, Need)], weights: &Weights, unneeded: &dyn Fn(Need) -> f64) -> Masses {
    let mut masses = [0.0; 8];
    for (permission, need) in needs {
        let part = part(Key::default(), permission, *need, weights);
        masses[ordinal(part.class)] += unneeded(*need) * part.factors.iter().product::<f64>();
    }
    masses
}

#[cfg(test)]
mod tests;
