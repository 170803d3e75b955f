//! What kind of byte stands where: one bit per byte, 64 bytes at a time.
//!
//! A byte is looked up by its halves: one table says for each low half which high halves
//! make a byte of the set, one names the bit of each high half (W. Muła, "SIMD-ized
//! checking if a set contains a byte"). Several literals at once are found the same way,
//! by three bytes of each, eight groups to a byte (the Teddy algorithm of Hyperscan): what
//! is marked may be the beginning of one, what is not is none.

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
    /// Where one of the literals may begin; `None` if that is not known.
    pub(crate) leads: Option<Vec<u64>>,
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
}

/// Finds kinds of bytes, and where literals may begin.
pub(crate) struct Classifier {
    words: Halves,
    /// For each of three bytes, eight groups a table.
    triples: [[Halves; 3]; GROUPS / 8],
    #[cfg(target_arch = "x86_64")]
    simd: Option<V3>,
}

impl Classifier {
    /// `triples`: three bytes of each literal, and how common they are in logs.
    pub(crate) fn new(triples: &[[u8; 3]]) -> Self {
        let mut groups: [Vec<[u8; 3]>; GROUPS] = Default::default();
        for triple in triples {
            // Where it adds least to what the group takes for one of its own.
            let cost = |group: &Vec<[u8; 3]>| {
                let with: Vec<[u8; 3]> = group.iter().chain([triple]).copied().collect();
                chance(&with) - chance(group)
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
            words: Halves::set(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'),
            triples: tables,
            #[cfg(target_arch = "x86_64")]
            simd: V3::try_new(),
        }
    }

    /// The lanes of a text; bits behind its end are 0.
    pub(crate) fn fill(&self, text: &[u8], lanes: &mut Lanes) {
        lanes.words.clear();
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = self.simd {
            let leads = lanes.leads.get_or_insert_default();
            leads.clear();
            let words = &mut lanes.words;
            return simd.vectorize(
                #[inline(always)]
                || self.vectors(simd, text, words, leads),
            );
        }
        lanes.leads = None;
        lanes.words.extend(chunks(text).map(|chunk| self.words_of(&chunk)));
    }

    /// The same without vectors.
    fn words_of(&self, chunk: &[u8; LANE + 2]) -> u64 {
        let is_word = |byte: &u8| u64::from(self.words.of(*byte) != 0);
        chunk.iter().take(LANE).rev().fold(0, |bits, byte| bits << 1 | is_word(byte))
    }
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
    use super::{Classifier, Halves, LANE};
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
        pub(super) fn vectors(&self, simd: V3, text: &[u8], words: &mut Vec<u64>, leads: &mut Vec<u64>) {
            let word = Tables::load(&self.words);
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
                let (mut word_bits, mut lead_bits) = (0, 0);
                let mut half = 0;
                while half < LANE {
                    let (one, two) = (bytes(simd, chunk, half), bytes(simd, chunk, half + 1));
                    let three = bytes(simd, chunk, half + 2);
                    let leads = simd.avx2._mm256_or_si256(
                        triple(simd, first, one, two, three),
                        triple(simd, second, one, two, three),
                    );
                    word_bits |= bits(simd, word.of(simd, one)) << half;
                    lead_bits |= bits(simd, leads) << half;
                    half += HALF;
                }
                words.push(word_bits);
                leads.push(lead_bits);
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
fn chance(group: &[[u8; 3]]) -> f64 {
    if group.is_empty() {
        return 0.0;
    }
    (0..3)
        .map(|at| {
            let mut halves = Halves::EMPTY;
            group.iter().for_each(|triple| halves.add(triple[at], 1));
            (0..128)
                .filter(|byte| halves.of(*byte) != 0)
                .map(|byte| 2_f64.powi(commonness(byte) as i32))
                .sum::<f64>()
        })
        .product()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bit(lanes: &[u64], at: usize) -> bool {
        lanes[at / LANE] >> (at % LANE) & 1 != 0
    }

    proptest::proptest! {
        #[test]
        fn bits_are_those_of_single_bytes(text: Vec<u8>, ascii in "[ -~]{0,200}") {
            let triples = [*b"ghp", *b"_tk", *b"://", *b"\xff\x00a"];
            let classifier = Classifier::new(&triples);
            for text in [text.as_slice(), ascii.as_bytes(), b"xghp_tk://\xff\x00a"] {
                let mut lanes = Lanes::default();
                classifier.fill(text, &mut lanes);
                let portable: Vec<u64> = chunks(text).map(|chunk| classifier.words_of(&chunk)).collect();
                proptest::prop_assert_eq!(&lanes.words, &portable);
                for (at, byte) in text.iter().enumerate() {
                    let is_word = byte.is_ascii_alphanumeric() || b"_-".contains(byte);
                    proptest::prop_assert_eq!(bit(&lanes.words, at), is_word);
                    let begins = triples.iter().any(|triple| text[at..].starts_with(triple));
                    proptest::prop_assert!(!begins || lanes.leads.as_ref().is_none_or(|leads| bit(leads, at)));
                }
            }
        }
    }
}
