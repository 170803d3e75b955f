//! n8n. Fixtures after the public API reference (`GET /executions/{id}?includeData=true`) and
//! n8n-io/n8n `packages/workflow/src/interfaces.ts` (IRunExecutionData, ITaskData).

use crate::orchestrators::{
    assert_owner, damaged, handoff, inputs, job, kind, linked, marker, nothing_is_lost, only_run, places,
    read_file, survives,
};
use crate::support::problem;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashMap;

fn parent(key: &str) -> Value {
    json!({
        "id": "11711", "finished": true, "mode": "webhook", "retryOf": null, "status": "success",
        "createdAt": "2026-10-01T10:00:00.000Z", "startedAt": "2026-10-01T10:00:00.010Z", "stoppedAt": "2026-10-01T10:00:45.000Z",
        "workflowId": "WUe4y8iYEXNAB6dq",
        "data": {
            "startData": {},
            "resultData": {"lastNodeExecuted": "Run deploy", "runData": {
                "Webhook": [{"startTime": 1_790_848_800_010_i64, "executionIndex": 0, "executionTime": 2, "executionStatus": "success", "source": [],
                    "data": {"main": [[{"json": {"body": {"ref": "main"}}}]]}}],
                "Call API": [{"startTime": 1_790_848_800_020_i64, "executionIndex": 1, "executionTime": 300, "executionStatus": "success",
                    "source": [{"previousNode": "Webhook"}], "data": {"main": [[{"json": {"answer": "forty-two-values"}}]]}}],
                "Ask": [{"startTime": 1_790_848_801_000_i64, "executionIndex": 2, "executionTime": 20_000, "executionStatus": "success",
                    "data": {"main": [[{"json": {"data": {"approved": true}}}]]}}],
                "Run deploy": [{"startTime": 1_790_848_822_000_i64, "executionIndex": 3, "executionTime": 9_000, "executionStatus": "success",
                    "metadata": {"subExecution": {"executionId": "11712", "workflowId": "kXy1deployWFid22"}, "subExecutionsCount": 1},
                    "data": {"main": [[{"json": {"ok": true}}]]}}],
            }},
            "executionData": {"contextData": {}, "nodeExecutionStack": [], "metadata": {}, "waitingExecution": {}, "waitingExecutionSource": {}},
        },
        "workflowData": {"id": "WUe4y8iYEXNAB6dq", "name": "Release", "connections": {}, "nodes": [
            {"id": "a1", "name": "Webhook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "parameters": {"path": "hook"}},
            {"id": "a2", "name": "Call API", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2,
                "parameters": {"url": "https://api.test", "headerParameters": {"parameters": [{"name": "X-Key", "value": key}]}},
                "credentials": {"httpHeaderAuth": {"id": "7", "name": "Prod API"}}},
            {"id": "a3", "name": "Ask", "type": "n8n-nodes-base.slack", "typeVersion": 2.3, "parameters": {"operation": "sendAndWait"}},
            {"id": "a4", "name": "Run deploy", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.2,
                "parameters": {"workflowId": {"__rl": true, "value": "kXy1deployWFid22", "mode": "list", "cachedResultName": "Deploy"}}},
        ]},
    })
}

fn child_data() -> Value {
    json!({
        "parentExecution": {"executionId": "11711", "workflowId": "WUe4y8iYEXNAB6dq"},
        "resultData": {"runData": {"When called": [{
            "startTime": 1_790_848_822_100_i64, "executionIndex": 0, "executionTime": 1, "executionStatus": "success",
            "metadata": {"parentExecution": {"executionId": "11711", "workflowId": "WUe4y8iYEXNAB6dq"}},
            "data": {"main": [[{"json": {"to": "production", "note": "a free text"}}]]}}]}},
    })
}

fn child(data: Value) -> Value {
    json!({
        "id": 11712, "finished": true, "mode": "integrated", "startedAt": "2026-10-01T10:00:22.000Z", "stoppedAt": "2026-10-01T10:00:31.000Z",
        "workflowId": "kXy1deployWFid22", "status": "success", "data": data,
        "workflowData": {"id": "kXy1deployWFid22", "name": "Deploy", "nodes": [], "connections": {}},
    })
}

/// A value in the form of WebReflection/flatted.
fn flatted(value: &Value) -> String {
    fn put(value: &Value, items: &mut Vec<Value>, texts: &mut HashMap<String, usize>) -> Value {
        let at = match value {
            Value::String(text) => *texts.entry(text.clone()).or_insert_with(|| {
                items.push(value.clone());
                items.len() - 1
            }),
            Value::Array(list) => {
                items.push(Value::Null);
                let at = items.len() - 1;
                let members = list.iter().map(|value| put(value, items, texts)).collect();
                items[at] = Value::Array(members);
                at
            }
            Value::Object(members) => {
                items.push(Value::Null);
                let at = items.len() - 1;
                let members =
                    members.iter().map(|(name, value)| (name.clone(), put(value, items, texts))).collect();
                items[at] = Value::Object(members);
                at
            }
            other => return other.clone(),
        };
        Value::String(at.to_string())
    }
    let mut items = Vec::new();
    put(value, &mut items, &mut HashMap::new());
    Value::Array(items).to_string()
}

#[test]
fn nodes_are_jobs_with_what_they_were_given() {
    let key = marker("header");
    let (evidence, texts) = read_file("execution.json", &parent(&key).to_string());
    let run = only_run(&evidence);
    assert_eq!((run.workflow_name.as_deref(), run.event.as_deref()), (Some("Release"), Some("webhook")));
    assert_eq!(run.conclusion.as_deref(), Some("success"));
    assert_eq!(evidence.jobs.len(), 4);
    let call = job(&evidence, "Call API");
    let step = evidence.steps.iter().find(|step| step.job_key == call.job_key).unwrap();
    assert_eq!(
        (step.uses.as_deref(), step.uses_ref.as_deref()),
        (Some("n8n-nodes-base.httpRequest"), Some("4.2"))
    );
    // A key typed into a node stands in clear.
    assert_eq!(places(&texts, &key), ["with_binding"]);
    assert_owner(&texts, &key, call);
    assert_eq!(texts.count(&format!("X-Key={key}")), 1, "beside the name of the header");
    let bound: Vec<_> = evidence.bindings.iter().filter(|row| row.job_key == call.job_key).collect();
    assert!(
        bound.iter().any(|row| row.name == "headerParameters.parameters[0].X-Key" && row.state == "clear")
    );
    let passed: Vec<_> = evidence.secrets_passed.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(passed, ["httpHeaderAuth/Prod API"]);
    assert_eq!(places(&texts, "forty-two-values"), ["job_output"]);
    let [approval] = evidence.approvals.as_slice() else { panic!("one approval") };
    assert_eq!((approval.environment.as_deref(), approval.state.as_str()), (Some("Ask"), "approved"));
    assert_eq!(evidence.problems, []);
}

#[test]
fn sub_executions_are_linked_from_both_sides() {
    let all = linked(&[
        ("parent.json", &parent("x").to_string()),
        ("child.json", &child(child_data()).to_string()),
    ]);
    let [handoff] = all.handoffs.as_slice() else { panic!("one handoff: {:#?}", all.handoffs) };
    assert_eq!((handoff.link_method.as_str(), handoff.confidence), ("explicit_id", 1.0));
    assert_eq!(handoff.parent_job_key, Some(job(&all, "Run deploy").job_key));
    assert_eq!(handoff.child_workflow.as_deref(), Some("Deploy"));
    assert_eq!(inputs(&all, handoff), [("note", "text"), ("to", "enum")]);
    let child = all.runs.iter().find(|run| run.event.as_deref() == Some("child_run")).unwrap();
    assert_eq!(handoff.child_run_key, Some(child.run_key));
}

#[test]
fn flatted_data_gives_the_same_rows() {
    let (plain, _) = read_file("a.json", &child(child_data()).to_string());
    let (flat, texts) = read_file("a.json", &child(Value::from(flatted(&child_data()))).to_string());
    assert_eq!(plain.jobs[0].job_key, flat.jobs[0].job_key);
    assert_eq!(inputs(&flat, handoff(&flat, "child_run")), [("note", "text"), ("to", "enum")]);
    assert_eq!(texts.count("a free text"), 1, "not as it is and unfolded");
    // The row of the database, and the text alone.
    let row = json!({"executionId": 11712, "data": flatted(&child_data()), "workflowData": {"id": "kXy1deployWFid22", "name": "Deploy", "nodes": [], "connections": {}}});
    let (row, _) = read_file("row.json", &row.to_string());
    assert_eq!(row.runs[0].run_key, flat.runs[0].run_key);
    let bare = flatted(&child_data());
    assert_eq!(kind("bare.json", &bare), Some(("n8n", "execution")));
    let (bare, _) = read_file("bare.json", &bare);
    problem(&bare, "bare.json", "incomplete");
    assert_eq!(bare.jobs.len(), 1);
}

#[test]
fn pages_of_executions_are_read_and_those_without_data_said() {
    let short = json!({"id": "1", "workflowId": "w", "mode": "trigger", "status": "error", "startedAt": "2026-10-01T10:00:00Z", "stoppedAt": "2026-10-01T10:00:01Z", "finished": false, "retryOf": "0"});
    let page = json!({"data": [short, parent("x")], "nextCursor": null});
    let (evidence, _) = read_file("page.json", &page.to_string());
    assert_eq!(evidence.runs.len(), 2);
    assert_eq!(evidence.runs[0].conclusion.as_deref(), Some("failure"));
    assert_eq!(handoff(&evidence, "continued_run").child_run_key, Some(evidence.runs[0].run_key));
    assert_eq!(evidence.evidence_gaps.iter().filter(|gap| gap.gap == "no_log").count(), 1);
}

#[test]
fn flatted_data_without_end_is_cut_and_said() {
    let mut items = vec![json!({"resultData": "1"}), json!({"runData": "2"}), json!({"n": "3"})];
    items.extend((3..50).map(|at| json!([(at + 1).to_string(), (at + 1).to_string()])));
    items.push(json!("end"));
    let (evidence, _) = read_file("bomb.json", &Value::Array(items).to_string());
    assert!(problem(&evidence, "bomb.json", "truncated").lossy);
}

#[test]
fn nothing_of_the_document_is_lost() {
    nothing_is_lost("execution.json", &parent("x"));
    nothing_is_lost("child.json", &child(child_data()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_damage_is_survived(document in prop_oneof![damaged(parent("x")), damaged(child(child_data()))]) {
        survives("execution.json", &document.to_string());
    }

    #[test]
    fn any_damage_to_flatted_data_is_survived(
        document in serde_json::from_str(&flatted(&child_data())).map(damaged).expect("JSON"),
    ) {
        survives("execution.json", &child(Value::from(document.to_string())).to_string());
        survives("execution.json", &document.to_string());
    }
}

/// n8n documentation, "Error Trigger node", Error data.
#[test]
fn an_error_workflow_is_told_whose_error_it_is() {
    let secret = marker("error");
    let error = json!({
        "execution": {"id": "11711", "url": "https://n8n.test/execution/11711", "retryOf": "34", "mode": "webhook", "lastNodeExecuted": "Call API",
            "error": {"message": format!("401 for Bearer {secret}"), "stack": "Stacktrace"}},
        "workflow": {"id": "WUe4y8iYEXNAB6dq", "name": "Release"}});
    let handler = json!({
        "id": "11720", "finished": true, "mode": "error", "startedAt": "2026-10-01T10:01:00.000Z", "stoppedAt": "2026-10-01T10:01:01.000Z",
        "workflowId": "errorHandler0001", "status": "success",
        "data": {"resultData": {"runData": {"Error Trigger": [{"startTime": 1_790_848_860_000_i64, "executionIndex": 0, "executionTime": 1,
            "executionStatus": "success", "data": {"main": [[{"json": error}]]}}]}}},
        "workflowData": {"id": "errorHandler0001", "name": "Tell us", "nodes": [], "connections": {}}});
    let evidence =
        linked(&[("parent.json", &parent("k").to_string()), ("handler.json", &handler.to_string())]);
    let (_, texts) = read_file("handler.json", &handler.to_string());
    let told = handoff(&evidence, "error_workflow");
    let run = |id: &str| {
        evidence.runs.iter().find(|run| run.platform_run_id.as_deref() == Some(id)).map(|run| run.run_key)
    };
    assert_eq!((told.parent_run_key, told.child_run_key), (run("11711"), run("11720")));
    assert!(told.parent_run_key.is_some() && told.child_workflow.as_deref() == Some("Tell us"));
    assert_eq!(places(&texts, &secret), ["handoff_input"]);
}
