//! A layered drawing: columns by distance from the sources, rows sorted by what they are
//! connected with (barycentres), edges as curves.

use super::formats::style;
use super::{NeighbourEdge, Neighbourhood, escape};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const BOX_WIDTH: f64 = 220.0;
const BOX_HEIGHT: f64 = 44.0;
const COLUMN: f64 = 330.0;
const ROW: f64 = 62.0;
const MARGIN: f64 = 12.0;
const SWEEPS: usize = 8;

/// An SVG without external references. Kinds stand small above names; long names lose their
/// beginning and keep it as a tooltip; possible edges are dashed; `+n` counts checks.
pub fn svg(part: &Neighbourhood) -> String {
    svg_about(part, &[])
}

/// The same, with the nodes it is about in bold lines.
pub fn svg_about(part: &Neighbourhood, about: &[String]) -> String {
    if part.nodes.is_empty() {
        return String::new();
    }
    let places = places(part);
    let columns = places.iter().map(|place| place.0).max().unwrap_or(0) as f64;
    let rows = places.iter().map(|place| place.1).max().unwrap_or(0) as f64;
    // Edges within a column need room beside it.
    let is_bowed = part.edges.iter().any(|edge| places[edge.source].0 == places[edge.target].0);
    let beside = if is_bowed { COLUMN - BOX_WIDTH } else { 0.0 };
    let width = 2.0 * MARGIN + columns * COLUMN + BOX_WIDTH + beside;
    let height = 2.0 * MARGIN + rows * ROW + BOX_HEIGHT;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#6b7280\"/></marker></defs>\n"
    );
    let corner = |node: usize| {
        let (column, row) = places[node];
        (MARGIN + column as f64 * COLUMN, MARGIN + row as f64 * ROW)
    };
    let starts = |node: usize| part.edges.iter().filter(|edge| edge.source == node).count();
    let ends = |node: usize| part.edges.iter().filter(|edge| edge.target == node).count();
    for ((source, target), parallel) in parallel(part) {
        let curve = Curve::between(corner(source), corner(target));
        let dash = if parallel.iter().any(|edge| edge.observed) { "" } else { " stroke-dasharray=\"5 4\"" };
        let kinds: Vec<&str> = parallel.iter().map(|edge| edge.kind.as_str()).collect();
        writeln!(
            text,
            "<path d=\"{}\" fill=\"none\" stroke=\"#6b7280\"{dash} marker-end=\"url(#tip)\"><title>{}</title></path>",
            curve.path(),
            escape(&kinds.join(", "))
        )
        .unwrap_or_default();
        // What leads to a resource is a permission: no need to say so each time.
        let told: Vec<String> = parallel
            .iter()
            .filter(|edge| edge.kind != "permission" || edge.cost > 0)
            .map(|edge| match edge.cost {
                0 => edge.kind.replace('_', " "),
                cost => format!("{} +{cost}", edge.kind.replace('_', " ")),
            })
            .collect();
        // Curves part where fewer of them meet.
        let (x, y) = curve.at(match ends(target).cmp(&starts(source)) {
            Ordering::Greater => 0.38,
            Ordering::Equal => 0.5,
            Ordering::Less => 0.62,
        });
        writeln!(
            text,
            "<text x=\"{x:.0}\" y=\"{:.0}\" text-anchor=\"middle\" font-size=\"10\" fill=\"#374151\" stroke=\"#fff\" stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
            y - 3.0,
            escape(&told.join(", "))
        )
        .unwrap_or_default();
    }
    for (node, (label, kind)) in part.nodes.iter().enumerate() {
        let (x, y) = corner(node);
        let (_, colour) = style(kind);
        let line = match about.contains(label) {
            true => "stroke=\"#111827\" stroke-width=\"2.5\"",
            false => "stroke=\"#9ca3af\"",
        };
        writeln!(
            text,
            "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"6\" fill=\"{colour}\" {line}/><text x=\"{}\" y=\"{}\" font-size=\"10\" fill=\"#4b5563\">{}</text><text x=\"{}\" y=\"{}\">{}</text></g>",
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

/// Edges that run beside each other are drawn once.
fn parallel(part: &Neighbourhood) -> BTreeMap<(usize, usize), Vec<&NeighbourEdge>> {
    let mut pairs: BTreeMap<(usize, usize), Vec<&NeighbourEdge>> = BTreeMap::new();
    for edge in &part.edges {
        pairs.entry((edge.source, edge.target)).or_default().push(edge);
    }
    pairs
}

/// A cubic curve between two boxes.
struct Curve([(f64, f64); 4]);

impl Curve {
    /// Forwards from right to left side; back the other way and lower; within a column around
    /// the right.
    fn between((from_x, from_y): (f64, f64), (to_x, to_y): (f64, f64)) -> Self {
        let middle = BOX_HEIGHT / 2.0;
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
        Self([(start, from_y), (start + bow_out, from_y), (end + bow_in, to_y), (end, to_y)])
    }

    fn path(&self) -> String {
        let [a, b, c, d] = self.0;
        format!("M{} {} C{} {} {} {} {} {}", a.0, a.1, b.0, b.1, c.0, c.1, d.0, d.1)
    }

    /// The point at `t` between 0 and 1 (Bernstein).
    fn at(&self, t: f64) -> (f64, f64) {
        let u = 1.0 - t;
        let weights = [u * u * u, 3.0 * u * u * t, 3.0 * u * t * t, t * t * t];
        let sum =
            |of: fn(&(f64, f64)) -> f64| self.0.iter().zip(weights).map(|(point, w)| of(point) * w).sum();
        (sum(|point| point.0), sum(|point| point.1))
    }
}

/// What fits a box: of an ARN the resource, of a job's token its scopes, of other long names
/// the end, which says more than the beginning.
fn shorten(name: &str) -> String {
    if let Some(resource) = name.strip_prefix("arn:").and_then(|arn| arn.splitn(5, ':').nth(4)) {
        return fit(resource, false);
    }
    if let Some((repo, scopes)) = name.strip_prefix("repo:").and_then(|name| name.split_once(":token[")) {
        let repo = repo.rsplit('/').next().unwrap_or(repo);
        return fit(&format!("{repo} token: {}", scopes.trim_end_matches(']')), true);
    }
    let name = name.strip_prefix("secret:").unwrap_or(name);
    let short = fit(name, false);
    match name.split_once('/') {
        Some((owner, rest)) if short != name && !owner.contains([' ', ':']) => fit(rest, false),
        _ => short,
    }
}

/// As much of a text as a box is wide, of its beginning or its end.
fn fit(text: &str, keep_start: bool) -> String {
    // Widths in a common sans-serif of 12 px.
    let width = |c: char| match c {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | ' ' | '.' | ',' | ':' | '/' | '[' | ']' | '|' => 4.0,
        'm' | 'w' | 'M' | 'W' => 10.5,
        c if c.is_ascii_uppercase() || c == '_' => 8.3,
        _ => 6.8,
    };
    let fits = |text: &str| text.chars().map(width).sum::<f64>() <= BOX_WIDTH - 20.0;
    if fits(text) {
        return text.to_owned();
    }
    let characters: Vec<char> = text.chars().collect();
    let cut = |count: usize| match keep_start {
        true => characters.iter().take(count).chain(&['…']).collect::<String>(),
        false => ['…'].iter().chain(characters.iter().skip(characters.len() - count)).collect(),
    };
    (0..characters.len()).rev().map(cut).find(|text| fits(text)).unwrap_or_default()
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
