//! Masks that say too much: where a mask stands in a log tells of the value behind it.
//!
//! A registered secret that is short or a common word is replaced wherever its letters
//! occur, also inside other words: known text around the mask gives it away (`Ubuntu
//! ***.04.5 LTS`). What is left of an encoded secret beside its mask shows that it was
//! printed. Only counts and places are kept, never text.
//!
//! Masks: `***` of GitHub and Azure, `****` of Jenkins, `[MASKED]` of GitLab. Masks that
//! touch are one (actions/runner `SecretMasker`). Tools redact, too, and print stars for
//! other reasons; what may be theirs does not count.

use crate::view;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::{memchr, memmem, memrchr};
use regex_automata::Span;
use std::collections::BTreeSet;

/// What is odd about masks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum MaskAnomalyKind {
    /// Masks inside words and numbers: a registered secret is short or common.
    OverMasking,
    /// Base 64 beside a mask: the rest of an encoded secret, or what was encoded with it.
    Residue,
    /// A masked name next to its IP address.
    Alias,
    /// A mask as long as its secret.
    LengthKept,
}

impl MaskAnomalyKind {
    /// The name used in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OverMasking => "over_masking",
            Self::Residue => "residue",
            Self::Alias => "alias",
            Self::LengthKept => "length_kept",
        }
    }
}

/// One oddity of the masks of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaskAnomaly {
    /// What.
    pub kind: MaskAnomalyKind,
    /// How many masks show it.
    pub count: usize,
    /// Byte offset of the first.
    pub offset: usize,
    /// Its line, from 1.
    pub line: usize,
}

/// Words and numbers on both sides of masks must differ before they count: a tool that
/// redacts does so in one place.
const MIN_CONTEXTS: usize = 2;
/// So much of a line is looked at on either side of a mask.
const MAX_TOKEN_BYTES: usize = 256;
/// Stars behind a secret's name that are more than any tool prints for every secret.
const MIN_KEPT_LENGTH: usize = 9;
const GITLAB: &[u8] = b"[MASKED]";

/// The oddities of the masks of a text, one per kind.
pub fn mask_anomalies(text: &[u8]) -> Vec<MaskAnomaly> {
    let mut survey = Survey::default();
    let mut next_stars = memmem::find(text, b"***");
    let mut next_named = memmem::find(text, GITLAB);
    while let Some(at) = [next_stars, next_named].into_iter().flatten().min() {
        let is_stars = next_stars == Some(at);
        let rest = text.get(at..).unwrap_or_default();
        let length =
            if is_stars { rest.iter().take_while(|byte| **byte == b'*').count() } else { GITLAB.len() };
        survey.mask(text, Span::from(at..at + length), !is_stars);
        let end = at + length;
        let from = |needle: &[u8]| Some(end + memmem::find(text.get(end..)?, needle)?);
        match is_stars {
            true => next_stars = from(b"***"),
            false => next_named = from(GITLAB),
        }
    }
    survey.anomalies(text)
}

/// How many masks, and the first.
#[derive(Clone, Copy, Default)]
struct Tally {
    count: usize,
    first: Option<usize>,
}

impl Tally {
    fn add(&mut self, at: usize) {
        self.count += 1;
        self.first = self.first.or(Some(at));
    }

    fn with(self, other: Self) -> Self {
        let first = [self.first, other.first].into_iter().flatten().min();
        Self { count: self.count + other.count, first }
    }
}

/// What was seen so far.
#[derive(Default)]
struct Survey {
    /// Masks in text that is known: one is enough.
    certain: Tally,
    /// Masks glued to a word or number.
    glued: Tally,
    /// Masks that are a part of a name, as `***-it`. A host or an account may be a secret of
    /// ordinary length, so that they only count beside the others.
    named: Tally,
    /// Different words and numbers, as many as are needed.
    contexts: BTreeSet<(Vec<u8>, Vec<u8>)>,
    residue: Tally,
    alias: Tally,
    length_kept: Tally,
}

impl Survey {
    fn mask(&mut self, text: &[u8], mask: Span, is_named: bool) {
        let around = Around::of(text, mask);
        if !is_named && mask.len() > 4 {
            if mask.len() >= MIN_KEPT_LENGTH && around.is_value_of_secret() {
                self.length_kept.add(mask.start);
            }
            return;
        }
        if around.is_residue() {
            self.residue.add(mask.start);
        } else if around.is_alias() {
            self.alias.add(mask.start);
        } else if around.is_in_known_text() {
            self.certain.add(mask.start);
        } else if let Some((left, right)) = around.glued() {
            self.glued.add(mask.start);
            if self.contexts.len() < MIN_CONTEXTS {
                self.contexts.insert((left.to_vec(), right.to_vec()));
            }
        } else if around.is_part_of_name() {
            self.named.add(mask.start);
        }
    }

    fn anomalies(&self, text: &[u8]) -> Vec<MaskAnomaly> {
        let is_over = self.certain.count > 0 || self.contexts.len() >= MIN_CONTEXTS;
        let over = if is_over { self.certain.with(self.glued).with(self.named) } else { Tally::default() };
        let kinds = [
            (MaskAnomalyKind::OverMasking, over),
            (MaskAnomalyKind::Residue, self.residue),
            (MaskAnomalyKind::Alias, self.alias),
            (MaskAnomalyKind::LengthKept, self.length_kept),
        ];
        let found = kinds.into_iter().filter_map(|(kind, tally)| {
            let offset = tally.first?;
            let line = 1 + memchr::memchr_iter(b'\n', text.get(..offset)?).count();
            Some(MaskAnomaly { kind, count: tally.count, offset, line })
        });
        found.collect()
    }
}

/// A mask and what of its line is before and behind it.
struct Around<'t> {
    before: &'t [u8],
    after: &'t [u8],
    /// Letters and digits that touch it.
    left: &'t [u8],
    right: &'t [u8],
    is_short: bool,
}

impl<'t> Around<'t> {
    fn of(text: &'t [u8], mask: Span) -> Self {
        let before = text.get(mask.start.saturating_sub(MAX_TOKEN_BYTES)..mask.start).unwrap_or_default();
        let before = memrchr(b'\n', before).map_or(before, |at| before.get(at + 1..).unwrap_or_default());
        let before = before.get(view::prefix(before).len..).unwrap_or_default();
        let after = text.get(mask.end..text.len().min(mask.end + MAX_TOKEN_BYTES)).unwrap_or_default();
        let after = memchr(b'\n', after).map_or(after, |at| after.get(..at).unwrap_or_default());
        Self {
            left: trailing(before, u8::is_ascii_alphanumeric),
            right: leading(after, u8::is_ascii_alphanumeric),
            before,
            after,
            is_short: mask.len() == 3,
        }
    }

    fn byte_before(&self, run: &[u8]) -> Option<u8> {
        self.before.len().checked_sub(run.len() + 1).and_then(|at| self.before.get(at)).copied()
    }

    fn byte_behind(&self, run: &[u8]) -> Option<u8> {
        self.after.get(run.len()).copied()
    }

    /// `password = ************`
    fn is_value_of_secret(&self) -> bool {
        let ends =
            self.after.first().is_none_or(|byte| byte.is_ascii_whitespace() || b"\"',;)".contains(byte));
        let name = self
            .before
            .trim_ascii_end()
            .strip_suffix(b"=")
            .or_else(|| self.before.trim_ascii_end().strip_suffix(b":"));
        let name = name.map(|name| trailing(name.trim_ascii_end(), is_name));
        ends && name.is_some_and(names_secret)
    }

    /// Base 64 whose other part is masked. The masker hides whole groups of letters, so that
    /// before it stand whole groups, too, and behind it whole groups or padding.
    fn is_residue(&self) -> bool {
        let head = trailing(self.before, is_base64);
        let decoded = STANDARD.decode(head).unwrap_or_default();
        let is_pair = head.len() >= 12 || decoded.contains(&b':');
        if !decoded.is_empty() && is_pair && decoded.iter().all(is_text) {
            return true;
        }
        let tail = leading(self.after, is_base64);
        let rest = self.after.get(tail.len()..).unwrap_or_default();
        let padding = leading(rest, |byte| *byte == b'=');
        let ends = rest
            .get(padding.len())
            .is_none_or(|byte| byte.is_ascii_whitespace() || b"\"'`,;)}]\x1b".contains(byte));
        if !matches!(padding.len(), 1 | 2) || !ends || !self.left.is_empty() {
            return false;
        }
        let is_banner = self.before.ends_with(b"==") || self.before.is_empty() && rest.len() == padding.len();
        match STANDARD.decode([tail, padding].concat()) {
            _ if tail.is_empty() => !is_banner,
            Ok(bytes) => bytes.iter().all(is_text),
            Err(_) => false,
        }
    }

    /// `'***,203.0.113.59'`, `PING *** (203.0.113.59)`
    fn is_alias(&self) -> bool {
        let rest = [&b","[..], b" (", b" ["].iter().find_map(|lead| self.after.strip_prefix(*lead));
        self.left.is_empty() && rest.is_some_and(is_ipv4)
    }

    /// Text of which one knows what it says without the mask: the runner's template, a
    /// version.
    fn is_in_known_text(&self) -> bool {
        // `shell: /usr/bin/bash -e {0}` with braces masked; a letter between two masks.
        let mask = if self.is_short { &b"***"[..] } else { b"****" };
        let is_lone = |run: &[u8]| !run.is_empty() && run.len() <= 2;
        let behind = self.after.get(self.right.len()..).unwrap_or_default();
        if self.left.is_empty() && is_lone(self.right) && stars(behind) == mask.len() {
            return true;
        }
        let before = self.before.get(..self.before.len() - self.left.len()).unwrap_or_default();
        if self.right.is_empty() && is_lone(self.left) && stars_behind(before) == mask.len() {
            return true;
        }
        let (major, minor) = (version_before(self.before), version_behind(self.after));
        minor >= 2 && major == 0 && self.left.is_empty()
            || major >= 1 && minor >= 1
            || self.is_masked_version()
    }

    /// `v***.***`
    fn is_masked_version(&self) -> bool {
        let mask = if self.is_short { &b"***"[..] } else { b"****" };
        let is_v = self.left.eq_ignore_ascii_case(b"v");
        let rest = self.after.strip_prefix(b".").and_then(|rest| rest.strip_prefix(mask));
        is_v && rest.is_some_and(|rest| stars(rest) == 0)
    }

    /// `***-it`
    fn is_part_of_name(&self) -> bool {
        let joins = |byte: Option<&u8>| byte.is_some_and(|byte| b"-_".contains(byte));
        let is_letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        joins(self.after.first()) && is_letter(self.after.get(1))
            || joins(self.before.last()) && is_letter(self.before.iter().rev().nth(1))
    }

    /// The word or number that the mask is a part of.
    fn glued(&self) -> Option<(&'t [u8], &'t [u8])> {
        let (left, right) = (self.left, self.right);
        let is_word = |run: &[u8]| run.len() >= 2 && run.iter().all(u8::is_ascii_alphabetic);
        let is_number = |run: &[u8]| !run.is_empty() && run.iter().all(u8::is_ascii_digit);
        let is_part = |run: &[u8]| run.is_empty() || is_word(run) || is_number(run);
        let joins = |byte: Option<u8>| byte.is_some_and(|byte| b"/-_.:@=+~".contains(&byte));
        // Addresses that a tool shortened, and the last digits of a number.
        let is_redacted = self.byte_behind(right) == Some(b'@')
            || is_number(right) && right.len() == 4
            || self.byte_before(left) == Some(b'%');
        if left.is_empty() && right.is_empty() || !is_part(left) || !is_part(right) || is_redacted {
            return None;
        }
        let is_inside = match (left.is_empty(), right.is_empty()) {
            // `abcd***wxyz` is what tools leave of a key; words are in one case.
            (false, false) => {
                [left, right].iter().all(|run| run.iter().all(|byte| !byte.is_ascii_uppercase()))
                    && is_word(left) == is_word(right)
            }
            (false, true) => joins(self.byte_before(left)),
            (true, _) => joins(self.before.last().copied()),
        };
        (is_inside && !self.is_emphasis()).then_some((left, right))
    }

    /// `***Note***`: Markdown, or a banner.
    fn is_emphasis(&self) -> bool {
        let closes = memmem::find(self.after, b"***");
        let opens = memmem::rfind(self.before, b"***");
        match (self.left.is_empty(), self.right.is_empty()) {
            (true, false) => closes
                .is_some_and(|at| at > 0 && self.after.get(at - 1).is_some_and(u8::is_ascii_alphanumeric)),
            (false, true) => {
                opens.is_some_and(|at| self.before.get(at + 3).is_some_and(u8::is_ascii_alphanumeric))
            }
            _ => false,
        }
    }
}

fn leading(text: &[u8], test: impl Fn(&u8) -> bool) -> &[u8] {
    let length = text.iter().take_while(|byte| test(byte)).count();
    text.get(..length).unwrap_or_default()
}

fn trailing(text: &[u8], test: impl Fn(&u8) -> bool) -> &[u8] {
    let length = text.iter().rev().take_while(|byte| test(byte)).count();
    text.get(text.len() - length..).unwrap_or_default()
}

fn names_secret(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let has = |word: &[u8]| memmem::find(&name, word).is_some();
    [&b"token"[..], b"secret", b"passw", b"pwd", b"key", b"credential"].into_iter().any(has)
}

fn is_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(byte)
}

fn is_base64(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/".contains(byte)
}

fn is_text(byte: &u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t')
}

fn stars(text: &[u8]) -> usize {
    leading(text, |byte| *byte == b'*').len()
}

fn stars_behind(text: &[u8]) -> usize {
    trailing(text, |byte| *byte == b'*').len()
}

/// How many parts of a version stand before: 2 for `1.2.`.
fn version_before(text: &[u8]) -> usize {
    let parts = trailing(text, |byte| byte.is_ascii_digit() || *byte == b'.');
    let is_whole = parts.len() == text.len()
        || text
            .get(text.len() - parts.len() - 1)
            .is_some_and(|byte| !byte.is_ascii_alphanumeric() || *byte == b'v');
    let numbers: Vec<&[u8]> = parts.split(|byte| *byte == b'.').collect();
    match numbers.split_last() {
        Some((last, rest)) if last.is_empty() && is_whole && rest.iter().all(|number| !number.is_empty()) => {
            rest.len()
        }
        _ => 0,
    }
}

/// How many parts of a version stand behind: 2 for `.04.5`.
fn version_behind(text: &[u8]) -> usize {
    let parts = leading(text, |byte| byte.is_ascii_digit() || *byte == b'.');
    let is_whole = text.get(parts.len()).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let parts = parts.strip_suffix(b".").unwrap_or(parts);
    match parts.strip_prefix(b".") {
        Some(numbers) if is_whole && !numbers.is_empty() => {
            let numbers: Vec<&[u8]> = numbers.split(|byte| *byte == b'.').collect();
            if numbers.iter().all(|number| !number.is_empty()) { numbers.len() } else { 0 }
        }
        _ => 0,
    }
}

fn is_ipv4(text: &[u8]) -> bool {
    let parts = leading(text, |byte| byte.is_ascii_digit() || *byte == b'.');
    let numbers: Vec<&[u8]> = parts.split(|byte| *byte == b'.').collect();
    numbers.len() == 4 && numbers.iter().all(|number| (1..=3).contains(&number.len()))
}
