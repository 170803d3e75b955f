//! The organisation's audit log.
//!
//! Shapes: GitHub, "Audit log events for your organization" (category `workflows`), as
//! `GET /orgs/{org}/audit-log` gives them.

use crate::clock::Moment;
use crate::incidents::{DELETED, PREPARED, RERUNS};
use crate::organisation::ORGANISATION;
use crate::random::Random;
use crate::runs::Run;
use serde_json::{Value, json};

/// From the start of an attempt to its review, and from one attempt to the next.
const TO_REVIEW: u64 = 2;
pub(crate) const TO_RERUN: u64 = 86_400;

/// Events of the month that concern workflows, oldest first.
pub(crate) fn events(runs: &[Run]) -> Value {
    let mut events = Vec::new();
    for run in runs {
        for cancelled in run.cancelled() {
            let at = run.created.plus(60 + cancelled.after);
            events.push((at, event("workflows.cancel_workflow_run", run, cancelled.by, at)));
        }
        if run.is(DELETED.0, DELETED.1, DELETED.2) {
            let at = run.created.plus(7 * 86_400);
            events.push((at, event("workflows.delete_workflow_run", run, DELETED.3, at)));
        }
        for (.., environment) in PREPARED.iter().filter(|row| run.is(row.0, row.1, row.2)) {
            let at = run.created.plus(3);
            let mut prepared = event("workflows.prepared_workflow_job", run, run.sender, at);
            set(&mut prepared, "job_name", run.main_job().into());
            set(&mut prepared, "environment_name", (*environment).into());
            set(&mut prepared, "is_hosted_runner", true.into());
            events.push((at, prepared));
        }
        for rerun in RERUNS.iter().filter(|row| run.is(row.repo, row.file, row.run)) {
            let again = run.created.plus(TO_RERUN);
            let mut reviews = vec![run.created];
            reviews.extend(rerun.reviewed_again.then_some(again));
            for attempt in reviews {
                let at = attempt.plus(TO_REVIEW);
                let mut review = event("workflows.approve_workflow_job", run, "joris-hendriks", at);
                set(&mut review, "environment_name", "production".into());
                events.push((at, review));
            }
        }
    }
    events.sort_by_key(|(at, _)| *at);
    events.into_iter().map(|(_, event)| event).collect()
}

fn event(action: &str, run: &Run, actor: &str, at: Moment) -> Value {
    let label = format!("{action} {} {}", run.id, at.unix());
    json!({
        "@timestamp": at.unix() * 1000, "created_at": at.unix() * 1000, "_document_id": Random::of(&label).hex(22),
        "action": action, "actor": actor, "org": ORGANISATION, "repo": run.repo(), "workflow_run_id": run.id,
        "name": run.workflow.name, "operation_type": "modify",
    })
}

fn set(event: &mut Value, name: &str, value: Value) {
    if let Some(members) = event.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}
