//! The text as a reader sees it: no ANSI codes, CR or runner timestamps.
use zeroize::Zeroize;

/// Visible bytes, and where each came from.
pub(crate) struct View {
    pub(crate) bytes: Vec<u8>,
    pub(crate) from: Vec<usize>,
}
impl Drop for View {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}
fn timestamp(line: &[u8]) -> usize {
    let fits = line.get(4) == Some(&b'-')
        && line.get(10) == Some(&b'T')
        && line.get(19) == Some(&b'.')
        && line.get(27) == Some(&b'Z')
        && line.get(28) == Some(&b' ');
    if fits { 29 } else { 0 }
}
fn ansi(rest: &[u8]) -> usize {
    if rest.get(1) != Some(&b'[') {
        return 1;
    }
    let end = rest.iter().skip(2).take(64).position(|b| (0x40..=0x7e).contains(b));
    end.map_or(1, |at| at + 3)
}
impl View {
    pub(crate) fn of(text: &[u8]) -> Self {
        let mut view = Self { bytes: Vec::with_capacity(text.len()), from: Vec::with_capacity(text.len()) };
        let mut at = timestamp(text);
        while let Some(&byte) = text.get(at) {
            match byte {
                0x1b => at += ansi(text.get(at..).unwrap_or_default()),
                b'\r' => at += 1,
                _ => {
                    view.bytes.push(byte);
                    view.from.push(at);
                    at += 1;
                    if byte == b'\n' {
                        at += timestamp(text.get(at..).unwrap_or_default());
                    }
                }
            }
        }
        view
    }
}
