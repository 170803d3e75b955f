//! A made-up secret for every rule: random text that its pattern matches, with the
//! checksum the provider publishes (`seal.rs`). Nothing here was ever issued.

use crate::seal::sealed;
use leakgraph_scan::Rule;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_syntax::hir::{Class, Hir, HirKind};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Xorshift: tests are the same every time.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound.max(1)
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }

    /// Letters and digits.
    pub(crate) fn word(&mut self, count: usize) -> String {
        const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        (0..count).map(|_| char::from(*self.pick(LETTERS))).collect()
    }
}

/// Text that a rule matches, and where in it the secret stands.
pub(crate) struct Sample {
    pub(crate) text: Vec<u8>,
    pub(crate) secret: Range<usize>,
}

/// Text that the rule finds.
pub(crate) fn sample(rule: &Rule, seed: u64) -> Vec<u8> {
    drawn(rule, seed, false).text
}

/// As `sample`, with its parts; the shortest text of the pattern if asked for.
pub(crate) fn drawn(rule: &Rule, seed: u64, shortest: bool) -> Sample {
    let mut random = Random::new(seed + rule.id.bytes().map(u64::from).sum::<u64>());
    let (hir, regex) = &*parsed(rule);
    for _ in 0..3000 {
        let mut writer = Writer { random: &mut random, shortest, text: Vec::new(), secret: None };
        if let Some(word) = rule.context.first() {
            writer.text.extend(format!("{}_TOKEN=", word.to_ascii_uppercase()).bytes());
        }
        let name = writer.text.len();
        writer.write(hir);
        let Writer { mut text, secret, .. } = writer;
        let span = secret.unwrap_or(name..text.len());
        let value = sealed(rule.check.as_deref(), &text[span.clone()], &mut random);
        let secret = span.start..span.start + value.len();
        text.splice(span, value);
        let mut captures = regex.create_captures();
        regex.captures(&text[name..], &mut captures);
        let whole = captures.get_match().is_some_and(|found| found.range() == (0..text.len() - name));
        let inner = captures
            .get_group_by_name("secret")
            .is_none_or(|group| group.start + name == secret.start && group.len() == secret.len());
        if whole && inner && is_random(&text[secret.clone()], rule.entropy.unwrap_or(2.6)) {
            return Sample { text, secret };
        }
    }
    panic!("no sample of {}", rule.id);
}

/// A rule's pattern, parsed and compiled once.
fn parsed(rule: &Rule) -> Arc<(Hir, Regex)> {
    type Known = BTreeMap<String, Arc<(Hir, Regex)>>;
    static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let new = || {
        let hir = hir(rule);
        let regex = Regex::builder()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .configure(Regex::config().utf8_empty(false))
            .build_from_hir(&hir)
            .unwrap();
        Arc::new((hir, regex))
    };
    known.entry(rule.id.clone()).or_insert_with(new).clone()
}

/// A rule's pattern, parsed.
pub(crate) fn hir(rule: &Rule) -> Hir {
    regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(&rule.pattern).unwrap()
}

/// Whether a value looks drawn and not like a word or a stand-in.
fn is_random(value: &[u8], least: f64) -> bool {
    let mut counts = [0_u32; 256];
    value.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let total = value.len() as f64;
    let entropy: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| -f64::from(*count) / total * (f64::from(*count) / total).log2())
        .sum();
    let is_run = |four: &[u8]| four.iter().all(|byte| *byte == four[0]);
    entropy >= least + 0.1 && !(value.len() < 24 && value.windows(4).any(is_run))
}

struct Writer<'a> {
    random: &'a mut Random,
    shortest: bool,
    text: Vec<u8>,
    secret: Option<Range<usize>>,
}

impl Writer<'_> {
    fn write(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Literal(literal) => self.text.extend_from_slice(&literal.0),
            HirKind::Class(Class::Bytes(class)) => {
                let bytes: Vec<u8> =
                    class.ranges().iter().flat_map(|range| range.start()..=range.end()).collect();
                let of = |test: fn(&u8) -> bool| -> Vec<u8> { bytes.iter().copied().filter(test).collect() };
                let choices =
                    [of(u8::is_ascii_alphanumeric), of(u8::is_ascii_graphic), of(|byte| *byte == b' ')];
                let from = choices.iter().find(|choice| !choice.is_empty()).unwrap_or(&bytes);
                let byte = *self.random.pick(from);
                self.text.push(byte);
            }
            HirKind::Class(Class::Unicode(_)) | HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Repetition(repetition) => {
                let times = self.times(repetition.min, repetition.max);
                (0..times).for_each(|_| self.write(&repetition.sub));
            }
            HirKind::Capture(capture) => {
                let start = self.text.len();
                self.write(&capture.sub);
                if capture.name.as_deref() == Some("secret") {
                    self.secret = Some(start..self.text.len());
                }
            }
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.write(part)),
            HirKind::Alternation(parts) => {
                let at = usize::try_from(self.random.below(parts.len() as u64)).unwrap();
                self.write(&parts[at]);
            }
        }
    }

    /// Optional separators are left out; long parts are long enough to look random.
    fn times(&mut self, min: u32, max: Option<u32>) -> u64 {
        let most = max.unwrap_or(min + 8).min(min + 24);
        if !self.shortest && (min, most) == (0, 1) {
            return self.random.below(2);
        }
        if self.shortest || (min == 0 && (2..=4).contains(&most)) {
            return u64::from(min);
        }
        let least = min.max(most.min(20));
        u64::from(least) + self.random.below(u64::from(most - least) + 1)
    }
}
