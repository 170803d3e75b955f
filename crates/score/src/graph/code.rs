//! Who decides what workflows run: their code, their runs and jobs, and who set those going.
//!
//! A repository has two nodes: its code, and its workflow files with all the secrets these may
//! ask for. Whoever may change code reaches every workflow of the repository, its runs and
//! what their jobs hold: what ran is what will run. These edges follow from configuration and
//! are never `observed`. Costs:
//!
//! - A change by a job's own token starts no run ("events triggered by the `GITHUB_TOKEN` …
//!   will not create a new workflow run", GitHub documentation): somebody else has to, +1. The
//!   token cannot write workflow files either.
//! - Keys, apps and personal tokens cost nothing, as their pushes start runs.
//! - Whether a branch rule asks for a review is not on record: one check `unproven`.
//! - A job whose environment asks for reviewers costs +1; where that is not on record the
//!   check is `unproven`.

use super::build::{Builder, run_label};
use super::links::Link;
use crate::trigger::asks_for_review;
use leakgraph_model::tables::{Grant, Job, Run, identity_key};
use leakgraph_model::{Evidence, Key};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How far a grant reaches into a repository.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Code,
    Files,
}

/// Checks on the way to a job: with evidence, and without.
type Checks = (u8, u8);

/// Node of a repository's code.
pub(super) fn code_of(repo: &str) -> Key {
    Key::of("repository-code", &[&repo.to_lowercase()])
}

fn files_of(repo: &str) -> Key {
    Key::of("repository-workflows", &[&repo.to_lowercase()])
}

/// Node of a secret by the place it is stored in and its name.
pub(super) fn named_secret(scope: &str, name: &str) -> Key {
    Key::of("named-secret", &[scope, name])
}

impl<'a> Builder<'a> {
    /// Runs below their workflows, jobs below their runs, people and apps above them.
    pub(super) fn runs(&mut self) {
        for run in &self.evidence.runs {
            let id = run.platform_run_id.as_deref().unwrap_or("?");
            let attempt = run.attempt.filter(|attempt| *attempt > 1).map(|attempt| format!(" ({attempt})"));
            let label = format!("{} #{id}{}", run_label(Some(run)), attempt.unwrap_or_default());
            self.links.node(run.run_key, "run", label, 0.0);
            self.workflow(run);
            self.starts(run);
        }
        for job in &self.evidence.jobs {
            let (cost, unproven) = self.checks_of(job);
            let link = Link {
                kind: "runs",
                cost,
                unproven,
                observed: true,
                evidence: Some(job.job_key),
                ..Link::default()
            };
            self.links.edge(job.run_key, job.job_key, link);
        }
    }

    fn workflow(&mut self, run: &Run) {
        let named = run.workflow_path.as_deref().or(run.workflow_name.as_deref());
        let (Some(repo), Some(file)) = (run.repo.as_deref(), named) else { return };
        let key = Key::of("workflow", &[&run.platform, &repo.to_lowercase(), file]);
        self.links.node(key, "workflow", format!("{repo} {file}"), 0.0);
        let possible = |kind| Link { kind, ..Link::default() };
        self.links.edge(key, run.run_key, Link { evidence: Some(run.run_key), ..possible("runs") });
        if run.platform == "github" {
            let code = self.repository(repo);
            self.links.edge(code, key, possible("defines"));
        }
    }

    /// Nodes of a repository; gives that of its code.
    fn repository(&mut self, repo: &str) -> Key {
        let code = self.links.node(code_of(repo), "code", format!("repo:{repo} code"), 0.0);
        let files = self.links.node(files_of(repo), "workflow", format!("repo:{repo} workflows"), 0.0);
        self.links.edge(files, code, Link { kind: "defines", ..Link::default() });
        code
    }

    /// Whoever caused a run can cause it again.
    fn starts(&mut self, run: &Run) {
        let Some(actor) = run.triggering_actor.as_deref().or(run.actor.as_deref()) else { return };
        let slug = actor.strip_suffix("[bot]");
        let app = identity_key(&run.platform, &format!("app:{}", slug.unwrap_or(actor)));
        let from = match slug {
            Some(_) if self.links.contains(app) => app,
            None if matches!(run.actor_kind.as_deref(), Some("user") | None) => {
                let key = Key::of("person", &[&run.platform, &actor.to_lowercase()]);
                self.links.node(key, "human", actor.to_owned(), 0.0)
            }
            // A program that no inventory has.
            _ => return,
        };
        let link = Link { kind: "starts", observed: true, evidence: Some(run.run_key), ..Link::default() };
        self.links.edge(from, run.run_key, link);
    }

    fn checks_of(&self, job: &Job) -> Checks {
        let Some(environment) = job.environment.as_deref() else { return (0, 0) };
        let repo = self.runs.get(&job.run_key).and_then(|run| run.repo.as_deref()).unwrap_or_default();
        self.checks(&format!("{repo}/{environment}"))
    }

    /// On the way to what an environment (`owner/name/environment`) guards.
    fn checks(&self, environment: &str) -> Checks {
        match self.reviewers.get(&environment.to_lowercase()) {
            Some(true) => (1, 0),
            Some(false) => (0, 0),
            None => (0, 1),
        }
    }

    /// Who may write to a repository, and what its workflow files may ask for.
    pub(super) fn writers(&mut self) {
        let repos: BTreeSet<String> = self
            .evidence
            .runs
            .iter()
            .filter(|run| run.platform == "github")
            .filter_map(|run| run.repo.clone())
            .collect();
        let kinds: HashMap<Key, &str> =
            self.evidence.identities.iter().map(|row| (row.identity_key, row.kind.as_str())).collect();
        let own = |grant: &&Grant| grant.platform == "github" && grant.effect == "allow";
        for grant in self.evidence.grants.iter().filter(own) {
            let kind = kinds.get(&grant.identity_key).copied().unwrap_or_default();
            let Some(reach) = reach(grant, kind) else { continue };
            for resource in &grant.resources {
                for (repo, unknown) in matching(&repos, resource) {
                    let to = if reach == Reach::Files { files_of(repo) } else { code_of(repo) };
                    let cost = u8::from(kind == "repository_token");
                    let link = Link {
                        kind: "change_code",
                        cost,
                        unproven: 1,
                        unknown,
                        evidence: Some(grant.grant_key),
                        ..Link::default()
                    };
                    self.links.edge(grant.identity_key, to, link);
                }
            }
        }
        self.stored_secrets(&repos);
    }

    /// A job's token with write access to the code.
    pub(super) fn token_writes(&mut self, token: Key, repo: &str, scopes: &BTreeSet<String>) {
        if scopes.contains("contents:write") {
            let code = self.repository(repo);
            self.links.edge(
                token,
                code,
                Link { kind: "change_code", cost: 1, unproven: 1, ..Link::default() },
            );
        }
    }

    /// Secrets of the inventory: workflow files may ask for every one of their repository.
    fn stored_secrets(&mut self, repos: &BTreeSet<String>) {
        // Runs may spell a repository's name otherwise than its inventory.
        let spelt: BTreeMap<String, &String> = repos.iter().map(|repo| (repo.to_lowercase(), repo)).collect();
        for row in &self.evidence.credentials {
            let Some(scope) = row.scope.as_deref() else { continue };
            let mut readers: Vec<(&str, Checks, bool)> = Vec::new();
            match row.kind.as_str() {
                "actions_secret" => readers.push((scope, (0, 0), false)),
                "environment_secret" => {
                    let Some((repo, _)) = scope.rsplit_once('/') else { continue };
                    readers.push((repo, self.checks(scope), false));
                }
                // Which repositories of the organisation may ask for it is not on record.
                "organization_secret" => {
                    let of = |repo: &&String| {
                        repo.split('/').next().is_some_and(|owner| owner.eq_ignore_ascii_case(scope))
                    };
                    readers.extend(repos.iter().filter(of).map(|repo| (repo.as_str(), (0, 0), true)));
                }
                _ => continue,
            }
            let place = spelt.get(&scope.to_lowercase()).map_or(scope, |repo| repo.as_str());
            let secret = named_secret(place, &row.name);
            let label = format!("secret:{place}/{}", row.name);
            self.links.node(secret, "secret", label, self.weights.node().secret);
            for (repo, (cost, unproven), unknown) in readers {
                self.repository(spelt.get(&repo.to_lowercase()).map_or(repo, |repo| repo.as_str()));
                let link = Link {
                    kind: "stores",
                    cost,
                    unproven,
                    unknown,
                    evidence: Some(row.credential_key),
                    ..Link::default()
                };
                self.links.edge(files_of(repo), secret, link);
            }
        }
    }
}

/// Whether environments ask for reviewers, by `owner/name/environment` in lower case.
pub(super) fn reviewers(evidence: &Evidence) -> HashMap<String, bool> {
    let environments = evidence.identities.iter().filter(|row| row.kind == "environment");
    environments
        .filter_map(|row| Some((row.native_id.strip_prefix("env:")?.to_lowercase(), asks_for_review(row))))
        .collect()
}

/// How far a grant lets its holder write. Deploy keys are not bound by scopes; apps and tokens
/// need `workflows` for workflow files (GitHub, "Permissions required for GitHub Apps").
fn reach(grant: &Grant, kind: &str) -> Option<Reach> {
    let has = |action: &str| grant.actions.iter().any(|held| held.eq_ignore_ascii_case(action));
    if !has("contents:write") {
        return None;
    }
    let files = kind == "deploy_key" || has("workflows:write") && kind != "repository_token";
    Some(if files { Reach::Files } else { Reach::Code })
}

/// Repositories that a resource names, and whether that is uncertain: which repositories were
/// selected for an app is not on record.
fn matching<'r>(repos: &'r BTreeSet<String>, resource: &str) -> Vec<(&'r str, bool)> {
    let Some(place) = resource.strip_prefix("repo:") else { return Vec::new() };
    let (owner, name) = place.split_once('/').unwrap_or((place, "*"));
    let is_of = |repo: &&String| {
        let (own, its) = repo.split_once('/').unwrap_or((repo, ""));
        own.eq_ignore_ascii_case(owner)
            && (matches!(name, "*" | "selected") || its.eq_ignore_ascii_case(name))
    };
    repos.iter().filter(is_of).map(|repo| (repo.as_str(), name == "selected")).collect()
}

#[cfg(test)]
#[path = "code_tests.rs"]
mod tests;
