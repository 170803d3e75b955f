//! `system.txt`: the server's own lines — queueing, conditions, the reusable chain.
//! Its lines are out of order within a second (measured on real archives).

use super::log::{Line, line_at, lines};
use super::setup::split_use;

/// One `path@ref (sha)` of a reusable chain.
pub(crate) type Link = (String, Option<String>, Option<String>);

/// What system.txt says of a job.
#[derive(Clone, Debug, Default)]
pub(crate) struct System {
    pub(crate) labels: Vec<String>,
    /// Workflow file that defines the job: `owner/name/.github/workflows/x.yml`, ref, commit.
    pub(crate) defined_at: Option<Link>,
    /// Caller first.
    pub(crate) chain: Vec<Link>,
    pub(crate) condition: Option<String>,
    pub(crate) result: Option<bool>,
    pub(crate) is_hosted: bool,
}

impl System {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self::of_lines(lines(bytes))
    }

    /// The server's lines inside a job's log, as copies of the page, old logs and excerpts
    /// have them. A step can print the words, but not their time: the server's is of whole
    /// milliseconds, and one for the block.
    pub(crate) fn embedded(bytes: &[u8]) -> Option<Self> {
        let of_server =
            |line: &Line<'_>| !line.continues && line.stamp.is_some_and(|stamp| stamp.ends_with(b"0000Z"));
        let start = memchr::memmem::find_iter(bytes, b"Job defined at: ").find_map(|at| {
            let defined = line_at(bytes, at)?;
            let labels = line_at(bytes, defined.offset.checked_sub(1)?)?;
            let is_start = labels.text.starts_with(b"Requested labels: ")
                && defined.text.starts_with(b"Job defined at: ")
                && labels.stamp == defined.stamp
                && of_server(&labels)
                && of_server(&defined);
            is_start.then_some(labels.offset)
        })?;
        Some(Self::of_lines(lines(bytes.get(start..)?).take_while(of_server)))
    }

    fn of_lines<'a>(lines: impl Iterator<Item = Line<'a>>) -> Self {
        let mut system = Self::default();
        let mut in_chain = false;
        for line in lines {
            let text = line.lossy();
            if in_chain
                && (text.contains("@refs/") || text.trim_start().starts_with("-> ") || text.ends_with(')'))
            {
                system.chain.push(split_use(text.trim_start().trim_start_matches("-> ")));
                continue;
            }
            in_chain = text == "Reusable workflow chain:";
            if let Some(labels) = text.strip_prefix("Requested labels: ") {
                system.labels = labels.split(',').map(|label| label.trim().to_owned()).collect();
            } else if let Some(place) = text.strip_prefix("Job defined at: ") {
                system.defined_at = Some(split_use(place));
            } else if let Some(condition) = text.strip_prefix("Evaluating: ") {
                system.condition = Some(condition.to_owned());
            } else if let Some(result) = text.strip_prefix("Result: ") {
                system.result = match result.trim() {
                    "true" => Some(true),
                    "false" => Some(false),
                    _ => None,
                };
            } else if text.contains("hosted runner: GitHub Actions") {
                system.is_hosted = true;
            }
        }
        system
    }

    /// Repository of the workflow that was started: the chain's root, or the definition's.
    pub(crate) fn repo(&self) -> Option<String> {
        let (path, ..) = self.chain.first().or(self.defined_at.as_ref())?;
        let mut parts = path.split('/');
        Some(format!("{}/{}", parts.next()?, parts.next()?))
    }
}

/// `owner/name/.github/workflows/x.yml` without the repository.
pub(crate) fn workflow_file(path: &str) -> &str {
    path.find(".github/").and_then(|at| path.get(at..)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_server_are_found_in_a_log_and_not_believed_of_a_step() {
        let log = |stamp: &str| {
            format!(
                "before\n2026-08-03T16:28:53.1234567Z ##[group]Run make\n{stamp}Requested labels: x\n{stamp}Job defined at: o/r/.github/workflows/t.yml@refs/heads/main\n\
                 {stamp}Reusable workflow chain:\n{stamp}o/r/.github/workflows/ci.yml@refs/heads/main (06ce)\n{stamp}-> o/r/.github/workflows/t.yml@refs/heads/main (07ce)\n```\n"
            )
        };
        let of_server = System::embedded(log("2026-08-03T16:28:53.7580000Z ").as_bytes()).unwrap();
        assert_eq!((of_server.chain.len(), of_server.labels.as_slice()), (2, &["x".to_owned()][..]));
        assert!(System::embedded(log("2026-08-03T16:28:53.7581234Z ").as_bytes()).is_none());
        assert!(System::embedded(log("").as_bytes()).is_none());
    }

    #[test]
    fn the_chain_is_caller_first() {
        let text = b"2026-08-03T16:28:53.7580000Z Requested labels: ubuntu-latest\n\
            2026-08-03T16:28:53.7580000Z Job defined at: o/r/.github/workflows/t.yml@refs/heads/main\n\
            2026-08-03T16:28:53.7580000Z Reusable workflow chain:\n\
            2026-08-03T16:28:53.7580000Z o/r/.github/workflows/ci.yml@refs/heads/main (06ce)\n\
            2026-08-03T16:28:53.7580000Z -> o/r/.github/workflows/t.yml@refs/heads/main (07ce)\n\
            2026-08-03T16:28:53.7580000Z Evaluating notify.if\n\
            2026-08-03T16:28:53.7580000Z Evaluating: always()\n\
            2026-08-03T16:28:53.7580000Z Result: true";
        let system = System::parse(text);
        assert_eq!(system.chain.len(), 2);
        assert_eq!(workflow_file(&system.chain[0].0), ".github/workflows/ci.yml");
        assert_eq!((system.condition.as_deref(), system.result), (Some("always()"), Some(true)));
        assert_eq!(system.repo().as_deref(), Some("o/r"));
    }
}
