//! Logs and objects of hosted services, damaged: no panic, sane marks, nothing lost in silence.

use crate::support::{Texts, zipped};
use leakgraph_ingest::{Limits, discover, link, read};
use leakgraph_model::Evidence;
use proptest::prelude::*;
use std::fs;

fn check(name: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(&path, bytes).expect("write");
    let limits = Limits::default();
    let (items, problems) = discover(&[folder.path().to_owned()], &limits);
    let mut texts = Texts::default();
    let mut evidence = Evidence { problems, ..Evidence::default() };
    for item in &items {
        evidence.append(read(item, &limits, &mut texts));
    }
    prop_assert!(bytes.is_empty() || evidence.source_files.len() + evidence.problems.len() > 0);
    let keys: Vec<_> = evidence.steps.iter().map(|step| step.step_key).collect();
    for binding in &evidence.bindings {
        prop_assert!(keys.contains(&binding.step_key));
    }
    for (context, text) in &texts.0 {
        for mark in &context.marks {
            let before = mark.offset.checked_sub(1).and_then(|at| text.get(at));
            prop_assert!(before.is_none_or(|byte| *byte == b'\n'), "a mark inside a line");
            prop_assert!(mark.step_key.is_none_or(|key| keys.contains(&key)), "a mark of no step");
        }
    }
    link(&mut evidence);
    Ok(())
}

/// Pieces that importers look for, in any order, whole and broken.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = proptest::sample::select(vec![
        "travis_fold:start:a",
        "travis_fold:start:git.checkout",
        "travis_fold:end:a",
        "travis_fold:end:",
        "travis_time:start:1",
        "travis_time:end:1:start=1565706927644198386,finish=1",
        "travis_time:end:1",
        "\u{1b}[0K",
        "\u{1b}[0K$ export A=[secure]",
        "$ export A=",
        "$ git clone --branch=x u a/b",
        "$ make",
        "The command \"x\" exited with ",
        "The command \"x\" exited with 1.",
        "Done. Your build exited with 0.",
        "\u{1b}_bk;t=1745322209921\u{7}~~~ a",
        "\u{1b}_bk;t=1745322209921\u{7}",
        "\u{1b}_bk;t=99999999999999999999\u{7}--- b",
        "\u{1b}_",
        "\u{1b}]1338;x",
        "+++ ",
        "^^^ +++",
        "# A added",
        "TOKEN=[REDACTED]",
        "##[section]Starting: a",
        "##[section]Starting: Initialize job",
        "##[section]Finishing: a",
        "##[section]Async Command Start: x",
        "Task         : Bash",
        "Version      : 1",
        "==============================",
        "===== Starting Command Output =====",
        "Script contents:",
        "Agent name: '",
        "Agent name: 'x'",
        "[command]/usr/bin/az login -u 3615bd26-4fae-415b-a220-9cedae222489",
        "##[error]",
        "é",
        "",
    ]);
    let stamp = proptest::sample::select(vec!["", "2026-10-01T10:00:00.0000000Z "]);
    let end = proptest::sample::select(vec!["\n", "\r\n", "\r", "", "\r\u{1b}[0K"]);
    proptest::collection::vec((stamp, known, end), 0..40).prop_map(|lines| {
        lines.into_iter().flat_map(|(stamp, line, end)| format!("{stamp}{line}{end}").into_bytes()).collect()
    })
}

/// Objects with the member names that importers look for and values of any type.
fn objects() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let address = "https://dev.azure.com/acme/p/_apis/build/Builds/7";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        "[a-z/:.]{0,8}".prop_map(Value::String),
        Just(Value::from(address)),
        Just(Value::from("https://api.buildkite.com/v2/organizations/o/pipelines/p/builds/7/jobs/x/log")),
        Just(Value::from("2026-10-01T10:00:00Z")),
        proptest::sample::select(vec![
            "Job",
            "Task",
            "Stage",
            "Checkpoint.Approval",
            "out",
            "approval",
            "build"
        ])
        .prop_map(Value::from),
        proptest::sample::select(vec!["script", "manual", "trigger", "job-completed", "build.finished"])
            .prop_map(Value::from),
    ];
    let names = proptest::sample::select(vec![
        "value",
        "items",
        "id",
        "url",
        "web_url",
        "definition",
        "buildNumber",
        "queueTime",
        "reason",
        "records",
        "parentId",
        "type",
        "name",
        "order",
        "state",
        "status",
        "result",
        "log",
        "task",
        "steps",
        "assignedApprover",
        "actualApprover",
        "minRequiredApprovers",
        "pipeline",
        "owner",
        "endpointId",
        "data",
        "planType",
        "authorization",
        "scheme",
        "isReady",
        "parameters",
        "templateParameters",
        "triggeredByBuild",
        "triggerInfo",
        "artifactType",
        "pipelineId",
        "createdDate",
        "variables",
        "isSecret",
        "eventType",
        "resource",
        "publisherId",
        "number",
        "commit",
        "jobs",
        "env",
        "meta_data",
        "triggered_from",
        "build_number",
        "build_pipeline_slug",
        "triggered_build",
        "rebuilt_from",
        "unblocked_by",
        "content",
        "header_times",
        "BUILDKITE_JOB_ID",
        "BUILDKITE_BUILD_NUMBER",
        "project_slug",
        "trigger",
        "received_at",
        "pipeline_id",
        "pipeline_number",
        "latest_workflow",
        "parallel_runs",
        "contexts",
        "dependencies",
        "build_num",
        "vcs_url",
        "reponame",
        "username",
        "actions",
        "bash_command",
        "workflows",
        "workflow_id",
        "message",
        "time",
        "event",
        "build",
        "job",
        "workflow",
        "project",
        "slug",
        "happened_at",
        "tag",
    ]);
    leaf.prop_recursive(5, 80, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((names.clone(), inner), 0..9).prop_map(|members| Value::Object(
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            )),
        ]
    })
}

const WHOLE: [(&str, &str); 4] = [
    (
        "azure.json",
        r#"{"value":[{"id":7,"buildNumber":"1","definition":{"name":"d"},"queueTime":"2026-10-01T10:00:00Z","reason":"manual","url":"https://dev.azure.com/acme/p/_apis/build/Builds/7","parameters":"{\"a\":\"b\"}","templateParameters":{"x":[1]}},{"records":[{"id":"j","type":"Job","name":"n","state":"completed"},{"id":"t","parentId":"j","type":"Task","name":"n","state":"completed","order":1}]}]}"#,
    ),
    (
        "buildkite.json",
        r#"[{"number":7,"state":"passed","commit":"c","url":"https://api.buildkite.com/v2/organizations/o/pipelines/p/builds/7","env":{"A":"b"},"source":"api","jobs":[{"type":"script","id":"x","command":"make"},{"type":"manual","id":"y"},{"type":"trigger","id":"z"}],"triggered_from":{"build_number":1,"build_pipeline_slug":"q"}}]"#,
    ),
    (
        "circle.json",
        r#"{"items":[{"id":"a","pipeline_id":"b","pipeline_number":1,"project_slug":"gh/o/r","status":"success","name":"n","tag":"setup"},{"id":"c","pipeline_id":"b","pipeline_number":1,"project_slug":"gh/o/r","status":"failed","name":"m"}]}"#,
    ),
    (
        "p/gh/o/r/1/output/99/0",
        r#"[{"message":"Using environment variables from project settings and/or contexts:\n  A=**REDACTED**\n","type":"out","time":"2026-10-01T10:00:00Z"}]"#,
    ),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_pieces_is_read(
        name in proptest::sample::select(vec!["any.log", "o/p/builds/7/logs/1", "o/p/builds/7/jobs/x.log"]),
        bytes in pieces(),
    ) {
        check(name, &bytes)?;
    }

    #[test]
    fn archives_of_pieces_are_read(first in pieces(), second in pieces()) {
        let head = b"##[section]Starting: Initialize job\n".to_vec();
        let members = [("a/1_Initialize job.txt", [head, first].concat()), ("1_a.txt", second.clone()), ("a/2_x.txt", second)];
        check("logs_7.zip", &zipped(&members))?;
    }

    #[test]
    fn any_objects_of_known_names_are_read(value in objects()) {
        check("any.json", value.to_string().as_bytes())?;
    }

    #[test]
    fn damaged_objects_are_read(
        which in 0..WHOLE.len(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (name, text) = WHOLE[which];
        let mut bytes = text.as_bytes().to_vec();
        check(name, &bytes)?;
        let (at, cut) = (at.index(bytes.len()), cut.index(bytes.len()) + 1);
        bytes[at] = byte;
        check(name, &bytes)?;
        bytes.truncate(cut);
        check(name, &bytes)?;
    }
}
