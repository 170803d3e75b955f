//! Measures the search for many known secrets: build time, memory, speed with and without.
//!
//! `cargo run --release -p leakgraph-scan --example known_scale -- 100000 FOLDER`

#![expect(clippy::print_stdout, reason = "a measuring program")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leakgraph_scan::known::{Format, Import, KnownSecrets};
use leakgraph_scan::{FingerprintKey, RuleSet, Scanner};
use std::path::Path;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const PREFIXES: [&str; 4] = ["", "hvs.", "svc-", "Zq/+="];
const MAX_TEXT_BYTES: usize = 256 << 20;
const MIN_MEASURED_BYTES: usize = 200_000_000;

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

/// Time on a processor: other programs do not count (Linux, `schedstat`).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or_default() / 1e9
}

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

/// A synthetic text of one kind of letters, as a log full of encoded data.
fn encoded(letters: &[u8], bytes: usize) -> Vec<u8> {
    let mut state = 0x9abc_def1_1234_5678_u64;
    (0..bytes)
        .map(|at| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            match letters.first() {
                _ if at % 120 == 0 => b'\n',
                Some(b'%') if at % 3 == 0 => b'%',
                _ => letters[state as usize % letters.len()],
            }
        })
        .collect()
}

/// Every hundredth secret in clear, as hex and inside of base 64, and how many that are.
fn planted(csv: &str) -> (Vec<u8>, usize) {
    let mut text = String::new();
    let mut count = 0;
    for value in csv.lines().step_by(100).filter_map(|line| line.split_once(',')).map(|(_, value)| value) {
        let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        let encoded = STANDARD.encode(format!("user{}:{value};", "x".repeat(count % 3)));
        text.push_str(&format!("{value}\n{hex}\n{encoded}\n"));
        count += 3;
    }
    (text.into_bytes(), count)
}

fn report(what: &str, files: &[Vec<u8>], mut scan: impl FnMut(&[u8]) -> usize) {
    let start = cpu_seconds();
    let (mut bytes, mut seen) = (0, 0);
    // Small folders are read several times.
    while bytes < MIN_MEASURED_BYTES && !files.is_empty() {
        seen = files.iter().map(|file| scan(file)).sum();
        bytes += files.iter().map(Vec::len).sum::<usize>();
    }
    let seconds = cpu_seconds() - start;
    println!("{what}: {:.1} MB per CPU second, {seen} sightings", bytes as f64 / 1e6 / seconds);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let count = args.next().ok_or("COUNT")?.parse()?;
    let folder = args.next().ok_or("FOLDER")?;
    let (mut files, mut left) = (Vec::new(), MAX_TEXT_BYTES);
    texts(Path::new(&folder), &mut files, &mut left);
    let megabytes = files.iter().map(Vec::len).sum::<usize>() as f64 / 1e6;
    println!("{} files, {megabytes:.1} MB, peak RSS {:.0} MB", files.len(), resident_mb());

    let start = cpu_seconds();
    let known = KnownSecrets::new([Import::read(Format::Csv, "bench", secrets(count).as_bytes())?]);
    println!(
        "{} secrets, {} spellings, tables {:.1} MB, built in {:.2} CPU seconds, peak RSS {:.0} MB",
        known.len(),
        known.spellings(),
        known.table_bytes() as f64 / 1e6,
        cpu_seconds() - start,
        resident_mb()
    );
    let planted = planted(&secrets(count));
    println!(
        "planted: {} of {} seen",
        known.scan(&FingerprintKey::from_bytes([7; 32]), &planted.0).sightings.len(),
        planted.1
    );
    let key = || FingerprintKey::from_bytes([7; 32]);
    report("known only", &files, |text| known.scan(&key(), text).sightings.len());
    for (what, letters) in
        [("base64", LETTERS.as_slice()), ("hex", b"0123456789abcdef"), ("percent", b"%0123456789ABCDEF")]
    {
        let text = [encoded(letters, 16 << 20)];
        report(&format!("known only, {what} text"), &text, |text| known.scan(&key(), text).sightings.len());
    }
    let rules = Scanner::new(RuleSet::builtin()?, key())?;
    let mut worker = rules.worker();
    report("rules only", &files, |text| worker.scan(text).sightings.len());
    let both = Scanner::new(RuleSet::builtin()?, key())?.with_known(known);
    let mut worker = both.worker();
    report("rules and known", &files, |text| worker.scan(text).sightings.len());
    println!("peak RSS {:.0} MB", resident_mb());
    Ok(())
}
