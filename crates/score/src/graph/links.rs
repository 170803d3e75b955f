//! Collects nodes and edges by key, then freezes them into a [`Graph`].

use super::{Edge, Graph, Node};
use leakgraph_model::Key;
use leakgraph_policy::Class;
use std::collections::{BTreeMap, HashMap};

/// What is known of an edge before its ends have numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    pub(crate) kind: &'static str,
    pub(crate) cost: u8,
    pub(crate) unproven: u8,
    pub(crate) observed: bool,
    pub(crate) unknown: bool,
    pub(crate) evidence: Option<Key>,
}

/// A graph under construction.
#[derive(Debug, Default)]
pub(crate) struct Links {
    nodes: HashMap<Key, Node>,
    edges: BTreeMap<(Key, Key, &'static str, Option<Key>), Link>,
}

impl Links {
    /// Adds a node; of two descriptions the heavier stays.
    pub(crate) fn node(&mut self, key: Key, kind: &'static str, label: String, weight: f64) -> Key {
        let new = Node { key, label, kind, weight, class: None };
        let old = self.nodes.entry(key).or_insert_with(|| new.clone());
        if (new.weight, &new.label) > (old.weight, &old.label) {
            *old = new;
        }
        key
    }

    /// Says what may be done with a resource.
    pub(crate) fn classify(&mut self, key: Key, class: Class) {
        if let Some(node) = self.nodes.get_mut(&key) {
            node.class = Some(class);
        }
    }

    pub(crate) fn contains(&self, key: Key) -> bool {
        self.nodes.contains_key(&key)
    }

    /// Adds an edge; of equal ones the worse (certain, cheaper, observed) stays.
    pub(crate) fn edge(&mut self, source: Key, target: Key, link: Link) {
        if source == target {
            return;
        }
        let rank = |link: &Link| (link.unknown, link.cost, link.unproven, !link.observed);
        let slot =
            self.edges.entry((source, target, link.kind, link.evidence)).or_insert_with(|| link.clone());
        if rank(&link) < rank(slot) {
            *slot = link;
        }
    }

    /// Numbers the nodes by key; edges without both ends are left out.
    pub(crate) fn freeze(self) -> Graph {
        let mut nodes: Vec<Node> = self.nodes.into_values().collect();
        nodes.sort_unstable_by_key(|node| node.key);
        let mut graph = Graph { nodes, edges: Vec::with_capacity(self.edges.len()) };
        for ((source, target, kind, evidence), link) in self.edges {
            if let (Some(source), Some(target)) = (graph.find(source), graph.find(target)) {
                let Link { cost, unproven, observed, unknown, .. } = link;
                graph.edges.push(Edge { source, target, kind, cost, unproven, observed, unknown, evidence });
            }
        }
        graph
    }
}
