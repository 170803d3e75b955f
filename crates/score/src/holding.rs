//! What a job holds: scopes of its token, secrets, sessions, each with its weight and life.
//!
//! The weight is 0 to 1, by how much of a system it opens; a secret or session whose grants
//! are not on record weighs at least `credential` and at most `admin`.

use crate::Error;
use crate::index::Index;
use crate::relations::access_level;
use crate::weights::{Weights, unit};
use leakgraph_model::Key;
use leakgraph_model::scored::JobHolding;
use leakgraph_model::tables::{IdentityUsed, Job, SecretPassed, WorkflowDefinition};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Weights of what a job may hold, 0 to 1.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrivilegeWeights {
    pub(crate) admin: f64,
    protected: f64,
    credential: f64,
    all_secrets: f64,
    write: f64,
    read: f64,
    scope: BTreeMap<String, f64>,
    life: BTreeMap<String, f64>,
}

/// Lives a credential can have.
const LIVES: [&str; 5] = ["static", "pat", "app_token", "session", "job_token"];

impl PrivilegeWeights {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let single = [self.admin, self.protected, self.credential, self.all_secrets, self.write, self.read];
        for value in single.iter().chain(self.scope.values()).chain(self.life.values()) {
            unit("privilege", *value)?;
        }
        match LIVES.iter().find(|life| !self.life.contains_key(**life)) {
            Some(life) => Err(Error::Weights(format!("no privilege.life.{life}"))),
            None => Ok(()),
        }
    }

    fn life(&self, life: &str) -> f64 {
        self.life.get(life).copied().unwrap_or(1.0)
    }

    /// Weight of one scope of a job's token.
    fn scope(&self, scope: &str, access: &str) -> f64 {
        match (access, access_level(access)) {
            ("admin", _) => self.admin,
            (_, 2) => self.scope.get(scope).copied().unwrap_or(self.write),
            // Everybody who sees the repository reads its metadata.
            (_, 1) if scope != "metadata" => self.read,
            _ => 0.0,
        }
    }

    /// The heaviest scope a token of GitHub may have, if none is on record.
    fn heaviest_scope(&self) -> f64 {
        self.scope.values().copied().fold(self.write, f64::max)
    }
}

/// What kind of material it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    JobToken,
    IdToken,
    Secret,
    Identity,
    AllSecrets,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::JobToken => "job_token",
            Self::IdToken => "id_token",
            Self::Secret => "secret",
            Self::Identity => "identity",
            Self::AllSecrets => "all_secrets",
        }
    }
}

/// One thing a job holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Holding<'a> {
    pub(crate) kind: Kind,
    /// Scope, secret's name or identity's id.
    pub(crate) name: String,
    /// Weight it has for sure, and at worst.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// 1 lives long, 0 not at all.
    pub(crate) life: f64,
    /// How it reached the job: log, rest, yaml, binding, audit_list, oidc, …
    pub(crate) how: String,
    pub(crate) used: Option<&'a IdentityUsed>,
    pub(crate) evidence: String,
}

/// Everything a job is known to hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings<'a> {
    pub(crate) rows: Vec<Holding<'a>>,
    /// Whether the token's permissions are on record.
    pub(crate) permissions_known: bool,
    /// Whether it is on record which secrets the job got.
    pub(crate) secrets_known: bool,
    /// The heaviest scope of the token, at worst.
    token_high: f64,
    admin: f64,
}

impl Holdings<'_> {
    /// Heaviest weight for sure; null where nothing at all is on record.
    pub(crate) fn low(&self) -> Option<f64> {
        let known = self.permissions_known || self.secrets_known || !self.rows.is_empty();
        known.then(|| self.rows.iter().map(|row| row.low).fold(0.0, f64::max))
    }

    /// Heaviest weight at worst.
    pub(crate) fn high(&self) -> f64 {
        let unseen = if self.secrets_known { 0.0 } else { self.admin };
        self.rows.iter().map(|row| row.high).fold(self.token_high.max(unseen), f64::max)
    }

    /// As rows; what may be there beside what is on record is a row of its own.
    pub(crate) fn table(&self, job: Key) -> Vec<JobHolding> {
        let held = self.rows.iter().map(|row| JobHolding {
            job_key: job,
            kind: row.kind.as_str().to_owned(),
            name: row.name.clone(),
            weight: row.low,
            weight_high: row.high,
            life: Some(row.life),
            how: row.how.clone(),
            evidence: Some(row.evidence.clone()),
        });
        let unknown = [
            (self.permissions_known, Kind::JobToken, self.token_high),
            (self.secrets_known, Kind::Secret, self.admin),
        ];
        let unseen = unknown.into_iter().filter(|(known, ..)| !known).map(|(_, kind, most)| JobHolding {
            job_key: job,
            kind: kind.as_str().to_owned(),
            name: "?".to_owned(),
            weight_high: most,
            how: "unknown".to_owned(),
            ..JobHolding::default()
        });
        held.chain(unseen).collect()
    }

    /// Named secrets.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().filter(|row| row.kind == Kind::Secret).map(|row| row.name.as_str())
    }

    /// Whether it holds privilege; null where that is not on record.
    pub(crate) fn privileged(&self, threshold: f64) -> Option<bool> {
        let credential = |kind| matches!(kind, Kind::Secret | Kind::Identity | Kind::AllSecrets);
        if self.rows.iter().any(|row| row.low >= threshold || credential(row.kind)) {
            return Some(true);
        }
        (self.permissions_known && self.secrets_known).then_some(false)
    }
}

/// Names by which a job's own token is handed around.
pub(crate) fn is_job_token(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "token",
        "github_token",
        "github-token",
        "gh_token",
        "repo-token",
        "repo_token",
        "ci_job_token",
        "system_accesstoken",
        "system.accesstoken",
    ];
    NAMES.contains(&name.to_lowercase().as_str())
}

/// Whether what a step was handed under this name may be the job's own token, which is what
/// actions take under these names unless they are given another.
pub(crate) fn may_be_own_token(row: &SecretPassed) -> bool {
    let name = row.name.to_lowercase().replace('-', "_");
    name == "github_token"
        || row.how == "binding" && matches!(name.as_str(), "token" | "repo_token" | "gh_token")
}

/// Life of a secret by how it came and what its name says.
fn life_of(name: &str, how: &str) -> &'static str {
    let name = name.to_ascii_uppercase();
    if how == "id_token" {
        "session"
    } else if name.split(['_', '-']).any(|word| word == "PAT") {
        "pat"
    } else {
        "static"
    }
}

/// What the job holds, by its log, the platform's records and the files that define it.
pub(crate) fn holdings<'a>(index: &Index<'a>, job: &'a Job, weights: &Weights) -> Holdings<'a> {
    let privilege = weights.privilege();
    let definitions = index.definitions(job);
    let environment =
        job.environment.clone().or_else(|| definitions.iter().find_map(|row| row.environment.clone()));
    let is_production = environment.is_some_and(|name| name.to_lowercase().contains("prod"));
    // What writes in production weighs as such.
    let raised = |weight: f64| {
        if is_production && weight >= privilege.write { weight.max(privilege.protected) } else { weight }
    };
    let mut found = Holdings { admin: privilege.admin, ..Holdings::default() };
    token(index, job, &mut found, privilege, &raised);
    let credential = raised(privilege.credential);
    let mut names: BTreeMap<String, &SecretPassed> = BTreeMap::new();
    for row in index.secrets_of(job) {
        match row.how.as_str() {
            "inherit_all" | "tojson_all" => found.rows.push(Holding {
                kind: Kind::AllSecrets,
                name: "all secrets".to_owned(),
                low: privilege.all_secrets,
                high: privilege.admin,
                life: privilege.life("static"),
                how: row.how.clone(),
                used: None,
                evidence: format!("secrets_passed:{}", row.job_key.unwrap_or(row.run_key)),
            }),
            _ if is_job_token(&row.name) => {}
            // What a step was seen to get is surer than what the job was given.
            how => match names.get(&row.name) {
                Some(known) if known.how == "binding" || how != "binding" => {}
                _ => {
                    names.insert(row.name.clone(), row);
                }
            },
        }
    }
    found.rows.extend(names.into_iter().map(|(name, row)| Holding {
        kind: Kind::Secret,
        low: credential,
        high: privilege.admin,
        life: privilege.life(life_of(&name, &row.how)),
        name,
        how: row.how.clone(),
        used: None,
        evidence: format!("secrets_passed:{}", row.job_key.unwrap_or(row.run_key)),
    }));
    if !job.has_log {
        declared(&definitions, &mut found, credential, privilege);
    }
    for used in index.used_by(job) {
        found.rows.extend(identity(index, used, credential, privilege));
    }
    found.secrets_known = job.has_log
        || job.secret_source.as_deref() == Some("None")
        || index.secrets_of(job).any(|row| row.how == "audit_list")
        || !definitions.is_empty();
    found
}

/// Secrets that only the file tells of.
fn declared(
    definitions: &[&WorkflowDefinition],
    found: &mut Holdings<'_>,
    credential: f64,
    privilege: &PrivilegeWeights,
) {
    for definition in definitions {
        let row = |kind, name: &str, low, life| Holding {
            kind,
            name: name.to_owned(),
            low,
            high: privilege.admin,
            life: privilege.life(life),
            how: "yaml_reference".to_owned(),
            used: None,
            evidence: format!("workflow_definitions:{}", definition.definition_key),
        };
        if definition.reads_all_secrets {
            found.rows.push(row(Kind::AllSecrets, "all secrets", privilege.all_secrets, "static"));
        }
        for name in definition.secrets.iter().filter(|name| !is_job_token(name)) {
            if !found.secrets().any(|known| known == name) {
                found.rows.push(row(Kind::Secret, name, credential, life_of(name, "yaml_reference")));
            }
        }
    }
}

fn token<'a>(
    index: &Index<'a>,
    job: &'a Job,
    found: &mut Holdings<'a>,
    privilege: &PrivilegeWeights,
    raised: &dyn Fn(f64) -> f64,
) {
    let rows = Index::rows(&index.permissions, job.job_key);
    let mut scopes: BTreeMap<(String, String), (String, String)> = rows
        .iter()
        .map(|row| {
            let evidence = format!("token_permissions:{}", row.job_key);
            ((row.scope.clone(), row.access.clone()), (row.evidence.clone(), evidence))
        })
        .collect();
    found.permissions_known = !rows.is_empty();
    // Without a log the file says what the token may do, unless it leaves that to the repository.
    if rows.is_empty() {
        let definitions = index.definitions(job);
        found.permissions_known =
            !definitions.is_empty() && definitions.iter().all(|row| row.permissions_from != "default");
        for definition in definitions {
            for permission in &definition.permissions {
                let (scope, access) = permission.split_once(':').unwrap_or((permission, "read"));
                let evidence = format!("workflow_definitions:{}", definition.definition_key);
                scopes.insert((scope.to_owned(), access.to_owned()), ("yaml".to_owned(), evidence));
            }
        }
    }
    for ((scope, access), (how, evidence)) in scopes {
        let weight = raised(privilege.scope(&scope, &access));
        let is_id = scope == "id-token" && access == "write";
        if weight > 0.0 {
            found.rows.push(Holding {
                kind: if is_id { Kind::IdToken } else { Kind::JobToken },
                name: format!("{scope}:{access}"),
                low: weight,
                high: weight,
                life: privilege.life(if is_id { "session" } else { "job_token" }),
                how,
                used: None,
                evidence,
            });
        }
    }
    let platform = index.runs.get(&job.run_key).map(|run| run.platform.as_str());
    found.token_high = match (found.permissions_known, platform) {
        (true, _) => 0.0,
        (false, Some("github")) => privilege.heaviest_scope(),
        (false, _) => privilege.admin,
    };
}

/// A session or key the job acted with; the job's own token is no further one.
fn identity<'a>(
    index: &Index<'a>,
    used: &'a IdentityUsed,
    credential: f64,
    privilege: &PrivilegeWeights,
) -> Option<Holding<'a>> {
    let life = match used.how.as_str() {
        "job_token" => return None,
        "static" => "static",
        "app_token" => "app_token",
        "oidc" | "assigned" | "inherited" | "ambient" => "session",
        _ => "static",
    };
    let granted = used.identity_key.and_then(|key| index.granted.get(&key).copied());
    let native = used.identity_key.and_then(|key| index.identities.get(&key));
    let name = used.subject.clone().or_else(|| native.map(|row| row.native_id.clone()));
    Some(Holding {
        kind: Kind::Identity,
        name: name.unwrap_or_else(|| used.identity_kind.replace('_', " ")),
        low: granted.unwrap_or(credential),
        high: granted.unwrap_or(privilege.admin),
        life: privilege.life(life),
        how: used.how.clone(),
        used: Some(used),
        evidence: format!("identities_used:{}", used.job_key.or(used.run_key).unwrap_or_default()),
    })
}
