//! Secrets over several lines: which lines start something. What they start is in
//! `armour`, `cut`, `near` and `wrap`.
//!
//! Neighbouring lines are read from the text itself, so that it does not matter which of
//! them the block holds. Every line that starts something here is marked, so that it is
//! never remembered as clean.

use crate::block::Block;
use crate::cut::{WIDTHS, looks_random};
use crate::decode;
use crate::engine::Worker;
use crate::matcher::{Event, Found};
use crate::runs::{self, MIN_RUN, TOKEN, WORD};
use crate::search::{Budget, Depth, Sweep};
use crate::view::View;
use crate::wrap::is_base64_line;
use memchr::memmem;
use regex_automata::Span;

/// The least of a token that shows at the end of a line.
const MIN_TAIL: usize = 6;

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
                self.pairs(source.text, span, &mut sweep.hits);
            }
            let is_line_end = view.bytes.get(found.span.end).is_none_or(|byte| *byte == b'\n');
            if is_line_end && self.scanner.matcher.may_go_on(found.rule, found.span.len()) {
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
}
