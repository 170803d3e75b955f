//! Approvals, and service connections with the builds that used them.

use super::super::values::{Import, Owner};
use super::build::{actor_kind, person};
use super::location::{Location, run_key};
use crate::value::{text, time};
use leakgraph_model::Key;
use leakgraph_model::tables::{Approval, Identity, IdentityUsed, identity_key};
use serde_json::Value;

/// `GET …/_apis/pipelines/approvals[/{id}]?$expand=steps`
pub(super) fn is_approval(value: &Value) -> bool {
    let first = value.pointer("/steps/0");
    value.get("minRequiredApprovers").is_some()
        && first.is_some_and(|step| step.get("assignedApprover").is_some())
}

/// `GET …/_apis/serviceendpoint/{id}/executionhistory`
pub(super) fn is_endpoint_use(value: &Value) -> bool {
    value.get("endpointId").is_some() && value.pointer("/data/planType").is_some()
}

/// `GET …/_apis/serviceendpoint/endpoints`
pub(super) fn is_endpoint(value: &Value) -> bool {
    value.pointer("/authorization/scheme").is_some()
        && value.get("isReady").is_some()
        && value.get("type").is_some()
}

/// The organisation a document is of, by an address in it or its path.
pub(super) fn organisation(import: &Import<'_, '_>, value: &Value, addresses: &[&str]) -> Option<String> {
    let by_address = |pointer: &&str| Location::of_url(&text(value, pointer)?).organisation;
    let in_path = || organisation_of_path(import.document.path);
    addresses.iter().find_map(by_address).or_else(in_path)
}

/// `…/{organisation}/{project}/_apis/…`
fn organisation_of_path(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    let at = parts.iter().position(|part| *part == "_apis")?;
    match parts.get(..at)? {
        [.., organisation, _project] => Some((*organisation).to_owned()),
        _ => None,
    }
}

pub(super) fn approval(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let addresses =
        ["/pipeline/owner/_links/self/href", "/pipeline/owner/_links/web/href", "/_links/self/href"];
    let organisation = organisation(import, value, &addresses)?;
    let build =
        text(value, "/pipeline/owner/id").or_else(|| Location::of_path(import.document.path).build)?;
    let run_key = run_key(&organisation, &build)?;
    let source_key = import.source();
    for step in value.get("steps").and_then(Value::as_array).into_iter().flatten() {
        let who = if step.get("actualApprover").is_some_and(Value::is_object) {
            "/actualApprover"
        } else {
            "/assignedApprover"
        };
        let state = match text(step, "/status").as_deref() {
            Some("approved") => "approved",
            Some("rejected") => "rejected",
            Some("skipped" | "canceled" | "timedOut" | "failed") => "rejected",
            _ => "pending",
        };
        import.evidence.approvals.push(Approval {
            run_key,
            environment: text(value, "/resource/name").or_else(|| text(value, "/stageName")),
            reviewer: person(step, who),
            reviewer_kind: match actor_kind(step, who) {
                "user" => "user",
                "bot" | "app" => "bot",
                _ => "unknown",
            }
            .to_owned(),
            state: state.to_owned(),
            self_review: None,
            decided_at: time(step, "/lastModifiedOn").filter(|_| state != "pending"),
            source_key,
        });
    }
    let owner = Owner { run: Some(run_key), ..Owner::default() };
    import.rest(owner, value, &[]);
    Some(run_key)
}

/// The natural id of a service connection.
fn connection_key(endpoint: &str) -> Key {
    identity_key(super::PLATFORM, &format!("service_connection:{}", endpoint.to_lowercase()))
}

pub(super) fn endpoint_use(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let data = value.get("data")?;
    let endpoint = text(value, "/endpointId")?;
    let organisation =
        organisation(import, data, &["/owner/_links/self/href", "/definition/_links/self/href"])?;
    let run = run_key(&organisation, &text(data, "/owner/id")?)?;
    import.evidence.identities_used.push(IdentityUsed {
        job_key: None,
        run_key: Some(run),
        identity_key: Some(connection_key(&endpoint)),
        identity_kind: "service_connection".to_owned(),
        how: "unknown".to_owned(),
        subject: Some(endpoint),
        account: Some(organisation),
        issued_at: time(data, "/startTime"),
        join_method: "exact_id".to_owned(),
        confidence: 1.0,
        source_key: import.source(),
        ..IdentityUsed::default()
    });
    // It does not say whether the connection holds a secret or a federation.
    import.gap(run, "runs", "trustworthy_workflow", "no_inventory");
    Some(run)
}

/// A service connection as an identity of the organisation.
pub(super) fn endpoint(import: &mut Import<'_, '_>, value: &Value) -> Option<Key> {
    let id = text(value, "/id")?;
    let key = connection_key(&id);
    let parameter = |name: &str| text(value, &format!("/authorization/parameters/{name}"));
    let tags = [
        ("type", text(value, "/type")),
        ("scheme", text(value, "/authorization/scheme")),
        ("service_principal", parameter("serviceprincipalid").or_else(|| parameter("servicePrincipalId"))),
        ("tenant", parameter("tenantid").or_else(|| parameter("tenantId"))),
        ("subscription", text(value, "/data/subscriptionId")),
        ("shared", text(value, "/isShared")),
    ];
    let source_key = import.source();
    import.evidence.identities.push(Identity {
        identity_key: key,
        platform: super::PLATFORM.to_owned(),
        kind: "service_connection".to_owned(),
        name: text(value, "/name").unwrap_or_else(|| id.clone()),
        native_id: format!("service_connection:{}", id.to_lowercase()),
        unique_id: Some(id.clone()),
        account: organisation(import, value, &[]),
        is_nhi: Some(true),
        owner: person(value, "/createdBy"),
        created_at: time(value, "/creationDate"),
        status: match value.get("isDisabled").and_then(Value::as_bool) {
            Some(true) => "disabled",
            Some(false) => "enabled",
            None => "unknown",
        }
        .to_owned(),
        tags: tags.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))).collect(),
        source_key,
        ..Identity::default()
    });
    import.rest(Owner::default(), value, &[]);
    Some(key)
}
