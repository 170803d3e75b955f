//! Where in a text windows of spellings may stand.
//!
//! Most secrets have a long run of word characters in most of their spellings; few lines
//! have one. A spelling is represented by windows in its longest run, if that is long, and
//! such windows are asked in runs of that length only. Other windows have a byte that is no
//! word character, most often one that is rare in logs, as percent signs and backslashes.

use super::automaton::{MIN_SPELLING_BYTES, STRIDE, WINDOW_BYTES};
use crate::lanes::{self, ByteSet, LANE};
use crate::runs::{self, WORD};
use pulp::NullaryFnOnce;
use regex_automata::Span;

/// The rarest of so many windows represents a spelling.
const CANDIDATES: usize = 8;
/// Windows begin within so many bytes, so that offsets fit.
const MAX_OFFSET_BYTES: usize = 60_000;
/// A run of so many word characters is long.
const LONG_RUN: usize = 16;
/// The bits of a lane where windows are asked.
const EVERY_STRIDE: u64 = u64::MAX / ((1 << STRIDE) - 1);

/// Offsets of the windows that may represent a spelling: evenly spaced in its longest run,
/// if that is long, or in all of it.
pub(super) fn candidates(spelled: &[u8]) -> impl Iterator<Item = usize> {
    let run = longest_run(spelled);
    let is_long = run.len() >= LONG_RUN && run.start < MAX_OFFSET_BYTES;
    let part = if is_long { run } else { Span::from(0..spelled.len()) };
    let last = part.end.checked_sub(MIN_SPELLING_BYTES).map(|last| last.min(MAX_OFFSET_BYTES));
    let last = last.filter(|last| *last >= part.start);
    let count = last.map_or(0, |last| CANDIDATES.min(last + 1 - part.start));
    let reach = last.map_or(0, |last| last - part.start);
    (0..count).map(move |index| part.start + reach * index / (count - 1).max(1))
}

fn longest_run(bytes: &[u8]) -> Span {
    let (mut longest, mut at) = (Span::from(0..0), 0);
    while at < bytes.len() {
        let run = Span::from(at..at + runs::leading(&bytes[at..], WORD));
        if run.len() > longest.len() {
            longest = run;
        }
        at = run.end + 1;
    }
    longest
}

/// What the windows of all spellings are like.
pub(super) struct Places {
    /// The shortest run of word characters that one made of nothing else stands in.
    shortest_run: usize,
    /// Bytes of the others.
    mixed: [bool; 256],
}

impl Default for Places {
    fn default() -> Self {
        Self { shortest_run: LONG_RUN, mixed: [false; 256] }
    }
}

impl Places {
    /// Adds the window at an offset of a spelling.
    pub(super) fn add(&mut self, spelled: &[u8], offset: usize) {
        let window = spelled[offset..].iter().take(WINDOW_BYTES);
        if window.clone().all(|byte| runs::is(*byte, WORD)) {
            let run = runs::trailing(&spelled[..offset], WORD) + runs::leading(&spelled[offset..], WORD);
            self.shortest_run = self.shortest_run.min(run);
        } else {
            window.for_each(|byte| self.mixed[usize::from(*byte)] = true);
        }
    }
}

/// Where windows are asked.
pub(super) struct Where {
    words: ByteSet,
    /// In runs of at least so many word characters.
    shortest_run: usize,
    mixed: Mixed,
}

/// Bytes of windows that are not all word characters.
enum Mixed {
    /// There are none such.
    Nowhere,
    Of(ByteSet),
    /// More than ASCII.
    Any,
}

impl From<Places> for Where {
    fn from(places: Places) -> Self {
        let Places { shortest_run, mixed } = places;
        let mixed = match (mixed.contains(&true), mixed[128..].contains(&true)) {
            (false, _) => Mixed::Nowhere,
            (true, false) => Mixed::Of(ByteSet::of(|byte| mixed[usize::from(byte)])),
            (true, true) => Mixed::Any,
        };
        Self { words: ByteSet::of(|byte| runs::is(byte, WORD)), shortest_run, mixed }
    }
}

impl Where {
    /// One bit for each offset of a text whose window is to be asked.
    pub(super) fn windows(&self, text: &[u8]) -> Vec<u64> {
        let (mut words, mut mixed) = (Vec::new(), Vec::new());
        self.words.lanes(text, &mut words);
        match &self.mixed {
            Mixed::Nowhere => {}
            Mixed::Of(bytes) => bytes.lanes(text, &mut mixed),
            Mixed::Any => mixed.resize(words.len(), u64::MAX),
        }
        lanes::compiled_for_processor(Windows { shortest_run: self.shortest_run, words, mixed: &mixed })
    }
}

/// [`Where::windows`] for [`lanes::compiled_for_processor`].
struct Windows<'a> {
    shortest_run: usize,
    words: Vec<u64>,
    mixed: &'a [u64],
}

impl NullaryFnOnce for Windows<'_> {
    type Output = Vec<u64>;

    #[inline(always)]
    fn call(self) -> Vec<u64> {
        let Self { shortest_run, mut words, mixed } = self;
        let mut before = 0;
        for lane in 0..words.len() {
            let here = with_next(&words, lane);
            let runs = stretches(here, shortest_run) as u64;
            // Windows of a run that began in the lane before stand here, too.
            let began = u128::from(before) | u128::from(runs) << LANE;
            before = runs;
            let in_runs = (spread(began, shortest_run + 1 - WINDOW_BYTES) >> LANE) as u64;
            let in_mixed = match mixed.get(lane) {
                Some(_) => {
                    let mixed = with_next(mixed, lane);
                    stretches(mixed, WINDOW_BYTES) & !stretches(here, WINDOW_BYTES)
                }
                None => 0,
            };
            words[lane] = (in_runs | in_mixed as u64) & EVERY_STRIDE;
        }
        words
    }
}

/// The bits of a lane, and of the one behind it above them.
#[inline(always)]
fn with_next(lanes: &[u64], at: usize) -> u128 {
    let next = lanes.get(at + 1).copied().unwrap_or_default();
    u128::from(lanes[at]) | u128::from(next) << LANE
}

/// Where so many ones begin.
#[inline(always)]
fn stretches(mut bits: u128, length: usize) -> u128 {
    let mut done = 1;
    while done < length {
        let step = done.min(length - done);
        bits &= bits >> step;
        done += step;
    }
    bits
}

/// Each one and those behind it, so many together.
#[inline(always)]
fn spread(mut bits: u128, length: usize) -> u128 {
    let mut done = 1;
    while done < length {
        let step = done.min(length - done);
        bits |= bits << step;
        done += step;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_represented_in_their_longest_run_if_that_is_long() {
        let at = |spelled: &str| candidates(spelled.as_bytes()).collect::<Vec<_>>();
        assert_eq!(at("a:b.0123456789abcde/f"), [0, 1, 3, 5, 7, 9, 11, 13]);
        assert_eq!(at("a:b.0123456789abcdef/"), [4, 5, 6, 7, 8, 9, 10, 12]);
        assert_eq!(at("abc.efgh"), [0]);
        assert!(at("abc.efg").is_empty());
        let far = format!("{}0123456789abcdef", ".".repeat(MAX_OFFSET_BYTES));
        assert!(at(&far).into_iter().all(|at| at <= MAX_OFFSET_BYTES));
    }

    proptest::proptest! {
        /// Wherever a spelling stands, its windows are asked.
        #[test]
        fn no_window_is_left_out(
            spellings in proptest::collection::vec("[ab%é]{8,12}|[ab%]{20,90}|[ab]{12,90}", 1..4),
            before in "[ab% \n]{0,140}",
            after in "[ab% \n]{8,20}",
        ) {
            let mut places = Places::default();
            let windows = |spelled: &[u8]| {
                candidates(spelled).flat_map(|at| at..at + STRIDE).collect::<Vec<_>>()
            };
            for spelled in &spellings {
                let bytes = spelled.as_bytes();
                windows(bytes).into_iter().for_each(|at| places.add(bytes, at));
            }
            let places = Where::from(places);
            for spelled in &spellings {
                let text = format!("{before}{spelled}{after}");
                let asked = places.windows(text.as_bytes());
                for at in windows(spelled.as_bytes()) {
                    let at = before.len() + at;
                    let is_asked = asked[at / LANE] >> (at % LANE) & 1 == 1;
                    proptest::prop_assert_eq!(is_asked, at.is_multiple_of(STRIDE));
                }
            }
        }
    }
}
