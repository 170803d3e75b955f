//! Real logs: nothing certain may be found in them that was not looked at.

use crate::scanner;
use leakgraph_scan::Confidence;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Logs of public projects (data/SOURCES.md); no organisation's own secrets in them.
const LOGS: [&str; 8] = [
    "bugswarm-gha",
    "bugswarm-travis",
    "gitlab-traces",
    "hcj1206-runlogs",
    "jenkins-consoles",
    "qubitquilt-runlogs",
    "stagecraft-log-excerpts",
    "workflow-yaml-stagecraft",
];

/// Sightings that were looked at and are what they say: rule, and file it is in.
const LOOKED_AT: [(&str, &str); 5] = [
    // A live upload token in an env group, eleven times.
    ("codecov", "bugswarm-gha/tests/analyzer/github_data/python/2512083654-orig.log"),
    // A request's headers in an error message.
    ("authorization-header", "bugswarm-gha/tests/analyzer/github_data/python/2506527647-orig.log"),
    // Test databases' passwords.
    ("uri-credential", "workflow-yaml-stagecraft/.github/workflows/_template-integration-test.yml"),
    ("uri-credential", "workflow-yaml-stagecraft/.github/workflows/ci-mls-ingestion.yml"),
    ("uri-credential", "octokit-webhooks"),
];
/// One unexplained likely sighting in so many bytes (design/BARS.md D5).
const BYTES_PER_LIKELY: usize = 50 << 20;

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("LEAKGRAPH_CORPUS").map(|folder| Path::new(&folder).join("workflows"));
    if folder.is_none() {
        eprintln!("SKIPPED: LEAKGRAPH_CORPUS is not set");
    }
    folder
}

pub(crate) fn logs(corpus: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths = Vec::new();
    LOGS.iter().for_each(|folder| files(&corpus.join(folder), &mut paths));
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn real_logs_give_few_and_explained_sightings() {
    let Some(corpus) = corpus() else { return };
    let mut worker = scanner().worker();
    let (mut counts, mut unexplained) = (BTreeMap::<(Confidence, String), usize>::new(), Vec::new());
    let mut bytes = 0;
    for (path, text) in logs(&corpus) {
        bytes += text.len();
        let path = path.strip_prefix(&corpus).unwrap().display().to_string();
        for seen in worker.scan(&text).sightings {
            let is_known = LOOKED_AT.iter().any(|(rule, file)| *rule == seen.rule && path.starts_with(file));
            if seen.confidence >= Confidence::Likely && !is_known {
                unexplained.push((seen.confidence, seen.rule.clone(), path.clone(), seen.line));
            }
            *counts.entry((seen.confidence, seen.rule)).or_default() += 1;
        }
    }
    eprintln!("{bytes} bytes: {counts:?}");
    assert!(bytes > 25 << 20, "{bytes} bytes of logs");
    assert!(unexplained.iter().all(|(confidence, ..)| *confidence < Confidence::VerifiedStructure));
    assert!(unexplained.len() <= bytes / BYTES_PER_LIKELY, "{unexplained:#?}");
}

/// Lines checked by hand (data/SOURCES.md): `low` repeats a test password or an empty one
/// and is possible at most; `signal` shows that something was masked, and no secret.
#[test]
fn labelled_lines_are_judged_as_expected() {
    let Some(corpus) = corpus() else { return };
    let labels = std::fs::read_to_string(corpus.join("labels.csv")).unwrap();
    let mut worker = scanner().worker();
    let mut judged = 0;
    for label in labels.lines().skip(1) {
        let fields: Vec<&str> = label.splitn(5, ',').collect();
        let (file, line, expected) = (fields[0], fields[1].parse::<usize>().unwrap(), fields[3]);
        let seen = worker.scan(&std::fs::read(corpus.join(file)).unwrap()).sightings;
        let worst = seen.iter().filter(|seen| seen.line == line).map(|seen| seen.confidence).max();
        match expected {
            "low" => assert!(worst.is_none_or(|worst| worst == Confidence::Possible), "{label}: {worst:?}"),
            "signal" => assert_eq!(worst, None, "{label}"),
            other => panic!("unknown label {other}"),
        }
        judged += 1;
    }
    assert!(judged >= 20, "{judged} labels");
}
