//! Real run logs against counts of their raw lines.

use crate::support::{corpus, files_ending, read_path};
use leakgraph_model::Evidence;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// What a scan of the raw lines sees, without any notion of steps or sections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Lines `##[group]Run …`: the header of a step (or of a step inside a composite action).
    headers: usize,
    /// Lines `Post job cleanup.`
    posts: usize,
    /// Whether the log has the lines of a job's end.
    completes: usize,
    /// Lines `  NAME: ***`.
    masked: usize,
    /// Lines `  NAME: …` below `with:` or `env:` in the header of a step.
    bindings: usize,
    /// Lines `##[group]GITHUB_TOKEN Permissions`.
    permission_groups: usize,
    /// Lines between these and the next `##[endgroup]`.
    permissions: usize,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.headers += other.headers;
        self.posts += other.posts;
        self.completes += other.completes;
        self.masked += other.masked;
        self.bindings += other.bindings;
        self.permission_groups += other.permission_groups;
        self.permissions += other.permissions;
    }
}

/// The line without byte order mark, carriage return and `2026-10-01T10:00:00.0000000Z `.
fn message(line: &str) -> &str {
    let line = line.trim_start_matches('\u{feff}').trim_end_matches('\r');
    match line.split_once(' ') {
        Some((stamp, rest)) if stamp.len() == 28 && stamp.ends_with('Z') => rest,
        _ => line,
    }
}

fn is_binding(message: &str) -> bool {
    let name = message.strip_prefix("  ").and_then(|line| line.split_once(':'));
    name.is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || "_-.".contains(letter))
    })
}

fn is_masked_binding(message: &str) -> bool {
    let name = message.strip_prefix("  ").and_then(|line| line.strip_suffix(": ***"));
    name.is_some_and(|name| {
        !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || "_-.".contains(letter))
    })
}

fn count(path: &Path) -> Counts {
    let bytes = fs::read(path).expect("a readable log");
    let mut counts = Counts::default();
    let (mut in_permissions, mut in_header, mut in_block) = (false, false, false);
    for line in String::from_utf8_lossy(&bytes).split('\n') {
        let message = message(line);
        counts.headers += usize::from(message.starts_with("##[group]Run "));
        counts.posts += usize::from(message == "Post job cleanup.");
        if message == "Cleaning up orphan processes" || message == "Evaluate and set job outputs" {
            counts.completes = 1;
        }
        if message.starts_with("##[") {
            in_header = message.starts_with("##[group]Run ");
            in_block = false;
        }
        in_block |= in_header && (message == "with:" || message == "env:");
        counts.bindings += usize::from(in_block && is_binding(message));
        counts.masked += usize::from(is_masked_binding(message));
        if message.starts_with("##[group]GITHUB_TOKEN Permissions") {
            counts.permission_groups += 1;
            in_permissions = true;
        } else if message.starts_with("##[endgroup]") {
            in_permissions = false;
        } else if in_permissions {
            counts.permissions += 1;
        }
    }
    counts
}

fn masked(evidence: &Evidence) -> usize {
    evidence.bindings.iter().filter(|binding| binding.state == "masked").count()
}

#[test]
fn every_bugswarm_log_is_a_job_with_the_steps_its_lines_show() {
    let Some(corpus) = corpus() else { return };
    let logs = files_ending(&corpus.join("workflows/bugswarm-gha"), ".log");
    assert_eq!(logs.len(), 74, "counted with find | wc -l");
    let mut total = Counts::default();
    let mut wrong = Vec::new();
    for log in &logs {
        let (evidence, texts) = read_path(log);
        let counts = count(log);
        total.add(counts);
        let name = log.display();
        assert_eq!(evidence.jobs.len(), 1, "{name} is one job");
        assert!(evidence.jobs.iter().all(|job| job.has_log), "{name} has a log");
        assert_eq!(texts.0.len(), 1, "{name} is handed over once");
        assert!(evidence.problems.iter().all(|problem| !problem.lossy), "{:?}", evidence.problems);
        // Setup, one step per header, one per cleanup, one end.
        let steps = 1 + counts.headers + counts.posts + counts.completes;
        let seen = (evidence.steps.len(), masked(&evidence), evidence.token_permissions.len());
        assert_eq!(evidence.token_permissions.is_empty(), counts.permission_groups == 0, "{name}");
        if seen != (steps, counts.masked, counts.permissions) || evidence.bindings.len() != counts.bindings {
            wrong.push(format!("{name}: read {seen:?}, lines show {steps} steps, {counts:?}"));
        }
    }
    // The same sums by a script of grep and awk over the 74 files.
    let by_script = Counts {
        headers: 393,
        posts: 132,
        completes: 72,
        masked: 160,
        bindings: 2_154,
        permission_groups: 72,
        permissions: 829,
    };
    assert_eq!(total, by_script);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unpacked_archives_have_a_step_per_step_file() {
    let Some(corpus) = corpus() else { return };
    for (folder, step_files, masked_lines) in [("f30248c786", 7, 6), ("f364255188", 8, 6)] {
        let root = corpus.join("workflows/hcj1206-runlogs").join(folder);
        let (evidence, texts) = read_path(&root);
        let files = files_ending(&root.join("build"), ".txt");
        assert_eq!(files.len(), step_files + 1, "one per step and system.txt, counted with ls");
        assert_eq!(evidence.runs.len(), 1);
        assert_eq!(evidence.jobs.len(), 1);
        assert_eq!(evidence.steps.len(), step_files);
        assert!(evidence.steps.iter().all(|step| step.number.is_some() && step.attribution == "file"));
        assert_eq!(masked(&evidence), masked_lines, "counted with grep -c in build/");
        assert_eq!(masked(&evidence), files.iter().map(|file| count(file).masked).sum::<usize>());
        assert_eq!(evidence.secrets_passed.len(), masked_lines);
        let permissions: HashMap<_, _> =
            evidence.token_permissions.iter().map(|row| (row.scope.as_str(), row.access.as_str())).collect();
        // Read with the eye in `1_Set up job.txt`.
        let expected = HashMap::from([("contents", "read"), ("metadata", "read"), ("packages", "read")]);
        assert_eq!(permissions, expected);
        // Step files and system.txt, not the whole log again.
        assert_eq!(texts.0.len(), step_files + 1);
        assert_eq!(evidence.problems, []);
    }
}

#[test]
fn a_folder_of_two_runs_loses_nothing_in_silence() {
    let Some(corpus) = corpus() else { return };
    let root = corpus.join("workflows/qubitquilt-runlogs");
    let (evidence, texts) = read_path(&root);
    let mut names: Vec<_> = evidence.jobs.iter().map(|job| job.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["build", "test"]);
    // 7 step files each, counted with ls.
    assert_eq!(evidence.steps.len(), 14);
    assert_eq!(evidence.token_permissions.len(), 6, "3 lines in each `1_Set up job.txt`");
    let step_files = ["build", "test"].map(|job| files_ending(&root.join(job), ".txt")).concat();
    assert_eq!(masked(&evidence), step_files.iter().map(|file| count(file).masked).sum::<usize>());
    assert_eq!(masked(&evidence), 4, "counted with grep -c");
    // Every file has a row; what is not of this run is scanned and said.
    for file in files_ending(&root, ".txt") {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(evidence.source_files.iter().any(|row| row.path.ends_with(&name)), "{name} has no row");
    }
    let foreign = ["current_build_logs.txt", "latest_build_logs.txt", "new_build_logs.txt"];
    for name in foreign {
        assert!(evidence.problems.iter().any(|row| row.path.ends_with(name) && row.lossy), "{name}");
        assert!(texts.0.iter().any(|(context, _)| context.path.ends_with(name)), "{name} was not scanned");
    }
    // Two logs of each job, of different runs: the step files hold only one of them.
    let mixed = evidence.problems.iter().filter(|row| row.code == "mixed_runs").count();
    assert_eq!(mixed, 3, "{:#?}", evidence.problems);
}

#[test]
fn job_objects_and_their_logs_are_one_kind_of_evidence() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("workflows/bugswarm-gha/tests/analyzer/github_data/github_cache");
    for file in files_ending(&folder, "") {
        let value: serde_json::Value =
            serde_json::from_slice(&fs::read(&file).expect("readable")).expect("JSON");
        let (evidence, _) = read_path(&file);
        assert_eq!(evidence.jobs.len(), 1, "{}", file.display());
        let steps = value.get("steps").and_then(|steps| steps.as_array()).expect("steps").len();
        assert_eq!(evidence.steps.len(), steps, "{}", file.display());
        assert_eq!(evidence.problems, []);
    }
}

/// What a file of octokit is, by its folder: kind, and whether rows follow from it.
fn octokit_kind(path: &str) -> &'static str {
    let (folder, file) = path.rsplit_once('/').expect("a folder");
    match folder.rsplit('/').next().expect("an event") {
        _ if file.ends_with(".schema.json") => "json_schema",
        "workflow_job" => "webhook_workflow_job",
        "workflow_run" => "webhook_workflow_run",
        "workflow_dispatch" => "webhook_workflow_dispatch",
        "repository_dispatch" => "webhook_repository_dispatch",
        "deployment" | "deployment_status" | "deployment_review" => "webhook_deployment",
        _ => "webhook_other",
    }
}

#[test]
fn every_file_of_octokit_is_recognised_or_refused_for_the_right_reason() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("workflows/octokit-webhooks");
    let files = files_ending(&folder, "");
    assert_eq!(files.len(), 126, "counted with find -type f | wc -l");
    let mut kinds: HashMap<&str, usize> = HashMap::new();
    for file in &files {
        let (evidence, texts) = read_path(file);
        let name = file.display().to_string();
        if name.ends_with("LICENSE") {
            assert_eq!(evidence.source_files[0].kind, "text");
            assert!(evidence.problems[0].reason.starts_with("text of no known kind"), "{name}");
            continue;
        }
        let kind = octokit_kind(&name);
        *kinds.entry(kind).or_default() += 1;
        assert_eq!(evidence.source_files.len(), 1, "{name}");
        assert_eq!(evidence.source_files[0].kind, kind, "{name}");
        match evidence.problems.as_slice() {
            [] => assert_ne!(kind, "json_schema", "{name}"),
            [note] => {
                assert_eq!(kind, "json_schema", "{name}: {note:?}");
                assert!(!note.lossy && note.reason.starts_with("a JSON Schema"), "{name}: {note:?}");
            }
            more => panic!("{name}: {more:#?}"),
        }
        let value: serde_json::Value =
            serde_json::from_slice(&fs::read(file).expect("readable")).expect("JSON");
        let rows = match kind {
            "webhook_workflow_job" => evidence.jobs.len(),
            "webhook_workflow_run" => evidence.runs.len(),
            "webhook_workflow_dispatch" | "webhook_repository_dispatch" => evidence.handoffs.len(),
            // A review has its run; a deployment is a handoff unless a job's token made it.
            "webhook_deployment" if name.contains("deployment_review") => {
                assert_eq!(evidence.approvals.len(), 1, "{name}");
                evidence.runs.len()
            }
            "webhook_deployment" if value.get("deployment_status").is_some() => 1,
            "webhook_deployment" => evidence.handoffs.len(),
            _ => {
                assert_eq!(texts.0.len(), 1, "{name} is scanned");
                1
            }
        };
        assert_eq!(rows, 1, "{name}");
    }
    // Counted with find -path '*/<event>/*' | wc -l.
    let expected = HashMap::from([
        ("webhook_workflow_job", 7),
        ("webhook_workflow_run", 4),
        ("webhook_workflow_dispatch", 1),
        ("webhook_repository_dispatch", 1),
        ("webhook_deployment", 7),
        ("webhook_other", 25),
        ("json_schema", 80),
    ]);
    assert_eq!(kinds, expected);
}

#[test]
fn quoted_logs_give_the_chains_they_quote() {
    let Some(corpus) = corpus() else { return };
    let files = files_ending(&corpus.join("workflows/stagecraft-log-excerpts"), ".md");
    assert_eq!(files.len(), 62, "counted with ls | wc -l");
    let (mut chains, mut calls, mut expected_calls, mut pieces) = (0, 0, 0, 0);
    for file in &files {
        let (evidence, texts) = read_path(file);
        let name = file.display();
        let text = String::from_utf8_lossy(&fs::read(file).expect("readable")).into_owned();
        let hops = text.lines().filter(|line| message(line).starts_with("-> ")).count();
        let found = evidence.handoffs.iter().filter(|row| row.link_method == "chain").count();
        assert_eq!(found, hops, "{name}");
        assert_eq!(texts.0.len(), 1, "{name} is scanned once");
        expected_calls += hops;
        calls += found;
        chains += usize::from(found > 0);
        match evidence.source_files[0].kind.as_str() {
            "job_log" => {
                pieces += 1;
                assert_eq!(evidence.source_files[0].layout.as_deref(), Some("D"), "{name}");
                assert_eq!(evidence.problems, [], "{name}");
                assert!(evidence.token_permissions.is_empty(), "{name}: prose is no setup section");
                if hops > 0 {
                    assert_eq!(
                        evidence.runs[0].repo.as_deref(),
                        Some("StagecraftOps/pace-stagecraft-monorepo")
                    );
                }
            }
            // No line of a runner in it.
            kind => {
                assert_eq!((kind, evidence.problems[0].code.as_str()), ("text", "unrecognised"), "{name}")
            }
        }
    }
    assert_eq!((chains, calls), (46, expected_calls), "46 by grep -l 'Reusable workflow chain'");
    assert_eq!(pieces, files.len() - UNQUOTED, "{pieces}");
}

/// Briefs that quote no line of a runner, by grep -L with the form of its time stamps.
const UNQUOTED: usize = 5;
