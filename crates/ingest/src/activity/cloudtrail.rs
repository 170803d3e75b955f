//! AWS CloudTrail: `{"Records": […]}`, bare arrays, single events (JSON Lines) and
//! the `lookup-events` wrapper.
//!
//! Actions are those that IAM permits the event by, see `iam_action`.
//! A denied call is an attempt, not a use. `iam:PassRole` never appears.

use super::iam_action;
use super::tally::{Call, Tally};
use crate::Document;
use crate::identity::access_keys::access_key;
use crate::importer::Recognised;
use crate::reader::incomplete;
use leakgraph_model::tables::{Assumption, Credential, identity_key};
use leakgraph_model::{Evidence, Timestamp};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let records = records(value);
    let first = records.first()?;
    let is_event = first.get("eventSource").is_some() && first.get("eventName").is_some();
    is_event.then(|| Recognised::new("cloudtrail", "records with `eventSource` and `eventName`"))
}

/// The events of any wrapper.
fn records(value: &Value) -> Vec<Cow<'_, Value>> {
    match value {
        Value::Array(items) => items.iter().flat_map(records).collect(),
        Value::Object(members) => {
            if let Some(list) =
                members.get("Records").or_else(|| members.get("Events")).and_then(Value::as_array)
            {
                return list.iter().flat_map(records).collect();
            }
            match members.get("CloudTrailEvent").and_then(Value::as_str) {
                Some(text) => serde_json::from_str(text).ok().map(Cow::Owned).into_iter().collect(),
                None => vec![Cow::Borrowed(value)],
            }
        }
        _ => Vec::new(),
    }
}

pub(crate) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let mut calls = Tally::default();
    let mut evidence = Evidence::default();
    let mut keys: BTreeMap<String, Credential> = BTreeMap::new();
    let mut unusable = 0;
    for record in records(value) {
        let (Some(principal), Some(action)) = (principal(&record), action(&record)) else {
            unusable += 1;
            continue;
        };
        let at = text(&record, "/eventTime").and_then(|text| Timestamp::parse(&text));
        let denied = denied(&record);
        if let Some(id) = long_lived_key(&record) {
            let key = keys.entry(id).or_insert_with_key(|id| access_key(id, document.source_key));
            key.identity_key = Some(identity_key("aws", &principal));
            key.last_used_at = key.last_used_at.max(at);
        }
        if action.starts_with("sts:AssumeRole") {
            evidence.assumptions.extend(assumption(document, &record, &principal, at, denied));
        }
        let key = Call {
            principal,
            session: session(&record),
            action,
            resource: resource(&record),
            denied,
            data_event: record.get("managementEvent") == Some(&Value::Bool(false)),
        };
        calls.add(key, at);
    }
    evidence.problems.extend(incomplete(document, unusable, "records name no action or no principal"));
    evidence.credentials = keys.into_values().collect();
    evidence.activity = calls.rows("aws", "cloudtrail", document.source_key);
    evidence
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().map(str::to_owned)
}

/// The acting principal: the role behind a session, the user, the service, the account.
fn principal(record: &Value) -> Option<String> {
    let identity = record.get("userIdentity")?;
    text(identity, "/sessionContext/sessionIssuer/arn")
        .or_else(|| text(identity, "/arn").map(|arn| role_of_session(&arn)))
        .or_else(|| text(identity, "/invokedBy"))
        .or_else(|| text(identity, "/userName"))
        .or_else(|| text(identity, "/accountId"))
        .or_else(|| text(identity, "/type"))
}

/// `arn:aws:sts::1:assumed-role/R/S` as `arn:aws:iam::1:role/R`; the path is lost.
fn role_of_session(arn: &str) -> String {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match (parts.as_slice(), parts.get(5).and_then(|resource| resource.strip_prefix("assumed-role/"))) {
        ([arn, partition, _, region, account, _], Some(session)) => {
            let role = session.split('/').next().unwrap_or(session);
            format!("{arn}:{partition}:iam:{region}:{account}:role/{role}")
        }
        _ => arn.to_owned(),
    }
}

/// Id of the user's own key that signed the call (`AKIA…`; `ASIA…` are temporary).
fn long_lived_key(record: &Value) -> Option<String> {
    text(record, "/userIdentity/accessKeyId")
        .filter(|id| id.starts_with("AKIA"))
        .filter(|_| text(record, "/userIdentity/type").as_deref() == Some("IAMUser"))
}

/// Session names of federated sessions are mostly a default, the same for every run: their
/// temporary key tells them apart.
fn session(record: &Value) -> Option<String> {
    if text(record, "/userIdentity/sessionContext/webIdFederationData/federatedProvider").is_some() {
        let key = text(record, "/userIdentity/accessKeyId");
        if key.is_some() {
            return key;
        }
    }
    let arn = text(record, "/userIdentity/arn").filter(|arn| arn.contains(":assumed-role/"));
    arn.and_then(|arn| arn.rsplit('/').next().map(str::to_owned))
}

/// The IAM action of an event.
fn action(record: &Value) -> Option<String> {
    Some(iam_action::of(&text(record, "/eventSource")?, &text(record, "/eventName")?))
}

/// Whether a call was refused. A sign-in that failed has no `errorCode` (AWS, "AWS Management
/// Console sign-in events").
fn denied(record: &Value) -> bool {
    if text(record, "/responseElements/ConsoleLogin").as_deref() == Some("Failure") {
        return true;
    }
    text(record, "/errorCode").is_some_and(|code| {
        code.contains("AccessDenied") || code.contains("Unauthorized") || code.contains("Forbidden")
    })
}

fn resource(record: &Value) -> Option<String> {
    text(record, "/resources/0/ARN").or_else(|| {
        let parameters = record.get("requestParameters")?;
        if let Some(bucket) = text(parameters, "/bucketName") {
            return Some(match text(parameters, "/key") {
                Some(key) => format!("arn:aws:s3:::{bucket}/{key}"),
                None => format!("arn:aws:s3:::{bucket}"),
            });
        }
        ["/roleArn", "/secretId", "/functionName", "/keyId", "/policyArn", "/roleName", "/userName", "/name"]
            .iter()
            .find_map(|pointer| text(parameters, pointer))
    })
}

fn assumption(
    document: &Document<'_>,
    record: &Value,
    principal: &str,
    at: Option<Timestamp>,
    denied: bool,
) -> Option<Assumption> {
    let target = text(record, "/requestParameters/roleArn")?;
    let subject = text(record, "/userIdentity/userName")
        .filter(|_| text(record, "/userIdentity/type").as_deref() == Some("WebIdentityUser"));
    Some(Assumption {
        source_identity_key: principal.starts_with("arn:").then(|| identity_key("aws", principal)),
        source: principal.to_owned(),
        target_identity_key: Some(identity_key("aws", &target)),
        target,
        mechanism: text(record, "/eventName")?,
        session_name: text(record, "/requestParameters/roleSessionName"),
        session_id: text(record, "/responseElements/assumedRoleUser/assumedRoleId"),
        access_key_id: text(record, "/responseElements/credentials/accessKeyId"),
        subject,
        denied,
        calls: 1,
        first_at: at,
        last_at: at,
        source_key: document.source_key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakgraph_model::Key;
    use serde_json::json;

    #[test]
    fn federated_calls_are_told_apart_by_their_key() {
        let event = |federation: serde_json::Value| {
            json!({"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "eventTime": "2026-10-01T00:00:00Z",
                "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/Deploy/GitHubActions",
                    "accessKeyId": "ASIAEXAMPLE", "sessionContext": {"webIdFederationData": federation}}})
        };
        // Ordinary sessions have the member, too, but empty.
        let value =
            json!([event(json!({"federatedProvider": "arn:aws:iam::1:oidc-provider/x"})), event(json!({}))]);
        let evidence =
            import(&Document { path: "x", source_key: Key::default(), part: 0, bytes: b"" }, &value);
        let sessions: Vec<_> = evidence.activity.iter().map(|row| row.session.as_deref()).collect();
        assert_eq!(sessions, [Some("ASIAEXAMPLE"), Some("GitHubActions")]);
    }

    #[test]
    fn a_sign_in_that_failed_is_an_attempt() {
        let sign_in = |user: &str, result: &str| {
            json!({"eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin", "eventTime": "2026-10-01T00:00:00Z",
                "userIdentity": {"type": "IAMUser", "arn": format!("arn:aws:iam::1:user/{user}")},
                "responseElements": {"ConsoleLogin": result}})
        };
        let value = json!([sign_in("ann", "Success"), sign_in("svc", "Failure")]);
        let evidence =
            import(&Document { path: "x", source_key: Key::default(), part: 0, bytes: b"" }, &value);
        let rows: Vec<_> = evidence
            .activity
            .iter()
            .map(|row| (row.principal.as_str(), row.action.as_str(), row.denied))
            .collect();
        assert_eq!(
            rows,
            [
                ("arn:aws:iam::1:user/ann", "signin:ConsoleLogin", false),
                ("arn:aws:iam::1:user/svc", "signin:ConsoleLogin", true)
            ]
        );
    }

    #[test]
    fn calls_are_counted_per_role_and_action() {
        let event = |name: &str, error: Option<&str>| {
            json!({"eventSource": "lambda.amazonaws.com", "eventName": name, "eventTime": "2026-10-01T00:00:00Z", "errorCode": error,
                "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/Deploy/run-1"}})
        };
        let value = json!({"Records": [event("ListFunctions20150331", None), event("ListFunctions20150331", None), event("GetPolicy", Some("AccessDenied"))]});
        assert_eq!(recognise(&value).unwrap().kind, "cloudtrail");
        let evidence =
            import(&Document { path: "x", source_key: Key::default(), part: 0, bytes: b"" }, &value);
        let rows: Vec<_> = evidence
            .activity
            .iter()
            .map(|row| (row.principal.as_str(), row.action.as_str(), row.calls, row.denied))
            .collect();
        assert_eq!(
            rows,
            [
                ("arn:aws:iam::1:role/Deploy", "lambda:GetPolicy", 1, true),
                ("arn:aws:iam::1:role/Deploy", "lambda:ListFunctions", 2, false),
            ]
        );
    }
}
