//! From what a job prints and a cloud logs to the identity the job acted as.

use crate::support::{corpus, read_path};
use leakgraph_ingest::link;
use leakgraph_model::Evidence;
use leakgraph_model::tables::{IdentityUsed, identity_key, job_key, run_key};
use serde_json::json;
use std::fs;
use std::path::Path;

/// A run of one job, as the REST API has it ("Get a workflow run", "List jobs for a workflow
/// run attempt").
fn write_run(folder: &Path, repo: &str, id: u64, from: &str, to: &str) {
    let run = json!({"id": id, "run_number": 1, "run_attempt": 1, "workflow_id": 1, "head_sha": "0", "name": "ci",
        "path": ".github/workflows/ci.yml", "event": "push", "head_branch": "main", "status": "completed",
        "created_at": from, "run_started_at": from, "updated_at": to, "repository": {"full_name": repo}});
    let job = json!({"id": id * 10, "run_id": id, "run_attempt": 1, "name": "deploy", "labels": ["ubuntu-latest"], "steps": [],
        "run_url": format!("https://api.github.com/repos/{repo}/actions/runs/{id}"), "started_at": from, "completed_at": to});
    fs::write(folder.join(format!("run-{id}.json")), run.to_string()).expect("write");
    fs::write(folder.join(format!("job-{id}.json")), job.to_string()).expect("write");
}

fn linked(folder: &Path) -> Evidence {
    let (mut evidence, _) = read_path(folder);
    assert_eq!(evidence.problems, []);
    link(&mut evidence);
    evidence
}

/// The log of a job as a file whose path names its run.
fn write_log(folder: &Path, repo: &str, id: u64, lines: &[&str]) {
    let folder = folder.join(format!("{repo}/runs/{id}/attempts/1"));
    fs::create_dir_all(&folder).expect("a folder");
    let head = ["Current runner version: '2.328.0'", "Complete job name: deploy"];
    let text: String =
        head.iter().chain(lines).map(|line| format!("2026-10-01T10:01:00.0000000Z {line}\n")).collect();
    fs::write(folder.join("job.log"), text).expect("write");
}

const REPO: &str = "acme/api";

#[test]
fn the_real_event_is_joined_to_the_only_job_of_its_time() {
    let Some(corpus) = corpus() else { return };
    let folder = tempfile::TempDir::new().unwrap();
    for name in [
        "ccbrown_cloud-snitch_AssumeRoleWithWebIdentity.json",
        "argo_eks_AssumeRoleWithWebIdentity_denied.partial.json",
    ] {
        fs::copy(corpus.join("workflows/cloudtrail-oidc").join(name), folder.path().join(name)).unwrap();
    }
    write_run(
        folder.path(),
        "ccbrown/cloud-snitch",
        14_484_000_001,
        "2025-04-16T02:46:00Z",
        "2025-04-16T02:50:00Z",
    );
    write_run(
        folder.path(),
        "ccbrown/cloud-snitch",
        14_484_000_002,
        "2025-04-16T03:46:00Z",
        "2025-04-16T03:50:00Z",
    );
    let evidence = linked(folder.path());
    let run = run_key("github", "ccbrown/cloud-snitch", "14484000001", 1);
    let [used] = evidence.identities_used.as_slice() else { panic!("{:?}", evidence.identities_used) };
    assert_eq!((used.run_key, used.job_key), (Some(run), Some(job_key(run, "deploy"))));
    assert_eq!((used.join_method.as_str(), used.confidence, used.how.as_str()), ("sub_time", 0.9, "oidc"));
    let role =
        "arn:aws:iam::774305579662:role/cloud-snitch-github-actio-GithubActionsRoleF5CC769F-MoeCHSu77MYt";
    assert_eq!((used.subject.as_deref(), used.identity_key), (Some(role), Some(identity_key("aws", role))));
    assert_eq!(used.account.as_deref(), Some("774305579662"));
    assert!(
        used.session_id.as_deref().is_some_and(|id| id.starts_with("AROA") && id.ends_with(":GitHubActions"))
    );
    assert!(used.access_key_id.as_deref().is_some_and(|id| id.starts_with("ASIA")));
    // The refused one of the cluster is an attempt of a service account, and no identity used.
    let denied: Vec<_> = evidence.assumptions.iter().filter(|row| row.denied).collect();
    assert_eq!(denied[0].subject.as_deref(), Some("system:serviceaccount:argo:awf-aws-executor-plugin"));
    assert_eq!((denied.len(), denied[0].calls), (1, 1));
}

#[test]
fn a_masked_role_is_told_by_the_session_the_job_printed() {
    let folder = tempfile::TempDir::new().unwrap();
    write_log(
        folder.path(),
        REPO,
        30_797_407_173,
        &[
            "##[group]Run aws-actions/configure-aws-credentials@v4",
            "with:",
            "  role-to-assume: ***",
            "  role-session-name: gha-30797407173",
            "##[endgroup]",
            "Assuming role with OIDC",
            "Authenticated as assumedRoleId AROAEXAMPLEEXAMPLE000:gha-30797407173",
        ],
    );
    let role = "arn:aws:iam::123456789012:role/ci/deploy";
    let event = json!({"eventSource": "sts.amazonaws.com", "eventName": "AssumeRoleWithWebIdentity", "eventTime": "2026-10-01T10:01:00Z",
        "userIdentity": {"type": "WebIdentityUser", "userName": format!("repo:{REPO}:ref:refs/heads/main")},
        "requestParameters": {"roleArn": role, "roleSessionName": "gha-30797407173"},
        "responseElements": {"credentials": {"accessKeyId": "ASIAEXAMPLE"},
            "assumedRoleUser": {"assumedRoleId": "AROAEXAMPLEEXAMPLE000:gha-30797407173"}}});
    fs::write(folder.path().join("trail.json"), event.to_string()).unwrap();
    let evidence = linked(folder.path());
    let [used] = evidence.identities_used.as_slice() else { panic!("{:?}", evidence.identities_used) };
    assert_eq!((used.subject.as_deref(), used.access_key_id.as_deref()), (Some(role), Some("ASIAEXAMPLE")));
    assert_eq!((used.join_method.as_str(), used.confidence), ("exact_id", 1.0));
    assert_eq!(used.run_key, Some(run_key("github", REPO, "30797407173", 1)));
}

#[test]
fn the_printed_role_id_is_enough_with_an_inventory() {
    let folder = tempfile::TempDir::new().unwrap();
    write_log(
        folder.path(),
        REPO,
        1_000_001,
        &[
            "##[group]Run aws-actions/configure-aws-credentials@v4",
            "with:",
            "  role-to-assume: ***",
            "##[endgroup]",
            "Authenticated as assumedRoleId AROAEXAMPLEEXAMPLE000:GitHubActions",
        ],
    );
    let arn = "arn:aws:iam::123456789012:role/ci/deploy";
    let dump = json!({"RoleDetailList": [{"Arn": arn, "RoleName": "deploy", "RoleId": "AROAEXAMPLEEXAMPLE000",
        "AssumeRolePolicyDocument": {"Statement": []}}]});
    fs::write(folder.path().join("account.json"), dump.to_string()).unwrap();
    let evidence = linked(folder.path());
    assert_eq!(evidence.identities_used[0].identity_key, Some(identity_key("aws", arn)));
    assert_eq!(evidence.identities_used[0].subject.as_deref(), Some(arn));
}

#[test]
fn the_claims_that_azure_login_prints_are_joined_to_the_sign_in() {
    let folder = tempfile::TempDir::new().unwrap();
    let app = "11111111-2222-3333-4444-555555555555";
    // As the action prints them (Azure/login, src/main.ts).
    write_log(
        folder.path(),
        REPO,
        1_000_002,
        &[
            "##[group]Run azure/login@v2",
            "with:",
            "  client-id: ***",
            "##[endgroup]",
            "Federated token details: ",
            " issuer - https://token.actions.githubusercontent.com ",
            " subject claim - repo:acme/api:environment:prd",
            "Azure CLI login succeeds by using OIDC.",
        ],
    );
    let sign_in = json!({"category": "ServicePrincipalSignInLogs", "properties": {"appId": app, "servicePrincipalId": "sp",
        "federatedCredentialId": "fic", "createdDateTime": "2026-10-01T10:01:03Z", "status": {"errorCode": 0}}});
    fs::write(folder.path().join("sign-ins.json"), sign_in.to_string()).unwrap();
    let evidence = linked(folder.path());
    let [used] = evidence.identities_used.as_slice() else { panic!("{:?}", evidence.identities_used) };
    let IdentityUsed { identity_kind, session_name, subject, confidence, .. } = used;
    assert_eq!(
        (identity_kind.as_str(), session_name.as_deref()),
        ("azure_sp", Some("repo:acme/api:environment:prd"))
    );
    assert_eq!((subject.as_deref(), *confidence), (Some(app), 0.9));
}

#[test]
fn a_token_exchange_of_google_cloud_names_the_job() {
    let folder = tempfile::TempDir::new().unwrap();
    write_run(folder.path(), REPO, 1_000_003, "2026-10-01T10:00:00Z", "2026-10-01T10:05:00Z");
    let email = "deploy@my-project.iam.gserviceaccount.com";
    let entry = json!([{"timestamp": "2026-10-01T10:01:00Z", "protoPayload": {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog", "methodName": "GenerateAccessToken",
        "authenticationInfo": {"principalSubject": "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/subject/repo:acme/api:ref:refs/heads/main"},
        "request": {"name": format!("projects/-/serviceAccounts/{email}")}}}]);
    fs::write(folder.path().join("audit.json"), entry.to_string()).unwrap();
    let evidence = linked(folder.path());
    let [used] = evidence.identities_used.as_slice() else { panic!("{:?}", evidence.identities_used) };
    assert_eq!(
        (used.identity_kind.as_str(), used.identity_key),
        ("gcp_sa", Some(identity_key("gcp", email)))
    );
    assert_eq!((used.join_method.as_str(), used.confidence), ("sub_time", 0.9));
}
