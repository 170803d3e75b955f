//! Hexadecimal: runs and dumps.

use super::{Decoded, MAX_CANDIDATE_BYTES, unpacked};
use crate::runs;
use regex_automata::Span;
use zeroize::Zeroizing;

/// Shorter runs are no candidates.
pub(super) const MIN_HEX_BYTES: usize = 32;

/// Hex in a run of word characters; whether the run is hex at all.
pub(super) fn parts(text: &[u8], word: Span, found: &mut impl FnMut(Decoded)) -> bool {
    let mut at = word.start;
    let mut is_hex = false;
    while at + MIN_HEX_BYTES <= word.end {
        // From its end: most parts are skipped after a look at a few letters.
        let least = &text[at..at + MIN_HEX_BYTES];
        if let Some(other) = least.iter().rposition(|byte| !runs::is(*byte, runs::HEX)) {
            at += other + 1;
            continue;
        }
        let length = MIN_HEX_BYTES + runs::leading(&text[at + MIN_HEX_BYTES..word.end], runs::HEX);
        is_hex |= length == word.len();
        // `0x` or another letter may stand before.
        is_hex |= [0, 1].into_iter().any(|shift| hex(text, Span::from(at + shift..at + length), found));
        at += length + 1;
    }
    is_hex
}

fn hex(text: &[u8], span: Span, found: &mut impl FnMut(Decoded)) -> bool {
    let end = span.end.min(span.start + MAX_CANDIDATE_BYTES);
    let digits = &text[span.start..end - (end - span.start) % 2];
    let byte = |pair: &[u8]| {
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        value(pair[0]).unwrap_or(0) << 4 | value(pair[1]).unwrap_or(0)
    };
    // Text shows itself in the first bytes; UTF-16 has a zero in every pair.
    let mut probe = digits.chunks_exact(2).take(16).map(byte);
    if !probe.all(|byte| byte.is_ascii() && (byte >= 0x20 || byte.is_ascii_whitespace() || byte == 0)) {
        return false;
    }
    let bytes = Zeroizing::new(digits.chunks_exact(2).map(byte).collect());
    let (inner, bytes) = unpacked(bytes);
    let mut encodings = vec!["hex"];
    encodings.extend(inner);
    found(Decoded { span: Span::from(span.start..span.start + digits.len()), encodings, bytes });
    true
}

/// A line of a hex dump: `xxd`, `hexdump`, `hexdump -C`, `od -tx1`. Gives its bytes.
pub(crate) fn dump_line(line: &[u8], bytes: &mut Vec<u8>) -> bool {
    let line = line.trim_ascii_start();
    let offset = runs::leading(line, runs::HEX);
    if !(6..=16).contains(&offset) {
        return false;
    }
    let before = bytes.len();
    let is_xxd = line.get(offset) == Some(&b':');
    let Some(rest) = line.get(offset + usize::from(is_xxd)..) else { return false };
    if rest.first() != Some(&b' ') {
        return false;
    }
    // xxd puts its text column behind two blanks.
    let rest = rest.trim_ascii_start();
    let hex = if is_xxd { memchr::memmem::find(rest, b"  ").map_or(rest, |at| &rest[..at]) } else { rest };
    for group in hex.split(|byte| *byte == b' ').filter(|group| !group.is_empty()) {
        let is_hex =
            group.len() % 2 == 0 && group.len() <= 8 && runs::leading(group, runs::HEX) == group.len();
        if !is_hex || (bytes.len() - before) * 2 + group.len() > 128 {
            break;
        }
        let from = bytes.len();
        for pair in group.chunks_exact(2) {
            let digit = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0);
            bytes.push(u8::try_from(digit(pair[0]) << 4 | digit(pair[1])).unwrap_or(0));
        }
        // `hexdump` alone prints words of the machine's byte order.
        if !is_xxd && group.len() > 2 {
            bytes[from..].reverse();
        }
    }
    bytes.len() > before
}
