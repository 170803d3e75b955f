//! What encoders wrap over many lines: base 64 and hex dumps.

use crate::block;
use crate::decode::{self, Decoded};
use crate::depth::Depth;
use crate::engine::{Hit, Worker};
use crate::runs::{self, BASE64, MIN_RUN};
use crate::seam::push_pieces;
use crate::search::Sweep;
use crate::view::{self, View};
use regex_automata::Span;
use zeroize::Zeroizing;

/// Lines of base 64 are at least so long.
pub(crate) const MIN_WRAPPED_BYTES: usize = 24;

impl Worker<'_> {
    /// Base 64 over lines of one length.
    #[inline(never)]
    pub(crate) fn wrapped(&mut self, text: &[u8], at: usize, depth: Depth, sweep: &mut Sweep) {
        if at < sweep.wrapped_to {
            return;
        }
        let mut line = Span::from(at..block::line_around(text, at).end);
        if !block::line_after(text, line.end).is_some_and(|next| may_be_base64(text, next)) {
            return;
        }
        let mut joined = View::default();
        let (width, mut is_padded) = push_base64(text, line, &mut joined);
        let before = block::line_before(text, at).map(|line| push_base64(text, line, &mut View::default()));
        if before == Some((width, false)) && sweep.wrapped_to != at {
            return;
        }
        let mut lines = 1;
        let mut last = joined.bytes.len();
        while !is_padded && let Some(next) = block::line_after(text, line.end) {
            let length = joined.bytes.len();
            let (added, ends) = push_base64(text, next, &mut joined);
            if added == 0 || added > width || length + added > decode::MAX_CANDIDATE_BYTES {
                joined.bytes.truncate(length);
                if length + added > decode::MAX_CANDIDATE_BYTES {
                    self.state.budget.hit(next.start);
                }
                break;
            }
            (lines, line, is_padded, last) = (lines + 1, next, ends, length);
            if added < width {
                break;
            }
        }
        if lines < 2 || width < MIN_WRAPPED_BYTES {
            return;
        }
        let mut decoded = decode::wrapped(&joined.bytes);
        // A word may stand behind lines that are all full, or behind a single one.
        let letters = joined.bytes.len() - last;
        if letters < width && decoded.as_ref().is_some_and(|decoded| !decode::ends_as_text(decoded, letters))
        {
            decoded = if lines > 2 { decode::wrapped(&joined.bytes[..last]) } else { None };
        }
        if let Some(decoded) = decoded {
            let found = self.decoded_apart(&joined, decoded, depth);
            if !found.is_empty() {
                sweep.wrapped_to = line.end;
                sweep.together.push(Span::from(at..line.end));
            }
            sweep.hits.extend(found);
        }
    }

    /// Consecutive lines of a hex dump.
    #[inline(never)]
    pub(crate) fn dump(&mut self, text: &[u8], at: usize, depth: Depth, sweep: &mut Sweep) {
        if at < sweep.dumped_to {
            return;
        }
        let mut bytes = Zeroizing::new(Vec::new());
        let mut line = Span::from(at..block::line_around(text, at).end);
        let mut scratch = View::default();
        let is_dump = |line: Span, scratch: &mut View, bytes: &mut Vec<u8>| {
            scratch.clear();
            block::push_line(text, line, scratch);
            decode::dump_line(&scratch.bytes, bytes)
        };
        let mut other = Zeroizing::new(Vec::new());
        let goes_on =
            block::line_before(text, at).is_some_and(|line| is_dump(line, &mut scratch, &mut other));
        if goes_on && sweep.dumped_to != at {
            return;
        }
        is_dump(line, &mut scratch, &mut bytes);
        while let Some(next) = block::line_after(text, line.end) {
            if !is_dump(next, &mut scratch, &mut bytes) {
                break;
            }
            line = next;
            if bytes.len() > decode::MAX_CANDIDATE_BYTES {
                self.state.budget.hit(line.start);
                break;
            }
        }
        sweep.dumped_to = line.end + 1;
        sweep.together.push(Span::from(at..line.end));
        if bytes.len() < MIN_RUN / 2 {
            return;
        }
        let mut joined = View::default();
        joined.push(text.get(at..line.end).unwrap_or_default(), at);
        let span = Span::from(0..joined.bytes.len());
        let found = self.decoded_apart(&joined, Decoded { span, encodings: vec!["hex"], bytes }, depth);
        sweep.hits.extend(found);
    }

    fn decoded_apart(&mut self, joined: &View, decoded: Decoded, depth: Depth) -> Vec<Hit> {
        let at = joined.origin(decoded.span.start);
        let mut hits = Vec::new();
        if self.state.budget.allows(decoded.span.len(), decoded.bytes.len(), at) {
            self.decoded(&joined.bytes, (decoded, at), depth, &mut hits);
        }
        for hit in &mut hits {
            hit.span = joined.origin_span(hit.span);
            hit.is_joined = true;
        }
        hits
    }
}

/// A quick look whether a raw line is one of base 64 when it is seen; true in doubt.
fn may_be_base64(text: &[u8], line: Span) -> bool {
    let raw = text.get(line.range()).unwrap_or_default();
    let visible = raw[view::prefix(raw).len..].trim_ascii();
    memchr::memchr2(b' ', 0x1b, visible).is_none_or(|at| visible[at] == 0x1b)
        && visible.first().is_some_and(|first| runs::is(*first, BASE64) || *first == 0x1b)
}

/// Appends a line of nothing but base 64; the count of its letters, or 0, and whether it is
/// padded, as only the last one is.
fn push_base64(text: &[u8], line: Span, joined: &mut View) -> (usize, bool) {
    let mut view = View::default();
    block::push_line(text, line, &mut view);
    let lead = view.bytes.iter().take(16).take_while(|byte| **byte == b' ').count();
    let letters = view.bytes.get(lead..).unwrap_or_default();
    if !is_base64_line(letters) {
        return (0, false);
    }
    let length = runs::leading(letters, BASE64);
    push_pieces(&view, Span::from(lead..lead + length), joined);
    (length, length < letters.len())
}

pub(crate) fn is_base64_line(line: &[u8]) -> bool {
    let letters = runs::leading(line, BASE64);
    letters > 0 && line.len() - letters <= 2 && line[letters..].iter().all(|byte| *byte == b'=')
}
