//! Where a block may hold something: long runs, keywords, encodings.

use crate::block::Block;
use crate::decode::{self, Decoded};
use crate::depth::Budget;
use crate::engine::Worker;
use crate::lanes::{self, Lanes};
use crate::matcher::{Event, Found};
use crate::profile::Stage;
use crate::runs::{self, Run};
use crate::search::Sweep;
use crate::tier::Tier;
use crate::view::View;
use regex_automata::Span;

/// What the runs and keywords of a block lead to.
#[derive(Default)]
pub(crate) struct Leads {
    tokens: Vec<Span>,
    words: Vec<Word>,
    spaced: Vec<Span>,
    pub(crate) found: Vec<Found>,
    pub(crate) events: Vec<Event>,
}

/// A long run of word characters.
struct Word {
    span: Span,
    may_be_text: bool,
}

impl Worker<'_> {
    /// Long runs, then the keywords of the tokens that have them, and those of every line.
    pub(crate) fn leads(&mut self, block: &Block) -> Leads {
        let started = self.clock();
        let text = &block.view.bytes;
        self.scanner.classifier.fill(text, &mut self.state.lanes);
        let mut leads = runs(text, &self.state.lanes);
        let has = |tier| self.scanner.matcher.has_keywords(tier);
        let lines = if has(Tier::Line) { with_run(block, &leads.words, |_| true) } else { Vec::new() };
        let has_digit = |word: Span| text[word.range()].iter().any(u8::is_ascii_digit);
        let near = if has(Tier::Near) { with_run(block, &leads.words, has_digit) } else { Vec::new() };
        self.spent(Stage::Runs, started);
        let started = self.clock();
        let Leads { tokens, found, events, .. } = &mut leads;
        let Self { scanner, state, profile, .. } = self;
        let mut add = |event| match event {
            Event::Found(one) => found.push(one),
            other => events.push(other),
        };
        for token in tokens {
            scanner.matcher.find_in_token(&mut state.caches, text, *token, &state.lanes, profile, &mut add);
        }
        for (tier, parts) in [(Tier::Line, lines), (Tier::Near, near)] {
            for part in parts {
                scanner.matcher.find(&mut state.caches, tier, text, part, profile, &mut add);
            }
        }
        let marks = state.lanes.leads.as_deref();
        scanner.matcher.find_everywhere(&mut state.caches, text, marks, profile, &mut add);
        self.spent(Stage::Keywords, started);
        leads
    }

    /// Everything in a block that may be an encoding of something else, as far as the
    /// budget goes: many small streams may inflate to more than memory holds. And what
    /// was paid for.
    pub(crate) fn candidates(
        &self,
        view: &View,
        block: &Block,
        leads: &mut Leads,
        sweep: &Sweep,
        budget: &mut Budget,
    ) -> (Vec<Decoded>, Vec<Span>) {
        let text = view.bytes.as_slice();
        let (mut all, mut costly) = (Vec::new(), Vec::new());
        let mut add = |decoded: Decoded| {
            let (span, before) = (decoded.span, budget.excess);
            let at = view.origin(span.start);
            let is_allowed = budget.allows(span.len(), decoded.bytes.len(), at);
            if span.len() >= decode::MAX_CANDIDATE_BYTES - 4096 {
                budget.hit(at);
            }
            if budget.excess != before || !is_allowed {
                costly.push(span);
            }
            if is_allowed {
                all.push(decoded);
            }
        };
        in_words(text, block, &leads.words, sweep, &mut add);
        decode::gzip(text, &mut add);
        decode::percent(text, &mut add);
        decode::json(text, &mut add);
        for span in leads.spaced.drain(..) {
            decode::spaced(text, span, &mut add);
        }
        for event in &leads.events {
            if let Event::Backwards(span) = event {
                add(decode::reversed(text, *span));
            }
        }
        (all, costly)
    }
}

/// The long runs of a text and the tokens they are in.
fn runs(text: &[u8], lanes: &Lanes) -> Leads {
    let mut leads = Leads::default();
    runs::find(text, &lanes.words, |run| match run {
        Run::Spaced(span) => leads.spaced.push(span),
        Run::Word(span) => {
            if leads.tokens.last().is_none_or(|last| last.end < span.end) {
                let start = lanes::start_of_ones(&lanes.tokens, span.start);
                leads.tokens.push(Span::from(start..lanes::end_of_ones(&lanes.tokens, span.end)));
            }
            leads.words.push(Word { span, may_be_text: decode::may_be_text(&lanes.places, span) });
        }
    });
    leads
}

/// What the long runs encode.
fn in_words(text: &[u8], block: &Block, words: &[Word], sweep: &Sweep, add: &mut impl FnMut(Decoded)) {
    let mut done = 0;
    let mut line = 0;
    for Word { span, may_be_text } in words {
        if let Some(span) = dashed(text, *span) {
            decode::spaced(text, span, &mut *add);
            continue;
        }
        if span.start < done {
            continue;
        }
        while block.lines.get(line + 1).is_some_and(|next| next.view <= span.start) {
            line += 1;
        }
        let at = block.lines.get(line).map_or(0, |line| line.text);
        if !sweep.together.iter().any(|span| span.start <= at && at < span.end) {
            done = decode::run(text, *span, done, *may_be_text, &mut *add);
        }
    }
}

/// The lines with a run that `counts`, neighbours together.
fn with_run(block: &Block, words: &[Word], counts: impl Fn(Span) -> bool) -> Vec<Span> {
    let mut parts: Vec<Span> = Vec::new();
    let mut line = 0;
    for word in words.iter().map(|word| word.span) {
        while block.lines.get(line + 1).is_some_and(|next| next.view <= word.start) {
            line += 1;
        }
        let end = block.lines.get(line + 1).map_or(block.view.bytes.len(), |next| next.view);
        let whole = Span::from(block.lines.get(line).map_or(0, |line| line.view)..end);
        if parts.last().is_none_or(|last| last.end < whole.end) && counts(word) {
            extend(&mut parts, whole);
        }
    }
    parts
}

/// A run of single characters with a dash or an underscore after each.
fn dashed(text: &[u8], word: Span) -> Option<Span> {
    let at = |at: usize| text.get(word.start + at).filter(|byte| matches!(byte, b'-' | b'_'));
    let turns =
        |from: usize| at(from).is_some_and(|sign| [2, 4].iter().all(|step| at(from + step) == Some(sign)));
    match (turns(0), turns(1)) {
        (true, false) => runs::spaced(text, word.start + 3),
        (false, true) => runs::spaced(text, word.start + 2),
        _ => None,
    }
}

fn extend(parts: &mut Vec<Span>, line: Span) {
    match parts.last_mut() {
        Some(last) if last.end >= line.start => last.end = line.end,
        _ => parts.push(line),
    }
}
