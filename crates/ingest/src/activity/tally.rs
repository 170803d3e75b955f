//! Calls counted by who did what to which resource.

use leakgraph_model::tables::{Activity, identity_key};
use leakgraph_model::{Key, Timestamp};
use std::collections::BTreeMap;

/// What makes two calls the same row.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call {
    pub(super) principal: String,
    pub(super) session: Option<String>,
    pub(super) action: String,
    pub(super) resource: Option<String>,
    pub(super) denied: bool,
    pub(super) data_event: bool,
}

/// How often and when.
#[derive(Default)]
struct Times {
    count: i64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// The calls of a document.
#[derive(Default)]
pub(super) struct Tally(BTreeMap<Call, Times>);

impl Tally {
    pub(super) fn add(&mut self, call: Call, at: Option<Timestamp>) {
        let times = self.0.entry(call).or_default();
        times.count += 1;
        times.first = match (times.first, at) {
            (Some(first), Some(at)) => Some(first.min(at)),
            (first, at) => first.or(at),
        };
        times.last = times.last.max(at);
    }

    /// One row per call; principals that are no natural id of `platform` have no key.
    pub(super) fn rows(self, platform: &str, evidence: &str, source_key: Key) -> Vec<Activity> {
        let row = |(call, times): (Call, Times)| Activity {
            identity_key: is_native(platform, &call.principal)
                .then(|| identity_key(platform, &call.principal)),
            principal: call.principal,
            session: call.session,
            action: call.action,
            resource: call.resource,
            denied: call.denied,
            calls: times.count,
            first_at: times.first,
            last_at: times.last,
            data_event: call.data_event,
            evidence: evidence.to_owned(),
            source_key,
        };
        self.0.into_iter().map(row).collect()
    }
}

/// Whether a principal is an ARN, an e-mail or principal URI, an application id.
pub(super) fn is_native(platform: &str, principal: &str) -> bool {
    match platform {
        "aws" => principal.starts_with("arn:"),
        "gcp" => principal.contains('@') || principal.starts_with("principal://"),
        _ => principal.len() == 36 && principal.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'),
    }
}
