//! What set a run going, before any review or rule is looked at.

use super::Class;
use crate::index::Index;
use crate::weights::Weights;
use leakgraph_model::tables::{Handoff, Run, Trigger};
use leakgraph_model::{Key, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// Events whose content anyone who can read the repository writes.
const OPEN_EVENTS: [&str; 11] = [
    "issue_comment",
    "issues",
    "discussion",
    "discussion_comment",
    "pull_request_comment",
    "pull_request_review",
    "pull_request_review_comment",
    "commit_comment",
    "gollum",
    "fork",
    "watch",
];

/// Handoffs within one run: they start jobs, not runs.
const WITHIN: [&str; 4] = ["workflow_call", "job_output", "artifact", "include"];

/// Events of unmerged changes: pull and merge requests of every platform, but not
/// `pull_request_target`, which runs what is merged.
pub(crate) fn is_proposal(event: &str) -> bool {
    let event: String = event.to_lowercase().chars().filter(char::is_ascii_alphabetic).collect();
    (event.contains("pullrequest") || event.contains("mergerequest"))
        && !["target", "comment", "review"].iter().any(|other| event.contains(other))
}

/// Whether outsiders write what the event carries; of an unknown event it may be.
pub(crate) fn is_outsiders_event(event: Option<&str>) -> bool {
    event.is_none_or(|event| {
        is_proposal(event)
            || OPEN_EVENTS.contains(&event)
            || matches!(event, "pull_request_target" | "workflow_run")
    })
}

/// What a run was started by.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) class: Class,
    pub(super) decided_by: Option<String>,
    pub(super) decided_at: Option<Timestamp>,
    pub(super) reason: String,
    pub(super) evidence: Vec<String>,
    pub(super) gap: Option<&'static str>,
}

/// Who and what started the runs.
pub(super) struct Origins<'a> {
    triggers: HashMap<Key, Vec<&'a Trigger>>,
    /// Handoffs that started a run from another one, or by a program's token.
    started: HashMap<Key, Vec<&'a Handoff>>,
    /// Runs that outsiders start or feed, and how.
    outsiders: HashMap<Key, (String, String)>,
}

impl<'a> Origins<'a> {
    pub(super) fn of(index: &Index<'a>, weights: &Weights) -> Self {
        let evidence = index.evidence;
        let mut triggers: HashMap<Key, Vec<&Trigger>> = HashMap::new();
        for row in evidence.triggers.iter().filter(|row| row.kind != "condition" && row.job_key.is_none()) {
            triggers.entry(row.run_key).or_default().push(row);
        }
        triggers.values_mut().for_each(|rows| {
            rows.sort_by_key(|row| (row.decided_at.is_none(), row.decided_at, &row.kind, &row.decided_by));
        });
        let mut started: HashMap<Key, Vec<&Handoff>> = HashMap::new();
        for row in evidence.handoffs.iter().filter(|row| starts_run(row)) {
            if let Some(child) = row.child_run_key.filter(|_| row.confidence >= weights.trigger().link) {
                started.entry(child).or_default().push(row);
            }
        }
        started.values_mut().for_each(|rows| rows.sort_by_key(|row| row.handoff_key));
        let mut origins = Self { triggers, started, outsiders: HashMap::new() };
        origins.spread(index);
        origins
    }

    /// Outsiders reach whatever the runs they start hand on to.
    fn spread(&mut self, index: &Index<'a>) {
        let mut layer: BTreeMap<Key, (String, String)> = index
            .evidence
            .runs
            .iter()
            .filter_map(|run| Some((run.run_key, (self.outsider(run)?, format!("runs:{}", run.run_key)))))
            .collect();
        let mut children: BTreeMap<Key, Vec<(Key, Key)>> = BTreeMap::new();
        for (child, rows) in &self.started {
            for row in rows {
                if let Some(parent) = row.parent_run_key {
                    children.entry(parent).or_default().push((*child, row.handoff_key));
                }
            }
        }
        while !layer.is_empty() {
            let mut next = BTreeMap::new();
            for (run, why) in layer {
                if self.outsiders.contains_key(&run) {
                    continue;
                }
                for (child, handoff) in children.get(&run).into_iter().flatten() {
                    let name = index.label(run, None);
                    let why =
                        (format!("started by {name}, which outsiders start"), format!("handoffs:{handoff}"));
                    let kept: &mut (String, String) = next.entry(*child).or_insert_with(|| why.clone());
                    // The same one, whatever order they came in.
                    if why < *kept {
                        *kept = why;
                    }
                }
                self.outsiders.insert(run, why);
            }
            layer = next;
        }
    }

    /// How an outsider starts the run itself.
    fn outsider(&self, run: &Run) -> Option<String> {
        let event = run.event.as_deref().unwrap_or_default();
        let triggers = self.triggers(run.run_key);
        let trusts = |words: &[&str]| triggers.iter().any(|row| words.contains(&row.subject_trust.as_str()));
        if run.from_fork == Some(true) || trusts(&["fork"]) {
            return Some("the change comes from a fork".to_owned());
        }
        if trusts(&["external", "first_time"]) {
            return Some("who started it is no member".to_owned());
        }
        let is_open = OPEN_EVENTS.contains(&event)
            || triggers.iter().any(|row| matches!(row.kind.as_str(), "comment" | "label"));
        if is_open && !trusts(&["owner", "member", "collaborator"]) {
            return Some(format!("whoever may write a comment, a label or an issue starts it ({event})"));
        }
        None
    }

    fn triggers(&self, run: Key) -> &[&'a Trigger] {
        self.triggers.get(&run).map_or(&[], Vec::as_slice)
    }

    /// The decision as far as the start of the run itself tells.
    pub(super) fn origin(&self, index: &Index<'a>, run: &Run) -> Origin {
        let triggers = self.triggers(run.run_key);
        let event = run.event.as_deref().unwrap_or_default();
        let has = |kind: &str| triggers.iter().any(|row| row.kind == kind);
        let by_person = run.actor_kind.as_deref() == Some("user");
        let by_program = matches!(run.actor_kind.as_deref(), Some("bot" | "app" | "system"));
        let who = run.triggering_actor.clone().or_else(|| run.actor.clone());
        let who = who.or_else(|| triggers.iter().find_map(|row| row.decided_by.clone()));
        let at = triggers.iter().find_map(|row| row.decided_at).or(run.created_at);
        let found = |class, decided_by: Option<String>, reason: String| Origin {
            class,
            decided_by,
            decided_at: at,
            reason,
            evidence: vec![format!("runs:{}", run.run_key)],
            gap: None,
        };
        let unknown = |reason: &str, gap| Origin {
            gap: Some(gap),
            ..found(Class::Unknown, who.clone(), reason.to_owned())
        };
        let name = who.as_deref().unwrap_or("nobody on record");
        if let Some((why, evidence)) = self.outsiders.get(&run.run_key) {
            let mut origin = found(Class::Untrusted, who.clone(), why.clone());
            origin.evidence.push(evidence.clone());
            return origin;
        }
        if event == "schedule" || has("schedule") {
            return found(Class::TimeOnly, None, "a schedule started it".to_owned());
        }
        if let Some(handoff) = self.started.get(&run.run_key).and_then(|rows| rows.first()) {
            return by_handoff(index, handoff, found(Class::Machine, who, String::new()));
        }
        if event == "merge_group" {
            return found(Class::Policy, None, "a merge queue took it after its checks".to_owned());
        }
        if by_program {
            return found(Class::Machine, who.clone(), format!("{name} is a program"));
        }
        let is_manual = has("manual") || event == "workflow_dispatch";
        match (by_person, event) {
            (_, "") if triggers.is_empty() => unknown("what started it is not on record", "no_event"),
            _ if has("upstream") => found(Class::Machine, who.clone(), "another run started it".to_owned()),
            (true, event) if is_proposal(event) => {
                found(Class::SelfMade, who.clone(), format!("{name} started it with an unmerged change"))
            }
            (true, _) if is_manual => found(
                Class::SelfMade,
                who.clone(),
                format!("{name} started it by hand, nobody else is on record"),
            ),
            (_, event) if has("api") && event != "workflow_dispatch" => {
                found(Class::Machine, who.clone(), "a token started it through the API".to_owned())
            }
            (true, _) => unknown(
                &format!("{name} caused the event; whether a rule asked for a review is not on record"),
                "no_branch_rules",
            ),
            (false, _) => unknown("whether a person or a program started it is not on record", "no_actor"),
        }
    }
}

/// Whether a handoff is how a run came to be: sent by another run or with a program's token.
/// What a person sent, or asked for anew, is that person's decision.
fn starts_run(row: &Handoff) -> bool {
    let by_program = !matches!(row.credential_kind.as_str(), "" | "none" | "unknown" | "user" | "pat");
    row.child_run_key != row.parent_run_key
        && !WITHIN.contains(&row.mechanism.as_str())
        && row.mechanism != "rebuild"
        && (row.parent_run_key.is_some() || by_program)
}

fn by_handoff(index: &Index<'_>, handoff: &Handoff, mut origin: Origin) -> Origin {
    let parent = handoff.parent_run_key.map(|run| index.label(run, None));
    let with = match handoff.credential_kind.as_str() {
        "" | "none" | "unknown" => String::new(),
        kind => format!(" with a credential of kind {kind}"),
    };
    origin.reason = match &parent {
        Some(parent) => format!("{parent} started it by {}{with}", handoff.mechanism),
        None => format!("a program started it by {}{with}", handoff.mechanism),
    };
    origin.decided_by = handoff.credential_subject.clone().or(parent).or(origin.decided_by);
    origin.decided_at = handoff.sent_at.or(origin.decided_at);
    origin.evidence.push(format!("handoffs:{}", handoff.handoff_key));
    origin
}
