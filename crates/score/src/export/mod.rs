//! Parts of the reach graph for other tools and for the eye: Graphviz, GraphML, BloodHound
//! OpenGraph and SVG. Plain writers over rows of `reach_edges`.

mod drawing;
mod formats;

pub use drawing::svg;
pub use formats::{dot, graphml, opengraph};

use leakgraph_model::scored::ReachEdge;
use std::collections::{BTreeMap, BTreeSet};

/// A part of the reach graph. Nodes and edges are sorted, so the same part is written the
/// same way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Neighbourhood {
    /// (label, kind: job, identity, human, secret, resource, admin).
    pub nodes: Vec<(String, String)>,
    /// Edges between them.
    pub edges: Vec<NeighbourEdge>,
}

/// An edge of a [`Neighbourhood`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeighbourEdge {
    /// Index of the node that controls.
    pub source: usize,
    /// Index of the node that is controlled.
    pub target: usize,
    /// handoff, runs_as, trust, …
    pub kind: String,
    /// Checks on the way.
    pub cost: i64,
    /// Whether it was seen, rather than possible by configuration.
    pub observed: bool,
    /// Whether the cost rests on missing evidence.
    pub assumed: bool,
}

impl Neighbourhood {
    /// Of these edges.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a ReachEdge>) -> Self {
        let rows: Vec<&ReachEdge> = rows.into_iter().collect();
        let mut nodes: BTreeMap<&str, &str> = BTreeMap::new();
        for row in &rows {
            nodes.insert(&row.source, &row.source_kind);
            nodes.insert(&row.target, &row.target_kind);
        }
        let index: BTreeMap<&str, usize> = nodes.keys().copied().zip(0..).collect();
        let edges: BTreeSet<NeighbourEdge> = rows
            .iter()
            .map(|row| NeighbourEdge {
                source: index[row.source.as_str()],
                target: index[row.target.as_str()],
                kind: row.kind.clone(),
                cost: row.cost,
                observed: row.observed,
                assumed: row.assumed,
            })
            .collect();
        let nodes = nodes.into_iter().map(|(label, kind)| (label.to_owned(), kind.to_owned())).collect();
        Self { nodes, edges: edges.into_iter().collect() }
    }

    /// What lies within `steps` edges of some nodes in either direction, at most `most` nodes,
    /// nearest first. Empty if no edge has such a label.
    pub fn around(rows: &[ReachEdge], labels: &[String], steps: usize, most: usize) -> Self {
        let mut beside: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for row in rows {
            beside.entry(&row.source).or_default().insert(&row.target);
            beside.entry(&row.target).or_default().insert(&row.source);
        }
        let starts = labels.iter().filter_map(|label| Some(*beside.get_key_value(label.as_str())?.0));
        let mut edge: Vec<&str> = starts.take(most).collect();
        let mut kept: BTreeSet<&str> = edge.iter().copied().collect();
        for _ in 0..steps {
            let mut next = Vec::new();
            for node in edge.iter().filter_map(|node| beside.get(node)).flatten() {
                if kept.len() < most && kept.insert(node) {
                    next.push(*node);
                }
            }
            edge = next;
        }
        Self::of(
            rows.iter()
                .filter(|row| kept.contains(row.source.as_str()) && kept.contains(row.target.as_str())),
        )
    }

    /// Along a path of labels, as `handoff_scores.top_path`; of parallel edges the cheapest.
    pub fn along(rows: &[ReachEdge], path: &[String]) -> Self {
        let steps = path.iter().zip(path.iter().skip(1));
        Self::of(steps.filter_map(|(source, target)| {
            let between = rows.iter().filter(|row| row.source == *source && row.target == *target);
            between.min_by(|l, r| (l.cost, &l.kind).cmp(&(r.cost, &r.kind)))
        }))
    }
}

/// Text for XML and HTML; control characters, which XML forbids, become U+FFFD.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests;
