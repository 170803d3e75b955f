//! Keywords of rules, and the ways to find them.

use crate::Error;
use crate::grams::Grams;
use crate::tier::Tier;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind, packed};
use memchr::memmem;
use regex_automata::Span;

/// So many keywords are searched for without a table, and so many on their own.
pub(crate) const MAX_VECTOR: usize = 48;
const MAX_SINGLE: usize = 4;

/// Keywords of the rules of one tier.
pub(crate) struct Keywords {
    pub(crate) finder: Finder,
    /// Of each keyword.
    pub(crate) owners: Vec<Owner>,
}

/// What a keyword leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The rule of this index.
    Rule(usize),
    /// The same, of tokens that are read backwards.
    Reversed(usize),
    /// A manifest that may hold secrets.
    Manifest,
    /// A compressed stream in base 64.
    Gzip,
}

/// How keywords are found.
pub(crate) enum Finder {
    None,
    /// By three bytes of each keyword.
    Grams(Grams),
    /// A table, where a keyword is shorter than that.
    Table(AhoCorasick),
    /// Vector searches: one for each keyword that begins with punctuation, as many lines
    /// do, and one for all others together.
    Vector {
        single: Vec<(usize, memmem::Finder<'static>)>,
        others: Option<(packed::Searcher, Vec<usize>)>,
    },
}

impl Finder {
    pub(crate) fn find(&self, text: &[u8], part: Span, mut found: impl FnMut(usize, Span)) {
        match self {
            Self::None => {}
            Self::Grams(grams) => grams.find(text, part, found),
            Self::Table(table) => {
                for hit in table.find_overlapping_iter(aho_corasick::Input::new(text).range(part.range())) {
                    found(hit.pattern().as_usize(), Span::from(hit.range()));
                }
            }
            Self::Vector { single, others } => {
                let bytes = &text[part.range()];
                for (pattern, finder) in single {
                    for at in finder.find_iter(bytes) {
                        let at = part.start + at;
                        found(*pattern, Span::from(at..at + finder.needle().len()));
                    }
                }
                if let Some((searcher, patterns)) = others {
                    for hit in searcher.find_iter(bytes) {
                        let span = Span::from(part.start + hit.start()..part.start + hit.end());
                        found(patterns[hit.pattern().as_usize()], span);
                    }
                }
            }
        }
    }
}

impl Keywords {
    pub(crate) fn new(literals: Vec<(Vec<u8>, Owner)>, tier: Tier) -> Result<Self, Error> {
        let (literals, owners): (Vec<_>, Vec<_>) = literals.into_iter().unzip();
        if literals.is_empty() {
            return Ok(Self { finder: Finder::None, owners });
        }
        if tier == Tier::Any
            && literals.len() <= MAX_VECTOR
            && let Some(finder) = vector(&literals)
        {
            return Ok(Self { finder, owners });
        }
        if let Some(grams) = Grams::new(&literals, tier == Tier::Near) {
            return Ok(Self { finder: Finder::Grams(grams), owners });
        }
        let table = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(tier == Tier::Near)
            .build(literals)?;
        Ok(Self { finder: Finder::Table(table), owners })
    }
}

/// Vector searches for keywords, if one that is taken cannot hide another.
fn vector(literals: &[Vec<u8>]) -> Option<Finder> {
    let is_single = |literal: &[u8]| literal.first().is_some_and(u8::is_ascii_punctuation);
    let (alone, together): (Vec<usize>, Vec<usize>) =
        (0..literals.len()).partition(|at| literals.get(*at).is_some_and(|literal| is_single(literal)));
    let rest: Vec<Vec<u8>> = together.iter().map(|at| literals[*at].clone()).collect();
    if alone.len() > MAX_SINGLE || overlaps(&rest) {
        return None;
    }
    let single = alone.iter().map(|at| (*at, memmem::Finder::new(&literals[*at]).into_owned())).collect();
    let others = if rest.is_empty() { None } else { Some((packed::Searcher::new(&rest)?, together)) };
    Some(Finder::Vector { single, others })
}

/// Whether a keyword can hide another from a search that takes one at a time.
fn overlaps(literals: &[Vec<u8>]) -> bool {
    literals.iter().enumerate().any(|(at, one)| {
        literals.iter().enumerate().any(|(other_at, other)| {
            let ends = (1..one.len().min(other.len())).any(|length| one.ends_with(&other[..length]));
            at != other_at && (ends || memmem::find(one, other).is_some())
        })
    })
}
