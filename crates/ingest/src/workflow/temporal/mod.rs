//! Temporal: event histories as the UI exports them and `temporal workflow show -o json` (or
//! `tctl workflow show --output_filename`) prints them.
//!
//! Format: temporalio/api, `temporal/api/history/v1/message.proto` in its JSON form. Payloads are
//! base64 of JSON unless a codec of the user encrypts them; the command line shows them decoded.

mod payload;
mod updates;

use super::rows::{binding, child_run, gap, sent};
use super::values::{Owner, Spot, Values, leaves};
use crate::importer::{Importer, Recognised};
use crate::value::{text, time};
use crate::{Document, TextSink};
use leakgraph_model::tables::{Handoff, Job, Run, Step, Trigger, job_key, run_key};
use leakgraph_model::{Evidence, Key};
use payload::{decode, payloads};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// Workflow executions of Temporal.
pub(crate) struct Temporal;

impl Importer for Temporal {
    fn platform(&self) -> &'static str {
        "temporal"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        let first = events(value)?.first()?;
        // Amazon SWF has `eventTimestamp`, Cadence `timestamp`.
        let is_event =
            ["/eventId", "/eventTime", "/eventType"].iter().all(|member| text(first, member).is_some());
        (is_event && attributes(first).is_some()).then(|| {
            Recognised::new("event_history", "events with `eventId`, `eventTime` and `…EventAttributes`")
        })
    }

    fn import_value(
        &self,
        _kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        let events = events(value).map(Vec::as_slice).unwrap_or_default();
        let mut history = History::of(document, events, sink);
        for event in events {
            history.event(event);
        }
        history.finish(value)
    }
}

/// The events of a history, of an answer that holds one, or bare.
fn events(value: &Value) -> Option<&Vec<Value>> {
    value.get("events").or_else(|| value.pointer("/history/events")).unwrap_or(value).as_array()
}

/// What an event is (`workflowExecutionStarted`), and its attributes.
fn attributes(event: &Value) -> Option<(&str, &Value)> {
    let members = event.as_object()?;
    members.iter().find_map(|(name, value)| Some((name.strip_suffix("EventAttributes")?, value)))
}

/// Run ids are unique among all namespaces, and a history does not name its own.
fn run_of(run_id: &str) -> Key {
    run_key("temporal", "", run_id, 1)
}

struct History<'a, 's> {
    document: &'a Document<'a>,
    values: Values<'a, 's>,
    evidence: Evidence,
    run: Run,
    /// Handoffs to children, by the id of the event that asked for them.
    children: BTreeMap<String, (Handoff, &'a Value)>,
    /// Activities, by the id of the event that scheduled them.
    activities: HashMap<String, usize>,
    is_encoded: bool,
}

impl<'a, 's> History<'a, 's> {
    fn of(document: &'a Document<'a>, events: &[Value], sink: &'s mut dyn TextSink) -> Self {
        let run_id = run_id(events);
        let source = document.source_key.to_string();
        let unknown = || Key::of("run", &["source", &source, &document.part.to_string()]);
        let run = Run {
            run_key: run_id.as_deref().map_or_else(unknown, run_of),
            platform: "temporal".to_owned(),
            platform_run_id: run_id.clone(),
            attempt: Some(1),
            status: Some("in_progress".to_owned()),
            evidence: "rest".to_owned(),
            source_key: document.source_key,
            ..Run::default()
        };
        let mut evidence = Evidence::default();
        if run_id.is_none() {
            // A later page of a history.
            evidence.evidence_gaps.push(gap(
                run.run_key,
                "runs",
                "handoff_identity",
                "no_run_id",
                "lower_bound_only",
            ));
        }
        Self {
            document,
            values: Values::new(document, sink),
            evidence,
            run,
            children: BTreeMap::new(),
            activities: HashMap::new(),
            is_encoded: false,
        }
    }

    fn owner(&self) -> Owner {
        Owner::run(self.run.run_key)
    }

    fn event(&mut self, event: &'a Value) {
        let Some((kind, attributes)) = attributes(event) else { return };
        let id = text(event, "/eventId").unwrap_or_default();
        match kind {
            "workflowExecutionStarted" => self.started(event, attributes),
            "startChildWorkflowExecutionInitiated" => self.child_asked(event, attributes, id),
            "childWorkflowExecutionStarted" => self.child_started(attributes),
            "activityTaskScheduled" => self.activity(event, attributes, id),
            "workflowExecutionSignaled" => self.signaled(event, attributes, &id),
            "workflowExecutionUpdateAdmitted" | "workflowExecutionUpdateAccepted" => {
                self.updated(event, attributes)
            }
            "signalExternalWorkflowExecutionInitiated" => self.signals(event, attributes, &id),
            "nexusOperationScheduled" => self.nexus(event, attributes, &id),
            _ => {
                self.activity_event(kind, event, attributes);
                self.ended(kind, event, attributes);
            }
        }
    }

    fn started(&mut self, event: &'a Value, attributes: &'a Value) {
        let at = time(event, "/eventTime");
        let parent = text(attributes, "/parentWorkflowExecution/runId").filter(|id| !id.is_empty());
        let previous = text(attributes, "/continuedExecutionRunId").filter(|id| !id.is_empty());
        let cron = text(attributes, "/cronSchedule").filter(|cron| !cron.is_empty());
        let scheduled = attributes.pointer("/searchAttributes/indexedFields/TemporalScheduledById").is_some();
        let (event, kind) = match (&parent, &previous) {
            _ if cron.is_some() || scheduled => ("schedule", "schedule"),
            (_, Some(_)) => ("continued_run", "upstream"),
            (Some(_), _) => ("child_run", "upstream"),
            _ => ("start", "api"),
        };
        self.run.workflow_name = text(attributes, "/workflowType/name");
        self.run.event = Some(event.to_owned());
        self.run.actor = text(attributes, "/identity").filter(|identity| !identity.is_empty());
        self.run.attempt = Some(1);
        (self.run.created_at, self.run.started_at) = (at, at);
        self.evidence.triggers.push(Trigger {
            run_key: self.run.run_key,
            kind: kind.to_owned(),
            subject_trust: "unknown".to_owned(),
            condition: cron,
            decided_by: self.run.actor.clone(),
            decided_at: at,
            source_key: self.document.source_key,
            ..Trigger::default()
        });
        let by = match (previous, parent) {
            (Some(previous), _) => Some((previous, "continued_run")),
            (None, Some(parent)) => Some((parent, "child_run")),
            (None, None) => None,
        };
        let Some((by, mechanism)) = by else {
            return self.carry(self.owner(), Spot::of("json"), "input", attributes.get("input"));
        };
        let mut handoff = child_run(run_of(&by), self.run.run_key, self.document.source_key);
        mechanism.clone_into(&mut handoff.mechanism);
        handoff.child_workflow = self.run.workflow_name.clone();
        handoff.sent_at = at;
        self.hand_over(handoff, &[("input", attributes.get("input"))]);
    }

    /// Adds a handoff and its inputs.
    fn hand_over(&mut self, handoff: Handoff, inputs: &[(&str, Option<&'a Value>)]) {
        let owner = self.owner().handoff(handoff.handoff_key);
        self.evidence.handoffs.push(handoff);
        for (name, value) in inputs {
            let Some(value) = value else { continue };
            self.values.take(value);
            for (name, decoded) in self.decoded(name, value) {
                self.values.inputs(owner, &name, &decoded, &mut self.evidence);
            }
        }
    }

    /// Payloads on their way to the scanner.
    fn carry(&mut self, owner: Owner, spot: Spot, name: &str, value: Option<&'a Value>) {
        let Some(value) = value else { return };
        self.values.take(value);
        for (name, decoded) in self.decoded(name, value) {
            for (name, text) in leaves(&name, &decoded) {
                self.values.text(owner, spot, &name, &text);
            }
        }
    }

    /// The payloads below a value, decoded; where there are none, the value itself.
    fn decoded(&mut self, name: &str, value: &Value) -> Vec<(String, Value)> {
        let mut found = Vec::new();
        self.is_encoded |= decode(name, value, &mut found);
        found
    }

    fn child_asked(&mut self, event: &'a Value, attributes: &'a Value, id: String) {
        let mut handoff = sent("child_run", self.document.source_key);
        handoff.handoff_key = Key::of("handoff", &[&self.run.run_key.to_string(), "child_run", &id]);
        handoff.parent_run_key = Some(self.run.run_key);
        handoff.child_workflow = text(attributes, "/workflowType/name");
        handoff.sent_at = time(event, "/eventTime");
        self.children.insert(id, (handoff, attributes));
    }

    fn child_started(&mut self, attributes: &Value) {
        let (Some(asked), Some(run_id)) =
            (text(attributes, "/initiatedEventId"), text(attributes, "/workflowExecution/runId"))
        else {
            return;
        };
        let known = child_run(self.run.run_key, run_of(&run_id), self.document.source_key);
        let (handoff, _) = self.children.entry(asked).or_insert_with(|| (known.clone(), &Value::Null));
        *handoff = Handoff {
            child_workflow: handoff.child_workflow.take().or_else(|| text(attributes, "/workflowType/name")),
            sent_at: handoff.sent_at,
            ..known
        };
    }

    fn activity(&mut self, event: &'a Value, attributes: &'a Value, id: String) {
        let activity_id = text(attributes, "/activityId").unwrap_or_else(|| id.clone());
        let name = text(attributes, "/activityType/name").unwrap_or_else(|| activity_id.clone());
        let key = job_key(self.run.run_key, &activity_id);
        let at = time(event, "/eventTime");
        self.evidence.jobs.push(Job {
            job_key: key,
            run_key: self.run.run_key,
            platform_job_id: Some(activity_id),
            name: name.clone(),
            labels: text(attributes, "/taskQueue/name").into_iter().collect(),
            started_at: at,
            evidence: "rest".to_owned(),
            source_key: self.document.source_key,
            ..Job::default()
        });
        let step = Step {
            step_key: Key::of("step", &[&key.to_string(), "activity"]),
            job_key: key,
            name,
            kind: "run".to_owned(),
            started_at: at,
            attribution: "api".to_owned(),
            source_key: self.document.source_key,
            ..Step::default()
        };
        let spot = Spot::step("with_binding", step.step_key);
        let owner = self.owner().job(key);
        if let Some(input) = attributes.get("input") {
            self.values.take(input);
            let decoded = self.decoded("input", input);
            let inputs = decoded.iter().flat_map(|(name, value)| leaves(name, value));
            for (ordinal, (name, text)) in inputs.enumerate() {
                self.evidence.bindings.push(binding(&step, "inputs", &name, Some(&text), ordinal));
                self.values.text(owner, spot, &name, &text);
            }
        }
        self.carry(owner, spot, "header", attributes.get("header"));
        self.activities.insert(id, self.evidence.jobs.len() - 1);
        self.evidence.steps.push(step);
    }

    /// What became of an activity.
    fn activity_event(&mut self, kind: &str, event: &Value, attributes: &'a Value) {
        let Some(at) = text(attributes, "/scheduledEventId").and_then(|id| self.activities.get(&id).copied())
        else {
            return;
        };
        let (Some(job), Some(step)) = (self.evidence.jobs.get_mut(at), self.evidence.steps.get_mut(at))
        else {
            return;
        };
        let conclusion = match kind {
            "activityTaskStarted" => {
                job.runner_name = text(attributes, "/identity");
                return;
            }
            "activityTaskCompleted" => "success",
            "activityTaskFailed" => "failure",
            "activityTaskTimedOut" => "timed_out",
            "activityTaskCanceled" => "cancelled",
            _ => return,
        };
        job.conclusion = Some(conclusion.to_owned());
        job.ended_at = time(event, "/eventTime");
        step.conclusion.clone_from(&job.conclusion);
        step.ended_at = job.ended_at;
        let (key, spot) = (job.job_key, Spot::step("job_output", step.step_key));
        self.carry(self.owner().job(key), spot, "result", attributes.get("result"));
    }

    /// The end of the run, and the run that goes on for it (continue-as-new, retry, cron).
    fn ended(&mut self, kind: &str, event: &Value, attributes: &'a Value) {
        let conclusion = match kind {
            "workflowExecutionCompleted" => "success",
            "workflowExecutionFailed" => "failure",
            "workflowExecutionTimedOut" => "timed_out",
            "workflowExecutionCanceled" | "workflowExecutionTerminated" => "cancelled",
            "workflowExecutionContinuedAsNew" => "continued",
            _ => return,
        };
        self.run.status = Some("completed".to_owned());
        self.run.conclusion = Some(conclusion.to_owned());
        self.run.ended_at = time(event, "/eventTime");
        self.carry(self.owner(), Spot::of("job_output"), "result", attributes.get("result"));
        if let Some(next) = text(attributes, "/newExecutionRunId").filter(|id| !id.is_empty()) {
            let mut handoff = child_run(self.run.run_key, run_of(&next), self.document.source_key);
            "continued_run".clone_into(&mut handoff.mechanism);
            handoff.child_workflow =
                text(attributes, "/workflowType/name").or_else(|| self.run.workflow_name.clone());
            handoff.sent_at = self.run.ended_at;
            self.hand_over(handoff, &[("input", attributes.get("input"))]);
        }
    }

    /// A signal to this run, by a client or another run.
    fn signaled(&mut self, event: &'a Value, attributes: &'a Value, id: &str) {
        let name = text(attributes, "/signalName").unwrap_or_default();
        let child = self.run.run_key;
        let sender = text(attributes, "/externalWorkflowExecution/runId").filter(|id| !id.is_empty());
        let parent = sender.as_deref().map(run_of);
        let handoff = Handoff {
            handoff_key: match parent {
                Some(parent) => signal_key(parent, child, &name),
                None => Key::of("handoff", &[&child.to_string(), "signal", id]),
            },
            parent_run_key: parent,
            child_run_key: Some(child),
            child_workflow: self.run.workflow_name.clone(),
            credential_subject: text(attributes, "/identity").filter(|identity| !identity.is_empty()),
            link_method: "explicit_id".to_owned(),
            confidence: 1.0,
            sent_at: time(event, "/eventTime"),
            ..sent("signal", self.document.source_key)
        };
        self.hand_over(handoff, &[(&name, attributes.get("input"))]);
    }

    /// A signal from this run to another.
    fn signals(&mut self, event: &'a Value, attributes: &'a Value, id: &str) {
        let name = text(attributes, "/signalName").unwrap_or_default();
        let parent = self.run.run_key;
        let child = text(attributes, "/workflowExecution/runId").filter(|id| !id.is_empty());
        let child = child.as_deref().map(run_of);
        let handoff = Handoff {
            handoff_key: match child {
                Some(child) => signal_key(parent, child, &name),
                None => Key::of("handoff", &[&parent.to_string(), "signal", id]),
            },
            parent_run_key: Some(parent),
            child_run_key: child,
            link_method: if child.is_some() { "explicit_id" } else { "unlinked" }.to_owned(),
            confidence: if child.is_some() { 1.0 } else { 0.0 },
            sent_at: time(event, "/eventTime"),
            ..sent("signal", self.document.source_key)
        };
        self.hand_over(handoff, &[(&name, attributes.get("input"))]);
    }

    fn nexus(&mut self, event: &'a Value, attributes: &'a Value, id: &str) {
        let part = |pointer: &str| text(attributes, pointer).unwrap_or_default();
        let handoff = Handoff {
            handoff_key: Key::of("handoff", &[&self.run.run_key.to_string(), "nexus", id]),
            parent_run_key: Some(self.run.run_key),
            child_workflow: Some(format!(
                "{}/{}/{}",
                part("/endpoint"),
                part("/service"),
                part("/operation")
            )),
            sent_at: time(event, "/eventTime"),
            ..sent("api_other", self.document.source_key)
        };
        let inputs = [("input", attributes.get("input")), ("header", attributes.get("nexusHeader"))];
        self.hand_over(handoff, &inputs);
    }

    fn finish(mut self, value: &'a Value) -> Evidence {
        for (handoff, attributes) in std::mem::take(&mut self.children).into_values() {
            self.hand_over(
                handoff,
                &[("input", attributes.get("input")), ("header", attributes.get("header"))],
            );
        }
        // Markers, memos, failures, queries: payloads too.
        for event in events(value).into_iter().flatten() {
            if let Some((_, attributes)) = attributes(event) {
                let mut found = Vec::new();
                let mut rest = Vec::new();
                payloads("", attributes, &|value| self.values.is_free(value), &mut found);
                for (name, payload) in found {
                    self.values.take(payload);
                    self.is_encoded |= decode(&name, payload, &mut rest);
                }
                for (name, text) in rest.iter().flat_map(|(name, value)| leaves(name, value)) {
                    self.values.text(self.owner(), Spot::of("json"), &name, &text);
                }
            }
        }
        self.values.rest(self.owner(), "", value);
        if self.is_encoded {
            let gap = gap(self.run.run_key, "runs", "scan", "encoded_payload", "lower_bound_only");
            self.evidence.evidence_gaps.push(gap);
        }
        self.evidence.problems.extend(self.values.finish());
        self.evidence.runs.push(self.run);
        self.evidence
    }
}

fn signal_key(parent: Key, child: Key, name: &str) -> Key {
    Key::of("handoff", &[&parent.to_string(), &child.to_string(), "signal", name])
}

/// The run a history is of. After a reset the first event is still that of the run before;
/// the new id is in the failure that the reset wrote.
fn run_id(events: &[Value]) -> Option<String> {
    let all = || events.iter().filter_map(attributes);
    let reset = all().filter(|(kind, _)| *kind == "workflowTaskFailed");
    let reset = reset.filter_map(|(_, attributes)| text(attributes, "/newRunId")).rfind(|id| !id.is_empty());
    let started = || all().find(|(kind, _)| *kind == "workflowExecutionStarted");
    reset.or_else(|| text(started()?.1, "/originalExecutionRunId").filter(|id| !id.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reset_run_has_the_id_the_reset_gave_it() {
        let event = |kind: &str, attributes: Value| json!({format!("{kind}EventAttributes"): attributes});
        let started = event("workflowExecutionStarted", json!({"originalExecutionRunId": "first"}));
        assert_eq!(run_id(std::slice::from_ref(&started)).as_deref(), Some("first"));
        let reset = event("workflowTaskFailed", json!({"baseRunId": "first", "newRunId": "second"}));
        assert_eq!(run_id(&[started, reset]).as_deref(), Some("second"));
    }
}
