//! Commands of a job that hand work, or the job token, to something else.

use super::place::Place;
use crate::percent;

/// What a command hands on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// api_other or remote_exec.
    pub(crate) mechanism: &'static str,
    /// The project that continues.
    pub(crate) project: Option<String>,
    pub(crate) reference: Option<String>,
    /// job_token, trigger_token or unknown.
    pub(crate) credential_kind: &'static str,
    /// Names and values as the command has them.
    pub(crate) inputs: Vec<(String, String)>,
}

/// Reads a command as echoed, `$ ` removed.
pub(crate) fn sent(command: &str) -> Option<Sent> {
    let has_job_token = command.contains("CI_JOB_TOKEN");
    let words: Vec<&str> =
        command.split_whitespace().map(|word| word.trim_matches(['"', '\'', '|', ';'])).collect();
    // "Trigger pipelines by using the API" in GitLab's documentation.
    if let Some(url) =
        words.iter().find(|word| word.contains("/trigger/pipeline") && word.contains("projects/"))
    {
        let mut sent = Sent {
            mechanism: "api_other",
            credential_kind: if has_job_token { "job_token" } else { "trigger_token" },
            ..Sent::default()
        };
        let project = url.split("projects/").nth(1).and_then(|rest| rest.split('/').next());
        sent.project = project
            .map(percent::decoded_text)
            .filter(|project| project.contains('/') && !project.contains('$'));
        let query = url.split_once('?').map_or("", |(_, query)| query);
        for pair in query.split('&').chain(words.iter().copied()) {
            sent.field(pair);
        }
        return Some(sent);
    }
    let is_remote = words.iter().any(|word| *word == "ssh" || word.ends_with("/ssh"));
    // The token leaves the runner: whoever has the other machine can use it.
    (is_remote && has_job_token).then(|| Sent {
        mechanism: "remote_exec",
        credential_kind: "job_token",
        ..Sent::default()
    })
}

impl Sent {
    /// `ref=main` or `variables[NAME]=value`.
    fn field(&mut self, pair: &str) {
        let Some((name, value)) = pair.split_once('=') else { return };
        let value = value.trim_matches(['"', '\'']);
        if name == "ref" {
            self.reference = Some(value.to_owned());
        } else if let Some(name) = name.strip_prefix("variables[").and_then(|name| name.strip_suffix(']')) {
            self.inputs.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// The pipeline that a printed URL names.
pub(crate) fn printed(text: &str) -> Option<Place> {
    text.match_indices("http").find_map(|(at, _)| {
        let is_end = |letter: char| letter.is_whitespace() || "\"'<>,".contains(letter);
        let place = Place::of_url(text.get(at..)?.split(is_end).next()?);
        (place.project.is_some() && place.pipeline.is_some()).then_some(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_by_the_api_are_read() {
        let command = r#"curl --request POST --form token="$CI_JOB_TOKEN" --form ref=main --form "variables[UPLOAD]=true" "https://gitlab.example.com/api/v4/projects/my-group%2Fdeploy/trigger/pipeline""#;
        let expected = Sent {
            mechanism: "api_other",
            project: Some("my-group/deploy".to_owned()),
            reference: Some("main".to_owned()),
            credential_kind: "job_token",
            inputs: vec![("UPLOAD".to_owned(), "true".to_owned())],
        };
        assert_eq!(sent(command), Some(expected));
        let by_query =
            sent("curl -X POST \"$CI_API_V4_URL/projects/9/trigger/pipeline?token=$T&ref=v1\"").unwrap();
        assert_eq!((by_query.project, by_query.reference.as_deref()), (None, Some("v1")));
        assert_eq!(by_query.credential_kind, "trigger_token");
    }

    #[test]
    fn a_job_token_sent_over_ssh_is_a_handoff() {
        let command = r#"printf '%s' "$CI_JOB_TOKEN" | ssh "$HOST" "docker login -u gitlab-ci-token --password-stdin $CI_REGISTRY""#;
        assert_eq!(sent(command).map(|sent| sent.mechanism), Some("remote_exec"));
        assert_eq!(sent("ssh host uptime"), None);
    }

    #[test]
    fn printed_pipelines_are_told_from_other_links() {
        let place = printed("see https://gitlab.example.com/a/b/-/pipelines/47, please").unwrap();
        assert_eq!((place.project.as_deref(), place.pipeline.as_deref()), (Some("a/b"), Some("47")));
        assert_eq!(printed("https://gitlab.example.com/a/b"), None);
    }
}
