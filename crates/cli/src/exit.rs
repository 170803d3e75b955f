//! Exit codes: stable, documented in the README, asserted by tests.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing to report.
    Clean = 0,
    /// leakgraph itself failed.
    Tool = 1,
    /// Wrong arguments, configuration or query.
    Usage = 2,
    /// Findings at or above `--fail-on`.
    Findings = 3,
    /// Some input could not be read.
    Problems = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A mistake of the caller's: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// The exit code of an error.
pub(crate) fn of_error(error: &anyhow::Error) -> Exit {
    let is_usage = error.chain().any(|cause| {
        cause.is::<Usage>()
            || cause.is::<leakgraph_engine::ConfigError>()
            || matches!(cause.downcast_ref(), Some(leakgraph_lake::Error::Query { .. }))
            || matches!(
                cause.downcast_ref(),
                Some(
                    leakgraph_engine::Error::Known(_)
                        | leakgraph_engine::Error::Scan(
                            leakgraph_scan::Error::UserRules(_) | leakgraph_scan::Error::AllowKey { .. }
                        )
                )
            )
    });
    if is_usage { Exit::Usage } else { Exit::Tool }
}
