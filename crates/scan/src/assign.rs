//! Secrets that no provider gave a form: `name = value`, and what stands before a value.

use crate::gate::{entropy, is_mixed, is_placeholder};
use aho_corasick::AhoCorasick;
use regex_automata::Span;

/// How much a part of a name says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    /// Only beside a provider's name.
    Context,
    Weak,
    Strong,
}
use Strength::{Context, Strong, Weak};

/// Parts of names that announce a secret.
const NAMES: [(&str, Strength); 25] = [
    ("password", Strong),
    ("passwd", Strong),
    ("passphrase", Strong),
    ("secret", Strong),
    ("api_key", Strong),
    ("apikey", Strong),
    ("api-key", Strong),
    ("access_key", Strong),
    ("accesskey", Strong),
    ("private_key", Strong),
    ("auth_token", Strong),
    ("access_token", Strong),
    ("token", Weak),
    ("credential", Weak),
    ("pwd", Weak),
    ("bearer", Weak),
    ("key", Context),
    ("auth", Context),
    ("pass", Context),
    ("license", Context),
    ("login", Context),
    ("cert", Context),
    ("base64", Context),
    ("_pat", Context),
    ("-pat", Context),
];
const MIN_VALUE_BYTES: usize = 8;
const MAX_VALUE_BYTES: usize = 512;
const MAX_NAME_BYTES: usize = 80;
/// Below this many bits per byte a value is a word.
const MIN_ENTROPY: f64 = 3.0;
/// From here on a long value under a strong name is likely a secret.
const LIKELY_ENTROPY: f64 = 3.5;
const LIKELY_BYTES: usize = 16;

/// An assignment whose name announces a secret.
pub(crate) struct Assignment {
    pub(crate) name: Span,
    pub(crate) value: Span,
    /// Whether name and value alone make a secret of it.
    pub(crate) is_plausible: bool,
    pub(crate) is_likely: bool,
}

pub(crate) struct Assignments {
    names: AhoCorasick,
}

impl Assignments {
    pub(crate) fn new() -> Result<Self, aho_corasick::BuildError> {
        let names = AhoCorasick::builder()
            .kind(Some(aho_corasick::AhoCorasickKind::DFA))
            .match_kind(aho_corasick::MatchKind::LeftmostLongest)
            .ascii_case_insensitive(true)
            .build(NAMES.map(|(name, _)| name))?;
        Ok(Self { names })
    }

    pub(crate) fn find(&self, text: &[u8], mut found: impl FnMut(Assignment)) {
        let mut done = 0;
        for hit in self.names.find_iter(text) {
            if hit.start() < done {
                continue;
            }
            let name = name_around(text, Span::from(hit.start()..hit.end()));
            done = name.end;
            let signed = value_after(text, name.end);
            let Some(value) = signed.or_else(|| flag_value(text, name)) else { continue };
            let bytes = text.get(value.range()).unwrap_or_default();
            let strength = self.strength(text.get(name.range()).unwrap_or_default());
            let is_plausible = signed.is_some() && strength > Context && is_plausible(bytes);
            if is_plausible {
                done = value.end;
            }
            let is_likely = strength == Strong
                && bytes.len() >= LIKELY_BYTES
                && entropy(bytes) >= LIKELY_ENTROPY
                && is_mixed(bytes);
            found(Assignment { name, value, is_plausible, is_likely });
        }
    }

    fn strength(&self, name: &[u8]) -> Strength {
        let of =
            |hit: aho_corasick::Match| NAMES.get(hit.pattern().as_usize()).map(|(_, strength)| *strength);
        self.names.find_iter(name).filter_map(of).max().unwrap_or(Context)
    }
}

/// The value of `--name value`.
fn flag_value(text: &[u8], name: Span) -> Option<Span> {
    if !text.get(name.range())?.starts_with(b"--") {
        return None;
    }
    let rest = text.get(name.end..)?.strip_prefix(b" ")?;
    let quotes = count(rest, b"\"'\\", 2);
    let value = rest.get(quotes..)?;
    let length = value
        .iter()
        .take(MAX_VALUE_BYTES + 1)
        .position(|byte| byte.is_ascii_whitespace() || b"\"'\\".contains(byte))
        .unwrap_or(value.len());
    let start = name.end + 1 + quotes;
    Some(Span::from(start..start + length))
}

fn in_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(byte)
}

fn name_around(text: &[u8], part: Span) -> Span {
    let before = text.get(..part.start).unwrap_or_default();
    let start = before.iter().rev().take(MAX_NAME_BYTES).take_while(|byte| in_name(byte)).count();
    let after = text.get(part.end..).unwrap_or_default();
    let end = after.iter().take(MAX_NAME_BYTES).take_while(|byte| in_name(byte)).count();
    Span::from(part.start - start..part.end + end)
}

/// The value behind `name`: `="…"`, `: …`, `=> …`, with quotes that may be escaped.
fn value_after(text: &[u8], name_end: usize) -> Option<Span> {
    let rest = text.get(name_end..)?;
    let mut at = count(rest, b"\"'\\ ", 3);
    let sign = rest.get(at..)?;
    at += match sign {
        [b'=', b'>', ..] | [b':', b'=', ..] => 2,
        [b'=' | b':', ..] => 1,
        _ => return None,
    };
    at += count(rest.get(at..)?, b" \t", 4);
    let quotes = count(rest.get(at..)?, b"\"'\\`", 3);
    let start = at + quotes;
    let ends: &[u8] = if quotes > 0 { b"\"'\\`\n" } else { b" \t\n\"'\\`,;)}]<>|&" };
    let value = rest.get(start..)?;
    let length =
        value.iter().take(MAX_VALUE_BYTES + 1).position(|byte| ends.contains(byte)).unwrap_or(value.len());
    Some(Span::from(name_end + start..name_end + start + length))
}

fn count(text: &[u8], set: &[u8], most: usize) -> usize {
    text.iter().take(most).take_while(|byte| set.contains(byte)).count()
}

fn is_plausible(value: &[u8]) -> bool {
    let is_path = value.starts_with(b"/") || value.starts_with(b"./") || value.starts_with(b"~");
    let is_link = memchr::memmem::find(value, b"://").is_some();
    let is_call = value.iter().any(|byte| b"(){}[]".contains(byte));
    (MIN_VALUE_BYTES..=MAX_VALUE_BYTES).contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_graphic())
        && !is_path
        && !is_link
        && !is_call
        && !is_placeholder(value)
        && entropy(value) >= MIN_ENTROPY
        && is_mixed(value)
}

/// The name a value is assigned to, where `text` shows one before `start`.
pub(crate) fn name_before(text: &[u8], start: usize) -> Option<String> {
    let before = text.get(..start)?;
    let cut = before.len() - before.iter().rev().take(3).take_while(|byte| b"\"'\\`".contains(byte)).count();
    let mut rest = before.get(..cut)?;
    rest = rest.trim_ascii_end();
    let sign =
        rest.strip_suffix(b"=>").or_else(|| rest.strip_suffix(b":=")).or_else(|| rest.strip_suffix(b"="));
    rest = sign.or_else(|| rest.strip_suffix(b":"))?;
    rest = rest
        .get(..rest.len() - rest.iter().rev().take(3).take_while(|byte| b"\"'\\ ".contains(byte)).count())?;
    let length = rest.iter().rev().take(MAX_NAME_BYTES).take_while(|byte| in_name(byte)).count();
    let name = rest.get(rest.len() - length..)?;
    let is_name = name.len() >= 2 && name.iter().any(u8::is_ascii_alphabetic);
    is_name.then(|| String::from_utf8_lossy(name).into_owned())
}

/// A header's value: `authorization: Bearer …`. Gives scheme and value.
pub(crate) fn authorizations(text: &[u8], finder: &AhoCorasick, mut found: impl FnMut(&'static str, Span)) {
    for hit in finder.find_iter(text) {
        let rest = text.get(hit.end()..).unwrap_or_default();
        let lead = count(rest, b"\"'\\:= \t", 6);
        let rest = rest.get(lead..).unwrap_or_default();
        let schemes: [(&[u8], &'static str); 3] =
            [(b"bearer ", "bearer"), (b"basic ", "basic"), (b"token ", "token")];
        for (word, scheme) in schemes {
            let fits = rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
            if !fits {
                continue;
            }
            let start = hit.end() + lead + word.len();
            let value = text.get(start..).unwrap_or_default();
            let in_value = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(*byte);
            let length = value.iter().take(4096).take_while(in_value).count();
            let bytes = value.get(..length).unwrap_or_default();
            if length >= 16 && !is_placeholder(bytes) && entropy(bytes) >= MIN_ENTROPY {
                found(scheme, Span::from(start..start + length));
            }
        }
    }
}

/// Exactly 40 letters of base 64 that look random: the form of an AWS secret access key.
pub(crate) fn aws_secrets_near(text: &[u8], key_id: Span, reach: usize, mut found: impl FnMut(Span)) {
    let from = key_id.start.saturating_sub(reach);
    let to = text.len().min(key_id.end + reach);
    let mut at = from;
    while at < to {
        let run = text.get(at..to).unwrap_or_default().iter().take_while(|byte| is_base64(byte)).count();
        let whole = at == 0 || !text.get(at - 1).is_some_and(is_base64);
        if run == 40 && whole && is_aws_secret(text.get(at..at + run).unwrap_or_default()) {
            found(Span::from(at..at + run));
        }
        at += run.max(1);
    }
}

fn is_base64(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/".contains(byte)
}

pub(crate) fn is_aws_secret(value: &[u8]) -> bool {
    let has = |test: fn(&u8) -> bool| value.iter().any(test);
    value.len() == 40
        && value.iter().all(is_base64)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
        && entropy(value) >= 4.0
        && !is_placeholder(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String, bool)> {
        let mut found = Vec::new();
        Assignments::new().unwrap().find(text.as_bytes(), |hit| {
            if !hit.is_plausible {
                return;
            }
            found.push((
                text.get(hit.name.range()).unwrap().to_owned(),
                text.get(hit.value.range()).unwrap().to_owned(),
                hit.is_likely,
            ));
        });
        found
    }

    #[test]
    fn assignments_are_read_in_the_usual_notations() {
        let value = ["q8Zr2Lk0", "Vn5Tw7Bx"].concat();
        for text in [
            format!("DB_PASSWORD={value}"),
            format!("db_password: {value}\n"),
            format!("{{\"db_password\": \"{value}\"}}"),
            format!("db_password => '{value}',"),
            format!("\\\"db_password\\\":\\\"{value}\\\""),
        ] {
            let found = values(&text);
            assert_eq!(found.len(), 1, "{text}");
            assert!(
                found[0].0.eq_ignore_ascii_case("db_password") && found[0].1 == value && found[0].2,
                "{found:?}"
            );
        }
    }

    #[test]
    fn harmless_assignments_are_left_alone() {
        for text in [
            "  token: ***",
            "password: ${{ secrets.DB }}",
            "TOKEN=$TOKEN",
            "secret_name: production/database",
            "token: /var/run/secrets/token1",
            "api_key = os.environ['KEY12']",
            "password=changeme1234",
            "tokens used: 1048576",
        ] {
            assert!(values(text).is_empty(), "{text}: {:?}", values(text));
        }
    }

    #[test]
    fn names_are_found_before_values() {
        let text = b"export NPM_TOKEN=\"abc\"";
        let at = text.iter().position(|byte| *byte == b'a').unwrap();
        assert_eq!(name_before(text, at).as_deref(), Some("NPM_TOKEN"));
        assert_eq!(name_before(b"just abc", 5), None);
    }
}
