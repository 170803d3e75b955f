//! Workflow platforms, one module each.

pub(crate) mod github;
pub(crate) mod gitlab;
mod inputs;
pub(crate) mod jenkins;
