//! The same characters spelled otherwise: spaced out, backwards, percent-encoded, escaped.

use super::{Decoded, MAX_CANDIDATE_BYTES};
use regex_automata::Span;
use zeroize::Zeroizing;

/// The characters between separators; also without the first, which may be a word of one
/// letter before the token.
pub(crate) fn spaced(text: &[u8], span: Span, found: &mut impl FnMut(Decoded)) {
    for start in [span.start, span.start + 2] {
        let span = Span::from(start..span.end);
        let bytes = text[span.range()].iter().step_by(2).copied().collect();
        found(Decoded { span, encodings: vec!["spaced"], bytes: Zeroizing::new(bytes) });
    }
}

/// Words with percent-encoded bytes, decoded; `escapes` are the places of all percent signs,
/// and may be those of other bytes.
pub(crate) fn percent(text: &[u8], escapes: &[usize], mut found: impl FnMut(Decoded)) {
    let mut done = 0;
    for at in escapes.iter().copied() {
        if at < done || !escape(text, at).is_some_and(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r')) {
            continue;
        }
        let in_word = |byte: &&u8| byte.is_ascii_graphic() && !b"\"'<>`".contains(*byte);
        let before =
            text.get(done..at).unwrap_or_default().iter().rev().take(4096).take_while(in_word).count();
        let after =
            text.get(at..).unwrap_or_default().iter().take(MAX_CANDIDATE_BYTES).take_while(in_word).count();
        let span = Span::from(at - before..at + after);
        done = span.end;
        let mut bytes = Zeroizing::new(Vec::with_capacity(span.len()));
        let mut from = span.start;
        while from < span.end {
            match escape(text, from) {
                Some(byte) => {
                    bytes.push(byte);
                    from += 3;
                }
                None => {
                    bytes.extend(text.get(from));
                    from += 1;
                }
            }
        }
        found(Decoded { span, encodings: vec!["percent"], bytes });
    }
}

/// The byte that `%hh` at an offset stands for.
fn escape(text: &[u8], at: usize) -> Option<u8> {
    let [b'%', high, low] = text.get(at..at + 3)? else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// Lines with JSON escapes that cut values apart: `\n`, `\/`, `\u00xx`; `escapes` are the
/// places of all backslashes, and may be those of other bytes.
pub(crate) fn json(text: &[u8], escapes: &[usize], mut found: impl FnMut(Decoded)) {
    let mut done = 0;
    for at in escapes.iter().copied() {
        let is_escape = matches!(text.get(at..), Some([b'\\', b'n' | b'/' | b'u' | b'x' | b'"', ..]));
        if at < done || !is_escape {
            continue;
        }
        let start = text
            .get(done..at)
            .unwrap_or_default()
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(done, |line| done + line + 1);
        let end =
            memchr::memchr(b'\n', text.get(at..).unwrap_or_default()).map_or(text.len(), |line| at + line);
        done = end.min(start + MAX_CANDIDATE_BYTES);
        let span = Span::from(start..done);
        let bytes = Zeroizing::new(unescaped(text.get(span.range()).unwrap_or_default()));
        found(Decoded { span, encodings: vec!["json"], bytes });
    }
}

fn unescaped(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let Some((escape, after)) = rest.split_first() else { break };
        rest = after;
        match escape {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'x' => {
                let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                    Some(code) => {
                        out.push(code);
                        rest = rest.get(2..).unwrap_or_default();
                    }
                    None => out.extend_from_slice(b"\\x"),
                }
            }
            b'u' => {
                let digits = rest.get(..4).and_then(|digits| std::str::from_utf8(digits).ok());
                let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                match code.and_then(|code| u8::try_from(code).ok()) {
                    Some(code) => out.push(code),
                    None => out.push(b'?'),
                }
                rest = rest.get(4..).unwrap_or_default();
            }
            other => out.push(*other),
        }
    }
    out
}

/// The token read from its end.
pub(crate) fn reversed(text: &[u8], span: Span) -> Decoded {
    let bytes = text.get(span.range()).unwrap_or_default().iter().rev().copied().collect();
    Decoded { span, encodings: vec!["reversed"], bytes: Zeroizing::new(bytes) }
}
