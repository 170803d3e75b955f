//! Rules in the style of gitleaks: keywords anywhere in the text, then the pattern over all of it.
//!
//! Our own rules are confirmed around their keyword, which every match holds. These
//! rules promise no such thing, so they cost a pass over each text that has a keyword.

use crate::Error;
use crate::gate::entropy;
use aho_corasick::{AhoCorasick, MatchKind};
use regex_automata::Span;
use regex_automata::meta::Regex;

/// A rule that has to be found, too.
#[derive(Clone)]
pub(crate) struct Required {
    pub(crate) rule: String,
    /// At most so many lines away; `None`: anywhere in the text.
    pub(crate) within_lines: Option<usize>,
    /// Beginning at most so many columns further left or right.
    pub(crate) within_columns: Option<usize>,
}

/// A compiled rule.
#[derive(Clone)]
pub(crate) struct ForeignRule {
    pub(crate) id: String,
    pub(crate) regex: Regex,
    /// The group that is the secret; 0: the first that is not empty, else the match.
    pub(crate) secret_group: usize,
    /// Shannon entropy in bits per byte that the secret has to exceed; 0: any.
    pub(crate) entropy: f64,
    /// The path of the text has to match, if there is one.
    pub(crate) path: Option<Regex>,
    /// Lower case; one of them stands in the text, in any case. Empty: always asked.
    pub(crate) keywords: Vec<String>,
    pub(crate) required: Vec<Required>,
    /// Whether it is there for the rules that require it, only.
    pub(crate) is_silent: bool,
}

pub(crate) struct ForeignMatcher {
    keywords: AhoCorasick,
    /// The rule of each keyword.
    owners: Vec<usize>,
    /// With the index of the rule in its rule set.
    rules: Vec<(usize, ForeignRule)>,
}

impl ForeignMatcher {
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(crate) fn new(rules: Vec<(usize, ForeignRule)>) -> Result<Self, Error> {
        let (mut owners, mut literals) = (Vec::new(), Vec::new());
        for (owner, (_, rule)) in rules.iter().enumerate() {
            for keyword in &rule.keywords {
                owners.push(owner);
                literals.push(keyword.as_str());
            }
        }
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(literals)?;
        Ok(Self { keywords, owners, rules })
    }

    /// Match, secret and rule of everything found.
    pub(crate) fn find(&self, text: &[u8], path: &str) -> Vec<(Span, Span, usize)> {
        let mut found = Vec::new();
        if self.rules.is_empty() {
            return found;
        }
        let mut is_asked: Vec<bool> = self.rules.iter().map(|(_, rule)| rule.keywords.is_empty()).collect();
        let mut waiting = is_asked.iter().filter(|is_asked| !**is_asked).count();
        if waiting > 0 {
            for hit in self.keywords.find_overlapping_iter(text) {
                let owner = self.owners.get(hit.pattern().as_usize()).copied().unwrap_or_default();
                if let Some(is_asked) = is_asked.get_mut(owner).filter(|is_asked| !**is_asked) {
                    *is_asked = true;
                    waiting -= 1;
                }
                if waiting == 0 {
                    break;
                }
            }
        }
        for ((index, rule), _) in self.rules.iter().zip(is_asked).filter(|(_, is_asked)| *is_asked) {
            let fits_path =
                path.is_empty() || rule.path.as_ref().is_none_or(|pattern| pattern.is_match(path));
            if rule.is_silent || !fits_path {
                continue;
            }
            let mut hits = Vec::new();
            rule.find(text, |span, secret| hits.push((span, secret, *index)));
            for required in &rule.required {
                if hits.is_empty() {
                    break;
                }
                let beside = places(text, self.spans(text, &required.rule));
                let mut at = places(text, hits.iter().map(|(span, ..)| *span)).into_iter();
                hits.retain(|_| at.next().is_some_and(|place| required.is_near(place, &beside)));
            }
            found.extend(hits);
        }
        found
    }

    /// Where a rule matches, whether or not its keywords are there.
    fn spans(&self, text: &[u8], id: &str) -> Vec<Span> {
        let mut spans = Vec::new();
        for (_, rule) in self.rules.iter().filter(|(_, rule)| rule.id == id) {
            rule.find(text, |span, _| spans.push(span));
        }
        spans
    }
}

/// Line and column where each span begins; spans come by offset.
fn places(text: &[u8], spans: impl IntoIterator<Item = Span>) -> Vec<(usize, usize)> {
    let (mut line, mut line_start, mut counted) = (0, 0, 0);
    let place = |span: Span| {
        for end in memchr::memchr_iter(b'\n', text.get(counted..span.start).unwrap_or_default()) {
            line += 1;
            line_start = counted + end + 1;
        }
        counted = counted.max(span.start);
        (line, span.start - line_start)
    };
    spans.into_iter().map(place).collect()
}

impl Required {
    /// Whether one of `others`, which come by line, is near enough.
    fn is_near(&self, (line, column): (usize, usize), others: &[(usize, usize)]) -> bool {
        let reach = self.within_lines.unwrap_or(usize::MAX);
        let from = others.partition_point(|other| other.0 < line.saturating_sub(reach));
        let to = others.partition_point(|other| other.0 <= line.saturating_add(reach));
        let is_beside =
            |other: &(usize, usize)| self.within_columns.is_none_or(|most| column.abs_diff(other.1) <= most);
        others.get(from..to).unwrap_or_default().iter().any(is_beside)
    }
}

impl ForeignRule {
    fn find(&self, text: &[u8], mut found: impl FnMut(Span, Span)) {
        for captures in self.regex.captures_iter(text) {
            let Some(whole) = captures.get_match() else { continue };
            let secret = match self.secret_group {
                0 => (1..captures.group_len())
                    .find_map(|group| captures.get_group(group).filter(|span| !span.is_empty())),
                group => captures.get_group(group),
            };
            let secret = trimmed(text, secret.unwrap_or(whole.span()));
            let bytes = text.get(secret.range()).unwrap_or_default();
            if !bytes.is_empty() && (self.entropy <= 0.0 || entropy(bytes) > self.entropy) {
                found(whole.span(), secret);
            }
        }
    }
}

/// A secret does not begin or end with a line end.
fn trimmed(text: &[u8], span: Span) -> Span {
    let bytes = text.get(span.range()).unwrap_or_default();
    let lead = bytes.iter().take_while(|byte| **byte == b'\n').count();
    let tail = bytes.iter().rev().take(bytes.len() - lead).take_while(|byte| **byte == b'\n').count();
    Span::from(span.start + lead..span.end - tail)
}
