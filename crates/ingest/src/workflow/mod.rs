//! Workflow platforms, one module each.

mod airflow;
mod argo;
pub(crate) mod azure_devops;
pub(crate) mod buildkite;
pub(crate) mod circleci;
pub(crate) mod github;
mod kubernetes;
mod n8n;
mod parts;
mod pod_log;
mod rows;
mod step_functions;
mod tekton;
mod temporal;
pub(crate) mod travis;
mod values;

pub(crate) use airflow::{Airflow, LogPath};
pub(crate) use argo::Argo;
pub(crate) use n8n::N8n;
pub(crate) use pod_log::PodLogs;
pub(crate) use step_functions::StepFunctions;
pub(crate) use tekton::Tekton;
pub(crate) use temporal::Temporal;
pub(crate) mod generic;
pub(crate) mod gitlab;
pub(crate) mod jenkins;
pub(crate) mod otel;
