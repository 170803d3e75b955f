//! Airflow. Fixtures after the REST API references (v1: DAGRun, TaskInstance, XCom; v2:
//! DAGRunResponse, TaskInstanceResponse, XComResponseNative), "Logging for Tasks", and lines
//! that `taskinstance.py` (2.x) and `task_runner.py` (3.x) of apache/airflow write.

use crate::orchestrators::{
    assert_owner, damaged, handoff, inputs, job, kind, linked, marker, nothing_is_lost, only_run, places,
    read_file, survives,
};
use crate::support::problem;
use leakgraph_model::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

const PARENT: &str = "manual__2026-10-01T10:00:00+00:00";
const CHILD: &str = "manual__2026-10-01T10:00:05.123456+00:00";

fn dag_run(dag: &str, run_id: &str, conf: Value) -> Value {
    json!({
        "dag_run_id": run_id, "dag_id": dag, "logical_date": "2026-10-01T10:00:00Z", "queued_at": "2026-10-01T10:00:00Z",
        "start_date": "2026-10-01T10:00:01Z", "end_date": "2026-10-01T10:05:00Z", "duration": 299.0,
        "data_interval_start": null, "data_interval_end": null, "run_after": "2026-10-01T10:00:00Z",
        "last_scheduling_decision": null, "run_type": "manual", "state": "success", "triggered_by": "rest_api",
        "triggering_user_name": "ana", "conf": conf, "note": null, "dag_versions": [], "bundle_version": "0a1b2c",
        "dag_display_name": dag,
    })
}

fn task(fields: Value) -> Value {
    json!({
        "id": "01a02f58-b243-7f87-815c-83bf864927dd", "task_id": "start_child", "dag_id": "release", "dag_run_id": PARENT,
        "map_index": -1, "logical_date": "2026-10-01T10:00:00Z", "start_date": "2026-10-01T10:00:04Z",
        "end_date": "2026-10-01T10:00:06Z", "state": "success", "try_number": 2, "max_tries": 3, "hostname": "worker-1",
        "unixname": "airflow", "pool": "default_pool", "queue": "default", "operator": "TriggerDagRunOperator",
        "rendered_fields": fields, "executor_config": "{}",
    })
}

fn xcom() -> Value {
    json!({
        "key": "trigger_run_id", "timestamp": "2026-10-01T10:00:06Z", "logical_date": "2026-10-01T10:00:00Z",
        "map_index": -1, "task_id": "start_child", "dag_id": "release", "run_id": PARENT, "value": CHILD,
    })
}

#[test]
fn a_run_and_what_it_was_given() {
    let secret = marker("conf");
    let page = json!({"dag_runs": [dag_run("release", PARENT, json!({"to": "prod", "auth": {"key": secret}}))], "total_entries": 1});
    let (evidence, texts) = read_file("runs.json", &page.to_string());
    let run = only_run(&evidence);
    assert_eq!((run.workflow_name.as_deref(), run.actor.as_deref()), (Some("release"), Some("ana")));
    assert_eq!((run.event.as_deref(), run.conclusion.as_deref()), (Some("manual"), Some("success")));
    assert_eq!(evidence.triggers[0].kind, "api");
    let sent = handoff(&evidence, "api_other");
    assert_eq!((sent.child_run_key, sent.credential_subject.as_deref()), (Some(run.run_key), Some("ana")));
    assert_eq!(inputs(&evidence, sent), [("auth.key", "token_like"), ("to", "enum")]);
    assert_eq!(places(&texts, &secret), ["handoff_input"]);
}

#[test]
fn the_xcom_of_the_operator_links_parent_and_child_exactly() {
    let task =
        task(json!({"trigger_dag_id": "deploy", "trigger_run_id": null, "conf": {"to": "prod"}})).to_string();
    let mut child = dag_run("deploy", CHILD, json!({"to": "prod", "by": "release"}));
    child["triggered_by"] = json!("operator");
    let (xcom, child) = (xcom().to_string(), child.to_string());
    let other = dag_run("other", CHILD, json!({})).to_string();
    let all =
        linked(&[("task.json", &task), ("xcom.json", &xcom), ("child.json", &child), ("other.json", &other)]);
    let [handoff] = all.handoffs.as_slice() else { panic!("one handoff: {:#?}", all.handoffs) };
    assert_eq!((handoff.link_method.as_str(), handoff.confidence), ("explicit_id", 1.0));
    let child = all.runs.iter().find(|run| run.workflow_name.as_deref() == Some("deploy")).unwrap();
    assert_eq!((handoff.child_run_key, handoff.mechanism.as_str()), (Some(child.run_key), "child_run"));
    assert_eq!(handoff.parent_job_key, Some(job(&all, "start_child").job_key));
    assert_eq!(inputs(&all, handoff), [("by", "enum"), ("to", "enum")]);
}

#[test]
fn a_run_id_in_the_fields_links_without_an_xcom() {
    let fields =
        json!({"trigger_dag_id": "deploy", "trigger_run_id": "release-7", "conf": "{\"to\": \"prod\"}"});
    let (evidence, _) = read_file("task.json", &task(fields).to_string());
    let (child, _) = read_file("child.json", &dag_run("deploy", "release-7", json!({})).to_string());
    let sent = handoff(&evidence, "child_run");
    assert_eq!(sent.child_run_key, Some(only_run(&child).run_key));
    assert_eq!(inputs(&evidence, sent), [("to", "enum")], "a conf in text is read too");
    let step = &evidence.steps[0];
    assert_eq!((step.number, step.name.as_str()), (Some(2), "attempt 2"));
}

#[test]
fn version_1_is_read_too() {
    let run = json!({"conf": {}, "dag_id": "etl", "dag_run_id": "scheduled__2026-10-01T00:00:00+00:00", "data_interval_end": null,
        "end_date": null, "execution_date": "2026-10-01T00:00:00+00:00", "external_trigger": false, "logical_date": "2026-10-01T00:00:00+00:00",
        "run_type": "scheduled", "start_date": "2026-10-01T00:00:01+00:00", "state": "running", "note": null});
    let (evidence, _) = read_file("run.json", &run.to_string());
    assert_eq!(only_run(&evidence).status.as_deref(), Some("in_progress"));
    assert_eq!(evidence.triggers[0].kind, "schedule");
    assert_eq!(evidence.handoffs, [], "nothing was handed over");
    // Its XComs do not say of which run they are.
    let secret = marker("left");
    let xcom = json!({"key": "return_value", "timestamp": "2026-10-01T00:00:06Z", "execution_date": "2026-10-01T00:00:00Z",
        "map_index": -1, "task_id": "t", "dag_id": "etl", "value": secret});
    let (evidence, texts) = read_file("xcom.json", &xcom.to_string());
    problem(&evidence, "xcom.json", "incomplete");
    assert_eq!(texts.count(&secret), 1);
}

fn log_2(secret: &str) -> String {
    format!(
        "*** Found local files:\n***   * /opt/airflow/logs/dag_id=etl/run_id={PARENT}/task_id=load.all/attempt=2.log\n\
[2026-10-01T12:00:01.123+0200] {{taskinstance.py:1103}} INFO - Dependencies all met for dep_context=non-requeueable deps ti=<TaskInstance: etl.load.all {PARENT} [queued]>\n\
[2026-10-01T12:00:01.200+0200] {{taskinstance.py:1308}} INFO - Starting attempt 2 of 3\n\
[2026-10-01T12:00:02.000+0200] {{taskinstance.py:2481}} INFO - Exporting env vars: AIRFLOW_CTX_DAG_OWNER='ana' AIRFLOW_CTX_DAG_ID='etl' AIRFLOW_CTX_TASK_ID='load.all' AIRFLOW_CTX_TRY_NUMBER='2' AIRFLOW_CTX_DAG_RUN_ID='{PARENT}'\n\
[2026-10-01T12:00:03.000+0200] {{base.py:73}} INFO - Using connection ID 'warehouse' for task execution.\n\
[2026-10-01T12:00:03.000+0200] {{logging_mixin.py:188}} INFO - key {secret}\n\
[2026-10-01T12:00:04.000+0200] {{taskinstance.py:1138}} INFO - Marking task as SUCCESS. dag_id=etl, task_id=load.all, run_id={PARENT}, execution_date=20261001T100000, start_date=20261001T100001, end_date=20261001T100004\n"
    )
}

#[test]
fn a_text_log_names_its_task_and_is_scanned_once() {
    let secret = marker("logged");
    let (evidence, texts) = read_file("any.log", &log_2(&secret));
    let run = only_run(&evidence);
    assert_eq!((run.workflow_name.as_deref(), run.platform_run_id.as_deref()), (Some("etl"), Some(PARENT)));
    let load = job(&evidence, "load.all");
    assert_eq!((load.conclusion.as_deref(), load.has_log), (Some("success"), true));
    assert_eq!(load.started_at, Timestamp::parse("2026-10-01T10:00:01.123Z"));
    assert_eq!(evidence.steps[0].number, Some(2));
    assert_eq!(places(&texts, &secret), ["log"]);
    assert_owner(&texts, &secret, load);
    let at = texts.0[0].0.marks.iter().rfind(|mark| mark.at.is_some()).and_then(|mark| mark.at);
    assert_eq!(at, Timestamp::parse("2026-10-01T10:00:04Z"));
    let passed: Vec<_> = evidence.secrets_passed.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(passed, ["connection/warehouse"]);
    assert_eq!(evidence.problems, []);
    // The task instance of the API is the same job, its attempt the same step.
    let mut task = task(json!({}));
    task["dag_id"] = json!("etl");
    task["task_id"] = json!("load.all");
    let all = linked(&[("any.log", &log_2(&secret)), ("task.json", &task.to_string())]);
    assert_eq!((all.jobs.len(), all.steps.len()), (1, 1));
    assert_eq!(all.jobs[0].runner_name.as_deref(), Some("worker-1"));
}

#[test]
fn a_json_log_is_a_log_and_no_structured_file() {
    let secret = marker("logged");
    let lines = [
        json!({"timestamp": "2026-10-01T10:00:01.900Z", "level": "info", "event": "DAG bundles loaded: dags-folder", "logger": "airflow.dag_processing.bundles.manager.DagBundlesManager", "filename": "manager.py", "lineno": 179}),
        json!({"timestamp": "2026-10-01T10:00:02Z", "level": "info", "event": format!("Using connection ID 'api' for task execution."), "task_id": "start_child", "map_index": -1, "run_id": PARENT, "try_number": 1, "ti_id": "x", "dag_id": "release", "logger": "airflow.hooks"}),
        json!({"timestamp": "2026-10-01T10:00:03Z", "level": "info", "event": secret, "chan": "stdout", "logger": "task"}),
        json!({"timestamp": "2026-10-01T10:00:04Z", "level": "info", "event": "Dag Run triggered successfully.", "trigger_dag_id": "deploy", "logger": "task"}),
        json!({"timestamp": "2026-10-01T10:00:05Z", "level": "info", "event": "Waiting for dag run to complete execution in allowed state.", "dag_id": "deploy", "run_id": CHILD, "allowed_state": ["success"], "logger": "task"}),
    ];
    let log = lines.map(|line| line.to_string()).join("\n");
    assert_eq!(kind("a.log", &log), Some(("airflow", "task_log")));
    let (evidence, texts) = read_file("a.log", &log);
    assert_eq!(only_run(&evidence).workflow_name.as_deref(), Some("release"));
    assert_owner(&texts, &secret, job(&evidence, "start_child"));
    assert_eq!((texts.0.len(), places(&texts, &secret)), (1, vec!["log"]));
    let sent = handoff(&evidence, "child_run");
    let (child, _) = read_file("child.json", &dag_run("deploy", CHILD, json!({})).to_string());
    assert_eq!((sent.child_run_key, sent.confidence), (Some(only_run(&child).run_key), 1.0));
    // A line that is cut, as of a running task, costs nothing.
    let (cut, texts) = read_file("a.log", &format!("{log}\n{{\"timestamp\":\"2026"));
    assert_eq!((cut.jobs.len(), texts.count(&secret), cut.problems.len()), (1, 1, 0));
}

#[test]
fn the_folders_of_a_log_name_its_task() {
    let path = format!("logs/dag_id=etl/run_id={PARENT}/task_id=t/map_index=4/attempt=3.log");
    let (evidence, _) = read_file(&path, "{\"event\":\"hello\",\"level\":\"info\"}\n");
    assert_eq!((evidence.jobs[0].name.as_str(), evidence.steps[0].number), ("t", Some(3)));
    let (other, _) =
        read_file(&path.replace("map_index=4", "map_index=5"), "{\"event\":\"hello\",\"level\":\"info\"}\n");
    assert_ne!(evidence.jobs[0].job_key, other.jobs[0].job_key);
    assert_eq!(evidence.evidence_gaps, []);
}

#[test]
fn answers_that_hold_a_log_are_read_as_logs() {
    let secret = marker("logged");
    let events = json!({"content": [
        {"event": "::group::Log message source details"},
        {"event": format!("/usr/local/airflow/logs/dag_id=etl/run_id={PARENT}/task_id=t/attempt=8.log")},
        {"timestamp": "2026-10-01T10:00:03Z", "event": secret, "level": "info", "logger": "task"}], "continuation_token": null});
    let (evidence, texts) = read_file("log.json", &events.to_string());
    assert_eq!(evidence.steps[0].number, Some(8));
    assert_owner(&texts, &secret, job(&evidence, "t"));
    assert_eq!(places(&texts, &secret), ["log"]);
    // Version 1 gives Python's form of a list.
    let content = format!("[('worker-1', '{}')]", log_2(&secret).replace('\'', "\\'").replace('\n', "\\n"));
    let (evidence, texts) =
        read_file("log.json", &json!({"content": content, "continuation_token": "eyJ"}).to_string());
    assert_eq!(only_run(&evidence).platform_run_id.as_deref(), Some(PARENT));
    assert_eq!(texts.count(&secret), 1);
}

#[test]
fn nothing_of_the_document_is_lost() {
    nothing_is_lost("run.json", &dag_run("d", PARENT, json!({"a": {"b": "conf-text"}})));
    nothing_is_lost("task.json", &task(json!({"trigger_dag_id": "x", "conf": {"a": "conf-text"}})));
    nothing_is_lost("xcom.json", &xcom());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_damage_is_survived(document in prop_oneof![
        damaged(dag_run("d", PARENT, json!({"a": {"b": 1}}))),
        damaged(task(json!({"trigger_dag_id": "x", "conf": {}}))),
        damaged(xcom()),
        damaged(json!({"content": [{"event": "a", "logger": "airflow.x", "dag_id": "d"}], "continuation_token": null})),
    ]) {
        survives("a.json", &document.to_string());
    }

    #[test]
    fn any_order_and_damage_of_lines_is_survived(
        lines in proptest::collection::vec(proptest::sample::select(vec![0_usize, 1, 2, 3, 4, 5, 6, 7, 8]), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let log = log_2("x");
        let known: Vec<&str> = log.lines().chain(["{\"event\":\"é\"}", "[", "<TaskInstance: ", "AIRFLOW_CTX_DAG_ID='"]).collect();
        let text = lines.iter().filter_map(|line| known.get(*line)).fold(String::new(), |text, line| text + line + "\n");
        let cut = cut.index(text.len() + 1);
        let text = String::from_utf8_lossy(text.as_bytes().get(..cut).unwrap_or_default()).into_owned();
        prop_assume!(!text.is_empty());
        survives("a.log", &text);
    }
}
