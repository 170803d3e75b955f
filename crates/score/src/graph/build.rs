//! Nodes and edges of the reach graph from the evidence.

use super::Graph;
use super::assume::checks;
use super::code::{named_secret, reviewers};
use super::links::{Link, Links};
use crate::forwarded::by_print;
use crate::handoffs::Crossing;
use crate::holding::may_be_own_token;
use crate::privilege::{account, arn_account};
use crate::sides::Sides;
use crate::weights::{Weights, scope_class};
use leakgraph_model::tables::{Grant, Handoff, Job, Run, identity_key};
use leakgraph_model::{Evidence, Key};
use leakgraph_policy::{AssumeEdge, Catalog, Class, Decision, Effective, Escalation};
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What other crates and modules found out, for the edges.
pub(crate) struct Facts<'a> {
    pub(crate) sides: &'a Sides,
    pub(crate) crossings: &'a HashMap<Key, Crossing>,
    pub(crate) effective: &'a [Effective],
    pub(crate) assume: &'a [AssumeEdge],
    pub(crate) escalations: &'a [Escalation],
}

pub(super) struct Builder<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) facts: &'a Facts<'a>,
    pub(super) weights: &'a Weights,
    pub(super) runs: HashMap<Key, &'a Run>,
    /// Whether an environment asks for reviewers, by `owner/name/environment` in lower case.
    pub(super) reviewers: HashMap<String, bool>,
    pub(super) links: Links,
}

/// Builds the graph.
pub(crate) fn build(evidence: &Evidence, facts: &Facts<'_>, weights: &Weights) -> Graph {
    let runs = evidence.runs.iter().map(|run| (run.run_key, run)).collect();
    let reviewers = reviewers(evidence);
    let mut builder = Builder { evidence, facts, weights, runs, reviewers, links: Links::default() };
    builder.nodes();
    builder.handoffs();
    builder.job_tokens();
    builder.identities_used();
    builder.trusts();
    builder.assumptions();
    builder.secrets();
    builder.permissions();
    builder.escalations();
    builder.runs();
    builder.writers();
    builder.credentials();
    builder.links.freeze()
}

/// `repo workflow`, as far as known.
pub(crate) fn workflow_label(repo: Option<&str>, workflow: Option<&str>) -> String {
    match (repo, workflow) {
        (None, None) => "unknown workflow".to_owned(),
        _ => format!("{} {}", repo.unwrap_or("?"), workflow.unwrap_or("?")),
    }
}

/// The same for a run's.
pub(crate) fn run_label(run: Option<&Run>) -> String {
    let workflow = run.and_then(|run| run.workflow_name.as_deref().or(run.workflow_path.as_deref()));
    workflow_label(run.and_then(|run| run.repo.as_deref()), workflow)
}

/// `repo workflow / job`, as far as known.
pub(crate) fn job_label(run: Option<&Run>, job: &str) -> String {
    format!("{} / {job}", run_label(run))
}

/// Node that stands for a child nobody saw.
pub(crate) fn unseen_child(handoff: &Handoff) -> Key {
    Key::of("unseen-child", &[&handoff.handoff_key.to_string()])
}

fn admin(account: &str) -> Key {
    Key::of("account-admin", &["aws", account])
}

impl<'a> Builder<'a> {
    /// Repository of a job of GitHub Actions: only those have a `GITHUB_TOKEN` and subjects
    /// that begin with `repo:`.
    pub(super) fn github_repo(&self, job: &Job) -> Option<&'a str> {
        self.runs.get(&job.run_key).filter(|run| run.platform == "github")?.repo.as_deref()
    }

    fn nodes(&mut self) {
        for job in &self.evidence.jobs {
            let label = job_label(self.runs.get(&job.run_key).copied(), &job.name);
            self.links.node(job.job_key, "job", label, self.weights.node().job);
        }
        for identity in &self.evidence.identities {
            self.links.node(
                identity.identity_key,
                "identity",
                identity.native_id.clone(),
                self.weights.node().identity,
            );
        }
        for secret in &self.evidence.secrets {
            let print = secret.fingerprint.get(..8).unwrap_or_default();
            let label = format!("{} {print}", secret.kind.replace('_', " "));
            let weight = self.weights.node().secret * self.weights.lifetime(&secret.lifetime);
            self.links.node(secret.secret_key, "secret", label, weight);
        }
    }

    fn handoffs(&mut self) {
        let rejected = self.rejected();
        for handoff in &self.evidence.handoffs {
            let key = handoff.handoff_key;
            let crossing = self.facts.crossings.get(&key).cloned().unwrap_or_default();
            let mut children = self.facts.sides.children(key).to_vec();
            let unseen = children.is_empty();
            if unseen {
                children.push(self.unseen(handoff));
            }
            let observed = handoff.evidence != "inferred" && handoff.link_method != "temporal";
            let link = Link {
                kind: "handoff",
                cost: crossing.cost,
                unproven: crossing.unproven,
                observed,
                unknown: false,
                evidence: Some(key),
            };
            children.retain(|job| !rejected.contains(job));
            for parent in self.facts.sides.parents(key) {
                for child in &children {
                    self.links.edge(*parent, *child, link.clone());
                }
            }
        }
    }

    /// Jobs that a reviewer turned away from their environment and nobody let in: the handoff
    /// did not get through.
    fn rejected(&self) -> HashSet<Key> {
        let environments = |state: &str| -> HashSet<(Key, &str)> {
            let rows = self.evidence.approvals.iter().filter(|row| row.state == state);
            rows.filter_map(|row| Some((row.run_key, row.environment.as_deref()?))).collect()
        };
        let (turned, let_in) = (environments("rejected"), environments("approved"));
        let away = |job: &&Job| {
            let at = job.environment.as_deref().map(|environment| (job.run_key, environment));
            at.is_some_and(|at| turned.contains(&at) && !let_in.contains(&at))
        };
        self.evidence.jobs.iter().filter(away).map(|job| job.job_key).collect()
    }

    /// A child without evidence may, at worst, write to its whole repository.
    fn unseen(&mut self, handoff: &Handoff) -> Key {
        let parent = handoff.parent_run_key.and_then(|run| self.runs.get(&run).copied());
        let repo = handoff.child_repo.as_deref().or_else(|| parent.and_then(|run| run.repo.as_deref()));
        let label = format!("{} / ?", workflow_label(repo, handoff.child_workflow.as_deref()));
        let node = self.links.node(unseen_child(handoff), "job", label, self.weights.node().job);
        if let Some(repo) = repo {
            self.worst_token(node, repo);
        }
        node
    }

    fn worst_token(&mut self, from: Key, repo: &str) {
        let scopes = BTreeSet::from([
            "contents:write".to_owned(),
            "packages:write".to_owned(),
            "actions:write".to_owned(),
        ]);
        let token = self.token(repo, &scopes);
        self.links.edge(from, token, Link { kind: "runs_as", unknown: true, ..Link::default() });
    }

    /// Tokens with equal scopes on one repository are one node, others are not.
    fn token(&mut self, repo: &str, scopes: &BTreeSet<String>) -> Key {
        let list = scopes.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        let label = format!("repo:{repo}:token[{list}]");
        let key = Key::of("scoped-token", &[&label]);
        let token = self.links.node(key, "identity", label, self.weights.node().identity);
        for scope in scopes {
            let class = scope_class(scope);
            self.permission(
                token,
                &format!("repo:{repo}"),
                class,
                Link { kind: "permission", observed: true, ..Link::default() },
            );
        }
        self.token_writes(token, repo, scopes);
        token
    }

    fn permission(&mut self, identity: Key, resource: &str, class: Class, link: Link) {
        let label = format!("{resource} [{}]", class.as_str());
        let key = Key::of("resource", &[&label]);
        let node = self.links.node(key, "resource", label, self.weights.class(class).sensitivity);
        self.links.classify(node, class);
        self.links.edge(identity, node, link);
    }

    fn job_tokens(&mut self) {
        let mut scopes: HashMap<Key, BTreeSet<String>> = HashMap::new();
        for row in &self.evidence.token_permissions {
            let held = scopes.entry(row.job_key).or_default();
            if row.access != "none" {
                held.insert(format!("{}:{}", row.scope, row.access));
            }
        }
        for job in &self.evidence.jobs {
            let Some(repo) = self.github_repo(job) else { continue };
            match scopes.get(&job.job_key) {
                Some(held) => {
                    let token = self.token(repo, held);
                    self.links.edge(
                        job.job_key,
                        token,
                        Link {
                            kind: "runs_as",
                            observed: true,
                            evidence: Some(job.job_key),
                            ..Link::default()
                        },
                    );
                }
                None => {
                    let listed = identity_key("github", &format!("repo:{repo}:token"));
                    if self.links.contains(listed) {
                        self.links.edge(
                            job.job_key,
                            listed,
                            Link { kind: "runs_as", unproven: 1, ..Link::default() },
                        );
                    } else {
                        self.worst_token(job.job_key, repo);
                    }
                }
            }
        }
    }

    fn identities_used(&mut self) {
        let mut federated: HashMap<Key, u8> = HashMap::new();
        for edge in self.facts.assume.iter().filter(|edge| edge.source_principal.starts_with("oidc:")) {
            let cost = checks(edge);
            federated.entry(edge.target).and_modify(|least| *least = cost.min(*least)).or_insert(cost);
        }
        for used in &self.evidence.identities_used {
            let Some(job) = used.job_key else { continue };
            let subject = used.subject.clone().unwrap_or_else(|| used.identity_kind.clone());
            let key = used
                .identity_key
                .unwrap_or_else(|| Key::of("unlisted-identity", &[&used.identity_kind, &subject]));
            let listed = self.links.contains(key);
            self.links.node(
                key,
                "identity",
                subject,
                if listed { 0.0 } else { self.weights.node().identity },
            );
            let cost = if used.how == "oidc" { federated.get(&key).copied().unwrap_or(0) } else { 0 };
            let to = self.session(used, key).unwrap_or(key);
            self.links.edge(
                job,
                to,
                Link {
                    kind: "runs_as",
                    cost,
                    observed: true,
                    evidence: used.identity_key,
                    ..Link::default()
                },
            );
            let account = used.account.clone().or_else(|| used.subject.as_deref().and_then(arn_account));
            if let Some(account) = account.filter(|_| !listed && used.identity_kind.starts_with("aws")) {
                let node = self.admin(&account);
                self.links.edge(key, node, Link { kind: "permission", unknown: true, ..Link::default() });
            }
        }
    }

    fn admin(&mut self, account: &str) -> Key {
        self.links.node(admin(account), "admin", format!("aws:{account}:admin"), self.weights.node().admin)
    }

    fn secrets(&mut self) {
        let seen = Link { kind: "secret_forward", observed: true, ..Link::default() };
        for row in &self.evidence.secret_sightings {
            let evidence = Some(row.sighting_key);
            let children =
                row.handoff_key.map(|handoff| self.facts.sides.children(handoff)).unwrap_or_default();
            for job in row.job_key.iter().chain(children) {
                self.links.edge(*job, row.secret_key, Link { evidence, ..seen.clone() });
            }
        }
        let by_print = by_print(&self.evidence.secrets);
        for input in &self.evidence.handoff_inputs {
            let print = input.value_fingerprint.as_deref().and_then(|print| print.get(..16));
            let Some(secret) = print.and_then(|print| by_print.get(print)) else {
                continue;
            };
            let (parents, children) =
                (self.facts.sides.parents(input.handoff_key), self.facts.sides.children(input.handoff_key));
            for job in parents.iter().chain(children) {
                self.links.edge(
                    *job,
                    secret.secret_key,
                    Link { evidence: Some(input.handoff_key), ..seen.clone() },
                );
            }
        }
        for secret in &self.evidence.secrets {
            if let Some(identity) = secret.identity_key {
                let subject = secret.resolved_subject.clone().unwrap_or_else(|| "?".to_owned());
                if !self.links.contains(identity) {
                    self.links.node(identity, "identity", subject, self.weights.node().identity);
                }
                self.links.edge(
                    secret.secret_key,
                    identity,
                    Link {
                        kind: "secret_of",
                        observed: true,
                        evidence: Some(secret.secret_key),
                        ..Link::default()
                    },
                );
            }
        }
        self.named_secrets();
    }

    fn named_secrets(&mut self) {
        let jobs: HashMap<Key, &Job> = self.evidence.jobs.iter().map(|job| (job.job_key, job)).collect();
        for row in self.evidence.secrets_passed.iter().filter(|row| !may_be_own_token(row)) {
            let Some(repo) = self.runs.get(&row.run_key).and_then(|run| run.repo.as_deref()) else {
                continue;
            };
            let Some(job) = row.job_key.filter(|job| jobs.contains_key(job)) else {
                continue;
            };
            let key = named_secret(repo, &row.name);
            self.links.node(key, "secret", format!("secret:{repo}/{}", row.name), self.weights.node().secret);
            self.links.edge(job, key, Link { kind: "secret_forward", observed: true, ..Link::default() });
        }
        for row in &self.evidence.secret_sightings {
            let run = row.run_key.and_then(|run| self.runs.get(&run));
            if let (Some(repo), Some(name)) = (run.and_then(|run| run.repo.as_deref()), &row.name) {
                let link = Link {
                    kind: "secret_of",
                    observed: true,
                    evidence: Some(row.sighting_key),
                    ..Link::default()
                };
                self.links.edge(named_secret(repo, name), row.secret_key, link);
            }
        }
    }

    fn permissions(&mut self) {
        let effective: HashMap<Key, &Effective> =
            self.facts.effective.iter().map(|row| (row.identity_key, row)).collect();
        let mut patterns: HashMap<String, RoaringBitmap> = HashMap::new();
        let refused = self.refused();
        let mut held: BTreeMap<(Key, &str), RoaringBitmap> = BTreeMap::new();
        let allowed = |grant: &&Grant| {
            grant.effect == "allow" && !matches!(grant.policy_kind.as_str(), "boundary" | "scp" | "rcp")
        };
        for grant in self.evidence.grants.iter().filter(allowed) {
            let mut actions = RoaringBitmap::new();
            for action in &grant.actions {
                actions |=
                    &*patterns.entry(action.clone()).or_insert_with(|| Catalog::get().matching(action));
            }
            if grant.not_actions {
                let all: RoaringBitmap =
                    (0..u32::try_from(Catalog::get().len()).unwrap_or(u32::MAX)).collect();
                actions = all - actions;
            }
            let everywhere = grant.not_resources || grant.resources.is_empty();
            let listed = grant.resources.iter().map(String::as_str).filter(|_| !everywhere);
            for resource in listed.chain(everywhere.then_some("*")) {
                *held.entry((grant.identity_key, resource)).or_default() |= &actions;
            }
        }
        for ((identity, resource), actions) in held {
            let Some(effective) = effective.get(&identity) else {
                continue;
            };
            let mut actions = actions;
            if let Some(refused) = refused.get(&(identity, resource)) {
                actions -= refused;
            }
            let (sure, maybe) = (&actions & &effective.must, &actions & &effective.may);
            for (class, unknown) in class_set(&sure, &maybe) {
                self.permission(
                    identity,
                    resource,
                    class,
                    Link { kind: "permission", unknown, ..Link::default() },
                );
            }
        }
    }

    /// Actions that an identity was only ever refused on a resource, as seen in activity:
    /// whatever the policies say, that edge is not there.
    fn refused(&self) -> HashMap<(Key, &'a str), RoaringBitmap> {
        let mut outcomes: HashMap<(Key, &str, u32), bool> = HashMap::new();
        for row in &self.evidence.activity {
            let id = Catalog::get().id(&row.action);
            if let (Some(identity), Some(resource), Some(id)) = (row.identity_key, &row.resource, id) {
                *outcomes.entry((identity, resource, id)).or_insert(true) &= row.denied;
            }
        }
        let mut refused: HashMap<(Key, &str), RoaringBitmap> = HashMap::new();
        for ((identity, resource, id), _) in outcomes.into_iter().filter(|(_, only)| *only) {
            refused.entry((identity, resource)).or_default().insert(id);
        }
        refused
    }

    fn escalations(&mut self) {
        let accounts: HashMap<Key, String> = self
            .evidence
            .identities
            .iter()
            .filter_map(|identity| Some((identity.identity_key, account(identity)?)))
            .collect();
        let mut ruled = BTreeSet::new();
        for path in self.facts.escalations.iter().filter(|path| path.decision != Decision::No) {
            let link = Link { kind: "pass_role", unknown: path.decision == Decision::May, ..Link::default() };
            match (path.target, accounts.get(&path.identity_key)) {
                (Some(target), _) => self.links.edge(path.identity_key, target, link),
                (None, Some(account)) => {
                    let node = self.admin(account);
                    self.links.edge(path.identity_key, node, Link { kind: "permission", ..link });
                    ruled.insert(account.clone());
                }
                (None, None) => {}
            }
        }
        // Who administers an account can become anyone in it.
        for (identity, account) in accounts.iter().filter(|(_, account)| ruled.contains(*account)) {
            self.links.edge(admin(account), *identity, Link { kind: "permission", ..Link::default() });
        }
    }
}

/// Classes on one resource, and whether the class rests on "may" alone.
fn class_set(sure: &RoaringBitmap, maybe: &RoaringBitmap) -> Vec<(Class, bool)> {
    let classes = |actions: &RoaringBitmap| {
        let mut found = [false; 8];
        actions.iter().for_each(|id| found[crate::weights::ordinal(Catalog::get().action(id).class)] = true);
        found
    };
    let (sure, maybe) = (classes(sure), classes(maybe));
    let all = Class::ALL.into_iter().enumerate();
    all.filter(|(i, _)| sure[*i] || maybe[*i]).map(|(i, class)| (class, !sure[i])).collect()
}
