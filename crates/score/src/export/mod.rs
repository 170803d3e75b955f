//! Parts of the reach graph for other tools and for the eye: Graphviz, GraphML, BloodHound
//! OpenGraph and SVG. Plain writers over rows of `reach_edges`.

mod drawing;
mod formats;

pub use drawing::{svg, svg_about};
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

    /// What lies within `steps` edges of a node in either direction, at most `most` nodes,
    /// nearest first. Empty if no edge has that label.
    pub fn around(rows: &[ReachEdge], label: &str, steps: usize, most: usize) -> Self {
        let mut beside: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for row in rows {
            beside.entry(&row.source).or_default().insert(&row.target);
            beside.entry(&row.target).or_default().insert(&row.source);
        }
        let Some((start, _)) = beside.get_key_value(label) else { return Self::default() };
        let mut kept: BTreeSet<&str> = BTreeSet::from([*start]);
        let mut edge = vec![*start];
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

    /// What leads to some nodes and what they lead to, by the shortest ways, within `steps` edges
    /// and at most `most` nodes, nearest first. Whoever is an administrator leads everywhere: no
    /// further than there.
    pub fn through(rows: &[ReachEdge], labels: &[String], steps: usize, most: usize) -> Self {
        let starts: BTreeSet<&str> = labels.iter().map(String::as_str).collect();
        let mut kept = starts.clone();
        let mut edges: BTreeSet<usize> = BTreeSet::new();
        for forwards in [true, false] {
            let mut edge = starts.clone();
            let mut passed = starts.clone();
            for _ in 0..steps {
                // Edges back to what is nearer would hide the way.
                let mut next = BTreeSet::new();
                for (index, row) in rows.iter().enumerate() {
                    let (near, kind, far) = match forwards {
                        true => (row.source.as_str(), &row.source_kind, row.target.as_str()),
                        false => (row.target.as_str(), &row.target_kind, row.source.as_str()),
                    };
                    let goes_on = edge.contains(near) && (kind != "admin" || starts.contains(near));
                    if goes_on && !passed.contains(far) && (kept.contains(far) || kept.len() < most) {
                        edges.insert(index);
                        kept.insert(far);
                        next.insert(far);
                    }
                }
                passed.extend(&next);
                edge = next;
            }
        }
        Self::of(edges.iter().filter_map(|index| rows.get(*index)))
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
