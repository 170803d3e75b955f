//! Rules of RBAC as patterns of actions and resources.
//!
//! An action is `group/resource:verb` (`core/pods/exec:create`, `apps/deployments:get`) or,
//! for a URL of the API server that is no resource, `verb /path` (`get /metrics`). `*`
//! stands for what RBAC lets it stand for: all verbs, all groups, all resources with their
//! subresources, `*/scale` for a subresource of all, the end of a URL. Any other `*` means
//! nothing to RBAC and is escaped, so that a pattern matches what the rule does:
//! pkg/apis/rbac/v1/evaluation_helpers.go.

use serde_json::Value;

/// What a rule allows.
pub(super) struct Rule {
    /// Patterns of actions.
    pub(super) actions: Vec<String>,
    /// Names it is limited to; none is any.
    pub(super) names: Vec<String>,
}

/// Combinations of verbs, groups and resources of one rule that are written out; the
/// largest default rule has 100.
const MOST_ACTIONS: usize = 2_000;

/// Reads a rule; the error says what is wrong with it.
pub(super) fn rule(value: &Value) -> Result<Rule, &'static str> {
    let verbs = texts(value, "verbs")?;
    let (groups, resources) = (texts(value, "apiGroups")?, texts(value, "resources")?);
    let (urls, names) = (texts(value, "nonResourceURLs")?, texts(value, "resourceNames")?);
    if verbs.is_empty() {
        return Err("has no verbs");
    }
    if resources.is_empty() && urls.is_empty() {
        return Err("has neither resources nor URLs");
    }
    if !resources.is_empty() && groups.is_empty() {
        return Err("has resources of no API group");
    }
    let size = verbs.len().saturating_mul(groups.len().saturating_mul(resources.len()) + urls.len());
    if size > MOST_ACTIONS {
        return Err("has more combinations than can be written out");
    }
    let mut actions = Vec::with_capacity(size);
    for verb in &verbs {
        let verb = wild(verb);
        for group in &groups {
            let group = if group.is_empty() { "core".to_owned() } else { wild(group) };
            actions.extend(resources.iter().map(|name| format!("{group}/{}:{verb}", resource(name))));
        }
        actions.extend(urls.iter().map(|path| format!("{verb} {}", url(path))));
    }
    Ok(Rule { actions, names: names.iter().map(|name| escaped(name)).collect() })
}

fn texts<'v>(value: &'v Value, name: &str) -> Result<Vec<&'v str>, &'static str> {
    const WRONG: &str = "has a member that is no list of texts";
    match value.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(|item| item.as_str().ok_or(WRONG)).collect(),
        Some(_) => Err(WRONG),
    }
}

/// A text that is a wildcard as a whole or not at all.
fn wild(text: &str) -> String {
    if text == "*" { text.to_owned() } else { escaped(text) }
}

fn resource(text: &str) -> String {
    match text.strip_prefix("*/") {
        Some(subresource) => format!("*/{}", escaped(subresource)),
        None => wild(text),
    }
}

fn url(text: &str) -> String {
    let fixed = text.trim_end_matches('*');
    let end = if fixed.len() < text.len() { "*" } else { "" };
    let start = if fixed.is_empty() { "/" } else { "" };
    format!("{start}{}{end}", escaped(fixed))
}

/// A text without characters that mean something in a pattern.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '%' => escaped.push_str("%25"),
            '*' => escaped.push_str("%2A"),
            '?' => escaped.push_str("%3F"),
            '$' => escaped.push_str("%24"),
            ':' => escaped.push_str("%3A"),
            ' ' => escaped.push_str("%20"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn actions(value: &Value) -> Vec<String> {
        rule(value).map(|rule| rule.actions).unwrap_or_default()
    }

    #[test]
    fn only_the_wildcards_of_rbac_are_wildcards() {
        let value =
            json!({"verbs": ["get"], "apiGroups": ["", "apps"], "resources": ["*", "*/scale", "pods/*"]});
        assert_eq!(
            actions(&value),
            [
                "core/*:get",
                "core/*/scale:get",
                "core/pods/%2A:get",
                "apps/*:get",
                "apps/*/scale:get",
                "apps/pods/%2A:get"
            ]
        );
        let urls = json!({"verbs": ["*"], "nonResourceURLs": ["*", "/metrics", "/api/*", "/a*/b"]});
        assert_eq!(actions(&urls), ["* /*", "* /metrics", "* /api/*", "* /a%2A/b"]);
    }

    #[test]
    fn names_are_taken_literally() {
        let value =
            json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["*"]});
        assert_eq!(rule(&value).map(|rule| rule.names).unwrap_or_default(), ["%2A"]);
    }

    #[test]
    fn broken_rules_say_why() {
        for (value, reason) in [
            (json!({"apiGroups": [""], "resources": ["pods"]}), "has no verbs"),
            (json!({"verbs": ["get"]}), "has neither resources nor URLs"),
            (json!({"verbs": ["get"], "resources": ["pods"]}), "has resources of no API group"),
            (
                json!({"verbs": "get", "apiGroups": [""], "resources": ["pods"]}),
                "has a member that is no list of texts",
            ),
        ] {
            assert_eq!(rule(&value).err(), Some(reason), "{value}");
        }
        let many: Vec<String> = (0..200).map(|number| number.to_string()).collect();
        assert!(rule(&json!({"verbs": many, "apiGroups": many, "resources": many})).is_err());
    }
}
