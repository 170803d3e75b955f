//! [`Classifier::fill`] with the vectors of a processor.

use super::{Breaks, Classifier, Halves, LANE, Lanes};
use pulp::x86::{V3, V4};
use std::arch::x86_64::{__m256i, __m512i};

/// What the processor has.
#[derive(Clone, Copy)]
pub(super) enum Vectors {
    /// AVX-512 with bytes.
    V4(V4),
    /// AVX2.
    V3(V3),
}

impl Vectors {
    pub(super) fn of_processor() -> Option<Self> {
        Self::all().next()
    }

    /// All that the processor has, the widest first.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        V4::try_new().map(Self::V4).into_iter().chain(V3::try_new().map(Self::V3))
    }

    pub(super) fn breaks(self, text: &[u8], breaks: &mut Breaks) {
        match self {
            Self::V4(simd) => simd.vectorize(
                #[inline(always)]
                || fill_breaks(simd, text, breaks),
            ),
            Self::V3(simd) => simd.vectorize(
                #[inline(always)]
                || fill_breaks(simd, text, breaks),
            ),
        }
    }

    pub(super) fn fill(self, classifier: &Classifier, text: &[u8], lanes: &mut Lanes) {
        match self {
            Self::V4(simd) => simd.vectorize(
                #[inline(always)]
                || fill(simd, classifier, text, lanes),
            ),
            Self::V3(simd) => simd.vectorize(
                #[inline(always)]
                || fill(simd, classifier, text, lanes),
            ),
        }
    }
}

/// A lane in the registers of a processor. All is inlined where its vectors are on:
/// elsewhere it would be compiled without them, as closures are.
trait Wide: Copy {
    type Bytes: Copy;
    fn load(self, bytes: &[u8; LANE]) -> Self::Bytes;
    /// The same 16 bytes again and again.
    fn table(self, bytes: [u8; 16]) -> Self::Bytes;
    fn and(self, one: Self::Bytes, other: Self::Bytes) -> Self::Bytes;
    fn or(self, one: Self::Bytes, other: Self::Bytes) -> Self::Bytes;
    /// The upper half of each byte, below other bits.
    fn shifted(self, bytes: Self::Bytes) -> Self::Bytes;
    /// Of a table, by places from 0 to 15.
    fn look_up(self, table: Self::Bytes, places: Self::Bytes) -> Self::Bytes;
    /// One bit per byte that is not 0.
    fn bits(self, bytes: Self::Bytes) -> u64;
    fn equal(self, bytes: Self::Bytes, to: Self::Bytes) -> u64;
}

impl Wide for V4 {
    type Bytes = __m512i;

    #[inline(always)]
    fn load(self, bytes: &[u8; LANE]) -> __m512i {
        pulp::cast(*bytes)
    }

    #[inline(always)]
    fn table(self, bytes: [u8; 16]) -> __m512i {
        pulp::cast([bytes; 4])
    }

    #[inline(always)]
    fn and(self, one: __m512i, other: __m512i) -> __m512i {
        self.avx512f._mm512_and_si512(one, other)
    }

    #[inline(always)]
    fn or(self, one: __m512i, other: __m512i) -> __m512i {
        self.avx512f._mm512_or_si512(one, other)
    }

    #[inline(always)]
    fn shifted(self, bytes: __m512i) -> __m512i {
        self.avx512bw._mm512_srli_epi16::<4>(bytes)
    }

    #[inline(always)]
    fn look_up(self, table: __m512i, places: __m512i) -> __m512i {
        self.avx512bw._mm512_shuffle_epi8(table, places)
    }

    #[inline(always)]
    fn bits(self, bytes: __m512i) -> u64 {
        self.avx512bw._mm512_test_epi8_mask(bytes, bytes)
    }

    #[inline(always)]
    fn equal(self, bytes: __m512i, to: __m512i) -> u64 {
        self.avx512bw._mm512_cmpeq_epi8_mask(bytes, to)
    }
}

impl Wide for V3 {
    type Bytes = [__m256i; 2];

    #[inline(always)]
    fn load(self, bytes: &[u8; LANE]) -> [__m256i; 2] {
        pulp::cast(*bytes)
    }

    #[inline(always)]
    fn table(self, bytes: [u8; 16]) -> [__m256i; 2] {
        pulp::cast([bytes; 4])
    }

    #[inline(always)]
    fn and(self, one: [__m256i; 2], other: [__m256i; 2]) -> [__m256i; 2] {
        [self.avx2._mm256_and_si256(one[0], other[0]), self.avx2._mm256_and_si256(one[1], other[1])]
    }

    #[inline(always)]
    fn or(self, one: [__m256i; 2], other: [__m256i; 2]) -> [__m256i; 2] {
        [self.avx2._mm256_or_si256(one[0], other[0]), self.avx2._mm256_or_si256(one[1], other[1])]
    }

    #[inline(always)]
    fn shifted(self, bytes: [__m256i; 2]) -> [__m256i; 2] {
        [self.avx2._mm256_srli_epi16::<4>(bytes[0]), self.avx2._mm256_srli_epi16::<4>(bytes[1])]
    }

    #[inline(always)]
    fn look_up(self, table: [__m256i; 2], places: [__m256i; 2]) -> [__m256i; 2] {
        let low = self.avx2._mm256_shuffle_epi8(table[0], places[0]);
        [low, self.avx2._mm256_shuffle_epi8(table[1], places[1])]
    }

    #[inline(always)]
    fn bits(self, bytes: [__m256i; 2]) -> u64 {
        !self.equal(bytes, [self.avx._mm256_setzero_si256(); 2])
    }

    #[inline(always)]
    fn equal(self, bytes: [__m256i; 2], to: [__m256i; 2]) -> u64 {
        let low = self.avx2._mm256_movemask_epi8(self.avx2._mm256_cmpeq_epi8(bytes[0], to[0]));
        let high = self.avx2._mm256_movemask_epi8(self.avx2._mm256_cmpeq_epi8(bytes[1], to[1]));
        u64::from(low.cast_unsigned()) | u64::from(high.cast_unsigned()) << 32
    }
}

/// [`Halves`] in registers.
#[derive(Clone, Copy)]
struct Tables<W: Wide> {
    low: W::Bytes,
    high: W::Bytes,
}

impl<W: Wide> Tables<W> {
    #[inline(always)]
    fn load(simd: W, halves: &Halves) -> Self {
        Self { low: simd.table(halves.low), high: simd.table(halves.high) }
    }

    #[inline(always)]
    fn load_four(simd: W, [one, two, three, four]: &[Halves; 4]) -> [Self; 4] {
        [Self::load(simd, one), Self::load(simd, two), Self::load(simd, three), Self::load(simd, four)]
    }

    #[inline(always)]
    fn load_three(simd: W, halves: &[Halves; 3]) -> [Self; 3] {
        [Self::load(simd, &halves[0]), Self::load(simd, &halves[1]), Self::load(simd, &halves[2])]
    }

    /// Groups that may hold each byte.
    #[inline(always)]
    fn of(self, simd: W, bytes: &Cut<W>) -> W::Bytes {
        simd.and(simd.look_up(self.low, bytes.low), simd.look_up(self.high, bytes.high))
    }
}

/// Bytes and their halves.
struct Cut<W: Wide> {
    whole: W::Bytes,
    low: W::Bytes,
    high: W::Bytes,
}

impl<W: Wide> Cut<W> {
    #[inline(always)]
    fn load(simd: W, chunk: &[u8; LANE + 3], at: usize) -> Self {
        let Some(bytes) = chunk[at..].first_chunk() else { unreachable!() };
        let (whole, half) = (simd.load(bytes), simd.table([15; 16]));
        Self { whole, low: simd.and(whole, half), high: simd.and(simd.shifted(whole), half) }
    }

    #[inline(always)]
    fn is(&self, simd: W, byte: u8) -> u64 {
        simd.equal(self.whole, simd.table([byte; 16]))
    }
}

/// Groups that may hold three bytes beginning at each place.
#[inline(always)]
fn groups<W: Wide>(simd: W, tables: [Tables<W>; 3], cut: &[Cut<W>; 4]) -> W::Bytes {
    let both = simd.and(tables[0].of(simd, &cut[0]), tables[1].of(simd, &cut[1]));
    simd.and(both, tables[2].of(simd, &cut[2]))
}

/// The same for four bytes.
#[inline(always)]
fn groups_of_four<W: Wide>(simd: W, [one, two, three, four]: [Tables<W>; 4], cut: &[Cut<W>; 4]) -> W::Bytes {
    simd.and(groups(simd, [one, two, three], cut), four.of(simd, &cut[3]))
}

#[inline(always)]
fn fill<W: Wide>(simd: W, classifier: &Classifier, text: &[u8], lanes: &mut Lanes) {
    let Lanes {
        words,
        wordy,
        tokens,
        solid,
        odd,
        signs,
        spots,
        places: [one, two, three],
        names,
        leads,
        inner,
    } = lanes;
    let (names, leads) = (names.get_or_insert_default(), leads.get_or_insert_default());
    let inner = inner.get_or_insert_default();
    let count = text.len().div_ceil(LANE);
    for bits in [&mut *words, wordy, tokens, solid, odd, signs, spots, one, two, three, names, leads, inner] {
        bits.resize(count, 0);
    }
    let classes = words.iter_mut().zip(wordy).zip(tokens).zip(solid).zip(odd);
    let places = one.iter_mut().zip(two).zip(three);
    let marks = signs.iter_mut().zip(spots).zip(names).zip(leads).zip(inner);
    let word = Tables::load(simd, &classifier.words);
    let token = Tables::load(simd, &classifier.tokens);
    let hollow = Tables::load(simd, &classifier.hollow);
    let unusual = Tables::load(simd, &classifier.odd);
    let place = Tables::load_three(simd, &classifier.places);
    let name = Tables::load_three(simd, &classifier.names);
    let first = Tables::load_four(simd, &classifier.leads[0]);
    let second = Tables::load_four(simd, &classifier.leads[1]);
    let third = Tables::load_four(simd, &classifier.inner);
    let mut last;
    for (index, ((classes, marks), places)) in classes.zip(marks).zip(places).enumerate() {
        let ((one, two), three) = places;
        let ((((words, wordy), tokens), solid), odd) = classes;
        let ((((signs, spots), names), leads), inner) = marks;
        let rest = &text[index * LANE..];
        let chunk = match rest.first_chunk() {
            Some(chunk) => chunk,
            None => {
                last = [0; LANE + 3];
                last[..rest.len()].copy_from_slice(rest);
                &last
            }
        };
        let cut = [
            Cut::load(simd, chunk, 0),
            Cut::load(simd, chunk, 1),
            Cut::load(simd, chunk, 2),
            Cut::load(simd, chunk, 3),
        ];
        *one = simd.bits(place[0].of(simd, &cut[0]));
        *two = simd.bits(place[1].of(simd, &cut[0]));
        *three = simd.bits(place[2].of(simd, &cut[0]));
        *words = simd.bits(word.of(simd, &cut[0]));
        *wordy = *words & !cut[0].is(simd, b'-');
        *tokens = simd.bits(token.of(simd, &cut[0]));
        *solid = !simd.bits(hollow.of(simd, &cut[0]));
        *odd = simd.bits(unusual.of(simd, &cut[0]));
        *signs = cut[0].is(simd, b'=') | cut[0].is(simd, b':');
        let is_behind = cut[1].is(simd, b'i') & cut[2].is(simd, b's');
        *spots = cut[0].is(simd, b' ') & (cut[1].is(simd, b'-') | is_behind);
        *names = simd.bits(groups(simd, name, &cut));
        *inner = simd.bits(groups_of_four(simd, third, &cut));
        let either = simd.or(groups_of_four(simd, first, &cut), groups_of_four(simd, second, &cut));
        *leads = simd.bits(either);
    }
}

#[inline(always)]
fn fill_breaks<W: Wide>(simd: W, text: &[u8], breaks: &mut Breaks) {
    let Breaks { ends, specials } = breaks;
    let count = text.len().div_ceil(LANE);
    ends.resize(count, 0);
    specials.resize(count, 0);
    let mut last;
    for (index, (ends, specials)) in ends.iter_mut().zip(specials).enumerate() {
        let rest = &text[index * LANE..];
        let chunk = match rest.first_chunk() {
            Some(chunk) => chunk,
            None => {
                last = [0; LANE];
                last[..rest.len()].copy_from_slice(rest);
                &last
            }
        };
        let bytes = simd.load(chunk);
        *ends = simd.equal(bytes, simd.table([b'\n'; 16]));
        let returns = simd.equal(bytes, simd.table([b'\r'; 16]));
        *specials = returns | simd.equal(bytes, simd.table([0x1b; 16]));
    }
}
