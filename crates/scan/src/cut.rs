//! Tokens that a line end cuts in two or more.
//!
//! What stands on the next line may be the rest of a token, or another thing. A match
//! over the line end counts when its form leaves no doubt: a checksum, a fixed length, a
//! line that is nothing but the rest and looks random, or one as wide as tools wrap. Where
//! the first part is a secret by itself and little says that more belongs to it, the whole
//! is reported beside it and only as possible.

use crate::assign::Announced;
use crate::compiled::Effort;
use crate::engine::{Hit, Worker};
use crate::join::{Source, Start};
use crate::matcher::{Event, Found};
use crate::runs::{self, DASH, DIGIT, LOWER, TOKEN, UPPER};
use crate::seam::{Seam, are_siblings, is_odd, may_go_on, plain_tail, push_plain, raw_token_end};
use crate::search::Sweep;
use crate::tier::Tier;
use crate::view::View;
use crate::{Confidence, Verification, block};
use regex_automata::Span;
use zeroize::Zeroizing;

const TIERS: [Tier; 4] = [Tier::Token, Tier::Line, Tier::Near, Tier::Any];
/// A token reaches so far before its keyword.
const MAX_LEAD: usize = 512;
const MAX_TAIL: usize = 128;
/// What is looked at before a cut for the beginning of a keyword.
const MAX_KEYWORD_BYTES: usize = 64;
/// Parts of a token between its signs that tell whether it is random.
const MIN_PART: usize = 8;

impl Worker<'_> {
    /// A token whose line ends before it does: `keyword` is in its first part. `is_whole`
    /// says that this part matched alone.
    #[inline(never)]
    pub(crate) fn carried_on(
        &mut self,
        source: &Source<'_>,
        rule: usize,
        keyword: Span,
        is_whole: bool,
    ) -> Vec<Hit> {
        let bytes = &source.view.bytes;
        let rest = &bytes[keyword.start..];
        let line_end = keyword.start + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let end = source.view.origin(line_end);
        if !may_go_on(source.text, end) || !self.state.budget.allows_joins(end) {
            return Vec::new();
        }
        let low = keyword.start.saturating_sub(MAX_LEAD);
        let start = keyword.start - runs::trailing(&bytes[low..keyword.start], TOKEN);
        let head = Span::from(start..line_end);
        let at = keyword.start - start;
        let keyword = Span::from(at..at + if is_whole { 1 } else { keyword.len() });
        let mut hits = Vec::new();
        for may_assign in [true, false] {
            let seam = Seam::of_tokens(source.text, source.view, head, may_assign);
            for end in seam.ends.iter().filter(|_| !(seam.is_escaped && seam.is_wrapped)) {
                hits.extend(self.confirmed(&seam, rule, *end, keyword, is_whole));
                if hits.len() > usize::from(seam.is_doubtful) {
                    break;
                }
            }
            if !hits.is_empty() || !seam.has_sign {
                break;
            }
        }
        // Words and signs may follow in a line that is wrapped, and precede the keyword.
        if hits.is_empty() {
            let line = memchr::memrchr(b'\n', &bytes[low..start]).map_or(low, |at| low + at + 1);
            let keyword = Span::from(keyword.start + start - line..keyword.end + start - line);
            if let Some(seam) = Seam::of_lines(source.text, source.view, Span::from(line..line_end)) {
                hits.extend(self.confirmed(&seam, rule, seam.joined.bytes.len(), keyword, is_whole));
            }
        }
        hits
    }

    fn confirmed(
        &mut self,
        seam: &Seam,
        rule: usize,
        end: usize,
        keyword: Span,
        is_whole: bool,
    ) -> Option<Hit> {
        let part = seam.joined.bytes.get(..end)?;
        self.state.budget.join(end);
        let (caches, effort) = (&mut self.state.caches, &mut Effort::default());
        let event = self.scanner.matcher.confirm(caches, rule, part, keyword, effort)?;
        let Event::Found(found) = event else { return None };
        self.crossing(seam, &found, is_whole)
    }

    /// A hit in lines put together, if it goes over the cut and what is behind the cut looks
    /// like a part of it.
    fn crossing(&self, seam: &Seam, found: &Found, is_whole: bool) -> Option<Hit> {
        let Seam { joined, cut, .. } = seam;
        if found.span.start >= *cut || found.span.end <= *cut {
            return None;
        }
        let mut hit = self.hit(&joined.bytes, found.span, found.secret, found.rule)?;
        let has_check = self.scanner.rules.rules().get(found.rule)?.check.is_some();
        let is_checked = hit.checked.verification != Verification::Unverified;
        if has_check && !is_checked && hit.checked.confidence == Confidence::Possible {
            return None;
        }
        let rest = joined.bytes.get(*cut..found.span.end)?;
        hit.span = joined.origin_span(found.span);
        match self.belongs(seam, found, rest, is_whole) {
            _ if hit.checked.verification == Verification::ChecksumValid => hit.is_joined = true,
            Some(true) => hit.is_joined = true,
            Some(false) => hit.checked.confidence = Confidence::Possible,
            None => return None,
        }
        Some(hit)
    }

    /// Whether what is behind the cut is a part of the token: surely, or only perhaps.
    fn belongs(&self, seam: &Seam, found: &Found, rest: &[u8], is_whole: bool) -> Option<bool> {
        let is_alone = seam.is_pure && seam.ends.contains(&found.span.end);
        let is_fixed = self.scanner.matcher.has_fixed_length(found.rule);
        // One letter at a line's edge is chance, if it is not all of the line.
        let least = (seam.cut - found.span.start).min(rest.len());
        if least < 2 && !is_alone && !seam.are_siblings {
            return None;
        }
        if least < 2 && seam.cut - found.span.start < 2 && !is_fixed {
            return Some(false);
        }
        let has_capital = rest.iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        let is_folded = seam.is_wrapped && is_alone && has_capital;
        if is_fixed || seam.are_siblings || is_folded {
            return Some(true);
        }
        match (is_whole, looks_random(rest)) {
            (false, true) => Some(true),
            (false, false) => is_alone.then_some(false),
            (true, _) => (is_alone && (is_odd(rest) || seam.is_wrapped)).then_some(false),
        }
    }

    /// The end of a line that is too short for a token but may be the beginning of one.
    #[inline(never)]
    pub(crate) fn short_tail(
        &mut self,
        source: &Source<'_>,
        tail: Span,
        is_dirty: &mut bool,
        sweep: &mut Sweep,
    ) {
        let bytes = &source.view.bytes;
        let is_odd = |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_uppercase() || *byte == b'_';
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
            sweep.hits.extend(self.carried_on(source, rule, keyword, false));
        }
    }

    /// A token whose beginning ends the line before the one at `at`; `token` is its rest, and
    /// may be all of its line. Gives what that line's beginning is.
    #[inline(never)]
    pub(crate) fn rest_of_token(
        &mut self,
        text: &[u8],
        at: usize,
        token: &[u8],
        is_pure: bool,
        sweep: &mut Sweep,
    ) -> Start {
        let Some(before) = block::line_before(text, at) else { return Start::Something };
        if !raw_token_end(text, before) {
            return Start::NothingBehind;
        }
        // A quick look, where there is nothing to take out.
        if let Some(head) = plain_tail(text, before) {
            let mut window = Zeroizing::new([head, token].concat());
            let is_whole = !is_pure || push_plain(text, block::line_around(text, at).end, &mut window);
            if is_whole && !self.has_lead(&window, head.len()) {
                return if is_pure { Start::Something } else { Start::NothingBehind };
            }
        }
        let mut first = View::default();
        block::push_line(text, before, &mut first);
        let end = first.bytes.len();
        let start = token_start(&first.bytes);
        if start == end || end < 2 {
            return Start::NothingBehind;
        }
        // What was said until here may be remembered: it costs the same each time.
        if !self.state.budget.allows_joins(at) {
            return Start::Something;
        }
        let head = Span::from(start..end);
        let seam = Seam::behind(text, &first, head, (before.end, end), false);
        self.over(&seam, sweep);
        let token = first.bytes.get(head.range()).unwrap_or_default();
        if are_siblings(token, seam.joined.bytes.get(seam.cut..).unwrap_or_default()) {
            let seam = Seam::behind(text, &first, head, (before.end, end), true);
            self.over(&seam, sweep);
        }
        Start::Something
    }

    /// A long random run at the end of a line, as keys that are marked at their end have it.
    #[inline(never)]
    pub(crate) fn open_run(&mut self, source: &Source<'_>, run: Span, sweep: &mut Sweep) {
        let end = source.view.origin(run.end);
        if may_go_on(source.text, end) && self.state.budget.allows_joins(end) {
            let bytes = &source.view.bytes;
            let low = run.start.saturating_sub(MAX_KEYWORD_BYTES);
            let start = run.start - runs::trailing(&bytes[low..run.start], TOKEN);
            let seam = Seam::of_tokens(source.text, source.view, Span::from(start..run.end), true);
            self.over(&seam, sweep);
        }
    }

    /// What any rule finds over the cut.
    fn over(&mut self, seam: &Seam, sweep: &mut Sweep) {
        let bytes = &seam.joined.bytes;
        let low = seam.cut.saturating_sub(MAX_KEYWORD_BYTES);
        if seam.ends.is_empty() {
            return;
        }
        self.state.budget.join(bytes.len());
        let (has_keyword, has_name) = (self.has_keyword(bytes, low), self.announces(bytes));
        if !has_keyword && !has_name {
            return;
        }
        let whole = self.found_in(bytes.get(..seam.cut).unwrap_or_default(), low);
        for end in &seam.ends {
            let bytes = bytes.get(..*end).unwrap_or_default();
            self.state.budget.join(*end);
            let before = sweep.hits.len();
            if has_keyword {
                for one in self.found_in(bytes, low).iter().filter(|one| !self.is_shape(one.rule)) {
                    let is_whole = whole.iter().any(|first| first.rule == one.rule);
                    sweep.hits.extend(self.crossing(seam, one, is_whole));
                }
            }
            if has_name {
                self.assigned_over(seam, *end, sweep);
            }
            if sweep.hits.len() > before + usize::from(seam.is_doubtful) {
                break;
            }
        }
    }

    /// Whether anything in a text with a cut leads to a secret.
    fn has_lead(&self, bytes: &[u8], cut: usize) -> bool {
        self.has_keyword(bytes, cut.saturating_sub(MAX_KEYWORD_BYTES))
            || self.announces(bytes)
            || are_siblings(bytes.get(..cut).unwrap_or_default(), bytes.get(cut..).unwrap_or_default())
    }

    fn has_keyword(&self, bytes: &[u8], low: usize) -> bool {
        let part = Span::from(low..bytes.len());
        TIERS.iter().any(|tier| self.scanner.matcher.holds_keyword(*tier, bytes, part))
    }

    /// What all tiers find behind `low`.
    fn found_in(&mut self, bytes: &[u8], low: usize) -> Vec<Found> {
        let Self { scanner, state, profile, .. } = self;
        let mut found = Vec::new();
        for tier in TIERS {
            let part = Span::from(low..bytes.len());
            scanner.matcher.find(&mut state.caches, tier, bytes, part, profile, |event| {
                if let Event::Found(one) = event {
                    found.push(one);
                }
            });
        }
        found
    }

    fn announces(&self, text: &[u8]) -> bool {
        let mut is_announced = false;
        if memchr::memchr2(b'=', b':', text).is_some() {
            self.scanner
                .assignments
                .find(text, |found| is_announced |= matches!(found, Announced::Assignment(_)));
        }
        is_announced
    }

    /// Values that their names tell, where the line end cuts one of the two.
    fn assigned_over(&self, seam: &Seam, end: usize, sweep: &mut Sweep) {
        let text = seam.joined.bytes.get(..end).unwrap_or_default();
        let scanner = self.scanner;
        scanner.assignments.find(text, |announced| {
            let Announced::Assignment(found) = announced else { return };
            scanner.context.find(text, found.name, found.value, |rule, secret| {
                let span = Span::from(found.name.start..secret.end);
                let one = Found { rule, span, secret };
                // What the second line says without the first needs no first.
                let is_alone = secret.start >= seam.cut && self.tells(text.get(seam.cut..), rule);
                if span.end == end && !is_alone {
                    let is_whole = self.tells(text.get(..seam.cut), rule);
                    sweep.hits.extend(self.crossing(seam, &one, is_whole));
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

    /// An assignment that ends its line: the value may go on in the next.
    #[inline(never)]
    pub(crate) fn assignment_goes_on(&mut self, source: &Source<'_>, assigned: Span, sweep: &mut Sweep) {
        let end = source.view.origin(assigned.end);
        if !may_go_on(source.text, end) || !self.state.budget.allows_joins(end) {
            return;
        }
        let seam = Seam::of_tokens(source.text, source.view, assigned, false);
        let before = sweep.hits.len();
        for end in &seam.ends {
            self.state.budget.join(*end);
            self.assigned_over(&seam, *end, sweep);
            if sweep.hits.len() > before + usize::from(seam.is_doubtful) {
                break;
            }
        }
    }
}

/// Where the token that ends a line begins, with the name of a quoted value.
fn token_start(line: &[u8]) -> usize {
    let start = line.len() - runs::trailing(line, TOKEN);
    match line.get(..start) {
        Some([name @ .., b'=' | b':', b'"' | b'\'']) => name.len() - runs::trailing(name, TOKEN),
        _ => start,
    }
}

/// Whether a token has a part between its signs that looks random. Paths and places in
/// files have none, though they have digits. What stands before an `@` may be short.
pub(crate) fn has_random_part(token: &[u8]) -> bool {
    let mut start = 0;
    loop {
        let rest = &token[start..];
        let (mut counts, mut length) = (Counts::default(), 0);
        for byte in rest {
            let class = runs::CLASSES[usize::from(*byte)];
            if class & runs::WORD == 0 {
                break;
            }
            counts.add(class);
            length += 1;
        }
        if length >= MIN_PART && counts.look_random(length) {
            return true;
        }
        match rest.get(length) {
            None => return false,
            Some(b'@') if start == 0 && counts.digits + counts.turns > 0 => return true,
            Some(_) => start += length + 1,
        }
    }
}

/// Whether a part of a token has digits among letters, or letters of both cases in turn, as
/// words do not have.
pub(crate) fn looks_random(part: &[u8]) -> bool {
    let mut counts = Counts::default();
    part.iter().for_each(|byte| counts.add(runs::CLASSES[usize::from(*byte)]));
    counts.look_random(part.len())
}

/// What a part of a token is made of.
#[derive(Default)]
struct Counts {
    digits: usize,
    letters: usize,
    dashes: usize,
    /// Lower case letters that capitals follow.
    turns: usize,
    last: u8,
}

impl Counts {
    /// Adds a byte by its class.
    #[inline(always)]
    fn add(&mut self, class: u8) {
        self.digits += usize::from(class & DIGIT != 0);
        self.letters += usize::from(class & (LOWER | UPPER) != 0);
        self.dashes += usize::from(class & DASH != 0);
        self.turns += usize::from(self.last & LOWER != 0 && class & UPPER != 0);
        self.last = class;
    }

    fn look_random(&self, length: usize) -> bool {
        self.dashes * 3 <= length && (self.digits >= 2 && self.letters >= 2 || self.turns >= 2)
    }
}
