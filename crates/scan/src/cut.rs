//! Tokens that a line end cuts in two or more.

use crate::assign::Announced;
use crate::block;
use crate::engine::{Hit, Worker};
use crate::join::Source;
use crate::matcher::{Event, Found, MAX_MATCH_BYTES};
use crate::runs::{self, DASH, DIGIT, TOKEN};
use crate::search::Sweep;
use crate::tier::Tier;
use crate::view::View;
use crate::{Confidence, Verification};
use regex_automata::Span;

/// A wrapped token ends within so many lines.
const MAX_TOKEN_LINES: usize = 64;
/// Behind a line that is not full a token ends within so many.
const MAX_LOOSE_LINES: usize = 3;
/// Where terminals, loggers and encoders wrap.
pub(crate) const WIDTHS: [usize; 13] = [64, 72, 76, 78, 79, 80, 100, 120, 128, 132, 160, 200, 256];
const MAX_TAIL: usize = 128;
/// Shorter lines are not wrapped ones.
const MIN_WRAP_COLUMNS: usize = 60;

impl Worker<'_> {
    /// A token whose line ends before it does: `keyword` is in its first part. `whole` is
    /// what matched in the line alone.
    pub(crate) fn carried_on(
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

    /// The end of a line that is too short for a token but may be the beginning of one.
    pub(crate) fn short_tail(
        &mut self,
        source: &Source<'_>,
        tail: Span,
        is_dirty: &mut bool,
        sweep: &mut Sweep,
    ) {
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
    pub(crate) fn rest_of_token(&mut self, text: &[u8], at: usize, sweep: &mut Sweep) {
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
    pub(crate) fn assignment_goes_on(&self, source: &Source<'_>, tail: Span, sweep: &mut Sweep) {
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
    let width = visible_width(text, block::line_around(text, end));
    for index in 0..MAX_TOKEN_LINES {
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
        is_open &= view.bytes.len() >= width;
        let is_enough = index >= MAX_LOOSE_LINES && !is_open;
        if !fills || is_enough || joined.bytes.len() > MAX_MATCH_BYTES {
            break;
        }
        end = line.end;
    }
    gathered.is_wrapped = WIDTHS.contains(&width);
    gathered
}

fn visible_width(text: &[u8], line: Span) -> usize {
    let mut view = View::default();
    block::push_line(text, line, &mut view);
    view.bytes.len()
}

/// Digits among letters, or letters of both cases in turn, as words do not have.
pub(crate) fn looks_random(part: &[u8]) -> bool {
    let digits = part.iter().filter(|byte| runs::is(**byte, DIGIT)).count();
    let letters = part.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let turns =
        part.windows(2).filter(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase()).count();
    let dashes = part.iter().filter(|byte| runs::is(**byte, DASH)).count();
    dashes * 3 <= part.len() && (digits >= 2 && letters >= 2 || turns >= 2)
}
