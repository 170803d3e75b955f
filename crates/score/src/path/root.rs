//! What set a path going.

use super::facts::Known;
use super::hops::Unit;
use leakgraph_model::Key;

/// Events that only another run, or whoever holds a token for it, can cause.
const UPSTREAM: &[&str] = &[
    "repository_dispatch",
    "workflow_run",
    "workflow_call",
    "pipeline",
    "parent_pipeline",
    "trigger",
    "trigger_job",
    "upstream",
    "remote",
    "child_run",
    "continued_run",
    "buildCompletion",
    "resourceTrigger",
];
const TIMED: &[&str] = &["schedule", "scheduled", "cron", "timer"];
/// Events that a change of code causes.
const CHANGE: &[&str] = &[
    "push",
    "pull_request",
    "pull_request_target",
    "merge_group",
    "merge_request_event",
    "individualCI",
    "batchedCI",
    "pullRequest",
];

/// Kind of a root, who caused it, and whether it must have a parent that nobody knows.
#[derive(Debug, PartialEq)]
pub(super) struct Root {
    pub(super) kind: &'static str,
    pub(super) actor: Option<String>,
    pub(super) orphan: Option<bool>,
}

/// `sender` is the credential's subject of a handoff into the run whose sender nobody knows.
pub(super) fn root(known: &Known<'_>, run: Key, is_loop: bool, sender: Option<Option<&str>>) -> Root {
    let row = known.index.runs.get(&run).copied();
    let caused = row.and_then(|row| row.actor.as_deref().or(row.triggering_actor.as_deref()));
    let actor = caused.or(sender.flatten());
    let event = row.and_then(|row| row.event.as_deref());
    let actor_kind = row.and_then(|row| row.actor_kind.as_deref()).filter(|kind| *kind != "unknown");
    let agent = known
        .agent(Unit { run, job: None })
        .or_else(|| actor.filter(|actor| known.is_agent(actor)).map(str::to_owned));
    let is = |words: &[&str]| event.is_some_and(|event| words.contains(&event));
    let is_upstream = is(UPSTREAM);
    let (kind, orphan) = match (event, actor_kind) {
        _ if is_loop => ("cycle", Some(false)),
        // Who sent it is not known, but that somebody did is.
        _ if sender.is_some() || is_upstream => ("upstream", Some(true)),
        _ if is(TIMED) => ("schedule", Some(false)),
        (Some("workflow_dispatch"), Some("user")) => ("human", Some(false)),
        (Some("workflow_dispatch"), Some(_)) => ("upstream", Some(true)),
        (Some("workflow_dispatch"), None) => ("unknown", None),
        (Some(_), Some("user")) => ("human", Some(false)),
        (Some(_), Some(_)) => ("bot", Some(false)),
        (Some(_), None) if is(CHANGE) => ("change", Some(false)),
        (Some("webhook"), None) => ("webhook", Some(false)),
        (Some(_), None) => ("unknown", Some(false)),
        (None, Some("user")) => ("human", None),
        (None, Some(_)) => ("bot", None),
        (None, None) => ("unknown", None),
    };
    // An agent is one whatever it used to begin.
    let kind = if agent.is_some() && !is_loop { "agent" } else { kind };
    // Its own trace begins with it.
    let begins = agent.is_some() && event.is_none() && sender.is_none();
    Root {
        kind,
        actor: actor.map(str::to_owned).or(agent),
        orphan: if begins { Some(false) } else { orphan },
    }
}
