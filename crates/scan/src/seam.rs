//! Lines put together where a token may go on from one to the next.

use crate::block;
use crate::matcher::MAX_MATCH_BYTES;
use crate::runs::{self, TOKEN};
use crate::view::{self, View};
use regex_automata::Span;

/// A wrapped token ends within so many lines.
const MAX_TOKEN_LINES: usize = 64;
/// Behind a line that is not full a token ends within so many.
const MAX_LOOSE_LINES: usize = 3;
/// So much of a line is looked at before it is put together with another.
const MAX_TOKEN_BYTES: usize = 256;
/// Narrower lines are full by chance.
const MIN_FULL: usize = 60;
/// The longest name of a part.
const MAX_NAME_BYTES: usize = 40;

/// Where terminals, loggers and encoders wrap.
pub(crate) fn is_full(width: usize) -> bool {
    matches!(width, 60 | 64 | 72 | 76 | 78 | 79 | 80 | 100 | 120 | 128 | 132 | 160 | 200 | 256)
}

/// The end of a line and what may carry it on.
pub(crate) struct Seam {
    pub(crate) joined: View,
    /// Where the first line ends.
    pub(crate) cut: usize,
    /// Where the joined text may end, the likeliest end first.
    pub(crate) ends: Vec<usize>,
    /// Whether the first token behind the cut is all of its line.
    pub(crate) is_pure: bool,
    /// Whether the line that is carried on is as wide as terminals and tools make it.
    pub(crate) is_wrapped: bool,
    /// Whether the parts have names that count them.
    pub(crate) are_siblings: bool,
    /// Whether the last line of a wrapped token may be a word of its own.
    pub(crate) is_doubtful: bool,
    /// Whether a percent sign stands behind the first token, as in escapes inside of one.
    pub(crate) is_escaped: bool,
    /// Whether the first line was taken for an assignment.
    pub(crate) has_sign: bool,
}

impl Seam {
    /// `head`, which ends a line of `view`, and the tokens that the next lines begin with.
    pub(crate) fn of_tokens(text: &[u8], view: &View, head: Span, may_assign: bool) -> Self {
        let width = width_before(view, head.end);
        Self::behind(text, view, head, (view.origin(head.end), width), may_assign)
    }

    /// As `of_tokens`, where the line of `head` ends at an offset of the text and is so wide.
    pub(crate) fn behind(
        text: &[u8],
        view: &View,
        head: Span,
        (end, width): (usize, usize),
        may_assign: bool,
    ) -> Self {
        let mut joined = View::default();
        push_pieces(view, head, &mut joined);
        let cut = joined.bytes.len();
        let mut seam = Self {
            joined,
            cut,
            ends: Vec::new(),
            is_pure: false,
            is_wrapped: false,
            are_siblings: false,
            is_doubtful: false,
            has_sign: false,
            is_escaped: false,
        };
        seam.gather(text, end, width, may_assign);
        seam
    }

    /// `head` and all that the next lines hold, if its line is full; then those that follow
    /// as long as they are.
    pub(crate) fn of_lines(text: &[u8], view: &View, head: Span) -> Option<Self> {
        let mut joined = View::default();
        push_pieces(view, head, &mut joined);
        let cut = joined.bytes.len();
        let mut end = view.origin(head.end);
        let width = width_before(view, head.end);
        if !is_full(width) {
            return None;
        }
        for _ in 0..MAX_TOKEN_LINES {
            let Some(line) = block::line_after(text, end) else { break };
            let from = joined.bytes.len();
            block::push_line(text, line, &mut joined);
            end = line.end;
            if joined.bytes.len() - from != width || joined.bytes.len() > MAX_MATCH_BYTES {
                break;
            }
        }
        let ends = vec![joined.bytes.len()];
        Some(Self {
            joined,
            cut,
            ends,
            is_pure: true,
            is_wrapped: true,
            are_siblings: false,
            is_doubtful: false,
            has_sign: false,
            is_escaped: false,
        })
    }

    /// Appends the tokens that the lines behind `end` begin with, as long as they are all of
    /// their lines; or, of the first line, the value it assigns.
    fn gather(&mut self, text: &[u8], mut end: usize, width: usize, may_assign: bool) {
        let mut is_open = true;
        let mut view = View::default();
        // In the midst of lines as wide, all of one token, a long one has begun before.
        let first = block::line_around(text, end);
        let is_amid =
            block::line_before(text, first.start).is_some_and(|line| is_token_line(text, line, width));
        let most = if is_amid { MAX_LOOSE_LINES + 1 } else { MAX_TOKEN_LINES };
        for index in 0..most {
            let Some(line) = block::line_after(text, end) else { break };
            view.clear();
            block::push_line(text, line, &mut view);
            let from = margin(&view.bytes);
            let rest = view.bytes.get(from..).unwrap_or_default();
            let mut part = Span::from(from..from + runs::leading(rest, TOKEN));
            let token = view.bytes.get(part.range()).unwrap_or_default();
            if index == 0
                && may_assign
                && let Some(sign) = sign(token)
            {
                self.are_siblings = are_siblings(&self.joined.bytes, token);
                if self.are_siblings || token[sign + 1] != b'=' {
                    part.start += sign + 1;
                    self.has_sign = true;
                }
            }
            if part.is_empty() {
                break;
            }
            push_pieces(&view, part, &mut self.joined);
            let fills = part.end == view.bytes.trim_ascii_end().len();
            if index == 0 {
                self.is_escaped = view.bytes.get(part.end) == Some(&b'%');
                self.is_pure = fills && part.start == from;
            }
            // Of a wrapped token only the last line is not full; or all are, and a word follows.
            if is_open {
                self.is_doubtful =
                    index > 0 && view.bytes.len() < width && !is_odd(&view.bytes[part.range()]);
                self.ends.insert(0, self.joined.bytes.len());
            } else {
                self.ends.push(self.joined.bytes.len());
            }
            is_open &= view.bytes.len() == width && width >= MIN_FULL && !self.are_siblings;
            let is_enough = index >= MAX_LOOSE_LINES && !is_open;
            if !fills || is_enough || self.joined.bytes.len() > MAX_MATCH_BYTES {
                break;
            }
            end = line.end;
        }
        self.is_wrapped = is_full(width);
    }
}

/// Whether a line is `width` columns of one token.
fn is_token_line(text: &[u8], line: Span, width: usize) -> bool {
    let mut view = View::default();
    block::push_line(text, line, &mut view);
    let token = view.bytes.trim_ascii();
    view.bytes.len() == width && runs::leading(token, TOKEN) == token.len()
}

/// Appends a part of a view with the places it came from.
pub(crate) fn push_pieces(from: &View, part: Span, to: &mut View) {
    let mut at = part.start;
    let mut next = from.pieces.partition_point(|piece| piece.view <= at);
    while at < part.end {
        let end = from.pieces.get(next).map_or(part.end, |piece| piece.view.min(part.end));
        to.push(&from.bytes[at..end], from.origin(at));
        at = end;
        next += 1;
    }
}

/// Whether a part has digits, or capitals in its middle, as words do not.
pub(crate) fn is_odd(part: &[u8]) -> bool {
    let turns = part.windows(2).any(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase());
    turns || part.iter().any(u8::is_ascii_digit)
}

/// How wide the line is that ends at an offset of a view.
fn width_before(view: &View, end: usize) -> usize {
    let before = view.bytes.get(..end).unwrap_or_default();
    memchr::memrchr(b'\n', before).map_or(end, |at| end - at - 1)
}

/// Where `part2=…` assigns its value.
fn sign(token: &[u8]) -> Option<usize> {
    let sign = token.iter().take(MAX_NAME_BYTES).position(|byte| matches!(byte, b'=' | b':'))?;
    (sign > 0 && sign + 1 < token.len()).then_some(sign)
}

/// What shells, tables and quotes put before the text of a line. A plus is a letter of
/// base 64, too.
fn margin(line: &[u8]) -> usize {
    let plain =
        |from: usize| line.iter().skip(from).take_while(|byte| b" \t\"'|>".contains(byte)).count() + from;
    let signs = line.iter().take_while(|byte| **byte == b'+').count();
    if signs > 0 && line.get(signs) == Some(&b' ') { plain(signs) } else { plain(0) }
}

/// Whether two tokens assign to names that differ in their count only: `part1=`, `part2=`.
pub(crate) fn are_siblings(first: &[u8], second: &[u8]) -> bool {
    let name = |token: &[u8]| sign(token).and_then(|sign| token.get(..sign).map(<[u8]>::to_vec));
    let (Some(first), Some(second)) = (name(first), name(second)) else { return false };
    let stem = |name: &[u8]| name.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
    let (one, two) = (stem(&first), stem(&second));
    let is_counted = one < first.len() && two < second.len();
    first != second && is_counted && one > 0 && first[..one] == second[..two]
}

/// Whether a raw line may end with a token when it is seen; cheap, and true in doubt.
pub(crate) fn raw_token_end(text: &[u8], line: Span) -> bool {
    let bytes = text.get(line.range()).unwrap_or_default();
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let last = &bytes[bytes.len().saturating_sub(64)..];
    last.last().is_some_and(|byte| runs::is(*byte, TOKEN)) || memchr::memchr2(0x1b, b'\r', last).is_some()
}

/// The token that ends a raw line, where it is seen as it is.
pub(crate) fn plain_tail(text: &[u8], line: Span) -> Option<&[u8]> {
    let bytes = plain(text, line)?;
    let low = bytes.len().saturating_sub(MAX_TOKEN_BYTES);
    let token = &bytes[bytes.len() - runs::trailing(&bytes[low..], TOKEN)..];
    let has_prefix = view::prefix(bytes).len > bytes.len() - token.len();
    let is_whole = token.len() < MAX_TOKEN_BYTES && !has_prefix;
    let name_ends = bytes.get(..bytes.len() - token.len())?.last();
    (is_whole && !matches!(name_ends, Some(b'"' | b'\''))).then_some(token)
}

/// A raw line that is seen as it is, without its line end.
fn plain(text: &[u8], line: Span) -> Option<&[u8]> {
    let bytes = text.get(line.range())?;
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    memchr::memchr2(0x1b, b'\r', bytes).is_none().then_some(bytes)
}

/// Appends the tokens that the lines behind `end` begin with, up to the first that is not
/// all of its line; false where they are many, or not seen as they are.
pub(crate) fn push_plain(text: &[u8], mut end: usize, tokens: &mut Vec<u8>) -> bool {
    for _ in 0..MAX_LOOSE_LINES {
        let Some(line) = block::line_after(text, end) else { return true };
        if line.len() > MAX_TOKEN_BYTES {
            return false;
        }
        let Some(bytes) = plain(text, line) else { return false };
        let visible = &bytes[view::prefix(bytes).len..];
        let rest = &visible[margin(visible)..];
        let token = &rest[..runs::leading(rest, TOKEN)];
        tokens.extend_from_slice(token);
        if token.len() < rest.trim_ascii_end().len() || token.is_empty() {
            return true;
        }
        end = line.end;
    }
    false
}

/// Whether the line behind the one that ends at `end` may begin with a token; cheap, and
/// true in doubt.
pub(crate) fn may_go_on(text: &[u8], end: usize) -> bool {
    let Some(line) = text.get(end + 1..) else { return false };
    let line = &line[..line.len().min(MAX_TOKEN_BYTES)];
    let line = &line[view::prefix(line).len..];
    line.iter()
        .find(|byte| !b" \t\"'|>+".contains(byte))
        .is_none_or(|first| runs::is(*first, TOKEN) || matches!(first, 0x1b | b'%'))
}
