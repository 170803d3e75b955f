//! Job and step logs of the agent.
//!
//! Lines are those of GitHub's runner, its descendant. A job is
//! `##[section]Starting: <job>` … `##[section]Finishing: <job>` around one such pair per step;
//! a step begins with a header between lines of `=` (`Task         : Bash`,
//! `Version      : 3.171.1`), and a script task shows `Script contents:` up to the line
//! `===== Starting Command Output =====` (azure-pipelines-tasks, `Tasks/BashV3/bash.ts`).

use super::super::github::log::{BOM, Line, lines, plain};
use super::super::parts::{Part, Place, note};
use super::step::kind;

const STARTING: &[u8] = b"##[section]Starting: ";
const FINISHING: &[u8] = b"##[section]Finishing: ";
const FIRST_STEP: &str = "Initialize job";

/// What only GitHub writes at the start of a message. Its server had sections too, in 2019 and
/// 2020: `Request a runner to run this job`.
const OF_GITHUB: [&[u8]; 5] = [
    b"Current runner version: ",
    b"##[group]GITHUB_TOKEN Permissions",
    b"Secret source: ",
    b"Job defined at: ",
    b"##[section]Starting: Request a runner to run this job",
];
/// What only the agent writes at the start of a message.
const OF_AGENT: [&[u8]; 4] =
    [b"Task         : ", b"Current agent version: '", b"Agent machine name: '", b"##[section]Async Command "];

/// Whether a text is a log of an agent of Azure Pipelines, and none of GitHub's.
pub(crate) fn is_log(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(64 << 10)).unwrap_or_default();
    // Hardly any other text has sections; most are done with here.
    if memchr::memmem::find(head, b"##[section]").is_none() {
        return false;
    }
    let says = |tell: &&[u8]| {
        memchr::memmem::find_iter(head, *tell).any(|at| {
            let before = head.get(..at).unwrap_or_default();
            before.is_empty() || before.ends_with(b"\n") || before.ends_with(b"Z ") || before.ends_with(BOM)
        })
    };
    let has_section = says(&STARTING) || says(&FINISHING) || says(&&b"##[section]Async Command Start: "[..]);
    // A step of GitHub may print a section; it then has the header of a step, and none of a task.
    has_section && !OF_GITHUB.iter().any(says) && (OF_AGENT.iter().any(says) || !says(&&b"##[group]Run "[..]))
}

/// What a log tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    /// Name of the job, where the log is of all of it.
    pub(crate) job: Option<String>,
    pub(crate) agent: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) parts: Vec<Part>,
    pub(crate) places: Vec<Place>,
    /// Logins at Azure: step, client and whether without a secret.
    pub(crate) logins: Vec<(usize, Login)>,
    pub(super) in_script: bool,
}

/// A service principal that a task logged in as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) client: String,
    pub(crate) tenant: Option<String>,
    /// oidc or static.
    pub(crate) how: &'static str,
}

impl Log {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut log = Self::default();
        for line in lines(bytes) {
            let text = plain(line.text);
            let place = log.line(&line, &text);
            let part = log.parts.len().checked_sub(1);
            note(&mut log.places, Place { offset: line.offset, part, place, name: None, at: line.at() });
        }
        log.be_step();
        log
    }

    /// What is known of the runner by its name: Microsoft's agents are called so.
    pub(crate) fn runner_kind(&self) -> &'static str {
        match &self.agent {
            Some(name) if name.starts_with("Azure Pipelines") || name.starts_with("Hosted Agent") => "hosted",
            Some(_) => "self_hosted",
            None => "unknown",
        }
    }

    fn line(&mut self, line: &Line<'_>, text: &[u8]) -> &'static str {
        if let Some(name) = text.strip_prefix(STARTING) {
            self.starts(&String::from_utf8_lossy(name));
        } else if let Some(name) = text.strip_prefix(FINISHING) {
            self.finishes(&String::from_utf8_lossy(name));
        }
        let at = line.at();
        if let Some(part) = self.parts.last_mut() {
            part.at(at);
            if text.starts_with(b"##[error]") {
                part.conclusion = Some("failure");
            }
        }
        let text = String::from_utf8_lossy(text);
        if text.starts_with("=====") {
            self.in_script &= !text.contains("Starting Command Output");
            return "system";
        }
        if self.in_script {
            if let Some(part) = self.parts.last_mut() {
                part.script_bytes += text.len() + 1;
            }
            return "script_echo";
        }
        self.told(&text);
        "log"
    }

    fn starts(&mut self, name: &str) {
        self.in_script = false;
        // The first section of a whole log is the job's: the first step begins before it ends.
        if self.job.is_none() && self.parts.is_empty() && name != FIRST_STEP {
            self.job = Some(name.to_owned());
        } else {
            self.parts.push(Part::new(name, kind(name, None)));
        }
    }

    fn finishes(&mut self, name: &str) {
        self.in_script = false;
        if self.job.as_deref() == Some(name) {
            self.be_step();
        }
        if let Some(part) = self.parts.last_mut().filter(|part| part.name == name) {
            part.conclusion = part.conclusion.or(Some("success"));
        }
    }

    fn told(&mut self, text: &str) {
        let quoted = |before: &str| {
            let value = text.strip_prefix(before)?.strip_suffix('\'')?;
            (!value.is_empty()).then(|| value.to_owned())
        };
        if text == "Script contents:" || text == "Script contents: shell" {
            self.in_script = true;
        } else if let Some(task) = text.strip_prefix("Task         : ") {
            self.of_task(|part| {
                part.kind = kind(&part.name, Some(task.trim()));
                part.uses = Some(task.trim().to_owned());
            });
        } else if let Some(version) = text.strip_prefix("Version      : ") {
            self.of_task(|part| {
                if let Some(uses) = part.uses.as_mut().filter(|uses| !uses.contains('@')) {
                    uses.push('@');
                    uses.push_str(version.trim());
                }
            });
        } else if let Some(name) = quoted("Agent name: '") {
            self.agent.get_or_insert(name);
        } else if let Some(version) = quoted("Current agent version: '") {
            self.version.get_or_insert(version);
        } else if let Some(login) = login(text) {
            let step = self.parts.len().saturating_sub(1);
            self.logins.push((step, login));
        }
    }

    /// Changes the step at hand; what has a task's header is one.
    fn of_task(&mut self, change: impl FnOnce(&mut Part)) {
        self.be_step();
        if let Some(part) = self.parts.last_mut() {
            change(part);
        }
    }

    /// What was taken for a job, but has no steps, is one.
    fn be_step(&mut self) {
        if self.parts.is_empty()
            && let Some(name) = self.job.take()
        {
            let at = self.places.first().and_then(|place| place.at);
            self.parts.push(Part { started_at: at, ..Part::new(name.clone(), kind(&name, None)) });
            self.places.iter_mut().for_each(|place| place.part = Some(0));
        }
    }
}

/// `[command]/usr/bin/az login --service-principal -u <client> --tenant <tenant> …` of the Azure
/// CLI task; masked where the connection holds a secret.
fn login(text: &str) -> Option<Login> {
    if !text.starts_with("[command]") || !text.contains("az login") && !text.contains("az.cmd login") {
        return None;
    }
    let words: Vec<&str> = text.split_whitespace().map(|word| word.trim_matches('"')).collect();
    let after = |flag: &str| {
        let at = words.iter().position(|word| *word == flag)?;
        words.get(at + 1).copied().filter(|value| is_guid(value)).map(str::to_owned)
    };
    let is_federated = words.iter().any(|word| word.starts_with("--federated-token"));
    Some(Login {
        client: after("-u").or_else(|| after("--username"))?,
        tenant: after("--tenant").or_else(|| after("-t")),
        how: if is_federated { "oidc" } else { "static" },
    })
}

/// A GUID in its usual form.
pub(crate) fn is_guid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &[u8] = b"2026-02-21T16:36:26.9859747Z ##[section]Starting: Deploy | Prod\n\
2026-02-21T16:36:27.2958135Z ##[section]Starting: Initialize job\n\
2026-02-21T16:36:27.2961533Z Agent name: 'Azure Pipelines 34'\n\
2026-02-21T16:36:27.2962239Z Current agent version: '4.266.2'\n\
2026-02-21T16:36:27.2962239Z ##[group]Operating System\n\
2026-02-21T16:36:27.8426332Z ##[section]Finishing: Initialize job\n\
2026-02-21T16:36:31.0508493Z ##[section]Starting: Say hello\n\
2026-02-21T16:36:31.0536074Z ==============================================================================\n\
2026-02-21T16:36:31.0536692Z Task         : Command line\n\
2026-02-21T16:36:31.0537525Z Version      : 2.268.0\n\
2026-02-21T16:36:31.0539028Z ==============================================================================\n\
2026-02-21T16:36:31.7026201Z Script contents:\n\
2026-02-21T16:36:31.7031732Z echo hello\n\
2026-02-21T16:36:31.7035076Z ========================== Starting Command Output ===========================\n\
2026-02-21T16:36:31.7228821Z hello\n\
2026-02-21T16:36:31.7275243Z ##[error]Bash exited with code '1'.\n\
2026-02-21T16:36:31.7492787Z ##[section]Finishing: Say hello\n\
2026-02-21T16:36:33.8774143Z ##[section]Finishing: Deploy | Prod\n";

    #[test]
    fn sections_of_a_job_are_its_steps() {
        let log = Log::parse(JOB);
        assert_eq!(log.job.as_deref(), Some("Deploy | Prod"));
        assert_eq!((log.runner_kind(), log.version.as_deref()), ("hosted", Some("4.266.2")));
        let steps: Vec<_> =
            log.parts.iter().map(|part| (part.name.as_str(), part.kind, part.conclusion)).collect();
        let expected = [("Initialize job", "setup", Some("success")), ("Say hello", "run", Some("failure"))];
        assert_eq!(steps, expected);
        assert_eq!(log.parts[1].uses.as_deref(), Some("Command line@2.268.0"));
        assert_eq!(log.parts[1].script_bytes, "echo hello\n".len());
        let at = memchr::memmem::find(JOB, b"2026-02-21T16:36:31.7031732Z echo").unwrap();
        let place = log.places.iter().find(|place| place.offset == at).unwrap();
        assert_eq!((place.place, place.part), ("script_echo", Some(1)));
    }

    #[test]
    fn a_log_of_one_step_has_no_job() {
        let begin = memchr::memmem::find(JOB, b"2026-02-21T16:36:31.0508493Z").unwrap();
        let end = memchr::memmem::find(JOB, b"2026-02-21T16:36:33").unwrap();
        let log = Log::parse(&JOB[begin..end]);
        assert_eq!((log.job, log.parts.len()), (None, 1));
        assert_eq!((log.parts[0].name.as_str(), log.parts[0].kind), ("Say hello", "run"));
        assert!(log.places.iter().all(|place| place.part == Some(0)));
    }

    #[test]
    fn logs_of_the_runner_are_not_taken() {
        assert!(is_log(JOB));
        assert!(is_log(b"##[section]Starting: Build\nAgent machine name: 'x'\n##[group]Run tests\n"));
        let others: [&[u8]; 5] = [
            b"2020-03-13T01:02:03.1234567Z ##[section]Starting: Request a runner to run this job\n",
            b"##[section]Starting: x\n2026-08-03T16:28:53.7580000Z Current runner version: '2.3'\n",
            b"2026-08-03T16:28:53.7580000Z ##[group]Run echo\n2026-08-03T16:28:54.7580000Z ##[section]Starting: x\n",
            b"# Notes\nAzure writes ##[section]Starting: x\n",
            b"2026-08-03T16:28:53.7580000Z ##[group]Run make\n",
        ];
        for other in others {
            assert!(!is_log(other), "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn logins_name_the_service_principal_unless_it_is_masked() {
        let client = "3615bd26-4fae-415b-a220-9cedae222489";
        let line = format!(
            "[command]/usr/bin/az login --service-principal -u {client} --tenant {client} --federated-token ***"
        );
        let expected = Login { client: client.to_owned(), tenant: Some(client.to_owned()), how: "oidc" };
        assert_eq!(login(&line), Some(expected));
        assert_eq!(login("[command]/usr/bin/az login --service-principal -u *** --password=***"), None);
    }
}
