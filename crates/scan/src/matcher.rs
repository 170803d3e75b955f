//! Providers' formats: keyword automata, then the rule's pattern around the keyword.
//!
//! A keyword that begins its pattern is confirmed anchored; others within a window as
//! wide as the pattern can match. Nothing matches across a line end here: what does, is
//! the business of `join`. Reversed keywords share the first automaton.

use crate::affixes::{Affix, Affixes, Edge};
use crate::compiled::{self, Compiled, Effort, Engine, MAX_PREFIX_BYTES, Scratch};
use crate::keywords::{Finder, Keywords, MAX_VECTOR, Owner};
use crate::lanes::{Classifier, Lanes};
use crate::leads::Leads;
use crate::profile::Profile;
use crate::runs::{self, TOKEN};
use crate::seam::is_full;
use crate::tier::{self, Tier};
use crate::{Error, Rule};
use regex_automata::{Anchored, Input, Span};

/// Patterns that say no upper bound are searched this far.
pub(crate) const MAX_MATCH_BYTES: usize = 16 << 10;
/// Shorter keywords are not looked for backwards.
const MIN_REVERSED_BYTES: usize = 3;
/// The longest token read backwards.
const MAX_REVERSED_BYTES: usize = 512;

/// What is looked for without a rule: the kind of manifests that hold secrets, and the
/// header of gzip in base 64.
const OTHERS: [(&[u8], Owner); 2] = [(b"Secret", Owner::Manifest), (b"H4sI", Owner::Gzip)];

/// One confirmed match in a text.
pub(crate) struct Found {
    /// Index of the rule.
    pub(crate) rule: usize,
    /// The whole match.
    pub(crate) span: Span,
    /// The secret in it.
    pub(crate) secret: Span,
}

/// What a keyword led to.
pub(crate) enum Event {
    Found(Found),
    /// A token that holds a keyword backwards.
    Backwards(Span),
    /// The beginning of an armoured block, which goes on in other lines.
    Armour {
        rule: usize,
        at: usize,
    },
    /// What may name the kind of a manifest that holds secrets.
    Manifest {
        at: usize,
    },
    /// What may be the header of a compressed stream.
    Gzip {
        at: usize,
    },
    /// A token that reaches the end of its line and may go on in the next one.
    Dangling {
        rule: usize,
        keyword: Span,
    },
    /// A keyword that was not followed: its line has cost too much before.
    Passed {
        at: usize,
    },
}

pub(crate) struct Matcher {
    tiers: [Keywords; 4],
    /// The first tier again, for tokens whose lanes are known.
    affixes: Option<Affixes>,
    rules: Vec<Compiled>,
}

/// Per-thread scratch space.
#[derive(Default)]
pub(crate) struct Caches(Vec<Option<Scratch>>);

impl Matcher {
    pub(crate) fn new(rules: &[Rule]) -> Result<Self, Error> {
        let mut compiled = Vec::new();
        let mut literals: [Vec<(Vec<u8>, Owner)>; 4] = Default::default();
        let mut in_tokens = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let (rule_compiled, tier) = compiled::compile(rule)?;
            for keyword in &rule.keywords {
                let keyword = keyword.as_bytes();
                // Elsewhere `confirm` takes none of these.
                let is_edge = rule_compiled.begins_with_keyword();
                let in_run = is_edge && tier::begins_with_run(&rule_compiled.hir);
                let affix = |literal: &[u8], is_reversed| Affix {
                    literal: literal.to_vec(),
                    edge: if is_edge { Edge::of(keyword, is_reversed) } else { Edge::Any },
                    in_run,
                };
                literals[tier as usize].push((keyword.to_vec(), Owner::Rule(index)));
                if tier == Tier::Token {
                    in_tokens.push(affix(keyword, false));
                }
                let is_token = keyword.iter().all(|byte| runs::is(*byte, TOKEN));
                // Backwards, tokens with a long run are looked at only.
                if is_token && !rule_compiled.names_secret && keyword.len() >= MIN_REVERSED_BYTES {
                    let backwards: Vec<u8> = keyword.iter().rev().copied().collect();
                    in_tokens.push(affix(&backwards, true));
                    literals[Tier::Token as usize].push((backwards, Owner::Reversed(index)));
                }
            }
            compiled.push(rule_compiled);
        }
        let [token, mut line, near, mut any] = literals;
        // Where every line is searched anyway, its keywords come along.
        if any.len() > MAX_VECTOR {
            any.append(&mut line);
        }
        any.extend(OTHERS.map(|(literal, owner)| (literal.to_vec(), owner)));
        let affixes = Affixes::new(in_tokens);
        let tiers = [
            Keywords::new(token, Tier::Token)?,
            Keywords::new(line, Tier::Line)?,
            Keywords::new(near, Tier::Near)?,
            Keywords::new(any, Tier::Any)?,
        ];
        Ok(Self { tiers, affixes, rules: compiled })
    }

    /// Whether a tier has any.
    pub(crate) fn has_keywords(&self, tier: Tier) -> bool {
        !matches!(self.tiers[tier as usize].finder, Finder::None)
    }

    /// Finds where keywords of every line may stand.
    pub(crate) fn classifier(&self) -> Classifier {
        let everywhere = match &self.tiers[Tier::Any as usize].finder {
            Finder::Grams(grams) => grams.leads(),
            _ => Vec::new(),
        };
        Classifier::new(&everywhere, &self.affixes.as_ref().map_or_else(Vec::new, Affixes::leads))
    }

    pub(crate) fn caches(&self) -> Caches {
        Caches(self.rules.iter().map(|_| None).collect())
    }

    /// What the keywords of a tier lead to in `part`, which begins and ends with lines.
    /// The same match may come once per keyword.
    pub(crate) fn find(
        &self,
        caches: &mut Caches,
        tier: Tier,
        text: &[u8],
        part: Span,
        profile: &mut Option<Box<Profile>>,
        mut found: impl FnMut(Event),
    ) {
        let Keywords { finder, owners } = &self.tiers[tier as usize];
        let mut confirm = self.confirming(owners, caches, text, profile, &mut found);
        finder.find(text, part, &mut confirm);
    }

    /// What the keywords of tokens lead to in those that have long runs.
    pub(crate) fn find_in_tokens(
        &self,
        caches: &mut Caches,
        text: &[u8],
        leads: &Leads,
        lanes: &Lanes,
        profile: &mut Option<Box<Profile>>,
        mut found: impl FnMut(Event),
    ) {
        let Keywords { finder, owners } = &self.tiers[Tier::Token as usize];
        let mut confirm = self.confirming(owners, caches, text, profile, &mut found);
        match (&self.affixes, &lanes.inner) {
            (Some(affixes), Some(inner)) => {
                let all = affixes.find(text, leads, lanes, inner);
                all.into_iter().for_each(|(number, span)| confirm(number, span));
            }
            _ => leads.tokens().for_each(|(token, _)| finder.find(text, token, &mut confirm)),
        }
    }

    /// Whether a keyword of tokens may stand in the token at the end of a line, of fewer bytes
    /// than a lane and without a long run.
    #[inline(always)]
    pub(crate) fn may_end(&self, text: &[u8], token: Span, lanes: &Lanes) -> bool {
        match (&self.affixes, &lanes.inner) {
            (Some(affixes), Some(inner)) => affixes.may_end(text, token, lanes, inner),
            _ => true,
        }
    }

    /// The same for the keywords of every line in all of a text, which may begin where
    /// `leads` has a bit (see [`Matcher::classifier`]).
    pub(crate) fn find_everywhere(
        &self,
        caches: &mut Caches,
        text: &[u8],
        leads: Option<&[u64]>,
        profile: &mut Option<Box<Profile>>,
        mut found: impl FnMut(Event),
    ) {
        let Keywords { finder, owners } = &self.tiers[Tier::Any as usize];
        let mut confirm = self.confirming(owners, caches, text, profile, &mut found);
        match (finder, leads) {
            (Finder::Grams(grams), Some(leads)) => grams.find_marked(text, leads, &mut confirm),
            _ => finder.find(text, Span::from(0..text.len()), &mut confirm),
        }
    }

    /// Takes keywords and gives what they lead to.
    fn confirming<'a>(
        &'a self,
        owners: &'a [Owner],
        caches: &'a mut Caches,
        text: &'a [u8],
        profile: &'a mut Option<Box<Profile>>,
        found: &'a mut dyn FnMut(Event),
    ) -> impl FnMut(usize, Span) + 'a {
        let (mut done, mut effort) = (0, Effort::default());
        move |pattern, keyword| match owners.get(pattern) {
            Some(Owner::Rule(rule)) => {
                let started = profile.as_ref().map(|_| std::time::Instant::now());
                let event = self.confirm(caches, *rule, text, keyword, &mut effort);
                if let (Some(profile), Some(started)) = (profile.as_mut(), started) {
                    profile.rule(*rule, started.elapsed(), matches!(event, Some(Event::Found(_))));
                }
                event.into_iter().for_each(&mut *found);
            }
            Some(Owner::Reversed(rule)) if keyword.start >= done => {
                let token = token_around(text, keyword);
                // Three letters stand in any word; those of a prefix end the token.
                let is_prefix = self.rules.get(*rule).is_some_and(|rule| rule.is_prefix);
                if keyword.len() > MIN_REVERSED_BYTES || !is_prefix || keyword.end == token.end {
                    done = token.end;
                    found(Event::Backwards(token));
                }
            }
            Some(Owner::Manifest) => found(Event::Manifest { at: keyword.start }),
            Some(Owner::Gzip) => found(Event::Gzip { at: keyword.start }),
            _ => {}
        }
    }

    /// Whether a keyword of a tier stands in `part`.
    pub(crate) fn holds_keyword(&self, tier: Tier, text: &[u8], part: Span) -> bool {
        let Keywords { finder, owners } = &self.tiers[tier as usize];
        let mut holds = false;
        finder.find(text, part, |pattern, _| holds |= matches!(owners.get(pattern), Some(Owner::Rule(_))));
        holds
    }

    /// The rule's pattern around a keyword, within its line.
    pub(crate) fn confirm(
        &self,
        caches: &mut Caches,
        rule: usize,
        text: &[u8],
        keyword: Span,
        effort: &mut Effort,
    ) -> Option<Event> {
        let compiled = self.rules.get(rule)?;
        if compiled.is_armour {
            return Some(Event::Armour { rule, at: keyword.start });
        }
        if compiled.begins_with_keyword() && is_inside_word(text, keyword.start) {
            return None;
        }
        let limit = text.len().min(keyword.end + compiled.longest);
        let after = text.get(keyword.end..limit)?;
        if compiled.is_barred(after) {
            return None;
        }
        let to = memchr::memchr(b'\n', after).map_or(limit, |at| keyword.end + at);
        let rest = text.get(keyword.end..to)?;
        let is_line_end = to == text.len() || text.get(to) == Some(&b'\n');
        let is_full = || is_line_end && ends_full_line(text, to);
        let is_token = || unquoted(rest).iter().all(|byte| runs::is(*byte, TOKEN));
        let is_cut = || is_line_end && (is_token() || is_full());
        if compiled.rare.is_some_and(|rare| memchr::memchr(rare, rest).is_none()) {
            // A name and the beginning of a password; most addresses have a path.
            let sign = memchr::memchr2(b':', b'/', rest).and_then(|at| rest.get(at));
            let may_go_on = !compiled.names_secret || sign.map_or_else(is_full, |sign| *sign == b':');
            return (may_go_on && is_cut()).then_some(Event::Dangling { rule, keyword });
        }
        let has_literal = compiled.has_needed(text, keyword, to);
        let is_long = has_literal && rest.len() > MAX_PREFIX_BYTES;
        if is_long && !effort.is_left(text, keyword) {
            return Some(Event::Passed { at: keyword.start });
        }
        if let Some(found) = has_literal.then(|| self.search(caches, rule, text, keyword, to)).flatten() {
            return Some(Event::Found(found));
        }
        if is_long {
            effort.spent += compiled.read_in_vain(rest);
        }
        is_cut().then_some(Event::Dangling { rule, keyword })
    }

    /// Whether all matches are of one length.
    pub(crate) fn has_fixed_length(&self, rule: usize) -> bool {
        self.rules.get(rule).is_some_and(|compiled| {
            let properties = compiled.hir.properties();
            properties.minimum_len() == properties.maximum_len() && properties.minimum_len() != Some(0)
        })
    }

    /// Whether a match that ends at a line end could have been longer.
    pub(crate) fn may_go_on(&self, rule: usize, matched: usize) -> bool {
        self.rules.get(rule).is_some_and(|compiled| matched < compiled.longest)
    }

    /// The pattern's match over `keyword`, up to `to`.
    fn search(
        &self,
        caches: &mut Caches,
        rule: usize,
        text: &[u8],
        keyword: Span,
        to: usize,
    ) -> Option<Found> {
        let compiled = self.rules.get(rule)?;
        let engine = compiled.engine()?;
        let scratch = caches.0.get_mut(rule)?.get_or_insert_with(|| engine.scratch());
        let whole = |end: usize| {
            let span = Span::from(keyword.start..end);
            let is_whole = end >= keyword.end && !wordy(text.get(end));
            is_whole.then_some(Found { rule, span, secret: span })
        };
        let (regex, scratch) = match (engine, scratch) {
            (Engine::Steps(steps), _) => {
                return whole(keyword.start + steps.end(text.get(keyword.start..to)?)?);
            }
            (Engine::Prefix(dfa), Scratch::Prefix(cache)) => {
                let input = Input::new(text).range(keyword.start..to).anchored(Anchored::Yes);
                return whole(dfa.try_search_fwd(cache, &input).ok()??.offset());
            }
            (Engine::Whole(regex), Scratch::Whole(scratch)) => (regex, scratch),
            _ => return None,
        };
        let (cache, captures) = &mut **scratch;
        let (anchored, mut from) = match compiled.is_prefix {
            true => (Anchored::Yes, keyword.start),
            false => {
                let low = keyword.start.saturating_sub(compiled.lead);
                let before = text.get(low..keyword.start)?;
                (Anchored::No, memchr::memrchr(b'\n', before).map_or(low, |at| low + at + 1))
            }
        };
        loop {
            let input = Input::new(text).range(from..to).anchored(anchored);
            regex.search_captures_with(cache, &input, captures);
            let span = captures.get_match()?.span();
            if span.start > keyword.start {
                return None;
            }
            let secret = captures.get_group_by_name("secret");
            // What stands before a named secret is the pattern's own matter.
            let is_clean = secret.is_some() || !is_inside_word(text, span.start);
            if span.end >= keyword.end && is_clean && !wordy(text.get(span.end)) {
                return Some(Found { rule, span, secret: secret.unwrap_or(span) });
            }
            if compiled.is_prefix {
                return None;
            }
            // Within a word a match would be the rest of this one.
            from = (span.start + 1..=keyword.start).find(|at| !is_inside_word(text, *at))?;
        }
    }

    /// The first match of an armoured block's rule from `at` on, over line ends.
    pub(crate) fn armour(&self, caches: &mut Caches, rule: usize, text: &[u8], at: usize) -> Option<Found> {
        let engine = self.rules.get(rule)?.engine()?;
        let scratch = caches.0.get_mut(rule)?.get_or_insert_with(|| engine.scratch());
        let (Engine::Whole(regex), Scratch::Whole(scratch)) = (engine, scratch) else { return None };
        let (cache, captures) = &mut **scratch;
        let input = Input::new(text).range(at..text.len()).anchored(Anchored::Yes);
        regex.search_captures_with(cache, &input, captures);
        let span = captures.get_match()?.span();
        Some(Found { rule, span, secret: captures.get_group_by_name("secret").unwrap_or(span) })
    }
}

fn token_around(text: &[u8], part: Span) -> Span {
    let low = part.start.saturating_sub(MAX_REVERSED_BYTES);
    let start = part.start - runs::trailing(&text[low..part.start], TOKEN);
    let high = text.len().min(part.end + MAX_REVERSED_BYTES);
    Span::from(start..part.end + runs::leading(&text[part.end..high], TOKEN))
}

/// What follows a keyword, without the quote that a value begins with.
fn unquoted(rest: &[u8]) -> &[u8] {
    match rest {
        [b'=' | b':', b'"' | b'\'', value @ ..] => value,
        _ => rest,
    }
}

/// Whether the line that ends at `to` is as wide as tools wrap: anything may go on then.
fn ends_full_line(text: &[u8], to: usize) -> bool {
    let low = to.saturating_sub(MAX_MATCH_BYTES);
    let start = memchr::memrchr(b'\n', text.get(low..to).unwrap_or_default()).map_or(low, |at| low + at + 1);
    is_full(to - start)
}

pub(crate) fn wordy(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn is_inside_word(text: &[u8], at: usize) -> bool {
    at > 0 && wordy(text.get(at - 1)) && wordy(text.get(at))
}
