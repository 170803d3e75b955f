//! The pipeline that joins the crates: discover → ingest ∥ scan → commit →
//! link → score → audit → commit. It prints nothing; progress leaves through
//! [`Progress`].
//!
//! Architecture invariant: the engine is the only place where evidence and
//! detection meet; `ingest` and `scan` do not know each other.

pub mod audit;
pub mod conclude;
pub mod config;
pub mod detection;
pub mod gather;
pub mod progress;
pub mod requirement;
pub mod resolve;
mod sink;

pub use conclude::{ScoreSummary, score};
pub use config::{Config, ConfigError};
pub use detection::{Detection, ScanConfig};
pub use gather::{IngestSummary, ingest};
pub use progress::{Event, Progress, Quiet};

/// What can stop a whole command; a bad input never does.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lake could not be opened, read or written.
    #[error(transparent)]
    Lake(#[from] leakgraph_lake::Error),
    /// Rules or the fingerprint key could not be loaded.
    #[error(transparent)]
    Scan(#[from] leakgraph_scan::Error),
    /// Scores could not be computed.
    #[error(transparent)]
    Score(#[from] leakgraph_score::Error),
    /// The embedded framework data is inconsistent.
    #[error(transparent)]
    Framework(#[from] leakgraph_model::framework::FrameworkError),
    /// An audit file is malformed or its query failed.
    #[error(transparent)]
    Audit(#[from] audit::AuditError),
    /// A table declaration is inconsistent.
    #[error("cannot form a table: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// A file of known secrets is not of its format.
    #[error("{0}")]
    Known(String),
    /// A file of ours (weights, key) could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}
