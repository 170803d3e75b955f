//! The scanner, its workers, and what they report.

use crate::allow::{self, Allow, Subject, Suppressed};
use crate::assign::Assignments;
use crate::block::Block;
use crate::check::context::ContextRules;
use crate::check::manifest::Manifests;
use crate::check::{self, Checked};
use crate::depth::{Budget, Depth};
use crate::gitleaks::ForeignMatcher;
use crate::join::Edge;
use crate::known::{self, KnownSecrets};
use crate::lanes::{Classifier, Lanes};
use crate::mask::{self, MaskSimulations};
use crate::matcher::{Caches, Matcher};
use crate::memo::{self, HashKey, Memo};
use crate::profile::{Profile, Stage};
use crate::redact::{Parts, is_name};
use crate::stream::Pieces;
use crate::view::{Utf16, View};
use crate::{Error, FingerprintKey, Gap, Rule, RuleSet, Scan, Sighting};
use regex_automata::Span;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use zeroize::Zeroizing;

/// Clean lines that are remembered unless told otherwise, 8 bytes each.
const MEMO_LINES: usize = 1 << 18;

/// Compiled rules and the fingerprint key.
pub struct Scanner {
    pub(crate) rules: RuleSet,
    key: FingerprintKey,
    pub(crate) matcher: Matcher,
    pub(crate) classifier: Classifier,
    pub(crate) assignments: Assignments,
    pub(crate) context: ContextRules,
    pub(crate) manifests: Manifests,
    pub(crate) generic: usize,
    pub(crate) header: usize,
    pub(crate) aws_secret: usize,
    pub(crate) manifest: usize,
    pub(crate) parts: Parts,
    /// Rules of gitleaks files.
    pub(crate) foreign: ForeignMatcher,
    pub(crate) known: Option<KnownSecrets>,
    allow: Allow,
    pub(crate) hash_key: HashKey,
    /// Clean lines.
    pub(crate) memo: Memo,
    /// Scratch space of workers that are done, for those to come.
    idle: Mutex<Vec<State>>,
    /// How much of streams is read ahead.
    pub(crate) pieces: Pieces,
}

/// What a worker keeps from text to text.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) caches: Caches,
    /// One per depth of decoding.
    pub(crate) blocks: Vec<Block>,
    pub(crate) lanes: Lanes,
    /// The same of what texts encode: much shorter, and blocks grow slowly.
    pub(crate) inner_lanes: Lanes,
    /// Of the block at hand.
    pub(crate) edges: Vec<Edge>,
    /// Offsets in the last text, and how many lines end before each.
    pub(crate) line_ends: Vec<(usize, usize)>,
    /// Of the text at hand and of what it encodes.
    pub(crate) budget: Budget,
    /// What is read of a stream.
    pub(crate) piece: Vec<u8>,
}

impl Scanner {
    /// Compiles the rules.
    ///
    /// # Errors
    /// When a pattern or the keyword automaton does not build.
    pub fn new(rules: RuleSet, key: FingerprintKey) -> Result<Self, Error> {
        // A rule that the set does not have gives no hits.
        let index = |id: &str| rules.rules().iter().position(|rule| rule.id == id).unwrap_or(usize::MAX);
        let foreign: Vec<_> =
            rules.custom.foreign.iter().map(|rule| (index(&rule.id), rule.clone())).collect();
        // What rules of gitleaks find may depend on the path, so no line is clean for all.
        let memo_lines = if foreign.is_empty() { MEMO_LINES } else { 0 };
        let matcher = Matcher::new(rules.rules())?;
        Ok(Self {
            classifier: matcher.classifier(),
            matcher,
            assignments: Assignments::new()?,
            context: ContextRules::new(rules.rules())?,
            manifests: Manifests::new()?,
            generic: index("generic-assignment"),
            header: index("authorization-header"),
            aws_secret: index("aws-secret-access-key"),
            manifest: index("kubernetes-secret-data"),
            parts: Parts::new(rules.rules())?,
            foreign: ForeignMatcher::new(foreign)?,
            known: None,
            allow: Allow::new(),
            hash_key: hash_key(&key, rules.hash()),
            memo: Memo::with_capacity(memo_lines),
            idle: Mutex::default(),
            pieces: Pieces::default(),
            key,
            rules,
        })
    }

    /// Looks for known secrets, too.
    #[must_use]
    pub fn with_known(mut self, known: KnownSecrets) -> Self {
        // What is clean without them is not clean with them.
        self.hash_key = hash_key(&self.key, &format!("{} {}", self.rules.hash(), known.digest(&self.key)));
        self.known = Some(known);
        self
    }

    /// Suppresses what exceptions cover.
    ///
    /// # Errors
    /// When the list of fingerprints was made under another key.
    pub fn with_allow(mut self, allow: Allow) -> Result<Self, Error> {
        allow.fits_key(self.key.key_id())?;
        self.allow = allow;
        Ok(self)
    }

    /// Sets how many clean lines are remembered, 8 bytes each; 0 turns it off. Results are
    /// the same for every number.
    #[must_use]
    pub fn with_memo_lines(mut self, lines: usize) -> Self {
        if self.rules.custom.foreign.is_empty() {
            self.memo = Memo::with_capacity(lines);
        }
        self
    }

    /// The lines found clean so far, for a later run; only hashes under the key and the
    /// rules of this scanner.
    pub fn export_memo(&self) -> Vec<u8> {
        let hashes: Vec<u128> = self.memo.hashes().collect();
        memo::to_bytes(self.memo_label(), &hashes)
    }

    /// Takes over what an earlier run exported; false if it had other rules, another key
    /// or another format.
    pub fn import_memo(&self, bytes: &[u8]) -> bool {
        let Some(hashes) = memo::from_bytes(self.memo_label(), bytes) else { return false };
        hashes.into_iter().for_each(|hash| self.memo.insert(hash));
        true
    }

    fn memo_label(&self) -> u128 {
        self.hash_key.hash(b"the lines that are clean under these rules")
    }

    /// A worker with its own scratch space; one per thread.
    pub fn worker(&self) -> Worker<'_> {
        let idle = lock(&self.idle).pop();
        let state = idle.unwrap_or_else(|| State { caches: self.matcher.caches(), ..State::default() });
        Worker { scanner: self, state, profile: None, path: String::new() }
    }

    /// The rules.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Names the fingerprint key.
    pub fn key_id(&self) -> &str {
        self.key.key_id()
    }
}

fn hash_key(key: &FingerprintKey, rules: &str) -> HashKey {
    let word = |part: &str| {
        let digest = key.of(format!("clean lines {part} {rules}").as_bytes());
        u64::from_str_radix(digest.get(..16).unwrap_or_default(), 16).unwrap_or_default()
    };
    HashKey(["0", "1", "2", "3"].map(word))
}

/// What a thread that panicked has left is whole: nothing is changed under a lock in steps.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Scans text on one thread.
pub struct Worker<'s> {
    pub(crate) scanner: &'s Scanner,
    pub(crate) state: State,
    pub(crate) profile: Option<Box<Profile>>,
    /// Of the text, for rules and exceptions that ask; may be empty.
    pub(crate) path: String,
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        lock(&self.scanner.idle).push(std::mem::take(&mut self.state));
    }
}

/// A secret before it loses its value.
pub(crate) struct Hit {
    /// In the text that was searched.
    pub(crate) span: Span,
    pub(crate) rule: usize,
    pub(crate) value: Zeroizing<Vec<u8>>,
    pub(crate) name: Option<String>,
    pub(crate) encodings: Vec<&'static str>,
    pub(crate) checked: Checked,
    /// Whether it was put together from several lines.
    pub(crate) is_joined: bool,
}

/// The rule of known secrets found behind an encoding; no rule set has it.
const KNOWN: usize = usize::MAX - 1;

impl Hit {
    pub(crate) fn known(seen: &known::Seen<'_>) -> Self {
        Self {
            span: seen.span,
            rule: KNOWN,
            value: seen.value(),
            name: None,
            encodings: seen.encodings.to_vec(),
            checked: check::likely(),
            is_joined: false,
        }
    }
}

impl Worker<'_> {
    /// From now on measures where time goes.
    pub fn start_profile(&mut self) {
        self.profile = Some(Box::new(Profile::new(self.scanner.rules.rules().len())));
    }

    /// What was measured, and stops measuring.
    pub fn take_profile(&mut self) -> Option<Profile> {
        self.profile.take().map(|profile| *profile)
    }

    pub(crate) fn clock(&self) -> Option<Instant> {
        self.profile.as_ref().map(|_| Instant::now())
    }

    pub(crate) fn spent(&mut self, stage: Stage, since: Option<Instant>) {
        if let (Some(profile), Some(since)) = (self.profile.as_mut(), since) {
            profile.stage(stage, since.elapsed());
        }
    }

    /// Finds the secrets of `bytes`.
    ///
    /// Working memory does not depend on the input's size, except for UTF-16, which is
    /// read as half as many bytes, and for rules of gitleaks files, which see whole texts.
    pub fn scan(&mut self, bytes: &[u8]) -> Scan {
        self.scan_at("", bytes)
    }

    /// Finds the secrets of `bytes`, which `path` names to rules and exceptions.
    pub fn scan_at(&mut self, path: &str, bytes: &[u8]) -> Scan {
        path.clone_into(&mut self.path);
        if let Some(profile) = self.profile.as_mut() {
            profile.bytes += bytes.len() as u64;
        }
        let narrow = Utf16::of(bytes).map(|form| {
            let units = bytes.get(form.from..).unwrap_or_default();
            (Zeroizing::new(form.narrow(units).collect::<Vec<u8>>()), form.from)
        });
        let (text, width, from) = match &narrow {
            Some((text, from)) => (text.as_slice(), 2, *from),
            None => (bytes, 1, 0),
        };
        self.state.budget = Budget::of(text.len());
        let hits = self.text(text, Depth::TOP);
        let gap = self.state.budget.gap;
        let mut scan = self.reported(text, hits);
        if let Some(known) = &self.scanner.known {
            let (allow, key) = (&self.scanner.allow, &self.scanner.key);
            known::merge(&mut scan, known.sightings(text, key), allow);
        }
        scan.gaps.extend(gap.map(|offset| Gap { offset, reason: "budget" }));
        scan.widen(from, width);
        scan
    }

    /// Sightings of the hits of a text, and those that exceptions cover.
    fn reported(&self, text: &[u8], hits: Vec<Hit>) -> Scan {
        let mut scan = Scan::default();
        let (mut line, mut counted) = (1, 0);
        for hit in hits {
            let span = hit.span;
            let known = self.state.line_ends.partition_point(|(at, _)| *at <= span.start);
            if let Some((at, ends)) = known.checked_sub(1).map(|known| self.state.line_ends[known])
                && at > counted
            {
                (line, counted) = (ends + 1, at);
            }
            line += memchr::memchr_iter(b'\n', text.get(counted..span.start).unwrap_or_default()).count();
            counted = counted.max(span.start);
            let value = hit.value.clone();
            let masks = mask::simulate(text, span, &value, &hit.encodings);
            let sighting = self.sighting(hit, masks, line);
            match self.allowed(text, span, &value, &sighting) {
                Some((by, reason)) => scan.suppressed.push(Suppressed { sighting, by, reason }),
                None => scan.sightings.push(sighting),
            }
        }
        scan
    }

    fn allowed(
        &self,
        text: &[u8],
        span: Span,
        value: &[u8],
        seen: &Sighting,
    ) -> Option<(allow::AllowedBy, String)> {
        let Scanner { allow, rules, .. } = self.scanner;
        // Whoever prints a known secret cannot excuse it, nor can a pattern.
        if seen.kind == "known_secret" {
            return allow.by_fingerprint(&seen.fingerprint);
        }
        if allow.is_empty() && rules.custom.lists.is_empty() {
            return None;
        }
        let clear = View::of(text.get(span.range())?);
        let line = View::of(allow::lines_around(text, span));
        let subject = Subject {
            rule: &seen.rule,
            value,
            // Behind an encoding the match is known by its value only.
            matched: if seen.encodings.is_empty() { &clear.bytes } else { value },
            line: &line.bytes,
            path: &self.path,
            fingerprint: &seen.fingerprint,
        };
        allow.judge(&subject, &rules.custom.lists)
    }

    fn sighting(&self, hit: Hit, masks: MaskSimulations, line: usize) -> Sighting {
        let (offset, len) = (hit.span.start, hit.span.len());
        if let Some(known) = self.scanner.known.as_ref().filter(|_| hit.rule == KNOWN) {
            let place = known::Place { offset, len, line, masks };
            return known.sighting(&hit.value, place, &hit.encodings, &self.scanner.key);
        }
        let rule = &self.scanner.rules.rules()[hit.rule];
        Sighting {
            rule: rule.id.clone(),
            provider: rule.provider.clone(),
            kind: rule.kind.clone(),
            offset,
            len,
            line,
            value_bytes: hit.value.len(),
            fingerprint: self.fingerprint(&hit.value),
            preview: preview(rule, &hit.value),
            confidence: hit.checked.confidence,
            verification: hit.checked.verification,
            lifetime: rule.lifetime.clone(),
            severity: rule.severity,
            encodings: hit.encodings.iter().map(|name| (*name).to_owned()).collect(),
            masks,
            name: hit.name.filter(|name| is_name(name)),
            resolved: hit.checked.resolved,
            expires_at: hit.checked.expires_at,
            known: Vec::new(),
        }
    }

    /// Keyed fingerprint of a value, 32 hex digits.
    pub fn fingerprint(&self, value: &[u8]) -> String {
        self.scanner.key.of(value)
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.scanner.parts
    }
}

/// The fixed prefix and, of long values, the last four characters.
fn preview(rule: &Rule, value: &[u8]) -> String {
    let prefix = rule.keywords.iter().find(|k| value.starts_with(k.as_bytes())).map_or("", String::as_str);
    let shows_tail = value.len() >= 20 && rule.kind != "private_key";
    let tail = value.last_chunk::<4>().filter(|tail| shows_tail && tail.iter().all(u8::is_ascii_graphic));
    format!("{prefix}…{}", tail.map(|tail| String::from_utf8_lossy(tail).into_owned()).unwrap_or_default())
}
