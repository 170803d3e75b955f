//! No planted secret in any byte that leakgraph writes.

use crate::{demo, leakgraph, stdout};
use aho_corasick::AhoCorasick;
use std::path::Path;
use walkdir::WalkDir;

/// Bytes of a secret's variable part that must not appear anywhere.
const TELLING_BYTES: usize = 12;

/// Windows of the planted values that nothing but the value itself contains.
fn telling(secrets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    secrets
        .iter()
        .filter(|secret| secret.len() >= 24)
        .map(|secret| {
            // Skip the fixed prefix; keep clear of the last four, which the preview may show.
            let start = (secret.len() - TELLING_BYTES - 4).min(secret.len() / 2);
            secret[start..start + TELLING_BYTES].to_vec()
        })
        .collect()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    WalkDir::new(folder)
        .into_iter()
        .filter_entry(|entry| entry.file_name() != "demo")
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect()
}

#[test]
fn no_planted_secret_is_written() {
    let demo = demo();
    let scratch = tempfile::TempDir::new().expect("a temporary folder");
    let manifest = leakgraph_demo::generate(scratch.path()).expect("the demo");
    let needles = telling(&manifest.secret_values());
    assert!(needles.len() >= 20, "only {} planted secrets are long enough", needles.len());
    let automaton = AhoCorasick::new(&needles).expect("an automaton");
    let mut written: Vec<(String, Vec<u8>)> = files(demo.folder.path())
        .into_iter()
        .map(|path| (path.display().to_string(), std::fs::read(&path).expect("readable")))
        .collect();
    assert!(written.len() > 20, "the lake has files");
    for args in [
        vec!["findings", "--top", "0"],
        vec!["nhis", "--top", "0"],
        vec!["handoffs", "--top", "0"],
        vec!["sql", "--format", "json", "-c", "SELECT * FROM secrets"],
        vec!["sql", "--format", "json", "-c", "SELECT * FROM secret_sightings"],
        vec!["sql", "--format", "json", "-c", "SELECT * FROM bindings"],
        vec!["sql", "--format", "json", "-c", "SELECT * FROM handoff_inputs"],
        vec!["sql", "--format", "json", "-c", "SELECT * FROM problems"],
        vec!["-vv", "scan", "demo"],
    ] {
        let mut command = leakgraph(&demo.lake());
        let output = command.args(&args).current_dir(demo.lake()).output().expect("starts");
        written.push((format!("stdout of {args:?}"), output.stdout));
        written.push((format!("stderr of {args:?}"), output.stderr));
    }
    for (name, bytes) in &written {
        let hit = automaton.find(bytes).map(|hit| hit.pattern().as_usize());
        assert_eq!(hit, None, "{name} holds a planted secret");
    }
}

#[test]
fn what_is_written_is_private() {
    use std::os::unix::fs::PermissionsExt;
    stdout(leakgraph(&demo().lake()).arg("doctor"), 0);
    for path in files(&demo().lake()) {
        let mode = std::fs::metadata(&path).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is open to others: {mode:o}", path.display());
    }
}
