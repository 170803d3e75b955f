//! Text cut into lines, and lines gathered into blocks that stay in the processor's cache.

use crate::memo::{HashKey, MIN_LINE_BYTES, Memo};
use crate::view::{self, BOM, View};
use regex_automata::Span;

/// A block is searched when it holds so much.
const BLOCK_BYTES: usize = 48 << 10;
/// Longer lines are searched in windows of this size.
pub(crate) const WINDOW_BYTES: usize = 1 << 20;
/// Windows of one line share so much; more than any match is long.
pub(crate) const OVERLAP_BYTES: usize = 64 << 10;

/// A line of a block.
pub(crate) struct Line {
    /// Where it begins in the view.
    pub(crate) view: usize,
    /// Where it begins in the text, with its prefix.
    pub(crate) text: usize,
    hash: u128,
    /// Whether something was found or begun in it.
    pub(crate) is_dirty: bool,
}

/// Visible lines, each with its line end.
#[derive(Default)]
pub(crate) struct Block {
    pub(crate) view: View,
    pub(crate) lines: Vec<Line>,
    /// The part of the text whose matches count, where the block is part of one line.
    pub(crate) window: Option<Span>,
}

impl Block {
    fn clear(&mut self) {
        self.view.clear();
        self.lines.clear();
        self.window = None;
    }

    /// Index of the line at an offset in the view.
    pub(crate) fn line_at(&self, at: usize) -> usize {
        self.lines.partition_point(|line| line.view <= at).saturating_sub(1)
    }

    /// Nothing from `span` of the view on is remembered as clean.
    pub(crate) fn mark(&mut self, span: Span) {
        let (first, last) = (self.line_at(span.start), self.line_at(span.end.saturating_sub(1)));
        for line in self.lines.get_mut(first..=last).unwrap_or_default() {
            line.is_dirty = true;
        }
    }

    /// Hands the lines that stayed clean to the memo.
    pub(crate) fn remember(&self, memo: &mut Memo) {
        if memo.is_on() && self.window.is_none() {
            for line in self.lines.iter().filter(|line| !line.is_dirty && line.hash != 0) {
                memo.insert(line.hash);
            }
        }
    }
}

/// So many lines are looked up in the memo together.
const BATCH: usize = 32;

/// A line that was hashed ahead.
#[derive(Clone, Copy)]
struct Ahead {
    start: usize,
    end: usize,
    cut: usize,
    hash: u128,
}

/// Reads a text line by line.
pub(crate) struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    /// The next escape or carriage return; lines before it are copied as they are.
    special: usize,
    /// The rest of a line that is searched in windows.
    long: Option<Span>,
    /// Lines that were looked up in the memo together, from `at` on.
    batch: Vec<Ahead>,
    next: usize,
    known: u64,
    pub(crate) skipped_bytes: usize,
}

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t [u8]) -> Self {
        let at = if text.starts_with(BOM) { BOM.len() } else { 0 };
        let mut lines =
            Self { text, at, special: 0, long: None, batch: Vec::new(), next: 0, known: 0, skipped_bytes: 0 };
        lines.find_special();
        lines
    }

    fn find_special(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.special = memchr::memchr2(0x1b, b'\r', rest).map_or(usize::MAX, |found| self.at + found);
    }

    /// Fills `block` with lines the memo does not know; false at the end of the text.
    pub(crate) fn fill(&mut self, block: &mut Block, memo: Option<(&Memo, &HashKey)>) -> bool {
        block.clear();
        if let Some(line) = self.long {
            self.window(block, line);
            return true;
        }
        while block.view.bytes.len() < BLOCK_BYTES {
            if self.next == self.batch.len() {
                self.look_ahead(memo);
            }
            if let Some(line) = self.batch.get(self.next).copied() {
                let is_known = self.known >> self.next & 1 != 0;
                self.next += 1;
                self.line(block, line, is_known);
                continue;
            }
            let Some(rest) = self.text.get(self.at..).filter(|rest| !rest.is_empty()) else {
                return !block.lines.is_empty();
            };
            let end = memchr::memchr(b'\n', rest).map_or(self.text.len(), |found| self.at + found);
            if end - self.at <= WINDOW_BYTES {
                self.group(block, self.at, end);
                continue;
            }
            self.long = Some(Span::from(self.at..end));
            return if block.lines.is_empty() { self.fill(block, memo) } else { true };
        }
        true
    }

    /// Splits and hashes the lines to come, up to one that needs other treatment.
    fn look_ahead(&mut self, memo: Option<(&Memo, &HashKey)>) {
        self.batch.clear();
        self.next = 0;
        let mut at = self.at;
        while self.batch.len() < BATCH
            && let Some(rest) = self.text.get(at..).filter(|rest| !rest.is_empty())
        {
            let end = memchr::memchr(b'\n', rest).map_or(self.text.len(), |found| at + found);
            let line = &self.text[at..end];
            let prefix = view::prefix(line);
            if line.len() > WINDOW_BYTES || prefix.is_gitlab && self.goes_on(end) {
                break;
            }
            let hash = memo.map_or(0, |(_, key)| key.hash(&line[prefix.len..]));
            self.batch.push(Ahead { start: at, end, cut: at + prefix.len, hash });
            at = end + 1;
        }
        self.known = memo.map_or(0, |(memo, _)| memo.known(self.batch.iter().map(|line| line.hash)));
    }

    fn line(&mut self, block: &mut Block, line: Ahead, is_known: bool) {
        let Ahead { start, end, cut, hash } = line;
        self.at = end + 1;
        let visible = &self.text[cut..end];
        if is_known || visible.len() < MIN_LINE_BYTES {
            return self.pass(start);
        }
        block.lines.push(Line { view: block.view.bytes.len(), text: start, hash, is_dirty: false });
        if self.special >= end {
            if end < self.text.len() {
                return block.view.push(&self.text[cut..=end], cut);
            }
            block.view.push(visible, cut);
        } else {
            // Most often the carriage return of a line end.
            match visible.strip_suffix(b"\r") {
                Some(bare) if self.special == end - 1 => block.view.push(bare, cut),
                _ => block.view.push_visible(visible, cut),
            }
            self.find_special();
        }
        block.view.push(b"\n", end);
    }

    fn pass(&mut self, start: usize) {
        self.skipped_bytes += self.at.min(self.text.len()) - start;
        if self.special < self.at {
            self.find_special();
        }
    }

    /// Whether the line behind `end` carries on the one before.
    fn goes_on(&self, end: usize) -> bool {
        let next = self.text.get(end + 1..).unwrap_or_default();
        view::prefix(&next[..next.len().min(64)]).continues
    }

    /// A line and those that carry it on, as one.
    fn group(&mut self, block: &mut Block, start: usize, mut end: usize) {
        block.lines.push(Line { view: block.view.bytes.len(), text: start, hash: 0, is_dirty: true });
        let mut from = start;
        loop {
            let line = &self.text[from..end];
            let cut = view::prefix(line).len;
            block.view.push_visible(&line[cut..], from + cut);
            if !self.goes_on(end) || end - start > WINDOW_BYTES {
                break;
            }
            from = end + 1;
            let rest = &self.text[from..];
            end = memchr::memchr(b'\n', rest).map_or(self.text.len(), |found| from + found);
        }
        block.view.push(b"\n", end);
        self.at = end + 1;
        self.find_special();
    }

    /// The next part of a long line. Neighbours share [`OVERLAP_BYTES`]; a match counts in
    /// the window where it begins before the middle of what is shared.
    fn window(&mut self, block: &mut Block, line: Span) {
        let end = line.end.min(line.start + WINDOW_BYTES);
        let is_first = line.start == self.at;
        let is_last = end == line.end;
        let part = &self.text[line.start..end];
        let cut = if is_first { view::prefix(part).len } else { 0 };
        block.lines.push(Line { view: 0, text: self.at, hash: 0, is_dirty: true });
        block.view.push_visible(&part[cut..], line.start + cut);
        block.view.push(b"\n", end);
        let half = OVERLAP_BYTES / 2;
        let from = if is_first { 0 } else { line.start + half };
        let to = if is_last { usize::MAX } else { end - half };
        block.window = Some(Span::from(from..to));
        if is_last {
            self.long = None;
            self.at = line.end + 1;
            self.find_special();
        } else {
            self.long = Some(Span::from(end - OVERLAP_BYTES..line.end));
        }
    }
}

/// The line around an offset of the text, without its line end; `None` if it is not
/// within reach.
pub(crate) fn line_around(text: &[u8], at: usize) -> Span {
    let low = at.saturating_sub(OVERLAP_BYTES);
    let start =
        memchr::memrchr(b'\n', text.get(low..at).unwrap_or_default()).map_or(low, |found| low + found + 1);
    Span::from(start..line_end(text, at))
}

fn line_end(text: &[u8], at: usize) -> usize {
    let high = text.len().min(at + OVERLAP_BYTES);
    memchr::memchr(b'\n', text.get(at..high).unwrap_or_default()).map_or(high, |found| at + found)
}

/// The line behind the one that ends at `end`.
pub(crate) fn line_after(text: &[u8], end: usize) -> Option<Span> {
    (text.get(end) == Some(&b'\n') && end + 1 < text.len())
        .then(|| Span::from(end + 1..line_end(text, end + 1)))
}

/// The line before the one that begins at `start`.
pub(crate) fn line_before(text: &[u8], start: usize) -> Option<Span> {
    let end = start.checked_sub(1)?;
    Some(Span::from(line_around(text, end).start..end))
}

/// Appends a line of the text as it is seen.
pub(crate) fn push_line(text: &[u8], line: Span, view: &mut View) {
    let bytes = text.get(line.range()).unwrap_or_default();
    let bom = if line.start == 0 && bytes.starts_with(BOM) { BOM.len() } else { 0 };
    let cut = bom + view::prefix(&bytes[bom..]).len;
    view.push_visible(&bytes[cut..], line.start + cut);
}
