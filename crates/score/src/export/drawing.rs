//! A layered drawing: columns by distance from the sources, rows sorted by what they are
//! connected with (barycentres), edges as curves.

use super::formats::style;
use super::{Neighbourhood, escape};
use std::fmt::Write as _;

const BOX_WIDTH: f64 = 220.0;
const BOX_HEIGHT: f64 = 44.0;
const COLUMN: f64 = 310.0;
const ROW: f64 = 62.0;
const MARGIN: f64 = 12.0;
const LINE_CHARS: usize = 31;
const SWEEPS: usize = 8;

/// An SVG without external references. Kinds stand small above names; long names lose their
/// beginning and keep it as a tooltip; possible edges are dashed; `+n` counts checks.
pub fn svg(part: &Neighbourhood) -> String {
    if part.nodes.is_empty() {
        return String::new();
    }
    let places = places(part);
    let columns = places.iter().map(|place| place.0).max().unwrap_or(0) as f64;
    let rows = places.iter().map(|place| place.1).max().unwrap_or(0) as f64;
    // Edges within the last column need room beside it.
    let width = 2.0 * MARGIN + (columns + 1.0) * COLUMN;
    let height = 2.0 * MARGIN + rows * ROW + BOX_HEIGHT;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#6b7280\"/></marker></defs>\n"
    );
    let corner = |node: usize| {
        let (column, row) = places[node];
        (MARGIN + column as f64 * COLUMN, MARGIN + row as f64 * ROW)
    };
    for edge in &part.edges {
        let ((from_x, from_y), (to_x, to_y)) = (corner(edge.source), corner(edge.target));
        let middle = BOX_HEIGHT / 2.0;
        // Forwards from right to left side; back the other way and lower; within a column
        // around the right.
        let (start, end, bow_out, bow_in, lower) = if to_x > from_x {
            let bow = (to_x - from_x - BOX_WIDTH) / 2.0;
            (from_x + BOX_WIDTH, to_x, bow, -bow, 0.0)
        } else if to_x < from_x {
            let bow = (from_x - to_x - BOX_WIDTH) / 2.0;
            (from_x, to_x + BOX_WIDTH, -bow, bow, BOX_HEIGHT / 3.0)
        } else {
            let bow = (COLUMN - BOX_WIDTH) * 0.8;
            (from_x + BOX_WIDTH, to_x + BOX_WIDTH, bow, bow, BOX_HEIGHT / 4.0)
        };
        let (from_y, to_y) = (from_y + middle + lower, to_y + middle + lower);
        let dash = if edge.observed { "" } else { " stroke-dasharray=\"5 4\"" };
        writeln!(
            text,
            "<path d=\"M{start} {from_y} C{} {from_y} {} {to_y} {end} {to_y}\" fill=\"none\" stroke=\"#6b7280\"{dash} marker-end=\"url(#tip)\"><title>{}</title></path>",
            start + bow_out,
            end + bow_in,
            escape(&edge.kind)
        )
        .unwrap_or_default();
        let label = if edge.cost > 0 { format!("{} +{}", edge.kind, edge.cost) } else { edge.kind.clone() };
        writeln!(
            text,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-size=\"10\" fill=\"#374151\" stroke=\"#fff\" stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
            (start + end) / 2.0 + (bow_out + bow_in) * 0.375,
            (from_y + to_y) / 2.0 - 3.0,
            escape(&label)
        )
        .unwrap_or_default();
    }
    for (node, (label, kind)) in part.nodes.iter().enumerate() {
        let (x, y) = corner(node);
        let (_, colour) = style(kind);
        writeln!(
            text,
            "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"6\" fill=\"{colour}\" stroke=\"#9ca3af\"/><text x=\"{}\" y=\"{}\" font-size=\"10\" fill=\"#4b5563\">{}</text><text x=\"{}\" y=\"{}\">{}</text></g>",
            escape(label),
            x + 10.0,
            y + 15.0,
            escape(kind),
            x + 10.0,
            y + 33.0,
            escape(&shorten(label))
        )
        .unwrap_or_default();
    }
    text.push_str("</svg>\n");
    text
}

/// The end of a long name says more than its beginning (ARNs, paths).
fn shorten(name: &str) -> String {
    let count = name.chars().count();
    if count <= LINE_CHARS {
        return name.to_owned();
    }
    let tail: String = name.chars().skip(count - LINE_CHARS + 1).collect();
    format!("…{tail}")
}

/// (column, row) of each node.
fn places(part: &Neighbourhood) -> Vec<(usize, usize)> {
    let columns = columns(part);
    let mut rows = vec![0; part.nodes.len()];
    let mut layers: Vec<Vec<usize>> = vec![Vec::new(); columns.iter().max().map_or(0, |last| last + 1)];
    for (node, column) in columns.iter().enumerate() {
        rows[node] = layers[*column].len();
        layers[*column].push(node);
    }
    let mut beside = vec![Vec::new(); part.nodes.len()];
    for edge in &part.edges {
        beside[edge.source].push(edge.target);
        beside[edge.target].push(edge.source);
    }
    for sweep in 0..SWEEPS {
        let order: Vec<usize> =
            if sweep % 2 == 0 { (0..layers.len()).collect() } else { (0..layers.len()).rev().collect() };
        for layer in order {
            let centre = |node: usize| {
                let others = &beside[node];
                let sum: usize = others.iter().map(|other| rows[*other]).sum();
                if others.is_empty() { rows[node] as f64 } else { sum as f64 / others.len() as f64 }
            };
            let mut sorted: Vec<(f64, usize)> =
                layers[layer].iter().map(|node| (centre(*node), *node)).collect();
            sorted.sort_by(|l, r| l.0.total_cmp(&r.0).then(l.1.cmp(&r.1)));
            layers[layer] = sorted.into_iter().map(|(_, node)| node).collect();
            for (row, node) in layers[layer].iter().enumerate() {
                rows[*node] = row;
            }
        }
    }
    columns.into_iter().zip(rows).collect()
}

/// Distance in edges from the nodes nothing leads to; cycles begin at their first node.
fn columns(part: &Neighbourhood) -> Vec<usize> {
    let count = part.nodes.len();
    let mut out = vec![Vec::new(); count];
    let mut entered = vec![false; count];
    for edge in part.edges.iter().filter(|edge| edge.source != edge.target) {
        out[edge.source].push(edge.target);
        entered[edge.target] = true;
    }
    let mut columns = vec![None; count];
    let starts = (0..count).filter(|node| !entered[*node]).chain(0..count);
    for start in starts {
        if columns[start].is_some() {
            continue;
        }
        // All nodes that nothing leads to start together.
        let mut edge: Vec<usize> =
            if entered[start] { vec![start] } else { (0..count).filter(|node| !entered[*node]).collect() };
        edge.iter().for_each(|node| columns[*node] = Some(0));
        for column in 1.. {
            let mut next = Vec::new();
            for node in edge.iter().flat_map(|node| &out[*node]) {
                if columns[*node].is_none() {
                    columns[*node] = Some(column);
                    next.push(*node);
                }
            }
            if next.is_empty() {
                break;
            }
            edge = next;
        }
    }
    columns.into_iter().map(Option::unwrap_or_default).collect()
}
