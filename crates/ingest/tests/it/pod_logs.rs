//! Logs of pods. Form: Kubernetes documentation, "kubectl logs", `--prefix` and `--timestamps`
//! (kubectl writes `[pod/%s/%s] `). Names of pods: argoproj/argo-workflows `workflow/util/pod_name.go`;
//! Tekton documentation, "TaskRuns", `status.podName`.

use crate::support::{Inputs, read_path, recognised};
use leakgraph_ingest::{Limits, link};
use leakgraph_model::Timestamp;
use leakgraph_model::tables::run_key;
use proptest::prelude::*;
use serde_json::json;

const ARGO: &str = "[pod/release-x7k2p-build-3145/main] 2026-10-01T10:00:02.000000000Z npm ci\n\
[pod/release-x7k2p-build-3145/wait] 2026-10-01T10:00:03.000000000Z saving\n\
[pod/release-x7k2p-build-3145/main] 2026-10-01T10:00:04.000000000Z done\n";
const TEKTON: &str = "[pod/release-gmzrx-build-pod/prepare] 2026/10/01 10:00:00 Entrypoint initialization\n\
[pod/release-gmzrx-build-pod/step-compile] make\n\
[pod/somebody-else-7/app] hello\n";

#[test]
fn pods_are_jobs_and_containers_steps() {
    let inputs = Inputs::new();
    let path = inputs.add("argo.log", ARGO);
    assert_eq!(recognised(&path), [("kubernetes", "pod_log")]);
    let (evidence, texts) = inputs.read(&Limits::default());
    let job = evidence.jobs.iter().find(|job| job.name == "release-x7k2p-build-3145").expect("the pod");
    assert!(job.has_log && job.started_at == Timestamp::parse("2026-10-01T10:00:02Z"));
    let steps: Vec<_> = evidence.steps.iter().filter(|step| step.job_key == job.job_key).collect();
    let names: Vec<_> = steps.iter().map(|step| (step.name.as_str(), step.kind.as_str())).collect();
    assert_eq!(names, [("main", "run"), ("wait", "setup")]);
    let (context, text) =
        texts.0.iter().find(|(context, _)| context.path.ends_with("argo.log")).expect("the log");
    assert_eq!((text.as_slice(), context.job_key), (ARGO.as_bytes(), Some(job.job_key)));
    let turns: Vec<_> = context.marks.iter().map(|mark| mark.step_key).collect();
    assert_eq!(turns, [steps[0].step_key, steps[1].step_key, steps[0].step_key].map(Some));
    assert_eq!(context.marks[1].offset, ARGO.find('\n').expect("a line") + 1);
}

#[test]
fn pods_are_of_the_runs_whose_objects_name_them() {
    let node = |id: &str, template: &str| {
        json!({"id": id, "name": id, "displayName": template, "type": "Pod", "templateName": template, "phase": "Succeeded",
            "startedAt": "2026-10-01T10:00:01Z", "finishedAt": "2026-10-01T10:05:00Z"})
    };
    let workflow = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "release-x7k2p", "namespace": "ci"},
        "spec": {"templates": [{"name": "build"}]},
        "status": {"phase": "Succeeded", "nodes": {"a": node("release-x7k2p-3145", "build"), "b": node("release-x7k2p-9", "test")}}});
    let task = json!({"apiVersion": "tekton.dev/v1", "kind": "TaskRun",
        "metadata": {"name": "release-gmzrx-build", "namespace": "ci", "labels": {"tekton.dev/pipelineRun": "release-gmzrx"}},
        "spec": {"taskRef": {"name": "build"}}, "status": {"podName": "release-gmzrx-build-pod", "steps": [], "conditions": []}});
    let inputs = Inputs::new();
    inputs.add("argo.log", ARGO);
    inputs.add("tekton.log", TEKTON);
    inputs.add("workflow.json", workflow.to_string());
    inputs.add("task.json", task.to_string());
    let (mut evidence, _) = inputs.read(&Limits::default());
    link(&mut evidence);
    let run_of =
        |pod: &str| evidence.jobs.iter().find(|job| job.has_log && job.name == pod).map(|job| job.run_key);
    assert_eq!(run_of("release-x7k2p-build-3145"), Some(run_key("argo", "ci", "release-x7k2p", 1)));
    assert_eq!(run_of("release-gmzrx-build-pod"), Some(run_key("tekton", "ci", "release-gmzrx", 1)));
    // Of the pod that nothing tells of, the log stands for the run.
    let left: Vec<_> =
        evidence.runs.iter().filter(|run| run.platform == "kubernetes").map(|run| run.run_key).collect();
    assert_eq!(left, [run_of("somebody-else-7").expect("the pod")]);
}

#[test]
fn a_pod_that_two_runs_could_have_had_is_of_neither() {
    let task = |namespace: &str| {
        json!({"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "metadata": {"name": "release-gmzrx-build", "namespace": namespace},
            "spec": {}, "status": {"podName": "release-gmzrx-build-pod", "steps": [], "conditions": []}})
    };
    let inputs = Inputs::new();
    inputs.add("tekton.log", TEKTON);
    inputs.add("one.json", task("one").to_string());
    inputs.add("two.json", task("two").to_string());
    let (mut evidence, _) = inputs.read(&Limits::default());
    link(&mut evidence);
    let log = evidence.runs.iter().find(|run| run.platform == "kubernetes").expect("the log's run").run_key;
    assert_eq!(evidence.jobs.iter().filter(|job| job.run_key == log).count(), 2);
}

#[test]
fn logs_of_tkn_have_a_job_per_task() {
    let log = "[fetch : clone] Cloning\n\n[build : compile] make\n[build : push] pushing\n";
    let inputs = Inputs::new();
    let path = inputs.add("run.log", log);
    assert_eq!(recognised(&path), [("kubernetes", "tkn_log")]);
    let (evidence, texts) = read_path(&path);
    let jobs: Vec<_> = evidence.jobs.iter().map(|job| job.name.as_str()).collect();
    let steps: Vec<_> = evidence.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!((jobs, steps), (vec!["fetch", "build"], vec!["clone", "compile", "push"]));
    assert_eq!(evidence.runs[0].platform, "tekton");
    let marks = &texts.0[0].0.marks;
    assert_eq!(marks.last().map(|mark| mark.offset), log.find("[build : push]"));
}

#[test]
fn logs_of_argo_name_pods_that_runs_are_found_by() {
    let node = json!({"id": "release-x7k2p-2478234971", "name": "release-x7k2p.build", "displayName": "build", "type": "Pod",
        "templateName": "build", "phase": "Succeeded", "startedAt": "2026-10-01T10:00:01Z", "finishedAt": "2026-10-01T10:05:00Z"});
    let workflow = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "release-x7k2p", "namespace": "ci"},
        "spec": {"templates": [{"name": "build"}]}, "status": {"phase": "Succeeded", "nodes": {"a": node}}});
    let inputs = Inputs::new();
    let path = inputs
        .add("workflow.log", "release-x7k2p-build-2478234971: make\nrelease-x7k2p-build-2478234971: ok\n");
    assert_eq!(recognised(&path), [("kubernetes", "argo_log")]);
    inputs.add("workflow.json", workflow.to_string());
    let (mut evidence, _) = inputs.read(&Limits::default());
    link(&mut evidence);
    let logged =
        evidence.jobs.iter().find(|job| job.name == "release-x7k2p-build-2478234971").expect("the pod");
    assert_eq!(logged.run_key, run_key("argo", "ci", "release-x7k2p", 1));
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[pod/a-1/main] "),
        Just("[pod/a-1/wait] 2026-10-01T10:00:02Z "),
        Just("[pod/b/"),
        Just("step-x] "),
        Just("\n"),
        Just("\r\n"),
        Just("]"),
        Just("é\u{0}"),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_pieces_of_a_pod_log_are_read_once(text in pieces()) {
        let inputs = Inputs::new();
        inputs.add("pod.log", format!("[pod/a-1/main] x\n{text}"));
        let (mut evidence, texts) = inputs.read(&Limits::default());
        prop_assert_eq!(texts.0.iter().filter(|(context, _)| context.path.ends_with("pod.log")).count(), 1);
        link(&mut evidence);
    }
}
