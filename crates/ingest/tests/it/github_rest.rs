//! Answers of GitHub's REST API as `gh api` saves them, and what it saves when it fails.

use crate::support::{Inputs, corpus, files_below, problem, read_path};
use leakgraph_ingest::{Limits, link};
use leakgraph_model::tables::run_key;
use std::fs;

const RUN: &str = r#"{"id": 17001, "run_number": 1, "workflow_id": 2, "head_sha": "ab", "repository": {"full_name": "acme/shop"}}"#;

#[test]
fn pages_are_read_however_they_were_joined() {
    let inputs = Inputs::new();
    let second = RUN.replace("17001", "17002");
    let page = |runs: &str| format!("{{\"total_count\": 2, \"workflow_runs\": [{runs}]}}");
    for (name, text) in [
        ("concatenated", format!("{}{}", page(RUN), page(&second))),
        ("lines", format!("{}\n{}\n", page(RUN), page(&second))),
        ("slurped", format!("[{}, {}]", page(RUN), page(&second))),
        ("arrays", format!("[{RUN}][{second}]")),
        ("slurped arrays", format!("[[{RUN}], [], [{second}]]")),
        ("one array", format!("[{RUN}, {second}]")),
        ("objects", format!("{RUN}\n{second}\n")),
        ("empty page first", format!("[]\n[{RUN}, {second}]")),
    ] {
        let (evidence, _) = read_path(&inputs.add(&format!("{name}.json"), text));
        let mut ids: Vec<_> = evidence.runs.iter().filter_map(|run| run.platform_run_id.clone()).collect();
        ids.sort();
        assert_eq!(ids, ["17001", "17002"], "{name}");
        assert_eq!(evidence.problems, [], "{name}");
        assert_eq!(evidence.source_files[0].kind, "run_json", "{name}");
    }
    let (evidence, _) = read_path(&inputs.add("nothing.json", "[]"));
    assert!(!problem(&evidence, "nothing.json", "empty").lossy, "nothing was lost");
}

#[test]
fn a_download_that_broke_off_keeps_what_it_had() {
    let inputs = Inputs::new();
    let text = format!(
        "{{\"total_count\": 2, \"workflow_runs\": [{RUN}]}}{{\"message\": \"API rate limit exceeded\", \"documentation_url\": \"x\", \"status\": \"403\"}}"
    );
    let (evidence, texts) = read_path(&inputs.add("runs.json", text));
    assert_eq!(evidence.runs.len(), 1);
    assert!(problem(&evidence, "runs.json", "api_error").reason.contains("rate limit"));
    assert_eq!(texts.0.len(), 1, "what was not understood is scanned");
}

#[test]
fn errors_saved_as_logs_are_called_errors() {
    let inputs = Inputs::new();
    let secret = "hunter2-hunter2-hunter2";
    let files = [
        (
            "1.log",
            format!(
                "{{\"message\": \"Not Found {secret}\", \"documentation_url\": \"{secret}\", \"status\": \"404\"}}"
            ),
        ),
        (
            "2.txt",
            format!("<!DOCTYPE html><html><head><title>504 Gateway Time-out</title></head>{secret}</html>"),
        ),
        (
            "3.zip.txt",
            format!(
                "<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code><Message>{secret}</Message></Error>"
            ),
        ),
        ("4.log", "gh: Not Found (HTTP 404)\n".to_owned()),
        ("5.json", "{\"message\": \"Server Error\", \"status\": \"502\"}".to_owned()),
        (
            "logs/6_build.txt",
            "{\"message\": \"Gone\", \"documentation_url\": \"x\", \"status\": \"410\"}".to_owned(),
        ),
    ];
    for (name, text) in &files {
        inputs.add(name, text);
    }
    let (evidence, texts) = inputs.read(&Limits::default());
    for (name, text) in &files {
        let row = problem(&evidence, name, "api_error");
        assert!(row.lossy && !row.reason.contains(secret), "{row:?}");
        assert!(
            evidence.source_files.iter().any(|file| file.path.ends_with(name) && file.kind == "api_error"),
            "{name}"
        );
        assert!(texts.0.iter().any(|(_, bytes)| bytes == text.as_bytes()), "{name} is scanned all the same");
    }
    assert_eq!(evidence.jobs.len(), 1, "the neighbour's");
    // A page of someone's is no error of a server.
    inputs.add("report.html", "<html><head><title>Coverage</title></head></html>");
    let (evidence, _) = inputs.read(&Limits::default());
    assert!(problem(&evidence, "report.html", "unrecognised").lossy);
}

/// Members as in GitHub's REST API documentation, "Deployments" and "Deployment statuses".
#[test]
fn deployments_start_runs_and_wait_for_reviews() {
    let inputs = Inputs::new();
    let made = |login: &str| {
        format!(
            r#"{{"id": 7, "sha": "ab", "ref": "main", "task": "deploy", "environment": "production", "payload": "{{\"image\": \"v1.2.3\"}}",
            "creator": {{"login": "{login}", "type": "User"}}, "created_at": "2026-10-01T10:00:00Z",
            "statuses_url": "https://api.github.com/repos/acme/shop/deployments/7/statuses",
            "repository_url": "https://api.github.com/repos/acme/shop"}}"#
        )
    };
    let run = r#"{"id": 17001, "run_number": 1, "workflow_id": 2, "head_sha": "ab", "event": "deployment", "path": ".github/workflows/d.yml",
        "actor": {"login": "cat", "type": "User"}, "created_at": "2026-10-01T10:00:02Z", "repository": {"full_name": "acme/shop"}}"#;
    let status = r#"[{"id": 1, "state": "waiting", "environment": "production", "log_url": "https://github.com/acme/shop/actions/runs/17001/job/5",
        "deployment_url": "https://api.github.com/repos/acme/shop/deployments/7", "created_at": "2026-10-01T10:00:00Z"}]"#;
    inputs.add(
        "deployments.json",
        format!("[{}, {}]", made("cat"), made("github-actions[bot]").replace("\"id\": 7", "\"id\": 8")),
    );
    inputs.add("runs.json", run);
    inputs.add("statuses.json", status);
    let (mut evidence, texts) = inputs.read(&Limits::default());
    assert_eq!(evidence.problems, []);
    let [row] = evidence.handoffs.as_slice() else { panic!("{:#?}", evidence.handoffs) };
    assert_eq!((row.mechanism.as_str(), row.credential_subject.as_deref()), ("deployment", Some("cat")));
    assert_eq!(evidence.handoff_inputs[0].name, "image");
    assert_eq!(texts.count("image=v1.2.3"), 1);
    assert_eq!(evidence.approvals[0].state, "pending");
    assert_eq!(evidence.approvals[0].run_key, run_key("github", "acme/shop", "17001", 1));
    link(&mut evidence);
    assert_eq!(evidence.handoffs[0].child_run_key, Some(run_key("github", "acme/shop", "17001", 1)));
    assert!(evidence.handoffs[0].confidence > 0.7, "time, sender and no other: {:?}", evidence.handoffs[0]);
}

#[test]
fn answers_of_the_documentation_are_known_or_refused() {
    let Some(corpus) = corpus() else { return };
    let inputs = Inputs::new();
    let folder = corpus.join("identities/github-openapi-examples");
    let place = |name: &str, path: &str| {
        let bytes = fs::read(folder.join(name)).expect("an example");
        read_path(&inputs.add(path, bytes)).0
    };
    let evidence =
        place("pending-deployment-items.json", "repos/acme/shop/actions/runs/17001/pending_deployments.json");
    assert_eq!(evidence.approvals.len(), 1);
    assert_eq!(evidence.approvals[0].environment.as_deref(), Some("staging"));
    assert_eq!(evidence.approvals[0].run_key, run_key("github", "acme/shop", "17001", 1));
    let evidence = place("pending-deployment-items.json", "pending.json");
    assert!(problem(&evidence, "pending.json", "incomplete").lossy, "of which run, nothing says");

    let evidence = place("environment.json", "x/environment.json");
    let [row] = evidence.identities.as_slice() else { panic!("one environment") };
    assert_eq!(row.native_id, "env:github/hello-world/staging", "its address says whose it is");
    assert_eq!(
        row.tags,
        ["wait_timer=30", "required_reviewers=2", "prevent_self_review=false", "branch_policy=custom"]
    );

    let evidence = place("oidc-custom-sub-repo.json", "repos/acme/shop/actions/oidc/customization/sub.json");
    assert_eq!(evidence.identities[0].native_id, "repo:acme/shop:token");
    assert_eq!(evidence.identities[0].tags, ["oidc_sub_claims=repo,context", "oidc_sub_default=false"]);
    let evidence = place("oidc-custom-sub.json", "orgs/acme/actions/oidc/customization/sub.json");
    assert_eq!(
        (evidence.identities[0].native_id.as_str(), evidence.identities[0].is_nhi),
        ("org:acme", Some(false))
    );

    for (path, kind, scope) in [
        ("repos/acme/shop/actions/secrets.json", "actions_secret", "acme/shop"),
        ("repos/acme/shop/dependabot/secrets.json", "dependabot_secret", "acme/shop"),
        ("repos/acme/shop/environments/prod/secrets.json", "environment_secret", "acme/shop/prod"),
        ("orgs/acme/actions/secrets.json", "organization_secret", "acme"),
    ] {
        let evidence = place("actions-secret-paginated.json", path);
        assert_eq!(evidence.credentials.len(), 2, "{path}");
        assert_eq!(
            (evidence.credentials[0].kind.as_str(), evidence.credentials[0].scope.as_deref()),
            (kind, Some(scope))
        );
    }

    let variables = folder.join("actions-variables-paginated.json");
    let (evidence, texts) = read_path(&variables);
    assert_eq!((evidence.source_files[0].kind.as_str(), texts.0.len()), ("github_variables", 1));

    // What is not known says what it is near to, and never more than a kind and two numbers.
    for path in files_below(&folder).iter().filter(|path| path.extension().is_some_and(|end| end == "json")) {
        let (evidence, _) = read_path(path);
        let is_known = evidence.source_files.iter().any(|row| row.kind != "json");
        let said = evidence.problems.iter().any(|row| row.code == "unrecognised" && row.lossy);
        assert!(is_known != said, "{}", path.display());
    }
}

#[test]
fn unknown_values_name_the_kind_they_are_near_to() {
    let inputs = Inputs::new();
    for (name, text, kind) in [
        ("job.json", r#"{"run_id": 1, "name": "x", "started_at": null, "zzz": 1}"#, "job_json"),
        (
            "page.json",
            r#"{"items": [{"token_id": 1, "owner": {}, "repository_selection": "all"}]}"#,
            "github_pats",
        ),
        ("hook.json", r#"{"action": "created", "installation": {}, "organization": {}}"#, "webhook"),
        ("ci.yml", "name: x\njobs: {a: {}}\nenv: {}\npermissions: {}\n", "workflow_yaml"),
    ] {
        let (evidence, _) = read_path(&inputs.add(name, text));
        let reason = &problem(&evidence, name, "unrecognised").reason;
        assert!(reason.contains(&format!("closest to {kind} (")), "{name}: {reason}");
    }
    let (evidence, _) = read_path(&inputs.add("far.json", r#"{"hello": 1}"#));
    assert!(!problem(&evidence, "far.json", "unrecognised").reason.contains("closest"));
}

/// Fields: manual of the GitHub CLI, "gh run view", "JSON Fields".
const GH_RUN: &str = r#"{"attempt": 2, "conclusion": "", "createdAt": "2026-10-01T10:00:00Z", "databaseId": 17001, "displayTitle": "Fix", "event": "push",
  "headBranch": "main", "headSha": "ab", "name": "Fix", "number": 3, "startedAt": "2026-10-01T10:00:01Z", "status": "in_progress", "updatedAt": "2026-10-01T10:01:00Z",
  "url": "https://github.com/Acme/shop/actions/runs/17001/attempts/2", "workflowDatabaseId": 5, "workflowName": "CI",
  "jobs": [{"completedAt": "2026-10-01T10:00:40Z", "conclusion": "success", "databaseId": 991, "name": "build", "startedAt": "2026-10-01T10:00:05Z", "status": "completed",
    "steps": [{"completedAt": "2026-10-01T10:00:09Z", "conclusion": "success", "name": "Set up job", "number": 1, "startedAt": "2026-10-01T10:00:06Z", "status": "completed"}],
    "url": "https://github.com/Acme/shop/actions/runs/17001/job/991"},
   {"completedAt": "0001-01-01T00:00:00Z", "conclusion": "", "databaseId": 992, "name": "deploy", "startedAt": "0001-01-01T00:00:00Z", "status": "queued", "steps": [],
    "url": "https://github.com/Acme/shop/actions/runs/17001/job/992"}]}"#;

#[test]
fn what_gh_run_view_prints_is_the_run_and_its_jobs() {
    let inputs = Inputs::new();
    let key = run_key("github", "acme/shop", "17001", 2);
    let (evidence, _) = read_path(&inputs.add("run.json", GH_RUN));
    assert_eq!((evidence.source_files[0].kind.as_str(), evidence.problems.len()), ("gh_run_json", 0));
    let [run] = evidence.runs.as_slice() else { panic!("{:?}", evidence.runs) };
    assert_eq!((run.run_key, run.repo.as_deref(), run.attempt), (key, Some("Acme/shop"), Some(2)));
    assert_eq!((run.workflow_name.as_deref(), run.display_title.as_deref()), (Some("CI"), Some("Fix")));
    assert_eq!((run.conclusion.as_deref(), run.ended_at), (None, None), "it still runs");
    let [build, deploy] = evidence.jobs.as_slice() else { panic!("{:?}", evidence.jobs) };
    assert_eq!((build.run_key, build.platform_job_id.as_deref()), (key, Some("991")));
    assert_eq!((deploy.started_at, deploy.conclusion.as_deref()), (None, None));
    assert_eq!((evidence.steps.len(), evidence.steps[0].job_key), (1, build.job_key));
    // Jobs alone name their run by their address; a list has no jobs.
    let jobs = GH_RUN.split_once("\"jobs\"").map(|(_, jobs)| format!("{{\"jobs\"{jobs}")).expect("jobs");
    let (evidence, _) = read_path(&inputs.add("jobs.json", &jobs));
    assert_eq!((evidence.runs.len(), evidence.jobs.len()), (1, 2));
    assert_eq!(evidence.runs[0].run_key, run_key("github", "acme/shop", "17001", 1), "no attempt is told");
    let list = r#"[{"databaseId": 1, "headSha": "ab", "workflowName": "CI", "url": "https://github.com/acme/shop/actions/runs/17009"},
        {"databaseId": 2, "headSha": "cd", "workflowName": "CI"}]"#;
    let (evidence, _) = read_path(&inputs.add("list.json", list));
    assert_eq!(evidence.runs.len(), 1);
    assert!(problem(&evidence, "list.json", "incomplete").reason.starts_with("1 objects"));
    let release = r#"{"databaseId": 1, "tagName": "v1", "createdAt": "2026-10-01T10:00:00Z", "name": "x", "displayTitle": "y"}"#;
    let (evidence, _) = read_path(&inputs.add("release.json", release));
    assert_eq!(evidence.source_files[0].kind, "json");
}
