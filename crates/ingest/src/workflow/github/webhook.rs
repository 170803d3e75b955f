//! Webhook bodies: dispatches with their inputs, runs, jobs, deployment reviews.

use super::rest::{actor_kind, job, run};
use super::{deployments, dispatch, rest};
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::{text, time};
use crate::{Document, TextContext, TextSink};
use leakgraph_model::tables::{Approval, Handoff};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;

/// The event a body belongs to, by shape: GitHub names it only in a header.
pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let value = delivered(value).unwrap_or(value);
    // Collectors cut the sender off; what is left must still be a body of a repository.
    let of_repository = value.pointer("/repository/full_name").is_some()
        && ["action", "pusher", "commits", "pages"].iter().any(|name| value.get(name).is_some());
    if !value.is_object() || value.get("sender").is_none() && !of_repository {
        return None;
    }
    let has = |name: &str| value.get(name).is_some_and(|value| !value.is_null());
    let (kind, because) = if has("workflow_job") {
        ("webhook_workflow_job", "`sender` and `workflow_job`")
    } else if value.get("client_payload").is_some() {
        ("webhook_repository_dispatch", "`sender` and `client_payload`")
    } else if has("workflow") && has("ref") && value.get("inputs").is_some() {
        ("webhook_workflow_dispatch", "`sender`, `workflow`, `ref` and `inputs`")
    } else if has("deployment") || has("approver") || has("environment") && has("workflow_run") {
        ("webhook_deployment", "`sender` and a deployment or its review")
    } else if has("workflow_run") {
        ("webhook_workflow_run", "`sender` and `workflow_run`")
    } else if has("repository") || has("installation") && has("action") {
        ("webhook_other", "`sender` and a repository or installation")
    } else {
        return None;
    };
    Some(Recognised::new(kind, because))
}

/// The body inside a stored delivery (`GET /orgs/{org}/hooks/{id}/deliveries/{id}`),
/// which, unlike the body, knows when it was sent.
fn delivered(value: &Value) -> Option<&Value> {
    value.get("delivered_at")?;
    value.pointer("/request/payload")
}

pub(crate) fn import(
    kind: &str,
    document: &Document<'_>,
    value: &Value,
    sink: &mut dyn TextSink,
) -> Evidence {
    let mut evidence = Evidence::default();
    if let Some(body) = delivered(value) {
        evidence = import(kind, document, body, sink);
        for handoff in &mut evidence.handoffs {
            handoff.sent_at = time(value, "/delivered_at").or(handoff.sent_at);
        }
        return evidence;
    }
    match kind {
        "webhook_workflow_job" => {
            if let Some(body) = value.get("workflow_job") {
                job(document, body, text(value, "/repository/full_name"), &mut evidence);
                if let (Some(job), Some(name)) =
                    (evidence.jobs.first_mut(), text(value, "/deployment/environment"))
                {
                    job.environment = Some(name);
                }
            }
        }
        "webhook_workflow_run" => workflow_run(document, value, &mut evidence),
        "webhook_deployment" => {
            deployment(document, value, &mut evidence);
            deployed(document, value, &mut evidence, sink);
        }
        "webhook_workflow_dispatch" => {
            sent(document, value, "workflow_dispatch", "/inputs", &mut evidence, sink)
        }
        "webhook_repository_dispatch" => {
            sent(document, value, "repository_dispatch", "/client_payload", &mut evidence, sink)
        }
        // webhook_other: only scanned, by the reader.
        _ => {}
    }
    let is_lost = matches!(kind, "webhook_workflow_job" | "webhook_workflow_run") && evidence.rows() == 0;
    evidence.problems.extend(incomplete(document, usize::from(is_lost), rest::NAMELESS));
    for row in &mut evidence.runs {
        "webhook".clone_into(&mut row.evidence);
    }
    evidence
}

/// The parent run of a `workflow_run` event is in the child's event: an exact link, but
/// the child is named by workflow only.
fn workflow_run(document: &Document<'_>, value: &Value, evidence: &mut Evidence) {
    let Some(body) = value.get("workflow_run") else { return };
    let mut body = body.clone();
    if let (Some(members), Some(repository)) = (body.as_object_mut(), value.get("repository")) {
        members.entry("repository").or_insert_with(|| repository.clone());
    }
    run(document, &body, evidence);
}

/// A deployment that starts runs of its own, or what became of it.
fn deployed(document: &Document<'_>, value: &Value, evidence: &mut Evidence, sink: &mut dyn TextSink) {
    let body = |name: &str| value.get(name).filter(|body| body.is_object());
    // What cannot be placed was not understood, not lost: the body is known.
    let _placed = match (body("deployment_status"), body("deployment")) {
        (Some(status), _) => deployments::status(document, status, evidence),
        (None, Some(made)) if text(value, "/action").as_deref() == Some("created") => {
            deployments::deployment(document, made, evidence, sink)
        }
        _ => None,
    };
    for row in evidence.handoffs.iter_mut().filter(|row| row.mechanism == "deployment") {
        "webhook".clone_into(&mut row.evidence);
    }
}

/// An approval, and the run it belongs to.
fn deployment(document: &Document<'_>, value: &Value, evidence: &mut Evidence) {
    let Some(body) = value.get("workflow_run").filter(|body| body.is_object()) else { return };
    let mut body = body.clone();
    if let (Some(members), Some(repository)) = (body.as_object_mut(), value.get("repository")) {
        members.entry("repository").or_insert_with(|| repository.clone());
    }
    let run_key = if body.get("head_sha").is_some() { rest::run(document, &body, evidence) } else { None };
    let state = match text(value, "/action").as_deref() {
        Some("approved") => "approved",
        Some("rejected") => "rejected",
        Some("requested") => "pending",
        _ => return,
    };
    let Some(run_key) = run_key else { return };
    let reviewer = text(value, "/approver/login");
    let requestor = text(value, "/requestor/login").or_else(|| text(value, "/workflow_run/actor/login"));
    evidence.approvals.push(Approval {
        run_key,
        environment: text(value, "/environment").or_else(|| text(value, "/workflow_job_run/environment")),
        self_review: reviewer.as_ref().zip(requestor.as_ref()).map(|(a, b)| a == b),
        reviewer_kind: actor_kind(value, "/approver").to_owned(),
        reviewer,
        state: state.to_owned(),
        decided_at: time(value, "/since"),
        source_key: document.source_key,
    });
}

/// A dispatch and every value it carries.
fn sent(
    document: &Document<'_>,
    value: &Value,
    mechanism: &str,
    at: &str,
    evidence: &mut Evidence,
    sink: &mut dyn TextSink,
) {
    let repo = text(value, "/repository/full_name");
    let workflow = text(value, "/workflow").or_else(|| text(value, "/action"));
    let source = document.source_key.to_string();
    let part = document.part.to_string();
    let mut natural = vec!["webhook", &source, crate::member(document.path)];
    // Further deliveries of the same file are further handoffs.
    if document.part > 0 {
        natural.push(&part);
    }
    let handoff_key = Key::of("handoff", &natural);
    let sender = text(value, "/sender/login");
    let inputs = value.pointer(at).map(|value| dispatch::flatten(&value.to_string())).unwrap_or_default();
    let credential_kind = match actor_kind(value, "/sender") {
        "bot" if sender.as_deref() == Some("github-actions[bot]") => "GITHUB_TOKEN",
        "bot" => "app",
        "user" => "user",
        _ => "unknown",
    };
    evidence.handoffs.push(Handoff {
        handoff_key,
        child_workflow: workflow.map(|path| super::system::workflow_file(&path).to_owned()),
        child_repo: repo.clone(),
        mechanism: mechanism.to_owned(),
        credential_kind: credential_kind.to_owned(),
        credential_subject: sender,
        crosses: "none".to_owned(),
        link_method: "unlinked".to_owned(),
        carried_run_id: dispatch::carried_run_id(&inputs),
        child_ref: text(value, "/ref").or_else(|| text(value, "/branch")),
        gate: "unknown".to_owned(),
        evidence: "webhook".to_owned(),
        source_key: document.source_key,
        ..Handoff::default()
    });
    for (name, text) in inputs {
        evidence.handoff_inputs.push(dispatch::input(
            handoff_key,
            &name,
            &text,
            "webhook",
            document.source_key,
            sink,
        ));
        let context = TextContext {
            handoff_key: Some(handoff_key),
            name: Some(name.clone()),
            ..TextContext::of(document.path, document.source_key, "handoff_input")
        };
        // As an assignment, so that the name counts as context and the value as a value.
        sink.text(&context, format!("{name}={text}").as_bytes());
    }
}
