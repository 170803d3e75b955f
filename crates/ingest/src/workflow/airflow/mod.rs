//! Airflow: DAG runs, task instances, XComs and logs of the REST API (v1 and v2), and the log
//! files of tasks (2.x text, 3.x JSON Lines).
//!
//! Formats: Apache Airflow REST API reference; `TriggerDagRunOperator` (XCom `trigger_run_id`);
//! "Logging for Tasks" (where logs lie); `task_runner.py` and `structlog.py` of 3.x.

mod log;
mod log_path;
mod rest;

pub(crate) use log_path::LogPath;

use super::rows::sent;
use crate::importer::{Importer, Recognised, TextFile};
use crate::limits::Limits;
use crate::reader::source_file;
use crate::{Document, TextSink};
use leakgraph_model::tables::{Handoff, job_key, run_key};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;

/// DAG runs of Airflow.
pub(crate) struct Airflow;

impl Importer for Airflow {
    fn platform(&self) -> &'static str {
        "airflow"
    }

    fn recognise_value(&self, path: &str, value: &Value) -> Option<Recognised> {
        log::recognise_answer(path, value).or_else(|| rest::recognise(value))
    }

    fn import_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        match kind {
            "task_log" => log::import_answer(document, value, sink),
            _ => rest::import(kind, document, value, sink),
        }
    }

    fn recognise_text(&self, file: TextFile<'_>) -> Option<Recognised> {
        log::recognise(file)
    }

    fn takes_json(&self, kind: &str) -> bool {
        kind == "task_log"
    }

    fn import_text(
        &self,
        kind: &'static str,
        file: TextFile<'_>,
        _limits: &Limits,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        let content = file.content();
        let mut evidence = log::import(file.path, file.bytes, content.key, sink);
        let rows = evidence.rows();
        evidence.source_files.push(source_file(file.path, &content, self.platform(), kind, rows));
        evidence
    }
}

/// A DAG run. Run ids are unique per DAG only.
fn run_of(dag: &str, run_id: &str) -> Key {
    run_key("airflow", dag, run_id, 1)
}

/// A task instance: all its attempts.
fn job_of(run: Key, task: &str, map_index: Option<i64>) -> Key {
    match map_index {
        Some(index) if index >= 0 => job_key(run, &format!("{task}[{index}]")),
        _ => job_key(run, task),
    }
}

fn step_of(job: Key, attempt: i64) -> Key {
    Key::of("step", &[&job.to_string(), "attempt", &attempt.to_string()])
}

/// The run that a task triggered: its operator, its XCom and its log speak of the same handoff.
fn triggered(run: Key, job: Key, source_key: Key) -> Handoff {
    Handoff {
        handoff_key: Key::of("handoff", &[&job.to_string(), "child_run"]),
        parent_run_key: Some(run),
        parent_job_key: Some(job),
        ..sent("child_run", source_key)
    }
}
