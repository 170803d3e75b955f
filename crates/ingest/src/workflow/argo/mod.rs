//! Argo Workflows: `Workflow` objects as `kubectl get -o json|yaml`, `argo get -o json` and the
//! archive API give them.
//!
//! Formats: argoproj/argo-workflows, `workflow_types.go` (NodeStatus), `workflow/common/common.go`
//! (labels), `workflow/util/util.go` (what resuming a suspended node writes).

mod created;

use super::kubernetes::{environment, identity, image_pin, is_kind, label, list, names, objects, owner};
use super::rows::{binding, child_run, gap};
use super::values::{Owner, Spot, Values};
use crate::importer::{Importer, Recognised};
use crate::reader::incomplete;
use crate::value::{text, time};
use crate::{Document, TextSink};
use leakgraph_model::tables::{Approval, IdentityUsed, Job, Problem, Run, Step, Trigger, job_key, run_key};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;
use std::collections::HashMap;

const GROUP: &str = "argoproj.io";
const LABEL: &str = "workflows.argoproj.io/";

/// Workflows of Argo.
pub(crate) struct Argo;

impl Importer for Argo {
    fn platform(&self) -> &'static str {
        "argo"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        let objects = objects(value);
        let is_all =
            !objects.is_empty() && objects.iter().all(|object| is_kind(object, GROUP, &["Workflow"]));
        is_all.then(|| Recognised::new("workflow", "objects of kind `Workflow` of `argoproj.io`"))
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
            match Workflow::of(document, object) {
                Some(workflow) => workflow.import(&mut values, &mut evidence),
                None => {
                    nameless += 1;
                    values.rest(Owner::default(), "", object);
                }
            }
        }
        evidence.problems.extend(values.finish());
        evidence.problems.extend(incomplete(
            document,
            nameless,
            "workflows have no name: they were never run",
        ));
        evidence
    }
}

/// Runs are named as everything in the cluster names them; their uid is in no other object.
fn run_of(namespace: &str, name: &str) -> Key {
    run_key("argo", namespace, name, 1)
}

struct Workflow<'a> {
    document: &'a Document<'a>,
    object: &'a Value,
    namespace: String,
    run: Key,
    templates: HashMap<String, Template<'a>>,
}

/// A template, and what it creates if it is a `resource`.
struct Template<'a> {
    value: &'a Value,
    manifest: Option<Value>,
}

/// The templates of a workflow: its own, those of its workflow template, and others that were
/// stored with its status.
fn templates(object: &Value) -> HashMap<String, Template<'_>> {
    let stored = object.pointer("/status/storedTemplates").and_then(Value::as_object);
    let mut templates = HashMap::new();
    for value in list(object, "/spec/templates")
        .chain(list(object, "/status/storedWorkflowTemplateSpec/templates"))
        .chain(stored.into_iter().flat_map(|stored| stored.values()))
    {
        let Some(name) = text(value, "/name") else { continue };
        templates.entry(name).or_insert_with(|| Template {
            value,
            manifest: text(value, "/resource/manifest").and_then(|text| created::manifest(&text)),
        });
    }
    templates
}

impl<'a> Workflow<'a> {
    fn of(document: &'a Document<'a>, object: &'a Value) -> Option<Self> {
        let (namespace, name) = names(object)?;
        let run = run_of(&namespace, &name);
        Some(Self { document, object, run, namespace, templates: templates(object) })
    }

    fn import(&self, values: &mut Values<'_, '_>, evidence: &mut Evidence) {
        let run = self.run_row();
        self.trigger(&run, evidence);
        evidence.runs.push(run);
        self.parent(values, evidence);
        for (ordinal, node) in self.nodes().into_iter().enumerate() {
            match text(node, "/type").as_deref() {
                Some("Suspend") => self.approval(node, evidence),
                // Steps, DAG, Retry and the like only hold other nodes.
                Some("Pod" | "Container" | "HTTP" | "Plugin") => self.job(node, ordinal, values, evidence),
                _ => {}
            }
        }
        self.missing_nodes(evidence);
        values.rest(Owner::run(self.run), "", self.object);
    }

    fn label(&self, name: &str) -> Option<String> {
        label(self.object, &format!("{LABEL}{name}"))
    }

    fn run_row(&self) -> Run {
        let phase = text(self.object, "/status/phase");
        let workflow = text(self.object, "/spec/workflowTemplateRef/name")
            .or_else(|| self.label("workflow-template"))
            .or_else(|| self.label("cluster-workflow-template"))
            .or_else(|| self.label("cron-workflow"))
            .or_else(|| Some(text(self.object, "/metadata/generateName")?.trim_end_matches('-').to_owned()));
        let name = text(self.object, "/metadata/name");
        let actor = ["creator-preferred-username", "creator-email", "creator"].into_iter();
        Run {
            run_key: self.run,
            platform: "argo".to_owned(),
            platform_run_id: name.as_ref().map(|name| format!("{}/{name}", self.namespace)),
            attempt: Some(1),
            workflow_name: workflow.or(name),
            event: Some(self.event().to_owned()),
            status: phase.as_deref().map(|phase| status(phase).to_owned()),
            conclusion: phase.as_deref().and_then(conclusion).map(str::to_owned),
            actor: actor.filter_map(|name| self.label(name)).next(),
            created_at: time(self.object, "/metadata/creationTimestamp"),
            started_at: time(self.object, "/status/startedAt"),
            ended_at: time(self.object, "/status/finishedAt"),
            evidence: "rest".to_owned(),
            source_key: self.document.source_key,
            ..Run::default()
        }
    }

    fn event(&self) -> &'static str {
        if owner(self.object, "Workflow").is_some() {
            "child_run"
        } else if self.label("cron-workflow").is_some() {
            "schedule"
        } else if self.label("workflow-event-binding").is_some() {
            "event_binding"
        } else if self.label("resubmitted-from-workflow").is_some() {
            "resubmit"
        } else {
            "submit"
        }
    }

    fn trigger(&self, run: &Run, evidence: &mut Evidence) {
        let kind = match run.event.as_deref() {
            Some("child_run") => "upstream",
            Some("schedule") => "schedule",
            Some("event_binding") => "event",
            _ if run.actor.is_some() => "manual",
            _ => "api",
        };
        evidence.triggers.push(Trigger {
            run_key: self.run,
            kind: kind.to_owned(),
            subject_trust: "unknown".to_owned(),
            condition: self.label("cron-workflow").or_else(|| self.label("workflow-event-binding")),
            decided_by: run.actor.clone(),
            decided_at: run.created_at,
            source_key: self.document.source_key,
            ..Trigger::default()
        });
    }

    /// The workflow that owns this one, or was submitted again as this one.
    fn parent(&self, values: &mut Values<'_, '_>, evidence: &mut Evidence) {
        let (parent, mechanism) =
            match (owner(self.object, "Workflow"), self.label("resubmitted-from-workflow")) {
                (Some(parent), _) => (parent, "child_run"),
                (None, Some(parent)) => (parent, "continued_run"),
                (None, None) => return,
            };
        let mut handoff = child_run(run_of(&self.namespace, &parent), self.run, self.document.source_key);
        mechanism.clone_into(&mut handoff.mechanism);
        if mechanism == "child_run" {
            "service_account".clone_into(&mut handoff.credential_kind);
        }
        handoff.child_workflow = self.run_row().workflow_name;
        handoff.sent_at = time(self.object, "/metadata/creationTimestamp");
        let owner = Owner::run(self.run).handoff(handoff.handoff_key);
        evidence.handoffs.push(handoff);
        for parameter in list(self.object, "/spec/arguments/parameters") {
            self.parameter(owner, parameter, values, evidence);
        }
    }

    fn parameter(
        &self,
        owner: Owner,
        parameter: &Value,
        values: &mut Values<'_, '_>,
        evidence: &mut Evidence,
    ) {
        if let (Some(name), Some(value)) = (text(parameter, "/name"), parameter.get("value")) {
            values.inputs(owner, &name, value, evidence);
            values.take(value);
        }
    }

    /// The nodes in the order they started.
    fn nodes(&self) -> Vec<&'a Value> {
        let nodes = self.object.pointer("/status/nodes").and_then(Value::as_object);
        let mut nodes: Vec<&Value> = nodes.into_iter().flat_map(|nodes| nodes.values()).collect();
        nodes.sort_by_key(|node| (time(node, "/startedAt"), text(node, "/name")));
        nodes
    }

    /// Large workflows keep their nodes elsewhere ("Offloading large workflows").
    fn missing_nodes(&self, evidence: &mut Evidence) {
        let has = |pointer: &str| text(self.object, pointer).is_some_and(|text| !text.is_empty());
        if has("/status/compressedNodes") || has("/status/offloadNodeStatusVersion") {
            evidence.evidence_gaps.push(gap(
                self.run,
                "runs",
                "handoff_identity",
                "truncated",
                "lower_bound_only",
            ));
            evidence.problems.push(Problem {
                path: self.document.path.to_owned(),
                offset: None,
                code: "truncated".to_owned(),
                reason: "the nodes of a workflow are compressed or stored elsewhere: get it with `argo get -o json`"
                    .to_owned(),
                lossy: true,
            });
        }
    }

    fn template(&self, node: &Value) -> Option<&Template<'a>> {
        let name = text(node, "/templateName").or_else(|| text(node, "/templateRef/template"))?;
        self.templates.get(&name)
    }

    fn job(&self, node: &'a Value, ordinal: usize, values: &mut Values<'_, '_>, evidence: &mut Evidence) {
        let Some(name) = text(node, "/name") else { return };
        let (key, template) = (job_key(self.run, &name), self.template(node));
        let definition = template.map(|template| template.value);
        let phase = text(node, "/phase");
        let (started_at, ended_at) = (time(node, "/startedAt"), time(node, "/finishedAt"));
        let conclusion = phase.as_deref().and_then(conclusion).map(str::to_owned);
        evidence.jobs.push(Job {
            job_key: key,
            run_key: self.run,
            platform_job_id: text(node, "/id"),
            name: text(node, "/displayName").unwrap_or(name),
            runner_name: text(node, "/hostNodeName"),
            conclusion: conclusion.clone(),
            started_at,
            ended_at,
            evidence: "rest".to_owned(),
            source_key: self.document.source_key,
            ..Job::default()
        });
        self.identity(key, definition, evidence);
        let container = container(node, definition);
        let image = container.and_then(|container| text(container, "/image"));
        let step = Step {
            step_key: Key::of("step", &[&key.to_string(), "node"]),
            job_key: key,
            ordinal: i64::try_from(ordinal).unwrap_or(i64::MAX),
            name: text(node, "/templateName").unwrap_or_else(|| "main".to_owned()),
            kind: if image.is_some() { "container_action" } else { "run" }.to_owned(),
            pinned: image.as_deref().map(|image| image_pin(image).to_owned()),
            uses: image,
            script_bytes: container
                .and_then(|container| text(container, "/source"))
                .and_then(|script| i64::try_from(script.len()).ok()),
            conclusion,
            started_at,
            ended_at,
            attribution: "api".to_owned(),
            source_key: self.document.source_key,
            ..Step::default()
        };
        self.carry(node, container, &step, values, evidence);
        evidence.steps.push(step);
        if let Some(template) = template {
            self.created(node, template, key, values, evidence);
        }
    }

    /// What the pod was given and gave.
    fn carry(
        &self,
        node: &Value,
        container: Option<&Value>,
        step: &Step,
        values: &mut Values<'_, '_>,
        evidence: &mut Evidence,
    ) {
        let owner = Owner::run(self.run).job(step.job_key);
        for (ordinal, parameter) in list(node, "/inputs/parameters").enumerate() {
            let (Some(name), Some(value)) = (text(parameter, "/name"), parameter.get("value")) else {
                continue;
            };
            let shown = text(parameter, "/value").unwrap_or_default();
            evidence.bindings.push(binding(step, "inputs", &name, Some(&shown), ordinal));
            values.value(owner, Spot::step("with_binding", step.step_key), &name, value);
        }
        for output in list(node, "/outputs/parameters") {
            if let (Some(name), Some(value)) = (text(output, "/name"), output.get("value")) {
                values.value(owner, Spot::step("job_output", step.step_key), &name, value);
            }
        }
        if let Some(result) = node.pointer("/outputs/result") {
            values.value(owner, Spot::step("job_output", step.step_key), "result", result);
        }
        if let Some(container) = container {
            environment(container, step, owner, values, evidence);
            if let Some(script) = container.get("source") {
                values.value(owner, Spot::step("script_echo", step.step_key), "source", script);
            }
        }
    }

    fn identity(&self, job: Key, template: Option<&Value>, evidence: &mut Evidence) {
        let name = template
            .and_then(|template| text(template, "/serviceAccountName"))
            .or_else(|| text(self.object, "/spec/serviceAccountName"))
            .or_else(|| text(self.object, "/status/storedWorkflowTemplateSpec/serviceAccountName"));
        let row = IdentityUsed {
            job_key: Some(job),
            run_key: Some(self.run),
            issued_at: time(self.object, "/status/startedAt"),
            source_key: self.document.source_key,
            ..IdentityUsed::default()
        };
        evidence.identities_used.push(identity(&self.namespace, name.as_deref(), row));
    }

    /// A suspended node waits for somebody, unless it only waits for some time.
    fn approval(&self, node: &Value, evidence: &mut Evidence) {
        let template = self.template(node);
        if template.is_some_and(|template| template.value.pointer("/suspend/duration").is_some()) {
            return;
        }
        let state = match text(node, "/phase").as_deref() {
            Some("Succeeded") => "approved",
            Some("Failed" | "Error") => "rejected",
            Some("Running" | "Pending") => "pending",
            _ => return,
        };
        let reviewer = text(node, "/message").and_then(|message| resumed_by(&message));
        let creator = self.label("creator-email");
        evidence.approvals.push(Approval {
            run_key: self.run,
            environment: text(node, "/displayName"),
            self_review: reviewer.as_deref().filter(|who| who.contains('@')).zip(creator).map(
                // Labels hold no `@` (`workflow/creator/creator.go`).
                |(reviewer, creator)| reviewer.replace('@', ".at.") == creator,
            ),
            reviewer_kind: if reviewer.is_some() { "user" } else { "unknown" }.to_owned(),
            reviewer,
            state: state.to_owned(),
            decided_at: time(node, "/finishedAt").filter(|_| state != "pending"),
            source_key: self.document.source_key,
        });
    }
}

/// The container of a node: that of its template, or of a container set the one it is named
/// after.
fn container<'v>(node: &Value, template: Option<&'v Value>) -> Option<&'v Value> {
    let template = template?;
    if text(node, "/type").as_deref() == Some("Container") {
        let name = text(node, "/displayName")?;
        return list(template, "/containerSet/containers")
            .find(|container| text(container, "/name").as_ref() == Some(&name));
    }
    template.get("container").or_else(|| template.get("script"))
}

fn status(phase: &str) -> &'static str {
    match phase {
        "Pending" | "" => "queued",
        "Running" => "in_progress",
        _ => "completed",
    }
}

fn conclusion(phase: &str) -> Option<&'static str> {
    match phase {
        "Succeeded" => Some("success"),
        "Failed" | "Error" => Some("failure"),
        "Skipped" | "Omitted" => Some("skipped"),
        _ => None,
    }
}

/// Who resumed a node: `Resumed by: map[Email:… PreferredUsername:… User:…]`, as Go prints it.
fn resumed_by(message: &str) -> Option<String> {
    let told = message.split_once("Resumed by: map[")?.1;
    let told = told.split(']').next().unwrap_or(told);
    let field = |name: &str| {
        told.split(' ').find_map(|field| field.strip_prefix(name)).filter(|value| !value.is_empty())
    };
    field("Email:").or_else(|| field("PreferredUsername:")).or_else(|| field("User:")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resumers_are_named_by_their_claims() {
        let message = "Resumed by: map[Email:ana@acme.test PreferredUsername:ana User:CgNhbmE]";
        assert_eq!(resumed_by(message).as_deref(), Some("ana@acme.test"));
        assert_eq!(resumed_by("Resumed by: map[User:sub-1]").as_deref(), Some("sub-1"));
        assert_eq!(resumed_by("Resumed"), None);
    }
}
