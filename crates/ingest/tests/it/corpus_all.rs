//! Every single file of the corpus: never a panic, never silence.

use crate::support::{Texts, corpus, files_below};
use leakgraph_ingest::{Fetched, Limits, discover, link, read};
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Reads each file on its own, as if it were the whole input.
fn all_files_end_in_rows(folder: &Path, at_least: usize) {
    let limits = Limits::default();
    let files = files_below(folder);
    assert!(files.len() >= at_least, "{} files below {}", files.len(), folder.display());
    let mut wrong: BTreeMap<PathBuf, String> = BTreeMap::new();
    for file in &files {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let (items, problems) = discover(std::slice::from_ref(file), &limits);
            let mut texts = Texts::default();
            let mut evidence = leakgraph_model::Evidence { problems, ..Default::default() };
            for item in &items {
                assert_eq!(Fetched::of(item).sha256().expect("readable").len(), 64);
                evidence.append(read(item, &limits, &mut texts));
            }
            (items.len(), evidence, texts)
        }));
        let Ok((items, evidence, _)) = outcome else {
            wrong.insert(file.clone(), "panic".to_owned());
            continue;
        };
        let known = evidence.source_files.iter().any(|row| !matches!(row.kind.as_str(), "text" | "json"));
        let explained = evidence.problems.iter().any(|row| {
            !row.code.is_empty() && row.reason.len() > 3 && row.path.contains(&*file.to_string_lossy())
        });
        let is_empty = fs::metadata(file).expect("readable").len() == 0;
        if items != 1 {
            wrong.insert(file.clone(), format!("{items} items"));
        } else if !(known || explained || is_empty) {
            wrong.insert(file.clone(), format!("{:?}", evidence.source_files));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_workflow_file_ends_in_rows_or_a_reason() {
    let Some(corpus) = corpus() else { return };
    all_files_end_in_rows(&corpus.join("workflows"), 400);
}

#[test]
fn every_identity_file_ends_in_rows_or_a_reason() {
    let Some(corpus) = corpus() else { return };
    all_files_end_in_rows(&corpus.join("identities"), 1_000);
}

#[test]
fn the_corpus_as_one_input_links_without_double_rows() {
    let Some(corpus) = corpus() else { return };
    let limits = Limits::default();
    let (items, problems) = discover(&[corpus.join("workflows")], &limits);
    assert_eq!(problems, []);
    let mut texts = Texts::default();
    let mut evidence = leakgraph_model::Evidence::default();
    for item in &items {
        evidence.append(read(item, &limits, &mut texts));
    }
    link(&mut evidence);
    let distinct = |keys: Vec<String>| {
        let count = keys.len();
        let set: std::collections::HashSet<String> = keys.into_iter().collect();
        (count, set.len())
    };
    for (table, keys) in [
        ("runs", evidence.runs.iter().map(|row| row.run_key.to_string()).collect::<Vec<_>>()),
        ("jobs", evidence.jobs.iter().map(|row| row.job_key.to_string()).collect()),
        ("steps", evidence.steps.iter().map(|row| row.step_key.to_string()).collect()),
    ] {
        let (rows, keys) = distinct(keys);
        assert!(rows > 100 || table == "runs" && rows > 70, "{rows} {table}");
        assert_eq!(rows, keys, "{table} have one row per key");
    }
    let jobs: std::collections::HashSet<_> = evidence.jobs.iter().map(|job| job.job_key).collect();
    assert!(evidence.steps.iter().all(|step| jobs.contains(&step.job_key)), "steps have their jobs");
    // One hand-over per text: the same file is never given to the sink twice.
    let mut places: Vec<_> = texts.0.iter().map(|(c, _)| (&c.path, c.place, &c.name)).collect();
    let count = places.len();
    places.sort();
    places.dedup();
    assert_eq!(places.len(), count, "a text was handed over twice");
}
