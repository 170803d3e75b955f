//! Every kind of finding against the demo: a scenario that fires its audit and a near miss that
//! does not (`datasets/demo/audits.toml`), or the reason why nothing looks for it.

use crate::demo;
use leakgraph_model::framework::Frameworks;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    audit: Vec<Case>,
}

/// Scenarios of one kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    kind: String,
    scene: String,
    fires: Vec<Scenario>,
    near_misses: Vec<Scenario>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    scenario: String,
    fact: String,
    why: String,
}

fn folder(path: &str) -> std::path::PathBuf {
    std::fs::canonicalize("../..").expect("the checkout").join(path)
}

fn table() -> Vec<Case> {
    let text = std::fs::read_to_string(folder("datasets/demo/audits.toml")).expect("the table");
    toml::from_str::<Table>(&text).expect("the table is TOML").audit
}

fn rows(sql: &str) -> Vec<Value> {
    let text =
        crate::stdout(crate::leakgraph(&demo().lake()).args(["sql", "--format", "ndjson", "-c", sql]), 0);
    text.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
}

fn text(row: &Value, column: &str) -> Option<String> {
    row.get(column).and_then(Value::as_str).map(str::to_owned)
}

/// Subjects and objects of the findings, by kind.
type Findings = BTreeMap<String, BTreeSet<(String, Option<String>)>>;

fn findings() -> Findings {
    let mut findings = Findings::new();
    for row in rows("SELECT kind, subject, object FROM findings") {
        let subject = text(&row, "subject").expect("a subject");
        findings
            .entry(text(&row, "kind").expect("a kind"))
            .or_default()
            .insert((subject, text(&row, "object")));
    }
    findings
}

/// What is wrong with a scenario that should give a finding, or should not.
fn fault(
    case: &Case,
    scenario: &Scenario,
    scene: &[Value],
    fires: bool,
    findings: &Findings,
) -> Option<String> {
    let is_told = |row: &Value| {
        let subject = text(row, "subject").unwrap_or_else(|| scenario.scenario.clone());
        let object = text(row, "object");
        let found = findings.get(&case.kind)?;
        Some(found.iter().any(|(s, o)| *s == subject && (object.is_none() || *o == object)))
    };
    let named: Vec<&Value> =
        scene.iter().filter(|row| text(row, "scenario").as_deref() == Some(&*scenario.scenario)).collect();
    let facts: BTreeSet<String> = named.iter().filter_map(|row| text(row, "fact")).collect();
    let played: Vec<&&Value> =
        named.iter().filter(|row| text(row, "fact").as_deref() == Some(&*scenario.fact)).collect();
    let what = if scenario.why.is_empty() {
        "nobody says why".to_owned()
    } else if played.is_empty() {
        format!("it is not in the demo with the fact {:?}, but with {facts:?}", scenario.fact)
    } else if !played.iter().all(|row| is_told(row).unwrap_or(false) == fires) {
        format!("it must {}give a finding", if fires { "" } else { "not " })
    } else {
        return None;
    };
    Some(format!("{}: {}: {what}", case.kind, scenario.scenario))
}

#[test]
fn every_audit_fires_on_its_scenario_and_not_on_its_near_miss() {
    let findings = findings();
    let mut faults = Vec::new();
    for case in table() {
        let scene = rows(&case.scene);
        assert!(!case.fires.is_empty() && !case.near_misses.is_empty(), "{}", case.kind);
        faults.extend(case.fires.iter().filter_map(|row| fault(&case, row, &scene, true, &findings)));
        faults.extend(case.near_misses.iter().filter_map(|row| fault(&case, row, &scene, false, &findings)));
        let firing: BTreeSet<&str> = case.fires.iter().map(|row| &*row.fact).collect();
        let differs = case.near_misses.iter().all(|row| !firing.contains(&*row.fact));
        assert!(differs, "{}: a near miss differs in the fact", case.kind);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_audit_and_no_kind_is_without_a_row() {
    let told: Vec<String> = table().into_iter().map(|case| case.kind).collect();
    let mut files: Vec<String> = std::fs::read_dir(folder("queries/audits"))
        .expect("the audits")
        .filter_map(|entry| {
            entry.expect("an entry").file_name().to_str()?.strip_suffix(".sql").map(str::to_owned)
        })
        .collect();
    files.sort();
    assert_eq!(told, files, "datasets/demo/audits.toml has one row per audit, sorted");
    let frameworks = Frameworks::load().expect("the kinds");
    for kind in frameworks.kinds() {
        let has_row = told.contains(&kind.id);
        assert_ne!(
            has_row,
            kind.not_assessed.is_some(),
            "{}: scenarios, or why nothing looks for it",
            kind.id
        );
    }
}

#[test]
fn what_is_not_assessed_is_told_with_its_reason() {
    let frameworks = Frameworks::load().expect("the kinds");
    let runs = rows("SELECT kind, status, reason FROM audit_runs ORDER BY kind");
    assert_eq!(runs.len(), frameworks.kinds().len(), "one row per kind");
    let html = std::fs::read_to_string(demo().folder.path().join("report.html")).expect("the report");
    let doctor = crate::stdout(crate::leakgraph(&demo().lake()).arg("doctor"), 0);
    let section = html.split("<h2>Not assessed</h2>").nth(1).expect("the section");
    for run in runs {
        let (kind, reason) = (text(&run, "kind").expect("a kind"), text(&run, "reason"));
        let is_assessed = text(&run, "status").as_deref() == Some("assessed");
        assert_eq!(is_assessed, reason.is_none(), "{kind}");
        assert_eq!(is_assessed, !section.contains(&kind), "{kind} in the report");
        assert!(is_assessed || doctor.contains(&kind), "{kind} in doctor");
        let kind = frameworks.kind(&kind).expect("a known kind");
        // The demo has evidence for everything that an audit can see.
        assert_eq!(is_assessed, kind.not_assessed.is_none(), "{}: {reason:?}", kind.id);
    }
}

#[test]
fn a_clean_log_is_assessed_and_what_it_cannot_tell_is_not() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let (lake, log) = (folder.path().join("lake"), folder.path().join("build.log"));
    std::fs::write(&log, "compiling\nok\n").expect("a log");
    crate::new_lake(&lake);
    // Of no known platform, which is a problem, and searched all the same.
    crate::stdout(crate::leakgraph(&lake).arg("run").arg(&log), 5);
    let sql = "SELECT kind, status, coalesce(reason, '') AS reason FROM audit_runs ORDER BY kind";
    let text = crate::stdout(crate::leakgraph(&lake).args(["sql", "--format", "csv", "-c", sql]), 0);
    assert!(text.contains("\nsecret-in-log,assessed,"), "{text}");
    for (kind, evidence) in [
        ("over-privileged-nhi", "records of use"),
        ("departed-owner-nhi", "identity inventories"),
        ("self-approved-trigger", "reviews of deployments"),
        ("unreviewed-workflow-change", "`reviews`"),
    ] {
        let line = text.lines().find(|line| line.starts_with(kind)).expect("a row");
        assert!(line.contains("not_assessed") && line.contains("needs") && line.contains(evidence), "{line}");
    }
}
