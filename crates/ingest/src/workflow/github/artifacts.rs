//! Artifacts: data that jobs and runs hand on by a name.

use super::dispatch::{Place, crossing};
use super::identities::value;
use super::run_path::RunPath;
use super::steps::StepPart;
use leakgraph_model::tables::{Handoff, HandoffInput};
use leakgraph_model::{Evidence, Key};

/// The name `actions/upload-artifact` takes when none is given (its README).
const DEFAULT_NAME: &str = "artifact";

/// Adds the artifacts that a step uploads (the job hands on) or downloads (it continues).
/// Which upload a download belongs to is found when all jobs are known.
pub(super) fn add(step: &StepPart, place: &Place<'_>, evidence: &mut Evidence) {
    let Some(uses) = step.uses.as_deref().and_then(|uses| uses.split('@').next()) else { return };
    let input = |names: &[&str]| value(step, names).filter(|value| !value.contains("***"));
    let name = input(&["name"]);
    let (side, name, of_run) = match uses.to_ascii_lowercase().as_str() {
        "actions/upload-artifact" => ("upload", Some(name.unwrap_or(DEFAULT_NAME)), None),
        // Without a name, all artifacts of the run.
        "actions/download-artifact" => ("download", name.or(input(&["pattern"])), input(&["run-id"])),
        "dawidd6/action-download-artifact" => ("download", name, input(&["run_id"])),
        _ => return,
    };
    let is_upload = side == "upload";
    let repo = input(&["repository", "repo"]).filter(|repo| repo.contains('/')).or(place.repo);
    let parent = of_run.and_then(|id| {
        let (repo, run_id) = (repo?.to_owned(), id.to_owned());
        RunPath { repo: Some(repo), run_id: Some(run_id), attempt: Some(1) }.key()
    });
    let (job, number) = (place.job_key.to_string(), place.step.to_string());
    let handoff_key = Key::of("handoff", &[&job, &number, "artifact", side]);
    evidence.handoffs.push(Handoff {
        handoff_key,
        parent_run_key: if is_upload { Some(place.run_key) } else { parent },
        parent_job_key: is_upload.then_some(place.job_key),
        child_run_key: (!is_upload).then_some(place.run_key),
        child_job_key: (!is_upload).then_some(place.job_key),
        child_repo: (!is_upload).then(|| place.repo.map(str::to_owned)).flatten(),
        mechanism: "artifact".to_owned(),
        credential_kind: "none".to_owned(),
        crosses: if is_upload { "none" } else { crossing(place.repo, repo) }.to_owned(),
        link_method: if parent.is_some() { "explicit_id" } else { "unlinked" }.to_owned(),
        confidence: if parent.is_some() { 1.0 } else { 0.0 },
        gate: "none".to_owned(),
        sent_at: step.started_at,
        evidence: "log".to_owned(),
        source_key: place.source_key,
        ..Handoff::default()
    });
    evidence.handoff_inputs.extend(name.map(|name| HandoffInput {
        handoff_key,
        name: name.to_owned(),
        value_class: "unknown".to_owned(),
        visible: "none".to_owned(),
        source_key: place.source_key,
        ..HandoffInput::default()
    }));
}
