//! Lifecycle of NHIs: registered, owned, used, shared, used by people, controlled by others.
//!
//! Facts only; what of it is a finding, the audits say.

mod people;

use crate::privilege::{account, arn_account};
use crate::weights::Weights;
use leakgraph_model::scored::{NhiLifecycle, NhiScore};
use leakgraph_model::tables::{Identity, Job, Run};
use leakgraph_model::{Evidence, Key, Timestamp};
use people::People;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

const DAY: f64 = 86_400e6;
/// Identities that hold something for others and never act.
const PASSIVE: [&str; 23] = [
    "account",
    "account_root",
    "admin",
    "code",
    "credential",
    "environment",
    "group",
    "job",
    "organization",
    "organizational_unit",
    "public",
    "rbac_cluster_role",
    "rbac_role",
    "resource",
    "role_definition",
    "root",
    "run",
    "secret",
    "service",
    "session",
    "webhook",
    "workflow",
    "workload",
];
/// Tenant of Microsoft's own applications ("Verify first-party Microsoft applications").
const MICROSOFT: &str = "f8cdef31-a31e-4b4a-93e4-5f571e91255a";

/// A row in the making.
#[derive(Default)]
struct Life {
    row: NhiLifecycle,
    repositories: BTreeSet<String>,
    workflows: BTreeSet<String>,
    workloads: BTreeSet<String>,
    environments: BTreeSet<String>,
    human_uses: BTreeSet<String>,
    third_parties: BTreeSet<String>,
    evidence: BTreeSet<String>,
}

/// One row per NHI that acts or can act, in the order of keys.
pub(crate) fn lifecycle(evidence: &Evidence, scores: &[NhiScore], weights: &Weights) -> Vec<NhiLifecycle> {
    let people = People::of(&evidence.identities);
    let mut lives = registered(evidence, &people);
    unregistered(evidence, &mut lives);
    credentials(evidence, &mut lives);
    used(evidence, &mut lives);
    by_jobs(evidence, &mut lives);
    trusts(evidence, &mut lives);
    people.uses(evidence, &mut |key, how, proof| {
        if let Some(life) = lives.get_mut(&key) {
            life.human_uses.insert(how);
            life.evidence.extend(proof);
        }
    });
    let inactive: HashMap<Key, bool> =
        scores.iter().filter_map(|score| Some((score.identity_key, score.inactive?))).collect();
    let ends = ends(evidence, &lives);
    lives.into_iter().map(|(key, life)| life.finish(inactive.get(&key).copied(), &ends, weights)).collect()
}

fn registered(evidence: &Evidence, people: &People<'_>) -> BTreeMap<Key, Life> {
    let acts = |identity: &&Identity| {
        identity.is_nhi != Some(false)
            && !PASSIVE.contains(&identity.kind.as_str())
            && !people.is_person(identity)
    };
    // Whose registration is in the dump is of the tenant itself.
    let own = evidence
        .identities
        .iter()
        .filter(|row| row.tags.iter().any(|tag| tag.starts_with("application_object=")));
    let tenants: HashSet<&str> = own.filter_map(owner_tenant).collect();
    let mut lives = BTreeMap::new();
    for identity in evidence.identities.iter().filter(acts) {
        let (known, owner_key) = people.owner(identity.owner.as_deref());
        let owner_status = stated(identity).unwrap_or(known);
        let row = NhiLifecycle {
            identity_key: identity.identity_key,
            identity: identity.native_id.clone(),
            platform: identity.platform.clone(),
            kind: identity.kind.clone(),
            status: identity.status.clone(),
            // Who is only in a list of owners is in no inventory.
            registered: (identity.kind != "unknown").then_some(true),
            created_at: identity.created_at,
            last_used_at: identity.last_used_at,
            last_used_by: identity.last_used_at.map(|_| "inventory".to_owned()),
            owner: identity.owner.clone(),
            owner_status: owner_status.to_owned(),
            owner_key,
            ..NhiLifecycle::default()
        };
        let mut life = Life { row, ..Life::default() };
        life.environments.extend(identity.environment.clone());
        life.evidence.insert(format!("identities:{}", identity.identity_key));
        life.evidence.extend(owner_key.map(|key| format!("identities:{key}")));
        if identity.kind == "app_installation" {
            life.third_parties.insert(format!("app {}", identity.name));
        }
        let is_foreign =
            |tenant: &&str| *tenant != MICROSOFT && !tenants.is_empty() && !tenants.contains(tenant);
        let tenant = owner_tenant(identity).filter(is_foreign);
        life.third_parties.extend(tenant.map(|tenant| format!("tenant {tenant}")));
        lives.insert(identity.identity_key, life);
    }
    lives
}

/// What a list of owners says of them: one of them is there, or all left.
fn stated(identity: &Identity) -> Option<&'static str> {
    let has = |prefix: &str| identity.tags.iter().any(|tag| tag.starts_with(prefix));
    if has("owner_active=") {
        Some("active")
    } else {
        (has("owner_departed=") && !has("owner_unverified=")).then_some("departed")
    }
}

/// The tenant that owns an application of Entra.
fn owner_tenant(identity: &Identity) -> Option<&str> {
    identity.tags.iter().find_map(|tag| tag.strip_prefix("owner_tenant="))
}

/// Platform and kind of an NHI by the name it acts under; nothing for people, for services of
/// the provider and for names that tell neither.
fn nhi_of(principal: &str) -> Option<(&'static str, &'static str)> {
    if let Some(resource) = principal.strip_prefix("arn:").and_then(|arn| arn.splitn(5, ':').nth(4)) {
        let (kind, name) = resource.split_once('/')?;
        let name = name.rsplit('/').next().unwrap_or(name);
        return match kind {
            "role" | "assumed-role" if !name.starts_with("AWSReservedSSO_") => Some(("aws", "role")),
            _ => None,
        };
    }
    if principal.starts_with("system:serviceaccount:") {
        return Some(("kubernetes", "service_account"));
    }
    principal.ends_with(".gserviceaccount.com").then_some(("gcp", "service_account"))
}

/// NHIs that acted and that no inventory lists.
fn unregistered(evidence: &Evidence, lives: &mut BTreeMap<Key, Life>) {
    let known: HashSet<Key> = evidence.identities.iter().map(|row| row.identity_key).collect();
    let inventories: HashSet<(&str, String)> = evidence
        .identities
        .iter()
        // A row that another document merely mentions is no inventory.
        .filter(|row| row.created_at.is_some() || row.unique_id.is_some())
        .filter_map(|row| Some((row.platform.as_str(), account(row)?)))
        .collect();
    let acting = evidence.activity.iter().filter(|row| !row.denied);
    let acting = acting.filter_map(|row| Some((row.identity_key?, row.principal.as_str())));
    let used = evidence.identities_used.iter();
    let used = used.filter_map(|row| Some((row.identity_key?, row.subject.as_deref()?)));
    let assumed = evidence.assumptions.iter().filter(|row| !row.denied);
    let assumed = assumed.filter_map(|row| Some((row.target_identity_key?, row.target.as_str())));
    for (key, name) in acting.chain(used).chain(assumed).filter(|(key, _)| !known.contains(key)) {
        let Some((platform, kind)) = nhi_of(name) else { continue };
        let place = match platform {
            "aws" => arn_account(name),
            "gcp" => name.split(['@', '.']).nth(1).map(str::to_owned),
            _ => Some("kubernetes".to_owned()),
        };
        let has_inventory = place.is_some_and(|place| inventories.contains(&(platform, place)));
        let life = lives.entry(key).or_default();
        // Several names may stand for one key; the least is as good as any.
        if life.row.identity.is_empty() || name < life.row.identity.as_str() {
            name.clone_into(&mut life.row.identity);
        }
        life.row.identity_key = key;
        life.row.platform = platform.to_owned();
        life.row.kind = kind.to_owned();
        life.row.status = "unknown".to_owned();
        life.row.owner_status = "none".to_owned();
        life.row.registered = has_inventory.then_some(false);
    }
}

impl Life {
    fn used(&mut self, at: Option<Timestamp>, by: &str) {
        if at > self.row.last_used_at {
            self.row.last_used_at = at;
            self.row.last_used_by = Some(by.to_owned());
        }
    }
}

fn credentials(evidence: &Evidence, lives: &mut BTreeMap<Key, Life>) {
    for row in &evidence.credentials {
        let Some(life) = row.identity_key.and_then(|key| lives.get_mut(&key)) else { continue };
        life.used(row.last_used_at, "credential");
        if row.status == "inactive" {
            continue;
        }
        life.row.credentials += 1;
        life.row.without_expiry += i64::from(row.expires_at.is_none());
        let rotated = row.rotated_at.or(row.created_at);
        let is_older =
            rotated.is_some() && life.row.oldest_credential_at.is_none_or(|oldest| rotated < Some(oldest));
        if is_older {
            life.row.oldest_credential_at = rotated;
        }
        life.evidence.insert(format!("credentials:{}", row.credential_key));
    }
}

fn used(evidence: &Evidence, lives: &mut BTreeMap<Key, Life>) {
    for row in evidence.activity.iter().filter(|row| !row.denied) {
        if let Some(life) = row.identity_key.and_then(|key| lives.get_mut(&key)) {
            life.used(row.last_at.or(row.first_at), "activity");
        }
    }
    for row in evidence.assumptions.iter().filter(|row| !row.denied) {
        if let Some(life) = row.target_identity_key.and_then(|key| lives.get_mut(&key)) {
            life.used(row.last_at.or(row.first_at), "assumption");
        }
    }
}

/// Runs that act as an identity. Tokens that every job has of its own are nobody's to share.
fn by_jobs(evidence: &Evidence, lives: &mut BTreeMap<Key, Life>) {
    let runs: HashMap<Key, &Run> = evidence.runs.iter().map(|run| (run.run_key, run)).collect();
    let jobs: HashMap<Key, &Job> = evidence.jobs.iter().map(|job| (job.job_key, job)).collect();
    for row in evidence.identities_used.iter().filter(|row| row.how != "job_token") {
        let Some(life) = row.identity_key.and_then(|key| lives.get_mut(&key)) else { continue };
        let job = row.job_key.and_then(|key| jobs.get(&key));
        let run = row.run_key.or(job.map(|job| job.run_key)).and_then(|key| runs.get(&key));
        let at = job.and_then(|job| job.started_at).or(run.and_then(|run| run.started_at.or(run.created_at)));
        life.used(row.issued_at.or(at), "job");
        life.environments.extend(job.and_then(|job| job.environment.clone()));
        let Some(run) = run else { continue };
        let repo = run.repo.as_deref();
        life.repositories.extend(repo.map(str::to_owned));
        let workflow = run.workflow_path.as_deref().or(run.workflow_name.as_deref());
        life.workflows.extend(repo.zip(workflow).map(|(repo, workflow)| format!("{repo} {workflow}")));
        life.evidence.extend(job.map(|job| format!("jobs:{}", job.job_key)));
    }
    // One job proves that it is used; more are in `identities_used`.
    for life in lives.values_mut() {
        let extra: Vec<String> =
            life.evidence.iter().filter(|row| row.starts_with("jobs:")).skip(2).cloned().collect();
        extra.iter().for_each(|row| {
            life.evidence.remove(row);
        });
    }
}

/// Workloads that run as an identity, and other accounts that may become it.
fn trusts(evidence: &Evidence, lives: &mut BTreeMap<Key, Life>) {
    let own: HashSet<String> = evidence
        .identities
        .iter()
        .filter(|row| row.platform == "aws" && (row.created_at.is_some() || row.unique_id.is_some()))
        .filter_map(account)
        .collect();
    for row in evidence.trusts.iter().filter(|row| row.effect == "allow") {
        let Some(life) = lives.get_mut(&row.identity_key) else { continue };
        match row.principal_kind.as_str() {
            "workload" => {
                life.workloads.insert(row.principal.clone());
                life.evidence.insert(format!("trusts:{}", row.trust_key));
            }
            "aws" => {
                let is_number =
                    |text: &&str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
                let named = Some(row.principal.as_str()).filter(is_number).map(str::to_owned);
                let other = named.or_else(|| arn_account(&row.principal));
                let own_account = arn_account(&life.row.identity);
                if let Some(other) =
                    other.filter(|other| Some(other) != own_account.as_ref() && !own.contains(other))
                {
                    life.third_parties.insert(format!("account {other}"));
                    life.evidence.insert(format!("trusts:{}", row.trust_key));
                }
            }
            _ => {}
        }
    }
}

/// End of the evidence by platform and account.
type Ends = HashMap<(String, Option<String>), Timestamp>;

fn place(row: &NhiLifecycle, accounts: &HashMap<Key, String>) -> (String, Option<String>) {
    let account = accounts.get(&row.identity_key).cloned().or_else(|| arn_account(&row.identity));
    (row.platform.clone(), account)
}

/// When evidence ends, by platform and account, and the account of each identity.
fn ends(evidence: &Evidence, lives: &BTreeMap<Key, Life>) -> (Ends, HashMap<Key, String>) {
    let accounts: HashMap<Key, String> =
        evidence.identities.iter().filter_map(|row| Some((row.identity_key, account(row)?))).collect();
    let mut ends = Ends::new();
    for life in lives.values() {
        if let Some(at) = life.row.last_used_at {
            let end = ends.entry(place(&life.row, &accounts)).or_insert(at);
            *end = at.max(*end);
        }
    }
    // Runs tell the time of the organisation they belong to.
    for run in &evidence.runs {
        let organisation = run.repo.as_deref().and_then(|repo| repo.split('/').next()).map(str::to_owned);
        if let Some(at) = run.ended_at.or(run.started_at).or(run.created_at) {
            let end = ends.entry((run.platform.clone(), organisation)).or_insert(at);
            *end = at.max(*end);
        }
    }
    (ends, accounts)
}

impl Life {
    fn finish(
        mut self,
        inactive: Option<bool>,
        ends: &(Ends, HashMap<Key, String>),
        weights: &Weights,
    ) -> NhiLifecycle {
        let end = ends.0.get(&place(&self.row, &ends.1)).copied();
        self.row.idle_days =
            end.zip(self.row.last_used_at).map(|(end, last)| ((end.0 - last.0) as f64 / DAY).max(0.0));
        // Seen at work by anybody is not idle; a time of last use long ago is.
        self.row.inactive = match (inactive, self.row.idle_days) {
            (_, Some(days)) if days < weights.window_days() => Some(false),
            (Some(inactive), _) => Some(inactive),
            (None, Some(_)) => Some(true),
            (None, None) => None,
        };
        let list = |set: BTreeSet<String>| set.into_iter().collect::<Vec<String>>();
        NhiLifecycle {
            repositories: list(self.repositories),
            workflows: list(self.workflows),
            workloads: list(self.workloads),
            environments: list(self.environments),
            human_uses: list(self.human_uses),
            third_party: (!self.third_parties.is_empty()).then(|| list(self.third_parties).join(", ")),
            evidence: list(self.evidence),
            ..self.row
        }
    }
}

#[cfg(test)]
mod tests;
