//! Travis CI: job logs.
//!
//! Format: travis-ci/travis-build (`lib/travis/build/bash`, `lib/travis/build/env`) and real
//! logs. Folds are `travis_fold:start:<name>` … `travis_fold:end:<name>`, times are
//! `travis_time:start:<id>` … `travis_time:end:<id>:start=<ns>,finish=<ns>,duration=<ns>`; each
//! ends with `\r` and `ESC[0K`. Variables are echoed as `$ export NAME=value`, secret ones as
//! `[secure]`. Folds are steps; so are timed commands outside of folds, which are those of the
//! `script` phase. Anything else is the job's own.

use super::github::log::plain;
use super::parts::{Bound, JobOf, JobText, Part, Place, long_line, note, stem, write_steps};
use super::rows::gap;
use crate::TextSink;
use crate::importer::{Importer, Recognised, TextFile};
use crate::limits::Limits;
use leakgraph_model::tables::{Job, Run, job_key, run_key};
use leakgraph_model::{Evidence, Key, Timestamp};

/// Job logs of Travis CI.
pub(crate) struct Travis;

const FOLD_START: &[u8] = b"travis_fold:start:";
const FOLD_END: &[u8] = b"travis_fold:end:";
const TIME_START: &[u8] = b"travis_time:start:";
const TIME_END: &[u8] = b"travis_time:end:";

impl Importer for Travis {
    fn platform(&self) -> &'static str {
        "travis"
    }

    fn recognise_text(&self, file: TextFile<'_>) -> Option<Recognised> {
        let head = file.bytes.get(..file.bytes.len().min(64 << 10)).unwrap_or_default();
        let begins = memchr::memmem::find_iter(head, b"travis_").any(|at| {
            let (before, rest) = head.split_at(at);
            (rest.starts_with(FOLD_START) || rest.starts_with(TIME_START))
                && (before.is_empty() || before.ends_with(b"\n") || before.ends_with(b"\x1b[0K"))
        });
        begins.then(|| Recognised::new("job_log", "folds or times of a Travis job at the start of lines"))
    }

    fn import_text(
        &self,
        _kind: &'static str,
        file: TextFile<'_>,
        limits: &Limits,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        let content = file.content();
        let log = Log::parse(file.bytes);
        let repo = log.repo.as_deref().map(str::to_lowercase).unwrap_or_default();
        let run = match &log.build_id {
            Some(build) => run_key("travis", &repo, build, 1),
            None => Key::of("run", &["source", &content.key.to_string()]),
        };
        let name = log.job_id.clone().unwrap_or_else(|| stem(file.path).to_owned());
        let job = job_key(run, &name);
        let mut evidence = Evidence::default();
        evidence.runs.push(log.run(run, content.key));
        evidence.jobs.push(log.job(run, job, name, content.key));
        // Neither tokens nor who started the build are in a log.
        evidence.evidence_gaps.push(gap(run, "runs", "trigger_decision", "no_audit", "lower_bound_only"));
        let of = JobOf { run_key: run, job_key: job, source_key: content.key, attribution: "order" };
        let marks = write_steps(of, &log.parts, log.places, &mut evidence);
        let text = JobText {
            path: file.path,
            content: &content,
            platform: "travis",
            kind: "job_log",
            run_key: Some(run),
            job_key: Some(job),
            place: "log",
        };
        text.hand_over(file.bytes, marks, &mut evidence, sink);
        evidence.problems.extend(long_line(file.path, file.bytes, limits));
        evidence
    }
}

/// A `travis_time` block that has not ended.
struct Timed {
    id: String,
    /// The step it was opened in.
    part: usize,
    /// The step it is, for a timed command outside of folds.
    command: Option<usize>,
    /// Whether nothing was shown in it yet.
    is_fresh: bool,
    /// First change of place in it.
    first_place: usize,
}

/// What a job log tells.
#[derive(Default)]
struct Log {
    repo: Option<String>,
    head_ref: Option<String>,
    head_sha: Option<String>,
    build_id: Option<String>,
    job_id: Option<String>,
    worker: Option<String>,
    worker_version: Option<String>,
    dist: Option<String>,
    conclusion: Option<&'static str>,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    /// The first one is the job's own.
    parts: Vec<Part>,
    places: Vec<Place>,
    folds: Vec<(String, usize)>,
    times: Vec<Timed>,
    /// Whether the variables shown are of the repository.
    is_environment: bool,
}

impl Log {
    fn parse(bytes: &[u8]) -> Self {
        let mut log = Self { parts: vec![Part::new("Set up job", "setup")], ..Self::default() };
        let mut offset = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut is_placed = false;
            for segment in line.split(|byte| matches!(byte, b'\r' | b'\n')) {
                let segment = erased(segment);
                if log.marker(segment) {
                    continue;
                }
                let shown = plain(segment);
                if !shown.is_empty() {
                    let place = log.shown(&shown, offset);
                    // What a carriage return overwrites is of the same line.
                    if !std::mem::replace(&mut is_placed, true) {
                        note(&mut log.places, place);
                    }
                }
            }
            offset += line.len();
        }
        log
    }

    /// The step that lines are of now.
    fn current(&self) -> usize {
        let command = self.times.iter().rev().find_map(|timed| timed.command);
        self.folds.last().map(|(_, part)| *part).or(command).unwrap_or(0)
    }

    /// Takes a fold or time; says whether it was one.
    fn marker(&mut self, segment: &[u8]) -> bool {
        let named = |marker: &[u8]| {
            let rest = String::from_utf8_lossy(segment.strip_prefix(marker)?).into_owned();
            (!rest.is_empty()).then_some(rest)
        };
        if let Some(name) = named(FOLD_START) {
            self.folds.push((name.clone(), self.parts.len()));
            self.parts.push(Part::new(name.clone(), kind(&name)));
        } else if let Some(name) = named(FOLD_END) {
            if let Some(at) = self.folds.iter().rposition(|(open, _)| *open == name) {
                self.folds.truncate(at);
            }
        } else if let Some(id) = named(TIME_START) {
            let part = self.current();
            let first_place = self.places.len();
            self.times.push(Timed { id, part, command: None, is_fresh: true, first_place });
        } else if let Some(end) = named(TIME_END) {
            self.time_ends(&end);
        } else {
            return false;
        }
        true
    }

    /// `<id>:start=<ns>,finish=<ns>,duration=<ns>[,event=<name>]`
    fn time_ends(&mut self, end: &str) {
        let Some((id, times)) = end.split_once(':') else { return };
        let nanoseconds = |name: &str| {
            let value = times.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            Some(Timestamp(value?.parse::<i64>().ok()? / 1000))
        };
        let (start, finish) = (nanoseconds("start"), nanoseconds("finish"));
        self.started_at = self.started_at.or(start);
        self.ended_at = finish.or(self.ended_at);
        let Some(at) = self.times.iter().rposition(|timed| timed.id == id) else { return };
        let timed = self.times.remove(at);
        for place in self.places.iter_mut().skip(timed.first_place) {
            place.at = place.at.or(start);
        }
        if let Some(part) = self.parts.get_mut(timed.command.unwrap_or(timed.part)) {
            part.at(start);
            part.at(finish);
        }
    }

    /// Takes what a line shows; says where it belongs.
    fn shown(&mut self, shown: &[u8], offset: usize) -> Place {
        let text = String::from_utf8_lossy(shown);
        let is_fresh = self.times.last_mut().is_some_and(|timed| std::mem::take(&mut timed.is_fresh));
        let (mut place, mut name) = ("log", None);
        if let Some((variable, value)) = exported(&text) {
            let part = self.current();
            let scope = if self.is_environment && part == 0 { "repo" } else { "unknown" };
            if let Some(part) = self.parts.get_mut(part) {
                part.bound.push(Bound::shown(variable, value, offset, scope));
            }
            (place, name) = ("env_binding", Some(variable.to_owned()));
        } else if let Some(command) = text.strip_prefix("$ ") {
            if is_fresh && self.folds.is_empty() && self.current() == 0 {
                let ordinal = self.parts.len();
                self.parts.push(Part::new(command, "run"));
                if let Some(timed) = self.times.last_mut() {
                    timed.command = Some(ordinal);
                }
            }
            let part = self.current();
            if let Some(part) = self.parts.get_mut(part) {
                part.script_bytes += command.len();
            }
            self.checkout(command);
            place = "script_echo";
        } else {
            self.told(&text);
        }
        Place { offset, part: Some(self.current()), place, name, at: None }
    }

    /// What the job says of itself.
    fn told(&mut self, text: &str) {
        let in_fold = |name: &str| self.folds.last().is_some_and(|(fold, _)| fold == name);
        if text.starts_with("Setting environment variables from ") {
            self.is_environment = true;
        } else if in_fold("system_info") {
            let value = |name: &str| {
                let value = text.strip_prefix(name)?.trim();
                (!matches!(value, "" | "''")).then(|| value.to_owned())
            };
            self.build_id = self.build_id.take().or_else(|| value("Build id: "));
            self.job_id = self.job_id.take().or_else(|| value("Job id: "));
            self.dist = self.dist.take().or_else(|| value("Build dist: "));
        } else if in_fold("worker_info") {
            let value = |name: &str| text.strip_prefix(name).map(|value| value.trim().to_owned());
            self.worker = self.worker.take().or_else(|| value("hostname: "));
            let version =
                value("version: ").and_then(|text| Some(text.split_whitespace().next()?.to_owned()));
            self.worker_version = self.worker_version.take().or(version);
        } else if self.is_between_commands() {
            self.ends(text);
        }
    }

    /// Whether no command is running: what is shown then is of the job. The fold of a phase
    /// that failed does not end.
    fn is_between_commands(&self) -> bool {
        let current = self.current();
        let is_running = |timed: &Timed| timed.command.is_some() || current != 0 && timed.part == current;
        !self.times.iter().any(is_running)
    }

    /// Results of commands and of the job.
    fn ends(&mut self, text: &str) {
        if let Some(worker) = text.strip_prefix("Using worker: ") {
            self.worker.get_or_insert_with(|| worker.trim().to_owned());
        } else if let Some(rest) = text.strip_prefix("The command \"") {
            let code = rest.rsplit_once("exited with ").map(|(_, code)| code);
            let code = code.and_then(|code| code.split([' ', '.']).next()?.parse::<i64>().ok());
            if let (Some(code), Some(part)) = (code, self.parts.iter_mut().skip(1).last()) {
                part.conclusion = Some(if code == 0 { "success" } else { "failure" });
            }
        } else if let Some(rest) = text.strip_prefix("Done. Your build exited with ") {
            self.conclusion = Some(if rest.starts_with("0.") { "success" } else { "failure" });
        } else if text.starts_with("Your build has been stopped") {
            self.conclusion = Some("failure");
        }
    }

    /// The commands by which Travis gets the sources.
    fn checkout(&mut self, command: &str) {
        let is_own = self.folds.last().is_none_or(|(fold, _)| fold.starts_with("git"));
        if !is_own || self.current() != 0 && self.folds.is_empty() {
            return;
        }
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["git", "clone", .., folder] if is_slug(folder) && self.repo.is_none() => {
                self.repo = Some((*folder).to_owned());
                let branch = words.iter().find_map(|word| word.strip_prefix("--branch="));
                self.head_ref = branch.map(|branch| branch.trim_matches('\'').to_owned());
            }
            ["git", "fetch", "origin", refs] => {
                let pull = refs.trim_start_matches('+').trim_end_matches(':');
                if pull.starts_with("refs/pull/") {
                    self.head_ref = Some(pull.to_owned());
                }
            }
            ["git", "checkout", "-qf", sha] if sha.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                self.head_sha.get_or_insert_with(|| (*sha).to_owned());
            }
            ["cd", folder] if is_slug(folder) => {
                self.repo.get_or_insert_with(|| (*folder).to_owned());
            }
            _ => {}
        }
    }

    fn run(&self, run_key: Key, source_key: Key) -> Run {
        let is_pull = self.head_ref.as_deref().is_some_and(|head| head.starts_with("refs/pull/"));
        Run {
            run_key,
            platform: "travis".to_owned(),
            repo: self.repo.clone(),
            platform_run_id: self.build_id.clone(),
            attempt: self.build_id.as_ref().map(|_| 1),
            event: is_pull.then(|| "pull_request".to_owned()),
            head_ref: self.head_ref.clone(),
            head_sha: self.head_sha.clone(),
            evidence: "log".to_owned(),
            source_key,
            ..Run::default()
        }
    }

    fn job(&self, run_key: Key, job_key: Key, name: String, source_key: Key) -> Job {
        const HOSTED: [&str; 5] =
            ["travisci.net", ".travis-ci.org", ".travis-ci.com", "worker-org-", "worker-com-"];
        let is_hosted =
            self.worker.as_ref().is_some_and(|worker| HOSTED.iter().any(|part| worker.contains(part)));
        Job {
            job_key,
            run_key,
            platform_job_id: self.job_id.clone(),
            name,
            runner_kind: Some(if is_hosted { "hosted" } else { "unknown" }.to_owned()),
            runner_name: self.worker.clone(),
            runner_version: self.worker_version.clone(),
            labels: self.dist.iter().cloned().collect(),
            conclusion: self.conclusion.map(str::to_owned),
            started_at: self.started_at,
            ended_at: self.ended_at,
            has_log: true,
            evidence: "log".to_owned(),
            source_key,
            ..Job::default()
        }
    }
}

/// A segment without the sequences that erase what stood there.
fn erased(mut segment: &[u8]) -> &[u8] {
    while let Some(rest) = segment.strip_prefix(b"\x1b[0K") {
        segment = rest;
    }
    segment
}

/// Name and value of `$ export NAME=value`.
fn exported(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.strip_prefix("$ export ")?.split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then(|| (name, value.trim_end()))
}

fn is_slug(folder: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    folder.split_once('/').is_some_and(|(owner, name)| is_name(owner) && is_name(name) && owner != "..")
}

/// What a fold is, by the phases of a job (docs.travis-ci.com, "Job Lifecycle").
fn kind(fold: &str) -> &'static str {
    let phase = fold.split('.').next().unwrap_or(fold);
    match phase {
        "before_install" | "install" | "before_script" | "script" => "run",
        "after_success" | "after_failure" | "after_script" | "before_deploy" | "deploy" | "after_deploy" => {
            "post"
        }
        _ => "setup",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"travis_fold:start:system_info\r\x1b[0K\x1b[33;1mBuild system information\x1b[0m\r\n\
Build id: 571351163\r\nJob id: 571351164\r\n\
travis_fold:end:system_info\r\x1b[0K\r\n\
travis_fold:start:git.checkout\r\x1b[0Ktravis_time:start:0a\r\x1b[0K$ git clone --depth=5 --branch=main https://github.com/acme/shop.git acme/shop\r\n\
travis_time:end:0a:start=1565706927000000000,finish=1565706930000000000,duration=3000000000\r\x1b[0K$ cd acme/shop\r\n\
$ git checkout -qf 22df2ae244da7dfbe3793048390de815238ef6ac\r\n\
travis_fold:end:git.checkout\r\x1b[0K\r\n\
\x1b[33;1mSetting environment variables from repository settings\x1b[0m\r\n\
$ export NPM_API_KEY=[secure]\r\n\
$ export EMPTY=\r\n\
travis_time:start:0b\r\x1b[0K$ make test\r\nok\r\n\
travis_time:end:0b:start=1565706964000000000,finish=1565707369000000000,duration=405000000000\r\x1b[0K\x1b[31;1mThe command \"make test\" exited with 2.\x1b[0m\r\n\
\r\nDone. Your build exited with 1.\r\n";

    #[test]
    fn folds_and_timed_commands_are_steps() {
        let log = Log::parse(TEXT);
        let steps: Vec<_> =
            log.parts.iter().map(|part| (part.name.as_str(), part.kind, part.conclusion)).collect();
        assert_eq!(
            steps,
            [
                ("Set up job", "setup", None),
                ("system_info", "setup", None),
                ("git.checkout", "setup", None),
                ("make test", "run", Some("failure")),
            ]
        );
        assert_eq!(log.repo.as_deref(), Some("acme/shop"));
        assert_eq!((log.build_id.as_deref(), log.job_id.as_deref()), (Some("571351163"), Some("571351164")));
        assert_eq!((log.head_ref.as_deref(), log.conclusion), (Some("main"), Some("failure")));
        let bound: Vec<_> =
            log.parts[0].bound.iter().map(|bound| (bound.name.as_str(), bound.state, bound.scope)).collect();
        assert_eq!(bound, [("NPM_API_KEY", "masked", "repo"), ("EMPTY", "empty", "repo")]);
        assert_eq!(log.parts[3].started_at, Some(Timestamp(1_565_706_964_000_000)));
    }

    #[test]
    fn lines_belong_to_the_step_they_are_shown_in() {
        let log = Log::parse(TEXT);
        let at = |needle: &str| {
            let offset = memchr::memmem::find(TEXT, needle.as_bytes()).unwrap();
            let place = log.places.iter().rev().find(|place| place.offset <= offset).unwrap();
            (place.part, place.place, place.at.is_some())
        };
        assert_eq!(at("$ git clone"), (Some(2), "script_echo", true));
        assert_eq!(at("NPM_API_KEY"), (Some(0), "env_binding", false));
        assert_eq!(at("ok\r\n"), (Some(3), "log", true));
        assert_eq!(at("Done."), (Some(0), "log", false));
    }
}
