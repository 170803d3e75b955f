//! Buildkite: builds with their jobs, webhooks, job logs, environments of jobs.
//!
//! Formats: Buildkite REST API ("Builds API", "Jobs API"), webhooks ("Build events", "Job
//! events"), buildkite/go-buildkite (`builds.go`, `jobs.go`), "Managing log output" and
//! buildkite/agent (`internal/job/executor.go`).

mod build;
mod log;

use super::parts::{JobOf, JobText, long_line, stem, write_steps};
use super::values::Import;
use crate::importer::{Importer, Recognised, TextFile};
use crate::limits::Limits;
use crate::{Document, TextSink};
use leakgraph_model::tables::{self, Job, Run, job_key};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;

/// Builds of Buildkite.
pub(crate) struct Buildkite;

const PLATFORM: &str = "buildkite";

impl Importer for Buildkite {
    fn platform(&self) -> &'static str {
        PLATFORM
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        let first = match value {
            Value::Array(builds) => builds.first()?,
            other => other,
        };
        if build::hooked(first).is_some() {
            Some(Recognised::new(
                "webhook_build",
                "an `event` of a build or job, with its `build` and `pipeline`",
            ))
        } else if build::is_build(first) {
            Some(Recognised::new("run_json", "a build whose address is one of Buildkite's"))
        } else if build::is_log(first) {
            Some(Recognised::new(
                "job_log_json",
                "`content` and `header_times`, with the address of a job's log",
            ))
        } else if build::is_environment(first) {
            Some(Recognised::new("job_env_json", "`env` with `BUILDKITE_JOB_ID`"))
        } else {
            None
        }
    }

    fn import_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        let mut import = Import::new(document, sink);
        for value in super::values::items(value, "items") {
            let kept = match kind {
                "webhook_build" => build::webhook(&mut import, value),
                "run_json" => build::build(&mut import, value),
                "job_log_json" => build::log(&mut import, value),
                _ => build::environment(&mut import, value),
            };
            if kept.is_none() {
                import.nameless(value);
            }
        }
        import.finish("objects do not say which pipeline, build or job they are of")
    }

    fn recognise_text(&self, file: TextFile<'_>) -> Option<Recognised> {
        log::is_log(file.bytes)
            .then(|| Recognised::new("job_log", "times that only Buildkite's agent puts before lines"))
    }

    fn import_text(
        &self,
        _kind: &'static str,
        file: TextFile<'_>,
        limits: &Limits,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        let content = file.content();
        let mut evidence = Evidence::default();
        let place = BuildPath::of(file.path);
        let (marks, run_key, job_key) = read_log(&place, file.path, file.bytes, content.key, &mut evidence);
        let text = JobText {
            path: file.path,
            content: &content,
            platform: PLATFORM,
            kind: "job_log",
            run_key: Some(run_key),
            job_key: Some(job_key),
            place: "log",
        };
        text.hand_over(file.bytes, marks, &mut evidence, sink);
        evidence.problems.extend(long_line(file.path, file.bytes, limits));
        evidence
    }
}

/// Rows of a job log; gives the marks of its text, its run and its job.
fn read_log(
    place: &BuildPath,
    path: &str,
    bytes: &[u8],
    source_key: Key,
    evidence: &mut Evidence,
) -> (Vec<crate::Mark>, Key, Key) {
    let log = log::Log::parse(bytes);
    let run_key = place.key().unwrap_or_else(|| Key::of("run", &["source", &source_key.to_string()]));
    let name = place.job.clone().unwrap_or_else(|| stem(path).to_owned());
    let job_key = job_key(run_key, &name);
    evidence.runs.push(Run {
        run_key,
        platform: PLATFORM.to_owned(),
        platform_run_id: place.number.clone(),
        attempt: place.number.as_ref().map(|_| 1),
        evidence: "log".to_owned(),
        source_key,
        ..Run::default()
    });
    evidence.jobs.push(Job {
        job_key,
        run_key,
        platform_job_id: place.job.clone(),
        name,
        runner_kind: Some("unknown".to_owned()),
        conclusion: log.conclusion().map(str::to_owned),
        started_at: log.parts.first().and_then(|part| part.started_at),
        ended_at: log.parts.last().and_then(|part| part.ended_at),
        has_log: true,
        evidence: "log".to_owned(),
        source_key,
        ..Job::default()
    });
    let of = JobOf { run_key, job_key, source_key, attribution: "order" };
    (write_steps(of, &log.parts, log.places, evidence), run_key, job_key)
}

/// Organisation, pipeline, build number and job, as addresses and paths have them:
/// `organizations/{org}/pipelines/{pipeline}/builds/{number}/jobs/{id}/log`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct BuildPath {
    organisation: Option<String>,
    pipeline: Option<String>,
    number: Option<String>,
    job: Option<String>,
}

impl BuildPath {
    fn of(path: &str) -> Self {
        let parts: Vec<&str> = path.split(['/', '\\', '#', '?']).filter(|part| !part.is_empty()).collect();
        let after = |name: &str| {
            let at = parts.iter().rposition(|part| *part == name)?;
            Some((at, *parts.get(at + 1)?))
        };
        let number = after("builds").filter(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()));
        let mut found = Self {
            organisation: after("organizations").map(|(_, name)| name.to_owned()),
            pipeline: after("pipelines").map(|(_, name)| name.to_owned()),
            number: number.map(|(_, number)| number.to_owned()),
            job: after("jobs").map(|(_, id)| id.split('.').next().unwrap_or(id).to_owned()),
        };
        // Pages of the web have `buildkite.com/{org}/{pipeline}/builds/{number}`, and folders may.
        if let (None, None, Some((at, _))) = (&found.organisation, &found.pipeline, number)
            && let Some([.., organisation, pipeline]) = parts.get(..at)
        {
            found.organisation = Some((*organisation).to_owned());
            found.pipeline = Some((*pipeline).to_owned());
        }
        found
    }

    /// Key of the build's run.
    fn key(&self) -> Option<Key> {
        run_key(self.organisation.as_deref()?, self.pipeline.as_deref()?, self.number.as_deref()?)
    }
}

fn run_key(organisation: &str, pipeline: &str, number: &str) -> Option<Key> {
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let slug = format!("{organisation}/{pipeline}").to_lowercase();
    is_number.then(|| tables::run_key(PLATFORM, &slug, number, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths_name_the_job() {
        let job = "0190046e-e199-453b-a302-a21a4d649d31";
        let cases = [
            format!(
                "https://api.buildkite.com/v2/organizations/acme/pipelines/shop/builds/7/jobs/{job}/log.txt"
            ),
            format!("in/acme/shop/builds/7/jobs/{job}.log"),
        ];
        for path in cases {
            let found = BuildPath::of(&path);
            assert_eq!(
                (found.organisation.as_deref(), found.pipeline.as_deref()),
                (Some("acme"), Some("shop"))
            );
            assert_eq!((found.number.as_deref(), found.job.as_deref()), (Some("7"), Some(job)));
        }
        assert_eq!(BuildPath::of("downloads/shop.log"), BuildPath::default());
    }
}
