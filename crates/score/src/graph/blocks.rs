//! What flows through the graph: 64 bytes that a join makes larger and never smaller.

/// A set of something, as a value that can be joined with others in any order.
pub(crate) trait Block: Copy + PartialEq + Send + Sync {
    /// The empty set.
    const EMPTY: Self;
    /// Takes in the other.
    fn join(&mut self, other: &Self);
}

/// Targets in one [`Bits`].
pub(crate) const BITS: usize = 512;
/// Ranks in one [`Minima`].
pub(crate) const LANES: usize = 16;

/// A set of up to 512 targets.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub(crate) struct Bits([u64; BITS / 64]);

impl Block for Bits {
    const EMPTY: Self = Self([0; BITS / 64]);

    fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, more)| *word |= more);
    }
}

impl Bits {
    pub(crate) fn insert(&mut self, bit: usize) {
        self.0[bit / 64] |= 1 << (bit % 64);
    }
}

/// Weights of the targets of one [`Bits`].
#[derive(Debug)]
pub(crate) struct Weigher {
    weights: Vec<f64>,
    /// The weight of a word's targets where they have the same: a count then does.
    same: Vec<Option<f64>>,
}

impl Weigher {
    pub(crate) fn new(weights: Vec<f64>) -> Self {
        let equal = |word: &[f64]| word.iter().all(|w| *w == word[0]).then_some(word[0]);
        let same = weights.chunks(64).map(equal).collect();
        Self { weights, same }
    }

    /// Weight of the targets in `set` and not in `old`.
    pub(crate) fn gained(&self, set: &Bits, old: &Bits) -> f64 {
        let mut sum = 0.0;
        for (word, same) in self.same.iter().enumerate() {
            let mut bits = set.0[word] & !old.0[word];
            match same {
                Some(weight) => sum += weight * f64::from(bits.count_ones()),
                None => {
                    while bits != 0 {
                        sum += self.weights[word * 64 + bits.trailing_zeros() as usize];
                        bits &= bits - 1;
                    }
                }
            }
        }
        sum
    }
}

/// The least of the exponential ranks of a set, for each of 16 draws.
///
/// Of ranks `-ln(u)/w` the least is exponential with the set's total weight as rate, so
/// `(k-1)/Σ minima` of `k` draws estimates that weight without bias, with the relative
/// standard error `1/√(k-2)` (E. Cohen, "Size-estimation framework with applications to
/// transitive closure and reachability", JCSS 1997).
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub(crate) struct Minima([f32; LANES]);

impl Block for Minima {
    const EMPTY: Self = Self([f32::INFINITY; LANES]);

    fn join(&mut self, other: &Self) {
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(least, more)| *least = if *more < *least { *more } else { *least });
    }
}

impl Minima {
    /// Ranks of one target; `seed` names it, `batch` the draws.
    pub(crate) fn of(seed: u64, batch: usize, weight: f64) -> Self {
        let mut ranks = [0.0; LANES];
        for (lane, rank) in ranks.iter_mut().enumerate() {
            let draw = mix(seed ^ mix((batch * LANES + lane) as u64 + 1));
            // 53 random bits, moved off 0.
            let uniform = ((draw >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
            *rank = (-uniform.ln() / weight) as f32;
        }
        Self(ranks)
    }

    /// Σ of the minima: infinite for the empty set.
    pub(crate) fn sum(&self) -> f64 {
        self.0.iter().map(|rank| f64::from(*rank)).sum()
    }
}

/// SplitMix64's finaliser.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
