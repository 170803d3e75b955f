//! Any bytes are scanned, and what was seen before changes nothing.

#![no_main]

use leakgraph_fuzz::{check_scan, new_scanner, scanner};
use leakgraph_scan::{Scan, Scanner};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

/// A scanner that remembers, and what it exports when it remembers nothing.
fn remembering() -> &'static (Scanner, Vec<u8>) {
    static SCANNER: OnceLock<(Scanner, Vec<u8>)> = OnceLock::new();
    SCANNER.get_or_init(|| {
        let scanner = new_scanner().with_memo_lines(1 << 12);
        let nothing = scanner.export_memo();
        (scanner, nothing)
    })
}

fn shown(scan: &Scan) -> String {
    format!("{:?} {:?}", scan.sightings, scan.gaps)
}

fuzz_target!(|bytes: &[u8]| {
    let (scanner_with, nothing) = remembering();
    assert!(scanner_with.import_memo(nothing));
    let (mut with, mut without) = (scanner_with.worker(), scanner().worker());
    let scan = without.scan(bytes);
    check_scan(bytes, &scan);
    let expected = shown(&scan);
    assert_eq!(shown(&with.scan(bytes)), expected, "the first time");
    assert_eq!(shown(&with.scan(bytes)), expected, "the second time");
    // The same lines in other company.
    let half = bytes.get(bytes.len() / 2..).unwrap_or_default();
    let half = half.iter().position(|byte| *byte == b'\n').and_then(|end| half.get(end + 1..));
    if let Some(half) = half {
        assert_eq!(shown(&with.scan(half)), shown(&without.scan(half)), "the second half");
    }
});
