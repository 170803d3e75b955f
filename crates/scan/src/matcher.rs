//! Providers' formats: keyword automata, then the rule's pattern around the keyword.
//!
//! A keyword that begins its pattern is confirmed anchored; others within a window as
//! wide as the pattern can match. Nothing matches across a line end here: what does, is
//! the business of `join`. Reversed keywords share the first automaton.

use crate::profile::Profile;
use crate::runs::{self, TOKEN};
use crate::tier::{self, Tier};
use crate::{Error, Rule};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex_automata::meta::{Cache, Regex};
use regex_automata::util::{captures::Captures, syntax};
use regex_automata::{Anchored, Input, Span};
use regex_syntax::hir::Hir;
use regex_syntax::hir::literal::Extractor;
use std::sync::OnceLock;

/// Patterns that say no upper bound are searched this far.
pub(crate) const MAX_MATCH_BYTES: usize = 16 << 10;
/// Shorter keywords are not looked for backwards.
const MIN_REVERSED_BYTES: usize = 4;
/// The longest token read backwards.
const MAX_REVERSED_BYTES: usize = 512;
/// What announces a secret of several lines.
pub(crate) const ARMOUR: &str = "-----BEGIN ";

/// One confirmed match in a text.
pub(crate) struct Found {
    /// Index of the rule.
    pub(crate) rule: usize,
    /// The whole match.
    pub(crate) span: Span,
    /// The secret in it.
    pub(crate) secret: Span,
}

/// What a keyword led to.
pub(crate) enum Event {
    Found(Found),
    /// A token that holds a keyword backwards.
    Backwards(Span),
    /// The beginning of an armoured block, which goes on in other lines.
    Armour {
        rule: usize,
        at: usize,
    },
    /// A token that reaches the end of its line and may go on in the next one.
    Dangling {
        rule: usize,
        keyword: Span,
    },
}

pub(crate) struct Compiled {
    hir: Hir,
    /// Built when first needed: most rules never are.
    regex: OnceLock<Option<Regex>>,
    /// Whether every keyword begins the pattern.
    is_prefix: bool,
    is_armour: bool,
    longest: usize,
}

impl Compiled {
    fn regex(&self) -> Option<&Regex> {
        self.regex.get_or_init(|| build(&self.hir)).as_ref()
    }
}

/// Keywords of the rules of one tier.
struct Keywords {
    automaton: Option<AhoCorasick>,
    /// Rule and direction of each keyword.
    owners: Vec<(usize, bool)>,
}

pub(crate) struct Matcher {
    tiers: [Keywords; 3],
    rules: Vec<Compiled>,
}

/// Per-thread scratch space.
#[derive(Default)]
pub(crate) struct Caches(Vec<Option<(Cache, Captures)>>);

impl Matcher {
    pub(crate) fn new(rules: &[Rule]) -> Result<Self, Error> {
        let mut compiled = Vec::new();
        let mut literals: [Vec<(Vec<u8>, usize, bool)>; 3] = Default::default();
        for (index, rule) in rules.iter().enumerate() {
            let (rule_compiled, tier) = compile(rule)?;
            for keyword in &rule.keywords {
                let keyword = keyword.as_bytes();
                literals[tier as usize].push((keyword.to_vec(), index, false));
                let is_token = keyword.iter().all(|byte| runs::is(*byte, TOKEN));
                if tier == Tier::Token && is_token && keyword.len() >= MIN_REVERSED_BYTES {
                    literals[tier as usize].push((keyword.iter().rev().copied().collect(), index, true));
                }
            }
            compiled.push(rule_compiled);
        }
        let [token, near, any] = literals;
        let tiers = [keywords(token, false)?, keywords(near, true)?, keywords(any, false)?];
        Ok(Self { tiers, rules: compiled })
    }

    pub(crate) fn caches(&self) -> Caches {
        Caches(self.rules.iter().map(|_| None).collect())
    }

    /// What the keywords of a tier lead to in `part`, which begins and ends with lines.
    /// The same match may come once per keyword.
    pub(crate) fn find(
        &self,
        caches: &mut Caches,
        tier: Tier,
        text: &[u8],
        part: Span,
        profile: &mut Option<Box<Profile>>,
        mut found: impl FnMut(Event),
    ) {
        let Keywords { automaton: Some(automaton), owners } = &self.tiers[tier as usize] else { return };
        let mut done = 0;
        let mut each = |pattern: usize, keyword: Span, found: &mut dyn FnMut(Event)| match owners.get(pattern)
        {
            Some((rule, false)) => {
                let started = profile.as_ref().map(|_| std::time::Instant::now());
                let event = self.confirm(caches, *rule, text, keyword);
                if let (Some(profile), Some(started)) = (profile.as_mut(), started) {
                    profile.rule(*rule, started.elapsed(), matches!(event, Some(Event::Found(_))));
                }
                event.into_iter().for_each(found);
            }
            Some((_, true)) if keyword.start >= done => {
                let token = token_around(text, keyword);
                done = token.end;
                found(Event::Backwards(token));
            }
            _ => {}
        };
        // Few keywords that hardly overlap: a vector search instead of a table.
        let input = aho_corasick::Input::new(text).range(part.range());
        if tier == Tier::Any {
            for hit in automaton.find_iter(input) {
                each(hit.pattern().as_usize(), Span::from(hit.range()), &mut found);
            }
        } else {
            for hit in automaton.find_overlapping_iter(input) {
                each(hit.pattern().as_usize(), Span::from(hit.range()), &mut found);
            }
        }
    }

    /// The rule's pattern around a keyword, within its line.
    pub(crate) fn confirm(
        &self,
        caches: &mut Caches,
        rule: usize,
        text: &[u8],
        keyword: Span,
    ) -> Option<Event> {
        let compiled = self.rules.get(rule)?;
        if compiled.is_armour {
            return Some(Event::Armour { rule, at: keyword.start });
        }
        let limit = text.len().min(keyword.end + compiled.longest);
        let after = text.get(keyword.end..limit)?;
        let to = memchr::memchr(b'\n', after).map_or(limit, |at| keyword.end + at);
        if let Some(found) = self.search(caches, rule, text, keyword, to) {
            return Some(Event::Found(found));
        }
        let is_cut = (to == text.len() || text.get(to) == Some(&b'\n'))
            && text.get(keyword.end..to)?.iter().all(|byte| runs::is(*byte, TOKEN));
        is_cut.then_some(Event::Dangling { rule, keyword })
    }

    /// Whether all matches are of one length.
    pub(crate) fn has_fixed_length(&self, rule: usize) -> bool {
        self.rules.get(rule).is_some_and(|compiled| {
            let properties = compiled.hir.properties();
            properties.minimum_len() == properties.maximum_len()
        })
    }

    /// Whether a match that ends at a line end could have been longer.
    pub(crate) fn may_go_on(&self, rule: usize, matched: usize) -> bool {
        self.rules.get(rule).is_some_and(|compiled| matched < compiled.longest)
    }

    /// The pattern's match over `keyword`, up to `to`.
    fn search(
        &self,
        caches: &mut Caches,
        rule: usize,
        text: &[u8],
        keyword: Span,
        to: usize,
    ) -> Option<Found> {
        let compiled = self.rules.get(rule)?;
        let regex = compiled.regex()?;
        let scratch = caches.0.get_mut(rule)?;
        let (cache, captures) =
            scratch.get_or_insert_with(|| (regex.create_cache(), regex.create_captures()));
        let (anchored, mut from) = match compiled.is_prefix {
            true => (Anchored::Yes, keyword.start),
            false => {
                let low = keyword.start.saturating_sub(compiled.longest);
                let before = text.get(low..keyword.start)?;
                (Anchored::No, memchr::memrchr(b'\n', before).map_or(low, |at| low + at + 1))
            }
        };
        loop {
            let input = Input::new(text).range(from..to).anchored(anchored);
            regex.search_captures_with(cache, &input, captures);
            let span = captures.get_match()?.span();
            if span.start > keyword.start {
                return None;
            }
            let clean = !(wordy(text.get(span.start)) && span.start > 0 && wordy(text.get(span.start - 1)));
            if span.end >= keyword.end && clean && !wordy(text.get(span.end)) {
                let secret = captures.get_group_by_name("secret").unwrap_or(span);
                return Some(Found { rule, span, secret });
            }
            if compiled.is_prefix {
                return None;
            }
            from = span.start + 1;
        }
    }

    /// The first match of an armoured block's rule from `at` on, over line ends.
    pub(crate) fn armour(&self, caches: &mut Caches, rule: usize, text: &[u8], at: usize) -> Option<Found> {
        let compiled = self.rules.get(rule)?;
        let regex = compiled.regex()?;
        let scratch = caches.0.get_mut(rule)?;
        let (cache, captures) =
            scratch.get_or_insert_with(|| (regex.create_cache(), regex.create_captures()));
        let input = Input::new(text).range(at..text.len()).anchored(Anchored::Yes);
        regex.search_captures_with(cache, &input, captures);
        let span = captures.get_match()?.span();
        Some(Found { rule, span, secret: captures.get_group_by_name("secret").unwrap_or(span) })
    }
}

fn keywords(literals: Vec<(Vec<u8>, usize, bool)>, ignores_case: bool) -> Result<Keywords, Error> {
    let owners = literals.iter().map(|(_, rule, is_reversed)| (*rule, *is_reversed)).collect();
    let literals: Vec<Vec<u8>> = literals.into_iter().map(|(literal, ..)| literal).collect();
    if literals.is_empty() {
        return Ok(Keywords { automaton: None, owners });
    }
    let automaton = AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .match_kind(MatchKind::Standard)
        .ascii_case_insensitive(ignores_case)
        .build(literals)?;
    Ok(Keywords { automaton: Some(automaton), owners })
}

fn token_around(text: &[u8], part: Span) -> Span {
    let low = part.start.saturating_sub(MAX_REVERSED_BYTES);
    let start = part.start - runs::trailing(&text[low..part.start], TOKEN);
    let high = text.len().min(part.end + MAX_REVERSED_BYTES);
    Span::from(start..part.end + runs::leading(&text[part.end..high], TOKEN))
}

fn wordy(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn syntax_config() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

fn build(hir: &Hir) -> Option<Regex> {
    let config = Regex::config().utf8_empty(false).nfa_size_limit(None).onepass_size_limit(None);
    Regex::builder().syntax(syntax_config()).configure(config).build_from_hir(hir).ok()
}

fn compile(rule: &Rule) -> Result<(Compiled, Tier), Error> {
    let hir =
        syntax::parse_with(&rule.pattern, &syntax_config()).map_err(|_| Error::Pattern(rule.id.clone()))?;
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
    let is_armour = rule.keywords.iter().any(|keyword| keyword.starts_with(ARMOUR));
    let longest = hir.properties().maximum_len().unwrap_or(MAX_MATCH_BYTES).min(MAX_MATCH_BYTES);
    let tier = if is_armour { Tier::Any } else { tier::of(&hir, rule.pattern.contains("(?i")) };
    Ok((Compiled { hir, regex: OnceLock::new(), is_prefix, is_armour, longest }, tier))
}
