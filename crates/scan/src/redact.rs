//! Text that is bound for a table, without the secrets it quotes.
//!
//! Names of steps, runs and archive members are made from commands, so they hold
//! whole secrets and, cut to length or with characters replaced, parts of them.
//! A part is not reported as a secret, but it is not written either.

use crate::compiled::syntax_config;
use crate::{Rule, Worker};
use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use regex_automata::Span;
use regex_automata::meta::Regex;
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// Keywords shorter than this say too little about what follows them.
const MIN_PREFIX_BYTES: usize = 4;
/// Fewer characters after a prefix are no telling part of a secret.
const MIN_PART_BYTES: usize = 8;
/// So much of a part tells whether it looks drawn.
const MAX_JUDGED_BYTES: usize = 512;

/// What parts of secrets look like.
pub(crate) struct Parts {
    prefixes: AhoCorasick,
    kinds: Vec<String>,
}

/// Users with their passwords in addresses. A slash may not stand in a file name, so `://`
/// is `:__` there. Of bytes: repeated so often, characters of Unicode take milliseconds to compile.
static USERINFO: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"[a-z]:[/_]{2}[^\s:@/]{0,64}:[^\s@]{4,256}@";
    Regex::builder().syntax(syntax_config()).build(pattern).expect("a constant pattern")
});

impl Parts {
    pub(crate) fn new(rules: &[Rule]) -> Result<Self, BuildError> {
        let (mut prefixes, mut kinds) = (Vec::new(), Vec::new());
        for rule in rules {
            for keyword in rule.keywords.iter().filter(|keyword| is_prefix(keyword)) {
                prefixes.push(keyword.as_str());
                kinds.push(rule.kind.clone());
            }
        }
        // What is left of a private key is all that follows its first line.
        for end in ["KEY-----", "BLOCK-----"] {
            prefixes.push(end);
            kinds.push("private_key".to_owned());
        }
        let prefixes = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(prefixes)?;
        Ok(Self { prefixes, kinds })
    }

    /// Parts but those of the kinds in `kept`, none inside another, in order.
    fn find(&self, text: &str, kept: &[&str]) -> Vec<(Span, &str)> {
        let bytes = text.as_bytes();
        let mut found = Vec::new();
        // Where the token and the line end that were read last.
        let (mut token_end, mut line_end) = (0, 0);
        for hit in self.prefixes.find_iter(text) {
            let kind = self.kinds[hit.pattern().as_usize()].as_str();
            let is_key = kind == "private_key";
            let rest = |from: usize| bytes.get(from..).unwrap_or_default().iter();
            if is_key && line_end <= hit.end() {
                line_end =
                    rest(hit.end()).position(|byte| *byte == b'\n').map_or(bytes.len(), |at| hit.end() + at);
            } else if !is_key && token_end <= hit.end() {
                token_end = rest(hit.end())
                    .position(|byte| !is_token(*byte))
                    .map_or(bytes.len(), |at| hit.end() + at);
            }
            let end = if is_key { line_end } else { token_end };
            let part = bytes.get(hit.end()..end).unwrap_or_default();
            let head = part.get(..part.len().min(MAX_JUDGED_BYTES)).unwrap_or_default();
            if part.len() >= MIN_PART_BYTES && (is_key || is_random(head)) {
                found.push((Span::from(hit.start()..end), kind));
            }
        }
        let has_userinfo = memchr::memchr(b'@', bytes).is_some();
        let userinfo = has_userinfo.then(|| USERINFO.find_iter(text)).into_iter().flatten();
        found.extend(userinfo.map(|hit| (hit.span(), "uri_credential")));
        found.retain(|(_, kind)| !kept.contains(kind));
        found.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
        let mut reach = 0;
        found.retain(|(span, _)| {
            let is_new = reach < span.end;
            reach = reach.max(span.end);
            is_new
        });
        found
    }
}

fn is_prefix(keyword: &str) -> bool {
    let is_marked = keyword.bytes().any(|byte| !byte.is_ascii_alphanumeric());
    keyword == "eyJ" || keyword.len() >= MIN_PREFIX_BYTES && is_marked && keyword.bytes().all(is_token)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.~+/=%".contains(&byte)
}

/// Whether text looks drawn rather than written: many digits, or capitals in mid-word.
pub(crate) fn is_random(text: &[u8]) -> bool {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let rises =
        text.windows(2).filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()).count();
    digits >= 2 && digits * 12 >= text.len() || rises * 8 > text.len()
}

/// Whether text can be the name of a variable or option, and is no piece of a value.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 80
        && text.split(|c: char| !c.is_ascii_alphanumeric()).all(|word| {
            let digits = word.bytes().filter(u8::is_ascii_digit).count();
            word.len() <= 40 && digits <= 5 && !(word.len() > 12 && is_random(word.as_bytes()))
        })
}

/// The lines that have an underscore, an empty line between any two, and where each begins
/// there and in `text`.
fn underscored(text: &str) -> (Zeroizing<String>, Vec<(usize, usize)>) {
    // All its room at once: what grows leaves copies behind.
    let room = if text.contains('_') { text.len() + 2 * text.lines().count() } else { 0 };
    let mut joined = Zeroizing::new(String::with_capacity(room));
    let (mut places, mut offset) = (Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        if line.contains('_') {
            places.push((joined.len(), offset));
            joined.push_str(line);
            joined.push_str("\n\n");
        }
        offset += line.len();
    }
    (joined, places)
}

/// A span of the joined lines as one of the whole text.
fn in_whole(places: &[(usize, usize)], span: Span) -> Span {
    let place = places.partition_point(|(joined, _)| *joined <= span.start).checked_sub(1);
    let (joined, whole) = place.and_then(|at| places.get(at)).copied().unwrap_or_default();
    Span::from(span.start - joined + whole..span.end - joined + whole)
}

impl Worker<'_> {
    /// Replaces every secret found, and every part of one, by its kind.
    pub fn redact(&mut self, text: &str) -> String {
        self.redacted(text, &[]).unwrap_or_else(|| text.to_owned())
    }

    /// As [`redact`](Self::redact), leaving the kinds in `kept` as they are; `None` if
    /// there is nothing to take out.
    pub fn redacted(&mut self, text: &str, kept: &[&str]) -> Option<String> {
        let mut cuts = self.cuts(text, kept);
        let (joined, places) = underscored(text);
        if !joined.is_empty() {
            // Slashes and blanks of a command may be underscores in a file name.
            for lost in ["/", " "] {
                let cut = self.cuts(&Zeroizing::new(joined.replace('_', lost)), kept);
                cuts.extend(cut.into_iter().map(|(span, mark)| (in_whole(&places, span), mark)));
            }
        }
        if cuts.is_empty() {
            return None;
        }
        cuts.sort_by_key(|(span, _)| (span.start, span.end));
        let mut out = Vec::with_capacity(text.len());
        let mut from = 0;
        for (span, mark) in cuts {
            // Several secrets behind one encoding share its bytes.
            if span.start >= from {
                out.extend_from_slice(text.as_bytes().get(from..span.start).unwrap_or_default());
                out.extend_from_slice(mark.as_bytes());
            }
            from = from.max(span.end);
        }
        out.extend_from_slice(text.as_bytes().get(from..).unwrap_or_default());
        Some(String::from_utf8_lossy(&out).into_owned())
    }

    /// What to take out, and what to write instead.
    fn cuts(&mut self, text: &str, kept: &[&str]) -> Vec<(Span, String)> {
        let mut cuts: Vec<(Span, String)> = Vec::new();
        let scan = self.scan(text.as_bytes());
        // An exception is no reason to show a secret.
        let excused = scan.suppressed.into_iter().map(|suppressed| suppressed.sighting);
        for seen in scan.sightings.into_iter().chain(excused) {
            let mark = format!("[{} {}]", seen.kind, seen.fingerprint.get(..8).unwrap_or_default());
            let span = Span::from(seen.offset..seen.offset + seen.len);
            cuts.extend((!kept.contains(&seen.kind.as_str())).then_some((span, mark)));
        }
        let mut whole: Vec<Span> = cuts.iter().map(|(span, _)| *span).collect();
        whole.sort_by_key(|span| span.start);
        let mut whole = whole.into_iter().peekable();
        let mut reach = 0;
        for (span, kind) in self.parts().find(text, kept) {
            while let Some(cut) = whole.next_if(|cut| cut.start <= span.start) {
                reach = reach.max(cut.end);
            }
            if reach < span.end {
                cuts.push((span, format!("[part of {kind}]")));
            }
        }
        cuts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_pieces_of_values() {
        for name in ["AWS_SECRET_ACCESS_KEY", "token", "--password", "googleApplicationCredentials", "sha256"]
        {
            assert!(is_name(name), "{name}");
        }
        for piece in ["-89568790950549-7c75", "QWxhZGRpbjpvcGVuIHNlc2FtZQ", "9f86d081884c7d659a2feaa0"] {
            assert!(!is_name(piece), "{piece}");
        }
    }

    #[test]
    fn parts_inside_parts_are_one_and_kept_kinds_cover_nothing() {
        let rules = crate::RuleSet::builtin().unwrap();
        let parts = Parts::new(rules.rules()).unwrap();
        let part = ["gl", "pat-1a2b"].concat();
        let text = format!("run {part}{part}3c4d5e6f --now {part}9z8y7x6w");
        let spans: Vec<&str> =
            parts.find(&text, &[]).iter().map(|(span, _)| text.get(span.range()).unwrap()).collect();
        assert_eq!(spans, [format!("{part}{part}3c4d5e6f"), format!("{part}9z8y7x6w")]);
        let kind = parts.find(&text, &[]).first().unwrap().1;
        assert!(parts.find(&text, &[kind]).is_empty());
    }

    #[test]
    fn written_words_are_not_random() {
        for text in ["config_registry_url", "lifecycle_event", "ReleaseCandidateBuild"] {
            assert!(!is_random(text.as_bytes()), "{text}");
        }
    }
}
