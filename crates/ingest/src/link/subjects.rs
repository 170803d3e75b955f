//! OIDC subjects against the runs and jobs that could present them.

use crate::identity::oidc::{self, Subject};
use leakgraph_model::tables::{Job, Run};

/// Whether a run is of the repository that a subject names.
pub(super) fn is_of_repo(subject: &Subject, run: &Run) -> bool {
    let is_platform = subject.platform == run.platform;
    let is_repo = match (&subject.repo, &run.repo) {
        (Some(subject), Some(run)) => subject.eq_ignore_ascii_case(run),
        _ => true,
    };
    is_platform && is_repo
}

/// Whether a job could get a token of this subject. What is unknown excludes nothing.
pub(super) fn presents(subject: &Subject, run: &Run, job: &Job) -> bool {
    let environment = match (&subject.environment, &job.environment) {
        (Some(wanted), Some(own)) => wanted.eq_ignore_ascii_case(own),
        // A job with an environment presents it in place of the ref.
        (None, Some(_)) => subject.head_ref.is_none() && !subject.is_pull_request,
        (_, None) => true,
    };
    let head_ref = match (&subject.head_ref, &run.head_ref) {
        (Some(wanted), Some(own)) => wanted == oidc::short(own),
        _ => true,
    };
    let event = match run.event.as_deref() {
        Some(event) if subject.is_pull_request => {
            event.starts_with("pull_request") || event == "merge_request_event"
        }
        Some("pull_request") => subject.head_ref.is_none(),
        _ => true,
    };
    let workflow =
        match (&subject.job_workflow_ref, job.job_workflow_path.as_ref().or(run.workflow_path.as_ref())) {
            (Some(wanted), Some(path)) => {
                wanted.split('@').next().is_some_and(|wanted| wanted.ends_with(path.as_str()))
            }
            _ => true,
        };
    is_of_repo(subject, run) && environment && head_ref && event && workflow
}
