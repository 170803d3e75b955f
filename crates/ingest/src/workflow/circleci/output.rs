//! Outputs of steps: `[{"type": "out", "time": …, "message": …}]`, as `output_url` of v1.1 and
//! `…/{number}/output/{step}/{index}` give them. The step that prepares the environment names
//! every variable that holds a secret:
//!
//! ```text
//! Using environment variables from project settings and/or contexts:
//!   NPM_TOKEN=**REDACTED**
//! ```

use super::super::parts::{Bound, state};
use super::super::values::Import;
use super::{job_key, step_key};
use crate::value::time;
use crate::{Mark, TextContext};
use leakgraph_model::Key;
use leakgraph_model::tables::{Binding, Job, Run, SecretPassed, Step};
use serde_json::Value;

const SECRETS: &str = "Using environment variables from project settings and/or contexts";

pub(super) fn is_output(value: &Value) -> bool {
    let is_message = |item: &Value| {
        let kind = item.get("type").and_then(Value::as_str);
        item.get("message").is_some_and(Value::is_string)
            && matches!(kind, Some("out" | "err"))
            && time(item, "/time").is_some()
    };
    value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(is_message))
}

/// Job and step, by the address: `project/{vcs}/{owner}/{name}/{number}/output/{step}/{index}`.
fn step_of_path(path: &str) -> Option<(Key, Key, String)> {
    let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    let at = parts.iter().rposition(|part| *part == "output")?;
    let [.., host, owner, name, number] = parts.get(..at)? else { return None };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let step = *parts.get(at + 1)?;
    let index = parts.get(at + 2).copied().unwrap_or("0");
    let (step, index) = (step.split('.').next()?, index.split('.').next()?);
    if ![*number, step, index].into_iter().all(is_number) {
        return None;
    }
    let job_key = job_key(&format!("{host}/{owner}/{name}"), number);
    Some((job_key, step_key(job_key, step, index), step.to_owned()))
}

pub(super) fn output(import: &mut Import<'_, '_>, value: &Value) {
    let (mut text, mut marks) = (String::new(), Vec::new());
    let place = step_of_path(import.document.path);
    let source = import.source();
    // Without an address the file is all that is known of the job.
    let (run_key, job_key, step_key) = match &place {
        Some((job, step, _)) => (None, *job, *step),
        None => {
            let run = Key::of("run", &["source", &source.to_string()]);
            let job = leakgraph_model::tables::job_key(run, super::super::parts::stem(import.document.path));
            (Some(run), job, super::step_key(job, "0", "0"))
        }
    };
    for item in value.as_array().into_iter().flatten() {
        let message = item.get("message").and_then(Value::as_str).unwrap_or_default();
        // A message may end within a line; a mark stands where one begins.
        if text.is_empty() || text.ends_with('\n') {
            let at = time(item, "/time");
            marks.push(Mark { offset: text.len(), step_key: Some(step_key), place: "log", name: None, at });
        }
        text.push_str(message);
    }
    let bound = secrets(&text);
    rows(import, run_key, job_key, step_key, place.map(|(.., number)| number), &bound);
    let context = TextContext {
        run_key,
        job_key: Some(job_key),
        marks,
        ..TextContext::of(import.document.path, source, "log")
    };
    import.values.sink().text(&context, text.as_bytes());
}

/// The variables that hold secrets.
fn secrets(text: &str) -> Vec<Bound> {
    let (mut found, mut offset, mut is_secrets) = (Vec::new(), 0, false);
    for line in text.split_inclusive('\n') {
        let shown = line.trim_end();
        if shown.trim_end_matches(':') == SECRETS {
            is_secrets = true;
        } else if let (true, Some((name, value))) = (is_secrets, shown.trim_start().split_once('=')) {
            if state(value) == "masked" {
                found.push(Bound::shown(name, value, offset, "unknown"));
            }
        } else {
            is_secrets = false;
        }
        offset += line.len();
    }
    found
}

/// Rows of the step. A job of a known address is named by the API: its row comes from there.
fn rows(
    import: &mut Import<'_, '_>,
    run_key: Option<Key>,
    job_key: Key,
    step_key: Key,
    number: Option<String>,
    bound: &[Bound],
) {
    let source_key = import.source();
    if let Some(run_key) = run_key {
        let platform = super::PLATFORM.to_owned();
        let evidence = "log".to_owned();
        import.evidence.runs.push(Run { run_key, platform, evidence, source_key, ..Run::default() });
        let name = super::super::parts::stem(import.document.path).to_owned();
        let job = super::v2::job(import, job_key, run_key, None, name);
        import.evidence.jobs.push(Job { has_log: true, evidence: "log".to_owned(), ..job });
    }
    import.evidence.steps.push(Step {
        step_key,
        job_key,
        number: number.as_ref().and_then(|number| number.parse().ok()),
        // Its name comes from the API.
        name: String::new(),
        kind: if bound.is_empty() { "run" } else { "setup" }.to_owned(),
        attribution: "file".to_owned(),
        source_key,
        ..Step::default()
    });
    for (ordinal, bound) in bound.iter().enumerate() {
        import.evidence.bindings.push(Binding {
            binding_key: Key::of(
                "binding",
                &[&step_key.to_string(), "env", &bound.name, &ordinal.to_string()],
            ),
            step_key,
            job_key,
            place: "env".to_owned(),
            name: bound.name.clone(),
            state: bound.state.to_owned(),
            value_bytes: None,
            guessed_kind: super::super::github::steps::guess(&bound.name).to_owned(),
            byte_offset: i64::try_from(bound.offset).unwrap_or(i64::MAX),
            source_key,
        });
        if let Some(run_key) = run_key {
            import.evidence.secrets_passed.push(SecretPassed {
                job_key: Some(job_key),
                run_key,
                name: bound.name.clone(),
                secret_scope: "unknown".to_owned(),
                how: "binding".to_owned(),
                source_key,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redacted_variables_are_named() {
        let text =
            format!("CI=true\n{SECRETS}:\n  NPM_TOKEN=**REDACTED**\n  CIRCLE_JOB=build\n\nA=**REDACTED**\n");
        let found = secrets(&text);
        let names: Vec<_> = found.iter().map(|bound| (bound.name.as_str(), bound.state)).collect();
        assert_eq!(names, [("NPM_TOKEN", "masked")]);
    }

    #[test]
    fn addresses_name_the_step() {
        let path = "api/v1.1/project/github/acme/shop/12/output/104/0";
        let (job, step, number) = step_of_path(path).unwrap();
        assert_eq!(job, job_key("gh/acme/shop", "12"));
        assert_eq!((step, number.as_str()), (step_key(job, "104", "0"), "104"));
        assert_eq!(step_of_path("shop/output/readme.txt"), None);
    }
}
