//! Workflow and action files of a real repository against counts of their lines.

use crate::support::{Inputs, corpus, files_ending, read_path};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leakgraph_ingest::Limits;
use leakgraph_model::Evidence;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn stagecraft() -> Option<PathBuf> {
    Some(corpus()?.join("workflows/workflow-yaml-stagecraft/.github"))
}

/// Names of the jobs: lines of two blanks and a name below `jobs:`.
fn job_ids(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a readable file");
    let mut ids: Vec<String> = text
        .lines()
        .skip_while(|line| line.trim_end() != "jobs:")
        .filter(|line| line.starts_with("  ") && !line.starts_with("   ") && !line.trim().starts_with('#'))
        .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()))
        .collect();
    ids.sort();
    ids
}

/// `secrets.NAME` outside comments and not in the name of a file.
fn secret_names(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a readable file");
    let of_code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut names: Vec<String> = of_code
        .flat_map(|line| line.split(" secrets.").skip(1))
        .map(|rest| rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect())
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn every_workflow_of_a_repository_has_a_row_per_job() {
    let Some(folder) = stagecraft() else { return };
    let files = files_ending(&folder.join("workflows"), "");
    assert_eq!(files.len(), 114, "counted with ls | wc -l");
    let mut totals = BTreeMap::new();
    for file in &files {
        let (evidence, texts) = read_path(file);
        let name = file.display();
        assert_eq!(evidence.problems, [], "{name}");
        assert_eq!(evidence.source_files[0].kind, "workflow_yaml", "{name}");
        assert_eq!(texts.0.len(), 1, "{name} is scanned once");
        let mut ids: Vec<_> =
            evidence.workflow_definitions.iter().filter_map(|row| row.job_id.clone()).collect();
        ids.sort();
        assert_eq!(ids, job_ids(file), "{name}");
        let mut names: Vec<_> =
            evidence.workflow_definitions.iter().flat_map(|row| row.secrets.clone()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names, secret_names(file), "{name}");
        let rows = &evidence.workflow_definitions;
        let mut add = |what: &'static str, count: usize| *totals.entry(what).or_insert(0) += count;
        add("jobs", rows.len());
        add("calls", rows.iter().filter(|row| row.calls.is_some()).count());
        add("inherit", rows.iter().filter(|row| row.inherits_secrets).count());
        add("environments", rows.iter().filter(|row| row.environment.is_some()).count());
        add("callable", usize::from(rows.iter().any(|row| row.kind == "reusable_workflow")));
        add(
            "of target",
            usize::from(rows.iter().any(|row| row.triggers.iter().any(|on| on == "pull_request_target"))),
        );
        add("dispatching", rows.iter().filter(|row| !row.dispatches.is_empty()).count());
        add("observed", evidence.handoffs.len() + evidence.secrets_passed.len() + evidence.runs.len());
    }
    let count = |what: &str| {
        let has = |file: &&PathBuf| {
            fs::read_to_string(file).expect("readable").lines().any(|line| line.trim_end() == what)
        };
        files.iter().filter(has).count()
    };
    assert_eq!(totals["callable"], count("  workflow_call:"));
    assert_eq!(totals["of target"], count("  pull_request_target:"));
    assert_eq!(totals["observed"], 0, "a file is no observation");
    let lines = |of: &dyn Fn(&str) -> bool| -> usize {
        files
            .iter()
            .map(|file| fs::read_to_string(file).expect("readable").lines().filter(|line| of(line)).count())
            .sum()
    };
    assert_eq!(totals["inherit"], lines(&|line| line == "    secrets: inherit"));
    assert_eq!(totals["calls"], lines(&|line| line.starts_with("    uses: ")));
    assert_eq!(totals["environments"], lines(&|line| line.starts_with("    environment:")));
    assert!(totals["dispatching"] >= 1, "parent.yaml dispatches: {totals:?}");
}

#[test]
fn the_dispatch_of_a_parent_is_declared() {
    let Some(folder) = stagecraft() else { return };
    let (evidence, _) = read_path(&folder.join("workflows/parent.yaml"));
    let [row] = evidence.workflow_definitions.as_slice() else { panic!("one job") };
    assert_eq!(row.dispatches, ["repository_dispatch UST-PACE/multiservice-mono-repo run-child"]);
    assert_eq!(row.secrets, ["V1_GITHUB_TOKEN"]);
    assert_eq!(row.path.as_deref(), Some(".github/workflows/parent.yaml"));
}

#[test]
fn composite_actions_are_definitions_too() {
    let Some(folder) = stagecraft() else { return };
    let files = files_ending(&folder.join("actions"), "action.yml");
    assert_eq!(files.len(), 4, "counted with ls");
    for file in &files {
        let (evidence, _) = read_path(file);
        let [row] = evidence.workflow_definitions.as_slice() else { panic!("{}", file.display()) };
        assert_eq!((row.kind.as_str(), row.job_id.as_deref()), ("composite_action", None));
        let text = fs::read_to_string(file).expect("readable");
        let steps = text.lines().filter(|line| line.starts_with("    - ")).count();
        assert_eq!(row.steps, i64::try_from(steps).expect("few"), "{}", file.display());
    }
    let (evidence, _) = read_path(&folder.join("dependabot.yml"));
    assert_eq!((evidence.source_files[0].kind.as_str(), evidence.problems.len()), ("dependabot_yaml", 0));
}

fn keys(evidence: &Evidence) -> Vec<String> {
    evidence.workflow_definitions.iter().map(|row| row.definition_key.to_string()).collect()
}

#[test]
fn definitions_have_the_same_keys_wherever_they_lie() {
    let text = "on: push\njobs: {a: {runs-on: x}, b: {runs-on: x}}\n";
    let inputs = Inputs::new();
    let here = inputs.add("x/.github/workflows/ci.yml", text);
    let there = inputs.add("y/z/.github/workflows/ci.yml", text);
    let owned = inputs.add("repos/acme/shop/.github/workflows/ci.yml", text);
    let [here, there, owned] = [here, there, owned].map(|path| keys(&read_path(&path).0));
    assert_eq!(here.len(), 2);
    assert_eq!(here, there);
    assert_ne!(here, owned, "another repository's file is another definition");
}

#[test]
fn odd_workflow_files_are_said_or_survived() {
    let inputs = Inputs::new();
    inputs.add("jobs.yml", "on: push\njobs: {a: {runs-on: x}, b: 7}\n");
    inputs.add("odd.yml", "on: {push: 1, schedule: x}\njobs: {a: {runs-on: {group: 1}, steps: [1, {run: [x]}, {uses: 3}], permissions: [x], environment: [], needs: {}, if: 0}}\n");
    inputs.add("json.json", r#"{"on": ["push"], "jobs": {"a": {"uses": "o/r/.github/workflows/x.yml@v1"}}}"#);
    let (evidence, _) = inputs.read(&Limits::default());
    assert_eq!(evidence.workflow_definitions.len(), 3);
    let codes: Vec<_> =
        evidence.problems.iter().map(|row| (row.code.as_str(), row.path.ends_with("jobs.yml"))).collect();
    assert_eq!(codes, [("incomplete", true)]);
}

/// A finding of a report, with the members that are read. What zizmor 1.32.0 wrote of a small
/// workflow, as documented in `crates/zizmor/src/output/json/v1.rs`.
fn finding(ident: &str, severity: &str, route: &str, feature_kind: &str, feature: &str) -> String {
    format!(
        r#"{{"ident": "{ident}", "desc": "x", "url": "https://docs.zizmor.sh/audits/#{ident}",
        "determinations": {{"confidence": "High", "severity": "{severity}", "persona": "Regular"}},
        "locations": [{{"symbolic": {{"key": {{"Local": {{"verbatim_path": "./.github/workflows/ci.yml"}}}}, "route": {{"route": []}}, "kind": "Hidden"}},
            "concrete": {{"feature": "hidden"}}}},
          {{"symbolic": {{"key": {{"Local": {{"verbatim_path": "./.github/workflows/ci.yml"}}}}, "annotation": "x",
            "route": {{"route": [{route}]}}, "feature_kind": {feature_kind}, "kind": "Primary"}},
            "concrete": {{"location": {{"start_point": {{"row": 1, "column": 2}}}}, "feature": "{feature}", "comments": []}}}}],
        "ignored": false, "fixes": []}}"#
    )
}

#[test]
fn findings_of_zizmor_are_rows_of_the_jobs_they_are_of() {
    const STEP: &str = r#"{"Key": "jobs"}, {"Key": "build"}, {"Key": "steps"}, {"Index": 2}, {"Key": "run"}"#;
    const CALL: &str = r#"{"Key": "jobs"}, {"Key": "call"}, {"Key": "uses"}"#;
    let part = |raw: &str| format!(r#"{{"Subfeature": {{"after": 7, "fragment": {{"Raw": "{raw}"}}}}}}"#);
    let callee = "acme/ci/.github/workflows/deploy.yml@main";
    let findings = [
        finding("template-injection", "High", STEP, &part("github.event.pull_request.title"), "|\\n echo"),
        finding("template-injection", "High", STEP, &part("inputs.tag"), "|\\n echo"),
        finding("template-injection", "Low", STEP, &part("env.A"), "|\\n echo"),
        finding("unpinned-uses", "High", CALL, &part(callee), callee),
        finding("secrets-inherit", "Medium", CALL, &part(callee), callee),
        finding("overprovisioned-secrets", "Medium", "", r#""Normal""#, "${{ toJSON(secrets) }}"),
        finding(
            "dangerous-triggers",
            "High",
            r#"{"Key": "on"}, {"Key": "pull_request_target"}"#,
            r#""KeyOnly""#,
            "pull_request_target",
        ),
        finding(
            "artipacked",
            "Medium",
            r#"{"Key": "jobs"}, {"Key": "build"}, {"Key": "steps"}, {"Index": 0}"#,
            r#""Normal""#,
            "uses: x",
        ),
        finding("concurrency-limits", "Low", r#"{"Key": "on"}"#, r#""Normal""#, "on:"),
        finding("artipacked", "Medium", CALL, r#""Normal""#, "x")
            .replace("\"ignored\": false", "\"ignored\": true"),
    ];
    let inputs = Inputs::new();
    let path = inputs.add("zizmor.json", format!("[{}]", findings.join(",")));
    let (evidence, texts) = read_path(&path);
    assert_eq!(evidence.source_files[0].kind, "zizmor_json");
    assert_eq!(texts.0.len(), 1, "its excerpts are scanned");
    let rows = &evidence.workflow_definitions;
    assert!(
        rows.iter()
            .all(|row| row.kind == "zizmor_findings"
                && row.path.as_deref() == Some(".github/workflows/ci.yml"))
    );
    let of = |job: Option<&str>| rows.iter().find(|row| row.job_id.as_deref() == job).expect("a row");
    assert_eq!(rows.len(), 3);
    assert_eq!(
        (of(None).reads_all_secrets, of(None).triggers.as_slice()),
        (true, &["pull_request_target".to_owned()][..])
    );
    assert_eq!(of(Some("build")).untrusted_expressions, ["steps[2].run: github.event.pull_request.title"]);
    assert_eq!(of(Some("build")).input_expressions, ["steps[2].run: inputs.tag"]);
    assert_eq!(of(Some("build")).persists_credentials, Some(true));
    let call = of(Some("call"));
    assert_eq!((call.calls.as_deref(), call.inherits_secrets), (Some(callee), true));
    assert_eq!((call.unpinned_uses.as_slice(), call.persists_credentials), (&[callee.to_owned()][..], None));
    let [note] = evidence.problems.as_slice() else { panic!("{:?}", evidence.problems) };
    assert!(!note.lossy && note.reason.starts_with("2 of 10 findings of zizmor"), "{note:?}");
}

/// GitHub documentation, REST API, "Get repository content", with a workflow as the file.
#[test]
fn files_in_answers_of_the_api_are_read_as_files() {
    let workflow = "on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: acme/deploy@main\n      - run: echo hidden-in-script\n";
    let mut content = STANDARD.encode(workflow);
    content.insert(60, '\n');
    let answer = serde_json::json!({
        "type": "file", "encoding": "base64", "size": workflow.len(), "name": "ci.yml", "path": ".github/workflows/ci.yml",
        "content": content, "sha": "3d21ec53a331a6f037a91c368710b99387d012c1",
        "url": "https://api.github.com/repos/octokit/octokit.rb/contents/.github/workflows/ci.yml?ref=release%2F2",
        "git_url": "https://api.github.com/repos/octokit/octokit.rb/git/blobs/3d21ec53a331a6f037a91c368710b99387d012c1",
        "html_url": "https://github.com/octokit/octokit.rb/blob/main/.github/workflows/ci.yml", "download_url": null
    });
    let inputs = Inputs::new();
    let (evidence, texts) = read_path(&inputs.add("ci.json", answer.to_string()));
    assert_eq!((evidence.source_files[0].kind.as_str(), evidence.problems.len()), ("contents_json", 0));
    let [row] = evidence.workflow_definitions.as_slice() else {
        panic!("{:?}", evidence.workflow_definitions)
    };
    assert_eq!(
        (row.repo.as_deref(), row.definition_ref.as_deref()),
        (Some("octokit/octokit.rb"), Some("release/2"))
    );
    assert_eq!(row.path.as_deref(), Some(".github/workflows/ci.yml"));
    assert_eq!(row.unpinned_uses, ["acme/deploy@main"]);
    assert_eq!(texts.count("hidden-in-script"), 1);
    let broken = answer.to_string().replace(&content.replace('\n', "\\n"), "%%%");
    let (evidence, _) = read_path(&inputs.add("broken.json", broken));
    assert_eq!(evidence.problems[0].code, "incomplete");
}
