//! AWS IAM Access Analyzer: who of outside has access, and what is not used.
//!
//! Format: botocore `accessanalyzer/2019-11-01`: `get-finding-v2` (`findingDetails`),
//! `list-findings-v2` (no details) and `list-findings` (external access in the finding itself).
//! Findings that are resolved no longer hold. The last use of what a finding calls unused is
//! kept on identities and credentials, and is no activity: it lies before the analysed days.

use super::access_keys::access_key;
use super::last_accessed::identity;
use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::{text, time};
use leakgraph_model::tables::{Credential, Grant, Trust, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;

pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let first = findings(value).into_iter().next()?;
    let has = |name: &str| first.get(name).is_some();
    (has("analyzedAt") && has("resourceType") && has("status"))
        .then(|| Recognised::new("access_analyzer", "findings with `analyzedAt` and `resourceType`"))
}

/// The findings of any wrapper: a page, an array of pages or findings, a single one.
fn findings(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(findings).collect(),
        Value::Object(members) => match (members.get("findings"), members.get("finding")) {
            (Some(list), _) => list.as_array().into_iter().flatten().collect(),
            (None, Some(one)) => vec![one],
            (None, None) => vec![value],
        },
        _ => Vec::new(),
    }
}

pub(crate) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    let (mut nameless, mut without) = (0, 0);
    for finding in findings(value) {
        let Some(resource) = text(finding, "/resource") else {
            nameless += 1;
            continue;
        };
        if text(finding, "/status").as_deref() == Some("RESOLVED") {
            continue;
        }
        let finding = Finding { value: finding, key: identity_key("aws", &resource), resource, document };
        let details = finding.value.get("findingDetails").and_then(Value::as_array);
        match details {
            Some(details) => details.iter().for_each(|detail| finding.detail(detail, &mut evidence)),
            None if finding.value.get("principal").is_some() => {
                finding.external(finding.value, &mut evidence)
            }
            None => without += 1,
        }
    }
    evidence.problems.extend(incomplete(document, nameless, "findings name no resource"));
    let what = "findings have no details, which `get-finding-v2` has";
    evidence.problems.extend(incomplete(document, without, what));
    evidence
}

struct Finding<'a> {
    value: &'a Value,
    resource: String,
    /// Key of the resource, where it is an identity.
    key: Key,
    document: &'a Document<'a>,
}

impl Finding<'_> {
    fn detail(&self, detail: &Value, evidence: &mut Evidence) {
        if let Some(access) = detail.get("externalAccessDetails").or(detail.get("internalAccessDetails")) {
            self.external(access, evidence);
        }
        if let Some(unused) = detail.get("unusedIamRoleDetails") {
            self.unused(unused, "unused=role".to_owned(), evidence);
        }
        if let Some(unused) = detail.get("unusedIamUserPasswordDetails") {
            evidence.credentials.push(Credential {
                kind: "password".to_owned(),
                name: "password".to_owned(),
                credential_key: Key::of("credential", &["aws", "password", &self.resource, "password"]),
                source_key: self.document.source_key,
                ..self.credential(unused)
            });
        }
        let key = detail.get("unusedIamUserAccessKeyDetails");
        if let Some((unused, id)) = key.and_then(|unused| Some((unused, text(unused, "/accessKeyId")?))) {
            let key = access_key(&id, self.document.source_key);
            let Credential { identity_key, scope, status, last_used_at, .. } = self.credential(unused);
            evidence.credentials.push(Credential { identity_key, scope, status, last_used_at, ..key });
        }
        if let Some(unused) = detail.get("unusedPermissionDetails") {
            self.permission(unused, evidence);
        }
    }

    fn credential(&self, unused: &Value) -> Credential {
        Credential {
            identity_key: Some(self.key),
            scope: Some(self.resource.clone()),
            status: "active".to_owned(),
            last_used_at: time(unused, "/lastAccessed"),
            ..Credential::default()
        }
    }

    /// A tag for what is unused; the time for all of the identity only.
    fn unused(&self, unused: &Value, tag: String, evidence: &mut Evidence) {
        let last = time(unused, "/lastAccessed");
        if let Some(mut row) = identity(&self.resource, self.key, last, self.document.source_key) {
            row.tags.push(tag);
            evidence.identities.push(row);
        }
    }

    /// The actions of a service, or all of it, that were not used.
    fn permission(&self, unused: &Value, evidence: &mut Evidence) {
        let Some(service) = text(unused, "/serviceNamespace") else { return };
        let actions: Vec<String> = unused
            .get("actions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|action| text(action, "/action"))
            // With and without the service before it.
            .map(|action| if action.contains(':') { action } else { format!("{service}:{action}") })
            .collect();
        let whole = actions.is_empty().then(|| format!("{service}:*"));
        if let Some(mut row) = identity(&self.resource, self.key, None, self.document.source_key) {
            row.tags = actions.into_iter().chain(whole).map(|action| format!("unused={action}")).collect();
            evidence.identities.push(row);
        }
    }

    /// Access that the resource's own policy gives: to become a role, or to act on the resource.
    fn external(&self, access: &Value, evidence: &mut Evidence) {
        let principals = access.get("principal").and_then(Value::as_object).into_iter().flatten();
        for (kind, principal) in principals.filter_map(|(kind, who)| Some((kind.as_str(), who.as_str()?))) {
            let kind = match kind {
                _ if principal == "*" => "any",
                "AWS" => "aws",
                "Federated" => "federated",
                "Service" => "service",
                _ => "canonical",
            };
            if text(self.value, "/resourceType").as_deref() == Some("AWS::IAM::Role") {
                evidence.trusts.push(self.trust(access, kind, principal));
            } else {
                evidence.grants.push(self.grant(access, kind, principal));
            }
        }
    }

    fn trust(&self, access: &Value, kind: &str, principal: &str) -> Trust {
        Trust {
            trust_key: Key::of(
                "trust",
                &[&self.key.to_string(), "access_analyzer", kind, principal, &self.id()],
            ),
            identity_key: self.key,
            principal_kind: kind.to_owned(),
            principal: principal.to_owned(),
            principal_key: (kind == "aws" && principal.starts_with("arn:"))
                .then(|| identity_key("aws", principal)),
            effect: "allow".to_owned(),
            actions: actions(access),
            conditions: conditions(access),
            subjects: subjects(access),
            source_key: self.document.source_key,
        }
    }

    fn grant(&self, access: &Value, kind: &str, principal: &str) -> Grant {
        let holder = identity_key("aws", principal);
        let id = self.id();
        Grant {
            grant_key: Key::of("grant", &[&holder.to_string(), "resource", &self.resource, kind, &id]),
            identity_key: holder,
            platform: "aws".to_owned(),
            policy_kind: "resource".to_owned(),
            policy: self.resource.clone(),
            statement: id,
            effect: "allow".to_owned(),
            actions: actions(access),
            resources: vec![self.resource.clone()],
            conditions: conditions(access),
            understood: true,
            source_key: self.document.source_key,
            ..Grant::default()
        }
    }

    fn id(&self) -> String {
        text(self.value, "/id").unwrap_or_default()
    }
}

fn actions(access: &Value) -> Vec<String> {
    let actions = access.get("action").and_then(Value::as_array).into_iter().flatten();
    actions.filter_map(|action| action.as_str().map(str::to_owned)).collect()
}

/// `{"aws:SourceAccount": "1"}`: keys and values, without operators.
fn conditions(access: &Value) -> Option<String> {
    let condition =
        access.get("condition").filter(|condition| condition.as_object().is_some_and(|c| !c.is_empty()))?;
    Some(condition.to_string())
}

fn subjects(access: &Value) -> Vec<String> {
    let condition = access.get("condition").and_then(Value::as_object).into_iter().flatten();
    condition
        .filter(|(key, _)| key.to_ascii_lowercase().ends_with(":sub"))
        .filter_map(|(_, value)| value.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ROLE: &str = "arn:aws:iam::123456789012:role/deploy";

    fn read(value: &Value) -> Evidence {
        assert_eq!(recognise(value).unwrap().kind, "access_analyzer");
        import(&Document { path: "f.json", source_key: Key::default(), part: 0, bytes: b"" }, value)
    }

    fn finding(resource: &str, kind: &str, status: &str, details: Value) -> Value {
        json!({"id": "f-1", "analyzedAt": "2024-06-01T00:00:00Z", "createdAt": "2024-05-01T00:00:00Z", "updatedAt": "2024-05-01T00:00:00Z",
            "resource": resource, "resourceType": kind, "resourceOwnerAccount": "123456789012", "status": status, "findingDetails": [details]})
    }

    #[test]
    fn what_is_unused_is_said_of_identities_and_credentials() {
        let role = |status: &str, details: Value| finding(ROLE, "AWS::IAM::Role", status, details);
        let user = "arn:aws:iam::123456789012:user/bot";
        let evidence = read(&json!([
            role(
                "ACTIVE",
                json!({"unusedPermissionDetails": {"serviceNamespace": "s3", "lastAccessed": "2023-01-01T00:00:00Z",
                "actions": [{"action": "PutObject"}, {"action": "s3:DeleteObject", "lastAccessed": "2023-01-01T00:00:00Z"}]}})
            ),
            role("ACTIVE", json!({"unusedPermissionDetails": {"serviceNamespace": "lambda"}})),
            role("ARCHIVED", json!({"unusedIamRoleDetails": {"lastAccessed": "2023-02-01T00:00:00Z"}})),
            role("RESOLVED", json!({"unusedPermissionDetails": {"serviceNamespace": "ec2"}})),
            finding(
                user,
                "AWS::IAM::User",
                "ACTIVE",
                json!({"unusedIamUserAccessKeyDetails": {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "lastAccessed": "2023-03-01T00:00:00Z"}})
            ),
            finding(user, "AWS::IAM::User", "ACTIVE", json!({"unusedIamUserPasswordDetails": {}})),
        ]));
        let tags: Vec<_> = evidence.identities.iter().flat_map(|row| &row.tags).map(String::as_str).collect();
        assert_eq!(tags, ["unused=s3:PutObject", "unused=s3:DeleteObject", "unused=lambda:*", "unused=role"]);
        assert!(
            evidence.identities.iter().any(|row| row.last_used_at.is_some()) && evidence.activity.is_empty()
        );
        let credentials: Vec<_> =
            evidence.credentials.iter().map(|row| (row.kind.as_str(), row.last_used_at.is_some())).collect();
        assert_eq!(credentials, [("access_key", true), ("password", false)]);
    }

    #[test]
    fn access_from_outside_is_a_trust_or_a_grant() {
        let details = |principal: Value, actions: Value, condition: Value| json!({"externalAccessDetails": {"principal": principal, "action": actions, "condition": condition, "isPublic": false}});
        let provider = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com";
        let evidence = read(&json!({"findings": [
            finding(ROLE, "AWS::IAM::Role", "ACTIVE", details(json!({"Federated": provider}), json!(["sts:AssumeRoleWithWebIdentity"]), json!({"token.actions.githubusercontent.com:sub": "repo:o/r:*"}))),
            finding("arn:aws:s3:::open", "AWS::S3::Bucket", "ACTIVE", details(json!({"AWS": "*"}), json!(["s3:GetObject"]), json!({}))),
        ]}));
        let [trust] = evidence.trusts.as_slice() else { panic!("one trust") };
        assert_eq!(
            (trust.principal_kind.as_str(), trust.subjects.as_slice()),
            ("federated", ["repo:o/r:*".to_owned()].as_slice())
        );
        assert!(trust.conditions.is_some());
        let [grant] = evidence.grants.as_slice() else { panic!("one grant") };
        assert_eq!((grant.policy_kind.as_str(), grant.conditions.as_deref()), ("resource", None));
        assert_eq!(grant.identity_key, identity_key("aws", "*"));
    }

    #[test]
    fn the_older_list_has_access_in_the_finding_and_the_newer_has_none() {
        let mut old = finding("arn:aws:s3:::open", "AWS::S3::Bucket", "ACTIVE", json!({}));
        old.as_object_mut().unwrap().remove("findingDetails");
        let new = old.clone();
        old["principal"] = json!({"AWS": "210987654321"});
        old["action"] = json!(["s3:GetObject"]);
        let evidence = read(&json!({"findings": [old, new]}));
        assert_eq!((evidence.grants.len(), evidence.problems.len()), (1, 1));
    }
}
