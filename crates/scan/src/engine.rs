//! Prefilter, confirm, check.
use crate::{Error, FingerprintKey, Rule, RuleSet, Scan, Sighting, check, view::View};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex_automata::{
    Input,
    meta::{Cache, Regex},
    util::syntax,
};

/// Compiled rules and the fingerprint key.
pub struct Scanner {
    rules: RuleSet,
    key: FingerprintKey,
    keywords: AhoCorasick,
    owner: Vec<usize>,
    patterns: Vec<Regex>,
}
impl Scanner {
    /// Compiles the rules.
    ///
    /// # Errors
    /// When a pattern or the keyword automaton does not build.
    pub fn new(rules: RuleSet, key: FingerprintKey) -> Result<Self, Error> {
        let mut owner = Vec::new();
        let mut literals = Vec::new();
        let mut patterns = Vec::new();
        for (index, rule) in rules.rules().iter().enumerate() {
            for keyword in &rule.keywords {
                owner.push(index);
                literals.push(keyword.as_bytes());
            }
            let built = Regex::builder()
                .syntax(syntax::Config::new().unicode(false).utf8(false))
                .configure(Regex::config().utf8_empty(false))
                .build(&rule.pattern);
            patterns.push(built.map_err(|_| Error::Pattern(rule.id.clone()))?);
        }
        let keywords = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .match_kind(MatchKind::Standard)
            .build(literals)?;
        Ok(Self { rules, key, keywords, owner, patterns })
    }
    /// A worker with its own regex caches; one per thread.
    pub fn worker(&self) -> Worker<'_> {
        Worker { scanner: self, caches: self.patterns.iter().map(Regex::create_cache).collect() }
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
/// Scans text on one thread.
pub struct Worker<'s> {
    scanner: &'s Scanner,
    caches: Vec<Cache>,
}
fn wordy(byte: Option<&u8>) -> bool {
    byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
}
fn preview(rule: &Rule, value: &[u8]) -> String {
    let prefix = rule.keywords.iter().find(|k| value.starts_with(k.as_bytes())).map_or("", String::as_str);
    let tail =
        value.last_chunk::<4>().filter(|t| value.len() >= 20 && rule.kind != "private_key" && t.is_ascii());
    format!("{prefix}…{}", tail.map(|t| String::from_utf8_lossy(t).into_owned()).unwrap_or_default())
}
impl Worker<'_> {
    /// Finds the secrets of `bytes`.
    pub fn scan(&mut self, bytes: &[u8]) -> Scan {
        let view = View::of(bytes);
        let scanner = self.scanner;
        let mut found: Vec<(usize, usize, usize)> = Vec::new();
        for hit in scanner.keywords.find_overlapping_iter(&view.bytes) {
            let Some(&index) = scanner.owner.get(hit.pattern().as_usize()) else { continue };
            if let Some((start, end)) = self.confirm(index, &view.bytes, hit.start(), hit.end()) {
                found.push((start, end, index));
            }
        }
        // Outermost first, then rule order, so a nested hit is dropped below.
        found.sort_by_key(|f| (f.0, std::cmp::Reverse(f.1), f.2));
        let mut scan = Scan::default();
        let (mut covered, mut line, mut counted) = (0, 1, 0);
        for (start, end, index) in found {
            if start < covered {
                continue;
            }
            covered = end;
            let (Some(rule), Some(value)) = (scanner.rules.rules().get(index), view.bytes.get(start..end))
            else {
                continue;
            };
            let (Some(&offset), Some(&last)) = (view.from.get(start), view.from.get(end - 1)) else {
                continue;
            };
            line += memchr::memchr_iter(b'\n', bytes.get(counted..offset).unwrap_or_default()).count();
            counted = offset;
            scan.sightings.push(self.sighting(rule, value, (offset, last + 1 - offset, line)));
        }
        scan
    }
    fn confirm(&mut self, index: usize, text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
        let (regex, cache) = (self.scanner.patterns.get(index)?, self.caches.get_mut(index)?);
        // No keyword lies further than this from the start of its match.
        let mut from = start.saturating_sub(128);
        let to = text.len().min(end + 13_000);
        loop {
            let found = regex.search_with(cache, &Input::new(text).range(from..to))?;
            if found.start() > start {
                return None;
            }
            let clean =
                !(wordy(text.get(found.start())) && found.start() > 0 && wordy(text.get(found.start() - 1)));
            if found.end() >= end && clean && !wordy(text.get(found.end())) {
                return Some((found.start(), found.end()));
            }
            from = found.start() + 1;
        }
    }
    fn sighting(&self, rule: &Rule, value: &[u8], (offset, len, line): (usize, usize, usize)) -> Sighting {
        let checked = check::run(rule.check.as_deref(), value);
        Sighting {
            rule: rule.id.clone(),
            provider: rule.provider.clone(),
            kind: rule.kind.clone(),
            offset,
            len,
            line,
            value_bytes: value.len(),
            fingerprint: self.fingerprint(value),
            preview: preview(rule, value),
            confidence: checked.confidence,
            verification: checked.verification,
            lifetime: rule.lifetime.clone(),
            severity: rule.severity,
            encodings: Vec::new(),
            name: None,
            resolved: checked.resolved,
            expires_at: checked.expires_at,
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
            out.extend_from_slice(text.as_bytes().get(from..seen.offset).unwrap_or_default());
            out.extend_from_slice(
                format!("[{} {}]", seen.kind, seen.fingerprint.get(..8).unwrap_or_default()).as_bytes(),
            );
            from = seen.offset + seen.len;
        }
        out.extend_from_slice(text.as_bytes().get(from..).unwrap_or_default());
        String::from_utf8_lossy(&out).into_owned()
    }
}
