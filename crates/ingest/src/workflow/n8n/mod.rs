//! n8n: executions as the public API (`GET /executions?includeData=true`), the editor's API and
//! the database (`execution_data`, whose `data` is flatted) give them.
//!
//! Formats: n8n-io/n8n, `packages/workflow/src/interfaces.ts` (IRunExecutionData, ITaskData,
//! RelatedExecution); WebReflection/flatted, "Format".

mod flatted;

use super::kubernetes::list;
use super::rows::{between, binding, child_run, gap};
use super::values::{Owner, Spot, Values, leaves};
use crate::importer::{Importer, Recognised};
use crate::reader::incomplete;
use crate::value::{text, time};
use crate::{Document, TextSink};
use flatted::{is_flatted, unfold};
use leakgraph_model::tables::{Approval, Job, Problem, Run, SecretPassed, Step, Trigger, job_key, run_key};
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;

const MODES: [&str; 10] =
    ["chat", "cli", "error", "evaluation", "integrated", "internal", "manual", "retry", "trigger", "webhook"];
/// Workflow executions of n8n.
pub(crate) struct N8n;

impl Importer for N8n {
    fn platform(&self) -> &'static str {
        "n8n"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        let executions = executions(value);
        let is_all = !executions.is_empty() && executions.iter().all(|execution| is_execution(execution));
        is_all.then(|| {
            Recognised::new("execution", "executions with `mode` and `workflowId`, or `resultData.runData`")
        })
    }

    fn import_value(
        &self,
        _kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        let mut evidence = Evidence::default();
        let mut values = Values::new(document, sink);
        let mut nameless = 0;
        for (ordinal, value) in executions(value).into_iter().enumerate() {
            let (data, is_cut) = run_data(value);
            if is_cut {
                evidence.problems.push(cut(document));
            }
            let execution = Execution::of(document, ordinal, value, data.as_deref());
            nameless += usize::from(execution.id.is_none());
            execution.import(&mut values, &mut evidence);
            // The unfolded values are gone after this turn, and so are their addresses.
            values.flush();
        }
        evidence.problems.extend(values.finish());
        let reason = "executions do not say of which workflow and execution they are";
        evidence.problems.extend(incomplete(document, nameless, reason));
        evidence
    }
}

fn cut(document: &Document<'_>) -> Problem {
    Problem {
        path: document.path.to_owned(),
        offset: None,
        code: "truncated".to_owned(),
        reason: "flatted data that unfolds without bound was cut".to_owned(),
        lossy: true,
    }
}

/// The executions of a page, of an answer, of an array, or the one itself.
fn executions(value: &Value) -> Vec<&Value> {
    if is_flatted(value) || is_execution(value) {
        return vec![value];
    }
    let inner = value.pointer("/data/results").or_else(|| value.get("data")).unwrap_or(value);
    match inner {
        Value::Array(items) if !is_flatted(inner) => items.iter().collect(),
        Value::Object(_) => vec![inner],
        _ => Vec::new(),
    }
}

fn is_execution(value: &Value) -> bool {
    let has_mode = text(value, "/mode").is_some_and(|mode| MODES.contains(&mode.as_str()));
    let has_times = value.get("startedAt").is_some() || value.get("createdAt").is_some();
    let is_row = value.get("id").is_some()
        && has_mode
        && has_times
        && (value.get("workflowId").is_some() || value.pointer("/workflowData/id").is_some());
    let is_data_row = value.get("executionId").is_some()
        && value.pointer("/workflowData/nodes").is_some_and(Value::is_array)
        && value.get("data").is_some_and(Value::is_string);
    is_row
        || is_data_row
        || value.pointer("/resultData/runData").is_some_and(Value::is_object)
        || is_flatted(value)
}

/// What an execution did, unfolded if it is flatted; and whether that was cut.
fn run_data(value: &Value) -> (Option<Cow<'_, Value>>, bool) {
    let flat = |items: &Value| {
        let (unfolded, is_cut) = unfold(items);
        (Some(Cow::Owned(unfolded)), is_cut)
    };
    if is_flatted(value) {
        return flat(value);
    }
    match value.get("data") {
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(items) if is_flatted(&items) => flat(&items),
            Ok(data) => (Some(Cow::Owned(data)), false),
            Err(_) => (None, false),
        },
        Some(data) => (Some(Cow::Borrowed(data)), false),
        None => (value.get("resultData").map(|_| Cow::Borrowed(value)), false),
    }
}

/// Executions are numbered per instance; the ids of workflows are random.
fn run_of(workflow: &str, execution: &str) -> Key {
    run_key("n8n", workflow, execution, 1)
}

/// The run a `RelatedExecution` names.
fn related(value: Option<&Value>) -> Option<Key> {
    let value = value?;
    Some(run_of(&text(value, "/workflowId")?, &text(value, "/executionId")?))
}

struct Execution<'a> {
    document: &'a Document<'a>,
    value: &'a Value,
    data: Option<&'a Value>,
    id: Option<(String, String)>,
    run: Key,
    nodes: HashMap<String, &'a Value>,
}

impl<'a> Execution<'a> {
    fn of(document: &'a Document<'a>, ordinal: usize, value: &'a Value, data: Option<&'a Value>) -> Self {
        let workflow = text(value, "/workflowId").or_else(|| text(value, "/workflowData/id"));
        let id = text(value, "/executionId").or_else(|| text(value, "/id"));
        let id = workflow.zip(id);
        let run = match &id {
            Some((workflow, id)) => run_of(workflow, id),
            None => {
                let source = document.source_key.to_string();
                Key::of("run", &["source", &source, &document.part.to_string(), &ordinal.to_string()])
            }
        };
        let nodes = list(value, "/workflowData/nodes");
        let nodes = nodes.filter_map(|node| Some((text(node, "/name")?, node))).collect();
        Self { document, value, data, id, run, nodes }
    }

    fn import(&self, values: &mut Values<'_, '_>, evidence: &mut Evidence) {
        self.run_row(evidence);
        self.links(values, evidence);
        let owner = Owner::run(self.run);
        for (name, ordinal, task) in self.tasks() {
            self.job(name, ordinal, task, values, evidence);
        }
        if let Some(data) = self.data {
            values.rest(owner, "data", data);
            values.take(data);
            // A text that was unfolded is not handed over again as it is.
            if let Some(data) = self.value.get("data") {
                values.take(data);
            }
        }
        if !is_flatted(self.value) {
            values.rest(owner, "", self.value);
        }
        let has_data = self.data.is_some_and(|data| data.pointer("/resultData/runData").is_some());
        if !has_data {
            evidence.evidence_gaps.push(gap(
                self.run,
                "runs",
                "handoff_identity",
                "no_log",
                "lower_bound_only",
            ));
        }
    }

    fn run_row(&self, evidence: &mut Evidence) {
        let mode = text(self.value, "/mode");
        let (status, conclusion) = outcome(self.value);
        let (event, kind) = match mode.as_deref() {
            Some("integrated") => ("child_run", "upstream"),
            Some("error") => ("error", "upstream"),
            Some("webhook" | "chat") => ("webhook", "event"),
            Some("trigger") if self.is_scheduled() => ("schedule", "schedule"),
            Some("trigger") => ("trigger", "event"),
            Some("cli") => ("cli", "manual"),
            Some("retry") => ("retry", "manual"),
            Some("manual" | "evaluation") => ("manual", "manual"),
            _ => ("unknown", "api"),
        };
        evidence.runs.push(Run {
            run_key: self.run,
            platform: "n8n".to_owned(),
            platform_run_id: self.id.as_ref().map(|(_, id)| id.clone()),
            attempt: Some(1),
            workflow_name: text(self.value, "/workflowData/name")
                .or_else(|| self.id.as_ref().map(|(workflow, _)| workflow.clone())),
            event: mode.is_some().then(|| event.to_owned()),
            status: status.map(str::to_owned),
            conclusion: conclusion.map(str::to_owned),
            created_at: time(self.value, "/createdAt"),
            started_at: time(self.value, "/startedAt"),
            ended_at: time(self.value, "/stoppedAt"),
            evidence: "rest".to_owned(),
            source_key: self.document.source_key,
            ..Run::default()
        });
        if mode.is_some() {
            evidence.triggers.push(Trigger {
                run_key: self.run,
                kind: kind.to_owned(),
                subject_trust: if event == "webhook" { "external" } else { "unknown" }.to_owned(),
                decided_at: time(self.value, "/startedAt"),
                source_key: self.document.source_key,
                ..Trigger::default()
            });
        }
    }

    fn is_scheduled(&self) -> bool {
        let is_schedule = |name: &str| name.ends_with(".scheduleTrigger") || name.ends_with(".cron");
        list(self.value, "/workflowData/nodes")
            .filter_map(|node| text(node, "/type"))
            .any(|name| is_schedule(&name))
    }

    /// The runs this one came from: a parent, or the one it tries again.
    fn links(&self, values: &mut Values<'_, '_>, evidence: &mut Evidence) {
        let first = self.tasks().into_iter().map(|(_, _, task)| task).min_by_key(|task| order(task));
        let parent = related(self.data.and_then(|data| data.get("parentExecution"))).or_else(|| {
            self.tasks().iter().find_map(|(_, _, task)| related(task.pointer("/metadata/parentExecution")))
        });
        if let Some(parent) = parent {
            let mut handoff = child_run(parent, self.run, self.document.source_key);
            handoff.child_workflow = text(self.value, "/workflowData/name");
            handoff.sent_at = time(self.value, "/startedAt");
            let owner = Owner::run(self.run).handoff(handoff.handoff_key);
            evidence.handoffs.push(handoff);
            // The first node gives what the run was called with.
            for item in first.into_iter().flat_map(items) {
                values.take(item);
                values.inputs(owner, "", item, evidence);
            }
        }
        self.failed(first, values, evidence);
        let before = text(self.value, "/retryOf").zip(self.id.as_ref());
        if let Some((before, (workflow, _))) = before {
            let mut handoff = child_run(run_of(workflow, &before), self.run, self.document.source_key);
            "continued_run".clone_into(&mut handoff.mechanism);
            evidence.handoffs.push(handoff);
        }
    }

    /// The execution whose failure this error workflow was started with: the first node gives
    /// its ids, if it was saved (n8n documentation, "Error Trigger node", Error data).
    fn failed(&self, first: Option<&'a Value>, values: &mut Values<'_, '_>, evidence: &mut Evidence) {
        let is_error = text(self.value, "/mode").as_deref() == Some("error");
        let Some(item) = first.filter(|_| is_error).and_then(|task| items(task).next()) else { return };
        let Some((workflow, id)) = text(item, "/workflow/id").zip(text(item, "/execution/id")) else {
            return;
        };
        let parent = run_of(&workflow, &id);
        let mut handoff = between(Some(parent), Some(self.run), "error_workflow", self.document.source_key);
        handoff.child_workflow = text(self.value, "/workflowData/name");
        handoff.sent_at = time(self.value, "/startedAt");
        let owner = Owner::run(self.run).handoff(handoff.handoff_key);
        evidence.handoffs.push(handoff);
        // Messages of errors quote what failed, requests and their headers included.
        values.take(item);
        values.inputs(owner, "", item, evidence);
    }

    /// Every execution of every node: name, which one, what it did.
    fn tasks(&self) -> Vec<(&'a str, usize, &'a Value)> {
        let nodes = self.data.and_then(|data| data.pointer("/resultData/runData")).and_then(Value::as_object);
        let nodes = nodes.into_iter().flatten();
        nodes
            .flat_map(|(name, tasks)| {
                let tasks = tasks.as_array().into_iter().flatten();
                tasks.enumerate().map(move |(ordinal, task)| (name.as_str(), ordinal, task))
            })
            .collect()
    }

    fn job(
        &self,
        name: &str,
        ordinal: usize,
        task: &'a Value,
        values: &mut Values<'_, '_>,
        evidence: &mut Evidence,
    ) {
        let key = match ordinal {
            0 => job_key(self.run, name),
            ordinal => job_key(self.run, &format!("{name}#{ordinal}")),
        };
        let started =
            task.get("startTime").and_then(Value::as_i64).map(|ms| Timestamp(ms.saturating_mul(1000)));
        let took = task.get("executionTime").and_then(Value::as_i64).unwrap_or(0);
        let ended = started.map(|at| Timestamp(at.0.saturating_add(took.saturating_mul(1000))));
        let failed = task.get("error").is_some_and(|error| !error.is_null());
        let conclusion = match text(task, "/executionStatus").as_deref() {
            Some("success") => Some("success"),
            Some("error" | "crashed") => Some("failure"),
            Some("canceled") => Some("cancelled"),
            Some(_) => None,
            None => Some(if failed { "failure" } else { "success" }),
        };
        let node = self.nodes.get(name).copied();
        evidence.jobs.push(Job {
            job_key: key,
            run_key: self.run,
            platform_job_id: node.and_then(|node| text(node, "/id")),
            name: name.to_owned(),
            conclusion: conclusion.map(str::to_owned),
            started_at: started,
            ended_at: ended,
            evidence: "rest".to_owned(),
            source_key: self.document.source_key,
            ..Job::default()
        });
        let step = Step {
            step_key: Key::of("step", &[&key.to_string(), "node"]),
            job_key: key,
            ordinal: i64::try_from(ordinal).unwrap_or(i64::MAX),
            name: name.to_owned(),
            kind: "action".to_owned(),
            uses: node.and_then(|node| text(node, "/type")),
            uses_ref: node.and_then(|node| text(node, "/typeVersion")),
            conclusion: conclusion.map(str::to_owned),
            started_at: started,
            ended_at: ended,
            attribution: "api".to_owned(),
            source_key: self.document.source_key,
            ..Step::default()
        };
        let owner = Owner::run(self.run).job(key);
        if let Some(node) = node {
            self.given(node, &step, owner, values, evidence);
        }
        for output in items(task) {
            values.value(owner, Spot::step("job_output", step.step_key), "", output);
        }
        self.sub_run(node, task, &step, evidence);
        self.approval(node, task, evidence);
        evidence.steps.push(step);
    }

    /// What a node was given: parameters in clear, credentials by name.
    fn given(
        &self,
        node: &Value,
        step: &Step,
        owner: Owner,
        values: &mut Values<'_, '_>,
        evidence: &mut Evidence,
    ) {
        // A node in a loop runs many times with the same definition.
        let may_share = values.may_share(0);
        if let Some(parameters) = node.get("parameters") {
            let leaves = if may_share { leaves("", parameters) } else { Vec::new() };
            if values.may_share(leaves.len()) {
                for (ordinal, (name, value)) in leaves.into_iter().enumerate() {
                    evidence.bindings.push(binding(step, "with", &name, Some(&value), ordinal));
                }
            }
            values.value(owner, Spot::step("with_binding", step.step_key), "", parameters);
        }
        let credentials = node.get("credentials").and_then(Value::as_object);
        for (kind, credential) in credentials.into_iter().flatten().take_while(|_| values.may_share(1)) {
            let name = text(credential, "/name").or_else(|| text(credential, "/id")).unwrap_or_default();
            evidence.secrets_passed.push(SecretPassed {
                job_key: Some(step.job_key),
                run_key: self.run,
                name: format!("{kind}/{name}"),
                secret_scope: "unknown".to_owned(),
                how: "yaml_reference".to_owned(),
                source_key: self.document.source_key,
            });
        }
    }

    /// A run that a node started ("Execute Sub-workflow").
    fn sub_run(&self, node: Option<&Value>, task: &Value, step: &Step, evidence: &mut Evidence) {
        let Some(child) = related(task.pointer("/metadata/subExecution")) else { return };
        let mut handoff = child_run(self.run, child, self.document.source_key);
        handoff.parent_job_key = Some(step.job_key);
        let name = |pointer: &str| node.and_then(|node| text(node, pointer));
        handoff.child_workflow = name("/parameters/workflowId/cachedResultName")
            .or_else(|| text(task, "/metadata/subExecution/workflowId"));
        handoff.sent_at = step.started_at;
        evidence.handoffs.push(handoff);
    }

    /// The answer to "Send and wait for response".
    fn approval(&self, node: Option<&Value>, task: &Value, evidence: &mut Evidence) {
        let Some(node) =
            node.filter(|node| text(node, "/parameters/operation").as_deref() == Some("sendAndWait"))
        else {
            return;
        };
        let approved = items(task).find_map(|item| item.pointer("/data/approved")?.as_bool());
        let state = match approved {
            Some(true) => "approved",
            Some(false) => "rejected",
            None if text(task, "/executionStatus").as_deref() == Some("waiting") => "pending",
            None => return,
        };
        evidence.approvals.push(Approval {
            run_key: self.run,
            environment: text(node, "/name"),
            reviewer: None,
            reviewer_kind: "unknown".to_owned(),
            state: state.to_owned(),
            self_review: None,
            decided_at: None,
            source_key: self.document.source_key,
        });
    }
}

/// Order of a node's execution in its run.
fn order(task: &Value) -> (i64, i64) {
    let number = |name: &str| task.get(name).and_then(Value::as_i64).unwrap_or(i64::MAX);
    (number("executionIndex"), number("startTime"))
}

/// The items a node gave on its outputs.
fn items(task: &Value) -> impl Iterator<Item = &Value> {
    let outputs = task.pointer("/data/main").and_then(Value::as_array).into_iter().flatten();
    outputs.filter_map(Value::as_array).flatten().filter_map(|item| item.get("json"))
}

fn outcome(value: &Value) -> (Option<&'static str>, Option<&'static str>) {
    let finished = value.get("finished").and_then(Value::as_bool);
    let has_stopped = value.get("stoppedAt").is_some_and(|at| !at.is_null());
    match (text(value, "/status").as_deref(), finished) {
        (Some("success"), _) => (Some("completed"), Some("success")),
        (Some("error" | "crashed" | "failed"), _) => (Some("completed"), Some("failure")),
        (Some("canceled"), _) => (Some("completed"), Some("cancelled")),
        (Some("running" | "waiting"), _) => (Some("in_progress"), None),
        (Some("new"), _) => (Some("queued"), None),
        (_, Some(true)) => (Some("completed"), Some("success")),
        (_, Some(false)) if has_stopped => (Some("completed"), Some("failure")),
        (_, Some(false)) => (Some("in_progress"), None),
        (_, None) => (None, None),
    }
}
