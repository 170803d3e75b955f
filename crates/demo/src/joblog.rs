//! Writes job logs and run-log archives as GitHub does.
//!
//! Formats: actions/runner (`PagingLogger`, `JobExtension`, `ScriptHandler`); archives
//! with a file per step (layout A) were served until 2025, without (layout B) since.

use crate::clock::Moment;
use crate::random::Random;
use std::io::{self, Cursor, Write as _};
use zip::write::SimpleFileOptions;

/// A step: its title in the archive and its lines.
pub(crate) struct StepLog {
    pub(crate) title: String,
    pub(crate) started: Moment,
    pub(crate) ended: Moment,
    pub(crate) lines: Vec<String>,
}

/// A job's log under construction.
pub(crate) struct JobLog {
    pub(crate) name: String,
    pub(crate) steps: Vec<StepLog>,
    pub(crate) system: Vec<String>,
    now: Moment,
    random: Random,
}

impl JobLog {
    pub(crate) fn new(name: &str, started: Moment, label: &str) -> Self {
        Self {
            name: name.to_owned(),
            steps: Vec::new(),
            system: Vec::new(),
            now: started,
            random: Random::of(label),
        }
    }

    pub(crate) fn now(&self) -> Moment {
        self.now
    }

    /// Adds a step of these messages.
    pub(crate) fn step(&mut self, title: &str, messages: impl IntoIterator<Item = String>) {
        let started = self.now;
        let mut lines = Vec::new();
        for message in messages {
            // A message of several lines has one timestamp.
            lines.push(format!("{} {message}", self.now.ticks()));
            self.now = self.now.plus_ticks(1_000 + self.random.below(900_000));
        }
        self.now = self.now.plus_ticks(2_000_000 + self.random.below(30_000_000));
        self.steps.push(StepLog { title: title.to_owned(), started, ended: self.now, lines });
    }

    /// Adds a line of the server.
    pub(crate) fn system(&mut self, at: Moment, message: &str) {
        self.system.push(format!("{} {message}", at.ticks()));
    }

    fn folder(&self) -> String {
        // Slashes in names would be folders; the server leaves them out.
        self.name.replace(['/', ':', '"'], "_")
    }

    fn text<'a>(lines: impl Iterator<Item = &'a String>) -> Vec<u8> {
        let mut text = b"\xef\xbb\xbf".to_vec();
        for line in lines {
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
        }
        text
    }
}

/// The archive of a run.
pub(crate) fn archive(jobs: &[JobLog], with_step_files: bool) -> io::Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_level(Some(1));
    let mut add = |name: String, bytes: &[u8]| -> io::Result<()> {
        zip.start_file(name, options).map_err(io::Error::other)?;
        zip.write_all(bytes)
    };
    for (number, job) in jobs.iter().enumerate() {
        let folder = job.folder();
        let whole = job.steps.iter().flat_map(|step| &step.lines);
        add(format!("{number}_{folder}.txt"), &JobLog::text(whole))?;
        if with_step_files {
            for (number, step) in job.steps.iter().enumerate() {
                let title = step.title.replace(['/', ':', '"'], "_");
                add(format!("{folder}/{}_{title}.txt", number + 1), &JobLog::text(step.lines.iter()))?;
            }
        }
        add(format!("{folder}/system.txt"), job.system.join("\n").as_bytes())?;
    }
    Ok(zip.finish().map_err(io::Error::other)?.into_inner())
}

/// The setup section.
pub(crate) struct Setup<'a> {
    pub(crate) job: &'a str,
    pub(crate) permissions: &'a [(&'a str, &'a str)],
    pub(crate) self_hosted: Option<&'a str>,
    /// Actions with the commits they resolved to.
    pub(crate) actions: Vec<(String, String)>,
    /// Reusable workflow, with its commit.
    pub(crate) uses: Option<(String, String)>,
    pub(crate) inputs: Vec<(String, String)>,
}

impl Setup<'_> {
    pub(crate) fn messages(&self) -> Vec<String> {
        let mut lines = vec!["Current runner version: '2.335.1'".to_owned()];
        let group = |lines: &mut Vec<String>, title: &str, body: &[&str]| {
            lines.push(format!("##[group]{title}"));
            lines.extend(body.iter().map(|line| (*line).to_owned()));
            lines.push("##[endgroup]".to_owned());
        };
        match self.self_hosted {
            Some(name) => {
                lines.push(format!("Runner name: '{name}'"));
                lines.push("Runner group name: 'Default'".to_owned());
                lines.push(format!("Machine name: '{name}'"));
            }
            None => {
                group(
                    &mut lines,
                    "Runner Image Provisioner",
                    &["Hosted Compute Agent", "Version: 20260527.539"],
                );
                group(&mut lines, "Operating System", &["Ubuntu", "24.04.4", "LTS"]);
                group(&mut lines, "Runner Image", &["Image: ubuntu-24.04", "Version: 20260907.184.1"]);
            }
        }
        let permissions: Vec<String> =
            self.permissions.iter().map(|(scope, access)| format!("{scope}: {access}")).collect();
        let permissions: Vec<&str> = permissions.iter().map(String::as_str).collect();
        group(&mut lines, "GITHUB_TOKEN Permissions", &permissions);
        lines.extend(
            [
                "Secret source: Actions",
                "Prepare workflow directory",
                "Prepare all required actions",
                "Getting action download info",
            ]
            .map(str::to_owned),
        );
        for (action, commit) in &self.actions {
            lines.push(format!("Download action repository '{action}' (SHA:{commit})"));
        }
        if let Some((uses, commit)) = &self.uses {
            lines.push(format!("Uses: {uses} ({commit})"));
            lines.push("##[group] Inputs".to_owned());
            lines.extend(self.inputs.iter().map(|(name, value)| format!("  {name}: {value}")));
            lines.push("##[endgroup]".to_owned());
        }
        lines.push(format!("Complete job name: {}", self.job));
        lines
    }
}

/// Header of a step that runs an action.
pub(crate) fn action_header(action: &str, with: &[(&str, &str)], env: &[(&str, &str)]) -> Vec<String> {
    let mut lines = vec![format!("##[group]Run {action}")];
    block(&mut lines, "with:", with);
    block(&mut lines, "env:", env);
    lines.push("##[endgroup]".to_owned());
    lines
}

/// Header of a step that runs a script.
pub(crate) fn script_header(script: &[String], env: &[(&str, &str)]) -> Vec<String> {
    let mut lines = vec![format!("##[group]Run {}", script.first().map_or("", String::as_str))];
    lines.extend(script.iter().map(|line| format!("\u{1b}[36;1m{line}\u{1b}[0m")));
    lines.push("shell: /usr/bin/bash -e {0}".to_owned());
    block(&mut lines, "env:", env);
    lines.push("##[endgroup]".to_owned());
    lines
}

fn block(lines: &mut Vec<String>, title: &str, pairs: &[(&str, &str)]) {
    if !pairs.is_empty() {
        lines.push(title.to_owned());
        lines.extend(pairs.iter().map(|(name, value)| format!("  {name}: {value}")));
    }
}
