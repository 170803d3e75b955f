//! Long runs of token characters: where secrets can be, found without reading most bytes.

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
/// `_` or `-`.
pub(crate) const DASH: u8 = 4;
/// Hexadecimal digit.
pub(crate) const HEX: u8 = 8;
/// Decimal digit.
pub(crate) const DIGIT: u8 = 16;
/// What a token in a text may consist of: `WORD`, `PLUS`, and `=.~:@!`.
pub(crate) const TOKEN: u8 = 32;

pub(crate) const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' => WORD | HEX | DIGIT | TOKEN,
            b'a'..=b'f' | b'A'..=b'F' => WORD | HEX | TOKEN,
            b'g'..=b'z' | b'G'..=b'Z' => WORD | TOKEN,
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

const LANE: usize = 64;

/// One bit per byte of `chunk`: whether it is a word character. Compilers make vector
/// instructions of the comparisons; a table they would look up byte by byte.
fn words(chunk: &[u8; LANE]) -> u64 {
    let mut flags = [0_u8; LANE];
    for (flag, byte) in flags.iter_mut().zip(chunk) {
        let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let is_digit = byte.wrapping_sub(b'0') < 10;
        *flag = u8::from(is_letter | is_digit | (*byte == b'-') | (*byte == b'_'));
    }
    let (eights, _) = flags.as_chunks::<8>();
    eights.iter().enumerate().fold(0, |bits, (at, eight)| {
        // The product gathers the low bits of eight bytes in its top byte.
        let gathered = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits | gathered << (8 * at)
    })
}

/// Bits where a stretch of [`MIN_RUN`] ones begins.
fn stretches(bits: u128) -> u64 {
    let two = bits & bits >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    (eight & eight >> 8) as u64
}

/// Calls `found` for the long runs of `text`, in order.
pub(crate) fn find(text: &[u8], mut found: impl FnMut(Run)) {
    let (chunks, rest) = text.as_chunks::<LANE>();
    let mut last = [0; LANE];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let last = words(&last);
    let mut next = chunks.first().map_or(last, words);
    let (mut floor, mut spaced_floor) = (0, 0);
    for index in 0..=chunks.len() {
        let bits = next;
        next = match (index + 1).cmp(&chunks.len()) {
            std::cmp::Ordering::Less => words(&chunks[index + 1]),
            std::cmp::Ordering::Equal => last,
            std::cmp::Ordering::Greater => 0,
        };
        let both = u128::from(bits) | u128::from(next) << LANE;
        // Single characters among separators: every bit differs from its neighbour.
        let (runs, turns) = (stretches(both), stretches(both ^ both >> 1));
        if runs | turns != 0 {
            let base = index * LANE;
            spaced_floor = turned(text, base, turns, spaced_floor, &mut found);
            floor = whole(text, base, runs, floor, &mut found);
        }
    }
}

/// The runs that begin at the bits of a lane, or before it but behind `floor`.
fn whole(text: &[u8], base: usize, mut bits: u64, mut floor: usize, found: &mut impl FnMut(Run)) -> usize {
    while bits != 0 {
        let at = base + bits.trailing_zeros() as usize;
        if at >= floor {
            let end = at + leading(&text[at..], WORD);
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

    fn all(text: &str) -> Vec<(bool, String)> {
        let mut runs = Vec::new();
        find(text.as_bytes(), |run| {
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
