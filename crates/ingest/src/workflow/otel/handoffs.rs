//! Handoffs: agents and pipelines that a job called, and span links.

use super::proto::Span;
use super::tree::{Role, Tree, text, trace_run};
use crate::TextSink;
use crate::workflow::github::{flatten, input};
use leakgraph_model::tables::Handoff;
use leakgraph_model::{Evidence, Key};

/// One end of a handoff.
#[derive(Clone, Copy, PartialEq, Eq)]
struct End {
    run: Key,
    job: Option<Key>,
}

/// Adds the handoffs of all spans.
pub(super) fn add(tree: &Tree<'_>, source_key: Key, evidence: &mut Evidence, sink: &mut dyn TextSink) {
    for index in 0..tree.telemetry.spans.len() {
        let Some(span) = tree.span(index) else { continue };
        if let Some(caller) = caller(tree, index) {
            let inputs = arguments(tree, index, caller);
            let handoff = handoff(tree, span, caller, end(tree, index), "agent_call", source_key);
            if let Some(handoff) = handoff {
                for (name, value) in inputs {
                    let row = input(handoff.handoff_key, &name, &value, "log", source_key, sink);
                    evidence.handoff_inputs.push(row);
                }
                evidence.handoffs.push(handoff);
            }
        }
        links(tree, index, span, source_key, evidence);
    }
}

/// The job or pipeline that called the agent or pipeline at `index`.
fn caller(tree: &Tree<'_>, index: usize) -> Option<usize> {
    let is_called = tree.role(index) == Role::Pipeline || tree.role(index) == Role::Agent;
    let calls = |above: &usize| tree.is_job(*above) || tree.role(*above) == Role::Pipeline;
    let caller = tree.ancestors(index).find(calls).filter(|_| is_called)?;
    // A pipeline runs its own agents: that is no handoff.
    let is_own = tree.role(index) == Role::Agent && tree.role(caller) == Role::Pipeline;
    (!is_own).then_some(caller)
}

/// Run and job of a span; of a pipeline the run alone.
fn end(tree: &Tree<'_>, index: usize) -> Option<End> {
    let run = tree.run(index)?.key;
    let job = match tree.role(index) {
        Role::Pipeline => None,
        _ => tree.job(index).and_then(|job| tree.job_key(job)),
    };
    Some(End { run, job })
}

fn handoff(
    tree: &Tree<'_>,
    span: &Span,
    caller: usize,
    child: Option<End>,
    mechanism: &str,
    source_key: Key,
) -> Option<Handoff> {
    let (parent, child) = (end(tree, caller)?, child?);
    let service = |span: &Span| tree.told(span, "service.name");
    let is_elsewhere = tree.span(caller).and_then(service) != service(span);
    (parent != child).then(|| Handoff {
        crosses: if is_elsewhere { "repo" } else { "none" }.to_owned(),
        child_workflow: tree.told(span, "cicd.pipeline.name").or_else(|| Some(tree.job_name(span))),
        child_repo: tree.find(&span.trace, &span.id).and_then(|index| tree.run(index)?.repo),
        ..row(span, parent, child, mechanism, source_key)
    })
}

fn row(span: &Span, parent: End, child: End, mechanism: &str, source_key: Key) -> Handoff {
    let shown = |end: End| end.job.unwrap_or(end.run).to_string();
    Handoff {
        handoff_key: Key::of("handoff", &[&shown(parent), &shown(child), mechanism, &span.id]),
        parent_run_key: Some(parent.run),
        parent_job_key: parent.job,
        child_run_key: Some(child.run),
        child_job_key: child.job,
        mechanism: mechanism.to_owned(),
        credential_kind: "unknown".to_owned(),
        crosses: "none".to_owned(),
        link_method: "explicit_id".to_owned(),
        confidence: 1.0,
        gate: "unknown".to_owned(),
        sent_at: span.start,
        evidence: "export".to_owned(),
        source_key,
        ..Handoff::default()
    }
}

/// A link names the span that caused this one. It may be in another file: then its run is
/// known by its trace, and its job is not.
fn links(tree: &Tree<'_>, index: usize, span: &Span, source_key: Key, evidence: &mut Evidence) {
    let is_ours = tree.role(index) != Role::Other || tree.job(index).is_some();
    let Some(child) = end(tree, index).filter(|_| is_ours) else { return };
    for (trace, id) in &span.links {
        let known = tree.find(trace, id);
        let far = || End { run: trace_run(trace).key, job: None };
        let parent = known.and_then(|known| end(tree, known)).unwrap_or_else(far);
        if parent != child {
            evidence.handoffs.push(Handoff {
                child_repo: tree.run(index).and_then(|run| run.repo),
                ..row(span, parent, child, "span_link", source_key)
            });
        }
    }
}

/// What the caller gave: arguments of the tool through which it called, else the messages.
fn arguments(tree: &Tree<'_>, index: usize, caller: usize) -> Vec<(String, String)> {
    let tool = tree
        .ancestors(index)
        .take_while(|above| *above != caller)
        .find(|above| tree.role(*above) == Role::Tool)
        .and_then(|tool| tree.span(tool));
    let given = tool.and_then(|tool| tool.attributes.get("gen_ai.tool.call.arguments"));
    let name = "gen_ai.input.messages";
    match given {
        Some(serde_json::Value::String(json)) => {
            let members = flatten(json);
            if members.is_empty() { vec![("arguments".to_owned(), json.clone())] } else { members }
        }
        Some(structured) => flatten(&structured.to_string()),
        None => {
            let own = tree.span(index).map(|span| &span.attributes);
            let messages = own.and_then(|attributes| {
                text(attributes, name).or_else(|| Some(attributes.get(name)?.to_string()))
            });
            messages.map(|messages| (name.to_owned(), messages)).into_iter().collect()
        }
    }
}
