//! Federated sessions of clouds to the jobs that opened them.
//!
//! The ladder, best first: the session id that the job printed; the session name, where it
//! is the job's own or holds the run's id; the OIDC subject together with the time. A session
//! that several jobs could have opened is kept for each of them, with as much less confidence.

use super::subjects::{is_of_repo, presents};
use crate::identity::oidc::{self, Subject};
use leakgraph_model::tables::{Assumption, IdentityUsed, Job, Run};
use leakgraph_model::{Evidence, Key, Timestamp};
use std::collections::{HashMap, HashSet};

/// The clocks of a platform and a cloud may differ by this much.
const SKEW_SECONDS: f64 = 1.0;
/// Entra writes the time at which it is done, and the step that signs in starts before.
const SIGN_IN_SECONDS: f64 = 60.0;
/// A session that more jobs could have opened says nothing of any of them.
const MAX_CANDIDATES: usize = 8;
/// Shorter numbers in a session name are no run id.
const MIN_RUN_ID_DIGITS: usize = 6;
const BY_SUBJECT: f64 = 0.9;
const BY_NAMED_RUN: f64 = 0.95;

pub(super) fn link(evidence: &mut Evidence) {
    let sessions: Vec<Assumption> =
        evidence.assumptions.iter().filter(|row| !row.denied && is_federated(row)).cloned().collect();
    if sessions.is_empty() {
        return;
    }
    let known = Known::of(evidence);
    let mut joined: Vec<(usize, Vec<Join>)> = Vec::new();
    for (index, session) in sessions.iter().enumerate() {
        let joins = known.joins(session, &evidence.identities_used);
        if !joins.is_empty() {
            joined.push((index, joins));
        }
    }
    // The certain ones first: they take the rows that the logs made.
    joined.sort_by(|left, right| confidence(&right.1).total_cmp(&confidence(&left.1)));
    let mut taken: HashSet<usize> = HashSet::new();
    for (index, joins) in joined {
        let Some(session) = sessions.get(index) else { continue };
        for join in joins {
            record(session, &join, &mut evidence.identities_used, &mut taken);
        }
    }
}

fn is_federated(row: &Assumption) -> bool {
    row.subject.is_some() || row.mechanism == "FederatedSignIn"
}

fn confidence(joins: &[Join]) -> f64 {
    joins.iter().map(|join| join.confidence).fold(0.0, f64::max)
}

/// A job (or a run of unknown job) that opened a session.
#[derive(Clone, Copy)]
struct Join {
    run_key: Key,
    job_key: Option<Key>,
    method: &'static str,
    confidence: f64,
}

/// What jobs there are, and when they ran.
struct Known {
    runs: HashMap<Key, Run>,
    jobs: HashMap<Key, Vec<Job>>,
    /// Keys of runs by platform and lower-case repository.
    by_repo: HashMap<(String, String), Vec<Key>>,
    by_id: HashMap<String, Vec<Key>>,
    /// Jobs whose token permissions are known and hold no `id-token: write`.
    without_token: HashSet<Key>,
}

impl Known {
    fn of(evidence: &Evidence) -> Self {
        let mut by_repo: HashMap<_, Vec<Key>> = HashMap::new();
        let mut by_id: HashMap<_, Vec<Key>> = HashMap::new();
        for run in &evidence.runs {
            if let Some(repo) = &run.repo {
                by_repo.entry((run.platform.clone(), repo.to_lowercase())).or_default().push(run.run_key);
            }
            if let Some(id) = &run.platform_run_id {
                by_id.entry(id.clone()).or_default().push(run.run_key);
            }
        }
        let mut jobs: HashMap<Key, Vec<Job>> = HashMap::new();
        for job in &evidence.jobs {
            jobs.entry(job.run_key).or_default().push(job.clone());
        }
        let mut without_token: HashSet<Key> =
            evidence.token_permissions.iter().map(|row| row.job_key).collect();
        for row in &evidence.token_permissions {
            let scope: String = row.scope.chars().filter(char::is_ascii_alphabetic).collect();
            if scope.eq_ignore_ascii_case("idtoken") && row.access == "write" {
                without_token.remove(&row.job_key);
            }
        }
        let runs = evidence.runs.iter().map(|run| (run.run_key, run.clone())).collect();
        Self { runs, jobs, by_repo, by_id, without_token }
    }

    /// The jobs that opened a session, by the best rung of the ladder that has any.
    fn joins(&self, session: &Assumption, used: &[IdentityUsed]) -> Vec<Join> {
        let subject = session.subject.as_deref().and_then(oidc::parse);
        let told = self.told(session, used);
        if !told.is_empty() {
            return told;
        }
        let by_name = self.named_run(session, subject.as_ref());
        if !by_name.is_empty() {
            return by_name;
        }
        subject.map(|subject| self.by_subject(session, &subject)).unwrap_or_default()
    }

    /// Rows of logs that name the session: by its id; else by a name of its own, or by the
    /// application, at its time.
    fn told(&self, session: &Assumption, used: &[IdentityUsed]) -> Vec<Join> {
        let by_id: Vec<&IdentityUsed> = used
            .iter()
            .filter(|row| session.session_id.is_some() && row.session_id == session.session_id)
            .filter(|row| self.is_in_time(row, session))
            .collect();
        if !by_id.is_empty() {
            return shared(&by_id, "exact_id", 1.0);
        }
        let is_same = |row: &&IdentityUsed| {
            let is_target = row.identity_key.is_none() || row.identity_key == session.target_identity_key;
            let is_named = row.session_name.is_some() && row.session_name == session.session_name;
            let is_sign_in = session.mechanism == "FederatedSignIn" && row.identity_kind == "azure_sp";
            // A printed id that differs is another session.
            row.how == "oidc" && row.session_id.is_none() && is_target && (is_named || is_sign_in)
        };
        let by_name: Vec<&IdentityUsed> =
            used.iter().filter(is_same).filter(|row| self.is_in_time(row, session)).collect();
        shared(&by_name, "session_name", BY_SUBJECT)
    }

    /// Whether a session may have been opened by what a row was made of.
    fn is_in_time(&self, row: &IdentityUsed, session: &Assumption) -> bool {
        let Some(at) = session.first_at else { return false };
        if session.mechanism == "FederatedSignIn" {
            let gap = row.issued_at.map(|issued| at.seconds_since(issued));
            return gap.is_some_and(|gap| (-SKEW_SECONDS..=SIGN_IN_SECONDS).contains(&gap));
        }
        let job = row
            .run_key
            .zip(row.job_key)
            .and_then(|(run, key)| self.jobs.get(&run)?.iter().find(|job| job.job_key == key));
        match (job.and_then(window), row.issued_at) {
            (Some(window), _) => is_within(window, at),
            (None, Some(issued)) => at.seconds_since(issued).abs() <= SIGN_IN_SECONDS,
            (None, None) => true,
        }
    }

    /// The run whose id the session name holds (`gha-30797407173`).
    fn named_run(&self, session: &Assumption, subject: Option<&Subject>) -> Vec<Join> {
        let name = session.session_name.as_deref().unwrap_or_default();
        let ids = name.split(|letter: char| !letter.is_ascii_digit());
        let runs: Vec<&Run> = ids
            .filter(|id| id.len() >= MIN_RUN_ID_DIGITS)
            .flat_map(|id| self.by_id.get(id).into_iter().flatten())
            .filter_map(|key| self.runs.get(key))
            .filter(|run| subject.is_none_or(|subject| is_of_repo(subject, run)))
            .filter(|run| is_during(run, session.first_at))
            .collect();
        // Attempts of a run share its id.
        let share = BY_NAMED_RUN / runs.len().max(1) as f64;
        runs.into_iter()
            .map(|run| {
                let fitting = self.fitting(run, session, subject);
                let only = match fitting.as_slice() {
                    [only] => Some(only.job_key),
                    _ => None,
                };
                Join { run_key: run.run_key, job_key: only, method: "session_name", confidence: share }
            })
            .collect()
    }

    fn by_subject(&self, session: &Assumption, subject: &Subject) -> Vec<Join> {
        let Some(repo) = &subject.repo else { return Vec::new() };
        let runs = self.by_repo.get(&(subject.platform.to_owned(), repo.to_lowercase()));
        let candidates: Vec<&Job> = runs
            .into_iter()
            .flatten()
            .filter_map(|key| self.runs.get(key))
            .flat_map(|run| self.fitting(run, session, Some(subject)))
            .collect();
        if candidates.len() > MAX_CANDIDATES {
            return Vec::new();
        }
        let share = BY_SUBJECT / candidates.len().max(1) as f64;
        let join = |job: &Job| Join {
            run_key: job.run_key,
            job_key: Some(job.job_key),
            method: "sub_time",
            confidence: share,
        };
        candidates.into_iter().map(join).collect()
    }

    /// Jobs of a run that ran at the time and could present the subject.
    fn fitting(&self, run: &Run, session: &Assumption, subject: Option<&Subject>) -> Vec<&Job> {
        let Some(at) = session.first_at else { return Vec::new() };
        let jobs = self.jobs.get(&run.run_key).into_iter().flatten();
        jobs.filter(|job| window(job).is_some_and(|window| is_within(window, at)))
            .filter(|job| !self.without_token.contains(&job.job_key))
            .filter(|job| subject.is_none_or(|subject| presents(subject, run, job)))
            .collect()
    }
}

/// The rows' jobs, each as sure as it is one of few.
fn shared(rows: &[&IdentityUsed], method: &'static str, confidence: f64) -> Vec<Join> {
    let mut jobs: Vec<(Key, Option<Key>)> =
        rows.iter().filter_map(|row| Some((row.run_key?, row.job_key))).collect();
    jobs.sort();
    jobs.dedup();
    if jobs.len() > MAX_CANDIDATES {
        return Vec::new();
    }
    let share = confidence / jobs.len().max(1) as f64;
    let join = |(run_key, job_key)| Join { run_key, job_key, method, confidence: share };
    jobs.into_iter().map(join).collect()
}

fn window(job: &Job) -> Option<(Timestamp, Timestamp)> {
    job.started_at.zip(job.ended_at)
}

fn is_within((start, end): (Timestamp, Timestamp), at: Timestamp) -> bool {
    at.seconds_since(start) >= -SKEW_SECONDS && end.seconds_since(at) >= -SKEW_SECONDS
}

/// Whether a run may have been going on, as far as its times are known.
fn is_during(run: &Run, at: Option<Timestamp>) -> bool {
    let Some(at) = at else { return true };
    let start = run.started_at.or(run.created_at);
    start.is_none_or(|start| at.seconds_since(start) >= -SKEW_SECONDS)
        && run.ended_at.is_none_or(|end| end.seconds_since(at) >= -SKEW_SECONDS)
}

/// Completes the row that the log made of this session, or adds one.
fn record(session: &Assumption, join: &Join, used: &mut Vec<IdentityUsed>, taken: &mut HashSet<usize>) {
    let is_row = |(index, row): &(usize, &IdentityUsed)| {
        let is_session = row.session_id.is_some() && row.session_id == session.session_id;
        let is_target = row.identity_key.is_none() || row.identity_key == session.target_identity_key;
        !taken.contains(index)
            && row.run_key == Some(join.run_key)
            && (join.job_key.is_none() || row.job_key == join.job_key)
            && row.how == "oidc"
            && row.identity_kind == kind(session)
            && (is_session || (is_target && (row.session_id.is_none() || session.session_id.is_none())))
    };
    let found = used.iter().enumerate().find(is_row).map(|(index, _)| index);
    let index = found.unwrap_or_else(|| {
        used.push(IdentityUsed {
            job_key: join.job_key,
            run_key: Some(join.run_key),
            identity_kind: kind(session).to_owned(),
            how: "oidc".to_owned(),
            join_method: join.method.to_owned(),
            confidence: join.confidence,
            source_key: session.source_key,
            ..IdentityUsed::default()
        });
        used.len() - 1
    });
    taken.insert(index);
    let Some(row) = used.get_mut(index) else { return };
    if row.identity_key.is_none() {
        // The log told that there was a session, not whose: that is as sure as the join.
        row.confidence = join.confidence;
        join.method.clone_into(&mut row.join_method);
    }
    row.identity_key = row.identity_key.or(session.target_identity_key);
    row.subject.get_or_insert_with(|| session.target.clone());
    row.account = row.account.take().or_else(|| {
        let account = session.target.strip_prefix("arn:")?.split(':').nth(3)?;
        (!account.is_empty()).then(|| account.to_owned())
    });
    row.session_name = row.session_name.take().or_else(|| session.session_name.clone());
    row.session_id = row.session_id.take().or_else(|| session.session_id.clone());
    // A key that one of several jobs got is not this one's.
    if join.confidence > 0.5 {
        row.access_key_id = row.access_key_id.take().or_else(|| session.access_key_id.clone());
        row.issued_at = session.first_at.or(row.issued_at);
    }
}

fn kind(session: &Assumption) -> &'static str {
    match session.mechanism.as_str() {
        "FederatedSignIn" => "azure_sp",
        "ExchangeToken" => "gcp_principal",
        "GenerateAccessToken" | "GenerateIdToken" | "SignBlob" | "SignJwt" => "gcp_sa",
        _ => "aws_role",
    }
}

#[cfg(test)]
mod tests;
