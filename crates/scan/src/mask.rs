//! What a platform's masker would have done with a value, had it been registered as a secret.
//!
//! Maskers replace text, so the question has an exact answer: build what the platform
//! registers for the value and look for it where the value was seen. Sources:
//! GitHub: actions/runner `HostContext`, `ValueEncoders`, `Worker.InitializeSecretMasker`.
//! GitLab: `Ci::Maskable`; gitlab-runner `buildlogger` (phrases and token prefixes).
//! Jenkins: credentials-binding-plugin `SecretPatterns` and its `SecretPatternFactory`s.
//! Azure: azure-pipelines-agent `HostContext`, `Worker.AddUserSuppliedSecret`.
//! CircleCI: docs, environment variables, secrets masking.

mod encode;

use crate::view;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use encode::{
    Bytes, Encode, after_ampersand, backslash, base64_behind, base64_of, before_ampersand, json, literal,
    replaced, trimmed_quotes, uri, xml,
};
use memchr::memmem;
use regex_automata::Span;
use zeroize::Zeroizing;

/// What a masker would have done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MaskOutcome {
    /// Replaced it: the value was not registered when it was printed.
    Masked,
    /// Let it through: the masker does not know this form, or cannot take the value.
    Missed,
    /// Not known.
    Unknown,
}

impl MaskOutcome {
    /// The name used in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Masked => "masked",
            Self::Missed => "missed",
            Self::Unknown => "unknown",
        }
    }
}

/// What one platform's masker would have done with a value in the form it stands in a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaskSimulation {
    /// What it would have done.
    pub outcome: MaskOutcome,
    /// The registered form that matches, or what lets the value through; empty if unknown.
    pub form: &'static str,
}

impl MaskSimulation {
    /// No masker that we know.
    pub const UNKNOWN: Self = Self { outcome: MaskOutcome::Unknown, form: "" };

    fn missed(form: &'static str) -> Self {
        Self { outcome: MaskOutcome::Missed, form }
    }
}

/// The answers of all platforms whose maskers are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaskSimulations([MaskSimulation; MASKERS.len()]);

impl MaskSimulations {
    /// The answer of a platform, by its name in `source_files.platform`.
    pub fn on(&self, platform: &str) -> MaskSimulation {
        let at = MASKERS.iter().position(|masker| masker.platform == platform);
        at.and_then(|at| self.0.get(at)).copied().unwrap_or(MaskSimulation::UNKNOWN)
    }

    /// The names of the platforms.
    pub fn platforms() -> impl Iterator<Item = &'static str> {
        MASKERS.iter().map(|masker| masker.platform)
    }
}

/// What happens to a value of several lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// Each line is registered, too.
    Each,
    /// Only the whole is, and logs are compared line by line.
    Whole,
    /// It cannot be registered.
    Refused,
    /// Not documented.
    Unknown,
}

struct Masker {
    platform: &'static str,
    lines: Lines,
    /// Why a value cannot be registered.
    refuses: fn(&[u8]) -> Option<&'static str>,
    encoders: &'static [(&'static str, Encode)],
    /// What follows these is masked, registered or not.
    prefixes: &'static [&'static str],
}

const MASKERS: [Masker; 5] = [
    Masker {
        platform: "github",
        lines: Lines::Each,
        refuses: |_| None,
        encoders: &[
            ("literal", literal),
            ("base64", |value| base64_of(value, 0)),
            ("base64_shift_1", |value| base64_of(value, 1)),
            ("base64_shift_2", |value| base64_of(value, 2)),
            ("command_line", |value| replaced(value, &[(b'"', "\\\"")])),
            ("expression", |value| replaced(value, &[(b'\'', "''")])),
            ("json", json),
            ("uri", uri),
            ("xml", xml),
            ("trimmed_quotes", trimmed_quotes),
            ("powershell", before_ampersand),
            ("powershell", after_ampersand),
        ],
        prefixes: &[],
    },
    Masker {
        platform: "gitlab",
        lines: Lines::Refused,
        refuses: |value| match value {
            _ if value.iter().any(u8::is_ascii_whitespace) => Some("blank"),
            _ if characters(value) < 8 => Some("too_short"),
            _ => None,
        },
        encoders: &[("literal", literal)],
        prefixes: &[
            "glpat-", "gloas-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glptt-", "glft-", "glimt-",
            "glagent-", "glsoat-", "glffct-",
        ],
    },
    Masker {
        platform: "jenkins",
        lines: Lines::Whole,
        refuses: |_| None,
        encoders: &[
            ("literal", literal),
            ("base64", |value| base64_behind(&STANDARD_NO_PAD, value, 0)),
            ("base64_shift_1", |value| base64_behind(&STANDARD_NO_PAD, value, 1)),
            ("base64_shift_2", |value| base64_behind(&STANDARD_NO_PAD, value, 2)),
            ("base64_url", |value| base64_behind(&URL_SAFE_NO_PAD, value, 0)),
            ("base64_url_shift_1", |value| base64_behind(&URL_SAFE_NO_PAD, value, 1)),
            ("base64_url_shift_2", |value| base64_behind(&URL_SAFE_NO_PAD, value, 2)),
            ("shell", |value| replaced(value, &[(b'\'', "'\\''")])),
            ("dollar", |value| replaced(value, &[(b'$', "$$")])),
        ],
        prefixes: &[],
    },
    Masker {
        platform: "azure",
        lines: Lines::Each,
        refuses: |_| None,
        encoders: &[
            ("literal", literal),
            ("json", json),
            ("uri", uri),
            ("backslash", backslash),
            ("trimmed_quotes", trimmed_quotes),
        ],
        prefixes: &[],
    },
    Masker {
        platform: "circleci",
        lines: Lines::Unknown,
        refuses: |value| match value {
            b"true" | b"True" | b"false" | b"False" => Some("common_word"),
            _ if characters(value) < 4 => Some("too_short"),
            _ => None,
        },
        encoders: &[("literal", literal)],
        prefixes: &[],
    },
];

/// What the maskers would have done with `value`, which stands at `span` of `text` behind
/// `encodings`, outermost first.
pub(crate) fn simulate(text: &[u8], span: Span, value: &[u8], encodings: &[&'static str]) -> MaskSimulations {
    let value = value.trim_ascii();
    let parts = parts(text, span);
    MaskSimulations(std::array::from_fn(|at| match MASKERS.get(at) {
        Some(masker) if !value.is_empty() && !parts.is_empty() => {
            masker.simulate(text, &parts, value, encodings)
        }
        _ => MaskSimulation::UNKNOWN,
    }))
}

/// What of `span` stands in each of its lines, without the platform's prefix.
fn parts(text: &[u8], span: Span) -> Vec<Span> {
    let mut parts = Vec::new();
    let mut at = span.start;
    while at < span.end {
        let rest = text.get(at..span.end).unwrap_or_default();
        let line = memchr::memchr(b'\n', rest).map_or(rest, |end| rest.get(..end).unwrap_or(rest));
        let lead = if at == span.start { 0 } else { view::prefix(line).len };
        let shown = line.get(lead..).unwrap_or_default();
        if !shown.trim_ascii().is_empty() {
            parts.push(Span::from(at + lead..at + line.len()));
        }
        at += line.len() + 1;
    }
    parts
}

impl Masker {
    fn simulate(
        &self,
        text: &[u8],
        parts: &[Span],
        value: &[u8],
        encodings: &[&'static str],
    ) -> MaskSimulation {
        let is_one_line = !value.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
        if let Some(form) = self.by_prefix(text, parts, encodings) {
            return MaskSimulation { outcome: MaskOutcome::Masked, form };
        }
        match self.lines {
            Lines::Unknown if !is_one_line => return MaskSimulation::UNKNOWN,
            Lines::Refused if !is_one_line => return MaskSimulation::missed("multi_line"),
            _ => {}
        }
        if let Some(form) = (self.refuses)(value) {
            return MaskSimulation::missed(form);
        }
        match self.registered(text, parts, value) {
            Some(form) => MaskSimulation { outcome: MaskOutcome::Masked, form },
            _ if !is_one_line && encodings.is_empty() => MaskSimulation::missed("multi_line"),
            _ => MaskSimulation::missed(self.reason(text, parts, value, encodings)),
        }
    }

    fn by_prefix(&self, text: &[u8], parts: &[Span], encodings: &[&'static str]) -> Option<&'static str> {
        let [part] = parts else { return None };
        let shown = text.get(part.range())?;
        let is_prefixed = self.prefixes.iter().any(|prefix| shown.starts_with(prefix.as_bytes()));
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._=".contains(byte);
        (encodings.is_empty() && is_prefixed && shown.iter().all(is_token)).then_some("token_prefix")
    }

    /// Everything the platform registers for a value.
    fn forms(&self, value: &[u8]) -> impl Iterator<Item = (&'static str, Bytes)> {
        let whole = std::iter::once(value);
        let is_line = move |line: &&[u8]| self.lines == Lines::Each && !line.is_empty() && *line != value;
        let lines = value.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii).filter(is_line);
        let encoded =
            |value| self.encoders.iter().filter_map(move |(name, encode)| Some((*name, encode(value)?)));
        whole.chain(lines).flat_map(encoded).filter(|(_, form)| !form.is_empty())
    }

    /// The registered form that stands in the first part, if one stands in each.
    fn registered(&self, text: &[u8], parts: &[Span], value: &[u8]) -> Option<&'static str> {
        // Most often it is the first form: the others need not be made.
        if let [part] = parts {
            return self.forms(value).find(|(_, form)| occurs(text, *part, form)).map(|(name, _)| name);
        }
        let forms: Vec<_> = self.forms(value).collect();
        let in_part =
            |part: &Span| forms.iter().find(|(_, form)| occurs(text, *part, form)).map(|(name, _)| *name);
        let found: Option<Vec<_>> = parts.iter().map(in_part).collect();
        found?.first().copied()
    }

    /// Why none of the registered forms stands there.
    fn reason(&self, text: &[u8], parts: &[Span], value: &[u8], encodings: &[&'static str]) -> &'static str {
        let count = |name: &str| encodings.iter().filter(|encoding| **encoding == name).count();
        let shown =
            |test: &dyn Fn(&[u8]) -> bool| parts.iter().any(|part| text.get(part.range()).is_some_and(test));
        let named = [
            ("gzip", "compressed"),
            ("zlib", "compressed"),
            ("utf16", "utf16"),
            ("hex", "hex"),
            ("reversed", "reversed"),
            ("spaced", "spaced"),
        ];
        if let Some((_, reason)) = named.iter().find(|(name, _)| count(name) > 0) {
            return reason;
        }
        match (count("base64"), count("percent"), encodings.len()) {
            (2.., ..) => "base64_twice",
            (_, 2.., _) => "percent_twice",
            (1, _, 2..) => "nested",
            (1, ..) if parts.len() > 1 => "wrapped",
            (1, ..) => self.base64_reason(text, parts, value),
            (_, 1, _) if shown(&has_lower_escape) => "percent_lower_case",
            (_, 1, _) => "percent",
            // JSON, HTML, shells, base 32, …
            (_, _, 1..) => encodings.first().copied().unwrap_or_default(),
            _ if parts.len() > 1 => "split",
            _ if shown(&|part| part.contains(&0x1b)) => "ansi",
            _ => "respelled",
        }
    }

    fn base64_reason(&self, text: &[u8], parts: &[Span], value: &[u8]) -> &'static str {
        let knows_base64 = self.encoders.iter().any(|(name, _)| *name == "base64");
        // The whole form and no letter behind it.
        let ends_with = |encode: &dyn Fn(&[u8]) -> String| {
            (0..3).filter_map(|shift| value.get(shift..)).any(|rest| {
                let form = Zeroizing::new(encode(rest).into_bytes());
                let shown = |part: &Span| text.get(part.range()).unwrap_or_default();
                parts.iter().any(|part| shown(part).trim_ascii_end().ends_with(&form))
            })
        };
        if !knows_base64 {
            "base64"
        } else if ends_with(&|rest| STANDARD_NO_PAD.encode(rest)) {
            "base64_unpadded"
        } else if ends_with(&|rest| URL_SAFE_NO_PAD.encode(rest)) {
            "base64_url"
        } else {
            // Its last bytes share a group of letters with what follows.
            "base64_unaligned"
        }
    }
}

/// Whether `form` stands in the line of `part` and reaches into it.
fn occurs(text: &[u8], part: Span, form: &[u8]) -> bool {
    // Most often it is all of the part.
    if text.get(part.range()) == Some(form) {
        return !form.is_empty();
    }
    let margin = form.len().saturating_sub(1);
    let low = part.start.saturating_sub(margin);
    let before = text.get(low..part.start).unwrap_or_default();
    let low = memchr::memrchr(b'\n', before).map_or(low, |at| low + at + 1);
    let after = text.get(part.end..text.len().min(part.end + margin)).unwrap_or_default();
    let high = part.end + memchr::memchr(b'\n', after).unwrap_or(after.len());
    text.get(low..high).is_some_and(|window| contains(window, form))
}

/// Texts up to this length are searched without preparing for it.
const SHORT_BYTES: usize = 1024;

fn contains(text: &[u8], form: &[u8]) -> bool {
    match form.first() {
        None => false,
        Some(first) if text.len() <= SHORT_BYTES => {
            memchr::memchr_iter(*first, text).any(|at| text[at..].starts_with(form))
        }
        Some(_) => memmem::find(text, form).is_some(),
    }
}

fn characters(value: &[u8]) -> usize {
    value.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

fn has_lower_escape(shown: &[u8]) -> bool {
    shown.windows(3).any(|three| {
        three[0] == b'%'
            && three[1..].iter().all(u8::is_ascii_hexdigit)
            && three[1..].iter().any(u8::is_ascii_lowercase)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What GitHub's masker would have done with `value` in a line that shows `shown`.
    fn github(value: &str, shown: &str, encodings: &[&'static str]) -> (MaskOutcome, &'static str) {
        on("github", value, shown, encodings)
    }

    fn on(
        platform: &str,
        value: &str,
        shown: &str,
        encodings: &[&'static str],
    ) -> (MaskOutcome, &'static str) {
        let text = format!("2026-11-02T09:14:07.1234567Z out {shown} end\n");
        let at = text.find(shown).unwrap();
        let span = Span::from(at..at + shown.len());
        let said = simulate(text.as_bytes(), span, value.as_bytes(), encodings).on(platform);
        (said.outcome, said.form)
    }

    #[test]
    fn every_registered_spelling_is_recognised() {
        // What actions/runner registers, written out by hand.
        let value = r#"a'b"c&d/e<f:ghijk"#;
        for (shown, form) in [
            (value, "literal"),
            (r#"a'b\"c&d/e<f:ghijk"#, "command_line"),
            (r#"a''b"c&d/e<f:ghijk"#, "expression"),
            ("a%27b%22c%26d%2Fe%3Cf%3Aghijk", "uri"),
            ("a&apos;b&quot;c&amp;d/e&lt;f:ghijk", "xml"),
            ("d/e<f:ghijk", "powershell"),
        ] {
            assert_eq!(github(value, shown, &["x"]), (MaskOutcome::Masked, form), "{shown}");
        }
        assert_eq!(github("\"quoted value\"", "quoted value", &[]).1, "trimmed_quotes");
        assert_eq!(github("back\\slash\tTab", "back\\\\slash\\tTab", &["json"]).1, "json");
        assert_eq!(github("first&+Xsecond-part", "econd-part", &[]).0, MaskOutcome::Missed);
        assert_eq!(github("first&+Xsecond-part", "second-part", &[]).1, "powershell");
    }

    #[test]
    fn spellings_that_differ_in_one_letter_are_missed() {
        assert_eq!(
            github("secret/value:one", "secret%2fvalue%3aone", &["percent"]),
            (MaskOutcome::Missed, "percent_lower_case")
        );
        assert_eq!(github("secret/value", "secret\\/value", &["json"]), (MaskOutcome::Missed, "json"));
        assert_eq!(github("secret value", "secret+value", &["percent"]).1, "percent");
        assert_eq!(github("secret value", "secret&#32;value", &["html"]).1, "html");
    }

    #[test]
    fn platforms_refuse_what_they_cannot_mask() {
        assert_eq!(on("gitlab", "short", "short", &[]), (MaskOutcome::Missed, "too_short"));
        assert_eq!(on("gitlab", "with a blank", "with a blank", &[]), (MaskOutcome::Missed, "blank"));
        assert_eq!(on("gitlab", "w\u{e4}hrungen", "w\u{e4}hrungen", &[]), (MaskOutcome::Masked, "literal"));
        assert_eq!(on("circleci", "abc", "abc", &[]), (MaskOutcome::Missed, "too_short"));
        assert_eq!(on("circleci", "False", "False", &[]), (MaskOutcome::Missed, "common_word"));
        assert_eq!(on("circleci", "abcd", "abcd", &[]), (MaskOutcome::Masked, "literal"));
        assert_eq!(on("github", "22", "22", &[]), (MaskOutcome::Masked, "literal"));
        assert_eq!(on("buildkite", "whatever", "whatever", &[]), (MaskOutcome::Unknown, ""));
        assert_eq!(on("azure", r"a\\b", r"a\b", &["x"]), (MaskOutcome::Masked, "backslash"));
        assert_eq!(on("jenkins", "it's $5", "it'\\''s $5", &["shell"]).1, "shell");
        assert_eq!(on("jenkins", "cost$5each", "cost$$5each", &["x"]).1, "dollar");
    }
}
