//! Timelines: stages, phases, jobs and tasks of a build, and the checks before stages.

use super::super::parts::step_key;
use super::super::values::{Import, Owner};
use super::build::conclusion;
use super::location::Location;
use super::step;
use crate::value::{text, time};
use leakgraph_model::Key;
use leakgraph_model::tables::{Approval, Job, Run, Step, job_key};
use serde_json::Value;
use std::collections::HashMap;

/// `GET …/_apis/build/builds/{id}/timeline`
pub(super) fn is_timeline(value: &Value) -> bool {
    let records = value.get("records").and_then(Value::as_array);
    let of_timeline = |record: &Value| {
        let kind = record.get("type").and_then(Value::as_str).unwrap_or("");
        let is_known = matches!(kind, "Stage" | "Phase" | "Job" | "Task") || kind.starts_with("Checkpoint");
        is_known && record.get("id").is_some() && record.get("state").is_some()
    };
    records.is_some_and(|records| !records.is_empty() && records.iter().all(of_timeline))
}

struct Timeline<'v> {
    run_key: Key,
    records: HashMap<&'v str, &'v Value>,
    /// Key of a job by its record.
    jobs: HashMap<&'v str, Key>,
}

pub(super) fn timeline(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let records: Vec<&Value> = value.get("records").and_then(Value::as_array)?.iter().collect();
    // Records link to logs, and logs are of the build.
    let addresses = [value.pointer("/url")].into_iter();
    let addresses = addresses.chain(records.iter().map(|record| record.pointer("/log/url")));
    let by_address =
        addresses.flatten().filter_map(Value::as_str).map(Location::of_url).find(|at| at.key().is_some());
    let location = by_address.unwrap_or_else(|| Location::of_path(import.document.path));
    let run_key = location.key()?;
    let named = records.iter().filter_map(|record| Some((id(record)?, *record)));
    let mut timeline = Timeline { run_key, records: named.collect(), jobs: HashMap::new() };
    import.evidence.runs.push(Run {
        run_key,
        platform: super::PLATFORM.to_owned(),
        platform_run_id: location.build,
        attempt: Some(1),
        evidence: "rest".to_owned(),
        source_key: import.source(),
        ..Run::default()
    });
    let of_kind = |kind: &'static str| {
        let is_kind = move |record: &&&Value| record.get("type").and_then(Value::as_str) == Some(kind);
        records.iter().filter(is_kind).copied().collect::<Vec<_>>()
    };
    let jobs = of_kind("Job");
    for record in &jobs {
        let name = text(record, "/name").unwrap_or_default();
        let is_only = jobs.iter().filter(|job| text(job, "/name").as_ref() == Some(&name)).count() == 1;
        timeline.job(import, record, &name, is_only);
    }
    for record in of_kind("Task") {
        timeline.task(import, record);
    }
    for record in of_kind("Checkpoint.Approval") {
        timeline.approval(import, record);
    }
    let owner = Owner { run: Some(run_key), ..Owner::default() };
    import.rest(owner, value, &[]);
    Some(run_key)
}

fn id(record: &Value) -> Option<&str> {
    record.get("id").and_then(Value::as_str)
}

impl<'v> Timeline<'v> {
    /// The nearest record above of this kind. Hostile files may hold circles.
    fn above(&self, record: &Value, kind: &str) -> Option<&'v Value> {
        let mut record = record;
        for _ in 0..8 {
            let parent = *self.records.get(record.get("parentId")?.as_str()?)?;
            if parent.get("type").and_then(Value::as_str) == Some(kind) {
                return Some(parent);
            }
            record = parent;
        }
        None
    }

    fn job(&mut self, import: &mut Import<'_, '_>, record: &'v Value, name: &str, is_only: bool) {
        let stage = self.above(record, "Stage").and_then(|stage| text(stage, "/name"));
        // Names are of a stage; where they are not unique, the stage tells.
        let name = match stage {
            Some(stage) if !is_only => format!("{stage} / {name}"),
            _ => name.to_owned(),
        };
        let job_key = job_key(self.run_key, &name);
        if let Some(id) = id(record) {
            self.jobs.insert(id, job_key);
        }
        let worker = text(record, "/workerName");
        let is_hosted = worker
            .as_ref()
            .map(|name| name.starts_with("Azure Pipelines") || name.starts_with("Hosted Agent"));
        let runner_kind = match is_hosted {
            Some(true) => "hosted",
            Some(false) => "self_hosted",
            None => "unknown",
        };
        import.evidence.jobs.push(Job {
            job_key,
            run_key: self.run_key,
            platform_job_id: text(record, "/id"),
            name,
            runner_kind: Some(runner_kind.to_owned()),
            runner_name: worker,
            conclusion: conclusion(record, "/result"),
            started_at: time(record, "/startTime"),
            ended_at: time(record, "/finishTime"),
            evidence: "rest".to_owned(),
            source_key: import.source(),
            ..Job::default()
        });
    }

    fn task(&self, import: &mut Import<'_, '_>, record: &Value) {
        let parent = record.get("parentId").and_then(Value::as_str);
        let Some(job_key) = parent.and_then(|parent| self.jobs.get(parent)).copied() else { return };
        let number = record.get("order").and_then(Value::as_i64);
        let name = text(record, "/name").unwrap_or_default();
        let task = text(record, "/task/name");
        let version = text(record, "/task/version");
        import.evidence.steps.push(Step {
            step_key: step_key(job_key, number, 0),
            job_key,
            number,
            ordinal: number.map_or(0, |number| number.saturating_sub(1)),
            kind: step::kind(&name, task.as_deref()).to_owned(),
            name,
            // A task is given by its major version, and resolved to one.
            pinned: task.as_ref().map(|_| "tag".to_owned()),
            uses_ref: version.clone().filter(|_| task.is_some()),
            uses: task
                .map(|task| version.map_or_else(|| task.clone(), |version| format!("{task}@{version}"))),
            conclusion: conclusion(record, "/result"),
            started_at: time(record, "/startTime"),
            ended_at: time(record, "/finishTime"),
            attribution: "api".to_owned(),
            source_key: import.source(),
            ..Step::default()
        });
    }

    /// A gate before a stage; who passed it is in the answer of the approvals API.
    fn approval(&self, import: &mut Import<'_, '_>, record: &Value) {
        let state = match (text(record, "/state").as_deref(), text(record, "/result").as_deref()) {
            (Some("completed"), Some("succeeded")) => "approved",
            (Some("completed"), Some("failed" | "canceled" | "skipped")) => "rejected",
            (Some("completed"), _) => return,
            _ => "pending",
        };
        import.evidence.approvals.push(Approval {
            run_key: self.run_key,
            environment: self.above(record, "Stage").and_then(|stage| text(stage, "/name")),
            reviewer: None,
            reviewer_kind: "unknown".to_owned(),
            state: state.to_owned(),
            self_review: None,
            decided_at: time(record, "/finishTime"),
            source_key: import.source(),
        });
    }
}
