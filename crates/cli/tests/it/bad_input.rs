//! Bad input is a row and exit code 5; everything else is processed.

use crate::{leakgraph, stdout};
use std::fs;
use tempfile::TempDir;

#[test]
fn bad_files_become_problems_and_good_ones_are_kept() {
    let folder = TempDir::new().expect("a temporary folder");
    let inputs = folder.path().join("inputs");
    fs::create_dir(&inputs).expect("a folder");
    fs::write(inputs.join("truncated.zip"), b"PK\x03\x04 and then nothing").expect("write");
    fs::write(inputs.join("wrong.json"), b"{\"workflow_runs\": [").expect("write");
    fs::write(inputs.join("unknown.json"), b"{\"hello\": \"world\"}").expect("write");
    fs::write(inputs.join("bytes.bin"), [0xff, 0xfe, 0x00, 0x80].repeat(100)).expect("write");
    let log = "2026-10-01T10:00:00.0000000Z Current runner version: '2.328.0'\n\
               2026-10-01T10:00:00.1000000Z ##[group]GITHUB_TOKEN Permissions\n\
               2026-10-01T10:00:00.1000000Z Contents: read\n\
               2026-10-01T10:00:00.1000000Z ##[endgroup]\n\
               2026-10-01T10:00:00.2000000Z Secret source: Actions\n\
               2026-10-01T10:00:01.0000000Z Complete job name: build\n";
    fs::write(inputs.join("good.txt"), log).expect("write");
    let lake = folder.path().join("lake");
    stdout(leakgraph(&lake).arg("run").arg(&inputs), 5);
    let sql = |sql: &str| stdout(leakgraph(&lake).args(["sql", "--format", "csv", "-c", sql]), 0);
    let problems = sql("SELECT path, code, reason FROM problems ORDER BY path");
    for name in ["truncated.zip", "wrong.json", "unknown.json"] {
        assert!(problems.contains(name), "{name} is missing in\n{problems}");
    }
    assert!(sql("SELECT name FROM jobs").contains("build"));
    assert!(sql("SELECT scope FROM token_permissions").contains("contents"));
    // The same problems again are not new rows.
    stdout(leakgraph(&lake).arg("run").arg(&inputs), 5);
    assert_eq!(problems, sql("SELECT path, code, reason FROM problems ORDER BY path"));
}
