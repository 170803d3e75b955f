//! Reach of every node at once: zero-cost components are condensed, then sets
//! flow backwards layer by layer.
//!
//! `S_l(c) = own(c) ∪ S_{l-1}(c) ∪ ⋃ S_{l-q}(d)` over arcs `c→d` of cost `q`,
//! `BR(c) = Σ_l 2^-l (W_l − W_{l−1})`. The heaviest targets are bits of exact sets;
//! the weight of the long tail is estimated from minima of random ranks.

use super::blocks::{BITS, Bits, Block, LANES, Minima, Weigher};
use super::components::Condensed;
use super::csr::Csr;
use rayon::prelude::*;

/// Bytes that sets in flight may take together.
const MEMORY: usize = 1 << 30;

/// How exact the closure is.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Paths that cost more contribute nothing.
    pub max_cost: u8,
    /// Targets that are exact however large the graph is: the heaviest.
    pub targets: usize,
    /// Graphs of at most so many nodes are exact altogether.
    pub exact_nodes: usize,
    /// Random draws for the other targets, in sixteens: the relative standard error of
    /// their estimated weight is `1/√(draws−2)`.
    pub draws: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self { max_cost: 4, targets: 4096, exact_nodes: 65_536, draws: 128 }
    }
}

impl Plan {
    pub(super) fn layers(&self) -> usize {
        usize::from(self.max_cost) + 1
    }

    pub(super) fn draw_batches(&self) -> usize {
        self.draws.div_ceil(LANES).max(1)
    }

    /// Relative standard error of estimates.
    pub fn error(&self) -> f64 {
        1.0 / ((self.draw_batches() * LANES) as f64 - 2.0).sqrt()
    }

    /// Exact targets and the others, each heaviest first.
    pub(super) fn split(&self, weights: &[f64]) -> (Vec<u32>, Vec<u32>) {
        let mut targets: Vec<u32> =
            (0u32..).zip(weights).filter(|(_, weight)| **weight > 0.0).map(|(node, _)| node).collect();
        targets.sort_by(|left, right| {
            weights[*right as usize].total_cmp(&weights[*left as usize]).then(left.cmp(right))
        });
        let exact = if weights.len() <= self.exact_nodes { targets.len() } else { self.targets };
        let tail = targets.split_off(exact.min(targets.len()));
        (targets, tail)
    }
}

/// `Σσ·2^-d` of every node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Radii {
    /// By node, over the exact targets.
    pub exact: Vec<f64>,
    /// By node, estimated over the others; all 0 where there are none.
    pub tail: Vec<f64>,
    /// Relative standard error of `tail`; 0 where nothing was estimated.
    pub error: f64,
}

impl Radii {
    /// Blast radius of a node.
    pub fn of(&self, node: u32) -> f64 {
        self.exact[node as usize] + self.tail[node as usize]
    }

    /// Standard error of [`Radii::of`].
    pub fn deviation(&self, node: u32) -> f64 {
        self.error * self.tail[node as usize]
    }
}

/// Blast radius of every node; sets are dropped as soon as they are weighed. `seed` names
/// a node for the random draws: the same names give the same estimates.
pub fn radii(csr: &Csr, weights: &[f64], seed: impl Fn(u32) -> u64 + Sync, plan: &Plan) -> Radii {
    let graph = Condensed::new(csr);
    let (exact, tail) = plan.split(weights);
    let batches: Vec<&[u32]> = exact.chunks(BITS).collect();
    let weighed = waves(&batches, &graph, plan, |targets| {
        let weigher = Weigher::new(targets.iter().map(|node| weights[*node as usize]).collect());
        radius(&layers(&graph, own_bits(&graph, targets), plan.layers()), &weigher)
    });
    let mut sum = vec![0.0; graph.count];
    for part in weighed {
        sum.iter_mut().zip(part).for_each(|(sum, more)| *sum += more);
    }
    let mut estimated = vec![0.0; if tail.is_empty() { 0 } else { graph.count }];
    if !tail.is_empty() {
        let batches: Vec<usize> = (0..plan.draw_batches()).collect();
        let sums = waves(&batches, &graph, plan, |batch| {
            sums(&layers(&graph, own_ranks(&graph, &tail, weights, &seed, *batch), plan.layers()))
        });
        let draws = (sums.len() * LANES) as f64;
        for (component, estimate) in estimated.iter_mut().enumerate() {
            let of = |layer: usize| sums.iter().map(|batch| f64::from(batch[layer][component])).sum();
            *estimate = estimate_of((0..plan.layers()).map(of), draws);
        }
    }
    by_node(&graph.component, &sum, &estimated, plan)
}

pub(super) fn by_node(component: &[u32], exact: &[f64], tail: &[f64], plan: &Plan) -> Radii {
    let of = |values: &[f64]| component.iter().map(|c| values[*c as usize]).collect::<Vec<f64>>();
    let (error, estimated) =
        if tail.is_empty() { (0.0, vec![0.0; component.len()]) } else { (plan.error(), of(tail)) };
    Radii { exact: of(exact), tail: estimated, error }
}

/// Does every batch, as many at a time as there are threads and memory for.
fn waves<T: Sync, R: Send>(
    batches: &[T],
    graph: &Condensed,
    plan: &Plan,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let bytes = graph.count * plan.layers() * size_of::<Bits>();
    let width = rayon::current_num_threads().min(MEMORY / bytes.max(1)).max(1);
    batches.chunks(width).flat_map(|wave| wave.par_iter().map(&work).collect::<Vec<R>>()).collect()
}

pub(super) fn own_bits(graph: &Condensed, targets: &[u32]) -> Vec<Bits> {
    let mut own: Vec<Bits> = empty(graph.count);
    for (bit, node) in targets.iter().enumerate() {
        own[graph.component[*node as usize] as usize].insert(bit);
    }
    own
}

pub(super) fn own_ranks(
    graph: &Condensed,
    targets: &[u32],
    weights: &[f64],
    seed: &impl Fn(u32) -> u64,
    batch: usize,
) -> Vec<Minima> {
    let mut own: Vec<Minima> = empty(graph.count);
    for node in targets {
        let ranks = Minima::of(seed(*node), batch, weights[*node as usize]);
        own[graph.component[*node as usize] as usize].join(&ranks);
    }
    own
}

/// An empty list with room for a few components more: a kept closure grows in place.
fn roomy<B>(count: usize) -> Vec<B> {
    Vec::with_capacity(count + count / 16)
}

fn empty<B: Block>(count: usize) -> Vec<B> {
    let mut own = roomy(count);
    own.resize(count, B::EMPTY);
    own
}

/// The sets of every layer, by component.
pub(super) fn layers<B: Block>(graph: &Condensed, own: Vec<B>, count: usize) -> Vec<Vec<B>> {
    let mut everything = B::EMPTY;
    own.iter().for_each(|set| everything.join(set));
    let mut layers: Vec<Vec<B>> = Vec::with_capacity(count);
    let mut own = Some(own);
    for layer in 0..count {
        let mut sets = own.take().unwrap_or_default();
        if let Some(last) = layers.last() {
            sets = roomy(graph.count);
            sets.extend_from_slice(last);
        }
        for from in 0..graph.count {
            let mut set = sets[from];
            if set == everything {
                continue;
            }
            for (to, cost) in graph.out(from) {
                let cost = usize::from(*cost);
                if cost > layer {
                    break;
                }
                let other = if cost == 0 { &sets[*to as usize] } else { &layers[layer - cost][*to as usize] };
                set.join(other);
                if set == everything {
                    break;
                }
            }
            sets[from] = set;
        }
        layers.push(sets);
    }
    layers
}

/// `Σ_l 2^-l (W_l − W_{l−1})` of every component.
pub(super) fn radius(layers: &[Vec<Bits>], weigher: &Weigher) -> Vec<f64> {
    let count = layers.first().map_or(0, Vec::len);
    (0..count).map(|component| radius_of(layers, weigher, component)).collect()
}

pub(super) fn radius_of(layers: &[Vec<Bits>], weigher: &Weigher, component: usize) -> f64 {
    let (mut old, mut share, mut sum) = (Bits::EMPTY, 1.0, 0.0);
    for sets in layers {
        let set = sets[component];
        if set != old {
            sum += share * weigher.gained(&set, &old);
        }
        (old, share) = (set, share / 2.0);
    }
    sum
}

/// Sums of the minima, by layer and component.
pub(super) fn sums(layers: &[Vec<Minima>]) -> Vec<Vec<f32>> {
    layers.iter().map(|sets| sets.iter().map(|set| set.sum() as f32).collect()).collect()
}

/// The estimated radius from the sums of the minima of all draws, one for each layer.
pub(super) fn estimate_of(sums: impl Iterator<Item = f64>, draws: f64) -> f64 {
    let (mut old, mut share, mut radius) = (0.0, 1.0, 0.0);
    for sum in sums {
        let weight = (draws - 1.0) / sum;
        radius += share * (weight - old);
        (old, share) = (weight, share / 2.0);
    }
    radius
}

#[cfg(test)]
#[path = "closure_tests.rs"]
mod tests;
