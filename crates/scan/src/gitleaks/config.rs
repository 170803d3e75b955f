//! Reads the tables of a gitleaks configuration, with a remark on all that is not understood.

use super::matcher::Required;
use super::pattern;
use crate::allow::{Allowlist, Target};
use crate::user_rules::{Diagnostic, Level, Source};
use regex_automata::meta::Regex;
use toml::de::{DeTable, DeValue};

/// One configuration file, or several merged ones.
#[derive(Default)]
pub(super) struct Config {
    pub(super) rules: Vec<ConfigRule>,
    /// With their lines.
    pub(super) lists: Vec<(usize, Allowlist)>,
    pub(super) use_default: bool,
    /// Line and path of the file it extends.
    pub(super) base: Option<(usize, String)>,
    pub(super) disabled: Vec<(usize, String)>,
}

/// A rule as written.
pub(super) struct ConfigRule {
    pub(super) id: String,
    /// With its line.
    pub(super) regex: Option<(usize, String)>,
    pub(super) path: Option<Regex>,
    pub(super) secret_group: Option<usize>,
    pub(super) entropy: Option<f64>,
    /// Lower case.
    pub(super) keywords: Vec<String>,
    pub(super) lists: Vec<Allowlist>,
    /// With their lines.
    pub(super) required: Vec<(usize, Required)>,
    pub(super) skip_report: bool,
    /// Where remarks on it belong.
    pub(super) remark: Diagnostic,
}

/// A table whose keys are read in any letter case; what is not asked for is reported.
struct Fields<'a, 'i> {
    source: &'a Source<'a>,
    table: &'a DeTable<'i>,
    rule: Option<&'a str>,
    remarks: &'a mut Vec<Diagnostic>,
}

impl<'a, 'i> Fields<'a, 'i> {
    fn get(&self, name: &str) -> Option<(usize, &'a DeValue<'i>)> {
        let (key, value) = self.table.iter().find(|(key, _)| key.get_ref().eq_ignore_ascii_case(name))?;
        Some((self.source.line(key.span().start), value.get_ref()))
    }

    fn say(&mut self, line: usize, level: Level, message: String) {
        self.remarks.push(self.source.say(line, self.rule, level, message));
    }

    /// A field of one type; a remark if it has another.
    fn typed<T>(
        &mut self,
        name: &str,
        what: &str,
        read: fn(&DeValue<'i>) -> Option<T>,
    ) -> Option<(usize, T)> {
        let (line, value) = self.get(name)?;
        let read = read(value);
        if read.is_none() {
            self.say(line, Level::Error, format!("`{name}` is not {what}"));
        }
        Some((line, read?))
    }

    fn string(&mut self, name: &str) -> Option<(usize, String)> {
        self.typed(name, "a string", |value| value.as_str().map(str::to_owned))
    }

    fn number(&mut self, name: &str) -> Option<(usize, usize)> {
        self.typed(name, "a whole number", |value| {
            value.as_integer().and_then(|number| usize::from_str_radix(number.as_str(), number.radix()).ok())
        })
    }

    fn boolean(&mut self, name: &str) -> bool {
        self.typed(name, "true or false", DeValue::as_bool).is_some_and(|(_, value)| value)
    }

    fn strings(&mut self, name: &str) -> Vec<(usize, String)> {
        let source = self.source;
        let Some((line, value)) = self.get(name) else { return Vec::new() };
        let items: Option<Vec<(usize, String)>> = value.as_array().and_then(|items| {
            let item = |item: &toml::Spanned<DeValue>| {
                Some((source.line(item.span().start), item.get_ref().as_str()?.to_owned()))
            };
            items.iter().map(item).collect()
        });
        if items.is_none() {
            self.say(line, Level::Error, format!("`{name}` is not a list of strings"));
        }
        items.unwrap_or_default()
    }

    /// Go expressions; those that do not compile are reported and left out.
    fn regexes(&mut self, name: &str) -> (Vec<Regex>, bool) {
        let mut compiled = Vec::new();
        let mut is_whole = true;
        for (line, text) in self.strings(name) {
            match pattern::compile(&text) {
                Ok(regex) => compiled.push(regex),
                Err(reason) => {
                    is_whole = false;
                    self.say(
                        line,
                        Level::Unsupported,
                        format!("`{name}`: one pattern is left out: {reason}"),
                    );
                }
            }
        }
        (compiled, is_whole)
    }

    fn unknown(&mut self, known: &[&str]) {
        for (key, _) in self.table {
            if !known.iter().any(|name| key.get_ref().eq_ignore_ascii_case(name)) {
                let line = self.source.line(key.span().start);
                self.say(line, Level::Unsupported, format!("the field `{}` is not known", key.get_ref()));
            }
        }
    }
}

/// The tables of a list, which may be a single table.
fn tables<'a, 'i>(value: &'a DeValue<'i>) -> Vec<(usize, &'a DeTable<'i>)> {
    match value {
        DeValue::Table(table) => vec![(0, table)],
        DeValue::Array(items) => {
            let table =
                |item: &'a toml::Spanned<DeValue<'i>>| Some((item.span().start, item.get_ref().as_table()?));
            items.iter().filter_map(table).collect()
        }
        _ => Vec::new(),
    }
}

impl Config {
    pub(super) fn read(source: &Source, table: &DeTable, remarks: &mut Vec<Diagnostic>) -> Self {
        let mut config = Self::default();
        let mut fields = Fields { source, table, rule: None, remarks };
        fields.unknown(&["title", "description", "minversion", "extend", "rules", "allowlist", "allowlists"]);
        config.lists = lists(&mut fields);
        if let Some((line, value)) = fields.get("rules") {
            if value.as_array().is_none() {
                fields.say(line, Level::Error, "`rules` is not a list of tables".to_owned());
            }
            for (at, table) in tables(value) {
                let rule = ConfigRule::read(source, at, table, fields.remarks);
                config.rules.extend(rule);
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        for rule in &config.rules {
            if !seen.insert(rule.id.as_str()) {
                let message = "this id is used twice".to_owned();
                fields.remarks.push(source.say(rule.remark.line, Some(&rule.id), Level::Error, message));
            }
        }
        if let Some(table) = fields.get("extend").and_then(|(_, value)| value.as_table()) {
            let mut fields = Fields { source, table, rule: None, remarks: &mut *fields.remarks };
            fields.unknown(&["usedefault", "path", "disabledrules"]);
            config.use_default = fields.boolean("usedefault");
            config.base = fields.string("path").filter(|(_, path)| !path.is_empty());
            config.disabled = fields.strings("disabledrules");
            if let (true, Some((line, _))) = (config.use_default, &config.base) {
                let message = "useDefault and path exclude one another".to_owned();
                fields.say(*line, Level::Error, message);
            }
        }
        config
    }

    /// Adds what this configuration extends; its own rules win.
    pub(super) fn extend(&mut self, base: Self) {
        self.use_default |= base.use_default;
        let mut rules: Vec<ConfigRule> = Vec::new();
        for mut rule in base.rules {
            let before = self.disabled.len();
            self.disabled.retain(|(_, id)| *id != rule.id);
            if self.disabled.len() < before {
                continue;
            }
            if let Some(at) = self.rules.iter().position(|own| own.id == rule.id) {
                rule.change(self.rules.remove(at));
            }
            rules.push(rule);
        }
        rules.append(&mut self.rules);
        self.rules = rules;
        self.lists.extend(base.lists);
        self.disabled.extend(base.disabled);
    }
}

impl ConfigRule {
    fn read(source: &Source, at: usize, table: &DeTable, remarks: &mut Vec<Diagnostic>) -> Option<Self> {
        let line = source.line(at);
        let mut fields = Fields { source, table, rule: None, remarks };
        let Some((line, id)) = fields.string("id").filter(|(_, id)| !id.is_empty()) else {
            fields.say(line, Level::Error, "a rule has no id".to_owned());
            return None;
        };
        let mut fields = Fields { source, table, rule: Some(&id), remarks };
        fields.unknown(&[
            "id",
            "description",
            "regex",
            "path",
            "secretgroup",
            "entropy",
            "keywords",
            "tags",
            "allowlist",
            "allowlists",
            "required",
            "skipreport",
        ]);
        let path = fields.string("path").and_then(|(line, path)| match pattern::compile(&path) {
            Ok(path) => Some(path),
            Err(reason) => {
                fields.say(line, Level::Unsupported, format!("its path is not compared: {reason}"));
                None
            }
        });
        let group = fields.number("secretgroup");
        let entropy = fields.typed("entropy", "a number", |value| match value {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => None,
        });
        let keywords = fields.strings("keywords").into_iter().map(|(_, word)| word.to_lowercase());
        Some(Self {
            keywords: keywords.filter(|word| !word.is_empty()).collect(),
            regex: fields.string("regex").filter(|(_, regex)| !regex.is_empty()),
            path,
            secret_group: group.map(|(_, group)| group),
            entropy: entropy.map(|(_, entropy)| entropy),
            lists: lists(&mut fields).into_iter().map(|(_, list)| list).collect(),
            required: required(&mut fields),
            skip_report: fields.boolean("skipreport"),
            remark: source.say(line, Some(&id), Level::Warning, String::new()),
            id,
        })
    }

    /// Takes over what a rule of the same id in an extending file sets.
    fn change(&mut self, by: Self) {
        self.regex = by.regex.or(self.regex.take());
        self.path = by.path.or(self.path.take());
        self.secret_group = by.secret_group.or(self.secret_group);
        self.entropy = by.entropy.or(self.entropy);
        self.keywords.extend(by.keywords);
        self.lists.extend(by.lists);
        self.required.extend(by.required);
        self.skip_report |= by.skip_report;
        self.remark = by.remark;
    }
}

/// `[[rules.required]]`: what has to be found nearby.
fn required(fields: &mut Fields) -> Vec<(usize, Required)> {
    let Some((_, value)) = fields.get("required") else { return Vec::new() };
    let mut all = Vec::new();
    for (at, table) in tables(value) {
        let line = fields.source.line(at);
        let mut inner =
            Fields { source: fields.source, table, rule: fields.rule, remarks: &mut *fields.remarks };
        inner.unknown(&["id", "withinlines", "withincolumns"]);
        let Some((_, rule)) = inner.string("id") else {
            inner.say(line, Level::Error, "`required` names no id".to_owned());
            continue;
        };
        let within_lines = inner.number("withinlines").map(|(_, lines)| lines);
        let within_columns = inner.number("withincolumns").map(|(_, columns)| columns);
        all.push((line, Required { rule, within_lines, within_columns }));
    }
    all
}

/// `[allowlist]` (deprecated) or `[[allowlists]]`.
fn lists(fields: &mut Fields) -> Vec<(usize, Allowlist)> {
    let old = fields.get("allowlist");
    let new = fields.get("allowlists");
    if let (Some((line, _)), Some(_)) = (old, new) {
        fields.say(line, Level::Error, "`allowlist` and `allowlists` exclude one another".to_owned());
    }
    let mut lists = Vec::new();
    for (line, value) in [old, new].into_iter().flatten() {
        if value.as_table().is_none() && value.as_array().is_none() {
            fields.say(line, Level::Error, "an allowlist is not a table".to_owned());
        }
        for (at, table) in tables(value) {
            let line = if at == 0 { line } else { fields.source.line(at) };
            let is_global = fields.rule.is_none();
            let mut inner =
                Fields { source: fields.source, table, rule: fields.rule, remarks: &mut *fields.remarks };
            lists.extend(allowlist(&mut inner, line, is_global).map(|list| (line, list)));
        }
    }
    lists
}

fn allowlist(fields: &mut Fields, line: usize, is_global: bool) -> Option<Allowlist> {
    fields.unknown(&[
        "description",
        "condition",
        "regextarget",
        "regexes",
        "paths",
        "stopwords",
        "commits",
        "targetrules",
    ]);
    let is_all = match fields.string("condition") {
        None => false,
        Some((_, text)) if ["AND", "&&"].contains(&text.to_uppercase().as_str()) => true,
        Some((_, text)) if ["OR", "||", ""].contains(&text.to_uppercase().as_str()) => false,
        Some((line, text)) => {
            fields.say(line, Level::Error, format!("condition `{text}` is neither AND nor OR"));
            false
        }
    };
    let target = match fields.string("regextarget") {
        None => Target::Secret,
        Some((line, text)) => match text.to_lowercase().as_str() {
            "" | "secret" => Target::Secret,
            "match" => Target::Match,
            "line" => Target::Line,
            _ => {
                let message = format!("regexTarget `{text}` is none of secret, match, line");
                fields.say(line, Level::Error, message);
                Target::Secret
            }
        },
    };
    let (patterns, has_patterns) = fields.regexes("regexes");
    let (paths, has_paths) = fields.regexes("paths");
    let stop_words: Vec<String> =
        fields.strings("stopwords").into_iter().map(|(_, word)| word.to_lowercase()).collect();
    let commits = fields.strings("commits");
    let targets = fields.strings("targetrules");
    if let (false, Some((line, _))) = (is_global, targets.first()) {
        fields.say(*line, Level::Error, "targetRules is for allowlists of all rules".to_owned());
    }
    let is_empty = patterns.is_empty() && paths.is_empty() && stop_words.is_empty();
    if let Some((line, _)) = commits.first() {
        let message = "commits: run logs have none, so they are not compared";
        fields.say(*line, Level::Unsupported, message.to_owned());
    } else if is_empty && has_patterns && has_paths {
        let message = "an allowlist needs regexes, paths, stopwords or commits".to_owned();
        fields.say(line, Level::Error, message);
    }
    // Of conditions that all have to hold none may be missing: it would allow more.
    let is_weaker = is_all && (!commits.is_empty() || !has_patterns || !has_paths);
    if is_weaker {
        let message = "this allowlist allows nothing: one of its conditions cannot be compared";
        fields.say(line, Level::Unsupported, message.to_owned());
    }
    (!is_empty && !is_weaker).then(|| Allowlist {
        reason: fields.string("description").map(|(_, text)| text).unwrap_or_default(),
        rules: (!targets.is_empty()).then(|| targets.into_iter().map(|(_, id)| id).collect()),
        is_all,
        paths,
        patterns,
        target,
        stop_words,
    })
}
