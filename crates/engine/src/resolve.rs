//! Whose secret is it? Joins secrets to identities without knowing any value.

use leakgraph_model::tables::{Secret, SecretSighting, identity_key};
use leakgraph_model::{Evidence, Key};
use leakgraph_scan::FingerprintKey;
use leakgraph_scan::known::FingerprintList;
use std::collections::{BTreeMap, HashMap, HashSet};

/// How far a secret access key may stand from its key id to be paired, in lines.
const PAIR_LINES: i64 = 3;

/// Merges sightings of one secret into one row and resolves its identity.
///
/// The ladder, first hit wins: the value says so itself (JWT subject, service
/// account e-mail) · its fingerprint equals that of a credential id in the
/// inventory · it stands beside such an id · it is a job token, which belongs to
/// the repository of the run that printed it · it was assigned to the name of a secret
/// that the run's repository or organisation stores.
pub fn resolve_secrets(evidence: &mut Evidence, key: &FingerprintKey) {
    evidence.secrets = merge(std::mem::take(&mut evidence.secrets));
    by_credential_id(evidence, key);
    by_neighbour(evidence);
    by_run(evidence);
    by_stored_name(evidence);
}

/// Names the secrets that the organisation keeps under these names.
pub fn name_known(secrets: &mut [Secret], list: &FingerprintList) {
    let kept = list.by_fingerprint();
    for secret in secrets.iter_mut().filter(|secret| secret.key_id == list.key_id) {
        if let Some(names) = kept.get(secret.fingerprint.as_str()) {
            secret.kept_as.extend(names.iter().map(leakgraph_scan::known::KnownName::place));
            secret.kept_as.sort_unstable();
            secret.kept_as.dedup();
        }
    }
}

/// One row per secret, with the best of what its sightings said.
fn merge(rows: Vec<Secret>) -> Vec<Secret> {
    let mut merged: BTreeMap<Key, Secret> = BTreeMap::new();
    for row in rows {
        match merged.get_mut(&row.secret_key) {
            None => {
                merged.insert(row.secret_key, row);
            }
            Some(kept) => {
                let first = earliest(kept.first_seen_at, row.first_seen_at);
                let last = kept.last_seen_at.max(row.last_seen_at);
                let names = [kept.kept_as.clone(), row.kept_as.clone()].concat();
                if (rank(&row.confidence), &kept.rule) > (rank(&kept.confidence), &row.rule) {
                    *kept = row;
                }
                kept.kept_as.extend(names);
                kept.kept_as.sort_unstable();
                kept.kept_as.dedup();
                kept.first_seen_at = first;
                kept.last_seen_at = last;
            }
        }
    }
    merged.into_values().collect()
}

fn earliest<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn rank(confidence: &str) -> u8 {
    match confidence {
        "verified-structure" => 2,
        "likely" => 1,
        _ => 0,
    }
}

/// A leaked access key id is a credential the inventory names: same fingerprint.
fn by_credential_id(evidence: &mut Evidence, key: &FingerprintKey) {
    let owners: HashMap<String, Key> = evidence
        .credentials
        .iter()
        .filter(|credential| credential.kind == "access_key")
        .filter_map(|credential| Some((key.of(credential.name.as_bytes()), credential.identity_key?)))
        .collect();
    for secret in evidence.secrets.iter_mut().filter(|secret| secret.identity_key.is_none()) {
        if let Some(owner) = owners.get(&secret.fingerprint) {
            secret.identity_key = Some(*owner);
            secret.resolved_by = Some("credential_id".to_owned());
        }
    }
}

/// A secret access key printed beside a resolved key id belongs to the same identity.
fn by_neighbour(evidence: &mut Evidence) {
    let by_key: HashMap<Key, &Secret> =
        evidence.secrets.iter().map(|secret| (secret.secret_key, secret)).collect();
    let mut ids: HashMap<Key, Vec<(&SecretSighting, Key)>> = HashMap::new();
    let mut halves = Vec::new();
    for sighting in &evidence.secret_sightings {
        let Some(secret) = by_key.get(&sighting.secret_key) else { continue };
        if secret.provider != "aws" {
            continue;
        }
        match secret.identity_key {
            Some(owner) => ids.entry(sighting.source_key).or_default().push((sighting, owner)),
            None => halves.push(sighting),
        }
    }
    let mut owners: HashMap<Key, Key> = HashMap::new();
    for half in halves {
        let near = ids
            .get(&half.source_key)
            .into_iter()
            .flatten()
            .filter(|(id, _)| id.path == half.path && (id.line - half.line).abs() <= PAIR_LINES);
        if let Some((_, owner)) = near.min_by_key(|(id, _)| (id.line - half.line).abs()) {
            owners.insert(half.secret_key, *owner);
        }
    }
    for secret in &mut evidence.secrets {
        if let Some(owner) = owners.get(&secret.secret_key) {
            secret.identity_key = Some(*owner);
            secret.resolved_by = Some("beside_key_id".to_owned());
        }
    }
}

/// A value under the name of a stored secret is, in all likelihood, that secret.
fn by_stored_name(evidence: &mut Evidence) {
    let repos: HashMap<Key, &str> =
        evidence.runs.iter().filter_map(|run| Some((run.run_key, run.repo.as_deref()?))).collect();
    let stored: HashSet<(String, String)> = evidence
        .credentials
        .iter()
        .filter(|credential| credential.kind.ends_with("_secret"))
        .filter_map(|credential| {
            Some((credential.scope.as_ref()?.to_lowercase(), credential.name.to_uppercase()))
        })
        .collect();
    let mut found: HashMap<Key, String> = HashMap::new();
    for sighting in &evidence.secret_sightings {
        let repo = sighting.run_key.and_then(|run| repos.get(&run)).copied();
        let (Some(repo), Some(name)) = (repo, &sighting.name) else { continue };
        let owner = repo.split('/').next().unwrap_or(repo);
        let name = name.to_uppercase();
        let scope =
            [repo, owner].into_iter().find(|scope| stored.contains(&(scope.to_lowercase(), name.clone())));
        if let Some(scope) = scope {
            found.entry(sighting.secret_key).or_insert_with(|| format!("secret:{scope}/{name}"));
        }
    }
    for secret in evidence.secrets.iter_mut().filter(|secret| secret.resolved_by.is_none()) {
        if let Some(subject) = found.remove(&secret.secret_key) {
            secret.resolved_by = Some("stored_name".to_owned());
            secret.resolved_subject = Some(subject);
        }
    }
}

/// A job token acts for the repository whose run printed it.
fn by_run(evidence: &mut Evidence) {
    let repos: HashMap<Key, &str> =
        evidence.runs.iter().filter_map(|run| Some((run.run_key, run.repo.as_deref()?))).collect();
    let known: HashSet<Key> = evidence.identities.iter().map(|identity| identity.identity_key).collect();
    let mut owners: HashMap<Key, (Key, String)> = HashMap::new();
    for sighting in &evidence.secret_sightings {
        let Some(repo) = sighting.run_key.and_then(|run| repos.get(&run)) else { continue };
        let native_id = format!("repo:{repo}:token");
        let owner = identity_key("github", &native_id);
        if known.contains(&owner) {
            owners.entry(sighting.secret_key).or_insert((owner, native_id));
        }
    }
    for secret in &mut evidence.secrets {
        let is_job_token = secret.provider == "github" && secret.lifetime != "long";
        if secret.identity_key.is_some() || !is_job_token {
            continue;
        }
        if let Some((owner, native_id)) = owners.remove(&secret.secret_key) {
            secret.identity_key = Some(owner);
            secret.resolved_by = Some("job_token_of_run".to_owned());
            secret.resolved_subject = Some(native_id);
        }
    }
}
