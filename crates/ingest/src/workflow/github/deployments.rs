//! Deployments of the REST API and of webhooks: what was deployed where, by whom, and who
//! has to agree.

use super::dispatch;
use super::rest::{actor_kind, items};
use super::run_path::RunPath;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::{text, time};
use crate::{Document, TextContext, TextSink};
use leakgraph_model::tables::{Approval, Handoff, Run};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;

/// By one object of a list (REST API, "Deployments", "Deployment statuses", "Workflow runs").
pub(super) fn recognise(first: &Value) -> Option<Recognised> {
    let has = |name: &str| first.get(name).is_some();
    if has("statuses_url") && has("environment") && has("task") {
        return Some(Recognised::new("deployment_json", "`statuses_url`, `environment` and `task`"));
    }
    if has("deployment_url") && has("state") && has("environment") {
        return Some(Recognised::new(
            "deployment_status_json",
            "`deployment_url`, `state` and `environment`",
        ));
    }
    (has("environment") && has("wait_timer") && has("reviewers"))
        .then(|| Recognised::new("pending_deployment_json", "`environment`, `wait_timer` and `reviewers`"))
}

pub(super) fn import(
    kind: &str,
    document: &Document<'_>,
    value: &Value,
    sink: &mut dyn TextSink,
) -> Evidence {
    let mut evidence = Evidence::default();
    let mut unplaced = 0;
    for item in items(value) {
        let kept = match kind {
            "deployment_json" => deployment(document, item, &mut evidence, sink),
            "deployment_status_json" => status(document, item, &mut evidence),
            _ => pending(document, item, &mut evidence),
        };
        unplaced += usize::from(kept.is_none());
    }
    let problem = incomplete(
        document,
        unplaced,
        "objects do not say, nor does their path, of which repository or run they are",
    );
    evidence.problems.extend(problem);
    evidence
}

/// `owner/name` of an address of the API.
fn repo_of(value: &Value, pointers: &[&str]) -> Option<String> {
    pointers.iter().find_map(|pointer| {
        let url = text(value, pointer)?;
        let mut parts = url.split_once("/repos/")?.1.split('/');
        Some(format!("{}/{}", parts.next()?, parts.next()?))
    })
}

/// A deployment starts the workflows that listen to it, unless the token of a job made it:
/// that one only marks the job's environment.
pub(super) fn deployment(
    document: &Document<'_>,
    value: &Value,
    evidence: &mut Evidence,
    sink: &mut dyn TextSink,
) -> Option<()> {
    let repo = repo_of(value, &["/repository_url", "/url", "/statuses_url"])?;
    let id = text(value, "/id")?;
    let creator = text(value, "/creator/login");
    let kind = match (actor_kind(value, "/creator"), value.pointer("/performed_via_github_app/slug")) {
        _ if creator.as_deref() == Some("github-actions[bot]") => return Some(()),
        ("bot", _) | (_, Some(Value::String(_))) => "app",
        ("user", _) => "user",
        _ => "unknown",
    };
    let handoff_key = Key::of("handoff", &["deployment", &repo.to_lowercase(), &id]);
    let source_key = document.source_key;
    evidence.handoffs.push(Handoff {
        handoff_key,
        child_repo: Some(repo),
        mechanism: "deployment".to_owned(),
        credential_kind: kind.to_owned(),
        credential_subject: creator,
        crosses: "none".to_owned(),
        link_method: "unlinked".to_owned(),
        child_ref: text(value, "/ref"),
        child_sha: text(value, "/sha"),
        gate: "unknown".to_owned(),
        sent_at: time(value, "/created_at"),
        evidence: "rest".to_owned(),
        source_key,
        ..Handoff::default()
    });
    let payload = match value.get("payload") {
        // A text may itself be JSON.
        Some(Value::String(text)) if !text.is_empty() => match dispatch::flatten(text) {
            members if members.is_empty() => vec![("payload".to_owned(), text.clone())],
            members => members,
        },
        Some(payload @ Value::Object(_)) => dispatch::flatten(&payload.to_string()),
        _ => Vec::new(),
    };
    for (name, text) in payload {
        evidence.handoff_inputs.push(dispatch::input(handoff_key, &name, &text, "api", source_key, sink));
        let context = TextContext {
            handoff_key: Some(handoff_key),
            name: Some(name.clone()),
            ..TextContext::of(document.path, source_key, "handoff_input")
        };
        sink.text(&context, format!("{name}={text}").as_bytes());
    }
    Some(())
}

/// The run that a status points to; one that waits has a review ahead.
pub(super) fn status(document: &Document<'_>, value: &Value, evidence: &mut Evidence) -> Option<()> {
    let repo = repo_of(value, &["/repository_url", "/deployment_url", "/url"])?;
    let run = ["/log_url", "/target_url"].iter().find_map(|pointer| {
        let run_id: String = text(value, pointer)?
            .split_once("/actions/runs/")?
            .1
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        (!run_id.is_empty()).then_some(run_id)
    });
    // Other systems deploy, too.
    let Some(run_id) = run else { return Some(()) };
    let path = RunPath { repo: Some(repo), run_id: Some(run_id), attempt: Some(1) };
    let run_key = path.key()?;
    let source_key = document.source_key;
    evidence.runs.push(Run {
        run_key,
        platform: "github".to_owned(),
        repo: path.repo,
        platform_run_id: path.run_id,
        attempt: path.attempt,
        evidence: "rest".to_owned(),
        source_key,
        ..Run::default()
    });
    if text(value, "/state").as_deref() == Some("waiting") {
        evidence.approvals.push(Approval {
            run_key,
            environment: text(value, "/environment"),
            reviewer_kind: "unknown".to_owned(),
            state: "pending".to_owned(),
            source_key,
            ..Approval::default()
        });
    }
    Some(())
}

/// An environment that the run of the path waits for.
fn pending(document: &Document<'_>, value: &Value, evidence: &mut Evidence) -> Option<()> {
    let run_key = RunPath::of(document.path).key()?;
    evidence.approvals.push(Approval {
        run_key,
        environment: text(value, "/environment/name"),
        reviewer_kind: "unknown".to_owned(),
        state: "pending".to_owned(),
        source_key: document.source_key,
        ..Approval::default()
    });
    Some(())
}
