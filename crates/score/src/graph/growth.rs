//! A closure that is kept, and brought up to date as the graph grows.
//!
//! Sets only ever grow with new arcs, so what changed is pushed backwards until nothing
//! changes any more. New zero-cost arcs may close cycles among components: the push
//! settles those too, and components need not be found again.

use super::blocks::{BITS, Bits, Block, LANES, Minima, Weigher};
use super::closure::{
    Plan, Radii, by_node, estimate_of, layers, own_bits, own_ranks, radius, radius_of, sums,
};
use super::components::Condensed;
use super::csr::{Csr, grouped};
use rayon::prelude::*;

/// The closure of a graph with all its sets: 64 bytes for each component, cost layer and
/// batch of 512 exact targets or 16 draws.
#[derive(Debug)]
pub struct Closure {
    plan: Plan,
    condensed: Condensed,
    component: Vec<u32>,
    count: usize,
    /// (predecessor, cost) by component, without what came later.
    incoming: Incoming,
    /// Arcs between components that came later: (source, target, cost).
    later: Vec<(u32, u32, u8)>,
    exact: Vec<Exact>,
    tail: Vec<Tail>,
}

#[derive(Debug)]
struct Exact {
    weights: Vec<f64>,
    sets: Sets<Bits>,
    radius: Vec<f64>,
}

#[derive(Debug)]
struct Tail {
    batch: usize,
    sets: Sets<Minima>,
    sums: Vec<Vec<f32>>,
}

/// Sets by layer and component.
#[derive(Debug)]
struct Sets<B> {
    layers: Vec<Vec<B>>,
    /// The join of all: sets that have it cannot change, and need not be looked at.
    everything: B,
    full: Vec<Marks>,
}

/// Where each component's arcs begin, and (predecessor, cost).
type Incoming = (Vec<u32>, Vec<(u32, u8)>);

/// What a graph gained.
#[derive(Clone, Copy, Debug, Default)]
pub struct Growth<'a> {
    /// Weights of new nodes, which are numbered after the old ones.
    pub weights: &'a [f64],
    /// New arcs (source, target, cost), among old and new nodes.
    pub arcs: &'a [(u32, u32, u8)],
}

impl Closure {
    /// Closes a graph; see [`radii`](super::closure::radii).
    pub fn new(csr: &Csr, weights: &[f64], seed: impl Fn(u32) -> u64 + Sync, plan: &Plan) -> Self {
        let condensed = Condensed::new(csr);
        let (targets, rest) = plan.split(weights);
        let exact = targets
            .par_chunks(BITS)
            .map(|targets| {
                let weights: Vec<f64> = targets.iter().map(|node| weights[*node as usize]).collect();
                let layers = layers(&condensed, own_bits(&condensed, targets), plan.layers());
                let radius = radius(&layers, &Weigher::new(weights.clone()));
                Exact { weights, sets: Sets::new(layers), radius }
            })
            .collect();
        let draws = if rest.is_empty() { 0 } else { plan.draw_batches() };
        let tail = (0..draws)
            .into_par_iter()
            .map(|batch| {
                let own = own_ranks(&condensed, &rest, weights, &seed, batch);
                let layers = layers(&condensed, own, plan.layers());
                Tail { batch, sums: sums(&layers), sets: Sets::new(layers) }
            })
            .collect();
        let (component, count) = (condensed.component.clone(), condensed.count);
        let incoming = condensed.incoming();
        let later = Vec::new();
        Self { plan: *plan, condensed, component, count, incoming, later, exact, tail }
    }

    /// Blast radius of every node.
    pub fn radii(&self) -> Radii {
        let mut exact = vec![0.0; self.count];
        for batch in &self.exact {
            exact.iter_mut().zip(&batch.radius).for_each(|(sum, more)| *sum += more);
        }
        let tail: Vec<f64> = if self.tail.is_empty() {
            Vec::new()
        } else {
            let of = |component| {
                let draws = (self.tail.len() * LANES) as f64;
                let per_layer = (0..self.plan.layers())
                    .map(|layer| self.tail.iter().map(|b| f64::from(b.sums[layer][component])).sum::<f64>());
                estimate_of(per_layer, draws)
            };
            (0..self.count).map(of).collect()
        };
        by_node(&self.component, &exact, &tail, &self.plan)
    }

    /// Share of the arcs that came later, 0 to 1. Each later arc makes the next growth a
    /// little dearer: close the graph afresh from about a tenth.
    pub fn later_share(&self) -> f64 {
        self.later.len() as f64 / (self.later.len() + self.condensed.arcs()).max(1) as f64
    }

    /// Adds nodes and arcs. The cost follows what changes, not the size of the graph,
    /// but for one pass over the arcs.
    ///
    /// New targets are exact if all targets are, else they join the estimated ones.
    ///
    /// # Panics
    /// An end of an arc is neither an old nor a new node.
    pub fn grow(&mut self, growth: &Growth<'_>, seed: impl Fn(u32) -> u64 + Sync) {
        let first = self.component.len();
        for _ in growth.weights {
            self.component.push(u32::try_from(self.count).unwrap_or(u32::MAX));
            self.count += 1;
        }
        let of = |node: u32| self.component[node as usize];
        let added: Vec<(u32, u32, u8)> = growth
            .arcs
            .iter()
            .map(|(from, to, cost)| (of(*from), of(*to), *cost))
            .filter(|(from, to, cost)| from != to && *cost <= self.plan.max_cost)
            .collect();
        self.later.extend(&added);
        let mut targets: Vec<(u32, u32, f64)> = (0u32..)
            .zip(growth.weights)
            .map(|(index, weight)| (u32::try_from(first).unwrap_or(u32::MAX) + index, *weight))
            .filter(|(_, weight)| *weight > 0.0)
            .map(|(node, weight)| (node, self.component[node as usize], weight))
            .collect();
        let later = grouped(self.count, self.later.iter().map(|(from, to, cost)| (*to, (*from, *cost))));
        let incoming = std::mem::take(&mut self.incoming);
        let change = Change { count: self.count, added: &added, incoming: [&incoming, &later] };
        if self.tail.is_empty() {
            self.seat(&mut targets, &change);
        }
        self.exact.par_iter_mut().for_each(|batch| batch.grow(&change, &[]));
        self.tail.par_iter_mut().for_each(|batch| {
            let own: Vec<(u32, Minima)> = targets
                .iter()
                .map(|(node, component, weight)| (*component, Minima::of(seed(*node), batch.batch, *weight)))
                .collect();
            batch.grow(&change, &own);
        });
        self.incoming = incoming;
    }

    /// Gives new targets bits of their own.
    fn seat(&mut self, targets: &mut Vec<(u32, u32, f64)>, change: &Change<'_>) {
        while !targets.is_empty() {
            if self.exact.last().is_none_or(|batch| batch.weights.len() >= BITS) {
                let layers = vec![vec![Bits::EMPTY; self.count]; self.plan.layers()];
                let (sets, radius) = (Sets::new(layers), vec![0.0; self.count]);
                self.exact.push(Exact { weights: Vec::new(), sets, radius });
            }
            let Some(batch) = self.exact.last_mut() else { return };
            let room = (BITS - batch.weights.len()).min(targets.len());
            let mut own = Vec::with_capacity(room);
            for (_, component, weight) in targets.drain(..room) {
                let mut set = Bits::EMPTY;
                set.insert(batch.weights.len());
                own.push((component, set));
                batch.weights.push(weight);
            }
            batch.grow(change, &own);
        }
    }
}

/// New arcs, and all arcs by their targets: the first and the later ones.
struct Change<'a> {
    count: usize,
    added: &'a [(u32, u32, u8)],
    incoming: [&'a Incoming; 2],
}

impl Exact {
    fn grow(&mut self, change: &Change<'_>, own: &[(u32, Bits)]) {
        let touched = self.sets.push(change, own);
        self.radius.resize(change.count, 0.0);
        let weigher = Weigher::new(self.weights.clone());
        touched.each(|component| self.radius[component] = radius_of(&self.sets.layers, &weigher, component));
    }
}

impl Tail {
    fn grow(&mut self, change: &Change<'_>, own: &[(u32, Minima)]) {
        let touched = self.sets.push(change, own);
        for (sums, sets) in self.sums.iter_mut().zip(&self.sets.layers) {
            sums.resize(change.count, f32::INFINITY);
            touched.each(|component| sums[component] = sets[component].sum() as f32);
        }
    }
}

impl<B: Block> Sets<B> {
    fn new(layers: Vec<Vec<B>>) -> Self {
        let mut sets = Self { layers, everything: B::EMPTY, full: Vec::new() };
        sets.settle();
        sets
    }

    /// Finds what is full, after new targets or components.
    fn settle(&mut self) {
        self.everything = B::EMPTY;
        self.layers[0].iter().for_each(|set| self.everything.join(set));
        self.full = self
            .layers
            .iter()
            .map(|sets| {
                let mut full = Marks::new(sets.len());
                sets.iter()
                    .enumerate()
                    .filter(|(_, set)| **set == self.everything)
                    .for_each(|(i, _)| full.set(i));
                full
            })
            .collect();
    }

    /// Adds to a set, and to the same component's sets of later layers. Only the first needs
    /// to be pushed: predecessors carry what it gives them to their own later layers.
    fn join(&mut self, dirty: &mut [Marks], layer: usize, component: usize, more: &B) {
        for (at, sets) in self.layers.iter_mut().enumerate().skip(layer) {
            if self.full[at].has(component) {
                return;
            }
            let slot = &mut sets[component];
            let mut set = *slot;
            set.join(more);
            if set == *slot {
                return;
            }
            *slot = set;
            if at == layer {
                dirty[layer].set(component);
            }
            if set == self.everything {
                self.full[at].set(component);
            }
        }
    }

    /// Brings the sets up to date; returns the components whose sets changed.
    fn push(&mut self, change: &Change<'_>, own: &[(u32, B)]) -> Marks {
        self.full.iter_mut().for_each(|full| full.widen(change.count));
        self.layers.iter_mut().for_each(|sets| sets.resize(change.count, B::EMPTY));
        let mut dirty: Vec<Marks> = self.layers.iter().map(|_| Marks::new(change.count)).collect();
        let mut touched = Marks::new(change.count);
        for (component, set) in own {
            self.layers.iter_mut().for_each(|sets| sets[*component as usize].join(set));
            dirty[0].set(*component as usize);
        }
        if !own.is_empty() {
            self.settle();
        }
        let layers = self.layers.len();
        for (from, to, cost) in change.added {
            for layer in usize::from(*cost)..layers {
                let set = self.layers[layer - usize::from(*cost)][*to as usize];
                self.join(&mut dirty, layer, *from as usize, &set);
            }
        }
        for layer in 0..layers {
            while let Some(component) = dirty[layer].take() {
                touched.set(component);
                let set = self.layers[layer][component];
                for (from, cost) in change.incoming(component) {
                    let at = layer + usize::from(*cost);
                    if at < layers {
                        self.join(&mut dirty, at, *from as usize, &set);
                    }
                }
            }
        }
        touched
    }
}

impl Change<'_> {
    /// (predecessor, cost) of a component.
    fn incoming(&self, component: usize) -> impl Iterator<Item = &(u32, u8)> {
        self.incoming.iter().flat_map(move |(starts, arcs)| {
            // Components that came later have no first arcs.
            let ends = starts.get(component).zip(starts.get(component + 1));
            ends.map_or(&[][..], |(start, end)| &arcs[*start as usize..*end as usize])
        })
    }
}

/// A set of components that gives them out in ascending sweeps: what a sweep marks behind
/// itself waits for the next one.
#[derive(Debug)]
struct Marks {
    words: Vec<u64>,
    at: usize,
    left: usize,
}

impl Marks {
    fn new(count: usize) -> Self {
        Self { words: vec![0; count.div_ceil(64)], at: 0, left: 0 }
    }

    fn widen(&mut self, count: usize) {
        self.words.resize(count.div_ceil(64), 0);
    }

    fn set(&mut self, index: usize) {
        let bit = 1u64 << (index % 64);
        let word = &mut self.words[index / 64];
        self.left += usize::from(*word & bit == 0);
        *word |= bit;
    }

    fn has(&self, index: usize) -> bool {
        self.words[index / 64] >> (index % 64) & 1 == 1
    }

    fn take(&mut self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        while self.words[self.at] == 0 {
            self.at = (self.at + 1) % self.words.len();
        }
        let word = &mut self.words[self.at];
        let bit = word.trailing_zeros() as usize;
        *word &= *word - 1;
        self.left -= 1;
        Some(self.at * 64 + bit)
    }

    fn each(&self, mut visit: impl FnMut(usize)) {
        for (at, word) in self.words.iter().enumerate() {
            let mut bits = *word;
            while bits != 0 {
                visit(at * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }
}
