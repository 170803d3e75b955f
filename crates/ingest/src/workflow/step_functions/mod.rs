//! AWS Step Functions: `aws stepfunctions get-execution-history`, `describe-execution` and
//! `list-executions`, and the log events of CloudWatch Logs.
//!
//! Formats: AWS Step Functions API Reference, HistoryEvent and DescribeExecution; Developer
//! Guide, "Using CloudWatch Logs to log execution history", "Start a new state machine from a
//! running execution" and "Wait for a Callback with the Task Token".

mod event;
mod execution;

use super::kubernetes::list;
use super::rows::gap;
use super::values::{Owner, Spot, Values, embedded};
use crate::documents;
use crate::importer::{Importer, Recognised};
use crate::value::text;
use crate::{Document, TextSink};
use event::{Event, at, is_history_event, is_log_event, logged};
use execution::{Before, Execution};
use leakgraph_model::tables::{Run, run_key};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;
use std::collections::BTreeMap;

/// Input of a child that names the execution that started it.
const STARTED_BY: &str = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID";

/// Executions of Step Functions.
pub(crate) struct StepFunctions;

impl Importer for StepFunctions {
    fn platform(&self) -> &'static str {
        "step_functions"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        if list(value, "/events").next().is_some_and(is_history_event) {
            return Some(Recognised::new(
                "execution_history",
                "`events` with `previousEventId` and `…EventDetails`",
            ));
        }
        if !logged(value).is_empty() {
            return Some(Recognised::new(
                "execution_log",
                "log events with `execution_arn` and `previous_event_id`",
            ));
        }
        let described = described(value);
        let is_all = !described.is_empty() && described.iter().all(|execution| is_execution(execution));
        is_all.then(|| Recognised::new("execution", "`executionArn` beside `stateMachineArn`"))
    }

    fn import_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        let mut values = Values::new(document, sink);
        let mut evidence = Evidence::default();
        match kind {
            "execution" => {
                for execution in described(value) {
                    describe(document, execution, &mut values, &mut evidence);
                }
                values.rest(Owner::default(), "", value);
            }
            "execution_history" => {
                let events: Vec<Event<'_>> = list(value, "/events").filter_map(Event::of_history).collect();
                let arn = own_arn(&events);
                let run = execute(document, arn.as_deref(), events, &mut values, &mut evidence);
                values.rest(Owner::run(run), "", value);
            }
            _ => match lines(document, value) {
                Lines::First(lines) => {
                    log(document, &lines.iter().collect::<Vec<_>>(), &mut values, &mut evidence)
                }
                Lines::Later => values.take(value),
                Lines::None => log(document, &[value], &mut values, &mut evidence),
            },
        }
        evidence.problems.extend(values.finish());
        evidence
    }
}

/// A log event that is a line of a file: the events of a file belong together, so the first
/// line stands for all.
enum Lines {
    First(Vec<Value>),
    Later,
    None,
}

fn lines(document: &Document<'_>, value: &Value) -> Lines {
    if !is_log_event(value) {
        return Lines::None;
    }
    let mut lines = documents::json(document.bytes).map_while(Result::ok);
    let is_first = |value: Option<&Value>| value.is_some_and(is_log_event);
    if document.part == 0 {
        return Lines::First(lines.filter(is_log_event).collect());
    }
    if is_first(lines.next().as_ref()) { Lines::Later } else { Lines::None }
}

/// Log events, execution by execution.
fn log(document: &Document<'_>, lines: &[&Value], values: &mut Values<'_, '_>, evidence: &mut Evidence) {
    let messages: Vec<_> = lines.iter().flat_map(|value| logged(value)).collect();
    let mut executions: BTreeMap<String, Vec<Event<'_>>> = BTreeMap::new();
    for (_, message) in &messages {
        let Some(event) = Event::of_log(message) else { continue };
        executions.entry(event.arn.clone().unwrap_or_default()).or_default().push(event);
    }
    for (arn, events) in executions {
        execute(document, Some(&arn), events, values, evidence);
    }
    for (envelope, message) in &messages {
        let run = text(message, "/execution_arn").map(|arn| run_of(&arn));
        values.rest(run.map_or_else(Owner::default, Owner::run), "", message);
        values.take(message);
        if let Some(text) = envelope {
            values.take(text);
        }
    }
    for value in lines {
        values.rest(Owner::default(), "", value);
    }
}

/// The executions of a list, or the one itself.
fn described(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        _ => match value.get("executions").and_then(Value::as_array) {
            Some(items) => items.iter().collect(),
            None => vec![value],
        },
    }
}

fn is_execution(value: &Value) -> bool {
    let is_arn = |pointer: &str, kinds: &[&str]| {
        text(value, pointer)
            .is_some_and(|arn| arn.starts_with("arn:") && kinds.iter().any(|kind| arn.contains(kind)))
    };
    is_arn("/executionArn", &[":execution:", ":express:"]) && is_arn("/stateMachineArn", &[":stateMachine:"])
}

/// The ARN names the account, the machine and the execution.
fn run_of(arn: &str) -> Key {
    run_key("step_functions", "", arn, 1)
}

fn account(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

/// The machine of an execution: `arn:…:execution:MACHINE:NAME`.
fn machine(arn: &str) -> Option<String> {
    arn.split(':').nth(6).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// A history does not name its execution; a child that it tells who started it does.
fn own_arn(events: &[Event<'_>]) -> Option<String> {
    let parameters = events.iter().filter_map(|event| text(event.details, "/parameters"));
    parameters
        .filter_map(|parameters| {
            let value = embedded(&parameters);
            let input = value.get("Input")?;
            let input = input.as_str().map_or_else(|| input.clone(), embedded);
            text(&input, &format!("/{STARTED_BY}")).filter(|arn| arn.starts_with("arn:"))
        })
        .next()
}

fn new_run(arn: Option<&str>, key: Key, source_key: Key) -> Run {
    Run {
        run_key: key,
        platform: "step_functions".to_owned(),
        platform_run_id: arn.map(str::to_owned),
        attempt: Some(1),
        workflow_name: arn.and_then(machine),
        evidence: "rest".to_owned(),
        source_key,
        ..Run::default()
    }
}

/// Status and conclusion of a status or of the event that ends an execution.
fn outcome(status: &str) -> (&'static str, Option<&'static str>) {
    match status {
        "SUCCEEDED" | "ExecutionSucceeded" => ("completed", Some("success")),
        "FAILED" | "ExecutionFailed" => ("completed", Some("failure")),
        "ABORTED" | "ExecutionAborted" => ("completed", Some("cancelled")),
        "TIMED_OUT" | "ExecutionTimedOut" => ("completed", Some("timed_out")),
        _ => ("in_progress", None),
    }
}

fn describe(document: &Document<'_>, value: &Value, values: &mut Values<'_, '_>, evidence: &mut Evidence) {
    let Some(arn) = text(value, "/executionArn") else { return };
    let mut run = new_run(Some(&arn), run_of(&arn), document.source_key);
    let (status, conclusion) = outcome(&text(value, "/status").unwrap_or_default());
    run.status = Some(status.to_owned());
    run.conclusion = conclusion.map(str::to_owned);
    (run.started_at, run.ended_at) = (at(value.get("startDate")), at(value.get("stopDate")));
    run.created_at = run.started_at;
    let mut told = Execution::of(document, run);
    if let Some(input) = value.get("input") {
        told.input(input, values, evidence);
    }
    if let Some(output) = value.get("output") {
        values.take(output);
        values.embedded(told.owner(), Spot::of("job_output"), "output", output.as_str().unwrap_or_default());
    }
    values.rest(told.owner(), "", value);
    values.take(value);
    evidence.runs.push(told.run);
}

fn execute(
    document: &Document<'_>,
    arn: Option<&str>,
    events: Vec<Event<'_>>,
    values: &mut Values<'_, '_>,
    evidence: &mut Evidence,
) -> Key {
    let source = document.source_key.to_string();
    let unknown = || Key::of("run", &["source", &source, &document.part.to_string()]);
    let mut run = new_run(arn, arn.map_or_else(unknown, run_of), document.source_key);
    run.status = Some("in_progress".to_owned());
    if arn.is_none() {
        evidence.evidence_gaps.push(gap(
            run.run_key,
            "runs",
            "handoff_identity",
            "no_run_id",
            "lower_bound_only",
        ));
    }
    let mut execution = Execution::of(document, run);
    execution.before = Before::of(&events);
    for event in &events {
        execution.event(event, values, evidence);
    }
    execution.finish(values, evidence)
}

/// Whether two resources are of different accounts; unknown counts as the same.
fn crosses(one: Option<&str>, other: Option<&str>) -> &'static str {
    match (one.and_then(account), other.and_then(account)) {
        (Some(one), Some(other)) if one != other => "org",
        _ => "none",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_name_account_and_machine() {
        let arn = "arn:aws:states:eu-west-1:123456789012:execution:Deploy:run-1";
        assert_eq!((account(arn), machine(arn).as_deref()), (Some("123456789012"), Some("Deploy")));
        let other = "arn:aws:states:eu-west-1:210987654321:stateMachine:Deploy";
        assert_eq!((crosses(Some(arn), Some(other)), crosses(Some(arn), None)), ("org", "none"));
    }
}
