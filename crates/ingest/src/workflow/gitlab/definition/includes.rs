//! `include:` and `trigger:include:`: files that a pipeline takes from elsewhere.

use crate::value::text;
use serde_json::Value;

/// A file by reference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Included {
    /// `group/name:file@ref`, a component's address, a URL, or `template:name`.
    pub(super) name: String,
    /// Whether its owner cannot change it: a commit, or the digest of a remote file.
    pub(super) is_pinned: bool,
}

/// What is taken from other projects and servers. Files of the project itself are its own, and
/// templates are GitLab's.
pub(super) fn of(include: &Value) -> Vec<Included> {
    let items = match include {
        Value::Array(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    items.iter().flat_map(included).collect()
}

fn included(item: &Value) -> Vec<Included> {
    if let Some(component) = text(item, "/component") {
        let is_pinned = component.rsplit_once('@').is_some_and(|(_, version)| is_commit(version));
        return vec![Included { name: component, is_pinned }];
    }
    if let Some(project) = text(item, "/project") {
        let reference = text(item, "/ref");
        let is_pinned = reference.as_deref().is_some_and(is_commit);
        let at = reference.map(|name| format!("@{name}")).unwrap_or_default();
        let name = |file: String| Included { name: format!("{project}:{file}{at}"), is_pinned };
        return files(item.get("file")).into_iter().map(name).collect();
    }
    if let Some(template) = text(item, "/template") {
        return vec![Included { name: format!("template:{template}"), is_pinned: true }];
    }
    // `include: https://…` is short for `remote`.
    let short = item.as_str().filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    let remote = text(item, "/remote").or_else(|| short.map(str::to_owned));
    let is_pinned = item.get("integrity").is_some();
    remote.map(|name| Included { name, is_pinned }).into_iter().collect()
}

/// One file, or several as a list.
fn files(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(file)) => vec![file.clone()],
        Some(Value::Array(files)) => files.iter().filter_map(|file| text(file, "")).collect(),
        _ => Vec::new(),
    }
}

fn is_commit(name: &str) -> bool {
    matches!(name.len(), 40 | 64) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_commits_and_digests_pin() {
        let commit = "0".repeat(40);
        let include = json!([
            {"project": "acme/ci", "file": ["/a.yml", "/b.yml"], "ref": "v1"},
            {"project": "acme/ci", "file": "/c.yml", "ref": commit},
            {"component": "gitlab.com/acme/scan@~latest"},
            {"remote": "https://example.com/x.yml", "integrity": "sha256-AAAA"},
            "https://example.com/y.yml",
            "/local.yml",
            {"local": "/b.yml"},
            {"template": "Auto-DevOps.gitlab-ci.yml"}
        ]);
        let found: Vec<_> = of(&include).into_iter().map(|item| (item.name, item.is_pinned)).collect();
        let expected = [
            ("acme/ci:/a.yml@v1".to_owned(), false),
            ("acme/ci:/b.yml@v1".to_owned(), false),
            (format!("acme/ci:/c.yml@{commit}"), true),
            ("gitlab.com/acme/scan@~latest".to_owned(), false),
            ("https://example.com/x.yml".to_owned(), true),
            ("https://example.com/y.yml".to_owned(), false),
            ("template:Auto-DevOps.gitlab-ci.yml".to_owned(), true),
        ];
        assert_eq!(found, expected);
    }
}
