//! AWS Step Functions. Fixtures after the API Reference (HistoryEvent, DescribeExecution), the
//! Developer Guide ("Using CloudWatch Logs to log execution history", "Start a new state machine
//! from a running execution", "Wait for a Callback with the Task Token").

use crate::orchestrators::{
    assert_owner, damaged, handoff, inputs, job, kind, linked, marker, nothing_is_lost, only_run, places,
    read_file, survives,
};
use leakgraph_model::Timestamp;
use leakgraph_model::tables::identity_key;
use proptest::prelude::*;
use serde_json::{Value, json};

const PARENT: &str = "arn:aws:states:eu-west-1:123456789012:execution:Release:run-7";
const CHILD: &str = "arn:aws:states:eu-west-1:210987654321:execution:Deploy:0b1c";
const ROLE: &str = "arn:aws:iam::123456789012:role/ReleaseRole";

fn event(id: i64, previous: i64, kind: &str, details: &str, value: Value) -> Value {
    json!({"timestamp": format!("2026-10-01T10:00:{id:02}.983000+00:00"), "type": kind, "id": id, "previousEventId": previous, details: value})
}

fn history(secret: &str) -> Value {
    let child_input =
        json!({"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": PARENT, "to": "production", "secret": secret});
    let start = json!({"StateMachineArn": "arn:aws:states:eu-west-1:210987654321:stateMachine:Deploy", "Input": child_input});
    let answer = json!({"ExecutionArn": CHILD, "SdkHttpMetadata": {"HttpStatusCode": 200}, "StartDate": 1.0});
    let token = marker("AAAAKgAAAAIAAAAA");
    let wait = json!({"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/approvals", "MessageBody": {"TaskToken": token}});
    json!({"events": [
        event(1, 0, "ExecutionStarted", "executionStartedEventDetails", json!({"input": "{\"version\":\"v1.2.3\"}", "inputDetails": {"truncated": false}, "roleArn": ROLE})),
        event(2, 0, "TaskStateEntered", "stateEnteredEventDetails", json!({"name": "Build", "input": "{\"version\":\"v1.2.3\"}", "inputDetails": {"truncated": false}})),
        event(3, 2, "TaskScheduled", "taskScheduledEventDetails", json!({"resourceType": "lambda", "resource": "invoke", "region": "eu-west-1",
            "parameters": "{\"FunctionName\":\"build\",\"Payload\":{\"flag\":\"lambda-parameter\"}}", "taskCredentials": {"roleArn": "arn:aws:iam::555555555555:role/Builder"}})),
        event(4, 3, "TaskStarted", "taskStartedEventDetails", json!({"resourceType": "lambda", "resource": "invoke"})),
        event(5, 4, "TaskSucceeded", "taskSucceededEventDetails", json!({"resourceType": "lambda", "resource": "invoke", "output": "{\"built\":\"lambda-output\"}", "outputDetails": {"truncated": true}})),
        event(6, 5, "TaskStateExited", "stateExitedEventDetails", json!({"name": "Build", "output": "{\"a\":\"state-output\"}"})),
        event(7, 6, "TaskStateEntered", "stateEnteredEventDetails", json!({"name": "Deploy", "input": "{}"})),
        event(8, 7, "TaskScheduled", "taskScheduledEventDetails", json!({"resourceType": "states", "resource": "startExecution.sync:2", "region": "eu-west-1", "parameters": start.to_string()})),
        event(9, 8, "TaskStarted", "taskStartedEventDetails", json!({"resourceType": "states", "resource": "startExecution.sync:2"})),
        event(10, 9, "TaskSubmitted", "taskSubmittedEventDetails", json!({"resourceType": "states", "resource": "startExecution.sync:2", "output": answer.to_string()})),
        event(11, 10, "TaskFailed", "taskFailedEventDetails", json!({"resourceType": "states", "resource": "startExecution.sync:2", "error": "States.TaskFailed", "cause": "child"})),
        event(12, 11, "TaskStateEntered", "stateEnteredEventDetails", json!({"name": "Ask", "input": "{}"})),
        event(13, 12, "TaskScheduled", "taskScheduledEventDetails", json!({"resourceType": "sqs", "resource": "sendMessage.waitForTaskToken", "region": "eu-west-1", "parameters": wait.to_string()})),
        event(14, 13, "ExecutionAborted", "executionAbortedEventDetails", json!({"error": "x"})),
    ]})
}

fn describe(arn: &str, input: &Value) -> Value {
    json!({"executionArn": arn, "stateMachineArn": arn.replace(":execution:", ":stateMachine:").rsplit_once(':').expect("a name").0,
        "name": "x", "status": "SUCCEEDED", "startDate": "2026-10-01T10:00:09.000000+00:00", "stopDate": 1_790_848_850.5,
        "input": input.to_string(), "inputDetails": {"included": true}, "output": "{\"done\":\"described-output\"}", "redriveCount": 0})
}

#[test]
fn task_states_are_jobs_and_roles_identities() {
    let (evidence, texts) = read_file("history.json", &history("x").to_string());
    let run = only_run(&evidence);
    // The history does not name its execution; what it told its child does.
    assert_eq!(
        (run.platform_run_id.as_deref(), run.workflow_name.as_deref()),
        (Some(PARENT), Some("Release"))
    );
    assert_eq!(run.conclusion.as_deref(), Some("cancelled"));
    let outcomes: Vec<_> =
        evidence.jobs.iter().map(|job| (job.name.as_str(), job.conclusion.as_deref())).collect();
    assert_eq!(outcomes, [("Build", Some("success")), ("Deploy", Some("failure")), ("Ask", None)]);
    let build = job(&evidence, "Build");
    let role = |name: &str| {
        let job = job(&evidence, name).job_key;
        let used = evidence.identities_used.iter().find(|used| used.job_key == Some(job)).unwrap();
        assert_eq!(used.how, "assigned");
        (used.identity_key.unwrap(), used.account.clone().unwrap())
    };
    assert_eq!(role("Deploy"), (identity_key("aws", ROLE), "123456789012".to_owned()));
    assert_eq!(role("Build").1, "555555555555", "credentials of the task count more");
    assert_owner(&texts, "lambda-parameter", build);
    assert_eq!(places(&texts, "lambda-parameter"), ["with_binding"]);
    assert_eq!(places(&texts, "lambda-output"), ["job_output"]);
    assert_owner(&texts, "state-output", build);
    let names: Vec<_> = evidence.steps.iter().map(|step| step.name.as_str()).collect();
    assert!(names.contains(&"states:startExecution.sync:2") && names.contains(&"lambda:invoke"), "{names:?}");
    let gaps: Vec<_> = evidence.evidence_gaps.iter().map(|gap| gap.gap.as_str()).collect();
    assert_eq!(gaps, ["truncated"]);
    assert_eq!(evidence.problems, []);
}

#[test]
fn executions_started_are_linked_in_both_directions() {
    let secret = marker("input");
    let history = history(&secret).to_string();
    let input = json!({"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": PARENT, "to": "production"});
    let (evidence, texts) = read_file("history.json", &history);
    let sent = handoff(&evidence, "child_run");
    assert_eq!(sent.crosses, "org", "the child is in another account");
    assert_eq!(sent.credential_subject.as_deref(), Some(ROLE));
    assert_eq!(places(&texts, &secret), ["handoff_input"]);
    let all = linked(&[("history.json", &history), ("child.json", &describe(CHILD, &input).to_string())]);
    let children: Vec<_> = all.handoffs.iter().filter(|handoff| handoff.mechanism == "child_run").collect();
    let [handoff] = children.as_slice() else { panic!("one handoff: {children:#?}") };
    let child = all.runs.iter().find(|run| run.platform_run_id.as_deref() == Some(CHILD)).unwrap();
    assert_eq!((handoff.child_run_key, handoff.confidence), (Some(child.run_key), 1.0));
    assert_eq!(handoff.parent_job_key, Some(job(&all, "Deploy").job_key));
    assert_eq!(child.event.as_deref(), Some("child_run"));
    assert_eq!(
        child.ended_at,
        Timestamp::parse("2026-10-01T10:00:50.5Z"),
        "seconds, as version 1 of the CLI writes"
    );
    let names: Vec<_> = inputs(&all, handoff).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID", "secret", "to"]);
}

#[test]
fn task_tokens_are_capabilities_that_were_handed_on() {
    let (evidence, texts) = read_file("history.json", &history("x").to_string());
    let wait = handoff(&evidence, "callback");
    assert_eq!((wait.credential_kind.as_str(), wait.link_method.as_str()), ("task_token", "unlinked"));
    assert_eq!(inputs(&evidence, wait), [("MessageBody.TaskToken", "token_like"), ("QueueUrl", "url")]);
    assert_eq!(places(&texts, "AAAAKgAAAAIAAAAA"), ["handoff_input"]);
}

/// The history as log events.
fn log_events(history: &Value, arn: &str) -> Vec<Value> {
    let events = history.get("events").and_then(Value::as_array).expect("events");
    let log = |event: &Value| {
        let details =
            event.as_object().expect("an object").iter().find(|(name, _)| name.ends_with("EventDetails"));
        json!({"id": event["id"].to_string(), "type": event["type"], "details": details.expect("details").1,
            "previous_event_id": event["previousEventId"].to_string(), "event_timestamp": "1790848801000", "execution_arn": arn, "redrive_count": "0"})
    };
    events.iter().map(log).collect()
}

#[test]
fn log_events_give_the_rows_of_the_history() {
    let history = history("x");
    let (by_history, _) = read_file("history.json", &history.to_string());
    let events = log_events(&history, PARENT);
    let answer = json!({"events": events.iter().map(|event| json!({"logStreamName": "s", "timestamp": 1, "message": event.to_string(), "eventId": "3"})).collect::<Vec<_>>(), "searchedLogStreams": []});
    let lines = events.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    for (name, content) in [("answer.json", answer.to_string()), ("lines.jsonl", lines)] {
        assert_eq!(kind(name, &content), Some(("step_functions", "execution_log")), "{name}");
        let (by_log, texts) = read_file(name, &content);
        let keys = |evidence: &leakgraph_model::Evidence| {
            let mut keys: Vec<_> = evidence.jobs.iter().map(|job| job.job_key).collect();
            keys.extend(evidence.handoffs.iter().map(|handoff| handoff.handoff_key));
            keys.extend(evidence.steps.iter().map(|step| step.step_key));
            keys
        };
        assert_eq!(keys(&by_log), keys(&by_history), "{name}");
        assert_eq!(places(&texts, "lambda-parameter"), ["with_binding"], "{name}");
        assert_eq!(by_log.identities_used.len(), by_history.identities_used.len(), "{name}");
    }
}

#[test]
fn a_history_that_names_nobody_is_a_run_of_no_known_id() {
    let history = json!({"events": [event(1, 0, "ExecutionStarted", "executionStartedEventDetails", json!({"input": "not json", "roleArn": ROLE}))]});
    let (evidence, texts) = read_file("history.json", &history.to_string());
    assert_eq!(only_run(&evidence).platform_run_id, None);
    assert_eq!(evidence.evidence_gaps[0].gap, "no_run_id");
    assert_eq!(evidence.identities_used[0].run_key, Some(only_run(&evidence).run_key));
    assert_eq!(texts.count("not json"), 1);
}

#[test]
fn lists_of_executions_are_runs() {
    let list = json!({"executions": [describe(PARENT, &json!({})), describe(CHILD, &json!({}))]});
    let (evidence, texts) = read_file("list.json", &list.to_string());
    assert_eq!(evidence.runs.len(), 2);
    assert_eq!(places(&texts, "described-output"), ["job_output", "job_output"]);
}

#[test]
fn nothing_of_the_document_is_lost() {
    nothing_is_lost("history.json", &history("x"));
    nothing_is_lost("child.json", &describe(CHILD, &json!({})));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_damage_is_survived(document in prop_oneof![
        damaged(history("x")),
        damaged(describe(CHILD, &json!({"a": 1}))),
        damaged(Value::Array(log_events(&history("x"), PARENT))),
    ]) {
        survives("history.json", &document.to_string());
        if let Value::Array(events) = document {
            let lines = events.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
            if !lines.is_empty() {
                survives("lines.jsonl", &lines);
            }
        }
    }
}
