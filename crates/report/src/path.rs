//! A path through the reach graph, drawn.

const BOX_WIDTH: usize = 190;
const BOX_HEIGHT: usize = 46;
const GAP: usize = 34;
const PER_ROW: usize = 4;
const LINE_CHARS: usize = 24;

/// An SVG of boxes and arrows, `labels` from source to target, four to a row.
/// Labels are `kind:name`; the kind stands small above the name.
pub(crate) fn svg(labels: &[String]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let rows = labels.len().div_ceil(PER_ROW);
    let width = labels.len().min(PER_ROW) * (BOX_WIDTH + GAP);
    let height = rows * (BOX_HEIGHT + GAP) - GAP + 4;
    let title = escape(&labels.join(" to "));
    let mut svg = format!(
        "<svg class=\"path\" role=\"img\" aria-label=\"{title}\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">"
    );
    for (place, label) in labels.iter().enumerate() {
        node(&mut svg, place, label, place + 1 == labels.len());
        if place + 1 < labels.len() {
            arrow(&mut svg, place);
        }
    }
    svg.push_str("</svg>");
    svg
}

/// What the page says of the drawing's classes, for a drawing that stands alone.
const STYLE: &str = "<style>rect{fill:#f5f7f9;stroke:#aab4c0}.target rect{fill:#fdecea;stroke:#b3261e}\
    text{font:12px sans-serif;fill:#1c2430}text.kind{font-size:10px;fill:#5b6675}\
    .link{fill:none;stroke:#6b7787;stroke-width:1.5}.tip{fill:#6b7787}</style>";

/// The same as a document.
pub(crate) fn standalone(labels: &[String]) -> String {
    let drawing = svg(labels).replacen("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 1);
    match drawing.split_once('>') {
        Some((start, rest)) => format!("{start}>{STYLE}{rest}\n"),
        None => drawing,
    }
}

fn corner(place: usize) -> (usize, usize) {
    ((place % PER_ROW) * (BOX_WIDTH + GAP) + 2, (place / PER_ROW) * (BOX_HEIGHT + GAP) + 2)
}

fn node(svg: &mut String, place: usize, label: &str, is_target: bool) {
    let (x, y) = corner(place);
    let (kind, name) = label.split_once(':').unwrap_or(("", label));
    let class = if is_target { "node target" } else { "node" };
    svg.push_str(&format!(
        "<g class=\"{class}\"><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"6\"/>\
         <text class=\"kind\" x=\"{}\" y=\"{}\">{}</text><text x=\"{}\" y=\"{}\">{}</text></g>",
        escape(label),
        x + 10,
        y + 16,
        escape(kind),
        x + 10,
        y + 34,
        escape(&shorten(name)),
    ));
}

fn arrow(svg: &mut String, place: usize) {
    let (x, y) = corner(place);
    let path = if (place + 1).is_multiple_of(PER_ROW) {
        let (left, below) = corner(place + 1);
        let middle = y + BOX_HEIGHT + GAP / 2;
        format!("M{} {} V{middle} H{} V{below}", x + BOX_WIDTH / 2, y + BOX_HEIGHT, left + BOX_WIDTH / 2)
    } else {
        format!("M{} {} h{GAP}", x + BOX_WIDTH, y + BOX_HEIGHT / 2)
    };
    let (tip_x, tip_y) = corner(place + 1);
    let tip = if (place + 1).is_multiple_of(PER_ROW) {
        format!("M{} {tip_y} l-5 -8 h10 z", tip_x + BOX_WIDTH / 2)
    } else {
        format!("M{tip_x} {} l-8 -5 v10 z", tip_y + BOX_HEIGHT / 2)
    };
    svg.push_str(&format!("<path class=\"link\" d=\"{path}\"/><path class=\"tip\" d=\"{tip}\"/>"));
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

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_long_ones_cut_at_the_front() {
        let labels = ["job:a<b>".to_owned(), format!("identity:{}end", "x".repeat(60))];
        let svg = svg(&labels);
        assert!(svg.contains("a&lt;b&gt;") && !svg.contains("a<b>"));
        assert!(svg.contains("xend</text>") && svg.contains("…"));
        assert_eq!(svg.matches("class=\"tip\"").count(), 1);
    }

    #[test]
    fn no_labels_no_drawing() {
        assert_eq!(svg(&[]), "");
    }
}
