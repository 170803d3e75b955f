//! Workflow platforms, one module each.

pub(crate) mod azure_devops;
pub(crate) mod buildkite;
pub(crate) mod circleci;
pub(crate) mod github;
mod hosted;
pub(crate) mod travis;
