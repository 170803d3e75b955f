//! Rules of users: files in our own format or in that of gitleaks, checked before anything is scanned.
//!
//! Our own format is that of the embedded rules (`[[rules]]` with the fields of [`Rule`]) plus
//!
//! ```toml
//! disabled_rules = ["generic-assignment"]   # embedded rules that shall not run
//!
//! [[allow]]                                 # what is suppressed, and why
//! reason = "printed by the fixtures of the test suite"
//! rules = ["acme-token"]                    # default: all
//! paths = ["fixtures/**"]                   # globs
//! values = ['^ac_test_']                    # patterns the value fits
//! all = true                                # both have to hold; default: either
//! until = "2027-01-31"                      # the last day it holds, UTC
//! ```

use crate::allow::{self, Allowlist};
use crate::compiled::syntax_config;
use crate::gitleaks::{self, ForeignRule};
use crate::{Error, Rule, RuleSet, implied};
use leakgraph_model::Timestamp;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use serde::Deserialize as _;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// Larger files are no rules.
const MAX_FILE_BYTES: u64 = 8 << 20;
/// Longer matches are not confirmed (`matcher`).
const MAX_MATCH_BYTES: usize = 16 << 10;
/// Shorter keywords stand everywhere.
const MIN_KEYWORD_BYTES: usize = 3;
const LIFETIMES: [&str; 4] = ["ephemeral", "hours", "long", "unknown"];

/// How bad a diagnostic is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// Worth knowing.
    Warning,
    /// Something of a gitleaks file is not done, or done differently.
    Unsupported,
    /// The file is refused.
    Error,
}

impl Level {
    /// The name used in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Unsupported => "unsupported",
            Self::Error => "error",
        }
    }
}

/// One remark on a rule file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// The file.
    pub file: String,
    /// 1-based line; 0 for the file as a whole.
    pub line: usize,
    /// The rule it is about.
    pub rule: Option<String>,
    /// How bad.
    pub level: Level,
    /// What, and why.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: ", self.file, self.line, self.level.as_str())?;
        match &self.rule {
            Some(rule) => write!(f, "rule {rule}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// What a rule set holds besides plain rules.
#[derive(Default)]
pub(crate) struct Custom {
    pub(crate) foreign: Vec<ForeignRule>,
    pub(crate) lists: Vec<Allowlist>,
}

/// What was read from files so far.
#[derive(Default)]
pub(crate) struct Loaded {
    pub(crate) rules: Vec<Rule>,
    pub(crate) custom: Custom,
    pub(crate) disabled: BTreeSet<String>,
    /// Whether some file builds on the embedded rules.
    pub(crate) keeps_builtin: bool,
    pub(crate) texts: Vec<String>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Where a remark belongs.
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

impl Source<'_> {
    pub(crate) fn line(&self, at: usize) -> usize {
        1 + memchr::memchr_iter(b'\n', self.text.as_bytes().get(..at).unwrap_or_default()).count()
    }

    pub(crate) fn say(&self, line: usize, rule: Option<&str>, level: Level, message: String) -> Diagnostic {
        Diagnostic { file: self.file.to_owned(), line, rule: rule.map(str::to_owned), level, message }
    }
}

/// Remarks on a rule file, as `RuleSet::extended` would make them; empty if it is faultless.
pub fn check(path: &Path) -> Vec<Diagnostic> {
    let checked = RuleSet::builtin().and_then(|rules| rules.extended(&[path.to_owned()]));
    match checked {
        Ok((_, remarks)) | Err(Error::UserRules(remarks)) => remarks,
        Err(other) => vec![Diagnostic {
            file: path.display().to_string(),
            line: 0,
            rule: None,
            level: Level::Error,
            message: other.to_string(),
        }],
    }
}

pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Err(format!("not a file of at most {} MiB", MAX_FILE_BYTES >> 20));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

impl RuleSet {
    /// No rules: for scanners that look for known secrets only.
    pub fn empty() -> Self {
        Self {
            rules: Vec::new(),
            hash: crate::fingerprint::hex(&Sha256::digest([])),
            custom: Custom::default(),
            holds_embedded: false,
        }
    }

    /// Adds the rules of users' files, and gives the remarks on them. A gitleaks file without
    /// `[extend] useDefault = true` replaces the embedded rules, unless another file builds on them.
    ///
    /// # Errors
    /// `Error::UserRules` with all remarks if one of them is an error; then no file is used.
    pub fn extended(self, files: &[PathBuf]) -> Result<(Self, Vec<Diagnostic>), Error> {
        let mut loaded = Loaded { keeps_builtin: files.is_empty(), ..Loaded::default() };
        for path in files {
            let file = path.display().to_string();
            let source = |text| Source { file: &file, text };
            let text = match read_text(path) {
                Ok(text) => text,
                Err(reason) => {
                    loaded.diagnostics.push(source("").say(0, None, Level::Error, reason));
                    continue;
                }
            };
            match DeTable::parse(&text) {
                Ok(table) if gitleaks::is_gitleaks(table.get_ref()) => {
                    gitleaks::load(path, &source(&text), table.get_ref(), &self, &mut loaded);
                }
                Ok(table) => own(&source(&text), table.get_ref(), &self, &mut loaded),
                Err(error) => loaded.diagnostics.push(toml_error(&source(&text), None, &error)),
            }
            loaded.texts.push(text);
        }
        if loaded.diagnostics.iter().any(|remark| remark.level == Level::Error) {
            return Err(Error::UserRules(loaded.diagnostics));
        }
        Ok(self.with(loaded))
    }

    fn with(mut self, loaded: Loaded) -> (Self, Vec<Diagnostic>) {
        if !loaded.keeps_builtin {
            self.rules.clear();
        }
        let is_replaced = |id: &String| {
            loaded.disabled.contains(id) || loaded.custom.foreign.iter().any(|rule| rule.id == *id)
        };
        let embedded = self.rules.len();
        self.rules.retain(|rule| !is_replaced(&rule.id));
        self.holds_embedded &= loaded.keeps_builtin && self.rules.len() == embedded;
        self.rules.extend(loaded.rules);
        self.custom.foreign.extend(loaded.custom.foreign);
        self.custom.lists.extend(loaded.custom.lists);
        let mut hash = Sha256::new();
        hash.update(&self.hash);
        for text in &loaded.texts {
            hash.update(Sha256::digest(text));
        }
        if !loaded.texts.is_empty() {
            self.hash = crate::fingerprint::hex(&hash.finalize());
        }
        (self, loaded.diagnostics)
    }
}

fn toml_error(source: &Source, rule: Option<&str>, error: &toml::de::Error) -> Diagnostic {
    let line = error.span().map_or(0, |span| source.line(span.start));
    source.say(line, rule, Level::Error, error.message().trim().replace('\n', "; "))
}

/// A file in our own format.
fn own(source: &Source, table: &DeTable, builtin: &RuleSet, loaded: &mut Loaded) {
    loaded.keeps_builtin = true;
    for (key, value) in table {
        let line = source.line(key.span().start);
        let items = value.get_ref().as_array();
        match (key.get_ref().as_ref(), items) {
            ("disabled_rules", Some(ids)) => ids.iter().for_each(|id| disable(source, id, builtin, loaded)),
            ("rules" | "allow", Some(_)) => {}
            ("rules" | "allow" | "disabled_rules", None) => {
                let message = format!("`{}` is a list", key.get_ref());
                loaded.diagnostics.push(source.say(line, None, Level::Error, message));
            }
            (other, _) => {
                let message =
                    format!("unknown field `{other}`: a rule file has rules, allow, disabled_rules");
                loaded.diagnostics.push(source.say(line, None, Level::Error, message));
            }
        }
    }
    let items = |key: &str| table.get(key).and_then(|value| value.get_ref().as_array());
    for value in items("rules").into_iter().flatten() {
        own_rule(source, value, builtin, loaded);
    }
    for value in items("allow").into_iter().flatten() {
        own_allow(source, value, builtin, loaded);
    }
}

fn disable(source: &Source, id: &Spanned<DeValue>, builtin: &RuleSet, loaded: &mut Loaded) {
    let name = id.get_ref().as_str().unwrap_or_default();
    if builtin.rules().iter().any(|rule| rule.id == name) {
        loaded.disabled.insert(name.to_owned());
    } else {
        let message = format!("there is no embedded rule `{name}` to disable");
        loaded.diagnostics.push(source.say(source.line(id.span().start), None, Level::Error, message));
    }
}

fn own_rule(source: &Source, value: &Spanned<DeValue>, builtin: &RuleSet, loaded: &mut Loaded) {
    let fields = value.get_ref().as_table();
    let field = |name: &str| fields.and_then(|table| table.get(name));
    let id = field("id").and_then(|id| id.get_ref().as_str());
    let rule = match Rule::deserialize(ValueDeserializer::from(value.clone())) {
        Ok(rule) => rule,
        Err(error) => return loaded.diagnostics.push(toml_error(source, id, &error)),
    };
    let line = |name: &str| source.line(field(name).map_or(value.span().start, |field| field.span().start));
    let mut faults: Vec<(&str, String)> = faults(&rule, builtin);
    let is_taken = loaded.rules.iter().any(|known| known.id == rule.id)
        || loaded.custom.foreign.iter().any(|known| known.id == rule.id);
    let is_builtin = builtin.rules().iter().any(|known| known.id == rule.id);
    if is_taken {
        faults.push(("id", "this id is used twice".to_owned()));
    } else if is_builtin && !loaded.disabled.contains(&rule.id) {
        let reason = "an embedded rule has this id: name it in disabled_rules to replace it";
        faults.push(("id", reason.to_owned()));
    }
    for (name, reason) in &faults {
        let message = format!("`{name}`: {reason}");
        loaded.diagnostics.push(source.say(line(name), Some(&rule.id), Level::Error, message));
    }
    if faults.is_empty() {
        loaded.rules.push(rule);
    }
}

/// Fields of a rule that cannot be used, and why.
fn faults(rule: &Rule, builtin: &RuleSet) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    for (name, text) in [("id", &rule.id), ("provider", &rule.provider), ("kind", &rule.kind)] {
        if !is_name(text) {
            faults.push((name, "letters, digits, `-`, `_` and `.` only".to_owned()));
        }
    }
    if !LIFETIMES.contains(&rule.lifetime.as_str()) {
        faults.push(("lifetime", format!("one of {}", LIFETIMES.join(", "))));
    }
    // Checks have no list of their own: those of the embedded rules exist.
    let known: BTreeSet<&str> = builtin.rules().iter().filter_map(|rule| rule.check.as_deref()).collect();
    if let Some(check) = rule.check.as_deref().filter(|check| !known.contains(check)) {
        let known: Vec<&str> = known.into_iter().collect();
        faults.push(("check", format!("there is no check `{check}`; there are {}", known.join(", "))));
    }
    match pattern_fault(&rule.pattern) {
        Some(reason) => faults.push(("pattern", reason)),
        // Names stand in for keywords.
        None if !rule.context.is_empty() => {}
        None => faults.extend(keyword_fault(rule).map(|reason| ("keywords", reason))),
    }
    faults
}

fn pattern_fault(pattern: &str) -> Option<String> {
    if pattern.is_empty() {
        return Some("a rule needs a pattern".to_owned());
    }
    let hir = match syntax::parse_with(pattern, &syntax_config()) {
        Ok(hir) => hir,
        Err(error) => {
            return Some(format!("does not compile: {}", gitleaks::one_line(&error.to_string())));
        }
    };
    match (hir.properties().minimum_len(), hir.properties().maximum_len()) {
        (None, _) => Some("matches nothing".to_owned()),
        (Some(0), _) => Some("matches the empty text".to_owned()),
        (_, None) => Some("has no upper bound: write {least,most} instead of *, + or {least,}".to_owned()),
        (_, Some(most)) if most > MAX_MATCH_BYTES => {
            Some(format!("matches up to {most} bytes; the limit is {MAX_MATCH_BYTES}"))
        }
        _ => None,
    }
}

fn keyword_fault(rule: &Rule) -> Option<String> {
    if rule.keywords.is_empty() {
        return Some("a rule needs literals, one of which every match holds".to_owned());
    }
    if let Some(short) = rule.keywords.iter().find(|keyword| keyword.len() < MIN_KEYWORD_BYTES) {
        return Some(format!("`{short}` is shorter than {MIN_KEYWORD_BYTES} bytes: it stands everywhere"));
    }
    match implied::holds_keyword(&rule.pattern, &rule.keywords) {
        implied::Answer::Always => None,
        implied::Answer::NotIn(example) => {
            Some(format!("the pattern also matches `{example}`, which holds none of them (case matters)"))
        }
        implied::Answer::TooLarge => {
            Some("the pattern is too large to prove that they stand in it".to_owned())
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowTable {
    reason: String,
    rules: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    paths: Vec<Spanned<String>>,
    #[serde(default)]
    values: Vec<Spanned<String>>,
    #[serde(default)]
    all: bool,
    until: Option<Spanned<String>>,
}

fn own_allow(source: &Source, value: &Spanned<DeValue>, builtin: &RuleSet, loaded: &mut Loaded) {
    let table = match AllowTable::deserialize(ValueDeserializer::from(value.clone())) {
        Ok(table) => table,
        Err(error) => return loaded.diagnostics.push(toml_error(source, None, &error)),
    };
    let mut errors: Vec<(usize, String)> = Vec::new();
    let start = value.span().start;
    if table.reason.trim().is_empty() {
        errors.push((start, "an exception needs a reason".to_owned()));
    }
    if table.paths.is_empty() && table.values.is_empty() {
        errors.push((start, "an exception needs paths or values".to_owned()));
    }
    for id in table.rules.iter().flatten() {
        let known = builtin.rules().iter().chain(&loaded.rules).any(|rule| rule.id == *id.get_ref());
        if !known {
            errors.push((id.span().start, format!("there is no rule `{}`", id.get_ref())));
        }
    }
    let mut regexes = |items: &[Spanned<String>], compile: &dyn Fn(&str) -> Result<Regex, String>| {
        let mut compiled = Vec::new();
        for item in items {
            match compile(item.get_ref()) {
                Ok(regex) => compiled.push(regex),
                Err(reason) => errors.push((item.span().start, reason)),
            }
        }
        compiled
    };
    let paths = regexes(&table.paths, &allow::glob);
    let patterns = regexes(&table.values, &|pattern| {
        let built = Regex::builder().syntax(syntax_config()).build(pattern);
        built.map_err(|error| match error.syntax_error() {
            Some(error) => format!("does not compile: {}", gitleaks::one_line(&error.to_string())),
            None => "does not compile".to_owned(),
        })
    });
    let mut has_ended = false;
    if let Some(day) = &table.until {
        match allow::end_of_day(day.get_ref()) {
            Ok(end) => has_ended = end <= Timestamp::now(),
            Err(reason) => errors.push((day.span().start, reason)),
        }
    }
    let is_fine = errors.is_empty();
    for (at, message) in errors {
        loaded.diagnostics.push(source.say(source.line(at), None, Level::Error, message));
    }
    if is_fine && has_ended {
        let message = format!("the exception has ended: {}", table.reason);
        loaded.diagnostics.push(source.say(source.line(start), None, Level::Warning, message));
    } else if is_fine {
        let rules = table.rules.map(|rules| rules.into_iter().map(Spanned::into_inner).collect());
        let list = Allowlist {
            reason: table.reason,
            rules,
            is_all: table.all,
            paths,
            patterns,
            ..Allowlist::default()
        };
        loaded.custom.lists.push(list);
    }
}
