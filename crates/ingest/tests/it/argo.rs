//! Argo Workflows. Fixtures after argoproj/argo-workflows: `workflow/util/util_test.go`
//! (suspended nodes), `examples/workflow-of-workflows.yaml` and docs/fields.md.

use crate::orchestrators::{
    assert_owner, damaged, handoff, inputs, job, kind, linked, marker, nothing_is_lost, only_run, places,
    read_file, survives,
};
use crate::support::problem;
use proptest::prelude::*;
use serde_json::{Value, json};

fn parent(token: &str) -> Value {
    let manifest = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata:\n  generateName: deploy-\nspec:\n  arguments:\n    parameters:\n    - name: to\n      value: '{{inputs.parameters.to}}'\n  workflowTemplateRef:\n    name: deploy\n";
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": "release-x7k2p", "namespace": "ci", "generateName": "release-", "uid": "0b1c",
            "creationTimestamp": "2026-10-01T10:00:00Z",
            "labels": {
                "workflows.argoproj.io/creator": "system-serviceaccount",
                "workflows.argoproj.io/creator-email": "ana.at.acme.test",
                "workflows.argoproj.io/completed": "true",
            },
        },
        "spec": {
            "entrypoint": "main",
            "serviceAccountName": "releaser",
            "arguments": {"parameters": [{"name": "version", "value": "v1.2.3"}]},
            "templates": [
                {"name": "build", "serviceAccountName": "builder",
                 "inputs": {"parameters": [{"name": "token"}]},
                 "script": {
                    "image": "alpine:3.20", "command": ["sh"], "source": "make release",
                    "env": [
                        {"name": "REGISTRY", "value": "registry.test"},
                        {"name": "NPM_TOKEN", "valueFrom": {"secretKeyRef": {"name": "npm", "key": "token"}}},
                    ]}},
                {"name": "approve", "suspend": {}},
                {"name": "pause", "suspend": {"duration": "20"}},
                {"name": "deploy",
                 "resource": {"action": "create", "manifest": manifest, "successCondition": "status.phase == Succeeded"},
                 "outputs": {"parameters": [{"name": "child", "valueFrom": {"jsonPath": "{.metadata.name}"}}]}},
            ],
        },
        "status": {
            "phase": "Succeeded", "startedAt": "2026-10-01T10:00:00Z", "finishedAt": "2026-10-01T10:20:00Z",
            "nodes": {
                "release-x7k2p": {"id": "release-x7k2p", "name": "release-x7k2p", "displayName": "release-x7k2p", "type": "Steps", "phase": "Succeeded", "templateName": "main"},
                "release-x7k2p-1": {
                    "id": "release-x7k2p-1", "name": "release-x7k2p[0].build", "displayName": "build", "type": "Pod",
                    "templateName": "build", "phase": "Succeeded", "hostNodeName": "node-3",
                    "startedAt": "2026-10-01T10:00:01Z", "finishedAt": "2026-10-01T10:05:00Z",
                    "inputs": {"parameters": [{"name": "token", "value": token}]},
                    "outputs": {"result": "built", "exitCode": "0"}},
                "release-x7k2p-2": {
                    "id": "release-x7k2p-2", "name": "release-x7k2p[1].approve", "displayName": "approve", "type": "Suspend",
                    "templateName": "approve", "phase": "Succeeded", "startedAt": "2026-10-01T10:05:01Z", "finishedAt": "2026-10-01T10:10:00Z",
                    "message": "Resumed by: map[Email:ana@acme.test User:CgNhbmE]"},
                "release-x7k2p-3": {
                    "id": "release-x7k2p-3", "name": "release-x7k2p[2].pause", "displayName": "pause", "type": "Suspend",
                    "templateName": "pause", "phase": "Succeeded"},
                "release-x7k2p-4": {
                    "id": "release-x7k2p-4", "name": "release-x7k2p[3].deploy", "displayName": "deploy", "type": "Pod",
                    "templateName": "deploy", "phase": "Succeeded", "startedAt": "2026-10-01T10:10:01Z",
                    "inputs": {"parameters": [{"name": "to", "value": "production"}]},
                    "outputs": {"parameters": [{"name": "child", "value": "deploy-q9zzz"}]}},
            },
        },
    })
}

const CHILD: &str = "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  name: deploy-q9zzz
  namespace: ci
  creationTimestamp: 2026-10-01T10:10:02Z
  ownerReferences:
  - {apiVersion: argoproj.io/v1alpha1, kind: Workflow, name: release-x7k2p, uid: 0b1c}
spec:
  workflowTemplateRef: {name: deploy}
  arguments:
    parameters:
    - {name: to, value: production}
    - {name: reason, value: 'a free text'}
status: {phase: Running, startedAt: 2026-10-01T10:10:02Z, compressedNodes: H4sIAAAA}
";

#[test]
fn nodes_are_jobs_and_suspended_ones_approvals() {
    let token = marker("token");
    let (evidence, texts) = read_file("workflow.json", &parent(&token).to_string());
    let run = only_run(&evidence);
    assert_eq!(run.workflow_name.as_deref(), Some("release"));
    assert_eq!(
        (run.conclusion.as_deref(), run.actor.as_deref()),
        (Some("success"), Some("ana.at.acme.test"))
    );
    let names: Vec<_> = evidence.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["build", "deploy"], "Steps and Suspend nodes run nothing");
    let build = job(&evidence, "build");
    assert_eq!(build.runner_name.as_deref(), Some("node-3"));
    let step = evidence.steps.iter().find(|step| step.job_key == build.job_key).unwrap();
    assert_eq!((step.uses.as_deref(), step.pinned.as_deref()), (Some("alpine:3.20"), Some("tag")));
    // The parameter is bound to the step, scanned there, and nowhere else.
    assert_eq!(places(&texts, &token), ["with_binding"]);
    assert_owner(&texts, &token, build);
    let states: Vec<_> =
        evidence.bindings.iter().map(|row| (row.name.as_str(), row.state.as_str())).collect();
    assert!(
        states.contains(&("REGISTRY", "clear")) && states.contains(&("NPM_TOKEN", "masked")),
        "{states:?}"
    );
    let passed: Vec<_> = evidence.secrets_passed.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(passed, ["npm/token"]);
    assert_eq!(places(&texts, "make release"), ["script_echo"]);
    // A wait of some seconds is no approval.
    let [approval] = evidence.approvals.as_slice() else { panic!("one approval") };
    assert_eq!(approval.environment.as_deref(), Some("approve"));
    assert_eq!((approval.state.as_str(), approval.reviewer.as_deref()), ("approved", Some("ana@acme.test")));
    assert_eq!(approval.self_review, Some(true), "the label has `.at.` for `@`");
    assert_eq!(evidence.problems, []);
}

#[test]
fn pods_run_as_the_account_of_their_template() {
    let (evidence, _) = read_file("workflow.json", &parent("x").to_string());
    let of = |name: &str| {
        let job = job(&evidence, name).job_key;
        let used = evidence.identities_used.iter().find(|used| used.job_key == Some(job)).unwrap();
        (used.subject.clone().unwrap(), used.how.clone())
    };
    assert_eq!(of("build"), ("system:serviceaccount:ci:builder".to_owned(), "assigned".to_owned()));
    assert_eq!(of("deploy"), ("system:serviceaccount:ci:releaser".to_owned(), "assigned".to_owned()));
    let mut plain = parent("x");
    plain["spec"].as_object_mut().unwrap().remove("serviceAccountName");
    let (evidence, _) = read_file("workflow.json", &plain.to_string());
    let used =
        evidence.identities_used.iter().find(|used| used.job_key == Some(job(&evidence, "deploy").job_key));
    let used = used.unwrap();
    assert_eq!(
        (used.subject.as_deref(), used.how.as_str()),
        (Some("system:serviceaccount:ci:default"), "ambient")
    );
}

#[test]
fn both_sides_of_a_child_are_one_handoff() {
    let (parent_only, _) = read_file("parent.json", &parent("x").to_string());
    let sent = handoff(&parent_only, "child_run");
    assert_eq!(inputs(&parent_only, sent), [("to", "enum")], "the placeholder is filled");
    let all = linked(&[("parent.json", &parent("x").to_string()), ("child.yaml", CHILD)]);
    let [handoff] = all.handoffs.as_slice() else { panic!("one handoff: {:#?}", all.handoffs) };
    assert_eq!((handoff.link_method.as_str(), handoff.confidence), ("explicit_id", 1.0));
    assert_eq!(handoff.parent_job_key, Some(job(&all, "deploy").job_key));
    let child = all.runs.iter().find(|run| run.event.as_deref() == Some("child_run")).unwrap();
    assert_eq!(handoff.child_run_key, Some(child.run_key));
    assert_eq!(handoff.child_workflow.as_deref(), Some("deploy"));
    assert_eq!(inputs(&all, handoff), [("reason", "text"), ("to", "enum")]);
}

#[test]
fn nodes_that_are_stored_elsewhere_are_said_to_be_missing() {
    let (evidence, _) = read_file("child.yaml", CHILD);
    assert!(problem(&evidence, "child.yaml", "truncated").lossy);
    let gaps: Vec<_> = evidence.evidence_gaps.iter().map(|gap| gap.gap.as_str()).collect();
    assert_eq!(gaps, ["truncated"]);
}

#[test]
fn lists_and_streams_are_all_their_workflows() {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [parent("x"), parent("x")], "metadata": {"resourceVersion": ""}});
    let (evidence, _) = read_file("list.json", &list.to_string());
    assert_eq!(evidence.runs.len(), 2);
    let (evidence, _) = read_file("stream.yaml", &format!("{CHILD}---\n{CHILD}"));
    assert_eq!(evidence.runs.len(), 2);
    assert_eq!(kind("stream.yaml", CHILD), Some(("argo", "workflow")));
}

#[test]
fn a_workflow_that_was_never_submitted_is_scanned_and_said() {
    let token = marker("never");
    let text = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{generateName: x-}}\nspec: {{arguments: {{parameters: [{{name: t, value: {token}}}]}}}}\n"
    );
    let (evidence, texts) = read_file("x.yaml", &text);
    problem(&evidence, "x.yaml", "incomplete");
    assert_eq!((evidence.runs.len(), texts.count(&token)), (0, 1));
}

#[test]
fn nothing_of_the_document_is_lost() {
    nothing_is_lost("workflow.json", &parent("x"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_damage_is_survived(document in damaged(parent("x"))) {
        survives("workflow.json", &document.to_string());
    }
}
