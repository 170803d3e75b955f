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
use pulp::NullaryFnOnce;

/// Bytes of a lane.
pub(crate) const LANE: usize = 64;

/// One bit per byte of a text.
#[derive(Default)]
pub(crate) struct Lanes {
    /// Letters, digits, `_` and `-`.
    pub(crate) words: Vec<u64>,
    /// Letters, digits and `_`.
    pub(crate) wordy: Vec<u64>,
    /// Letters of base 64: words, `+` and `/`.
    pub(crate) letters: Vec<u64>,
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
    /// Where three letters of base 64 begin that can be the first of a group of four that
    /// encodes ASCII ([`decode::can_have_place`]).
    pub(crate) triples: Vec<u64>,
    /// What names may consist of: words and dots.
    pub(crate) named: Vec<u64>,
    /// What may stand between a name and its sign: quotes, backslashes, blanks.
    pub(crate) soft: Vec<u64>,
    /// Percent signs and backslashes.
    pub(crate) escapes: Vec<u64>,
    /// Three bytes of what names of secrets are made of; as `leads`.
    pub(crate) names: Option<Vec<u64>>,
    /// Where one of the literals may begin; `None` if that is not known.
    pub(crate) leads: Option<Vec<u64>>,
    /// As `leads`, for literals that stand in tokens only.
    pub(crate) inner: Option<Vec<u64>>,
    /// Signs that may have a secret's name before them; known when
    /// [`crate::assign::Assignments`] were looked for.
    pub(crate) announcing: Vec<u64>,
}

/// Line ends, and what a terminal does not show: one bit per byte.
#[derive(Default)]
pub(crate) struct Breaks {
    pub(crate) ends: Vec<u64>,
    /// Escapes and carriage returns.
    pub(crate) specials: Vec<u64>,
}

/// Runs what takes most of a scan's time compiled for this processor: bits are counted and
/// shifted in half as many steps. Only what is inlined in `op` gains by it, so `call` and
/// what it calls are always inlined.
#[inline]
pub(crate) fn compiled_for_processor<Op: NullaryFnOnce>(op: Op) -> Op::Output {
    #[cfg(target_arch = "x86_64")]
    if let Some(vectors) = vectors::Vectors::of_processor() {
        return vectors.run(op);
    }
    op.call()
}

/// The first position from `at` on whose bit is 0.
#[inline(always)]
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
#[inline(always)]
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
#[inline(always)]
pub(crate) fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = bits.trailing_zeros() as usize;
        let is_one = bits != 0;
        bits &= bits.wrapping_sub(1);
        is_one.then_some(at)
    })
}

/// Places of the ones of all lanes.
#[inline(always)]
pub(crate) fn all_ones(lanes: &[u64]) -> impl Iterator<Item = usize> {
    lanes.iter().enumerate().flat_map(|(lane, bits)| ones(*bits).map(move |bit| lane * LANE + bit))
}

/// Where eight ones begin.
#[inline(always)]
pub(crate) fn eights(bits: u64) -> u64 {
    [1, 2, 4].into_iter().fold(bits, |begin, step| begin & begin >> step)
}

/// Those ones that stand among eight.
#[inline(always)]
pub(crate) fn among_eight(bits: u64) -> u64 {
    [1, 2, 4].into_iter().fold(eights(bits), |all, step| all | all << step)
}

/// Places in a span, so many bytes from one to the next: without the division that knows
/// beforehand how many.
#[inline(always)]
pub(crate) fn strides(span: std::ops::Range<usize>, bytes: usize) -> impl Iterator<Item = usize> {
    let mut next = span.start;
    std::iter::from_fn(move || {
        let at = next;
        next += bytes;
        (at < span.end).then_some(at)
    })
}

/// So many ones, from the lowest bit on.
#[inline(always)]
pub(crate) fn low(count: usize) -> u64 {
    if count < LANE { (1 << count) - 1 } else { u64::MAX }
}

/// 64 bits from `at` on.
#[inline(always)]
pub(crate) fn from(bits: &[u64], at: usize) -> u64 {
    let (lane, shift) = (at / LANE, at % LANE);
    let (low, high) = match bits.get(lane..lane + 2) {
        Some([low, high]) => (*low, *high),
        _ => (bits.get(lane).copied().unwrap_or_default(), 0),
    };
    low >> shift | high << 1 << (LANE - 1 - shift)
}

/// The 64 bits before `at`, the last of them highest.
#[inline(always)]
pub(crate) fn before(bits: &[u64], at: usize) -> u64 {
    match at.checked_sub(LANE) {
        Some(at) => from(bits, at),
        None => bits.first().map_or(0, |bits| bits.checked_shl((LANE - at) as u32).unwrap_or_default()),
    }
}

/// Where the ones that end before `at` begin.
#[inline(always)]
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
    /// The bit of each high half of ASCII in [`Self::set`].
    const HIGH: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0];

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
    fn add_of(&mut self, lead: &Lead, at: usize, group: u8) {
        match byte_of(lead, at) {
            Some(byte) => self.add(byte, group),
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

/// A set of ASCII bytes.
pub(crate) struct ByteSet(Halves);

impl ByteSet {
    pub(crate) fn of(holds: impl Fn(u8) -> bool) -> Self {
        Self(Halves::set(holds))
    }

    /// One bit for each byte of the set; bits behind the end are those of zeros.
    pub(crate) fn lanes(&self, text: &[u8], bits: &mut Vec<u64>) {
        #[cfg(target_arch = "x86_64")]
        if let Some(vectors) = vectors::Vectors::of_processor() {
            return vectors.bytes(&self.0, text, bits);
        }
        bits.clear();
        bits.extend(chunks(text).map(|chunk| self.0.bits(&chunk)));
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
    soft: Halves,
    /// For each of four bytes, eight groups a table.
    leads: [[Halves; 4]; 3],
    inner: [[Halves; 4]; 2],
    names: [Halves; 3],
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
            soft: Halves::set(assign::is_soft),
            places: [0, 1, 2].map(|place| Halves::set(|byte| decode::can_have_place(byte, place))),
            leads: grouped(everywhere),
            inner: grouped(in_tokens),
            names: names(),
        }
    }

    /// The lanes of a text; bits behind its end are 0.
    pub(crate) fn fill(&self, text: &[u8], lanes: &mut Lanes) {
        #[cfg(target_arch = "x86_64")]
        if let Some(vectors) = vectors::Vectors::of_processor() {
            return vectors.fill(self, text, lanes);
        }
        self.fill_slowly(text, lanes);
    }

    /// The line ends and specials of a text; bits behind its end are 0.
    pub(crate) fn breaks(&self, text: &[u8], breaks: &mut Breaks) {
        #[cfg(target_arch = "x86_64")]
        if let Some(vectors) = vectors::Vectors::of_processor() {
            return vectors.breaks(text, breaks);
        }
        breaks.fill_slowly(text);
    }

    /// Without vectors.
    fn fill_slowly(&self, text: &[u8], lanes: &mut Lanes) {
        *lanes = Lanes::default();
        for chunk in chunks(text) {
            lanes.words.push(self.words.bits(&chunk));
            lanes.wordy.push(bits(&chunk, |three| wordy(three.first())));
            lanes.letters.push(bits(&chunk, |three| runs::is(three[0], runs::BASE64)));
            lanes.tokens.push(self.tokens.bits(&chunk));
            lanes.solid.push(!self.hollow.bits(&chunk));
            lanes.odd.push(self.odd.bits(&chunk));
            let may_begin =
                |three: &[u8]| (0..).zip(three).all(|(place, letter)| decode::can_have_place(*letter, place));
            lanes.triples.push(bits(&chunk, may_begin));
            lanes.named.push(bits(&chunk, |three| runs::is(three[0], runs::WORD) || three[0] == b'.'));
            lanes.soft.push(self.soft.bits(&chunk));
            lanes.escapes.push(bits(&chunk, |three| matches!(three[0], b'%' | b'\\')));
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
    let mut shares = [0.0; 128];
    for (share, byte) in shares.iter_mut().zip(0..) {
        *share = 2_f64.powi(commonness(byte) as i32);
    }
    let mut groups = vec![[Group::default(); 4]; 8 * TABLES];
    let mut tables = [[Halves::EMPTY; 4]; TABLES];
    for lead in leads {
        let bytes = [0, 1, 2, 3].map(|at| byte_of(lead, at).filter(u8::is_ascii));
        // Where it adds least to what the group takes for its own.
        let cost = |group: &[Group; 4]| {
            let with = group.iter().zip(bytes).map(|(group, byte)| group.with(byte, &shares));
            with.product::<f64>() - group.iter().map(|bytes| bytes.share).product::<f64>()
        };
        let costs = groups.iter().map(cost).enumerate();
        if let Some((number, _)) = costs.min_by(|(_, a), (_, b)| a.total_cmp(b)) {
            groups[number].iter_mut().zip(bytes).for_each(|(group, byte)| group.add(byte, &shares));
            for (at, halves) in tables[number / 8].iter_mut().enumerate() {
                halves.add_of(lead, at, 1 << (number % 8));
            }
        }
    }
    tables
}

/// One of the bytes of a literal, if it has so many.
fn byte_of((three, fourth): &Lead, at: usize) -> Option<u8> {
    three.get(at).copied().or(*fourth)
}

/// Bytes that a group takes for one of its own: each low half with each high one.
#[derive(Clone, Copy, Default)]
struct Group {
    low: u16,
    high: u8,
    /// How common they are.
    share: f64,
    /// How common those would be that another low half adds, and another high one.
    lows: [f64; 16],
    highs: [f64; 8],
}

impl Group {
    /// How common its bytes are with one more, or with all.
    fn with(&self, byte: Option<u8>, shares: &[f64; 128]) -> f64 {
        let Some(byte) = byte else { return shares.iter().sum() };
        let (low, high) = (usize::from(byte & 15), usize::from(byte >> 4));
        match (self.low >> low & 1 != 0, self.high >> high & 1 != 0) {
            (true, true) => self.share,
            (false, true) => self.share + self.lows[low],
            (true, false) => self.share + self.highs[high],
            (false, false) => self.share + self.lows[low] + self.highs[high] + shares[usize::from(byte)],
        }
    }

    fn add(&mut self, byte: Option<u8>, shares: &[f64; 128]) {
        self.share = self.with(byte, shares);
        let Some(byte) = byte else {
            (self.low, self.high) = (u16::MAX, u8::MAX);
            return;
        };
        let (low, high) = (byte & 15, byte >> 4);
        let share = |low: u8, high: u8| shares[usize::from(high << 4 | low)];
        if self.low >> low & 1 == 0 {
            self.low |= 1 << low;
            self.highs.iter_mut().zip(0..).for_each(|(sum, high)| *sum += share(low, high));
        }
        if self.high >> high & 1 == 0 {
            self.high |= 1 << high;
            self.lows.iter_mut().zip(0..).for_each(|(sum, low)| *sum += share(low, high));
        }
    }
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

/// Every lane of a text and the three bytes behind it.
fn chunks(text: &[u8]) -> impl Iterator<Item = [u8; LANE + 3]> {
    (0..text.len().div_ceil(LANE)).map(|lane| *chunk(text, lane, &mut [0; LANE + 3]))
}

/// The bytes from a lane's beginning on; zeros, put into `last`, behind the end of the text.
#[inline(always)]
fn chunk<'t, const BYTES: usize>(text: &'t [u8], lane: usize, last: &'t mut [u8; BYTES]) -> &'t [u8; BYTES] {
    let rest = &text[lane * LANE..];
    match rest.first_chunk() {
        Some(chunk) => chunk,
        None => {
            *last = [0; BYTES];
            last[..rest.len()].copy_from_slice(rest);
            last
        }
    }
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

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
