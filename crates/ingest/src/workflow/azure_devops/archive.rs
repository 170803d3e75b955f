//! Downloaded log archives and single logs.
//!
//! `logs_<build>.zip` holds `<n>_<job>.txt`, all of a job, and `<job>/<n>_<step>.txt`, its steps
//! by their order, beside `initializeLog.txt` of the server and the pipeline's YAML.

use super::super::github::{log::BOM, numbered};
use super::super::parts::{JobOf, JobText, long_line, write_step, write_steps};
use super::PLATFORM;
use super::location::Location;
use super::log::{Log, is_log};
use crate::TextSink;
use crate::archive::Entry;
use crate::importer::TextFile;
use crate::limits::Limits;
use crate::reader::{Content, source_file};
use leakgraph_model::tables::{IdentityUsed, Job, Problem, Run, identity_key, job_key};
use leakgraph_model::{Evidence, Key};
use std::collections::BTreeMap;

/// Whether the members of a run-log archive are of Azure Pipelines: the first step of a job is
/// `Initialize job` there, and `Set up job` at GitHub.
pub(crate) fn is_archive(entries: &[Entry]) -> bool {
    let has = |name: &str| entries.iter().any(|entry| entry.name.rsplit(['/', '\\']).next() == Some(name));
    has("1_Initialize job.txt") && !has("1_Set up job.txt") && !has("system.txt")
}

#[derive(Default)]
struct JobFiles<'a> {
    whole: Option<&'a Entry>,
    steps: Vec<(i64, &'a Entry)>,
}

impl JobFiles<'_> {
    /// Whether the step files hold all of the whole log, which has two lines more.
    fn has_all_steps(&self) -> bool {
        let text_bytes = |entry: &Entry| entry.bytes.strip_prefix(BOM).unwrap_or(&entry.bytes).len();
        let of_steps: usize = self.steps.iter().map(|(_, step)| text_bytes(step) + 1).sum();
        !self.steps.is_empty() && self.whole.is_none_or(|whole| of_steps + 512 >= text_bytes(whole))
    }
}

/// Imports the members of an archive, of which `root` is the folder inside a zip.
pub(crate) fn import_archive(
    path: &str,
    root: &str,
    entries: &[Entry],
    limits: &Limits,
    sink: &mut dyn TextSink,
) -> Evidence {
    let mut jobs: BTreeMap<&str, JobFiles<'_>> = BTreeMap::new();
    let mut strays = Vec::new();
    for entry in entries {
        let name = entry.name.strip_prefix(root).unwrap_or(&entry.name).trim_start_matches(['/', '\\']);
        let (folder, file) = name.rsplit_once(['/', '\\']).unwrap_or(("", name));
        match (folder, numbered(file)) {
            ("", Some((_, job))) if is_log(&entry.bytes) => jobs.entry(job).or_default().whole = Some(entry),
            (job, Some((number, _))) if !job.is_empty() => {
                jobs.entry(job).or_default().steps.push((number, entry));
            }
            _ => strays.push(entry),
        }
    }
    let location = Location::of_path(&format!("{path}/{root}"));
    let mut importer = Importer::new(path, location, limits, sink);
    for (name, files) in &mut jobs {
        files.steps.sort_by_key(|(number, _)| *number);
        importer.job(name, files);
    }
    for entry in strays {
        importer.server(entry);
    }
    importer.finish()
}

/// Imports the log of one job, or of one step, as `…/builds/{id}/logs/{n}` has them.
pub(crate) fn import_log(file: TextFile<'_>, limits: &Limits, sink: &mut dyn TextSink) -> Evidence {
    let TextFile { path, bytes, .. } = file;
    let entry = file.entry();
    let mut importer = Importer::new(path, Location::of_path(path), limits, sink);
    let log = Log::parse(bytes);
    match log.job.clone() {
        Some(job) => importer.whole(&job, &entry, log),
        None => importer.step(&entry, log),
    }
    importer.finish()
}

struct Importer<'a> {
    path: &'a str,
    location: Location,
    limits: &'a Limits,
    sink: &'a mut dyn TextSink,
    evidence: Evidence,
    run: Option<Run>,
}

impl<'a> Importer<'a> {
    fn new(path: &'a str, location: Location, limits: &'a Limits, sink: &'a mut dyn TextSink) -> Self {
        Self { path, location, limits, sink, evidence: Evidence::default(), run: None }
    }

    fn member(&self, entry: &Entry) -> String {
        if entry.name.is_empty() { self.path.to_owned() } else { format!("{}!/{}", self.path, entry.name) }
    }

    /// The run's key: by path, else by the first text of it.
    fn run_key(&mut self, source_key: Key) -> Key {
        let location = &self.location;
        let run = self.run.get_or_insert_with(|| Run {
            run_key: location.key().unwrap_or_else(|| Key::of("run", &["source", &source_key.to_string()])),
            platform: PLATFORM.to_owned(),
            platform_run_id: location.build.clone(),
            attempt: location.build.as_ref().map(|_| 1),
            evidence: "log".to_owned(),
            source_key,
            ..Run::default()
        });
        run.run_key
    }

    fn job(&mut self, name: &str, files: &JobFiles<'_>) {
        if files.has_all_steps() {
            return self.steps(name, files);
        }
        if let Some(whole) = files.whole {
            self.whole(name, whole, Log::parse(&whole.bytes));
        } else {
            return;
        }
        for (_, step) in &files.steps {
            self.unread(step, "step_log");
        }
    }

    /// A job of which every step has a file.
    fn steps(&mut self, name: &str, files: &JobFiles<'_>) {
        let Some((_, first)) = files.steps.first() else { return };
        let run_key = self.run_key(first.content().key);
        let job_key = job_key(run_key, name);
        let (mut job, mut seen) = (None::<Log>, Vec::new());
        for (ordinal, (number, entry)) in files.steps.iter().enumerate() {
            let content = entry.content();
            let mut log = Log::parse(&entry.bytes);
            // One file is one step, whatever its text prints.
            let mut part = log.parts.drain(..).next().unwrap_or_default();
            part.number = Some(*number);
            if part.name.is_empty() {
                let file = entry.name.rsplit(['/', '\\']).next().unwrap_or("");
                part.name = numbered(file).map(|(_, step)| step).unwrap_or(file).to_owned();
                part.kind = super::step::kind(&part.name, None);
            }
            part.ended_at = log.places.last().and_then(|place| place.at).or(part.ended_at);
            log.places.iter_mut().for_each(|place| place.part = Some(ordinal));
            let source_key = content.key;
            let of = JobOf { run_key, job_key, source_key, attribution: "file" };
            let step_key = write_step(of, ordinal, &part, &mut self.evidence);
            self.logins(&log, run_key, Some(job_key), source_key);
            let marks = log.places.drain(..).map(|place| crate::Mark {
                offset: place.offset,
                step_key: Some(step_key),
                place: place.place,
                name: place.name,
                at: place.at,
            });
            let marks = marks.collect();
            self.hand_over(entry, &content, "step_log", "log", Some(job_key), marks);
            seen.push(part);
            if job.as_ref().is_none_or(|job| job.agent.is_none()) {
                job = Some(log);
            }
        }
        let log = Log { parts: seen, ..job.unwrap_or_default() };
        self.job_row(run_key, name, &log, first.content().key);
        if let Some(whole) = files.whole {
            // Same content as what was read; named so that it is not missed, not read twice.
            self.unread(whole, "job_log");
        }
    }

    /// A job by the log of all of it.
    fn whole(&mut self, name: &str, entry: &Entry, mut log: Log) {
        let content = entry.content();
        let run_key = self.run_key(content.key);
        let name = log.job.clone().unwrap_or_else(|| name.to_owned());
        let job_key = job_key(run_key, &name);
        self.job_row(run_key, &name, &log, content.key);
        self.logins(&log, run_key, Some(job_key), content.key);
        let of = JobOf { run_key, job_key, source_key: content.key, attribution: "order" };
        let places = std::mem::take(&mut log.places);
        let marks = write_steps(of, &log.parts, places, &mut self.evidence);
        self.hand_over(entry, &content, "job_log", "log", Some(job_key), marks);
    }

    /// A step whose job only the timeline knows.
    fn step(&mut self, entry: &Entry, log: Log) {
        let content = entry.content();
        let run_key = self.run_key(content.key);
        self.logins(&log, run_key, None, content.key);
        let marks = log.places.into_iter().map(|place| crate::Mark {
            offset: place.offset,
            step_key: None,
            place: place.place,
            name: place.name,
            at: place.at,
        });
        let marks = marks.collect();
        self.hand_over(entry, &content, "step_log", "log", None, marks);
        let path = self.member(entry);
        self.evidence.problems.push(Problem {
            offset: None,
            code: "incomplete".to_owned(),
            reason: "the log of one step, which does not say of which job it is".to_owned(),
            path,
            lossy: false,
        });
    }

    /// What the server wrote, or what else lies in an archive.
    fn server(&mut self, entry: &Entry) {
        let content = entry.content();
        let run_key = self.run_key(content.key);
        if is_log(&entry.bytes) {
            let log = Log::parse(&entry.bytes);
            return match log.job.clone() {
                Some(job) => self.whole(&job, entry, log),
                None => self.step(entry, log),
            };
        }
        let text = JobText {
            path: &self.member(entry),
            content: &content,
            platform: PLATFORM,
            kind: "system_log",
            run_key: Some(run_key),
            job_key: None,
            place: "system",
        };
        text.hand_over(&entry.bytes, Vec::new(), &mut self.evidence, self.sink);
    }

    fn hand_over(
        &mut self,
        entry: &Entry,
        content: &Content<'_>,
        kind: &'static str,
        place: &'static str,
        job_key: Option<Key>,
        marks: Vec<crate::Mark>,
    ) {
        let run_key = self.run.as_ref().map(|run| run.run_key);
        let path = &self.member(entry);
        let text = JobText { path, content, platform: PLATFORM, kind, run_key, job_key, place };
        text.hand_over(&entry.bytes, marks, &mut self.evidence, self.sink);
        self.evidence.problems.extend(long_line(path, &entry.bytes, self.limits));
    }

    /// A member whose content was read from another.
    fn unread(&mut self, entry: &Entry, kind: &str) {
        let row = source_file(&self.member(entry), &entry.content(), PLATFORM, kind, 0);
        self.evidence.source_files.push(row);
    }

    fn job_row(&mut self, run_key: Key, name: &str, log: &Log, source_key: Key) {
        let failed = log.parts.iter().any(|part| part.conclusion == Some("failure"));
        self.evidence.jobs.push(Job {
            job_key: job_key(run_key, name),
            run_key,
            name: name.to_owned(),
            runner_kind: Some(log.runner_kind().to_owned()),
            runner_name: log.agent.clone(),
            runner_version: log.version.clone(),
            conclusion: failed.then(|| "failure".to_owned()),
            started_at: log.parts.first().and_then(|part| part.started_at),
            ended_at: log.parts.last().and_then(|part| part.ended_at),
            has_log: true,
            evidence: "log".to_owned(),
            source_key,
            ..Job::default()
        });
    }

    fn logins(&mut self, log: &Log, run_key: Key, job_key: Option<Key>, source_key: Key) {
        for (step, login) in &log.logins {
            self.evidence.identities_used.push(IdentityUsed {
                job_key,
                run_key: Some(run_key),
                identity_key: Some(identity_key("azure", &login.client)),
                identity_kind: "azure_sp".to_owned(),
                how: login.how.to_owned(),
                subject: Some(login.client.clone()),
                account: login.tenant.clone(),
                issued_at: log.parts.get(*step).and_then(|part| part.started_at),
                join_method: "exact_id".to_owned(),
                confidence: 1.0,
                source_key,
                ..IdentityUsed::default()
            });
        }
    }

    fn finish(mut self) -> Evidence {
        self.evidence.runs.extend(self.run);
        self.evidence
    }
}
