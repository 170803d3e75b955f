//! Secrets over several lines: armoured blocks, tokens cut by a line end, manifests, and a
//! key id with its secret. Wrapped encodings are in `wrap`.
//!
//! Neighbouring lines are read from the text itself, so that it does not matter which of
//! them the block holds. Every line that starts something here is marked, so that it is
//! never remembered as clean.

use crate::assign::{self, Announced};
use crate::block::{self, Block};
use crate::decode;
use crate::engine::{Hit, Worker};
use crate::matcher::{ARMOUR, Event, Found, MAX_MATCH_BYTES};
use crate::runs::{self, DASH, DIGIT, MIN_RUN, TOKEN, WORD};
use crate::search::{Budget, Depth, Sweep};
use crate::tier::Tier;
use crate::view::View;
use crate::wrap::is_base64_line;
use crate::{Confidence, Verification};
use memchr::memmem;
use regex_automata::Span;
use zeroize::Zeroizing;

/// An armoured block ends within so many lines.
const MAX_ARMOUR_LINES: usize = 400;
/// A wrapped token ends within so many lines.
const MAX_TOKEN_LINES: usize = 64;
/// Behind a line that is not full a token ends within so many.
const MAX_LOOSE_LINES: usize = 3;
/// Where terminals, loggers and encoders wrap.
const WIDTHS: [usize; 13] = [64, 72, 76, 78, 79, 80, 100, 120, 128, 132, 160, 200, 256];
/// The least of a token that shows at the end of a line.
const MIN_TAIL: usize = 6;
const MAX_TAIL: usize = 128;
/// Shorter lines are not wrapped ones.
const MIN_WRAP_COLUMNS: usize = 60;
/// A secret access key stands so many lines and bytes from its id.
const PAIR_LINES: usize = 6;
const PAIR_BYTES: usize = 1000;
/// A Kubernetes manifest reaches so many lines and bytes from its kind.
const MANIFEST_LINES: usize = 200;
const MANIFEST_BYTES: usize = 32 << 10;
/// What names the owner of a private key stands so close to it.
const OWNER_BYTES: usize = 4096;

/// The block a join starts from.
pub(crate) struct Source<'b> {
    pub(crate) text: &'b [u8],
    pub(crate) view: &'b View,
    pub(crate) events: &'b [Event],
    pub(crate) found: &'b [Found],
}

impl Worker<'_> {
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
                    sweep.hits.extend(self.carried_on(source, *rule, *keyword, None));
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
            let is_line_end = view.bytes.get(found.span.end).is_none_or(|byte| *byte == b'\n');
            if is_line_end && self.scanner.matcher.may_go_on(found.rule, found.span.len()) {
                block.mark(found.span);
                sweep.hits.extend(self.carried_on(source, found.rule, found.span, Some(found.span)));
            }
        }
        for at in memmem::find_iter(&view.bytes, b"Secret") {
            if view.bytes[at.saturating_sub(10)..at].windows(4).any(|four| four == b"kind") {
                block.mark(Span::from(at..at + 1));
                self.manifest(source.text, view.origin(at), &mut sweep.hits);
            }
        }
        self.line_starts(source, block, depth, budget, sweep);
    }

    /// The values of the Kubernetes manifest around an offset.
    fn manifest(&mut self, text: &[u8], at: usize, hits: &mut Vec<Hit>) {
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

    /// A block from `-----BEGIN` to `-----END`.
    fn armoured(&mut self, text: &[u8], rule: usize, at: usize) -> Option<Hit> {
        let mut joined = View::default();
        let mut line = Span::from(at..block::line_around(text, at).end.min(at + MAX_MATCH_BYTES));
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

    /// A token whose line ends before it does: `keyword` is in its first part. `whole` is
    /// what matched in the line alone.
    fn carried_on(
        &mut self,
        source: &Source<'_>,
        rule: usize,
        keyword: Span,
        whole: Option<Span>,
    ) -> Option<Hit> {
        let bytes = &source.view.bytes;
        let line_end = keyword.start + memchr::memchr(b'\n', bytes.get(keyword.start..)?)?;
        let start = keyword.start
            - runs::trailing(bytes.get(keyword.start.saturating_sub(512)..keyword.start)?, TOKEN);
        let mut joined = View::default();
        push_pieces(source.view, Span::from(start..line_end), &mut joined);
        let cut = joined.bytes.len();
        let raw_end = source.view.origin(line_end);
        let wrap_only = whole.is_some();
        let gathered = gather(source.text, raw_end, &mut joined, !wrap_only);
        if wrap_only {
            let column =
                line_end - memchr::memrchr(b'\n', bytes.get(..keyword.start)?).map_or(0, |at| at + 1);
            if column < MIN_WRAP_COLUMNS || !gathered.is_pure {
                return None;
            }
        }
        let at = keyword.start - start;
        let keyword = Span::from(at..at + if wrap_only { 1 } else { keyword.len() });
        gathered.ends.iter().find_map(|end| {
            let part = joined.bytes.get(..*end)?;
            let event = self.scanner.matcher.confirm(&mut self.state.caches, rule, part, keyword)?;
            let Event::Found(found) = event else { return None };
            self.crossing(&joined, &found, cut, &gathered)
        })
    }

    /// A hit in lines put together, if it goes over the cut and what is behind the cut looks
    /// like a part of it.
    fn crossing(&self, joined: &View, found: &Found, cut: usize, gathered: &Gathered) -> Option<Hit> {
        if found.span.start >= cut || found.span.end <= cut {
            return None;
        }
        let mut hit = self.hit(&joined.bytes, found.span, found.secret, found.rule)?;
        let rest = joined.bytes.get(cut..found.span.end)?;
        let is_proved = hit.checked.verification == Verification::ChecksumValid;
        // One letter at a line's edge is chance.
        if !is_proved && (cut - found.span.start).min(rest.len()) < 2 {
            return None;
        }
        let is_checked = hit.checked.verification != Verification::Unverified;
        let has_check = self.scanner.rules.rules().get(found.rule)?.check.is_some();
        let is_fixed = self.scanner.matcher.has_fixed_length(found.rule);
        let is_folded = gathered.is_wrapped
            && gathered.is_pure
            && rest.iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        if !is_proved && !is_fixed && !is_folded && !looks_random(rest) {
            return None;
        }
        if has_check && !is_checked && hit.checked.confidence == Confidence::Possible {
            return None;
        }
        hit.span = joined.origin_span(found.span);
        hit.is_joined = true;
        Some(hit)
    }

    /// Secret access keys in the lines around their id.
    fn pairs(&mut self, text: &[u8], key_id: Span, hits: &mut Vec<Hit>) {
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

    /// Lines that begin with a long run: the rest of a token, wrapped base 64, a hex dump.
    fn line_starts(
        &mut self,
        source: &Source<'_>,
        block: &mut Block,
        depth: Depth,
        budget: &mut Budget,
        sweep: &mut Sweep,
    ) {
        let bytes = &source.view.bytes;
        for index in 0..block.lines.len() {
            let line = &block.lines[index];
            let end = block.lines.get(index + 1).map_or(bytes.len(), |next| next.view);
            let (view_start, text_start) = (line.view, line.text);
            let visible = bytes.get(view_start..end.saturating_sub(1)).unwrap_or_default();
            let tail = runs::trailing(&visible[visible.len().saturating_sub(MIN_RUN)..], WORD);
            if (MIN_TAIL..MIN_RUN).contains(&tail) {
                let at = view_start + visible.len();
                self.short_tail(source, Span::from(at - tail..at), &mut block.lines[index].is_dirty, sweep);
            }
            if WIDTHS.contains(&visible.len()) {
                let tail = runs::trailing(visible, TOKEN);
                let at = view_start + visible.len();
                let token = &visible[visible.len() - tail..];
                if token.iter().any(|byte| matches!(byte, b'=' | b':')) && looks_random(token) {
                    block.lines[index].is_dirty = true;
                    self.assignment_goes_on(source, Span::from(at - tail..at), sweep);
                }
            }
            let lead = visible.iter().take(16).take_while(|byte| **byte == b' ').count();
            let visible = &visible[lead..];
            if runs::leading(&visible[..visible.len().min(6)], TOKEN) < 6 {
                continue;
            }
            if runs::leading(&visible[..6], runs::HEX) == 6 && decode::dump_line(visible, &mut Vec::new()) {
                block.lines[index].is_dirty = true;
                self.dump(source.text, text_start, depth, budget, sweep);
                continue;
            }
            let token = &visible[..runs::leading(visible, TOKEN)];
            if token.len() < MIN_RUN {
                continue;
            }
            if is_base64_line(visible) {
                block.lines[index].is_dirty = true;
                self.wrapped(source.text, text_start, depth, budget, sweep);
            }
            if looks_random(token) {
                block.lines[index].is_dirty = true;
                self.rest_of_token(source.text, text_start, sweep);
            }
        }
    }

    /// The end of a line that is too short for a token but may be the beginning of one.
    fn short_tail(&mut self, source: &Source<'_>, tail: Span, is_dirty: &mut bool, sweep: &mut Sweep) {
        let bytes = &source.view.bytes;
        let is_odd = |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
        if !bytes[tail.range()].iter().any(is_odd) {
            return;
        }
        let start =
            tail.start - runs::trailing(&bytes[tail.start.saturating_sub(MAX_TAIL)..tail.start], TOKEN);
        let mut dangling = Vec::new();
        let Self { scanner, state, profile, .. } = self;
        let part = Span::from(start..tail.end);
        scanner.matcher.find(&mut state.caches, Tier::Token, bytes, part, profile, |event| {
            if let Event::Dangling { rule, keyword } = event {
                dangling.push((rule, keyword));
            }
        });
        for (rule, keyword) in dangling {
            *is_dirty = true;
            sweep.hits.extend(self.carried_on(source, rule, keyword, None));
        }
    }

    /// A token whose beginning ends the line before.
    fn rest_of_token(&mut self, text: &[u8], at: usize, sweep: &mut Sweep) {
        let Some(before) = block::line_before(text, at) else { return };
        let mut first = View::default();
        block::push_line(text, before, &mut first);
        let length = runs::trailing(&first.bytes, TOKEN);
        if length == 0 || first.bytes.len() < 2 {
            return;
        }
        let mut joined = View::default();
        push_pieces(&first, Span::from(first.bytes.len() - length..first.bytes.len()), &mut joined);
        let cut = joined.bytes.len();
        let gathered = gather(text, before.end, &mut joined, false);
        for end in &gathered.ends {
            let mut found = Vec::new();
            let part = Span::from(0..*end);
            let bytes = joined.bytes.get(..*end).unwrap_or_default();
            let Self { scanner, state, profile, .. } = self;
            for tier in [Tier::Token, Tier::Line, Tier::Any] {
                scanner.matcher.find(&mut state.caches, tier, bytes, part, profile, |event| {
                    if let Event::Found(one) = event {
                        found.push(one);
                    }
                });
            }
            let before = sweep.hits.len();
            for one in found {
                if !self.is_shape(one.rule) {
                    sweep.hits.extend(self.crossing(&joined, &one, cut, &gathered));
                }
            }
            self.assigned_over(&joined, *end, cut, &gathered, sweep);
            if sweep.hits.len() > before {
                break;
            }
        }
    }

    /// Values that their names tell, where the line end cuts one of the two.
    fn assigned_over(&self, joined: &View, end: usize, cut: usize, gathered: &Gathered, sweep: &mut Sweep) {
        let text = joined.bytes.get(..end).unwrap_or_default();
        let scanner = self.scanner;
        scanner.assignments.find(text, |announced| {
            let Announced::Assignment(found) = announced else { return };
            scanner.context.find(text, found.name, found.value, |rule, secret| {
                let span = Span::from(found.name.start..secret.end);
                let one = Found { rule, span, secret };
                // What the second line says without the first needs no first.
                let is_alone = secret.start >= cut && self.tells(text.get(cut..), rule);
                if span.end == end && !is_alone {
                    sweep.hits.extend(self.crossing(joined, &one, cut, gathered));
                }
            });
        });
    }

    /// Whether a text holds a value that a rule knows by its name.
    fn tells(&self, text: Option<&[u8]>, rule: usize) -> bool {
        let text = text.unwrap_or_default();
        let mut is_told = false;
        self.scanner.assignments.find(text, |announced| {
            if let Announced::Assignment(found) = announced {
                self.scanner.context.find(text, found.name, found.value, |told, _| is_told |= told == rule);
            }
        });
        is_told
    }

    /// An assignment that fills its line: the value may go on in the next.
    fn assignment_goes_on(&self, source: &Source<'_>, tail: Span, sweep: &mut Sweep) {
        let mut joined = View::default();
        push_pieces(source.view, tail, &mut joined);
        let cut = joined.bytes.len();
        let gathered = gather(source.text, source.view.origin(tail.end), &mut joined, false);
        let before = sweep.hits.len();
        for end in &gathered.ends {
            self.assigned_over(&joined, *end, cut, &gathered, sweep);
            if sweep.hits.len() > before {
                break;
            }
        }
    }
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

/// What [`gather`] appended.
#[derive(Default)]
struct Gathered {
    /// Whether the first token is all of its line.
    is_pure: bool,
    /// Whether the line that is carried on is as wide as terminals and tools make it.
    is_wrapped: bool,
    /// Where the joined text may end, the likeliest end first.
    ends: Vec<usize>,
}

/// Appends the tokens that the lines behind `end` begin with, as long as they are all of
/// their lines; or, of the first line, the value it assigns.
fn gather(text: &[u8], mut end: usize, joined: &mut View, may_assign: bool) -> Gathered {
    let mut gathered = Gathered::default();
    let mut is_open = true;
    let first = block::line_around(text, end);
    let width = visible_width(text, first);
    // In the midst of lines as wide, all of one token, a long one has begun before.
    let is_amid = block::line_before(text, first.start).is_some_and(|line| is_token_line(text, line, width));
    let most = if is_amid { MAX_LOOSE_LINES + 1 } else { MAX_TOKEN_LINES };
    for index in 0..most {
        let Some(line) = block::line_after(text, end) else { break };
        let mut view = View::default();
        block::push_line(text, line, &mut view);
        let from = view.bytes.iter().take_while(|byte| b" \t\"'|>+".contains(byte)).count();
        let rest = view.bytes.get(from..).unwrap_or_default();
        let mut part = Span::from(from..from + runs::leading(rest, TOKEN));
        let token = view.bytes.get(part.range()).unwrap_or_default();
        // `part2=…`
        if index == 0
            && may_assign
            && let Some(sign) = token.iter().take(40).position(|byte| matches!(byte, b'=' | b':'))
            && sign > 0
            && sign + 2 < token.len()
            && token[sign + 1] != b'='
        {
            part.start += sign + 1;
        }
        if part.is_empty() {
            break;
        }
        push_pieces(&view, part, joined);
        let fills = part.end == view.bytes.trim_ascii_end().len();
        if index == 0 {
            gathered.is_pure = fills && part.start == from;
        }
        // Of a wrapped token only the last line is not full.
        if is_open {
            gathered.ends.insert(0, joined.bytes.len());
        } else {
            gathered.ends.push(joined.bytes.len());
        }
        is_open &= view.bytes.len() == width;
        let is_enough = index >= MAX_LOOSE_LINES && !is_open;
        if !fills || is_enough || joined.bytes.len() > MAX_MATCH_BYTES {
            break;
        }
        end = line.end;
    }
    gathered.is_wrapped = WIDTHS.contains(&width);
    gathered
}

/// Whether a line is `width` columns of one token.
fn is_token_line(text: &[u8], line: Span, width: usize) -> bool {
    let mut view = View::default();
    block::push_line(text, line, &mut view);
    view.bytes.len() == width
        && runs::leading(view.bytes.trim_ascii(), TOKEN) == view.bytes.trim_ascii().len()
}

fn visible_width(text: &[u8], line: Span) -> usize {
    let mut view = View::default();
    block::push_line(text, line, &mut view);
    view.bytes.len()
}

/// Digits among letters, or letters of both cases in turn, as words do not have.
fn looks_random(part: &[u8]) -> bool {
    let digits = part.iter().filter(|byte| runs::is(**byte, DIGIT)).count();
    let letters = part.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let turns =
        part.windows(2).filter(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase()).count();
    let dashes = part.iter().filter(|byte| runs::is(**byte, DASH)).count();
    dashes * 3 <= part.len() && (digits >= 2 && letters >= 2 || turns >= 2)
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
