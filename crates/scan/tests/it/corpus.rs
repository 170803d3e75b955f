//! Real logs: nothing certain may be found in them that was not looked at.

use crate::scanner;
use leakgraph_scan::Confidence;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    let Some(corpus) = std::env::var_os("LEAKGRAPH_CORPUS") else {
        eprintln!("SKIPPED: LEAKGRAPH_CORPUS is not set");
        return;
    };
    let mut paths = Vec::new();
    files(&Path::new(&corpus).join("workflows/bugswarm-gha"), &mut paths);
    let scanner = scanner();
    let mut worker = scanner.worker();
    let mut counts: BTreeMap<(String, Confidence), usize> = BTreeMap::new();
    for path in &paths {
        for seen in worker.scan(&std::fs::read(path).unwrap()).sightings {
            *counts.entry((seen.rule, seen.confidence)).or_default() += 1;
        }
    }
    eprintln!("{} logs: {counts:#?}", paths.len());
    assert!(paths.len() >= 74);
    let certain: usize = counts
        .iter()
        .filter(|((_, confidence), _)| *confidence == Confidence::VerifiedStructure)
        .map(|(_, count)| count)
        .sum();
    assert_eq!(certain, 0);
}
