//! Long runs of token characters: where secrets can be, found without reading most bytes.

use crate::lanes::{self, LANE};
use regex_automata::Span;

/// Shorter runs of letters, digits, `_` and `-` hold no token.
pub(crate) const MIN_RUN: usize = 16;
/// So many single characters with separators between them may be a spaced-out token.
const MIN_SPACED: usize = 16;
/// The longest spaced-out token.
const MAX_SPACED_BYTES: usize = 4096;

/// Letter, digit, `_` or `-`.
pub(crate) const WORD: u8 = 1;
/// `+` or `/`.
pub(crate) const PLUS: u8 = 2;
/// Letters of both alphabets of base 64.
pub(crate) const BASE64: u8 = WORD | PLUS;
/// `_` or `-`.
pub(crate) const DASH: u8 = 4;
/// Hexadecimal digit.
pub(crate) const HEX: u8 = 8;
/// Decimal digit.
pub(crate) const DIGIT: u8 = 16;
/// What a token in a text may consist of: `WORD`, `PLUS`, and `=.~:@!`.
pub(crate) const TOKEN: u8 = 32;
pub(crate) const LOWER: u8 = 64;
pub(crate) const UPPER: u8 = 128;

pub(crate) const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' => WORD | HEX | DIGIT | TOKEN,
            b'a'..=b'f' => WORD | HEX | TOKEN | LOWER,
            b'A'..=b'F' => WORD | HEX | TOKEN | UPPER,
            b'g'..=b'z' => WORD | TOKEN | LOWER,
            b'G'..=b'Z' => WORD | TOKEN | UPPER,
            b'+' | b'/' => PLUS | TOKEN,
            b'-' | b'_' => WORD | DASH | TOKEN,
            b'=' | b'.' | b'~' | b':' | b'@' | b'!' => TOKEN,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

pub(crate) fn is(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// Bytes from the start of `text` that are all of `class`.
pub(crate) fn leading(text: &[u8], class: u8) -> usize {
    text.iter().position(|byte| !is(*byte, class)).unwrap_or(text.len())
}

/// Bytes up to the end of `text` that are all of `class`.
pub(crate) fn trailing(text: &[u8], class: u8) -> usize {
    text.iter().rev().position(|byte| !is(*byte, class)).unwrap_or(text.len())
}

/// What [`find`] comes upon.
pub(crate) enum Run {
    /// At least [`MIN_RUN`] word characters, as many as there are.
    Word(Span),
    /// Single characters, each followed by the same separator.
    Spaced(Span),
}

/// Bits of a lane where a stretch of [`MIN_RUN`] ones begins, that may go on in the next.
#[inline(always)]
fn stretches(mut bits: u64, mut next: u64) -> u64 {
    for step in [1, 2, 4, 8] {
        bits &= bits >> step | next << (LANE - step);
        next &= next >> step;
    }
    bits
}

/// Where long runs begin, and single characters among separators, in every lane.
#[inline(always)]
fn marks(words: &[u64]) -> (Vec<u64>, Vec<u64>) {
    let (mut runs, mut turns) = (vec![0; words.len()], vec![0; words.len()]);
    let mark = |bits: u64, next: u64, run: &mut u64, turn: &mut u64| {
        *run = stretches(bits, next);
        // Every bit differs from its neighbour.
        *turn = stretches(bits ^ (bits >> 1 | next << (LANE - 1)), next ^ next >> 1);
    };
    // Plain slices: the compiler makes vectors of them.
    let next = words.get(1..).unwrap_or_default();
    for (((run, turn), bits), next) in runs.iter_mut().zip(&mut turns).zip(words).zip(next) {
        mark(*bits, *next, run, turn);
    }
    if let (Some(bits), Some(run), Some(turn)) = (words.last(), runs.last_mut(), turns.last_mut()) {
        mark(*bits, 0, run, turn);
    }
    (runs, turns)
}

/// Calls `found` for the long runs of `text`, in order; `words` has a bit for each of its
/// word characters.
#[inline(always)]
pub(crate) fn find(text: &[u8], words: &[u64], mut found: impl FnMut(Run)) {
    let (mut floor, mut spaced_floor) = (0, 0);
    let (runs, turns) = marks(words);
    for (index, (&runs, &turns)) in runs.iter().zip(&turns).enumerate() {
        if runs | turns != 0 {
            let base = index * LANE;
            spaced_floor = turned(text, base, turns, spaced_floor, &mut found);
            floor = whole(words, base, runs, floor, &mut found);
        }
    }
}

/// The runs that begin at the bits of a lane, or before it but behind `floor`.
#[inline(always)]
fn whole(words: &[u64], base: usize, mut bits: u64, mut floor: usize, found: &mut impl FnMut(Run)) -> usize {
    while bits != 0 {
        let at = base + bits.trailing_zeros() as usize;
        if at >= floor {
            let end = lanes::end_of_ones(words, at);
            found(Run::Word(Span::from(at..end)));
            floor = end;
        }
        let done = floor - base;
        bits = if done >= LANE { 0 } else { bits & (u64::MAX << done) };
    }
    floor
}

/// The spaced-out tokens that a lane shows the beginning of.
fn turned(text: &[u8], base: usize, mut bits: u64, mut floor: usize, found: &mut impl FnMut(Run)) -> usize {
    while bits != 0 {
        let at = base + bits.trailing_zeros() as usize;
        let span = (at..at + 4).find_map(|at| spaced(text, at));
        if let Some(span) = span.filter(|span| span.start >= floor) {
            found(Run::Spaced(span));
            floor = span.end;
        }
        let done = (span.map_or(at + MIN_RUN, |span| span.end)).saturating_sub(base);
        bits = if done >= LANE { 0 } else { bits & (u64::MAX << done) };
    }
    floor
}

/// Characters with a blank or dash after each, around the one at `at`.
pub(crate) fn spaced(text: &[u8], at: usize) -> Option<Span> {
    let separator = *text.get(at + 1)?;
    let fits =
        |at: usize| text.get(at + 1) == Some(&separator) && text.get(at).is_some_and(u8::is_ascii_graphic);
    let is_separator = matches!(separator, b' ' | b'-' | b'_' | b'\t' | b'.' | b',' | b':' | b'|');
    if !is_separator || at < 2 || text.get(at - 1) != Some(&separator) || !fits(at - 2) || !fits(at) {
        return None;
    }
    let (mut start, mut end) = (at, at);
    while start >= 2 && fits(start - 2) && at - start < MAX_SPACED_BYTES {
        start -= 2;
    }
    // The end of a word is not the first character.
    if start > 0 && is(text[start - 1], WORD) && text[start - 1] != separator {
        start += 2;
    }
    while fits(end + 2) && end - at < MAX_SPACED_BYTES {
        end += 2;
    }
    // The last character has no separator behind it.
    let last = text.get(end + 2).is_some_and(u8::is_ascii_graphic)
        && !text.get(end + 3).is_some_and(|byte| is(*byte, WORD));
    let end = end + 1 + usize::from(last) * 2;
    (end - start >= 2 * MIN_SPACED - 1).then(|| Span::from(start..end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::{Classifier, Lanes};

    fn all(text: &str) -> Vec<(bool, String)> {
        let mut runs = Vec::new();
        let mut lanes = Lanes::default();
        Classifier::new(&[], &[]).fill(text.as_bytes(), &mut lanes);
        find(text.as_bytes(), &lanes.words, |run| {
            let (is_word, span) = match run {
                Run::Word(span) => (true, span),
                Run::Spaced(span) => (false, span),
            };
            runs.push((is_word, text.get(span.range()).unwrap().to_owned()));
        });
        runs
    }

    #[test]
    fn every_long_run_is_found_whole() {
        for before in 0..40 {
            for length in 1..60 {
                let run = "a".repeat(length);
                let text = format!("{}{run} b {run}.{run}", ", ".repeat(before));
                let found = all(&text);
                let expected = if length >= MIN_RUN { vec![(true, run); 3] } else { vec![] };
                assert_eq!(found, expected, "{text}");
            }
        }
    }

    #[test]
    fn spaced_characters_are_found_whole() {
        let token = "ghp_FAKE0aBcDeFgHiJkLm";
        for before in 0..40 {
            let spaced: Vec<String> = token.chars().map(String::from).collect();
            let spaced = spaced.join(" ");
            let text = format!("{} {spaced}\nnext", "wörds".repeat(before));
            assert_eq!(all(&text).last(), Some(&(false, spaced)), "{text}");
        }
    }
}
