//! Blast radius rows: `100·ln(1+BR)/ln(1+Σσ)` per identity, handoff and secret.
//!
//! Expansion is the parent's score less its score without the handoff's edges.

use crate::factors::Factors;
use crate::graph::build::{job_label, unseen_child, workflow_label};
use crate::graph::csr::Csr;
use crate::graph::reach::Search;
use crate::graph::{Graph, Node, View, closure, scale};
use crate::handoffs::{Crossing, QUESTIONS};
use crate::sides::Sides;
use crate::weights::Weights;
use leakgraph_model::scored::{HandoffScore, NhiScore, SecretScore};
use leakgraph_model::tables::{Handoff, Job, Run};
use leakgraph_model::{Evidence, Key};
use leakgraph_policy::Class;
use rayon::prelude::*;
use std::collections::HashMap;

/// Handoffs times the size of the graph up to which each handoff is searched for itself.
const BUDGET: usize = 4_000_000_000;
/// Handoffs of larger graphs that are.
const SEARCHED: usize = 1000;

/// A handoff with what is known of it.
struct Subject<'a> {
    handoff: &'a Handoff,
    crossing: &'a Crossing,
    /// Edges of the graph that stand for it.
    own: &'a [u32],
    parents: Vec<u32>,
    children: Vec<u32>,
    /// Whether the child is known.
    seen: bool,
}

fn evidence_of(handoff: &Handoff, crossing: &Crossing) -> Vec<String> {
    let row = |table: &str, key: Key| format!("{table}:{key}");
    let runs = handoff.parent_run_key.into_iter().chain(handoff.child_run_key).map(|key| row("runs", key));
    let secrets = crossing.forwarded.secrets.iter().map(|key| row("secrets", *key));
    std::iter::once(row("handoffs", handoff.handoff_key)).chain(runs).chain(secrets).collect()
}

/// A graph made ready for many searches.
pub(crate) struct Blast<'a> {
    evidence: &'a Evidence,
    graph: &'a Graph,
    weights: &'a Weights,
    views: [Csr; 3],
    total: f64,
    resources: usize,
    pub(crate) budget: usize,
    jobs: HashMap<Key, &'a Job>,
    runs: HashMap<Key, &'a Run>,
}

impl<'a> Blast<'a> {
    pub(crate) fn new(evidence: &'a Evidence, graph: &'a Graph, weights: &'a Weights) -> Self {
        let views = [View::Low, View::Central, View::High].map(|view| graph.view(view, weights.max_cost()));
        let jobs = evidence.jobs.iter().map(|job| (job.job_key, job)).collect();
        let runs = evidence.runs.iter().map(|run| (run.run_key, run)).collect();
        let resources = graph.nodes.iter().filter(|node| node.kind == "resource").count();
        Self { evidence, graph, weights, views, total: graph.total(), resources, budget: BUDGET, jobs, runs }
    }

    fn plan(&self) -> closure::Plan {
        closure::Plan { max_cost: self.weights.max_cost(), ..closure::Plan::default() }
    }

    fn radii(&self, view: usize) -> closure::Radii {
        closure::radii(&self.views[view], &self.graph.weights(), |node| self.graph.seed(node), &self.plan())
    }

    fn find(&self, keys: &[Key]) -> Vec<u32> {
        keys.iter().filter_map(|key| self.graph.find(*key)).collect()
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
        let factors = Factors::new(self.evidence, sides, crossings, self.weights);
        let handoffs: Vec<Subject<'_>> = self
            .evidence
            .handoffs
            .iter()
            .filter_map(|handoff| {
                let crossing = crossings.get(&handoff.handoff_key)?;
                let own = edges.get(&handoff.handoff_key).map_or(&[][..], Vec::as_slice);
                let parents = self.find(sides.parents(handoff.handoff_key));
                let mut children = self.find(sides.children(handoff.handoff_key));
                let seen = !children.is_empty();
                if !seen {
                    children = self.find(&[unseen_child(handoff)]);
                }
                Some(Subject { handoff, crossing, own, parents, children, seen })
            })
            .collect();
        let work = handoffs.len().saturating_mul(self.graph.edges.len() + self.graph.nodes.len());
        let mut rows = if work <= self.budget { self.searched(&handoffs) } else { self.closed(&handoffs) };
        for (row, subject) in rows.iter_mut().zip(&handoffs) {
            self.explain(row, subject, &factors);
        }
        rows.sort_by_key(|row| row.handoff_key);
        rows
    }

    /// Every handoff searched for itself.
    fn searched(&self, handoffs: &[Subject<'_>]) -> Vec<HandoffScore> {
        let each = |search: &mut Search, subject: &Subject<'_>| {
            let [low, central, high] = self.bounds(search, &subject.children);
            let mut row =
                HandoffScore { blast_low: low, blast: central, blast_high: high, ..HandoffScore::default() };
            self.detail(search, subject, &mut row);
            row
        };
        handoffs.par_iter().map_init(|| self.search(), each).collect()
    }

    /// All handoffs at once by the closure; only the largest are searched for the rest.
    fn closed(&self, handoffs: &[Subject<'_>]) -> Vec<HandoffScore> {
        let mut rows = vec![HandoffScore::default(); handoffs.len()];
        for view in 0..self.views.len() {
            for (row, (radius, deviation)) in rows.iter_mut().zip(self.radii_of_children(view, handoffs)) {
                let scaled = scale(radius, self.total);
                match view {
                    0 => row.blast_low = scaled,
                    1 => {
                        row.blast = scaled;
                        row.blast_error = scale(radius + deviation, self.total) - scaled;
                    }
                    _ => row.blast_high = scaled,
                }
            }
        }
        for row in &mut rows {
            // Estimates of three views may cross where they are close.
            row.blast_low = row.blast_low.min(row.blast);
            row.blast_high = row.blast_high.max(row.blast);
        }
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|left, right| {
            let key = |at: usize| handoffs[at].handoff.handoff_key;
            rows[*right].blast.total_cmp(&rows[*left].blast).then(key(*left).cmp(&key(*right)))
        });
        order.truncate(SEARCHED);
        let details: Vec<(usize, HandoffScore)> = order
            .into_par_iter()
            .map_init(
                || self.search(),
                |search, at| {
                    let mut row = rows[at].clone();
                    self.score(search, 1, &handoffs[at].children, |_| false);
                    self.detail(search, &handoffs[at], &mut row);
                    (at, row)
                },
            )
            .collect();
        for (at, row) in details {
            rows[at] = row;
        }
        rows
    }

    /// Radius of each handoff's children together, and its standard error: a node without
    /// weight stands for them.
    fn radii_of_children(&self, view: usize, handoffs: &[Subject<'_>]) -> Vec<(f64, f64)> {
        let nodes = self.graph.nodes.len();
        let csr = &self.views[view];
        let first = u32::try_from(nodes).unwrap_or(u32::MAX);
        let known =
            (0u32..first).flat_map(|node| csr.out(node).iter().map(move |arc| (node, arc.0, arc.1, arc.2)));
        let sides = (first..).zip(handoffs).flat_map(|(node, subject)| {
            subject.children.iter().map(move |child| (node, *child, 0, u32::MAX))
        });
        let wide = Csr::new(nodes + handoffs.len(), known.chain(sides));
        let mut weights = self.graph.weights();
        weights.resize(nodes + handoffs.len(), 0.0);
        let seed = |node: u32| if node < first { self.graph.seed(node) } else { 0 };
        let radii = closure::radii(&wide, &weights, seed, &self.plan());
        (first..).take(handoffs.len()).map(|node| (radii.of(node), radii.deviation(node))).collect()
    }

    /// What only a search tells; the search holds the central view of the children.
    fn detail(&self, search: &mut Search, subject: &Subject<'_>, row: &mut HandoffScore) {
        let Subject { own, parents, children, .. } = subject;
        (row.top_path, row.top_target) = self.top(search);
        row.reached_identities = Some(self.count(search, &["identity"], children));
        row.reached_resources = Some(self.count(search, &["resource", "secret", "admin"], children));
        let reached = || search.reached().map(|(node, _)| &self.graph.nodes[node as usize]);
        let sum: f64 = reached().map(|node| node.weight).sum();
        row.impact = Some(if self.total > 0.0 { 100.0 * sum / self.total } else { 0.0 });
        if subject.seen {
            row.factor_privilege = Some(reached().map(|node| self.power(node)).fold(0.0, f64::max));
            let resources = reached().filter(|node| node.kind == "resource").count();
            let all = self.resources.max(1) as f64;
            row.factor_breadth = Some((resources as f64).ln_1p() / all.ln_1p());
        }
        row.expansion = (!parents.is_empty()).then(|| {
            let with = self.score(search, 1, parents, |_| false);
            with - self.score(search, 1, parents, |edge| own.contains(&edge))
        });
    }

    /// What a node is worth to who controls it, 0 to 1.
    fn power(&self, node: &Node) -> f64 {
        match (node.class, node.kind) {
            (Some(class), _) => self.weights.class(class).ceiling,
            (None, "admin") => 1.0,
            (None, "secret") => self.weights.class(Class::Cred).ceiling,
            _ => 0.0,
        }
    }

    fn explain(&self, row: &mut HandoffScore, subject: &Subject<'_>, factors: &Factors<'_>) {
        let Subject { handoff, crossing, .. } = subject;
        let explained = factors.explain(handoff, crossing);
        let label =
            |key: &Key| self.graph.find(*key).map(|node| self.graph.nodes[node as usize].label.clone());
        let inherited = crossing.inherited.iter().map(|name| format!("{name}=inherited"));
        row.handoff_key = handoff.handoff_key;
        row.parent = self.name(handoff.parent_job_key, handoff.parent_run_key, None);
        row.child = self.name(handoff.child_job_key, handoff.child_run_key, Some(handoff));
        row.mechanism.clone_from(&handoff.mechanism);
        row.identity_mode = crossing.mode.to_owned();
        row.permissions_added.clone_from(&crossing.permissions_added);
        row.permissions_dropped.clone_from(&crossing.permissions_dropped);
        row.secrets_shared.clone_from(&crossing.secrets_shared);
        row.secrets_added.clone_from(&crossing.secrets_added);
        row.secrets_dropped.clone_from(&crossing.secrets_dropped);
        row.identities_shared = crossing.identities_shared.iter().filter_map(label).collect();
        row.secrets_forwarded = crossing.forwarded.count();
        row.forwarded = crossing.forwarded.list().into_iter().chain(inherited).collect();
        row.inputs_validated = crossing.validated;
        crossing.verdict.clone_into(&mut row.verdict);
        row.verdict_reasons.clone_from(&crossing.reasons);
        row.descendants = explained.descendants;
        row.checks = crossing.checks.iter().map(|check| (*check).to_owned()).collect();
        row.factor_persistence = explained.persistence;
        row.factor_exposure = explained.exposure;
        row.factor_widening = explained.widening;
        row.factor_depth = explained.depth;
        row.control_factor = explained.control;
        row.controls = explained.controls;
        row.evidence = evidence_of(handoff, crossing);
        row.coverage = f64::from(crossing.answered) / f64::from(QUESTIONS);
        row.weights_hash = self.weights.hash();
    }

    fn name(&self, job: Option<Key>, run: Option<Key>, child: Option<&Handoff>) -> String {
        let job = job.and_then(|key| self.jobs.get(&key).copied());
        let run = job.map(|job| job.run_key).or(run).and_then(|key| self.runs.get(&key).copied());
        let name = job.map_or("*", |job| job.name.as_str());
        match (run, child) {
            (None, Some(handoff)) => {
                let of = workflow_label(handoff.child_repo.as_deref(), handoff.child_workflow.as_deref());
                format!("{of} / {name}")
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
