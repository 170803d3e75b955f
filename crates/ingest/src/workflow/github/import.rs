//! Run-log archives (layouts A and B), single job logs (C) and folders (D).

use super::dispatch::{self, Place};
use super::job::{from_step_files, from_whole, job_row, resolved};
use super::log::{self, BOM, is_job_log};
use super::members::{below, file_name, numbered, same_run};
use super::run_path::RunPath;
use super::setup::Setup;
use super::steps::{self, StepPart};
use super::system::{System, workflow_file};
use crate::answers::api_error;
use crate::archive::Entry;
use crate::importer::TextFile;
use crate::limits::Limits;
use crate::reader::{Content, source_file};
use crate::workflow::parts::long_line;
use crate::{Mark, TextContext, TextSink};
use leakgraph_model::tables::{
    Binding, Handoff, HandoffInput, Job, Problem, Run, SecretPassed, Step, TokenPermission, Trigger, job_key,
};
use leakgraph_model::{Evidence, Key};
use std::collections::BTreeMap;

/// The files of one job.
#[derive(Default)]
struct JobFiles<'a> {
    wholes: Vec<&'a Entry>,
    steps: Vec<(i64, &'a str, &'a Entry)>,
    system: Option<&'a Entry>,
}

impl<'a> JobFiles<'a> {
    /// Whether the step files hold all of the whole log: it is their text in one, with
    /// one byte order mark (measured on real archives).
    fn has_all_steps(&self, whole: Option<&Entry>) -> bool {
        let text_bytes = |entry: &Entry| entry.bytes.strip_prefix(BOM).unwrap_or(&entry.bytes).len();
        // A line end more or less per file is no difference.
        let of_steps: usize = self.steps.iter().map(|(_, _, step)| text_bytes(step) + 1).sum();
        !self.steps.is_empty() && whole.is_none_or(|whole| of_steps >= text_bytes(whole))
    }

    /// The whole log of the job, and those of other runs or of other jobs of this name.
    fn whole(&self) -> (Option<&'a Entry>, Vec<&'a Entry>) {
        let first_step = self.steps.iter().min_by_key(|step| step.0).map(|step| step.2);
        let is_own = |whole: &&Entry| first_step.is_none_or(|step| same_run(whole, step));
        let own = self.wholes.iter().copied().filter(is_own).max_by_key(|whole| whole.bytes.len());
        let others = self.wholes.iter().copied();
        (own, others.filter(|whole| own.is_none_or(|own| !std::ptr::eq(own, *whole))).collect())
    }
}

/// GitHub's layout of the files of a job.
fn layout(files: &JobFiles<'_>, whole: Option<&Entry>) -> &'static str {
    match (files.steps.is_empty(), files.system.is_some()) {
        (false, _) if files.has_all_steps(whole) => "A",
        (false, _) => "D",
        (true, true) => "B",
        (true, false) => "C",
    }
}

/// Imports the members of a run-log archive, of which `root` is the folder inside a zip.
pub(crate) fn import_archive(
    path: &str,
    root: &str,
    entries: &[Entry],
    limits: &Limits,
    sink: &mut dyn TextSink,
) -> Evidence {
    let mut jobs: BTreeMap<String, JobFiles<'_>> = BTreeMap::new();
    let mut importer = Importer::new(path, limits, sink);
    let run_path = RunPath::of(&format!("{path}!/{root}"));
    if run_path.run_id.is_some() {
        importer.run_path = run_path;
    }
    for entry in entries {
        let name = file_name(&entry.name);
        match (below(root, &entry.name).rsplit_once(['/', '\\']), numbered(name)) {
            (Some((job, _)), _)
                if name == "system.txt" && jobs.get(job).is_none_or(|files| files.system.is_none()) =>
            {
                jobs.entry(job.to_owned()).or_default().system = Some(entry)
            }
            (Some((job, _)), Some((number, title))) => {
                jobs.entry(job.to_owned()).or_default().steps.push((number, title, entry))
            }
            (None, Some((_, job))) if is_job_log(&entry.bytes) => {
                jobs.entry(job.to_owned()).or_default().wholes.push(entry);
            }
            _ if is_job_log(&entry.bytes) => {
                importer.stray(
                    entry,
                    "mixed_runs",
                    "a job log whose name is not of this archive: scanned for secrets only",
                );
            }
            _ => match api_error(&entry.bytes) {
                Some(reason) => importer.stray(entry, "api_error", &reason),
                None => importer.stray(
                    entry,
                    "unrecognised",
                    "not a log of a job or step: scanned for secrets only",
                ),
            },
        }
    }
    for (name, files) in &jobs {
        importer.job(name, files);
    }
    importer.finish()
}

/// Imports the plain text of one job (layout C, or a piece of one: D).
pub(crate) fn import_job_log(file: TextFile<'_>, limits: &Limits, sink: &mut dyn TextSink) -> Evidence {
    let path = file.path;
    let mut importer = Importer::new(path, limits, sink);
    let name = file_name(path);
    let name =
        numbered(name).map_or_else(|| name.rsplit_once('.').map_or(name, |(stem, _)| stem), |(_, job)| job);
    let entry = file.entry();
    importer.job(name, &JobFiles { wholes: vec![&entry], ..JobFiles::default() });
    importer.finish()
}

struct Importer<'a> {
    path: &'a str,
    run_path: RunPath,
    limits: &'a Limits,
    sink: &'a mut dyn TextSink,
    evidence: Evidence,
    run: Option<Run>,
}

impl<'a> Importer<'a> {
    fn new(path: &'a str, limits: &'a Limits, sink: &'a mut dyn TextSink) -> Self {
        let run_path = RunPath::of(path);
        Self { path, run_path, limits, sink, evidence: Evidence::default(), run: None }
    }

    fn member(&self, entry: &Entry) -> String {
        if entry.name.is_empty() { self.path.to_owned() } else { format!("{}!/{}", self.path, entry.name) }
    }

    /// A member that belongs to no job: scanned, and said.
    fn stray(&mut self, entry: &Entry, code: &str, reason: &str) {
        let path = self.member(entry);
        let content = entry.content();
        let kind = if code == "api_error" { code } else { "text" };
        self.evidence.source_files.push(source_file(&path, &content, "unknown", kind, 0));
        self.sink.text(&TextContext::of(&path, content.key, "log"), &entry.bytes);
        self.evidence.problems.push(Problem {
            path,
            offset: None,
            code: code.to_owned(),
            reason: reason.to_owned(),
            lossy: true,
        });
    }

    /// The run's key: by path, else by the first text of it.
    fn run_key(&mut self, system: &System, source: Key) -> Key {
        if self.run_path.repo.is_none() {
            self.run_path.repo = system.repo();
        }
        let run_path = &self.run_path;
        let run = self.run.get_or_insert_with(|| Run {
            run_key: run_path.key().unwrap_or_else(|| Key::of("run", &["source", &source.to_string()])),
            platform: "github".to_owned(),
            platform_run_id: run_path.run_id.clone(),
            attempt: run_path.attempt.or(run_path.run_id.as_ref().map(|_| 1)),
            evidence: "log".to_owned(),
            source_key: source,
            ..Run::default()
        });
        run.repo = run.repo.take().or_else(|| run_path.repo.clone());
        let root = system.chain.first().or(system.defined_at.as_ref());
        if let (None, Some((path, reference, sha))) = (&run.workflow_path, root) {
            run.workflow_path = Some(workflow_file(path).to_owned());
            run.workflow_ref.clone_from(reference);
            run.workflow_sha.clone_from(sha);
        }
        run.run_key
    }

    fn job<'f>(&mut self, folder: &str, files: &JobFiles<'f>) {
        let (whole, others) = files.whole();
        let system = match (files.system, whole) {
            (Some(entry), _) => System::parse(&entry.bytes),
            (None, Some(whole)) => System::embedded(&whole.bytes).unwrap_or_default(),
            (None, None) => System::default(),
        };
        for entry in others {
            if whole.is_some_and(|whole| whole.bytes == entry.bytes) {
                self.unread(entry, "job_log", layout(files, whole));
                continue;
            }
            self.stray(
                entry,
                "mixed_runs",
                "another log of a job of this name, of another run or of its twin: scanned for secrets only",
            );
        }
        let Some(first) = whole.or(files.steps.first().map(|step| step.2)).or(files.system) else {
            return;
        };
        let first_content = first.content();
        let source = first_content.key;
        let run_key = self.run_key(&system, source);
        // Step files attribute exactly; the whole log only where they lack something. Never both.
        let has_steps = files.has_all_steps(whole);
        let (setup, parts) = if has_steps { from_step_files(files.steps.clone()) } else { from_whole(whole) };
        let name = setup.job_name.clone().unwrap_or_else(|| folder.to_owned());
        let job_key = job_key(run_key, &name);
        let repo = self.run.as_ref().and_then(|run| run.repo.clone());
        let layout = match layout(files, whole) {
            "C" if setup.job_name.is_none() => "D",
            layout => layout,
        };
        let row = Job { job_key, run_key, name, source_key: source, ..Job::default() };
        self.evidence.jobs.push(job_row(row, &setup, &system, &parts));
        self.permissions(job_key, &setup, source);
        self.chain(run_key, job_key, &setup, &system, source);
        self.condition(run_key, job_key, &system, source);
        let content_of = |entry: &'f Entry| {
            if std::ptr::eq(entry, first) { first_content.clone() } else { entry.content() }
        };
        let mut texts: BTreeMap<&str, (&Entry, Content<'_>, Vec<Mark>)> = BTreeMap::new();
        let mut sent = Vec::new();
        for (ordinal, (entry, part)) in parts.iter().enumerate() {
            let text = texts.entry(&entry.name).or_insert_with(|| (entry, content_of(entry), Vec::new()));
            let source = text.1.key;
            let step_key = self.step(job_key, ordinal, part, &setup, has_steps, source);
            let (repo, run_id) = (repo.as_deref(), self.run_path.run_id.as_deref());
            let place = Place { run_key, job_key, step: ordinal, repo, run_id, source_key: source };
            let before = self.evidence.handoffs.len();
            dispatch::add(part, &place, &mut self.evidence, self.sink);
            sent.extend((before..self.evidence.handoffs.len()).map(|index| (ordinal, index)));
            self.bindings(run_key, job_key, step_key, part, source);
            self.outputs(run_key, job_key, part, source);
            text.2.extend(part.marks.iter().cloned().map(|mark| Mark { step_key: Some(step_key), ..mark }));
        }
        let steps: Vec<&StepPart> = parts.iter().map(|(_, part)| part).collect();
        dispatch::told_later(&steps, &sent, self.run_path.run_id.as_deref(), &mut self.evidence);
        for (entry, content, mut marks) in texts.into_values() {
            marks.sort_by_key(|mark| mark.offset);
            let path = self.member(entry);
            let kind = if has_steps { "step_log" } else { "job_log" };
            let mut row = source_file(&path, &content, "github", kind, 1);
            row.layout = Some(layout.to_owned());
            self.evidence.source_files.push(row);
            let context = TextContext {
                run_key: Some(run_key),
                job_key: Some(job_key),
                marks,
                clock: Some(log::time_at),
                ..TextContext::of(&path, content.key, "log")
            };
            self.sink.text(&context, &entry.bytes);
        }
        if let Some(entry) = files.system {
            let content = content_of(entry);
            let path = self.member(entry);
            self.evidence.source_files.push(source_file(&path, &content, "github", "system_log", 1));
            let context = TextContext {
                run_key: Some(run_key),
                job_key: Some(job_key),
                ..TextContext::of(&path, content.key, "system")
            };
            self.sink.text(&context, &entry.bytes);
        }
        // Same content as what was read; named so that it is not missed, not read twice.
        match whole {
            Some(whole) if has_steps => self.unread(whole, "job_log", layout),
            _ if has_steps => {}
            _ => files.steps.iter().for_each(|(_, _, step)| self.unread(step, "step_log", layout)),
        }
        let read = files.steps.iter().map(|step| step.2).chain(files.system);
        for entry in read.chain(whole.filter(|_| !has_steps)) {
            let long = long_line(&self.member(entry), &entry.bytes, self.limits);
            self.evidence.problems.extend(long);
        }
    }

    /// A member whose content was read from another.
    fn unread(&mut self, entry: &Entry, kind: &str, layout: &str) {
        let path = self.member(entry);
        let mut row = source_file(&path, &entry.content(), "github", kind, 0);
        row.layout = Some(layout.to_owned());
        self.evidence.source_files.push(row);
    }

    fn permissions(&mut self, job_key: Key, setup: &Setup, source: Key) {
        for (scope, access) in setup.permissions.iter().flatten() {
            self.evidence.token_permissions.push(TokenPermission {
                job_key,
                token: "GITHUB_TOKEN".to_owned(),
                scope: scope.clone(),
                access: access.clone(),
                evidence: "log".to_owned(),
                source_key: source,
            });
        }
    }

    /// One handoff per hop of a reusable chain; the `Uses:` line where there is no chain.
    fn chain(&mut self, run_key: Key, job_key: Key, setup: &Setup, system: &System, source: Key) {
        let hops: Vec<_> = match (system.chain.len(), &setup.uses) {
            (0 | 1, Some(uses)) => vec![uses.clone()],
            _ => system.chain.iter().skip(1).cloned().collect(),
        };
        let last = hops.len().saturating_sub(1);
        for (index, (path, reference, sha)) in hops.into_iter().enumerate() {
            let key = Key::of("handoff", &[&job_key.to_string(), "workflow_call", &path]);
            let parent_repo = self.run.as_ref().and_then(|run| run.repo.clone());
            let child_repo: String = path.split('/').take(2).collect::<Vec<_>>().join("/");
            let crosses = match parent_repo {
                Some(parent) if parent.eq_ignore_ascii_case(&child_repo) => "none",
                Some(parent) if parent.split('/').next() == child_repo.split('/').next() => "repo",
                Some(_) => "org",
                None => "none",
            };
            self.evidence.handoffs.push(Handoff {
                handoff_key: key,
                parent_run_key: Some(run_key),
                child_run_key: Some(run_key),
                child_job_key: (index == last).then_some(job_key),
                child_repo: Some(child_repo),
                child_workflow: Some(workflow_file(&path).to_owned()),
                mechanism: "workflow_call".to_owned(),
                credential_kind: "GITHUB_TOKEN".to_owned(),
                crosses: crosses.to_owned(),
                link_method: "chain".to_owned(),
                confidence: 1.0,
                child_ref: reference,
                child_sha: sha,
                gate: "unknown".to_owned(),
                evidence: "log".to_owned(),
                source_key: source,
                ..Handoff::default()
            });
            if index == last {
                for (name, value) in &setup.inputs {
                    let input = dispatch::input(key, name, value, "log", source, self.sink);
                    self.evidence.handoff_inputs.push(input);
                }
            }
        }
    }

    fn condition(&mut self, run_key: Key, job_key: Key, system: &System, source: Key) {
        if system.condition.is_some() || system.result.is_some() {
            self.evidence.triggers.push(Trigger {
                run_key,
                job_key: Some(job_key),
                kind: "condition".to_owned(),
                subject_trust: "unknown".to_owned(),
                condition: system.condition.clone(),
                result: system.result,
                source_key: source,
                ..Trigger::default()
            });
        }
    }

    fn step(
        &mut self,
        job_key: Key,
        ordinal: usize,
        part: &StepPart,
        setup: &Setup,
        has_files: bool,
        source: Key,
    ) -> Key {
        let number = part.number.unwrap_or_else(|| i64::try_from(ordinal).unwrap_or(i64::MAX));
        let step_key = Key::of(
            "step",
            &[
                &job_key.to_string(),
                if part.number.is_some() { "number" } else { "ordinal" },
                &number.to_string(),
            ],
        );
        self.evidence.steps.push(Step {
            step_key,
            job_key,
            number: part.number,
            ordinal: i64::try_from(ordinal).unwrap_or(i64::MAX),
            name: part.name.clone(),
            kind: part.kind.to_owned(),
            resolved_sha: part.uses.as_ref().and_then(|uses| resolved(setup, uses)),
            uses_ref: part.uses.as_ref().and_then(|uses| Some(uses.split_once('@')?.1.to_owned())),
            pinned: part.uses.as_deref().map(|uses| steps::pinned(uses).to_owned()),
            uses: part.uses.clone(),
            shell: part.shell.clone(),
            script_bytes: (!part.script.is_empty())
                .then(|| i64::try_from(part.script.len()).unwrap_or(i64::MAX)),
            conclusion: part.failed.then(|| "failure".to_owned()),
            started_at: part.started_at,
            ended_at: part.ended_at,
            attribution: if has_files { "file" } else { "order" }.to_owned(),
            source_key: source,
        });
        step_key
    }

    fn bindings(&mut self, run_key: Key, job_key: Key, step_key: Key, part: &StepPart, source: Key) {
        for (ordinal, bound) in part.bound.iter().enumerate() {
            if bound.state == "masked" {
                self.evidence.secrets_passed.push(SecretPassed {
                    job_key: Some(job_key),
                    run_key,
                    name: bound.name.clone(),
                    secret_scope: "unknown".to_owned(),
                    how: "binding".to_owned(),
                    source_key: source,
                });
            }
            self.evidence.bindings.push(Binding {
                binding_key: Key::of(
                    "binding",
                    &[&step_key.to_string(), bound.place, &bound.name, &ordinal.to_string()],
                ),
                step_key,
                job_key,
                place: bound.place.to_owned(),
                name: bound.name.clone(),
                state: bound.state.to_owned(),
                value_bytes: (bound.state == "clear")
                    .then(|| i64::try_from(bound.value.len()).unwrap_or(i64::MAX)),
                guessed_kind: steps::guess(&bound.name).to_owned(),
                byte_offset: i64::try_from(bound.offset).unwrap_or(i64::MAX),
                source_key: source,
            });
        }
    }

    /// Job outputs are a handoff to whatever job needs this one.
    fn outputs(&mut self, run_key: Key, job_key: Key, part: &StepPart, source: Key) {
        if part.outputs.is_empty() || part.kind != "complete" {
            return;
        }
        let key = Key::of("handoff", &[&job_key.to_string(), "job_output"]);
        self.evidence.handoffs.push(Handoff {
            handoff_key: key,
            parent_run_key: Some(run_key),
            parent_job_key: Some(job_key),
            child_run_key: Some(run_key),
            mechanism: "job_output".to_owned(),
            credential_kind: "none".to_owned(),
            crosses: "none".to_owned(),
            link_method: "unlinked".to_owned(),
            gate: "none".to_owned(),
            sent_at: part.started_at,
            evidence: "log".to_owned(),
            source_key: source,
            ..Handoff::default()
        });
        for (name, was_set) in &part.outputs {
            self.evidence.handoff_inputs.push(HandoffInput {
                handoff_key: key,
                name: name.clone(),
                value_class: if *was_set { "unknown" } else { "masked" }.to_owned(),
                visible: "none".to_owned(),
                source_key: source,
                ..HandoffInput::default()
            });
        }
    }

    fn finish(mut self) -> Evidence {
        self.evidence.runs.extend(self.run);
        self.evidence
    }
}
