//! Compressed adjacency: arcs by source.

/// An arc as (target, cost, index of the edge it stands for).
pub type Arc = (u32, u8, u32);

/// Arcs of a directed graph, by source; within a source by target, cost and edge.
#[derive(Clone, Debug, Default)]
pub struct Csr {
    starts: Vec<u32>,
    arcs: Vec<Arc>,
}

impl Csr {
    /// Of arcs (source, target, cost, edge) over `nodes` nodes, in any order.
    ///
    /// # Panics
    /// An end is not below `nodes`.
    pub fn new(nodes: usize, arcs: impl Iterator<Item = (u32, u32, u8, u32)> + Clone) -> Self {
        let (starts, mut arcs) = grouped(nodes, arcs.map(|(from, to, cost, edge)| (from, (to, cost, edge))));
        for node in 0..nodes {
            arcs[starts[node] as usize..starts[node + 1] as usize].sort_unstable();
        }
        Self { starts, arcs }
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Number of arcs.
    pub fn arcs(&self) -> usize {
        self.arcs.len()
    }

    /// Arcs that leave `node`.
    pub fn out(&self, node: u32) -> &[Arc] {
        let index = node as usize;
        &self.arcs[self.starts[index] as usize..self.starts[index + 1] as usize]
    }

    /// The same arcs turned round.
    pub fn reversed(&self) -> Self {
        let arcs = (0u32..).take(self.nodes()).flat_map(|node| {
            self.out(node).iter().map(move |(target, cost, edge)| (*target, node, *cost, *edge))
        });
        Self::new(self.nodes(), arcs)
    }
}

/// Counting sort: where each source's values begin, and the values.
pub(crate) fn grouped<T: Copy + Default>(
    sources: usize,
    values: impl Iterator<Item = (u32, T)> + Clone,
) -> (Vec<u32>, Vec<T>) {
    let mut starts = vec![0u32; sources + 1];
    for (source, _) in values.clone() {
        starts[source as usize + 1] += 1;
    }
    for index in 1..starts.len() {
        starts[index] += starts[index - 1];
    }
    let mut next = starts.clone();
    let mut sorted = vec![T::default(); starts.last().copied().unwrap_or(0) as usize];
    for (source, value) in values {
        let slot = &mut next[source as usize];
        sorted[*slot as usize] = value;
        *slot += 1;
    }
    (starts, sorted)
}
