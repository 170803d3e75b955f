//! GitLab CI/CD: job traces, answers of the API, webhooks, pipeline definitions.
//!
//! Formats: GitLab's documentation (Jobs, Pipelines, Deployments and Protected environments
//! API, "Webhook events", "CI/CD YAML syntax reference") and real traces; see `trace` for
//! their lines.

mod contents;
mod definition;
mod dispatch;
mod import;
mod job;
pub(crate) mod place;
mod rest;
mod settings;
mod trace;
mod webhook;

use crate::importer::{Importer, Recognised, TextFile};
use crate::limits::Limits;
use crate::{Document, TextSink};
use leakgraph_model::tables::{IdentityUsed, identity_key};
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::Value;

const PLATFORM: &str = "gitlab";

/// Pipelines of GitLab.
pub(crate) struct GitLab;

impl Importer for GitLab {
    fn platform(&self) -> &'static str {
        PLATFORM
    }

    fn recognise_value(&self, path: &str, value: &Value) -> Option<Recognised> {
        webhook::recognise(value)
            .or_else(|| rest::recognise(path, value))
            .or_else(|| settings::recognise(path, value))
            .or_else(|| contents::recognise(value))
            .or_else(|| definition::recognise(path, value))
    }

    fn import_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        match kind {
            "ci_yaml" => definition::import(document, value),
            "contents_json" => contents::import(document, value, sink),
            "job_token_scope_json" | "protected_environment_json" => settings::import(kind, document, value),
            kind if kind.starts_with("webhook") => webhook::import(kind, document, value, sink),
            _ => rest::import(kind, document, value, sink),
        }
    }

    fn scans_whole(&self, kind: &str) -> Option<&'static str> {
        match kind {
            // Scripts and variables of all jobs.
            "ci_yaml" => Some("yaml"),
            "webhook_other" => Some("webhook"),
            _ => None,
        }
    }

    fn recognise_text(&self, file: TextFile<'_>) -> Option<Recognised> {
        Some(Recognised::new("job_trace", trace::tell(file.bytes)?))
    }

    fn import_text(
        &self,
        _kind: &'static str,
        file: TextFile<'_>,
        limits: &Limits,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        import::import(file, limits, sink)
    }
}

/// Key of the handoff to a pipeline: a pipeline has one upstream at most, so that trigger
/// job, webhook and variables speak of the same handoff.
fn handoff_key(child_run: Key) -> Key {
    Key::of("handoff", &[PLATFORM, &child_run.to_string()])
}

/// A job acts as the user who started it, through its own job token (GitLab, "CI/CD job
/// token": "the same permissions to access the API as the user that caused the job to run").
fn user(
    login: &str,
    run_key: Key,
    job_key: Key,
    issued_at: Option<Timestamp>,
    source_key: Key,
) -> IdentityUsed {
    IdentityUsed {
        job_key: Some(job_key),
        run_key: Some(run_key),
        identity_key: Some(identity_key(PLATFORM, &format!("user:{login}"))),
        identity_kind: "gitlab_user".to_owned(),
        how: "job_token".to_owned(),
        subject: Some(login.to_owned()),
        issued_at,
        join_method: "exact_id".to_owned(),
        confidence: 1.0,
        source_key,
        ..IdentityUsed::default()
    }
}

/// bot or user: users of access tokens are called `project_42_bot_…` and `group_42_bot_…`,
/// service accounts `service_account_…` (GitLab, "Project access tokens", "Service accounts").
fn actor_kind(login: &str) -> &'static str {
    let of_token = |prefix: &str| {
        let rest = login.strip_prefix(prefix)?;
        let (id, rest) = rest.split_once('_')?;
        (id.bytes().all(|byte| byte.is_ascii_digit()) && rest.starts_with("bot")).then_some(())
    };
    let is_bot = of_token("project_").or_else(|| of_token("group_")).is_some()
        || login.starts_with("service_account_")
        || login.ends_with("-bot");
    if is_bot { "bot" } else { "user" }
}

/// Times of the API are RFC 3339; those of webhooks `2016-08-12 15:23:28 UTC` or
/// `2021-04-28 21:50:00 +0200`.
fn time(value: &Value, pointer: &str) -> Option<Timestamp> {
    let text = value.pointer(pointer)?.as_str()?;
    Timestamp::parse(text).or_else(|| {
        let mut words = text.split(' ');
        let (day, hour, zone) = (words.next()?, words.next()?, words.next()?);
        Timestamp::parse(&format!("{day}T{hour}{}", if zone == "UTC" { "Z" } else { zone }))
    })
}

/// status and conclusion in the words of the tables.
fn outcome(status: &str) -> (&str, Option<&'static str>) {
    match status {
        "success" => ("completed", Some("success")),
        "failed" => ("completed", Some("failure")),
        "canceled" => ("completed", Some("cancelled")),
        "skipped" => ("completed", Some("skipped")),
        "created" | "pending" | "preparing" | "waiting_for_resource" | "waiting_for_callback" => {
            ("queued", None)
        }
        "running" | "canceling" => ("in_progress", None),
        "manual" | "scheduled" | "blocked" => ("waiting", None),
        other => (other, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_of_webhooks_are_read() {
        let value = json!({"a": "2016-08-12 15:23:28 UTC", "b": "2021-04-28 21:50:00 +0200", "c": "2021-02-23T02:41:37.886Z", "d": "now"});
        let read = |name: &str| time(&value, name).map(|time| time.to_string());
        assert_eq!(read("/a").as_deref(), Some("2016-08-12T15:23:28Z"));
        assert_eq!(read("/b").as_deref(), Some("2021-04-28T19:50:00Z"));
        assert_eq!(read("/c").as_deref(), Some("2021-02-23T02:41:37.886Z"));
        assert_eq!(read("/d"), None);
    }

    #[test]
    fn bots_are_told_by_their_names() {
        let kinds = ["project_6_bot", "group_12_bot_ab12", "service_account_x", "root", "project_x_bot"]
            .map(actor_kind);
        assert_eq!(kinds, ["bot", "bot", "bot", "user", "user"]);
    }
}
