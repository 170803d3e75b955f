//! Where a workflow file lies in a repository, as far as its path tells.

use std::fmt;

/// Repository, ref and path of a file such as `repos/acme/shop/.github/workflows/ci.yml`.
///
/// A repository is believed only behind `repos/`, a host of GitHub, or where a URL is spelt
/// out as folders: the folders of a checkout say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DefinitionPath {
    pub(crate) repo: Option<String>,
    pub(crate) reference: Option<String>,
    /// From `.github/` on; else the file's name.
    pub(crate) file: Option<String>,
}

impl DefinitionPath {
    pub(crate) fn of(path: &str) -> Self {
        let parts: Vec<&str> =
            path.split(['/', '\\']).filter(|part| !part.is_empty() && *part != "!").collect();
        let dot_github = parts.iter().rposition(|part| *part == ".github");
        let start = dot_github.unwrap_or(parts.len().saturating_sub(1));
        let file = parts.get(start..).filter(|file| !file.is_empty()).map(|file| file.join("/"));
        let is_host = |part: &&str| matches!(*part, "repos" | "github.com" | "raw.githubusercontent.com");
        let before = parts.get(..start).unwrap_or_default();
        let Some(host) = before.iter().rposition(is_host) else {
            return Self { file, ..Self::default() };
        };
        let (Some(owner), Some(name)) = (before.get(host + 1), before.get(host + 2)) else {
            return Self { file, ..Self::default() };
        };
        // `contents/` of the REST API, `blob/main/` of the site; a ref may have slashes.
        let rest = before.get(host + 3..).unwrap_or_default();
        let rest = match rest.first() {
            Some(&("contents" | "blob" | "raw" | "tree")) => rest.get(1..).unwrap_or_default(),
            _ => rest,
        };
        let reference = (dot_github.is_some() && !rest.is_empty()).then(|| rest.join("/"));
        Self { repo: Some(format!("{owner}/{name}")), reference, file }
    }
}

/// What the path adds to the content: empty for a file that could lie anywhere.
impl fmt::Display for DefinitionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |option: &Option<String>| option.clone().unwrap_or_default();
        let file = self.file.as_ref().filter(|file| file.starts_with(".github/"));
        write!(f, "{}@{}:{}", text(&self.repo), text(&self.reference), file.map_or("", String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_believed_only_where_the_path_says_so() {
        let parts = |path: &str| {
            let found = DefinitionPath::of(path);
            [found.repo, found.reference, found.file].map(Option::unwrap_or_default)
        };
        let file = ".github/workflows/ci.yml";
        assert_eq!(parts("/home/me/src/shop/.github/workflows/ci.yml"), ["", "", file]);
        assert_eq!(parts("in/repos/acme/shop/.github/workflows/ci.yml"), ["acme/shop", "", file]);
        assert_eq!(parts("repos/acme/shop/contents/.github/workflows/ci.yml"), ["acme/shop", "", file]);
        assert_eq!(
            parts("raw.githubusercontent.com/acme/shop/refs/heads/main/.github/workflows/ci.yml"),
            ["acme/shop", "refs/heads/main", file]
        );
        assert_eq!(parts("github.com/acme/shop/blob/v1/.github/workflows/ci.yml"), ["acme/shop", "v1", file]);
        assert_eq!(parts("in.zip!/repos/acme/shop/action.yml"), ["acme/shop", "", "action.yml"]);
        assert_eq!(parts("ci.yml"), ["", "", "ci.yml"]);
    }
}
