//! What kind of byte stands where: one bit per byte, 64 bytes at a time.
//!
//! A byte is looked up by its halves: one table says for each low half which high halves
//! make a byte of the set, one names the bit of each high half (W. Muła, "SIMD-ized
//! checking if a set contains a byte"). Several literals at once are found the same way,
//! by four bytes of each, eight groups to a byte (the Teddy algorithm of Hyperscan): what
//! is marked may be the beginning of one, what is not is none.

#[cfg(target_arch = "x86_64")]
#[path = "vectors.rs"]
mod vectors;

use crate::matcher::wordy;
use crate::{assign, decode, runs};

/// Bytes of a lane.
pub(crate) const LANE: usize = 64;

/// One bit per byte of a text.
#[derive(Default)]
pub(crate) struct Lanes {
    /// Letters, digits, `_` and `-`.
    pub(crate) words: Vec<u64>,
    /// Letters, digits and `_`.
    pub(crate) wordy: Vec<u64>,
    /// What a token may consist of ([`runs::TOKEN`]).
    pub(crate) tokens: Vec<u64>,
    /// What a value without quotes may consist of ([`assign::ends_bare`]).
    pub(crate) solid: Vec<u64>,
    /// What words have not: digits, capitals and `_`.
    pub(crate) odd: Vec<u64>,
    /// Signs of assignments: `=` and `:`.
    pub(crate) signs: Vec<u64>,
    /// Blanks before a dash or before `is`.
    pub(crate) spots: Vec<u64>,
    /// Letters of base 64 by the places in a group of four that they can have where they
    /// encode ASCII ([`decode::can_have_place`]).
    pub(crate) places: [Vec<u64>; 3],
    /// Three bytes of what names of secrets are made of ([`assign::NAMES`]); as `leads`.
    pub(crate) names: Option<Vec<u64>>,
    /// Where one of the literals may begin; `None` if that is not known.
    pub(crate) leads: Option<Vec<u64>>,
    /// As `leads`, for literals that stand in tokens only.
    pub(crate) inner: Option<Vec<u64>>,
}

/// Line ends, and what a terminal does not show: one bit per byte.
#[derive(Default)]
pub(crate) struct Breaks {
    pub(crate) ends: Vec<u64>,
    /// Escapes and carriage returns.
    pub(crate) specials: Vec<u64>,
}

impl Lanes {
    fn clear(&mut self) {
        let Self { words, wordy, tokens, solid, odd, signs, spots, places, names, leads, inner } = self;
        (*names, *leads, *inner) = (None, None, None);
        for bits in [words, wordy, tokens, solid, odd, signs, spots].into_iter().chain(places) {
            bits.clear();
        }
    }
}

/// The first position from `at` on whose bit is 0.
pub(crate) fn end_of_ones(bits: &[u64], at: usize) -> usize {
    let (mut lane, shift) = (at / LANE, at % LANE);
    let Some(first) = bits.get(lane) else { return at };
    let ones = (!(first >> shift)).trailing_zeros() as usize;
    if shift + ones < LANE {
        return at + ones;
    }
    loop {
        lane += 1;
        match bits.get(lane) {
            Some(&u64::MAX) => {}
            Some(bits) => return lane * LANE + bits.trailing_ones() as usize,
            None => return lane * LANE,
        }
    }
}

/// The first position from `at` on whose bit is 1.
pub(crate) fn next_one(bits: &[u64], at: usize) -> Option<usize> {
    let mut lane = at / LANE;
    let mut ones = bits.get(lane)? & u64::MAX << (at % LANE);
    while ones == 0 {
        lane += 1;
        ones = *bits.get(lane)?;
    }
    Some(lane * LANE + ones.trailing_zeros() as usize)
}

/// Places of the ones of a lane.
pub(crate) fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = bits.trailing_zeros() as usize;
        let is_one = bits != 0;
        bits &= bits.wrapping_sub(1);
        is_one.then_some(at)
    })
}

/// So many ones, from the lowest bit on.
pub(crate) fn low(count: usize) -> u64 {
    if count < LANE { (1 << count) - 1 } else { u64::MAX }
}

/// 64 bits from `at` on.
pub(crate) fn from(bits: &[u64], at: usize) -> u64 {
    let (lane, shift) = (at / LANE, at % LANE);
    let low = bits.get(lane).copied().unwrap_or_default() >> shift;
    let high = bits.get(lane + 1).copied().unwrap_or_default();
    if shift == 0 { low } else { low | high << (LANE - shift) }
}

/// The 64 bits before `at`, the last of them highest.
pub(crate) fn before(bits: &[u64], at: usize) -> u64 {
    let (lane, shift) = (at / LANE, at % LANE);
    let low = lane.checked_sub(1).and_then(|lane| bits.get(lane)).copied().unwrap_or_default();
    let high = bits.get(lane).copied().unwrap_or_default();
    if shift == 0 { low } else { low >> shift | high << (LANE - shift) }
}

/// Where the ones that end before `at` begin.
pub(crate) fn start_of_ones(bits: &[u64], at: usize) -> usize {
    let (mut lane, shift) = (at / LANE, at % LANE);
    if shift > 0 {
        let ones = (bits[lane] << (LANE - shift)).leading_ones() as usize;
        if ones < shift {
            return at - ones;
        }
    }
    while lane > 0 {
        lane -= 1;
        if bits[lane] != u64::MAX {
            return (lane + 1) * LANE - bits[lane].leading_ones() as usize;
        }
    }
    0
}

/// Three bytes of a literal and the one behind them, if the literal has it.
pub(crate) type Lead = ([u8; 3], Option<u8>);

/// Tables for the two halves of a byte.
#[derive(Clone, Copy)]
struct Halves {
    low: [u8; 16],
    high: [u8; 16],
}

impl Halves {
    const EMPTY: Self = Self { low: [0; 16], high: [0; 16] };

    /// ASCII bytes that `holds`.
    fn set(holds: impl Fn(u8) -> bool) -> Self {
        let mut tables = Self::EMPTY;
        for byte in (0..128).filter(|byte| holds(*byte)) {
            tables.add(byte, 1 << (byte >> 4));
        }
        tables
    }

    fn add(&mut self, byte: u8, group: u8) {
        self.low[usize::from(byte & 15)] |= group;
        self.high[usize::from(byte >> 4)] |= group;
    }

    /// Adds one of the four bytes of a literal, or all, if it has none there.
    fn add_of(&mut self, (three, fourth): &Lead, at: usize, group: u8) {
        match three.get(at).or(fourth.as_ref()) {
            Some(byte) => self.add(*byte, group),
            None => {
                let Self { low, high } = self;
                low.iter_mut().chain(high).for_each(|groups| *groups |= group);
            }
        }
    }

    /// Groups that may hold `byte`.
    fn of(&self, byte: u8) -> u8 {
        self.low[usize::from(byte & 15)] & self.high[usize::from(byte >> 4)]
    }

    /// The bits of a lane, without vectors.
    fn bits(&self, chunk: &[u8; LANE + 3]) -> u64 {
        chunk.iter().take(LANE).rev().fold(0, |bits, byte| bits << 1 | u64::from(self.of(*byte) != 0))
    }
}

/// Finds kinds of bytes, and where literals may begin.
pub(crate) struct Classifier {
    words: Halves,
    tokens: Halves,
    /// All that is not solid.
    hollow: Halves,
    odd: Halves,
    places: [Halves; 3],
    /// For each of four bytes, eight groups a table.
    leads: [[Halves; 4]; 2],
    inner: [Halves; 4],
    names: [Halves; 3],
    #[cfg(target_arch = "x86_64")]
    vectors: Option<vectors::Vectors>,
}

impl Classifier {
    /// Bytes of each literal: of those that may stand anywhere, and of those that stand in
    /// tokens.
    pub(crate) fn new(everywhere: &[Lead], in_tokens: &[Lead]) -> Self {
        Self {
            words: Halves::set(|byte| runs::is(byte, runs::WORD)),
            tokens: Halves::set(|byte| runs::is(byte, runs::TOKEN)),
            hollow: Halves::set(assign::ends_bare),
            odd: Halves::set(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase() || byte == b'_'),
            places: [0, 1, 2].map(|place| Halves::set(|byte| decode::can_have_place(byte, place))),
            leads: grouped(everywhere),
            inner: grouped::<1>(in_tokens)[0],
            names: names(),
            #[cfg(target_arch = "x86_64")]
            vectors: vectors::Vectors::of_processor(),
        }
    }

    /// The lanes of a text; bits behind its end are 0.
    pub(crate) fn fill(&self, text: &[u8], lanes: &mut Lanes) {
        #[cfg(target_arch = "x86_64")]
        if let Some(vectors) = self.vectors {
            return vectors.fill(self, text, lanes);
        }
        self.fill_slowly(text, lanes);
    }

    /// The line ends and specials of a text; bits behind its end are 0.
    pub(crate) fn breaks(&self, text: &[u8], breaks: &mut Breaks) {
        #[cfg(target_arch = "x86_64")]
        if let Some(vectors) = self.vectors {
            return vectors.breaks(text, breaks);
        }
        breaks.fill_slowly(text);
    }

    /// Without vectors.
    fn fill_slowly(&self, text: &[u8], lanes: &mut Lanes) {
        lanes.clear();
        for chunk in chunks(text) {
            lanes.words.push(self.words.bits(&chunk));
            lanes.wordy.push(bits(&chunk, |three| wordy(three.first())));
            lanes.tokens.push(self.tokens.bits(&chunk));
            lanes.solid.push(!self.hollow.bits(&chunk));
            lanes.odd.push(self.odd.bits(&chunk));
            for (lane, place) in lanes.places.iter_mut().zip(&self.places) {
                lane.push(place.bits(&chunk));
            }
            lanes.signs.push(bits(&chunk, |three| matches!(three[0], b'=' | b':')));
            lanes.spots.push(bits(&chunk, |three| three.starts_with(b" -") || three == b" is"));
        }
    }
}

/// The bits of a lane for what three bytes begin.
fn bits(chunk: &[u8; LANE + 3], holds: impl Fn(&[u8]) -> bool) -> u64 {
    chunk.windows(3).rev().fold(0, |bits, three| bits << 1 | u64::from(holds(three)))
}

impl Breaks {
    fn fill_slowly(&mut self, text: &[u8]) {
        self.ends.clear();
        self.specials.clear();
        for chunk in chunks(text) {
            self.ends.push(bits(&chunk, |three| three[0] == b'\n'));
            self.specials.push(bits(&chunk, |three| matches!(three[0], b'\r' | 0x1b)));
        }
    }
}

/// Tables of four bytes of each literal, for each of them, with eight groups a table.
fn grouped<const TABLES: usize>(leads: &[Lead]) -> [[Halves; 4]; TABLES] {
    // And how often each takes something for its own.
    let mut groups: Vec<(Vec<Lead>, f64)> = vec![(Vec::new(), 0.0); 8 * TABLES];
    let mut shares = [1.0; 128];
    for (share, byte) in shares.iter_mut().zip(0..) {
        *share = 2_f64.powi(commonness(byte) as i32);
    }
    for lead in leads {
        // Where it adds least to that.
        let costs = groups.iter().map(|(group, chance)| {
            let with: Vec<Lead> = group.iter().chain([lead]).copied().collect();
            let with = self::chance(&shares, &with);
            (with - chance, with)
        });
        let best = costs.enumerate().min_by(|(_, (a, _)), (_, (b, _))| a.total_cmp(b));
        if let Some((at, (_, with))) = best {
            groups[at].0.push(*lead);
            groups[at].1 = with;
        }
    }
    let mut tables = [[Halves::EMPTY; 4]; TABLES];
    for (number, (group, _)) in groups.iter().enumerate() {
        for (at, halves) in tables[number / 8].iter_mut().enumerate() {
            group.iter().for_each(|lead| halves.add_of(lead, at, 1 << (number % 8)));
        }
    }
    tables
}

/// Tables of three bytes of each part of a name, in either case.
fn names() -> [Halves; 3] {
    let mut tables = [Halves::EMPTY; 3];
    for (number, part) in assign::name_parts().enumerate() {
        let common = |three: &&[u8]| three.iter().map(|byte| commonness(*byte)).sum::<usize>();
        let Some(three) = part.as_bytes().windows(3).min_by_key(common) else { continue };
        for (table, byte) in tables.iter_mut().zip(three) {
            table.add(byte.to_ascii_lowercase(), 1 << (number % 8));
            table.add(byte.to_ascii_uppercase(), 1 << (number % 8));
        }
    }
    tables
}

/// Every lane of a text and the two bytes behind it.
fn chunks(text: &[u8]) -> impl Iterator<Item = [u8; LANE + 3]> {
    (0..text.len()).step_by(LANE).map(|at| {
        let rest = &text[at..];
        rest.first_chunk().copied().unwrap_or_else(|| {
            let mut last = [0; LANE + 3];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            last
        })
    })
}

/// Characters of run logs by how common they are, each group half as common as the next
/// (two million characters of GitHub Actions logs); what is not here is rarer still.
const COMMONNESS: [&[u8]; 10] = [
    b"!;<?QXZ^}~",
    b"$Y\\{",
    b"*+GHJVWqz|",
    b"&@FIKL`",
    b"\"',=>ABDEMNOPU]",
    b"%()89CRSTjkwx",
    b"01234567[fhvy",
    b"#-/:_bgmp",
    b".acdlnoru",
    b" eist",
];

/// Binary logarithm of how common a byte is, from 0.
pub(crate) fn commonness(byte: u8) -> usize {
    COMMONNESS.iter().position(|group| group.contains(&byte)).unwrap_or_default()
}

/// How often a group takes four bytes for its own: the product of its shares of bytes.
fn chance(shares: &[f64; 128], group: &[Lead]) -> f64 {
    let share = |at: usize| {
        let mut halves = Halves::EMPTY;
        group.iter().for_each(|lead| halves.add_of(lead, at, 1));
        (0..128).filter(|byte| halves.of(*byte) != 0).map(|byte| shares[usize::from(byte)]).sum::<f64>()
    };
    if group.is_empty() { 0.0 } else { (0..4).map(share).product() }
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
