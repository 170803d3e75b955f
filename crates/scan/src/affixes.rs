//! Literals that stand at the edges of words: looked for there and nowhere else.
//!
//! A token that a provider marks by its beginning is none where a letter precedes it, and
//! most go on with word characters for long, so few bytes need to be looked at. The other
//! literals are found by three bytes.

use crate::grams::{Grams, HASH_BITS, hash};
use crate::lanes::{self, LANE, Lanes, Lead};
use crate::leads::Leads;
use crate::matcher::wordy;
use crate::runs::{self, MIN_RUN};
use pulp::NullaryFnOnce;
use regex_automata::Span;

/// Bits of a [`Table`].
const BITS: usize = 1 << HASH_BITS;

/// Where in a token a literal may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    /// At the beginning of a word.
    Start,
    /// At the end of a word.
    End,
    Any,
}

impl Edge {
    /// Where a literal stands that begins tokens, in those that may be read backwards.
    pub(crate) fn of(literal: &[u8], is_reversed: bool) -> Self {
        match (wordy(literal.first()), is_reversed) {
            (true, false) => Self::Start,
            (true, true) => Self::End,
            (false, _) => Self::Any,
        }
    }

    /// Whether `span` of a text stands so.
    fn fits(self, text: &[u8], span: Span) -> bool {
        match self {
            Self::Start => !wordy(span.start.checked_sub(1).and_then(|at| text.get(at))),
            Self::End => !wordy(text.get(span.end)),
            Self::Any => true,
        }
    }
}

/// A literal of tokens.
pub(crate) struct Affix {
    pub(crate) literal: Vec<u8>,
    pub(crate) edge: Edge,
    /// Whether a long run of word characters begins with it, or ends with it.
    pub(crate) in_run: bool,
}

pub(crate) struct Affixes {
    all: Vec<Affix>,
    /// Of long runs.
    starts: Table,
    ends: Table,
    /// All others.
    inner: Grams,
    /// Numbers of the literals of `inner`.
    inner_numbers: Vec<usize>,
}

impl Affixes {
    /// `None` if a literal has fewer than three bytes.
    pub(crate) fn new(all: Vec<Affix>) -> Option<Self> {
        let in_runs = |edge: Edge| {
            let fits = move |(_, affix): &(usize, &Affix)| affix.in_run && affix.edge == edge;
            all.iter().enumerate().filter(fits).map(|(number, affix)| (number, &affix.literal))
        };
        let is_inner = |number: &usize| !all[*number].in_run || all[*number].edge == Edge::Any;
        let inner_numbers: Vec<usize> = (0..all.len()).filter(is_inner).collect();
        let inner: Vec<Vec<u8>> = inner_numbers.iter().map(|number| all[*number].literal.clone()).collect();
        Some(Self {
            starts: Table::new(in_runs(Edge::Start), Edge::Start)?,
            ends: Table::new(in_runs(Edge::End), Edge::End)?,
            inner: Grams::new(&inner, false)?,
            inner_numbers,
            all,
        })
    }

    /// Three or four bytes of each literal that may stand anywhere.
    pub(crate) fn leads(&self) -> Vec<Lead> {
        self.inner.leads()
    }

    /// Every literal in tokens with their long runs; `inner` has a bit for each position
    /// where one of [`Self::leads`] may stand.
    pub(crate) fn find(
        &self,
        text: &[u8],
        leads: &Leads,
        lanes: &Lanes,
        inner: &[u64],
    ) -> Vec<(usize, Span)> {
        lanes::compiled_for_processor(Find { affixes: self, text, leads, lanes, inner })
    }

    /// Whether one of the literals may stand in the token at the end of a line, of fewer bytes
    /// than a lane and without a long run; backwards ones aside.
    #[inline(always)]
    pub(crate) fn may_end(&self, text: &[u8], token: Span, lanes: &Lanes, inner: &[u64]) -> bool {
        let of_token = lanes::low(token.len());
        let wordy = lanes::from(&lanes.wordy, token.start);
        let starts = wordy & !(wordy << 1) & of_token;
        // Of the last three bytes the table knows no fourth.
        let last = token.len().checked_sub(3).map_or(0, |last| 1 << last);
        let mut may_end =
            starts & last != 0 || self.starts.hits(starts, |bit| first(&text[token.start + bit..])) != 0;
        let marks = lanes::from(inner, token.start) & of_token;
        self.inner.find_at(text, token, token.start, marks, |_, _| may_end = true);
        may_end
    }

    #[inline(always)]
    fn in_token(&self, text: &[u8], token: Span, inner: &[u64], found: &mut impl FnMut(usize, Span)) {
        for at in lanes::strides(token.range(), LANE) {
            let marks = lanes::from(inner, at) & lanes::low(token.end - at);
            self.inner.find_at(text, token, at, marks, |local, span| {
                let number = self.inner_numbers[local];
                if self.all[number].edge.fits(text, span) {
                    found(number, span);
                }
            });
        }
    }

    /// Literals that a long run may go on from.
    #[inline(always)]
    fn at_starts(&self, text: &[u8], run: Span, lanes: &Lanes, found: &mut impl FnMut(usize, Span)) {
        let mut was_wordy = false;
        let to = run.end + 1 - MIN_RUN;
        for at in lanes::strides(run.start..to, LANE) {
            let wordy = lanes::from(&lanes.wordy, at);
            let starts = wordy & !(wordy << 1 | u64::from(was_wordy)) & lanes::low(to - at);
            let hits = self.starts.hits(starts, |bit| first(&text[at + bit..]));
            for bit in lanes::ones(hits) {
                // A literal may be longer than the run.
                let rest = &text[at + bit..];
                self.starts.find(first(rest), |number| {
                    let literal = &self.all[number].literal;
                    if rest.starts_with(literal) {
                        found(number, Span::from(at + bit..at + bit + literal.len()));
                    }
                });
            }
            was_wordy = wordy >> (LANE - 1) != 0;
        }
    }

    /// Literals that a long run may lead to.
    #[inline(always)]
    fn at_ends(&self, text: &[u8], run: Span, lanes: &Lanes, found: &mut impl FnMut(usize, Span)) {
        // Whether a word ends with the last bit of a lane, the next one says.
        const STEP: usize = LANE - 1;
        for at in lanes::strides(run.start + MIN_RUN - 1..run.end, STEP) {
            let wordy = lanes::from(&lanes.wordy, at);
            let ends = wordy & !(wordy >> 1) & lanes::low(STEP.min(run.end - at));
            let hits = self.ends.hits(ends, |bit| last(&text[..=at + bit]));
            for bit in lanes::ones(hits) {
                let rest = &text[..=at + bit];
                self.ends.find(last(rest), |number| {
                    let literal = &self.all[number].literal;
                    if rest.ends_with(literal) {
                        found(number, Span::from(at + bit + 1 - literal.len()..at + bit + 1));
                    }
                });
            }
        }
    }
}

/// [`Affixes::find`] for [`lanes::compiled_for_processor`].
struct Find<'a> {
    affixes: &'a Affixes,
    text: &'a [u8],
    leads: &'a Leads,
    lanes: &'a Lanes,
    inner: &'a [u64],
}

impl NullaryFnOnce for Find<'_> {
    type Output = Vec<(usize, Span)>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self { affixes, text, leads, lanes, inner } = self;
        let mut all = Vec::new();
        let mut found = |number, span| all.push((number, span));
        for (token, runs) in leads.tokens() {
            for run in runs {
                affixes.at_starts(text, run.span, lanes, &mut found);
                affixes.at_ends(text, run.span, lanes, &mut found);
            }
            affixes.in_token(text, token, inner, &mut found);
        }
        all
    }
}

/// The first four bytes of what a long run holds.
fn first(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |four| u32::from_le_bytes(*four))
}

/// The last four bytes.
fn last(bytes: &[u8]) -> u32 {
    bytes.last_chunk().map_or(0, |four| u32::from_le_bytes(*four))
}

/// Literals by four of their bytes, or by three, if they have no more.
struct Table {
    /// One bit per hash of four bytes.
    bits: Vec<u64>,
    /// Bytes and number of each literal; sorted.
    places: Vec<(u32, u32)>,
    /// Which of four bytes a literal of three has.
    three: u32,
}

impl Table {
    /// Of literals that begin with four bytes, or end with them.
    fn new<'l>(literals: impl Iterator<Item = (usize, &'l Vec<u8>)>, side: Edge) -> Option<Self> {
        let (mut bits, mut places) = (vec![0; BITS / 64], Vec::new());
        let mut add = |gram: u32| bits[hash(gram) >> 6] |= 1 << (hash(gram) & 63);
        let three = if side == Edge::Start { 0x00ff_ffff } else { 0xffff_ff00 };
        for (number, literal) in literals {
            let gram = match (literal.as_slice(), side) {
                ([one, two, three], Edge::Start) => u32::from_le_bytes([*one, *two, *three, 0]),
                ([one, two, three], _) => u32::from_le_bytes([0, *one, *two, *three]),
                (literal, Edge::Start) => u32::from_le_bytes(*literal.first_chunk()?),
                (literal, _) => u32::from_le_bytes(*literal.last_chunk()?),
            };
            places.push((gram, u32::try_from(number).ok()?));
            if literal.len() > 3 {
                add(gram);
                continue;
            }
            // In a long run a word character follows, or precedes.
            for other in (0..128_u8).filter(|byte| runs::is(*byte, runs::WORD)) {
                add(gram | u32::from_le_bytes([other; 4]) & !three);
            }
        }
        places.sort_unstable();
        Some(Self { bits, places, three })
    }

    /// The places, of those that have a bit, whose bytes some literal may have.
    #[inline(always)]
    fn hits(&self, places: u64, gram: impl Fn(usize) -> u32) -> u64 {
        let Some(bits) = self.bits.first_chunk::<{ BITS / 64 }>() else { return 0 };
        // Without a branch for each.
        lanes::ones(places).fold(0, |hits, place| {
            let hash = hash(gram(place));
            hits | (bits[hash >> 6] >> (hash & 63) & 1) << place
        })
    }

    fn find(&self, gram: u32, mut found: impl FnMut(usize)) {
        for gram in [gram, gram & self.three] {
            let from = self.places.partition_point(|place| place.0 < gram);
            let places = self.places[from..].iter().take_while(|place| place.0 == gram);
            places.for_each(|place| found(place.1 as usize));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::Classifier;
    use crate::leads;

    const LITERALS: [(&str, Edge, bool); 9] = [
        ("ab-", Edge::Start, true),
        ("abab", Edge::Start, true),
        ("b_aba", Edge::Start, true),
        ("aab", Edge::Start, false),
        ("-ab", Edge::End, true),
        ("ba_ba", Edge::End, true),
        ("bba", Edge::End, false),
        ("ab_ab_ab_ab_ab_ab.", Edge::Start, true),
        ("a-b", Edge::Any, true),
    ];

    /// The same by comparing everything everywhere in one token.
    fn compared(text: &[u8], token: Span) -> Vec<(usize, usize)> {
        let is_word = |at: usize| wordy(text.get(at)) || text.get(at) == Some(&b'-');
        let is_run = |mut part: std::ops::Range<usize>| part.len() >= MIN_RUN && part.all(is_word);
        let mut found = Vec::new();
        for (number, (literal, edge, in_run)) in LITERALS.iter().enumerate() {
            for start in token.start..(token.end + 1).saturating_sub(literal.len()) {
                let span = Span::from(start..start + literal.len());
                let stands = edge.fits(text, span)
                    && match edge {
                        _ if !in_run => true,
                        Edge::Start => is_run(start..start + MIN_RUN),
                        Edge::End => span.end >= MIN_RUN && is_run(span.end - MIN_RUN..span.end),
                        Edge::Any => true,
                    };
                if stands && text[span.range()] == *literal.as_bytes() {
                    found.push((number, start));
                }
            }
        }
        found
    }

    proptest::proptest! {
        #[test]
        fn literals_are_found_at_their_edges_only(text in "[ab_-]{0,90}[ab_.-]{0,90}", lead in 0..70_usize) {
            let affix = |(literal, edge, in_run): (&str, Edge, bool)| {
                Affix { literal: literal.as_bytes().to_vec(), edge, in_run }
            };
            let affixes = Affixes::new(LITERALS.map(affix).into()).unwrap();
            // As tokens stand in lines: with something else around.
            let text = format!("{} {text} ", "é".repeat(lead));
            let token = Span::from(2 * lead + 1..text.len() - 1);
            let mut lanes = Lanes::default();
            Classifier::new(&[], &affixes.leads()).fill(text.as_bytes(), &mut lanes);
            if let Some(inner) = &lanes.inner {
                let leads = leads::runs(text.as_bytes(), &lanes);
                let mut found = Vec::new();
                for (number, span) in affixes.find(text.as_bytes(), &leads, &lanes, inner) {
                    assert_eq!(span.len(), LITERALS[number].0.len());
                    found.push((number, span.start));
                }
                found.sort_unstable();
                let has_run = leads.tokens().next().is_some();
                let expected = if has_run { compared(text.as_bytes(), token) } else { Vec::new() };
                proptest::prop_assert_eq!(found, expected);
            }
        }
    }
}
