//! Which run a file belongs to, as far as its path tells.

use leakgraph_model::{Key, tables};
use std::fmt;

/// Repository, run id and attempt found in a path such as
/// `owner/name/runs/123/attempts/2/logs.zip`, `logs_123.zip` or `run-123-attempt-2.zip`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RunPath {
    pub(crate) repo: Option<String>,
    pub(crate) run_id: Option<String>,
    pub(crate) attempt: Option<i64>,
}

impl RunPath {
    pub(crate) fn of(path: &str) -> Self {
        let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
        let mut found = Self::default();
        for (place, part) in parts.iter().enumerate() {
            let next = parts.get(place + 1).copied().unwrap_or("");
            match *part {
                "runs" if is_id(next) => {
                    found.run_id = Some(next.to_owned());
                    // REST paths have `repos/O/N/actions/runs`; folders usually `O/N/runs`.
                    let before = parts.get(..place).unwrap_or_default();
                    let before = before.strip_suffix(&["actions"]).unwrap_or(before);
                    if let [.., owner, name] = before {
                        found.repo = Some(format!("{owner}/{name}"));
                    }
                }
                "attempts" => found.attempt = next.parse().ok(),
                _ => {}
            }
        }
        if found.run_id.is_none() {
            found.read_file_name(parts.last().copied().unwrap_or(""));
        }
        found
    }

    fn read_file_name(&mut self, name: &str) {
        let stem = name.split('.').next().unwrap_or("");
        if let Some(id) = stem.strip_prefix("logs_").filter(|id| is_id(id)) {
            self.run_id = Some(id.to_owned());
        } else if let Some(rest) = stem.strip_prefix("run-") {
            let (id, attempt) = rest.split_once("-attempt-").unwrap_or((rest, "1"));
            if is_id(id) {
                self.run_id = Some(id.to_owned());
                self.attempt = attempt.parse().ok();
            }
        }
    }

    /// Key of the run; `None` where repository or id is unknown.
    pub(crate) fn key(&self) -> Option<Key> {
        let (repo, run_id) = (self.repo.as_ref()?, self.run_id.as_ref()?);
        Some(tables::run_key("github", &repo.to_lowercase(), run_id, self.attempt.unwrap_or(1)))
    }
}

impl fmt::Display for RunPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |option: &Option<String>| option.clone().unwrap_or_default();
        write!(f, "{}#{}#{}", text(&self.repo), text(&self.run_id), self.attempt.unwrap_or(0))
    }
}

pub(super) fn is_id(text: &str) -> bool {
    (4..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_the_run() {
        let path = RunPath::of("in/github/acme/shop/runs/17001/attempts/2/logs.zip");
        assert_eq!(
            path,
            RunPath { repo: Some("acme/shop".into()), run_id: Some("17001".into()), attempt: Some(2) }
        );
        let path = RunPath::of("repos/acme/shop/actions/runs/17001/jobs.json");
        assert_eq!((path.repo.as_deref(), path.attempt), (Some("acme/shop"), None));
        assert_eq!(RunPath::of("logs_998877.zip").run_id.as_deref(), Some("998877"));
        assert_eq!(RunPath::of("run-998877-attempt-3.zip").attempt, Some(3));
        assert_eq!(RunPath::of("build/1_Set up job.txt"), RunPath::default());
    }
}
