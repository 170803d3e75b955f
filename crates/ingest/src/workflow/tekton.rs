//! Tekton: `PipelineRun`, `TaskRun` and `ApprovalTask` objects as `kubectl get -o json|yaml` and
//! `tkn … -o json` give them.
//!
//! Formats: tektoncd/pipeline, docs/pipelineruns.md, docs/taskruns.md and docs/labels.md (v1 and
//! v1beta1); tektoncd/triggers, labels of what an EventListener creates; Pipelines as Code,
//! labels and annotations of its PipelineRuns; Red Hat, "Using manual approval in OpenShift
//! Pipelines".

use super::kubernetes::{
    annotation, environment, identity, image_pin, is_kind, label, list, names, objects, owner,
};
use super::rows::{binding, child_run, gap};
use super::values::{Owner, Spot, Values};
use crate::importer::{Importer, Recognised};
use crate::reader::incomplete;
use crate::value::{text, time};
use crate::{Document, TextSink};
use leakgraph_model::tables::{
    Approval, IdentityUsed, Job, Run, SecretPassed, Step, Trigger, job_key, run_key,
};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

const GROUP: &str = "tekton.dev";
const APPROVALS: &str = "openshift-pipelines.org";
const LISTENER: &str = "triggers.tekton.dev/eventlistener";

/// Pipelines of Tekton.
pub(crate) struct Tekton;

impl Importer for Tekton {
    fn platform(&self) -> &'static str {
        "tekton"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        let objects = objects(value);
        let is_ours = |object: &&Value| {
            is_kind(object, GROUP, &["PipelineRun", "TaskRun"])
                || is_kind(object, APPROVALS, &["ApprovalTask"])
        };
        let is_all = !objects.is_empty() && objects.iter().all(is_ours);
        is_all.then(|| {
            Recognised::new("pipeline_run", "objects of kind `PipelineRun` or `TaskRun` of `tekton.dev`")
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
        for object in objects(value) {
            let imported =
                Object::of(document, object).map(|object| object.import(&mut values, &mut evidence));
            if imported.is_none() {
                nameless += 1;
                values.rest(Owner::default(), "", object);
            }
        }
        evidence.problems.extend(values.finish());
        evidence.problems.extend(incomplete(document, nameless, "objects have no name: they were never run"));
        evidence
    }
}

/// Runs are named as `childReferences` and labels name them.
fn run_of(namespace: &str, name: &str) -> Key {
    run_key("tekton", namespace, name, 1)
}

struct Object<'a> {
    document: &'a Document<'a>,
    object: &'a Value,
    namespace: String,
    name: String,
    /// Service accounts of single tasks.
    accounts: HashMap<String, String>,
}

impl<'a> Object<'a> {
    fn of(document: &'a Document<'a>, object: &'a Value) -> Option<Self> {
        let (namespace, name) = names(object)?;
        let account = |spec: &Value| {
            let name = text(spec, "/serviceAccountName").or_else(|| text(spec, "/taskServiceAccountName"));
            Some((text(spec, "/pipelineTaskName")?, name?))
        };
        let accounts = list(object, "/spec/taskRunSpecs").filter_map(account).collect();
        Some(Self { document, object, namespace, name, accounts })
    }

    fn import(&self, values: &mut Values<'_, '_>, evidence: &mut Evidence) {
        let run = match text(self.object, "/kind").as_deref() {
            Some("PipelineRun") => self.pipeline_run(values, evidence),
            Some("TaskRun") => {
                // A TaskRun of no pipeline is a run of its own.
                let pipeline = label(self.object, "tekton.dev/pipelineRun");
                let run = run_of(&self.namespace, pipeline.as_deref().unwrap_or(&self.name));
                if pipeline.is_none() {
                    self.run(run, evidence);
                }
                self.task_run(run, &self.name, self.object, values, evidence);
                run
            }
            _ => self.approval_task(evidence),
        };
        values.rest(Owner::run(run), "", self.object);
    }

    fn pipeline_run(&self, values: &mut Values<'_, '_>, evidence: &mut Evidence) -> Key {
        let run = run_of(&self.namespace, &self.name);
        self.run(run, evidence);
        self.parent(run, values, evidence);
        let workspaces = list(self.object, "/spec/workspaces");
        for secret in workspaces.filter_map(|workspace| text(workspace, "/secret/secretName")) {
            evidence.secrets_passed.push(SecretPassed {
                job_key: None,
                run_key: run,
                name: secret,
                secret_scope: "namespace".to_owned(),
                how: "yaml_reference".to_owned(),
                source_key: self.document.source_key,
            });
        }
        for child in list(self.object, "/status/childReferences") {
            self.child(run, child, evidence);
        }
        // v1beta1 before 0.45 kept the status of its TaskRuns in its own.
        let embedded = self.object.pointer("/status/taskRuns").and_then(Value::as_object);
        for (name, task) in embedded.into_iter().flatten() {
            self.task_run(run, name, task, values, evidence);
        }
        run
    }

    fn run(&self, run: Key, evidence: &mut Evidence) {
        let forge = |name: &str| {
            let name = format!("pipelinesascode.tekton.dev/{name}");
            annotation(self.object, &name).or_else(|| label(self.object, &name))
        };
        let listener = label(self.object, LISTENER);
        let is_pipeline = text(self.object, "/kind").as_deref() == Some("PipelineRun");
        let workflow = ["/spec/pipelineRef/name", "/spec/taskRef/name"]
            .iter()
            .find_map(|pointer| text(self.object, pointer))
            .or_else(|| {
                label(self.object, if is_pipeline { "tekton.dev/pipeline" } else { "tekton.dev/task" })
            })
            .or_else(|| Some(text(self.object, "/metadata/generateName")?.trim_end_matches('-').to_owned()));
        let (event, kind) = if let Some(event) = forge("event-type") {
            (event, "event")
        } else if owner(self.object, "PipelineRun").is_some() {
            ("child_run".to_owned(), "upstream")
        } else if listener.is_some() {
            ("eventlistener".to_owned(), "event")
        } else {
            ("create".to_owned(), "api")
        };
        let actor = forge("sender");
        let (status, conclusion) = outcome(self.object);
        evidence.triggers.push(Trigger {
            run_key: run,
            kind: kind.to_owned(),
            subject_trust: "unknown".to_owned(),
            condition: label(self.object, "triggers.tekton.dev/trigger"),
            decided_by: actor.clone().or(listener),
            decided_at: time(self.object, "/metadata/creationTimestamp"),
            source_key: self.document.source_key,
            ..Trigger::default()
        });
        evidence.runs.push(Run {
            run_key: run,
            platform: "tekton".to_owned(),
            platform_run_id: Some(format!("{}/{}", self.namespace, self.name)),
            attempt: Some(1),
            workflow_name: workflow.or_else(|| Some(self.name.clone())),
            event: Some(event),
            status: Some(status.to_owned()),
            conclusion: conclusion.map(str::to_owned),
            head_ref: forge("branch").or_else(|| forge("source-branch")),
            head_sha: forge("sha"),
            actor,
            created_at: time(self.object, "/metadata/creationTimestamp"),
            started_at: time(self.object, "/status/startTime"),
            ended_at: time(self.object, "/status/completionTime"),
            evidence: "rest".to_owned(),
            source_key: self.document.source_key,
            ..Run::default()
        });
    }

    /// The pipeline run that started this one as a task ("Pipelines in pipelines").
    fn parent(&self, run: Key, values: &mut Values<'_, '_>, evidence: &mut Evidence) {
        let Some(parent) = owner(self.object, "PipelineRun") else { return };
        let mut handoff = child_run(run_of(&self.namespace, &parent), run, self.document.source_key);
        handoff.child_workflow = text(self.object, "/spec/pipelineRef/name");
        handoff.sent_at = time(self.object, "/metadata/creationTimestamp");
        let owner = Owner::run(run).handoff(handoff.handoff_key);
        evidence.handoffs.push(handoff);
        for parameter in list(self.object, "/spec/params") {
            if let (Some(name), Some(value)) = (text(parameter, "/name"), parameter.get("value")) {
                values.inputs(owner, &name, value, evidence);
                values.take(value);
            }
        }
    }

    fn child(&self, run: Key, child: &Value, evidence: &mut Evidence) {
        let Some(name) = text(child, "/name") else { return };
        let task = text(child, "/pipelineTaskName");
        match text(child, "/kind").as_deref() {
            Some("TaskRun") => {
                let key = job_key(run, &name);
                self.identity(run, key, self.account_of(task.as_deref()), evidence);
                evidence.jobs.push(Job {
                    job_key: key,
                    run_key: run,
                    platform_job_id: Some(name.clone()),
                    name: task.unwrap_or(name),
                    condition: condition(child),
                    evidence: "rest".to_owned(),
                    source_key: self.document.source_key,
                    ..Job::default()
                });
            }
            Some("PipelineRun") => {
                let child = run_of(&self.namespace, &name);
                let mut handoff = child_run(run, child, self.document.source_key);
                handoff.child_workflow = task;
                evidence.handoffs.push(handoff);
            }
            // Custom tasks have a controller of their own; what they do is not in this file.
            _ => evidence.evidence_gaps.push(gap(
                run,
                "runs",
                "handoff_identity",
                "no_child",
                "lower_bound_only",
            )),
        }
    }

    /// The service account of a task of this pipeline run: its own, or that of the run.
    fn account_of(&self, task: Option<&str>) -> Option<String> {
        let own = task.and_then(|task| self.accounts.get(task).cloned());
        own.or_else(|| text(self.object, "/spec/taskRunTemplate/serviceAccountName"))
            .or_else(|| text(self.object, "/spec/serviceAccountName"))
    }

    fn identity(&self, run: Key, job: Key, name: Option<String>, evidence: &mut Evidence) {
        let row = IdentityUsed {
            job_key: Some(job),
            run_key: Some(run),
            issued_at: time(self.object, "/status/startTime"),
            source_key: self.document.source_key,
            ..IdentityUsed::default()
        };
        evidence.identities_used.push(identity(&self.namespace, name.as_deref(), row));
    }

    /// A TaskRun, or what the status of a PipelineRun holds of one.
    fn task_run(
        &self,
        run: Key,
        name: &str,
        task: &'a Value,
        values: &mut Values<'_, '_>,
        evidence: &mut Evidence,
    ) {
        let key = job_key(run, name);
        let task_name = label(task, "tekton.dev/pipelineTask").or_else(|| text(task, "/pipelineTaskName"));
        let is_own = std::ptr::eq(task, self.object) && text(task, "/kind").as_deref() == Some("TaskRun");
        let account = if is_own {
            text(task, "/spec/serviceAccountName")
        } else {
            self.account_of(task_name.as_deref())
        };
        self.identity(run, key, account, evidence);
        evidence.jobs.push(Job {
            job_key: key,
            run_key: run,
            platform_job_id: Some(name.to_owned()),
            name: task_name.unwrap_or_else(|| name.to_owned()),
            runner_name: text(task, "/status/podName"),
            conclusion: outcome(task).1.map(str::to_owned),
            started_at: time(task, "/status/startTime"),
            ended_at: time(task, "/status/completionTime"),
            condition: condition(task),
            evidence: "rest".to_owned(),
            source_key: self.document.source_key,
            ..Job::default()
        });
        let owner = Owner::run(run).job(key);
        let first = self.steps(owner, key, task, values, evidence);
        if let Some(first) = first {
            for (ordinal, parameter) in list(task, "/spec/params").enumerate() {
                let (Some(name), Some(value)) = (text(parameter, "/name"), parameter.get("value")) else {
                    continue;
                };
                let shown = text(parameter, "/value").unwrap_or_else(|| value.to_string());
                evidence.bindings.push(binding(&first, "inputs", &name, Some(&shown), ordinal));
                values.value(owner, Spot::step("with_binding", first.step_key), &name, value);
            }
        }
        for result in list(task, "/status/results").chain(list(task, "/status/taskResults")) {
            if let (Some(name), Some(value)) = (text(result, "/name"), result.get("value")) {
                values.value(owner, Spot::of("job_output"), &name, value);
            }
        }
        values.rest(owner, "", task);
        values.take(task);
    }

    /// The steps, in the order of the task; the first one.
    fn steps(
        &self,
        owner: Owner,
        job: Key,
        task: &'a Value,
        values: &mut Values<'_, '_>,
        evidence: &mut Evidence,
    ) -> Option<Step> {
        let spec = task.pointer("/status/taskSpec").or_else(|| task.pointer("/spec/taskSpec"));
        let defined: Vec<&Value> = spec.map(|spec| list(spec, "/steps").collect()).unwrap_or_default();
        let states: BTreeMap<String, &Value> =
            list(task, "/status/steps").filter_map(|state| Some((text(state, "/name")?, state))).collect();
        let named = |ordinal: usize, step: &Value| {
            text(step, "/name")
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| format!("unnamed-{ordinal}"))
        };
        let mut steps: Vec<(String, Option<&Value>)> =
            defined.iter().enumerate().map(|(ordinal, step)| (named(ordinal, step), Some(*step))).collect();
        let known: HashSet<String> = steps.iter().map(|(name, _)| name.clone()).collect();
        let others = states.keys().filter(|name| !known.contains(*name));
        steps.extend(others.map(|name| (name.clone(), None)));
        let mut first = None;
        for (ordinal, (name, definition)) in steps.into_iter().enumerate() {
            let step = self.step(job, ordinal, &name, definition, states.get(&name).copied());
            if let Some(definition) = definition {
                environment(definition, &step, owner, values, evidence);
                if let Some(script) = definition.get("script") {
                    values.value(owner, Spot::step("script_echo", step.step_key), "script", script);
                }
            }
            first.get_or_insert_with(|| step.clone());
            evidence.steps.push(step);
        }
        first
    }

    fn step(
        &self,
        job: Key,
        ordinal: usize,
        name: &str,
        definition: Option<&Value>,
        state: Option<&Value>,
    ) -> Step {
        let told = |pointer: &str| state.and_then(|state| text(state, pointer));
        let image = definition.and_then(|step| text(step, "/image")).filter(|image| !image.contains("$("));
        let digest = told("/imageID").and_then(|id| Some(id.split_once("@sha256:")?.1.to_owned()));
        let script = definition.and_then(|step| text(step, "/script"));
        let exit = state.and_then(|state| state.pointer("/terminated/exitCode")).and_then(Value::as_i64);
        Step {
            step_key: Key::of("step", &[&job.to_string(), "name", name]),
            job_key: job,
            ordinal: i64::try_from(ordinal).unwrap_or(i64::MAX),
            name: name.to_owned(),
            kind: if script.is_some() { "run" } else { "container_action" }.to_owned(),
            pinned: image.as_deref().map(|image| image_pin(image).to_owned()),
            uses: image,
            resolved_sha: digest,
            script_bytes: script.and_then(|script| i64::try_from(script.len()).ok()),
            conclusion: exit.map(|code| if code == 0 { "success" } else { "failure" }.to_owned()),
            started_at: state.and_then(|state| time(state, "/terminated/startedAt")),
            ended_at: state.and_then(|state| time(state, "/terminated/finishedAt")),
            attribution: "api".to_owned(),
            source_key: self.document.source_key,
            ..Step::default()
        }
    }

    /// Who answered, of those a manual approval asked.
    fn approval_task(&self, evidence: &mut Evidence) -> Key {
        let pipeline =
            label(self.object, "tekton.dev/pipelineRun").or_else(|| owner(self.object, "PipelineRun"));
        let run = run_of(&self.namespace, pipeline.as_deref().unwrap_or(&self.name));
        let row = |reviewer: Option<String>, state: &str| Approval {
            run_key: run,
            environment: label(self.object, "tekton.dev/pipelineTask").or_else(|| Some(self.name.clone())),
            reviewer_kind: if reviewer.is_some() { "user" } else { "unknown" }.to_owned(),
            reviewer,
            state: state.to_owned(),
            self_review: None,
            decided_at: None,
            source_key: self.document.source_key,
        };
        let mut answered = false;
        for approver in list(self.object, "/spec/approvers") {
            let state = match text(approver, "/input").as_deref() {
                Some("approve") => "approved",
                Some("reject") => "rejected",
                _ => continue,
            };
            answered = true;
            evidence.approvals.push(row(text(approver, "/name"), state));
        }
        if !answered {
            evidence.approvals.push(row(None, "pending"));
        }
        run
    }
}

/// The text of `when` expressions.
fn condition(value: &Value) -> Option<String> {
    let when = value.get("whenExpressions")?;
    when.as_array().is_some_and(|list| !list.is_empty()).then(|| when.to_string())
}

/// Status and conclusion, by the condition `Succeeded`.
fn outcome(value: &Value) -> (&'static str, Option<&'static str>) {
    let condition = list(value, "/status/conditions")
        .find(|condition| text(condition, "/type").as_deref() == Some("Succeeded"));
    let Some(condition) = condition else { return ("queued", None) };
    let reason = text(condition, "/reason").unwrap_or_default();
    match text(condition, "/status").as_deref() {
        Some("True") => ("completed", Some("success")),
        Some("False") if reason.contains("Cancel") => ("completed", Some("cancelled")),
        Some("False") if reason.contains("Timeout") => ("completed", Some("timed_out")),
        Some("False") => ("completed", Some("failure")),
        _ => ("in_progress", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_condition_succeeded_tells_the_outcome() {
        let status = |status: &str, reason: &str| json!({"status": {"conditions": [{"type": "Succeeded", "status": status, "reason": reason}]}});
        assert_eq!(outcome(&status("True", "Completed")), ("completed", Some("success")));
        assert_eq!(outcome(&status("False", "PipelineRunTimeout")), ("completed", Some("timed_out")));
        assert_eq!(outcome(&status("False", "Cancelled")), ("completed", Some("cancelled")));
        assert_eq!(outcome(&status("Unknown", "Running")), ("in_progress", None));
        assert_eq!(outcome(&json!({})), ("queued", None));
    }
}
