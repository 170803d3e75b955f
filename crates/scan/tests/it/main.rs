//! Behaviour of the scanner on secrets built at run time.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod allow;
mod anomaly;
mod checksum;
mod corpus;
mod cuts;
mod disguises;
mod every_rule;
mod gitleaks_format;
mod hostile;
mod invariants;
mod keywords;
mod known;
mod mask;
mod near_miss;
mod sample;
mod seal;
mod shapes;
mod structures;
mod user_rules;
mod vectors;

use leakgraph_scan::{FingerprintKey, RuleSet, Scanner};
use std::sync::LazyLock;

fn key() -> FingerprintKey {
    FingerprintKey::from_bytes([7; 32])
}

/// A scanner of one's own.
fn new_scanner() -> Scanner {
    Scanner::new(RuleSet::builtin().unwrap(), key()).unwrap()
}

/// One scanner for all tests: rules compile once.
fn scanner() -> &'static Scanner {
    static SCANNER: LazyLock<Scanner> = LazyLock::new(|| {
        Scanner::new(RuleSet::builtin().unwrap(), FingerprintKey::from_bytes([7; 32])).unwrap()
    });
    &SCANNER
}
