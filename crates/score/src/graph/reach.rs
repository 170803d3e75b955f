//! Reach of one set of sources: bounded shortest paths by buckets.

use super::Graph;
use super::csr::Csr;

const FAR: u8 = u8::MAX;
const NONE: u32 = u32::MAX;

/// Distances from one source set; reusable, so a search costs what it reaches.
#[derive(Debug)]
pub(crate) struct Search {
    distance: Vec<u8>,
    parent: Vec<u32>,
    touched: Vec<u32>,
    buckets: Vec<Vec<u32>>,
}

impl Search {
    pub(crate) fn new(nodes: usize, max_cost: u8) -> Self {
        Self {
            distance: vec![FAR; nodes],
            parent: vec![NONE; nodes],
            touched: Vec::new(),
            buckets: vec![Vec::new(); usize::from(max_cost) + 1],
        }
    }

    /// Searches from `sources`, leaving out edges that `skip` names.
    pub(crate) fn run(&mut self, csr: &Csr, sources: &[u32], skip: impl Fn(u32) -> bool) {
        self.run_adjusted(csr, sources, |edge, cost| (!skip(edge)).then_some(cost));
    }

    /// Searches with other costs, by edge and its own cost; none leaves the edge out.
    pub(crate) fn run_adjusted(
        &mut self,
        csr: &Csr,
        sources: &[u32],
        adjust: impl Fn(u32, u8) -> Option<u8>,
    ) {
        for node in self.touched.drain(..) {
            self.distance[node as usize] = FAR;
            self.parent[node as usize] = NONE;
        }
        for source in sources {
            self.relax(*source, 0, NONE);
        }
        for level in 0..self.buckets.len() {
            while let Some(node) = self.buckets[level].pop() {
                if usize::from(self.distance[node as usize]) != level {
                    continue;
                }
                for (target, cost, edge) in csr.out(node) {
                    let Some(cost) = adjust(*edge, *cost) else { continue };
                    let next = level + usize::from(cost);
                    if next < self.buckets.len() {
                        self.relax(*target, u8::try_from(next).unwrap_or(FAR), node);
                    }
                }
            }
        }
        self.touched.sort_unstable();
    }

    fn relax(&mut self, node: u32, distance: u8, parent: u32) {
        let index = node as usize;
        if distance < self.distance[index] {
            if self.distance[index] == FAR {
                self.touched.push(node);
            }
            self.distance[index] = distance;
            self.parent[index] = parent;
            self.buckets[usize::from(distance)].push(node);
        }
    }

    /// Reached nodes with their distances, by node.
    pub(crate) fn reached(&self) -> impl Iterator<Item = (u32, u8)> + '_ {
        self.touched.iter().map(|node| (*node, self.distance[*node as usize]))
    }

    /// `BR = Σ σ·2^-d` over what was reached.
    pub(crate) fn radius(&self, graph: &Graph) -> f64 {
        self.reached()
            .map(|(node, distance)| graph.nodes[node as usize].weight * 0.5f64.powi(i32::from(distance)))
            .sum()
    }

    /// The target with the largest σ·2^-d; ties go to the nearer, then to the lesser label.
    pub(crate) fn heaviest(&self, graph: &Graph) -> Option<u32> {
        let value =
            |node: u32, distance: u8| graph.nodes[node as usize].weight * 0.5f64.powi(i32::from(distance));
        self.reached()
            .filter(|(node, distance)| value(*node, *distance) > 0.0)
            .max_by(|left, right| {
                value(left.0, left.1)
                    .total_cmp(&value(right.0, right.1))
                    .then(right.1.cmp(&left.1))
                    .then_with(|| {
                        graph.nodes[right.0 as usize].label.cmp(&graph.nodes[left.0 as usize].label)
                    })
            })
            .map(|(node, _)| node)
    }

    /// Labels from the source to `target`.
    pub(crate) fn path(&self, graph: &Graph, target: u32) -> Vec<String> {
        let mut path = Vec::new();
        let mut node = target;
        while node != NONE && path.len() <= self.touched.len() {
            path.push(graph.nodes[node as usize].label.clone());
            node = self.parent[node as usize];
        }
        path.reverse();
        path
    }
}
