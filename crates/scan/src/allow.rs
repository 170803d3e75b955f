//! What is seen but not reported, and why.
//!
//! Nothing is lost: a suppressed sighting stays in the scan with its reason. Comments in
//! the text itself are honoured only when they are turned on: whoever can print to a run
//! log could hide a leak behind one.

use crate::user_rules::{Diagnostic, Level};
use crate::{Error, Sighting};
use leakgraph_model::Timestamp;
use regex_automata::Span;
use regex_automata::meta::Regex;
use std::collections::{BTreeMap, BTreeSet};

/// So far around a sighting its line is looked at.
const MAX_LINE_REACH_BYTES: usize = 4096;
const SECONDS_PER_DAY: i64 = 86_400;

/// What suppressed a sighting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AllowedBy {
    /// A comment on its line.
    Comment,
    /// Its fingerprint is on a list.
    Fingerprint,
    /// The path of the text, with or without further conditions.
    Path,
    /// A pattern that the value, the match or the line fits.
    Pattern,
    /// A word in the value.
    StopWord,
}

impl AllowedBy {
    /// The name used in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::Fingerprint => "fingerprint",
            Self::Path => "path",
            Self::Pattern => "pattern",
            Self::StopWord => "stop_word",
        }
    }
}

/// A sighting that is not reported.
#[derive(Clone, Debug)]
pub struct Suppressed {
    /// What was seen.
    pub sighting: Sighting,
    /// What suppressed it.
    pub by: AllowedBy,
    /// The reason its author gave.
    pub reason: String,
}

/// What an allowlist's patterns are compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Target {
    #[default]
    Secret,
    Match,
    Line,
}

/// Conditions under which a sighting is suppressed.
#[derive(Default, Clone)]
pub(crate) struct Allowlist {
    pub(crate) reason: String,
    /// `None`: all rules.
    pub(crate) rules: Option<BTreeSet<String>>,
    /// Whether every kind of condition has to hold, not just one.
    pub(crate) is_all: bool,
    pub(crate) paths: Vec<Regex>,
    pub(crate) patterns: Vec<Regex>,
    pub(crate) target: Target,
    /// Lower case.
    pub(crate) stop_words: Vec<String>,
}

/// A hit, as allowlists judge it.
pub(crate) struct Subject<'a> {
    pub(crate) rule: &'a str,
    pub(crate) value: &'a [u8],
    /// The whole match of the rule.
    pub(crate) matched: &'a [u8],
    /// The lines the match stands on.
    pub(crate) line: &'a [u8],
    pub(crate) path: &'a str,
    pub(crate) fingerprint: &'a str,
}

struct AllowedFingerprint {
    reason: String,
}

/// What to suppress, besides what rule files say.
#[derive(Default)]
pub struct Allow {
    comments: bool,
    fingerprints: BTreeMap<String, AllowedFingerprint>,
    key_id: Option<String>,
}

impl Allow {
    /// Suppresses nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Honours `leakgraph:allow`, `leakgraph:allow=RULE[,RULE]` and `gitleaks:allow` on the line of
    /// a secret. Off by default: the author of a log is not the author of an exception.
    #[must_use]
    pub fn with_comments(mut self) -> Self {
        self.comments = true;
        self
    }

    /// Whether it suppresses nothing.
    pub(crate) fn is_empty(&self) -> bool {
        !self.comments && self.fingerprints.is_empty()
    }

    /// How many fingerprints are allowed.
    pub fn fingerprints(&self) -> usize {
        self.fingerprints.len()
    }

    /// Adds a list of fingerprints: one of 32 hex digits per line, then optionally
    /// `until=YYYY-MM-DD` (the last day it holds, UTC) and a reason in words. `#` begins a
    /// comment; a line `key_id=…` says under which key they were made. Entries that ended
    /// before `now` are left out with a warning.
    ///
    /// # Errors
    /// `Error::UserRules` with every line that is not of this form.
    pub fn add_fingerprints(
        &mut self,
        file: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<Vec<Diagnostic>, Error> {
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        let mut read = Self::default();
        for (index, line) in text.lines().enumerate() {
            let say = |level: Level, message: String| Diagnostic {
                file: file.to_owned(),
                line: index + 1,
                rule: None,
                level,
                message,
            };
            let line = line.split_once('#').map_or(line, |(before, _)| before).trim();
            if line.is_empty() {
                continue;
            }
            if let Some(id) = line.strip_prefix("key_id=") {
                read.key_id = Some(id.trim().to_owned());
                continue;
            }
            match fingerprint_line(line, now) {
                Ok((fingerprint, Some(reason))) => {
                    read.fingerprints.insert(fingerprint, AllowedFingerprint { reason });
                }
                Ok((fingerprint, None)) => {
                    warnings.push(say(Level::Warning, format!("the exception for {fingerprint} has ended")));
                }
                Err(reason) => errors.push(say(Level::Error, reason)),
            }
        }
        if let (Some(old), Some(new)) = (&self.key_id, &read.key_id)
            && old != new
        {
            let message = format!("made under key {new}, other lists under {old}");
            errors.push(Diagnostic {
                file: file.to_owned(),
                line: 1,
                rule: None,
                level: Level::Error,
                message,
            });
        }
        if !errors.is_empty() {
            return Err(Error::UserRules(errors));
        }
        self.key_id = read.key_id.or_else(|| self.key_id.take());
        self.fingerprints.extend(read.fingerprints);
        Ok(warnings)
    }

    /// Refuses lists made under another key: they could not match.
    pub(crate) fn fits_key(&self, key_id: &str) -> Result<(), Error> {
        match &self.key_id {
            Some(id) if id != key_id => Err(Error::AllowKey { list: id.clone(), scanner: key_id.to_owned() }),
            _ => Ok(()),
        }
    }

    pub(crate) fn by_fingerprint(&self, fingerprint: &str) -> Option<(AllowedBy, String)> {
        let allowed = self.fingerprints.get(fingerprint)?;
        Some((AllowedBy::Fingerprint, allowed.reason.clone()))
    }

    /// Whether a hit is suppressed, by what, and the reason.
    pub(crate) fn judge(&self, subject: &Subject, lists: &[Allowlist]) -> Option<(AllowedBy, String)> {
        self.by_fingerprint(subject.fingerprint)
            .or_else(|| {
                let comment = self.comments.then(|| comment(subject.line, subject.rule)).flatten()?;
                Some((AllowedBy::Comment, comment.to_owned()))
            })
            .or_else(|| lists.iter().find_map(|list| list.judge(subject).map(|by| (by, list.reason.clone()))))
    }
}

/// A fingerprint and its reason; no reason if it has ended.
fn fingerprint_line(line: &str, now: Timestamp) -> Result<(String, Option<String>), String> {
    let mut words = line.split_whitespace();
    let fingerprint = words.next().unwrap_or_default().to_ascii_lowercase();
    if fingerprint.len() != 32 || !fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("a fingerprint has 32 hex digits".to_owned());
    }
    let mut reason: Vec<&str> = Vec::new();
    let mut has_ended = false;
    for word in words {
        match word.strip_prefix("until=") {
            Some(day) => has_ended |= end_of_day(day)? <= now,
            None => reason.push(word),
        }
    }
    let reason = reason.join(" ");
    let reason = reason.strip_prefix("reason=").unwrap_or(&reason).to_owned();
    Ok((fingerprint, (!has_ended).then_some(reason)))
}

/// The moment after a day given as `YYYY-MM-DD`.
pub(crate) fn end_of_day(day: &str) -> Result<Timestamp, String> {
    let start = Timestamp::parse(&format!("{day}T00:00:00Z"));
    let start = start.ok_or_else(|| format!("`until={day}` is not a date of the form YYYY-MM-DD"))?;
    Ok(Timestamp(start.0 + Timestamp::from_seconds(SECONDS_PER_DAY).0))
}

impl Allowlist {
    fn judge(&self, subject: &Subject) -> Option<AllowedBy> {
        if self.rules.as_ref().is_some_and(|rules| !rules.contains(subject.rule)) {
            return None;
        }
        let target = match self.target {
            Target::Secret => subject.value,
            Target::Match => subject.matched,
            Target::Line => subject.line,
        };
        let value = subject.value.to_ascii_lowercase();
        let value = zeroize::Zeroizing::new(value);
        let has_word = |word: &String| memchr::memmem::find(&value, word.as_bytes()).is_some();
        let by_path = !subject.path.is_empty() && self.paths.iter().any(|path| path.is_match(subject.path));
        let by_pattern = self.patterns.iter().any(|pattern| pattern.is_match(target));
        let checks = [
            (!self.stop_words.is_empty(), self.stop_words.iter().any(has_word), AllowedBy::StopWord),
            (!self.patterns.is_empty(), by_pattern, AllowedBy::Pattern),
            (!self.paths.is_empty(), by_path, AllowedBy::Path),
        ];
        let mut asked = checks.iter().filter(|(is_asked, ..)| *is_asked);
        if self.is_all {
            let first = asked.clone().next()?;
            asked.all(|(_, holds, _)| *holds).then_some(first.2)
        } else {
            asked.find(|(_, holds, _)| *holds).map(|(.., by)| *by)
        }
    }
}

/// The comment on a line that allows a rule.
fn comment(line: &[u8], rule: &str) -> Option<&'static str> {
    if memchr::memmem::find(line, b"gitleaks:allow").is_some() {
        return Some("gitleaks:allow");
    }
    const WORD: &[u8] = b"leakgraph:allow";
    let mut finder = memchr::memmem::find_iter(line, WORD);
    finder.find_map(|at| {
        let rest = line.get(at + WORD.len()..).unwrap_or_default();
        let Some(names) = rest.strip_prefix(b"=") else { return Some("leakgraph:allow") };
        let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_.,".contains(*byte);
        let length = names.iter().take_while(is_name).count();
        let mut names = names.get(..length).unwrap_or_default().split(|byte| *byte == b',');
        names.any(|name| name == rule.as_bytes()).then_some("leakgraph:allow=")
    })
}

/// The lines of `text` that `span` stands on, as far as they are near.
pub(crate) fn lines_around(text: &[u8], span: Span) -> &[u8] {
    let from = span.start.saturating_sub(MAX_LINE_REACH_BYTES);
    let to = text.len().min(span.end + MAX_LINE_REACH_BYTES);
    let before = text.get(from..span.start).unwrap_or_default();
    let start = from + memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let after = text.get(span.end..to).unwrap_or_default();
    let end = span.end + memchr::memchr(b'\n', after).unwrap_or(after.len());
    text.get(start..end).unwrap_or_default()
}

/// A path glob as an expression: `*` and `?` stay within a folder, `**` does not.
pub(crate) fn glob(glob: &str) -> Result<Regex, String> {
    let mut pattern = String::from("^");
    let mut rest = glob;
    while let Some(letter) = rest.chars().next() {
        let (piece, used) = match letter {
            _ if rest.starts_with("**/") => ("(?:.*/)?".to_owned(), 3),
            _ if rest.starts_with("**") => (".*".to_owned(), 2),
            '*' => ("[^/]*".to_owned(), 1),
            '?' => ("[^/]".to_owned(), 1),
            _ => {
                let mut piece = String::new();
                regex_syntax::escape_into(letter.encode_utf8(&mut [0; 4]), &mut piece);
                (piece, letter.len_utf8())
            }
        };
        pattern.push_str(&piece);
        rest = rest.get(used..).unwrap_or_default();
    }
    pattern.push('$');
    Regex::new(&pattern).map_err(|_| format!("the glob `{glob}` cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_stay_within_folders() {
        let fits = |pattern: &str, path: &str| glob(pattern).unwrap().is_match(path);
        assert!(fits("logs/*.txt", "logs/a.txt") && !fits("logs/*.txt", "logs/b/a.txt"));
        assert!(fits("**/a.txt", "a.txt") && fits("**/a.txt", "x/y/a.txt"));
        assert!(fits("logs/**", "logs/x/y.txt") && !fits("logs/**", "old/logs/x"));
        assert!(fits("a?c+", "abc+") && !fits("a?c+", "a/c+"));
    }

    #[test]
    fn comments_name_rules() {
        assert!(comment(b"x # leakgraph:allow", "any").is_some());
        assert!(comment(b"x # leakgraph:allow=one,two;", "two").is_some());
        assert!(comment(b"x # leakgraph:allow=one", "two").is_none());
        assert!(comment(b"x // gitleaks:allow", "any").is_some());
        assert!(comment(b"x", "any").is_none());
    }

    #[test]
    fn lines_are_found_around_spans() {
        let text = b"one\ntwo three\nfour";
        assert_eq!(lines_around(text, Span::from(8..13)), b"two three");
        assert_eq!(lines_around(text, Span::from(8..15)), b"two three\nfour");
        assert_eq!(lines_around(text, Span::from(0..1)), b"one");
    }
}
