//! Behaviour of the scanner on secrets built at run time.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod allow;
mod checksum;
mod corpus;
mod every_rule;
mod gitleaks_format;
mod invariants;
mod known;
mod sample;
mod user_rules;

use leakgraph_scan::{FingerprintKey, RuleSet, Scanner};

fn key() -> FingerprintKey {
    FingerprintKey::from_bytes([7; 32])
}

fn scanner() -> Scanner {
    Scanner::new(RuleSet::builtin().unwrap(), key()).unwrap()
}
