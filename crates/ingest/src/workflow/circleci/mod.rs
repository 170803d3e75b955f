//! CircleCI: pipelines, workflows and jobs of API v2, jobs and step outputs of API v1.1,
//! webhooks.
//!
//! Formats: "CircleCI API v2", "CircleCI API v1.1" (circleci/circleci-docs,
//! `src-api/source/includes`), "Webhooks reference", "Contexts", "Dynamic configuration".
//!
//! A pipeline is a run, and each of its workflows is one that it hands on to: parameters belong
//! to pipelines, and jobs, approvals and reruns to workflows.

mod output;
mod settings;
mod v1;
mod v2;

use super::values::Import;
use crate::importer::{Importer, Recognised};
use crate::{Document, TextSink};
use leakgraph_model::{Evidence, Key, tables};
use serde_json::Value;

/// Pipelines of CircleCI.
pub(crate) struct CircleCi;

const PLATFORM: &str = "circleci";

impl Importer for CircleCi {
    fn platform(&self) -> &'static str {
        PLATFORM
    }

    fn recognise_value(&self, path: &str, value: &Value) -> Option<Recognised> {
        if output::is_output(value) {
            return Some(Recognised::new("step_output", "messages with `type` out or err and `time`"));
        }
        let first = match value {
            Value::Array(pages) => pages.first()?,
            other => other,
        };
        let first = match first.get("items").and_then(Value::as_array) {
            Some(items) => items.first()?,
            None => first,
        };
        if v2::is_webhook(first) {
            Some(Recognised::new(
                "webhook_workflow",
                "`happened_at`, `pipeline`, `workflow` and a `project` slug",
            ))
        } else if v2::is_pipeline(first) {
            Some(Recognised::new(
                "pipeline_json",
                "`project_slug`, `number` and a `trigger` that was received",
            ))
        } else if v2::is_workflow(first) {
            Some(Recognised::new("workflow_json", "`pipeline_id`, `pipeline_number` and `project_slug`"))
        } else if v2::is_job_detail(first) {
            Some(Recognised::new("job_json", "`latest_workflow` and `parallel_runs`"))
        } else if v2::is_workflow_job(first) {
            Some(Recognised::new("workflow_jobs_json", "jobs of type build or approval with `dependencies`"))
        } else if v1::is_build(first) {
            Some(Recognised::new("build_json", "`build_num`, `vcs_url` and `reponame`"))
        } else if settings::is_context_variable(first) {
            Some(Recognised::new("context_variable_json", "`variable` of a `context_id`"))
        } else if settings::is_context(path, first) {
            Some(Recognised::new("context_json", "names of contexts, in a path that says so"))
        } else if settings::is_project_variable(path, first) {
            Some(Recognised::new(
                "project_variable_json",
                "masked values in the path of a project's `envvar`",
            ))
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
        if kind == "step_output" {
            output::output(&mut import, value);
            return import.finish("outputs");
        }
        let items = super::values::items(value, "items");
        for value in &items {
            let kept = match kind {
                "webhook_workflow" => v2::webhook(&mut import, value),
                "pipeline_json" => v2::pipeline(&mut import, value),
                "workflow_json" => v2::workflow(&mut import, value),
                "job_json" => v2::job_detail(&mut import, value),
                "workflow_jobs_json" => v2::workflow_job(&mut import, value),
                "context_json" | "context_variable_json" | "project_variable_json" => {
                    settings::import(kind, &mut import, value)
                }
                _ => v1::build(&mut import, value),
            };
            if kept.is_none() {
                import.nameless(value);
            }
        }
        if kind == "workflow_json" {
            v2::continuations(&mut import, &items);
        }
        import.finish("objects do not say, nor does their path, which project and workflow they are of")
    }
}

/// Key of a pipeline or workflow: their ids are unique everywhere.
fn run_key(id: &str) -> Key {
    tables::run_key(PLATFORM, "", &id.to_lowercase(), 1)
}

/// Key of a job. Jobs are numbered per project, which v1.1, v2 and the addresses of outputs all
/// tell, while only some of them know the workflow.
fn job_key(slug: &str, number: &str) -> Key {
    tables::job_key(Key::of("project", &[PLATFORM, &normal(slug)]), number)
}

/// A project slug in one form: `gh/acme/shop`, whatever it begins with.
fn normal(slug: &str) -> String {
    let slug = slug.to_lowercase();
    match slug.split_once('/') {
        Some(("github", rest)) => format!("gh/{rest}"),
        Some(("bitbucket", rest)) => format!("bb/{rest}"),
        _ => slug,
    }
}

/// `owner/name` of a slug that names a repository: those of other hosts hold ids.
fn repo(slug: &str) -> Option<String> {
    let (host, rest) = slug.split_once('/')?;
    (matches!(host, "gh" | "bb" | "github" | "bitbucket") && rest.contains('/')).then(|| rest.to_owned())
}

/// Key of a step of a job: number and container.
fn step_key(job_key: Key, step: &str, index: &str) -> Key {
    Key::of("step", &[&job_key.to_string(), "number", &format!("{step}/{index}")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_of_both_versions_name_one_project() {
        assert_eq!(job_key("github/Acme/shop", "7"), job_key("gh/acme/shop", "7"));
        assert_ne!(job_key("gh/acme/shop", "7"), job_key("bb/acme/shop", "7"));
        assert_eq!(repo("gh/acme/shop").as_deref(), Some("acme/shop"));
        assert_eq!(repo("circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat"), None);
    }
}
