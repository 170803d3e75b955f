//! Job logs of Travis CI against counts of their raw bytes.

use crate::support::{Inputs, corpus, files_ending, read_path};
use leakgraph_ingest::Limits;
use std::fs;

/// What the pieces between line ends and carriage returns show, without any notion of steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    /// `travis_fold:start:` at the start of a piece.
    folds: usize,
    /// Commands that come first after a time outside of folds.
    commands: usize,
    /// `$ export NAME=…`
    exports: usize,
    /// `$ export NAME=[secure]`
    secure: usize,
}

/// The piece without colours and erasures.
fn shown(piece: &str) -> String {
    let mut parts = piece.split('\u{1b}');
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|letter: char| letter.is_ascii_alphabetic()).map_or(part.len(), |end| end + 1);
        shown.push_str(part.get(end..).unwrap_or_default());
    }
    shown
}

fn count(bytes: &[u8]) -> Counts {
    let text = String::from_utf8_lossy(bytes);
    let mut counts = Counts::default();
    let (mut depth, mut is_timed) = (0, false);
    for piece in text.split(['\r', '\n']).map(shown) {
        if piece.starts_with("travis_fold:start:") {
            depth += 1;
            counts.folds += 1;
        } else if piece.starts_with("travis_fold:end:") {
            depth -= 1;
        } else if piece.starts_with("travis_time:start:") {
            is_timed = true;
        } else if piece.starts_with("travis_time:end:") {
            is_timed = false;
        } else if !piece.is_empty() {
            let is_export = piece.starts_with("$ export ") && piece.contains('=');
            counts.exports += usize::from(is_export);
            counts.secure += usize::from(is_export && piece.ends_with("=[secure]"));
            counts.commands += usize::from(is_timed && depth == 0 && piece.starts_with("$ ") && !is_export);
            is_timed = false;
        }
    }
    counts
}

#[test]
fn every_log_is_a_job_with_the_folds_and_bindings_of_its_bytes() {
    let Some(corpus) = corpus() else { return };
    let logs = files_ending(&corpus.join("workflows/bugswarm-travis"), ".log");
    assert_eq!(logs.len(), 35, "counted with find | wc -l");
    let mut total = Counts::default();
    let mut ended = 0;
    for log in &logs {
        let name = log.display();
        let (evidence, texts) = read_path(log);
        let bytes = fs::read(log).expect("readable");
        let counts = count(&bytes);
        assert_eq!(evidence.problems, [], "{name}");
        assert_eq!(evidence.source_files[0].platform, "travis", "{name}");
        assert_eq!((evidence.runs.len(), evidence.jobs.len()), (1, 1), "{name}");
        // The job's own, one per fold, one per command of the script phase.
        assert_eq!(evidence.steps.len(), 1 + counts.folds + counts.commands, "{name}: {counts:?}");
        let masked = evidence.bindings.iter().filter(|binding| binding.state == "masked").count();
        assert_eq!((evidence.bindings.len(), masked), (counts.exports, counts.secure), "{name}");
        assert_eq!(evidence.secrets_passed.len(), counts.secure, "{name}");
        let [(context, text)] = texts.0.as_slice() else { panic!("{name} is handed over once") };
        assert_eq!(text, &bytes, "{name}");
        for binding in &evidence.bindings {
            let at = usize::try_from(binding.byte_offset).expect("an offset");
            let line = bytes[at..].split(|byte| *byte == b'\n').next().expect("a line");
            assert!(String::from_utf8_lossy(line).contains(&binding.name), "{name}: {binding:?}");
            let mark = context.marks.iter().rev().find(|mark| mark.offset <= at).expect("a mark");
            assert_eq!((mark.step_key, mark.place), (Some(binding.step_key), "env_binding"), "{name}");
            assert_eq!(mark.name.as_ref(), Some(&binding.name), "{name}");
        }
        ended += usize::from(evidence.jobs[0].conclusion.is_some());
        total.folds += counts.folds;
        total.commands += counts.commands;
        total.exports += counts.exports;
        total.secure += counts.secure;
    }
    // The same sums by a script of tr, grep and awk over the 35 files.
    assert_eq!(total, Counts { folds: 208, commands: 29, exports: 158, secure: 92 });
    assert_eq!(ended, 35, "`Done. Your build exited` or `Your build has been stopped` in every log");
}

#[test]
fn a_log_names_its_build_commit_and_times() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("workflows/bugswarm-travis/tests/analyzer/travis_data/javascript/jest");
    let (evidence, _) = read_path(&folder.join("571351164.log"));
    // Read with the eye.
    let (run, job) = (&evidence.runs[0], &evidence.jobs[0]);
    assert_eq!(
        (run.platform_run_id.as_deref(), run.repo.as_deref()),
        (Some("571351163"), Some("babel/babel"))
    );
    assert_eq!(run.head_sha.as_deref(), Some("22df2ae244da7dfbe3793048390de815238ef6ac"));
    assert_eq!(run.head_ref.as_deref(), Some("master"));
    assert_eq!(job.name, "571351164");
    assert_eq!((job.runner_kind.as_deref(), job.conclusion.as_deref()), (Some("hosted"), Some("failure")));
    assert_eq!(job.runner_version.as_deref(), Some("v6.2.1"));
    assert_eq!(job.started_at.map(|at| at.0), Some(1_565_706_927_644_198));
    assert_eq!(job.ended_at.map(|at| at.0), Some(1_565_707_394_128_271));
    let failed: Vec<_> =
        evidence.steps.iter().filter(|step| step.conclusion.as_deref() == Some("failure")).collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].name.contains("make test-ci"), "{:?}", failed[0].name);
    let names: Vec<_> = evidence.secrets_passed.iter().map(|secret| secret.name.as_str()).collect();
    assert_eq!(names, ["CODECLIMATE_REPO_TOKEN", "NPM_API_KEY", "GH_TOKEN"]);
}

#[test]
fn broken_markers_are_text() {
    let inputs = Inputs::new();
    inputs.add(
        "broken.log",
        "travis_fold:start:a\r\u{1b}[0Ktravis_time:start:\r\u{1b}[0K$ x\n\
travis_time:end:zz:start=soon,finish=,duration\n\
travis_fold:end:never\n\
travis_fold:start:\n\
travis_time:start:1\n$ export =x\n$ export A=[secure]b\ntravis_time:end:1:start=99999999999999999999,finish=1\n",
    );
    let (evidence, _) = inputs.read(&Limits::default());
    let bindings: Vec<_> = evidence
        .bindings
        .iter()
        .filter(|binding| binding.name == "A")
        .map(|binding| &binding.state)
        .collect();
    assert_eq!(bindings, ["partial"]);
    assert_eq!(evidence.problems, []);
}

#[test]
fn a_text_that_mentions_folds_is_no_log_of_travis() {
    let inputs = Inputs::new();
    inputs.add("notes.txt", "print travis_fold:start:x to fold lines\n");
    let (evidence, _) = inputs.read(&Limits::default());
    assert!(evidence.source_files.iter().all(|file| file.platform != "travis"));
}
