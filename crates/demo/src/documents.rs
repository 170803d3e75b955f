//! REST answers and webhook deliveries of the demo's runs.
//!
//! Shapes: GitHub REST API description (`GET /repos/{owner}/{repo}/actions/runs/{id}`,
//! `…/attempts/{n}/jobs`, `…/approvals`, `GET /orgs/{org}/hooks/{id}/deliveries/{id}`).

use crate::joblog::JobLog;
use crate::organisation::{Mechanism, ORGANISATION, REPOSITORIES};
use crate::random::Random;
use crate::runs::{Run, Sent, full_name, input_value};
use serde_json::{Value, json};

fn account(login: &str) -> Value {
    let kind = if login.ends_with("[bot]") { "Bot" } else { "User" };
    json!({"login": login, "id": Random::of(login).below(90_000_000), "type": kind})
}

fn repository(repo: &str) -> Value {
    let name = repo.split('/').next_back().unwrap_or(repo);
    let is_public = REPOSITORIES.iter().any(|known| known.name == name && known.is_public);
    json!({
        "id": Random::of(repo).below(900_000_000), "name": name, "full_name": repo, "private": !is_public,
        "visibility": if is_public { "public" } else { "private" },
        "owner": {"login": repo.split('/').next().unwrap_or(ORGANISATION), "type": "Organization"},
    })
}

/// The run object.
pub(crate) fn run(run: &Run, ended: &str) -> Value {
    let repo = run.repo();
    let workflow = run.workflow;
    // Pull requests of the public shop come from forks now and then.
    let is_fork = run.event() == "pull_request" && workflow.repo == "storefront" && run.ordinal % 5 == 4;
    let head = if is_fork { "passer-by/storefront".to_owned() } else { repo.clone() };
    let referenced: Vec<Value> = workflow
        .calls
        .iter()
        .map(|(called, file, _)| {
            json!({"path": format!("{}/.github/workflows/{file}@main", full_name(called)), "ref": "refs/heads/main", "sha": Random::of(file).hex(40)})
        })
        .collect();
    json!({
        "id": run.id, "name": workflow.name, "node_id": "WFR_demo", "head_branch": "main", "head_sha": run.commit(),
        "path": format!(".github/workflows/{}", workflow.file), "run_number": run.ordinal + 1, "event": run.event(),
        "status": "completed", "conclusion": conclusion(run), "workflow_id": Random::of(&format!("{repo}/{}", workflow.file)).below(90_000_000),
        "actor": account(run.sender), "triggering_actor": account(run.sender), "run_attempt": run.attempt,
        "created_at": run.created.seconds(), "run_started_at": run.started.seconds(), "updated_at": ended,
        "repository": repository(&repo), "head_repository": {"full_name": head, "private": false},
        "referenced_workflows": referenced,
    })
}

fn conclusion(run: &Run) -> &'static str {
    if run.cancelled().next().is_some() { "cancelled" } else { "success" }
}

/// The jobs of the run.
pub(crate) fn jobs(run: &Run, logs: &[JobLog]) -> Value {
    let repo = run.repo();
    let workflow = run.workflow;
    let jobs: Vec<Value> = logs
        .iter()
        .enumerate()
        .map(|(number, log)| {
            let steps: Vec<Value> = log
                .steps
                .iter()
                .enumerate()
                .map(|(number, step)| {
                    json!({"name": step.title, "number": number + 1, "status": "completed", "conclusion": "success",
                        "started_at": step.started.seconds(), "completed_at": step.ended.seconds()})
                })
                .collect();
            json!({
                "id": run.id * 3 + number as u64 + (run.attempt - 1) * 1_000_000_000, "run_id": run.id, "run_attempt": run.attempt, "name": log.name,
                "run_url": format!("https://api.github.com/repos/{repo}/actions/runs/{}", run.id),
                "workflow_name": workflow.name, "head_branch": "main", "head_sha": run.commit(), "status": "completed", "conclusion": conclusion(run),
                "started_at": log.steps.first().map(|step| step.started.seconds()), "completed_at": log.now().seconds(),
                "labels": if workflow.self_hosted { json!(["self-hosted", "linux"]) } else { json!(["ubuntu-latest"]) },
                "runner_name": if workflow.self_hosted { format!("runner-{}-01", workflow.repo) } else { format!("GitHub Actions {}", 1_000_000_000 + run.id % 1000) },
                "runner_group_name": if workflow.self_hosted { "Default" } else { "GitHub Actions" },
                "steps": steps,
            })
        })
        .collect();
    json!({"total_count": jobs.len(), "jobs": jobs})
}

/// Who let the run deploy; production needs a review, and one team reviews itself.
pub(crate) fn approvals(run: &Run) -> Option<Value> {
    let environment = run.workflow.environment.filter(|name| *name == "production")?;
    // Reviews of runs that were repeated are told by the audit log, with their times.
    if run.again().is_some() {
        return None;
    }
    let reviewer = if run.workflow.repo == "infra-terraform" { run.sender } else { "joris-hendriks" };
    Some(json!([{
        "state": "approved", "comment": "", "user": account(reviewer),
        "environments": [{"id": 1, "name": environment, "html_url": "https://github.com/northwind-labs"}],
    }]))
}

/// The delivery of a dispatch's webhook, as the deliveries API stores it.
pub(crate) fn delivery(sent: &Sent) -> Value {
    let repo = full_name(sent.dispatch.repo);
    let inputs: serde_json::Map<String, Value> = sent
        .dispatch
        .inputs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::String(input_value(value))))
        .collect();
    let (event, payload) = match sent.dispatch.mechanism {
        Mechanism::Workflow => (
            "workflow_dispatch",
            json!({"inputs": inputs, "ref": "refs/heads/main", "workflow": format!(".github/workflows/{}", sent.dispatch.file)}),
        ),
        Mechanism::Repository => (
            "repository_dispatch",
            json!({"action": sent.dispatch.file.trim_end_matches(".yml"), "branch": "main", "client_payload": inputs}),
        ),
    };
    let mut payload = payload;
    if let Some(members) = payload.as_object_mut() {
        members.insert("repository".to_owned(), repository(&repo));
        members.insert("sender".to_owned(), account(sent.dispatch.sender));
        members.insert("organization".to_owned(), json!({"login": ORGANISATION, "id": 1}));
    }
    json!({
        "id": sent.parent, "guid": format!("{:08x}-demo", sent.parent), "delivered_at": sent.at.plus(1).seconds(),
        "redelivery": false, "duration": 0.2, "status": "OK", "status_code": 200, "event": event, "action": Value::Null,
        "request": {"headers": {"X-GitHub-Event": event}, "payload": payload},
        "response": {"headers": {}, "payload": Value::Null},
    })
}
