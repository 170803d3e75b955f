//! Scans every file of a folder and says how fast.
//!
//! `scan_folder FOLDER [--threads N] [--memo-lines N] [--profile] [--list] [--baseline]
//! [--keep-memo FILE]`
//!
//! Prints megabytes, CPU seconds of the whole process, megabytes per CPU second and
//! sightings by confidence; with `--profile` also nanoseconds per megabyte of each stage
//! and rule; with `--list` sightings by rule; with `--baseline` how long one pass of an
//! Aho-Corasick DFA over the rules' keywords takes on the same bytes; with `--keep-memo` the clean lines are read from and written to a file.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a measuring tool prints")]

use leakgraph_scan::{FingerprintKey, Profile, RuleSet, Scanner, Stage};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

struct Options {
    folder: PathBuf,
    threads: usize,
    memo_lines: Option<usize>,
    profile: bool,
    memo_file: Option<PathBuf>,
    list: bool,
    baseline: bool,
}

#[derive(Default)]
struct Totals {
    bytes: u64,
    files: usize,
    gaps: usize,
    sightings: BTreeMap<&'static str, usize>,
    rules: BTreeMap<String, usize>,
    profile: Profile,
}

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let options = options()?;
    let mut files = Vec::new();
    walk(&options.folder, &mut files)?;
    let started = Instant::now();
    let mut scanner = Scanner::new(RuleSet::builtin()?, FingerprintKey::from_bytes([7; 32]))?;
    if let Some(lines) = options.memo_lines {
        scanner = scanner.with_memo_lines(lines);
    }
    if let Some(bytes) = options.memo_file.as_ref().and_then(|path| std::fs::read(path).ok()) {
        eprintln!("memo of {} KB taken over: {}", bytes.len() >> 10, scanner.import_memo(&bytes));
    }
    let ready = started.elapsed();
    let (next, totals) = (AtomicUsize::new(0), Mutex::new(Totals::default()));
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| work(&scanner, &files, &next, &totals, &options));
        }
    });
    let wall = started.elapsed().as_secs_f64();
    let totals = totals.into_inner().map_err(|_| "a worker panicked")?;
    let megabytes = totals.bytes as f64 / 1e6;
    let cpu = cpu_seconds().unwrap_or(wall);
    println!(
        "{} files, {megabytes:.1} MB, start {:.1} ms, wall {wall:.2} s, CPU {cpu:.2} s, {:.1} MB per CPU second",
        totals.files,
        ready.as_secs_f64() * 1e3,
        megabytes / cpu
    );
    println!("sightings {:?}, gaps {}", totals.sightings, totals.gaps);
    if options.list {
        totals.rules.iter().for_each(|(rule, count)| println!("{count:8} {rule}"));
    }
    if options.baseline {
        baseline(&files, &scanner, cpu)?;
    }
    if options.profile {
        report(&totals.profile, &scanner);
    }
    if let Some(path) = &options.memo_file {
        std::fs::write(path, scanner.export_memo())?;
    }
    Ok(())
}

fn options() -> Result<Options, Failure> {
    let mut options = Options {
        folder: PathBuf::new(),
        threads: 1,
        memo_lines: None,
        profile: false,
        memo_file: None,
        list: false,
        baseline: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or("a value is missing");
        match word.as_str() {
            "--threads" => options.threads = value()?.parse()?,
            "--memo-lines" => options.memo_lines = Some(value()?.parse()?),
            "--keep-memo" => options.memo_file = Some(value()?.into()),
            "--profile" => options.profile = true,
            "--baseline" => options.baseline = true,
            "--list" => options.list = true,
            _ => options.folder = word.into(),
        }
    }
    Ok(options)
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        walk(&entry?.path(), files)?;
    }
    Ok(())
}

fn work(scanner: &Scanner, files: &[PathBuf], next: &AtomicUsize, totals: &Mutex<Totals>, options: &Options) {
    let mut worker = scanner.worker();
    if options.profile {
        worker.start_profile();
    }
    let mut mine = Totals::default();
    let mut bytes = Vec::new();
    while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
        bytes.clear();
        let read =
            std::fs::File::open(path).and_then(|mut file| std::io::Read::read_to_end(&mut file, &mut bytes));
        if let Err(error) = read {
            eprintln!("{}: {error}", path.display());
            continue;
        }
        let scan = worker.scan(&bytes);
        mine.files += 1;
        mine.bytes += bytes.len() as u64;
        mine.gaps += scan.gaps.len();
        for seen in scan.sightings {
            *mine.sightings.entry(seen.confidence.as_str()).or_default() += 1;
            *mine.rules.entry(format!("{} {}", seen.confidence.as_str(), seen.rule)).or_default() += 1;
        }
    }
    let profile = worker.take_profile().unwrap_or_default();
    if let Ok(mut totals) = totals.lock() {
        totals.bytes += mine.bytes;
        totals.files += mine.files;
        totals.gaps += mine.gaps;
        mine.sightings
            .into_iter()
            .for_each(|(key, count)| *totals.sightings.entry(key).or_default() += count);
        mine.rules.into_iter().for_each(|(key, count)| *totals.rules.entry(key).or_default() += count);
        totals.profile.add(&profile);
    }
}

/// One pass of a DFA over all keywords, the least that a keyword scanner can do.
fn baseline(files: &[PathBuf], scanner: &Scanner, scan_seconds: f64) -> Result<(), Failure> {
    let keywords: Vec<&str> =
        scanner.rules().rules().iter().flat_map(|rule| &rule.keywords).map(String::as_str).collect();
    let automaton = aho_corasick::AhoCorasick::builder()
        .kind(Some(aho_corasick::AhoCorasickKind::DFA))
        .build(&keywords)?;
    let before = cpu_seconds().unwrap_or_default();
    let mut hits = 0;
    for path in files {
        hits += automaton.find_overlapping_iter(&std::fs::read(path)?).count();
    }
    let seconds = cpu_seconds().unwrap_or_default() - before;
    println!(
        "one DFA pass over {} keywords: {seconds:.2} s, {hits} hits; the scan took {:.2} x as long",
        keywords.len(),
        scan_seconds / seconds
    );
    Ok(())
}

fn report(profile: &Profile, scanner: &Scanner) {
    let megabytes = profile.bytes as f64 / 1e6;
    let per_megabyte = |time: std::time::Duration| time.as_nanos() as f64 / megabytes;
    println!("skipped as clean: {:.1} %", 100.0 * profile.skipped_bytes as f64 / profile.bytes.max(1) as f64);
    println!("{:>12} ns/MB  stage", "");
    for stage in Stage::ALL {
        println!("{:12.0}  {}", per_megabyte(profile.time(stage)), stage.as_str());
    }
    println!("{:>12} ns/MB, tried and matched per MB  rule", "");
    let mut rules: Vec<_> = scanner.rules().rules().iter().zip(profile.rules()).collect();
    rules.sort_by_key(|(_, cost)| std::cmp::Reverse(cost.time));
    for (rule, cost) in rules.iter().filter(|(_, cost)| cost.tried > 0).take(25) {
        println!(
            "{:12.0} {:9.2} {:9.3}  {}",
            per_megabyte(cost.time),
            cost.tried as f64 / megabytes,
            cost.matched as f64 / megabytes,
            rule.id
        );
    }
}

/// User and system time of this process, from `/proc/self/stat` in ticks of 10 ms.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}
