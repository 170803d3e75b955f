//! The text as a reader sees it: no ANSI codes, CR or runner timestamps, no UTF-16.

use zeroize::Zeroize;

/// Visible bytes, and where each piece of them came from.
pub(crate) struct View {
    pub(crate) bytes: Vec<u8>,
    /// Where a piece of the view begins: offset in the view, offset in the text.
    pieces: Vec<(usize, usize)>,
    /// Bytes of text per byte of view: 2 for UTF-16.
    width: usize,
}

impl Drop for View {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl View {
    pub(crate) fn of(text: &[u8]) -> Self {
        match utf16(text) {
            Some(bytes) => Self { bytes, pieces: vec![(0, 2)], width: 2 },
            None => Self::stripped(text),
        }
    }

    fn stripped(text: &[u8]) -> Self {
        let mut view = Self { bytes: Vec::with_capacity(text.len()), pieces: Vec::new(), width: 1 };
        let mut from = timestamp(text);
        let mut at = from;
        while let Some(found) = next_cut(text.get(at..).unwrap_or_default()) {
            at += found;
            let skip = match text.get(at) {
                Some(b'\n') => {
                    at += 1;
                    timestamp(text.get(at..).unwrap_or_default())
                }
                Some(0x1b) => ansi(text.get(at..).unwrap_or_default()),
                _ => 1,
            };
            if skip > 0 {
                view.piece(text, from, at);
                at += skip;
                from = at;
            }
        }
        view.piece(text, from, text.len());
        view
    }

    fn piece(&mut self, text: &[u8], from: usize, to: usize) {
        if to > from {
            self.pieces.push((self.bytes.len(), from));
            self.bytes.extend_from_slice(text.get(from..to).unwrap_or_default());
        }
    }

    /// Offset in the text of a byte of the view.
    pub(crate) fn origin(&self, at: usize) -> usize {
        let after = self.pieces.partition_point(|piece| piece.0 <= at);
        let (start, from) =
            after.checked_sub(1).and_then(|index| self.pieces.get(index)).copied().unwrap_or_default();
        from + (at - start) * self.width
    }
}

/// The next byte that may have to go: escape, carriage return, or the end of a line.
fn next_cut(rest: &[u8]) -> Option<usize> {
    memchr::memchr3(0x1b, b'\r', b'\n', rest)
}

/// Length of a runner timestamp with its blank.
fn timestamp(line: &[u8]) -> usize {
    let fits = line.get(4) == Some(&b'-')
        && line.get(10) == Some(&b'T')
        && line.get(19) == Some(&b'.')
        && line.get(27) == Some(&b'Z')
        && line.get(28) == Some(&b' ');
    if fits { 29 } else { 0 }
}

/// Length of an ANSI sequence.
fn ansi(rest: &[u8]) -> usize {
    if rest.get(1) != Some(&b'[') {
        return 1;
    }
    let end = rest.iter().skip(2).take(64).position(|byte| (0x40..=0x7e).contains(byte));
    end.map_or(1, |at| at + 3)
}

/// UTF-16 with a byte order mark as UTF-8, if all of it is ASCII or decodes one to one;
/// other characters become `?`, so that offsets hold.
fn utf16(text: &[u8]) -> Option<Vec<u8>> {
    let little = match text.first_chunk::<2>()? {
        [0xff, 0xfe] => true,
        [0xfe, 0xff] => false,
        _ => return None,
    };
    let units = text.get(2..)?.chunks_exact(2).map(|pair| {
        let pair = [pair[0], pair[1]];
        if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
    });
    Some(units.map(|unit| u8::try_from(unit).ok().filter(u8::is_ascii).unwrap_or(b'?')).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_survive_what_is_cut() {
        let text = b"2026-11-02T09:14:07.1234567Z a\x1b[31mb\x1b[0mc\r\n2026-11-02T09:14:07.1234567Z d";
        let view = View::of(text);
        assert_eq!(view.bytes, b"abc\nd");
        for (at, byte) in view.bytes.iter().enumerate() {
            assert_eq!(text[view.origin(at)], *byte);
        }
    }

    #[test]
    fn utf16_is_read_with_offsets() {
        let text: Vec<u8> = "\u{feff}key=ab".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let view = View::of(&text);
        assert_eq!(view.bytes, b"key=ab");
        assert_eq!((view.origin(0), view.origin(4)), (2, 10));
    }
}
