//! Choke points: what to cut first, and what a cut would change.
//!
//! Greedy: each round takes the cut that lowers total exposure most. A cut's effect is not
//! submodular (of two parallel paths neither cut alone does anything), so gains of earlier
//! rounds bound nothing. What does: everything that flows through an edge of cost `q`,
//! `Σ_v 2^-d(v,source) · 2^-q · BR(target)`, which cuts elsewhere only lower. Rounds look at
//! candidates in the order of their last gain and stop where no bound exceeds the best.

use crate::graph::csr::Csr;
use crate::graph::reach::Search;
use crate::graph::{Graph, View, closure, rows, scale};
use crate::weights::Weights;
use leakgraph_model::scored::ChokePoint;
use leakgraph_model::{Evidence, Key};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Cuts that are listed.
const ROUNDS: usize = 20;
/// Candidates looked at together.
const CHUNK: usize = 32;
/// Nodes that searches may reach in all before the list ends early.
const BUDGET: usize = 2_000_000_000;
/// Entries times the size of the graph up to which every entry is searched; beyond, an even
/// sample stands for all.
const ENTRIES: usize = 4_000_000_000;

/// Edges that are cut or hardened together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) key: Key,
    pub(crate) kind: &'static str,
    pub(crate) source: u32,
    pub(crate) target: u32,
    /// Ascending.
    edges: Vec<u32>,
}

/// How an edge is changed: added cost, or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Kept,
    Harder,
    Gone,
}

/// The graph as cuts see it.
pub(crate) struct Cutter<'a> {
    graph: &'a Graph,
    forward: Csr,
    backward: Csr,
    max_cost: u8,
    /// Where an attacker may begin: jobs, and secrets that were seen; of a very large graph
    /// every `stride`-th of them.
    entries: Vec<u32>,
    stride: usize,
}

/// What a change does to total exposure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Effect {
    gain: f64,
    entries: usize,
    work: usize,
}

impl<'a> Cutter<'a> {
    pub(crate) fn new(evidence: &Evidence, graph: &'a Graph, weights: &Weights) -> Self {
        let begins = rows::entries(evidence, graph);
        let all = || (0u32..).zip(&begins).filter(|(_, begins)| **begins).map(|(at, _)| at);
        let work = all().count().saturating_mul(graph.nodes.len() + graph.edges.len());
        let stride = work.div_ceil(ENTRIES).max(1);
        let entries = all().step_by(stride).collect();
        let forward = graph.view(View::Central, weights.max_cost());
        let backward = forward.reversed();
        Self { graph, forward, backward, max_cost: weights.max_cost(), entries, stride }
    }

    fn search(&self) -> Search {
        Search::new(self.graph.nodes.len(), self.max_cost)
    }

    /// Everything that can be cut, by key.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let mut found: BTreeMap<Key, Candidate> = BTreeMap::new();
        for (index, edge) in (0u32..).zip(&self.graph.edges).filter(|(_, edge)| !edge.unknown) {
            let kind = match edge.kind {
                "handoff" => "handoff",
                "trust" | "assumed" | "pass_role" => "trust",
                "permission" | "change_code" => "grant",
                "secret_of" => "secret",
                _ => continue,
            };
            let ends = [edge.source, edge.target].map(|node| self.graph.nodes[node as usize].key);
            // A handoff is cut as a whole, a secret for all that it opens.
            let name = match (kind, edge.evidence) {
                ("handoff", Some(handoff)) => [handoff.to_string(), String::new()],
                ("secret", _) => [ends[0].to_string(), String::new()],
                _ => ends.map(|key| key.to_string()),
            };
            let key = Key::of("choke", &[kind, &name[0], &name[1]]);
            let new = Candidate { key, kind, source: edge.source, target: edge.target, edges: Vec::new() };
            found.entry(key).or_insert(new).edges.push(index);
        }
        found.into_values().collect()
    }

    /// What takes each edge away.
    pub(crate) fn cuts(&self) -> HashMap<u32, Key> {
        let candidates = self.candidates().into_iter();
        candidates.flat_map(|cut| cut.edges.into_iter().map(move |edge| (edge, cut.key))).collect()
    }

    /// BR of every entry.
    fn exposures(&self, fates: &[Fate]) -> Vec<f64> {
        let each = |search: &mut Search, entry: &u32| self.exposure(search, *entry, fates, &[], Fate::Kept);
        self.entries.par_iter().map_init(|| self.search(), each).collect()
    }

    fn exposure(&self, search: &mut Search, entry: u32, fates: &[Fate], edges: &[u32], fate: Fate) -> f64 {
        search.run_adjusted(&self.forward, &[entry], |edge, cost| adjusted(edge, cost, fates, edges, fate));
        search.radius(self.graph) * self.stride as f64
    }

    /// What `fate` for the candidate does on top of `fates`.
    fn effect(
        &self,
        search: &mut Search,
        candidate: &Candidate,
        fate: Fate,
        fates: &[Fate],
        now: &[f64],
    ) -> Effect {
        let sources: Vec<u32> =
            candidate.edges.iter().map(|edge| self.graph.edges[*edge as usize].source).collect();
        search.run_adjusted(&self.backward, &sources, |edge, cost| {
            adjusted(edge, cost, fates, &[], Fate::Kept)
        });
        let above: HashSet<u32> = search.reached().map(|(node, _)| node).collect();
        let mut effect = Effect { work: above.len(), ..Effect::default() };
        for (entry, before) in self.entries.iter().zip(now).filter(|(entry, _)| above.contains(entry)) {
            let after = self.exposure(search, *entry, fates, &candidate.edges, fate);
            effect.work += search.reached().count();
            effect.entries += self.stride * usize::from(after < *before);
            effect.gain += before - after;
        }
        effect
    }

    /// More than any cut of the candidate can ever take off.
    fn bounds(&self, candidates: &[Candidate]) -> Vec<f64> {
        let plan = closure::Plan { max_cost: self.max_cost, ..closure::Plan::default() };
        let seed = |node: u32| self.graph.seed(node);
        let below = closure::radii(&self.forward, &self.graph.weights(), seed, &plan);
        let mut begins = vec![0.0; self.graph.nodes.len()];
        self.entries.iter().for_each(|entry| begins[*entry as usize] = self.stride as f64);
        let above = closure::radii(&self.backward, &begins, seed, &plan);
        // Estimates are taken four standard errors higher.
        let most = |radii: &closure::Radii, node| radii.of(node) + 4.0 * radii.deviation(node);
        let through = |edge: &u32| {
            let edge = &self.graph.edges[*edge as usize];
            most(&above, edge.source) * 0.5f64.powi(i32::from(edge.cost)) * most(&below, edge.target)
        };
        candidates
            .iter()
            .map(|candidate| candidate.edges.iter().map(through).sum::<f64>() * (1.0 + 1e-9))
            .collect()
    }

    /// The greedy sequence of cuts, with what each takes off.
    fn sequence(&self, candidates: &[Candidate], rounds: usize, budget: usize) -> Vec<(usize, Effect)> {
        let bounds = self.bounds(candidates);
        let mut order: Vec<usize> = (0..candidates.len()).collect();
        let mut last = bounds.clone();
        let mut fates = vec![Fate::Kept; self.graph.edges.len()];
        let mut now = self.exposures(&fates);
        let (mut taken, mut work) = (Vec::new(), 0);
        while taken.len() < rounds && work <= budget {
            order.sort_by(|l, r| last[*r].total_cmp(&last[*l]).then(l.cmp(r)));
            let left = budget - work;
            let best = self.best(candidates, &order, &mut last, &bounds, &fates, &now, left);
            let Some((best, done)) = best else { break };
            work += done;
            order.retain(|at| *at != best.0);
            candidates[best.0].edges.iter().for_each(|edge| fates[*edge as usize] = Fate::Gone);
            now = self.exposures(&fates);
            taken.push(best);
        }
        taken
    }

    #[expect(clippy::too_many_arguments, reason = "the state of one round")]
    fn best(
        &self,
        candidates: &[Candidate],
        order: &[usize],
        last: &mut [f64],
        bounds: &[f64],
        fates: &[Fate],
        now: &[f64],
        budget: usize,
    ) -> Option<((usize, Effect), usize)> {
        let mut work = 0;
        // What later chunks can still reach.
        let mut rest: Vec<f64> = order
            .iter()
            .rev()
            .scan(0f64, |most, at| {
                *most = most.max(bounds[*at]);
                Some(*most)
            })
            .collect();
        rest.reverse();
        let mut best: Option<(usize, Effect)> = None;
        for (chunk, at) in order.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
            if best.is_some_and(|(_, effect)| effect.gain >= rest[at]) {
                break;
            }
            // What was not looked at might be better: no answer rather than a wrong one.
            if work > budget {
                return None;
            }
            let floor = best.map_or(0.0, |(_, effect)| effect.gain);
            let effects: Vec<(usize, Effect)> = chunk
                .par_iter()
                .filter(|at| bounds[**at] > floor)
                .map_init(
                    || self.search(),
                    |search, at| (*at, self.effect(search, &candidates[*at], Fate::Gone, fates, now)),
                )
                .collect();
            for (at, effect) in effects {
                work += effect.work;
                last[at] = effect.gain;
                let better = |(other, known): (usize, Effect)| {
                    effect.gain > known.gain || (effect.gain == known.gain && at < other)
                };
                if effect.gain > 1e-9 && best.is_none_or(better) {
                    best = Some((at, effect));
                }
            }
        }
        best.map(|best| (best, work))
    }

    /// The cuts to make first.
    pub(crate) fn points(&self, weights: &Weights) -> Vec<ChokePoint> {
        let candidates = self.candidates();
        let kept = vec![Fate::Kept; self.graph.edges.len()];
        let now = self.exposures(&kept);
        let whole: f64 = now.iter().sum();
        let sequence = self.sequence(&candidates, ROUNDS, BUDGET);
        let alone: Vec<[Effect; 2]> = sequence
            .par_iter()
            .map_init(
                || self.search(),
                |search, (at, _)| {
                    [Fate::Gone, Fate::Harder]
                        .map(|fate| self.effect(search, &candidates[*at], fate, &kept, &now))
                },
            )
            .collect();
        let label = |node: u32| self.graph.nodes[node as usize].label.clone();
        let mut before = whole;
        let mut rows = Vec::with_capacity(sequence.len());
        for ((rank, (at, effect)), [cut, hardened]) in (1..).zip(sequence).zip(alone) {
            let candidate = &candidates[at];
            let after = before - effect.gain;
            let checkable = matches!(candidate.kind, "handoff" | "trust");
            rows.push(ChokePoint {
                choke_key: candidate.key,
                rank,
                kind: candidate.kind.to_owned(),
                source: label(candidate.source),
                target: label(candidate.target),
                exposure_before: before,
                exposure_after: after,
                reduction: 100.0 * effect.gain / whole,
                reduction_alone: 100.0 * cut.gain / whole,
                reduction_hardened: checkable.then(|| 100.0 * hardened.gain / whole),
                entries: i64::try_from(effect.entries).unwrap_or(i64::MAX),
                evidence: self.evidence(candidate),
                weights_hash: weights.hash(),
            });
            before = after;
        }
        rows
    }

    fn evidence(&self, candidate: &Candidate) -> Vec<String> {
        let row = |edge: &u32| {
            let edge = &self.graph.edges[*edge as usize];
            let table = match edge.kind {
                "handoff" => "handoffs",
                "trust" => "trusts",
                "secret_of" => "secrets",
                _ => "identities",
            };
            let source = self.graph.nodes[edge.source as usize].key;
            format!("{table}:{}", edge.evidence.filter(|_| table != "identities").unwrap_or(source))
        };
        let mut rows: Vec<String> = candidate.edges.iter().map(row).collect();
        rows.sort();
        rows.dedup();
        rows
    }
}

fn adjusted(edge: u32, cost: u8, fates: &[Fate], edges: &[u32], fate: Fate) -> Option<u8> {
    let own = if edges.binary_search(&edge).is_ok() { fate } else { Fate::Kept };
    match (fates[edge as usize], own) {
        (Fate::Gone, _) | (_, Fate::Gone) => None,
        (one, two) => Some(cost + u8::from(one == Fate::Harder) + u8::from(two == Fate::Harder)),
    }
}

/// What to do to an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Take it away.
    Remove,
    /// Add one check: identity, scope, approval or freshness.
    Harden,
}

/// A change to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What to do.
    pub action: Action,
    /// Which edge: at least 4 digits of a `choke_key`, or `SOURCE -> TARGET` with the labels
    /// of `reach_edges`.
    pub edge: String,
}

/// What changes would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WhatIf {
    /// Total exposure as it is: see `choke_points`.
    pub before: f64,
    /// Total exposure with the changes.
    pub after: f64,
    /// Edges that were changed, as `SOURCE -> TARGET`.
    pub changed: Vec<String>,
    /// Nodes whose blast radius moved, most moved first.
    pub moved: Vec<Moved>,
}

/// A node whose blast radius moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    /// job, identity, secret, …
    pub kind: String,
    /// Label of the node.
    pub label: String,
    /// Blast radius as it is, 0 to 100.
    pub before: f64,
    /// Blast radius with the changes.
    pub after: f64,
}

impl Cutter<'_> {
    /// Tries changes; the error is the edge that does not exist or is ambiguous.
    pub(crate) fn what_if(&self, changes: &[Change]) -> Result<WhatIf, String> {
        let candidates = self.candidates();
        let mut fates = vec![Fate::Kept; self.graph.edges.len()];
        let mut changed = Vec::new();
        for change in changes {
            let edges = self.named(&candidates, &change.edge).ok_or_else(|| change.edge.clone())?;
            for edge in edges {
                let fate = &mut fates[edge as usize];
                if *fate != Fate::Gone {
                    *fate = if change.action == Action::Remove { Fate::Gone } else { Fate::Harder };
                }
                changed.push(self.name(edge));
            }
        }
        changed.sort();
        changed.dedup();
        let kept = vec![Fate::Kept; self.graph.edges.len()];
        let sum = |fates: &[Fate]| self.exposures(fates).iter().sum::<f64>();
        let total = self.graph.total();
        // Only what leads to a changed edge can move.
        let sources: Vec<u32> = (0u32..)
            .zip(&fates)
            .filter(|(_, fate)| **fate != Fate::Kept)
            .map(|(edge, _)| self.graph.edges[edge as usize].source)
            .collect();
        let mut search = self.search();
        search.run(&self.backward, &sources, |_| false);
        let nodes: Vec<u32> = search.reached().map(|(node, _)| node).collect();
        let mut moved: Vec<Moved> = nodes
            .par_iter()
            .map_init(
                || self.search(),
                |search, node| {
                    let before = self.exposure(search, *node, &kept, &[], Fate::Kept);
                    let after = self.exposure(search, *node, &fates, &[], Fate::Kept);
                    let of = &self.graph.nodes[*node as usize];
                    (after < before).then(|| Moved {
                        kind: of.kind.to_owned(),
                        label: of.label.clone(),
                        before: scale(before / self.stride as f64, total),
                        after: scale(after / self.stride as f64, total),
                    })
                },
            )
            .flatten()
            .collect();
        moved.sort_by(|l, r| {
            (r.before - r.after).total_cmp(&(l.before - l.after)).then_with(|| l.label.cmp(&r.label))
        });
        Ok(WhatIf { before: sum(&kept), after: sum(&fates), changed, moved })
    }

    fn name(&self, edge: u32) -> String {
        let edge = &self.graph.edges[edge as usize];
        let label = |node: u32| self.graph.nodes[node as usize].label.as_str();
        format!("{} -> {}", label(edge.source), label(edge.target))
    }

    fn named(&self, candidates: &[Candidate], text: &str) -> Option<Vec<u32>> {
        let digits = text.to_ascii_lowercase();
        if digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let mut hits =
                candidates.iter().filter(|candidate| candidate.key.to_string().starts_with(&digits));
            return hits.next().filter(|_| hits.next().is_none()).map(|candidate| candidate.edges.clone());
        }
        let edges: Vec<u32> =
            (0u32..).take(self.graph.edges.len()).filter(|edge| self.name(*edge) == text.trim()).collect();
        (!edges.is_empty()).then_some(edges)
    }
}

#[cfg(test)]
#[path = "choke_tests.rs"]
mod tests;
