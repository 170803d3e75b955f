//! Evidence by run, job and step, for the analytics that look at one at a time.

use crate::graph::build::job_label;
use leakgraph_model::scored::NhiScore;
use leakgraph_model::tables::{
    Binding, Identity, IdentityUsed, Job, Run, SecretPassed, Step, TokenPermission, WorkflowDefinition,
};
use leakgraph_model::{Evidence, Key};
use std::collections::{HashMap, HashSet};

/// Borrowed rows; lists are in an order that does not depend on the order of the input.
pub(crate) struct Index<'a> {
    pub(crate) evidence: &'a Evidence,
    pub(crate) runs: HashMap<Key, &'a Run>,
    /// Jobs of each run, by key.
    pub(crate) jobs: HashMap<Key, Vec<&'a Job>>,
    /// Steps of each job, as they ran.
    pub(crate) steps: HashMap<Key, Vec<&'a Step>>,
    /// Bindings of each step, by name.
    pub(crate) bindings: HashMap<Key, Vec<&'a Binding>>,
    pub(crate) permissions: HashMap<Key, Vec<&'a TokenPermission>>,
    /// Secrets by job, or by run where the job is not known.
    pub(crate) secrets: HashMap<Key, Vec<&'a SecretPassed>>,
    /// Identities by job, or by run where the job is not known.
    pub(crate) used: HashMap<Key, Vec<&'a IdentityUsed>>,
    pub(crate) identities: HashMap<Key, &'a Identity>,
    /// Identities by platform and lower-cased name or natural id.
    pub(crate) logins: HashMap<(String, String), &'a Identity>,
    /// Accounts whose cloud identities are on record.
    pub(crate) accounts: HashSet<String>,
    /// What an identity may do, 0 to 1, where its grants are on record.
    pub(crate) granted: HashMap<Key, f64>,
    /// Jobs of workflow files by lower-cased repository and path.
    definitions: HashMap<(String, String), Vec<&'a WorkflowDefinition>>,
}

/// Rows by key, in the order of the input.
pub(crate) fn by_key<K: std::hash::Hash + Eq, V>(rows: impl Iterator<Item = (K, V)>) -> HashMap<K, Vec<V>> {
    let mut groups: HashMap<K, Vec<V>> = HashMap::new();
    for (key, row) in rows {
        groups.entry(key).or_default().push(row);
    }
    groups
}

fn grouped<'a, R, O: Ord>(
    rows: &'a [R],
    key: impl Fn(&R) -> Option<Key>,
    order: impl Fn(&'a R) -> O,
) -> HashMap<Key, Vec<&'a R>> {
    let mut groups = by_key(rows.iter().filter_map(|row| Some((key(row)?, row))));
    groups.values_mut().for_each(|rows| rows.sort_by_cached_key(|row| order(row)));
    groups
}

/// Who may act on a platform, by name. Of equal names the one with the least key stands.
fn logins(identities: &[Identity]) -> HashMap<(String, String), &Identity> {
    let mut rows: Vec<&Identity> = identities.iter().filter(|row| row.kind != "environment").collect();
    rows.sort_by_key(|row| row.identity_key);
    let mut logins = HashMap::new();
    for row in rows {
        for name in [&row.native_id, &row.name] {
            logins.entry((row.platform.clone(), name.to_lowercase())).or_insert(row);
        }
    }
    logins
}

impl<'a> Index<'a> {
    pub(crate) fn of(evidence: &'a Evidence, scores: &[NhiScore]) -> Self {
        let mut definitions: HashMap<(String, String), Vec<&WorkflowDefinition>> = HashMap::new();
        for row in evidence.workflow_definitions.iter().filter(|row| row.job_id.is_some()) {
            if let (Some(repo), Some(path)) = (&row.repo, &row.path) {
                definitions.entry((repo.to_lowercase(), path.clone())).or_default().push(row);
            }
        }
        definitions.values_mut().for_each(|rows| rows.sort_by_key(|row| row.definition_key));
        Self {
            evidence,
            runs: evidence.runs.iter().map(|run| (run.run_key, run)).collect(),
            jobs: grouped(&evidence.jobs, |row| Some(row.run_key), |row| row.job_key),
            steps: grouped(
                &evidence.steps,
                |row| Some(row.job_key),
                |row| (row.ordinal, row.number, row.step_key),
            ),
            bindings: grouped(
                &evidence.bindings,
                |row| Some(row.step_key),
                |row| (&row.name, row.binding_key),
            ),
            permissions: grouped(
                &evidence.token_permissions,
                |row| Some(row.job_key),
                |row| (&row.scope, &row.access, &row.evidence),
            ),
            secrets: grouped(
                &evidence.secrets_passed,
                |row| Some(row.job_key.unwrap_or(row.run_key)),
                |row| (&row.name, &row.how),
            ),
            used: grouped(
                &evidence.identities_used,
                |row| row.job_key.or(row.run_key),
                |row| (&row.subject, row.identity_key, &row.how, row.issued_at),
            ),
            identities: evidence.identities.iter().map(|row| (row.identity_key, row)).collect(),
            logins: logins(&evidence.identities),
            accounts: evidence
                .identities
                .iter()
                .filter(|row| matches!(row.kind.as_str(), "role" | "user" | "service_account"))
                .filter_map(crate::privilege::account)
                .collect(),
            granted: scores.iter().map(|row| (row.identity_key, row.granted_risk / 100.0)).collect(),
            definitions,
        }
    }

    /// `repo workflow / job`; `*` for the run itself.
    pub(crate) fn label(&self, run: Key, job: Option<&Job>) -> String {
        job_label(self.runs.get(&run).copied(), job.map_or("*", |job| job.name.as_str()))
    }

    pub(crate) fn rows<'i, R>(groups: &'i HashMap<Key, Vec<&'a R>>, key: Key) -> &'i [&'a R] {
        groups.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Secrets a job received, those of its whole run with them.
    pub(crate) fn secrets_of(&self, job: &Job) -> impl Iterator<Item = &'a SecretPassed> {
        Self::rows(&self.secrets, job.job_key).iter().chain(Self::rows(&self.secrets, job.run_key)).copied()
    }

    /// Identities a job acted as, those of its whole run with them.
    pub(crate) fn used_by(&self, job: &Job) -> impl Iterator<Item = &'a IdentityUsed> {
        Self::rows(&self.used, job.job_key).iter().chain(Self::rows(&self.used, job.run_key)).copied()
    }

    /// What workflow files say of a job: of its commit if they have it, else in every version on
    /// record. A file whose repository is not known says nothing.
    pub(crate) fn definitions(&self, job: &Job) -> Vec<&'a WorkflowDefinition> {
        let Some(run) = self.runs.get(&job.run_key) else { return Vec::new() };
        let Some(((repo, path), commit)) = place(run, job) else { return Vec::new() };
        let Some(rows) = self.definitions.get(&(repo, path)) else { return Vec::new() };
        let of_job: Vec<_> = rows.iter().copied().filter(|row| defines(row, job, rows)).collect();
        let of_commit: Vec<_> =
            of_job.iter().copied().filter(|row| commit.is_some() && row.definition_ref == commit).collect();
        if of_commit.is_empty() { of_job } else { of_commit }
    }
}

/// Repository and path of the file that defines a job, and the commit it was taken from.
fn place(run: &Run, job: &Job) -> Option<((String, String), Option<String>)> {
    if let Some(called) = &job.job_workflow_path {
        let (repo, file) = called.split_once("/.github/")?;
        return Some(((repo.to_lowercase(), format!(".github/{file}")), job.job_workflow_sha.clone()));
    }
    let place = (run.repo.as_ref()?.to_lowercase(), run.workflow_path.clone()?);
    Some((place, run.workflow_sha.clone().or_else(|| run.head_sha.clone())))
}

/// Whether a job of a file is this job: by its name without the caller's and the matrix', or
/// because the file has no other.
fn defines(row: &WorkflowDefinition, job: &Job, of_file: &[&WorkflowDefinition]) -> bool {
    let last = job.name.rsplit(" / ").next().unwrap_or_default();
    let name = last.rsplit_once(" (").filter(|_| last.ends_with(')')).map_or(last, |(name, _)| name);
    let fits = |written: &str| match written.split_once("${{") {
        Some((fixed, _)) => !fixed.is_empty() && last.starts_with(fixed),
        None => written == last || written == name,
    };
    let written = row.job_name.as_deref().or(row.job_id.as_deref());
    written.is_some_and(fits) || of_file.iter().all(|other| other.job_id == row.job_id)
}
