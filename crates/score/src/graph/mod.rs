//! The reach graph: who controls what, attenuated by re-validations.

mod assume;
mod blocks;
pub(crate) mod build;
pub(crate) mod closure;
mod code;
pub(crate) mod components;
mod credentials;
pub(crate) mod csr;
#[cfg(test)]
mod githound_tests;
pub(crate) mod growth;
pub(crate) mod links;
pub(crate) mod reach;
pub(crate) mod rows;

use csr::Csr;
use leakgraph_model::Key;
use leakgraph_policy::Class;

/// A node of the reach graph.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) key: Key,
    pub(crate) label: String,
    /// job, run, workflow, code, identity, session, human, credential, secret, resource, admin.
    pub(crate) kind: &'static str,
    /// Sensitivity: what reaching the node is worth.
    pub(crate) weight: f64,
    /// Class of the actions allowed on a resource.
    pub(crate) class: Option<Class>,
}

/// An edge: who controls `source` can control or read `target`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Edge {
    pub(crate) source: u32,
    pub(crate) target: u32,
    pub(crate) kind: &'static str,
    /// Re-validations with evidence.
    pub(crate) cost: u8,
    /// Re-validations that may exist but have no evidence; the lower bound counts them.
    pub(crate) unproven: u8,
    pub(crate) observed: bool,
    /// Whether the link itself is uncertain: only the upper bound follows it.
    pub(crate) unknown: bool,
    pub(crate) evidence: Option<Key>,
}

impl Edge {
    /// Whether the cost rests on missing evidence.
    pub(crate) fn assumed(&self) -> bool {
        self.unproven > 0 || self.unknown
    }
}

/// Which edges count, and at what cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// Observed edges only; unproven checks count as present.
    Low,
    /// Known edges at the cost that evidence supports.
    Central,
    /// All edges; unknown links at cost 0.
    High,
}

impl View {
    pub(crate) fn cost(self, edge: &Edge) -> Option<u8> {
        match self {
            Self::Low if edge.observed && !edge.unknown => Some(edge.cost.saturating_add(edge.unproven)),
            Self::Low => None,
            Self::Central => (!edge.unknown).then_some(edge.cost),
            Self::High => Some(if edge.unknown { 0 } else { edge.cost }),
        }
    }
}

/// Nodes sorted by key, edges sorted by their ends: input order leaves no trace.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
}

impl Graph {
    /// Index of a node.
    pub(crate) fn find(&self, key: Key) -> Option<u32> {
        let index = self.nodes.binary_search_by(|node| node.key.cmp(&key)).ok()?;
        u32::try_from(index).ok()
    }

    /// Arcs of one view, as far as they pass anything on.
    pub(crate) fn view(&self, view: View, max_cost: u8) -> Csr {
        let arcs = (0u32..).zip(&self.edges).filter_map(move |(index, edge)| {
            let cost = view.cost(edge).filter(|cost| *cost <= max_cost)?;
            Some((edge.source, edge.target, cost, index))
        });
        Csr::new(self.nodes.len(), arcs)
    }

    /// Sensitivities by node.
    pub(crate) fn weights(&self) -> Vec<f64> {
        self.nodes.iter().map(|node| node.weight).collect()
    }

    /// Names a node for random draws: by its key, so that other nodes leave no trace.
    pub(crate) fn seed(&self, node: u32) -> u64 {
        self.nodes[node as usize].key.0.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
    }

    /// Σσ of all nodes: the denominator of the score.
    pub(crate) fn total(&self) -> f64 {
        self.nodes.iter().map(|node| node.weight).sum()
    }
}

/// `100·ln(1+BR)/ln(1+Σσ)`: 0 where nothing is at stake.
pub(crate) fn scale(reach: f64, total: f64) -> f64 {
    if total <= 0.0 { 0.0 } else { (100.0 * reach.ln_1p() / total.ln_1p()).clamp(0.0, 100.0) }
}
