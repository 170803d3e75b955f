//! Buildkite, by fixtures in the form of its documentation: "Builds API", "Jobs API" (REST API),
//! "Build events" (webhooks), "Managing log output"; members as in buildkite/go-buildkite.

use crate::orchestrators::places;
use crate::support::{Inputs, Texts, problem};
use leakgraph_ingest::{Limits, link};
use leakgraph_model::tables::{job_key, run_key};
use leakgraph_model::{Evidence, Key};
use serde_json::{Value, json};

const API: &str = "https://api.buildkite.com/v2/organizations/acme/pipelines";
const SCRIPT: &str = "0190046e-e199-453b-a302-a21a4d649d31";
const TRIGGER: &str = "0190046e-e199-453b-a302-a21a4d649d32";

fn read(files: &[(&str, String)]) -> (Evidence, Texts) {
    let inputs = Inputs::new();
    for (name, text) in files {
        inputs.add(name, text);
    }
    inputs.read(&Limits::default())
}

fn run(pipeline: &str, number: &str) -> Key {
    run_key("buildkite", &format!("acme/{pipeline}"), number, 1)
}

fn build() -> Value {
    json!({
        "id": "f62a1b4d-10f9-4790-bc1c-e2c3a0c80983", "graphql_id": "QnVpbGQ", "number": 7, "state": "blocked",
        "url": format!("{API}/shop/builds/7"), "web_url": "https://buildkite.com/acme/shop/builds/7",
        "message": "Bump to 0.1.19", "commit": "f62a1b4d10f94790bc1ce2c3a0c80983ab12cd34", "branch": "main",
        "env": {}, "source": "webhook", "meta_data": {}, "pull_request": {},
        "creator": {"id": "u1", "name": "Keith", "email": "keith@acme.test"},
        "created_at": "2026-10-08T03:37:08.158Z", "started_at": "2026-10-08T03:37:10.158Z", "finished_at": null,
        "pipeline": {"id": "p1", "name": "Shop", "slug": "shop", "repository": "git@github.com:acme/shop-src.git"},
        "jobs": [
            {"id": SCRIPT, "type": "script", "name": ":rspec: Tests", "step_key": "tests", "state": "failed",
                "command": "make test\nnpm publish", "exit_status": 1, "agent_query_rules": ["queue=default"],
                "agent": {"id": "a1", "name": "mac-1", "version": "3.80.0"},
                "started_at": "2026-10-08T03:37:11Z", "finished_at": "2026-10-08T03:38:11Z"},
            {"id": "0190046e-e199-453b-a302-a21a4d649d33", "type": "waiter"},
            {"id": "0190046e-e199-453b-a302-a21a4d649d34", "type": "manual", "label": "Deploy", "step_key": "gate",
                "state": "unblocked", "unblocked_by": {"id": "u2", "name": "Liam", "email": "liam@acme.test"},
                "unblocked_at": "2026-10-08T03:39:11Z"},
            {"id": TRIGGER, "type": "trigger", "name": "Deploy", "state": "passed",
                "triggered_build": {"id": "5a1", "number": 3, "url": format!("{API}/deploy/builds/3")}},
        ],
    })
}

fn child() -> Value {
    json!({
        "id": "5a1", "number": 3, "state": "passed", "url": format!("{API}/deploy/builds/3"),
        "commit": "HEAD", "branch": "main", "source": "trigger_job", "created_at": "2026-10-08T03:40:00Z",
        "env": {"TARGET": "prod", "API_TOKEN": "tok-9f8e7d6c5b4a3f2e1d0c"}, "meta_data": {"release": "1.2.3"},
        "pipeline": {"slug": "deploy"}, "jobs": [],
        "triggered_from": {"build_id": "f62a1b4d-10f9-4790-bc1c-e2c3a0c80983", "build_number": 7,
            "build_pipeline_slug": "shop"},
    })
}

#[test]
fn a_build_is_a_run_with_jobs_and_gates() {
    let (evidence, texts) = read(&[("build.json", build().to_string())]);
    assert_eq!(evidence.problems, []);
    let row = evidence.runs.iter().find(|row| row.run_key == run("shop", "7")).expect("the run");
    assert_eq!((row.repo.as_deref(), row.actor.as_deref()), (Some("acme/shop-src"), Some("keith@acme.test")));
    assert_eq!((row.status.as_deref(), row.conclusion.as_deref()), (Some("waiting"), None));
    let names: Vec<_> =
        evidence.jobs.iter().filter(|job| job.run_key == row.run_key).map(|job| job.name.as_str()).collect();
    assert_eq!(names, [":rspec: Tests", "Deploy"]);
    let [gate] = evidence.approvals.as_slice() else { panic!("one gate") };
    assert_eq!((gate.environment.as_deref(), gate.state.as_str()), (Some("gate"), "approved"));
    assert_eq!(gate.reviewer.as_deref(), Some("liam@acme.test"));
    assert_eq!(texts.count("npm publish"), 1, "the command is handed over once");
    assert_eq!(places(&texts, "npm publish"), ["script_echo"]);
    let is_command = |(_, bytes): &&(_, Vec<u8>)| String::from_utf8_lossy(bytes).contains("npm publish");
    let command = texts.0.iter().find(is_command).expect("the command");
    assert_eq!(command.0.job_key, Some(job_key(run("shop", "7"), SCRIPT)));
}

#[test]
fn both_sides_of_a_trigger_are_one_handoff() {
    let (mut evidence, texts) =
        read(&[("build.json", build().to_string()), ("child.json", json!([child()]).to_string())]);
    assert_eq!(evidence.handoffs.len(), 2);
    link(&mut evidence);
    let [handoff] = evidence.handoffs.as_slice() else { panic!("one handoff") };
    assert_eq!(handoff.parent_run_key, Some(run("shop", "7")));
    assert_eq!(handoff.parent_job_key, Some(job_key(run("shop", "7"), TRIGGER)));
    assert_eq!(handoff.child_run_key, Some(run("deploy", "3")));
    assert_eq!((handoff.link_method.as_str(), handoff.confidence), ("explicit_id", 1.0));
    let inputs: Vec<_> = evidence
        .handoff_inputs
        .iter()
        .map(|input| {
            (input.handoff_key == handoff.handoff_key, input.name.as_str(), input.value_class.as_str())
        })
        .collect();
    let expected = [
        (true, "env.API_TOKEN", "token_like"),
        (true, "env.TARGET", "enum"),
        (true, "meta_data.release", "version"),
    ];
    assert_eq!(inputs, expected);
    assert_eq!(texts.count("tok-9f8e7d6c5b4a3f2e1d0c"), 1);
}

#[test]
fn a_trigger_without_a_child_and_a_rebuild_are_handoffs() {
    let mut waiting = build();
    waiting["jobs"][3]["triggered_build"] = Value::Null;
    waiting["rebuilt_from"] = json!({"id": "x", "number": 6, "url": format!("{API}/shop/builds/6")});
    let (evidence, _) = read(&[("build.json", waiting.to_string())]);
    let rows: Vec<_> = evidence
        .handoffs
        .iter()
        .map(|row| (row.mechanism.as_str(), row.parent_run_key, row.child_run_key, row.link_method.as_str()))
        .collect();
    let this = Some(run("shop", "7"));
    let expected =
        [("rebuild", Some(run("shop", "6")), this, "explicit_id"), ("trigger_job", this, None, "unlinked")];
    assert_eq!(rows, expected);
    assert!(evidence.evidence_gaps.iter().any(|gap| gap.gap == "no_child"));
}

#[test]
fn webhooks_are_builds_too() {
    let body = json!({"event": "job.finished", "build": {"id": "1", "number": 7, "state": "running",
        "commit": "abc", "branch": "main", "source": "ui", "web_url": "https://buildkite.com/acme/shop/builds/7"},
        "job": {"id": SCRIPT, "type": "script", "name": "Tests", "state": "passed", "command": "make"},
        "pipeline": {"slug": "shop", "repository": "https://github.com/acme/shop"}, "sender": {"name": "x"}});
    let (evidence, _) = read(&[("hook.json", body.to_string())]);
    assert_eq!(evidence.problems, []);
    let row = evidence.runs.iter().find(|row| row.run_key == run("shop", "7")).expect("the run");
    assert_eq!((row.evidence.as_str(), row.repo.as_deref()), ("webhook", Some("acme/shop")));
    assert!(evidence.jobs.iter().any(|job| job.job_key == job_key(run("shop", "7"), SCRIPT)));
}

const LOG: &str = "\u{1b}_bk;t=1791430631000\u{7}~~~ Running global environment hook\r\n\
\u{1b}_bk;t=1791430632000\u{7}\u{1b}[90m# NPM_TOKEN added\u{1b}[0m\r\n\
\u{1b}_bk;t=1791430633000\u{7}~~~ Running commands\r\n\
\u{1b}_bk;t=1791430634000\u{7}\u{1b}[90m$\u{1b}[0m make test\r\n\
\u{1b}_bk;t=1791430635000\u{7}DEPLOY_KEY=[REDACTED]\r\n\
\u{1b}_bk;t=1791430636000\u{7}\u{1b}[31m🚨 Error: The command exited with status 1\u{1b}[0m\r\n\
\u{1b}_bk;t=1791430637000\u{7}^^^ +++\r\n";

#[test]
fn a_log_and_its_build_are_one_job() {
    let path = format!("organizations/acme/pipelines/shop/builds/7/jobs/{SCRIPT}/log.txt");
    let (mut evidence, texts) = read(&[("build.json", build().to_string()), (&path, LOG.to_owned())]);
    assert_eq!(evidence.problems, []);
    link(&mut evidence);
    let key = job_key(run("shop", "7"), SCRIPT);
    let jobs: Vec<_> = evidence.jobs.iter().filter(|job| job.job_key == key).collect();
    let [job] = jobs.as_slice() else { panic!("{jobs:#?}") };
    assert!(job.has_log);
    assert_eq!((job.name.as_str(), job.runner_name.as_deref()), (":rspec: Tests", Some("mac-1")));
    let names: Vec<_> =
        evidence.steps.iter().filter(|step| step.job_key == key).map(|step| step.name.as_str()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&"Running commands"));
    let secrets: Vec<_> = evidence
        .secrets_passed
        .iter()
        .filter(|secret| secret.job_key == Some(key))
        .map(|secret| secret.name.as_str())
        .collect();
    assert_eq!(secrets, ["NPM_TOKEN", "DEPLOY_KEY"]);
    let text = texts.0.iter().find(|(context, _)| context.path.ends_with("log.txt")).expect("the log");
    assert_eq!(text.1, LOG.as_bytes());
    let at = LOG.find("\u{1b}_bk;t=1791430635000").expect("a line");
    let mark = text.0.marks.iter().rev().find(|mark| mark.offset <= at).expect("a mark");
    assert_eq!((mark.place, mark.at.map(|at| at.0)), ("env_binding", Some(1_791_430_635_000_000)));
}

#[test]
fn the_log_as_json_gives_the_same_rows() {
    let path = format!("organizations/acme/pipelines/shop/builds/7/jobs/{SCRIPT}/log.txt");
    let value = json!({"url": format!("{API}/shop/builds/7/jobs/{SCRIPT}/log"), "content": LOG,
        "size": LOG.len(), "header_times": [1_791_430_631_000_000_000_i64]});
    let of = |files: &[(&str, String)]| {
        let (evidence, texts) = read(files);
        assert_eq!(texts.count("make test"), 1);
        let key = job_key(run("shop", "7"), SCRIPT);
        let steps: Vec<_> =
            evidence.steps.iter().filter(|step| step.job_key == key).map(|step| step.step_key).collect();
        let mut bindings: Vec<_> = evidence.bindings.iter().map(|binding| binding.binding_key).collect();
        bindings.sort();
        (steps, bindings)
    };
    assert_eq!(of(&[(&path, LOG.to_owned())]), of(&[("log.json", value.to_string())]));
}

#[test]
fn the_environment_of_a_job_is_bindings() {
    let env = json!({"env": {"BUILDKITE_ORGANIZATION_SLUG": "acme", "BUILDKITE_PIPELINE_SLUG": "shop",
        "BUILDKITE_BUILD_NUMBER": "7", "BUILDKITE_JOB_ID": SCRIPT, "NPM_TOKEN": "tok-9f8e7d6c5b4a3f2e1d0c"}});
    let (evidence, texts) = read(&[("env.json", env.to_string())]);
    assert_eq!(evidence.problems, []);
    let key = job_key(run("shop", "7"), SCRIPT);
    let bindings: Vec<_> = evidence.bindings.iter().filter(|binding| binding.job_key == key).collect();
    assert_eq!(bindings.len(), 5);
    assert!(bindings.iter().any(|binding| binding.name == "NPM_TOKEN" && binding.state == "clear"));
    assert_eq!(texts.count("tok-9f8e7d6c5b4a3f2e1d0c"), 1);
}

#[test]
fn other_objects_are_not_taken() {
    let mut elsewhere = build();
    elsewhere["url"] = json!("https://ci.example/v2/organizations/acme/pipelines/shop/builds/7");
    elsewhere["web_url"] = Value::Null;
    let (evidence, _) = read(&[("build.json", elsewhere.to_string())]);
    assert!(evidence.source_files.iter().all(|file| file.platform != "buildkite"));
    let mut nameless = build();
    nameless["url"] = json!("https://api.buildkite.com/builds/");
    nameless["web_url"] = Value::Null;
    let (evidence, texts) = read(&[("build.json", nameless.to_string())]);
    assert!(problem(&evidence, "build.json", "incomplete").lossy);
    assert_eq!(texts.count("npm publish"), 1);
}
