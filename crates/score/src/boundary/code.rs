//! Whose code a step runs.

use crate::index::Index;
use crate::trigger::{is_outsiders_event, is_proposal};
use leakgraph_model::tables::{Run, Step, WorkflowDefinition};

/// What a step's code is, and at worst might be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Code {
    pub(super) origin: &'static str,
    pub(super) worst: &'static str,
    /// Why, for reading.
    pub(super) reason: String,
    /// Whether only a definition tells of it.
    pub(super) declared: bool,
}

impl Code {
    fn sure(origin: &'static str, reason: impl Into<String>) -> Self {
        Self { origin, worst: origin, reason: reason.into(), declared: false }
    }
}

/// What the steps of a job that run code of the working copy run.
#[derive(Clone, Debug)]
pub(super) struct Checkout {
    code: Code,
    /// Whether a fork's is not ruled out.
    pub(super) fork_unknown: bool,
}

impl Checkout {
    /// By default a run checks out what its event is about: of a proposal, the unmerged change.
    pub(super) fn of(run: Option<&Run>, definitions: &[&WorkflowDefinition]) -> Self {
        let event = run.and_then(|run| run.event.as_deref());
        let mut open = definitions.iter().filter(|_| is_outsiders_event(event));
        let fetched = open.find_map(|row| row.untrusted_checkouts.first());
        let event = event.unwrap_or_default();
        let from_fork = run.and_then(|run| run.from_fork);
        let (code, fork_unknown) = match (fetched, is_proposal(event), from_fork) {
            (Some(reference), _, _) => {
                let reason = format!("the job checks out {reference}");
                (Code { declared: true, ..Code::sure("outsider", reason) }, false)
            }
            (None, true, Some(true)) => {
                (Code::sure("outsider", "the change of a fork is checked out"), false)
            }
            (None, true, Some(false)) => (Code::sure("proposed", "an unmerged change is checked out"), false),
            (None, true, None) => {
                let code = Code::sure("proposed", "an unmerged change is checked out");
                (Code { worst: "outsider", ..code }, true)
            }
            (None, false, _) => (Code::sure("own", "own code"), false),
        };
        Self { code, fork_unknown }
    }
}

/// First words of scripts that fetch packages and run their build scripts (npm "scripts",
/// pip "build system", Cargo "build scripts", Gradle and Maven plugins, make and the like).
const BUILDS: [&str; 40] = [
    "npm ",
    "npx ",
    "yarn",
    "pnpm ",
    "bun ",
    "pip ",
    "pip3 ",
    "python -m pip",
    "python3 -m pip",
    "poetry ",
    "uv ",
    "pipenv ",
    "tox",
    "bundle ",
    "gem ",
    "rake",
    "cargo ",
    "go build",
    "go test",
    "go generate",
    "go install",
    "go run",
    "mvn",
    "./mvnw",
    "gradle",
    "./gradlew",
    "make",
    "cmake",
    "ninja",
    "bazel",
    "composer ",
    "dotnet ",
    "nuget ",
    "mix ",
    "swift ",
    "conda ",
    "docker build",
    "docker compose",
    "./configure",
    "msbuild",
];

/// Whose code the step runs; null for the platform's own steps.
pub(super) fn code(run: Option<&Run>, step: &Step, checkout: &Checkout) -> Option<Code> {
    if matches!(step.kind.as_str(), "setup" | "post" | "complete" | "model") {
        return None;
    }
    if step.kind == "tool" {
        return Some(Code::sure("agent_tool", format!("{} is called by a model", step.name)));
    }
    match &step.uses {
        Some(uses) => Some(action(run, step, uses, checkout)),
        None => Some(script(step, checkout)),
    }
}

/// Owner of an action, with the repository of the run to compare.
fn is_own(run: Option<&Run>, uses: &str) -> bool {
    let owner = |name: &str| name.split('/').next().unwrap_or_default().to_lowercase();
    run.and_then(|run| run.repo.as_deref()).is_some_and(|repo| owner(repo) == owner(uses))
}

fn action(run: Option<&Run>, step: &Step, uses: &str, checkout: &Checkout) -> Code {
    let pinned = step.pinned.as_deref().unwrap_or("branch");
    if pinned == "local" || uses.starts_with("./") {
        return Code { reason: format!("{uses}: {}", checkout.code.reason), ..checkout.code.clone() };
    }
    if is_own(run, uses) {
        return Code::sure("own", format!("{uses} is of the same owner"));
    }
    // Who runs the job has its secrets anyway.
    if uses.starts_with("actions/") || uses.starts_with("github/") {
        return Code::sure("platform", format!("{uses} is the platform's"));
    }
    if pinned == "sha" || uses.contains("@sha256:") {
        return Code::sure("third_party_pinned", format!("{uses} is pinned to its content"));
    }
    Code::sure("third_party_unpinned", format!("{uses} can be changed by its owner"))
}

fn script(step: &Step, checkout: &Checkout) -> Code {
    // A log names a script step by its first line; a name of one's own tells nothing of it.
    let first = step.name.strip_prefix("Run ").map(str::trim);
    let is_build = first.is_some_and(|line| BUILDS.iter().any(|word| line.starts_with(word)));
    let known = checkout.code.clone();
    if known.origin != "own" {
        return Code { reason: format!("{}: {}", step.name, known.reason), ..known };
    }
    if is_build {
        return Code::sure("build", format!("{} runs build scripts", step.name));
    }
    let shown = first.map_or(0, |line| i64::try_from(line.len()).unwrap_or(i64::MAX));
    // A line break at the end of the script is no second line.
    let is_whole = first.is_some() && step.script_bytes.is_some_and(|bytes| bytes <= shown + 2);
    let worst = if is_whole { "own" } else { "build" };
    Code { worst, ..Code::sure("own", format!("{} is the repository's own", step.name)) }
}

/// The weakest way in which lines of the job came to their steps.
pub(super) fn attribution(steps: &[&Step]) -> Option<String> {
    const RANKS: [&str; 5] = ["file", "order", "time", "api", "unknown"];
    let rank = |step: &&&Step| RANKS.iter().position(|word| *word == step.attribution).unwrap_or(RANKS.len());
    steps.iter().max_by_key(rank).map(|step| step.attribution.clone())
}

/// Names of the step's bindings that hold a value the platform hides.
pub(super) fn hidden<'i>(index: &'i Index<'_>, step: &Step) -> impl Iterator<Item = &'i str> {
    Index::rows(&index.bindings, step.step_key)
        .iter()
        .filter(|row| match row.state.as_str() {
            "masked" | "partial" => true,
            "hidden" => row.guessed_kind != "none",
            _ => false,
        })
        .map(|row| row.name.as_str())
}
