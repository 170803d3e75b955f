//! Where a block may hold something: long runs, keywords, encodings.

use crate::block::Block;
use crate::decode::{self, Decoded};
use crate::engine::Worker;
use crate::lanes::{self, Lanes};
use crate::matcher::{Event, Found};
use crate::profile::Stage;
use crate::runs::{self, Run};
use crate::search::Sweep;
use crate::tier::Tier;
use crate::view::View;
use pulp::NullaryFnOnce;
use regex_automata::Span;

/// What the runs and keywords of a block lead to.
#[derive(Default)]
pub(crate) struct Leads {
    tokens: Vec<Token>,
    pub(crate) words: Vec<Word>,
    spaced: Vec<Span>,
    /// Where percent signs and backslashes stand.
    escapes: Vec<usize>,
    pub(crate) found: Vec<Found>,
    pub(crate) events: Vec<Event>,
}

impl Leads {
    #[inline(always)]
    fn add(&mut self, text: &[u8], run: Span, lanes: &Lanes) {
        if self.tokens.last().is_none_or(|last| last.span.end < run.end) {
            let start = lanes::start_of_ones(&lanes.tokens, run.start);
            let span = Span::from(start..lanes::end_of_ones(&lanes.tokens, run.end));
            self.tokens.push(Token { span, first: self.words.len() });
        }
        let floor = self.words.last().map_or(0, |last| last.span.end);
        let lead = decode::base64_start(&lanes.letters, run.start, floor);
        let may_be_text = decode::may_be_text(&lanes.triples, run);
        let is_plain =
            !may_be_text && decode::is_plain(text, lead, run) && turns(text, run) == (false, false);
        self.words.push(Word { span: run, lead, may_be_text, is_plain });
    }

    /// The tokens with long runs, each with its runs.
    #[inline(always)]
    pub(crate) fn tokens(&self) -> impl Iterator<Item = (Span, &[Word])> {
        self.tokens.iter().enumerate().map(|(at, token)| {
            let end = self.tokens.get(at + 1).map_or(self.words.len(), |next| next.first);
            (token.span, &self.words[token.first..end])
        })
    }
}

/// A long run of word characters.
pub(crate) struct Word {
    pub(crate) span: Span,
    /// Where the letters of base 64 before it begin, behind the run before.
    pub(crate) lead: usize,
    /// Whether letters about its beginning may encode text.
    pub(crate) may_be_text: bool,
    /// Whether it encodes nothing.
    is_plain: bool,
}

/// A token with such runs.
struct Token {
    span: Span,
    /// The first one's place among all.
    first: usize,
}

impl Worker<'_> {
    /// Long runs, then the keywords of the tokens that have them, and those of every line.
    pub(crate) fn leads(&mut self, block: &Block) -> Leads {
        let started = self.clock();
        let text = &block.view.bytes;
        self.scanner.classifier.fill(text, &mut self.state.lanes);
        let runs = runs(text, &self.state.lanes);
        let has = |tier| self.scanner.matcher.has_keywords(tier);
        let lines = if has(Tier::Line) { with_run(block, &runs.words, |_| true) } else { Vec::new() };
        let has_digit = |word: Span| text[word.range()].iter().any(u8::is_ascii_digit);
        let near = if has(Tier::Near) { with_run(block, &runs.words, has_digit) } else { Vec::new() };
        self.spent(Stage::Runs, started);
        let started = self.clock();
        let (mut found, mut events) = (Vec::new(), Vec::new());
        let Self { scanner, state, profile, .. } = self;
        let mut add = |event| match event {
            Event::Found(one) => found.push(one),
            other => events.push(other),
        };
        scanner.matcher.find_in_tokens(&mut state.caches, text, &runs, &state.lanes, profile, &mut add);
        for (tier, parts) in [(Tier::Line, lines), (Tier::Near, near)] {
            for part in parts {
                scanner.matcher.find(&mut state.caches, tier, text, part, profile, &mut add);
            }
        }
        let marks = state.lanes.leads.as_deref();
        scanner.matcher.find_everywhere(&mut state.caches, text, marks, profile, &mut add);
        self.spent(Stage::Keywords, started);
        Leads { found, events, ..runs }
    }

    /// Everything in a block that may be an encoding of something else, as far as the
    /// budget goes: many small streams may inflate to more than memory holds. And what
    /// was paid for.
    pub(crate) fn candidates(
        &mut self,
        view: &View,
        block: &Block,
        leads: &mut Leads,
        sweep: &Sweep,
    ) -> (Vec<Decoded>, Vec<Span>) {
        let text = view.bytes.as_slice();
        let (mut all, mut costly) = (Vec::new(), Vec::new());
        let budget = &mut self.state.budget;
        let mut add = |decoded: Decoded| {
            let (span, before) = (decoded.span, budget.left());
            let at = view.origin(span.start);
            let is_allowed = budget.allows(span.len(), decoded.bytes.len(), at);
            if span.len() >= decode::MAX_CANDIDATE_BYTES - 4096 {
                budget.hit(at);
            }
            if budget.left() != before || !is_allowed {
                costly.push(span);
            }
            if is_allowed {
                all.push(decoded);
            }
        };
        in_words(text, block, &leads.words, sweep, &mut add);
        let gzip = leads.events.iter().filter_map(|event| match event {
            Event::Gzip { at } => Some(*at),
            _ => None,
        });
        decode::gzip(text, gzip, &mut add);
        decode::percent(text, &leads.escapes, &mut add);
        decode::json(text, &leads.escapes, &mut add);
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
pub(crate) fn runs(text: &[u8], lanes: &Lanes) -> Leads {
    lanes::compiled_for_processor(Runs { text, lanes })
}

/// [`runs()`] for [`lanes::compiled_for_processor`].
struct Runs<'a> {
    text: &'a [u8],
    lanes: &'a Lanes,
}

impl NullaryFnOnce for Runs<'_> {
    type Output = Leads;

    #[inline(always)]
    fn call(self) -> Leads {
        let Self { text, lanes } = self;
        let mut leads = Leads::default();
        // A run in two lines, as logs have them.
        leads.tokens.reserve(text.len() / 256);
        leads.words.reserve(text.len() / 256);
        runs::find(
            text,
            &lanes.words,
            #[inline(always)]
            |run| match run {
                Run::Spaced(span) => leads.spaced.push(span),
                Run::Word(span) => leads.add(text, span, lanes),
            },
        );
        for at in lanes::all_ones(&lanes.escapes) {
            leads.escapes.push(at);
        }
        leads
    }
}

/// What the long runs encode.
fn in_words(text: &[u8], block: &Block, words: &[Word], sweep: &Sweep, add: &mut impl FnMut(Decoded)) {
    let mut done = 0;
    let mut line = 0;
    for word @ Word { span, .. } in words.iter().filter(|word| !word.is_plain) {
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
            done = decode::run(text, word, done, &mut *add);
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
    match turns(text, word) {
        (true, false) => runs::spaced(text, word.start + 3),
        (false, true) => runs::spaced(text, word.start + 2),
        _ => None,
    }
}

/// Whether each second byte is the same sign, from the first or from the second one on.
#[inline(always)]
fn turns(text: &[u8], word: Span) -> (bool, bool) {
    let turns = |from: usize| match text[word.start + from..word.end] {
        [one, _, two, _, three, ..] => one == two && two == three && matches!(one, b'-' | b'_'),
        _ => false,
    };
    (turns(0), turns(1))
}

fn extend(parts: &mut Vec<Span>, line: Span) {
    match parts.last_mut() {
        Some(last) if last.end >= line.start => last.end = line.end,
        _ => parts.push(line),
    }
}
