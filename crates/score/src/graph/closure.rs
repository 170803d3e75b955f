//! Reach of every node at once: zero-cost components are condensed, then
//! bitsets of targets flow backwards layer by layer.
//!
//! `S_l(c) = own(c) ∪ S_{l-1}(c) ∪ ⋃ S_{l-q}(d)` over arcs `c→d` of cost `q`,
//! `BR(c) = Σ_l 2^-l (W_l − W_{l-1})`.

use super::Graph;
use super::reach::Csr;
use rayon::prelude::*;

const WORDS: usize = 8;
/// Targets handled in one pass.
const BATCH: usize = WORDS * 64;

/// Components of the zero-cost subgraph in reverse topological order: a
/// component's zero-cost successors have smaller numbers. Iterative Tarjan.
pub(crate) fn components(csr: &Csr) -> (Vec<u32>, usize) {
    const UNSEEN: u32 = u32::MAX;
    let nodes = csr.nodes();
    let mut order = vec![UNSEEN; nodes];
    let mut low = vec![0u32; nodes];
    let mut component = vec![UNSEEN; nodes];
    let (mut next, mut count) = (0u32, 0u32);
    let mut stack = Vec::new();
    let mut calls: Vec<(u32, usize)> = Vec::new();
    for root in (0u32..).take(nodes) {
        if order[root as usize] != UNSEEN {
            continue;
        }
        calls.push((root, 0));
        while let Some((node, position)) = calls.pop() {
            let index = node as usize;
            if position == 0 {
                order[index] = next;
                low[index] = next;
                next += 1;
                stack.push(node);
            }
            let arcs = csr.out(node);
            let mut descended = false;
            for (offset, (target, cost, _)) in arcs.iter().enumerate().skip(position.saturating_sub(1)) {
                let to = *target as usize;
                if *cost != 0 {
                    continue;
                }
                if order[to] == UNSEEN {
                    // The arc is looked at again on return, to take the child's low link.
                    calls.push((node, offset + 1));
                    calls.push((*target, 0));
                    descended = true;
                    break;
                }
                if component[to] == UNSEEN {
                    low[index] = low[index].min(low[to]);
                }
            }
            if descended || low[index] != order[index] {
                continue;
            }
            while let Some(member) = stack.pop() {
                component[member as usize] = count;
                if member == node {
                    break;
                }
            }
            count += 1;
        }
    }
    (component, count as usize)
}

/// `BR` of every node, exactly.
pub(crate) fn radii(graph: &Graph, csr: &Csr, max_cost: u8) -> Vec<f64> {
    let (component, count) = components(csr);
    let mut arcs: Vec<(u32, u32, u8)> = Vec::new();
    for node in (0u32..).take(csr.nodes()) {
        let from = component[node as usize];
        for (target, cost, _) in csr.out(node) {
            let to = component[*target as usize];
            if from != to {
                arcs.push((from, to, *cost));
            }
        }
    }
    arcs.sort_unstable();
    // The first of equal ends is the cheapest.
    arcs.dedup_by_key(|arc| (arc.0, arc.1));
    let targets: Vec<(u32, f64)> = (0u32..)
        .zip(&graph.nodes)
        .filter(|(_, node)| node.weight > 0.0)
        .map(|(i, node)| (component[i as usize], node.weight))
        .collect();
    let partial: Vec<Vec<f64>> =
        targets.par_chunks(BATCH).map(|chunk| batch(&arcs, count, chunk, usize::from(max_cost))).collect();
    let mut of_component = vec![0.0; count];
    for part in partial {
        of_component.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
    component.into_iter().map(|c| of_component[c as usize]).collect()
}

fn batch(arcs: &[(u32, u32, u8)], count: usize, targets: &[(u32, f64)], max_cost: usize) -> Vec<f64> {
    let mut own = vec![[0u64; WORDS]; count];
    for (bit, (component, _)) in targets.iter().enumerate() {
        own[*component as usize][bit / 64] |= 1 << (bit % 64);
    }
    let mut layers: Vec<Vec<[u64; WORDS]>> = Vec::with_capacity(max_cost + 1);
    let mut radius = vec![0.0; count];
    for layer in 0..=max_cost {
        let mut sets = layers.last().cloned().unwrap_or_else(|| own.clone());
        let mut arc = 0;
        for from in 0..count {
            let mut set = sets[from];
            while let Some((_, to, cost)) = arcs.get(arc).filter(|found| found.0 as usize == from) {
                let cost = usize::from(*cost);
                if cost <= layer {
                    let other =
                        if cost == 0 { &sets[*to as usize] } else { &layers[layer - cost][*to as usize] };
                    set.iter_mut().zip(other).for_each(|(word, more)| *word |= more);
                }
                arc += 1;
            }
            let old = layers.last().map_or([0; WORDS], |previous| previous[from]);
            radius[from] +=
                gained(&set, &old, targets) * 0.5f64.powi(i32::try_from(layer).unwrap_or(i32::MAX));
            sets[from] = set;
        }
        layers.push(sets);
    }
    radius
}

fn gained(set: &[u64; WORDS], old: &[u64; WORDS], targets: &[(u32, f64)]) -> f64 {
    let mut sum = 0.0;
    for (word, (new, before)) in set.iter().zip(old).enumerate() {
        let mut bits = new & !before;
        while bits != 0 {
            sum += targets[word * 64 + bits.trailing_zeros() as usize].1;
            bits &= bits - 1;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::reach::Search;
    use super::super::{Edge, Node, View, scale};
    use super::*;
    use leakgraph_model::Key;
    use proptest::prelude::*;

    fn graph(weights: &[u8], edges: &[(usize, usize, u8)]) -> Graph {
        let nodes = weights.iter().enumerate().map(|(index, weight)| Node {
            key: Key([u8::try_from(index).unwrap(); 16]),
            label: format!("n{index}"),
            kind: "resource",
            weight: f64::from(*weight),
        });
        let edges = edges.iter().map(|(source, target, cost)| Edge {
            source: u32::try_from(source % weights.len()).unwrap(),
            target: u32::try_from(target % weights.len()).unwrap(),
            kind: "permission",
            cost: *cost,
            unproven: 0,
            observed: true,
            unknown: false,
            evidence: None,
        });
        Graph { nodes: nodes.collect(), edges: edges.collect() }
    }

    fn all(graph: &Graph) -> Vec<f64> {
        radii(graph, &Csr::new(graph, View::Central, 4), 4)
    }

    /// Bellman-Ford over the edge list: shares no code with the algorithms.
    fn brute(graph: &Graph, source: usize) -> f64 {
        let mut distance = vec![u32::MAX; graph.nodes.len()];
        distance[source] = 0;
        for _ in 0..graph.nodes.len() {
            for edge in &graph.edges {
                let from = distance[edge.source as usize];
                if from != u32::MAX {
                    let to = &mut distance[edge.target as usize];
                    *to = (*to).min(from + u32::from(edge.cost));
                }
            }
        }
        let near = distance.iter().zip(&graph.nodes).filter(|(d, _)| **d <= 4);
        near.map(|(d, node)| node.weight / f64::from(1u32 << *d)).sum()
    }

    fn edges() -> impl Strategy<Value = Vec<(usize, usize, u8)>> {
        prop::collection::vec((0usize..40, 0usize..40, 0u8..4), 0..90)
    }

    proptest! {
        #[test]
        fn both_algorithms_equal_brute_force(weights in prop::collection::vec(0u8..100, 1..40), edges in edges()) {
            let graph = graph(&weights, &edges);
            let csr = Csr::new(&graph, View::Central, 4);
            let closure = all(&graph);
            let mut search = Search::new(graph.nodes.len(), 4);
            for (index, found) in closure.iter().enumerate() {
                let expected = brute(&graph, index);
                search.run(&csr, &[u32::try_from(index).unwrap()], |_| false);
                prop_assert!((found - expected).abs() < 1e-9);
                prop_assert!((search.radius(&graph) - expected).abs() < 1e-9);
            }
        }

        #[test]
        fn a_check_never_raises_and_an_edge_never_lowers(
            weights in prop::collection::vec(0u8..100, 1..40), edges in edges(), extra in (0usize..40, 0usize..40, 0u8..4), which in 0usize..90,
        ) {
            let before = all(&graph(&weights, &edges));
            let mut checked = edges.clone();
            if let Some(edge) = checked.get_mut(which) {
                edge.2 += 1;
            }
            for (with, without) in all(&graph(&weights, &checked)).iter().zip(&before) {
                prop_assert!(*with <= without + 1e-9);
            }
            let mut longer = edges;
            longer.push(extra);
            for (more, less) in all(&graph(&weights, &longer)).iter().zip(&before) {
                prop_assert!(*more >= less - 1e-9);
            }
        }

        #[test]
        fn order_of_edges_does_not_matter(weights in prop::collection::vec(0u8..100, 1..40), edges in edges()) {
            let mut reversed = edges.clone();
            reversed.reverse();
            prop_assert_eq!(all(&graph(&weights, &edges)), all(&graph(&weights, &reversed)));
        }
    }

    #[test]
    fn a_path_beyond_one_batch_of_targets_is_counted() {
        let chain: Vec<_> = (0..239).map(|i| (i, i + 1, 0)).collect();
        let weights = vec![1; 240];
        let graph = graph(&weights, &chain);
        assert!((all(&graph)[0] - 240.0).abs() < 1e-9);
        assert!((scale(240.0, graph.total()) - 100.0).abs() < 1e-9);
        assert_eq!(scale(0.0, 0.0), 0.0);
    }
}
