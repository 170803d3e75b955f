//! What lines made to hurt cost: for every rule, lines of nothing but beginnings of its
//! secrets that end nowhere. Prints the slowest.
//!
//! `hostile_lines [KILOBYTES]`

#![expect(clippy::print_stdout, reason = "a measuring tool prints")]

#[expect(dead_code, clippy::unwrap_used, reason = "made for tests")]
#[path = "../tests/it/sample.rs"]
mod sample;
#[expect(clippy::unwrap_used, reason = "made for tests")]
#[path = "../tests/it/seal.rs"]
mod seal;

use leakgraph_scan::{FingerprintKey, Rule, RuleSet, Scanner};
use std::time::Instant;

const WIDTHS: [usize; 3] = [76, 4000, 100_000];
const SHOWN: usize = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kilobytes: usize = std::env::args().nth(1).map_or(Ok(100), |words| words.parse())?;
    let scanner = Scanner::new(RuleSet::builtin()?, FingerprintKey::from_bytes([7; 32]))?;
    let mut worker = scanner.worker();
    let mut all = Vec::new();
    for rule in scanner.rules().rules().iter().filter(|rule| !rule.keywords.is_empty()) {
        for (number, unit) in beginnings(rule).into_iter().enumerate() {
            for width in WIDTHS {
                let mut line: Vec<u8> = unit.iter().copied().cycle().take(width).collect();
                line.push(b'\n');
                let text = line.repeat((kilobytes << 10).div_ceil(line.len()));
                let started = Instant::now();
                worker.scan(&text);
                let seconds = started.elapsed().as_secs_f64() / (text.len() as f64 / 1e6);
                all.push((seconds, &rule.id, number, width));
            }
        }
    }
    all.sort_by(|one, other| other.0.total_cmp(&one.0));
    for (seconds, rule, number, width) in all.iter().take(SHOWN) {
        println!("{seconds:6.2} s/MB  {rule}, beginning {number}, lines of {width}");
    }
    Ok(())
}

/// Keywords, and made-up secrets without their ends, with something behind each.
fn beginnings(rule: &Rule) -> Vec<Vec<u8>> {
    let value = sample::sample(rule, 3);
    let line: Vec<u8> = value.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }).collect();
    let parts = [1, 2, 4, 10, line.len() / 2].map(|cut| line[..line.len().saturating_sub(cut)].to_vec());
    let keywords = rule.keywords.iter().take(2).map(|keyword| keyword.clone().into_bytes());
    let with = |part: Vec<u8>, sign: u8| part.into_iter().chain([sign]).collect();
    keywords.chain(parts).flat_map(|part| [with(part.clone(), b'-'), with(part, b' ')]).collect()
}
