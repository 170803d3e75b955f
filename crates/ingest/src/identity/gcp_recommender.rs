//! Google Cloud: which permissions were used, and when service accounts and keys were last used.
//!
//! Formats: Recommender API v1, insights of `google.iam.policy.Insight` ("Review policy
//! insights": `exercisedPermissions`, `inferredPermissions`) and of
//! `google.iam.serviceAccount.Insight`; Policy Analyzer API v1, "Activity"
//! (`serviceAccountLastAuthentication`, `serviceAccountKeyLastAuthentication`). Inferred
//! permissions are guesses of Google's and are not kept.

use super::gcp::{account_of_name, holder, member};
use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::{text, time};
use leakgraph_model::tables::{Activity, Credential, Identity, identity_key};
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::Value;

pub(super) fn recognise(value: &Value) -> Option<Recognised> {
    let first = items(value).into_iter().next()?;
    let is_insight = first.get("insightSubtype").is_some() && first.get("content").is_some();
    let is_activity = first.get("activityType").is_some() && first.get("activity").is_some();
    (is_insight || is_activity)
        .then(|| Recognised::new("gcp_insights", "`insightSubtype` with `content`, or `activityType`"))
}

fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(items_of).collect(),
        other => items_of(other),
    }
}

fn items_of(value: &Value) -> Vec<&Value> {
    match ["insights", "activities"].iter().find_map(|name| value.get(*name)?.as_array()) {
        Some(list) => list.iter().collect(),
        None => vec![value],
    }
}

pub(super) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    let mut unusable = 0;
    for item in items(value) {
        let source = document.source_key;
        let kept = if item.get("activityType").is_some() {
            authentication(item, source, &mut evidence)
        } else if item.pointer("/content/email").is_some() {
            account(item, source, &mut evidence)
        } else {
            policy(item, source, &mut evidence)
        };
        unusable += usize::from(kept.is_none());
    }
    evidence.problems.extend(incomplete(document, unusable, "insights name no principal"));
    evidence
}

/// What a member used of a role it has. The period ends when the insight was made.
fn policy(item: &Value, source: Key, evidence: &mut Evidence) -> Option<()> {
    let (kind, native_id) = member(&text(item, "/content/member")?)?;
    let row = holder(kind, &native_id, source);
    let key = row.identity_key;
    evidence.identities.push(row);
    let until = time(item, "/lastRefreshTime");
    let from = until.zip(seconds(item)).map(|(until, seconds)| Timestamp(until.0 - seconds * 1_000_000));
    let used = item.pointer("/content/exercisedPermissions").and_then(Value::as_array);
    let resource = text(item, "/targetResources/0");
    for permission in used.into_iter().flatten() {
        let name = permission.as_str().map(str::to_owned).or_else(|| text(permission, "/permission"));
        let Some(action) = name else { continue };
        evidence.activity.push(Activity {
            identity_key: Some(key),
            principal: native_id.clone(),
            action,
            resource: resource.clone(),
            calls: 1,
            first_at: from,
            last_at: until,
            evidence: "gcp_insight".to_owned(),
            source_key: source,
            ..Activity::default()
        });
    }
    Some(())
}

/// `7772400s`.
fn seconds(item: &Value) -> Option<i64> {
    let period = text(item, "/observationPeriod")?;
    period
        .strip_suffix('s')?
        .split('.')
        .next()?
        .parse()
        .ok()
        .filter(|seconds| (0..=1_000_000_000).contains(seconds))
}

/// A service account that was not used lately, or never.
fn account(item: &Value, source: Key, evidence: &mut Evidence) -> Option<()> {
    let email = text(item, "/content/email")?;
    let last_used_at = time(item, "/content/lastAuthenticatedTime");
    let unused = text(item, "/insightSubtype").map(|subtype| format!("insight={subtype}"));
    evidence.identities.push(Identity {
        last_used_at,
        tags: unused.into_iter().collect(),
        ..holder("service_account", &email, source)
    });
    Some(())
}

/// When a service account or one of its keys was last used.
fn authentication(item: &Value, source: Key, evidence: &mut Evidence) -> Option<()> {
    let name = text(item, "/fullResourceName")?;
    let at = time(item, "/activity/lastAuthenticatedTime");
    if let Some((account, id)) = name.split_once("/keys/") {
        let email = account_of_name(account);
        evidence.credentials.push(Credential {
            credential_key: Key::of("credential", &["gcp", "service_account_key", id]),
            identity_key: email.as_deref().map(|email| identity_key("gcp", email)),
            kind: "service_account_key".to_owned(),
            name: id.to_owned(),
            scope: email,
            status: "unknown".to_owned(),
            last_used_at: at,
            source_key: source,
            ..Credential::default()
        });
        return Some(());
    }
    let email = account_of_name(&name)?;
    evidence.identities.push(Identity { last_used_at: at, ..holder("service_account", &email, source) });
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const EMAIL: &str = "deploy@p.iam.gserviceaccount.com";

    fn read(value: &Value) -> Evidence {
        assert_eq!(recognise(value).unwrap().kind, "gcp_insights");
        import(&Document { path: "i.json", source_key: Key::default(), part: 0, bytes: b"" }, value)
    }

    /// The example of "Review policy insights", shortened.
    #[test]
    fn exercised_permissions_are_activity_in_the_period() {
        let evidence = read(
            &json!([{"name": "projects/1/locations/global/insightTypes/google.iam.policy.Insight/insights/x",
            "insightSubtype": "PERMISSIONS_USAGE", "category": "SECURITY", "observationPeriod": "7772400s", "lastRefreshTime": "2024-06-01T07:00:00Z",
            "targetResources": ["//cloudresourcemanager.googleapis.com/projects/1"],
            "content": {"member": format!("serviceAccount:{EMAIL}"), "role": "roles/editor", "currentTotalPermissionsCount": "2069",
                "exercisedPermissions": [{"permission": "compute.instances.get"}], "inferredPermissions": [{"permission": "compute.instances.list"}]}}]),
        );
        let [used] = evidence.activity.as_slice() else { panic!("one permission") };
        assert_eq!((used.action.as_str(), used.principal.as_str()), ("compute.instances.get", EMAIL));
        assert_eq!(used.last_at.unwrap().seconds_since(used.first_at.unwrap()), 7_772_400.0);
    }

    #[test]
    fn last_authentications_are_kept_on_accounts_and_keys() {
        let name = format!("//iam.googleapis.com/projects/p/serviceAccounts/{EMAIL}");
        let activity = |name: &str, kind: &str| {
            json!({"fullResourceName": name, "activityType": kind,
            "observationPeriod": {"startTime": "2024-01-01T00:00:00Z", "endTime": "2024-06-01T00:00:00Z"},
            "activity": {"lastAuthenticatedTime": "2024-05-01T00:00:00Z"}})
        };
        let evidence = read(&json!([
            activity(&name, "serviceAccountLastAuthentication"),
            activity(&format!("{name}/keys/abc"), "serviceAccountKeyLastAuthentication"),
            {"insightSubtype": "SERVICE_ACCOUNT_USAGE", "content": {"email": "idle@p.iam.gserviceaccount.com", "projectId": "p"}},
        ]));
        let used: Vec<_> = evidence.identities.iter().map(|row| row.last_used_at.is_some()).collect();
        assert_eq!((used, evidence.credentials[0].last_used_at.is_some()), (vec![true, false], true));
        assert_eq!(evidence.credentials[0].identity_key, Some(identity_key("gcp", EMAIL)));
    }
}
