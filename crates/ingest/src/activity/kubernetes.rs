//! Audit logs of the Kubernetes API server: `audit.k8s.io` events as JSON Lines, or an
//! `EventList` (webhook backend).
//!
//! Format: kubernetes.io/docs/reference/config-api/apiserver-audit.v1. Only the last stage
//! of a request counts. What was done is written as grants write it
//! (`core/pods/exec:create`, `get /metrics`), on `namespace/name`, `namespace/*` for what
//! has no name, `/name` outside of namespaces or `*` for all of the cluster.

use crate::Document;
use crate::identity::kubernetes::rules::escaped;
use crate::identity::kubernetes::{key, service_account, service_account_of, user};
use crate::importer::Recognised;
use crate::reader::incomplete;
use leakgraph_model::tables::{Activity, Assumption};
use leakgraph_model::{Evidence, Timestamp};
use serde_json::Value;

/// Written to `source_files.kind`.
pub(crate) const KIND: &str = "kubernetes_audit";

pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let is_audit = text(value, "/apiVersion").is_some_and(|version| version.starts_with("audit.k8s.io/"));
    let is_event = matches!(text(value, "/kind"), Some("Event" | "EventList"));
    (is_audit && is_event).then(|| Recognised::new(KIND, "`apiVersion` of `audit.k8s.io`, kind `Event`"))
}

pub(crate) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let events = match value.get("items").and_then(Value::as_array) {
        Some(items) => items.iter().collect(),
        None => vec![value],
    };
    let mut evidence = Evidence::default();
    let mut unusable = 0;
    // Earlier stages report the same request.
    for event in events.into_iter().filter(|event| is_last_stage(event)) {
        match Call::of(event) {
            Some(call) => call.rows(document, &mut evidence),
            None => unusable += 1,
        }
    }
    evidence.problems.extend(incomplete(document, unusable, "events name no user or no verb"));
    crate::activity::merge(&mut evidence.activity, &mut evidence.assumptions, (0, 0));
    evidence
}

fn is_last_stage(event: &Value) -> bool {
    matches!(text(event, "/stage"), None | Some("ResponseComplete" | "Panic"))
}

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

/// One request.
struct Call<'v> {
    event: &'v Value,
    /// Who sent it.
    caller: &'v str,
    /// As whom, where that is someone else.
    impersonated: Option<&'v str>,
    verb: &'v str,
    denied: bool,
    at: Option<Timestamp>,
}

impl<'v> Call<'v> {
    fn of(event: &'v Value) -> Option<Self> {
        let at = ["/requestReceivedTimestamp", "/stageTimestamp", "/timestamp"]
            .iter()
            .find_map(|pointer| Timestamp::parse(text(event, pointer)?));
        Some(Self {
            event,
            caller: text(event, "/user/username")?,
            impersonated: text(event, "/impersonatedUser/username"),
            verb: text(event, "/verb")?,
            denied: is_denied(event),
            at,
        })
    }

    fn rows(&self, document: &Document<'_>, evidence: &mut Evidence) {
        let actor = self.impersonated.unwrap_or(self.caller);
        if let Some(target) = self.impersonated {
            // The log names whom a request acts for once impersonation was allowed.
            let row = impersonation(target);
            self.row(document, self.caller, row, false, evidence);
            evidence.assumptions.push(self.assumption(document, target, "impersonate", false));
        }
        if let Some(row) = self.refused_impersonation() {
            return self.row(document, actor, row, true, evidence);
        }
        let row = (self.action(), self.resource());
        let reads = matches!(self.verb, "get" | "list" | "watch") && self.resource().is_some();
        if let Some(target) = self.token_of() {
            evidence.assumptions.push(self.assumption(document, &target, "TokenRequest", self.denied));
        }
        let denied = self.denied;
        let count = evidence.activity.len();
        self.row(document, actor, row, denied, evidence);
        if let Some(row) = evidence.activity.get_mut(count) {
            row.data_event = reads;
        }
    }

    fn row(
        &self,
        document: &Document<'_>,
        actor: &str,
        (action, resource): (String, Option<String>),
        denied: bool,
        evidence: &mut Evidence,
    ) {
        let session = ["pod-name", "credential-id"].iter().find_map(|name| {
            let extra = self.event.pointer("/user/extra")?;
            extra.get(format!("authentication.kubernetes.io/{name}"))?.get(0)?.as_str()
        });
        evidence.activity.push(Activity {
            identity_key: Some(key(&user(actor).1)),
            principal: actor.to_owned(),
            session: session.filter(|_| actor == self.caller).map(str::to_owned),
            action,
            resource,
            denied,
            calls: 1,
            first_at: self.at,
            last_at: self.at,
            data_event: false,
            evidence: "audit".to_owned(),
            source_key: document.source_key,
        });
    }

    fn action(&self) -> String {
        let verb = escaped(self.verb);
        let Some(object) = self.event.get("objectRef").filter(|object| text(object, "/resource").is_some())
        else {
            let path = text(self.event, "/requestURI").unwrap_or("/");
            return format!("{verb} {}", escaped(path.split(['?', '#']).next().unwrap_or(path)));
        };
        let part = |pointer: &str| text(object, pointer).map(escaped);
        let group = part("/apiGroup").unwrap_or_else(|| "core".to_owned());
        let resource = part("/resource").unwrap_or_default();
        match part("/subresource") {
            Some(subresource) => format!("{group}/{resource}/{subresource}:{verb}"),
            None => format!("{group}/{resource}:{verb}"),
        }
    }

    /// What it was done to; nothing for a URL that is no resource.
    fn resource(&self) -> Option<String> {
        let object = self.event.get("objectRef")?;
        text(object, "/resource")?;
        Some(match (text(object, "/namespace"), text(object, "/name").map(escaped)) {
            (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
            (Some(namespace), None) => format!("{namespace}/*"),
            (None, Some(name)) => format!("/{name}"),
            (None, None) => "*".to_owned(),
        })
    }

    /// `users "b" is forbidden: User "a" cannot impersonate resource "users" …`: nothing
    /// else was tried.
    fn refused_impersonation(&self) -> Option<(String, Option<String>)> {
        let message = text(self.event, "/responseStatus/message").filter(|_| self.denied)?;
        let (before, after) = message.split_once(" cannot impersonate resource \"")?;
        let (resource, rest) = after.split_once('"')?;
        if !matches!(resource, "users" | "groups" | "serviceaccounts") {
            return None;
        }
        let target = escaped(before.split('"').nth(1)?);
        let namespace = rest.split_once(" in the namespace \"").and_then(|(_, name)| name.split('"').next());
        let resource_name = format!("{}/{target}", namespace.unwrap_or_default());
        Some((format!("core/{resource}:impersonate"), Some(resource_name)))
    }

    /// The service account a token was asked for.
    fn token_of(&self) -> Option<String> {
        let object = self.event.get("objectRef")?;
        let is_token = text(object, "/resource") == Some("serviceaccounts")
            && text(object, "/subresource") == Some("token")
            && self.verb == "create";
        let (namespace, name) = text(object, "/namespace").zip(text(object, "/name"))?;
        is_token.then(|| service_account(namespace, name))
    }

    fn assumption(&self, document: &Document<'_>, target: &str, mechanism: &str, denied: bool) -> Assumption {
        let source =
            if mechanism == "impersonate" { self.caller } else { self.impersonated.unwrap_or(self.caller) };
        Assumption {
            source: source.to_owned(),
            source_identity_key: Some(key(&user(source).1)),
            target: target.to_owned(),
            target_identity_key: Some(key(&user(target).1)),
            mechanism: mechanism.to_owned(),
            denied,
            calls: 1,
            first_at: self.at,
            last_at: self.at,
            source_key: document.source_key,
            ..Assumption::default()
        }
    }
}

/// What impersonating someone takes.
fn impersonation(target: &str) -> (String, Option<String>) {
    match service_account_of(target) {
        Some((namespace, name)) => {
            ("core/serviceaccounts:impersonate".to_owned(), Some(format!("{namespace}/{name}")))
        }
        None => ("core/users:impersonate".to_owned(), Some(format!("/{}", escaped(target)))),
    }
}

/// Refused by authentication or authorisation; what failed later had been allowed.
fn is_denied(event: &Value) -> bool {
    let decision = event.get("annotations").and_then(|all| text(all, "/authorization.k8s.io~1decision"));
    match decision {
        Some(decision) => decision == "forbid",
        None => {
            let code = event.pointer("/responseStatus/code").and_then(Value::as_u64);
            matches!(code, Some(401 | 403))
        }
    }
}
