//! Tokens without a form of their own: told by a word in the name they are assigned to.

use crate::compiled::syntax_config;
use crate::{Error, Rule};
use aho_corasick::AhoCorasick;
use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input, Span};
use std::sync::OnceLock;

/// Longer values are no tokens.
const MAX_VALUE_BYTES: usize = 16 << 10;

/// The rules with context words.
pub(crate) struct ContextRules {
    /// `_word` of every rule: words begin parts of names.
    words: AhoCorasick,
    stems: Stems,
    /// Index of the rule of each word.
    owners: Vec<usize>,
    /// Pattern of each rule with context words.
    patterns: Vec<Option<Pattern>>,
}

/// Compiled when its word is first seen: most never are, and a short scan would be mostly
/// that. Files of users were checked when they were read, embedded ones are by a test.
struct Pattern {
    is_shape: bool,
    source: String,
    regex: OnceLock<Option<Regex>>,
}

impl Pattern {
    fn of(rule: &Rule) -> Self {
        Self { is_shape: rule.shape, source: rule.pattern.clone(), regex: OnceLock::new() }
    }

    fn find(&self, input: Input<'_>) -> Option<usize> {
        let compile = || {
            let config = Regex::config().utf8_empty(false);
            Regex::builder().syntax(syntax_config()).configure(config).build(&self.source).ok()
        };
        self.regex.get_or_init(compile).as_ref()?.find(input).map(|fit| fit.end())
    }
}

impl ContextRules {
    pub(crate) fn new(rules: &[Rule]) -> Result<Self, Error> {
        let (mut words, mut owners, mut patterns) = (Vec::new(), Vec::new(), Vec::new());
        for (index, rule) in rules.iter().enumerate() {
            for word in &rule.context {
                words.push(format!("_{word}"));
                owners.push(index);
            }
            patterns.push((!rule.context.is_empty()).then(|| Pattern::of(rule)));
        }
        Ok(Self { stems: Stems::of(&words), words: AhoCorasick::new(words)?, owners, patterns })
    }

    /// Rules whose word the name holds and whose pattern the value fits, with the span of
    /// the value.
    pub(crate) fn find(&self, text: &[u8], name: Span, value: Span, mut found: impl FnMut(usize, Span)) {
        let name = text.get(name.range()).unwrap_or_default();
        if value.len() < 8 || !names_secret(name) {
            return;
        }
        let parts = parts(name);
        let mut tried = None;
        for hit in self.words.find_overlapping_iter(&parts) {
            let Some(rule) = self.owners.get(hit.pattern().as_usize()).copied() else { continue };
            let Some(Some(pattern)) = self.patterns.get(rule).filter(|_| tried != Some(rule)) else {
                continue;
            };
            tried = Some(rule);
            let to = text.len().min(value.start + MAX_VALUE_BYTES);
            let input = Input::new(text).range(value.start..to).anchored(Anchored::Yes);
            let Some(end) = pattern.find(input) else { continue };
            let bytes = text.get(value.start..end).unwrap_or_default();
            // A shape alone fits identifiers, too.
            if pattern.is_shape && !bytes.iter().any(u8::is_ascii_digit) {
                continue;
            }
            let wordy = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            if end >= value.end || !text.get(end).is_some_and(wordy) {
                found(rule, Span::from(value.start..end));
            }
        }
    }

    /// Whether a name holds a word of some rule.
    pub(crate) fn knows(&self, name: &[u8]) -> bool {
        let mut before = b'_';
        let begins = |(at, byte): (usize, &u8)| {
            let is_first =
                b"_-.".contains(&before) || byte.is_ascii_uppercase() && !before.is_ascii_uppercase();
            before = *byte;
            is_first && self.stems.contains(stem(&name[at..]))
        };
        name.iter().enumerate().any(begins) && names_secret(name) && self.words.is_match(&parts(name))
    }
}

/// The first letters of words: nearly all names have none of them.
struct Stems(Vec<u64>);

impl Stems {
    fn of(words: &[String]) -> Self {
        let mut stems = Self(vec![0; 1 << 9]);
        for word in words {
            let word = word.trim_start_matches('_').as_bytes();
            // Names have several signs between parts, or none; and anything behind a word.
            let letters = word.iter().take(3).take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let stem = stem(word) & !0 << (5 * (3 - letters));
            for rest in 0..1 << (5 * (3 - letters)) {
                stems.0[(stem | rest) >> 6] |= 1 << ((stem | rest) & 63);
            }
        }
        stems
    }

    fn contains(&self, stem: usize) -> bool {
        self.0[stem >> 6] >> (stem & 63) & 1 != 0
    }
}

/// A number of the first three letters of a part of a name, in either case.
fn stem(part: &[u8]) -> usize {
    (0..3).fold(0, |stem, at| stem << 5 | usize::from(part.get(at).map_or(0, |byte| byte & 31)))
}

/// A name as its parts: `_dd_api_key_` of `DD-API-KEY`, `ddApiKey` and `dd.api.key`.
fn parts(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * name.len() + 2);
    out.push(b'_');
    let mut was_lower = false;
    for byte in name {
        if byte.is_ascii_uppercase() && was_lower {
            out.push(b'_');
        }
        was_lower = byte.is_ascii_lowercase() || byte.is_ascii_digit() && was_lower;
        out.push(if b"-.".contains(byte) { b'_' } else { byte.to_ascii_lowercase() });
    }
    out.push(b'_');
    out
}

/// Last parts of such names: `datadog_key_sha256`, `okta_client_id`, `sonar.login.url`.
const OTHERS: &[&[u8]] = &[
    b"secretsmanager",
    b"sha",
    b"sha1",
    b"sha256",
    b"sha512",
    b"md5",
    b"hash",
    b"digest",
    b"checksum",
    b"fingerprint",
    b"id",
    b"version",
    b"path",
    b"file",
    b"url",
    b"uri",
    b"name",
    b"commit",
    b"ref",
    b"rev",
    b"etag",
    b"uuid",
    b"count",
    b"arn",
    b"type",
    b"expiry",
    b"length",
];

/// Whether a name ends like that of a secret.
pub(crate) fn names_secret(name: &[u8]) -> bool {
    let start = name.iter().rposition(|byte| b"_-.".contains(byte)).map_or(0, |at| at + 1);
    let last = name.get(start..).unwrap_or_default();
    // `clientId`: a capital begins a part, too.
    let is_camel = |other: &[u8]| {
        last.len() > other.len()
            && last.get(last.len() - other.len()..).is_some_and(|end| {
                end.first().is_some_and(u8::is_ascii_uppercase)
                    && end.eq_ignore_ascii_case(other)
                    && last.iter().any(u8::is_ascii_lowercase)
            })
    };
    !OTHERS.iter().any(|other| last.eq_ignore_ascii_case(other) || is_camel(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_into_parts() {
        for name in ["DD-API-KEY", "ddApiKey", "dd.api.key", "DD_API_KEY", "Dd-Api-Key"] {
            assert_eq!(parts(name.as_bytes()), b"_dd_api_key_", "{name}");
        }
        assert_eq!(parts(b"N8N_KEY"), b"_n8n_key_");
    }

    #[test]
    fn names_of_digests_and_ids_announce_no_secret() {
        for name in ["okta_client_id", "OKTA_CLIENT_ID", "clientId", "dd_key.sha256", "k_url"] {
            assert!(!names_secret(name.as_bytes()), "{name}");
        }
        for name in ["okta_client_secret", "apiKey", "TOKEN", "valid", "VALID"] {
            assert!(names_secret(name.as_bytes()), "{name}");
        }
    }
}
