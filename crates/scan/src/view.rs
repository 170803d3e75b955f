//! Lines as a reader sees them: no ANSI codes, CR, runner timestamps or console notes.
//!
//! Platform prefixes: GitHub and Azure `2026-11-02T09:14:07.1234567Z `; GitLab
//! `2026-11-02T09:14:07.123456Z 00O ` (`+` for the last blank: the line goes on);
//! Jenkins' Timestamper `[2026-11-02T09:14:07.123Z] `.

use memchr::memmem;
use regex_automata::Span;
use zeroize::Zeroize;

pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";
/// Longer escape sequences are cut short.
const MAX_CSI_BYTES: usize = 64;
const MAX_OSC_BYTES: usize = 4096;
/// Operating system commands with less in them hold no secret.
const MIN_PAYLOAD_BYTES: usize = 24;
/// Jenkins' console notes: `ESC[8mha:` base 64 `ESC[0m`.
const NOTE: &[u8] = b"\x1b[8mha:";
const NOTE_END: &[u8] = b"\x1b[0m";
const MAX_NOTE_BYTES: usize = 64 << 10;

/// Where a piece of a view came from.
#[derive(Clone, Copy)]
pub(crate) struct Piece {
    /// Offset in the view.
    pub(crate) view: usize,
    /// Offset in the text.
    pub(crate) text: usize,
}

/// Visible bytes, and where each piece of them came from.
#[derive(Default)]
pub(crate) struct View {
    pub(crate) bytes: Vec<u8>,
    pub(crate) pieces: Vec<Piece>,
}

impl Drop for View {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl View {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.pieces.clear();
    }

    /// A whole text as a reader sees it.
    pub(crate) fn of(text: &[u8]) -> Self {
        let mut view = Self::default();
        let mut at = if text.starts_with(BOM) { BOM.len() } else { 0 };
        while at < text.len() {
            let rest = &text[at..];
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let prefix = prefix(&rest[..end]);
            if at > 0 && !prefix.continues && text[at - 1] == b'\n' {
                view.push(b"\n", at - 1);
            }
            view.push_visible(&rest[prefix.len..end], at + prefix.len);
            at += end + 1;
        }
        if text.ends_with(b"\n") {
            view.push(b"\n", text.len() - 1);
        }
        view
    }

    /// Appends bytes that stand at `origin` in the text.
    pub(crate) fn push(&mut self, bytes: &[u8], origin: usize) {
        self.pieces.push(Piece { view: self.bytes.len(), text: origin });
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a line that stands at `origin` without what a terminal does not show.
    pub(crate) fn push_visible(&mut self, line: &[u8], origin: usize) {
        let mut from = 0;
        let mut at = 0;
        let mut unseen: Vec<Span> = Vec::new();
        while let Some(found) = memchr::memchr2(0x1b, b'\r', line.get(at..).unwrap_or_default()) {
            at += found;
            let skip = if line[at] == b'\r' { 1 } else { escape(&line[at..]) };
            if skip >= MIN_PAYLOAD_BYTES && line.get(at + 1) == Some(&b']') {
                unseen.push(Span::from(at + 2..at + skip - 1));
            }
            if at > from {
                self.push(&line[from..at], origin + from);
            }
            at += skip;
            from = at;
        }
        if from < line.len() {
            self.push(&line[from..], origin + from);
        }
        // Titles and the targets of links can hold secrets, too: they come last.
        for payload in unseen {
            self.push(b" ", origin + payload.start);
            self.push(&line[payload.range()], origin + payload.start);
        }
    }

    /// Offset in the text of a byte of the view.
    pub(crate) fn origin(&self, at: usize) -> usize {
        let after = self.pieces.partition_point(|piece| piece.view <= at);
        match after.checked_sub(1).and_then(|index| self.pieces.get(index)) {
            Some(piece) => piece.text + (at - piece.view),
            None => at,
        }
    }

    /// Where a part of the view stands in the text, with what was cut inside it.
    pub(crate) fn origin_span(&self, span: Span) -> Span {
        let start = self.origin(span.start);
        Span::from(start..(self.origin(span.end.saturating_sub(1)) + 1).max(start))
    }
}

/// The length of GitHub's prefix.
const GITHUB_BYTES: usize = 29;

/// What precedes a line's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Prefix {
    /// Its length.
    pub(crate) len: usize,
    /// Whether the line before goes on here (GitLab's `+`).
    pub(crate) continues: bool,
    /// Whether it has the form of GitLab.
    pub(crate) is_gitlab: bool,
}

/// Whether a line begins as those of GitHub and Azure, by far the commonest, and goes on.
#[inline(always)]
fn is_github(line: &[u8]) -> bool {
    const SIGNS: [u64; 2] = [u64::from_le_bytes(*b"\0\0\0\0-\0\0-"), u64::from_le_bytes(*b"\0\0T\0\0:\0\0")];
    const MASKS: [u64; 2] = [0xff00_00ff_0000_0000, 0x0000_ff00_00ff_0000];
    let Some(stamp) = line.first_chunk::<GITHUB_BYTES>() else { return false };
    let word = |at: usize| stamp[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    (word(0) & MASKS[0], word(8) & MASKS[1]) == SIGNS.into()
        && (stamp[16], stamp[19], stamp[27], stamp[28]) == (b':', b'.', b'Z', b' ')
        && stamp[0].is_ascii_digit()
        && stamp[18].is_ascii_digit()
}

/// The platform's prefix of a line.
#[inline]
pub(crate) fn prefix(line: &[u8]) -> Prefix {
    if is_github(line) {
        return Prefix { len: GITHUB_BYTES, ..Prefix::default() };
    }
    other_prefix(line)
}

fn other_prefix(line: &[u8]) -> Prefix {
    let none = Prefix::default();
    let from = usize::from(line.first() == Some(&b'['));
    let Some(stamp) = line.get(from..from + 20) else { return none };
    let fits = stamp[4] == b'-' && stamp[7] == b'-' && stamp[10] == b'T' && stamp[13] == b':';
    if !fits || stamp[16] != b':' || !stamp[0].is_ascii_digit() || !stamp[18].is_ascii_digit() {
        return none;
    }
    let mut at = from + 19;
    if line[at] == b'.' {
        at += 1 + line.iter().skip(at + 1).take(9).take_while(|byte| byte.is_ascii_digit()).count();
    }
    if line.get(at) != Some(&b'Z') {
        return none;
    }
    at += 1;
    if from == 1 && line.get(at) == Some(&b']') {
        at += 1;
    }
    match line.get(at..) {
        None | Some([]) => return Prefix { len: at, ..none },
        Some([b' ', ..]) => at += 1,
        _ => return none,
    }
    // GitLab's have six digits of a second, GitHub's seven.
    let is_other = at == GITHUB_BYTES;
    match line.get(at..at + 4).filter(|_| !is_other) {
        Some([a, b, b'O' | b'E', last @ (b' ' | b'+')]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
            Prefix { len: at + 4, continues: *last == b'+', is_gitlab: true }
        }
        _ => Prefix { len: at, ..none },
    }
}

/// Length of the escape sequence `rest` begins with (ECMA-48; OSC 8 hyperlinks end with
/// BEL or ESC `\`).
fn escape(rest: &[u8]) -> usize {
    match rest.get(1) {
        Some(b'[') if rest.starts_with(NOTE) => {
            let note = rest.get(..rest.len().min(MAX_NOTE_BYTES)).unwrap_or_default();
            memmem::find(note, NOTE_END).map_or(NOTE.len(), |at| at + NOTE_END.len())
        }
        Some(b'[') => {
            let end = rest.iter().skip(2).take(MAX_CSI_BYTES).position(|byte| (0x40..=0x7e).contains(byte));
            end.map_or(1, |at| at + 3)
        }
        Some(b']') => {
            let end = rest.iter().skip(2).take(MAX_OSC_BYTES).position(|byte| matches!(byte, 7 | 0x1b));
            match end.map(|at| at + 2) {
                Some(at) if rest.get(at..at + 2) == Some(b"\x1b\\") => at + 2,
                Some(at) if rest.get(at) == Some(&7) => at + 1,
                _ => 1,
            }
        }
        // Character sets, keypad modes, save and restore.
        Some(b'(' | b')' | b'#') => 3,
        Some(b'=' | b'>' | b'7' | b'8' | b'c' | b'D' | b'E' | b'H' | b'M' | b'\\') => 2,
        _ => 1,
    }
}

/// How a text of UTF-16 is written.
#[derive(Clone, Copy)]
pub(crate) struct Utf16 {
    is_little: bool,
    /// Offset of the first unit, behind a byte order mark.
    pub(crate) from: usize,
}

impl Utf16 {
    /// Whether a text is UTF-16, with or without a byte order mark, by its first bytes.
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let probe = text.get(..text.len().min(512) & !1)?;
        let zeros = |odd: usize| probe.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
        let most = probe.len() / 2 * 9 / 10;
        let (is_little, from) = match text.first_chunk::<2>()? {
            [0xff, 0xfe] => (true, 2),
            [0xfe, 0xff] => (false, 2),
            _ if probe.len() < 16 => return None,
            _ if zeros(1) >= most && zeros(0) == 0 => (true, 0),
            _ if zeros(0) >= most && zeros(1) == 0 => (false, 0),
            _ => return None,
        };
        Some(Self { is_little, from })
    }

    /// One byte per unit: what is not ASCII becomes `?`, so that offsets hold.
    pub(crate) fn narrow(self, units: &[u8]) -> impl Iterator<Item = u8> {
        units.chunks_exact(2).map(move |pair| {
            let pair = [pair[0], pair[1]];
            let unit = if self.is_little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) };
            u8::try_from(unit).ok().filter(u8::is_ascii).unwrap_or(b'?')
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_the_platforms_are_known() {
        let length = |line: &[u8]| prefix(line).len;
        assert_eq!(length(b"2026-11-02T09:14:07.1234567Z a"), 29);
        assert_eq!(length(b"2026-11-02T09:14:07Z a"), 21);
        assert_eq!(length(b"[2026-11-02T09:14:07.123Z] a"), 27);
        assert_eq!(length(b"2026-11-02T09:14:07.1234567Z"), 28);
        assert_eq!(length(b"2026-11-02T09:14:07.123456Z 00O a"), 32);
        assert!(prefix(b"2026-11-02T09:14:07.123456Z 01E+a").continues);
        assert_eq!(length(b"2026-11-02T09:14:07Z abcdeZ "), 21);
        for line in [&b"2026-11-02 09:14:07 a"[..], b"2026-11-02T09:14", b"", b"2026-11-02T09:14:07.123 a"] {
            assert_eq!(length(line), 0);
        }
    }

    #[test]
    fn offsets_survive_what_is_cut() {
        let note = [NOTE, b"////4FAKE", NOTE_END].concat();
        let text =
            [b"a\x1b[31mb\x1b[0mc\rd\x1b]8;;http://x\x07e\x1b]8;;\x1b\\f", note.as_slice(), b"g"].concat();
        let mut view = View::default();
        view.push_visible(&text, 0);
        assert_eq!(view.bytes, b"abcdefg");
        for (at, byte) in view.bytes.iter().enumerate() {
            assert_eq!(text[view.origin(at)], *byte);
        }
    }

    #[test]
    fn utf16_is_read_with_and_without_its_mark() {
        let units: Vec<u16> = "key=abcdefghijkl\u{4e2d}".encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        let marked = [b"\xff\xfe".as_slice(), &little].concat();
        for (text, from) in [(little, 0), (big, 0), (marked, 2)] {
            let form = Utf16::of(&text).unwrap();
            let bytes: Vec<u8> = form.narrow(&text[form.from..]).collect();
            assert_eq!((bytes.as_slice(), form.from), (b"key=abcdefghijkl?".as_slice(), from));
        }
        assert!(Utf16::of(b"plain text of some length").is_none());
    }
}
