//! Edges between identities: who may become whom, and who was seen to.

use super::build::Builder;
use super::links::Link;
use leakgraph_model::Key;
use leakgraph_model::tables::{Assumption, Job};
use leakgraph_policy::{AssumeEdge, Decision, matches_wildcards};
use std::collections::{HashMap, HashSet};

impl Builder<'_> {
    pub(super) fn trusts(&mut self) {
        let denied = self.denied();
        for edge in self.facts.assume.iter().filter(|edge| edge.decision != Decision::No) {
            let unproven = u8::from(edge.assumed || edge.decision == Decision::May);
            let link = Link {
                kind: "trust",
                cost: checks(edge),
                unproven,
                evidence: Some(edge.trust_key),
                ..Link::default()
            };
            match edge.source {
                Some(source) if denied.contains(&(source, edge.target)) => {}
                Some(source) => self.links.edge(source, edge.target, link),
                None => self.external(edge, &link),
            }
        }
    }

    /// A federated subject stands for every job that could present it.
    fn external(&mut self, edge: &AssumeEdge, link: &Link) {
        let pattern = edge.source_principal.find("repo:").and_then(|at| edge.source_principal.get(at..));
        let Some(pattern) = pattern.filter(|_| edge.source_principal.starts_with("oidc:")) else {
            let key = Key::of("principal", &[&edge.source_principal]);
            let node = self.links.node(key, "human", edge.source_principal.clone(), 0.0);
            self.links.edge(node, edge.target, link.clone());
            return;
        };
        let scopes: HashMap<Key, bool> = self.id_token();
        for job in &self.evidence.jobs {
            let allowed = scopes.get(&job.job_key).copied();
            if allowed == Some(false)
                || !self.subjects(job).iter().any(|subject| matches_wildcards(pattern, subject))
            {
                continue;
            }
            let unproven = link.unproven.max(u8::from(allowed.is_none()));
            self.links.edge(job.job_key, edge.target, Link { unproven, ..link.clone() });
        }
    }

    /// Whether each job's token may ask for an OIDC token; absent is unknown.
    fn id_token(&self) -> HashMap<Key, bool> {
        let mut may = HashMap::new();
        for row in &self.evidence.token_permissions {
            *may.entry(row.job_key).or_insert(false) |= row.scope == "id-token" && row.access == "write";
        }
        may
    }

    fn subjects(&self, job: &Job) -> Vec<String> {
        let (Some(run), Some(repo)) = (self.runs.get(&job.run_key), self.github_repo(job)) else {
            return Vec::new();
        };
        if let Some(environment) = &job.environment {
            return vec![format!("repo:{repo}:environment:{environment}")];
        }
        if run.event.as_deref() == Some("pull_request") {
            return vec![format!("repo:{repo}:pull_request")];
        }
        let head = run.head_ref.as_deref().unwrap_or_default();
        let head =
            head.strip_prefix("refs/heads/").or_else(|| head.strip_prefix("refs/tags/")).unwrap_or(head);
        vec![format!("repo:{repo}:ref:refs/heads/{head}"), format!("repo:{repo}:ref:refs/tags/{head}")]
    }

    /// Pairs that were only ever refused.
    fn denied(&self) -> HashSet<(Key, Key)> {
        let pair = |row: &Assumption| row.source_identity_key.zip(row.target_identity_key);
        let granted: HashSet<_> =
            self.evidence.assumptions.iter().filter(|row| !row.denied).filter_map(pair).collect();
        let refused = self.evidence.assumptions.iter().filter(|row| row.denied).filter_map(pair);
        refused.filter(|pair| !granted.contains(pair)).collect()
    }

    pub(super) fn assumptions(&mut self) {
        let mut trusted: HashMap<(Key, Key), u8> = HashMap::new();
        for edge in self.facts.assume.iter().filter(|edge| edge.decision != Decision::No) {
            if let Some(source) = edge.source {
                let cost = checks(edge);
                trusted
                    .entry((source, edge.target))
                    .and_modify(|least| *least = cost.min(*least))
                    .or_insert(cost);
            }
        }
        for row in self.evidence.assumptions.iter().filter(|row| !row.denied) {
            let (Some(source), Some(target)) = (row.source_identity_key, row.target_identity_key) else {
                continue;
            };
            let cost = trusted.get(&(source, target)).copied();
            let unproven = u8::from(cost.is_none());
            self.links.node(source, "identity", row.source.clone(), 0.0);
            self.links.node(target, "identity", row.target.clone(), 0.0);
            self.links.edge(
                source,
                target,
                Link {
                    kind: "assumed",
                    cost: cost.unwrap_or(0),
                    unproven,
                    observed: true,
                    ..Link::default()
                },
            );
        }
    }
}

/// Re-validations of an assumption.
pub(super) fn checks(edge: &AssumeEdge) -> u8 {
    u8::from(edge.identity_checked) + u8::from(edge.scope_checked) + u8::from(edge.freshness_checked)
}
