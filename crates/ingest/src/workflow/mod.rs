//! Workflow platforms, one module each.

pub(crate) mod generic;
pub(crate) mod github;
pub(crate) mod otel;
