//! Lines known to be clean: keyed 128-bit hashes, in bounded memory.
//!
//! A line may be skipped when nothing starts in it whatever stands around it. The search
//! keeps that promise: everything that spans lines is started by a line that is never
//! remembered here and reads its neighbours from the text itself. Only what it starts with
//! the line before it may be remembered, together with that line.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Shorter lines hold no secret and are not hashed.
pub(crate) const MIN_LINE_BYTES: usize = 8;
const WAYS: usize = 8;
const ENTRY_BYTES: usize = 16;

/// Keys of the hash; unknown to whoever writes logs, so that nobody can make a line
/// collide with a clean one.
#[derive(Clone, Copy)]
pub(crate) struct HashKey(pub(crate) [u64; 4]);

impl HashKey {
    /// Two lanes of folded 64-bit products (as in wyhash), each of every other 16 bytes; of
    /// [`MIN_LINE_BYTES`] at least.
    #[inline(always)]
    pub(crate) fn hash(&self, line: &[u8]) -> u128 {
        let [k0, k1, k2, k3] = self.0;
        let length = line.len() as u64;
        let (mut one, mut two) = (k0 ^ length, k1 ^ length.rotate_left(32));
        let (body, last) = line.split_at((line.len() - 1) / 32 * 32);
        for chunk in body.chunks_exact(32) {
            // No lane waits for another.
            let ((a, b), (c, d)) = (words(&chunk[..16]), words(&chunk[16..]));
            one = fold(one ^ a, k2 ^ b);
            two = fold(two ^ c, k3 ^ d);
        }
        // The last bytes, some of them twice: the length tells which.
        if last.len() > 16 {
            let (a, b) = words(&last[..16]);
            one = fold(one ^ a, k2 ^ b);
        }
        let (c, d) = words(line.last_chunk::<16>().map_or(line, |last| last));
        two = fold(two ^ c, k3 ^ d);
        u128::from(fold(one ^ k3, two ^ k0)) << 64 | u128::from(fold(two ^ k2, one ^ k1))
    }

    /// Of two lines, by their hashes, if both have one.
    #[inline(always)]
    fn both(&self, before: u128, line: u128) -> Option<u128> {
        let [k0, k1, ..] = self.0;
        let one = fold(before as u64 ^ k1, (line >> 64) as u64 ^ k0);
        let two = fold((before >> 64) as u64 ^ k0, line as u64 ^ k1);
        let both = u128::from(one ^ line as u64) << 64 | u128::from(two ^ one);
        (before != 0 && line != 0).then_some(both)
    }
}

#[inline(always)]
fn words(chunk: &[u8]) -> (u64, u64) {
    let word = |half: Option<&[u8; 8]>| half.map_or(0, |half| u64::from_le_bytes(*half));
    (word(chunk.first_chunk()), word(chunk.last_chunk()))
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

/// Halves of hashes: fills one cache line.
#[derive(Default)]
#[repr(align(64))]
struct Bucket([AtomicU64; WAYS]);

/// A set of hashes that all threads share; when a bucket is full, the oldest goes.
///
/// The upper half of a hash says where it stands, the lower one is compared, so that what is
/// looked up stays in the cache. Two lines have the same hash with a chance of 2^-64: one is
/// taken for any of 2^18 that are remembered with a chance of 2^-46.
/// Threads do not wait for each other. Where two write to a bucket at once, a hash may be
/// lost, and some are kept twice, but each one there was put there whole.
#[derive(Default)]
pub(crate) struct Memo {
    buckets: Vec<Bucket>,
    /// One bit for lines that are clean behind some line and perhaps not behind others; of
    /// this run only.
    leaning: Vec<AtomicU64>,
}

/// Bits of [`Memo::leaning`].
const LEANING: usize = 1 << 18;

impl Memo {
    /// Room for about `lines` hashes, 8 bytes each; none at 0.
    pub(crate) fn with_capacity(lines: usize) -> Self {
        let buckets = if lines == 0 { 0 } else { (lines / WAYS).next_power_of_two() };
        let leaning = if lines == 0 { 0 } else { LEANING / 64 };
        Self {
            buckets: std::iter::repeat_with(Bucket::default).take(buckets).collect(),
            leaning: std::iter::repeat_with(AtomicU64::default).take(leaning).collect(),
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        !self.buckets.is_empty()
    }

    #[inline(always)]
    fn index(&self, hash: u128) -> usize {
        (hash >> 64) as usize & (self.buckets.len() - 1)
    }

    /// Has the processor fetch what [`Self::known`] will ask for, while it hashes other lines.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u128) {
        #[cfg(target_arch = "x86_64")]
        if self.is_on()
            && let Some(sse) = pulp::core_arch::x86::Sse::try_new()
        {
            let bucket = std::ptr::from_ref(&self.buckets[self.index(hash)]);
            sse._mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(bucket.cast());
        }
    }

    /// Which of up to 64 hashes are known, one bit each; without a branch between them.
    #[inline(always)]
    pub(crate) fn known(&self, hashes: impl Iterator<Item = u128>) -> u64 {
        if !self.is_on() {
            return 0;
        }
        hashes.enumerate().fold(0, |known, (at, hash)| {
            let bucket = &self.buckets[self.index(hash)].0;
            let is_known =
                bucket.iter().fold(false, |found, entry| found | (entry.load(Relaxed) == hash as u64));
            known | u64::from(is_known) << at
        })
    }

    /// What is known of a line that is clean behind the one `before` it; `None` if it leans on
    /// none.
    #[inline(always)]
    pub(crate) fn behind(&self, key: &HashKey, before: u128, line: u128) -> Option<u128> {
        let (word, bit) = leaning(line);
        let leans = self.leaning.get(word).is_some_and(|bits| bits.load(Relaxed) >> bit & 1 != 0);
        leans.then(|| key.both(before, line)).flatten()
    }

    /// Remembers a line that is clean behind the one `before` it.
    pub(crate) fn insert_behind(&self, key: &HashKey, before: u128, line: u128) {
        let (word, bit) = leaning(line);
        if let (Some(bits), Some(both)) = (self.leaning.get(word), key.both(before, line)) {
            bits.fetch_or(1 << bit, Relaxed);
            self.insert(both);
        }
    }

    pub(crate) fn insert(&self, hash: u128) {
        if self.is_on() {
            let bucket = &self.buckets[self.index(hash)].0;
            let known = bucket.each_ref().map(|entry| entry.load(Relaxed));
            // Of lines that repeat before they are known; further back few are.
            if known[0] != hash as u64 {
                bucket[0].store(hash as u64, Relaxed);
                bucket.iter().skip(1).zip(known).for_each(|(entry, known)| entry.store(known, Relaxed));
            }
        }
    }

    /// What is known, for a memo of the same room: of the upper halves as much as it needs.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = u128> {
        self.buckets.iter().enumerate().flat_map(|(at, bucket)| {
            let whole = move |half: u64| (at as u128) << 64 | u128::from(half);
            bucket.0.iter().map(|half| half.load(Relaxed)).filter(|half| *half != 0).map(whole)
        })
    }
}

#[inline(always)]
fn leaning(hash: u128) -> (usize, usize) {
    let bit = (hash >> 32) as usize % LEANING;
    (bit / 64, bit % 64)
}

/// `label` and the hashes, 16 bytes each.
pub(crate) fn to_bytes(label: u128, hashes: &[u128]) -> Vec<u8> {
    std::iter::once(&label).chain(hashes).flat_map(|hash| hash.to_le_bytes()).collect()
}

/// The hashes, if they were kept under the same `label`.
pub(crate) fn from_bytes(label: u128, bytes: &[u8]) -> Option<Vec<u128>> {
    let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
    let (first, hashes) = entries.split_first()?;
    let fits = u128::from_le_bytes(*first) == label && rest.is_empty();
    fits.then(|| hashes.iter().map(|bytes| u128::from_le_bytes(*bytes)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    const KEY: HashKey =
        HashKey([0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03, 0x8cb9_2ba7_2f3d_8dd7, 0x4f6c_dd1d_1234_5677]);

    #[test]
    fn lines_that_differ_in_one_byte_or_in_length_differ() {
        let line: Vec<u8> = (0..200).collect();
        let mut seen = std::collections::HashSet::new();
        for length in 8..line.len() {
            for at in 0..length {
                let mut other = line[..length].to_vec();
                other[at] ^= 0x20;
                assert!(seen.insert(KEY.hash(&other)));
            }
            assert!(seen.insert(KEY.hash(&line[..length])));
        }
    }

    #[test]
    fn memory_is_bounded_and_what_is_kept_comes_back() {
        let memo = Memo::with_capacity(64);
        let hash = |number: u128| number << 64 | number;
        (1..=1000).for_each(|number| memo.insert(hash(number)));
        let kept: Vec<u128> = memo.hashes().collect();
        assert_eq!(kept.len(), 64);
        assert!(memo.known(kept.iter().copied()) == u64::MAX);
        assert_eq!(memo.known([hash(1000), hash(1)].into_iter()), 0b01);
        let bytes = to_bytes(7, &kept);
        assert_eq!(from_bytes(7, &bytes), Some(kept));
        assert_eq!(from_bytes(8, &bytes), None);
        assert_eq!(from_bytes(7, &bytes[1..]), None);
        memo.insert_behind(&KEY, hash(6), hash(7));
        let is_known = |before, line| {
            memo.behind(&KEY, before, line).is_some_and(|both| memo.known([both].into_iter()) != 0)
        };
        assert!(is_known(hash(6), hash(7)) && memo.known([hash(7)].into_iter()) == 0);
        assert!(!is_known(hash(7), hash(6)) && !is_known(hash(5), hash(7)));
        memo.insert_behind(&KEY, 0, hash(8));
        assert!(!is_known(0, hash(8)));
    }
}
