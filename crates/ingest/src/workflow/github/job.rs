//! What the logs of one job say of it and its steps.

use super::setup::Setup;
use super::steps::{self, StepPart};
use super::system::System;
use crate::archive::Entry;
use leakgraph_model::tables::Job;

/// The row of a job as its log tells it; `row` has its keys and name.
pub(super) fn job_row(row: Job, setup: &Setup, system: &System, parts: &[(&Entry, StepPart)]) -> Job {
    let defined = setup
        .uses
        .as_ref()
        .or(system.defined_at.as_ref().filter(|_| system.chain.len() > 1))
        .or(system.chain.last().filter(|_| system.chain.len() > 1));
    Job {
        runner_kind: Some(if system.is_hosted { "hosted" } else { setup.runner_kind() }.to_owned()),
        runner_name: setup.runner_name.clone(),
        labels: system.labels.clone(),
        runner_version: setup.runner_version.clone(),
        secret_source: setup.secret_source.clone(),
        started_at: parts.first().and_then(|(_, part)| part.started_at),
        ended_at: parts.last().and_then(|(_, part)| part.ended_at),
        job_workflow_path: defined.map(|(path, ..)| path.clone()),
        job_workflow_ref: defined.and_then(|(_, reference, _)| reference.clone()),
        job_workflow_sha: system
            .chain
            .last()
            .and_then(|link| link.2.clone())
            .or_else(|| defined.and_then(|(.., sha)| sha.clone())),
        chain_depth: i64::try_from(system.chain.len().saturating_sub(1))
            .unwrap_or(0)
            .max(i64::from(setup.uses.is_some())),
        condition: system.condition.clone(),
        condition_result: system.result,
        has_log: !parts.is_empty(),
        evidence: "log".to_owned(),
        ..row
    }
}

/// The commit an action reference resolved to: of the action, not of its sub-path.
pub(super) fn resolved(setup: &Setup, uses: &str) -> Option<String> {
    if let Some(sha) = setup.actions.get(uses) {
        return Some(sha.clone());
    }
    let (path, reference) = uses.split_once('@')?;
    let action: Vec<&str> = path.split('/').take(2).collect();
    setup.actions.get(&format!("{}@{reference}", action.join("/"))).cloned()
}

/// Setup and steps of the step files, in the order of their numbers.
pub(super) fn from_step_files<'e>(
    mut files: Vec<(i64, &str, &'e Entry)>,
) -> (Setup, Vec<(&'e Entry, StepPart)>) {
    files.sort_by_key(|(number, ..)| *number);
    let mut setup = Setup::default();
    let mut parts = Vec::new();
    for (number, title, entry) in files {
        let lines = steps::telling(&entry.bytes);
        let kind = match title {
            "Set up job" => "setup",
            "Complete job" => "complete",
            title if title.starts_with("Post ") => "post",
            _ => "run",
        };
        if kind == "setup" {
            setup = Setup::parse(&lines).0;
        }
        let mut part = steps::part(&lines, kind, title.to_owned());
        part.number = Some(number);
        parts.push((entry, part));
    }
    (setup, parts)
}

/// Setup and steps of a whole-job log.
pub(super) fn from_whole(whole: Option<&Entry>) -> (Setup, Vec<(&Entry, StepPart)>) {
    let Some(entry) = whole else { return Default::default() };
    let lines = steps::telling(&entry.bytes);
    let (setup, count) = Setup::parse(&lines);
    // A piece of a log may begin in the output of a step, which can say anything.
    let is_begun = setup.runner_version.is_some() || setup.job_name.is_some();
    let setup = if is_begun { setup } else { Setup::default() };
    let mut parts = Vec::new();
    let (head, rest) = lines.split_at(count.min(lines.len()));
    if !head.is_empty() {
        parts.push(steps::part(head, "setup", "Set up job".to_owned()));
    }
    parts.extend(steps::split(rest));
    (setup, parts.into_iter().map(|part| (entry, part)).collect())
}
