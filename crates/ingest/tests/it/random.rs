//! Any bytes under any name: no panic, sane marks, nothing lost in silence.

use crate::support::{Texts, gzipped, job_log, zipped};
use leakgraph_ingest::{Limits, discover, link, read};
use leakgraph_model::Evidence;
use proptest::prelude::*;
use std::collections::HashSet;
use std::{fmt, fs};

/// Reads bytes as a file of this name; the sink checks the marks.
fn read_bytes(name: &str, bytes: &[u8]) -> (Evidence, Texts) {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(&path, bytes).expect("write");
    let limits = Limits { max_archive_bytes: 1 << 20, ..Limits::default() };
    let (items, problems) = discover(&[folder.path().to_owned()], &limits);
    let mut texts = Texts::default();
    let mut evidence = Evidence { problems, ..Evidence::default() };
    for item in &items {
        evidence.append(read(item, &limits, &mut texts));
    }
    let read = evidence.clone();
    link(&mut evidence);
    (read, texts)
}

fn check(name: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    let (evidence, texts) = read_bytes(name, bytes);
    prop_assert!(
        bytes.is_empty() || !evidence.problems.is_empty() || !evidence.source_files.is_empty(),
        "{name} of {} bytes left no row",
        bytes.len()
    );
    for problem in &evidence.problems {
        prop_assert!(!problem.code.is_empty() && !problem.reason.is_empty() && problem.path.contains(name));
        prop_assert!(problem.offset.is_none_or(|offset| offset >= 0));
    }
    for binding in &evidence.bindings {
        prop_assert!(evidence.steps.iter().any(|step| step.step_key == binding.step_key));
    }
    for (context, text) in &texts.0 {
        for mark in &context.marks {
            let before = mark.offset.checked_sub(1).and_then(|at| text.get(at));
            prop_assert!(
                before.is_none_or(|byte| *byte == b'\n'),
                "a mark inside a line of {}",
                context.path
            );
        }
    }
    Ok(())
}

const NAMES: [&str; 8] = [
    "any.txt",
    "any.json",
    "any.zip",
    "any.gz",
    "any.log",
    "any.csv",
    "any.parquet",
    "logs/build/1_Set up job.txt",
];

fn name() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&NAMES[..])
}

/// Lines that importers look for, in any order, whole and broken.
fn log_lines() -> impl Strategy<Value = Vec<u8>> {
    let known = proptest::sample::select(vec![
        "##[group]Run make",
        "##[group]Run actions/checkout@v4",
        "##[endgroup]",
        "with:",
        "env:",
        "  TOKEN: ***",
        "  A: b",
        "  A:",
        "shell: /usr/bin/bash -e {0}",
        "\u{1b}[36;1mecho\u{1b}[0m",
        "\u{1b}[",
        "Post job cleanup.",
        "Evaluate and set job outputs",
        "Set output 'x",
        "Set output 'x'",
        "Cleaning up orphan processes",
        "Complete job name: ",
        "Complete job name: a / b",
        "Uses: @ (",
        "Uses: a/b/c@d (e)",
        "##[group] Inputs",
        "##[group]GITHUB_TOKEN Permissions",
        ": ",
        "Contents: write",
        "Reusable workflow chain:",
        "-> ",
        "-> a@b (",
        "Current runner version: '",
        "Download action repository '@' (SHA:",
        "Secret source: Actions",
        "##[error]",
        "gh workflow run x --ref y -f a=b",
        "https://github.com/o/r/actions/runs/123456",
        "\u{feff}",
        "é",
        "",
        "curl -X POST https://api.github.com/repos/o/r/dispatches",
        "assumed-role/a/b",
        "Job defined at: a",
        "##[group]Run actions/upload-artifact@v4",
        "##[group]Run actions/github-script@v7",
        "  script: github.rest.actions.createWorkflowDispatch({",
        "  name: dist",
        "workflow_id: 'é",
        "\u{1b}[36;1mgh workflow run 'é -f \"a=$(b\u{1b}[0m",
        "\u{1b}[36;1mcurl ${{ a }}/repos/x/dispatches \\\u{1b}[0m",
    ]);
    let stamp =
        proptest::sample::select(vec!["2026-10-01T10:00:00.0000000Z ", "", "9999-99-99T99:99:99.9999999Z "]);
    let end = proptest::sample::select(vec!["\n", "\r\n", "\n\n", ""]);
    proptest::collection::vec((stamp, known, end), 0..40).prop_map(|lines| {
        lines.into_iter().flat_map(|(stamp, line, end)| format!("{stamp}{line}{end}").into_bytes()).collect()
    })
}

/// JSON with the member names that importers look for and values of any type.
fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        "[a-zA-Z0-9:/*@%.-]{0,12}".prop_map(Value::String),
        Just(Value::from("arn:aws:iam::123456789012:role/r")),
        Just(Value::from("2026-10-01T10:00:00Z")),
    ];
    let names = proptest::sample::select(vec![
        "Records",
        "Events",
        "CloudTrailEvent",
        "eventSource",
        "eventName",
        "userIdentity",
        "arn",
        "sessionContext",
        "UserDetailList",
        "RoleDetailList",
        "GroupDetailList",
        "Policies",
        "Arn",
        "PolicyVersionList",
        "Document",
        "AssumeRolePolicyDocument",
        "Statement",
        "Action",
        "Resource",
        "Principal",
        "Condition",
        "RolePolicyList",
        "PolicyDocument",
        "workflow_runs",
        "jobs",
        "steps",
        "labels",
        "run_id",
        "id",
        "run_number",
        "workflow_id",
        "head_sha",
        "sender",
        "workflow_job",
        "workflow_run",
        "client_payload",
        "inputs",
        "ref",
        "workflow",
        "repository",
        "full_name",
        "deployment",
        "approver",
        "environments",
        "secrets",
        "total_count",
        "user",
        "state",
        "installations",
        "permissions",
        "app_slug",
        "repository_selection",
        "leakgraph_bundle",
        "delivered_at",
        "request",
        "payload",
        "protection_rules",
        "name",
        "key",
        "read_only",
        "verified",
        "AccessKeyMetadata",
        "on",
        "runs-on",
        "uses",
        "run",
        "with",
        "script",
        "runs",
        "using",
        "action",
        "actor",
        "org",
        "repo",
        "workflow_run_id",
        "job_name",
        "secrets_passed",
        "calling_workflow_refs",
        "@timestamp",
        "event",
        "environment",
        "task",
        "statuses_url",
        "deployment_url",
        "log_url",
        "wait_timer",
        "reviewers",
        "include_claim_keys",
        "variables",
        "message",
        "status",
        "documentation_url",
        "$schema",
    ]);
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((names.clone(), inner), 0..7).prop_map(|members| Value::Object(
                members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read(name in name(), bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        check(name, &bytes)?;
    }

    #[test]
    fn any_bytes_behind_a_magic_are_read(
        name in name(),
        magic in proptest::sample::select(vec![&b"PK\x03\x04"[..], b"PK\x05\x06", b"\x1f\x8b\x08", b"{", b"[", b"\xef\xbb\xbf{", b"\xff\xfe", b"PAR1\0", b"{\"leakgraph_schema\":\"logs\",\"text\":", b"leakgraph_schema,text\n"]),
        bytes in proptest::collection::vec(any::<u8>(), 0..500),
    ) {
        check(name, &[magic, &bytes].concat())?;
    }

    #[test]
    fn any_damage_to_an_archive_is_survived(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
        is_gzip in any::<bool>(),
    ) {
        let mut packed = if is_gzip {
            gzipped(job_log("build").as_bytes())
        } else {
            zipped(&[("0_build.txt", job_log("build")), ("build/system.txt", "Result: true".to_owned())])
        };
        let (at, cut) = (at.index(packed.len()), cut.index(packed.len()) + 1);
        if let Some(place) = packed.get_mut(at) {
            *place = byte;
        }
        check("any.bin", &packed)?;
        packed.truncate(cut);
        check("any.bin", &packed)?;
    }

    #[test]
    fn any_order_of_log_lines_is_read(name in name(), bytes in log_lines()) {
        check(name, &bytes)?;
    }

    #[test]
    fn log_lines_in_archives_are_handed_over_once(bytes in log_lines()) {
        prop_assume!(!bytes.is_empty());
        let packed = zipped(&[("build/2_Run.txt", &bytes[..]), ("build/system.txt", b"Result: true")]);
        let (_, texts) = read_bytes("any.zip", &packed);
        let times = texts.0.iter().filter(|(context, _)| context.path.ends_with("2_Run.txt")).count();
        prop_assert_eq!(times, 1);
    }

    #[test]
    fn any_json_of_known_names_is_read(value in json()) {
        check("any.json", value.to_string().as_bytes())?;
    }

    #[test]
    fn every_member_of_an_archive_has_a_row_and_is_handed_over_once(members in members()) {
        let packed = zipped(&members);
        let (evidence, texts) = read_bytes("any.zip", &packed);
        for (name, bytes) in &members {
            let path = format!("any.zip!/{name}");
            let has_row = evidence.source_files.iter().any(|row| row.path.ends_with(&path));
            let is_said = evidence.problems.iter().any(|row| row.path.ends_with(&path));
            prop_assert!(bytes.0.is_empty() || has_row || is_said, "{path} was lost in silence");
            let times = texts.0.iter().filter(|(context, _)| context.path.ends_with(&path)).count();
            prop_assert!(times <= 1, "{path} was handed over {times} times");
        }
        let steps: HashSet<_> = evidence.steps.iter().map(|step| step.step_key).collect();
        for mark in texts.0.iter().flat_map(|(context, _)| &context.marks) {
            prop_assert!(mark.step_key.is_none_or(|key| steps.contains(&key)), "a mark of no step");
        }
    }
}

/// Bytes that are shown as text when a case fails.
#[derive(Clone)]
struct Text(Vec<u8>);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Members with the names that archives have, in the right and the wrong places.
fn members() -> impl Strategy<Value = Vec<(String, Text)>> {
    let folder = proptest::sample::select(vec!["", "a/", "b/", "a/b/", "logs/a/", "../", "/", "a\\"]);
    let file = proptest::sample::select(vec![
        "0_a.txt",
        "1_a.txt",
        "1_Set up job.txt",
        "2_Run.txt",
        "02_Run.txt",
        "3_Complete job.txt",
        "system.txt",
        "x.json",
        "notes.md",
        "a.txt",
    ]);
    let bytes = prop_oneof![log_lines(), Just(job_log("a").into_bytes()), Just(job_log("b").into_bytes())]
        .prop_map(Text);
    let names = proptest::collection::btree_map((folder, file), bytes, 1..10);
    names.prop_map(|members| {
        members.into_iter().map(|((folder, file), bytes)| (format!("{folder}{file}"), bytes)).collect()
    })
}
