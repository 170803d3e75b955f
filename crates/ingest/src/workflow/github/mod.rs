//! GitHub Actions: run logs in all layouts, REST answers, webhooks.
//!
//! Formats: the runner's sources (`JobExtension.cs`, `Handler.cs`, `ScriptHandler.cs`,
//! `Logging.cs`) and real logs; see `log` for lines and `setup` for the first section.

mod dispatch;
mod import;
mod job;
pub(crate) mod log;
mod members;
mod rest;
mod run_path;
mod setup;
mod steps;
mod system;
mod webhook;

pub(crate) use import::{import_archive, import_job_log};
pub(crate) use members::{numbered, run_archives};
pub(crate) use run_path::RunPath;

use crate::{Document, TextSink};
use leakgraph_model::Evidence;
use serde_json::Value;

/// The kind of a JSON document of GitHub's, by its shape.
pub(crate) fn recognise(path: &str, value: &Value) -> Option<&'static str> {
    webhook::recognise(value).or_else(|| rest::recognise(path, value))
}

pub(crate) fn import_json(
    kind: &str,
    document: &Document<'_>,
    value: &Value,
    sink: &mut dyn TextSink,
) -> Evidence {
    match kind {
        "run_json" | "job_json" | "approval_json" => rest::import(kind, document, value),
        _ => webhook::import(kind, document, value, sink),
    }
}
