//! Tekton. Fixtures after tektoncd/pipeline docs/pipelineruns.md ("PipelineRun status") and
//! docs/taskruns.md ("Monitoring execution status"), Red Hat OpenShift Pipelines, "Using Tekton
//! Results", and "Using manual approval in OpenShift Pipelines"; labels of tektoncd/triggers.

use crate::orchestrators::{
    assert_owner, damaged, handoff, inputs, job, kind, linked, marker, nothing_is_lost, only_run, places,
    read_file, survives,
};
use proptest::prelude::*;
use serde_json::{Value, json};

pub(crate) const PIPELINE_RUN: &str = "apiVersion: tekton.dev/v1
kind: PipelineRun
metadata:
  name: release-gmzrx
  generateName: release-
  namespace: ci
  creationTimestamp: 2026-10-01T11:41:39Z
  labels:
    tekton.dev/pipeline: release
    triggers.tekton.dev/eventlistener: github
    triggers.tekton.dev/trigger: on-push
    triggers.tekton.dev/triggers-eventid: cttzw
spec:
  pipelineRef: {name: release}
  params:
  - {name: revision, value: main}
  taskRunTemplate: {serviceAccountName: pipeline}
  taskRunSpecs:
  - {pipelineTaskName: push, serviceAccountName: pusher}
  workspaces:
  - {name: ssh, secret: {secretName: git-key}}
status:
  startTime: 2026-10-01T11:41:40Z
  completionTime: 2026-10-01T11:41:49Z
  conditions:
  - {type: Succeeded, status: 'True', reason: Succeeded, message: 'Tasks Completed: 2'}
  childReferences:
  - {apiVersion: tekton.dev/v1, kind: TaskRun, name: release-gmzrx-build, pipelineTaskName: build}
  - {apiVersion: tekton.dev/v1, kind: TaskRun, name: release-gmzrx-push, pipelineTaskName: push}
  - {apiVersion: tekton.dev/v1, kind: PipelineRun, name: release-gmzrx-deploy, pipelineTaskName: deploy}
  - {apiVersion: tekton.dev/v1beta1, kind: CustomRun, name: release-gmzrx-wait, pipelineTaskName: wait}
";

fn task_run(token: &str) -> Value {
    json!({
        "apiVersion": "tekton.dev/v1",
        "kind": "TaskRun",
        "metadata": {
            "name": "release-gmzrx-build", "namespace": "ci",
            "labels": {"tekton.dev/pipelineRun": "release-gmzrx", "tekton.dev/pipelineTask": "build", "tekton.dev/pipeline": "release"},
        },
        "spec": {
            "serviceAccountName": "pipeline",
            "params": [{"name": "token", "value": token}, {"name": "flags", "value": ["a", "b"]}],
            "taskRef": {"name": "build"},
        },
        "status": {
            "podName": "release-gmzrx-build-pod",
            "startTime": "2026-10-01T11:41:40Z", "completionTime": "2026-10-01T11:41:45Z",
            "conditions": [{"type": "Succeeded", "status": "False", "reason": "Failed"}],
            "results": [{"name": "digest", "type": "string", "value": "sha256:abc"}],
            "steps": [
                {"name": "compile", "container": "step-compile",
                 "imageID": format!("docker.io/library/golang@sha256:{}", "1a".repeat(32)),
                 "terminated": {"exitCode": 0, "reason": "Completed", "startedAt": "2026-10-01T11:41:41Z", "finishedAt": "2026-10-01T11:41:43Z"}},
                {"name": "sign", "container": "step-sign",
                 "terminated": {"exitCode": 1, "reason": "Error", "startedAt": "2026-10-01T11:41:43Z", "finishedAt": "2026-10-01T11:41:45Z"}},
            ],
            "taskSpec": {"steps": [
                {"name": "compile", "image": "golang:1.23", "script": "go build ./..."},
                {"name": "sign", "image": format!("cosign@sha256:{}", "2b".repeat(32)),
                 "env": [{"name": "COSIGN_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "cosign", "key": "password"}}}],
                 "envFrom": [{"secretRef": {"name": "registry"}}]},
            ]},
        },
    })
}

fn child() -> Value {
    json!({
        "apiVersion": "tekton.dev/v1", "kind": "PipelineRun",
        "metadata": {"name": "release-gmzrx-deploy", "namespace": "ci",
            "ownerReferences": [{"apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "name": "release-gmzrx", "controller": true}]},
        "spec": {"pipelineRef": {"name": "deploy"}, "params": [{"name": "to", "value": "production"}, {"name": "zones", "value": ["a", "b"]}]},
        "status": {"conditions": [{"type": "Succeeded", "status": "Unknown", "reason": "Running"}]},
    })
}

#[test]
fn a_pipeline_run_names_its_tasks_and_their_accounts() {
    let (evidence, _) = read_file("run.yaml", PIPELINE_RUN);
    let run = only_run(&evidence);
    assert_eq!(
        (run.workflow_name.as_deref(), run.event.as_deref()),
        (Some("release"), Some("eventlistener"))
    );
    assert_eq!((run.status.as_deref(), run.conclusion.as_deref()), (Some("completed"), Some("success")));
    let [trigger] = evidence.triggers.as_slice() else { panic!("one trigger") };
    assert_eq!((trigger.kind.as_str(), trigger.condition.as_deref()), ("event", Some("on-push")));
    assert_eq!(trigger.decided_by.as_deref(), Some("github"));
    let subject = |name: &str| {
        let job = job(&evidence, name).job_key;
        evidence
            .identities_used
            .iter()
            .find(|used| used.job_key == Some(job))
            .and_then(|used| used.subject.clone())
    };
    assert_eq!(subject("build").as_deref(), Some("system:serviceaccount:ci:pipeline"));
    assert_eq!(subject("push").as_deref(), Some("system:serviceaccount:ci:pusher"));
    let passed: Vec<_> = evidence.secrets_passed.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(passed, ["git-key"]);
    assert_eq!(handoff(&evidence, "child_run").child_workflow.as_deref(), Some("deploy"));
    // What a custom task does is not in the file.
    assert_eq!(evidence.evidence_gaps.iter().filter(|gap| gap.gap == "no_child").count(), 1);
    assert_eq!(evidence.problems, []);
}

#[test]
fn a_task_run_has_its_steps() {
    let token = marker("token");
    let (evidence, texts) = read_file("task.json", &task_run(&token).to_string());
    assert_eq!(evidence.runs, [], "its run is the pipeline's");
    let build = job(&evidence, "build");
    assert_eq!(build.conclusion.as_deref(), Some("failure"));
    let steps: Vec<_> = evidence
        .steps
        .iter()
        .map(|step| (step.name.as_str(), step.conclusion.as_deref(), step.pinned.as_deref()))
        .collect();
    assert_eq!(steps, [("compile", Some("success"), Some("tag")), ("sign", Some("failure"), Some("sha"))]);
    assert_eq!(evidence.steps[0].resolved_sha, Some("1a".repeat(32)));
    assert_eq!(places(&texts, &token), ["with_binding"]);
    assert_owner(&texts, &token, build);
    assert_eq!(places(&texts, "go build"), ["script_echo"]);
    assert_eq!(places(&texts, "sha256:abc"), ["job_output"]);
    let passed: Vec<_> = evidence.secrets_passed.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(passed, ["cosign/password", "registry"]);
}

#[test]
fn what_files_say_of_the_same_run_meets() {
    let all = linked(&[
        ("run.yaml", PIPELINE_RUN),
        ("task.json", &task_run("x").to_string()),
        ("child.json", &child().to_string()),
    ]);
    let build = job(&all, "build");
    assert_eq!(
        (build.runner_name.as_deref(), build.conclusion.as_deref()),
        (Some("release-gmzrx-build-pod"), Some("failure"))
    );
    assert_eq!(all.jobs.len(), 2);
    let [handoff] = all.handoffs.as_slice() else { panic!("one handoff") };
    assert_eq!(inputs(&all, handoff), [("to", "enum"), ("zones[0]", "enum"), ("zones[1]", "enum")]);
    assert_eq!(handoff.confidence, 1.0);
}

#[test]
fn a_task_run_of_no_pipeline_is_a_run() {
    let mut task = task_run("x");
    task["metadata"].as_object_mut().unwrap().remove("labels");
    task["spec"]["serviceAccountName"] = json!("default");
    let (evidence, _) = read_file("task.json", &task.to_string());
    assert_eq!(only_run(&evidence).workflow_name.as_deref(), Some("build"));
    assert_eq!(evidence.identities_used[0].how, "ambient", "every pod of the namespace has it");
}

#[test]
fn status_of_task_runs_in_a_v1beta1_run_is_read() {
    let run = json!({
        "apiVersion": "tekton.dev/v1beta1", "kind": "PipelineRun",
        "metadata": {"name": "old-1", "namespace": "ci"},
        "spec": {"pipelineRef": {"name": "old"}, "serviceAccountName": "bot"},
        "status": {"taskRuns": {"old-1-build-abc": {"pipelineTaskName": "build", "status": {
            "conditions": [{"type": "Succeeded", "status": "True", "reason": "Succeeded"}],
            "steps": [{"name": "make", "terminated": {"exitCode": 0}}]}}}},
    });
    let (evidence, _) = read_file("old.json", &run.to_string());
    assert_eq!(job(&evidence, "build").conclusion.as_deref(), Some("success"));
    assert_eq!(evidence.steps.len(), 1);
    assert_eq!(evidence.identities_used[0].subject.as_deref(), Some("system:serviceaccount:ci:bot"));
}

#[test]
fn runs_of_pipelines_as_code_name_sender_and_commit() {
    let run = json!({
        "apiVersion": "tekton.dev/v1", "kind": "PipelineRun",
        "metadata": {"name": "pr-1", "namespace": "ci",
            "labels": {"pipelinesascode.tekton.dev/event-type": "pull_request", "pipelinesascode.tekton.dev/sha": "0123456789abcdef0123456789abcdef01234567"},
            "annotations": {"pipelinesascode.tekton.dev/sender": "mallory", "pipelinesascode.tekton.dev/branch": "main"}},
        "spec": {},
    });
    let (evidence, _) = read_file("pr.json", &run.to_string());
    let run = only_run(&evidence);
    assert_eq!((run.event.as_deref(), run.actor.as_deref()), (Some("pull_request"), Some("mallory")));
    assert_eq!(run.head_sha.as_deref(), Some("0123456789abcdef0123456789abcdef01234567"));
}

#[test]
fn manual_approvals_name_who_answered() {
    let task = json!({
        "apiVersion": "openshift-pipelines.org/v1alpha1", "kind": "ApprovalTask",
        "metadata": {"name": "release-gmzrx-wait", "namespace": "ci", "labels": {"tekton.dev/pipelineRun": "release-gmzrx"}},
        "spec": {"approvers": [{"name": "ana", "input": "approve"}, {"name": "bo", "input": "pending"}, {"name": "cy", "input": "reject"}]},
        "status": {"state": "rejected"},
    });
    assert_eq!(kind("a.json", &task.to_string()), Some(("tekton", "pipeline_run")));
    let (evidence, _) = read_file("a.json", &task.to_string());
    let states: Vec<_> =
        evidence.approvals.iter().map(|row| (row.reviewer.as_deref().unwrap(), row.state.as_str())).collect();
    assert_eq!(states, [("ana", "approved"), ("cy", "rejected")]);
    let (run, _) = read_file("run.yaml", PIPELINE_RUN);
    assert_eq!(evidence.approvals[0].run_key, only_run(&run).run_key);
}

#[test]
fn nothing_of_the_document_is_lost() {
    nothing_is_lost("task.json", &task_run("x"));
    nothing_is_lost("child.json", &child());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_damage_is_survived(document in prop_oneof![damaged(task_run("x")), damaged(child())]) {
        survives("run.json", &document.to_string());
    }
}
