//! OTLP/JSON. Shapes are those of opentelemetry-proto (`examples/trace.json`, `logs.json`) and
//! of the file exporter of the collector; attributes those of the semantic conventions "CICD
//! Spans" and "GenAI agent and framework spans".

use crate::support::{Texts, problem, read_path};
use leakgraph_ingest::link;
use leakgraph_model::tables::{job_key, run_key};
use leakgraph_model::{Evidence, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(files: &[(&str, String)]) -> (Evidence, Texts) {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("write");
    }
    read_path(folder.path())
}

fn attributes(pairs: &[(&str, Value)]) -> Value {
    let typed = |value: &Value| match value {
        Value::String(text) => json!({"stringValue": text}),
        Value::Number(number) => json!({"intValue": number.to_string()}),
        other => other.clone(),
    };
    pairs.iter().map(|(key, value)| json!({"key": key, "value": typed(value)})).collect()
}

/// A span at second `at`, for one second.
fn span(trace: &str, id: &str, parent: &str, name: &str, at: u64, pairs: &[(&str, Value)]) -> Value {
    let nanos = |second: u64| ((1_790_000_000 + second) * 1_000_000_000).to_string();
    json!({"traceId": trace, "spanId": id, "parentSpanId": parent, "name": name, "kind": 1,
        "startTimeUnixNano": nanos(at), "endTimeUnixNano": nanos(at + 1), "attributes": attributes(pairs)})
}

fn export(service: &str, spans: &[Value]) -> Value {
    json!({"resourceSpans": [{"resource": {"attributes": attributes(&[("service.name", service.into())])},
        "scopeSpans": [{"scope": {"name": "s"}, "spans": spans}]}]})
}

const TRACE: &str = "5b8efff798038103d269b633813fc60c";
const FAR: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn a_pipeline_of_github_is_the_run_that_github_knows() {
    let url = "https://github.com/Acme/api/actions/runs/9753949763/attempts/2?pr=1075";
    let spans = [
        span(
            TRACE,
            "01",
            "",
            "RUN ci",
            0,
            &[
                ("cicd.pipeline.name", "ci".into()),
                ("cicd.pipeline.run.id", "9753949763".into()),
                ("cicd.pipeline.run.url.full", url.into()),
                ("cicd.pipeline.result", "failure".into()),
                ("vcs.ref.head.name", "main".into()),
            ],
        ),
        span(
            TRACE,
            "02",
            "01",
            "build",
            1,
            &[
                ("cicd.pipeline.task.name", "build".into()),
                ("cicd.pipeline.task.run.id", "26920038674".into()),
                ("cicd.pipeline.task.run.result", "failure".into()),
            ],
        ),
        span(
            TRACE,
            "04",
            "02",
            "Run make",
            3,
            &[
                ("cicd.pipeline.task.name", "Run make".into()),
                ("cicd.pipeline.task.run.result", "skip".into()),
            ],
        ),
        span(
            TRACE,
            "03",
            "02",
            "checkout",
            2,
            &[
                ("cicd.pipeline.task.name", "checkout".into()),
                ("cicd.pipeline.task.run.result", "success".into()),
            ],
        ),
    ];
    let (evidence, texts) = read(&[("ci.json", export("ci", &spans).to_string())]);
    assert_eq!(evidence.problems, []);
    let run = run_key("github", "acme/api", "9753949763", 2);
    let [row] = evidence.runs.as_slice() else { panic!("{:?}", evidence.runs) };
    assert_eq!(
        (row.run_key, row.platform.as_str(), row.conclusion.as_deref()),
        (run, "github", Some("failure"))
    );
    assert_eq!((row.head_ref.as_deref(), row.status.as_deref()), (Some("main"), Some("completed")));
    let [job] = evidence.jobs.as_slice() else { panic!("{:?}", evidence.jobs) };
    assert_eq!((job.job_key, job.platform_job_id.as_deref()), (job_key(run, "build"), Some("26920038674")));
    let steps: Vec<_> = evidence
        .steps
        .iter()
        .map(|step| (step.name.as_str(), step.ordinal, step.conclusion.as_deref()))
        .collect();
    assert_eq!(steps, [("checkout", 0, Some("success")), ("Run make", 1, Some("skipped"))]);
    assert!(evidence.handoffs.is_empty() && texts.count("vcs.ref.head.name: main") == 1);
}

fn agents() -> Vec<Value> {
    let planner = [
        span(
            TRACE,
            "a1",
            "",
            "invoke_agent planner",
            0,
            &[("gen_ai.operation.name", "invoke_agent".into()), ("gen_ai.agent.name", "planner".into())],
        ),
        span(
            TRACE,
            "a2",
            "a1",
            "chat some-model",
            1,
            &[
                ("gen_ai.operation.name", "chat".into()),
                ("gen_ai.input.messages", "[{\"content\":\"deploy it\"}]".into()),
            ],
        ),
        span(
            TRACE,
            "a3",
            "a1",
            "execute_tool delegate",
            2,
            &[
                ("gen_ai.operation.name", "execute_tool".into()),
                ("gen_ai.tool.name", "delegate".into()),
                (
                    "gen_ai.tool.call.arguments",
                    "{\"task\":\"deploy\",\"auth\":{\"token\":\"Zx81hGk2Lq9Vt4Rw7Yb3\"}}".into(),
                ),
            ],
        ),
    ];
    let deployer = [
        span(TRACE, "b0", "a3", "POST /agent", 3, &[("http.route", "/agent".into())]),
        span(
            TRACE,
            "b1",
            "b0",
            "invoke_agent deployer",
            4,
            &[("gen_ai.operation.name", "invoke_agent".into()), ("gen_ai.agent.name", "deployer".into())],
        ),
    ];
    vec![export("planner", &planner), export("deployer", &deployer)]
}

#[test]
fn an_agent_that_calls_another_hands_on() {
    // One line an export, as the file exporter writes them.
    let lines: String = agents().iter().map(|export| format!("{export}\n")).collect();
    let (mut evidence, texts) = read(&[("traces.json", lines)]);
    assert_eq!(evidence.problems, []);
    link(&mut evidence);
    let run = run_key("otel", "", TRACE, 1);
    assert_eq!(
        evidence.runs.iter().map(|run| (run.run_key, run.repo.as_deref())).collect::<Vec<_>>(),
        [(run, Some("planner"))]
    );
    let job = |name: &str| evidence.jobs.iter().find(|job| job.name == name).unwrap();
    assert_eq!((evidence.jobs.len(), job("planner").chain_depth, job("deployer").chain_depth), (2, 0, 1));
    let mut steps: Vec<_> =
        evidence.steps.iter().map(|step| (step.ordinal, step.kind.as_str(), step.job_key)).collect();
    steps.sort();
    let planner = job("planner").job_key;
    assert_eq!(steps, [(0, "model", planner), (1, "tool", planner)]);
    let [handoff] = evidence.handoffs.as_slice() else { panic!("{:?}", evidence.handoffs) };
    assert_eq!(
        (handoff.parent_job_key, handoff.child_job_key),
        (Some(planner), Some(job("deployer").job_key))
    );
    assert_eq!(
        (handoff.mechanism.as_str(), handoff.link_method.as_str(), handoff.crosses.as_str()),
        ("agent_call", "explicit_id", "repo")
    );
    assert_eq!(handoff.sent_at, Timestamp::parse("2026-09-21T14:13:24Z"));
    let inputs: Vec<_> = evidence
        .handoff_inputs
        .iter()
        .map(|input| (input.name.as_str(), input.value_class.as_str()))
        .collect();
    assert_eq!(inputs, [("auth.token", "token_like"), ("task", "enum")]);
    // Handed over once, in the text of the job that gave it.
    assert_eq!(texts.count("Zx81hGk2Lq9Vt4Rw7Yb3"), 1);
    let holds = |needle: &str| {
        texts.0.iter().find(|(_, text)| String::from_utf8_lossy(text).contains(needle)).unwrap().0.job_key
    };
    assert_eq!(holds("Zx81hGk2Lq9Vt4Rw7Yb3"), Some(planner));
}

#[test]
fn links_join_traces_of_other_files() {
    let mut consumer =
        span(FAR, "c1", "", "invoke_agent worker", 9, &[("gen_ai.operation.name", "invoke_agent".into())]);
    consumer["links"] = json!([{"traceId": TRACE.to_uppercase(), "spanId": "A1"}]);
    let exports = agents();
    let (evidence, _) =
        read(&[("a.json", exports[0].to_string()), ("b.json", export("worker", &[consumer]).to_string())]);
    let [handoff] = evidence.handoffs.as_slice() else { panic!("{:?}", evidence.handoffs) };
    assert_eq!((handoff.mechanism.as_str(), handoff.confidence), ("span_link", 1.0));
    assert_eq!(
        (handoff.parent_run_key, handoff.child_run_key),
        (Some(run_key("otel", "", TRACE, 1)), Some(run_key("otel", "", FAR, 1)))
    );
    assert!(
        evidence.runs.iter().any(|run| Some(run.run_key) == handoff.parent_run_key),
        "the parent's row is in the other file"
    );
}

#[test]
fn log_records_belong_to_their_spans() {
    let mut value = agents().remove(0);
    value["resourceLogs"] = json!([{"resource": {"attributes": []}, "scopeLogs": [{"logRecords": [
        {"timeUnixNano": 1_790_000_002_300_000_000_u64, "severityText": "Information", "traceId": TRACE, "spanId": "a3",
            "body": {"stringValue": "calling with a key"}, "attributes": attributes(&[("string.attribute", "some string".into())])},
        {"observedTimeUnixNano": "1790000002300000000", "traceId": TRACE, "spanId": "",
            "body": {"kvlistValue": {"values": [{"key": "msg", "value": {"arrayValue": {"values": [{"stringValue": "structured"}]}}}]}}},
        {"body": {"stringValue": "of no trace"}}]}]}]);
    let (evidence, texts) = read(&[("both.json", value.to_string())]);
    assert_eq!(evidence.problems, []);
    let job = &evidence.jobs[0];
    assert!(job.has_log);
    let of = |needle: &str| {
        texts.0.iter().find(|(_, text)| String::from_utf8_lossy(text).contains(needle)).unwrap()
    };
    let (context, text) = of("calling with a key\nstring.attribute: some string\n");
    assert_eq!(context.job_key, Some(job.job_key));
    let offset = String::from_utf8_lossy(text).find("calling").unwrap();
    let mark = context.marks.iter().find(|mark| mark.offset == offset).unwrap();
    let tool = evidence.steps.iter().find(|step| step.kind == "tool").unwrap();
    assert_eq!((mark.place, mark.step_key), ("log", Some(tool.step_key)));
    assert_eq!(mark.at, Timestamp::parse("2026-09-21T14:13:22.3Z"));
    assert_eq!(
        (of("body.msg: structured").0.run_key, of("body.msg: structured").0.job_key),
        (Some(job.run_key), None)
    );
    assert_eq!(of("of no trace").0.run_key, None);
    assert_eq!(texts.count("calling with a key"), 1);
}

#[test]
fn other_telemetry_is_scanned_and_said() {
    // examples/trace.json of opentelemetry-proto, numbers as they are there.
    let span = json!({"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174", "parentSpanId": "EEE19B7EC3C1B173",
        "name": "I'm a server span", "startTimeUnixNano": 1_544_712_660_000_000_000_u64, "endTimeUnixNano": 1_544_712_661_000_000_000_u64,
        "kind": 2, "attributes": attributes(&[("my.span.attr", "some value".into())])});
    let (evidence, texts) =
        read(&[("trace.json", export("my.service", &[span, json!({"name": "no ids"})]).to_string())]);
    assert_eq!((evidence.runs.len(), evidence.jobs.len(), texts.count("some value")), (0, 0, 1));
    assert!(!problem(&evidence, "trace.json", "unrecognised").lossy);
    assert!(problem(&evidence, "trace.json", "incomplete").lossy);
    let broken = format!("{}\n{{\"resourceSpans\": [{{\"x\" \"token\"}}]}}\n", agents()[0]);
    let (evidence, texts) = read(&[("broken.json", broken)]);
    problem(&evidence, "broken.json", "malformed_json");
    assert_eq!((evidence.jobs.len(), texts.count("\"token\"}")), (1, 1));
    let (evidence, _) = read(&[("other.json", "{\"about\": {\"resourceSpans\": []}}".to_owned())]);
    assert!(evidence.source_files.iter().all(|file| file.platform != "otel"));
}

#[test]
fn parents_in_a_loop_end() {
    let tool = |id: &str, parent: &str| {
        span(TRACE, id, parent, "t", 0, &[("gen_ai.operation.name", "invoke_agent".into())])
    };
    let (evidence, _) = read(&[(
        "loop.json",
        export("s", &[tool("01", "02"), tool("02", "01"), tool("03", "03")]).to_string(),
    )]);
    assert_eq!(evidence.jobs.len(), 3);
    let deep: Vec<Value> =
        (1..2000_u32).map(|at| tool(&format!("{at:04x}"), &format!("{:04x}", at - 1))).collect();
    let (evidence, _) = read(&[("deep.json", export("s", &deep).to_string())]);
    assert_eq!((evidence.jobs.len(), evidence.handoffs.len()), (1999, 1998));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_damage_is_survived(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8), cut in any::<prop::sample::Index>()) {
        let mut bytes: Vec<u8> = agents().iter().map(|export| format!("{export}\n")).collect::<String>().into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (evidence, _) = read(&[("any.json", text)]);
        prop_assert!(!evidence.source_files.is_empty() || !evidence.problems.is_empty());
    }
}
