//! What the tests of orchestrators share: reading one document, and what holds for all.

use crate::support::{Inputs, Texts, corpus, read_path};
use leakgraph_ingest::{Limits, discover, explain, link};
use leakgraph_model::Evidence;
use leakgraph_model::tables::{Handoff, Job, Run};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::HashSet;

/// What a file of this name and content gives, without what lies beside it.
pub(crate) fn read_file(name: &str, content: &str) -> (Evidence, Texts) {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(&path, content).expect("write");
    let (evidence, texts) = read_path(&path);
    check(&evidence, &texts);
    (evidence, texts)
}

/// What a file is taken for.
pub(crate) fn kind(name: &str, content: &str) -> Option<(&'static str, &'static str)> {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("write");
    let (items, _) = discover(std::slice::from_ref(&path), &Limits::default());
    let item = items.first().expect("an item");
    let (recognised, _) = explain(item, &Limits::default(), &mut Texts::default());
    recognised.first().map(|one| (one.platform, one.kind))
}

/// Every row names rows that are there.
fn check(evidence: &Evidence, texts: &Texts) {
    let jobs: HashSet<_> = evidence.jobs.iter().map(|job| job.job_key).collect();
    let steps: HashSet<_> = evidence.steps.iter().map(|step| step.step_key).collect();
    let handoffs: HashSet<_> = evidence.handoffs.iter().map(|handoff| handoff.handoff_key).collect();
    assert!(evidence.steps.iter().all(|step| jobs.contains(&step.job_key)), "a step of no job");
    assert!(evidence.bindings.iter().all(|row| steps.contains(&row.step_key)), "a binding of no step");
    assert!(
        evidence.handoff_inputs.iter().all(|row| handoffs.contains(&row.handoff_key)),
        "an input of nothing"
    );
    assert!(evidence.runs.iter().all(|run| run.repo.is_none()), "these runs are of no repository");
    let names: Vec<_> = texts.0.iter().map(|(context, _)| (&context.path, &context.name)).collect();
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "texts that cannot be told apart");
    for (context, bytes) in &texts.0 {
        for mark in &context.marks {
            assert!(mark.step_key.is_none_or(|key| steps.contains(&key)), "a mark of no step");
            let before = mark.offset.checked_sub(1).and_then(|at| bytes.get(at));
            assert!(before.is_none_or(|byte| *byte == b'\n'), "a mark inside a line");
        }
    }
}

/// The only run.
pub(crate) fn only_run(evidence: &Evidence) -> &Run {
    let [run] = evidence.runs.as_slice() else { panic!("one run, not {:#?}", evidence.runs) };
    run
}

pub(crate) fn job<'e>(evidence: &'e Evidence, name: &str) -> &'e Job {
    evidence.jobs.iter().find(|job| job.name == name).unwrap_or_else(|| panic!("no job {name}"))
}

pub(crate) fn handoff<'e>(evidence: &'e Evidence, mechanism: &str) -> &'e Handoff {
    let found = evidence.handoffs.iter().find(|handoff| handoff.mechanism == mechanism);
    found.unwrap_or_else(|| panic!("no {mechanism} in {:#?}", evidence.handoffs))
}

/// Names and classes of the inputs of a handoff, sorted.
pub(crate) fn inputs<'e>(evidence: &'e Evidence, handoff: &Handoff) -> Vec<(&'e str, &'e str)> {
    let of = evidence.handoff_inputs.iter().filter(|input| input.handoff_key == handoff.handoff_key);
    let mut inputs: Vec<_> = of.map(|input| (input.name.as_str(), input.value_class.as_str())).collect();
    inputs.sort_unstable();
    inputs
}

/// The places at which the line that holds a needle was handed over.
pub(crate) fn places(texts: &Texts, needle: &str) -> Vec<&'static str> {
    let mut places = Vec::new();
    for (context, bytes) in &texts.0 {
        let text = String::from_utf8_lossy(bytes);
        for (at, _) in text.match_indices(needle) {
            let mark = context.marks.iter().rfind(|mark| mark.offset <= at);
            places.push(mark.map_or(context.place, |mark| mark.place));
        }
    }
    places
}

/// The text that holds a needle belongs to this job and run.
pub(crate) fn assert_owner(texts: &Texts, needle: &str, job: &Job) {
    let (context, _) = texts
        .0
        .iter()
        .find(|(_, bytes)| crate::support::occurrences(bytes, needle) > 0)
        .unwrap_or_else(|| panic!("{needle} was not handed over"));
    assert_eq!(
        (context.run_key, context.job_key),
        (Some(job.run_key), Some(job.job_key)),
        "owner of {needle}"
    );
}

/// Two documents, read apart, linked together.
pub(crate) fn linked(documents: &[(&str, &str)]) -> Evidence {
    let mut all = Evidence::default();
    for (name, content) in documents {
        all.append(read_file(name, content).0);
    }
    link(&mut all);
    all
}

/// A secret-looking value that no scanner knows, made at run time.
pub(crate) fn marker(name: &str) -> String {
    let letters = b"k3Vw9ZqB7mXt2RfL8sYd";
    let mixed = letters.iter().cycle().step_by(7).take(24).map(|letter| char::from(*letter));
    name.chars().chain(mixed).collect()
}

/// A document with one value put in another place or replaced.
pub(crate) fn damaged(document: Value) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(Value::from(-1)),
        Just(Value::from(u64::MAX)),
        Just(Value::from(1e300)),
        Just(Value::Bool(true)),
        Just(Value::from("")),
        Just(Value::from("{\"a\":[1]}")),
        Just(Value::from("é{{x}}\n]")),
        Just(Value::Array(vec![])),
        Just(serde_json::json!({"value": {"name": []}})),
    ];
    (proptest::collection::vec((any::<prop::sample::Index>(), leaf), 1..6)).prop_map(move |changes| {
        let mut document = document.clone();
        for (at, leaf) in changes {
            let mut paths = Vec::new();
            pointers("", &document, &mut paths);
            let path = paths.get(at.index(paths.len())).cloned().unwrap_or_default();
            if let Some(value) = document.pointer_mut(&path) {
                *value = leaf;
            }
        }
        document
    })
}

fn pointers(path: &str, value: &Value, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                pointers(&format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")), value, found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(&format!("{path}/{index}"), value, found);
            }
        }
        _ => {}
    }
}

/// Every text of a document is handed over, as it is or decoded, whether a row needs it or not.
pub(crate) fn nothing_is_lost(name: &str, document: &Value) {
    let (_, texts) = read_file(name, &document.to_string());
    let mut paths = Vec::new();
    pointers("", document, &mut paths);
    for path in paths {
        let Some(text) = document.pointer(&path).and_then(Value::as_str) else { continue };
        let is_json = text.starts_with(['{', '[', '"']);
        assert!(text.is_empty() || is_json || texts.count(text) > 0, "{path} of {name} was not handed over");
    }
}

/// Reads without a panic, leaves a row, and is linked.
pub(crate) fn survives(name: &str, content: &str) {
    let (mut evidence, _) = read_file(name, content);
    assert!(!evidence.source_files.is_empty() || !evidence.problems.is_empty(), "no row of {content}");
    link(&mut evidence);
}

#[test]
fn a_log_of_airflow_keeps_its_neighbour() {
    let inputs = Inputs::new();
    inputs.add("dag_id=d/run_id=manual__1/task_id=t/attempt=1.log", "{\"event\":\"x\",\"level\":\"info\"}\n");
    let (evidence, _) = inputs.read(&Limits::default());
    assert_eq!(evidence.runs.iter().filter(|run| run.platform == "airflow").count(), 1);
}

#[test]
fn the_same_content_gives_the_same_rows_wherever_it_lies() {
    let content = crate::tekton::PIPELINE_RUN;
    let rows = |name: &str| {
        let (mut evidence, _) = read_file(name, content);
        evidence.source_files.clear();
        evidence
    };
    assert_eq!(rows("a.yaml"), rows("deep/below/b.yml"));
}

#[test]
fn other_objects_of_the_same_families_are_not_runs() {
    let others = [
        ("template.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: x}\n"),
        ("app.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: x}\n"),
        ("pipeline.yaml", "apiVersion: tekton.dev/v1\nkind: Pipeline\nmetadata: {name: x}\n"),
        ("workflow.json", "{\"id\":\"1\",\"name\":\"x\",\"nodes\":[],\"connections\":{}}"),
        ("asl.json", "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",\"End\":true}}}"),
        // Amazon SWF and Cadence, whose histories look much like Temporal's.
        (
            "swf.json",
            "{\"events\":[{\"eventId\":1,\"eventTimestamp\":1.0,\"eventType\":\"WorkflowExecutionStarted\",\"workflowExecutionStartedEventAttributes\":{}}]}",
        ),
        (
            "cadence.json",
            "[{\"eventId\":1,\"timestamp\":1,\"eventType\":\"WorkflowExecutionStarted\",\"workflowExecutionStartedEventAttributes\":{}}]",
        ),
        ("lambda.json", "{\"events\":[{\"message\":\"START RequestId: 1\",\"timestamp\":1}]}"),
        (
            "structlog.log",
            "{\"event\":\"started\",\"level\":\"info\",\"timestamp\":\"2026-10-01T00:00:00Z\"}\n",
        ),
        (
            "app.log",
            "[2026-10-01 00:00:00,000] {server.py:10} INFO - up\n[2026-10-01 00:00:01,000] {server.py:11} INFO - x\n",
        ),
        ("dag.json", "{\"dag_id\":\"d\",\"is_paused\":false}"),
    ];
    for (name, content) in others {
        assert_eq!(kind(name, content), None, "{name}");
    }
}

#[test]
fn no_real_file_of_another_platform_is_taken_for_one_of_these() {
    let Some(corpus) = corpus() else { return };
    let ours = ["argo", "tekton", "airflow", "temporal", "n8n", "step_functions"];
    let (items, _) = discover(&[corpus.join("workflows"), corpus.join("identities")], &Limits::default());
    assert!(items.len() > 500, "{} items", items.len());
    for item in items.iter().filter(|item| item.bytes < 1 << 20) {
        let (recognised, _) = explain(item, &Limits::default(), &mut Texts::default());
        for one in recognised {
            assert!(!ours.contains(&one.platform), "{} is taken for {} {}", one.path, one.platform, one.kind);
        }
    }
}
