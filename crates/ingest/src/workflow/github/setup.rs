//! The setup section: what the server gave the job.
//!
//! Only lines before `Complete job name:` are believed; a step can print the same
//! words (actions/runner `JobExtension.cs`).

use super::log::Line;
use std::collections::HashMap;

/// What the setup section says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    pub(crate) runner_version: Option<String>,
    pub(crate) runner_name: Option<String>,
    pub(crate) runner_group: Option<String>,
    pub(crate) is_hosted: bool,
    /// Scopes in workflow syntax and access; `None` if the group is missing.
    pub(crate) permissions: Option<Vec<(String, String)>>,
    pub(crate) secret_source: Option<String>,
    /// `owner/name@ref` (with sub-path, if any) to commit.
    pub(crate) actions: HashMap<String, String>,
    /// Reusable workflow: path, ref, commit.
    pub(crate) uses: Option<(String, Option<String>, Option<String>)>,
    /// Inputs of the reusable workflow: names and values as printed.
    pub(crate) inputs: Vec<(String, String)>,
    pub(crate) job_name: Option<String>,
}

/// The group we are in.
enum Group {
    None,
    Permissions,
    Provisioner,
    Inputs,
    Package(String),
    Other,
}

impl Setup {
    /// Without any of these there is no setup section, and no step that could end it.
    pub(super) const TELLS: [&[u8]; 3] = [Self::RUNNER, b"Complete job name: ", b"##[group]"];
    /// The one of them that is no word of `steps`.
    pub(super) const RUNNER: &[u8] = b"Current runner version: ";

    /// Sections have tens of lines, and a few for each action: lines from here on tell only
    /// where what stands before the first step ends.
    pub(super) const MAX_LINES: usize = 1_000;

    /// Whether the section ends at a line.
    pub(super) fn ends_at(text: &[u8]) -> bool {
        text.starts_with(b"Complete job name: ") || text.starts_with(b"##[group]Run ")
    }

    /// Reads the setup section; returns how many lines it has.
    pub(crate) fn parse(lines: &[Line<'_>]) -> (Self, usize) {
        let mut setup = Self::default();
        if !lines.iter().any(|line| Self::TELLS.iter().any(|tell| line.text.starts_with(tell))) {
            return (setup, lines.len());
        }
        let mut group = Group::None;
        for (index, line) in lines.iter().enumerate() {
            if index >= Self::MAX_LINES && !Self::ends_at(line.text) {
                continue;
            }
            let text = line.lossy();
            if let Some(name) = text.strip_prefix("Complete job name: ") {
                setup.job_name = Some(name.to_owned());
                return (setup, index + 1);
            }
            if text.starts_with("##[group]Run ") {
                return (setup, index);
            }
            group = setup.line(&text, group);
        }
        (setup, lines.len())
    }

    fn line(&mut self, text: &str, group: Group) -> Group {
        if let Some(title) = text.strip_prefix("##[group]") {
            return self.open(title);
        }
        if text.starts_with("##[endgroup]") {
            return Group::None;
        }
        match &group {
            Group::Permissions => {
                if let (Some((name, access)), Some(list)) = (text.split_once(": "), &mut self.permissions) {
                    list.push((scope(name), access.to_ascii_lowercase()));
                }
            }
            Group::Inputs => {
                if let Some((name, value)) = text.trim_start().split_once(':') {
                    self.inputs.push((name.to_owned(), value.trim_start().to_owned()));
                }
            }
            Group::Package(action) => {
                if let Some(sha) = text.strip_prefix("Source commit SHA: ") {
                    self.actions.insert(action.clone(), sha.to_owned());
                }
            }
            Group::None => self.plain(text),
            Group::Provisioner | Group::Other => {}
        }
        group
    }

    fn open(&mut self, title: &str) -> Group {
        match title.trim() {
            "GITHUB_TOKEN Permissions" => {
                self.permissions = Some(Vec::new());
                Group::Permissions
            }
            "Runner Image Provisioner" => {
                self.is_hosted = true;
                Group::Provisioner
            }
            "Inputs" => Group::Inputs,
            other => match other.strip_prefix("Download immutable action package ") {
                Some(action) => Group::Package(action.trim_matches('\'').to_owned()),
                None => Group::Other,
            },
        }
    }

    fn plain(&mut self, text: &str) {
        let quoted = |text: &str| text.trim_matches('\'').to_owned();
        if let Some(version) = text.strip_prefix("Current runner version: ") {
            self.runner_version = Some(quoted(version));
        } else if let Some(name) = text.strip_prefix("Runner name: ") {
            self.runner_name = Some(quoted(name));
        } else if let Some(name) = text.strip_prefix("Runner group name: ") {
            self.runner_group = Some(quoted(name));
        } else if let Some(source) = text.strip_prefix("Secret source: ") {
            self.secret_source = Some(source.to_owned());
        } else if let Some(rest) = text.strip_prefix("Download action repository ") {
            // 'actions/checkout@v4' (SHA:34e1…)
            if let Some((action, sha)) = rest.split_once(" (SHA:") {
                self.actions.insert(quoted(action), sha.trim_end_matches(')').to_owned());
            }
        } else if let Some(rest) = text.strip_prefix("Uses: ") {
            self.uses = Some(split_use(rest));
        }
    }

    /// hosted, larger, self_hosted or unknown.
    pub(crate) fn runner_kind(&self) -> &'static str {
        match (self.is_hosted, &self.runner_group) {
            (true, Some(group)) if group != "GitHub Actions" => "larger",
            (true, _) => "hosted",
            (false, Some(_)) => "self_hosted",
            (false, None) if self.runner_name.is_some() => "self_hosted",
            (false, None) => "unknown",
        }
    }
}

/// `path@ref (sha)` in its parts.
pub(crate) fn split_use(text: &str) -> (String, Option<String>, Option<String>) {
    let (reference, sha) = match text.trim().split_once(" (") {
        Some((reference, sha)) => (reference, Some(sha.trim_end_matches(')').to_owned())),
        None => (text.trim(), None),
    };
    match reference.split_once('@') {
        Some((path, reference)) => (path.to_owned(), Some(reference.to_owned()), sha),
        None => (reference.to_owned(), None, sha),
    }
}

/// `PullRequests` to `pull-requests`.
fn scope(name: &str) -> String {
    let mut scope = String::with_capacity(name.len() + 2);
    for letter in name.trim().chars() {
        if letter.is_ascii_uppercase() && !scope.is_empty() {
            scope.push('-');
        }
        scope.push(letter.to_ascii_lowercase());
    }
    scope
}

#[cfg(test)]
mod tests {
    use super::super::log::lines;
    use super::*;

    #[test]
    fn the_setup_section_is_read_until_the_job_name() {
        let text = b"Current runner version: '2.335.1'\n##[group]Runner Image Provisioner\nVersion: 1\n##[endgroup]\n\
            ##[group]GITHUB_TOKEN Permissions\nContents: read\nIdToken: write\n##[endgroup]\nSecret source: Actions\n\
            Download action repository 'actions/checkout@v4' (SHA:34e1)\nUses: o/r/.github/workflows/d.yml@refs/heads/main (42d7)\n\
            ##[group] Inputs\n  branch: main\n##[endgroup]\nComplete job name: a / b\n##[group]GITHUB_TOKEN Permissions\nContents: write\n";
        let lines: Vec<_> = lines(text).collect();
        let (setup, count) = Setup::parse(&lines);
        assert_eq!(count, 15);
        assert_eq!(
            setup.permissions.as_deref(),
            Some(&[("contents".into(), "read".into()), ("id-token".into(), "write".into())][..])
        );
        assert_eq!(setup.actions.get("actions/checkout@v4").map(String::as_str), Some("34e1"));
        assert_eq!(setup.inputs, [("branch".to_owned(), "main".to_owned())]);
        assert_eq!((setup.runner_kind(), setup.job_name.as_deref()), ("hosted", Some("a / b")));
        assert_eq!(setup.uses.unwrap().2.as_deref(), Some("42d7"));
    }
}
