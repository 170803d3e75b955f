//! Finds any of millions of spellings in a text.
//!
//! A trie over them would not fit: 100,000 values have some 1.6 million spellings of 30
//! bytes and more. Instead each spelling is represented by two windows of seven bytes, one
//! byte apart, the rarest of a few, so that one of them begins at an even offset of the
//! text. Every second window of the text that stands where such windows may ([`Where`]) is
//! asked of a blocked Bloom filter (three bits of one word); what passes is looked up in a
//! table, compared by another window, and at last by the spelling itself, which is made
//! again from the value. So the table holds hashes only, and its size does not grow with
//! the length of the values.

use super::Entry;
use super::places::{Places, Where, candidates};
use super::spelling::{FORMS, Spelled};
use crate::lanes;
use pulp::NullaryFnOnce;
use zeroize::Zeroize;

/// Bytes of a window.
pub(super) const WINDOW_BYTES: usize = 7;
/// Every so many bytes of a text a window is asked.
pub(super) const STRIDE: usize = 2;
/// Shorter spellings hold too few windows.
pub(super) const MIN_SPELLING_BYTES: usize = WINDOW_BYTES + STRIDE - 1;
/// Filter bits per window: about one in five hundred passes by chance.
const FILTER_BITS: usize = 20;
/// Counters that estimate how often a window occurs.
const SKETCH_BITS: u32 = 24;

/// One spelling of one value.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// Of both windows.
    tag: u32,
    entry: u32,
    /// Where the window begins in the spelling.
    offset: u16,
    form: u8,
    /// Where the second window stands, seen from the first; 0: there is none.
    second: i8,
}

/// A spelling found in a text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Match {
    pub(super) start: usize,
    pub(super) len: usize,
    /// Index of the entry.
    pub(super) entry: usize,
    /// Index in `FORMS`.
    pub(super) form: usize,
}

pub(super) struct Automaton {
    /// Where windows are asked.
    places: Where,
    filter: Vec<u64>,
    filter_shift: u32,
    /// Where each bucket's slots begin; one more than there are buckets.
    buckets: Vec<u32>,
    bucket_shift: u32,
    slots: Vec<Slot>,
    /// Bytes of the longest spelling.
    longest: usize,
}

impl Drop for Automaton {
    fn drop(&mut self) {
        self.filter.zeroize();
        for slot in &mut self.slots {
            slot.tag.zeroize();
        }
    }
}

/// Hash of the window that eight bytes begin with.
#[inline(always)]
fn hash(eight: &[u8; 8]) -> u64 {
    let window = u64::from_le_bytes(*eight) << 8;
    let product = u128::from(window ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93_u128;
    product as u64 ^ (product >> 64) as u64
}

/// Hash of the window at an offset.
fn hash_at(bytes: &[u8], at: usize) -> Option<u64> {
    let rest = bytes.get(at..)?;
    rest.first_chunk().map(hash).or_else(|| {
        // Nothing follows the window.
        let window: &[u8; WINDOW_BYTES] = rest.first_chunk()?;
        let mut eight = [0; 8];
        eight[..WINDOW_BYTES].copy_from_slice(window);
        Some(hash(&eight))
    })
}

/// Three bits of a filter word.
#[inline(always)]
fn mask(hash: u64) -> u64 {
    1 << (hash & 63) | 1 << (hash >> 6 & 63) | 1 << (hash >> 12 & 63)
}

fn tag(first: u64, second: Option<u64>) -> u32 {
    (first ^ second.map_or(0, |second| second.rotate_left(17))) as u32
}

impl Automaton {
    pub(super) fn new(entries: &[Entry]) -> Self {
        let rarity = Rarity::of(entries);
        let mut all: Vec<(u64, Slot)> = Vec::new();
        let mut longest = 0;
        let mut places = Places::default();
        for (entry, known) in entries.iter().enumerate() {
            spellings(&known.value, |form, spelled| {
                let bytes = &spelled.bytes;
                longest = longest.max(bytes.len());
                let Some(offset) = candidates(bytes).min_by_key(|at| rarity.count(bytes, *at)) else {
                    return;
                };
                for offset in offset..offset + STRIDE {
                    let Some(first) = hash_at(bytes, offset) else { continue };
                    places.add(bytes, offset);
                    let second = second_of(bytes.len(), offset);
                    let beside =
                        offset.checked_add_signed(isize::from(second)).and_then(|at| hash_at(bytes, at));
                    let tag = tag(first, beside.filter(|_| second != 0));
                    let (entry, form) = (entry as u32, form as u8);
                    all.push((first, Slot { tag, entry, offset: offset as u16, form, second }));
                }
            });
        }
        Self::of_slots(&mut all, places, longest)
    }

    fn of_slots(all: &mut [(u64, Slot)], places: Places, longest: usize) -> Self {
        let words = (all.len() * FILTER_BITS).div_ceil(64).next_power_of_two().max(64);
        let buckets = all.len().next_power_of_two().max(64);
        let (filter_shift, bucket_shift) = (64 - words.ilog2(), 64 - buckets.ilog2());
        all.sort_unstable_by_key(|(hash, slot)| (*hash, slot.entry, slot.form));
        let mut automaton = Self {
            places: places.into(),
            filter: vec![0; words],
            filter_shift,
            buckets: vec![0; buckets + 1],
            bucket_shift,
            slots: Vec::with_capacity(all.len()),
            longest,
        };
        for (hash, slot) in all.iter_mut() {
            automaton.filter[(*hash >> filter_shift) as usize] |= mask(*hash);
            automaton.buckets[(*hash >> bucket_shift) as usize + 1] += 1;
            automaton.slots.push(*slot);
            hash.zeroize();
        }
        let mut sum = 0;
        for count in &mut automaton.buckets {
            sum += *count;
            *count = sum;
        }
        automaton
    }

    /// How many spellings are looked for.
    pub(super) fn len(&self) -> usize {
        self.slots.len() / STRIDE
    }

    /// Bytes of the longest spelling.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Bytes of memory, without the values.
    pub(super) fn memory_bytes(&self) -> usize {
        self.filter.len() * 8 + self.buckets.len() * 4 + self.slots.len() * size_of::<Slot>()
    }

    /// Every spelling in `text`, in no order.
    pub(super) fn find(&self, entries: &[Entry], text: &[u8]) -> Vec<Match> {
        let mut found = Vec::new();
        if self.slots.is_empty() {
            return found;
        }
        let mut passed = Vec::new();
        let windows = self.places.windows(text);
        lanes::compiled_for_processor(Pass { automaton: self, text, windows: &windows, passed: &mut passed });
        for (at, hash) in passed {
            self.confirm(entries, text, at, hash, &mut found);
        }
        // The last window has nothing behind it.
        if let Some(at) = text.len().checked_sub(WINDOW_BYTES).filter(|at| at % STRIDE == 0)
            && let Some(hash) = hash_at(text, at)
            && self.may_hold(hash)
        {
            self.confirm(entries, text, at, hash, &mut found);
        }
        found
    }

    #[inline(always)]
    fn may_hold(&self, hash: u64) -> bool {
        let word = self.filter.get((hash >> self.filter_shift) as usize).copied().unwrap_or_default();
        let mask = mask(hash);
        word & mask == mask
    }

    fn confirm(&self, entries: &[Entry], text: &[u8], at: usize, hash: u64, found: &mut Vec<Match>) {
        let bucket = (hash >> self.bucket_shift) as usize;
        let bound = |index: usize| self.buckets.get(index).map_or(0, |bound| *bound as usize);
        for slot in self.slots.get(bound(bucket)..bound(bucket + 1)).unwrap_or_default() {
            let second = at.checked_add_signed(isize::from(slot.second)).and_then(|at| hash_at(text, at));
            if slot.tag != tag(hash, second.filter(|_| slot.second != 0)) {
                continue;
            }
            let (form, entry) = (usize::from(slot.form), slot.entry as usize);
            let spelled = entries.get(entry).and_then(|known| FORMS.get(form)?.of(&known.value));
            let start = at.checked_sub(usize::from(slot.offset));
            let (Some(spelled), Some(start)) = (spelled, start) else { continue };
            if spelled.stands_at(text, start) {
                found.push(Match { start, len: spelled.bytes.len(), entry, form });
            }
        }
    }
}

/// The windows of a text that pass the filter, but the last one, for
/// [`lanes::compiled_for_processor`].
struct Pass<'a> {
    automaton: &'a Automaton,
    text: &'a [u8],
    /// One bit for each window to be asked.
    windows: &'a [u64],
    passed: &'a mut Vec<(usize, u64)>,
}

impl NullaryFnOnce for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { automaton, text, windows, passed } = self;
        for at in lanes::all_ones(windows) {
            let Some(eight) = text.get(at..).and_then(|rest| rest.first_chunk()) else { return };
            let hash = hash(eight);
            if automaton.may_hold(hash) {
                passed.push((at, hash));
            }
        }
    }
}

/// The second window stands behind the first, or before it, or the spelling is too short.
fn second_of(len: usize, offset: usize) -> i8 {
    match offset {
        _ if offset + 2 * WINDOW_BYTES <= len => WINDOW_BYTES as i8,
        _ if offset >= WINDOW_BYTES => -(WINDOW_BYTES as i8),
        _ => 0,
    }
}

/// Each different spelling of a value once, with the index of its form.
fn spellings(value: &[u8], mut each: impl FnMut(usize, &Spelled)) {
    let mut before: Vec<Spelled> = Vec::with_capacity(FORMS.len());
    let is_bare = value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte));
    for (index, form) in FORMS.iter().enumerate().filter(|(_, form)| !(is_bare && form.leaves_bare())) {
        let Some(spelled) = form.of(value) else { continue };
        if before.iter().all(|known| known.bytes != spelled.bytes) {
            each(index, &spelled);
            before.push(spelled);
        }
    }
}

/// How often windows occur among all spellings: values of one issuer begin alike.
struct Rarity {
    counts: Vec<u8>,
}

impl Rarity {
    fn of(entries: &[Entry]) -> Self {
        let mut rarity = Self { counts: vec![0; 1 << SKETCH_BITS] };
        for entry in entries {
            spellings(&entry.value, |_, spelled| {
                for at in candidates(&spelled.bytes) {
                    if let Some(count) =
                        Self::index(&spelled.bytes, at).and_then(|index| rarity.counts.get_mut(index))
                    {
                        *count = count.saturating_add(1);
                    }
                }
            });
        }
        rarity
    }

    fn index(bytes: &[u8], at: usize) -> Option<usize> {
        Some((hash_at(bytes, at)? >> (64 - SKETCH_BITS)) as usize)
    }

    fn count(&self, bytes: &[u8], at: usize) -> u8 {
        Self::index(bytes, at).and_then(|index| self.counts.get(index)).copied().unwrap_or(u8::MAX)
    }
}
