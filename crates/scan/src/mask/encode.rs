//! The spellings in which platforms register a secret.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use memchr::memmem;
use zeroize::Zeroizing;

pub(super) type Bytes = Zeroizing<Vec<u8>>;
/// What an encoder registers for a value; `None` for nothing.
pub(super) type Encode = fn(&[u8]) -> Option<Bytes>;

#[expect(clippy::unnecessary_wraps, reason = "one of the encoders")]
pub(super) fn literal(value: &[u8]) -> Option<Bytes> {
    Some(Zeroizing::new(value.to_vec()))
}

/// `Base64StringEscape`, `…Shift1`, `…Shift2`: with padding.
pub(super) fn base64_of(value: &[u8], shift: usize) -> Option<Bytes> {
    let rest = value.get(shift..).filter(|rest| !rest.is_empty())?;
    Some(Zeroizing::new(STANDARD.encode(rest).into_bytes()))
}

/// The letters that are the same whatever precedes a value and follows it.
pub(super) fn base64_behind(alphabet: &GeneralPurpose, value: &[u8], before: usize) -> Option<Bytes> {
    let bytes = Zeroizing::new([&b"aa"[..before.min(2)], value].concat());
    let mut letters = Zeroizing::new(alphabet.encode(&*bytes).into_bytes());
    if !bytes.len().is_multiple_of(3) {
        letters.pop();
    }
    Some(Zeroizing::new(letters.get(2 * before..)?.to_vec()))
}

/// The value with some characters respelled; `None` if it has none of them.
pub(super) fn replaced(value: &[u8], respelled: &[(u8, &str)]) -> Option<Bytes> {
    let respelling = |byte: u8| respelled.iter().find(|(from, _)| *from == byte).map(|(_, to)| *to);
    value.iter().any(|byte| respelling(*byte).is_some()).then(|| {
        let mut out = Zeroizing::new(Vec::with_capacity(6 * value.len()));
        for byte in value {
            match respelling(*byte) {
                Some(to) => out.extend_from_slice(to.as_bytes()),
                None => out.push(*byte),
            }
        }
        out
    })
}

/// Newtonsoft's `JsonConvert.ToString` without its quotes.
pub(super) fn json(value: &[u8]) -> Option<Bytes> {
    let escapes = [
        (b'"', "\\\""),
        (b'\\', "\\\\"),
        (b'\n', "\\n"),
        (b'\r', "\\r"),
        (b'\t', "\\t"),
        (0x08, "\\b"),
        (0x0c, "\\f"),
    ];
    replaced(value, &escapes)
}

/// `Uri.EscapeDataString`: RFC 3986, upper-case digits.
pub(super) fn uri(value: &[u8]) -> Option<Bytes> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    value.iter().any(|byte| !is_plain(*byte)).then(|| {
        let mut out = Zeroizing::new(Vec::with_capacity(3 * value.len()));
        for byte in value {
            if is_plain(*byte) {
                out.push(*byte);
            } else {
                let digit = |nibble: u8| b"0123456789ABCDEF"[usize::from(nibble & 0xf)];
                out.extend_from_slice(&[b'%', digit(byte >> 4), digit(*byte)]);
            }
        }
        out
    })
}

/// `SecurityElement.Escape`.
pub(super) fn xml(value: &[u8]) -> Option<Bytes> {
    let entities = [(b'<', "&lt;"), (b'>', "&gt;"), (b'"', "&quot;"), (b'\'', "&apos;"), (b'&', "&amp;")];
    replaced(value, &entities)
}

pub(super) fn trimmed_quotes(value: &[u8]) -> Option<Bytes> {
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    (value.len() > 8).then(|| Zeroizing::new(inner.to_vec()))
}

/// Windows PowerShell cuts what it quotes in an error at ampersands; sections of fewer than
/// six characters are not registered.
fn ampersand(value: &[u8]) -> Option<(usize, usize)> {
    match memmem::find(value, b"&+") {
        Some(at) => Some((at + 2, at + 3)),
        None => memchr::memrchr(b'&', value).map(|at| (at + 1, at + 1)),
    }
}

pub(super) fn before_ampersand(value: &[u8]) -> Option<Bytes> {
    let section = value.get(..ampersand(value)?.0)?;
    (section.len() >= 6).then(|| Zeroizing::new(section.to_vec()))
}

pub(super) fn after_ampersand(value: &[u8]) -> Option<Bytes> {
    let section = value.get(ampersand(value)?.1..)?;
    (section.len() >= 6).then(|| Zeroizing::new(section.to_vec()))
}

/// A value that was written with backslashes, without them.
pub(super) fn backslash(value: &[u8]) -> Option<Bytes> {
    let mut out = Zeroizing::new(Vec::with_capacity(value.len()));
    let mut rest = value;
    while let Some((byte, after)) = rest.split_first() {
        let escaped = after.first().filter(|next| *byte == b'\\' && b"\\'\"t".contains(next));
        out.push(match escaped {
            Some(b't') => b'\t',
            Some(next) => *next,
            None => *byte,
        });
        rest = after.get(usize::from(escaped.is_some())..).unwrap_or_default();
    }
    (out.len() < value.len()).then_some(out)
}
