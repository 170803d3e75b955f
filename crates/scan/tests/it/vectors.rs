//! What cannot be seen in results: whether the compiler kept the vectors in line.

#![expect(clippy::disallowed_methods, reason = "lists its own symbols")]

use std::process::Command;

/// A loop whose vectors are called one by one gives the same bits, and takes five times as
/// long: it happened for AVX2, unnoticed on a machine with AVX-512.
#[test]
fn no_vector_is_left_out_of_line() {
    let Ok(symbols) = Command::new("nm").arg("--demangle").arg(std::env::current_exe().unwrap()).output()
    else {
        eprintln!("SKIPPED: there is no `nm` to list the symbols of this test with");
        return;
    };
    let symbols = String::from_utf8_lossy(&symbols.stdout);
    assert!(symbols.contains("leakgraph_scan::"), "symbols are not listed");
    let is_vector = |line: &&str| {
        ["_mm256_cmpeq_epi8", "_mm256_srli_epi16", "_mm512_shuffle_epi8", "_mm512_test_epi8_mask"]
            .iter()
            .any(|name| line.ends_with(name))
    };
    let found: Vec<&str> = symbols.lines().filter(is_vector).collect();
    assert!(found.is_empty(), "{found:?}");
}
