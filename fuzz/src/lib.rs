//! What the fuzz targets share: scanners, made-up secrets, scratch files, and what must
//! hold for any input.

#![forbid(unsafe_code)]

// The scanner's own tests make secrets from the rules; so do the fuzz targets.
#[path = "../../crates/scan/tests/it/sample.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod sample;
#[path = "../../crates/scan/tests/it/seal.rs"]
mod seal;

pub mod rules;
pub mod wrap;

use leakgraph_scan::{FingerprintKey, Rule, RuleSet, Scan, Scanner};
use std::path::PathBuf;
use std::sync::OnceLock;

/// The same key every time: a crash must come back.
pub fn key() -> FingerprintKey {
    FingerprintKey::from_bytes([7; 32])
}

/// A scanner with the embedded rules.
pub fn new_scanner() -> Scanner {
    Scanner::new(RuleSet::builtin().expect("embedded rules"), key()).expect("a scanner")
}

/// One scanner for all inputs, which remembers no line.
pub fn scanner() -> &'static Scanner {
    static SCANNER: OnceLock<Scanner> = OnceLock::new();
    SCANNER.get_or_init(|| new_scanner().with_memo_lines(0))
}

/// A made-up secret and the rule that finds it.
pub struct Secret {
    pub rule: Rule,
    /// Text that the rule matches.
    pub text: Vec<u8>,
    /// The secret in it.
    pub value: Vec<u8>,
}

/// A secret for every rule that has a pattern.
pub fn secrets() -> &'static [Secret] {
    static SECRETS: OnceLock<Vec<Secret>> = OnceLock::new();
    SECRETS.get_or_init(|| {
        let rules = scanner().rules().rules().iter().filter(|rule| !rule.pattern.is_empty());
        let secret = |rule: &Rule| {
            let sample = sample::drawn(rule, 1, false);
            let value = sample.text[sample.secret.clone()].to_vec();
            Secret { rule: rule.clone(), text: sample.text, value }
        };
        rules.map(secret).collect()
    })
}

/// What must hold for the scan of any text.
pub fn check_scan(bytes: &[u8], scan: &Scan) {
    let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count();
    let mut last = 0;
    for seen in &scan.sightings {
        assert!(seen.len > 0 && seen.offset + seen.len <= bytes.len(), "{seen:?} of {}", bytes.len());
        assert!((1..=lines).contains(&seen.line), "{seen:?} of {lines} lines");
        assert!(seen.offset >= last, "sightings are sorted: {:?}", scan.sightings);
        assert_eq!(seen.fingerprint.len(), 32);
        last = seen.offset;
    }
    for gap in &scan.gaps {
        assert!(gap.offset <= bytes.len(), "{gap:?} of {}", bytes.len());
    }
}

/// The first byte, which chooses, and the rest; `None` for no bytes.
pub fn choice(data: &[u8]) -> Option<(usize, &[u8])> {
    data.split_first().map(|(first, rest)| (usize::from(*first), rest))
}

/// A file of this process in memory where the system has such a folder.
pub fn scratch(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let folder = base.join(format!("leakgraph-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a scratch folder");
        folder
    });
    folder.join(name)
}
