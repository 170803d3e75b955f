//! Azure DevOps Pipelines: builds, pipeline runs, timelines, approvals, uses of service
//! connections, definitions, variable groups, job and step logs, downloaded log archives.
//!
//! Formats: Azure DevOps REST API reference 7.1 (Build, Pipelines, Approvals And Checks,
//! Service Endpoint) and microsoft/azure-pipelines-agent (`ExecutionContext.cs`,
//! `JobExtension.cs`), whose logs look like those of GitHub's runner, its descendant.

mod archive;
mod build;
mod checks;
mod location;
pub(crate) mod log;
mod settings;
mod step;
mod timeline;

pub(crate) use archive::{import_archive, is_archive};

use super::values::Import;
use crate::importer::{Importer, Recognised, TextFile};
use crate::limits::Limits;
use crate::{Document, TextSink};
use leakgraph_model::Evidence;
use serde_json::Value;

/// Pipelines of Azure DevOps.
pub(crate) struct AzureDevOps;

const PLATFORM: &str = "azure_devops";

impl Importer for AzureDevOps {
    fn platform(&self) -> &'static str {
        PLATFORM
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        let first = match value {
            Value::Array(pages) => pages.first()?,
            other => other,
        };
        let first = match first.get("value").and_then(Value::as_array) {
            Some(items) => items.first()?,
            None => first,
        };
        let first = hooked(first).unwrap_or(first);
        if build::is_build(first) {
            Some(Recognised::new("run_json", "a build with `definition`, `buildNumber` and `queueTime`"))
        } else if build::is_pipeline_run(first) {
            Some(Recognised::new("pipeline_run_json", "a run of a `pipeline` below `_apis/pipelines`"))
        } else if timeline::is_timeline(first) {
            Some(Recognised::new("timeline_json", "`records` of stages, phases, jobs and tasks"))
        } else if checks::is_approval(first) {
            Some(Recognised::new(
                "approval_json",
                "`steps` with `assignedApprover`, and `minRequiredApprovers`",
            ))
        } else if checks::is_endpoint_use(first) {
            Some(Recognised::new("connection_use_json", "`endpointId`, and the `planType` that used it"))
        } else if checks::is_endpoint(first) {
            Some(Recognised::new("connection_json", "`authorization` with a `scheme`, and `isReady`"))
        } else if settings::is_definition(first) {
            Some(Recognised::new("definition_json", "`process` and `jobAuthorizationScope` of a definition"))
        } else if settings::is_variable_group(first) {
            Some(Recognised::new(
                "variable_group_json",
                "`variables` of a group of type Vsts or AzureKeyVault",
            ))
        } else {
            None
        }
    }

    fn import_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        let mut import = Import::new(document, sink);
        for value in super::values::items(value, "value") {
            let value = hooked(value).unwrap_or(value);
            let kept = match kind {
                "run_json" => build::build(&mut import, value),
                "pipeline_run_json" => build::pipeline_run(&mut import, value),
                "timeline_json" => timeline::timeline(&mut import, value),
                "approval_json" => checks::approval(&mut import, value),
                "connection_use_json" => checks::endpoint_use(&mut import, value),
                "definition_json" => settings::definition(&mut import, value),
                "variable_group_json" => settings::variable_group(&mut import, value),
                _ => checks::endpoint(&mut import, value),
            };
            if kept.is_none() {
                import.nameless(value);
            }
        }
        import.finish("objects do not say, nor does their path, which organisation and build they are of")
    }

    fn recognise_text(&self, file: TextFile<'_>) -> Option<Recognised> {
        log::is_log(file.bytes)
            .then(|| Recognised::new("job_log", "sections of tasks that an agent of Azure Pipelines writes"))
    }

    fn import_text(
        &self,
        _kind: &'static str,
        file: TextFile<'_>,
        limits: &Limits,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        archive::import_log(file, limits, sink)
    }
}

/// The build in the body of a service hook (`build.complete`, "Service hooks events").
fn hooked(value: &Value) -> Option<&Value> {
    let is_build =
        value.get("eventType")?.as_str()?.starts_with("build.") && value.get("publisherId").is_some();
    value.get("resource").filter(|_| is_build)
}
