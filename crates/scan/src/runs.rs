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
/// What a token in a text may consist of: `WORD`, `PLUS`, and `=.~:`.
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
            b'=' | b'.' | b'~' | b':' => TOKEN,
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

/// Calls `found` for the long runs of `text`, in order.
///
/// A run of n bytes covers every n-th position, so only those are read; as in Boyer and
/// Moore's search, a break seen while reading backwards moves the next probe.
pub(crate) fn find(text: &[u8], mut found: impl FnMut(Run)) {
    let (mut at, mut floor) = (MIN_RUN - 1, 0);
    while let Some(byte) = text.get(at) {
        if !is(*byte, WORD) {
            match spaced(text, at + 1) {
                Some(span) if span.start >= floor => {
                    floor = span.end;
                    at = span.end + MIN_RUN;
                    found(Run::Spaced(span));
                }
                _ => at += MIN_RUN,
            }
            continue;
        }
        let low = floor.max((at + 1).saturating_sub(MIN_RUN));
        let back = trailing(&text[low..=at], WORD);
        let start = at + 1 - back;
        if back == 1
            && let Some(span) = spaced(text, at)
            && span.start >= floor
        {
            floor = span.end;
            at = span.end + MIN_RUN;
            found(Run::Spaced(span));
            continue;
        }
        if back < MIN_RUN {
            at = start + MIN_RUN - 1;
            continue;
        }
        let start = start - trailing(&text[floor..start], WORD);
        let end = at + 1 + leading(&text[at + 1..], WORD);
        floor = end;
        at = end + MIN_RUN;
        found(Run::Word(Span::from(start..end)));
    }
}

/// Characters with a blank or dash after each, around the one at `at`.
pub(crate) fn spaced(text: &[u8], at: usize) -> Option<Span> {
    let separator = *text.get(at + 1)?;
    let fits = |at: usize| {
        text.get(at + 1) == Some(&separator) && text.get(at).is_some_and(|byte| is(*byte, TOKEN))
    };
    let is_separator = matches!(separator, b' ' | b'-' | b'\t' | b'.' | b',' | b':' | b'|');
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
    let last = text.get(end + 2).is_some_and(|byte| is(*byte, TOKEN))
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
