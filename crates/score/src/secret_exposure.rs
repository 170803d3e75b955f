//! Exposure of each secret: where its fingerprint occurs, who could read it there, and whether
//! it still lives. What the inventory does not show is unknown, never dead and never alive.

use crate::graph::build::workflow_label;
use crate::index::by_key;
use crate::trust::TrustWeights;
use leakgraph_model::scored::SecretExposure;
use leakgraph_model::tables::{Credential, EvidenceGap, Identity, Job, Run, Secret, SecretSighting};
use leakgraph_model::{Evidence, Key, Timestamp};
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Fingerprints of inputs are compared by this many characters: importers may keep no more.
const PRINT: usize = 16;

/// Rows by secret, and what was missing.
pub(crate) fn exposures(
    evidence: &Evidence,
    weights: &TrustWeights,
) -> (Vec<SecretExposure>, Vec<EvidenceGap>) {
    let known = Known::of(evidence);
    let mut secrets: Vec<&Secret> = evidence.secrets.iter().collect();
    secrets.sort_by_key(|secret| secret.secret_key);
    secrets.dedup_by_key(|secret| secret.secret_key);
    let rows: Vec<SecretExposure> =
        secrets.par_iter().map(|secret| known.exposure(secret, weights)).collect();
    let gaps = rows
        .iter()
        .flat_map(|row| row.gaps.iter().map(|gap| (row.secret_key, gap)))
        .map(|(subject_key, gap)| EvidenceGap {
            subject_key,
            subject_table: "secrets".to_owned(),
            analytic: "secret_exposure".to_owned(),
            gap: gap.clone(),
            effect: if gap == "no_visibility" { "lower_bound_only" } else { "not_computed" }.to_owned(),
        })
        .collect();
    (rows, gaps)
}

struct Known<'a> {
    runs: HashMap<Key, &'a Run>,
    jobs: HashMap<Key, &'a Job>,
    identities: HashMap<Key, &'a Identity>,
    sightings: HashMap<Key, Vec<&'a SecretSighting>>,
    credentials: HashMap<Key, Vec<&'a Credential>>,
    /// Stored secrets by lower-cased scope and name.
    stored: HashMap<(String, String), Vec<&'a Credential>>,
    /// Visibility of repositories, by runs that tell it.
    visibility: HashMap<(&'a str, String), BTreeSet<&'a str>>,
    carried: HashMap<&'a str, BTreeSet<Key>>,
    deleted: HashSet<Key>,
    as_of: Option<Timestamp>,
}

impl<'a> Known<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let mut visibility: HashMap<_, BTreeSet<&str>> = HashMap::new();
        for run in &evidence.runs {
            if let (Some(repo), Some(seen)) = (&run.repo, run.visibility.as_deref()) {
                visibility.entry((run.platform.as_str(), repo.to_lowercase())).or_default().insert(seen);
            }
        }
        let mut carried: HashMap<&str, BTreeSet<Key>> = HashMap::new();
        for input in &evidence.handoff_inputs {
            if let Some(print) = input.value_fingerprint.as_deref().and_then(|print| print.get(..PRINT)) {
                carried.entry(print).or_default().insert(input.handoff_key);
            }
        }
        let stored =
            evidence.credentials.iter().filter(|row| row.kind.ends_with("_secret")).filter_map(|row| {
                Some(((row.scope.as_deref()?.to_lowercase(), row.name.to_lowercase()), row))
            });
        Self {
            runs: evidence.runs.iter().map(|run| (run.run_key, run)).collect(),
            jobs: evidence.jobs.iter().map(|job| (job.job_key, job)).collect(),
            identities: evidence.identities.iter().map(|row| (row.identity_key, row)).collect(),
            sightings: by_key(evidence.secret_sightings.iter().map(|row| (row.secret_key, row))),
            credentials: by_key(evidence.credentials.iter().filter_map(|row| Some((row.identity_key?, row)))),
            stored: by_key(stored),
            visibility,
            carried,
            deleted: evidence
                .evidence_gaps
                .iter()
                .filter(|gap| gap.gap == "deleted_run")
                .map(|gap| gap.subject_key)
                .collect(),
            as_of: as_of(evidence),
        }
    }

    fn exposure(&self, secret: &Secret, weights: &TrustWeights) -> SecretExposure {
        let mut seen: Vec<&SecretSighting> =
            self.sightings.get(&secret.secret_key).cloned().unwrap_or_default();
        seen.sort_by_key(|row| (row.seen_at, row.sighting_key));
        seen.dedup_by_key(|row| row.sighting_key);
        let texts = |of: &dyn Fn(&SecretSighting) -> Option<String>| {
            seen.iter().filter_map(|row| of(row)).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        let run = |row: &SecretSighting| row.run_key.and_then(|key| self.runs.get(&key).copied());
        let runs: BTreeSet<Key> = seen.iter().filter_map(|row| row.run_key).collect();
        let print = secret.fingerprint.get(..PRINT);
        let mut handoffs: BTreeSet<Key> = seen.iter().filter_map(|row| row.handoff_key).collect();
        handoffs.extend(print.and_then(|print| self.carried.get(print)).into_iter().flatten());
        let times = || seen.iter().filter_map(|row| row.seen_at);
        let mut row = SecretExposure {
            secret_key: secret.secret_key,
            first_exposed_at: times().min().or(secret.first_seen_at),
            last_exposed_at: times().max().or(secret.last_seen_at),
            sightings: count(seen.len()),
            runs: count(runs.len()),
            sources: count(seen.iter().map(|row| row.source_key).collect::<BTreeSet<_>>().len()),
            repos: texts(&|row| run(row)?.repo.clone()),
            workflows: texts(&|row| {
                let run = run(row)?;
                let workflow = run.workflow_path.as_ref().or(run.workflow_name.as_ref())?;
                Some(workflow_label(run.repo.as_deref(), Some(workflow)))
            }),
            places: texts(&|row| Some(row.place.clone())),
            names: texts(&|row| row.name.clone()),
            handoffs: count(handoffs.len()),
            deleted_logs: count(
                seen.iter().filter(|row| row.run_key.is_some_and(|key| self.deleted.contains(&key))).count(),
            ),
            as_of: self.as_of,
            ..SecretExposure::default()
        };
        row.gaps.extend(row.first_exposed_at.is_none().then(|| "no_time".to_owned()));
        row.evidence.push(format!("secrets:{}", secret.secret_key));
        for end in [seen.first(), seen.last()].into_iter().flatten() {
            row.evidence.push(format!("secret_sightings:{}", end.sighting_key));
        }
        row.evidence.dedup();
        row.reused_after_exposure = reused(&seen, &runs);
        self.audience(&seen, &mut row);
        self.environments(secret, &seen, &mut row);
        self.life(secret, &seen, weights, &mut row);
        row
    }

    /// The widest circle that could read any of the places.
    fn audience(&self, seen: &[&SecretSighting], row: &mut SecretExposure) {
        let (mut widest, mut is_open, mut is_inferred) = (0, seen.is_empty(), false);
        for sighting in seen {
            let run = sighting.run_key.and_then(|key| self.runs.get(&key));
            let own = run.and_then(|run| run.visibility.as_deref()).map(circle);
            let others = || {
                let run = run?;
                let told =
                    self.visibility.get(&(run.platform.as_str(), run.repo.as_ref()?.to_lowercase()))?;
                // Where runs differ, the repository's visibility was changed.
                told.first().filter(|_| told.len() == 1).map(|told| circle(told))
            };
            match own.filter(|circle| *circle > 0) {
                Some(circle) => widest = widest.max(circle),
                None => match others().filter(|circle| *circle > 0) {
                    Some(circle) => {
                        widest = widest.max(circle);
                        is_inferred = true;
                    }
                    None => is_open = true,
                },
            }
        }
        let name = |circle| match circle {
            3 => "anyone",
            2 => "organisation",
            1 => "repository",
            _ => "unknown",
        };
        row.audience = name(widest).to_owned();
        row.audience_high = name(if is_open { 3 } else { widest }).to_owned();
        row.audience_from = match (is_open, is_inferred) {
            (true, _) => "unknown",
            (false, true) => "repository",
            (false, false) => "run",
        }
        .to_owned();
        row.gaps.extend(is_open.then(|| "no_visibility".to_owned()));
    }

    fn environments(&self, secret: &Secret, seen: &[&SecretSighting], row: &mut SecretExposure) {
        let of_job = |sighting: &&SecretSighting| {
            sighting.job_key.and_then(|key| self.jobs.get(&key)).and_then(|job| job.environment.clone())
        };
        let owner = secret.identity_key.and_then(|key| self.identities.get(&key));
        let mut told: BTreeSet<String> = seen.iter().filter_map(of_job).collect();
        let is_complete = !seen.is_empty() && seen.iter().all(|sighting| of_job(sighting).is_some());
        told.extend(owner.and_then(|owner| owner.environment.clone()));
        let kinds: Vec<Option<bool>> = told.iter().map(|name| is_production(name)).collect();
        row.crosses_environment = if kinds.contains(&Some(true)) && kinds.contains(&Some(false)) {
            Some(true)
        } else if is_complete && !kinds.contains(&None) {
            Some(false)
        } else {
            row.gaps.push("no_environment".to_owned());
            None
        };
        row.environments = told.into_iter().collect();
    }

    fn life(
        &self,
        secret: &Secret,
        seen: &[&SecretSighting],
        weights: &TrustWeights,
        row: &mut SecretExposure,
    ) {
        let candidates = self.candidates(secret);
        row.evidence.extend(candidates.iter().map(|row| format!("credentials:{}", row.credential_key)));
        row.used_after_exposure = used_after(&candidates, row.first_exposed_at);
        let life = self
            .by_identity(secret)
            .or_else(|| by_expiry(secret, &candidates, self.as_of))
            .or_else(|| self.by_lifetime(secret, seen, weights, row.last_exposed_at))
            .or_else(|| by_inventory(secret, &candidates, row))
            .unwrap_or_else(|| {
                let (gap, reason) = match candidates.len() {
                    0 => ("no_inventory", "no inventory has it, and it tells no expiry"),
                    1 => ("no_expiry", "the inventory tells neither its state nor an expiry"),
                    _ => ("several_credentials", "its identity has several credentials, of different state"),
                };
                row.gaps.push(gap.to_owned());
                Life { state: "unknown", reason: reason.to_owned(), ended: None }
            });
        row.state = life.state.to_owned();
        row.state_reason = life.reason;
        row.ended_at = life.ended;
        let until = life.ended.or(if life.state == "alive" { self.as_of } else { None });
        row.exposed_s = row
            .first_exposed_at
            .zip(until)
            .map(|(first, until)| until.seconds_since(first))
            .filter(|seconds| *seconds >= 0.0);
    }

    /// Rows of the inventory that may be this secret.
    fn candidates(&self, secret: &Secret) -> Vec<&'a Credential> {
        let place = secret.resolved_subject.as_deref().and_then(|subject| subject.strip_prefix("secret:"));
        let mut rows: Vec<&Credential> =
            if let Some((scope, name)) = place.and_then(|place| place.rsplit_once('/')) {
                self.stored.get(&(scope.to_lowercase(), name.to_lowercase())).cloned().unwrap_or_default()
            } else {
                let is_of_kind = |row: &&Credential| match secret.provider.as_str() {
                    "aws" => row.kind == "access_key",
                    _ => row.kind != "password" && !row.kind.ends_with("_secret"),
                };
                let own = secret.identity_key.and_then(|key| self.credentials.get(&key));
                own.into_iter().flatten().copied().filter(is_of_kind).collect()
            };
        rows.sort_by_key(|row| row.credential_key);
        rows.dedup_by_key(|row| row.credential_key);
        rows
    }

    fn by_identity(&self, secret: &Secret) -> Option<Life> {
        let owner = secret.identity_key.and_then(|key| self.identities.get(&key))?;
        (owner.status == "disabled").then(|| Life {
            state: "revoked",
            reason: format!("{} is disabled", owner.native_id),
            ended: None,
        })
    }

    /// A job's token ends with the job; what is issued for hours, after the longest of sessions.
    fn by_lifetime(
        &self,
        secret: &Secret,
        seen: &[&SecretSighting],
        weights: &TrustWeights,
        last: Option<Timestamp>,
    ) -> Option<Life> {
        if !matches!(secret.lifetime.as_str(), "ephemeral" | "hours") {
            return None;
        }
        let ended = |row: &&SecretSighting| {
            let job = row.job_key.and_then(|key| self.jobs.get(&key)).and_then(|job| job.ended_at);
            job.or_else(|| row.run_key.and_then(|key| self.runs.get(&key)).and_then(|run| run.ended_at))
        };
        let ends: Option<Vec<Timestamp>> = seen.iter().map(ended).collect();
        if let (Some(ends), "ephemeral") = (ends, secret.lifetime.as_str())
            && let Some(end) = ends.into_iter().max()
        {
            return Some(Life {
                state: "expired",
                reason: "it ended with its job".to_owned(),
                ended: Some(end),
            });
        }
        let hours = weights.session_hours;
        let is_over = self.as_of?.seconds_since(last?) >= hours * 3600.0;
        is_over.then(|| Life {
            state: "expired",
            reason: format!(
                "it is issued for hours and was last seen more than {hours} hours before the last evidence"
            ),
            ended: None,
        })
    }
}

struct Life {
    state: &'static str,
    reason: String,
    ended: Option<Timestamp>,
}

/// By the expiry the secret tells itself, or its only row of the inventory does.
fn by_expiry(secret: &Secret, candidates: &[&Credential], as_of: Option<Timestamp>) -> Option<Life> {
    let listed = match candidates {
        [only] => only.expires_at.filter(|_| only.status != "inactive"),
        _ => None,
    };
    let (expires, now) = (secret.expires_at.or(listed)?, as_of?);
    if expires <= now {
        return Some(Life {
            state: "expired",
            reason: "its expiry has passed".to_owned(),
            ended: Some(expires),
        });
    }
    // That it was revoked before, the inventory may still tell.
    (!candidates.iter().any(|row| row.status == "inactive")).then(|| Life {
        state: "alive",
        reason: "its expiry lies ahead and nothing tells of a revocation".to_owned(),
        ended: None,
    })
}

/// By the state of its rows in the inventory, and their age against the exposure.
fn by_inventory(secret: &Secret, candidates: &[&Credential], row: &SecretExposure) -> Option<Life> {
    let (first, last) = (row.first_exposed_at, row.last_exposed_at);
    let changed = |row: &Credential| row.rotated_at.max(row.created_at);
    let is_stored = secret.resolved_subject.as_deref().is_some_and(|subject| subject.starts_with("secret:"));
    let of_all =
        |test: &dyn Fn(&Credential) -> bool| !candidates.is_empty() && candidates.iter().all(|row| test(row));
    if of_all(&|row| row.status == "inactive") {
        let reason = "the inventory has it as inactive".to_owned();
        return Some(Life { state: "revoked", reason, ended: None });
    }
    if of_all(&|row| changed(row).zip(last).is_some_and(|(changed, last)| changed > last)) {
        let ended = candidates.iter().filter_map(|row| changed(row)).min();
        return Some(if is_stored {
            let reason = "the stored value was changed after the last exposure".to_owned();
            Life { state: "rotated", reason, ended }
        } else {
            let reason = "every credential of its identity is younger than the last exposure".to_owned();
            Life { state: "revoked", reason, ended }
        });
    }
    if of_all(&|row| row.last_used_at.zip(last).is_some_and(|(used, last)| used > last)) {
        return Some(alive("the inventory shows use after the last exposure"));
    }
    let is_older =
        |row: &Credential| changed(row).zip(first).is_some_and(|(changed, first)| changed <= first);
    if of_all(&|row| row.status == "active" && (candidates.len() == 1 || is_older(row))) {
        return Some(alive("the inventory has it as active"));
    }
    // A stored value that is older than the exposure is the one that was exposed.
    (is_stored && of_all(&is_older))
        .then(|| alive("the stored value was not changed since the first exposure"))
}

fn alive(reason: &str) -> Life {
    Life { state: "alive", reason: reason.to_owned(), ended: None }
}

fn used_after(candidates: &[&Credential], first: Option<Timestamp>) -> Option<bool> {
    let first = first?;
    let used: Option<Vec<bool>> = candidates.iter().map(|row| Some(row.last_used_at? > first)).collect();
    match used?.as_slice() {
        [] => None,
        used if used.iter().all(|used| *used) => Some(true),
        used if used.iter().any(|used| *used) => None,
        _ => Some(false),
    }
}

/// Whether a later run shows it again.
fn reused(seen: &[&SecretSighting], runs: &BTreeSet<Key>) -> Option<bool> {
    if runs.len() < 2 {
        // What stands in no run may stand in any.
        return (!seen.is_empty() && seen.iter().all(|row| row.run_key.is_some())).then_some(false);
    }
    let first = seen.iter().find(|row| row.seen_at.is_some())?;
    let is_later = |row: &&&SecretSighting| {
        row.seen_at > first.seen_at && row.run_key.is_some() && row.run_key != first.run_key
    };
    seen.iter().find(is_later).map(|_| true)
}

/// 3 anyone, 2 the organisation, 1 who can read the repository, 0 unknown.
fn circle(visibility: &str) -> u8 {
    match visibility {
        "public" => 3,
        "internal" => 2,
        "private" => 1,
        _ => 0,
    }
}

/// Whether an environment is production, by its name; null if the name does not tell.
fn is_production(name: &str) -> Option<bool> {
    let name = name.to_lowercase();
    let mut words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    let has = |list: &[&str], word: &str| {
        list.contains(&word.trim_end_matches(|letter: char| letter.is_ascii_digit()))
    };
    let other = [
        "dev",
        "development",
        "test",
        "testing",
        "stage",
        "staging",
        "stg",
        "qa",
        "uat",
        "sandbox",
        "preview",
        "preprod",
        "nonprod",
        "integration",
        "int",
        "demo",
        "ci",
    ];
    let own = ["prod", "production", "prd", "live"];
    // `non-prod` and `pre-prod` are not.
    if words.clone().any(|word| has(&other, word) || matches!(word, "non" | "pre")) {
        return Some(false);
    }
    words.any(|word| has(&own, word)).then_some(true)
}

/// Latest time of any evidence.
fn as_of(evidence: &Evidence) -> Option<Timestamp> {
    let runs = evidence.runs.iter().flat_map(|row| [row.created_at, row.started_at, row.ended_at]);
    let jobs = evidence.jobs.iter().flat_map(|row| [row.started_at, row.ended_at]);
    let activity = evidence.activity.iter().flat_map(|row| [row.first_at, row.last_at]);
    let credentials =
        evidence.credentials.iter().flat_map(|row| [row.created_at, row.rotated_at, row.last_used_at]);
    let sightings = evidence.secret_sightings.iter().map(|row| row.seen_at);
    runs.chain(jobs).chain(activity).chain(credentials).chain(sightings).flatten().max()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
