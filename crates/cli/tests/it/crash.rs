//! Killing the process mid-run and running again gives the lake of an undisturbed run.

#![expect(clippy::disallowed_methods, reason = "kills a running leakgraph, which assert_cmd cannot")]

use crate::tables::{documented, rows};
use crate::{demo, leakgraph, stdout};
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn killed_runs_leave_a_readable_lake_and_the_next_one_completes() {
    let demo = demo();
    let inputs = demo.lake().join("demo");
    // The fingerprint key must be the same for the sightings to be comparable.
    let key = demo.lake().join("fingerprint.key");
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let lake = folder.path().join("lake");
    std::fs::create_dir(&lake).expect("a folder");
    std::fs::copy(&key, lake.join("fingerprint.key")).expect("the key");
    let mut killed = 0;
    for wait in [30, 120, 250, 500, 900, 1500, 2500] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_leakgraph"))
            .arg("--lake")
            .arg(&lake)
            .arg("run")
            .arg(&inputs)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        std::thread::sleep(Duration::from_millis(wait));
        if child.try_wait().expect("a state").is_none() {
            killed += 1;
        }
        child.kill().expect("killable");
        child.wait().expect("ends");
        // Whatever was committed can be read.
        stdout(leakgraph(&lake).args(["sql", "-c", "SELECT count(*) FROM runs"]), 0);
    }
    assert!(killed >= 2, "the runs were over before they could be killed");
    stdout(leakgraph(&lake).arg("run").arg(&inputs), 0);
    for doc in documented() {
        assert!(rows(&lake, doc.name) == rows(&demo.lake(), doc.name), "{} differs", doc.name);
    }
}
