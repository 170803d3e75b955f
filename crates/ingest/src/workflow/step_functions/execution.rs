//! One execution: its states, the services they called and the executions they started.

use super::event::Event;
use super::{STARTED_BY, account, crosses, machine, outcome, run_of};
use crate::Document;
use crate::value::text;
use crate::workflow::rows::{binding, child_run, gap, sent};
use crate::workflow::values::{Owner, Spot, Values, embedded, leaves};
use leakgraph_model::tables::{Handoff, IdentityUsed, Job, Run, Step, Trigger, identity_key, job_key};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// A task that hands work on: its row and what it hands on.
struct Pending {
    handoff: Handoff,
    job: Option<Key>,
    inputs: Value,
}

/// What came before an event, by its id. Unknown in a part of a history.
#[derive(Default)]
pub(super) struct Before {
    /// The event that entered the state it belongs to.
    entered: HashMap<i64, i64>,
    /// The event that scheduled the task it belongs to.
    scheduled: HashMap<i64, i64>,
}

impl Before {
    pub(super) fn of(events: &[Event<'_>]) -> Self {
        let mut sorted: Vec<&Event<'_>> = events.iter().collect();
        // An event follows one of a lower number, in whatever order they were asked for.
        sorted.sort_by_key(|event| event.id);
        let mut before = Self::default();
        for event in sorted {
            let (id, previous) = (event.id, event.previous);
            if event.kind.ends_with("StateEntered") {
                before.entered.insert(id, id);
                continue;
            }
            if let Some(entered) = before.entered.get(&previous).copied() {
                before.entered.insert(id, entered);
            }
            let scheduled = (event.kind == "TaskScheduled").then_some(id);
            if let Some(scheduled) = scheduled.or_else(|| before.scheduled.get(&previous).copied()) {
                before.scheduled.insert(id, scheduled);
            }
        }
        before
    }
}

/// An execution while its events are read.
pub(super) struct Execution<'a> {
    document: &'a Document<'a>,
    pub(super) run: Run,
    role: Option<String>,
    pub(super) before: Before,
    /// States that ran tasks, by the id of the event that entered them: row of `jobs`.
    states: HashMap<i64, usize>,
    jobs: Vec<Job>,
    roles: HashMap<Key, String>,
    pending: BTreeMap<i64, Pending>,
}

impl<'a> Execution<'a> {
    pub(super) fn of(document: &'a Document<'a>, run: Run) -> Self {
        Self {
            document,
            run,
            role: None,
            before: Before::default(),
            states: HashMap::new(),
            jobs: Vec::new(),
            roles: HashMap::new(),
            pending: BTreeMap::new(),
        }
    }

    pub(super) fn owner(&self) -> Owner {
        Owner::run(self.run.run_key)
    }

    pub(super) fn event(&mut self, event: &Event<'_>, values: &mut Values<'_, '_>, evidence: &mut Evidence) {
        match event.kind.as_str() {
            "ExecutionStarted" => {
                (self.run.created_at, self.run.started_at) = (event.at, event.at);
                self.role = text(event.details, "/roleArn");
                if let Some(input) = event.details.get("input") {
                    self.input(input, values, evidence);
                }
            }
            "TaskStateEntered" => self.state(event, values, evidence),
            "TaskScheduled" | "LambdaFunctionScheduled" | "ActivityScheduled" => {
                self.task(event, values, evidence)
            }
            "TaskSubmitted" | "TaskSucceeded" => self.answer(event),
            "TaskStateExited" => self.exited(event, values),
            "ExecutionSucceeded" | "ExecutionFailed" | "ExecutionAborted" | "ExecutionTimedOut" => {
                let (status, conclusion) = outcome(&event.kind);
                self.run.status = Some(status.to_owned());
                self.run.conclusion = conclusion.map(str::to_owned);
                self.run.ended_at = event.at;
            }
            kind if kind.ends_with("Failed") || kind.ends_with("TimedOut") => self.failed(event),
            _ => {}
        }
        self.texts(event, values);
        let is_truncated = ["/inputDetails/truncated", "/outputDetails/truncated"]
            .iter()
            .any(|pointer| event.details.pointer(pointer) == Some(&Value::Bool(true)));
        if is_truncated {
            evidence.evidence_gaps.push(gap(
                self.run.run_key,
                "runs",
                "scan",
                "truncated",
                "lower_bound_only",
            ));
        }
    }

    fn job_at(&mut self, id: i64) -> Option<&mut Job> {
        let at = *self.states.get(self.before.entered.get(&id)?)?;
        self.jobs.get_mut(at)
    }

    /// What the run was started with, and by which execution.
    pub(super) fn input(&mut self, input: &Value, values: &mut Values<'_, '_>, evidence: &mut Evidence) {
        values.take(input);
        let value = embedded(input.as_str().unwrap_or_default());
        let parent = text(&value, &format!("/{STARTED_BY}")).filter(|arn| arn.starts_with("arn:"));
        let (event, kind) = if parent.is_some() { ("child_run", "upstream") } else { ("start", "api") };
        self.run.event = Some(event.to_owned());
        evidence.triggers.push(Trigger {
            run_key: self.run.run_key,
            kind: kind.to_owned(),
            subject_trust: "unknown".to_owned(),
            decided_at: self.run.started_at,
            source_key: self.document.source_key,
            ..Trigger::default()
        });
        let Some(parent) = parent else {
            for (name, text) in leaves("input", &value) {
                values.text(self.owner(), Spot::of("json"), &name, &text);
            }
            return;
        };
        let mut handoff = child_run(run_of(&parent), self.run.run_key, self.document.source_key);
        handoff.child_workflow.clone_from(&self.run.workflow_name);
        handoff.crosses = crosses(Some(&parent), self.run.platform_run_id.as_deref()).to_owned();
        handoff.sent_at = self.run.started_at;
        let owner = self.owner().handoff(handoff.handoff_key);
        evidence.handoffs.push(handoff);
        values.inputs(owner, "", &value, evidence);
    }

    fn state(&mut self, event: &Event<'_>, values: &mut Values<'_, '_>, evidence: &mut Evidence) {
        let name = text(event.details, "/name").unwrap_or_default();
        // A state may be entered again: the id of the event tells which time.
        let key = job_key(self.run.run_key, &format!("{name}#{}", event.id));
        self.states.insert(event.id, self.jobs.len());
        self.jobs.push(Job {
            job_key: key,
            run_key: self.run.run_key,
            platform_job_id: Some(event.id.to_string()),
            name: name.clone(),
            started_at: event.at,
            evidence: "rest".to_owned(),
            source_key: self.document.source_key,
            ..Job::default()
        });
        let step = self.step(key, event.id, &name, event);
        let Some(input) = event.details.get("input") else { return evidence.steps.push(step) };
        values.take(input);
        let spot = Spot::step("with_binding", step.step_key);
        let value = embedded(input.as_str().unwrap_or_default());
        for (ordinal, (name, text)) in leaves("input", &value).into_iter().enumerate() {
            evidence.bindings.push(binding(&step, "inputs", &name, Some(&text), ordinal));
            values.text(self.owner().job(key), spot, &name, &text);
        }
        evidence.steps.push(step);
    }

    fn step(&self, job: Key, id: i64, name: &str, event: &Event<'_>) -> Step {
        Step {
            step_key: Key::of("step", &[&job.to_string(), "event", &id.to_string()]),
            job_key: job,
            number: Some(id),
            ordinal: id,
            name: name.to_owned(),
            kind: "run".to_owned(),
            started_at: event.at,
            attribution: "api".to_owned(),
            source_key: self.document.source_key,
            ..Step::default()
        }
    }

    /// A call of a service: a step, and a handoff if the service is asked to go on.
    fn task(&mut self, event: &Event<'_>, values: &mut Values<'_, '_>, evidence: &mut Evidence) {
        let job = self.job_at(event.id).map(|job| job.job_key);
        let resource = text(event.details, "/resource").unwrap_or_default();
        let service = text(event.details, "/resourceType").unwrap_or_default();
        if let (Some(job), Some(role)) = (job, text(event.details, "/taskCredentials/roleArn")) {
            self.roles.insert(job, role);
        }
        let name = if service.is_empty() { resource.clone() } else { format!("{service}:{resource}") };
        let owner = job.map_or(self.owner(), |job| self.owner().job(job));
        let parameters = event.details.get("parameters").or_else(|| event.details.get("input"));
        let text = parameters.and_then(Value::as_str).unwrap_or_default();
        if let Some(parameters) = parameters {
            values.take(parameters);
        }
        let step = job.map(|job| self.step(job, event.id, &name, event));
        let is_start = service == "states" && resource.starts_with("startExecution");
        let waits = resource.ends_with(".waitForTaskToken");
        if is_start || waits {
            let pending = self.pending(event, job, is_start, waits, &embedded(text));
            self.pending.insert(event.id, pending);
        } else {
            let spot = Spot { place: "with_binding", step: step.as_ref().map(|step| step.step_key) };
            values.embedded(owner, spot, "parameters", text);
        }
        evidence.steps.extend(step);
    }

    fn pending(
        &self,
        event: &Event<'_>,
        job: Option<Key>,
        is_start: bool,
        waits: bool,
        value: &Value,
    ) -> Pending {
        let of = |pointer: &str| text(value, pointer);
        let target = ["/StateMachineArn", "/FunctionName", "/QueueUrl", "/TopicArn", "/TaskDefinition"];
        let target = target.iter().find_map(|pointer| of(pointer));
        let mechanism = if is_start { "child_run" } else { "callback" };
        let of_run = self.run.run_key.to_string();
        let mut handoff = Handoff {
            handoff_key: Key::of("handoff", &[&of_run, mechanism, &event.id.to_string()]),
            parent_run_key: Some(self.run.run_key),
            parent_job_key: job,
            child_workflow: target.as_deref().map(|arn| arn.rsplit(':').next().unwrap_or(arn).to_owned()),
            sent_at: event.at,
            ..sent(mechanism, self.document.source_key)
        };
        // Whoever holds the token of the task decides how the run goes on.
        if waits {
            "task_token".clone_into(&mut handoff.credential_kind);
        }
        if let Some(role) = &self.role {
            handoff.credential_subject = Some(role.clone());
        }
        handoff.crosses = crosses(target.as_deref(), self.run.platform_run_id.as_deref()).to_owned();
        let input = value.get("Input").filter(|_| is_start);
        let inputs = match input {
            Some(Value::String(text)) => embedded(text),
            Some(input) => input.clone(),
            None => value.clone(),
        };
        Pending { handoff, job, inputs }
    }

    /// The child that a task started, from the answer of `StartExecution`.
    fn answer(&mut self, event: &Event<'_>) {
        if text(event.details, "/resourceType").as_deref() != Some("states") {
            return;
        }
        let output = embedded(&text(event.details, "/output").unwrap_or_default());
        let child = text(&output, "/ExecutionArn").or_else(|| text(&output, "/executionArn"));
        let Some(child) = child.filter(|arn| arn.starts_with("arn:")) else { return };
        let scheduled = self.before.scheduled.get(&event.id).copied();
        let known = child_run(self.run.run_key, run_of(&child), self.document.source_key);
        let job = self.job_at(event.id).map(|job| job.job_key);
        let parent = self.run.platform_run_id.clone();
        let crosses = crosses(Some(&child), parent.as_deref()).to_owned();
        // The answer may come twice (submitted, succeeded), and without the request.
        let pending = self.pending.entry(scheduled.unwrap_or(event.id)).or_insert_with(|| Pending {
            handoff: known.clone(),
            job,
            inputs: Value::Null,
        });
        let before = pending.handoff.clone();
        pending.handoff = Handoff {
            parent_job_key: before.parent_job_key.or(job),
            child_workflow: machine(&child).or(before.child_workflow),
            credential_kind: before.credential_kind,
            credential_subject: before.credential_subject,
            sent_at: before.sent_at.or(event.at),
            crosses,
            ..known
        };
    }

    fn exited(&mut self, event: &Event<'_>, values: &mut Values<'_, '_>) {
        let owner = match self.job_at(event.id) {
            Some(job) => {
                job.ended_at = event.at;
                job.conclusion.get_or_insert_with(|| "success".to_owned());
                Owner::run(job.run_key).job(job.job_key)
            }
            None => self.owner(),
        };
        if let Some(output) = event.details.get("output") {
            values.take(output);
            values.embedded(owner, Spot::of("job_output"), "output", output.as_str().unwrap_or_default());
        }
    }

    fn failed(&mut self, event: &Event<'_>) {
        if let Some(job) = self.job_at(event.id) {
            let conclusion = if event.kind.ends_with("TimedOut") { "timed_out" } else { "failure" };
            job.conclusion = Some(conclusion.to_owned());
            job.ended_at = event.at;
        }
    }

    /// Inputs and outputs that no row took, out of their JSON texts.
    fn texts(&mut self, event: &Event<'_>, values: &mut Values<'_, '_>) {
        let owner = match self.job_at(event.id) {
            Some(job) => Owner::run(job.run_key).job(job.job_key),
            None => self.owner(),
        };
        for (name, place) in [("input", "json"), ("output", "job_output"), ("parameters", "json")] {
            let Some(value) = event.details.get(name) else { continue };
            if let Some(text) = value.as_str().filter(|_| values.is_free(value)) {
                values.take(value);
                values.embedded(owner, Spot::of(place), name, text);
            }
        }
    }

    pub(super) fn finish(mut self, values: &mut Values<'_, '_>, evidence: &mut Evidence) -> Key {
        for pending in std::mem::take(&mut self.pending).into_values() {
            let owner = self.owner().handoff(pending.handoff.handoff_key);
            let owner = pending.job.map_or(owner, |job| owner.job(job));
            evidence.handoffs.push(pending.handoff);
            values.inputs(owner, "", &pending.inputs, evidence);
        }
        let row = |role: &str, job: Option<Key>| IdentityUsed {
            job_key: job,
            run_key: Some(self.run.run_key),
            identity_key: Some(identity_key("aws", role)),
            identity_kind: "aws_role".to_owned(),
            how: "assigned".to_owned(),
            account: account(role).map(str::to_owned),
            subject: Some(role.to_owned()),
            issued_at: self.run.started_at,
            join_method: "exact_id".to_owned(),
            confidence: 1.0,
            source_key: self.document.source_key,
            ..IdentityUsed::default()
        };
        for job in &self.jobs {
            let role = self.roles.get(&job.job_key).or(self.role.as_ref());
            evidence.identities_used.extend(role.map(|role| row(role, Some(job.job_key))));
        }
        if self.jobs.is_empty() {
            evidence.identities_used.extend(self.role.as_deref().map(|role| row(role, None)));
        }
        let run = self.run.run_key;
        evidence.jobs.append(&mut self.jobs);
        evidence.runs.push(self.run);
        run
    }
}
