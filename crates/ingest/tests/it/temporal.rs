//! Temporal. Fixtures after temporalio/api `history/v1/message.proto` in JSON, with the members
//! that `tctl workflow show` and `temporal workflow show -o json` print.

use crate::orchestrators::{
    assert_owner, damaged, handoff, inputs, job, kind, linked, marker, only_run, places, read_file, survives,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

const PARENT: &str = "907c8a43-1f57-4f53-b6e2-a15c4a06dde6";
const CHILD: &str = "c18c7335-94e9-4d05-ac7f-06292af3b92c";
const NEXT: &str = "a783dad6-7225-4a0c-838d-65f6d6ba1472";

fn payload(encoding: &str, data: &str) -> Value {
    json!({"metadata": {"encoding": STANDARD.encode(encoding)}, "data": STANDARD.encode(data)})
}

fn payloads(value: &Value) -> Value {
    json!({"payloads": [payload("json/plain", &value.to_string())]})
}

fn event(id: u32, kind: &str, attributes: Value) -> Value {
    let mut first = kind.to_owned();
    first.get_mut(..1).expect("a letter").make_ascii_lowercase();
    json!({
        "eventId": id.to_string(), "eventTime": format!("2026-10-01T10:00:{id:02}.563102721Z"),
        "eventType": kind, "taskId": "2097152", format!("{first}EventAttributes"): attributes,
    })
}

fn parent(secret: &str) -> Value {
    json!({"events": [
        event(1, "WorkflowExecutionStarted", json!({
            "workflowType": {"name": "Release"}, "taskQueue": {"name": "release", "kind": "TASK_QUEUE_KIND_NORMAL"},
            "input": payloads(&json!({"version": "v1.2.3"})), "originalExecutionRunId": PARENT, "firstExecutionRunId": PARENT,
            "identity": "9715@laptop@", "attempt": 1, "workflowId": "release-7", "header": {"fields": {}}})),
        event(2, "WorkflowTaskScheduled", json!({"taskQueue": {"name": "release"}, "attempt": 1})),
        event(5, "ActivityTaskScheduled", json!({
            "activityId": "5", "activityType": {"name": "Publish"}, "taskQueue": {"name": "release"},
            "input": payloads(&json!({"token": secret, "dry": false})), "header": {"fields": {"trace": payload("json/plain", "\"abc\"")}}})),
        event(6, "ActivityTaskStarted", json!({"scheduledEventId": "5", "identity": "worker@host-1", "attempt": 1})),
        event(7, "ActivityTaskCompleted", json!({"scheduledEventId": "5", "startedEventId": "6", "result": payloads(&json!("published")), "identity": "worker@host-1"})),
        event(11, "StartChildWorkflowExecutionInitiated", json!({
            "namespace": "prod", "workflowId": "deploy-7", "workflowType": {"name": "Deploy"}, "taskQueue": {"name": "deploy"},
            "input": payloads(&json!({"to": "production"})), "workflowTaskCompletedEventId": "10"})),
        event(12, "ChildWorkflowExecutionStarted", json!({
            "namespace": "prod", "initiatedEventId": "11", "workflowType": {"name": "Deploy"},
            "workflowExecution": {"workflowId": "deploy-7", "runId": CHILD}})),
        event(13, "StartChildWorkflowExecutionInitiated", json!({"workflowId": "never-7", "workflowType": {"name": "Never"}})),
        event(14, "MarkerRecorded", json!({"markerName": "SideEffect", "details": {"data": payloads(&json!("side-effect-value"))}})),
        event(20, "WorkflowExecutionContinuedAsNew", json!({"newExecutionRunId": NEXT, "workflowType": {"name": "Release"}, "input": payloads(&json!({"cursor": "9"}))})),
    ]})
}

fn child() -> Value {
    json!([
        event(
            1,
            "WorkflowExecutionStarted",
            json!({
            "workflowType": {"name": "Deploy"}, "parentWorkflowNamespace": "prod", "parentInitiatedEventId": "11",
            "parentWorkflowExecution": {"workflowId": "release-7", "runId": PARENT},
            "input": payloads(&json!({"to": "production"})), "originalExecutionRunId": CHILD, "firstExecutionRunId": CHILD, "identity": "1@worker"})
        ),
        event(
            5,
            "WorkflowExecutionSignaled",
            json!({"signalName": "approve", "input": payloads(&json!({"by": "ana"})), "identity": "temporal-cli:ana@laptop"})
        ),
        event(
            9,
            "WorkflowExecutionFailed",
            json!({"failure": {"message": "no"}, "retryState": "RETRY_STATE_RETRY_POLICY_NOT_SET"})
        ),
    ])
}

#[test]
fn activities_are_jobs_and_payloads_are_decoded() {
    let secret = marker("payload");
    let (evidence, texts) = read_file("history.json", &parent(&secret).to_string());
    let run = only_run(&evidence);
    assert_eq!(
        (run.platform_run_id.as_deref(), run.workflow_name.as_deref()),
        (Some(PARENT), Some("Release"))
    );
    assert_eq!((run.conclusion.as_deref(), run.actor.as_deref()), (Some("continued"), Some("9715@laptop@")));
    let publish = job(&evidence, "Publish");
    assert_eq!(
        (publish.conclusion.as_deref(), publish.runner_name.as_deref()),
        (Some("success"), Some("worker@host-1"))
    );
    assert_eq!(publish.labels, ["release"]);
    assert_eq!(places(&texts, &secret), ["with_binding"]);
    assert_owner(&texts, &secret, publish);
    assert_eq!(places(&texts, "published"), ["job_output"]);
    assert_eq!(places(&texts, "side-effect-value"), ["json"], "markers hold payloads too");
    assert_eq!(texts.count(&STANDARD.encode("json/plain")), 0, "no envelope is scanned");
    let bound: Vec<_> = evidence.bindings.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(bound, ["input[0].dry", "input[0].token"]);
    assert_eq!(evidence.problems, []);
    assert_eq!(evidence.evidence_gaps, []);
}

#[test]
fn children_are_linked_by_their_run_ids_from_both_sides() {
    let (parent_only, _) = read_file("parent.json", &parent("x").to_string());
    let known = parent_only.handoffs.iter().filter(|handoff| handoff.mechanism == "child_run");
    let links: Vec<_> = known
        .map(|handoff| (handoff.child_workflow.as_deref().unwrap(), handoff.link_method.as_str()))
        .collect();
    assert_eq!(links, [("Deploy", "explicit_id"), ("Never", "unlinked")]);
    let all = linked(&[("parent.json", &parent("x").to_string()), ("child.json", &child().to_string())]);
    let child = all.runs.iter().find(|run| run.workflow_name.as_deref() == Some("Deploy")).unwrap();
    let to_child: Vec<_> = all
        .handoffs
        .iter()
        .filter(|handoff| handoff.child_run_key == Some(child.run_key) && handoff.mechanism == "child_run")
        .collect();
    let [handoff] = to_child.as_slice() else { panic!("one handoff: {to_child:#?}") };
    assert_eq!(inputs(&all, handoff), [("input[0].to", "enum")], "seen twice, counted once");
    assert_eq!(child.conclusion.as_deref(), Some("failure"));
    assert_eq!(child.event.as_deref(), Some("child_run"));
}

#[test]
fn continued_runs_and_signals_are_handoffs() {
    let (evidence, _) = read_file("parent.json", &parent("x").to_string());
    let next = handoff(&evidence, "continued_run");
    assert_eq!(next.parent_run_key, Some(only_run(&evidence).run_key));
    assert_eq!(inputs(&evidence, next), [("input[0].cursor", "version")]);
    let (evidence, _) = read_file("child.json", &child().to_string());
    let signal = handoff(&evidence, "signal");
    assert_eq!(signal.credential_subject.as_deref(), Some("temporal-cli:ana@laptop"));
    assert_eq!(inputs(&evidence, signal), [("approve[0].by", "enum")]);
}

#[test]
fn payloads_of_a_codec_are_said_to_be_unread() {
    let mut history = parent("x");
    history["events"][2]["activityTaskScheduledEventAttributes"]["input"] =
        json!({"payloads": [payload("binary/encrypted", "….")]});
    let (evidence, _) = read_file("history.json", &history.to_string());
    let gaps: Vec<_> =
        evidence.evidence_gaps.iter().map(|gap| (gap.analytic.as_str(), gap.gap.as_str())).collect();
    assert_eq!(gaps, [("scan", "encoded_payload")]);
}

#[test]
fn payloads_that_the_command_line_decoded_are_read() {
    let secret = marker("short");
    let mut history = parent("x");
    history["events"][2]["activityTaskScheduledEventAttributes"]["input"] = json!([{"token": secret}]);
    let (evidence, texts) = read_file("history.json", &history.to_string());
    assert_owner(&texts, &secret, job(&evidence, "Publish"));
    assert_eq!(texts.count(&secret), 1);
}

#[test]
fn a_later_page_is_a_run_of_no_known_id() {
    let page = json!({"history": {"events": [event(30, "TimerFired", json!({"timerId": "1", "startedEventId": "20"}))]}});
    assert_eq!(kind("page.json", &page.to_string()), Some(("temporal", "event_history")));
    let (evidence, _) = read_file("page.json", &page.to_string());
    assert_eq!(only_run(&evidence).platform_run_id, None);
    assert_eq!(evidence.evidence_gaps[0].gap, "no_run_id");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_damage_is_survived(document in prop_oneof![damaged(parent("x")), damaged(child())]) {
        survives("history.json", &document.to_string());
    }
}

/// Members: temporalio/api `update/v1/message.proto`, and the attributes of the events
/// WorkflowExecutionUpdateAdmitted, …Accepted and …Completed.
#[test]
fn updates_are_handoffs_to_the_run() {
    let secret = marker("update");
    let request = json!({
        "meta": {"updateId": "u-1", "identity": "temporal-cli:ana@laptop"},
        "input": {"header": {"fields": {}}, "name": "rotate", "args": payloads(&json!({"token": secret}))}});
    let history = json!({"events": [
        event(1, "WorkflowExecutionStarted", json!({"workflowType": {"name": "Release"}, "originalExecutionRunId": PARENT, "firstExecutionRunId": PARENT})),
        event(4, "WorkflowExecutionUpdateAccepted", json!({"protocolInstanceId": "u-1", "acceptedRequestMessageId": "u-1/request",
            "acceptedRequestSequencingEventId": "2", "acceptedRequest": request})),
        event(5, "WorkflowExecutionUpdateCompleted", json!({"meta": {"updateId": "u-1"}, "acceptedEventId": "4",
            "outcome": {"success": payloads(&json!("rotated-value"))}})),
    ]});
    let (evidence, texts) = read_file("history.json", &history.to_string());
    let update = handoff(&evidence, "update");
    assert_eq!((update.child_run_key, update.parent_run_key), (Some(only_run(&evidence).run_key), None));
    assert_eq!(update.credential_subject.as_deref(), Some("temporal-cli:ana@laptop"));
    assert_eq!(inputs(&evidence, update), [("rotate[0].token", "token_like")]);
    assert_eq!(places(&texts, &secret), ["handoff_input"]);
    assert_eq!(texts.count("rotated-value"), 1);
}
