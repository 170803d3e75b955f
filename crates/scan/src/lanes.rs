//! What kind of byte stands where: one bit per byte, 64 bytes at a time.
//!
//! A byte is looked up by its halves: one table says for each low half which high halves
//! make a byte of the set, one names the bit of each high half (W. Muła, "SIMD-ized
//! checking if a set contains a byte"). Several literals at once are found the same way,
//! by three bytes of each, eight groups to a byte (the Teddy algorithm of Hyperscan): what
//! is marked may be the beginning of one, what is not is none.

use crate::{assign, runs};
#[cfg(target_arch = "x86_64")]
use pulp::x86::V3;

/// Bytes of a lane.
pub(crate) const LANE: usize = 64;
/// Groups of literals.
const GROUPS: usize = 16;

/// One bit per byte of a text.
#[derive(Default)]
pub(crate) struct Lanes {
    /// Letters, digits, `_` and `-`.
    pub(crate) words: Vec<u64>,
    /// What a token may consist of ([`runs::TOKEN`]).
    pub(crate) tokens: Vec<u64>,
    /// What a value without quotes may consist of ([`assign::ends_bare`]).
    pub(crate) solid: Vec<u64>,
    /// Three bytes of what names of secrets are made of ([`assign::NAMES`]); as `leads`.
    pub(crate) names: Option<Vec<u64>>,
    /// Where one of the literals may begin; `None` if that is not known.
    pub(crate) leads: Option<Vec<u64>>,
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

/// 64 bits from `at` on.
pub(crate) fn from(bits: &[u64], at: usize) -> u64 {
    let (lane, shift) = (at / LANE, at % LANE);
    let low = bits.get(lane).copied().unwrap_or_default() >> shift;
    let high = bits.get(lane + 1).copied().unwrap_or_default();
    if shift == 0 { low } else { low | high << (LANE - shift) }
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

    /// Groups that may hold `byte`.
    fn of(&self, byte: u8) -> u8 {
        self.low[usize::from(byte & 15)] & self.high[usize::from(byte >> 4)]
    }

    /// The bits of a lane, without vectors.
    fn bits(&self, chunk: &[u8; LANE + 2]) -> u64 {
        chunk.iter().take(LANE).rev().fold(0, |bits, byte| bits << 1 | u64::from(self.of(*byte) != 0))
    }
}

/// Finds kinds of bytes, and where literals may begin.
pub(crate) struct Classifier {
    words: Halves,
    tokens: Halves,
    /// All that is not solid.
    hollow: Halves,
    /// For each of three bytes, eight groups a table.
    triples: [[Halves; 3]; GROUPS / 8],
    names: [Halves; 3],
    #[cfg(target_arch = "x86_64")]
    simd: Option<V3>,
}

impl Classifier {
    /// `triples`: three bytes of each literal, and how common they are in logs.
    pub(crate) fn new(triples: &[[u8; 3]]) -> Self {
        let mut groups: [Vec<[u8; 3]>; GROUPS] = Default::default();
        let mut shares = [1.0; 128];
        for (share, byte) in shares.iter_mut().zip(0..) {
            *share = 2_f64.powi(commonness(byte) as i32);
        }
        for triple in triples {
            // Where it adds least to what the group takes for one of its own.
            let cost = |group: &Vec<[u8; 3]>| {
                let with: Vec<[u8; 3]> = group.iter().chain([triple]).copied().collect();
                chance(&shares, &with) - chance(&shares, group)
            };
            if let Some(best) = groups.iter_mut().min_by(|a, b| cost(a).total_cmp(&cost(b))) {
                best.push(*triple);
            }
        }
        let mut tables = [[Halves::EMPTY; 3]; GROUPS / 8];
        for (number, group) in groups.iter().enumerate() {
            for triple in group {
                for (table, byte) in tables[number / 8].iter_mut().zip(triple) {
                    table.add(*byte, 1 << (number % 8));
                }
            }
        }
        Self {
            words: Halves::set(|byte| runs::is(byte, runs::WORD)),
            tokens: Halves::set(|byte| runs::is(byte, runs::TOKEN)),
            hollow: Halves::set(assign::ends_bare),
            triples: tables,
            names: names(),
            #[cfg(target_arch = "x86_64")]
            simd: V3::try_new(),
        }
    }

    /// The lanes of a text; bits behind its end are 0.
    pub(crate) fn fill(&self, text: &[u8], lanes: &mut Lanes) {
        lanes.words.clear();
        lanes.tokens.clear();
        lanes.solid.clear();
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = self.simd {
            lanes.leads.get_or_insert_default().clear();
            lanes.names.get_or_insert_default().clear();
            return simd.vectorize(
                #[inline(always)]
                || self.vectors(simd, text, lanes),
            );
        }
        lanes.leads = None;
        lanes.names = None;
        for chunk in chunks(text) {
            lanes.words.push(self.words.bits(&chunk));
            lanes.tokens.push(self.tokens.bits(&chunk));
            lanes.solid.push(!self.hollow.bits(&chunk));
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

/// Every lane of a text and the two bytes behind it.
fn chunks(text: &[u8]) -> impl Iterator<Item = [u8; LANE + 2]> {
    (0..text.len()).step_by(LANE).map(|at| {
        let rest = &text[at..];
        rest.first_chunk().copied().unwrap_or_else(|| {
            let mut last = [0; LANE + 2];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            last
        })
    })
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use super::{Classifier, Halves, LANE, Lanes};
    use pulp::x86::V3;
    use std::arch::x86_64::__m256i;

    /// Bytes of a vector.
    const HALF: usize = LANE / 2;

    #[derive(Clone, Copy)]
    struct Tables {
        low: __m256i,
        high: __m256i,
    }

    impl Tables {
        #[inline(always)]
        fn load(halves: &Halves) -> Self {
            Self { low: pulp::cast([halves.low; 2]), high: pulp::cast([halves.high; 2]) }
        }

        /// Groups that may hold each byte.
        #[inline(always)]
        fn of(self, simd: V3, bytes: Bytes) -> __m256i {
            let low = simd.avx2._mm256_shuffle_epi8(self.low, bytes.low);
            simd.avx2._mm256_and_si256(low, simd.avx2._mm256_shuffle_epi8(self.high, bytes.high))
        }
    }

    /// Halves of 32 bytes.
    #[derive(Clone, Copy)]
    struct Bytes {
        low: __m256i,
        high: __m256i,
    }

    #[inline(always)]
    fn bytes(simd: V3, chunk: &[u8; LANE + 2], at: usize) -> Bytes {
        let Some(bytes) = chunk[at..].first_chunk::<HALF>() else { unreachable!() };
        let bytes: __m256i = pulp::cast(*bytes);
        let mask = simd.avx._mm256_set1_epi8(15);
        Bytes {
            low: simd.avx2._mm256_and_si256(bytes, mask),
            high: simd.avx2._mm256_and_si256(simd.avx2._mm256_srli_epi16::<4>(bytes), mask),
        }
    }

    /// One bit per byte that is not 0.
    #[inline(always)]
    fn bits(simd: V3, bytes: __m256i) -> u64 {
        let is_zero = simd.avx2._mm256_cmpeq_epi8(bytes, simd.avx._mm256_setzero_si256());
        u64::from(!simd.avx2._mm256_movemask_epi8(is_zero).cast_unsigned())
    }

    /// Groups that may hold three bytes beginning at each of 32.
    #[inline(always)]
    fn triple(simd: V3, tables: [Tables; 3], one: Bytes, two: Bytes, three: Bytes) -> __m256i {
        let both = simd.avx2._mm256_and_si256(tables[0].of(simd, one), tables[1].of(simd, two));
        simd.avx2._mm256_and_si256(both, tables[2].of(simd, three))
    }

    #[inline(always)]
    fn load(halves: &[Halves; 3]) -> [Tables; 3] {
        [Tables::load(&halves[0]), Tables::load(&halves[1]), Tables::load(&halves[2])]
    }

    impl Classifier {
        // Closures would be compiled for processors without vectors, so there are none.
        #[inline(always)]
        pub(super) fn vectors(&self, simd: V3, text: &[u8], lanes: &mut Lanes) {
            let (word, token) = (Tables::load(&self.words), Tables::load(&self.tokens));
            let (hollow, names) = (Tables::load(&self.hollow), load(&self.names));
            let (first, second) = (load(&self.triples[0]), load(&self.triples[1]));
            let mut at = 0;
            let mut last;
            while at < text.len() {
                let rest = &text[at..];
                let chunk = match rest.first_chunk() {
                    Some(chunk) => chunk,
                    None => {
                        last = [0; LANE + 2];
                        last[..rest.len()].copy_from_slice(rest);
                        &last
                    }
                };
                let (mut word_bits, mut token_bits, mut hollow_bits) = (0, 0, 0);
                let (mut lead_bits, mut name_bits) = (0, 0);
                let mut half = 0;
                while half < LANE {
                    let (one, two) = (bytes(simd, chunk, half), bytes(simd, chunk, half + 1));
                    let three = bytes(simd, chunk, half + 2);
                    let leads = simd.avx2._mm256_or_si256(
                        triple(simd, first, one, two, three),
                        triple(simd, second, one, two, three),
                    );
                    word_bits |= bits(simd, word.of(simd, one)) << half;
                    token_bits |= bits(simd, token.of(simd, one)) << half;
                    hollow_bits |= bits(simd, hollow.of(simd, one)) << half;
                    lead_bits |= bits(simd, leads) << half;
                    name_bits |= bits(simd, triple(simd, names, one, two, three)) << half;
                    half += HALF;
                }
                lanes.words.push(word_bits);
                lanes.tokens.push(token_bits);
                lanes.solid.push(!hollow_bits);
                if let (Some(leads), Some(names)) = (&mut lanes.leads, &mut lanes.names) {
                    leads.push(lead_bits);
                    names.push(name_bits);
                }
                at += LANE;
            }
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

/// How often a group takes three bytes for its own: the product of its shares of bytes.
fn chance(shares: &[f64; 128], group: &[[u8; 3]]) -> f64 {
    let share = |at: usize| {
        let mut halves = Halves::EMPTY;
        group.iter().for_each(|triple| halves.add(triple[at], 1));
        (0..128).filter(|byte| halves.of(*byte) != 0).map(|byte| shares[usize::from(byte)]).sum::<f64>()
    };
    if group.is_empty() { 0.0 } else { (0..3).map(share).product() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bit(lanes: &[u64], at: usize) -> bool {
        lanes[at / LANE] >> (at % LANE) & 1 != 0
    }

    proptest::proptest! {
        #[test]
        fn bits_are_those_of_single_bytes(
            text: Vec<u8>,
            ascii in "([ -~]{0,40}(PassWord|api-key|TOKEN|value)?){0,4}",
        ) {
            let triples = [*b"ghp", *b"_tk", *b"://", *b"\xff\x00a"];
            let classifier = Classifier::new(&triples);
            for text in [text.as_slice(), ascii.as_bytes(), b"xghp_tk://\xff\x00a"] {
                let mut lanes = Lanes::default();
                classifier.fill(text, &mut lanes);
                let portable: Vec<u64> = chunks(text).map(|chunk| classifier.words.bits(&chunk)).collect();
                proptest::prop_assert_eq!(&lanes.words, &portable);
                for (at, byte) in text.iter().enumerate() {
                    let is_word = byte.is_ascii_alphanumeric() || b"_-".contains(byte);
                    proptest::prop_assert_eq!(bit(&lanes.words, at), is_word);
                    proptest::prop_assert_eq!(bit(&lanes.tokens, at), runs::is(*byte, runs::TOKEN));
                    proptest::prop_assert_eq!(bit(&lanes.solid, at), !assign::ends_bare(*byte));
                    proptest::prop_assert_eq!(from(&lanes.words, at) & 1 != 0, is_word);
                    let named = |part: &str| {
                        text[at..].get(..part.len()).is_some_and(|there| there.eq_ignore_ascii_case(part.as_bytes()))
                    };
                    if let (Some(names), true) = (&lanes.names, assign::name_parts().any(named)) {
                        proptest::prop_assert!(from(names, at) & 0xfff != 0);
                    }
                    let run = runs::leading(&text[at..], runs::WORD);
                    proptest::prop_assert_eq!(end_of_ones(&lanes.words, at), at + run);
                    let run = runs::trailing(&text[..at], runs::WORD);
                    proptest::prop_assert_eq!(start_of_ones(&lanes.words, at), at - run);
                    let begins = triples.iter().any(|triple| text[at..].starts_with(triple));
                    proptest::prop_assert!(!begins || lanes.leads.as_ref().is_none_or(|leads| bit(leads, at)));
                }
            }
        }
    }
}
