//! Secrets somebody keeps in a vault, looked for in every spelling.
//!
//! They live in memory only and are wiped on drop. Outside of this module nothing but
//! keyed fingerprints, names and paths exists.

mod automaton;
mod export;
mod import;
mod json;
mod places;
mod spelling;

use crate::allow::{Allow, Suppressed};
use crate::mask::{self, MaskSimulations};
use crate::view::View;
use crate::{Confidence, FingerprintKey, Scan, Sighting, Verification};
use automaton::{Automaton, Match};
pub use export::{ExportedFingerprint, FingerprintList};
pub use import::{Format, Import, ImportError};
use leakgraph_model::Severity;
use regex_automata::Span;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use zeroize::Zeroizing;

/// Shorter values would be found by chance.
pub const MIN_VALUE_BYTES: usize = automaton::MIN_SPELLING_BYTES;
/// Longer values are files, not secrets.
pub const MAX_VALUE_BYTES: usize = 64 << 10;
/// A value is refused if fewer than 2 to this power are of its length and characters.
const MIN_STRENGTH_BITS: f64 = 40.0;
const MIN_ENTROPY: f64 = 2.0;
/// A text is searched in parts of this size.
const PART_BYTES: usize = 1 << 20;
const MIN_OVERLAP_BYTES: usize = 4096;

/// Words of at least `MIN_VALUE_BYTES` that configuration is full of.
const TRIVIAL: [&str; 40] = [
    "password",
    "passw0rd",
    "password1",
    "password123",
    "localhost",
    "changeme",
    "change_me",
    "change-me",
    "undefined",
    "disabled",
    "username",
    "postgres",
    "postgresql",
    "rabbitmq",
    "elasticsearch",
    "mongodb",
    "production",
    "development",
    "staging1",
    "testtest",
    "test1234",
    "default1",
    "administrator",
    "anonymous",
    "required",
    "optional",
    "internal",
    "external",
    "database",
    "redacted",
    "placeholder",
    "not-a-secret",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "eu-central-1",
    "eu-north-1",
    "letmein1",
];

/// Where a known secret is kept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
pub struct KnownName {
    /// Its name, such as a variable or field.
    pub name: String,
    /// Its path in the vault or file.
    pub path: String,
}

impl KnownName {
    /// Path and name, as one text: `vault/path#NAME`, or the path if it says it all.
    pub fn place(&self) -> String {
        if self.path.ends_with(&self.name) {
            self.path.clone()
        } else {
            format!("{}#{}", self.path, self.name)
        }
    }
}

/// Why a value is not looked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Refusal {
    /// Fewer than `MIN_VALUE_BYTES`.
    TooShort,
    /// More than `MAX_VALUE_BYTES`.
    TooLong,
    /// A common word, or so simple that it would be found by chance.
    Trivial,
    /// The source holds the name without the value.
    NoValue,
    /// The source says that this is no secret.
    NotSecret,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "shorter than 8 bytes: it would be found by chance",
            Self::TooLong => "longer than 64 KiB: a file rather than a secret",
            Self::Trivial => "a common word or too simple: it would be found everywhere",
            Self::NoValue => "the source holds no value for it",
            Self::NotSecret => "the source does not mark it as secret",
        })
    }
}

/// A value that is not looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Which one.
    pub name: KnownName,
    /// Why.
    pub reason: Refusal,
}

/// A value and all its names.
pub(crate) struct Entry {
    value: Zeroizing<Vec<u8>>,
    names: Vec<KnownName>,
}

/// Known secrets, ready to be looked for.
pub struct KnownSecrets {
    entries: Vec<Entry>,
    automaton: Automaton,
    refused: Vec<Refused>,
}

impl KnownSecrets {
    /// Prepares what was imported. The same value under several names is one secret.
    pub fn new(imports: impl IntoIterator<Item = Import>) -> Self {
        let (mut refused, mut entries): (Vec<Refused>, Vec<Entry>) = (Vec::new(), Vec::new());
        let mut all = Vec::new();
        for import in imports {
            refused.extend(import.refused);
            all.extend(import.secrets);
        }
        all.retain(|secret| match refusal(&secret.value) {
            Some(reason) => {
                refused.push(Refused { name: secret.name.clone(), reason });
                false
            }
            None => true,
        });
        all.sort_by(|a, b| a.value.as_slice().cmp(&b.value).then_with(|| a.name.cmp(&b.name)));
        for secret in all {
            match entries.last_mut() {
                Some(last) if last.value == secret.value => last.names.push(secret.name),
                _ => entries.push(Entry { value: secret.value, names: vec![secret.name] }),
            }
        }
        for entry in &mut entries {
            entry.names.dedup();
        }
        Self { automaton: Automaton::new(&entries), entries, refused }
    }

    /// How many different values are looked for.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many different spellings they have.
    pub fn spellings(&self) -> usize {
        self.automaton.len()
    }

    /// Bytes of the search tables, without the values.
    pub fn table_bytes(&self) -> usize {
        self.automaton.memory_bytes()
    }

    /// What is not looked for, and why.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// How many values are not looked for, by reason.
    pub fn refused_counts(&self) -> BTreeMap<Refusal, usize> {
        let mut counts = BTreeMap::new();
        for refused in &self.refused {
            *counts.entry(refused.reason).or_default() += 1;
        }
        counts
    }

    /// Finds the known secrets of `bytes` by their spellings; a scanner with rules also looks
    /// into what it decodes. Sighting fingerprints are those of the plain values;
    /// `Confidence::VerifiedStructure` because the match is exact.
    pub fn scan(&self, key: &FingerprintKey, bytes: &[u8]) -> Scan {
        Scan { sightings: self.sightings(bytes, key), ..Scan::default() }
    }

    /// Sightings in a text as a reader sees it, by offset. Memory does not grow with the text.
    pub(crate) fn sightings(&self, bytes: &[u8], key: &FingerprintKey) -> Vec<Sighting> {
        let mut found = Vec::new();
        for part in parts(bytes, self.automaton.longest()) {
            let view = View::of(bytes.get(part.range()).unwrap_or_default());
            for seen in self.automaton.find(&self.entries, &view.bytes) {
                let start = part.start + view.origin(seen.start);
                let end = part.start + view.origin(seen.start + seen.len - 1) + 1;
                found.push(Match { start, len: end - start, ..seen });
            }
        }
        let (mut line, mut counted) = (1, 0);
        let mut sightings = Vec::new();
        for seen in self.seen(found) {
            let offset = seen.span.start;
            line += memchr::memchr_iter(b'\n', bytes.get(counted..offset).unwrap_or_default()).count();
            counted = counted.max(offset);
            let masks = mask::simulate(bytes, seen.span, &seen.entry.value, seen.encodings);
            let place = Place { offset, len: seen.span.len(), line, masks };
            sightings.push(self.sighting(&seen.entry.value, place, seen.encodings, key));
        }
        sightings
    }

    /// What a text spells, by offset.
    pub(crate) fn inside(&self, text: &[u8]) -> Vec<Seen<'_>> {
        self.seen(self.automaton.find(&self.entries, text))
    }

    fn seen(&self, found: Vec<Match>) -> Vec<Seen<'_>> {
        let seen = |found: Match| {
            Some(Seen {
                span: Span::from(found.start..found.start + found.len),
                entry: self.entries.get(found.entry)?,
                encodings: spelling::FORMS.get(found.form)?.names(),
            })
        };
        longest(found).into_iter().filter_map(seen).collect()
    }

    /// The sighting of a known value.
    pub(crate) fn sighting(
        &self,
        value: &[u8],
        place: Place,
        encodings: &[&str],
        key: &FingerprintKey,
    ) -> Sighting {
        let entry = self.entries.binary_search_by(|entry| entry.value.as_slice().cmp(value));
        let names = entry.ok().and_then(|at| self.entries.get(at)).map_or(&[][..], |entry| &entry.names);
        Sighting {
            rule: "known-secret".to_owned(),
            provider: "known".to_owned(),
            kind: "known_secret".to_owned(),
            offset: place.offset,
            len: place.len,
            line: place.line,
            value_bytes: value.len(),
            fingerprint: key.of(value),
            preview: "…".to_owned(),
            confidence: Confidence::VerifiedStructure,
            verification: Verification::Unverified,
            lifetime: "unknown".to_owned(),
            severity: Severity::Critical,
            encodings: encodings.iter().map(|name| (*name).to_owned()).collect(),
            masks: place.masks,
            name: names.first().map(|name| name.name.clone()),
            resolved: None,
            expires_at: None,
            known: names.to_vec(),
        }
    }
}

/// A known secret in a text.
pub(crate) struct Seen<'k> {
    pub(crate) span: Span,
    entry: &'k Entry,
    pub(crate) encodings: &'static [&'static str],
}

impl Seen<'_> {
    pub(crate) fn value(&self) -> Zeroizing<Vec<u8>> {
        self.entry.value.clone()
    }
}

/// Where a sighting stands in the input.
pub(crate) struct Place {
    pub(crate) offset: usize,
    pub(crate) len: usize,
    pub(crate) line: usize,
    pub(crate) masks: MaskSimulations,
}

/// Parts of a text that are searched one by one. They end at line ends where lines are not
/// too long, and each begins before the end of the last by twice the longest spelling:
/// colours and timestamps make it longer.
fn parts(text: &[u8], longest: usize) -> Vec<Span> {
    if text.len() <= PART_BYTES {
        return vec![Span::from(0..text.len())];
    }
    let overlap = (2 * longest).clamp(MIN_OVERLAP_BYTES, PART_BYTES / 2);
    let mut parts = Vec::new();
    let mut start = 0;
    loop {
        let least = text.len().min(start + PART_BYTES);
        let reach = text.get(least..text.len().min(least + PART_BYTES)).unwrap_or_default();
        let end = memchr::memchr(b'\n', reach).map_or(least, |at| least + at + 1);
        parts.push(Span::from(start..end));
        if end >= text.len() {
            return parts;
        }
        let back = end - overlap;
        let before = text.get(back.saturating_sub(overlap).max(start + 1)..back).unwrap_or_default();
        start = memchr::memrchr(b'\n', before).map_or(back, |at| back - before.len() + at + 1);
    }
}

/// Of matches inside one another the longest; all of those on the same bytes. A value does not
/// overlap itself: UTF-16 in both byte orders differs by an edge only.
fn longest(mut found: Vec<Match>) -> Vec<Match> {
    found.sort_by_key(|seen| (seen.start, std::cmp::Reverse(seen.len), seen.form, seen.entry));
    // Parts overlap.
    found.dedup();
    let mut reach = (0, 0);
    let mut ends: HashMap<usize, usize> = HashMap::new();
    found.retain(|seen| {
        let end = seen.start + seen.len;
        let is_inside = end <= reach.1 && (seen.start, end) != reach;
        let is_again = ends.get(&seen.entry).is_some_and(|before| seen.start < *before);
        if end > reach.1 {
            reach = (seen.start, end);
        }
        if !is_inside && !is_again {
            ends.insert(seen.entry, end);
        }
        !is_inside && !is_again
    });
    found
}

/// Joins sightings by rules and known secrets. A rule that saw a known secret keeps its
/// sighting and gains the name; the weak shapes give way to known secrets.
/// Exceptions by fingerprint cover known secrets; others do not.
pub(crate) fn merge(scan: &mut Scan, known: Vec<Sighting>, allow: &Allow) {
    let by_rule = &mut scan.sightings;
    let overlap = |a: &Sighting, b: &Sighting| a.offset < b.offset + b.len && b.offset < a.offset + a.len;
    let is_weak = |kind: &str| ["generic_secret", "authorization"].contains(&kind);
    // Both lists are sorted by offset, and sightings are short: look around only.
    let longest = by_rule.iter().chain(&known).map(|seen| seen.len).max().unwrap_or_default();
    let mut kept = Vec::new();
    let mut weak = Vec::new();
    for seen in known {
        let from = by_rule.partition_point(|rule| rule.offset + longest < seen.offset);
        let to = by_rule.partition_point(|rule| rule.offset < seen.offset + seen.len);
        let mut is_named = false;
        for index in from..to {
            let Some(rule) = by_rule.get_mut(index).filter(|rule| overlap(rule, &seen)) else { continue };
            if is_weak(&rule.kind) {
                weak.push(index);
            } else if rule.fingerprint == seen.fingerprint {
                rule.confidence = Confidence::VerifiedStructure;
                rule.known.clone_from(&seen.known);
                is_named = true;
            }
        }
        match allow.by_fingerprint(&seen.fingerprint) {
            _ if is_named => {}
            None => kept.push(seen),
            // The rule's own sighting is suppressed already.
            Some(_) if scan.suppressed.iter().any(|other| overlap(&other.sighting, &seen)) => {}
            Some((by, reason)) => scan.suppressed.push(Suppressed { sighting: seen, by, reason }),
        }
    }
    weak.sort_unstable();
    let mut index = 0;
    by_rule.retain(|_| {
        index += 1;
        weak.binary_search(&(index - 1)).is_err()
    });
    by_rule.extend(kept);
    by_rule.sort_by_key(|seen| (seen.offset, seen.len));
}

fn refusal(value: &[u8]) -> Option<Refusal> {
    if value.len() < MIN_VALUE_BYTES {
        return Some(Refusal::TooShort);
    }
    if value.len() > MAX_VALUE_BYTES {
        return Some(Refusal::TooLong);
    }
    let lower = Zeroizing::new(value.to_ascii_lowercase());
    let is_word = TRIVIAL.iter().any(|word| word.as_bytes() == lower.as_slice());
    let is_simple = strength_bits(value) < MIN_STRENGTH_BITS || crate::gate::entropy(value) < MIN_ENTROPY;
    (is_word || is_simple).then_some(Refusal::Trivial)
}

/// Binary logarithm of how many values have this length and these kinds of characters.
fn strength_bits(value: &[u8]) -> f64 {
    let any = |is_kind: fn(&u8) -> bool, size: u32| if value.iter().any(is_kind) { size } else { 0 };
    let size = any(u8::is_ascii_digit, 10)
        + any(u8::is_ascii_lowercase, 26)
        + any(u8::is_ascii_uppercase, 26)
        + any(|byte| !byte.is_ascii_alphanumeric(), 32);
    value.len() as f64 * f64::from(size.max(1)).log2()
}
