//! One text in, sightings out: match, gate, check, decode and look again.

use crate::assign::{self, Assignments};
use crate::check::context::{ContextRules, names_secret};
use crate::check::manifest::{Entry, Manifests};
use crate::check::{self, Checked};
use crate::decode::{self, Decoded};
use crate::gate::{entropy, is_placeholder};
use crate::matcher::{Caches, Found, Matcher};
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
    context: ContextRules,
    manifests: Manifests,
    headers: AhoCorasick,
    generic: usize,
    header: usize,
    aws_secret: usize,
    manifest: usize,
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
        let headers = AhoCorasick::builder().ascii_case_insensitive(true).build(["authorization"])?;
        let matcher = Matcher::new(rules.rules())?;
        Ok(Self {
            key,
            matcher,
            assignments: Assignments::new()?,
            context: ContextRules::new(rules.rules())?,
            manifests: Manifests::new()?,
            headers,
            generic,
            header,
            aws_secret,
            manifest,
            rules,
        })
    }

    /// A worker with its own regex caches; one per thread.
    pub fn worker(&self) -> Worker<'_> {
        Worker { scanner: self, caches: self.matcher.caches() }
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
            scan.sightings.push(self.sighting(hit, offset, end - offset, line));
        }
        if budget.is_hit {
            scan.gaps.push(Gap { offset: 0, reason: "budget" });
        }
        scan
    }

    /// Hits of a text and of what it encodes, by offset, none inside another.
    fn text(&mut self, text: &[u8], depth: Depth, budget: &mut Budget) -> Vec<Hit> {
        let (found, backwards) = self.scanner.matcher.find(&mut self.caches, text);
        let mut hits = self.resolved(self.plain(text, &found, depth.generic));
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
        inner.retain(|found| {
            let is_known =
                |hit: &Hit| overlap(hit.span, span) && hit.value == found.value && self.rank(hit) < 2;
            !hits.iter().any(is_known)
        });
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
        scanner.manifests.find(text, |entry| hits.extend(self.entry(text, entry)));
        if generic {
            scanner.assignments.find(text, |found| {
                scanner.context.find(text, found.name, found.value, |rule, secret| {
                    let span = Span::from(found.name.start..secret.end);
                    hits.extend(self.hit(text, span, secret, rule));
                });
                if !found.is_plausible {
                    return;
                }
                let value = text.get(found.value.range()).unwrap_or_default();
                let spelled = text.get(found.name.range()).unwrap_or_default();
                let name = spelled.to_ascii_lowercase();
                let has = |word: &[u8]| memchr::memmem::find(&name, word).is_some();
                let is_aws =
                    has(b"secret") && (has(b"aws") || has(b"access")) && assign::is_aws_secret(value);
                let rule = if is_aws { scanner.aws_secret } else { scanner.generic };
                if let Some(mut hit) = self.hit(text, found.value, found.value, rule) {
                    if !(is_aws || found.is_likely && names_secret(spelled)) {
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
        let mut checked = check::run(spec.check.as_deref(), value, text, secret)?;
        if spec.entropy.is_some_and(|least| entropy(value) < least) {
            return None;
        }
        let is_dull = is_placeholder(value) && value.len() < 64 || entropy(value) < 2.0;
        if is_dull && spec.check.is_none() {
            checked.confidence = Confidence::Possible;
        }
        let name = assign::name_before(text, secret.start);
        Some(Hit { span, rule, value: Zeroizing::new(value.to_vec()), name, encodings: Vec::new(), checked })
    }

    /// A value of a Kubernetes manifest; encoded ones are the secret they decode to.
    fn entry(&self, text: &[u8], entry: Entry) -> Option<Hit> {
        let mut hit = self.hit(text, entry.value, entry.value, self.scanner.manifest)?;
        hit.name = text.get(entry.name.range()).map(|name| String::from_utf8_lossy(name).into_owned());
        if let Some(decoded) = entry.decoded {
            hit.value = decoded;
            hit.encodings.push("base64");
        }
        Some(hit)
    }

    fn kind(&self, rule: usize) -> &str {
        self.scanner.rules.rules().get(rule).map_or("", |rule| rule.kind.as_str())
    }

    /// 0 for a provider's format, then weaker and weaker shapes.
    fn rank(&self, hit: &Hit) -> u8 {
        match self.kind(hit.rule) {
            "authorization" | "kubernetes_secret" => 2,
            "generic_secret" => 3,
            _ => u8::from(self.scanner.rules.rules().get(hit.rule).is_some_and(|rule| rule.shape)),
        }
    }

    /// Of overlapping hits the most specific one, then one whose check holds, then the longest.
    fn resolved(&self, mut hits: Vec<Hit>) -> Vec<Hit> {
        hits.sort_by_key(|hit| {
            let is_verified = hit.checked.confidence == Confidence::VerifiedStructure;
            let length = std::cmp::Reverse(hit.span.len());
            (self.rank(hit), !is_verified, length, hit.span.start, hit.rule)
        });
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
                from = seen.offset + seen.len;
            }
        }
        out.extend_from_slice(text.as_bytes().get(from..).unwrap_or_default());
        String::from_utf8_lossy(&out).into_owned()
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
