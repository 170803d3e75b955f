//! Audit logs of GitHub, real and as documented.

use crate::support::{Inputs, corpus, read_path};
use leakgraph_ingest::{Limits, link};
use leakgraph_model::Timestamp;
use leakgraph_model::tables::{job_key, run_key};
use std::collections::BTreeMap;
use std::fs;

#[test]
fn every_extracted_event_is_activity_a_webhook_or_said() {
    let Some(corpus) = corpus() else { return };
    let path = corpus.join("workflows/panther-github-audit/events.extracted.json");
    let (evidence, texts) = read_path(&path);
    let value: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("readable")).expect("JSON");
    let items = value.as_array().expect("a list");
    assert_eq!(items.len(), 177);
    assert_eq!(evidence.source_files[0].kind, "github_audit");
    assert_eq!(texts.0.len(), 1, "scanned once, whole");
    let audit = items.iter().filter(|item| item["log_type"] == "GitHub.Audit").count();
    // One has nothing but a made-up action.
    assert_eq!(
        evidence.activity.iter().map(|row| row.calls).sum::<i64>(),
        i64::try_from(audit).expect("few") - 1
    );
    let mut actions: BTreeMap<&str, i64> = BTreeMap::new();
    for row in &evidence.activity {
        *actions.entry(&row.action).or_default() += row.calls;
    }
    for (action, events) in [
        ("git.push", 7),
        ("repo.create", 8),
        ("integration_installation.create", 2),
        ("workflows.completed_workflow_run", 2),
        ("workflows.created_workflow_run", 2),
    ] {
        assert_eq!(actions.get(action), Some(&events), "{action}: counted with a script");
    }
    let runs = |evidence_of: &str| evidence.runs.iter().filter(|run| run.evidence == evidence_of).count();
    let of_hooks = items.iter().filter(|item| item["event"]["workflow_run"].is_object()).count();
    // One of the four names no run.
    assert_eq!((runs("audit"), runs("webhook")), (3, of_hooks));
    let bot = evidence.handoffs.iter().find(|row| row.evidence == "audit").expect("a dispatch by a token");
    assert_eq!((bot.mechanism.as_str(), bot.credential_kind.as_str()), ("workflow_dispatch", "GITHUB_TOKEN"));
    assert_eq!(bot.credential_subject.as_deref(), Some("github-actions[bot]"));
    let completed = evidence.runs.iter().find(|run| run.attempt == Some(3)).expect("the third attempt");
    assert_eq!(completed.conclusion.as_deref(), Some("failure"));
    assert_eq!(completed.ended_at, Timestamp::parse("2023-01-31T18:58:27Z"));
    // Bodies of jobs that were cut down to what one rule needs, and the made-up action.
    let is_cut = |item: &&serde_json::Value| {
        let job = &item["event"]["workflow_job"];
        job.is_object() && (job["run_id"].is_null() || job["name"].is_null())
    };
    let cut = items.iter().filter(is_cut).count();
    assert_eq!(cut, 8);
    assert_eq!(
        evidence.problems.iter().filter(|row| row.reason.contains("which repository and run")).count(),
        cut
    );
    assert_eq!(
        evidence.problems.iter().filter(|row| row.reason.starts_with("1 items are neither")).count(),
        1
    );
    assert_eq!(evidence.problems.len(), cut + 1);
    let jobs = items.iter().filter(|item| item["event"]["workflow_job"].is_object()).count();
    assert_eq!(evidence.jobs.len(), jobs - cut);
}

/// Field names: GitHub documentation, "Audit log events for your enterprise",
/// `workflows.prepared_workflow_job`, `workflows.approve_workflow_job`,
/// `environment.update_protection_rule`, `personal_access_token.access_granted`.
const STREAM: &str = r#"{"@timestamp": 1760000000000, "_document_id": "a", "action": "workflows.created_workflow_run", "actor": "deployer[bot]", "actor_is_bot": true, "programmatic_access_type": "GitHub App server-to-server token", "token_id": 77, "event": "workflow_dispatch", "head_branch": "main", "head_sha": "ab", "name": "Deploy", "repo": "Acme/deploy", "org": "Acme", "workflow_run_id": 18001, "workflow_id": 5, "run_number": 3}
{"@timestamp": 1760000005000, "_document_id": "b", "action": "workflows.prepared_workflow_job", "actor": "", "repo": "Acme/deploy", "org": "Acme", "workflow_run_id": 18001, "job_name": "release / deploy", "job_workflow_ref": "Acme/ci/.github/workflows/deploy.yml@refs/heads/main", "calling_workflow_refs": ["Acme/deploy/.github/workflows/release.yml@refs/heads/main"], "calling_workflow_shas": ["ab"], "environment_name": "production", "is_hosted_runner": false, "runner_name": "r1", "runner_labels": ["self-hosted", "linux"], "secrets_passed": ["AWS_KEY", "SLACK"]}
{"@timestamp": 1760000006000, "action": "workflows.approve_workflow_job", "actor": "cat", "repo": "Acme/deploy", "org": "Acme", "workflow_run_id": 18001, "run_number": 3}
{"@timestamp": 1760000007000, "action": "environment.update_protection_rule", "actor": "cat", "repo": "Acme/deploy", "org": "Acme", "environment_name": "production", "prevent_self_review": false, "can_admins_bypass": true}
{"@timestamp": 1760000008000, "action": "personal_access_token.access_granted", "actor": "cat", "org": "Acme", "user_programmatic_access_name": "ci", "repository_selection": "all"}
{"@timestamp": 1760000009000, "action": "workflows.rerun_workflow_run", "actor": "dog", "repo": "Acme/deploy", "org": "Acme", "workflow_run_id": 18001, "run_attempt": 2, "event": "workflow_dispatch", "rerun_type": "full"}
{"@timestamp": 1760000010000, "action": "workflows.delete_workflow_run", "actor": "dog", "repo": "Acme/deploy", "org": "Acme", "workflow_run_id": 18002}
{"@timestamp": 1760000011000, "action": "workflows.prepared_workflow_job", "actor": "", "repo": "Acme/deploy", "org": "Acme", "workflow_run_id": 18003}
"#;

#[test]
fn a_stream_tells_runs_jobs_secrets_and_reviews() {
    let inputs = Inputs::new();
    let (evidence, _) = read_path(&inputs.add("audit.ndjson", STREAM));
    let run = run_key("github", "acme/deploy", "18001", 1);
    let job = job_key(run, "release / deploy");
    assert_eq!(evidence.jobs[0].job_key, job);
    assert_eq!(evidence.jobs[0].environment.as_deref(), Some("production"));
    assert_eq!(evidence.jobs[0].runner_kind.as_deref(), Some("self_hosted"));
    assert_eq!(evidence.jobs[0].chain_depth, 1);
    let passed: Vec<_> = evidence
        .secrets_passed
        .iter()
        .map(|row| (row.job_key, row.name.as_str(), row.how.as_str()))
        .collect();
    assert_eq!(passed, [(Some(job), "AWS_KEY", "audit_list"), (Some(job), "SLACK", "audit_list")]);
    let mechanisms: Vec<_> = evidence.handoffs.iter().map(|row| row.mechanism.as_str()).collect();
    assert_eq!(mechanisms, ["workflow_dispatch", "workflow_call"]);
    assert_eq!(evidence.handoffs[0].credential_kind, "app");
    assert_eq!(evidence.handoffs[1].crosses, "repo");
    assert_eq!(evidence.approvals[0].reviewer.as_deref(), Some("cat"));
    assert_eq!(evidence.approvals[0].decided_at, Some(Timestamp(1_760_000_006_000_000)));
    let gaps: Vec<_> = evidence.evidence_gaps.iter().map(|row| row.gap.as_str()).collect();
    assert_eq!(gaps, ["no_attempt", "deleted_run"]);
    let resources: Vec<_> = evidence.activity.iter().filter_map(|row| row.resource.as_deref()).collect();
    assert!(resources.contains(&"Acme/deploy#environment:production"));
    assert!(resources.contains(&"Acme#pat:ci"));
    assert!(evidence.activity.iter().all(|row| row.identity_key.is_none()), "some uses are not all uses");
    assert_eq!(evidence.problems.len(), 1, "a job without a name: {:?}", evidence.problems);
    // The same as an array, as the REST API answers.
    let lines: Vec<_> = STREAM.lines().collect();
    let (listed, _) = read_path(&inputs.add("audit.json", format!("[{}]", lines.join(","))));
    assert_eq!(listed.runs.len(), evidence.runs.len());
    assert_eq!(listed.secrets_passed.len(), 2);
}

#[test]
fn the_audit_log_and_the_log_of_the_sender_are_one_handoff() {
    let inputs = Inputs::new();
    inputs.add("audit.ndjson", STREAM.lines().next().expect("a line"));
    inputs.add(
        "acme/app/runs/17001/attempts/1/0_send.txt",
        "2025-10-09T08:53:15.0000000Z Complete job name: send\n\
         2025-10-09T08:53:18.0000000Z ##[group]Run gh workflow run deploy.yml\n\
         2025-10-09T08:53:18.0000000Z \u{1b}[36;1mgh workflow run deploy.yml -R Acme/deploy\u{1b}[0m\n\
         2025-10-09T08:53:18.0000000Z shell: /usr/bin/bash -e {0}\n\
         2025-10-09T08:53:18.0000000Z ##[endgroup]\n\
         2025-10-09T08:53:19.0000000Z https://github.com/Acme/deploy/actions/runs/18001\n",
    );
    let (mut evidence, _) = inputs.read(&Limits::default());
    link(&mut evidence);
    let dispatches: Vec<_> =
        evidence.handoffs.iter().filter(|row| row.mechanism == "workflow_dispatch").collect();
    let [one] = dispatches.as_slice() else { panic!("{dispatches:#?}") };
    assert!(one.parent_job_key.is_some() && one.child_run_key.is_some());
    assert_eq!(one.credential_kind, "app", "the audit log knows the credential");
    assert_eq!((one.link_method.as_str(), one.confidence), ("url_in_log", 1.0));
}

#[test]
fn log_webhook_and_audit_log_are_one_handoff_with_its_parent_named_by_an_input() {
    let inputs = Inputs::new();
    let run = r#"{"id": 18001, "run_number": 1, "workflow_id": 2, "head_sha": "ab", "event": "repository_dispatch", "path": ".github/workflows/d.yml",
        "actor": {"login": "deployer[bot]", "type": "Bot"}, "created_at": "2026-10-01T10:00:04Z", "repository": {"full_name": "Acme/deploy"}}"#;
    let webhook = r#"{"action": "run-child", "branch": "main", "client_payload": {"source_repo": "acme/app", "run_id": "17001"},
        "repository": {"full_name": "Acme/deploy"}, "sender": {"login": "deployer[bot]", "type": "Bot"}}"#;
    let delivered =
        format!(r#"{{"delivered_at": "2026-10-01T10:00:03Z", "request": {{"payload": {webhook}}}}}"#);
    inputs.add("run.json", run);
    inputs.add("hook.json", delivered);
    inputs.add(
        "audit.ndjson",
        STREAM
            .lines()
            .next()
            .expect("a line")
            .replace("1760000000000", "1790848804000")
            .replace("workflow_dispatch", "repository_dispatch")
            .replace("GitHub App server-to-server token", "Fine-grained personal access token"),
    );
    // Without the sender's log, the input names the run that sent it.
    let sender = RUN.replace("ID", "17001");
    inputs.add("parent.json", &sender);
    let (mut evidence, _) = inputs.read(&Limits::default());
    link(&mut evidence);
    let [one] = evidence.handoffs.as_slice() else { panic!("{:#?}", evidence.handoffs) };
    let parent = run_key("github", "acme/app", "17001", 1);
    assert_eq!(
        (one.parent_run_key, one.child_run_key),
        (Some(parent), Some(run_key("github", "acme/deploy", "18001", 1)))
    );
    assert_eq!((one.crosses.as_str(), one.credential_kind.as_str()), ("repo", "pat"));
    assert_eq!(one.carried_run_id.as_deref(), Some("17001"));
    // With it, the job is known as well.
    inputs.add(
        "acme/app/runs/17001/attempts/1/0_send.txt",
        "2026-10-01T10:00:00.0000000Z Complete job name: send\n\
         2026-10-01T10:00:02.0000000Z ##[group]Run curl\n\
         2026-10-01T10:00:02.0000000Z \u{1b}[36;1mcurl -X POST https://api.github.com/repos/Acme/deploy/dispatches -d '{\"event_type\": \"run-child\", \"client_payload\": {\"run_id\": \"17001\"}}'\u{1b}[0m\n\
         2026-10-01T10:00:02.0000000Z shell: /usr/bin/bash -e {0}\n\
         2026-10-01T10:00:02.0000000Z ##[endgroup]\n",
    );
    let (mut evidence, _) = inputs.read(&Limits::default());
    link(&mut evidence);
    let [one] = evidence.handoffs.as_slice() else { panic!("{:#?}", evidence.handoffs) };
    assert_eq!(one.parent_run_key, Some(parent));
    assert!(one.parent_job_key.is_some());
}

const RUN: &str = r#"{"id": ID, "run_number": 1, "workflow_id": 1, "head_sha": "ab", "event": "push", "path": ".github/workflows/ci.yml",
    "actor": {"login": "cat", "type": "User"}, "created_at": "2026-10-01T09:59:00Z", "run_started_at": "2026-10-01T09:59:00Z", "repository": {"full_name": "acme/app"}}"#;
