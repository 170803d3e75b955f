//! Microsoft Entra ID: when service principals and their credentials last signed in.
//!
//! Formats: Microsoft Graph beta, `reports/servicePrincipalSignInActivities` and
//! `reports/appCredentialSignInActivities`. The sign-ins themselves are `activity::entra`.

use super::azure::items;
use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::{text, time};
use leakgraph_model::tables::{Activity, Credential, Identity, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;

pub(super) fn recognise(value: &Value) -> Option<Recognised> {
    let first = items(value).into_iter().next()?;
    let has = |name: &str| first.get(name).is_some();
    (has("appId") && (has("lastSignInActivity") || has("signInActivity") && has("keyId"))).then(|| {
        Recognised::new(
            "entra_sign_in_activity",
            "`appId` with `lastSignInActivity`, or a key's `signInActivity`",
        )
    })
}

pub(super) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    let mut nameless = 0;
    for item in items(value) {
        let Some(app) = text(item, "/appId") else {
            nameless += 1;
            continue;
        };
        match text(item, "/keyId") {
            Some(id) => evidence.credentials.push(credential(item, &app, &id, document.source_key)),
            None => principal(item, &app, document.source_key, &mut evidence),
        }
    }
    evidence.problems.extend(incomplete(document, nameless, "sign-in activities name no application"));
    evidence
}

fn credential(item: &Value, app: &str, id: &str, source: Key) -> Credential {
    let kind = match text(item, "/keyType").as_deref() {
        Some("certificate") => "certificate",
        _ => "client_secret",
    };
    Credential {
        credential_key: Key::of("credential", &["azure", kind, id]),
        identity_key: Some(identity_key("azure", app)),
        kind: kind.to_owned(),
        name: id.to_owned(),
        scope: Some(app.to_owned()),
        status: "unknown".to_owned(),
        created_at: time(item, "/createdDateTime"),
        last_used_at: time(item, "/signInActivity/lastSignInDateTime"),
        expires_at: time(item, "/expirationDateTime"),
        source_key: source,
        ..Credential::default()
    }
}

fn principal(item: &Value, app: &str, source: Key, evidence: &mut Evidence) {
    let key = identity_key("azure", app);
    let at = time(item, "/lastSignInActivity/lastSignInDateTime");
    evidence.identities.push(Identity {
        identity_key: key,
        platform: "azure".to_owned(),
        kind: "service_principal".to_owned(),
        name: app.to_owned(),
        native_id: app.to_owned(),
        is_nhi: Some(true),
        last_used_at: at,
        status: "unknown".to_owned(),
        source_key: source,
        ..Identity::default()
    });
    evidence.activity.extend(at.map(|at| Activity {
        identity_key: Some(key),
        principal: app.to_owned(),
        action: "entra:SignIn".to_owned(),
        calls: 1,
        first_at: Some(at),
        last_at: Some(at),
        evidence: "entra_sign_in_activity".to_owned(),
        source_key: source,
        ..Activity::default()
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const APP: &str = "11111111-2222-3333-4444-555555555555";

    #[test]
    fn the_last_sign_ins_of_principals_and_credentials() {
        let value = json!({"value": [
            {"id": "x", "appId": APP, "lastSignInActivity": {"lastSignInDateTime": "2024-05-01T00:00:00Z"}},
            {"id": "y", "appId": APP, "keyId": "k-1", "keyType": "certificate", "credentialOrigin": "application",
                "signInActivity": {"lastSignInDateTime": "2024-05-02T00:00:00Z"}, "expirationDateTime": "2025-01-01T00:00:00Z"},
            {"id": "z"}]});
        assert_eq!(recognise(&value).unwrap().kind, "entra_sign_in_activity");
        let evidence =
            import(&Document { path: "s.json", source_key: Key::default(), part: 0, bytes: b"" }, &value);
        assert_eq!((evidence.identities.len(), evidence.activity.len(), evidence.problems.len()), (1, 1, 1));
        let [key] = evidence.credentials.as_slice() else { panic!("one certificate") };
        assert_eq!((key.kind.as_str(), key.last_used_at.is_some()), ("certificate", true));
    }
}
