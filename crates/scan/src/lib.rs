//! Finds leaked secrets in run-log text, and names them without keeping their value.

mod affixes;
mod allow;
mod anomaly;
mod armour;
mod assign;
mod block;
mod check;
mod compiled;
mod cut;
mod decode;
mod depth;
mod engine;
mod fingerprint;
mod gate;
mod gitleaks;
mod grams;
mod implied;
mod join;
mod keywords;
pub mod known;
mod lanes;
mod leads;
mod mask;
mod matcher;
mod memo;
mod near;
mod profile;
mod redact;
mod resolve;
mod rules;
mod runs;
mod seam;
mod search;
mod sighting;
mod steps;
mod stream;
mod tier;
pub mod user_rules;
mod view;
mod wrap;

pub use allow::{Allow, AllowedBy, Suppressed};
pub use anomaly::{MaskAnomaly, MaskAnomalyKind, mask_anomalies};
pub use engine::{Scanner, Worker};
pub use fingerprint::FingerprintKey;
pub use mask::{MaskOutcome, MaskSimulation, MaskSimulations};
pub use profile::{Profile, RuleCost, Stage};
pub use rules::{Rule, RuleSet};
pub use sighting::{Confidence, Gap, Resolved, Scan, Sighting, Verification};

/// Why a scanner could not be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The embedded rules have not the expected shape.
    #[error("embedded rules: {0}")]
    Rules(#[from] serde_json::Error),
    /// A rule's pattern does not compile.
    #[error("pattern of rule {0} does not compile")]
    Pattern(String),
    /// The keyword automaton could not be built.
    #[error("keyword automaton: {0}")]
    Keywords(#[from] aho_corasick::BuildError),
    /// Files of users cannot be used; nothing was scanned.
    #[error("{}", lines(.0))]
    UserRules(Vec<user_rules::Diagnostic>),
    /// Fingerprints under one key never match those under another.
    #[error("the list of allowed fingerprints was made under key {list}, this scanner has key {scanner}")]
    AllowKey {
        /// The key of the list.
        list: String,
        /// The key of the scanner.
        scanner: String,
    },
    /// The fingerprint key could not be read or created.
    #[error("fingerprint key: {0}")]
    Key(#[from] std::io::Error),
}

fn lines(remarks: &[user_rules::Diagnostic]) -> String {
    remarks.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
