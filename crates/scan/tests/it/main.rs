//! Behaviour of the scanner on secrets built at run time.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod checksum;
mod corpus;
mod disguises;
mod every_rule;
mod hostile;
mod invariants;
mod sample;
mod shapes;

use leakgraph_scan::{FingerprintKey, RuleSet, Scanner};

fn scanner() -> Scanner {
    Scanner::new(RuleSet::builtin().unwrap(), FingerprintKey::from_bytes([7; 32])).unwrap()
}
