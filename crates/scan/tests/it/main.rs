//! Behaviour of the scanner on secrets built at run time.

mod checksum;
mod corpus;
mod every_rule;
mod invariants;
mod sample;

use leakgraph_scan::{FingerprintKey, RuleSet, Scanner};

fn scanner() -> Scanner {
    Scanner::new(RuleSet::builtin().unwrap(), FingerprintKey::from_bytes([7; 32])).unwrap()
}
