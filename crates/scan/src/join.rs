//! Secrets over several lines: which lines start something. What they start is in
//! `armour`, `cut`, `near` and `wrap`.
//!
//! Neighbouring lines are read from the text itself, so that it does not matter which of
//! them the block holds. Every line that starts something here is marked, so that it is
//! never remembered as clean.

use crate::block::Block;
use crate::cut::{has_random_part, looks_random};
use crate::decode;
use crate::depth::{Budget, Depth};
use crate::engine::Worker;
use crate::matcher::{Event, Found};
use crate::runs::{self, DASH, HEX, MIN_RUN, PLUS, TOKEN, WORD};
use crate::search::Sweep;
use crate::view::View;
use crate::wrap::is_base64_line;
use memchr::memmem;
use regex_automata::Span;

/// The least of a token that shows at the end of a line.
const MIN_TAIL: usize = 5;
/// The least of a token that shows at the beginning of the next.
const MIN_REST: usize = 11;
/// Behind a match this much of a token may end its line.
const MAX_REST: usize = 64;
/// Keys that are marked near their ends have 40 to 88 letters.
const MIN_OPEN_RUN: usize = 20;
const MAX_OPEN_RUN: usize = 88;
/// The least of a value that shows before a line's end, and the most that is looked at.
const MIN_ASSIGNED: usize = 5;
const MAX_ASSIGNED: usize = 4096;
const MIN_NAME: usize = 4;
const MAX_NAME: usize = 80;
const MAX_SIGNS: usize = 4;
const BASE64: u8 = WORD | PLUS;

/// The block a join starts from.
pub(crate) struct Source<'b> {
    pub(crate) text: &'b [u8],
    pub(crate) view: &'b View,
    pub(crate) events: &'b [Event],
    pub(crate) found: &'b [Found],
}

impl Worker<'_> {
    #[inline(never)]
    pub(crate) fn join(
        &mut self,
        source: &Source<'_>,
        block: &mut Block,
        depth: Depth,
        budget: &mut Budget,
        sweep: &mut Sweep,
    ) {
        if block.window.is_some() {
            return;
        }
        let view = source.view;
        for event in source.events {
            match event {
                Event::Armour { rule, at } => {
                    block.mark(Span::from(*at..*at + 1));
                    sweep.hits.extend(self.armoured(source.text, *rule, view.origin(*at)));
                }
                Event::Dangling { rule, keyword } => {
                    block.mark(*keyword);
                    sweep.hits.extend(self.carried_on(source, *rule, *keyword, false));
                }
                Event::Found(_) | Event::Backwards(_) => {}
            }
        }
        for found in source.found {
            if self.kind(found.rule) == "aws_access_key_id" {
                let span = view.origin_span(found.span);
                // What fails its check alone may pass it with the lines around.
                block.mark(found.span);
                self.pairs(source.text, span, &mut sweep.hits);
            }
            let rest = view.bytes.get(found.span.end..).unwrap_or_default();
            let is_line_end = rest.iter().take(MAX_REST).find(|byte| !runs::is(**byte, TOKEN));
            if is_line_end == Some(&b'\n') && self.scanner.matcher.may_go_on(found.rule, found.span.len()) {
                block.mark(found.span);
                sweep.hits.extend(self.carried_on(source, found.rule, found.span, true));
            }
        }
        for at in memmem::find_iter(&view.bytes, b"Secret") {
            if view.bytes[at.saturating_sub(10)..at].windows(4).any(|four| four == b"kind") {
                block.mark(Span::from(at..at + 1));
                self.manifest(source.text, view.origin(at), &mut sweep.hits);
            }
        }
        self.lines(source, block, depth, budget, sweep);
    }

    /// What the ends and the beginnings of lines start.
    #[inline(never)]
    fn lines(
        &mut self,
        source: &Source<'_>,
        block: &mut Block,
        depth: Depth,
        budget: &mut Budget,
        sweep: &mut Sweep,
    ) {
        let bytes = &source.view.bytes;
        for index in 0..block.lines.len() {
            let start = block.lines[index].view;
            let end = block.lines.get(index + 1).map_or(bytes.len(), |next| next.view);
            let line = Span::from(start..end.saturating_sub(1).max(start));
            let is_dirty = self.line_end(source, line, sweep)
                | self.line_start(source, line, block.lines[index].text, depth, budget, sweep);
            block.lines[index].is_dirty |= is_dirty;
        }
    }

    /// A line that ends with what may be the beginning of a secret; whether it does.
    fn line_end(&mut self, source: &Source<'_>, line: Span, sweep: &mut Sweep) -> bool {
        let visible = &source.view.bytes[line.range()];
        let Some(tail) = Tail::of(visible) else { return false };
        let mut is_dirty = false;
        if tail.is_odd && (MIN_TAIL..MIN_RUN).contains(&tail.word) {
            let tail = Span::from(line.end - tail.word..line.end);
            self.short_tail(source, tail, &mut is_dirty, sweep);
        }
        if tail.token >= MIN_OPEN_RUN
            && tail.is_base64
            && let Some(run) = open_run(visible)
        {
            is_dirty = true;
            self.open_run(source, Span::from(line.end - run..line.end), sweep);
        }
        if (tail.has_sign || tail.token >= MIN_RUN)
            && let Some(name) = assigned(visible, |name| self.scanner.context.knows(name))
        {
            is_dirty = true;
            self.assignment_goes_on(source, Span::from(line.start + name..line.end), sweep);
        }
        is_dirty
    }

    /// A line that begins with a long run: the rest of a token, wrapped base 64, a hex dump;
    /// whether it does.
    fn line_start(
        &mut self,
        source: &Source<'_>,
        line: Span,
        at: usize,
        depth: Depth,
        budget: &mut Budget,
        sweep: &mut Sweep,
    ) -> bool {
        let visible = &source.view.bytes[line.range()];
        let lead = visible.iter().take(16).take_while(|byte| **byte == b' ').count();
        let visible = &visible[lead..];
        if runs::leading(&visible[..visible.len().min(6)], TOKEN) < 6 {
            return false;
        }
        if runs::leading(&visible[..6], runs::HEX) == 6 && decode::dump_line(visible, &mut Vec::new()) {
            self.dump(source.text, at, depth, budget, sweep);
            return true;
        }
        let token = &visible[..runs::leading(visible, TOKEN)];
        let mut is_dirty = false;
        if token.len() >= MIN_RUN && is_base64_line(visible) {
            is_dirty = true;
            self.wrapped(source.text, at, depth, budget, sweep);
        }
        if token.len() >= MIN_REST && has_random_part(token) {
            is_dirty = true;
            self.rest_of_token(source.text, at, token, token.len() == visible.len(), sweep);
        }
        is_dirty
    }
}

/// The token that ends a line, as far as [`MIN_OPEN_RUN`] bytes show it.
struct Tail {
    token: usize,
    /// How much of it is word characters.
    word: usize,
    /// Whether it has what words have not.
    is_odd: bool,
    has_sign: bool,
    /// Whether it is all standard base 64.
    is_base64: bool,
}

/// Classes of the bytes of a token: word characters, other letters of base 64, what words
/// have not, signs of assignments, and all others.
const LETTER: u8 = 1;
const SLASH: u8 = 2;
const ODD: u8 = 4;
const SIGN: u8 = 8;
const OTHER: u8 = 16;
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'a'..=b'z' => LETTER,
            b'0'..=b'9' | b'A'..=b'Z' => LETTER | ODD,
            b'_' => LETTER | ODD | OTHER,
            b'-' => LETTER | OTHER,
            b'+' | b'/' => SLASH,
            b'=' | b':' => SIGN,
            b'.' | b'~' | b'@' | b'!' => OTHER,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

impl Tail {
    fn of(line: &[u8]) -> Option<Self> {
        let (mut seen, mut token, mut word) = (0, 0, 0);
        for byte in line.iter().rev().take(MIN_OPEN_RUN) {
            let kind = KINDS[usize::from(*byte)];
            if kind == 0 {
                break;
            }
            word += usize::from(word == token && kind & LETTER != 0);
            token += 1;
            seen |= kind;
        }
        let tail = Self {
            token,
            word,
            is_odd: seen & ODD != 0,
            has_sign: seen & SIGN != 0,
            is_base64: seen & (SIGN | OTHER) == 0,
        };
        (tail.is_odd && word >= MIN_TAIL || tail.has_sign || token >= MIN_RUN).then_some(tail)
    }
}

/// The length of a run at the end of a line that may be the beginning of a key that is
/// marked near its end. Digests are no such run.
fn open_run(line: &[u8]) -> Option<usize> {
    let run = runs::trailing(line, BASE64);
    if !(MIN_OPEN_RUN..MAX_OPEN_RUN).contains(&run) {
        return None;
    }
    let (before, bytes) = line.split_at(line.len() - run);
    let is_digest = matches!(run, 40 | 64) && runs::leading(bytes, HEX) == run;
    // Names of classes and tests have fewer capitals and digits, and dots before them.
    let odd = bytes.iter().filter(|byte| KINDS[usize::from(**byte)] & ODD != 0).count();
    let is_dense = odd * 4 >= run && !before.ends_with(b".");
    let is_standard = !bytes.iter().any(|byte| runs::is(*byte, DASH));
    (is_dense && is_standard && !is_digest && looks_random(bytes)).then_some(run)
}

/// Whether a line ends in an assignment to a name that tells a secret: where it begins.
fn assigned(line: &[u8], is_known: impl Fn(&[u8]) -> bool) -> Option<usize> {
    let low = line.len().saturating_sub(MAX_ASSIGNED);
    let start = line.len() - runs::trailing(&line[low..], TOKEN);
    let before = &line[..start];
    let lead = before.iter().rev().take(3).take_while(|byte| matches!(byte, b' ' | b'"' | b'\'')).count();
    let outer =
        (before.len() - lead).checked_sub(1).filter(|at| lead > 0 && matches!(line[*at], b'=' | b':'));
    // The value may hold signs, too.
    let inner = memchr::memrchr2_iter(b'=', b':', &line[start..]).take(MAX_SIGNS).map(|at| start + at);
    let sign = |(sign, value): (usize, &[u8])| {
        let in_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.".contains(*byte);
        let length = line[..sign].iter().rev().take(MAX_NAME).take_while(in_name).count();
        let name = &line[sign - length..sign];
        // Short values stand behind words and numbers of all kinds.
        let is_long = value.len() >= MIN_ASSIGNED || name.iter().any(|byte| runs::is(*byte, DASH));
        let fits = is_long && length >= MIN_NAME && value.first() != Some(&b'/') && is_known(name);
        fits.then_some(sign - length)
    };
    let outer = outer.map(|at| (at, &line[start..])).filter(|(_, value)| value.len() >= MIN_RUN);
    inner.map(|at| (at, &line[at + 1..])).chain(outer).filter(|(_, value)| !value.is_empty()).find_map(sign)
}
