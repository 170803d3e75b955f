//! One text in, sightings out: match, gate, check, decode and look again.

use crate::allow::{self, Allow, Subject, Suppressed};
use crate::assign::{self, Assignments};
use crate::check::{self, Checked};
use crate::decode::{self, Decoded};
use crate::gate::{entropy, is_placeholder};
use crate::gitleaks::ForeignMatcher;
use crate::known::{self, KnownSecrets};
use crate::matcher::{Caches, Found, Matcher};
use crate::redact::{Parts, is_name};
use crate::view::View;
use crate::{Confidence, Error, FingerprintKey, Gap, Rule, RuleSet, Scan, Sighting};
use aho_corasick::AhoCorasick;
use regex_automata::Span;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// So many encodings around a value are undone.
const MAX_DEPTH: usize = 3;
/// Decoded bytes per scan: this many times the input, but at least the floor.
const BUDGET_FACTOR: usize = 4;
const BUDGET_FLOOR: usize = 1 << 20;
/// A secret access key stands this close to its id.
const PAIR_REACH_BYTES: usize = 400;

/// Compiled rules and the fingerprint key.
pub struct Scanner {
    rules: RuleSet,
    key: FingerprintKey,
    matcher: Matcher,
    assignments: Assignments,
    headers: AhoCorasick,
    parts: Parts,
    generic: usize,
    header: usize,
    aws_secret: usize,
    foreign: ForeignMatcher,
    known: Option<KnownSecrets>,
    allow: Allow,
}

impl Scanner {
    /// Compiles the rules.
    ///
    /// # Errors
    /// When a pattern or the keyword automaton does not build.
    pub fn new(rules: RuleSet, key: FingerprintKey) -> Result<Self, Error> {
        // A rule that the set does not have gives no hits.
        let index = |id: &str| rules.rules().iter().position(|rule| rule.id == id).unwrap_or(usize::MAX);
        let (generic, header, aws_secret) =
            (index("generic-assignment"), index("authorization-header"), index("aws-secret-access-key"));
        let foreign = rules.custom.foreign.iter().map(|rule| (index(&rule.id), rule.clone())).collect();
        let headers = AhoCorasick::builder().ascii_case_insensitive(true).build(["authorization"])?;
        let matcher = Matcher::new(rules.rules())?;
        Ok(Self {
            key,
            matcher,
            assignments: Assignments::new()?,
            headers,
            parts: Parts::new(rules.rules())?,
            generic,
            header,
            aws_secret,
            foreign: ForeignMatcher::new(foreign)?,
            rules,
            known: None,
            allow: Allow::new(),
        })
    }

    /// Looks for known secrets, too.
    #[must_use]
    pub fn with_known(mut self, known: KnownSecrets) -> Self {
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

    /// A worker with its own regex caches; one per thread.
    pub fn worker(&self) -> Worker<'_> {
        Worker { scanner: self, caches: self.matcher.caches(), path: String::new() }
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
    caches: Caches,
    /// Of the text, for rules and exceptions that ask; may be empty.
    path: String,
}

/// A secret before it loses its value.
struct Hit {
    span: Span,
    rule: usize,
    value: Zeroizing<Vec<u8>>,
    name: Option<String>,
    encodings: Vec<&'static str>,
    checked: Checked,
}

/// The rule of known secrets found behind an encoding; no rule set has it.
const KNOWN: usize = usize::MAX - 1;

impl Hit {
    fn known(seen: &known::Seen) -> Self {
        let checked = check::run(None, &[], &[], seen.span);
        let encodings = seen.encodings.to_vec();
        Self { span: seen.span, rule: KNOWN, value: seen.value(), name: None, encodings, checked }
    }
}

/// How deep to look into a text.
#[derive(Clone, Copy)]
struct Depth {
    level: usize,
    /// Whether names and headers announce secrets here; not in texts read twice.
    generic: bool,
}

/// Decoded bytes that may still be looked at.
struct Budget {
    left: usize,
    is_hit: bool,
}

impl Worker<'_> {
    /// Finds the secrets of `bytes`.
    pub fn scan(&mut self, bytes: &[u8]) -> Scan {
        self.scan_at("", bytes)
    }

    /// Finds the secrets of `bytes`, which `path` names to rules and exceptions.
    pub fn scan_at(&mut self, path: &str, bytes: &[u8]) -> Scan {
        path.clone_into(&mut self.path);
        let view = View::of(bytes);
        let mut budget = Budget { left: (bytes.len() * BUDGET_FACTOR).max(BUDGET_FLOOR), is_hit: false };
        let hits = self.text(&view.bytes, Depth { level: 0, generic: true }, &mut budget);
        let mut scan = Scan::default();
        let (mut line, mut counted) = (1, 0);
        for hit in hits {
            let offset = view.origin(hit.span.start);
            let end = view.origin(hit.span.end.saturating_sub(1)) + 1;
            line += memchr::memchr_iter(b'\n', bytes.get(counted..offset).unwrap_or_default()).count();
            counted = counted.max(offset);
            let (span, value) = (hit.span, hit.value.clone());
            let sighting = self.sighting(hit, offset, end - offset, line);
            match self.allowed(&view.bytes, span, &value, &sighting) {
                Some((by, reason)) => scan.suppressed.push(Suppressed { sighting, by, reason }),
                None => scan.sightings.push(sighting),
            }
        }
        if let Some(known) = &self.scanner.known {
            let (allow, key) = (&self.scanner.allow, &self.scanner.key);
            known::merge(&mut scan, known.sightings(bytes, key), allow);
        }
        if budget.is_hit {
            scan.gaps.push(Gap { offset: 0, reason: "budget" });
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
        // Whoever prints a known secret cannot excuse it, nor can a pattern.
        if seen.kind == "known_secret" {
            return self.scanner.allow.by_fingerprint(&seen.fingerprint);
        }
        // Behind an encoding the match is known by its value only.
        let matched = if seen.encodings.is_empty() { text.get(span.range())? } else { value };
        let subject = Subject {
            rule: &seen.rule,
            value,
            matched,
            line: allow::lines_around(text, span),
            path: &self.path,
            fingerprint: &seen.fingerprint,
        };
        self.scanner.allow.judge(&subject, &self.scanner.rules.custom.lists)
    }

    /// Hits of a text and of what it encodes, by offset, none inside another.
    fn text(&mut self, text: &[u8], depth: Depth, budget: &mut Budget) -> Vec<Hit> {
        if self.scanner.rules.rules().is_empty() {
            return Vec::new();
        }
        let (found, backwards) = self.scanner.matcher.find(&mut self.caches, text);
        let mut plain = self.plain(text, &found, depth.generic);
        if let Some(known) = self.scanner.known.as_ref().filter(|_| depth.level > 0) {
            plain.extend(known.inside(text).iter().map(Hit::known));
        }
        let mut hits = self.resolved(plain);
        if depth.level < MAX_DEPTH {
            for decoded in candidates(text, backwards) {
                self.decoded(text, decoded, depth, budget, &mut hits);
            }
        }
        hits.sort_by_key(|hit| (hit.span.start, hit.span.end));
        hits
    }

    /// Looks at decoded bytes and adds what the text itself did not show.
    fn decoded(
        &mut self,
        text: &[u8],
        decoded: Decoded,
        depth: Depth,
        budget: &mut Budget,
        hits: &mut Vec<Hit>,
    ) {
        let Decoded { span, encodings, bytes } = decoded;
        // Parts of a token are letters of base 64, too.
        let is_part =
            |hit: &Hit| hit.span.start <= span.start && span.end <= hit.span.end && self.rank(hit) == 0;
        if hits.iter().any(is_part) {
            return;
        }
        let Some(left) = budget.left.checked_sub(bytes.len()) else {
            budget.is_hit = true;
            return;
        };
        budget.left = left;
        budget.is_hit |= span.len() >= decode::MAX_CANDIDATE_BYTES;
        let is_respelled = encodings == ["json"];
        let deeper = Depth {
            level: if is_respelled { MAX_DEPTH } else { depth.level + 1 },
            generic: depth.generic && !is_respelled,
        };
        let name = assign::name_before(text, span.start);
        let mut inner = self.text(&bytes, deeper, budget);
        inner.retain(|found| !hits.iter().any(|hit| overlap(hit.span, span) && hit.value == found.value));
        if inner.is_empty() {
            return;
        }
        hits.retain(|hit| !(overlap(hit.span, span) && self.rank(hit) > 1));
        hits.extend(inner.into_iter().map(|hit| Hit {
            span,
            name: hit.name.or_else(|| name.clone()),
            encodings: encodings.iter().copied().chain(hit.encodings).collect(),
            ..hit
        }));
    }

    /// What stands in a text in clear.
    fn plain(&self, text: &[u8], found: &[Found], generic: bool) -> Vec<Hit> {
        let scanner = self.scanner;
        let mut spans: Vec<(Span, Span, usize)> =
            found.iter().map(|found| (found.span, found.secret, found.rule)).collect();
        spans.extend(scanner.foreign.find(text, &self.path));
        for key_id in found.iter().filter(|found| self.kind(found.rule) == "aws_access_key_id") {
            assign::aws_secrets_near(text, key_id.span, PAIR_REACH_BYTES, |span| {
                spans.push((span, span, scanner.aws_secret));
            });
        }
        if generic {
            assign::authorizations(text, &scanner.headers, |_, span| {
                spans.push((span, span, scanner.header))
            });
        }
        let mut hits: Vec<Hit> =
            spans.into_iter().filter_map(|(span, secret, rule)| self.hit(text, span, secret, rule)).collect();
        if generic {
            scanner.assignments.find(text, |found| {
                let value = text.get(found.value.range()).unwrap_or_default();
                let name = text.get(found.name.range()).unwrap_or_default().to_ascii_lowercase();
                let has = |word: &[u8]| memchr::memmem::find(&name, word).is_some();
                let is_aws =
                    has(b"secret") && (has(b"aws") || has(b"access")) && assign::is_aws_secret(value);
                let rule = if is_aws { scanner.aws_secret } else { scanner.generic };
                if let Some(mut hit) = self.hit(text, found.value, found.value, rule) {
                    if !is_aws && !found.is_likely {
                        hit.checked.confidence = Confidence::Possible;
                    }
                    hits.push(hit);
                }
            });
        }
        hits
    }

    fn hit(&self, text: &[u8], span: Span, secret: Span, rule: usize) -> Option<Hit> {
        let value = text.get(secret.range())?;
        let spec = self.scanner.rules.rules().get(rule)?;
        let mut checked = check::run(spec.check.as_deref(), value, text, secret);
        let is_dull = is_placeholder(value) && value.len() < 64 || entropy(value) < 2.0;
        if is_dull && spec.check.is_none() {
            checked.confidence = Confidence::Possible;
        }
        let name = assign::name_before(text, secret.start);
        Some(Hit { span, rule, value: Zeroizing::new(value.to_vec()), name, encodings: Vec::new(), checked })
    }

    fn kind(&self, rule: usize) -> &str {
        self.scanner.rules.rules().get(rule).map_or("", |rule| rule.kind.as_str())
    }

    /// 0 for a provider's format, then weaker and weaker shapes.
    fn rank(&self, hit: &Hit) -> u8 {
        match self.kind(hit.rule) {
            "uri_credential" => 1,
            "authorization" => 2,
            "generic_secret" => 3,
            _ => 0,
        }
    }

    /// Of overlapping hits the most specific one, then the longest.
    fn resolved(&self, mut hits: Vec<Hit>) -> Vec<Hit> {
        hits.sort_by_key(|hit| (self.rank(hit), std::cmp::Reverse(hit.span.len()), hit.span.start, hit.rule));
        let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
        hits.retain(|hit| {
            let before = taken.range(..hit.span.end).next_back();
            let is_free = before.is_none_or(|(_, end)| *end <= hit.span.start);
            if is_free {
                taken.insert(hit.span.start, hit.span.end);
            }
            is_free
        });
        hits
    }

    fn sighting(&self, hit: Hit, offset: usize, len: usize, line: usize) -> Sighting {
        if let Some(known) = self.scanner.known.as_ref().filter(|_| hit.rule == KNOWN) {
            let place = known::Place { offset, len, line };
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

/// Everything in a text that may be an encoding of something else.
fn candidates(text: &[u8], backwards: Vec<Span>) -> Vec<Decoded> {
    let mut found = Vec::new();
    decode::runs(text, |decoded| found.push(decoded));
    decode::percent(text, |decoded| found.push(decoded));
    decode::json(text, |decoded| found.push(decoded));
    found.extend(backwards.into_iter().map(|span| decode::reversed(text, span)));
    found
}

fn overlap(a: Span, b: Span) -> bool {
    a.start < b.end && b.start < a.end
}

/// The fixed prefix and, of long values, the last four characters.
fn preview(rule: &Rule, value: &[u8]) -> String {
    let prefix = rule.keywords.iter().find(|k| value.starts_with(k.as_bytes())).map_or("", String::as_str);
    let shows_tail = value.len() >= 20 && rule.kind != "private_key";
    let tail = value.last_chunk::<4>().filter(|tail| shows_tail && tail.iter().all(u8::is_ascii_graphic));
    format!("{prefix}…{}", tail.map(|tail| String::from_utf8_lossy(tail).into_owned()).unwrap_or_default())
}
