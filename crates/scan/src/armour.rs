//! Armoured blocks: from `-----BEGIN` to `-----END`.

use crate::assign;
use crate::block;
use crate::compiled::ARMOUR;
use crate::engine::{Hit, Worker};
use crate::matcher::MAX_MATCH_BYTES;
use crate::view::View;
use memchr::memmem;
use regex_automata::Span;
use zeroize::Zeroizing;

/// An armoured block ends within so many lines.
const MAX_ARMOUR_LINES: usize = 400;
/// What names the owner of a private key stands so close to it.
const OWNER_BYTES: usize = 4096;

impl Worker<'_> {
    /// A block from `-----BEGIN` to `-----END`.
    pub(crate) fn armoured(&mut self, text: &[u8], rule: usize, at: usize) -> Option<Hit> {
        let mut joined = View::default();
        let mut line = first_line(text, at);
        for _ in 0..MAX_ARMOUR_LINES {
            let from = joined.bytes.len();
            block::push_line(text, line, &mut joined);
            joined.push(b"\n", line.end);
            // The beginning has dashes of its own.
            let from = if from == 0 { ARMOUR.len() } else { from };
            let added = joined.bytes.get(from..).unwrap_or_default();
            // Another beginning: this block has no end.
            if let Some(again) = memmem::find(added, ARMOUR.as_bytes()) {
                joined.bytes.truncate(from + again);
                break;
            }
            if memmem::find(added, b"-----END").is_some() || joined.bytes.len() > MAX_MATCH_BYTES {
                break;
            }
            let Some(next) = block::line_after(text, line.end) else { break };
            line = next;
        }
        let found = self.scanner.matcher.armour(&mut self.state.caches, rule, &joined.bytes, 0)?;
        let body = Zeroizing::new(unindented(joined.bytes.get(found.secret.range())?));
        // Its owner may be named before or after it.
        let mut near = View::default();
        let low = at.saturating_sub(OWNER_BYTES);
        let span = joined.origin_span(found.span);
        near.push_visible(text.get(low..text.len().min(span.end + OWNER_BYTES))?, low);
        let mut hit = self.hit(&body, Span::from(0..body.len()), Span::from(0..body.len()), rule)?;
        let checks = self.scanner.rules.rules().get(rule)?.check.as_deref();
        hit.checked = crate::check::run(checks, &body, &near.bytes, Span::from(0..near.bytes.len()))?;
        hit.span = span;
        hit.name = assign::name_before(
            text.get(block::line_around(text, at).start..at)?,
            at - block::line_around(text, at).start,
        );
        hit.is_joined = true;
        Some(hit)
    }
}

/// The line of a beginning, from there to the next one. A line of nothing but beginnings
/// must not be read as often as it has them.
fn first_line(text: &[u8], at: usize) -> Span {
    let reach = text.get(at..text.len().min(at + MAX_MATCH_BYTES)).unwrap_or_default();
    let line = memchr::memchr(b'\n', reach).map_or(reach, |end| &reach[..end]);
    let rest = line.get(ARMOUR.len()..).unwrap_or_default();
    let length = memmem::find(rest, ARMOUR.as_bytes()).map_or(line.len(), |again| ARMOUR.len() + again);
    Span::from(at..at + length)
}

/// An armoured block with each line at the margin.
fn unindented(block: &[u8]) -> Vec<u8> {
    let begin = memmem::find(block, b"KEY-----").map_or(0, |at| at + 8);
    let end = memmem::rfind(block, b"-----END").unwrap_or(block.len()).max(begin);
    let mut out = Vec::with_capacity(block.len());
    out.extend_from_slice(&block[..begin]);
    out.push(b'\n');
    for word in block[begin..end].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        out.extend_from_slice(word);
        out.push(b'\n');
    }
    out.extend_from_slice(&block[end..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_reaches_to_the_next_or_to_the_end_of_its_line() {
        let length = |text: &[u8]| first_line(text, 0).end;
        assert_eq!(length(b"-----BEGIN RSA KEY-----\nabc"), 23);
        assert_eq!(length(b"-----BEGIN RSA -----BEGIN RSA KEY-----"), 15);
        assert_eq!(length(b"-----BEGIN -----BEGIN \n"), 11);
        assert_eq!(
            length(&[b"-----BEGIN ".as_slice(), &[b'a'; 2 * MAX_MATCH_BYTES]].concat()),
            MAX_MATCH_BYTES
        );
    }
}
