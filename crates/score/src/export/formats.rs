//! Formats of other tools.

use super::{Neighbourhood, escape};
use leakgraph_model::Key;
use serde_json::json;
use std::fmt::Write as _;

/// Shape and colour of a kind of node.
pub(super) fn style(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "job" => ("box", "#dbeafe"),
        "identity" => ("ellipse", "#dcfce7"),
        "human" => ("ellipse", "#fef9c3"),
        "run" | "workflow" | "code" => ("folder", "#ede9fe"),
        "session" | "credential" => ("note", "#dcfce7"),
        "secret" => ("diamond", "#fee2e2"),
        "admin" => ("doubleoctagon", "#fecaca"),
        _ => ("cylinder", "#f3f4f6"),
    }
}

/// The DOT language of Graphviz (graphviz.org/doc/info/lang.html). Possible edges are
/// dashed, checks are written as `+1`.
pub fn dot(part: &Neighbourhood) -> String {
    let quoted = |text: &str| {
        let safe: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        format!("\"{}\"", safe.replace('\\', "\\\\").replace('"', "\\\""))
    };
    let mut text =
        "digraph reach {\n  rankdir=LR;\n  node [style=filled, fontname=\"sans-serif\"];\n".to_owned();
    for (index, (label, kind)) in part.nodes.iter().enumerate() {
        let (shape, colour) = style(kind);
        let label = quoted(label);
        // Writing to a String cannot fail.
        writeln!(text, "  n{index} [label={label}, shape={shape}, fillcolor=\"{colour}\"];")
            .unwrap_or_default();
    }
    for edge in &part.edges {
        let label = if edge.cost > 0 { format!("{} +{}", edge.kind, edge.cost) } else { edge.kind.clone() };
        let line = if edge.observed { "solid" } else { "dashed" };
        let (source, target, label) = (edge.source, edge.target, quoted(&label));
        writeln!(text, "  n{source} -> n{target} [label={label}, style={line}];").unwrap_or_default();
    }
    text.push_str("}\n");
    text
}

/// GraphML (graphml.graphdrawing.org/specification.html), as yEd, Gephi and networkx read it.
pub fn graphml(part: &Neighbourhood) -> String {
    let mut text = concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
        "  <key id=\"label\" for=\"node\" attr.name=\"label\" attr.type=\"string\"/>\n",
        "  <key id=\"kind\" for=\"all\" attr.name=\"kind\" attr.type=\"string\"/>\n",
        "  <key id=\"cost\" for=\"edge\" attr.name=\"cost\" attr.type=\"int\"/>\n",
        "  <key id=\"observed\" for=\"edge\" attr.name=\"observed\" attr.type=\"boolean\"/>\n",
        "  <key id=\"assumed\" for=\"edge\" attr.name=\"assumed\" attr.type=\"boolean\"/>\n",
        "  <graph id=\"reach\" edgedefault=\"directed\">\n",
    )
    .to_owned();
    for (index, (label, kind)) in part.nodes.iter().enumerate() {
        let (label, kind) = (escape(label), escape(kind));
        writeln!(
            text,
            "    <node id=\"n{index}\"><data key=\"label\">{label}</data><data key=\"kind\">{kind}</data></node>"
        )
        .unwrap_or_default();
    }
    for (index, edge) in part.edges.iter().enumerate() {
        writeln!(
            text,
            "    <edge id=\"e{index}\" source=\"n{}\" target=\"n{}\"><data key=\"kind\">{}</data><data key=\"cost\">{}</data><data key=\"observed\">{}</data><data key=\"assumed\">{}</data></edge>",
            edge.source,
            edge.target,
            escape(&edge.kind),
            edge.cost,
            edge.observed,
            edge.assumed
        )
        .unwrap_or_default();
    }
    text.push_str("  </graph>\n</graphml>\n");
    text
}

/// BloodHound OpenGraph (bloodhound.specterops.io/opengraph/developer/nodes and …/edges).
/// Kinds carry the prefix `LG_`: they may hold letters, digits and underscores only and must
/// not be BloodHound's own. Ids are keys of kind and label.
pub fn opengraph(part: &Neighbourhood) -> String {
    let id = |(label, kind): &(String, String)| Key::of("opengraph", &[kind, label]).to_string();
    let nodes: Vec<_> = part
        .nodes
        .iter()
        .map(|node| {
            let (label, kind) = node;
            json!({ "id": id(node), "kinds": [pascal(kind), "LG_Base"], "properties": { "name": label, "kind": kind } })
        })
        .collect();
    let edges: Vec<_> = part
        .edges
        .iter()
        .map(|edge| {
            json!({
                "kind": pascal(&edge.kind),
                "start": { "match_by": "id", "value": id(&part.nodes[edge.source]) },
                "end": { "match_by": "id", "value": id(&part.nodes[edge.target]) },
                "properties": { "cost": edge.cost, "observed": edge.observed, "assumed": edge.assumed }
            })
        })
        .collect();
    let file =
        json!({ "metadata": { "source_kind": "LG_Base" }, "graph": { "nodes": nodes, "edges": edges } });
    format!("{file:#}\n")
}

/// `pass_role` as `LG_PassRole`.
fn pascal(kind: &str) -> String {
    let mut name = "LG_".to_owned();
    for part in kind.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut characters = part.chars();
        name.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        name.extend(characters);
    }
    name
}
