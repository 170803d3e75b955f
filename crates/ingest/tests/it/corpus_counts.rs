//! What the research counted on its collection (workflows.md §1.1.6 and §4), counted again on
//! what of it is in the corpus: a part of some sets is kept back for independent measurement.
//!
//! Chains (46), webhook files (126) and audit events (177) are whole here and counted beside
//! their other checks, in `corpus_workflows` and `github_audit`.

use crate::support::{Texts, corpus, files_ending};
use leakgraph_ingest::{Limits, discover, link, read};
use leakgraph_model::Evidence;
use leakgraph_model::tables::run_key;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

fn read_files(files: &[PathBuf]) -> Evidence {
    let limits = Limits::default();
    let (items, problems) = discover(files, &limits);
    let mut evidence = Evidence { problems, ..Evidence::default() };
    for item in &items {
        evidence.append(read(item, &limits, &mut Texts::default()));
    }
    evidence
}

fn bugswarm(corpus: &Path) -> Evidence {
    let logs = files_ending(&corpus.join("workflows/bugswarm-gha"), ".log");
    assert_eq!(logs.len(), 74, "of the 143 of the research");
    let distinct: HashSet<Vec<u8>> = logs.iter().map(|path| fs::read(path).expect("readable")).collect();
    assert_eq!(distinct.len(), 70, "counted with md5sum | sort -u: four are there twice");
    read_files(&logs)
}

/// How often each word comes.
fn counted<'w>(words: impl Iterator<Item = &'w str>) -> BTreeMap<&'w str, usize> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

#[test]
fn masked_bindings_have_the_names_that_the_research_counted() {
    let Some(corpus) = corpus() else { return };
    let evidence = bugswarm(&corpus);
    let masked = evidence.bindings.iter().filter(|row| row.state == "masked");
    let names = counted(masked.map(|row| row.name.as_str()));
    // Research, 143 logs: 36 names, `token` 188, `GITHUB_TOKEN` 16, `DOCKER_BUILD_PASSWORD` 21,
    // which is in none of the 74. Counted here with grep for `  NAME: ***`.
    assert_eq!(names.get("token"), Some(&99));
    assert_eq!(names.get("GITHUB_TOKEN"), Some(&16));
    assert_eq!(names.get("DOCKER_BUILD_PASSWORD"), None);
    assert_eq!((names.len(), names.values().sum::<usize>()), (24, 160));
}

#[test]
fn token_permissions_and_secret_sources_are_those_of_the_setup_sections() {
    let Some(corpus) = corpus() else { return };
    let evidence = bugswarm(&corpus);
    let jobs: HashSet<_> = evidence.token_permissions.iter().map(|row| row.job_key).collect();
    let writes = |scope: &str| {
        let rows = evidence.token_permissions.iter();
        rows.filter(|row| row.scope == scope && row.access == "write").count()
    };
    // Research: `Contents: write` in 103 of about 139 jobs. Here by grep -l: 58 of 72 logs.
    let twice =
        evidence.jobs.len() - evidence.jobs.iter().map(|row| row.job_key).collect::<HashSet<_>>().len();
    // One of the logs that are there twice has the same name in both places, and so the same key.
    assert_eq!((twice, jobs.len() + twice, writes("contents")), (1, 72, 58));
    // Research: 97 + 15 Actions, 24 None, 3 Dependabot. None of the last is in the 74.
    let sources = counted(evidence.jobs.iter().filter_map(|job| job.secret_source.as_deref()));
    assert_eq!(sources, BTreeMap::from([("Actions", 63), ("None", 9)]));
}

#[test]
fn secure_variables_of_travis_are_bindings() {
    let Some(corpus) = corpus() else { return };
    let logs = files_ending(&corpus.join("workflows/bugswarm-travis"), ".log");
    assert_eq!(logs.len(), 35, "of the 60 of the research");
    let evidence = read_files(&logs);
    let masked = evidence.bindings.iter().filter(|row| row.state == "masked");
    let names = counted(masked.map(|row| row.name.as_str()));
    // Counted with grep for `export NAME=[secure]`.
    for (name, lines) in [("SONATYPE_PASSWORD", 9), ("CI_DEPLOY_PASSWORD", 8), ("SONAR_TOKEN", 3)] {
        assert_eq!(names.get(name), Some(&lines), "{name}");
    }
}

/// Of the three job objects that the research pairs with logs, one log is in the corpus: the
/// other two (6642948886, 6991832152) are among those kept back.
#[test]
fn a_job_object_and_the_log_named_by_its_id_are_one_job() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("workflows/bugswarm-gha/tests/analyzer/github_data");
    let objects = files_ending(&folder.join("github_cache"), "");
    assert_eq!(objects.len(), 3);
    let log = folder.join("build_system_testing/6999501459.log");
    let other_logs: Vec<_> = files_ending(&corpus.join("workflows/bugswarm-gha"), ".log");
    let is_saved = |id: &str| other_logs.iter().any(|path| path.to_string_lossy().contains(id));
    assert_eq!(["6642948886", "6991832152", "6999501459"].map(is_saved), [false, false, true]);
    let mut files = objects;
    files.push(log);
    let mut keys = Vec::new();
    for _ in 0..2 {
        files.reverse();
        let mut evidence = read_files(&files);
        link(&mut evidence);
        assert_eq!((evidence.runs.len(), evidence.jobs.len()), (3, 3));
        let job = evidence.jobs.iter().find(|job| job.has_log).expect("the job of the log");
        // Known from the object only …
        assert_eq!(job.platform_job_id.as_deref(), Some("6999501459"));
        assert_eq!((job.name.as_str(), job.conclusion.as_deref()), ("Build APK", Some("failure")));
        assert_eq!(job.run_key, run_key("github", "itsaky/androidide", "2540692279", 1));
        // … and from the log only.
        assert_eq!(job.secret_source.as_deref(), Some("Actions"));
        let steps: Vec<_> = evidence.steps.iter().filter(|step| step.job_key == job.job_key).collect();
        assert!(steps.iter().all(|step| step.attribution == "order"), "each step once");
        assert!(evidence.bindings.iter().all(|row| row.job_key == job.job_key));
        keys.push(job.job_key);
    }
    assert_eq!(keys[0], keys[1], "in either order");
}

/// Steps of the log in the order of the object's, with the seconds as a check (§1.1.6).
#[test]
fn steps_of_the_log_follow_those_of_the_object_within_a_second() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("workflows/bugswarm-gha/tests/analyzer/github_data");
    let log = read_files(&[folder.join("build_system_testing/6999501459.log")]);
    let objects = files_ending(&folder.join("github_cache"), "6999501459");
    let object = read_files(&objects);
    let told = object.steps.iter().filter(|step| {
        let is_work = !step.name.starts_with("Post ") && !step.name.ends_with(" job");
        is_work && step.conclusion.as_deref() != Some("skipped")
    });
    let told: Vec<_> = told.collect();
    let read: Vec<_> =
        log.steps.iter().filter(|step| matches!(step.kind.as_str(), "run" | "action")).collect();
    assert_eq!((told.len(), read.len()), (4, 4), "read with the eye");
    for (told, read) in told.iter().zip(read) {
        let (at, from) = (read.started_at.expect("a time"), told.started_at.expect("a time"));
        let to = told.ended_at.expect("a time");
        assert!(
            at.seconds_since(from) >= -1.0 && to.seconds_since(at) >= -1.0,
            "{} {}",
            told.name,
            read.name
        );
    }
    let of_run: HashMap<_, _> = object.jobs.iter().map(|job| (job.job_key, &job.name)).collect();
    assert_eq!(of_run.len(), 1);
}
