//! Cloud Audit Logs of Google Cloud: arrays of `gcloud logging read --format=json`, objects of
//! a log sink (JSON Lines).
//!
//! Format: "LogEntry" and "AuditLog" of Cloud Logging; federation: IAM, "Example logs for
//! Workload Identity Federation" (`principalSubject`, `metadata.mapped_principal`). A job that
//! federates exchanges its token (`ExchangeToken`), then mostly asks for one of a service account
//! (`GenerateAccessToken`); later calls name it in `serviceAccountDelegationInfo`.

use super::tally::{Call, Tally, is_native};
use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::{text, time};
use leakgraph_model::tables::{Assumption, identity_key};
use leakgraph_model::{Evidence, Timestamp};
use serde_json::Value;

const AUDIT_LOG: &str = "type.googleapis.com/google.cloud.audit.AuditLog";
/// `PERMISSION_DENIED` of google.rpc.Code.
const PERMISSION_DENIED: i64 = 7;

pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let first = *entries(value).first()?;
    is_audit(first).then(|| {
        Recognised::new("gcp_audit", "log entries whose `protoPayload` is an AuditLog of Google Cloud")
    })
}

fn is_audit(entry: &Value) -> bool {
    entry.pointer("/protoPayload/@type").and_then(Value::as_str) == Some(AUDIT_LOG)
}

fn entries(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(entries).collect(),
        Value::Object(_) => vec![value],
        _ => Vec::new(),
    }
}

pub(crate) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    let mut calls = Tally::default();
    let mut unusable = 0;
    for entry in entries(value) {
        let who = principal(entry).filter(|_| is_audit(entry));
        let Some((principal, method)) = who.zip(text(entry, "/protoPayload/methodName")) else {
            unusable += 1;
            continue;
        };
        let at = time(entry, "/timestamp");
        let denied = is_denied(entry);
        evidence.assumptions.extend(assumption(document, entry, &method, at, denied));
        for action in actions(entry, &method) {
            let call = Call {
                principal: principal.clone(),
                session: delegate(entry),
                action,
                resource: text(entry, "/protoPayload/resourceName"),
                denied,
                data_event: text(entry, "/logName").is_some_and(|name| name.ends_with("data_access")),
            };
            calls.add(call, at);
        }
    }
    evidence.problems.extend(incomplete(document, unusable, "log entries name no method or no principal"));
    evidence.activity = calls.rows("gcp", "gcp_audit", document.source_key);
    evidence
}

/// Who called: an e-mail, or the federated principal.
fn principal(entry: &Value) -> Option<String> {
    text(entry, "/protoPayload/authenticationInfo/principalEmail")
        .filter(|email| !email.is_empty())
        .or_else(|| text(entry, "/protoPayload/metadata/mapped_principal"))
        .or_else(|| text(entry, "/protoPayload/authenticationInfo/principalSubject"))
}

/// Permissions that were checked, else the method.
fn actions(entry: &Value, method: &str) -> Vec<String> {
    let checked = entry.pointer("/protoPayload/authorizationInfo").and_then(Value::as_array);
    let mut names: Vec<String> =
        checked.into_iter().flatten().filter_map(|info| text(info, "/permission")).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        names.push(method.to_owned());
    }
    names
}

fn is_denied(entry: &Value) -> bool {
    let code = entry.pointer("/protoPayload/status/code").and_then(Value::as_i64);
    let checked = entry.pointer("/protoPayload/authorizationInfo").and_then(Value::as_array);
    let is_refused = |info: &Value| info.get("granted") == Some(&Value::Bool(false));
    code == Some(PERMISSION_DENIED) || checked.is_some_and(|checked| checked.iter().any(is_refused))
}

/// The OIDC subject in whose name a service account acts.
fn delegate(entry: &Value) -> Option<String> {
    let chain = entry.pointer("/protoPayload/authenticationInfo/serviceAccountDelegationInfo")?;
    chain.as_array()?.iter().find_map(|link| Some(subject(&text(link, "/principalSubject")?)))
}

/// The `sub` claim of `principal://iam.googleapis.com/…/subject/<sub>`, or as it stands.
fn subject(principal: &str) -> String {
    match principal.split_once("/subject/") {
        Some((_, subject)) => subject.to_owned(),
        None => principal.to_owned(),
    }
}

/// What became of a federated identity: its principal in the pool, or a service account.
fn assumption(
    document: &Document<'_>,
    entry: &Value,
    method: &str,
    at: Option<Timestamp>,
    denied: bool,
) -> Option<Assumption> {
    let mechanism = method.rsplit('.').next().unwrap_or(method);
    let source = text(entry, "/protoPayload/authenticationInfo/principalSubject")?;
    let target = match mechanism {
        "ExchangeToken" => text(entry, "/protoPayload/metadata/mapped_principal").or_else(|| {
            source
                .contains("/subject/")
                .then(|| format!("principal:{}", source.trim_start_matches("principal:")))
        })?,
        "GenerateAccessToken" | "GenerateIdToken" | "SignBlob" | "SignJwt" => service_account(entry)?,
        _ => return None,
    };
    Some(Assumption {
        subject: Some(subject(&source)),
        source_identity_key: is_native("gcp", &source).then(|| identity_key("gcp", &source)),
        source,
        target_identity_key: Some(identity_key("gcp", &target)),
        target,
        mechanism: mechanism.to_owned(),
        denied,
        calls: 1,
        first_at: at,
        last_at: at,
        source_key: document.source_key,
        ..Assumption::default()
    })
}

/// E-mail of the service account that a token was asked for.
fn service_account(entry: &Value) -> Option<String> {
    let name =
        text(entry, "/protoPayload/request/name").or_else(|| text(entry, "/protoPayload/resourceName"));
    let of_name = name.and_then(|name| Some(name.split_once("/serviceAccounts/")?.1.to_owned()));
    of_name.filter(|email| email.contains('@')).or_else(|| text(entry, "/resource/labels/email_id"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakgraph_model::Key;
    use serde_json::json;

    const SUB: &str = "repo:acme/api:ref:refs/heads/main";

    fn read(value: &Value) -> Evidence {
        import(&Document { path: "x", source_key: Key::default(), part: 0, bytes: b"" }, value)
    }

    /// As in IAM, "Example logs for Workload Identity Federation".
    fn exchange() -> Value {
        json!({"logName": "projects/my-project/logs/cloudaudit.googleapis.com%2Fdata_access",
            "timestamp": "2026-10-01T10:00:00Z",
            "protoPayload": {"@type": AUDIT_LOG, "authenticationInfo": {"principalSubject": SUB},
                "metadata": {"mapped_principal": format!("principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/subject/{SUB}")},
                "methodName": "google.identity.sts.v1.SecurityTokenService.ExchangeToken",
                "resourceName": "projects/1/locations/global/workloadIdentityPools/ci/providers/gh"}})
    }

    #[test]
    fn federated_principals_become_service_accounts() {
        let email = "deploy@my-project.iam.gserviceaccount.com";
        let principal = format!(
            "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/subject/{SUB}"
        );
        let token = json!({"timestamp": "2026-10-01T10:00:01Z",
            "protoPayload": {"@type": AUDIT_LOG, "authenticationInfo": {"principalSubject": principal},
                "methodName": "GenerateAccessToken", "request": {"name": format!("projects/-/serviceAccounts/{email}")}}});
        let used = json!({"timestamp": "2026-10-01T10:00:02Z",
            "protoPayload": {"@type": AUDIT_LOG, "methodName": "storage.objects.get", "resourceName": "projects/_/buckets/b",
                "authenticationInfo": {"principalEmail": email, "serviceAccountDelegationInfo": [{"principalSubject": principal}]},
                "authorizationInfo": [{"permission": "storage.objects.get", "granted": true}]}});
        let value = json!([exchange(), token, used]);
        assert_eq!(recognise(&value).map(|known| known.kind), Some("gcp_audit"));
        let evidence = read(&value);
        let pairs: Vec<_> = evidence
            .assumptions
            .iter()
            .map(|row| (row.mechanism.as_str(), row.target.as_str(), row.subject.as_deref()))
            .collect();
        assert_eq!(
            pairs,
            [("ExchangeToken", principal.as_str(), Some(SUB)), ("GenerateAccessToken", email, Some(SUB))]
        );
        let call = evidence.activity.iter().find(|row| row.action == "storage.objects.get").unwrap();
        assert_eq!((call.principal.as_str(), call.session.as_deref()), (email, Some(SUB)));
        assert!(evidence.problems.is_empty());
    }

    #[test]
    fn refusals_are_attempts_and_other_entries_are_not_ours() {
        let mut refused = exchange();
        refused["protoPayload"]["status"] = json!({"code": 7, "message": "PERMISSION_DENIED"});
        let evidence = read(&refused);
        assert!(evidence.assumptions[0].denied && evidence.activity[0].denied);
        assert_eq!(recognise(&json!({"logName": "projects/p/logs/stdout", "textPayload": "x"})), None);
        assert_eq!(read(&json!([exchange(), {}])).problems.len(), 1);
    }
}
