//! Texts, JSON and folders made to break readers.

use crate::support::{Inputs, JOB_LOG, job_log, problem, read_path};
use leakgraph_ingest::{Limits, discover, read};
use leakgraph_model::Evidence;
use std::fs;

/// Not a real value: only its absence from reasons matters.
const VALUE: &str = "hunter2-hunter2-hunter2";

fn mentions(evidence: &Evidence, value: &str) -> bool {
    evidence.problems.iter().any(|row| row.reason.contains(value) || row.code.contains(value))
}

#[test]
fn wrong_json_is_said_with_its_offset() {
    let inputs = Inputs::new();
    let text = "{\n  \"total_count\": 1,\n  \"workflow_runs\": [oops]\n}\n";
    inputs.add("wrong.json", text);
    inputs.add("bom.json", format!("\u{feff}{text}"));
    inputs.add("cut.json", "{\"workflow_runs\": [");
    let (evidence, texts) = inputs.read(&Limits::default());
    let at = i64::try_from(text.find("oops").unwrap()).unwrap();
    let near = |name: &str, at: i64| {
        let offset = problem(&evidence, name, "malformed_json").offset.expect("an offset");
        assert!((at - 1..=at + 1).contains(&offset), "{name}: {offset} instead of {at}");
    };
    near("wrong.json", at);
    near("bom.json", at + 3);
    near("cut.json", 19);
    assert_eq!(texts.count("oops"), 2, "it is scanned all the same");
}

#[test]
fn reasons_never_hold_values() {
    let inputs = Inputs::new();
    let documents = [
        format!("{{\"jobs\": \"{VALUE}\", {VALUE}}}"),
        format!("{{\"password\": \"{VALUE}"),
        format!("[\"{VALUE}\", {VALUE}]"),
        format!("{{\"{VALUE}\": tru{VALUE}}}"),
        format!("{{\"Records\": [{{\"eventSource\": \"{VALUE}\", \"eventName\": 1}}]}}"),
        format!("{{\"UserDetailList\": [{{\"UserName\": \"{VALUE}\"}}, \"{VALUE}\", 7]}}"),
        format!(
            "{{\"RoleDetailList\": [{{\"Arn\": \"arn:aws:iam::1:role/r\", \"AssumeRolePolicyDocument\": \"%7B {VALUE}\", \
             \"RolePolicyList\": [{{\"PolicyName\": \"p\", \"PolicyDocument\": \"{VALUE}\"}}]}}]}}"
        ),
        format!("{{\"a\": \"\\u{VALUE}\"}}"),
        format!("{{\"a\": 1}} {VALUE}"),
    ];
    for (index, document) in documents.iter().enumerate() {
        inputs.add(&format!("{index}.json"), document);
    }
    inputs.add("text.md", format!("password: {VALUE}"));
    inputs.add("broken.zip", format!("PK\u{3}\u{4}{VALUE}"));
    let (evidence, _) = inputs.read(&Limits::default());
    assert!(!mentions(&evidence, VALUE), "{:#?}", evidence.problems);
    for index in 0..documents.len() {
        let name = format!("/{index}.json");
        assert!(evidence.problems.iter().any(|row| row.path.ends_with(&name)), "{name} was lost in silence");
    }
}

#[test]
fn what_a_json_string_says_does_not_make_it_a_log() {
    // Titles and messages of commits are written by strangers.
    let inputs = Inputs::new();
    for (index, forged) in
        ["Z Secret source: Actions", "Z ##[group]Run make", "Z Current runner version: '2'"]
            .iter()
            .enumerate()
    {
        let run = format!(
            "{{\"display_title\": \"{forged}\", \"id\": 1700{index}, \"run_number\": 1, \"workflow_id\": 2, \
             \"head_sha\": \"ab\", \"repository\": {{\"full_name\": \"acme/shop\"}}}}"
        );
        inputs.add(&format!("run{index}.json"), run);
    }
    // A log may begin with a bracket.
    inputs.add("bracket.log", format!("[command]/usr/bin/true\n{}", job_log("bracket")));
    let (evidence, _) = inputs.read(&Limits::default());
    assert_eq!(evidence.problems, []);
    assert_eq!(evidence.source_files.iter().filter(|row| row.kind == "run_json").count(), 3);
    let jobs: Vec<_> = evidence.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(jobs, ["bracket", "neighbour-job"]);
}

#[test]
fn json_beyond_its_size_is_said() {
    let inputs = Inputs::new();
    inputs.add("large.json", format!("[{}]", "1,".repeat(5_000) + "1"));
    let (evidence, _) = inputs.read(&Limits { max_json_bytes: 1_000, ..Limits::default() });
    assert!(problem(&evidence, "large.json", "too_large").reason.contains("1000"));
}

#[test]
fn json_nested_beyond_reason_is_said() {
    let inputs = Inputs::new();
    inputs.add("deep.json", "[".repeat(200_000));
    inputs.add("objects.json", "{\"Records\":".repeat(50_000));
    let (evidence, _) = inputs.read(&Limits::default());
    assert!(problem(&evidence, "deep.json", "malformed_json").lossy);
    assert!(problem(&evidence, "objects.json", "malformed_json").lossy);
}

#[test]
fn known_and_unknown_values_in_one_file_are_both_said() {
    let inputs = Inputs::new();
    let event =
        r#"{"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "userIdentity": {"type": "Root"}}"#;
    inputs.add("mixed.jsonl", format!("{event}\n{{\"hello\": 1}}\n{event}\n"));
    inputs.add("cut.jsonl", format!("{event}\n{{\"hello\": 2, "));
    let (evidence, texts) = inputs.read(&Limits::default());
    assert_eq!(evidence.activity.iter().map(|row| row.calls).sum::<i64>(), 3);
    assert!(problem(&evidence, "mixed.jsonl", "unrecognised").lossy);
    assert!(problem(&evidence, "cut.jsonl", "malformed_json").lossy);
    assert_eq!(texts.count("\"hello\""), 2, "what was not understood is scanned");
}

#[test]
fn items_that_name_nothing_are_said() {
    let documents = [
        ("run.json", r#"{"run_number": 1, "workflow_id": 2, "head_sha": "ab", "id": 17001}"#),
        ("jobs.json", r#"{"total_count": 1, "jobs": [{"id": 1, "run_id": 17001}]}"#),
        ("apps.json", r#"{"total_count": 1, "installations": [{"id": 1}]}"#),
        ("secrets.json", r#"{"total_count": 2, "secrets": [{"name": "A"}, {"created_at": null}]}"#),
        ("keys.json", r#"{"AccessKeyMetadata": [{"UserName": "a"}]}"#),
        ("users.json", r#"{"UserDetailList": [{"UserName": "a"}]}"#),
        ("trail.json", r#"{"Records": [{"eventSource": "s3.amazonaws.com", "eventName": "GetObject"}]}"#),
        ("event.json", r#"{"sender": {"login": "a"}, "workflow_run": {"id": 17001}}"#),
        ("job-event.json", r#"{"sender": {"login": "a"}, "workflow_job": {"id": 17001}}"#),
        (
            "null-policy.json",
            r#"{"RoleDetailList": [{"Arn": "arn:aws:iam::1:role/r", "RolePolicyList": [{"PolicyDocument": "null"}]}]}"#,
        ),
    ];
    let inputs = Inputs::new();
    for (name, text) in documents {
        inputs.add(name, text);
    }
    let (evidence, _) = inputs.read(&Limits::default());
    for (name, _) in documents {
        let said = evidence.problems.iter().find(|row| row.path.ends_with(&format!("/{name}")));
        let row = said.unwrap_or_else(|| panic!("{name} was lost in silence"));
        assert!(row.lossy && matches!(row.code.as_str(), "incomplete" | "malformed_policy"), "{row:?}");
    }
    assert_eq!(evidence.problems.len(), documents.len(), "{:#?}", evidence.problems);
}

#[test]
fn empty_pages_are_no_problem() {
    let inputs = Inputs::new();
    for (name, text) in [
        ("runs.json", r#"{"total_count": 0, "workflow_runs": []}"#),
        ("jobs.json", r#"{"total_count": 0, "jobs": []}"#),
        ("secrets.json", r#"{"total_count": 0, "secrets": []}"#),
        ("apps.json", r#"{"total_count": 0, "installations": []}"#),
        ("keys.json", r#"{"AccessKeyMetadata": []}"#),
        ("users.json", r#"{"UserDetailList": []}"#),
    ] {
        inputs.add(name, text);
    }
    let (evidence, _) = inputs.read(&Limits::default());
    assert_eq!(evidence.problems, []);
}

#[test]
fn deliveries_in_one_file_are_scanned_once_and_are_handoffs_of_their_own() {
    let inputs = Inputs::new();
    let star = r#"{"action": "created", "sender": {"login": "a"}, "repository": {"full_name": "o/r"}, "note": "once only"}"#;
    inputs.add("stars.jsonl", [star; 5].join("\n"));
    let dispatch = r#"{"ref": "main", "workflow": "d.yml", "inputs": {"n": "N"}, "sender": {"login": "a"}, "repository": {"full_name": "o/r"}}"#;
    inputs.add("dispatches.jsonl", format!("{}\n{}", dispatch.replace('N', "1"), dispatch.replace('N', "2")));
    let (evidence, texts) = inputs.read(&Limits::default());
    let scans = texts.0.iter().filter(|(context, _)| context.path.ends_with("stars.jsonl")).count();
    assert_eq!((scans, texts.count("once only")), (1, 5));
    let keys: std::collections::HashSet<_> = evidence.handoffs.iter().map(|row| row.handoff_key).collect();
    assert_eq!((evidence.handoffs.len(), keys.len()), (2, 2));
}

#[test]
fn logs_with_invalid_utf8_are_read() {
    let inputs = Inputs::new();
    let mut bytes = job_log("latin").into_bytes();
    bytes.extend(b"2026-10-01T10:00:05.0000000Z caf\xe9 \xff\xfe \xc0\xaf\n");
    inputs.add("latin.log", &bytes);
    let (evidence, texts) = inputs.read(&Limits::default());
    assert!(evidence.jobs.iter().any(|job| job.name == "latin" && job.has_log));
    assert!(texts.0.iter().any(|(_, text)| *text == bytes), "handed over as it is");
}

#[test]
fn logs_with_nul_bytes_are_read() {
    let inputs = Inputs::new();
    let bytes = job_log("nul").replace("built", "bui\0lt\0\0");
    inputs.add("nul.log", &bytes);
    inputs.add("zeros.txt", [0; 4096]);
    let (evidence, texts) = inputs.read(&Limits::default());
    assert!(evidence.jobs.iter().any(|job| job.name == "nul"));
    assert!(texts.0.iter().any(|(_, text)| text == bytes.as_bytes()));
    assert!(problem(&evidence, "zeros.txt", "unrecognised").lossy);
}

#[test]
fn utf16_logs_are_not_lost_in_silence() {
    let inputs = Inputs::new();
    let little: Vec<u8> =
        "\u{feff}".encode_utf16().chain(job_log("wide").encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> =
        "\u{feff}".encode_utf16().chain(job_log("wide").encode_utf16()).flat_map(u16::to_be_bytes).collect();
    inputs.add("little.log", &little);
    inputs.add("big.log", &big);
    let (evidence, texts) = inputs.read(&Limits::default());
    for (name, bytes) in [("little.log", little), ("big.log", big)] {
        assert!(problem(&evidence, name, "unrecognised").lossy);
        assert!(texts.0.iter().any(|(_, text)| *text == bytes), "{name} is scanned");
    }
}

#[test]
fn a_line_of_three_mebibytes_is_kept_and_noted() {
    let inputs = Inputs::new();
    let long = format!("{}{}\n", job_log("long"), "A".repeat(3 << 20));
    inputs.add("long.log", &long);
    let (evidence, texts) = inputs.read(&Limits::default());
    let note = problem(&evidence, "long.log", "long_line");
    assert!(!note.lossy && note.reason.contains("3145728"), "{note:?}");
    assert!(texts.0.iter().any(|(_, text)| text.len() == long.len()), "handed over whole");
    assert!(evidence.jobs.iter().any(|job| job.name == "long"));
}

#[test]
fn a_long_line_in_any_step_file_is_noted() {
    let inputs = Inputs::new();
    inputs.add("logs/build/1_Set up job.txt", job_log("build"));
    inputs.add("logs/build/2_Run make.txt", format!("##[group]Run make\n{}\n", "A".repeat(3 << 20)));
    let (evidence, _) = inputs.read(&Limits::default());
    assert!(!problem(&evidence, "2_Run make.txt", "long_line").lossy);
}

#[test]
fn odd_but_harmless_files_are_no_problem() {
    let inputs = Inputs::new();
    inputs.add("empty.log", "");
    inputs.add("empty.json", "");
    inputs.add("logs/build/1_Set up job.txt", "");
    inputs.add("logs/build/system.txt", "");
    let (evidence, _) = inputs.read(&Limits::default());
    assert!(evidence.problems.iter().all(|row| !row.lossy), "{:#?}", evidence.problems);
}

#[test]
fn step_numbers_and_names_are_data() {
    let inputs = Inputs::new();
    for name in [
        "-1_x.txt",
        "99999999999999999999_y.txt",
        "0x1_z.txt",
        "9223372036854775807_w.txt",
        "1_Set up job.txt",
    ] {
        inputs.add(&format!("logs/build/{name}"), job_log("build"));
    }
    let (evidence, texts) = inputs.read(&Limits::default());
    let rows = evidence.source_files.iter().filter(|row| row.path.contains("logs!/")).count();
    assert_eq!(rows, 5, "every file has a row");
    assert_eq!(texts.0.len(), 6, "and is scanned, like the neighbour");
}

#[test]
fn steps_print_what_setup_prints_and_are_not_believed() {
    let inputs = Inputs::new();
    let forged = "2026-10-01T10:00:05.0000000Z ##[group]GITHUB_TOKEN Permissions\n\
                  2026-10-01T10:00:05.0000000Z Contents: write\n\
                  2026-10-01T10:00:05.0000000Z ##[endgroup]\n\
                  2026-10-01T10:00:05.0000000Z Complete job name: forged\n";
    let path = inputs.add("forged.log", job_log("honest") + forged);
    let (evidence, _) = read_path(&path);
    assert_eq!(evidence.jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(), ["honest"]);
    let scopes: Vec<_> =
        evidence.token_permissions.iter().map(|row| (row.scope.as_str(), row.access.as_str())).collect();
    assert_eq!(scopes, [("contents", "read")]);
}

#[test]
fn a_path_given_twice_is_one_item() {
    let inputs = Inputs::new();
    let file = inputs.add("below/a.log", job_log("a"));
    let paths = [inputs.path().to_owned(), file, inputs.path().join("below"), inputs.path().to_owned()];
    let (items, problems) = discover(&paths, &Limits::default());
    assert_eq!((items.len(), problems.len()), (2, 0), "the neighbour and a.log");
    assert!(items.iter().map(|item| &item.path).is_sorted());
}

#[test]
fn a_missing_path_is_said() {
    let inputs = Inputs::new();
    let missing = inputs.path().join("missing.zip");
    let (items, problems) = discover(&[missing, inputs.path().to_owned()], &Limits::default());
    assert_eq!(items.len(), 1, "the neighbour");
    assert_eq!(problems.len(), 1);
    assert_eq!((problems[0].code.as_str(), problems[0].lossy), ("unreadable", true));
    assert!(problems[0].path.ends_with("missing.zip"));
}

#[test]
fn a_file_that_vanishes_is_said() {
    let inputs = Inputs::new();
    let path = inputs.add("short-lived.log", JOB_LOG);
    let limits = Limits::default();
    let (items, _) = discover(std::slice::from_ref(&path), &limits);
    fs::remove_file(&path).unwrap();
    let evidence = read(&items[0], &limits, &mut crate::support::Texts::default());
    assert!(problem(&evidence, "short-lived.log", "unreadable").lossy);
    assert!(leakgraph_ingest::Fetched::of(&items[0]).sha256().is_err());
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_and_said() {
    use std::os::unix::fs::symlink;
    let inputs = Inputs::new();
    symlink(inputs.path().join("nowhere"), inputs.path().join("broken.log")).unwrap();
    fs::create_dir(inputs.path().join("loop")).unwrap();
    symlink(inputs.path(), inputs.path().join("loop/back")).unwrap();
    symlink("self.log", inputs.path().join("self.log")).unwrap();
    let (evidence, _) = inputs.read(&Limits::default());
    assert_eq!(evidence.jobs.len(), 1, "the neighbour, once");
    for name in ["broken.log", "loop/back", "self.log"] {
        let row = problem(&evidence, name, "unreadable");
        assert!(row.reason.contains("link"), "{name}");
        assert_eq!(row.lossy, name != "loop/back", "what it points to is read under its own path");
    }
}

#[cfg(unix)]
#[test]
fn a_path_given_as_a_link_is_read() {
    use std::os::unix::fs::symlink;
    let inputs = Inputs::new();
    let outside = tempfile::TempDir::new().unwrap();
    for (name, target) in
        [("folder", inputs.path().to_owned()), ("file", inputs.path().join("neighbour.log"))]
    {
        let link = outside.path().join(name);
        symlink(target, &link).unwrap();
        let (evidence, _) = read_path(&link);
        assert_eq!(evidence.problems, [], "{name}");
        assert_eq!(evidence.jobs.len(), 1, "{name}");
    }
    // A link below it that leaves the input is said, and is a loss.
    let (evidence, _) = read_path(outside.path());
    assert_eq!(evidence.problems.iter().filter(|row| row.lossy).count(), 2);
}

#[cfg(unix)]
#[test]
fn a_path_that_is_itself_a_broken_link_is_said() {
    use std::os::unix::fs::symlink;
    let inputs = Inputs::new();
    let broken = inputs.path().join("broken");
    symlink(inputs.path().join("nowhere"), &broken).unwrap();
    let (items, problems) = discover(&[broken], &Limits::default());
    assert!(items.is_empty());
    assert_eq!(problems.len(), 1);
    assert!(problems[0].path.ends_with("broken") && problems[0].lossy);
}
