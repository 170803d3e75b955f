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

pub(crate) use dispatch::{flatten, input};
pub(crate) use import::import_archive;
pub(crate) use members::{numbered, run_archives};
pub(crate) use run_path::RunPath;

use crate::importer::{Importer, Recognised, TextFile};
use crate::limits::Limits;
use crate::{Document, TextSink};
use leakgraph_model::Evidence;
use serde_json::Value;

/// Workflows of GitHub Actions.
pub(crate) struct GitHub;

impl Importer for GitHub {
    fn platform(&self) -> &'static str {
        "github"
    }

    fn recognise_value(&self, path: &str, value: &Value) -> Option<Recognised> {
        webhook::recognise(value).or_else(|| rest::recognise(path, value))
    }

    fn import_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        match kind {
            "run_json" | "job_json" | "approval_json" => rest::import(kind, document, value),
            _ => webhook::import(kind, document, value, sink),
        }
    }

    fn scans_whole(&self, kind: &str) -> Option<&'static str> {
        // A body of no further use to us may still carry a secret.
        (kind == "webhook_other").then_some("webhook")
    }

    fn recognise_text(&self, file: TextFile<'_>) -> Option<Recognised> {
        log::is_job_log(file.bytes)
            .then(|| Recognised::new("job_log", "lines that only a runner of GitHub Actions writes"))
    }

    fn import_text(
        &self,
        _kind: &'static str,
        file: TextFile<'_>,
        limits: &Limits,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        import::import_job_log(file.path, file.bytes, limits, sink)
    }
}
