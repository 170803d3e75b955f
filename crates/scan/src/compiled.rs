//! Patterns of rules, and what is known of them before they are searched for.

use crate::matcher::MAX_MATCH_BYTES;
use crate::runs::{self, TOKEN};
use crate::steps::Steps;
use crate::tier::{self, Tier};
use crate::{Error, Rule};
use memchr::memmem;
use regex_automata::Span;
use regex_automata::hybrid::{self, dfa::DFA};
use regex_automata::meta::{Cache, Regex};
use regex_automata::nfa::thompson::{NFA, WhichCaptures};
use regex_automata::util::{captures::Captures, syntax};
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{ClassBytes, Hir};
use std::sync::OnceLock;

/// Matches that are no longer are followed by a lazy automaton. Of longer ones it may have
/// more states than are kept, and build them again for each keyword.
pub(crate) const MAX_PREFIX_BYTES: usize = 512;
/// What announces a secret of several lines.
pub(crate) const ARMOUR: &str = "-----BEGIN ";

/// What long matches that are none cost in a line: each may be known only when all that it
/// could hold was read, which a line of nothing but keywords makes of all its bytes.
#[derive(Default)]
pub(crate) struct Effort {
    /// The first keyword of the line that cost something, and the last one asked for.
    first: usize,
    last: usize,
    /// Bytes read.
    pub(crate) spent: usize,
}

impl Effort {
    /// What a line may cost, whatever its length, and what each of its bytes adds.
    const FREE_BYTES: usize = 1 << 20;
    const FACTOR: usize = 8;

    /// Whether the line of a keyword may cost more.
    pub(crate) fn is_left(&mut self, text: &[u8], keyword: Span) -> bool {
        let between = text.get(self.last..keyword.start).unwrap_or_default();
        if self.spent == 0 || memchr::memchr(b'\n', between).is_some() {
            *self = Self { first: keyword.start, ..Self::default() };
        }
        self.last = keyword.start;
        self.spent <= Self::FREE_BYTES + Self::FACTOR * keyword.start.saturating_sub(self.first)
    }
}

pub(crate) struct Compiled {
    pub(crate) hir: Hir,
    /// Built when first needed: most rules never are.
    engine: OnceLock<Option<Engine>>,
    /// Whether every keyword begins the pattern.
    pub(crate) is_prefix: bool,
    pub(crate) is_armour: bool,
    /// Whether matches are tokens, so that no search reads further.
    pub(crate) is_token: bool,
    /// What a search reads on over for long.
    pub(crate) reads_over: Option<ClassBytes>,
    /// How far before a keyword a match begins.
    pub(crate) lead: usize,
    /// Whether the secret is a named group, so that the pattern minds what stands before.
    pub(crate) names_secret: bool,
    pub(crate) longest: usize,
    /// A byte that every match holds behind its keyword.
    pub(crate) rare: Option<u8>,
    /// Whether no slash stands between the two.
    pub(crate) bars_slash: bool,
    /// Asked before an engine is built or searches.
    needed: Option<Needed>,
}

/// A literal that every match holds.
struct Needed {
    literal: memmem::Finder<'static>,
    /// Whether it stands behind the keyword.
    is_behind: bool,
}

impl Compiled {
    pub(crate) fn engine(&self) -> Option<&Engine> {
        let build = || {
            if self.begins_with_keyword() {
                if let Some(steps) = Steps::of(&self.hir) {
                    return Some(Engine::Steps(steps));
                }
                let is_short = self.longest <= MAX_PREFIX_BYTES;
                if let Some(dfa) = is_short.then(|| build_prefix(&self.hir)).flatten() {
                    return Some(Engine::Prefix(Box::new(dfa)));
                }
            }
            build(&self.hir).map(Engine::Whole)
        };
        self.engine.get_or_init(build).as_ref()
    }

    /// How many bytes behind a keyword were read for a match that is none. Most patterns end
    /// at a blank or a quote soon.
    pub(crate) fn read_in_vain(&self, rest: &[u8]) -> usize {
        match &self.reads_over {
            Some(class) => tier::leading(rest, class),
            None if self.is_token => runs::leading(rest, TOKEN),
            None => 0,
        }
    }

    /// Whether what stands behind a keyword is no match, also if more follows in other lines:
    /// most addresses have a path and no password.
    #[inline]
    pub(crate) fn is_barred(&self, after: &[u8]) -> bool {
        let Some(rare) = self.rare.filter(|_| self.bars_slash) else { return false };
        memchr::memchr3(rare, b'/', b'\n', after).is_some_and(|at| after[at] == b'/')
    }

    /// Whether a match may be about a keyword, up to `to`, as far as one literal tells.
    pub(crate) fn has_needed(&self, text: &[u8], keyword: Span, to: usize) -> bool {
        self.needed.as_ref().is_none_or(|Needed { literal, is_behind }| {
            let from = if *is_behind { keyword.end } else { keyword.start.saturating_sub(self.lead) };
            text.get(from..to).is_some_and(|part| literal.find(part).is_some())
        })
    }

    /// For long matches a literal behind the keyword: without it, a line of nothing but
    /// keywords costs a search of all that follows for each. For others any, where an engine
    /// does more than look once.
    fn needed(&self, keywords: &[String]) -> Option<Needed> {
        let is_long = self.longest > MAX_PREFIX_BYTES;
        let behind = is_long.then(|| tier::literal_behind(&self.hir, keywords)).flatten();
        let is_behind = behind.is_some();
        let anywhere = || {
            let is_searched = !self.begins_with_keyword() && !self.is_armour;
            is_searched.then(|| tier::literal_apart(&self.hir, keywords)).flatten()
        };
        let literal = memmem::Finder::new(&behind.or_else(anywhere)?).into_owned();
        Some(Needed { literal, is_behind })
    }

    /// Whether a match begins with the keyword and is the secret: its end is all to ask for.
    pub(crate) fn begins_with_keyword(&self) -> bool {
        self.is_prefix && !self.names_secret && !self.is_armour
    }
}

/// What finds a rule's matches.
pub(crate) enum Engine {
    /// As [`Engine::Prefix`], without an automaton.
    Steps(Steps),
    /// The end of one that begins at a place. Built in a fraction of the time, and with it
    /// goes much of what a short scan costs.
    Prefix(Box<DFA>),
    Whole(Regex),
}

/// What an engine needs.
pub(crate) enum Scratch {
    Nothing,
    Prefix(Box<hybrid::dfa::Cache>),
    Whole(Box<(Cache, Captures)>),
}

impl Engine {
    pub(crate) fn scratch(&self) -> Scratch {
        match self {
            Self::Steps(_) => Scratch::Nothing,
            Self::Prefix(dfa) => Scratch::Prefix(Box::new(dfa.create_cache())),
            Self::Whole(regex) => Scratch::Whole(Box::new((regex.create_cache(), regex.create_captures()))),
        }
    }
}

/// Patterns are those of bytes.
pub(crate) fn syntax_config() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

fn build(hir: &Hir) -> Option<Regex> {
    let config = Regex::config().utf8_empty(false).nfa_size_limit(None).onepass_size_limit(None);
    Regex::builder().syntax(syntax_config()).configure(config).build_from_hir(hir).ok()
}

pub(crate) fn build_prefix(hir: &Hir) -> Option<DFA> {
    let config = NFA::config().utf8(false).nfa_size_limit(None).which_captures(WhichCaptures::None);
    let nfa = NFA::compiler().configure(config).build_from_hir(hir).ok()?;
    DFA::builder().configure(DFA::config().skip_cache_capacity_check(true)).build_from_nfa(nfa).ok()
}

pub(crate) fn compile(rule: &Rule) -> Result<(Compiled, Tier), Error> {
    // Without keywords a pattern is not searched for here.
    let pattern = if rule.keywords.is_empty() { "" } else { &rule.pattern };
    let hir = syntax::parse_with(pattern, &syntax_config()).map_err(|_| Error::Pattern(rule.id.clone()))?;
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
    let names_secret = rule.pattern.contains("(?P<secret>");
    let rare = tier::rare_byte_behind(&hir, &rule.keywords);
    let bars_slash = rare.is_some_and(|rare| tier::bars_slash(&hir, &rule.keywords, rare));
    let tier = if is_armour { Tier::Any } else { tier::of(&hir, rule.pattern.contains("(?i")) };
    let lead = tier::lead(&hir, &rule.keywords).unwrap_or(longest);
    let reads_over = tier::reads_over(&hir);
    let mut compiled = Compiled {
        hir,
        engine: OnceLock::new(),
        is_prefix,
        is_armour,
        is_token: tier == Tier::Token,
        reads_over,
        lead,
        names_secret,
        longest,
        rare,
        bars_slash,
        needed: None,
    };
    compiled.needed = compiled.needed(&rule.keywords);
    Ok((compiled, tier))
}
