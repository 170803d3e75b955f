//! One text in, hits out: match, gate, check, decode and look again.

use crate::assign::{self, Announced};
use crate::block::{Block, Lines};
use crate::check::{self, context::names_secret};
use crate::decode::{self, Decoded};
use crate::depth::Depth;
use crate::engine::{Hit, Worker};
use crate::gate::{entropy, is_placeholder};
use crate::join::Source;
use crate::matcher::{Event, Found};
use crate::profile::Stage;
use crate::resolve::overlap;
use crate::view::View;
use crate::{Confidence, Scanner};
use regex_automata::Span;
use zeroize::Zeroizing;

/// A name, its sign and what stands between are no longer.
const NAME_REACH_BYTES: usize = 512;

/// What the search of one text has come to.
#[derive(Default)]
pub(crate) struct Sweep {
    pub(crate) hits: Vec<Hit>,
    /// Up to here lines were put together and decoded.
    pub(crate) wrapped_to: usize,
    pub(crate) dumped_to: usize,
    /// What was put together so in the block at hand.
    pub(crate) together: Vec<Span>,
}

impl Worker<'_> {
    /// Hits of a text and of what it encodes, by offset.
    pub(crate) fn text(&mut self, text: &[u8], depth: Depth) -> Vec<Hit> {
        if self.scanner.rules.rules().is_empty() {
            return Vec::new();
        }
        let mut block = self.state.blocks.pop().unwrap_or_default();
        let mut sweep = Sweep::default();
        let mut lines = Lines::new(text, &self.scanner.classifier);
        loop {
            let started = self.clock().filter(|_| depth.is_top());
            let memo = depth.is_top().then_some((&self.scanner.memo, &self.scanner.hash_key));
            let has_more = lines.fill(&mut block, memo);
            self.spent(Stage::Lines, started);
            if !has_more {
                break;
            }
            self.block(text, &mut block, depth, &mut sweep);
            if depth.is_top() {
                block.remember(&self.scanner.memo, &self.scanner.hash_key);
            }
        }
        if depth.is_top() {
            if let Some(profile) = self.profile.as_mut() {
                profile.skipped_bytes += lines.skipped_bytes as u64;
            }
            self.state.line_ends = lines.into_ends();
        }
        self.state.blocks.push(block);
        let more = self.custom(text, depth);
        if !more.is_empty() {
            sweep.hits = self.joined(sweep.hits, more);
        }
        self.settled(sweep.hits)
    }

    /// What rules of gitleaks files find, and known secrets behind an encoding.
    fn custom(&self, text: &[u8], depth: Depth) -> Vec<Hit> {
        let Scanner { foreign, known, .. } = self.scanner;
        let mut hits = Vec::new();
        if !foreign.is_empty() {
            let view = View::of(text);
            for (span, secret, rule) in foreign.find(&view.bytes, &self.path) {
                hits.extend(
                    self.hit(&view.bytes, span, secret, rule)
                        .map(|hit| Hit { span: view.origin_span(span), ..hit }),
                );
            }
        }
        if let Some(known) = known.as_ref().filter(|_| !depth.is_top()) {
            hits.extend(known.inside(text).iter().map(Hit::known));
        }
        hits
    }

    fn block(&mut self, text: &[u8], block: &mut Block, depth: Depth, sweep: &mut Sweep) {
        let mut leads = self.leads(block);
        // The first line of this block may belong to what the last one put together.
        sweep.together.retain(|span| block.lines.first().is_some_and(|line| span.end > line.text));
        let view = std::mem::take(&mut block.view);
        for event in &leads.events {
            if let Event::Passed { at } = event {
                // What is not searched is never remembered as clean.
                block.mark(Span::from(*at..*at + 1));
                self.state.budget.hit(view.origin(*at));
            }
        }
        let mut hits = self.plain(&view.bytes, &leads.found);
        let started = self.clock();
        let source = Source { text, view: &view, events: &leads.events, found: &leads.found };
        self.join(&source, block, depth, sweep);
        self.spent(Stage::Join, started);
        let started = self.clock();
        let (candidates, costly) = self.candidates(&view, block, &mut leads, sweep);
        self.spent(Stage::Decode, started);
        costly.iter().for_each(|span| block.mark(*span));
        for decoded in candidates {
            let (span, before) = (decoded.span, self.state.budget.left());
            self.decoded(&view.bytes, (decoded, view.origin(span.start)), depth, &mut hits);
            if before != self.state.budget.left() {
                block.mark(span);
            }
        }
        hits.retain(|hit| !hit.span.is_empty());
        for hit in &hits {
            block.mark(hit.span);
        }
        let window = block.window.unwrap_or(Span::from(0..usize::MAX));
        for mut hit in hits {
            hit.span = view.origin_span(hit.span);
            if !hit.encodings.is_empty() || (window.start <= hit.span.start && hit.span.start < window.end) {
                sweep.hits.push(hit);
            }
        }
        block.view = view;
    }

    /// Looks at decoded bytes, which stand `at` an offset of the text above, and adds what the
    /// text itself did not show.
    pub(crate) fn decoded(
        &mut self,
        text: &[u8],
        (decoded, at): (Decoded, usize),
        depth: Depth,
        hits: &mut Vec<Hit>,
    ) {
        let Decoded { span, encodings, bytes } = decoded;
        let Some(deeper) = encodings.first().and_then(|outer| depth.inside(outer)) else { return };
        // Parts of a token are letters of base 64, too.
        let is_part =
            |hit: &Hit| hit.span.start <= span.start && span.end <= hit.span.end && self.rank(hit) == 0;
        if hits.iter().any(is_part) {
            return;
        }
        let outside = self.state.budget.gap.take();
        let mut inner = self.inner_text(&bytes, (depth, deeper));
        // Gaps in decoded bytes stand where their encoding does.
        let inside = std::mem::replace(&mut self.state.budget.gap, outside);
        if inside.is_some() {
            self.state.budget.hit(at);
        }
        if inner.is_empty() && matches!(encodings.first(), Some(&("base64" | "hex"))) {
            inner.extend(self.bare(&bytes));
        }
        inner.retain(|found| {
            let is_known =
                |hit: &Hit| overlap(hit.span, span) && hit.value == found.value && self.rank(hit) < 2;
            !hits.iter().any(is_known)
        });
        if inner.is_empty() {
            return;
        }
        let is_respelled = matches!(encodings.first(), Some(&("json" | "percent")));
        // All values together: thousands, each looked for in each of thousands, take seconds.
        let length = inner.iter().map(|found| found.value.len() + 1).sum();
        let mut values = Zeroizing::new(Vec::with_capacity(length));
        for found in &inner {
            values.extend_from_slice(&found.value);
            values.push(0);
        }
        // What was taken for a value is the encoding of one, or a piece of one.
        for hit in hits.iter_mut() {
            let is_weak = overlap(hit.span, span) && self.rank(hit) > 1;
            if is_weak && (!is_respelled || memchr::memmem::find(&values, &hit.value).is_some()) {
                // Taken out when the block is done: each time would move thousands.
                hit.span = Span::from(0..0);
            }
        }
        let name = name_before(text, span.start);
        hits.extend(inner.into_iter().map(|hit| Hit {
            span,
            name: hit.name.or_else(|| name.clone()),
            encodings: encodings.iter().copied().chain(hit.encodings).collect(),
            ..hit
        }));
    }

    /// Hits of a text that another encodes.
    fn inner_text(&mut self, text: &[u8], (outer, depth): (Depth, Depth)) -> Vec<Hit> {
        if !outer.is_top() {
            return self.text(text, depth);
        }
        std::mem::swap(&mut self.state.lanes, &mut self.state.inner_lanes);
        let hits = self.text(text, depth);
        std::mem::swap(&mut self.state.lanes, &mut self.state.inner_lanes);
        hits
    }

    /// Decoded text that is nothing but 40 random letters: nobody encodes anything else
    /// of that form than a secret access key.
    fn bare(&self, bytes: &[u8]) -> Option<Hit> {
        let value = bytes.trim_ascii();
        let start = bytes.len() - bytes.trim_ascii_start().len();
        let span = Span::from(start..start + value.len());
        let mut hit = assign::is_aws_secret(value)
            .then(|| self.hit(bytes, span, span, self.scanner.aws_secret))
            .flatten()?;
        hit.checked.confidence = Confidence::Possible;
        Some(hit)
    }

    /// What stands in a text in clear.
    fn plain(&mut self, text: &[u8], found: &[Found]) -> Vec<Hit> {
        let mut hits: Vec<Hit> =
            found.iter().filter_map(|found| self.hit(text, found.span, found.secret, found.rule)).collect();
        let started = self.clock();
        let scanner = self.scanner;
        let marks = assign::Marks::of(text, &mut self.state.lanes);
        scanner.assignments.find_marked(text, marks, |announced| match announced {
            Announced::Header { is_basic, value } => {
                hits.extend(self.hit(text, value, value, scanner.header).map(|hit| basic(hit, is_basic)));
            }
            Announced::Assignment(found) => {
                scanner.context.find(text, found.name, found.value, |rule, secret| {
                    let span = Span::from(found.name.start..secret.end);
                    hits.extend(self.hit(text, span, secret, rule));
                });
                if found.is_plausible {
                    hits.extend(self.assigned(text, &found));
                }
            }
        });
        self.spent(Stage::Assignments, started);
        self.resolved(hits)
    }

    fn assigned(&self, text: &[u8], found: &assign::Assignment) -> Option<Hit> {
        let Scanner { generic, aws_secret, .. } = self.scanner;
        let value = text.get(found.value.range())?;
        let name = text.get(found.name.range())?.to_ascii_lowercase();
        let has = |word: &[u8]| memchr::memmem::find(&name, word).is_some();
        let is_aws = has(b"secret") && (has(b"aws") || has(b"access")) && assign::is_aws_secret(value);
        let rule = if is_aws { *aws_secret } else { *generic };
        let mut hit = self.hit(text, found.value, found.value, rule)?;
        hit.name = Some(String::from_utf8_lossy(text.get(found.name.range())?).into_owned());
        let is_named = names_secret(text.get(found.name.range())?);
        if !(is_aws || found.is_likely && is_named) {
            hit.checked.confidence = Confidence::Possible;
        }
        // As in a Kubernetes secret.
        if let Some(value) = decode::value(value)
            && !is_aws
        {
            hit.value = value;
            hit.encodings = vec!["base64"];
        }
        Some(hit)
    }

    /// A hit with its checks, where `span` of `text` matched.
    pub(crate) fn hit(&self, text: &[u8], span: Span, secret: Span, rule: usize) -> Option<Hit> {
        let value = text.get(secret.range())?;
        let spec = self.scanner.rules.rules().get(rule)?;
        let mut checked = check::run(spec.check.as_deref(), value, text, secret)?;
        if spec.entropy.is_some_and(|least| entropy(value) < least) {
            return None;
        }
        let is_dull = is_placeholder(value) && value.len() < 64 || entropy(value) < 2.0;
        if is_dull && spec.check.is_none() {
            checked.confidence = Confidence::Possible;
        }
        let name = name_before(text, secret.start);
        let completed = check::completed(spec.check.as_deref(), value);
        let value = completed.unwrap_or_else(|| Zeroizing::new(value.to_vec()));
        Some(Hit { span, rule, value, name, encodings: Vec::new(), checked, is_joined: false })
    }
}

/// A header's user and password; the password is the secret.
fn basic(mut hit: Hit, is_basic: bool) -> Hit {
    if let Some(pair) = is_basic.then(|| decode::value(&hit.value)).flatten()
        && let Some(at) = memchr::memchr(b':', &pair)
        && pair.len() >= at + 5
    {
        hit.value = Zeroizing::new(pair[at + 1..].to_vec());
        hit.encodings = vec!["base64"];
    }
    hit
}

/// The name of a value in its line: other lines may be missing here.
fn name_before(text: &[u8], at: usize) -> Option<String> {
    // A line may be a megabyte, and hold thousands of values.
    let low = at.saturating_sub(NAME_REACH_BYTES);
    let from = memchr::memrchr(b'\n', text.get(low..at)?).map_or(low, |found| low + found + 1);
    assign::name_before(text.get(from..)?, at - from)
}
