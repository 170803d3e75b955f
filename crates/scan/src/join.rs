//! Secrets over several lines: which lines start something. What they start is in
//! `armour`, `cut`, `near` and `wrap`.
//!
//! Neighbouring lines are read from the text itself, so that it does not matter which of
//! them the block holds. Every line that starts something here is marked, so that it is
//! never remembered as clean.

use crate::assign::in_name;
use crate::block::{Block, Line};
use crate::cut::{has_random_part, looks_random};
use crate::decode;
use crate::depth::Depth;
use crate::engine::Worker;
use crate::lanes::{self, LANE, Lanes};
use crate::matcher::{Event, Found, Matcher};
use crate::runs::{self, BASE64, DASH, HEX, MIN_RUN, TOKEN};
use crate::search::Sweep;
use crate::view::View;
use crate::wrap::{MIN_WRAPPED_BYTES, is_base64_line};
use pulp::NullaryFnOnce;
use regex_automata::Span;

/// The least of a token that shows at the end of a line.
const MIN_TAIL: usize = 5;
/// The least of a token that shows at the beginning of the next.
const MIN_REST: usize = 11;
/// So much of it tells whether it is random.
const MAX_JUDGED: usize = 512;
/// Behind a match this much of a token may end its line.
const MAX_REST: usize = 64;
/// Keys that are marked near their ends have 40 to 88 letters.
const MIN_OPEN_RUN: usize = 20;
const MAX_OPEN_RUN: usize = 88;
/// The least of a value that shows before a line's end, and the most that is looked at.
const MIN_ASSIGNED: usize = 5;
const MAX_ASSIGNED: usize = 4096;
/// What stands between `kind` and the name of the kind, both included.
const MAX_KIND_LEAD: usize = 10;
/// A sign and what opens the value behind it.
const MAX_OPENING: usize = 4;
const MIN_NAME: usize = 4;
const MAX_NAME: usize = 80;
const MAX_SIGNS: usize = 4;

/// The block a join starts from.
pub(crate) struct Source<'b> {
    pub(crate) text: &'b [u8],
    pub(crate) view: &'b View,
    pub(crate) events: &'b [Event],
    pub(crate) found: &'b [Found],
}

impl Worker<'_> {
    #[inline(never)]
    pub(crate) fn join(&mut self, source: &Source<'_>, block: &mut Block, depth: Depth, sweep: &mut Sweep) {
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
                Event::Manifest { at } => {
                    if view.bytes[at.saturating_sub(MAX_KIND_LEAD)..*at]
                        .windows(4)
                        .any(|four| four == b"kind")
                    {
                        block.mark(Span::from(*at..*at + 1));
                        self.manifest(source.text, view.origin(*at), &mut sweep.hits);
                    }
                }
                Event::Found(_) | Event::Passed { .. } | Event::Backwards(_) | Event::Gzip { .. } => {}
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
        self.lines(source, block, depth, sweep);
    }

    /// What the ends and the beginnings of lines start.
    #[inline(never)]
    fn lines(&mut self, source: &Source<'_>, block: &mut Block, depth: Depth, sweep: &mut Sweep) {
        let bytes = source.view.bytes.as_slice();
        let mut due = std::mem::take(&mut self.state.edges);
        // Decoding fills the lanes anew, so all lines are asked first.
        let (lanes, matcher) = (&self.state.lanes, &self.scanner.matcher);
        let edges = Edges { bytes, lines: &block.lines, lanes, matcher, due: &mut due };
        lanes::compiled_for_processor(edges);
        for Edge { index, line, tail, token } in due.drain(..) {
            let at = block.lines[index].text;
            let is_dirty = tail.is_some_and(|tail| self.line_end(source, line, &tail, sweep));
            let start = token
                .map_or(Start::Nothing, |token| self.line_start(source, (line, at), token, depth, sweep));
            let line = &mut block.lines[index];
            line.is_dirty |= is_dirty || start == Start::Something;
            line.leans |= start == Start::NothingBehind;
        }
        self.state.edges = due;
    }

    /// A line that ends with what may be the beginning of a secret; whether it does.
    fn line_end(&mut self, source: &Source<'_>, line: Span, tail: &Tail, sweep: &mut Sweep) -> bool {
        let visible = &source.view.bytes[line.range()];
        let mut is_dirty = false;
        if tail.is_short {
            let tail = Span::from(line.end - tail.word..line.end);
            self.short_tail(source, tail, &mut is_dirty, sweep);
        }
        if let Some(run) = tail.open.and_then(|letters| open_run(visible, letters)) {
            is_dirty = true;
            self.open_run(source, Span::from(line.end - run..line.end), sweep);
        }
        if tail.may_be_assigned
            && let Some(name) = assigned(visible, tail.token, |name| self.scanner.context.knows(name))
        {
            is_dirty = true;
            self.assignment_goes_on(source, Span::from(line.start + name..line.end), sweep);
        }
        is_dirty
    }

    /// A line that begins with a long run: the rest of a token, wrapped base 64, a hex dump.
    fn line_start(
        &mut self,
        source: &Source<'_>,
        (line, at): (Span, usize),
        token: usize,
        depth: Depth,
        sweep: &mut Sweep,
    ) -> Start {
        let visible = &source.view.bytes[line.range()];
        let visible = &visible[indent(visible)..];
        if is_hex(visible) && decode::dump_line(visible, &mut Vec::new()) {
            self.dump(source.text, at, depth, sweep);
            return Start::Something;
        }
        let token = &visible[..if token < LANE { token } else { runs::leading(visible, TOKEN) }];
        let mut start = Start::Nothing;
        let is_pure = token.len() == visible.len();
        if token.len() >= MIN_WRAPPED_BYTES && is_pure && is_base64_line(visible) {
            start = Start::Something;
            self.wrapped(source.text, at, depth, sweep);
        }
        if token.len() >= MIN_REST && has_random_part(&token[..token.len().min(MAX_JUDGED)]) {
            let rest = self.rest_of_token(source.text, at, token, is_pure, sweep);
            start = start.max(rest);
        }
        start
    }
}

/// What the beginning of a line is part of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Start {
    Nothing,
    /// Nothing, as the line before it says.
    NothingBehind,
    /// Something, or other lines say that it is nothing.
    Something,
}

/// A line whose end or beginning may belong to another's.
pub(crate) struct Edge {
    index: usize,
    /// Without its line end.
    line: Span,
    /// What it ends with, if that may go on.
    tail: Option<Tail>,
    /// How many bytes the token has that it begins with, if that may have begun before;
    /// [`LANE`] may be more.
    token: Option<usize>,
}

/// The lines that are worth a closer look, by the lanes of their block.
struct Edges<'a> {
    bytes: &'a [u8],
    lines: &'a [Line],
    lanes: &'a Lanes,
    matcher: &'a Matcher,
    due: &'a mut Vec<Edge>,
}

impl NullaryFnOnce for Edges<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { bytes, lines, lanes, matcher, due } = self;
        for (index, line) in lines.iter().enumerate() {
            let end = lines.get(index + 1).map_or(bytes.len(), |next| next.view);
            let line = Span::from(line.view..end.saturating_sub(1).max(line.view));
            let (tail, token) = (Tail::of(bytes, line, lanes, matcher), may_have_begun(bytes, line, lanes));
            if tail.is_some() || token.is_some() {
                due.push(Edge { index, line, tail, token });
            }
        }
    }
}

/// Blanks before the text of a line.
#[inline(always)]
fn indent(line: &[u8]) -> usize {
    const BLANKS: u128 = u128::from_ne_bytes([b' '; 16]);
    match line.first_chunk() {
        Some(first) => ((u128::from_le_bytes(*first) ^ BLANKS).trailing_zeros() / 8) as usize,
        None => line.iter().take_while(|byte| **byte == b' ').count(),
    }
}

/// As hex dumps begin.
fn is_hex(visible: &[u8]) -> bool {
    visible.first_chunk::<6>().is_some_and(|six| six.iter().all(|byte| runs::is(*byte, HEX)))
}

/// The length of the token that a line begins with, if it begins as dumps, lines of base 64
/// and the rests of tokens do; [`LANE`] may be more.
#[inline(always)]
fn may_have_begun(bytes: &[u8], line: Span, lanes: &Lanes) -> Option<usize> {
    let start = line.start + indent(&bytes[line.range()]);
    let token = lanes::from(&lanes.tokens, start).trailing_ones() as usize;
    if token < 6 {
        return None;
    }
    let is_random = token >= MIN_REST && {
        let of_token = lanes::low(token);
        let words = lanes::from(&lanes.words, start) & of_token;
        let odd = lanes::from(&lanes.odd, start) & of_token;
        let first = words.trailing_ones() as usize;
        // As `has_random_part` asks, but of long ones the beginning does not tell, if it is no
        // row of dots.
        token == LANE && words != 0
            || (odd & lanes::among_eight(words)).count_ones() > 1
            || odd != 0 && bytes[start + first.min(token - 1)] == b'@'
    };
    let begins = is_random
        || token >= MIN_WRAPPED_BYTES && start + token == line.end
        || is_hex(&bytes[start..line.end]);
    begins.then_some(token)
}

/// What the token that ends a line may be.
#[derive(Clone, Copy)]
struct Tail {
    token: usize,
    /// How many word characters end the line; [`LANE`] may be more.
    word: usize,
    /// The beginning of a token, too short for a run.
    is_short: bool,
    /// How many letters of base 64 end the line, if they may be the beginning of a key that is
    /// marked near its end; [`LANE`] may be more.
    open: Option<usize>,
    may_be_assigned: bool,
}

impl Tail {
    #[inline(always)]
    fn of(bytes: &[u8], line: Span, lanes: &Lanes, matcher: &Matcher) -> Option<Self> {
        let before = |bits: &[u64]| lanes::before(bits, line.end);
        let token = before(&lanes.tokens).leading_ones() as usize;
        if token == 0 {
            return None;
        }
        // Bits of so many last bytes, the last one highest.
        let last = |bits: u64, count: usize| bits & !lanes::low(LANE - count);
        let odd = before(&lanes.odd);
        // Most are words, and nothing is assigned to them.
        let is_word = token + MAX_OPENING < LANE
            && last(odd, token) == 0
            && last(before(&lanes.announcing), token + MAX_OPENING) == 0;
        if is_word {
            return None;
        }
        let word = before(&lanes.words).leading_ones() as usize;
        let letters = before(&lanes.letters).leading_ones() as usize;
        let start =
            if token < LANE { line.end - token } else { lanes::start_of_ones(&lanes.tokens, line.end) };
        let tail = Self {
            token: line.end - start,
            word,
            is_short: (MIN_TAIL..MIN_RUN).contains(&word)
                && last(odd, token.min(MIN_OPEN_RUN)) != 0
                && (token == LANE || matcher.may_end(bytes, Span::from(start..line.end), lanes)),
            open: Some(letters).filter(|letters| may_be_open(*letters, odd)),
            may_be_assigned: may_be_assigned(lanes, line.end, token),
        };
        (tail.is_short || tail.open.is_some() || tail.may_be_assigned).then_some(tail)
    }
}

/// Whether a line with so many letters of base 64 at its end may end with a key that
/// [`open_run`] finds; `odd` is what of them is odd.
#[inline(always)]
fn may_be_open(letters: usize, odd: u64) -> bool {
    let odd = (odd & !lanes::low(LANE - letters)).count_ones() as usize;
    letters == LANE || letters >= MIN_OPEN_RUN && odd * 4 >= letters
}

/// Whether [`assigned`] may find something in a line that ends with a token of so many
/// bytes.
#[inline(always)]
fn may_be_assigned(lanes: &Lanes, end: usize, token: usize) -> bool {
    if token == LANE {
        return true;
    }
    // Something stands behind the sign.
    let signs = lanes::before(&lanes.announcing, end) << 1 >> 1;
    let is_quoted = || lanes::before(&lanes.announcing, end - token) >> (LANE - MAX_OPENING) != 0;
    signs & !lanes::low(LANE - token) != 0 || token >= MIN_RUN && is_quoted()
}

/// The length of a run at the end of a line that may be the beginning of a key that is
/// marked near its end. Digests are no such run.
fn open_run(line: &[u8], letters: usize) -> Option<usize> {
    let run = if letters == LANE { runs::trailing(line, BASE64) } else { letters };
    if !(MIN_OPEN_RUN..MAX_OPEN_RUN).contains(&run) {
        return None;
    }
    let (before, bytes) = line.split_at(line.len() - run);
    let is_digest = matches!(run, 40 | 64) && runs::leading(bytes, HEX) == run;
    // Names of classes and tests have fewer capitals and digits, and dots before them.
    let is_odd = |byte: &&u8| byte.is_ascii_digit() || byte.is_ascii_uppercase() || **byte == b'_';
    let odd = bytes.iter().filter(is_odd).count();
    let is_dense = odd * 4 >= run && !before.ends_with(b".");
    let is_standard = !bytes.iter().any(|byte| runs::is(*byte, DASH));
    (is_dense && is_standard && !is_digest && looks_random(bytes)).then_some(run)
}

/// Whether a line that ends in a token of so many bytes ends in an assignment to a name that
/// tells a secret: where it begins.
fn assigned(line: &[u8], token: usize, is_known: impl Fn(&[u8]) -> bool) -> Option<usize> {
    let start = line.len() - token.min(MAX_ASSIGNED);
    let before = &line[..start];
    let lead = before
        .iter()
        .rev()
        .take(MAX_OPENING - 1)
        .take_while(|byte| matches!(byte, b' ' | b'"' | b'\''))
        .count();
    let outer =
        (before.len() - lead).checked_sub(1).filter(|at| lead > 0 && matches!(line[*at], b'=' | b':'));
    // The value may hold signs, too.
    let inner = memchr::memrchr2_iter(b'=', b':', &line[start..]).take(MAX_SIGNS).map(|at| start + at);
    let sign = |(sign, value): (usize, &[u8])| {
        let length = line[..sign].iter().rev().take(MAX_NAME).take_while(|byte| in_name(byte)).count();
        let name = &line[sign - length..sign];
        // Short values stand behind words and numbers of all kinds.
        let is_long = value.len() >= MIN_ASSIGNED || name.iter().any(|byte| runs::is(*byte, DASH));
        let fits = is_long && length >= MIN_NAME && value.first() != Some(&b'/') && is_known(name);
        fits.then_some(sign - length)
    };
    let outer = outer.map(|at| (at, &line[start..])).filter(|(_, value)| value.len() >= MIN_RUN);
    inner.map(|at| (at, &line[at + 1..])).chain(outer).filter(|(_, value)| !value.is_empty()).find_map(sign)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::Classifier;

    proptest::proptest! {
        #[test]
        fn no_random_part_is_passed_over(line in "[ ]{0,3}[a-cA-C0-3_./@-]{0,70}[ ]?[a-z0-9=]{0,9}", before in 0..70_usize) {
            let text = format!("{}\n{line}\n", "é".repeat(before));
            let mut lanes = Lanes::default();
            Classifier::new(&[], &[]).fill(text.as_bytes(), &mut lanes);
            let span = Span::from(2 * before + 1..text.len() - 1);
            let visible = &line.as_bytes()[indent(line.as_bytes())..];
            let token = &visible[..runs::leading(visible, TOKEN)];
            let told = may_have_begun(text.as_bytes(), span, &lanes);
            if token.len() >= MIN_REST && has_random_part(&token[..token.len().min(MAX_JUDGED)]) {
                proptest::prop_assert_eq!(told, Some(token.len().min(LANE)));
            }
        }
    }
}
