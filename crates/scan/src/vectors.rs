//! [`Classifier::fill`] with the vectors of a processor.

use super::{Breaks, Classifier, Halves, LANE, Lanes, chunk};
use pulp::NullaryFnOnce;
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
    #[inline]
    pub(super) fn of_processor() -> Option<Self> {
        Self::all().next()
    }

    /// All that the processor has, the widest first.
    #[inline]
    pub(super) fn all() -> impl Iterator<Item = Self> {
        V4::try_new().map(Self::V4).into_iter().chain(V3::try_new().map(Self::V3))
    }

    #[inline]
    pub(super) fn run<Op: NullaryFnOnce>(self, op: Op) -> Op::Output {
        match self {
            Self::V4(simd) => simd.vectorize(op),
            Self::V3(simd) => simd.vectorize(op),
        }
    }

    fn look(self, question: impl Question) {
        match self {
            Self::V4(simd) => simd.vectorize(Asked { question, simd }),
            Self::V3(simd) => simd.vectorize(Asked { question, simd }),
        }
    }

    pub(super) fn breaks(self, text: &[u8], breaks: &mut Breaks) {
        self.look(FillBreaks { text, breaks });
    }

    pub(super) fn bytes(self, set: &Halves, text: &[u8], bits: &mut Vec<u64>) {
        self.look(FillBytes { set, text, bits });
    }

    pub(super) fn fill(self, classifier: &Classifier, text: &[u8], lanes: &mut Lanes) {
        // One after the other: the tables of all together are more than there are registers.
        self.look(FindLeads { leads: &classifier.leads, text, bits: lanes.leads.get_or_insert_default() });
        self.look(FindLeads { leads: &classifier.inner, text, bits: lanes.inner.get_or_insert_default() });
        self.look(FillClasses { classifier, text, lanes });
    }
}

/// What is asked of a text, written once for all vectors.
trait Question {
    fn ask<W: Wide>(self, simd: W);
}

/// A question, compiled for the vectors at hand. A closure may be left out of that: nothing
/// makes the compiler inline it.
struct Asked<Q, W> {
    question: Q,
    simd: W,
}

impl<Q: Question, W: Wide> NullaryFnOnce for Asked<Q, W> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.question.ask(self.simd);
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

    /// One bit per byte that is in some group.
    #[inline(always)]
    fn bits(self, simd: W, bytes: &Cut<W>) -> u64 {
        simd.bits(self.of(simd, bytes))
    }
}

/// A set of bytes by their low halves: which high halves make one of it.
#[derive(Clone, Copy)]
struct Set<W: Wide>(W::Bytes);

impl<W: Wide> Set<W> {
    #[inline(always)]
    fn load(simd: W, halves: &Halves) -> Self {
        Self(simd.table(halves.low))
    }

    /// One bit per byte of the set; `high` has the bit of each byte's high half.
    #[inline(always)]
    fn of(self, simd: W, bytes: &Cut<W>, high: W::Bytes) -> u64 {
        simd.bits(simd.and(simd.look_up(self.0, bytes.low), high))
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

/// Groups that may hold the bytes beginning at each place.
#[inline(always)]
fn groups<W: Wide, const BYTES: usize>(
    simd: W,
    tables: [Tables<W>; BYTES],
    cut: &[Cut<W>; BYTES],
) -> W::Bytes {
    let mut groups = tables[0].of(simd, &cut[0]);
    for (tables, cut) in tables.iter().zip(cut).skip(1) {
        groups = simd.and(groups, tables.of(simd, cut));
    }
    groups
}

/// Bytes that begin three of which each is of its set.
#[inline(always)]
fn triple<W: Wide>(simd: W, [one, two, three]: [Tables<W>; 3], cut: &[Cut<W>; 3]) -> u64 {
    // Their groups are halves of bytes, which differ from one to the next.
    one.bits(simd, &cut[0]) & two.bits(simd, &cut[1]) & three.bits(simd, &cut[2])
}

/// As many lanes as so many bytes have, one after the other.
#[inline(always)]
fn sized(bits: &mut Vec<u64>, bytes: usize) -> std::slice::IterMut<'_, u64> {
    bits.resize(bytes.div_ceil(LANE), 0);
    bits.iter_mut()
}

/// What kind of byte stands where.
struct FillClasses<'a> {
    classifier: &'a Classifier,
    text: &'a [u8],
    lanes: &'a mut Lanes,
}

impl Question for FillClasses<'_> {
    /// In two loops: one would write to more lanes than there are registers.
    #[inline(always)]
    fn ask<W: Wide>(mut self, simd: W) {
        self.what_begins(simd);
        self.single_bytes(simd);
    }
}

impl FillClasses<'_> {
    #[inline(always)]
    fn single_bytes<W: Wide>(&mut self, simd: W) {
        let Self { classifier, text, lanes } = self;
        let Lanes { words, wordy, letters, tokens, solid, odd, signs, named, soft, escapes, .. } = lanes;
        let bytes = text.len();
        let classes = sized(words, bytes)
            .zip(sized(wordy, bytes))
            .zip(sized(letters, bytes))
            .zip(sized(tokens, bytes))
            .zip(sized(solid, bytes));
        let classes = classes.zip(sized(odd, bytes)).zip(sized(named, bytes)).zip(sized(soft, bytes));
        let marks = sized(signs, bytes).zip(sized(escapes, bytes));
        let word = Set::load(simd, &classifier.words);
        let token = Set::load(simd, &classifier.tokens);
        let hollow = Set::load(simd, &classifier.hollow);
        let unusual = Set::load(simd, &classifier.odd);
        let softer = Set::load(simd, &classifier.soft);
        let halves = simd.table(Halves::HIGH);
        let mut last = [0; LANE + 3];
        for (index, (classes, (signs, escapes))) in classes.zip(marks).enumerate() {
            let (((((((words, wordy), letters), tokens), solid), odd), named), soft) = classes;
            let cut = Cut::load(simd, chunk(text, index, &mut last), 0);
            let high = simd.look_up(halves, cut.high);
            *words = word.of(simd, &cut, high);
            *wordy = *words & !cut.is(simd, b'-');
            *letters = *words | cut.is(simd, b'+') | cut.is(simd, b'/');
            *named = *words | cut.is(simd, b'.');
            *tokens = token.of(simd, &cut, high);
            *solid = !hollow.of(simd, &cut, high);
            *odd = unusual.of(simd, &cut, high);
            *soft = softer.of(simd, &cut, high);
            *signs = cut.is(simd, b'=') | cut.is(simd, b':');
            *escapes = cut.is(simd, b'%') | cut.is(simd, b'\\');
        }
    }

    /// What several bytes begin.
    #[inline(always)]
    fn what_begins<W: Wide>(&mut self, simd: W) {
        let Self { classifier, text, lanes } = self;
        let Lanes { spots, triples, names, .. } = lanes;
        let bytes = text.len();
        let marks =
            sized(spots, bytes).zip(sized(triples, bytes)).zip(sized(names.get_or_insert_default(), bytes));
        let places = Tables::load_three(simd, &classifier.places);
        let name = Tables::load_three(simd, &classifier.names);
        let mut last = [0; LANE + 3];
        for (index, ((spots, triples), names)) in marks.enumerate() {
            let chunk = chunk(text, index, &mut last);
            let cut = [Cut::load(simd, chunk, 0), Cut::load(simd, chunk, 1), Cut::load(simd, chunk, 2)];
            let is_behind = cut[1].is(simd, b'i') & cut[2].is(simd, b's');
            *spots = cut[0].is(simd, b' ') & (cut[1].is(simd, b'-') | is_behind);
            *triples = triple(simd, places, &cut);
            *names = simd.bits(groups(simd, name, &cut));
        }
    }
}

/// Where one of some literals may begin.
struct FindLeads<'a, const TABLES: usize> {
    leads: &'a [[Halves; 4]; TABLES],
    text: &'a [u8],
    bits: &'a mut Vec<u64>,
}

impl<const TABLES: usize> Question for FindLeads<'_, TABLES> {
    #[inline(always)]
    fn ask<W: Wide>(self, simd: W) {
        let Self { leads, text, bits } = self;
        let leads = leads.each_ref().map(
            #[inline(always)]
            |lead| Tables::load_four(simd, lead),
        );
        let mut last = [0; LANE + 3];
        for (index, bits) in sized(bits, text.len()).enumerate() {
            let chunk = chunk(text, index, &mut last);
            let cut = [
                Cut::load(simd, chunk, 0),
                Cut::load(simd, chunk, 1),
                Cut::load(simd, chunk, 2),
                Cut::load(simd, chunk, 3),
            ];
            let mut any = simd.table([0; 16]);
            for lead in leads {
                any = simd.or(any, groups(simd, lead, &cut));
            }
            *bits = simd.bits(any);
        }
    }
}

struct FillBreaks<'a> {
    text: &'a [u8],
    breaks: &'a mut Breaks,
}

impl Question for FillBreaks<'_> {
    #[inline(always)]
    fn ask<W: Wide>(self, simd: W) {
        let Self { text, breaks } = self;
        let Breaks { ends, specials } = breaks;
        let lanes = sized(ends, text.len()).zip(sized(specials, text.len()));
        let mut last = [0; LANE];
        for (index, (ends, specials)) in lanes.enumerate() {
            let chunk = chunk(text, index, &mut last);
            let bytes = simd.load(chunk);
            *ends = simd.equal(bytes, simd.table([b'\n'; 16]));
            let returns = simd.equal(bytes, simd.table([b'\r'; 16]));
            *specials = returns | simd.equal(bytes, simd.table([0x1b; 16]));
        }
    }
}

struct FillBytes<'a> {
    set: &'a Halves,
    text: &'a [u8],
    bits: &'a mut Vec<u64>,
}

impl Question for FillBytes<'_> {
    #[inline(always)]
    fn ask<W: Wide>(self, simd: W) {
        let Self { set, text, bits } = self;
        let (set, halves) = (Set::load(simd, set), simd.table(Halves::HIGH));
        let mut last = [0; LANE + 3];
        for (index, bits) in sized(bits, text.len()).enumerate() {
            let cut = Cut::load(simd, chunk(text, index, &mut last), 0);
            *bits = set.of(simd, &cut, simd.look_up(halves, cut.high));
        }
    }
}
