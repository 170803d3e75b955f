//! The binary, spoken to as a user would.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod audits;
mod bad_input;
mod concepts;
mod corpus;
mod crash;
mod detection;
mod every_secret;
mod main_job;
mod restatements;
mod roundtrip;
#[expect(dead_code, reason = "the scanner's own tests use the rest")]
#[path = "../../../scan/tests/it/sample.rs"]
mod sample;
#[path = "../../../scan/tests/it/seal.rs"]
mod seal;
mod secrecy;
mod tables;

use assert_cmd::Command;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// A `leakgraph` without the environment of whoever runs the tests.
fn leakgraph(lake: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leakgraph"));
    for name in ["LEAKGRAPH_LAKE", "LEAKGRAPH_CONFIG", "LEAKGRAPH_FAIL_ON", "LEAKGRAPH_THREADS"] {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").current_dir(lake.parent().unwrap_or(lake));
    command.arg("--lake").arg(lake);
    command
}

/// Stdout of a command that must end with `code`.
fn stdout(command: &mut Command, code: i32) -> String {
    let output = command.output().expect("leakgraph starts");
    let out = String::from_utf8(output.stdout).expect("stdout is UTF-8");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "stdout:\n{out}\nstderr:\n{err}");
    out
}

/// A lake with a fixed fingerprint key: its tables are the same every time.
fn new_lake(lake: &Path) {
    std::fs::create_dir(lake).expect("a folder");
    let key = lake.join("fingerprint.key");
    std::fs::write(&key, [7; 32]).expect("a key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("private");
}

/// One scored demo lake for all tests that only read.
struct Demo {
    folder: TempDir,
    summary: String,
}

impl Demo {
    fn lake(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    fn sql(&self, sql: &str) -> String {
        stdout(leakgraph(&self.lake()).args(["sql", "--format", "csv", "-c", sql]), 0)
    }

    /// The one number that `sql` gives.
    fn number(&self, sql: &str) -> i64 {
        self.sql(sql).lines().nth(1).and_then(|line| line.parse().ok()).expect("a number")
    }
}

fn demo() -> &'static Demo {
    static DEMO: OnceLock<Demo> = OnceLock::new();
    DEMO.get_or_init(|| {
        let folder = TempDir::new().expect("a temporary folder");
        let lake = folder.path().join("lake");
        let report = folder.path().join("report.html");
        new_lake(&lake);
        let summary = stdout(leakgraph(&lake).arg("run").arg("--report").arg(&report), 0);
        Demo { folder, summary }
    })
}
