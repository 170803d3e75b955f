//! Secrets that no provider gave a form: `name = value`, and what stands before a value.

mod by_lanes;

pub(crate) use by_lanes::Marks;

use crate::gate::{entropy, is_mixed, is_placeholder};
use aho_corasick::AhoCorasick;
use memchr::memmem;
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
/// What every name that announces a secret holds, and names that stand for another.
pub(crate) fn name_parts() -> impl Iterator<Item = &'static str> {
    let holds_other = |name: &str| NAMES.iter().any(|(part, _)| *part != name && name.contains(part));
    let parts = NAMES.iter().map(|(name, _)| *name).filter(move |name| !holds_other(name));
    parts.chain(["pass", "value"])
}

const MIN_VALUE_BYTES: usize = 8;
const MAX_VALUE_BYTES: usize = 512;
const MAX_NAME_BYTES: usize = 80;
/// A password in a sentence is so long and has so many blanks.
const MAX_SPOKEN_BYTES: usize = 64;
const MAX_SPOKEN_BLANKS: usize = 3;
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
    options: memmem::Finder<'static>,
    spoken: memmem::Finder<'static>,
}

/// What a name announces.
pub(crate) enum Announced {
    Assignment(Assignment),
    /// A header's credentials.
    Header {
        is_basic: bool,
        value: Span,
    },
}

impl Assignments {
    pub(crate) fn new() -> Result<Self, aho_corasick::BuildError> {
        let names = AhoCorasick::builder()
            .kind(Some(aho_corasick::AhoCorasickKind::DFA))
            .match_kind(aho_corasick::MatchKind::LeftmostLongest)
            .ascii_case_insensitive(true)
            .build(NAMES.map(|(name, _)| name))?;
        Ok(Self { names, options: memmem::Finder::new(b" -"), spoken: memmem::Finder::new(b" is ") })
    }

    /// Reads what stands around every `=` and `:`, and behind the options of a command.
    pub(crate) fn find(&self, text: &[u8], mut found: impl FnMut(Announced)) {
        let signs = memchr::memchr2_iter(b'=', b':', text);
        self.at_signs(text, signs, &mut found);
        let spots = self.options.find_iter(text).chain(self.spoken.find_iter(text));
        self.at_spots(text, spots, &mut found);
    }

    /// The same, quicker, for a text with its marks.
    pub(crate) fn find_marked(&self, text: &[u8], marks: Marks, mut found: impl FnMut(Announced)) {
        self.at_signs(text, marks.signs.into_iter(), &mut found);
        self.at_spots(text, marks.spots.into_iter(), &mut found);
    }

    fn at_signs(&self, text: &[u8], signs: impl Iterator<Item = usize>, found: &mut impl FnMut(Announced)) {
        let mut done = 0;
        for at in signs {
            if at < done {
                continue;
            }
            if let Some(announced) = self.at_sign(text, at) {
                if let Announced::Assignment(assignment) = &announced
                    && assignment.is_plausible
                {
                    done = assignment.value.end;
                }
                found(announced);
            }
        }
    }

    /// Reads what stands behind ` -` and ` is `.
    fn at_spots(&self, text: &[u8], spots: impl Iterator<Item = usize>, found: &mut impl FnMut(Announced)) {
        for at in spots {
            let assignment = match text.get(at + 1) {
                Some(b'-') => self.option(text, at + 1),
                Some(b'i') if text.get(at + 3) == Some(&b' ') => self.spoken(text, at),
                _ => None,
            };
            if let Some(assignment) = assignment {
                found(Announced::Assignment(assignment));
            }
        }
    }

    /// The value of `echo "pass is …"` up to the quote: platforms mask none with blanks.
    fn spoken(&self, text: &[u8], at: usize) -> Option<Assignment> {
        let name = name_before_end(text, at);
        if !matches!(
            text.get(name.end.checked_sub(1)?)?,
            b'd' | b'D' | b'e' | b'E' | b's' | b'S' | b't' | b'T'
        ) {
            return None;
        }
        let start = at + b" is ".len();
        let rest = text.get(start..)?;
        let length = rest.iter().take(MAX_SPOKEN_BYTES).position(|byte| QUOTED_ENDS[usize::from(*byte)])?;
        let value = rest.get(..length).filter(|_| matches!(rest.get(length), Some(b'"' | b'\'')))?;
        let solid: zeroize::Zeroizing<Vec<u8>> =
            zeroize::Zeroizing::new(value.iter().copied().filter(|byte| *byte != b' ').collect());
        let has = |test: fn(&u8) -> bool| value.iter().any(test);
        let is_mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
        let blanks = value.len() - solid.len();
        let fits = (1..=MAX_SPOKEN_BLANKS).contains(&blanks) && is_mixed && is_plausible(&solid);
        let is_strong = self.strength(text.get(name.range())?)? == Strong;
        (fits && is_strong).then(|| Assignment {
            name,
            value: Span::from(start..start + length),
            is_plausible: true,
            is_likely: false,
        })
    }

    fn at_sign(&self, text: &[u8], sign: usize) -> Option<Announced> {
        let before = text.get(..sign)?;
        let name_end = sign - lead_before(before);
        if !text.get(name_end.checked_sub(1)?).is_some_and(in_name) {
            return None;
        }
        if text.get(sign + 1..sign + 3) == Some(b"//") {
            return None;
        }
        let start = value_start(text, sign)?;
        if let Some((is_basic, value)) = scheme(text, start) {
            let name = name_before_end(text, name_end);
            // HAR files and their like: {"name": "Authorization", "value": "Basic …"}.
            let is_header = ends_with(text, name, b"authorization")
                || ends_with(text, name, b"value")
                    && ends_with(text, paired_name(text, name)?, b"authorization");
            return is_header.then_some(Announced::Header { is_basic, value });
        }
        let value = value_from(text, start);
        if !is_possible(text.get(value.range())?) {
            return None;
        }
        let mut name = name_before_end(text, name_end);
        if text.get(name.range()).is_some_and(|name| name.eq_ignore_ascii_case(b"value")) {
            name = paired_name(text, name)?;
        }
        self.judged(text, name, value).map(Announced::Assignment)
    }

    /// The value of `--password value`, or of `-p value` behind a login.
    fn option(&self, text: &[u8], at: usize) -> Option<Assignment> {
        let dashes = count(text.get(at..)?, b"-", 2);
        let name_start = at + dashes;
        let length =
            text.get(name_start..)?.iter().take(MAX_NAME_BYTES).take_while(|byte| in_name(byte)).count();
        let name_end = name_start + length;
        if text.get(name_end) != Some(&b' ') || length == 0 {
            return None;
        }
        let start = name_end + count(text.get(name_end..)?, b" ", 2);
        let start = start + count(text.get(start..)?, b"\"'", 1);
        let value = value_from(text, start);
        if !is_possible(text.get(value.range())?) || text.get(start) == Some(&b'-') {
            return None;
        }
        let name = Span::from(name_start..name_end);
        if dashes == 1 && text.get(name.range()) == Some(b"p") {
            let line = text.get(at.saturating_sub(200)..at)?;
            let line = line.rsplit(|byte| *byte == b'\n').next()?;
            let is_login = memmem::find(line, b"login").is_some();
            let bytes = text.get(value.range())?;
            return (is_login && is_plausible(bytes)).then(|| Assignment {
                name,
                value,
                is_plausible: true,
                is_likely: is_likely(bytes),
            });
        }
        self.judged(text, name, value)
    }

    fn judged(&self, text: &[u8], name: Span, value: Span) -> Option<Assignment> {
        let bytes = text.get(value.range())?;
        let strength = self.strength(text.get(name.range())?)?;
        Some(Assignment {
            name,
            value,
            is_plausible: strength > Context && is_plausible(bytes),
            is_likely: strength == Strong && is_likely(bytes),
        })
    }

    /// What a name announces.
    fn strength(&self, words: &[u8]) -> Option<Strength> {
        let of =
            |hit: aho_corasick::Match| NAMES.get(hit.pattern().as_usize()).map(|(_, strength)| *strength);
        let strength = self.names.find_iter(words).filter_map(of).max()?;
        let is_pass = words.len() >= 4
            && words[words.len() - 4..].eq_ignore_ascii_case(b"pass")
            && words.len().checked_sub(5).is_none_or(|at| !words[at].is_ascii_alphabetic());
        Some(if is_pass { Strong } else { strength })
    }
}

fn is_likely(value: &[u8]) -> bool {
    value.len() >= LIKELY_BYTES && entropy(value) >= LIKELY_ENTROPY && is_mixed(value)
}

/// A quick look: long enough and not a word.
fn is_possible(value: &[u8]) -> bool {
    value.len() >= MIN_VALUE_BYTES && (value.len() >= LIKELY_BYTES || value.iter().any(u8::is_ascii_digit))
}

/// Quotes and blanks between a name and its sign.
fn lead_before(text: &[u8]) -> usize {
    text.iter().rev().take(3).take_while(|byte| b"\"'\\ ".contains(byte)).count()
}

fn name_before_end(text: &[u8], end: usize) -> Span {
    let before = text.get(..end).unwrap_or_default();
    let length = before.iter().rev().take(MAX_NAME_BYTES).take_while(|byte| in_name(byte)).count();
    Span::from(end - length..end)
}

fn ends_with(text: &[u8], name: Span, word: &[u8]) -> bool {
    let name = text.get(name.range()).unwrap_or_default();
    name.len() >= word.len() && name[name.len() - word.len()..].eq_ignore_ascii_case(word)
}

/// `X` of `"name":"X","value":`, where `value` is at `field`.
fn paired_name(text: &[u8], field: Span) -> Option<Span> {
    let before = text.get(field.start.saturating_sub(200)..field.start)?;
    let quoted = |rest: &[u8]| rest.iter().rev().take_while(|byte| b"\"'\\ ,".contains(byte)).count();
    let offset = field.start - before.len();
    let end = before.len() - quoted(before);
    let name = name_before_end(before, end);
    let rest = before.get(..name.start)?;
    let key_end = rest.len() - rest.iter().rev().take_while(|byte| b"\"'\\ :=".contains(byte)).count();
    let key = name_before_end(rest, key_end);
    let is_name = [&b"name"[..], b"key"]
        .iter()
        .any(|word| rest.get(key.range()).is_some_and(|key| key.eq_ignore_ascii_case(word)));
    (is_name && !name.is_empty()).then(|| Span::from(offset + name.start..offset + name.end))
}

/// Credentials behind a header's scheme: whether it is `Basic`, and where they stand.
fn scheme(text: &[u8], start: usize) -> Option<(bool, Span)> {
    let rest = text.get(start..)?;
    if !matches!(rest.first()?, b'b' | b'B' | b't' | b'T') {
        return None;
    }
    for (word, is_basic) in [(&b"bearer "[..], false), (b"basic ", true), (b"token ", false)] {
        if rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word)) {
            let value = rest.get(word.len()..)?;
            let in_value = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(*byte);
            let length = value.iter().take(4096).take_while(in_value).count();
            let bytes = value.get(..length)?;
            let fits = length >= 16 && !is_placeholder(bytes) && entropy(bytes) >= MIN_ENTROPY;
            let start = start + word.len();
            return fits.then(|| (is_basic, Span::from(start..start + length)));
        }
    }
    None
}

/// What names may consist of.
pub(crate) fn in_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(byte)
}

/// Where the value behind a sign begins: `="…"`, `: …`, `=> …`, `:=`, with quotes that may
/// be escaped.
fn value_start(text: &[u8], sign: usize) -> Option<usize> {
    let rest = text.get(sign..)?;
    let at = match rest {
        [b'=', b'>', ..] | [b':', b'=', ..] => 2,
        _ => 1,
    };
    Some(sign + at + count(rest.get(at..)?, b" \t", 4))
}

fn value_from(text: &[u8], at: usize) -> Span {
    let rest = text.get(at..).unwrap_or_default();
    let quotes = count(rest, b"\"'\\`", 3);
    let value = rest.get(quotes..).unwrap_or_default();
    let ends = if quotes > 0 { &QUOTED_ENDS } else { &BARE_ENDS };
    let length = value
        .iter()
        .take(MAX_VALUE_BYTES + 1)
        .position(|byte| ends[usize::from(*byte)])
        .unwrap_or(value.len().min(MAX_VALUE_BYTES + 1));
    Span::from(at + quotes..at + quotes + length)
}

/// Whether a value without quotes ends here.
pub(crate) fn ends_bare(byte: u8) -> bool {
    BARE_ENDS[usize::from(byte)]
}

/// Whether a byte may stand between a name and its sign, or a value and its.
pub(crate) fn is_soft(byte: u8) -> bool {
    byte == b' ' || QUOTES[usize::from(byte)]
}

const QUOTES: [bool; 256] = table(b"\"'\\`");
const QUOTED_ENDS: [bool; 256] = table(b"\"'\\`\n");
const BARE_ENDS: [bool; 256] = table(b" \t\n\"'\\`,;)}]<>|&");

const fn table(bytes: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
}

fn count(text: &[u8], set: &[u8], most: usize) -> usize {
    text.iter().take(most).take_while(|byte| set.contains(byte)).count()
}

fn is_plausible(value: &[u8]) -> bool {
    let is_path = value.starts_with(b"/") || value.starts_with(b"./") || value.starts_with(b"~");
    let is_link = memmem::find(value, b"://").is_some();
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
            let Announced::Assignment(hit) = hit else { return };
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
