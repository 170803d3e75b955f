//! What makes run logs of GitHub hard to read, one test per case. Elsewhere: lines of
//! megabytes, folders of several runs, numbers with gaps (`hostile_texts`, `layouts`,
//! `corpus_workflows`), errors saved as logs (`github_rest`), bombs and traversal
//! (`hostile_archives`).

use crate::support::{Inputs, JOB_LOG, job_log, read_path, zipped};
use leakgraph_ingest::link;
use leakgraph_model::{Evidence, Timestamp};

fn read_log(text: &str) -> Evidence {
    let inputs = Inputs::new();
    read_path(&inputs.add("acme/shop/runs/17001/attempts/1/0_build.txt", text)).0
}

/// A job log whose one step prints `output` and is handed `bindings`.
fn log(bindings: &str, output: &str) -> String {
    let stamp = "2026-10-01T10:00:02.0000000Z ";
    let lines = |text: &str| text.lines().map(|line| format!("{stamp}{line}\n")).collect::<String>();
    format!(
        "{stamp}Complete job name: build\n{stamp}##[group]Run make\n{stamp}shell: bash\n{stamp}env:\n{}{stamp}##[endgroup]\n{}",
        lines(bindings),
        lines(output)
    )
}

/// Names and states of bindings.
fn bindings(evidence: &Evidence) -> Vec<(&str, &str)> {
    evidence.bindings.iter().map(|row| (row.name.as_str(), row.state.as_str())).collect()
}

#[test]
fn a_byte_order_mark_may_stand_in_the_middle() {
    // The runner writes one at the head of each page of 8 MB, and pages are joined.
    let paged = JOB_LOG.replace("2026-10-01T10:00:02", "\u{feff}2026-10-01T10:00:02");
    let (plain, marked) = (read_log(JOB_LOG), read_log(&paged));
    assert_eq!(marked.steps.len(), plain.steps.len());
    assert_eq!(bindings(&marked), bindings(&plain));
    assert!(marked.steps.iter().all(|step| step.started_at.is_some()));
}

#[test]
fn line_ends_of_windows_are_line_ends() {
    let (plain, windows) = (read_log(JOB_LOG), read_log(&JOB_LOG.replace('\n', "\r\n")));
    let essence = |evidence: &Evidence| {
        let steps: Vec<_> =
            evidence.steps.iter().map(|step| (step.name.clone(), step.shell.clone())).collect();
        (steps, evidence.jobs[0].secret_source.clone(), evidence.token_permissions.len())
    };
    assert_eq!(essence(&plain), essence(&windows));
    assert_eq!(bindings(&plain), bindings(&windows));
}

#[test]
fn bodies_of_keys_continue_the_line_before_them() {
    // A value of several lines has one time stamp, and its lines look like anything.
    let key = "  KEY: -----BEGIN X-----\nMIIEpAIBAAKCAQEA\n  OTHER: not a binding\n-----END X-----\n";
    let text = log("", "done").replace("env:\n", &format!("env:\n2026-10-01T10:00:02.0000000Z {key}"));
    let evidence = read_log(&text);
    assert_eq!(bindings(&evidence), [("KEY", "clear")]);
    assert_eq!(evidence.steps.len(), 2, "setup and the step");
}

#[test]
fn three_stars_are_not_always_a_mask() {
    let output = "make: *** [all] Error 1\n*** System restart required ***\n[INFO] *** BUILD ***";
    let evidence = read_log(&log("  A: b", output));
    assert_eq!(bindings(&evidence), [("A", "clear")]);
    assert!(evidence.secrets_passed.is_empty());
}

#[test]
fn masks_inside_words_and_of_one_letter_hide_a_part() {
    let evidence =
        read_log(&log("  IMAGE: ***-it\n  PORT: 80***0***\n  URL: https://u:***@h\n  T: ***", "x"));
    let expected = [("IMAGE", "partial"), ("PORT", "partial"), ("URL", "partial"), ("T", "masked")];
    assert_eq!(bindings(&evidence), expected);
    let passed: Vec<_> = evidence.secrets_passed.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(passed, ["T"]);
}

#[test]
fn groups_of_user_code_are_no_steps() {
    let output = "##[group]Tests\n##[group]GITHUB_TOKEN Permissions\nContents: write\n##[endgroup]\nSecret source: Actions\n##[endgroup]";
    let evidence = read_log(&log("  A: b", output));
    assert_eq!(evidence.steps.len(), 2);
    assert_eq!(evidence.token_permissions, []);
    assert_eq!(evidence.jobs[0].secret_source, None);
}

#[test]
fn jobs_of_a_matrix_that_share_a_name_stay_apart() {
    let job = |id: u32| {
        format!(
            r#"{{"id": {id}, "run_id": 17001, "run_url": "https://api.github.com/repos/acme/shop/actions/runs/17001", "name": "build",
            "labels": [], "steps": [{{"number": 1, "name": "Set up job"}}, {{"number": 2, "name": "Run make"}}]}}"#
        )
    };
    let inputs = Inputs::new();
    let page = format!("{{\"total_count\": 3, \"jobs\": [{}, {}, {}]}}", job(1), job(2), job(3));
    let (mut evidence, _) = read_path(&inputs.add("jobs.json", page));
    link(&mut evidence);
    assert_eq!((evidence.jobs.len(), evidence.steps.len()), (3, 6));
    for job in &evidence.jobs {
        assert_eq!(evidence.steps.iter().filter(|step| step.job_key == job.job_key).count(), 2);
    }
    // The key of the first one is that of its log.
    let log = read_log(&job_log("build"));
    assert!(
        evidence
            .jobs
            .iter()
            .any(|row| row.job_key == log.jobs[0].job_key && row.platform_job_id.as_deref() == Some("1"))
    );
}

#[test]
fn attempts_are_runs_of_their_own() {
    let inputs = Inputs::new();
    let root = "acme/shop/runs/17001/attempts";
    inputs.add(
        &format!("{root}/1/logs.zip"),
        zipped(&[("0_build.txt", job_log("build")), ("1_test.txt", job_log("test"))]),
    );
    // What succeeded before is not run again, and not in the archive.
    inputs.add(&format!("{root}/2/logs.zip"), zipped(&[("0_test.txt", job_log("test"))]));
    let (mut evidence, _) = read_path(&inputs.path().join("acme"));
    link(&mut evidence);
    let mut attempts: Vec<_> = evidence.runs.iter().map(|run| run.attempt).collect();
    attempts.sort();
    assert_eq!(attempts, [Some(1), Some(2)]);
    assert_eq!(evidence.jobs.len(), 3);
    assert_eq!(evidence.problems, []);
}

#[test]
fn a_job_without_a_log_is_still_a_job() {
    // Refused by a branch policy: no runner, no steps, no log.
    let inputs = Inputs::new();
    let refused = r#"{"id": 5, "run_id": 17001, "run_attempt": 1, "name": "deploy", "conclusion": "failure", "labels": ["ubuntu-latest"],
        "steps": [], "runner_id": 0, "runner_name": "", "run_url": "https://api.github.com/repos/acme/shop/actions/runs/17001"}"#;
    inputs.add("jobs.json", format!("{{\"total_count\": 1, \"jobs\": [{refused}]}}"));
    inputs.add("acme/shop/runs/17001/attempts/1/logs.zip", zipped(&[("0_build.txt", job_log("build"))]));
    let (mut evidence, _) = read_path(inputs.path());
    link(&mut evidence);
    let job = |name: &str| evidence.jobs.iter().find(|job| job.name == name).expect("a job");
    assert!(job("build").has_log && !job("deploy").has_log);
    assert_eq!(job("deploy").run_key, job("build").run_key);
    assert_eq!(job("deploy").conclusion.as_deref(), Some("failure"));
}

#[test]
fn lines_of_the_server_come_in_any_order() {
    let system = "2026-10-01T10:00:00.8010000Z Job is about to start running on the hosted runner: GitHub Actions 7\n\
        2026-10-01T10:00:00.7970000Z Job is waiting for a hosted runner to come online.\n\
        2026-10-01T10:00:00.7000000Z Evaluating build.if\n\
        2026-10-01T10:00:00.7000000Z Evaluating: success()\n\
        2026-10-01T10:00:00.7000000Z Result: true\n\
        2026-10-01T10:00:00.6000000Z Job defined at: acme/shop/.github/workflows/ci.yml@refs/heads/main\n\
        2026-10-01T10:00:00.6000000Z Requested labels: ubuntu-latest, x64";
    let inputs = Inputs::new();
    let archive = zipped(&[("0_build.txt", job_log("build")), ("build/system.txt", system.to_owned())]);
    let (evidence, _) = read_path(&inputs.add("logs.zip", archive));
    let job = &evidence.jobs[0];
    assert_eq!(job.labels, ["ubuntu-latest", "x64"], "the last line has no end");
    assert_eq!((job.runner_kind.as_deref(), job.condition_result), (Some("hosted"), Some(true)));
    assert_eq!(evidence.runs[0].workflow_path.as_deref(), Some(".github/workflows/ci.yml"));
}

#[test]
fn times_of_one_answer_have_several_zones() {
    let inputs = Inputs::new();
    let job = r#"{"id": 5, "run_id": 17001, "name": "build", "labels": [], "started_at": "2022-05-29T11:19:03Z",
        "run_url": "https://api.github.com/repos/acme/shop/actions/runs/17001",
        "steps": [{"number": 2, "name": "Run make", "started_at": "2022-05-29T04:19:05.000-07:00", "completed_at": "2022-05-29T04:19:03.000-07:00"}]}"#;
    let (evidence, _) = read_path(&inputs.add("job.json", job));
    assert_eq!(evidence.steps[0].started_at, Timestamp::parse("2022-05-29T11:19:05Z"));
    // Two seconds before its start, as real answers have it: kept as it is.
    assert_eq!(evidence.steps[0].ended_at, Timestamp::parse("2022-05-29T11:19:03Z"));
    assert_eq!(evidence.jobs[0].started_at, Timestamp::parse("2022-05-29T11:19:03Z"));
}

#[test]
fn the_path_of_a_workflow_may_carry_its_ref() {
    let inputs = Inputs::new();
    let run = r#"{"id": 17001, "run_number": 1, "workflow_id": 2, "head_sha": "ab", "path": ".github/workflows/ci.yml@refs/heads/main",
        "repository": {"full_name": "acme/shop"}}"#;
    let (evidence, _) = read_path(&inputs.add("run.json", run));
    let run = &evidence.runs[0];
    assert_eq!(run.workflow_path.as_deref(), Some(".github/workflows/ci.yml"));
    assert_eq!(run.workflow_ref.as_deref(), Some("refs/heads/main"));
}

#[test]
fn object_ids_may_be_of_64_digits() {
    let sha = "0123456789abcdef".repeat(4);
    let text = JOB_LOG.replace(
        "2026-10-01T10:00:01.0000000Z Complete",
        &format!(
            "2026-10-01T10:00:01.0000000Z Download action repository 'acme/x@{sha}' (SHA:{sha})\n2026-10-01T10:00:01.0000000Z Complete"
        ),
    );
    let text = text.replace("Run make", &format!("Run acme/x@{sha}"));
    let evidence = read_log(&text);
    let step = evidence.steps.iter().find(|step| step.uses.is_some()).expect("an action");
    assert_eq!((step.pinned.as_deref(), step.resolved_sha.as_ref()), (Some("sha"), Some(&sha)));
}

#[test]
fn names_of_members_are_of_any_letters() {
    let inputs = Inputs::new();
    let job = "🔍 Quality, Checks (prettier, 20)";
    let archive = zipped(&[
        (format!("{job}/1_Set up job.txt"), job_log(job)),
        (format!("{job}/10_🔍 Run, it.txt"), "2026-10-01T10:00:05.0000000Z ##[group]Run it\n".to_owned()),
        (format!("/abs/{job}/2_x.txt"), job_log("x")),
        ("../../up.txt".to_owned(), "up".to_owned()),
    ]);
    let (evidence, texts) = read_path(&inputs.add("logs.zip", archive));
    assert!(evidence.jobs.iter().any(|row| row.name == job), "{:#?}", evidence.jobs);
    assert!(evidence.steps.iter().any(|step| step.name == "🔍 Run, it" && step.number == Some(10)));
    assert_eq!(texts.0.len(), 4, "every member is scanned once");
}

#[test]
fn logs_without_time_stamps_have_the_same_steps() {
    let bare: String =
        JOB_LOG.lines().map(|line| format!("{}\n", line.split_once(' ').expect("a stamp").1)).collect();
    let (stamped, bare) = (read_log(JOB_LOG), read_log(&bare));
    let essence = |evidence: &Evidence| {
        let steps: Vec<_> =
            evidence.steps.iter().map(|step| (step.kind.clone(), step.name.clone())).collect();
        (steps, evidence.jobs[0].job_key, evidence.token_permissions.len())
    };
    assert_eq!(essence(&stamped), essence(&bare));
    assert_eq!(bindings(&stamped), bindings(&bare));
    assert!(bare.steps.iter().all(|step| step.started_at.is_none()));
}
