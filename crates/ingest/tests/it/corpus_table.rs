//! Every file of the workflow corpus in one table: what it is recognised as, or why not.

use crate::support::{Texts, corpus, files_below};
use leakgraph_ingest::{Limits, discover, explain};
use std::collections::{BTreeMap, BTreeSet};

/// Files of one sort.
struct Row {
    /// Path below `workflows/`; `*` is any text, folders included.
    pattern: &'static str,
    /// How many files this row is the first to match.
    files: usize,
    /// `platform/kind` of `source_files`, with the layout of a log.
    kind: &'static str,
    /// The problems it gives: `code: begin of the reason`.
    problems: &'static [&'static str],
}

const fn row(
    pattern: &'static str,
    files: usize,
    kind: &'static str,
    problems: &'static [&'static str],
) -> Row {
    Row { pattern, files, kind, problems }
}

const NO_TEXT: &[&str] = &["unrecognised: text of no known kind"];
const NO_KIND: &[&str] = &["unrecognised: a structured file of no known kind"];
const NOT_FOUND: &[&str] = &["api_error: an error of the API was saved instead of the answer: not found"];
const OTHER_RUN: &[&str] = &["mixed_runs: another log of a job of this name, of another run"];
const SCHEMA: &[&str] = &["unrecognised: a JSON Schema: it describes evidence and holds none"];
const CUT_EVENTS: &[&str] = &[
    "incomplete: 1 items are neither events of the audit log nor bodies of webhooks",
    "incomplete: 1 objects do not say, nor does their path, which repository and run they are of",
];

/// The first row that matches a file is its row.
const TABLE: &[Row] = &[
    // Whole logs that say their job's name, and older ones that do not.
    row("bugswarm-gha/*/github_cache/https:*-actions-jobs-*", 3, "github/job_json", &[]),
    row("bugswarm-gha/*/12624254643-orig.log", 1, "github/job_log C", &[]),
    row("bugswarm-gha/*/16621473969-orig.log", 1, "github/job_log C", &[]),
    row("bugswarm-gha/*/25839918303-orig.log", 1, "github/job_log C", &[]),
    row("bugswarm-gha/*/27530380915-orig.log", 1, "github/job_log C", &[]),
    row("bugswarm-gha/*/27666867032-orig.log", 1, "github/job_log C", &[]),
    row("bugswarm-gha/*.log", 69, "github/job_log D", &[]),
    row("bugswarm-travis/*.log", 35, "travis/job_log", &[]),
    row("cloudtrail-oidc/*", 2, "aws/cloudtrail", &[]),
    row("gitlab-traces/*", 4, "gitlab/job_trace", &[]),
    row("hcj1206-runlogs/*/0_build.txt", 2, "github/job_log A", &[]),
    row("hcj1206-runlogs/*/build/system.txt", 2, "github/system_log", &[]),
    row("hcj1206-runlogs/*/build/*.txt", 15, "github/step_log A", &[]),
    row("jenkins-consoles/*", 2, "jenkins/console", &[]),
    row("labels.csv", 1, "unknown/text", NO_TEXT),
    row("octokit-webhooks/LICENSE", 1, "unknown/text", NO_TEXT),
    row("octokit-webhooks/payload-schemas/*", 80, "unknown/json_schema", SCHEMA),
    row("octokit-webhooks/*/deployment/*", 3, "github/webhook_deployment", &[]),
    row("octokit-webhooks/*/deployment_review/*", 1, "github/webhook_deployment", &[]),
    row("octokit-webhooks/*/deployment_status/*", 3, "github/webhook_deployment", &[]),
    row("octokit-webhooks/*/repository_dispatch/*", 1, "github/webhook_repository_dispatch", &[]),
    row("octokit-webhooks/*/workflow_dispatch/*", 1, "github/webhook_workflow_dispatch", &[]),
    row("octokit-webhooks/*/workflow_job/*", 7, "github/webhook_workflow_job", &[]),
    row("octokit-webhooks/*/workflow_run/*", 4, "github/webhook_workflow_run", &[]),
    // Known bodies of which no row follows: scanned.
    row("octokit-webhooks/*/check_run/*", 8, "github/webhook_other", &[]),
    row("octokit-webhooks/*/check_suite/*", 8, "github/webhook_other", &[]),
    row("octokit-webhooks/*/installation/*", 6, "github/webhook_other", &[]),
    row("octokit-webhooks/*/installation_repositories/*", 2, "github/webhook_other", &[]),
    row("octokit-webhooks/*/secret_scanning_alert/*", 1, "github/webhook_other", &[]),
    row("panther-github-audit/events.extracted.json", 1, "github/github_audit", CUT_EVENTS),
    row("panther-github-audit/LICENSE.txt", 1, "unknown/text", NO_TEXT),
    row("panther-github-audit/*.py", 1, "unknown/text", NO_TEXT),
    // Rules of a detection engine, which quote events.
    row("panther-github-audit/*.yml", 39, "unknown/yaml", NO_KIND),
    // Logs of several runs over each other (workflows.md §1.1.2 D).
    row("qubitquilt-runlogs/0_build.txt", 1, "github/job_log A", &[]),
    row("qubitquilt-runlogs/1_build.txt", 1, "unknown/text", OTHER_RUN),
    row("qubitquilt-runlogs/0_test.txt", 1, "unknown/text", OTHER_RUN),
    row("qubitquilt-runlogs/1_test.txt", 1, "github/job_log D", &[]),
    row("qubitquilt-runlogs/current_build_logs.txt", 1, "unknown/api_error", NOT_FOUND),
    row("qubitquilt-runlogs/latest_build_logs.txt", 1, "unknown/api_error", NOT_FOUND),
    row(
        "qubitquilt-runlogs/new_build_logs.txt",
        1,
        "unknown/text",
        &["mixed_runs: a job log whose name is not of this archive"],
    ),
    row("qubitquilt-runlogs/*/system.txt", 2, "github/system_log", &[]),
    row("qubitquilt-runlogs/build/*.txt", 7, "github/step_log A", &[]),
    row("qubitquilt-runlogs/test/*.txt", 7, "github/step_log D", &[]),
    // Notes that quote no line of a runner, then those that do.
    row("stagecraft-log-excerpts/BRIEF_0c55085076.md", 1, "unknown/text", NO_TEXT),
    row("stagecraft-log-excerpts/BRIEF_473db35200.md", 1, "unknown/text", NO_TEXT),
    row("stagecraft-log-excerpts/BRIEF_8f29b4e874.md", 1, "unknown/text", NO_TEXT),
    row("stagecraft-log-excerpts/BRIEF_a85c7911f4.md", 1, "unknown/text", NO_TEXT),
    row("stagecraft-log-excerpts/BRIEF_e2e579988d.md", 1, "unknown/text", NO_TEXT),
    row("stagecraft-log-excerpts/*.md", 57, "github/job_log D", &[]),
    row("workflow-yaml-stagecraft/.github/workflows/*", 114, "github/workflow_yaml", &[]),
    row("workflow-yaml-stagecraft/.github/actions/*", 4, "github/action_yaml", &[]),
    row("workflow-yaml-stagecraft/.github/dependabot.yml", 1, "github/dependabot_yaml", &[]),
    row("workflow-yaml-stagecraft/.github/cliff.toml", 1, "unknown/text", NO_TEXT),
    row("workflow-yaml-stagecraft/.github/PIPELINE_ARCHITECTURE.md", 1, "unknown/text", NO_TEXT),
];

/// Whether a path is of a pattern, in which `*` is any text.
fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((start, rest)) => path.strip_prefix(start).is_some_and(|path| {
            let mut ends = 0..=path.len();
            ends.any(|end| path.get(end..).is_some_and(|path| matches(rest, path)))
        }),
    }
}

/// What is said of one file.
#[derive(Default)]
struct Said {
    kinds: Vec<String>,
    problems: BTreeSet<String>,
    explained: bool,
}

/// Everything that is said of the files below `root`, by their path in it.
fn said(root: &std::path::Path) -> BTreeMap<String, Said> {
    let limits = Limits::default();
    let (items, problems) = discover(&[root.to_owned()], &limits);
    assert_eq!(problems, []);
    let within = |path: &str| {
        let path = path.strip_prefix(&*root.to_string_lossy()).expect("a path below the corpus");
        path.replace("!/", "/").trim_start_matches('/').to_owned()
    };
    let mut said: BTreeMap<String, Said> = BTreeMap::new();
    let mut folders = Vec::new();
    for item in &items {
        let (recognised, evidence) = explain(item, &limits, &mut Texts::default());
        for known in recognised {
            assert!(known.because.len() > 10, "{known:?}");
            let path = within(&known.path);
            if root.join(&path).is_dir() {
                assert_eq!(known.kind, "run_archive");
                folders.push(format!("{path}/"));
            } else {
                said.entry(path).or_default().explained = true;
            }
        }
        for file in evidence.source_files {
            let layout = file.layout.map(|layout| format!(" {layout}")).unwrap_or_default();
            let kind = format!("{}/{}{layout}", file.platform, file.kind);
            said.entry(within(&file.path)).or_default().kinds.push(kind);
        }
        for problem in evidence.problems {
            let text = format!("{}: {}", problem.code, problem.reason);
            said.entry(within(&problem.path)).or_default().problems.insert(text);
        }
    }
    // A member of a run archive is explained with its folder.
    for (path, file) in &mut said {
        let is_member = folders.iter().any(|folder| path.starts_with(folder.as_str()));
        file.explained |= is_member && file.kinds.iter().any(|kind| !kind.starts_with("unknown/"));
    }
    said
}

#[test]
fn every_workflow_file_is_what_the_table_says() {
    let Some(corpus) = corpus() else { return };
    let root = corpus.join("workflows");
    let said = said(&root);
    let mut counts = vec![0; TABLE.len()];
    let mut wrong = Vec::new();
    let files = files_below(&root);
    for file in &files {
        let path = file.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned();
        let Some(found) = said.get(&path) else {
            wrong.push(format!("{path}: nothing is said of it"));
            continue;
        };
        let Some(index) = TABLE.iter().position(|row| matches(row.pattern, &path)) else {
            wrong.push(format!("{path}: not in the table; {:?} {:?}", found.kinds, found.problems));
            continue;
        };
        counts[index] += 1;
        let row = &TABLE[index];
        let is_refused = row.kind.starts_with("unknown/");
        let same_problems = found.problems.len() == row.problems.len()
            && found.problems.iter().zip(row.problems).all(|(found, expected)| found.starts_with(expected));
        if found.kinds != [row.kind] || !same_problems || found.explained == is_refused {
            wrong.push(format!(
                "{path}: {:?} {:?}, explained: {}",
                found.kinds, found.problems, found.explained
            ));
        }
        assert!(!is_refused || !row.problems.is_empty(), "{}: refused without a reason", row.pattern);
    }
    for (row, count) in TABLE.iter().zip(counts) {
        if row.files != count {
            wrong.push(format!("{}: {count} files, not {}", row.pattern, row.files));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(files.len(), 514, "counted with find -type f | wc -l");
    assert_eq!(said.len(), files.len(), "of nothing but files is anything said");
}
