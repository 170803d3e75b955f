//! Rows of evidence by the run they tell of.

use super::Facts;
use crate::index::by_key;
use leakgraph_model::scored::{NhiScore, SecretExposure};
use leakgraph_model::tables::{
    Binding, Credential, Handoff, IdentityUsed, Run, Secret, SecretPassed, SecretSighting,
};
use leakgraph_model::{Evidence, Key, Timestamp};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Problems after which a log is not whole.
const TORN: [&str; 5] = ["truncated", "bad_archive", "unreadable", "too_large", "ratio_exceeded"];

pub(super) struct Index<'a> {
    pub(super) used: HashMap<Key, Vec<&'a IdentityUsed>>,
    pub(super) sightings: HashMap<Key, Vec<&'a SecretSighting>>,
    pub(super) handoffs: HashMap<Key, Vec<&'a Handoff>>,
    pub(super) passed: HashMap<Key, Vec<&'a SecretPassed>>,
    /// Jobs whose list of secrets GitHub itself keeps.
    pub(super) listed: HashSet<Key>,
    /// Repository and path of workflows that name no secret but the job's own token.
    pub(super) secretless: HashSet<(String, &'a str)>,
    /// By job.
    pub(super) cloud_keys: HashMap<Key, Vec<&'a Binding>>,
    pub(super) secrets: HashMap<Key, &'a Secret>,
    pub(super) scores: HashMap<Key, &'a NhiScore>,
    pub(super) exposures: HashMap<Key, &'a SecretExposure>,
    pub(super) credentials: HashMap<Key, Vec<&'a Credential>>,
    /// Stored secrets by upper-cased name.
    pub(super) stored: HashMap<String, Vec<&'a Credential>>,
    /// Last exposure of the credentials of an identity, and of stored secrets by their place.
    pub(super) exposed: HashMap<Key, Timestamp>,
    pub(super) exposed_as: HashMap<String, Timestamp>,
    /// Repositories that use a static credential of an identity, and that show a secret.
    pub(super) static_repos: HashMap<Key, BTreeSet<String>>,
    pub(super) secret_repos: HashMap<Key, BTreeSet<String>>,
    pub(super) attempts: HashSet<(&'a str, String, &'a str, i64)>,
    pub(super) deleted: HashSet<Key>,
    /// Sources of which something was lost.
    pub(super) torn: HashSet<Key>,
    /// Commits that each action reference resolved to, by time.
    pub(super) resolved: HashMap<&'a str, BTreeSet<(Option<Timestamp>, &'a str)>>,
}

/// Rows by run; those that belong to none are left out.
fn grouped<V>(rows: impl Iterator<Item = (Option<Key>, V)>) -> HashMap<Key, Vec<V>> {
    by_key(rows.filter_map(|(key, row)| Some((key?, row))))
}

fn secretless(evidence: &Evidence) -> HashSet<(String, &str)> {
    let (mut without, mut with) = (HashSet::new(), HashSet::new());
    for row in &evidence.workflow_definitions {
        let Some((repo, path)) = row.repo.as_deref().zip(row.path.as_deref()) else { continue };
        let names_some = row.inherits_secrets
            || row.reads_all_secrets
            || row.secrets.iter().any(|name| !name.eq_ignore_ascii_case("GITHUB_TOKEN"));
        if names_some { &mut with } else { &mut without }.insert((repo.to_lowercase(), path));
    }
    &without - &with
}

/// Name of a repository as runs are compared by.
fn repo(run: &Run) -> Option<String> {
    Some(format!("{} {}", run.platform, run.repo.as_deref()?.to_lowercase()))
}

impl<'a> Index<'a> {
    pub(super) fn of(evidence: &'a Evidence, facts: &Facts<'a>) -> Self {
        let runs = &facts.index.runs;
        let run_of_job: HashMap<Key, Key> =
            evidence.jobs.iter().map(|job| (job.job_key, job.run_key)).collect();
        let run_of =
            |job: Option<Key>, run: Option<Key>| job.and_then(|job| run_of_job.get(&job).copied()).or(run);
        let mut index = Self {
            used: grouped(evidence.identities_used.iter().map(|row| (run_of(row.job_key, row.run_key), row))),
            sightings: grouped(
                evidence.secret_sightings.iter().map(|row| (run_of(row.job_key, row.run_key), row)),
            ),
            handoffs: grouped(
                evidence.handoffs.iter().map(|row| (run_of(row.parent_job_key, row.parent_run_key), row)),
            ),
            passed: grouped(
                evidence.secrets_passed.iter().map(|row| (run_of(row.job_key, Some(row.run_key)), row)),
            ),
            listed: evidence
                .secrets_passed
                .iter()
                .filter(|row| row.how == "audit_list")
                .filter_map(|row| row.job_key)
                .collect(),
            secretless: secretless(evidence),
            cloud_keys: grouped(
                evidence
                    .bindings
                    .iter()
                    .filter(|row| {
                        row.guessed_kind == "cloud_key"
                            && matches!(row.state.as_str(), "masked" | "hidden" | "clear")
                    })
                    .map(|row| (Some(row.job_key), row)),
            ),
            secrets: evidence.secrets.iter().map(|row| (row.secret_key, row)).collect(),
            scores: facts.nhi_scores.iter().map(|row| (row.identity_key, row)).collect(),
            exposures: facts.exposures.iter().map(|row| (row.secret_key, row)).collect(),
            credentials: grouped(evidence.credentials.iter().map(|row| (row.identity_key, row))),
            stored: HashMap::new(),
            exposed: HashMap::new(),
            exposed_as: HashMap::new(),
            static_repos: HashMap::new(),
            secret_repos: HashMap::new(),
            attempts: HashSet::new(),
            deleted: evidence
                .evidence_gaps
                .iter()
                .filter(|gap| gap.gap == "deleted_run")
                .map(|gap| gap.subject_key)
                .collect(),
            torn: HashSet::new(),
            resolved: HashMap::new(),
        };
        for run in &evidence.runs {
            if let (Some(id), Some(attempt)) = (run.platform_run_id.as_deref(), run.attempt) {
                let repo = run.repo.as_deref().unwrap_or_default().to_lowercase();
                index.attempts.insert((run.platform.as_str(), repo, id, attempt));
            }
        }
        for row in evidence.credentials.iter().filter(|row| row.kind.ends_with("_secret")) {
            index.stored.entry(row.name.to_uppercase()).or_default().push(row);
        }
        let lost: HashSet<&str> = evidence
            .problems
            .iter()
            .filter(|problem| problem.lossy && TORN.contains(&problem.code.as_str()))
            .map(|problem| problem.path.as_str())
            .collect();
        let torn = evidence.source_files.iter().filter(|file| lost.contains(file.path.as_str()));
        index.torn = torn.map(|file| file.source_key).collect();
        index.share(evidence, runs, &run_of);
        index
    }

    fn share(
        &mut self,
        evidence: &'a Evidence,
        runs: &HashMap<Key, &'a Run>,
        run_of: &dyn Fn(Option<Key>, Option<Key>) -> Option<Key>,
    ) {
        let repo_of = |job, run| run_of(job, run).and_then(|run| repo(runs.get(&run)?));
        for row in evidence.identities_used.iter().filter(|row| row.how == "static") {
            if let (Some(key), Some(repo)) = (row.identity_key, repo_of(row.job_key, row.run_key)) {
                self.static_repos.entry(key).or_default().insert(repo);
            }
        }
        for row in &evidence.secret_sightings {
            if let Some(repo) = repo_of(row.job_key, row.run_key) {
                self.secret_repos.entry(row.secret_key).or_default().insert(repo);
            }
        }
        for secret in &evidence.secrets {
            let Some(last) = self.exposures.get(&secret.secret_key).and_then(|row| row.last_exposed_at)
            else {
                continue;
            };
            if let Some(owner) = secret.identity_key {
                let at = self.exposed.entry(owner).or_insert(last);
                *at = last.max(*at);
            }
            if let Some(place) =
                secret.resolved_subject.as_deref().and_then(|text| text.strip_prefix("secret:"))
            {
                let at = self.exposed_as.entry(place.to_lowercase()).or_insert(last);
                *at = last.max(*at);
            }
        }
        for step in &evidence.steps {
            if let (Some(uses), Some(sha)) = (step.uses.as_deref(), step.resolved_sha.as_deref()) {
                let at = run_of(Some(step.job_key), None)
                    .and_then(|run| runs.get(&run))
                    .and_then(|run| run.created_at.or(run.started_at));
                self.resolved.entry(uses).or_default().insert((at, sha));
            }
        }
    }

    /// The stored secret that a run got by its name: of its repository, else of its owner.
    pub(super) fn stored(&self, run: &Run, name: &str) -> Option<&'a Credential> {
        let repo = run.repo.as_deref()?.to_lowercase();
        let owner = repo.split('/').next().unwrap_or_default().to_owned();
        let rows = self.stored.get(&name.to_uppercase())?;
        let of = |scope: &str| {
            let mut fit = rows
                .iter()
                .filter(|row| row.scope.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(scope)));
            fit.next().copied()
        };
        of(&repo).or_else(|| of(&owner))
    }
}
