//! Literals that stand at the edges of words: looked for there and nowhere else.
//!
//! A token that a provider marks by its beginning is none where a letter precedes it, so
//! most bytes need not be looked at. The few other literals are found by three bytes.

use crate::grams::{Grams, HASH_BITS, hash};
use crate::lanes::{self, LANE, Lanes, Lead};
use crate::matcher::wordy;
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
}

pub(crate) struct Affixes {
    literals: Vec<Vec<u8>>,
    starts: Table,
    ends: Table,
    inner: Grams,
    /// Numbers of the literals of `inner`.
    inner_numbers: Vec<usize>,
}

impl Affixes {
    /// `None` if a literal has fewer than three bytes.
    pub(crate) fn new(literals: Vec<Vec<u8>>, edges: &[Edge]) -> Option<Self> {
        let at = |edge: Edge| (0..literals.len()).filter(move |number| edges[*number] == edge);
        let inner_numbers: Vec<usize> = at(Edge::Any).collect();
        let inner: Vec<Vec<u8>> = inner_numbers.iter().map(|number| literals[*number].clone()).collect();
        let first = |literal: &Vec<u8>| literal.first_chunk::<4>().copied();
        let last = |literal: &Vec<u8>| literal.last_chunk::<4>().copied();
        Some(Self {
            starts: Table::new(at(Edge::Start).map(|number| (number, &literals[number])), first)?,
            ends: Table::new(at(Edge::End).map(|number| (number, &literals[number])), last)?,
            inner: Grams::new(&inner, false)?,
            inner_numbers,
            literals,
        })
    }

    /// Three or four bytes of each literal that may stand anywhere.
    pub(crate) fn leads(&self) -> Vec<Lead> {
        self.inner.leads()
    }

    /// Every literal in `part`, which no word reaches into or out of; `inner` has a bit for
    /// each position where one of [`Self::leads`] may stand.
    pub(crate) fn find(
        &self,
        text: &[u8],
        part: Span,
        lanes: &Lanes,
        inner: &[u64],
        mut found: impl FnMut(usize, Span),
    ) {
        let mut was_wordy = false;
        for at in part.range().step_by(LANE) {
            let wordy = lanes::from(&lanes.wordy, at);
            let next = lanes::from(&lanes.wordy, at + 1);
            let shown = lanes::low(part.end - at);
            let starts = wordy & !(wordy << 1 | u64::from(was_wordy)) & shown;
            let hits = self.starts.hits(starts, |bit| first(&text[at + bit..]));
            for bit in lanes::ones(hits) {
                let rest = &text[at + bit..part.end];
                self.starts.find(first(rest), |number| {
                    let literal = &self.literals[number];
                    if rest.starts_with(literal) {
                        found(number, Span::from(at + bit..at + bit + literal.len()));
                    }
                });
            }
            let hits = self.ends.hits(wordy & !next & shown, |bit| last(&text[..=at + bit]));
            for bit in lanes::ones(hits) {
                let rest = &text[part.start..=at + bit];
                self.ends.find(last(rest), |number| {
                    let literal = &self.literals[number];
                    if rest.ends_with(literal) {
                        found(number, Span::from(at + bit + 1 - literal.len()..at + bit + 1));
                    }
                });
            }
            let marks = lanes::from(inner, at) & shown;
            self.inner.find_at(text, part, at, marks, |local, span| found(self.inner_numbers[local], span));
            was_wordy = wordy >> (LANE - 1) != 0;
        }
    }
}

/// The first four bytes and the first three, with zeros where there are no more.
fn first(bytes: &[u8]) -> [u32; 2] {
    let four = match bytes.first_chunk() {
        Some(four) => u32::from_le_bytes(*four),
        None => bytes.iter().rev().fold(0, |gram, byte| gram << 8 | u32::from(*byte)),
    };
    [four, four & 0x00ff_ffff]
}

/// The last four bytes and the last three.
fn last(bytes: &[u8]) -> [u32; 2] {
    let four = match bytes.last_chunk() {
        Some(four) => u32::from_le_bytes(*four),
        None => {
            bytes.iter().rev().fold(0, |gram, byte| gram << 8 | u32::from(*byte)) << (8 * (4 - bytes.len()))
        }
    };
    [four, four >> 8]
}

/// Literals by four of their bytes, or by three, if they have no more.
struct Table {
    /// One bit per hash.
    bits: Vec<u64>,
    /// Bytes and number of each literal; sorted.
    places: Vec<(u32, u32)>,
}

impl Table {
    fn new<'l>(
        literals: impl Iterator<Item = (usize, &'l Vec<u8>)>,
        four: impl Fn(&Vec<u8>) -> Option<[u8; 4]>,
    ) -> Option<Self> {
        let (mut bits, mut places) = (vec![0; BITS / 64], Vec::new());
        for (number, literal) in literals {
            let gram = match four(literal) {
                Some(four) => u32::from_le_bytes(four),
                None if literal.len() == 3 => first(literal)[0],
                None => return None,
            };
            places.push((gram, u32::try_from(number).ok()?));
            let hash = hash(gram);
            bits[hash >> 6] |= 1 << (hash & 63);
        }
        places.sort_unstable();
        Some(Self { bits, places })
    }

    /// The places, of those that have a bit, whose bytes some literal may have.
    fn hits(&self, places: u64, grams: impl Fn(usize) -> [u32; 2]) -> u64 {
        let Some(bits) = self.bits.first_chunk::<{ BITS / 64 }>() else { return 0 };
        // Without a branch for each.
        lanes::ones(places).fold(0, |hits, place| {
            let [four, three] = grams(place).map(hash);
            let is_hit = (bits[four >> 6] >> (four & 63) | bits[three >> 6] >> (three & 63)) & 1;
            hits | is_hit << place
        })
    }

    fn find(&self, [four, three]: [u32; 2], mut found: impl FnMut(usize)) {
        // They are the same where the text ends.
        for gram in [Some(four).filter(|four| *four != three), Some(three)].into_iter().flatten() {
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

    const LITERALS: [(&str, Edge); 6] = [
        ("ab-", Edge::Start),
        ("abab", Edge::Start),
        ("b_aba", Edge::Start),
        ("-ab", Edge::End),
        ("ba_ba", Edge::End),
        ("a-b", Edge::Any),
    ];

    /// The same by comparing everything everywhere.
    fn compared(text: &[u8], part: Span) -> Vec<(usize, usize)> {
        let is_wordy = |at: usize| at < text.len() && wordy(text.get(at));
        let mut found = Vec::new();
        for (number, (literal, edge)) in LITERALS.iter().enumerate() {
            for start in part.start..(part.end + 1).saturating_sub(literal.len()) {
                let end = start + literal.len();
                let stands = match edge {
                    Edge::Start => start == 0 || !is_wordy(start - 1),
                    Edge::End => !is_wordy(end),
                    Edge::Any => true,
                };
                if stands && text[start..end] == *literal.as_bytes() {
                    found.push((number, start));
                }
            }
        }
        found
    }

    proptest::proptest! {
        #[test]
        fn literals_are_found_at_their_edges_only(text in "[ab_-]{0,150}", lead in 0..70_usize) {
            let literals = LITERALS.map(|(literal, _)| literal.as_bytes().to_vec());
            let affixes = Affixes::new(literals.to_vec(), &LITERALS.map(|(_, edge)| edge)).unwrap();
            // As tokens stand in lines: with something else around.
            let text = format!("{} {text} ", "é".repeat(lead));
            let part = Span::from(2 * lead + 1..text.len() - 1);
            let mut lanes = Lanes::default();
            Classifier::new(&[], &affixes.leads()).fill(text.as_bytes(), &mut lanes);
            if let Some(inner) = &lanes.inner {
                let mut found = Vec::new();
                affixes.find(text.as_bytes(), part, &lanes, inner, |number, span| {
                    assert_eq!(span.len(), literals[number].len());
                    found.push((number, span.start));
                });
                found.sort_unstable();
                proptest::prop_assert_eq!(found, compared(text.as_bytes(), part));
            }
        }
    }
}
