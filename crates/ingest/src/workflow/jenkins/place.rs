//! Which build a URL or a path names.

use crate::percent;
use leakgraph_model::{Key, tables};
use std::fmt;

/// Full name of a job (`folder/job`) and number of its build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) name: Option<String>,
    pub(crate) number: Option<String>,
}

impl Place {
    /// `…/job/folder/job/name/12/…` of a URL or a file named after one.
    pub(crate) fn of_url(url: &str) -> Self {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
        Self::below(&parts, &["job"], None)
    }

    /// A URL as above, or Jenkins' home: `…/jobs/folder/jobs/name/[branches/main/]builds/12/log`.
    pub(crate) fn of_path(path: &str) -> Self {
        let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
        let on_disk = Self::below(&parts, &["jobs", "branches"], Some("builds"));
        if on_disk.number.is_some() { on_disk } else { Self::below(&parts, &["job"], None) }
    }

    /// Names follow one of `steps`; the number follows the last of them, or `before`.
    fn below(parts: &[&str], steps: &[&str], before: Option<&str>) -> Self {
        let Some(start) = parts.iter().position(|part| steps.first() == Some(part)) else {
            return Self::default();
        };
        let mut names = Vec::new();
        let mut at = start;
        while let Some(name) =
            parts.get(at).filter(|part| steps.contains(part)).and_then(|_| parts.get(at + 1))
        {
            names.push(percent::decoded_text(name));
            at += 2;
        }
        if let Some(before) = before {
            if parts.get(at) != Some(&before) {
                return Self::default();
            }
            at += 1;
        }
        let number = parts.get(at).filter(|part| is_number(part)).map(|part| (*part).to_owned());
        Self { name: (!names.is_empty()).then(|| names.join("/")), number }
    }

    /// Key of the build's run.
    pub(crate) fn run_key(&self) -> Option<Key> {
        Some(run_key(self.name.as_deref()?, self.number.as_deref()?))
    }
}

/// What of a path decides what its content means.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.number) {
            (Some(name), Some(number)) => write!(f, "jenkins:{name}#{number}"),
            _ => Ok(()),
        }
    }
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.len() <= 10 && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// Key of a build's run.
pub(crate) fn run_key(name: &str, number: &str) -> Key {
    tables::run_key("jenkins", &name.to_lowercase(), number, 1)
}

/// A build has one job.
pub(crate) const JOB: &str = "build";

/// Key of the only job of a build.
pub(crate) fn job_key(run: Key) -> Key {
    tables::job_key(run, JOB)
}

/// Key of the handoff between two builds; a build may have several upstream ones.
pub(crate) fn handoff_key(parent: Key, child: Key) -> Key {
    Key::of("handoff", &["jenkins", &parent.to_string(), &child.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str, number: &str) -> Place {
        Place { name: Some(name.to_owned()), number: Some(number.to_owned()) }
    }

    #[test]
    fn urls_and_homes_name_builds() {
        let url = "http://192.168.33.10:8080/jenkins/job/Team%20A/job/deploy/job/feature%252Fx/12/";
        assert_eq!(Place::of_url(url), place("Team A/deploy/feature%2Fx", "12"));
        assert_eq!(Place::of_path("in/job/deploy/88/consoleText"), place("deploy", "88"));
        assert_eq!(Place::of_path("/home/jobs/A/jobs/B/builds/12/build.xml"), place("A/B", "12"));
        assert_eq!(Place::of_path("/home/jobs/A/branches/main/builds/7/log"), place("A/main", "7"));
    }

    #[test]
    fn other_paths_name_nothing() {
        assert_eq!(Place::of_path("/home/jobs/A/config.xml").number, None);
        assert_eq!(Place::of_path("projects/21/jobs/8/trace").number, None);
        assert_eq!(Place::of_path("logs/console.txt"), Place::default());
    }
}
