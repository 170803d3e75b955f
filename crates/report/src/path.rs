//! A path through the reach graph, drawn.

const BOX_WIDTH: usize = 220;
const BOX_HEIGHT: usize = 46;
const GAP: usize = 34;
const PER_ROW: usize = 4;

/// An SVG of boxes and arrows, `labels` from source to target, four to a row.
/// Labels are those of the reach graph; see [`told`].
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
    let (above, name) = told(label);
    let class = if is_target { "node target" } else { "node" };
    let height = if above.is_empty() { y + 28 } else { y + 34 };
    svg.push_str(&format!(
        "<g class=\"{class}\"><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"6\"/>\
         <text class=\"kind\" x=\"{}\" y=\"{}\">{}</text><text x=\"{}\" y=\"{height}\">{}</text></g>",
        escape(label),
        x + 10,
        y + 16,
        escape(&above),
        x + 10,
        escape(&name),
    ));
}

/// What stands small above, and the name: of an ARN its account and resource, of a job its
/// repository and name, of a job's token its repository and scopes.
fn told(label: &str) -> (String, String) {
    let small = |text: &str| fit(text, SMALL, false);
    let (above, name) = if let Some((place, resource)) = arn(label) {
        let (kind, name) = resource.split_once('/').unwrap_or(("", resource));
        (format!("{kind} of {place}"), name)
    } else if let Some((repo, scopes)) =
        label.strip_prefix("repo:").and_then(|rest| rest.split_once(":token["))
    {
        return (small(&format!("token of {repo}")), fit(scopes.trim_end_matches(']'), NAME, true));
    } else if let Some((owner, name)) = label.strip_prefix("repo:").and_then(|rest| rest.split_once('/')) {
        (format!("repository of {owner}"), name)
    } else if let Some((repo, name)) = label.strip_prefix("secret:").and_then(|rest| rest.rsplit_once('/')) {
        (format!("secret of {repo}"), name)
    } else if let Some((repo, name)) = label.split_once(' ').filter(|(repo, _)| is_repository(repo)) {
        (repo.to_owned(), name)
    } else {
        let (kind, name) = label.split_once(':').unwrap_or(("", label));
        (kind.to_owned(), name)
    };
    (small(&above), fit(name, NAME, false))
}

/// Account and resource of an ARN.
fn arn(label: &str) -> Option<(&str, &str)> {
    let mut parts = label.strip_prefix("arn:")?.splitn(5, ':').skip(3);
    Some((parts.next()?, parts.next()?))
}

fn is_repository(word: &str) -> bool {
    word.contains('/') && !word.contains(':')
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

/// Widths of letters in px, in a common sans-serif, relative to 12 px.
const NAME: f64 = 1.0;
const SMALL: f64 = 10.0 / 12.0;

/// As much of a text as a box is wide. The end of a long name says more than its beginning.
fn fit(text: &str, scale: f64, keep_start: bool) -> String {
    let width = |c: char| match c {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | ' ' | '.' | ',' | ':' | '/' | '[' | ']' | '|' => 4.3,
        'm' | 'w' | 'M' | 'W' => 10.8,
        c if c.is_ascii_uppercase() || c == '_' => 8.6,
        _ => 7.1,
    };
    let fits = |text: &str| text.chars().map(width).sum::<f64>() * scale <= (BOX_WIDTH - 18) as f64;
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
    fn names_are_split_where_they_say_most() {
        for (label, above, name) in [
            ("arn:aws:iam::123456789012:role/ci/deploy", "role of 123456789012", "ci/deploy"),
            ("acme/shop Release / build", "acme/shop", "Release / build"),
            ("secret:acme/shop/NPM", "secret of acme/shop", "NPM"),
            ("repo:acme/shop:token[contents:read]", "token of acme/shop", "contents:read"),
            ("repo:acme/shop [CRED]", "repository of acme", "shop [CRED]"),
            ("npm token 0999c762", "", "npm token 0999c762"),
        ] {
            assert_eq!(told(label), (above.to_owned(), name.to_owned()), "{label}");
        }
    }

    #[test]
    fn a_drawing_that_stands_alone_brings_its_style() {
        let text = standalone(&["acme/shop Release".to_owned()]);
        assert!(text.starts_with("<svg xmlns=") && text.contains("<style>") && text.ends_with("</svg>\n"));
        assert_eq!(standalone(&[]), "");
    }

    #[test]
    fn no_labels_no_drawing() {
        assert_eq!(svg(&[]), "");
    }
}
