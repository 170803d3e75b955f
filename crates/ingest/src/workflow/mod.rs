//! Workflow platforms, one module each.

pub(crate) mod github;
