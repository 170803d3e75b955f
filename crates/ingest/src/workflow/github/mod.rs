//! GitHub Actions: run logs in all layouts, REST answers, webhooks, workflow files.
//!
//! Formats: the runner's sources (`JobExtension.cs`, `Handler.cs`, `ScriptHandler.cs`,
//! `Logging.cs`) and real logs; see `log` for lines and `setup` for the first section.

mod artifacts;
mod audit;
mod definition;
mod dispatch;
mod identities;
mod import;
mod job;
pub(crate) mod log;
mod members;
mod rest;
mod run_path;
mod sent;
mod setup;
mod shell;
mod steps;
mod system;
mod webhook;

pub(crate) use definition::DefinitionPath;
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
        webhook::recognise(value)
            .or_else(|| definition::recognise(value))
            .or_else(|| audit::recognise(value))
            .or_else(|| rest::recognise(path, value))
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
            "workflow_yaml" | "action_yaml" | "dependabot_yaml" => definition::import(kind, document, value),
            "github_audit" => audit::import(document, value, sink),
            _ => webhook::import(kind, document, value, sink),
        }
    }

    fn scans_whole(&self, kind: &str) -> Option<&'static str> {
        match kind {
            // A body of no further use to us may still carry a secret.
            "webhook_other" => Some("webhook"),
            // Addresses of hooks and bodies of requests.
            "github_audit" => Some("json"),
            // Values are written into scripts, variables and registries.
            "workflow_yaml" | "action_yaml" | "dependabot_yaml" => Some("yaml"),
            _ => None,
        }
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
