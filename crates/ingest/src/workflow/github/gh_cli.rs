//! What `gh run view --json …` and `gh run list --json …` print: fields that the caller chose.
//!
//! Names: manual of the GitHub CLI, "gh run view", "JSON Fields". Times that are not yet are
//! year 1, as Go writes them.

use super::rest::{self, NAMELESS};
use super::run_path::RunPath;
use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::text;
use leakgraph_model::Evidence;
use leakgraph_model::tables::run_key;
use serde_json::{Map, Value, json};

/// Fields of runs that answers of the API spell otherwise.
const FIELDS: [&str; 7] =
    ["attempt", "displayTitle", "headBranch", "headSha", "workflowDatabaseId", "workflowName", "createdAt"];

/// Runs by their `databaseId` and two more fields of the command line.
pub(super) fn recognise(value: &Value) -> Option<Recognised> {
    let first = value.as_array().map_or(Some(value), |runs| runs.first())?;
    let is_run = first.get("databaseId").is_some_and(Value::is_number)
        // Releases and issues have ids of this name, too.
        && first.get("tagName").is_none()
        && FIELDS.iter().filter(|field| first.get(**field).is_some()).count() >= 2;
    let is_known = is_run || is_jobs(first);
    is_known.then(|| Recognised::new("gh_run_json", "`databaseId` with fields of `gh run view --json`"))
}

/// `gh run view --json jobs`: jobs alone, whose addresses name the run.
fn is_jobs(value: &Value) -> bool {
    let jobs = value.get("jobs").and_then(Value::as_array);
    jobs.and_then(|jobs| jobs.first()).is_some_and(|job| {
        ["databaseId", "startedAt", "steps", "url"].iter().all(|field| job.get(field).is_some())
    })
}

pub(super) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    let runs = match value {
        Value::Array(runs) => runs.as_slice(),
        run => std::slice::from_ref(run),
    };
    let nameless = runs.iter().filter(|value| run(document, value, &mut evidence).is_none()).count();
    evidence.problems.extend(incomplete(document, nameless, NAMELESS));
    evidence
}

/// One run and its jobs, spelt as the API does.
fn run(document: &Document<'_>, value: &Value, evidence: &mut Evidence) -> Option<()> {
    let jobs = value.get("jobs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let address = text(value, "/url").or_else(|| jobs.iter().find_map(|job| text(job, "/url")));
    let place = address.as_deref().map(RunPath::of).unwrap_or_default();
    let own = RunPath::of(document.path);
    let repo = place.repo.or(own.repo)?;
    let run_id = text(value, "/databaseId").or(place.run_id).or(own.run_id)?;
    let attempt = value.get("attempt").and_then(Value::as_i64).or(place.attempt).or(own.attempt).unwrap_or(1);
    if value.get("databaseId").is_some() {
        rest::run(document, &run_object(value, &repo, attempt), evidence)?;
    }
    let run_key = run_key("github", &repo.to_lowercase(), &run_id, attempt);
    for job in jobs {
        rest::job(document, &job_object(job, &run_id, attempt), Some(repo.clone()), evidence);
    }
    if !jobs.is_empty() && !evidence.runs.iter().any(|run| run.run_key == run_key) {
        rest::run_of_jobs(
            document,
            run_key,
            Some(repo),
            &json!({"run_id": run_id, "run_attempt": attempt}),
            evidence,
        );
    }
    Some(())
}

fn run_object(value: &Value, repo: &str, attempt: i64) -> Value {
    let mut members = renamed(
        value,
        &[
            ("conclusion", "conclusion"),
            ("createdAt", "created_at"),
            ("databaseId", "id"),
            ("displayTitle", "display_title"),
            ("event", "event"),
            ("headBranch", "head_branch"),
            ("headSha", "head_sha"),
            ("name", "name"),
            ("startedAt", "run_started_at"),
            ("status", "status"),
            ("updatedAt", "updated_at"),
            // The name of a run may be its title.
            ("workflowName", "name"),
        ],
    );
    members.insert("run_attempt".to_owned(), attempt.into());
    members.insert("repository".to_owned(), json!({"full_name": repo}));
    Value::Object(members)
}

fn job_object(value: &Value, run_id: &str, attempt: i64) -> Value {
    const JOB: [(&str, &str); 6] = [
        ("completedAt", "completed_at"),
        ("conclusion", "conclusion"),
        ("databaseId", "id"),
        ("name", "name"),
        ("startedAt", "started_at"),
        ("status", "status"),
    ];
    const STEP: [(&str, &str); 6] = [
        ("completedAt", "completed_at"),
        ("conclusion", "conclusion"),
        ("name", "name"),
        ("number", "number"),
        ("startedAt", "started_at"),
        ("status", "status"),
    ];
    let mut members = renamed(value, &JOB);
    let steps = value.get("steps").and_then(Value::as_array).into_iter().flatten();
    let steps: Vec<Value> = steps.map(|step| Value::Object(renamed(step, &STEP))).collect();
    members.insert("run_id".to_owned(), run_id.into());
    members.insert("run_attempt".to_owned(), attempt.into());
    members.insert("steps".to_owned(), steps.into());
    Value::Object(members)
}

/// Members under other names, without what is empty: a conclusion or a time that is not yet.
fn renamed(value: &Value, names: &[(&str, &str)]) -> Map<String, Value> {
    let mut members = Map::new();
    for (from, to) in names {
        let is_yet = |value: &&Value| {
            !value.is_null()
                && value.as_str().is_none_or(|text| !text.is_empty() && !text.starts_with("0001-"))
        };
        if let Some(value) = value.get(from).filter(is_yet) {
            members.insert((*to).to_owned(), value.clone());
        }
    }
    members
}
