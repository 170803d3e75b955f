//! Lines that belong together: a Kubernetes manifest, and a key id with its secret.

use crate::assign;
use crate::block;
use crate::engine::{Hit, Worker};
use crate::view::View;
use regex_automata::Span;

/// A secret access key stands so many lines and bytes from its id.
const PAIR_LINES: usize = 6;
const PAIR_BYTES: usize = 1000;
/// A Kubernetes manifest reaches so many lines and bytes from its kind.
const MANIFEST_LINES: usize = 200;
const MANIFEST_BYTES: usize = 32 << 10;

impl Worker<'_> {
    /// The values of the Kubernetes manifest around an offset.
    pub(crate) fn manifest(&mut self, text: &[u8], at: usize, hits: &mut Vec<Hit>) {
        let mut line = block::line_around(text, at);
        for _ in 0..MANIFEST_LINES {
            match block::line_before(text, line.start) {
                Some(before) if at - before.start < MANIFEST_BYTES => line = before,
                _ => break,
            }
        }
        let mut joined = View::default();
        for _ in 0..2 * MANIFEST_LINES {
            block::push_line(text, line, &mut joined);
            joined.push(b"\n", line.end);
            match block::line_after(text, line.end) {
                Some(next) if next.start < at + MANIFEST_BYTES => line = next,
                _ => break,
            }
        }
        let scanner = self.scanner;
        scanner.manifests.find(&joined.bytes, |entry| {
            if let Some(mut hit) = self.hit(&joined.bytes, entry.value, entry.value, scanner.manifest) {
                hit.span = joined.origin_span(entry.value);
                hit.name = joined
                    .bytes
                    .get(entry.name.range())
                    .map(|name| String::from_utf8_lossy(name).into_owned());
                if let Some(decoded) = entry.decoded {
                    hit.value = decoded;
                    hit.encodings.push("base64");
                }
                hits.push(hit);
            }
        });
    }

    /// Secret access keys in the lines around their id.
    pub(crate) fn pairs(&mut self, text: &[u8], key_id: Span, hits: &mut Vec<Hit>) {
        let mut first = block::line_around(text, key_id.start);
        let own = first;
        for _ in 0..PAIR_LINES {
            match block::line_before(text, first.start) {
                Some(line) if key_id.start - line.start < 2 * PAIR_BYTES => first = line,
                _ => break,
            }
        }
        let mut joined = View::default();
        let mut line = first;
        let mut after = 0;
        while after <= PAIR_LINES {
            let low = line.start.max(key_id.start.saturating_sub(2 * PAIR_BYTES));
            let high = line.end.min(key_id.end + 2 * PAIR_BYTES);
            if low == line.start {
                block::push_line(text, Span::from(low..high), &mut joined);
            } else {
                joined.push_visible(text.get(low..high).unwrap_or_default(), low);
            }
            joined.push(b"\n", line.end);
            after += usize::from(line.start >= own.start);
            match block::line_after(text, line.end) {
                Some(next) if next.start < key_id.end + 2 * PAIR_BYTES => line = next,
                _ => break,
            }
        }
        let at = joined.pieces.iter().take_while(|piece| piece.text <= key_id.start).last();
        let Some(at) = at.map(|piece| piece.view + key_id.start - piece.text) else { return };
        let mut spans = Vec::new();
        assign::aws_secrets_near(&joined.bytes, Span::from(at..at + 20), PAIR_BYTES, |span| spans.push(span));
        for span in spans {
            if let Some(mut hit) = self.hit(&joined.bytes, span, span, self.scanner.aws_secret) {
                hit.span = joined.origin_span(span);
                hit.is_joined = true;
                hits.push(hit);
            }
        }
    }
}
