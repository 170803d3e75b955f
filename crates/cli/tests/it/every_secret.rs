//! A secret of every rule, planted wherever a log can carry one, is in no byte that leakgraph writes.

use crate::sample::{self, Sample};
use crate::{leakgraph, new_lake, stdout};
use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leakgraph_scan::{Rule, RuleSet};
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use tempfile::TempDir;
use walkdir::WalkDir;

/// Bytes of a secret's variable part that must not appear anywhere.
const TELLING_BYTES: usize = 8;

/// One planted value, its rule and pieces of it that only it contains.
struct Planted {
    rule: String,
    value: String,
    telling: Vec<Vec<u8>>,
}

fn planted() -> Vec<Planted> {
    let rules = RuleSet::builtin().expect("the rules");
    rules.rules().iter().filter(|rule| !rule.pattern.is_empty()).filter_map(plant).collect()
}

fn plant(rule: &Rule) -> Option<Planted> {
    let Sample { text, secret } = sample::drawn(rule, 42, false);
    // An access key id names a credential; tables are joined by it.
    if rule.kind == "aws_access_key_id" || secret.len() < 2 * TELLING_BYTES + 4 {
        return None;
    }
    // Of a URL the longest part is secret, not the ids beside it.
    let inside = |byte: &u8| b"/:@?&".contains(byte);
    let value = &text[secret.clone()];
    let drawn = value.split(inside).filter(|part| part.iter().any(u8::is_ascii_digit));
    let longest = drawn.max_by_key(|part| part.len()).filter(|part| part.len() >= 2 * TELLING_BYTES)?;
    let at = value.windows(longest.len()).position(|window| window == longest)?;
    let secret = secret.start + at..secret.start + at + longest.len();
    let starts = match secret.len() {
        ..64 => vec![secret.len() / 2],
        long => vec![long / 3, long / 2, long * 3 / 4],
    };
    let piece = |start: usize| text[secret.start + start..secret.start + start + TELLING_BYTES].to_vec();
    let telling = starts.into_iter().map(piece).collect();
    let value = String::from_utf8(text.clone()).expect("text");
    Some(Planted { rule: rule.id.clone(), value, telling })
}

/// A job log that prints, encodes, binds, exports and names things after the value.
fn job_log(value: &str) -> String {
    let one_line = value.replace('\n', "\\n");
    let reversed: String = one_line.chars().rev().collect();
    let mut log = String::new();
    let mut say = |line: &str| {
        for line in line.lines() {
            writeln!(log, "2026-10-01T10:00:00.0000000Z {line}").expect("memory");
        }
    };
    say("Current runner version: '2.328.0'");
    say("##[group]GITHUB_TOKEN Permissions\nContents: read\n##[endgroup]\nSecret source: Actions");
    say(&format!("##[group]Run curl -H 'Authorization: Bearer {one_line}'\nenv:\n  API_TOKEN: {one_line}"));
    say("  MASKED: ***\n##[endgroup]");
    say(value);
    say(&format!("encoded {}", STANDARD.encode(value)));
    say(&format!("backwards {reversed}"));
    say(&format!("##[error]cannot use {one_line}"));
    say(&format!("##[group]group {one_line}\n##[endgroup]"));
    say(&format!("::set-output name=token::{one_line}"));
    let middle = one_line.len() / 2;
    if let (Some(left), Some(right)) = (one_line.get(..middle), one_line.get(middle..)) {
        say(&format!("coloured {left}\u{1b}[31m{right}\u{1b}[0m"));
    }
    say(&format!("Complete job name: build {one_line}"));
    log
}

/// A name as the platform makes it from a command: slashes become underscores.
fn file_name(value: &str) -> String {
    value.chars().map(|c| if matches!(c, '/' | '\n' | '\r') { '_' } else { c }).collect()
}

fn write_inputs(folder: &Path, number: usize, Planted { value, .. }: &Planted) -> std::io::Result<()> {
    let log = job_log(value);
    let run = 7000 + number;
    fs::write(folder.join(format!("{number}.log")), &log)?;
    let mut archive = zip::ZipWriter::new(fs::File::create(folder.join(format!("run-{run}.zip")))?);
    for name in ["0_build.txt".to_owned(), format!("build/3_Run echo {}.txt", file_name(value))] {
        archive.start_file(name, zip::write::SimpleFileOptions::default())?;
        archive.write_all(log.as_bytes())?;
    }
    archive.finish()?;
    let job = json!({
        "id": 100 + number, "run_id": run, "run_attempt": 1, "name": format!("build {value}"), "status": "completed",
        "workflow_name": value, "conclusion": "failure", "head_branch": value, "runner_name": value,
        "steps": [{"name": format!("Run deploy --token {value}"), "status": "completed", "number": 1}],
    });
    fs::write(
        folder.join(format!("job-{number}.json")),
        json!({"total_count": 1, "jobs": [job]}).to_string(),
    )?;
    let dispatch = json!({
        "action": "opened", "inputs": {"token": value, "note": format!("use {value}")}, "ref": "refs/heads/main",
        "workflow": ".github/workflows/cd.yml", "repository": {"full_name": "o/r", "id": 1}, "sender": {"login": "bot", "id": 2, "type": "Bot"},
    });
    fs::write(folder.join(format!("dispatch-{number}.json")), dispatch.to_string())?;
    // Broken and unknown inputs are quoted in reasons.
    fs::write(folder.join(format!("broken-{number}.json")), format!("{{\"jobs\": [{{\"name\": \"{value}"))?;
    fs::write(folder.join(format!("unknown-{number}.json")), json!({value: value}).to_string())?;
    // File systems take 255 bytes.
    let name =
        Some(file_name(value)).filter(|name| name.len() <= 250).unwrap_or_else(|| format!("no-{number}"));
    fs::write(folder.join(format!("{name}.zip")), b"PK\x03\x04 no archive")
}

fn written(folder: &Path) -> impl Iterator<Item = (String, Vec<u8>)> {
    let files = WalkDir::new(folder).into_iter().map(|entry| entry.expect("readable"));
    files
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| (entry.path().display().to_string(), fs::read(entry.path()).expect("readable")))
}

#[test]
fn a_secret_of_every_rule_stays_in_the_scanner() {
    let folder = TempDir::new().expect("a temporary folder");
    let (inputs, out) = (folder.path().join("inputs"), folder.path().join("out"));
    fs::create_dir(&inputs).expect("a folder");
    fs::create_dir(&out).expect("a folder");
    let planted = planted();
    assert!(planted.len() >= 60, "{} rules are planted", planted.len());
    for (number, secret) in planted.iter().enumerate() {
        write_inputs(&inputs, number, secret).expect("written");
    }
    let lake = out.join("lake");
    // Eight hexadecimal digits of a token may stand in a random key by chance: nothing here
    // is random, and no path is new.
    new_lake(&lake);
    let report = out.join("report.html");
    let mut outputs = Vec::new();
    let mut run = |args: &[&str]| {
        let output = leakgraph(&lake).args(args).output().expect("starts");
        outputs.push((format!("stdout of {args:?}"), output.stdout));
        outputs.push((format!("stderr of {args:?}"), output.stderr));
    };
    run(&["-vv", "run", "../inputs", "--report", &report.display().to_string()]);
    run(&["-vv", "scan", "../inputs"]);
    run(&["findings", "--top", "0"]);
    run(&["handoffs", "--top", "0"]);
    for doc in crate::tables::documented() {
        run(&["sql", "--format", "json", "-c", &format!("SELECT * FROM {}", doc.name)]);
    }
    // What was planted was also found: the test is not about an empty lake.
    let sql = "SELECT DISTINCT rule FROM secrets";
    let found = stdout(leakgraph(&lake).args(["sql", "--format", "csv", "-c", sql]), 0);
    for secret in &planted {
        assert!(found.lines().any(|rule| rule == secret.rule), "{} is not found", secret.rule);
    }
    let (rules, needles): (Vec<&str>, Vec<&Vec<u8>>) = planted
        .iter()
        .flat_map(|secret| secret.telling.iter().map(|piece| (secret.rule.as_str(), piece)))
        .unzip();
    let automaton = AhoCorasick::new(needles).expect("an automaton");
    let mut leaks = Vec::new();
    for (name, bytes) in written(&out).chain(outputs) {
        if let Some(hit) = automaton.find(&bytes) {
            let around = bytes.get(hit.start().saturating_sub(60)..hit.end() + 4).unwrap_or_default();
            let rule = rules[hit.pattern().as_usize()];
            leaks.push(format!("{rule} in {name}: {}", String::from_utf8_lossy(around)));
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}
