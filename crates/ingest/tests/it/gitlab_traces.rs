//! GitLab: traces of all shapes, real ones and hostile ones.

use crate::gitlab::TRACE;
use crate::support::{Inputs, corpus, gzipped, occurrences, read_path, recognised};
use leakgraph_ingest::{Limits, link};
use leakgraph_model::tables::run_key;
use proptest::prelude::*;
use std::fs;

/// One of the real traces, and what can be counted in it with grep.
struct Expected {
    name: &'static str,
    steps: usize,
    commands: usize,
    conclusion: &'static str,
    runner: (&'static str, Option<&'static str>),
    head_ref: &'static str,
}

const TRACES: [Expected; 4] = [
    Expected {
        name: "booky_sample_trace",
        steps: 8,
        commands: 22,
        conclusion: "success",
        runner: ("docker-auto-scale-com", Some("10.6.0")),
        head_ref: "master",
    },
    // Only CR as line end.
    Expected {
        name: "booky_trace_with_sections",
        steps: 8,
        commands: 1,
        conclusion: "success",
        runner: ("kitsune minikube", Some("dev")),
        head_ref: "master",
    },
    // Timestamps and streams.
    Expected {
        name: "cwso_runner-19.0.1_timestamped.trace.txt",
        steps: 5,
        commands: 1,
        conclusion: "failure",
        runner: ("gitlab-runner-16025-docker", Some("19.0.1")),
        head_ref: "refs/merge-requests/43/head",
    },
    // From the web page: titles and durations. Counted with the eye.
    Expected {
        name: "webui-copy_runner-16.3.3_kubernetes.txt",
        steps: 6,
        commands: 1,
        conclusion: "failure",
        runner: ("gitlab-runner-generic-16-3-3-6ff9ccff4b-hqg6c", Some("16.3.3")),
        head_ref: "release/rapid-microservices-Java",
    },
];

#[test]
fn real_traces_give_a_step_per_section() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("workflows/gitlab-traces");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), TRACES.len());
    for expected in TRACES {
        let path = folder.join(expected.name);
        let (evidence, texts) = read_path(&path);
        let name = expected.name;
        assert_eq!(recognised(&path), [("gitlab", "job_trace")], "{name}");
        assert_eq!(evidence.problems, [], "{name}");
        let ([job], [run]) = (evidence.jobs.as_slice(), evidence.runs.as_slice()) else {
            panic!("{name}: one job of one run")
        };
        assert_eq!(evidence.steps.len(), expected.steps, "{name}: {:#?}", evidence.steps);
        assert_eq!(job.conclusion.as_deref(), Some(expected.conclusion), "{name}");
        assert_eq!(job.runner_name.as_deref(), Some(expected.runner.0), "{name}");
        assert_eq!(job.runner_version.as_deref(), expected.runner.1, "{name}");
        assert_eq!(run.head_ref.as_deref(), Some(expected.head_ref), "{name}");
        assert!(
            evidence.steps.iter().any(|step| step.kind == "run" && step.script_bytes.is_some()),
            "{name}"
        );
        let [(context, text)] = texts.0.as_slice() else { panic!("{name} is handed over once") };
        assert_eq!(text, &fs::read(&path).unwrap(), "{name}");
        let echoes = context.marks.iter().filter(|mark| mark.place == "script_echo");
        for mark in echoes.clone() {
            let line = text[mark.offset..].split(|byte| b"\r\n".contains(byte)).next().unwrap();
            assert_eq!(occurrences(line, "$ "), 1, "{name}: {}", String::from_utf8_lossy(line));
        }
        // Commands in a row share a mark.
        assert!((1..=expected.commands).contains(&echoes.count()), "{name}");
    }
}

#[test]
fn timestamps_of_a_trace_are_times_of_its_lines() {
    let Some(corpus) = corpus() else { return };
    let path = corpus.join("workflows/gitlab-traces/cwso_runner-19.0.1_timestamped.trace.txt");
    let (evidence, texts) = read_path(&path);
    let context = &texts.0[0].0;
    let last = context.marks.last().unwrap();
    assert_eq!(last.at.map(|at| at.to_string()).as_deref(), Some("2026-06-05T11:59:15.619674Z"));
    let step = evidence.steps.iter().find(|step| step.name == "step_script").unwrap();
    assert_eq!(step.started_at.map(|at| at.to_string()).as_deref(), Some("2026-06-05T11:59:13Z"));
}

#[test]
fn archived_traces_and_copies_elsewhere_give_the_same_keys() {
    let read = |name: &str, bytes: &[u8]| {
        let inputs = Inputs::new();
        inputs.add(name, bytes);
        let mut evidence = inputs.read(&Limits::default()).0;
        evidence.jobs.retain(|job| job.name != "neighbour-job");
        (evidence.jobs[0].job_key, evidence.jobs[0].run_key)
    };
    let plain = read("x/projects/foo%2Fbar/jobs/7/trace", TRACE.as_bytes());
    assert_eq!(plain, read("y/z/projects/foo%2Fbar/jobs/7.log.gz", &gzipped(TRACE.as_bytes())));
    assert_eq!(plain, read("gitlab.example.com/foo/bar/-/jobs/7/raw", TRACE.as_bytes()));
    assert_ne!(plain, read("projects/foo%2Fbar/jobs/8/trace", TRACE.as_bytes()));
    assert_eq!(read("a.log", TRACE.as_bytes()), read("b.log", TRACE.as_bytes()));
}

#[test]
fn a_debug_trace_names_its_pipeline_by_itself() {
    let inputs = Inputs::new();
    let text = "section_start:1480971377:prepare_script\r\x1b[0K\n++ export CI_JOB_ID=7046507\n++ CI_JOB_ID=7046507\n\
++ export CI_JOB_NAME=rspec\n++ export CI_PIPELINE_ID=1234\n++ export CI_PROJECT_PATH=gitlab-examples/ci-debug-trace\n\
++ export GITLAB_USER_LOGIN=ada\n++ export CI_PIPELINE_SOURCE=push\n++ export DB_PASSWORD=[MASKED]\n++ export EMPTY=\n\
section_end:1480971378:prepare_script\r\x1b[0K\nJob succeeded\n";
    inputs.add("debug.log", text);
    let (mut evidence, texts) = inputs.read(&Limits::default());
    link(&mut evidence);
    let run = evidence.runs.iter().find(|run| run.platform == "gitlab").unwrap();
    assert_eq!(run.run_key, run_key("gitlab", "gitlab-examples/ci-debug-trace", "1234", 1));
    assert_eq!((run.event.as_deref(), run.actor.as_deref()), (Some("push"), Some("ada")));
    let job = evidence.jobs.iter().find(|job| job.run_key == run.run_key).unwrap();
    assert_eq!(job.name, "rspec");
    let states: Vec<_> = evidence
        .bindings
        .iter()
        .filter(|row| row.job_key == job.job_key)
        .map(|row| (row.name.as_str(), row.state.as_str()))
        .collect();
    assert!(
        states.contains(&("DB_PASSWORD", "masked"))
            && states.contains(&("EMPTY", "empty"))
            && states.contains(&("CI_JOB_NAME", "clear"))
    );
    let context = &texts.0.iter().find(|(context, _)| context.path.ends_with("debug.log")).unwrap().0;
    let names: Vec<_> = context
        .marks
        .iter()
        .filter(|mark| mark.place == "env_binding")
        .filter_map(|mark| mark.name.as_deref())
        .collect();
    assert_eq!(names.len(), 8);
}

#[test]
fn hostile_traces_cost_no_more_than_their_bytes() {
    let inputs = Inputs::new();
    let nested: String = (0..5_000).map(|index| format!("section_start:1:s{index}\r\x1b[0K\n")).collect();
    inputs.add("nested.log", &nested);
    inputs.add("ends.log", format!("section_start:1:a\r\n{}", "section_end:2:b\r\x1b[0K\n".repeat(5_000)));
    inputs.add(
        "times.log",
        "section_start:99999999999999:a\r\nsection_start:1:b\r\nsection_end:-9223372036854775808:b\n",
    );
    inputs.add(
        "binary.log",
        b"section_start:1:a\r\n\xff\xfe$ \xc3\x28\n++ export \xff=\xff\n++ export =x\n=[MASKED]\n".as_slice(),
    );
    let (mut evidence, texts) = inputs.read(&Limits::default());
    link(&mut evidence);
    assert_eq!(evidence.problems, []);
    assert_eq!(evidence.source_files.iter().filter(|row| row.kind == "job_trace").count(), 4);
    assert_eq!(texts.count("section_end:2:b"), 5_000);
}

/// Pieces of traces, whole and broken.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = proptest::sample::select(vec![
        "\x1b[0KRunning with gitlab-runner 16.3.3 (ed9cebb1)",
        "  on a b, system ID: s_1",
        "section_start:1506004954:prepare_script",
        "section_start:1506004954:step_script[collapsed=true]",
        "section_end:1506004957:step_script",
        "section_end:1506004957:",
        "\x1b[32;1m$ curl -F token=$CI_JOB_TOKEN https://g.example.com/api/v4/projects/a%2Fb/trigger/pipeline\x1b[0;m",
        "$ printf $CI_JOB_TOKEN | ssh h",
        "https://g.example.com/a/b/-/pipelines/47",
        "++ export CI_JOB_ID=1",
        "++ export CI_PIPELINE_ID=$'2'",
        "++ export CI_PROJECT_PATH=a/b",
        "A=[MASKED]",
        "Checking out 1 as detached HEAD (ref is ",
        "Preparing environment",
        "00:13",
        "Job succeeded",
        "ERROR: Job failed: exit code 1",
        "\x1b[",
        "é\u{feff}",
        "",
    ]);
    let stamp = proptest::sample::select(vec![
        "",
        "2024-05-14T11:19:20.000000Z 00O ",
        "2024-05-14T11:19:20.000000Z 01E+",
        "9999-99-99T99:99:99.999999Z 00O ",
    ]);
    let end = proptest::sample::select(vec!["\n", "\r", "\r\n", "\r\x1b[0K", ""]);
    proptest::collection::vec((stamp, piece, end), 1..40).prop_map(|lines| {
        lines
            .into_iter()
            .flat_map(|(stamp, piece, end)| format!("{stamp}{piece}{end}").into_bytes())
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_trace_is_read_once(bytes in pieces(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = bytes;
        let at = at.index(bytes.len().max(1));
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let inputs = Inputs::new();
        let path = inputs.add("any.log", [b"section_start:1:a\n", &bytes[..]].concat());
        let (mut evidence, texts) = read_path(&path);
        prop_assert_eq!(texts.0.len(), 1);
        for mark in &texts.0[0].0.marks {
            let before = mark.offset.checked_sub(1).and_then(|at| texts.0[0].1.get(at));
            prop_assert!(before.is_none_or(|byte| b"\r\n".contains(byte)), "a mark inside a line");
            prop_assert!(mark.step_key.is_none_or(|key| evidence.steps.iter().any(|step| step.step_key == key)));
        }
        link(&mut evidence);
    }
}
