//! GitHub Actions: run logs in all layouts, REST answers, webhooks, workflow files.
//!
//! Formats: the runner's sources (`JobExtension.cs`, `Handler.cs`, `ScriptHandler.cs`,
//! `Logging.cs`) and real logs; see `log` for lines and `setup` for the first section.

mod artifacts;
mod audit;
pub(crate) mod contents;
mod definition;
mod deployments;
pub(crate) mod dispatch;
mod gh_cli;
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
pub(crate) mod steps;
mod system;
mod webhook;
mod zizmor;

pub(crate) use definition::DefinitionPath;
pub(crate) use dispatch::{crossing, flatten, input};
pub(crate) use import::import_archive;
pub(crate) use members::{numbered, run_archives};
pub(crate) use run_path::RunPath;

use crate::importer::{Importer, Recognised, TextFile};
use crate::limits::Limits;
use crate::shapes::Shape;
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
            .or_else(|| gh_cli::recognise(value))
            .or_else(|| contents::recognise(value))
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
            "gh_run_json" => gh_cli::import(document, value),
            "contents_json" => contents::import(document, value, sink),
            "zizmor_json" => zizmor::import(document, value),
            "workflow_yaml" | "action_yaml" | "dependabot_yaml" => definition::import(kind, document, value),
            "deployment_json" | "deployment_status_json" | "pending_deployment_json" => {
                deployments::import(kind, document, value, sink)
            }
            "github_audit" => audit::import(document, value, sink),
            _ => webhook::import(kind, document, value, sink),
        }
    }

    fn scans_whole(&self, kind: &str) -> Option<&'static str> {
        match kind {
            // A body of no further use to us may still carry a secret.
            "webhook_other" => Some("webhook"),
            // Addresses of hooks, bodies of requests; pieces of workflow files.
            "github_audit" | "zizmor_json" => Some("json"),
            // Values are written into scripts, variables and registries.
            "workflow_yaml" | "action_yaml" | "dependabot_yaml" => Some("yaml"),
            _ => None,
        }
    }

    fn shapes(&self) -> &'static [Shape] {
        SHAPES
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
        import::import_job_log(file, limits, sink)
    }
}

/// Members of REST objects, webhooks, files and events that tell the kinds apart.
const SHAPES: &[Shape] = &[
    (
        "run_json",
        &[
            "id",
            "name",
            "head_branch",
            "head_sha",
            "run_number",
            "run_attempt",
            "event",
            "status",
            "conclusion",
            "workflow_id",
            "path",
            "actor",
            "triggering_actor",
            "created_at",
            "run_started_at",
            "updated_at",
            "workflow_runs",
        ],
    ),
    (
        "job_json",
        &[
            "id",
            "run_id",
            "run_url",
            "name",
            "status",
            "conclusion",
            "steps",
            "labels",
            "runner_name",
            "runner_group_name",
            "started_at",
            "completed_at",
            "workflow_name",
            "jobs",
        ],
    ),
    ("approval_json", &["state", "comment", "environments", "user"]),
    (
        "deployment_json",
        &["id", "sha", "ref", "task", "environment", "creator", "payload", "statuses_url", "created_at"],
    ),
    (
        "deployment_status_json",
        &["id", "state", "environment", "creator", "deployment_url", "log_url", "target_url", "created_at"],
    ),
    (
        "pending_deployment_json",
        &["environment", "wait_timer", "wait_timer_started_at", "current_user_can_approve", "reviewers"],
    ),
    (
        "webhook",
        &[
            "action",
            "sender",
            "repository",
            "organization",
            "installation",
            "workflow_run",
            "workflow_job",
            "deployment",
            "inputs",
            "client_payload",
            "workflow",
            "ref",
        ],
    ),
    ("workflow_yaml", &["name", "on", "jobs", "permissions", "env", "concurrency", "defaults", "run-name"]),
    ("zizmor_json", &["ident", "desc", "url", "determinations", "locations", "ignored"]),
    ("action_yaml", &["name", "description", "author", "inputs", "outputs", "runs", "branding"]),
    (
        "github_audit",
        &[
            "@timestamp",
            "_document_id",
            "action",
            "actor",
            "actor_id",
            "actor_is_bot",
            "org",
            "repo",
            "business",
            "operation_type",
            "user",
            "user_agent",
            "created_at",
            "workflow_run_id",
        ],
    ),
];
