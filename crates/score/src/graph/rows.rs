//! The graph as rows.

use super::Graph;
use super::build::unseen_child;
use leakgraph_model::scored::{ReachEdge, ReachNode};
use leakgraph_model::{Evidence, Key};
use std::collections::{HashMap, HashSet};

/// Whether total exposure counts from a node: jobs, and secrets that were seen.
pub(crate) fn entries(evidence: &Evidence, graph: &Graph) -> Vec<bool> {
    let seen: HashSet<Key> = evidence.secret_sightings.iter().map(|row| row.secret_key).collect();
    graph.nodes.iter().map(|node| node.kind == "job" || seen.contains(&node.key)).collect()
}

pub(crate) fn nodes(evidence: &Evidence, graph: &Graph) -> Vec<ReachNode> {
    let unseen: HashMap<Key, Key> =
        evidence.handoffs.iter().map(|handoff| (unseen_child(handoff), handoff.handoff_key)).collect();
    let rows = graph.nodes.iter().zip(entries(evidence, graph));
    rows.map(|(node, entry)| ReachNode {
        node_key: node.key,
        label: node.label.clone(),
        kind: node.kind.to_owned(),
        sensitivity: node.weight,
        class: node.class.map(|class| class.as_str().to_owned()),
        entry,
        handoff_key: unseen.get(&node.key).copied(),
    })
    .collect()
}

/// `cuts` is what takes an edge away, by its position.
pub(crate) fn edges(graph: &Graph, cuts: &HashMap<u32, Key>) -> Vec<ReachEdge> {
    let node = |index: u32| &graph.nodes[index as usize];
    (0u32..)
        .zip(&graph.edges)
        .map(|(index, edge)| ReachEdge {
            source_key: node(edge.source).key,
            source: node(edge.source).label.clone(),
            source_kind: node(edge.source).kind.to_owned(),
            target_key: node(edge.target).key,
            target: node(edge.target).label.clone(),
            target_kind: node(edge.target).kind.to_owned(),
            kind: edge.kind.to_owned(),
            cost: i64::from(edge.cost),
            unproven: i64::from(edge.unproven),
            observed: edge.observed,
            unknown: edge.unknown,
            assumed: edge.assumed(),
            evidence_key: edge.evidence,
            choke_key: cuts.get(&index).copied(),
        })
        .collect()
}
