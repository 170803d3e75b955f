//! `rules`, `only` and `except`: for which pipelines a job or a whole file is.

use crate::value::text;
use serde_json::Value;

/// What decides whether something runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// Pipeline sources that are named: values of `$CI_PIPELINE_SOURCE`.
    pub(super) sources: Vec<String>,
    /// `rules.if=…`, `only.refs=…`.
    named: Vec<String>,
    /// Conditions under which it runs.
    conditions: Vec<String>,
}

/// Refs of `only:` that stand for a source ("CI/CD YAML syntax reference", `only:refs`).
const SOURCES: [(&str, &str); 9] = [
    ("api", "api"),
    ("chat", "chat"),
    ("external", "external"),
    ("merge_requests", "merge_request_event"),
    ("pipelines", "pipeline"),
    ("pushes", "push"),
    ("schedules", "schedule"),
    ("triggers", "trigger"),
    ("web", "web"),
];

/// The rules of a job, or of `workflow:`.
pub(super) fn of(value: &Value) -> Rules {
    let mut rules = Rules::default();
    for rule in value.get("rules").and_then(Value::as_array).into_iter().flatten() {
        rules.rule(rule);
    }
    for keyword in ["only", "except"] {
        if let Some(refs) = value.get(keyword) {
            rules.refs(keyword, refs);
        }
    }
    rules
}

impl Rules {
    /// The filters, of `workflow` with that word before them.
    pub(super) fn filters(&self, of: &str) -> Vec<String> {
        let prefix = if of.is_empty() { String::new() } else { format!("{of}.") };
        self.named.iter().map(|filter| format!("{prefix}{filter}")).collect()
    }

    /// The conditions of its rules, of which one must hold.
    pub(super) fn condition(&self) -> Option<String> {
        (!self.conditions.is_empty()).then(|| self.conditions.join(" || "))
    }

    fn rule(&mut self, rule: &Value) {
        let is_never = text(rule, "/when").as_deref() == Some("never");
        if let Some(condition) = text(rule, "/if") {
            if !is_never {
                sources_of(&condition, &mut self.sources);
                self.conditions.push(condition.clone());
            }
            let how = if is_never { "rules.never" } else { "rules.if" };
            self.named.push(format!("{how}={condition}"));
        }
        for member in ["changes", "exists"] {
            let paths = rule.get(member).map(|paths| paths.get("paths").unwrap_or(paths));
            let paths = paths.map(super::job::words).unwrap_or_default();
            self.named.extend(paths.into_iter().map(|path| format!("rules.{member}={path}")));
        }
    }

    fn refs(&mut self, keyword: &str, value: &Value) {
        let refs = value.get("refs").unwrap_or(value);
        for name in super::job::words(refs) {
            let source = SOURCES.iter().find(|(word, _)| *word == name).map(|(_, source)| *source);
            if let Some(source) = source.filter(|_| keyword == "only") {
                add(&mut self.sources, source);
            }
            self.named.push(format!("{keyword}.refs={name}"));
        }
        for member in ["variables", "changes", "kubernetes"] {
            let texts = value.get(member).map(super::job::words).unwrap_or_default();
            self.named.extend(texts.into_iter().map(|text| format!("{keyword}.{member}={text}")));
        }
    }
}

/// The sources that `$CI_PIPELINE_SOURCE == "…"` names.
fn sources_of(condition: &str, found: &mut Vec<String>) {
    for rest in condition.split("$CI_PIPELINE_SOURCE").skip(1) {
        let Some(compared) = rest.trim_start().strip_prefix("==") else { continue };
        let compared = compared.trim_start();
        let Some(quote) = compared.chars().next().filter(|letter| matches!(letter, '"' | '\'')) else {
            continue;
        };
        if let Some(source) = compared.split(quote).nth(1) {
            add(found, source);
        }
    }
}

fn add(found: &mut Vec<String>, source: &str) {
    if !found.iter().any(|known| known == source) {
        found.push(source.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sources_are_those_that_let_the_job_run() {
        let rules = of(&json!({"rules": [
            {"if": "$CI_PIPELINE_SOURCE == \"schedule\" || $CI_PIPELINE_SOURCE=='web'"},
            {"if": "$CI_PIPELINE_SOURCE == \"merge_request_event\"", "when": "never"},
            {"if": "$CI_PIPELINE_SOURCE != \"push\""},
            {"changes": ["src/**"]}
        ]}));
        assert_eq!(rules.sources, ["schedule", "web"]);
        assert_eq!(rules.conditions.len(), 2);
        assert_eq!(rules.filters("").last().map(String::as_str), Some("rules.changes=src/**"));
        assert!(rules.filters("workflow")[1].starts_with("workflow.rules.never="));
        let only = of(&json!({"only": ["main", "schedules"], "except": {"refs": ["web"]}}));
        assert_eq!(only.sources, ["schedule"]);
        assert_eq!(only.filters(""), ["only.refs=main", "only.refs=schedules", "except.refs=web"]);
    }
}
