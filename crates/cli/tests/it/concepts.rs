//! The commands of the single analytics, on the demo.

use crate::{demo, leakgraph, stdout};

#[test]
fn every_ranking_has_rows_and_explains_them() {
    for command in ["handoffs", "triggers", "boundaries", "trust", "paths", "secrets"] {
        let rows = stdout(leakgraph(&demo().lake()).args([command, "--top", "3", "--format", "ndjson"]), 0);
        assert_eq!(rows.lines().count(), 3, "{command}: {rows}");
        for row in rows.lines() {
            let row: serde_json::Value = serde_json::from_str(row).expect("JSON");
            let text = stdout(leakgraph(&demo().lake()).args(["explain", row["key"].as_str().unwrap()]), 0);
            assert!(text.lines().count() > 5, "{command}: {text}");
        }
    }
}

#[test]
fn a_cut_lowers_exposure_and_what_is_no_edge_is_said() {
    let key = demo().sql("SELECT key(choke_key) FROM choke_points WHERE rank = 1");
    let key = key.lines().nth(1).expect("a choke point");
    let text = stdout(leakgraph(&demo().lake()).args(["cut", "--remove", key]), 0);
    assert!(text.contains("total exposure") && text.contains("% less)"), "{text}");
    stdout(leakgraph(&demo().lake()).args(["cut", "--remove", "nothing"]), 2);
}

#[test]
fn policies_and_answers_name_what_they_rest_on() {
    let role = demo().sql("SELECT native_id FROM identities WHERE name = 'github-preview'");
    let role = role.lines().nth(1).expect("the role");
    let policy = stdout(leakgraph(&demo().lake()).args(["cut", "--policy", role]), 0);
    let policy: serde_json::Value = serde_json::from_str(&policy).expect("a policy");
    assert_eq!(policy["Version"], "2012-10-17");
    let answer =
        stdout(leakgraph(&demo().lake()).args(["can", role, "iam:CreateUser", "arn:aws:iam::1:user/x"]), 0);
    assert!(answer.starts_with("no"), "{answer}");
}

#[test]
fn the_graph_is_written_in_every_form() {
    let node = demo().sql("SELECT source FROM reach_edges ORDER BY source LIMIT 1");
    let node = node.lines().nth(1).expect("a node").trim_matches('"');
    for (form, start) in [("dot", "digraph"), ("graphml", "<?xml"), ("opengraph", "{"), ("svg", "<svg")] {
        let text = stdout(leakgraph(&demo().lake()).args(["export", form, "--around", node]), 0);
        assert!(text.starts_with(start) && text.len() > 200, "{form}: {text}");
    }
    stdout(leakgraph(&demo().lake()).args(["export", "svg"]), 2);
    stdout(leakgraph(&demo().lake()).args(["export", "dot", "--around", "nowhere"]), 2);
}

#[test]
fn ranks_hang_on_weights() {
    let text = stdout(leakgraph(&demo().lake()).args(["score", "--sensitivity", "--format", "csv"]), 0);
    assert!(text.starts_with("weight,factor,ranking,tau,places,points"), "{text}");
    assert!(text.lines().skip(1).any(|row| row.starts_with("class.ESC.ceiling,0.8,nhis,")), "{text}");
}

#[test]
fn what_is_explained_is_drawn() {
    let lake = demo().lake();
    let drawn = |id: &str| stdout(leakgraph(&lake).args(["explain", id, "--svg", "-"]), 0);
    for (table, key) in [
        ("handoff_scores", "handoff_key"),
        ("secrets", "secret_key"),
        ("runs", "run_key"),
        ("jobs", "job_key"),
        ("trigger_decisions", "decision_key"),
        ("workflow_trust", "trust_key"),
    ] {
        let found = demo().sql(&format!("SELECT key({key}) FROM {table} ORDER BY 1 LIMIT 1"));
        let text = drawn(found.lines().nth(1).expect("a key"));
        assert!(text.starts_with("<svg xmlns=") && text.contains("<rect"), "{table}: {text}");
    }
    let text = drawn("github-preview");
    let tells = |name: &str| text.contains(name);
    assert!(tells("role/github-preview") && tells("site-publisher") && tells("storefront Preview / preview"));
    assert!(!tells("svc-forgotten"), "what it neither reaches nor is reached by");
    // The path of a delegation, in order, and a file instead of stdout.
    let sql = "SELECT key(path_key) FROM delegation_paths WHERE root LIKE '%Agent triage' ORDER BY 1 LIMIT 1";
    let key = demo().sql(sql);
    let file = demo().folder.path().join("path.svg");
    let said = stdout(
        leakgraph(&lake).args(["explain", key.lines().nth(1).expect("a path"), "--svg"]).arg(&file),
        0,
    );
    assert!(said.starts_with("Wrote "), "{said}");
    let text = std::fs::read_to_string(file).expect("the picture");
    let at = |name: &str| text.find(name).unwrap_or_else(|| panic!("{name} is not in {text}"));
    assert!(at("Agent triage") < at("Hotfix / hotfix") && at("Hotfix / hotfix") < at("Roll back / rollback"));
}

#[test]
fn findings_of_most_kinds_are_drawn_and_the_rest_say_why_not() {
    let keys = demo().sql("SELECT kind, min(key(finding_key)) FROM findings GROUP BY kind ORDER BY kind");
    let mut drawn = 0;
    for (kind, key) in keys.lines().skip(1).filter_map(|line| line.split_once(',')) {
        let output = leakgraph(&demo().lake()).args(["explain", key, "--svg", "-"]).output().expect("starts");
        match output.status.code() {
            Some(0) => drawn += 1,
            Some(2) => assert!(String::from_utf8_lossy(&output.stderr).contains("reach graph"), "{kind}"),
            other => panic!("{kind}: {other:?} {}", String::from_utf8_lossy(&output.stderr)),
        }
    }
    assert!(drawn >= 30, "{drawn}");
}
