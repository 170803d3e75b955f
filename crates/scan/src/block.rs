//! Text cut into lines, and lines gathered into blocks that stay in the processor's cache.

use crate::lanes::{self, Breaks, Classifier, LANE};
use crate::memo::{HashKey, MIN_LINE_BYTES, Memo};
use crate::view::{self, BOM, View};
use pulp::NullaryFnOnce;
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
    /// Of the line before it; 0 if that has none.
    before: u128,
    /// Whether something was found or begun in it.
    pub(crate) is_dirty: bool,
    /// Whether the line before it had a say in that, and no other.
    pub(crate) leans: bool,
}

impl Line {
    /// A line that is never remembered.
    fn unique(view: usize, text: usize) -> Self {
        Self { view, text, hash: 0, before: 0, is_dirty: true, leans: false }
    }
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
    pub(crate) fn remember(&self, memo: &Memo, key: &HashKey) {
        if memo.is_on() && self.window.is_none() {
            for (at, line) in self.lines.iter().enumerate() {
                if let Some(next) = self.lines.get(at + AHEAD) {
                    memo.prefetch(next.hash);
                }
                if line.is_dirty || line.hash == 0 {
                    continue;
                }
                if line.leans {
                    memo.insert_behind(key, line.before, line.hash);
                } else {
                    memo.insert(line.hash);
                }
            }
        }
    }
}

/// A part of a text whose line ends are found together.
const MAP_BYTES: usize = 16 << 10;
/// So many lines are looked up in the memo together.
const BATCH: usize = 32;

/// The memo's place of a line is fetched so many lines before it is written to.
const AHEAD: usize = 8;

/// A line that was hashed ahead; the one before it ends where it begins.
#[derive(Clone, Copy)]
struct Ahead {
    end: usize,
    cut: usize,
    special: Special,
    hash: u128,
}

/// Where a line has escapes or carriage returns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    Nowhere,
    /// One that is the last byte of the line, most often the return of a line end.
    Last,
    Somewhere,
}

/// Reads a text line by line.
pub(crate) struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    map: Map<'t>,
    /// The rest of a line that is searched in windows.
    long: Option<Span>,
    /// Lines that were looked up in the memo together, from `at` on.
    batch: Vec<Ahead>,
    next: usize,
    known: u64,
    /// Hash of the line before those; 0 where there is none.
    before: u128,
    pub(crate) skipped_bytes: usize,
}

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t [u8], classifier: &'t Classifier) -> Self {
        let at = if text.starts_with(BOM) { BOM.len() } else { 0 };
        let map = Map {
            text,
            classifier,
            part: Span::from(0..0),
            breaks: Breaks::default(),
            has_specials: false,
            ends: Vec::new(),
        };
        Self {
            text,
            at,
            map,
            long: None,
            batch: Vec::with_capacity(BATCH),
            next: 0,
            known: 0,
            before: 0,
            skipped_bytes: 0,
        }
    }

    /// Offsets in the text, and how many lines end before each.
    pub(crate) fn into_ends(self) -> Vec<(usize, usize)> {
        self.map.ends
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
                lanes::compiled_for_processor(LookAhead { lines: self, memo });
            }
            if self.next < self.batch.len() {
                let known = (self.known >> self.next).trailing_ones() as usize;
                self.skip(known.min(self.batch.len() - self.next), block);
                continue;
            }
            if self.at >= self.text.len() {
                return !block.lines.is_empty();
            }
            let end = self.map.line_end(self.at);
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
    #[inline(always)]
    fn look_ahead(&mut self, memo: Option<(&Memo, &HashKey)>) {
        self.before = self.batch.last().map_or(self.before, |line| line.hash);
        self.batch.clear();
        self.next = 0;
        let mut at = self.at;
        while self.batch.len() < BATCH && at < self.text.len() {
            let end = self.map.line_end(at);
            let line = &self.text[at..end];
            let prefix = view::prefix(line);
            if line.len() > WINDOW_BYTES || prefix.is_gitlab && self.goes_on(end) {
                break;
            }
            let cut = at + prefix.len;
            let hash = match memo {
                Some((memo, key)) => {
                    let hash = hash(key, &self.text[cut..end]);
                    memo.prefetch(hash);
                    hash
                }
                None => 0,
            };
            let special = self.map.special(Span::from(cut..end));
            self.batch.push(Ahead { end, cut, special, hash });
            at = end + 1;
        }
        if let Some((memo, key)) = memo {
            self.known = memo.known(self.batch.iter().map(|line| line.hash));
            let mut pairs = [0; BATCH];
            let mut leaning = 0;
            for at in lanes::ones(!self.known & lanes::low(self.batch.len())) {
                if let Some(both) = memo.behind(key, self.before(at), self.batch[at].hash) {
                    memo.prefetch(both);
                    pairs[at] = both;
                    leaning |= 1 << at;
                }
            }
            for at in lanes::ones(leaning) {
                self.known |= memo.known(std::iter::once(pairs[at])) << at;
            }
        }
    }

    /// Hash of the line before one of the batch.
    #[inline(always)]
    fn before(&self, at: usize) -> u128 {
        at.checked_sub(1).map_or(self.before, |at| self.batch[at].hash)
    }

    /// Passes over so many lines of the batch, and takes the one behind them, if there is one.
    fn skip(&mut self, known: usize, block: &mut Block) {
        if known > 0 {
            self.next += known;
            let to = self.batch[self.next - 1].end + 1;
            self.skipped_bytes += to.min(self.text.len()) - self.at;
            self.at = to;
        }
        if let Some(line) = self.batch.get(self.next).copied() {
            let before = self.before(self.next);
            self.next += 1;
            self.line(block, line, before);
        }
    }

    fn line(&mut self, block: &mut Block, line: Ahead, before: u128) {
        let Ahead { end, cut, special, hash } = line;
        let start = std::mem::replace(&mut self.at, end + 1);
        let visible = &self.text[cut..end];
        if visible.len() < MIN_LINE_BYTES {
            self.skipped_bytes += self.at.min(self.text.len()) - start;
            return;
        }
        let view = block.view.bytes.len();
        block.lines.push(Line { view, text: start, hash, before, is_dirty: false, leans: false });
        match special {
            Special::Nowhere if end < self.text.len() => {
                return block.view.push(&self.text[cut..=end], cut);
            }
            Special::Nowhere => block.view.push(visible, cut),
            Special::Last if visible.ends_with(b"\r") => {
                block.view.push(&visible[..visible.len() - 1], cut);
            }
            _ => block.view.push_visible(visible, cut),
        }
        block.view.push(b"\n", end);
    }

    /// From here on no line is known before the next.
    fn forget(&mut self) {
        self.batch.clear();
        (self.next, self.before) = (0, 0);
    }

    /// Whether the line behind `end` carries on the one before.
    fn goes_on(&self, end: usize) -> bool {
        let next = self.text.get(end + 1..).unwrap_or_default();
        view::prefix(&next[..next.len().min(64)]).continues
    }

    /// A line and those that carry it on, as one.
    fn group(&mut self, block: &mut Block, start: usize, mut end: usize) {
        block.lines.push(Line::unique(block.view.bytes.len(), start));
        self.forget();
        let mut from = start;
        loop {
            let line = &self.text[from..end];
            let cut = view::prefix(line).len;
            block.view.push_visible(&line[cut..], from + cut);
            if !self.goes_on(end) || end - start > WINDOW_BYTES {
                break;
            }
            from = end + 1;
            end = self.map.line_end(from);
        }
        block.view.push(b"\n", end);
        self.at = end + 1;
    }

    /// The next part of a long line. Neighbours share [`OVERLAP_BYTES`]; a match counts in
    /// the window where it begins before the middle of what is shared.
    fn window(&mut self, block: &mut Block, line: Span) {
        let end = line.end.min(line.start + WINDOW_BYTES);
        let is_first = line.start == self.at;
        let is_last = end == line.end;
        let part = &self.text[line.start..end];
        let cut = if is_first { view::prefix(part).len } else { 0 };
        block.lines.push(Line::unique(0, self.at));
        self.forget();
        block.view.push_visible(&part[cut..], line.start + cut);
        block.view.push(b"\n", end);
        let half = OVERLAP_BYTES / 2;
        let from = if is_first { 0 } else { line.start + half };
        let to = if is_last { usize::MAX } else { end - half };
        block.window = Some(Span::from(from..to));
        if is_last {
            self.long = None;
            self.at = line.end + 1;
        } else {
            self.long = Some(Span::from(end - OVERLAP_BYTES..line.end));
        }
    }
}

/// [`Lines::look_ahead`] for [`lanes::compiled_for_processor`].
struct LookAhead<'l, 't, 'm> {
    lines: &'l mut Lines<'t>,
    memo: Option<(&'m Memo, &'m HashKey)>,
}

impl NullaryFnOnce for LookAhead<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.lines.look_ahead(self.memo);
    }
}

/// Hash of a line, which may be short.
#[inline(always)]
fn hash(key: &HashKey, line: &[u8]) -> u128 {
    if line.len() >= MIN_LINE_BYTES {
        return key.hash(line);
    }
    let mut padded = [0; MIN_LINE_BYTES];
    padded[..line.len()].copy_from_slice(line);
    key.hash(&padded)
}

/// Where the lines of a part of a text end; the part moves along.
struct Map<'t> {
    text: &'t [u8],
    classifier: &'t Classifier,
    part: Span,
    breaks: Breaks,
    has_specials: bool,
    /// Where parts begin, and how many lines end before.
    ends: Vec<(usize, usize)>,
}

impl Map<'_> {
    /// Where the line ends that `at` is in.
    #[inline(always)]
    fn line_end(&mut self, at: usize) -> usize {
        if at >= self.part.end {
            self.count(at);
            self.part = Span::from(at..self.text.len().min(at + MAP_BYTES));
            self.classifier.breaks(&self.text[self.part.range()], &mut self.breaks);
            self.has_specials = self.breaks.specials.iter().any(|bits| *bits != 0);
        }
        if let Some(end) = lanes::next_one(&self.breaks.ends, at - self.part.start) {
            return self.part.start + end;
        }
        let rest = &self.text[self.part.end..];
        memchr::memchr(b'\n', rest).map_or(self.text.len(), |end| self.part.end + end)
    }

    /// Notes how many lines end before `at`, where the next part begins.
    fn count(&mut self, at: usize) {
        let within: u32 = self.breaks.ends.iter().map(|bits| bits.count_ones()).sum();
        // The last line of a part may end behind it.
        let behind = usize::from(!self.part.is_empty() && at > self.part.end);
        let before = self.ends.last().map_or(0, |(_, ends)| *ends);
        self.ends.push((at, before + within as usize + behind));
    }

    /// What a part of a line holds whose end was found last.
    #[inline(always)]
    fn special(&self, line: Span) -> Special {
        if !self.has_specials && line.end <= self.part.end {
            return Special::Nowhere;
        }
        let found = if line.end > self.part.end {
            memchr::memchr2(0x1b, b'\r', &self.text[line.range()]).map(|at| line.start + at)
        } else {
            self.first_special(line)
        };
        match found {
            None => Special::Nowhere,
            Some(at) if at + 1 == line.end => Special::Last,
            Some(_) => Special::Somewhere,
        }
    }

    #[inline(always)]
    fn first_special(&self, line: Span) -> Option<usize> {
        let (from, to) = (line.start - self.part.start, line.end - self.part.start);
        // No further than the line: others have none for long.
        let near = self.breaks.specials.get(..to.div_ceil(LANE))?;
        lanes::next_one(near, from).filter(|at| *at < to).map(|at| self.part.start + at)
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
