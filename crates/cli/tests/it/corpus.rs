//! The main job on real logs and inventories.

use crate::{leakgraph, stdout};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

#[test]
fn real_logs_and_inventories_are_recognised() {
    let Some(corpus) = std::env::var_os("LEAKGRAPH_CORPUS").map(PathBuf::from) else {
        eprintln!("SKIPPED: LEAKGRAPH_CORPUS not set");
        return;
    };
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let lake = folder.path().join("lake");
    let mut command = leakgraph(&lake);
    command.arg("run").arg(corpus.join("workflows")).arg(corpus.join("identities"));
    // Other platforms are problems until they have importers: exit code 5.
    stdout(&mut command, 5);
    let number = |sql: &str| -> i64 {
        let text = stdout(leakgraph(&lake).args(["sql", "--format", "csv", "-c", sql]), 0);
        text.lines().nth(1).and_then(|line| line.parse().ok()).expect("a number")
    };
    let mut logs = Vec::new();
    collect_logs(&corpus.join("workflows/bugswarm-gha"), &mut logs);
    let distinct: HashSet<Vec<u8>> =
        logs.iter().map(|path| std::fs::read(path).expect("a readable log")).collect();
    let bugswarm = number(
        "SELECT count(*) FROM source_files WHERE platform = 'github' AND path LIKE '%bugswarm-gha%.log'",
    );
    assert_eq!(logs.len(), 74);
    assert_eq!(bugswarm, i64::try_from(distinct.len()).expect("few"), "one source per distinct content");
    assert_eq!(number("SELECT count(*) FROM problems WHERE path LIKE '%bugswarm-gha%.log'"), 0);
    assert!(
        number("SELECT count(*) FROM source_files WHERE path LIKE '%hcj1206%' AND platform = 'github'") >= 1
    );
    assert!(
        number("SELECT count(*) FROM source_files WHERE path LIKE '%qubitquilt%' AND platform = 'github'")
            >= 1
    );
    assert!(number("SELECT count(*) FROM source_files WHERE kind = 'account_authorization_details'") >= 5);
    assert!(
        number("SELECT count(*) FROM source_files WHERE kind = 'cloudtrail' AND path LIKE '%invictus%'")
            >= 50
    );
    assert_eq!(number("SELECT count(*) FROM problems WHERE code = 'panic'"), 0);
}

fn collect_logs(folder: &Path, logs: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect_logs(&path, logs);
        } else if path.extension().is_some_and(|extension| extension == "log") {
            logs.push(path);
        }
    }
}
