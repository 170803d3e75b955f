//! The audit log of an organisation or enterprise: JSON arrays of the REST API and of exports,
//! JSON Lines of streams, one event per line.
//!
//! Fields by event: GitHub documentation, "Audit log events for your enterprise" (category
//! `workflows` and the others). What forwarders rename is read under both names.

use super::dispatch::crossing;
use super::setup::split_use;
use super::system::workflow_file;
use super::{rest, webhook};
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::{Document, TextSink};
use leakgraph_model::tables::{
    Activity, Approval, EvidenceGap, Handoff, Job, Run, SecretPassed, job_key, run_key,
};
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

/// How many items of a list may come before its first event.
const LOOK_AHEAD: usize = 16;

pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let is_log = match value {
        Value::Array(items) => items.iter().take(LOOK_AHEAD).any(|item| is_event(unwrapped(item))),
        other => is_event(unwrapped(other)),
    };
    is_log.then(|| {
        Recognised::new("github_audit", "`action` as `category.operation` with actor and organisation")
    })
}

/// The event inside what a forwarder put around it. In an event itself, `event` is a name.
fn unwrapped(value: &Value) -> &Value {
    ["event", "_source"]
        .iter()
        .find_map(|name| value.get(name).filter(|inner| inner.is_object()))
        .unwrap_or(value)
}

fn is_event(value: &Value) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
    };
    let action = value.get("action").and_then(Value::as_str).unwrap_or_default();
    // `invite_member` of old exports, as one vendor labels it.
    let is_labelled = value.get("p_log_type").and_then(Value::as_str) == Some("GitHub.Audit");
    let is_action = action.split('.').all(is_word) && (action.contains('.') || is_labelled);
    let has = |names: &[&str]| names.iter().any(|name| value.get(name).is_some());
    is_action
        && value.get("actor").is_none_or(|actor| actor.is_string() || actor.is_null())
        && has(&["actor", "@timestamp", "_document_id"])
        && has(&["org", "repo", "business", "repository"])
        // Bodies of webhooks have objects here.
        && !["sender", "repository", "org"].iter().any(|name| value.get(name).is_some_and(Value::is_object))
}

pub(crate) fn import(document: &Document<'_>, value: &Value, sink: &mut dyn TextSink) -> Evidence {
    let mut importer = Importer { document, evidence: Evidence::default(), calls: BTreeMap::new() };
    let items = match value {
        Value::Array(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let mut unknown = 0;
    for (part, item) in items.iter().map(unwrapped).enumerate() {
        if is_event(item) {
            importer.event(item);
        } else if let Some(known) = webhook::recognise(item) {
            // Collections of security events keep both in one file.
            let document = Document { part: document.part + part, ..*document };
            importer.evidence.append(webhook::import(known.kind, &document, item, sink));
        } else {
            unknown += 1;
        }
    }
    let problem =
        incomplete(document, unknown, "items are neither events of the audit log nor bodies of webhooks");
    importer.evidence.problems.extend(problem);
    importer.finish()
}

/// What makes two events the same row of activity.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    principal: String,
    session: Option<String>,
    action: String,
    resource: Option<String>,
}

/// How often and when.
#[derive(Default)]
struct Seen {
    count: i64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

struct Importer<'a> {
    document: &'a Document<'a>,
    evidence: Evidence,
    calls: BTreeMap<Call, Seen>,
}

impl Importer<'_> {
    fn event(&mut self, event: &Value) {
        let action = field(event, "action").unwrap_or_default();
        let at = when(event);
        let call = Call {
            principal: field(event, "actor").unwrap_or_else(|| "unknown".to_owned()),
            session: field(event, "token_id").map(|id| format!("token:{id}")),
            resource: resource(event, &action),
            action: action.clone(),
        };
        let seen = self.calls.entry(call).or_default();
        seen.count += 1;
        seen.first = [seen.first, at].into_iter().flatten().min();
        seen.last = seen.last.max(at);
        let Some(run) = run_of(event, self.document.source_key) else { return };
        match action.as_str() {
            "workflows.created_workflow_run" => self.created(event, Run { created_at: at, ..run }),
            "workflows.completed_workflow_run" => {
                self.evidence.runs.push(Run { status: Some("completed".to_owned()), ..run });
            }
            "workflows.rerun_workflow_run" => self.rerun(event, run),
            // Who ended or removed a run did not start it.
            "workflows.cancel_workflow_run" => {
                self.evidence.runs.push(Run { actor: None, actor_kind: None, ..run });
            }
            "workflows.delete_workflow_run" => {
                self.gap(run.run_key, "scan", "deleted_run");
                self.evidence.runs.push(Run { actor: None, actor_kind: None, ..run });
            }
            "workflows.prepared_workflow_job" => self.prepared(event, run),
            "workflows.approve_workflow_job" => self.reviewed(event, run, "approved", at),
            "workflows.reject_workflow_job" => self.reviewed(event, run, "rejected", at),
            _ => {}
        }
    }

    fn gap(&mut self, run: Key, analytic: &str, gap: &str) {
        self.evidence.evidence_gaps.push(EvidenceGap {
            subject_key: run,
            subject_table: "runs".to_owned(),
            analytic: analytic.to_owned(),
            gap: gap.to_owned(),
            effect: "lower_bound_only".to_owned(),
        });
    }

    /// A run began. Where a token of a program dispatched it, that is a handoff whose
    /// sender the log does not name.
    fn created(&mut self, event: &Value, run: Run) {
        rest::trigger(&run, &mut self.evidence);
        let mechanism = run.event.as_deref().filter(|event| event.ends_with("_dispatch"));
        let credential_kind = credential_kind(event);
        if let Some(mechanism) = mechanism.filter(|_| !matches!(credential_kind, "user" | "unknown")) {
            self.evidence.handoffs.push(Handoff {
                handoff_key: Key::of("handoff", &["audit", &run.run_key.to_string(), mechanism]),
                child_run_key: Some(run.run_key),
                child_repo: run.repo.clone(),
                child_workflow: run.workflow_name.clone(),
                mechanism: mechanism.to_owned(),
                credential_kind: credential_kind.to_owned(),
                credential_subject: run.actor.clone(),
                crosses: "none".to_owned(),
                link_method: "unlinked".to_owned(),
                child_ref: run.head_ref.clone(),
                child_sha: run.head_sha.clone(),
                gate: "unknown".to_owned(),
                sent_at: run.created_at,
                evidence: "audit".to_owned(),
                source_key: self.document.source_key,
                ..Handoff::default()
            });
        }
        self.evidence.runs.push(run);
    }

    /// Jobs and reviews name no attempt: what they say is that of the first.
    fn rerun(&mut self, event: &Value, run: Run) {
        self.gap(run.run_key, "handoff_identity", "no_attempt");
        let actor = field(event, "actor");
        self.evidence.runs.push(Run { triggering_actor: actor, actor: None, actor_kind: None, ..run });
    }

    fn prepared(&mut self, event: &Value, run: Run) {
        let source_key = self.document.source_key;
        // The actor of this event is blank or not the run's.
        let run = Run { actor: None, actor_kind: None, event: None, ..run };
        let (run_key, repo) = (run.run_key, run.repo.clone());
        self.evidence.runs.push(run);
        let Some(name) = field(event, "job_name") else {
            let problem = incomplete(self.document, 1, "events of jobs do not name the job");
            return self.evidence.problems.extend(problem);
        };
        let job_key = job_key(run_key, &name);
        let is_hosted = member(event, "is_hosted_runner").and_then(Value::as_bool);
        let callers = texts(member(event, "calling_workflow_refs"));
        let defined = field(event, "job_workflow_ref").map(|reference| split_use(&reference));
        // Its own workflow file, unless another one called it.
        let called = defined.filter(|_| !callers.is_empty());
        self.evidence.jobs.push(Job {
            job_key,
            run_key,
            name,
            environment: field(event, "environment_name"),
            runner_kind: is_hosted.map(|is| if is { "hosted" } else { "self_hosted" }.to_owned()),
            runner_name: field(event, "runner_name"),
            labels: texts(member(event, "runner_labels")),
            job_workflow_path: called.as_ref().map(|(path, ..)| path.clone()),
            job_workflow_ref: called.as_ref().and_then(|(_, reference, _)| reference.clone()),
            chain_depth: i64::try_from(callers.len()).unwrap_or(i64::MAX),
            evidence: "audit".to_owned(),
            source_key,
            ..Job::default()
        });
        for name in texts(member(event, "secrets_passed")) {
            self.evidence.secrets_passed.push(SecretPassed {
                job_key: Some(job_key),
                run_key,
                name,
                secret_scope: "unknown".to_owned(),
                how: "audit_list".to_owned(),
                source_key,
            });
        }
        // The order of the callers is not documented: only the last hop is certain.
        let Some((path, reference, _)) = called else { return };
        let child_repo: String = path.split('/').take(2).collect::<Vec<_>>().join("/");
        self.evidence.handoffs.push(Handoff {
            // As the chain of the job's log has it.
            handoff_key: Key::of("handoff", &[&job_key.to_string(), "workflow_call", &path]),
            parent_run_key: Some(run_key),
            child_run_key: Some(run_key),
            child_job_key: Some(job_key),
            crosses: crossing(Some(&child_repo), repo.as_deref()).to_owned(),
            child_repo: Some(child_repo),
            child_workflow: Some(workflow_file(&path).to_owned()),
            mechanism: "workflow_call".to_owned(),
            credential_kind: "GITHUB_TOKEN".to_owned(),
            link_method: "explicit_id".to_owned(),
            confidence: 1.0,
            child_ref: reference,
            gate: "unknown".to_owned(),
            sent_at: when(event),
            evidence: "audit".to_owned(),
            source_key,
            ..Handoff::default()
        });
    }

    fn reviewed(&mut self, event: &Value, run: Run, state: &str, at: Option<Timestamp>) {
        let reviewer = field(event, "actor");
        self.evidence.approvals.push(Approval {
            run_key: run.run_key,
            environment: field(event, "environment_name"),
            reviewer_kind: if reviewer.is_some() { actor_kind(event) } else { "unknown" }.to_owned(),
            reviewer,
            state: state.to_owned(),
            self_review: None,
            decided_at: at,
            source_key: run.source_key,
        });
        self.evidence.runs.push(Run { actor: None, actor_kind: None, event: None, ..run });
    }

    fn finish(mut self) -> Evidence {
        let source_key = self.document.source_key;
        self.evidence.activity.extend(self.calls.into_iter().map(|(call, seen)| Activity {
            // The log shows some uses of an identity, never all: with its key, what else it may
            // do would pass for unused.
            identity_key: None,
            principal: call.principal,
            session: call.session,
            action: call.action,
            resource: call.resource,
            denied: false,
            calls: seen.count,
            first_at: seen.first,
            last_at: seen.last,
            data_event: false,
            evidence: "audit".to_owned(),
            source_key,
        }));
        self.evidence
    }
}

/// A member of the event, or of the `data` that older exports put the rest into.
fn member<'v>(event: &'v Value, name: &str) -> Option<&'v Value> {
    event.get(name).or_else(|| event.get("data")?.get(name)).filter(|value| !value.is_null())
}

/// A text or number that is not empty.
fn field(event: &Value, name: &str) -> Option<String> {
    crate::value::text(member(event, name)?, "").filter(|text| !text.is_empty())
}

/// The texts of a list, or of one text that names them with commas.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) => {
            text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn repository(event: &Value) -> Option<String> {
    field(event, "repo").or_else(|| field(event, "repository")).filter(|repo| repo.contains('/'))
}

/// When it happened: milliseconds, or a text with or without a zone.
fn when(event: &Value) -> Option<Timestamp> {
    ["@timestamp", "at_sign_timestamp", "created_at", "p_event_time"]
        .iter()
        .find_map(|name| instant(event.get(name)?))
}

fn instant(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => {
            let milliseconds = number.as_i64().or_else(|| number.as_f64().map(|number| number as i64))?;
            // Up to the year 9999: differences of times stay numbers.
            (0..=253_402_300_799_999).contains(&milliseconds).then(|| Timestamp(milliseconds * 1_000))
        }
        Value::String(text) => {
            let spelt = || text.replacen(' ', "T", 1) + "Z";
            Timestamp::parse(text).or_else(|| Timestamp::parse(&spelt()))
        }
        _ => None,
    }
}

fn actor_kind(event: &Value) -> &'static str {
    let actor = field(event, "actor").unwrap_or_default();
    match member(event, "actor_is_bot").and_then(Value::as_bool) {
        Some(true) => "bot",
        _ if actor.ends_with("[bot]") => "bot",
        _ if actor.is_empty() => "unknown",
        _ => "user",
    }
}

/// What authorised an event, by `programmatic_access_type` ("About token data in the audit log").
fn credential_kind(event: &Value) -> &'static str {
    let access =
        field(event, "programmatic_access_type").unwrap_or_default().to_lowercase().replace('_', " ");
    if access.contains("personal access token") {
        "pat"
    } else if field(event, "actor").as_deref() == Some("github-actions[bot]") {
        "GITHUB_TOKEN"
    } else if access.contains("app ") || actor_kind(event) == "bot" {
        "app"
    } else if actor_kind(event) == "user" {
        "user"
    } else {
        "unknown"
    }
}

/// The run an event is about.
fn run_of(event: &Value, source_key: Key) -> Option<Run> {
    let (repo, run_id) = (repository(event)?, field(event, "workflow_run_id")?);
    let attempt = member(event, "run_attempt").and_then(Value::as_i64).unwrap_or(1);
    let actor = field(event, "actor");
    Some(Run {
        run_key: run_key("github", &repo.to_lowercase(), &run_id, attempt),
        platform: "github".to_owned(),
        repo: Some(repo),
        platform_run_id: Some(run_id),
        attempt: Some(attempt),
        workflow_name: field(event, "name"),
        event: field(event, "event"),
        conclusion: field(event, "conclusion"),
        head_ref: field(event, "head_branch"),
        head_sha: field(event, "head_sha"),
        actor_kind: actor.as_ref().map(|_| actor_kind(event).to_owned()),
        actor,
        started_at: event.get("started_at").and_then(instant),
        ended_at: event.get("completed_at").and_then(instant),
        visibility: member(event, "public_repo")
            .and_then(Value::as_bool)
            .filter(|is_public| *is_public)
            .map(|_| "public".to_owned()),
        evidence: "audit".to_owned(),
        source_key,
        ..Run::default()
    })
}

/// What was acted on: a secret, environment, app, token or hook of a repository or
/// organisation, or one of the latter.
fn resource(event: &Value, action: &str) -> Option<String> {
    let place = repository(event).or_else(|| field(event, "org")).or_else(|| field(event, "business"));
    let category = action.split('.').next().unwrap_or_default();
    let named = |kind: &str, names: &[&str]| {
        names.iter().find_map(|name| field(event, name)).map(|name| format!("{kind}:{name}"))
    };
    let what = if action.contains("secret") && member(event, "key").is_some() {
        named("secret", &["key"])
    } else {
        match category {
            "environment" => named("environment", &["environment_name", "name"]),
            "integration_installation" | "integration" => named("app", &["integration", "name"]),
            "personal_access_token" => {
                named("pat", &["user_programmatic_access_name", "user_programmatic_access_id"])
            }
            "hook" => named("hook", &["hook_id"]),
            "workflows" => named("run", &["workflow_run_id"]).or_else(|| named("workflow", &["workflow_id"])),
            "protected_branch" => named("branch", &["branch", "name"]),
            "repository_ruleset" => named("ruleset", &["ruleset_name", "ruleset_id"]),
            "org" | "repo" | "team" => named("user", &["user"]).or_else(|| named("team", &["team"])),
            _ => None,
        }
    };
    match (place, what) {
        (Some(place), Some(what)) => Some(format!("{place}#{what}")),
        (place, what) => place.or(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_come_in_many_spellings() {
        let at = Timestamp::parse("2023-01-31T18:58:27.638Z");
        for value in [
            json!(1_675_191_507_638_i64),
            json!(1_675_191_507_638.0),
            json!("2023-01-31 18:58:27.638"),
            json!("2023-01-31 18:58:27.638000000"),
            json!("2023-01-31T18:58:27.638Z"),
        ] {
            assert_eq!(instant(&value), at, "{value}");
        }
        assert_eq!(instant(&json!("2024-12-17 00:00:00000000")), None);
        assert_eq!(instant(&json!(i64::MAX / 1_000)), None);
        assert_eq!(instant(&json!(-1)), None);
    }

    #[test]
    fn credentials_are_told_by_their_access_type() {
        let kind = |actor: &str, access: &str| {
            credential_kind(&json!({"actor": actor, "programmatic_access_type": access}))
        };
        assert_eq!(kind("github-actions[bot]", "GitHub App server-to-server token"), "GITHUB_TOKEN");
        assert_eq!(kind("deployer[bot]", "GitHub App server-to-server token"), "app");
        assert_eq!(kind("cat", "Fine-grained personal access token"), "pat");
        assert_eq!(kind("cat", "personal_access_token"), "pat");
        assert_eq!(kind("cat", ""), "user");
        assert_eq!(kind("", ""), "unknown");
    }

    #[test]
    fn actions_of_other_logs_are_not_ours() {
        for value in [
            json!({"action": "user_login", "actor": {"type": "user"}, "org": "x"}),
            json!({"action": "completed", "repository": {"full_name": "a/b"}, "actor": "x"}),
            json!({"action": "a.b"}),
            json!({"action": "Repo.Create", "actor": "x", "org": "y"}),
            json!({"action": 7, "actor": "x", "org": "y"}),
        ] {
            assert_eq!(recognise(&value), None, "{value}");
        }
    }
}
