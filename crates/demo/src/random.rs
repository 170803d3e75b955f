//! Deterministic randomness: the same label always gives the same bytes.

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Random(u64);

pub(crate) const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
pub(crate) const HEX: &[u8] = b"0123456789abcdef";
pub(crate) const URL_SAFE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
pub(crate) const DIGITS: &[u8] = b"0123456789";

impl Random {
    /// A stream named by `label` (FNV-1a of it is the seed).
    pub(crate) fn of(label: &str) -> Self {
        let seed = label.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `bound` - 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[3]).collect()
    }

    /// `count` letters of an alphabet.
    pub(crate) fn text(&mut self, alphabet: &[u8], count: usize) -> String {
        (0..count)
            .filter_map(|_| {
                let at = self.below(alphabet.len() as u64);
                alphabet.get(usize::try_from(at).ok()?).map(|byte| char::from(*byte))
            })
            .collect()
    }

    pub(crate) fn hex(&mut self, count: usize) -> String {
        self.text(HEX, count)
    }
}
