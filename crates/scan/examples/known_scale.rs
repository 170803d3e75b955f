//! Measures the search for many known secrets: build time, memory, speed with and without.
//!
//! `cargo run --release -p leakgraph-scan --example known_scale -- 100000 FOLDER`

#![expect(clippy::print_stdout, reason = "a measuring program")]

use leakgraph_scan::known::{Format, Import, KnownSecrets};
use leakgraph_scan::{FingerprintKey, RuleSet, Scanner};
use std::path::Path;
use std::time::Instant;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const PREFIXES: [&str; 4] = ["", "hvs.", "svc-", "Zq/+="];
const MAX_TEXT_BYTES: usize = 256 << 20;

/// Values of 16 to 63 characters, some with a common beginning or special characters.
fn secrets(count: usize) -> String {
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    (0..count).fold(String::new(), |mut out, index| {
        let prefix = PREFIXES[next() % PREFIXES.len()];
        out.push_str(&format!("S{index},{prefix}"));
        let length = 16 + next() % 48;
        out.extend((0..length).map(|_| char::from(LETTERS[next() % 64])));
        out.push('\n');
        out
    })
}

fn texts(folder: &Path, found: &mut Vec<Vec<u8>>, left: &mut usize) {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            texts(&path, found, left);
        } else if *left > 0
            && path.extension().is_some_and(|end| end == "txt" || end == "log")
            && let Ok(bytes) = std::fs::read(&path)
        {
            *left = left.saturating_sub(bytes.len());
            found.push(bytes);
        }
    }
}

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let count = args.next().ok_or("COUNT")?.parse()?;
    let folder = args.next().ok_or("FOLDER")?;
    let (mut files, mut left) = (Vec::new(), MAX_TEXT_BYTES);
    texts(Path::new(&folder), &mut files, &mut left);
    let megabytes = files.iter().map(Vec::len).sum::<usize>() as f64 / 1e6;
    println!("{} files, {megabytes:.1} MB, peak RSS {:.0} MB", files.len(), resident_mb());

    let start = Instant::now();
    let known = KnownSecrets::new([Import::read(Format::Csv, "bench", secrets(count).as_bytes())?]);
    println!(
        "{} secrets, {} spellings, tables {:.1} MB, built in {:.2} s, peak RSS {:.0} MB",
        known.len(),
        known.spellings(),
        known.table_bytes() as f64 / 1e6,
        start.elapsed().as_secs_f64(),
        resident_mb()
    );
    let key = FingerprintKey::from_bytes([7; 32]);
    let report = |what: &str, seen: usize, start: Instant| {
        let seconds = start.elapsed().as_secs_f64();
        println!("{what}: {seconds:.2} s, {:.1} MB/s, {seen} sightings", megabytes / seconds);
    };
    let start = Instant::now();
    let seen = files.iter().map(|file| known.scan(&key, file).sightings.len()).sum();
    report("known only", seen, start);

    let rules = Scanner::new(RuleSet::builtin()?, key)?;
    let mut worker = rules.worker();
    let start = Instant::now();
    let seen = files.iter().map(|file| worker.scan(file).sightings.len()).sum();
    report("rules only", seen, start);
    let rules = Scanner::new(RuleSet::builtin()?, FingerprintKey::from_bytes([7; 32]))?;
    let both = rules.with_known(known);
    let mut worker = both.worker();
    let start = Instant::now();
    let seen = files.iter().map(|file| worker.scan(file).sightings.len()).sum();
    report("rules and known", seen, start);
    Ok(())
}
