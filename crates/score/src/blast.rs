//! Blast radius rows: `100·ln(1+BR)/ln(1+Σσ)` per identity, handoff and secret.
//!
//! Expansion is the parent's score less its score without the handoff's edges.

use crate::graph::build::{job_label, unseen_child};
use crate::graph::csr::Csr;
use crate::graph::reach::Search;
use crate::graph::{Graph, View, closure, scale};
use crate::handoffs::{Crossing, QUESTIONS};
use crate::sides::Sides;
use crate::weights::Weights;
use leakgraph_model::scored::{HandoffScore, NhiScore, ReachEdge, SecretScore};
use leakgraph_model::tables::{Handoff, Job, Run};
use leakgraph_model::{Evidence, Key};
use rayon::prelude::*;
use std::collections::HashMap;

/// A graph made ready for many searches.
pub(crate) struct Blast<'a> {
    evidence: &'a Evidence,
    graph: &'a Graph,
    weights: &'a Weights,
    views: [Csr; 3],
    total: f64,
    jobs: HashMap<Key, &'a Job>,
    runs: HashMap<Key, &'a Run>,
}

impl<'a> Blast<'a> {
    pub(crate) fn new(evidence: &'a Evidence, graph: &'a Graph, weights: &'a Weights) -> Self {
        let views = [View::Low, View::Central, View::High].map(|view| graph.view(view, weights.max_cost()));
        let jobs = evidence.jobs.iter().map(|job| (job.job_key, job)).collect();
        let runs = evidence.runs.iter().map(|run| (run.run_key, run)).collect();
        Self { evidence, graph, weights, views, total: graph.total(), jobs, runs }
    }

    fn radii(&self, view: usize) -> closure::Radii {
        let plan = closure::Plan { max_cost: self.weights.max_cost(), ..closure::Plan::default() };
        closure::radii(&self.views[view], &self.graph.weights(), |node| self.graph.seed(node), &plan)
    }

    fn search(&self) -> Search {
        Search::new(self.graph.nodes.len(), self.weights.max_cost())
    }

    fn score(&self, search: &mut Search, view: usize, sources: &[u32], skip: impl Fn(u32) -> bool) -> f64 {
        search.run(&self.views[view], sources, skip);
        scale(search.radius(self.graph), self.total)
    }

    /// Low, central and high; leaves the central search for reading.
    fn bounds(&self, search: &mut Search, sources: &[u32]) -> [f64; 3] {
        let low = self.score(search, 0, sources, |_| false);
        let high = self.score(search, 2, sources, |_| false);
        [low, self.score(search, 1, sources, |_| false), high]
    }

    /// Fills in the identities' own reach, all at once by the closure.
    pub(crate) fn identities(&self, rows: &mut [NhiScore]) {
        if rows.is_empty() {
            return;
        }
        let radii = self.radii(1);
        for row in rows {
            row.blast = self.graph.find(row.identity_key).map(|node| scale(radii.of(node), self.total));
        }
    }

    fn top(&self, search: &Search) -> (Vec<String>, Option<String>) {
        let target = search.heaviest(self.graph);
        let path = target.map(|node| search.path(self.graph, node)).unwrap_or_default();
        (path, target.map(|node| self.graph.nodes[node as usize].label.clone()))
    }

    fn count(&self, search: &Search, kinds: &[&str], sources: &[u32]) -> i64 {
        let counts =
            |node: &u32| !sources.contains(node) && kinds.contains(&self.graph.nodes[*node as usize].kind);
        i64::try_from(search.reached().filter(|(node, _)| counts(node)).count()).unwrap_or(i64::MAX)
    }

    pub(crate) fn handoffs(&self, sides: &Sides, crossings: &HashMap<Key, Crossing>) -> Vec<HandoffScore> {
        let mut edges: HashMap<Key, Vec<u32>> = HashMap::new();
        for (index, edge) in (0u32..).zip(&self.graph.edges).filter(|(_, edge)| edge.kind == "handoff") {
            edges.entry(edge.evidence.unwrap_or_default()).or_default().push(index);
        }
        let mut rows: Vec<HandoffScore> = self
            .evidence
            .handoffs
            .par_iter()
            .filter_map(|handoff| Some((handoff, crossings.get(&handoff.handoff_key)?)))
            .map_init(
                || self.search(),
                |search, (handoff, crossing)| {
                    let own = edges.get(&handoff.handoff_key).map_or(&[][..], Vec::as_slice);
                    self.handoff(search, handoff, crossing, sides, own)
                },
            )
            .collect();
        rows.sort_by_key(|row| row.handoff_key);
        rows
    }

    fn handoff(
        &self,
        search: &mut Search,
        handoff: &Handoff,
        crossing: &Crossing,
        sides: &Sides,
        own: &[u32],
    ) -> HandoffScore {
        let find = |keys: &[Key]| keys.iter().filter_map(|key| self.graph.find(*key)).collect::<Vec<u32>>();
        let parents = find(sides.parents(handoff.handoff_key));
        let mut children = find(sides.children(handoff.handoff_key));
        if children.is_empty() {
            children = find(&[unseen_child(handoff)]);
        }
        let expansion = (!parents.is_empty()).then(|| {
            let with = self.score(search, 1, &parents, |_| false);
            with - self.score(search, 1, &parents, |edge| own.contains(&edge))
        });
        let [low, central, high] = self.bounds(search, &children);
        let (top_path, top_target) = self.top(search);
        HandoffScore {
            handoff_key: handoff.handoff_key,
            parent: self.name(handoff.parent_job_key, handoff.parent_run_key, None),
            child: self.name(handoff.child_job_key, handoff.child_run_key, Some(handoff)),
            mechanism: handoff.mechanism.clone(),
            identity_mode: crossing.mode.to_owned(),
            permissions_added: crossing.permissions_added.clone(),
            permissions_dropped: crossing.permissions_dropped.clone(),
            secrets_shared: crossing.secrets_shared.clone(),
            secrets_added: crossing.secrets_added.clone(),
            secrets_forwarded: crossing.forwarded,
            inputs_validated: crossing.validated,
            verdict: crossing.verdict.to_owned(),
            verdict_reasons: crossing.reasons.clone(),
            blast: central,
            blast_low: low,
            blast_high: high,
            expansion,
            reached_identities: self.count(search, &["identity"], &children),
            reached_resources: self.count(search, &["resource", "secret", "admin"], &children),
            top_path,
            top_target,
            coverage: f64::from(crossing.answered) / f64::from(QUESTIONS),
            weights_hash: self.weights.hash(),
        }
    }

    fn name(&self, job: Option<Key>, run: Option<Key>, child: Option<&Handoff>) -> String {
        let job = job.and_then(|key| self.jobs.get(&key).copied());
        let run = job.map(|job| job.run_key).or(run).and_then(|key| self.runs.get(&key).copied());
        let name = job.map_or("*", |job| job.name.as_str());
        match (run, child) {
            (None, Some(handoff)) => {
                let part = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
                format!("{} {} / {name}", part(&handoff.child_repo), part(&handoff.child_workflow))
            }
            (run, _) => job_label(run, name),
        }
    }

    pub(crate) fn secrets(&self) -> Vec<SecretScore> {
        let names: HashMap<Key, &str> = self
            .evidence
            .identities
            .iter()
            .map(|identity| (identity.identity_key, identity.native_id.as_str()))
            .collect();
        let mut rows: Vec<SecretScore> = self
            .evidence
            .secrets
            .par_iter()
            .map_init(
                || self.search(),
                |search, secret| {
                    let hash = self.weights.hash();
                    let mut row = SecretScore {
                        secret_key: secret.secret_key,
                        weights_hash: hash,
                        ..SecretScore::default()
                    };
                    let owner = secret.identity_key;
                    row.identities
                        .extend(owner.and_then(|key| names.get(&key)).map(|name| (*name).to_owned()));
                    if row.identities.is_empty() {
                        row.identities.extend(secret.resolved_subject.clone());
                    }
                    if let Some(source) = self.graph.find(secret.secret_key).filter(|_| owner.is_some()) {
                        let [low, central, high] = self.bounds(search, &[source]);
                        (row.blast_low, row.blast, row.blast_high) = (Some(low), Some(central), Some(high));
                        row.top_path = self.top(search).0;
                    }
                    row
                },
            )
            .collect();
        rows.sort_by_key(|row| row.secret_key);
        rows
    }
}

/// The graph as rows.
pub(crate) fn reach_edges(graph: &Graph) -> Vec<ReachEdge> {
    let node = |index: u32| &graph.nodes[index as usize];
    graph
        .edges
        .iter()
        .map(|edge| ReachEdge {
            source: node(edge.source).label.clone(),
            source_kind: node(edge.source).kind.to_owned(),
            target: node(edge.target).label.clone(),
            target_kind: node(edge.target).kind.to_owned(),
            kind: edge.kind.to_owned(),
            cost: i64::from(edge.cost),
            observed: edge.observed,
            assumed: edge.assumed(),
            evidence_key: edge.evidence,
        })
        .collect()
}
