//! Logs of tasks.
//!
//! 2.x: `[2023-11-21T00:00:36.123+0000] {taskinstance.py:1308} INFO - …`, with two braces on
//! Amazon MWAA, and `[2023-11-21, 00:00:36 UTC]` as the UI shows it. 3.x: one JSON object per
//! line, with `timestamp`, `level`, `event` and, since 3.1, `dag_id`, `run_id`, `task_id`.

use super::{LogPath, job_of, run_of, step_of, triggered};
use crate::importer::{Recognised, TextFile};
use crate::value::text;
use crate::workflow::rows::gap;
use crate::workflow::values::{Owner, Spot, Values};
use crate::{Document, Mark, TextContext, TextSink};
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use leakgraph_model::tables::{Job, Run, SecretPassed, Step};
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::Value;
use std::sync::LazyLock;

/// Bytes that tell what a text is.
const HEAD_BYTES: usize = 64 * 1024;
/// Files of Airflow that write to the log of a task.
const WRITERS: [&str; 6] = [
    "taskinstance.py",
    "standard_task_runner.py",
    "task_command.py",
    "local_task_job.py",
    "local_task_job_runner.py",
    "logging_mixin.py",
];
const CONNECTION: &str = "Using connection ID '";
/// Beyond this many marks, lines share the last time.
const MAX_MARKS: usize = 20_000;

/// All that is looked for in a line.
static TOLD: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let words = [
        CONNECTION,
        "AIRFLOW_CTX_",
        "Marking task as ",
        "<TaskInstance: ",
        "Starting attempt ",
        "Triggering Dag Run.",
        "Dag Run triggered successfully.",
        "Waiting for dag run to complete",
        "Task failed with exception",
    ];
    AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(words).expect("constant words")
});

pub(super) fn recognise(file: TextFile<'_>) -> Option<Recognised> {
    let head = file.bytes.get(..file.bytes.len().min(HEAD_BYTES)).unwrap_or_default();
    let has = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
    if !has(b"] {") && !has(b"\"event\"") {
        return None;
    }
    let is_whole = head.len() == file.bytes.len();
    let head = String::from_utf8_lossy(head);
    let mut lines: Vec<&str> = head.lines().filter(|line| !line.trim().is_empty()).collect();
    if !is_whole {
        lines.pop();
    }
    let known = Recognised::new("task_log", "lines that only tasks of Airflow log");
    let is_in_place = LogPath::of(file.path).is_some();
    let is_text = lines.iter().any(|line| {
        writer(line).is_some_and(|writer| is_in_place || WRITERS.contains(&writer) && lines.len() > 1)
    });
    if is_text {
        return Some(known);
    }
    let (mut events, mut is_ours) = (0, is_in_place);
    for (ordinal, line) in lines.iter().enumerate().take(50) {
        match serde_json::from_str::<Value>(line) {
            Ok(value) if is_event(&value) => {
                events += 1;
                is_ours |= is_airflow(&value);
            }
            Ok(_) => return None,
            // The log of a running task may end within a line; what a task prints past its
            // logger is plain text.
            Err(_) if ordinal + 1 == lines.len() || !line.starts_with('{') => {}
            Err(_) => return None,
        }
    }
    (is_ours && events > 0).then_some(known)
}

/// An answer of `GET …/logs/{try}`: `content` is a list of events in version 2, and in version
/// 1 a text, which is Python's form of a list of (host, log).
pub(super) fn recognise_answer(path: &str, value: &Value) -> Option<Recognised> {
    value.get("continuation_token")?;
    let is_ours = match value.get("content")? {
        Value::Array(events) => {
            !events.is_empty()
                && events.iter().all(is_event)
                && (LogPath::of(path).is_some() || events.iter().any(is_airflow))
        }
        Value::String(text) => {
            plain(text).lines().any(|line| writer(line).is_some_and(|writer| WRITERS.contains(&writer)))
        }
        _ => false,
    };
    is_ours.then(|| Recognised::new("task_log", "`content` and `continuation_token` of the log of a task"))
}

fn is_event(value: &Value) -> bool {
    value.get("event").is_some_and(Value::is_string)
}

fn is_airflow(value: &Value) -> bool {
    let logger = text(value, "/logger").unwrap_or_default();
    let named = ["/dag_id", "/run_id", "/task_id"].iter().all(|pointer| text(value, pointer).is_some());
    logger.starts_with("airflow.")
        || named
        || text(value, "/event").is_some_and(|event| LogPath::of(&event).is_some())
}

/// Version 1's text with its line ends.
fn plain(text: &str) -> String {
    text.replace("\\n", "\n")
}

/// The file that logged a line: `[time] {FILE:LINE} LEVEL - `.
fn writer(line: &str) -> Option<&str> {
    let (stamp, rest) = line.strip_prefix('[')?.split_once("] {")?;
    let (place, rest) = rest.trim_start_matches('{').split_once('}')?;
    let (file, number) = place.rsplit_once(':')?;
    let is_stamp = stamp.len() >= 19 && stamp.as_bytes().iter().take(4).all(u8::is_ascii_digit);
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_stamp && is_number && rest.trim_start_matches('}').contains(" - ")).then_some(file)
}

/// The time of a line. Without a zone it is unknown.
fn stamp(line: &[u8]) -> Option<Timestamp> {
    let (start, end): (&[u8], u8) =
        if line.starts_with(b"{") { (b"{\"timestamp\":", b'"') } else { (b"[", b']') };
    let rest = line.strip_prefix(start)?.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    let rest = rest.get(..rest.len().min(48))?;
    let stamp = std::str::from_utf8(rest.get(..memchr::memchr(end, rest)?)?).ok()?;
    if end == b'"' {
        return Timestamp::parse(stamp);
    }
    if let Some((date, time)) = stamp.strip_suffix(" UTC").and_then(|stamp| stamp.split_once(", ")) {
        return Timestamp::parse(&format!("{date}T{time}Z"));
    }
    let (before, zone) = stamp.split_at_checked(stamp.len().checked_sub(5)?)?;
    let (hours, minutes) = zone.split_at_checked(3)?;
    let is_zone = hours.starts_with(['+', '-']) && minutes.bytes().all(|byte| byte.is_ascii_digit());
    is_zone.then(|| Timestamp::parse(&format!("{before}{hours}:{minutes}"))).flatten()
}

/// What the lines of a log say of their task.
#[derive(Default)]
struct Told {
    path: LogPath,
    connections: Vec<String>,
    conclusion: Option<&'static str>,
    child_dag: Option<String>,
    child_run: Option<String>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Told {
    fn of(path: &str) -> Self {
        Self { path: LogPath::of(path).unwrap_or_default(), ..Self::default() }
    }

    fn at(&mut self, at: Option<Timestamp>) {
        self.first = self.first.or(at);
        self.last = at.or(self.last);
    }

    /// A line of 2.x, or the event of one of 3.x.
    fn line(&mut self, line: &str) {
        if line.contains("AIRFLOW_CTX_") {
            for (name, slot) in [
                ("AIRFLOW_CTX_DAG_ID=", &mut self.path.dag),
                ("AIRFLOW_CTX_TASK_ID=", &mut self.path.task),
                ("AIRFLOW_CTX_DAG_RUN_ID=", &mut self.path.run),
            ] {
                *slot = slot.take().or_else(|| variable(line, name));
            }
            let attempt = || variable(line, "AIRFLOW_CTX_TRY_NUMBER=")?.parse().ok();
            self.path.attempt = self.path.attempt.or_else(attempt);
        } else if let Some((_, rest)) = line.split_once("Marking task as ") {
            self.conclusion = match rest.split(['.', ' ']).next() {
                Some("SUCCESS") => Some("success"),
                Some("FAILED" | "UP_FOR_RETRY") => Some("failure"),
                Some("SKIPPED") => Some("skipped"),
                _ => self.conclusion,
            };
            let member = |name: &str| {
                rest.split(", ")
                    .find_map(|part| part.rsplit(' ').next()?.strip_prefix(name).map(str::to_owned))
            };
            self.path.dag = self.path.dag.take().or_else(|| member("dag_id="));
            self.path.task = self.path.task.take().or_else(|| member("task_id="));
            self.path.run = self.path.run.take().or_else(|| member("run_id="));
        } else if let Some((_, rest)) = line.split_once("<TaskInstance: ") {
            self.instance(rest);
        } else if let Some((_, rest)) = line.split_once("Starting attempt ") {
            let attempt = || rest.split(' ').next()?.parse().ok();
            self.path.attempt = self.path.attempt.or_else(attempt);
        } else if let Some((_, rest)) = line.split_once(CONNECTION) {
            let name = rest.split('\'').next().unwrap_or(rest);
            if !self.connections.iter().any(|known| known == name) {
                self.connections.push(name.to_owned());
            }
        }
    }

    /// `DAG.TASK RUN [state]>`. A name may hold dots; then the first one is taken.
    fn instance(&mut self, rest: &str) {
        let Some((names, _)) = rest.split_once('>') else { return };
        let mut words = names.split(' ');
        let (Some(task), Some(run)) = (words.next(), words.next()) else { return };
        let Some((dag, task)) = task.split_once('.') else { return };
        // Before 2.2 the time of the run stood here, which is not its id.
        if self.path.dag.is_none() && self.path.task.is_none() && run.contains("__") {
            self.path.dag = Some(dag.to_owned());
            self.path.task = Some(task.to_owned());
            self.path.run = self.path.run.take().or_else(|| Some(run.to_owned()));
        }
    }

    /// A line of 3.x.
    fn event(&mut self, value: &Value) {
        let event = text(value, "/event").unwrap_or_default();
        self.at(text(value, "/timestamp").and_then(|at| Timestamp::parse(&at)));
        match event.as_str() {
            "Triggering Dag Run." | "Dag Run triggered successfully." => {
                self.child_dag = text(value, "/trigger_dag_id").or_else(|| self.child_dag.take());
                return;
            }
            // Says the DAG and run of the child, not of the task.
            "Waiting for dag run to complete execution in allowed state." => {
                self.child_dag = text(value, "/dag_id").or_else(|| self.child_dag.take());
                self.child_run = text(value, "/run_id");
                return;
            }
            "Task failed with exception" => self.conclusion = Some("failure"),
            _ => {}
        }
        let named = (text(value, "/dag_id"), text(value, "/run_id"), text(value, "/task_id"));
        if let (None, (Some(dag), Some(run), Some(task))) = (&self.path.run, named) {
            self.path = LogPath {
                dag: Some(dag),
                run: Some(run),
                task: Some(task),
                map_index: value.get("map_index").and_then(Value::as_i64),
                attempt: self.path.attempt.or_else(|| value.get("try_number").and_then(Value::as_i64)),
            };
        } else if self.path.run.is_none()
            && let Some(path) = LogPath::of(&event)
        {
            self.path = path;
        }
        self.line(&event);
    }
}

/// `'value'` or `value` behind a name.
fn variable(line: &str, name: &str) -> Option<String> {
    let (_, rest) = line.split_once(name)?;
    let value = match rest.strip_prefix('\'') {
        Some(quoted) => quoted.split('\'').next(),
        None => rest.split_whitespace().next(),
    };
    value.filter(|value| !value.is_empty()).map(str::to_owned)
}

/// Rows of the task a log is of; the run and the step its lines belong to.
fn rows(told: &Told, path: &str, source_key: Key, evidence: &mut Evidence) -> (Owner, Key) {
    let LogPath { dag, run: run_id, task, map_index, attempt } = &told.path;
    let run = match (dag, run_id) {
        (Some(dag), Some(run_id)) => run_of(dag, run_id),
        _ => Key::of("run", &["source", &source_key.to_string()]),
    };
    let is_identified = dag.is_some() && run_id.is_some();
    let name = task.clone().unwrap_or_else(|| {
        let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
        file.split_once('.').map_or(file, |(stem, _)| stem).to_owned()
    });
    let job = job_of(run, &name, *map_index);
    let attempt = attempt.unwrap_or(1);
    let step = step_of(job, attempt);
    evidence.runs.push(Run {
        run_key: run,
        platform: "airflow".to_owned(),
        platform_run_id: run_id.clone(),
        attempt: Some(1),
        workflow_name: dag.clone(),
        evidence: "log".to_owned(),
        source_key,
        ..Run::default()
    });
    evidence.jobs.push(Job {
        job_key: job,
        run_key: run,
        name,
        conclusion: told.conclusion.map(str::to_owned),
        started_at: told.first,
        ended_at: told.last.filter(|_| told.conclusion.is_some()),
        has_log: true,
        evidence: "log".to_owned(),
        source_key,
        ..Job::default()
    });
    evidence.steps.push(Step {
        step_key: step,
        job_key: job,
        number: Some(attempt),
        ordinal: attempt.saturating_sub(1).max(0),
        name: format!("attempt {attempt}"),
        kind: "run".to_owned(),
        conclusion: told.conclusion.map(str::to_owned),
        started_at: told.first,
        ended_at: told.last,
        attribution: "file".to_owned(),
        source_key,
        ..Step::default()
    });
    for connection in &told.connections {
        evidence.secrets_passed.push(SecretPassed {
            job_key: Some(job),
            run_key: run,
            name: format!("connection/{connection}"),
            secret_scope: "unknown".to_owned(),
            how: "binding".to_owned(),
            source_key,
        });
    }
    if let Some(child) = &told.child_dag {
        let mut handoff = triggered(run, job, source_key);
        handoff.child_workflow = Some(child.clone());
        if let Some(id) = &told.child_run {
            handoff.child_run_key = Some(run_of(child, id));
            "explicit_id".clone_into(&mut handoff.link_method);
            handoff.confidence = 1.0;
        }
        handoff.sent_at = told.first;
        "log".clone_into(&mut handoff.evidence);
        evidence.handoffs.push(handoff);
    }
    if !is_identified {
        evidence.evidence_gaps.push(gap(run, "runs", "handoff_identity", "no_run_id", "lower_bound_only"));
    }
    (Owner::run(run).job(job), step)
}

/// The log file of one attempt; every line goes to `sink` once.
pub(super) fn import(path: &str, bytes: &[u8], source_key: Key, sink: &mut dyn TextSink) -> Evidence {
    let mut told = Told::of(path);
    let mut times: Vec<(usize, Timestamp)> = Vec::new();
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]) {
        let offset = std::mem::replace(&mut start, end + 1);
        let line = bytes.get(offset..end).unwrap_or_default();
        let at = stamp(line);
        told.at(at);
        // Lines of the same time share a mark.
        if let Some(at) =
            at.filter(|at| times.last().is_none_or(|(_, last)| last != at) && times.len() < MAX_MARKS)
        {
            times.push((offset, at));
        }
        // Nearly every line is output, and nearly none says any of this.
        let may_name = told.path.run.is_none() && memchr::memmem::find(line, b"dag_id").is_some();
        if may_name || TOLD.is_match(line) {
            let line = String::from_utf8_lossy(line);
            let event = line.starts_with('{').then(|| serde_json::from_str(&line).ok()).flatten();
            match event {
                Some(event) => told.event(&event),
                None => told.line(&line),
            }
        }
    }
    let mut evidence = Evidence::default();
    let (owner, step) = rows(&told, path, source_key, &mut evidence);
    let mark = |offset: usize, at: Option<Timestamp>| Mark {
        offset,
        step_key: Some(step),
        place: "log",
        name: None,
        at,
    };
    let head = times.first().is_none_or(|(offset, _)| *offset > 0).then(|| mark(0, None));
    let context = TextContext {
        run_key: owner.run,
        job_key: owner.job,
        marks: head.into_iter().chain(times.into_iter().map(|(offset, at)| mark(offset, Some(at)))).collect(),
        ..TextContext::of(path, source_key, "log")
    };
    sink.text(&context, bytes);
    evidence
}

/// An answer of the API that holds a log.
pub(super) fn import_answer(document: &Document<'_>, value: &Value, sink: &mut dyn TextSink) -> Evidence {
    let mut told = Told::of(document.path);
    let mut evidence = Evidence::default();
    let events = match value.get("content") {
        Some(Value::Array(events)) => events.as_slice(),
        Some(Value::String(content)) => {
            // Python escapes the line ends; the text is scanned as it was logged.
            return import(document.path, plain(content).as_bytes(), document.source_key, sink);
        }
        _ => &[],
    };
    for event in events {
        told.event(event);
    }
    let (owner, step) = rows(&told, document.path, document.source_key, &mut evidence);
    let mut values = Values::new(document, sink);
    for event in events {
        if let Some(line) = event.get("event") {
            values.value(owner, Spot::step("log", step), "event", line);
        }
        values.rest(owner, "", event);
        values.take(event);
    }
    values.rest(owner, "", value);
    evidence.problems.extend(values.finish());
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_their_writer_and_time() {
        let line = "[2026-04-08T11:54:36.883+0200] {python.py:201} INFO - Done.";
        assert_eq!(
            (writer(line), stamp(line.as_bytes())),
            (Some("python.py"), Timestamp::parse("2026-04-08T09:54:36.883Z"))
        );
        let line = "[2023-10-12, 11:05:30 UTC] {{pod_manager.py:228}} INFO - SLF4J";
        assert_eq!(
            (writer(line), stamp(line.as_bytes())),
            (Some("pod_manager.py"), Timestamp::parse("2023-10-12T11:05:30Z"))
        );
        let line = "[2021-07-03 11:49:16,755] {python.py:151} INFO - Done";
        assert_eq!((writer(line), stamp(line.as_bytes())), (Some("python.py"), None));
        let line = "{\"timestamp\":\"2026-10-01T10:00:01.9Z\",\"event\":\"x\"}";
        assert_eq!(stamp(line.as_bytes()), Timestamp::parse("2026-10-01T10:00:01.9Z"));
        for other in
            ["[x] {a:1} - ", "2026-04-08 {python.py:201} INFO - x", "[2026-04-08T11:54:36Z] INFO - x", "[é"]
        {
            assert_eq!(writer(other), None, "{other}");
        }
    }

    #[test]
    fn tasks_are_named_in_several_ways() {
        let mut told = Told::default();
        told.line("INFO - Dependencies all met for ti=<TaskInstance: etl.load manual__2026-10-01T00:00:00+00:00 [queued]>");
        assert_eq!(told.path.task.as_deref(), Some("load"));
        let mut told = Told::default();
        told.line("Exporting env vars: AIRFLOW_CTX_DAG_ID='a.b' AIRFLOW_CTX_TASK_ID='c.d' AIRFLOW_CTX_TRY_NUMBER='2' AIRFLOW_CTX_DAG_RUN_ID='r'");
        assert_eq!(told.path.to_string(), "airflow/a.b/r/c.d//2");
        let mut told = Told::default();
        told.line("Marking task as SUCCESS. dag_id=a, task_id=t, run_id=manual__1, execution_date=2026");
        assert_eq!(
            (told.path.to_string().as_str(), told.conclusion),
            ("airflow/a/manual__1/t//", Some("success"))
        );
    }
}
