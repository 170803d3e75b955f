//! What hides behind an encoding: candidates in a text, and their decoded bytes.
//!
//! Masking compares literal text (actions/runner `SecretMasker`), so encoded values
//! pass it: base 64 once or more, hex, percent, JSON escapes, gzip, UTF-16, reversed.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use regex_automata::Span;
use std::io::Read as _;
use zeroize::Zeroizing;

/// Shorter runs hold no secret.
const MIN_BASE64_BYTES: usize = 24;
const MIN_HEX_BYTES: usize = 32;
/// Longer candidates are cut, which is a gap.
pub(crate) const MAX_CANDIDATE_BYTES: usize = 1 << 20;
/// What a gzip stream may inflate to.
const MAX_INFLATED_BYTES: u64 = 1 << 20;
/// So many leading bytes decide whether a decoding makes sense.
const PROBE_BYTES: usize = 24;

/// Decoded bytes and where they came from.
pub(crate) struct Decoded {
    pub(crate) span: Span,
    /// Outermost first.
    pub(crate) encodings: Vec<&'static str>,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

const FORGIVING: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD_64: GeneralPurpose = GeneralPurpose::new(&STANDARD, FORGIVING);
const URL_SAFE_64: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, FORGIVING);

const WORD: u8 = 1;
const PLUS: u8 = 2;
const DASH: u8 = 4;
const HEX: u8 = 8;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        classes[byte] = match letter {
            b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' => WORD | HEX,
            b'g'..=b'z' | b'G'..=b'Z' => WORD,
            b'+' | b'/' => PLUS,
            b'-' | b'_' => DASH,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// Every run of base-64 or hex letters that decodes to something readable.
pub(crate) fn runs(text: &[u8], mut found: impl FnMut(Decoded)) {
    let mut at = 0;
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        let (mut kinds, mut common) = (0, u8::MAX);
        let length = rest
            .iter()
            .take_while(|byte| {
                let class = CLASSES[usize::from(**byte)];
                if class != 0 {
                    kinds |= class;
                    common &= class;
                }
                class != 0
            })
            .count();
        if length >= MIN_BASE64_BYTES {
            run(text, Span::from(at..at + length), (kinds, common), &mut found);
        }
        at += length.max(1);
    }
}

fn run(text: &[u8], span: Span, (kinds, common): (u8, u8), found: &mut impl FnMut(Decoded)) {
    let is_hex = common & HEX != 0 && span.len() >= MIN_HEX_BYTES;
    if let Some(decoded) = is_hex.then(|| hex(text, span)).flatten() {
        return found(decoded);
    }
    match (kinds & PLUS != 0, kinds & DASH != 0) {
        (_, false) => base64(text, span, &STANDARD_64, found),
        (false, true) => {
            base64(text, span, &URL_SAFE_64, found);
            pieces(text, span, DASH, &STANDARD_64, found);
        }
        (true, true) => {
            pieces(text, span, DASH, &STANDARD_64, found);
            pieces(text, span, PLUS, &URL_SAFE_64, found);
        }
    }
}

/// Parts of a run between characters that the alphabet does not have.
fn pieces(text: &[u8], span: Span, stops: u8, engine: &GeneralPurpose, found: &mut impl FnMut(Decoded)) {
    let mut at = span.start;
    let run = text.get(span.range()).unwrap_or_default();
    for piece in run.split(|byte| CLASSES[usize::from(*byte)] & stops != 0) {
        if piece.len() >= MIN_BASE64_BYTES && piece.len() < run.len() {
            base64(text, Span::from(at..at + piece.len()), engine, found);
        }
        at += piece.len() + 1;
    }
}

/// Decodes at the first of the four alignments that makes sense: what precedes a value
/// may be letters of the alphabet, too.
fn base64(text: &[u8], span: Span, engine: &GeneralPurpose, found: &mut impl FnMut(Decoded)) {
    let end = span.end.min(span.start + MAX_CANDIDATE_BYTES);
    for shift in 0..4 {
        let Some(letters) = text.get(span.start + shift..end) else { return };
        // A length of 4n+1 cannot be decoded: the last letter is a stray.
        let letters = letters.get(..letters.len() - usize::from(letters.len() % 4 == 1)).unwrap_or_default();
        let Some(probe) = letters.get(..letters.len().min(PROBE_BYTES / 3 * 4)) else { return };
        let Ok(head) = engine.decode(probe) else { continue };
        if !(is_readable(&head) || is_gzip(&head) || is_utf16(&head)) {
            continue;
        }
        let Ok(bytes) = engine.decode(letters) else { continue };
        let bytes = Zeroizing::new(bytes);
        let span = Span::from(span.start + shift..end);
        let (inner, bytes) = unpacked(bytes);
        let mut encodings = vec!["base64"];
        encodings.extend(inner);
        return found(Decoded { span, encodings, bytes });
    }
}

/// What base 64 carried: gzip, UTF-16 or just text.
fn unpacked(bytes: Zeroizing<Vec<u8>>) -> (Option<&'static str>, Zeroizing<Vec<u8>>) {
    if is_gzip(&bytes) {
        (Some("gzip"), inflated(&bytes))
    } else if is_utf16(&bytes) {
        let text = bytes.chunks_exact(2).map(|pair| if pair[1] == 0 { pair[0] } else { b'?' });
        (Some("utf16"), Zeroizing::new(text.collect()))
    } else {
        (None, bytes)
    }
}

#[expect(clippy::disallowed_types, reason = "capped at MAX_INFLATED_BYTES")]
fn inflated(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::new());
    // A truncated stream still gives what was readable of it.
    let _partial = flate2::read::GzDecoder::new(bytes).take(MAX_INFLATED_BYTES).read_to_end(&mut out);
    out
}

fn hex(text: &[u8], span: Span) -> Option<Decoded> {
    let digits = text.get(span.start..span.end.min(span.start + MAX_CANDIDATE_BYTES))?;
    let decode = |digits: &[u8]| -> Vec<u8> {
        let value = |digit: u8| {
            char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0)
        };
        digits.chunks_exact(2).map(|pair| value(pair[0]) << 4 | value(pair[1])).collect()
    };
    let is_even = digits.len() % 2 == 0;
    (is_even && is_readable(&decode(digits.get(..digits.len().min(2 * PROBE_BYTES))?))).then(|| Decoded {
        span,
        encodings: vec!["hex"],
        bytes: Zeroizing::new(decode(digits)),
    })
}

/// Words with percent-encoded bytes, decoded.
pub(crate) fn percent(text: &[u8], mut found: impl FnMut(Decoded)) {
    let mut done = 0;
    for at in memchr::memchr_iter(b'%', text) {
        if at < done || !escape(text, at).is_some_and(|byte| byte.is_ascii_graphic()) {
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

/// Lines with JSON escapes that cut values apart: `\n`, `\/`, `\u00xx`.
pub(crate) fn json(text: &[u8], mut found: impl FnMut(Decoded)) {
    let mut done = 0;
    for at in memchr::memchr_iter(b'\\', text) {
        if at < done || !matches!(text.get(at + 1), Some(b'n' | b'/' | b'u')) {
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

fn is_readable(bytes: &[u8]) -> bool {
    let plain = bytes.iter().filter(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()).count();
    bytes.len() >= 12 && plain * 16 >= bytes.len() * 15
}

fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b, 8])
}

fn is_utf16(bytes: &[u8]) -> bool {
    let pairs = bytes.chunks_exact(2);
    bytes.len() >= 12
        && pairs.len() == pairs.filter(|pair| pair[1] == 0 && pair[0].is_ascii() && pair[0] != 0).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    const PLAIN: &str = "the quick brown fox jumps over it";

    fn texts(text: &str) -> Vec<(Vec<&'static str>, String)> {
        let mut all = Vec::new();
        let mut add = |decoded: Decoded| {
            all.push((decoded.encodings.clone(), String::from_utf8_lossy(&decoded.bytes).into_owned()));
        };
        runs(text.as_bytes(), &mut add);
        percent(text.as_bytes(), &mut add);
        json(text.as_bytes(), &mut add);
        all
    }

    #[test]
    fn base64_is_read_at_every_alignment() {
        let encoded = STANDARD.encode(PLAIN);
        for prefix in ["", "a", "ab", "abc", "x="] {
            let found = texts(&format!("{prefix}{encoded}"));
            assert!(found.iter().any(|(_, text)| text.contains("quick brown fox")), "{prefix}: {found:?}");
        }
    }

    #[test]
    fn hex_percent_json_and_utf16_are_read() {
        let hex: String = PLAIN.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(texts(&hex), [(vec!["hex"], PLAIN.to_owned())]);
        let percent: String = PLAIN.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(texts(&format!("a={percent} b")), [(vec!["percent"], format!("a={PLAIN}"))]);
        assert_eq!(texts(r"a\nb\u0041\/"), [(vec!["json"], "a\nbA/".to_owned())]);
        let utf16: Vec<u8> = PLAIN.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(texts(&STANDARD.encode(utf16)), [(vec!["base64", "utf16"], PLAIN.to_owned())]);
    }

    #[test]
    fn digests_and_paths_are_not_text() {
        assert!(texts("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08").is_empty());
        assert!(texts("/home/runner/work/_actions/actions/checkout/v4/dist/index").is_empty());
    }
}
