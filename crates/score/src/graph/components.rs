//! Strongly connected components of the zero-cost arcs, and the graph of them.

use super::csr::{Csr, grouped};

/// The graph of components. A component's zero-cost successors have smaller
/// numbers, so that one ascending sweep settles a layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Condensed {
    /// Component of each node.
    pub(crate) component: Vec<u32>,
    pub(crate) count: usize,
    starts: Vec<u32>,
    /// (successor, cost) by cost: a layer reads a prefix.
    arcs: Vec<(u32, u8)>,
}

impl Condensed {
    pub(crate) fn new(csr: &Csr) -> Self {
        let (component, count) = components(csr);
        let of = |node: u32| component[node as usize];
        let arcs = (0u32..).take(csr.nodes()).flat_map(|node| {
            let from = of(node);
            let ends = csr.out(node).iter().map(move |(target, cost, _)| (from, (*target, *cost)));
            ends.map(|(from, (target, cost))| (from, (component[target as usize], cost)))
                .filter(|(from, (to, _))| from != to)
        });
        let (starts, mut arcs) = grouped(count, arcs);
        let mut kept = 0;
        let mut packed = Vec::with_capacity(count + 1);
        for from in 0..count {
            packed.push(u32::try_from(kept).unwrap_or(u32::MAX));
            kept = cheapest(&mut arcs, starts[from] as usize..starts[from + 1] as usize, kept);
        }
        packed.push(u32::try_from(kept).unwrap_or(u32::MAX));
        arcs.truncate(kept);
        arcs.shrink_to_fit();
        Self { component, count, starts: packed, arcs }
    }

    pub(crate) fn arcs(&self) -> usize {
        self.arcs.len()
    }

    /// Successors of a component with what it costs to get there, cheapest first.
    pub(crate) fn out(&self, from: usize) -> &[(u32, u8)] {
        &self.arcs[self.starts[from] as usize..self.starts[from + 1] as usize]
    }

    /// Where each component's arcs begin, and (predecessor, cost) by component.
    pub(crate) fn incoming(&self) -> (Vec<u32>, Vec<(u32, u8)>) {
        grouped(
            self.count,
            (0u32..)
                .take(self.count)
                .flat_map(|from| self.out(from as usize).iter().map(move |(to, cost)| (*to, (from, *cost)))),
        )
    }
}

/// Moves the cheapest arc to each successor in `range` to `kept`; returns the new end.
fn cheapest(arcs: &mut [(u32, u8)], range: std::ops::Range<usize>, kept: usize) -> usize {
    arcs[range.clone()].sort_unstable();
    let mut end = kept;
    for index in range {
        let arc = arcs[index];
        if end == kept || arcs[end - 1].0 != arc.0 {
            arcs[end] = arc;
            end += 1;
        }
    }
    arcs[kept..end].sort_unstable_by_key(|(to, cost)| (*cost, *to));
    end
}

/// Strongly connected component of each node by its zero-cost arcs, and how many there are.
/// Iterative Tarjan: a component's zero-cost successors have smaller numbers.
pub fn components(csr: &Csr) -> (Vec<u32>, usize) {
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
            let mut descended = false;
            for (offset, (target, cost, _)) in
                csr.out(node).iter().enumerate().skip(position.saturating_sub(1))
            {
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
