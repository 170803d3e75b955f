//! `run` on the demo organisation, and every way to read its results.

use crate::{demo, leakgraph, stdout};

#[test]
fn the_demo_gives_findings_scores_and_handoffs() {
    let demo = demo();
    assert!(demo.summary.contains("Worst findings"), "{}", demo.summary);
    assert!(demo.number("SELECT count(*) FROM runs") >= 300);
    assert!(demo.number("SELECT count(*) FROM findings") > 20);
    assert!(demo.number("SELECT count(DISTINCT kind) FROM findings") >= 10);
    assert!(demo.number("SELECT count(*) FROM nhi_scores WHERE excess IS NOT NULL") > 5);
    assert!(demo.number("SELECT count(DISTINCT identity_mode) FROM handoff_scores") >= 3);
}

#[test]
fn leak_identity_unused_privilege_and_reach_are_joined() {
    let joined = demo().number(
        "SELECT count(*) FROM secrets s JOIN identities i ON i.identity_key = s.identity_key \
         JOIN nhi_scores n ON n.identity_key = s.identity_key \
         JOIN secret_scores x ON x.secret_key = s.secret_key \
         WHERE s.confidence <> 'possible' AND x.blast > 0 AND n.granted_risk > 0",
    );
    assert!(joined >= 1);
}

#[test]
fn a_second_run_changes_nothing_and_says_so() {
    let demo = demo();
    let before = demo
        .sql("SELECT count(*) AS n, min(key(finding_key)) AS a, max(key(finding_key)) AS b FROM findings");
    let rows = demo.number("SELECT count(*) FROM secret_sightings");
    let again = stdout(leakgraph(&demo.lake()).args(["ingest"]).arg(demo.lake().join("demo")), 0);
    assert!(again.contains("nothing new"), "{again}");
    assert_eq!(
        before,
        demo.sql(
            "SELECT count(*) AS n, min(key(finding_key)) AS a, max(key(finding_key)) AS b FROM findings"
        )
    );
    assert_eq!(rows, demo.number("SELECT count(*) FROM secret_sightings"));
}

#[test]
fn every_documented_table_can_be_read() {
    for doc in crate::tables::documented() {
        let text = demo().sql(&format!("SELECT * FROM {} LIMIT 1", doc.name));
        for column in doc.columns {
            assert!(text.contains(column.name), "{} lacks {}: {text}", doc.name, column.name);
        }
    }
}

#[test]
fn ranked_tables_come_in_every_format() {
    for command in ["findings", "nhis", "handoffs"] {
        for format in ["table", "json", "ndjson", "csv"] {
            let text = stdout(leakgraph(&demo().lake()).args([command, "--top", "3", "--format", format]), 0);
            assert!(text.lines().count() >= 2 || format == "json", "{command} {format}: {text}");
            if format == "json" {
                let rows: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
                assert_eq!(rows.len(), 3, "{command}");
            }
        }
    }
}

#[test]
fn explain_shows_the_evidence_of_a_finding() {
    let demo = demo();
    let keys = demo.sql("SELECT key(finding_key) FROM findings WHERE severity = 'critical' OR severity = 'high' ORDER BY 1 LIMIT 5");
    for key in keys.lines().skip(1) {
        let text = stdout(leakgraph(&demo.lake()).args(["explain", key]), 0);
        assert!(
            text.contains("Finding") && text.contains("Evidence:") && text.contains("Controls:"),
            "{text}"
        );
    }
}

#[test]
fn sql_is_read_only() {
    for sql in [
        "DROP TABLE runs",
        "INSERT INTO runs SELECT * FROM runs",
        "COPY runs TO 'x.csv'",
        "CREATE TABLE x AS SELECT 1",
        "SELECT nothing FROM nowhere",
    ] {
        let output = leakgraph(&demo().lake()).args(["sql", "-c", sql]).output().expect("starts");
        assert_eq!(output.status.code(), Some(2), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stderr.is_empty(), "{sql} must say why");
    }
}

#[test]
fn fail_on_and_usage_have_their_exit_codes() {
    let lake = demo().lake();
    stdout(leakgraph(&lake).args(["--fail-on", "critical", "score"]), 3);
    stdout(leakgraph(&lake).args(["--fail-on", "worst", "score"]), 2);
    stdout(leakgraph(&lake).arg("run").arg("no/such/path"), 2);
    stdout(leakgraph(&lake.join("absent")).arg("findings"), 2);
    stdout(leakgraph(&lake).args(["explain", "zzzz"]), 2);
}

#[test]
fn the_report_is_one_self_contained_page() {
    let html = std::fs::read_to_string(demo().folder.path().join("report.html")).expect("the report");
    assert!(html.contains("What leaked, and whose it is") && html.contains("<svg class=\"path\""));
    assert!(!html.contains("<script") && !html.contains("<link"), "no network, no scripts");
}

#[test]
fn doctor_config_and_completions_answer() {
    let lake = demo().lake();
    assert!(stdout(leakgraph(&lake).arg("doctor"), 0).contains("present, private"));
    assert!(stdout(leakgraph(&lake).arg("config"), 0).contains("max_entry_bytes"));
    assert!(stdout(leakgraph(&lake).args(["completions", "bash"]), 0).contains("_leakgraph"));
}

#[test]
fn every_query_of_the_packs_has_an_answer() {
    let packs = std::fs::canonicalize("../../queries/packs").expect("the packs");
    let mut queries = 0;
    for file in std::fs::read_dir(packs).expect("the packs") {
        let path = file.expect("an entry").path();
        let text = stdout(leakgraph(&demo().lake()).args(["sql", "--format", "csv", "-f"]).arg(&path), 0);
        assert!(text.lines().count() >= 2, "{}: {text}", path.display());
        queries += 1;
    }
    assert!(queries >= 5);
}
