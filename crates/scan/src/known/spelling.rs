//! Every way a log may spell a value.
//!
//! Each form gives the bytes that stand in the text. Base 64 is looked for by the
//! letters that depend on the value alone, at each of its three alignments (so the
//! value is found inside a longer encoded text, too); the letters at both edges hold
//! bits of the value and of its neighbours, and only the value's bits are compared.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// What stands inside a base-64 text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Inner {
    Plain,
    Utf16Little,
    Utf16Big,
}

/// Which bytes percent-encoding leaves alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// RFC 3986 §2.3, unreserved.
    Unreserved,
    /// ECMA-262 `encodeURIComponent`.
    Component,
    /// WHATWG URL `application/x-www-form-urlencoded`; a blank becomes `+`.
    Form,
    Nothing,
}

/// How JSON writers differ (RFC 8259 §7 leaves the choice).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Json {
    Minimal,
    /// `/` as `\/` (PHP).
    Slash,
    /// `<`, `>` and `&` as `\u003c` … (Go `encoding/json`).
    Html,
    /// Everything beyond ASCII as `\u…` (Python).
    Ascii,
}

/// How HTML writers spell double and single quotes; all write `&amp;`, `&lt;` and `&gt;`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Html {
    double: &'static str,
    single: &'static str,
}

const fn html_form(double: &'static str, single: &'static str) -> Form {
    Form::Html(Html { double, single })
}

/// How shells quote.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shell {
    /// POSIX single quotes: `'\''`.
    Single,
    /// Single quotes as Python's `shlex.quote` does: `'"'"'`.
    Shlex,
    /// Double quotes: backslash before `" $ \` and backslash.
    Double,
    /// Backslash before everything special (bash `printf %q`).
    Backslash,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Raw,
    /// The view of a log has no carriage returns.
    NoReturns,
    Base64 {
        inner: Inner,
        phase: usize,
        url_safe: bool,
    },
    Hex {
        upper: bool,
    },
    Percent {
        keep: Keep,
        upper: bool,
    },
    Json(Json),
    JsonTwice,
    Html(Html),
    Shell(Shell),
    Reversed,
    /// UTF-16 without its last byte if that is zero: the same for both byte orders.
    Utf16,
}

const fn base64(inner: Inner, phase: usize, url_safe: bool) -> Form {
    Form::Base64 { inner, phase, url_safe }
}

const fn percent(keep: Keep, upper: bool) -> Form {
    Form::Percent { keep, upper }
}

/// All forms; of equal spellings the first one names the match.
pub(super) const FORMS: [Form; 47] = [
    Form::Raw,
    Form::NoReturns,
    base64(Inner::Plain, 0, false),
    base64(Inner::Plain, 1, false),
    base64(Inner::Plain, 2, false),
    base64(Inner::Plain, 0, true),
    base64(Inner::Plain, 1, true),
    base64(Inner::Plain, 2, true),
    Form::Hex { upper: false },
    Form::Hex { upper: true },
    percent(Keep::Unreserved, true),
    percent(Keep::Unreserved, false),
    percent(Keep::Component, true),
    percent(Keep::Component, false),
    percent(Keep::Form, true),
    percent(Keep::Form, false),
    percent(Keep::Nothing, true),
    percent(Keep::Nothing, false),
    Form::Json(Json::Minimal),
    Form::Json(Json::Slash),
    Form::Json(Json::Html),
    Form::Json(Json::Ascii),
    Form::JsonTwice,
    // Python; Ruby; PHP from 8.1 and before; Go; texts outside of attributes.
    html_form("&quot;", "&#x27;"),
    html_form("&quot;", "&#39;"),
    html_form("&quot;", "&#039;"),
    html_form("&quot;", "'"),
    html_form("&#34;", "&#39;"),
    html_form("\"", "'"),
    Form::Shell(Shell::Single),
    Form::Shell(Shell::Shlex),
    Form::Shell(Shell::Double),
    Form::Shell(Shell::Backslash),
    Form::Reversed,
    Form::Utf16,
    base64(Inner::Utf16Little, 0, false),
    base64(Inner::Utf16Little, 1, false),
    base64(Inner::Utf16Little, 2, false),
    base64(Inner::Utf16Big, 0, false),
    base64(Inner::Utf16Big, 1, false),
    base64(Inner::Utf16Big, 2, false),
    base64(Inner::Utf16Little, 0, true),
    base64(Inner::Utf16Little, 1, true),
    base64(Inner::Utf16Little, 2, true),
    base64(Inner::Utf16Big, 0, true),
    base64(Inner::Utf16Big, 1, true),
    base64(Inner::Utf16Big, 2, true),
];

/// Bits of a base-64 letter that belong to the value.
#[derive(Clone, Copy)]
struct Edge {
    mask: u8,
    bits: u8,
}

/// A value as it stands in a text.
pub(super) struct Spelled {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    before: Option<Edge>,
    after: Option<Edge>,
}

impl Spelled {
    fn plain(bytes: Vec<u8>) -> Self {
        Self { bytes: Zeroizing::new(bytes), before: None, after: None }
    }

    /// Whether this spelling stands in `text` at `start`.
    pub(super) fn stands_at(&self, text: &[u8], start: usize) -> bool {
        let end = start + self.bytes.len();
        text.get(start..end).is_some_and(|found| found == self.bytes.as_slice())
            && fits(self.before, start.checked_sub(1).and_then(|at| text.get(at)))
            && fits(self.after, text.get(end))
    }
}

fn fits(edge: Option<Edge>, letter: Option<&u8>) -> bool {
    edge.is_none_or(|edge| {
        letter.copied().and_then(six_bits).is_some_and(|bits| bits & edge.mask == edge.bits)
    })
}

/// The value of a letter of either base-64 alphabet (RFC 4648 §4, §5).
fn six_bits(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

impl Form {
    /// Encodings around the value, outermost first.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Raw | Self::NoReturns => &[],
            Self::Base64 { inner: Inner::Plain, .. } => &["base64"],
            Self::Base64 { .. } => &["base64", "utf16"],
            Self::Hex { .. } => &["hex"],
            Self::Percent { .. } => &["percent"],
            Self::Json(_) => &["json"],
            Self::JsonTwice => &["json", "json"],
            Self::Html(_) => &["html"],
            Self::Shell(_) => &["shell"],
            Self::Reversed => &["reversed"],
            Self::Utf16 => &["utf16"],
        }
    }

    /// Whether letters, digits, `-`, `.` and `_` are spelled as they are.
    pub(super) fn leaves_bare(self) -> bool {
        match self {
            Self::NoReturns | Self::Json(_) | Self::JsonTwice | Self::Html(_) | Self::Shell(_) => true,
            Self::Percent { keep, .. } => keep != Keep::Nothing,
            Self::Raw | Self::Base64 { .. } | Self::Hex { .. } | Self::Reversed | Self::Utf16 => false,
        }
    }

    /// The spelling of a value; `None` where the form does not apply to it.
    pub(super) fn of(self, value: &[u8]) -> Option<Spelled> {
        let bytes = match self {
            Self::Raw => value.to_vec(),
            Self::NoReturns => value.iter().copied().filter(|byte| *byte != b'\r').collect(),
            Self::Base64 { inner, phase, url_safe } => {
                let inside = match inner {
                    Inner::Plain => Zeroizing::new(value.to_vec()),
                    Inner::Utf16Little => utf16(value, u16::to_le_bytes)?,
                    Inner::Utf16Big => utf16(value, u16::to_be_bytes)?,
                };
                return base64_part(&inside, phase, url_safe);
            }
            Self::Hex { upper } => {
                let mut digits = Vec::with_capacity(2 * value.len());
                value.iter().for_each(|byte| digits.extend(hex_digits(*byte, upper)));
                digits
            }
            Self::Percent { keep, upper } => percent_encoded(value, keep, upper),
            Self::Json(style) => json(value, style)?,
            Self::JsonTwice => json(&Zeroizing::new(json(value, Json::Minimal)?), Json::Minimal)?,
            Self::Html(style) => html(value, style),
            Self::Shell(style) => shell(value, style),
            Self::Reversed => value.iter().rev().copied().collect(),
            Self::Utf16 => {
                let mut wide = utf16(value, u16::to_le_bytes)?.to_vec();
                wide.pop_if(|last| *last == 0);
                wide
            }
        };
        Some(Spelled::plain(bytes))
    }
}

fn utf16(value: &[u8], bytes: fn(u16) -> [u8; 2]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(value).ok()?;
    let mut wide = Zeroizing::new(Vec::with_capacity(2 * value.len()));
    text.encode_utf16().for_each(|unit| wide.extend(bytes(unit)));
    Some(wide)
}

/// The letters that depend on `value` alone when `phase` bytes (modulo 3) stand before it.
fn base64_part(value: &[u8], phase: usize, url_safe: bool) -> Option<Spelled> {
    let padded = Zeroizing::new([&[0; 2][..phase], value].concat());
    let engine = if url_safe { URL_SAFE_NO_PAD } else { STANDARD_NO_PAD };
    let whole = Zeroizing::new(engine.encode(padded.as_slice()).into_bytes());
    let (start, end) = ((8 * phase).div_ceil(6), 8 * padded.len() / 6);
    let edge = |at: usize, mask: u8| {
        let bits = whole.get(at).copied().and_then(six_bits)? & mask;
        Some(Edge { mask, bits })
    };
    let shared_before = 6 * start - 8 * phase;
    let shared_after = 8 * padded.len() - 6 * end;
    let before = start.checked_sub(1).and_then(|at| edge(at, (1 << shared_before) - 1));
    let after = if shared_after > 0 { edge(end, 0x3f & !((1 << (6 - shared_after)) - 1)) } else { None };
    Some(Spelled { bytes: Zeroizing::new(whole.get(start..end)?.to_vec()), before, after })
}

fn hex_digits(byte: u8, upper: bool) -> [u8; 2] {
    let digits: &[u8; 16] = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]
}

fn percent_encoded(value: &[u8], keep: Keep, upper: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(3 * value.len());
    for byte in value {
        let is_kept = match keep {
            Keep::Unreserved => byte.is_ascii_alphanumeric() || b"-._~".contains(byte),
            Keep::Component => byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(byte),
            Keep::Form => byte.is_ascii_alphanumeric() || b"-._*".contains(byte),
            Keep::Nothing => false,
        };
        match byte {
            _ if is_kept => out.push(*byte),
            b' ' if keep == Keep::Form => out.push(b'+'),
            _ => {
                out.push(b'%');
                out.extend(hex_digits(*byte, upper));
            }
        }
    }
    out
}

fn json(value: &[u8], style: Json) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok()?;
    let mut out = Vec::with_capacity(value.len() + 8);
    let unit = |out: &mut Vec<u8>, unit: u16| {
        out.extend(b"\\u");
        unit.to_be_bytes().iter().for_each(|byte| out.extend(hex_digits(*byte, false)));
    };
    for letter in text.chars() {
        match letter {
            '"' => out.extend(b"\\\""),
            '\\' => out.extend(b"\\\\"),
            '\n' => out.extend(b"\\n"),
            '\r' => out.extend(b"\\r"),
            '\t' => out.extend(b"\\t"),
            '\u{8}' => out.extend(b"\\b"),
            '\u{c}' => out.extend(b"\\f"),
            '/' if style == Json::Slash => out.extend(b"\\/"),
            '<' | '>' | '&' if style == Json::Html => unit(&mut out, letter as u16),
            '\0'..='\u{1f}' => unit(&mut out, letter as u16),
            _ if style == Json::Ascii && !letter.is_ascii() => {
                letter.encode_utf16(&mut [0; 2]).iter().for_each(|half| unit(&mut out, *half));
            }
            _ => out.extend(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Some(out)
}

fn html(value: &[u8], style: Html) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 16);
    for byte in value {
        let entity: &[u8] = match byte {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'"' => style.double.as_bytes(),
            b'\'' => style.single.as_bytes(),
            _ => std::slice::from_ref(byte),
        };
        out.extend(entity);
    }
    out
}

fn shell(value: &[u8], style: Shell) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 16);
    for byte in value {
        let is_special = match style {
            Shell::Single | Shell::Shlex => false,
            Shell::Double => b"\"$`\\".contains(byte),
            Shell::Backslash => byte.is_ascii_graphic() && !in_bare_word(*byte) || *byte == b' ',
        };
        match (byte, style) {
            (b'\'', Shell::Single) => out.extend(b"'\\''"),
            (b'\'', Shell::Shlex) => out.extend(b"'\"'\"'"),
            _ => {
                out.extend(is_special.then_some(b'\\'));
                out.push(*byte);
            }
        }
    }
    out
}

/// What bash leaves bare in `printf %q`.
fn in_bare_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./:=@%+".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(form: Form, value: &str) -> String {
        String::from_utf8(form.of(value.as_bytes()).unwrap().bytes.to_vec()).unwrap()
    }

    #[test]
    fn base64_parts_stand_in_every_longer_text() {
        let value = b"q8/Zr2?Lk0>Vn5";
        for form in FORMS {
            let Form::Base64 { inner: Inner::Plain, phase, url_safe } = form else { continue };
            let engine = if url_safe { URL_SAFE_NO_PAD } else { STANDARD_NO_PAD };
            let spelled = form.of(value).unwrap();
            for tail in ["", "\n", "xy", "\u{7f}zz"] {
                let text = engine.encode([&b"user:"[..phase], value, tail.as_bytes()].concat()).into_bytes();
                let at = memchr::memmem::find(&text, &spelled.bytes).unwrap();
                assert!(spelled.stands_at(&text, at), "phase {phase} before {tail:?}");
            }
            // The neighbour of the last stable letter differs in the value's own bits.
            let near = [&b"user:"[..phase], &value[..value.len() - 1], b"\xff"].concat();
            let text = engine.encode(near).into_bytes();
            let at = memchr::memmem::find(&text, &spelled.bytes);
            assert!(at.is_none_or(|at| !spelled.stands_at(&text, at)));
        }
    }

    #[test]
    fn writers_differ() {
        let value = "a b/\"<'$é\n\\";
        assert_eq!(spelled(Form::Json(Json::Minimal), value), "a b/\\\"<'$é\\n\\\\");
        assert_eq!(spelled(Form::Json(Json::Slash), value), "a b\\/\\\"<'$é\\n\\\\");
        assert_eq!(spelled(Form::Json(Json::Html), value), "a b/\\\"\\u003c'$é\\n\\\\");
        assert_eq!(spelled(Form::Json(Json::Ascii), value), "a b/\\\"<'$\\u00e9\\n\\\\");
        assert_eq!(spelled(Form::JsonTwice, "a\"b"), "a\\\\\\\"b");
        assert_eq!(spelled(html_form("&quot;", "'"), "<'\"&"), "&lt;'&quot;&amp;");
        assert_eq!(spelled(html_form("&#34;", "&#39;"), "'\""), "&#39;&#34;");
        assert_eq!(spelled(Form::Shell(Shell::Single), "a'b"), "a'\\''b");
        assert_eq!(spelled(Form::Shell(Shell::Shlex), "a'b"), "a'\"'\"'b");
        assert_eq!(spelled(Form::Shell(Shell::Double), "a$'b"), "a\\$'b");
        assert_eq!(spelled(Form::Shell(Shell::Backslash), "a $b"), "a\\ \\$b");
        assert_eq!(spelled(percent(Keep::Form, true), "a b/c~"), "a+b%2Fc%7E");
        assert_eq!(spelled(percent(Keep::Component, false), "(a/b)"), "(a%2fb)");
        assert_eq!(spelled(percent(Keep::Nothing, true), "a/"), "%61%2F");
        assert_eq!(spelled(Form::Hex { upper: true }, "\u{ab}"), "C2AB");
    }
}
