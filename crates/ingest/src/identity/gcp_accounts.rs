//! Google Cloud: service accounts, their keys, workload identity pools and providers.
//!
//! Formats: IAM API v1, `projects.serviceAccounts` (`gcloud iam service-accounts list
//! --format=json`), `…serviceAccounts.keys` (`… keys list`; public parts and times only),
//! `projects.locations.workloadIdentityPools[.providers]`; arrays of gcloud or pages of the API.

use super::gcp::{account_of_name, environment_of, holder};
use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::{text, time};
use leakgraph_model::tables::{Credential, Identity, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;

/// Members of pages that hold lists.
const PAGES: [&str; 5] =
    ["accounts", "keys", "workloadIdentityPools", "workloadIdentityPoolProviders", "assets"];

pub(super) fn recognise(value: &Value) -> Option<Recognised> {
    let first = items(value).into_iter().next()?;
    let has = |name: &str| first.get(name).is_some();
    let name = text(first, "/name").unwrap_or_default();
    let (kind, because) = if has("email") && name.contains("/serviceAccounts/") {
        ("gcp_service_accounts", "an e-mail and a name with `/serviceAccounts/`")
    } else if name.contains("/serviceAccounts/") && name.contains("/keys/") {
        ("gcp_service_account_keys", "a name with `/serviceAccounts/` and `/keys/`")
    } else if name.contains("/workloadIdentityPools/") {
        ("gcp_workload_identity_pools", "a name with `/workloadIdentityPools/`")
    } else {
        return None;
    };
    Some(Recognised::new(kind, because))
}

fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(items_of).collect(),
        other => items_of(other),
    }
}

fn items_of(value: &Value) -> Vec<&Value> {
    match PAGES.iter().find_map(|page| value.get(page)?.as_array()) {
        Some(list) => list.iter().map(of_asset).collect(),
        None => vec![of_asset(value)],
    }
}

/// What an asset of Cloud Asset Inventory is (`gcloud asset list --content-type=resource`).
pub(super) fn of_asset(value: &Value) -> &Value {
    value.pointer("/resource/data").unwrap_or(value)
}

pub(super) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    let mut nameless = 0;
    for item in items(value) {
        let name = text(item, "/name").unwrap_or_default();
        if name.contains("/workloadIdentityPools/") {
            evidence.identities.push(pool(item, &name, document.source_key));
        } else if name.contains("/keys/") {
            let row = key(item, &name, document.source_key);
            nameless += usize::from(row.is_none());
            evidence.credentials.extend(row);
        } else {
            let row = account(item, &name, document.source_key);
            nameless += usize::from(row.is_none());
            evidence.identities.extend(row);
        }
    }
    let problem = incomplete(document, nameless, "service accounts or keys have no e-mail or name");
    evidence.problems.extend(problem);
    evidence
}

fn account(item: &Value, name: &str, source: Key) -> Option<Identity> {
    let email = text(item, "/email").or_else(|| account_of_name(name))?;
    let disabled = item.get("disabled") == Some(&Value::Bool(true));
    let mut tags: Vec<String> = text(item, "/displayName")
        .into_iter()
        .filter(|name| !name.is_empty())
        .map(|name| format!("display_name={name}"))
        .collect();
    tags.sort();
    Some(Identity {
        unique_id: text(item, "/uniqueId"),
        account: text(item, "/projectId").or_else(|| super::gcp::project_of_email(&email)),
        environment: environment_of(&email),
        status: if disabled { "disabled" } else { "enabled" }.to_owned(),
        tags,
        ..holder("service_account", &email, source)
    })
}

/// A key a user manages, or one of Google's own, which it rotates.
fn key(item: &Value, name: &str, source: Key) -> Option<Credential> {
    let email = account_of_name(name)?;
    let id = name.rsplit('/').next().filter(|id| !id.is_empty())?;
    let kind = match text(item, "/keyType").as_deref() {
        Some("SYSTEM_MANAGED") => "google_managed_key",
        _ => "service_account_key",
    };
    let disabled = item.get("disabled") == Some(&Value::Bool(true));
    let made = time(item, "/validAfterTime");
    // Keys without an end are given the last day of the year 9999.
    let ends = text(item, "/validBeforeTime").filter(|ends| !ends.starts_with("9999-"));
    Some(Credential {
        credential_key: Key::of("credential", &["gcp", "service_account_key", id]),
        identity_key: Some(identity_key("gcp", &email)),
        kind: kind.to_owned(),
        name: id.to_owned(),
        scope: Some(email),
        status: if disabled { "inactive" } else { "active" }.to_owned(),
        created_at: made,
        rotated_at: made,
        last_used_at: None,
        expires_at: ends.and_then(|ends| leakgraph_model::Timestamp::parse(&ends)),
        source_key: source,
    })
}

/// A pool of federated principals, or one of the providers it takes them from.
fn pool(item: &Value, name: &str, source: Key) -> Identity {
    let disabled = item.get("disabled") == Some(&Value::Bool(true));
    let facts = [
        ("issuer", text(item, "/oidc/issuerUri")),
        ("aws_account", text(item, "/aws/accountId")),
        ("attribute_condition", text(item, "/attributeCondition")),
    ];
    Identity {
        account: name.split('/').nth(1).map(str::to_owned),
        status: if disabled { "disabled" } else { "enabled" }.to_owned(),
        tags: facts.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))).collect(),
        ..holder(
            if name.contains("/providers/") {
                "workload_identity_provider"
            } else {
                "workload_identity_pool"
            },
            name,
            source,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: &Value) -> Evidence {
        assert!(recognise(value).is_some());
        import(&Document { path: "g.json", source_key: Key::default(), part: 0, bytes: b"" }, value)
    }

    const EMAIL: &str = "deploy@p.iam.gserviceaccount.com";

    #[test]
    fn accounts_and_keys_meet_by_e_mail() {
        let accounts =
            read(&json!([{"name": format!("projects/p/serviceAccounts/{EMAIL}"), "projectId": "p",
            "uniqueId": "1", "email": EMAIL, "displayName": "Deploy", "disabled": true}]));
        let [account] = accounts.identities.as_slice() else { panic!("one account") };
        assert_eq!((account.status.as_str(), account.account.as_deref()), ("disabled", Some("p")));
        let asset = json!({"assets": [{"name": "//iam.googleapis.com/projects/p/serviceAccounts/1", "assetType": "iam.googleapis.com/ServiceAccount",
            "resource": {"version": "v1", "data": {"name": format!("projects/p/serviceAccounts/{EMAIL}"), "projectId": "p",
                "uniqueId": "1", "email": EMAIL, "displayName": "Deploy", "disabled": true}}}]});
        assert_eq!(read(&asset).identities, accounts.identities);
        let keys = read(&json!([
            {"name": format!("projects/p/serviceAccounts/{EMAIL}/keys/abc"), "keyType": "USER_MANAGED", "keyAlgorithm": "KEY_ALG_RSA_2048",
                "validAfterTime": "2024-01-02T03:04:05Z", "validBeforeTime": "9999-12-31T23:59:59Z"},
            {"name": format!("projects/p/serviceAccounts/{EMAIL}/keys/def"), "keyType": "SYSTEM_MANAGED",
                "validAfterTime": "2024-01-02T03:04:05Z", "validBeforeTime": "2024-01-19T03:04:05Z", "disabled": true}]));
        let rows: Vec<_> = keys
            .credentials
            .iter()
            .map(|row| (row.kind.as_str(), row.status.as_str(), row.expires_at.is_some()))
            .collect();
        assert_eq!(
            rows,
            [("service_account_key", "active", false), ("google_managed_key", "inactive", true)]
        );
        assert!(keys.credentials.iter().all(|row| row.identity_key == Some(account.identity_key)));
    }

    #[test]
    fn providers_say_whom_a_pool_believes() {
        let name = "projects/1/locations/global/workloadIdentityPools/github/providers/oidc";
        let evidence = read(&json!({"workloadIdentityPoolProviders": [{"name": name, "state": "ACTIVE",
            "attributeCondition": "assertion.repository_owner == 'acme'",
            "oidc": {"issuerUri": "https://token.actions.githubusercontent.com"}}]}));
        let [provider] = evidence.identities.as_slice() else { panic!("one provider") };
        assert_eq!(provider.kind, "workload_identity_provider");
        assert_eq!(provider.tags[0], "issuer=https://token.actions.githubusercontent.com");
    }
}
