//! What is exported is read again.

use crate::{demo, leakgraph, new_lake, stdout};
use std::path::Path;

fn count(lake: &Path, sql: &str) -> usize {
    let rows = stdout(leakgraph(lake).args(["sql", "--format", "csv", "-c", sql]), 0);
    rows.lines().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn the_exported_graph_comes_back_whole() {
    let graph = stdout(leakgraph(&demo().lake()).args(["export", "opengraph"]), 0);
    let json: serde_json::Value = serde_json::from_str(&graph).expect("JSON");
    let list = |name: &str| json["graph"][name].as_array().expect("a list").clone();
    let folder = tempfile::tempdir().expect("a folder");
    let (lake, file) = (folder.path().join("lake"), folder.path().join("graph.json"));
    new_lake(&lake);
    std::fs::write(&file, &graph).expect("a file");
    stdout(leakgraph(&lake).arg("ingest").arg(&file), 0);
    stdout(leakgraph(&lake).arg("score"), 0);
    assert_eq!(count(&lake, "SELECT count(*) FROM problems WHERE lossy"), 0);
    assert_eq!(count(&lake, "SELECT count(*) FROM identities"), list("nodes").len());
    assert_eq!(count(&lake, "SELECT count(*) FROM trusts"), list("edges").len());
}
