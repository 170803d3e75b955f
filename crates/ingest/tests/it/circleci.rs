//! CircleCI, by fixtures in the form of its documentation: "API v2 reference" (pipelines,
//! workflows, jobs), "API v1.1 reference" (circleci/circleci-docs,
//! `src-api/source/includes/_builds_and_jobs.md`), "Webhooks reference", "Dynamic configuration".

use crate::support::{Inputs, Texts, problem};
use leakgraph_ingest::{Limits, link};
use leakgraph_model::tables::run_key;
use leakgraph_model::{Evidence, Key};
use serde_json::{Value, json};

const PIPELINE: &str = "5034460f-c7c4-4c43-9457-de07e2029e7b";
const WORKFLOW: &str = "fda08377-fe7e-46b1-8992-3a7aaecac9c3";
const SETUP: &str = "0e53027b-521a-4c40-9042-47e72b3c63a3";
const TOKEN: &str = "tok-9f8e7d6c5b4a3f2e1d0c";

fn read(files: &[(&str, Value)]) -> (Evidence, Texts) {
    let inputs = Inputs::new();
    for (name, value) in files {
        inputs.add(name, value.to_string());
    }
    inputs.read(&Limits::default())
}

fn run(id: &str) -> Key {
    run_key("circleci", "", id, 1)
}

fn pipeline() -> Value {
    json!({"id": PIPELINE, "errors": [], "project_slug": "gh/acme/shop", "number": 25, "state": "created",
        "updated_at": "2026-10-08T03:37:09Z", "created_at": "2026-10-08T03:37:08Z",
        "trigger_parameters": {"deploy": true, "api_token": TOKEN},
        "trigger": {"type": "api", "received_at": "2026-10-08T03:37:07Z", "actor": {"login": "alice", "avatar_url": null}},
        "vcs": {"provider_name": "GitHub", "origin_repository_url": "https://github.com/mallory/shop",
            "target_repository_url": "https://github.com/acme/shop", "revision": "f454a02b", "branch": "main"}})
}

fn workflow(id: &str, name: &str) -> Value {
    json!({"id": id, "pipeline_id": PIPELINE, "pipeline_number": 25, "project_slug": "gh/acme/shop", "name": name,
        "status": "on_hold", "started_by": "03987f6a-4c27-4dc1-b6ab-c7e83bb3e713",
        "created_at": "2026-10-08T03:37:10Z", "stopped_at": null})
}

fn job_detail() -> Value {
    json!({"web_url": "https://circleci.com/gh/acme/shop/12", "number": 12, "name": "deploy", "status": "success",
        "project": {"slug": "gh/acme/shop", "name": "shop", "external_url": "https://github.com/acme/shop"},
        "parallel_runs": [{"index": 0, "status": "success"}], "parallelism": 1,
        "latest_workflow": {"id": WORKFLOW, "name": "release"}, "pipeline": {"id": PIPELINE},
        "executor": {"type": "docker", "resource_class": "medium"}, "contexts": [{"name": "npm-publish"}],
        "started_at": "2026-10-08T03:38:00Z", "stopped_at": "2026-10-08T03:39:00Z", "organization": {"name": "acme"}})
}

#[test]
fn a_pipeline_hands_on_to_its_workflows() {
    let page = |items: Vec<Value>| json!({"items": items, "next_page_token": null});
    let mut setup = workflow(SETUP, "setup");
    setup["tag"] = json!("setup");
    let (mut evidence, texts) = read(&[
        ("pipeline.json", page(vec![pipeline()])),
        ("workflows.json", page(vec![setup, workflow(WORKFLOW, "release")])),
    ]);
    assert_eq!(evidence.problems, []);
    link(&mut evidence);
    let row = evidence.runs.iter().find(|row| row.run_key == run(PIPELINE)).expect("the pipeline");
    assert_eq!((row.repo.as_deref(), row.actor.as_deref()), (Some("acme/shop"), Some("alice")));
    assert_eq!((row.from_fork, row.event.as_deref()), (Some(true), Some("api")));
    let mut rows: Vec<_> = evidence
        .handoffs
        .iter()
        .map(|row| (row.mechanism.as_str(), row.parent_run_key, row.child_run_key, row.confidence))
        .collect();
    rows.sort_by(|a, b| (a.0, a.2).cmp(&(b.0, b.2)));
    let mut workflows = [Some(run(WORKFLOW)), Some(run(SETUP))];
    workflows.sort();
    let expected = [
        ("api_other", None, Some(run(PIPELINE)), 1.0),
        ("continuation", Some(run(SETUP)), Some(run(WORKFLOW)), 0.9),
        ("pipeline", Some(run(PIPELINE)), workflows[0], 1.0),
        ("pipeline", Some(run(PIPELINE)), workflows[1], 1.0),
    ];
    assert_eq!(rows, expected);
    let inputs: Vec<_> = evidence
        .handoff_inputs
        .iter()
        .map(|input| (input.name.as_str(), input.value_class.as_str()))
        .collect();
    assert_eq!(inputs, [("api_token", "token_like"), ("deploy", "bool")]);
    assert_eq!(texts.count(TOKEN), 1);
}

#[test]
fn gates_and_jobs_are_of_the_workflow_in_the_address() {
    let jobs = json!({"next_page_token": null, "items": [
        {"id": "a1", "name": "hold", "type": "approval", "status": "success", "project_slug": "gh/acme/shop",
            "dependencies": [], "approved_by": "02030405-0607-0809-0a0b-0c0d0e0f1011",
            "approval_request_id": "02", "started_at": "2026-10-08T03:37:20Z", "stopped_at": "2026-10-08T03:37:30Z"},
        {"id": "b1", "name": "deploy", "type": "build", "status": "failed", "project_slug": "gh/acme/shop",
            "job_number": 12, "dependencies": ["a1"], "started_at": "2026-10-08T03:38:00Z"},
    ]});
    let path = format!("api/v2/workflow/{WORKFLOW}/job.json");
    let (mut evidence, _) = read(&[(&path, jobs.clone()), ("job.json", job_detail())]);
    assert_eq!(evidence.problems, []);
    link(&mut evidence);
    let [gate] = evidence.approvals.as_slice() else { panic!("one gate") };
    assert_eq!((gate.run_key, gate.environment.as_deref()), (run(WORKFLOW), Some("hold")));
    assert_eq!((gate.state.as_str(), gate.reviewer_kind.as_str()), ("approved", "user"));
    let jobs_of: Vec<_> = evidence.jobs.iter().filter(|job| job.run_key == run(WORKFLOW)).collect();
    let [job] = jobs_of.as_slice() else { panic!("{jobs_of:#?}") };
    assert_eq!((job.name.as_str(), job.labels.as_slice()), ("deploy", &["medium".to_owned()][..]));
    let secret = evidence.secrets_passed.iter().find(|secret| secret.how == "context").expect("a context");
    assert_eq!((secret.name.as_str(), secret.secret_scope.as_str()), ("npm-publish", "org"));
    assert_eq!(secret.job_key, Some(job.job_key));

    let (evidence, _) = read(&[("jobs.json", jobs)]);
    assert!(problem(&evidence, "jobs.json", "incomplete").reason.starts_with("2 objects"));
}

fn build() -> Value {
    json!({"vcs_type": "github", "vcs_url": "https://github.com/acme/shop", "build_num": 12, "username": "acme",
    "reponame": "shop", "branch": "main", "vcs_revision": "1d231626", "why": "github", "oss": true,
    "queued_at": "2026-10-08T03:37:50Z", "start_time": "2026-10-08T03:38:00Z", "stop_time": "2026-10-08T03:39:00Z",
    "outcome": "failed", "status": "failed", "user": {"login": "alice", "is_user": true}, "fork": false,
    "build_parameters": {"CIRCLE_JOB": "deploy"}, "platform": "2.0",
    "workflows": {"workflow_id": WORKFLOW, "workflow_name": "release", "job_name": "deploy", "job_id": "x"},
    "steps": [
        {"name": "Preparing environment variables", "actions": [{"step": 99, "index": 0, "type": "test",
            "name": "Preparing environment variables", "bash_command": null, "status": "success",
            "output_url": "https://circle-production-action-output.s3.amazonaws.com/x?Signature=presigned"}]},
        {"name": "publish", "actions": [{"step": 104, "index": 0, "type": "test", "name": "publish",
            "bash_command": "#!/bin/bash -eo pipefail\nnpm publish", "status": "failed", "exit_code": 1,
            "start_time": "2026-10-08T03:38:10Z", "end_time": "2026-10-08T03:38:20Z"}]},
    ]})
}

fn output() -> Value {
    json!([
        {"type": "out", "time": "2026-10-08T03:38:05.1Z",
            "message": "Using build environment variables:\r\n  CI=true\r\n\r\nUsing environment variables from project settings and/or contexts:\r\n  NPM_TOKEN=**REDA"},
        {"type": "err", "time": "2026-10-08T03:38:05.2Z", "message": "CTED**\r\n\r\nclear text\r\n", "truncated": false},
    ])
}

#[test]
fn a_build_and_its_outputs_are_one_job() {
    let (mut evidence, texts) = read(&[
        ("build.json", build()),
        ("job.json", job_detail()),
        ("api/v1.1/project/github/acme/shop/12/output/99/0", output()),
    ]);
    assert_eq!(evidence.problems, []);
    link(&mut evidence);
    let jobs: Vec<_> = evidence.jobs.iter().filter(|job| job.run_key == run(WORKFLOW)).collect();
    let [job] = jobs.as_slice() else { panic!("{jobs:#?}") };
    let mut steps: Vec<_> = evidence
        .steps
        .iter()
        .filter(|step| step.job_key == job.job_key)
        .map(|step| (step.number, step.name.as_str(), step.kind.as_str(), step.shell.as_deref()))
        .collect();
    steps.sort();
    let expected = [
        (Some(99), "Preparing environment variables", "setup", None),
        (Some(104), "publish", "run", Some("/bin/bash -eo pipefail")),
    ];
    assert_eq!(steps, expected);
    let bound = evidence.bindings.iter().find(|binding| binding.name == "NPM_TOKEN").expect("a binding");
    assert_eq!((bound.state.as_str(), bound.job_key), ("masked", job.job_key));
    // The output as one text, its messages joined.
    let text = texts.0.iter().find(|(context, _)| context.path.ends_with("output/99/0")).expect("the output");
    assert!(String::from_utf8_lossy(&text.1).contains("NPM_TOKEN=**REDACTED**"));
    assert_eq!((text.0.job_key, text.0.marks.len()), (Some(job.job_key), 1));
    assert_eq!((texts.count("npm publish"), texts.count("clear text")), (1, 1));
    assert_eq!(texts.count("Signature=presigned"), 0, "addresses of outputs are no secrets of the job");
    let row = evidence.runs.iter().find(|row| row.run_key == run(WORKFLOW)).expect("the workflow");
    assert_eq!((row.visibility.as_deref(), row.workflow_name.as_deref()), (Some("public"), Some("release")));
}

#[test]
fn an_output_without_an_address_is_a_job_of_its_own() {
    let (evidence, texts) = read(&[("saved.json", output())]);
    assert_eq!(evidence.problems, []);
    let job = evidence.jobs.iter().find(|job| job.name == "saved").expect("a job");
    assert!(job.has_log);
    assert_eq!(
        evidence.secrets_passed.iter().filter(|secret| secret.job_key == Some(job.job_key)).count(),
        1
    );
    assert_eq!(texts.count("clear text"), 1);
}

#[test]
fn webhooks_name_pipeline_workflow_and_job() {
    let body = json!({"type": "job-completed", "id": "w1", "happened_at": "2026-10-08T03:39:00Z",
        "webhook": {"id": "h", "name": "hook"}, "organization": {"id": "o", "name": "acme"},
        "project": {"id": "p", "name": "shop", "slug": "github/acme/shop"},
        "pipeline": {"id": PIPELINE, "number": 25, "created_at": "2026-10-08T03:37:08Z", "trigger": {"type": "api"},
            "trigger_parameters": {"token": TOKEN}, "vcs": {"branch": "main", "revision": "f454a02b"}},
        "workflow": {"id": WORKFLOW, "name": "release", "created_at": "2026-10-08T03:37:10Z", "url": "u"},
        "job": {"id": "j", "name": "deploy", "number": 12, "status": "success", "started_at": "2026-10-08T03:38:00Z"}});
    let (mut evidence, texts) = read(&[("hook.json", body), ("job.json", job_detail())]);
    assert_eq!(evidence.problems, []);
    link(&mut evidence);
    assert_eq!(evidence.jobs.iter().filter(|job| job.run_key == run(WORKFLOW)).count(), 1);
    assert!(evidence.handoffs.iter().any(|row| row.parent_run_key == Some(run(PIPELINE))));
    assert_eq!((evidence.handoff_inputs.len(), texts.count(TOKEN)), (1, 1));
}

#[test]
fn lists_of_other_messages_are_not_outputs() {
    let others = json!([{"type": "out", "message": "x"}]);
    let (evidence, _) =
        read(&[("messages.json", others), ("empty.json", json!([])), ("items.json", json!({"items": []}))]);
    assert!(evidence.source_files.iter().all(|file| file.platform != "circleci"));
}

/// "CircleCI API v2": List contexts, List environment variables (of a context, of a project).
#[test]
fn contexts_and_variables_are_the_secrets_there_are() {
    let context = json!({"items": [{"id": "b4c1", "name": "production", "created_at": "2026-10-01T10:00:00Z"}], "next_page_token": null});
    let of_context = json!({"items": [{"variable": "AWS_KEY", "created_at": "2026-10-01T10:00:00Z", "updated_at": "2026-10-05T10:00:00Z", "context_id": "b4c1"}], "next_page_token": null});
    let of_project = json!({"items": [{"name": "NPM_TOKEN", "value": "xxxx1234"}], "next_page_token": null});
    let (evidence, _) = read(&[
        ("context.json", context.clone()),
        ("variables.json", of_context),
        ("project/github/Acme/shop/envvar.json", of_project),
        ("people.json", context),
    ]);
    let mut found: Vec<_> = evidence
        .credentials
        .iter()
        .map(|row| (row.name.as_str(), row.kind.as_str(), row.scope.as_deref().unwrap_or_default()))
        .collect();
    found.sort_unstable();
    let expected = [
        ("AWS_KEY", "ci_variable", "context/b4c1"),
        ("NPM_TOKEN", "ci_variable", "gh/acme/shop"),
        ("production", "context", "context/b4c1"),
    ];
    assert_eq!(found, expected);
    assert!(evidence.credentials.iter().any(|row| row.rotated_at.is_some()));
    assert!(problem(&evidence, "people.json", "unrecognised").lossy, "a name and a date may be anything");
}
