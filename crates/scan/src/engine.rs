//! The scanner, its workers, and what they report.

use crate::assign::Assignments;
use crate::block::Block;
use crate::check::Checked;
use crate::check::context::ContextRules;
use crate::check::manifest::Manifests;
use crate::matcher::{Caches, Matcher};
use crate::memo::{self, HashKey, Memo};
use crate::profile::{Profile, Stage};
use crate::search::{Budget, Depth};
use crate::{Error, FingerprintKey, Gap, Rule, RuleSet, Scan, Sighting, view};
use regex_automata::Span;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use zeroize::Zeroizing;

/// Clean lines a thread remembers unless told otherwise, 16 bytes each.
const MEMO_LINES: usize = 1 << 18;

/// Compiled rules and the fingerprint key.
pub struct Scanner {
    pub(crate) rules: RuleSet,
    key: FingerprintKey,
    pub(crate) matcher: Matcher,
    pub(crate) assignments: Assignments,
    pub(crate) context: ContextRules,
    pub(crate) manifests: Manifests,
    pub(crate) generic: usize,
    pub(crate) header: usize,
    pub(crate) aws_secret: usize,
    pub(crate) manifest: usize,
    pub(crate) hash_key: HashKey,
    memo_lines: usize,
    /// Clean lines of earlier runs.
    known: Mutex<Vec<u128>>,
    /// Scratch space of workers that are done, for those to come.
    idle: Mutex<Vec<State>>,
}

/// What a worker keeps from text to text.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) caches: Caches,
    pub(crate) memo: Memo,
    /// One per depth of decoding.
    pub(crate) blocks: Vec<Block>,
}

impl Scanner {
    /// Compiles the rules.
    ///
    /// # Errors
    /// When a pattern or the keyword automaton does not build.
    pub fn new(rules: RuleSet, key: FingerprintKey) -> Result<Self, Error> {
        let index = |id: &str| {
            rules.rules().iter().position(|rule| rule.id == id).ok_or_else(|| Error::Pattern(id.to_owned()))
        };
        let (generic, header, aws_secret) =
            (index("generic-assignment")?, index("authorization-header")?, index("aws-secret-access-key")?);
        let manifest = index("kubernetes-secret-data")?;
        let matcher = Matcher::new(rules.rules())?;
        let word = |part: &str| {
            let digest = key.of(format!("clean lines {part} {}", rules.hash()).as_bytes());
            u64::from_str_radix(digest.get(..16).unwrap_or_default(), 16).unwrap_or_default()
        };
        let hash_key = HashKey(["0", "1", "2", "3"].map(word));
        Ok(Self {
            key,
            matcher,
            assignments: Assignments::new()?,
            context: ContextRules::new(rules.rules())?,
            manifests: Manifests::new()?,
            generic,
            header,
            aws_secret,
            manifest,
            hash_key,
            memo_lines: MEMO_LINES,
            known: Mutex::default(),
            idle: Mutex::default(),
            rules,
        })
    }

    /// Sets how many clean lines each thread remembers, 16 bytes each; 0 turns it off.
    /// Results are the same for every number.
    #[must_use]
    pub fn with_memo_lines(mut self, lines: usize) -> Self {
        self.memo_lines = lines;
        self
    }

    /// The lines found clean so far, for a later run; only hashes under the key and the
    /// rules of this scanner. Call it when workers are dropped.
    pub fn export_memo(&self) -> Vec<u8> {
        let mut hashes: BTreeSet<u128> = lock(&self.known).iter().copied().collect();
        hashes.extend(lock(&self.idle).iter().flat_map(|state| state.memo.hashes()));
        let hashes: Vec<u128> = hashes.into_iter().take(self.memo_lines.next_power_of_two()).collect();
        memo::to_bytes(self.memo_label(), &hashes)
    }

    /// Takes over what an earlier run exported; false if it had other rules, another key
    /// or another format. Workers made before do not know these lines.
    pub fn import_memo(&self, bytes: &[u8]) -> bool {
        let Some(hashes) = memo::from_bytes(self.memo_label(), bytes) else { return false };
        *lock(&self.known) = hashes;
        lock(&self.idle).clear();
        true
    }

    fn memo_label(&self) -> u128 {
        self.hash_key.hash(b"the lines that are clean under these rules")
    }

    /// A worker with its own scratch space; one per thread.
    pub fn worker(&self) -> Worker<'_> {
        let idle = lock(&self.idle).pop();
        let state = idle.unwrap_or_else(|| {
            let mut memo = Memo::with_capacity(self.memo_lines);
            lock(&self.known).iter().for_each(|hash| memo.insert(*hash));
            State { caches: self.matcher.caches(), memo, blocks: Vec::new() }
        });
        Worker { scanner: self, state, profile: None }
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Scans text on one thread.
pub struct Worker<'s> {
    pub(crate) scanner: &'s Scanner,
    pub(crate) state: State,
    pub(crate) profile: Option<Box<Profile>>,
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
    /// read as half as many bytes.
    pub fn scan(&mut self, bytes: &[u8]) -> Scan {
        if let Some(profile) = self.profile.as_mut() {
            profile.bytes += bytes.len() as u64;
        }
        let narrow = view::utf16(bytes).map(|(bytes, from)| (Zeroizing::new(bytes), from));
        let (text, width, from) = match &narrow {
            Some((text, from)) => (text.as_slice(), 2, *from),
            None => (bytes, 1, 0),
        };
        let mut budget = Budget::default();
        let hits = self.text(text, Depth::TOP, &mut budget);
        let mut scan = Scan::default();
        let (mut line, mut counted) = (1, 0);
        for hit in hits {
            let span = hit.span;
            line += memchr::memchr_iter(b'\n', text.get(counted..span.start).unwrap_or_default()).count();
            counted = counted.max(span.start);
            let len = span.len() * width;
            scan.sightings.push(self.sighting(hit, from + span.start * width, len, line));
        }
        if let Some(offset) = budget.gap {
            scan.gaps.push(Gap { offset: from + offset * width, reason: "budget" });
        }
        scan
    }

    fn sighting(&self, hit: Hit, offset: usize, len: usize, line: usize) -> Sighting {
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
            name: hit.name,
            resolved: hit.checked.resolved,
            expires_at: hit.checked.expires_at,
        }
    }

    /// Keyed fingerprint of a value, 32 hex digits.
    pub fn fingerprint(&self, value: &[u8]) -> String {
        self.scanner.key.of(value)
    }

    /// Replaces every secret found by its kind and a fingerprint prefix.
    pub fn redact(&mut self, text: &str) -> String {
        let mut out = Vec::with_capacity(text.len());
        let mut from = 0;
        for seen in self.scan(text.as_bytes()).sightings {
            // Several secrets behind one encoding share its bytes.
            if seen.offset >= from {
                out.extend_from_slice(text.as_bytes().get(from..seen.offset).unwrap_or_default());
                let mark = format!("[{} {}]", seen.kind, seen.fingerprint.get(..8).unwrap_or_default());
                out.extend_from_slice(mark.as_bytes());
            }
            from = from.max(seen.offset + seen.len);
        }
        out.extend_from_slice(text.as_bytes().get(from..).unwrap_or_default());
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// The fixed prefix and, of long values, the last four characters.
fn preview(rule: &Rule, value: &[u8]) -> String {
    let prefix = rule.keywords.iter().find(|k| value.starts_with(k.as_bytes())).map_or("", String::as_str);
    let shows_tail = value.len() >= 20 && rule.kind != "private_key";
    let tail = value.last_chunk::<4>().filter(|tail| shows_tail && tail.iter().all(u8::is_ascii_graphic));
    format!("{prefix}…{}", tail.map(|tail| String::from_utf8_lossy(tail).into_owned()).unwrap_or_default())
}
