//! One run in all layouts of its logs: each byte is handed over once.

use crate::support::{Inputs, Texts, job_log, read_path, zipped};
use leakgraph_ingest::Limits;
use leakgraph_model::Evidence;
use std::fs;

const SYSTEM: &str = "2026-10-01T10:00:00.0000000Z Requested labels: ubuntu-latest\n\
2026-10-01T10:00:00.0000000Z Job defined at: acme/shop/.github/workflows/ci.yml@refs/heads/main\n\
2026-10-01T10:00:00.0000000Z Evaluating build.if\n\
2026-10-01T10:00:00.0000000Z Evaluating: success()\n\
2026-10-01T10:00:00.0000000Z Result: true\n";

/// The whole log in one, as its step files: three parts at these line numbers.
fn step_files(log: &str) -> Vec<(&'static str, String)> {
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    let part = |from: usize, to: usize| lines.iter().take(to).skip(from).copied().collect::<String>();
    vec![
        ("1_Set up job.txt", part(0, 6)),
        ("2_Run make.txt", part(6, 12)),
        ("3_Complete job.txt", part(12, 13)),
    ]
}

fn layout_a() -> Vec<(String, String)> {
    let log = job_log("build");
    let mut members = vec![("0_build.txt".to_owned(), log.clone())];
    members.extend(step_files(&log).into_iter().map(|(name, text)| (format!("build/{name}"), text)));
    members.push(("build/system.txt".to_owned(), SYSTEM.to_owned()));
    members
}

fn layout_b() -> Vec<(String, String)> {
    vec![("0_build.txt".to_owned(), job_log("build")), ("build/system.txt".to_owned(), SYSTEM.to_owned())]
}

fn read_zip(members: &[(String, String)]) -> (Evidence, Texts) {
    let inputs = Inputs::new();
    let path = inputs.add("acme/shop/runs/17001/attempts/1/logs.zip", zipped(members));
    let (evidence, texts) = read_path(&path);
    assert_eq!(evidence.problems, []);
    (evidence, texts)
}

/// What must not depend on the layout: jobs, kinds of steps, bindings, permissions.
fn essence(evidence: &Evidence) -> Vec<String> {
    let jobs = evidence.jobs.iter().map(|job| format!("job {} {}", job.name, job.has_log));
    let steps = evidence.steps.iter().map(|step| format!("step {} {}", step.ordinal, step.kind));
    let bindings = evidence.bindings.iter().map(|row| format!("binding {} {}", row.name, row.state));
    let scopes = evidence.token_permissions.iter().map(|row| format!("scope {} {}", row.scope, row.access));
    jobs.chain(steps).chain(bindings).chain(scopes).collect()
}

const ESSENCE: [&str; 6] = [
    "job build true",
    "step 0 setup",
    "step 1 run",
    "step 2 complete",
    "binding API_TOKEN masked",
    "scope contents read",
];

fn layouts(evidence: &Evidence) -> Vec<String> {
    let mut layouts: Vec<_> = evidence.source_files.iter().filter_map(|row| row.layout.clone()).collect();
    layouts.dedup();
    layouts
}

#[test]
fn split_archives_are_read_by_their_step_files_only() {
    let (evidence, texts) = read_zip(&layout_a());
    assert_eq!(essence(&evidence), ESSENCE);
    assert!(evidence.steps.iter().all(|step| step.attribution == "file"));
    assert_eq!(
        evidence.steps.iter().map(|step| step.number).collect::<Vec<_>>(),
        [Some(1), Some(2), Some(3)]
    );
    assert_eq!(layouts(&evidence), ["A"]);
    assert_eq!(texts.count("API_TOKEN: ***"), 1, "handed over once");
    assert_eq!(texts.count("Current runner version"), 1, "handed over once");
    assert_eq!(texts.count("Requested labels"), 1, "system.txt too");
    assert_eq!(evidence.source_files.len(), 5, "every member has a row");
    assert_eq!(evidence.runs.len(), 1);
    assert_eq!(evidence.runs[0].repo.as_deref(), Some("acme/shop"));
    assert_eq!(evidence.runs[0].platform_run_id.as_deref(), Some("17001"));
    assert_eq!(evidence.jobs[0].condition_result, Some(true));
    assert_eq!(evidence.jobs[0].labels, ["ubuntu-latest"]);
}

#[test]
fn archives_without_step_files_are_split_by_order() {
    let (evidence, texts) = read_zip(&layout_b());
    assert_eq!(essence(&evidence), ESSENCE);
    assert!(evidence.steps.iter().all(|step| step.attribution == "order" && step.number.is_none()));
    assert_eq!(layouts(&evidence), ["B"]);
    assert_eq!(texts.count("API_TOKEN: ***"), 1, "handed over once");
    assert_eq!(texts.count("Requested labels"), 1);
    assert_eq!(evidence.source_files.len(), 2);
    assert_eq!(evidence.jobs[0].condition_result, Some(true));
}

#[test]
fn layouts_of_the_same_run_have_the_same_keys() {
    let keys = |evidence: &Evidence| {
        (evidence.runs[0].run_key, evidence.jobs.iter().map(|job| job.job_key).collect::<Vec<_>>())
    };
    let (split, _) = read_zip(&layout_a());
    let (whole, _) = read_zip(&layout_b());
    assert_eq!(keys(&split), keys(&whole));
}

#[test]
fn unpacked_archives_are_one_item_with_the_same_rows() {
    let (packed, packed_texts) = read_zip(&layout_a());
    let inputs = Inputs::new();
    let root = "acme/shop/runs/17001/attempts/1";
    for (name, text) in layout_a() {
        inputs.add(&format!("{root}/{name}"), text);
    }
    let (unpacked, texts) = read_path(&inputs.path().join(root));
    assert_eq!(essence(&unpacked), essence(&packed));
    assert_eq!(unpacked.problems, []);
    assert_eq!(
        unpacked.jobs.iter().map(|job| job.job_key).collect::<Vec<_>>(),
        packed.jobs.iter().map(|job| job.job_key).collect::<Vec<_>>()
    );
    let sorted = |texts: &Texts| {
        let mut all: Vec<_> = texts.0.iter().map(|(context, bytes)| (context.place, bytes.clone())).collect();
        all.sort();
        all
    };
    assert_eq!(sorted(&texts), sorted(&packed_texts));
}

#[test]
fn other_files_beside_an_unpacked_archive_are_items_of_their_own() {
    let inputs = Inputs::new();
    for (name, text) in layout_a() {
        inputs.add(&format!("logs/{name}"), text);
    }
    inputs.add("logs/run.json", br#"{"id": 17001, "run_number": 1, "workflow_id": 2, "head_sha": "ab", "repository": {"full_name": "acme/shop"}}"#);
    let (evidence, _) = inputs.read(&Limits::default());
    assert!(evidence.source_files.iter().any(|row| row.kind == "run_json"));
    assert_eq!(evidence.jobs.len(), 2, "the archive's and the neighbour's");
}

#[test]
fn one_job_log_is_layout_c_and_a_piece_of_one_is_d() {
    let inputs = Inputs::new();
    let whole = inputs.add("1_build.txt", job_log("build"));
    let (evidence, texts) = read_path(&whole);
    assert_eq!(essence(&evidence), ESSENCE);
    assert_eq!(layouts(&evidence), ["C"]);
    assert_eq!(texts.count("API_TOKEN"), 1);
    let piece = inputs.add("piece.txt", &step_files(&job_log("build"))[1].1);
    let (evidence, texts) = read_path(&piece);
    assert_eq!(layouts(&evidence), ["D"]);
    assert_eq!(essence(&evidence), ["job piece true", "step 0 run", "binding API_TOKEN masked"]);
    assert_eq!(texts.count("API_TOKEN"), 1);
}

#[test]
fn two_jobs_of_an_archive_keep_their_own_steps() {
    let mut members = layout_a();
    members.push(("1_test.txt".to_owned(), job_log("test")));
    members.push(("test/system.txt".to_owned(), SYSTEM.to_owned()));
    let (evidence, texts) = read_zip(&members);
    assert_eq!(evidence.runs.len(), 1);
    assert_eq!(evidence.jobs.len(), 2);
    for job in &evidence.jobs {
        let steps = evidence.steps.iter().filter(|step| step.job_key == job.job_key).count();
        assert_eq!(steps, 3, "{}", job.name);
    }
    assert_eq!(texts.count("API_TOKEN: ***"), 2, "one per job");
}

#[test]
fn archives_in_a_folder_of_the_zip_are_the_same_archives() {
    let below = |root: &str| -> Vec<(String, String)> {
        layout_a().into_iter().map(|(name, text)| (format!("{root}/{name}"), text)).collect()
    };
    let (evidence, texts) = read_zip(&below("logs"));
    assert_eq!(essence(&evidence), ESSENCE);
    assert_eq!(texts.count("API_TOKEN: ***"), 1, "handed over once");
    assert_eq!(evidence.runs[0].platform_run_id.as_deref(), Some("17001"));
    assert!(evidence.source_files.iter().any(|row| row.path.ends_with("logs.zip!/logs/build/system.txt")));

    // Two runs in one zip stay two runs.
    let inputs = Inputs::new();
    let path = inputs.add("both.zip", zipped(&[below("runs/17001"), below("runs/17002")].concat()));
    let (evidence, texts) = read_path(&path);
    assert_eq!((evidence.runs.len(), evidence.jobs.len(), evidence.steps.len()), (2, 2, 6));
    assert_eq!(evidence.problems, []);
    assert_eq!(texts.count("API_TOKEN: ***"), 2, "once per run");
}

#[test]
fn whole_logs_in_a_folder_of_the_zip_keep_their_setup() {
    let (evidence, texts) = read_zip(&[("logs/0_build.txt".to_owned(), job_log("build"))]);
    assert_eq!(essence(&evidence), ESSENCE);
    assert_eq!(texts.0.len(), 1);
}

#[test]
fn other_members_beside_a_run_archive_are_read_as_what_they_are() {
    let mut members: Vec<(String, Vec<u8>)> =
        layout_a().into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    members.push(("inner.zip".to_owned(), zipped(&[("other.log", job_log("other"))])));
    members.push(("keys.json".to_owned(), b"{\"Records\": [{\"eventSource\": \"s3.amazonaws.com\", \"eventName\": \"GetObject\", \"userIdentity\": {\"type\": \"Root\"}}]}".to_vec()));
    let inputs = Inputs::new();
    let (evidence, _) = read_path(&inputs.add("logs.zip", zipped(&members)));
    assert_eq!(evidence.jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(), ["build", "other"]);
    assert_eq!(evidence.activity.len(), 1);
    assert_eq!(evidence.problems, []);
}

#[test]
fn a_second_log_of_a_job_is_scanned_and_said() {
    let foreign = job_log("build").replace("T10:", "T11:").replace("built", "built elsewhere");
    for mut members in [layout_a(), layout_b()] {
        members.push(("1_build.txt".to_owned(), foreign.clone()));
        let inputs = Inputs::new();
        let (evidence, texts) = read_path(&inputs.add("logs.zip", zipped(&members)));
        assert_eq!((evidence.jobs.len(), evidence.steps.len()), (1, 3));
        assert_eq!(texts.count("API_TOKEN: ***"), 2, "once per log");
        let codes: Vec<_> = evidence.problems.iter().map(|row| row.code.as_str()).collect();
        assert_eq!(codes, ["mixed_runs"]);
    }
}

#[test]
fn step_files_that_lack_something_do_not_hide_the_whole_log() {
    // Only part of the archive was unpacked, or packed again.
    for missing in ["build/2_Run make.txt", "build/1_Set up job.txt"] {
        let mut members = layout_a();
        members.retain(|(name, _)| name != missing);
        let (evidence, texts) = read_zip(&members);
        assert_eq!(essence(&evidence), ESSENCE, "without {missing}");
        assert_eq!(texts.count("API_TOKEN: ***"), 1, "handed over once");
        assert_eq!(texts.count("Current runner version"), 1, "handed over once");
        assert_eq!(evidence.source_files.len(), 4, "every member has a row");
        assert!(
            evidence.source_files.iter().all(|row| row.layout.as_deref().is_none_or(|layout| layout == "D"))
        );
    }
}

#[test]
fn marks_name_the_binding_and_its_step() {
    let (evidence, texts) = read_zip(&layout_b());
    let (context, bytes) = texts.0.iter().find(|(context, _)| context.place == "log").unwrap();
    let mark = context.marks.iter().find(|mark| mark.name.as_deref() == Some("API_TOKEN")).unwrap();
    assert_eq!(mark.place, "env_binding");
    assert_eq!(mark.step_key, Some(evidence.steps[1].step_key));
    assert!(bytes[mark.offset..].starts_with(b"2026-10-01T10:00:02.0000000Z   API_TOKEN: ***"));
    let time = context.clock.unwrap()(bytes, mark.offset + 40).unwrap();
    assert_eq!(time.to_string(), "2026-10-01T10:00:02Z");
}

#[test]
fn the_content_hash_follows_content_and_run() {
    let inputs = Inputs::new();
    let hash = |path: &std::path::Path| {
        let (items, _) = leakgraph_ingest::discover(&[path.to_owned()], &Limits::default());
        assert_eq!(items.len(), 1);
        leakgraph_ingest::Fetched::of(&items[0]).sha256().unwrap()
    };
    let first = inputs.add("o/r/runs/10001/a.log", job_log("build"));
    let other_run = inputs.add("o/r/runs/10002/a.log", job_log("build"));
    assert_eq!(hash(&first), hash(&first));
    assert_ne!(hash(&first), hash(&other_run), "the run a log belongs to is told by its path");
    let before = hash(&first);
    fs::write(&first, job_log("built")).unwrap();
    assert_ne!(hash(&first), before);
}
