//! Rule files of gitleaks (its version 8 `config` format), as far as they apply to run logs.
//!
//! Honoured: `[extend]` with `useDefault` (our embedded rules), `path` (relative to the file)
//! and `disabledRules`; rules with `id`, `regex`, `path`, `secretGroup`, `entropy`,
//! `keywords`, `required`, `skipReport`; allowlists of rules and of all, with `condition`, `regexTarget`, `regexes`,
//! `paths`, `stopwords`, `targetRules`. Keys are read in any letter case, as gitleaks does.
//! Everything else is reported with the rule and the reason.

mod config;
mod matcher;
pub(crate) mod pattern;

use crate::user_rules::{self, Level, Loaded, Source};
use crate::{Rule, RuleSet};
use config::{Config, ConfigRule};
pub(crate) use matcher::{ForeignMatcher, ForeignRule};
pub(crate) use pattern::one_line;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// So many files may extend one another.
const MAX_EXTEND_DEPTH: usize = 2;

/// Keys that only gitleaks' format has.
const TOP_KEYS: [&str; 6] = ["title", "description", "minversion", "extend", "allowlist", "allowlists"];
const RULE_KEYS: [&str; 8] =
    ["regex", "path", "secretgroup", "description", "tags", "allowlist", "allowlists", "required"];

/// Whether a document is a gitleaks configuration rather than a rule file of ours: some
/// key tells. Ours has `disabled_rules`, `allow`, and rules with a `pattern`.
pub(crate) fn is_gitleaks(table: &DeTable) -> bool {
    let has = |table: &DeTable, keys: &[&str]| {
        table.keys().any(|key| keys.contains(&key.get_ref().to_ascii_lowercase().as_str()))
    };
    if has(table, &["disabled_rules", "allow"]) {
        return false;
    }
    let rules = table.iter().filter(|(key, _)| key.get_ref().eq_ignore_ascii_case("rules"));
    let mut rules = rules.filter_map(|(_, value)| value.get_ref().as_array()).flatten();
    let is_foreign = |rule: &toml::Spanned<DeValue>| {
        rule.get_ref().as_table().is_some_and(|rule| has(rule, &RULE_KEYS) && !has(rule, &["pattern"]))
    };
    has(table, &TOP_KEYS) || rules.any(is_foreign)
}

/// Adds a gitleaks file to what was loaded.
pub(crate) fn load(path: &Path, source: &Source, table: &DeTable, builtin: &RuleSet, loaded: &mut Loaded) {
    let config = with_base(path, source, table, 0, loaded);
    loaded.keeps_builtin |= config.use_default;
    if !config.use_default {
        let message = "the embedded rules do not run: the file does not set [extend] useDefault = true";
        loaded.diagnostics.push(source.say(0, None, Level::Warning, message.to_owned()));
    }
    let known = |id: &str| {
        builtin.rules().iter().any(|rule| rule.id == id) || config.rules.iter().any(|rule| rule.id == id)
    };
    for (line, id) in &config.disabled {
        if known(id) {
            loaded.disabled.insert(id.clone());
        } else {
            let message = format!("disabledRules: there is no rule `{id}`, so nothing is disabled");
            loaded.diagnostics.push(source.say(*line, None, Level::Unsupported, message));
        }
    }
    for (line, list) in &config.lists {
        for id in list.rules.iter().flatten().filter(|id| !known(id)) {
            let message = format!("targetRules: there is no rule `{id}`");
            loaded.diagnostics.push(source.say(*line, None, Level::Unsupported, message));
        }
    }
    loaded.custom.lists.extend(config.lists.into_iter().map(|(_, list)| list));
    let from = loaded.custom.foreign.len();
    let mut required = Vec::new();
    for mut rule in config.rules {
        required.extend(rule.required.iter().map(|(line, it)| (*line, rule.id.clone(), it.rule.clone())));
        let by_rule = std::mem::take(&mut rule.required);
        let count = loaded.custom.foreign.len();
        add_rule(rule, config.use_default, builtin, loaded);
        if let Some(added) = loaded.custom.foreign.get_mut(count) {
            added.required = by_rule.into_iter().map(|(_, required)| required).collect();
        }
    }
    // A condition that can never hold would silence the rule.
    let own: Vec<String> = loaded.custom.foreign.iter().skip(from).map(|rule| rule.id.clone()).collect();
    for rule in loaded.custom.foreign.iter_mut().skip(from) {
        rule.required.retain(|required| own.contains(&required.rule));
    }
    for (line, id, missing) in required.into_iter().filter(|(.., missing)| !own.contains(missing)) {
        let message = format!("required: the rule `{missing}` does not run here, so it is not asked for");
        loaded.diagnostics.push(source.say(line, Some(&id), Level::Unsupported, message));
    }
}

/// A configuration with what it extends.
fn with_base(path: &Path, source: &Source, table: &DeTable, depth: usize, loaded: &mut Loaded) -> Config {
    let mut config = Config::read(source, table, &mut loaded.diagnostics);
    let Some((line, base)) = config.base.take() else { return config };
    let fail = |message: String| source.say(line, None, Level::Error, message);
    if depth + 1 > MAX_EXTEND_DEPTH {
        loaded.diagnostics.push(fail(format!("more than {MAX_EXTEND_DEPTH} files extend one another")));
        return config;
    }
    let base = path.parent().unwrap_or(Path::new("")).join(base);
    let file = base.display().to_string();
    match user_rules::read_text(&base) {
        Err(reason) => loaded.diagnostics.push(fail(format!("{file}: {reason}"))),
        Ok(text) => match DeTable::parse(&text) {
            Err(error) => loaded.diagnostics.push(fail(format!("{file}: {}", error.message()))),
            Ok(table) => {
                let source = Source { file: &file, text: &text };
                let base = with_base(&base, &source, table.get_ref(), depth + 1, loaded);
                config.extend(base);
                loaded.texts.push(text);
            }
        },
    }
    config
}

fn add_rule(rule: ConfigRule, use_default: bool, builtin: &RuleSet, loaded: &mut Loaded) {
    let remark = |level: Level, message: &str| {
        let mut remark = rule.remark.clone();
        (remark.level, remark.message) = (level, message.to_owned());
        remark
    };
    let is_builtin = use_default && builtin.rules().iter().any(|known| known.id == rule.id);
    let mut lists = rule.lists.clone();
    lists.iter_mut().for_each(|list| list.rules = Some([rule.id.clone()].into()));
    let Some((regex_line, regex)) = &rule.regex else {
        // Without a pattern it changes a rule that exists.
        let message = match (is_builtin, rule.path.is_some(), use_default) {
            (true, ..) => {
                loaded.custom.lists.extend(lists);
                return;
            }
            (_, true, _) => "a rule with a path only reports files by name, and run logs have none",
            (_, _, true) => "it changes a rule of gitleaks itself, which is not embedded here",
            _ => {
                return loaded.diagnostics.push(remark(Level::Error, "it has neither a regex nor a path"));
            }
        };
        return loaded.diagnostics.push(remark(Level::Unsupported, message));
    };
    let regex = match pattern::compile(regex) {
        Ok(regex) => regex,
        Err(reason) => {
            let mut remark = remark(Level::Unsupported, &format!("it does not run: {reason}"));
            remark.line = *regex_line;
            return loaded.diagnostics.push(remark);
        }
    };
    let secret_group = rule.secret_group.unwrap_or_default();
    if secret_group >= regex.group_info().group_len(regex_automata::PatternID::ZERO) {
        let message = format!("secretGroup = {secret_group}: the regex has no such group");
        return loaded.diagnostics.push(remark(Level::Error, &message));
    }
    if regex.is_match(b"") {
        return loaded.diagnostics.push(remark(Level::Error, "the regex matches the empty text"));
    }
    if rule.keywords.is_empty() && !rule.skip_report {
        let message = "it has no keywords, so its regex runs over every text, which is slow";
        loaded.diagnostics.push(remark(Level::Warning, message));
    }
    if is_builtin {
        loaded.diagnostics.push(remark(Level::Warning, "it replaces the embedded rule of this id"));
    }
    let is_taken = loaded.rules.iter().any(|known| known.id == rule.id)
        || loaded.custom.foreign.iter().any(|known| known.id == rule.id);
    match listed(&rule.id) {
        Ok(_) if is_taken => loaded.diagnostics.push(remark(Level::Error, "this id is used twice")),
        Ok(entry) => {
            loaded.rules.extend((!rule.skip_report).then_some(entry));
            loaded.custom.lists.extend(lists);
            loaded.custom.foreign.push(ForeignRule {
                id: rule.id,
                regex,
                secret_group,
                entropy: rule.entropy.unwrap_or_default(),
                path: rule.path,
                keywords: rule.keywords,
                required: Vec::new(),
                is_silent: rule.skip_report,
            });
        }
        Err(reason) => loaded.diagnostics.push(remark(Level::Error, &reason)),
    }
}

/// The rule as sightings name it. It has no pattern of ours; gitleaks has no severity or
/// lifetime.
fn listed(id: &str) -> Result<Rule, String> {
    let kind: String =
        id.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
    let fields = [
        ("id", id),
        ("provider", "custom"),
        ("kind", &kind.to_ascii_lowercase()),
        ("lifetime", "unknown"),
        ("severity", "high"),
    ];
    let table: toml::Table =
        fields.into_iter().map(|(key, value)| (key.to_owned(), toml::Value::from(value))).collect();
    table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}
