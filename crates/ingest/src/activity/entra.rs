//! Sign-ins of Microsoft Entra ID: who got a token, for what, and by which credential.
//!
//! Three exports have the same members: Microsoft Graph (`auditLogs/signIns`, "signIn resource
//! type"), diagnostic settings (`{"category": "ServicePrincipalSignInLogs", "properties": …}`,
//! storage and event hubs) and Log Analytics, which writes them in upper camel case (Azure
//! Monitor reference, "AADServicePrincipalSignInLogs"). A federated sign-in names its credential
//! (`federatedCredentialId`) and never the OIDC subject.

use super::tally::{Call, Tally};
use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use leakgraph_model::tables::{Assumption, identity_key};
use leakgraph_model::{Evidence, Timestamp};
use serde_json::Value;

pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let first = *records(value).first()?;
    is_sign_in(first).then(|| {
        Recognised::new(
            "entra_sign_ins",
            "sign-ins with an application and a resource, or of a sign-in category",
        )
    })
}

fn is_sign_in(record: &Value) -> bool {
    let of_category = |name: &str| {
        let category = record.get(name).and_then(Value::as_str).unwrap_or_default();
        category.ends_with("SignInLogs") || category == "SigninLogs"
    };
    let is_graph = ["appId", "createdDateTime", "resourceDisplayName", "status"]
        .iter()
        .all(|name| record.get(name).is_some());
    of_category("category") && record.get("properties").is_some_and(Value::is_object)
        || ["Category", "Type"].iter().any(|name| of_category(name)) && record.get("AppId").is_some()
        || is_graph
}

/// The sign-ins of a page, of `{"records": […]}`, of an array, or a bare one.
fn records(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(records).collect(),
        Value::Object(members) => {
            match members.get("value").or_else(|| members.get("records")).and_then(Value::as_array) {
                Some(list) => list.iter().collect(),
                None => vec![value],
            }
        }
        _ => Vec::new(),
    }
}

/// A member, wherever the export has it; empty texts are absent.
fn member(record: &Value, name: &str) -> Option<String> {
    let mut upper = name.to_owned();
    if let Some(first) = upper.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let properties = record.get("properties");
    let found = properties
        .and_then(|properties| properties.get(name))
        .or_else(|| record.get(name))
        .or_else(|| record.get(&upper))?;
    match found {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

pub(crate) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    let mut calls = Tally::default();
    let mut unusable = 0;
    for record in records(value) {
        let is_workload = member(record, "servicePrincipalId").is_some();
        let app = member(record, "appId").filter(|_| is_sign_in(record));
        let principal = if is_workload { app.clone() } else { member(record, "userPrincipalName").or(app) };
        let Some(principal) = principal else {
            unusable += 1;
            continue;
        };
        let at = ["createdDateTime", "time", "timeGenerated"]
            .iter()
            .find_map(|name| Timestamp::parse(&member(record, name)?));
        let denied = error(record).is_some_and(|code| code != "0");
        if is_workload && member(record, "federatedCredentialId").is_some() {
            evidence.assumptions.push(assumption(document, record, &principal, at, denied));
        }
        let call = Call {
            principal,
            session: None,
            action: "entra:SignIn".to_owned(),
            resource: member(record, "resourceDisplayName"),
            denied,
            data_event: false,
        };
        calls.add(call, at);
    }
    evidence.problems.extend(incomplete(document, unusable, "sign-ins name no application"));
    evidence.activity = calls.rows("azure", "entra_sign_in", document.source_key);
    evidence
}

/// `AADSTS` number of a refusal; 0 is none.
fn error(record: &Value) -> Option<String> {
    let code = ["/properties/status/errorCode", "/status/errorCode"]
        .iter()
        .find_map(|pointer| record.pointer(pointer)?.as_i64());
    code.map(|code| code.to_string()).or_else(|| member(record, "resultType"))
}

fn assumption(
    document: &Document<'_>,
    record: &Value,
    app: &str,
    at: Option<Timestamp>,
    denied: bool,
) -> Assumption {
    let credential = member(record, "federatedCredentialId").unwrap_or_default();
    Assumption {
        source: format!("federated_credential:{credential}"),
        target: app.to_owned(),
        target_identity_key: Some(identity_key("azure", app)),
        mechanism: "FederatedSignIn".to_owned(),
        session_id: member(record, "uniqueTokenIdentifier").or_else(|| member(record, "id")),
        denied,
        calls: 1,
        first_at: at,
        last_at: at,
        source_key: document.source_key,
        ..Assumption::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakgraph_model::Key;
    use serde_json::json;

    const APP: &str = "11111111-2222-3333-4444-555555555555";

    fn read(value: &Value) -> Evidence {
        import(&Document { path: "x", source_key: Key::default(), part: 0, bytes: b"" }, value)
    }

    #[test]
    fn the_three_exports_are_the_same_evidence() {
        let members = json!({"appId": APP, "servicePrincipalId": "sp", "federatedCredentialId": "fic",
            "createdDateTime": "2026-10-01T10:00:00Z", "resourceDisplayName": "Azure Resource Manager",
            "uniqueTokenIdentifier": "token", "status": {"errorCode": 0}});
        let diagnostic = json!({"records": [{"category": "ServicePrincipalSignInLogs", "resultType": "0",
            "time": "2026-10-01T10:00:05Z", "properties": members}]});
        let graph = json!({"@odata.context": "https://graph.microsoft.com/beta/$metadata#auditLogs/signIns", "value": [members]});
        let analytics = json!([{"Type": "AADServicePrincipalSignInLogs", "AppId": APP, "ServicePrincipalId": "sp",
            "FederatedCredentialId": "fic", "CreatedDateTime": "2026-10-01T10:00:00Z", "ResultType": "0",
            "ResourceDisplayName": "Azure Resource Manager", "UniqueTokenIdentifier": "token"}]);
        let all = [diagnostic, graph, analytics].map(|value| {
            assert_eq!(recognise(&value).map(|known| known.kind), Some("entra_sign_ins"), "{value}");
            read(&value)
        });
        assert_eq!((&all[0], &all[0]), (&all[1], &all[2]));
        let [row] = all[0].assumptions.as_slice() else { panic!("{all:?}") };
        assert_eq!((row.target.as_str(), row.denied), (APP, false));
        assert_eq!(row.first_at, Timestamp::parse("2026-10-01T10:00:00Z"));
        assert_eq!(all[0].activity[0].identity_key, Some(identity_key("azure", APP)));
    }

    #[test]
    fn refusals_and_people_are_told_apart() {
        let refused = json!({"category": "ServicePrincipalSignInLogs", "properties": {"appId": APP,
            "servicePrincipalId": "sp", "status": {"errorCode": 700_213}}});
        let person = json!({"category": "SignInLogs", "properties": {"appId": APP, "servicePrincipalId": "", "userPrincipalName": "ada@example.com", "status": {"errorCode": 0}}});
        let evidence = read(&json!([refused, person, {"category": "SignInLogs", "properties": {}}]));
        let rows: Vec<_> = evidence.activity.iter().map(|row| (row.principal.as_str(), row.denied)).collect();
        assert_eq!(rows, [(APP, true), ("ada@example.com", false)]);
        assert_eq!((evidence.assumptions.len(), evidence.problems.len()), (0, 1));
        assert_eq!(recognise(&json!({"value": [{"appId": APP, "displayName": "an application"}]})), None);
    }
}
