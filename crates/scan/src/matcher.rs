//! Providers' formats: keyword automaton, then the rule's pattern around the keyword.
//!
//! A keyword that begins its pattern is confirmed anchored; others within a window as
//! wide as the pattern can match. Reversed keywords share the automaton.

use crate::{Error, Rule};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex_automata::meta::{Cache, Regex};
use regex_automata::util::{captures::Captures, syntax};
use regex_automata::{Anchored, Input, Span};
use regex_syntax::hir::literal::Extractor;

/// Patterns that say no upper bound are searched this far.
const MAX_MATCH_BYTES: usize = 16 << 10;
/// Shorter keywords are not looked for backwards.
const MIN_REVERSED_BYTES: usize = 4;
/// The longest token read backwards.
const MAX_REVERSED_BYTES: usize = 512;

/// One confirmed match in a text.
pub(crate) struct Found {
    /// Index of the rule.
    pub(crate) rule: usize,
    /// The whole match.
    pub(crate) span: Span,
    /// The secret in it.
    pub(crate) secret: Span,
}

struct Compiled {
    regex: Regex,
    /// Whether every keyword begins the pattern.
    is_prefix: bool,
    longest: usize,
}

pub(crate) struct Matcher {
    keywords: AhoCorasick,
    /// Rule and direction of each keyword.
    owners: Vec<(usize, bool)>,
    rules: Vec<Compiled>,
}

/// Per-thread scratch space.
pub(crate) struct Caches(Vec<(Cache, Captures)>);

impl Matcher {
    pub(crate) fn new(rules: &[Rule]) -> Result<Self, Error> {
        let mut owners = Vec::new();
        let mut literals: Vec<Vec<u8>> = Vec::new();
        let mut compiled = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            for keyword in &rule.keywords {
                owners.push((index, false));
                literals.push(keyword.clone().into_bytes());
                let is_token =
                    keyword.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
                if is_token && keyword.len() >= MIN_REVERSED_BYTES {
                    owners.push((index, true));
                    literals.push(keyword.bytes().rev().collect());
                }
            }
            compiled.push(compile(rule)?);
        }
        let keywords = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .match_kind(MatchKind::Standard)
            .build(literals)?;
        Ok(Self { keywords, owners, rules: compiled })
    }

    pub(crate) fn caches(&self) -> Caches {
        Caches(
            self.rules.iter().map(|rule| (rule.regex.create_cache(), rule.regex.create_captures())).collect(),
        )
    }

    /// All matches, in no order (the same match may come once per keyword), and the
    /// tokens that hold a keyword backwards.
    pub(crate) fn find(&self, caches: &mut Caches, text: &[u8]) -> (Vec<Found>, Vec<Span>) {
        let (mut found, mut backwards) = (Vec::new(), Vec::new());
        let mut done = 0;
        for hit in self.keywords.find_overlapping_iter(text) {
            let keyword = Span::from(hit.start()..hit.end());
            match self.owners.get(hit.pattern().as_usize()) {
                Some((rule, false)) => found.extend(self.confirm(caches, *rule, text, keyword)),
                Some((_, true)) if keyword.start >= done => {
                    let token = token_around(text, keyword);
                    done = token.end;
                    backwards.push(token);
                }
                _ => {}
            }
        }
        (found, backwards)
    }

    fn confirm(&self, caches: &mut Caches, rule: usize, text: &[u8], keyword: Span) -> Option<Found> {
        let compiled = self.rules.get(rule)?;
        let (cache, captures) = caches.0.get_mut(rule)?;
        let to = text.len().min(keyword.end + compiled.longest);
        let (anchored, mut from) = match compiled.is_prefix {
            true => (Anchored::Yes, keyword.start),
            false => (Anchored::No, keyword.start.saturating_sub(compiled.longest)),
        };
        loop {
            let input = Input::new(text).range(from..to).anchored(anchored);
            compiled.regex.search_captures_with(cache, &input, captures);
            let span = captures.get_match()?.span();
            if span.start > keyword.start {
                return None;
            }
            let secret = captures.get_group_by_name("secret");
            // What stands before a named secret is the pattern's own matter.
            let clean = secret.is_some()
                || !(wordy(text.get(span.start)) && span.start > 0 && wordy(text.get(span.start - 1)));
            if span.end >= keyword.end && clean && !wordy(text.get(span.end)) {
                return Some(Found { rule, span, secret: secret.unwrap_or(span) });
            }
            if compiled.is_prefix {
                return None;
            }
            from = span.start + 1;
        }
    }
}

fn token_around(text: &[u8], part: Span) -> Span {
    let is_token = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.+/=".contains(*byte);
    let before = text.get(..part.start).unwrap_or_default();
    let start = before.iter().rev().take(MAX_REVERSED_BYTES).take_while(is_token).count();
    let after = text.get(part.end..).unwrap_or_default();
    let end = after.iter().take(MAX_REVERSED_BYTES).take_while(is_token).count();
    Span::from(part.start - start..part.end + end)
}

fn wordy(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn compile(rule: &Rule) -> Result<Compiled, Error> {
    let config = syntax::Config::new().unicode(false).utf8(false);
    // Without keywords a pattern is not searched for here.
    let pattern = if rule.keywords.is_empty() { "" } else { &rule.pattern };
    let hir = syntax::parse_with(pattern, &config).map_err(|_| Error::Pattern(rule.id.clone()))?;
    // Rules without a pattern have no keywords: their empty expression is never asked.
    let prefixes = Extractor::new().extract(&hir);
    let is_prefix = prefixes.literals().is_some_and(|literals| {
        let starts = |keyword: &String| {
            let keyword = keyword.as_bytes();
            literals.iter().any(|literal| {
                literal.as_bytes().starts_with(keyword) || keyword.starts_with(literal.as_bytes())
            })
        };
        !literals.is_empty() && rule.keywords.iter().all(starts)
    });
    let longest = hir.properties().maximum_len().unwrap_or(MAX_MATCH_BYTES).min(MAX_MATCH_BYTES);
    let regex = Regex::builder()
        .syntax(config)
        .configure(Regex::config().utf8_empty(false))
        .build_from_hir(&hir)
        .map_err(|_| Error::Pattern(rule.id.clone()))?;
    Ok(Compiled { regex, is_prefix, longest })
}
