//! Lines known to be clean: keyed 128-bit hashes, in bounded memory.
//!
//! A line may be skipped when nothing starts in it whatever stands around it. The search
//! keeps that promise: everything that spans lines is started by a line that is never
//! remembered here and reads its neighbours from the text itself.

/// Shorter lines hold no secret and are not hashed.
pub(crate) const MIN_LINE_BYTES: usize = 8;
const WAYS: usize = 4;
const ENTRY_BYTES: usize = 16;

/// Keys of the hash; unknown to whoever writes logs, so that nobody can make a line
/// collide with a clean one.
#[derive(Clone, Copy)]
pub(crate) struct HashKey(pub(crate) [u64; 4]);

impl HashKey {
    /// Two lanes of folded 64-bit products; of [`MIN_LINE_BYTES`] at least.
    pub(crate) fn hash(&self, line: &[u8]) -> u128 {
        let [k0, k1, k2, k3] = self.0;
        let mut one = k0 ^ line.len() as u64;
        let mut two = k1 ^ (line.len() as u64).rotate_left(32);
        let mut chunks = line.chunks_exact(16);
        for chunk in &mut chunks {
            let (a, b) = words(chunk);
            one = fold(one ^ a, k2 ^ b);
            two = fold(two ^ b, k3 ^ a);
        }
        if !chunks.remainder().is_empty() {
            // The last bytes, some of them for the second time: the length tells which.
            let (a, b) = words(line.last_chunk::<16>().map_or(line, |last| last));
            one = fold(one ^ a, k2 ^ b);
            two = fold(two ^ b, k3 ^ a);
        }
        u128::from(fold(one ^ k3, two ^ k0)) << 64 | u128::from(fold(two ^ k2, one ^ k1))
    }
}

fn words(chunk: &[u8]) -> (u64, u64) {
    let word = |half: Option<&[u8; 8]>| half.map_or(0, |half| u64::from_le_bytes(*half));
    (word(chunk.first_chunk()), word(chunk.last_chunk()))
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

/// Fills one cache line.
#[derive(Clone)]
#[repr(align(64))]
struct Bucket([u128; WAYS]);

/// A set of hashes; when a bucket is full, the oldest goes.
#[derive(Default)]
pub(crate) struct Memo {
    buckets: Vec<Bucket>,
}

impl Memo {
    /// Room for about `lines` hashes, 16 bytes each; none at 0.
    pub(crate) fn with_capacity(lines: usize) -> Self {
        let buckets = if lines == 0 { 0 } else { (lines / WAYS).next_power_of_two() };
        Self { buckets: vec![Bucket([0; WAYS]); buckets] }
    }

    pub(crate) fn is_on(&self) -> bool {
        !self.buckets.is_empty()
    }

    fn index(&self, hash: u128) -> usize {
        (hash as usize) & (self.buckets.len() - 1)
    }

    /// Which of up to 64 hashes are known, one bit each. Without a branch between them, so
    /// that the processor waits for memory once and not for each.
    pub(crate) fn known(&self, hashes: impl Iterator<Item = u128>) -> u64 {
        if !self.is_on() {
            return 0;
        }
        hashes.enumerate().fold(0, |known, (at, hash)| {
            let is_known =
                self.buckets[self.index(hash)].0.iter().fold(false, |found, entry| found | (*entry == hash));
            known | u64::from(is_known) << at
        })
    }

    pub(crate) fn insert(&mut self, hash: u128) {
        if self.is_on() {
            let at = self.index(hash);
            let bucket = &mut self.buckets[at].0;
            if !bucket.contains(&hash) {
                bucket.rotate_right(1);
                bucket[0] = hash;
            }
        }
    }

    pub(crate) fn hashes(&self) -> impl Iterator<Item = u128> {
        self.buckets.iter().flat_map(|bucket| bucket.0).filter(|hash| *hash != 0)
    }
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
        let line: Vec<u8> = (0..100).collect();
        let mut seen = std::collections::HashSet::new();
        for length in 8..100 {
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
        let mut memo = Memo::with_capacity(64);
        (1..=1000).for_each(|hash| memo.insert(hash));
        let kept: Vec<u128> = memo.hashes().collect();
        assert_eq!(kept.len(), 64);
        assert!(memo.known(kept.iter().copied()) == u64::MAX);
        assert_eq!(memo.known([1000, 1].into_iter()), 0b01);
        let bytes = to_bytes(7, &kept);
        assert_eq!(from_bytes(7, &bytes), Some(kept));
        assert_eq!(from_bytes(8, &bytes), None);
        assert_eq!(from_bytes(7, &bytes[1..]), None);
    }
}
