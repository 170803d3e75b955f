//! Rules in the style of gitleaks: keywords anywhere in the text, then the pattern over all of it.
//!
//! Our own rules are confirmed around their keyword, which every match holds. These
//! rules promise no such thing, so they cost a pass over each text that has a keyword.

use crate::Error;
use crate::gate::entropy;
use aho_corasick::{AhoCorasick, MatchKind};
use regex_automata::Span;
use regex_automata::meta::Regex;

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
}

pub(crate) struct ForeignMatcher {
    keywords: AhoCorasick,
    /// The rule of each keyword.
    owners: Vec<usize>,
    /// With the index of the rule in its rule set.
    rules: Vec<(usize, ForeignRule)>,
}

impl ForeignMatcher {
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
            if path.is_empty() || rule.path.as_ref().is_none_or(|pattern| pattern.is_match(path)) {
                rule.find(text, |span, secret| found.push((span, secret, *index)));
            }
        }
        found
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
