//! Answers of the REST API: DAG runs, task instances, XComs.

use super::{job_of, run_of, step_of, triggered};
use crate::importer::Recognised;
use crate::link::named_run;
use crate::reader::incomplete;
use crate::value::{text, time};
use crate::workflow::rows::{binding, sent};
use crate::workflow::values::{Owner, Spot, Values, embedded, leaves};
use crate::{Document, TextSink};
use leakgraph_model::tables::{Handoff, Job, Run, Step, Trigger};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;

/// The XCom under which an operator leaves the id of the run it triggered.
const TRIGGERED: &str = "trigger_run_id";

pub(super) fn recognise(value: &Value) -> Option<Recognised> {
    let objects = objects(value);
    let all = |is_one: fn(&Value) -> bool| !objects.is_empty() && objects.iter().all(|object| is_one(object));
    if all(is_dag_run) {
        Some(Recognised::new("dag_run", "`dag_id` and `dag_run_id` with the state of a run"))
    } else if all(is_task_instance) {
        Some(Recognised::new("task_instance", "`dag_id`, `dag_run_id`, `task_id` and `try_number`"))
    } else if all(is_xcom) {
        Some(Recognised::new("xcom", "`key`, `dag_id`, `task_id` and `timestamp`"))
    } else {
        None
    }
}

/// The objects of a page, of an array, or the one itself.
fn objects(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(objects).collect(),
        Value::Object(members) => {
            let list =
                ["dag_runs", "task_instances", "xcom_entries"].iter().find_map(|name| members.get(*name));
            match list.and_then(Value::as_array) {
                Some(items) => items.iter().collect(),
                None => vec![value],
            }
        }
        _ => Vec::new(),
    }
}

fn has(value: &Value, names: &[&str]) -> bool {
    names.iter().all(|name| value.get(name).is_some())
}

fn is_dag_run(value: &Value) -> bool {
    let is_dated =
        has(value, &["logical_date"]) || has(value, &["execution_date"]) || has(value, &["run_after"]);
    has(value, &["dag_id", "dag_run_id", "state"]) && is_dated && !has(value, &["task_id"])
}

fn is_task_instance(value: &Value) -> bool {
    has(value, &["dag_id", "dag_run_id", "task_id", "try_number"])
}

fn is_xcom(value: &Value) -> bool {
    has(value, &["key", "dag_id", "task_id", "timestamp"]) && !has(value, &["try_number"])
}

pub(super) fn import(
    kind: &str,
    document: &Document<'_>,
    value: &Value,
    sink: &mut dyn TextSink,
) -> Evidence {
    let mut evidence = Evidence::default();
    let mut values = Values::new(document, sink);
    let mut nameless = 0;
    for object in objects(value) {
        let kept = match kind {
            "dag_run" => dag_run(document, object, &mut values, &mut evidence),
            "task_instance" => task_instance(document, object, &mut values, &mut evidence),
            _ => xcom(document, object, &mut values, &mut evidence),
        };
        nameless += usize::from(kept.is_none());
        values.rest(kept.unwrap_or_default(), "", object);
        values.take(object);
    }
    values.rest(Owner::default(), "", value);
    evidence.problems.extend(values.finish());
    evidence.problems.extend(incomplete(document, nameless, "objects do not say of which run they are"));
    evidence
}

fn dag_run(
    document: &Document<'_>,
    value: &Value,
    values: &mut Values<'_, '_>,
    evidence: &mut Evidence,
) -> Option<Owner> {
    let (dag, run_id) = (text(value, "/dag_id")?, text(value, "/dag_run_id")?);
    let run = run_of(&dag, &run_id);
    let run_type = text(value, "/run_type");
    let by = text(value, "/triggered_by");
    let (status, conclusion) = outcome(text(value, "/state").as_deref());
    let row = Run {
        run_key: run,
        platform: "airflow".to_owned(),
        platform_run_id: Some(run_id),
        attempt: Some(1),
        workflow_name: Some(dag),
        workflow_sha: text(value, "/bundle_version"),
        event: by
            .clone()
            .filter(|by| by == "operator")
            .map(|_| "child_run".to_owned())
            .or_else(|| run_type.clone()),
        status: Some(status.to_owned()),
        conclusion: conclusion.map(str::to_owned),
        actor: text(value, "/triggering_user_name"),
        created_at: time(value, "/queued_at"),
        started_at: time(value, "/start_date"),
        ended_at: time(value, "/end_date"),
        evidence: "rest".to_owned(),
        source_key: document.source_key,
        ..Run::default()
    };
    evidence.triggers.push(Trigger {
        run_key: run,
        kind: trigger(run_type.as_deref(), by.as_deref()).to_owned(),
        subject_trust: "unknown".to_owned(),
        decided_by: row.actor.clone(),
        decided_at: row.created_at.or(row.started_at),
        source_key: document.source_key,
        ..Trigger::default()
    });
    let owner = Owner::run(run);
    if let Some(conf) = value.get("conf").filter(|conf| conf.as_object().is_some_and(|conf| !conf.is_empty()))
    {
        // Who asked is not said here, unless it was a user; a parent's own evidence is joined.
        let handoff = Handoff {
            handoff_key: Key::of("handoff", &[&run.to_string(), "conf"]),
            child_run_key: Some(run),
            child_workflow: row.workflow_name.clone(),
            credential_kind: if row.actor.is_some() { "user" } else { "unknown" }.to_owned(),
            credential_subject: row.actor.clone(),
            link_method: "explicit_id".to_owned(),
            confidence: 1.0,
            sent_at: row.created_at.or(row.started_at),
            ..sent(
                if by.as_deref() == Some("operator") { "child_run" } else { "api_other" },
                document.source_key,
            )
        };
        values.take(conf);
        let owner = owner.handoff(handoff.handoff_key);
        evidence.handoffs.push(handoff);
        values.inputs(owner, "", conf, evidence);
    }
    evidence.runs.push(row);
    Some(owner)
}

fn trigger(run_type: Option<&str>, triggered_by: Option<&str>) -> &'static str {
    match (run_type, triggered_by) {
        (_, Some("operator")) => "upstream",
        (Some("scheduled"), _) => "schedule",
        (Some("dataset_triggered" | "asset_triggered" | "asset_materialization"), _) => "event",
        (_, Some("rest_api")) => "api",
        _ => "manual",
    }
}

/// Status and conclusion of a state of a DAG run or a task instance.
fn outcome(state: Option<&str>) -> (&'static str, Option<&'static str>) {
    match state {
        Some("success") => ("completed", Some("success")),
        Some("failed" | "upstream_failed") => ("completed", Some("failure")),
        Some("skipped" | "removed") => ("completed", Some("skipped")),
        None | Some("queued" | "scheduled" | "none") => ("queued", None),
        Some(_) => ("in_progress", None),
    }
}

fn task_instance(
    document: &Document<'_>,
    value: &Value,
    values: &mut Values<'_, '_>,
    evidence: &mut Evidence,
) -> Option<Owner> {
    let (dag, run_id, task) =
        (text(value, "/dag_id")?, text(value, "/dag_run_id")?, text(value, "/task_id")?);
    let run = run_of(&dag, &run_id);
    let job = job_of(run, &task, value.get("map_index").and_then(Value::as_i64));
    let conclusion = outcome(text(value, "/state").as_deref()).1.map(str::to_owned);
    evidence.jobs.push(Job {
        job_key: job,
        run_key: run,
        platform_job_id: text(value, "/id"),
        name: task,
        runner_name: text(value, "/hostname").filter(|host| !host.is_empty()),
        labels: text(value, "/queue").into_iter().collect(),
        conclusion: conclusion.clone(),
        started_at: time(value, "/start_date"),
        ended_at: time(value, "/end_date"),
        evidence: "rest".to_owned(),
        source_key: document.source_key,
        ..Job::default()
    });
    let attempt = value.get("try_number").and_then(Value::as_i64).unwrap_or(1).max(1);
    let step = Step {
        step_key: step_of(job, attempt),
        job_key: job,
        number: Some(attempt),
        ordinal: attempt - 1,
        name: format!("attempt {attempt}"),
        kind: "run".to_owned(),
        conclusion,
        started_at: time(value, "/start_date"),
        ended_at: time(value, "/end_date"),
        attribution: "api".to_owned(),
        source_key: document.source_key,
        ..Step::default()
    };
    let owner = Owner::run(run).job(job);
    trigger_dag_run(document, value, owner, triggered(run, job, document.source_key), values, evidence);
    if let Some(fields) = value.get("rendered_fields") {
        for (ordinal, (name, value)) in leaves("", fields).into_iter().enumerate() {
            evidence.bindings.push(binding(&step, "with", &name, Some(&value), ordinal));
        }
        values.value(owner, Spot::step("with_binding", step.step_key), "", fields);
    }
    evidence.steps.push(step);
    Some(owner)
}

/// The run a `TriggerDagRunOperator` started. Its id is in the fields only if the DAG gives one.
fn trigger_dag_run(
    document: &Document<'_>,
    value: &Value,
    owner: Owner,
    mut handoff: Handoff,
    values: &mut Values<'_, '_>,
    evidence: &mut Evidence,
) {
    let Some(dag) = text(value, "/rendered_fields/trigger_dag_id") else { return };
    if let Some(child) =
        text(value, "/rendered_fields/trigger_run_id").filter(|id| !id.is_empty() && id != "None")
    {
        linked(&mut handoff, run_of(&dag, &child));
    }
    handoff.child_workflow = Some(dag);
    handoff.sent_at = time(value, "/start_date");
    let owner = owner.handoff(handoff.handoff_key);
    evidence.handoffs.push(Handoff { source_key: document.source_key, ..handoff });
    if let Some(conf) = value.pointer("/rendered_fields/conf") {
        let parsed = conf.as_str().map(embedded);
        values.inputs(owner, "", parsed.as_ref().unwrap_or(conf), evidence);
        values.take(conf);
    }
}

fn linked(handoff: &mut Handoff, child: Key) {
    handoff.child_run_key = Some(child);
    "explicit_id".clone_into(&mut handoff.link_method);
    handoff.confidence = 1.0;
}

/// A value that a task left for others. Lists leave the value out.
fn xcom(
    document: &Document<'_>,
    value: &Value,
    values: &mut Values<'_, '_>,
    evidence: &mut Evidence,
) -> Option<Owner> {
    let (dag, task) = (text(value, "/dag_id")?, text(value, "/task_id")?);
    // Version 1 has no run id; the value is scanned all the same.
    let run = run_of(&dag, &text(value, "/run_id").or_else(|| text(value, "/dag_run_id"))?);
    let job = job_of(run, &task, value.get("map_index").and_then(Value::as_i64));
    let owner = Owner::run(run).job(job);
    let name = text(value, "/key")?;
    let left = value.get("value");
    if let Some(child) = text(value, "/value").filter(|_| name == TRIGGERED) {
        let mut handoff = triggered(run, job, document.source_key);
        // The DAG of the child is in the operator's fields, not here.
        linked(&mut handoff, named_run("airflow", child.trim_matches('"')));
        handoff.sent_at = time(value, "/timestamp");
        evidence.handoffs.push(handoff);
    }
    if let Some(left) = left {
        match left.as_str() {
            Some(text) => {
                values.take(left);
                values.embedded(owner, Spot::of("job_output"), &name, text);
            }
            None => values.value(owner, Spot::of("job_output"), &name, left),
        }
    }
    Some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_told_by_their_members() {
        let kind = |value: &Value| recognise(value).map(|recognised| recognised.kind);
        let run = json!({"dag_id": "d", "dag_run_id": "r", "state": "success", "logical_date": null});
        assert_eq!(kind(&json!({"dag_runs": [run], "total_entries": 1})), Some("dag_run"));
        let task = json!({"dag_id": "d", "dag_run_id": "r", "task_id": "t", "try_number": 1, "state": null});
        assert_eq!(kind(&task), Some("task_instance"));
        let xcom = json!({"key": "k", "dag_id": "d", "task_id": "t", "timestamp": "", "value": 1});
        assert_eq!(kind(&json!([xcom])), Some("xcom"));
        assert_eq!(kind(&json!([run, task])), None);
        assert_eq!(kind(&json!({"dag_runs": []})), None);
    }

    #[test]
    fn who_triggered_is_told_before_how() {
        assert_eq!(trigger(Some("manual"), Some("operator")), "upstream");
        assert_eq!(trigger(Some("scheduled"), Some("timetable")), "schedule");
        assert_eq!(trigger(Some("manual"), Some("rest_api")), "api");
        assert_eq!(trigger(Some("manual"), None), "manual");
    }
}
