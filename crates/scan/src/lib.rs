//! Finds leaked secrets in run-log text, and names them without keeping their value.

mod assign;
mod block;
mod check;
mod decode;
mod engine;
mod fingerprint;
mod gate;
mod grams;
mod join;
mod matcher;
mod memo;
mod profile;
mod rules;
mod runs;
mod search;
mod sighting;
mod tier;
mod view;
mod wrap;

pub use engine::{Scanner, Worker};
pub use fingerprint::FingerprintKey;
pub use profile::{Profile, RuleCost, Stage};
pub use rules::{Rule, RuleSet};
pub use sighting::{Confidence, Gap, Resolved, Scan, Sighting, Verification};

/// Why a scanner could not be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule file is not valid TOML of the expected shape.
    #[error("rule file: {0}")]
    Rules(#[from] toml::de::Error),
    /// A rule's pattern does not compile.
    #[error("pattern of rule {0} does not compile")]
    Pattern(String),
    /// The keyword automaton could not be built.
    #[error("keyword automaton: {0}")]
    Keywords(#[from] aho_corasick::BuildError),
    /// The fingerprint key could not be read or created.
    #[error("fingerprint key: {0}")]
    Key(#[from] std::io::Error),
}
