//! Which project, pipeline and job a URL or a path names.
//!
//! Ids of pipelines and jobs are unique in an instance; a project is known by its path,
//! which every answer of the API carries in a `web_url`.

use crate::percent;
use leakgraph_model::{Key, tables};
use std::fmt;

/// What a URL or path names, as far as it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// `group/subgroup/name`.
    pub(crate) project: Option<String>,
    pub(crate) pipeline: Option<String>,
    pub(crate) job: Option<String>,
}

impl Place {
    /// `https://host/group/name`, `…/-/pipelines/47`, `…/-/jobs/7`; before GitLab 12.7
    /// without `/-`.
    pub(crate) fn of_url(url: &str) -> Self {
        let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path);
        let path = path.unwrap_or_default().split(['?', '#']).next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        Self::below(&parts)
    }

    /// A file named after a request (`projects/group%2Fname/pipelines/46/variables.json`) or
    /// a URL (`gitlab.example.com/group/name/-/jobs/7/raw`). What lies before these says
    /// only where somebody put it.
    pub(crate) fn of_path(path: &str) -> Self {
        let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
        let is_host = |part: &&str| {
            part.contains('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte))
        };
        let name_of = |at: usize| {
            parts.get(at + 1).map(|part| percent::decoded_text(part)).filter(|name| name.contains('/'))
        };
        let is_request = |at: &usize| {
            let is_id = parts.get(at + 1).is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
            parts.get(*at) == Some(&"projects") && (is_id || name_of(*at).is_some())
        };
        if let Some(at) = (0..parts.len()).rfind(is_request) {
            return Self { project: name_of(at), ..Self::ids(parts.get(at + 2..).unwrap_or_default()) };
        }
        let dash = parts.iter().position(|part| *part == "-");
        let host = dash.and_then(|dash| parts.iter().take(dash).rposition(is_host));
        host.map(|host| Self::below(parts.get(host + 1..).unwrap_or_default())).unwrap_or_default()
    }

    fn below(parts: &[&str]) -> Self {
        let is_end = |at: usize| {
            parts.get(at) == Some(&"-")
                || matches!(parts.get(at), Some(&("pipelines" | "jobs")))
                    && parts.get(at + 1).is_some_and(|part| id(part).is_some())
        };
        let end = (0..parts.len()).find(|at| is_end(*at)).unwrap_or(parts.len());
        let (project, rest) = parts.split_at(end);
        Self { project: (project.len() > 1).then(|| project.join("/")), ..Self::ids(rest) }
    }

    fn ids(parts: &[&str]) -> Self {
        let after = |name: &str| {
            parts.windows(2).find(|pair| pair.first() == Some(&name)).and_then(|pair| id(pair.get(1)?))
        };
        Self { project: None, pipeline: after("pipelines"), job: after("jobs") }
    }

    /// Key of the pipeline's run.
    pub(crate) fn run_key(&self) -> Option<Key> {
        Some(run_key(self.project.as_deref()?, self.pipeline.as_deref()?))
    }

    /// What this leaves open, from `other`.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            project: self.project.or(other.project),
            pipeline: self.pipeline.or(other.pipeline),
            job: self.job.or(other.job),
        }
    }
}

/// What of a path decides what its content means.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.project, &self.pipeline, &self.job].into_iter().flatten() {
            write!(f, "gitlab:{part}#")?;
        }
        Ok(())
    }
}

/// The id a part begins with, be it a file name.
fn id(part: &str) -> Option<String> {
    let stem = part.split('.').next().unwrap_or_default();
    (!stem.is_empty() && stem.len() <= 20 && stem.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| stem.to_owned())
}

/// Key of a pipeline's run.
pub(crate) fn run_key(project: &str, pipeline: &str) -> Key {
    tables::run_key("gitlab", &project.to_lowercase(), pipeline, 1)
}

/// Key of a job: by its id, because a retried job has the name of the one before, and
/// because a trace does not tell its pipeline.
pub(crate) fn job_key(project: &str, job: &str) -> Key {
    Key::of("job", &["gitlab", &project.to_lowercase(), job])
}

/// Key of the run of a job whose pipeline is not told; linking replaces it.
pub(crate) fn run_of_job(job: Key) -> Key {
    Key::of("run", &["gitlab-job", &job.to_string()])
}

/// none, repo or org: which boundary lies between two projects.
pub(crate) fn crosses(parent: &str, child: &str) -> &'static str {
    let group = |project: &str| project.split('/').next().unwrap_or_default().to_lowercase();
    if parent.eq_ignore_ascii_case(child) {
        "none"
    } else if group(parent) == group(child) {
        "repo"
    } else {
        "org"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(project: &str, pipeline: &str, job: &str) -> Place {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Place { project: some(project), pipeline: some(pipeline), job: some(job) }
    }

    #[test]
    fn urls_of_all_versions_name_the_project() {
        assert_eq!(Place::of_url("https://example.com/foo/bar/pipelines/47"), place("foo/bar", "47", ""));
        assert_eq!(Place::of_url("http://127.0.0.1:3000/a/b/c/-/jobs/7#L12"), place("a/b/c", "", "7"));
        assert_eq!(Place::of_url("https://gitlab.example.com/gitlab-org/up"), place("gitlab-org/up", "", ""));
        assert_eq!(Place::of_url("mailto:x"), Place::default());
    }

    #[test]
    fn only_the_named_part_of_a_path_counts() {
        let path = "in/x/projects/my-group%2Fshop/pipelines/46/variables.json";
        assert_eq!(Place::of_path(path), place("my-group/shop", "46", ""));
        assert_eq!(Place::of_path("projects/21/jobs/8.log"), place("", "", "8"));
        assert_eq!(Place::of_path("/data/gitlab.example.com/a/b/-/jobs/7/raw"), place("a/b", "", "7"));
        assert_eq!(Place::of_path("/data/a/b/jobs/7/trace"), Place::default());
        assert_eq!(Place::of_path("/home/me/projects/x/jobs/7/trace"), Place::default());
        assert_eq!(Place::of_path("/home/projects/x/projects/a%2Fb/jobs/7/trace"), place("a/b", "", "7"));
    }

    #[test]
    fn projects_of_one_group_are_other_repositories() {
        assert_eq!(
            (crosses("a/b", "A/B"), crosses("a/b", "a/c/d"), crosses("a/b", "b/b")),
            ("none", "repo", "org")
        );
    }
}
