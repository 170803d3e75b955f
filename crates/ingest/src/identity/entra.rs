//! Microsoft Entra ID: service principals, app registrations, their credentials and federated
//! credentials, the permissions of applications, and the people who may own them.
//!
//! Formats: Microsoft Graph v1.0 (`servicePrincipals`, `applications`,
//! `…/federatedIdentityCredentials`, `…/appRoleAssignments`, `oauth2PermissionGrants`, `users`) and
//! `az ad sp|app list`, which have the same members. An application and its service principal
//! are one identity. `hint`, the start of a secret, is not kept.

use super::azure::{is_guid, items, principal};
use crate::Document;
use crate::importer::Recognised;
use crate::link::role_key;
use crate::reader::incomplete;
use crate::value::{text, time};
use leakgraph_model::tables::{Credential, Grant, Identity, Trust, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::{Value, json};

pub(super) fn recognise(value: &Value) -> Option<Recognised> {
    let first = items(value).into_iter().next()?;
    let has = |name: &str| first.get(name).is_some();
    let (kind, because) = if has("appId") && has("servicePrincipalType") {
        ("entra_service_principals", "`appId` with `servicePrincipalType`")
    } else if has("appId") && (has("signInAudience") || has("publisherDomain")) && has("passwordCredentials")
    {
        ("entra_applications", "`appId` with `signInAudience` and `passwordCredentials`")
    } else if has("issuer") && has("audiences") && (has("subject") || has("claimsMatchingExpression")) {
        ("entra_federated_credentials", "`issuer`, `subject` and `audiences`")
    } else if has("appRoleId") && has("principalId") && has("resourceId") {
        ("entra_app_role_assignments", "`appRoleId` with `principalId` and `resourceId`")
    } else if has("consentType") && has("clientId") && has("scope") {
        ("entra_permission_grants", "`consentType` with `clientId` and `scope`")
    } else if has("userPrincipalName") && has("accountEnabled") {
        ("entra_users", "`userPrincipalName` with `accountEnabled`")
    } else {
        return None;
    };
    Some(Recognised::new(kind, because))
}

pub(super) fn import(kind: &str, document: &Document<'_>, value: &Value) -> Evidence {
    let mut importer = Importer { source: document.source_key, evidence: Evidence::default() };
    let mut unusable = 0;
    let owner = owner_of(document.path, value);
    for item in items(value) {
        let kept = match kind {
            "entra_service_principals" => importer.service_principal(item),
            "entra_applications" => importer.application(item),
            "entra_federated_credentials" => {
                let named = text(item, "/appId").or_else(|| owner.clone());
                named.and_then(|owner| importer.federated(item, identity_key("azure", &owner)))
            }
            "entra_app_role_assignments" => importer.app_role(item),
            "entra_users" => importer.user(item),
            _ => importer.delegated(item),
        };
        unusable += usize::from(kept.is_none());
    }
    let what = "objects lack an id, or do not say of which application they are";
    importer.evidence.problems.extend(incomplete(document, unusable, what));
    importer.evidence
}

/// The application of a list of federated credentials: of the page's context
/// (`…#applications('ID')/…`), else of the path.
fn owner_of(path: &str, value: &Value) -> Option<String> {
    let context = text(value, "/@odata.context").unwrap_or_default();
    let quoted = context.split_once("applications('").and_then(|(_, rest)| rest.split_once('\''));
    let of_context = quoted.map(|(id, _)| id.to_owned());
    of_context.or_else(|| application_of_path(path))
}

pub(super) fn application_of_path(path: &str) -> Option<String> {
    path.split(['/', '.']).rfind(|part| is_guid(part)).map(str::to_owned)
}

fn status(item: &Value) -> &'static str {
    match item.get("accountEnabled").and_then(Value::as_bool) {
        Some(true) => "enabled",
        Some(false) => "disabled",
        None => "unknown",
    }
}

struct Importer {
    source: Key,
    evidence: Evidence,
}

impl Importer {
    /// A person; `accountEnabled` is false once somebody left.
    fn user(&mut self, item: &Value) -> Option<()> {
        let id = text(item, "/id")?;
        self.evidence.identities.push(Identity {
            identity_key: identity_key("azure", &id),
            platform: "azure".to_owned(),
            kind: "user".to_owned(),
            name: text(item, "/displayName").unwrap_or_else(|| id.clone()),
            native_id: id,
            unique_id: text(item, "/userPrincipalName"),
            is_nhi: Some(false),
            created_at: time(item, "/createdDateTime"),
            status: status(item).to_owned(),
            source_key: self.source,
            ..Identity::default()
        });
        Some(())
    }

    fn identity(&mut self, kind: &str, app: &str, item: &Value) -> Key {
        let key = identity_key("azure", app);
        let mut tags: Vec<String> = [
            ("owner_tenant", "/appOwnerOrganizationId"),
            ("publisher", "/publisherName"),
            ("audience", "/signInAudience"),
        ]
        .iter()
        .filter_map(|(name, pointer)| Some(format!("{name}={}", text(item, pointer)?)))
        .collect();
        if kind == "application" {
            tags.extend(text(item, "/id").map(|id| format!("application_object={id}")));
        }
        self.evidence.identities.push(Identity {
            identity_key: key,
            platform: "azure".to_owned(),
            kind: kind.to_owned(),
            name: text(item, "/displayName").unwrap_or_else(|| app.to_owned()),
            native_id: app.to_owned(),
            // Roles are assigned to the object of the service principal, not of the application.
            unique_id: text(item, "/id").filter(|_| kind != "application"),
            is_nhi: Some(true),
            owner: text(item, "/owners/0/userPrincipalName")
                .or_else(|| text(item, "/notificationEmailAddresses/0")),
            created_at: time(item, "/createdDateTime"),
            status: status(item).to_owned(),
            tags,
            source_key: self.source,
            ..Identity::default()
        });
        self.credentials(key, app, item);
        key
    }

    fn credentials(&mut self, key: Key, app: &str, item: &Value) {
        for (list, kind) in [("keyCredentials", "certificate"), ("passwordCredentials", "client_secret")] {
            for row in item.get(list).and_then(Value::as_array).into_iter().flatten() {
                let Some(id) = text(row, "/keyId") else { continue };
                let made = time(row, "/startDateTime");
                self.evidence.credentials.push(Credential {
                    credential_key: Key::of("credential", &["azure", kind, &id]),
                    identity_key: Some(key),
                    kind: kind.to_owned(),
                    name: id,
                    scope: Some(app.to_owned()),
                    status: "active".to_owned(),
                    created_at: made,
                    rotated_at: made,
                    last_used_at: None,
                    expires_at: time(row, "/endDateTime"),
                    source_key: self.source,
                });
            }
        }
    }

    fn service_principal(&mut self, item: &Value) -> Option<()> {
        let app = text(item, "/appId")?;
        let kind = match text(item, "/servicePrincipalType").as_deref() {
            Some("ManagedIdentity") => "managed_identity",
            _ => "service_principal",
        };
        self.identity(kind, &app, item);
        // The permissions that it offers to others: what assignments name by id.
        let object = text(item, "/id")?;
        for role in item.get("appRoles").and_then(Value::as_array).into_iter().flatten() {
            if let Some((id, value)) = text(role, "/id").zip(text(role, "/value")) {
                self.offered(&format!("{object}/{id}"), value);
            }
        }
        Some(())
    }

    /// What an application permission is called (`Application.ReadWrite.All`).
    fn offered(&mut self, role: &str, value: String) {
        let key = role_key("azure", role);
        self.evidence.grants.push(Grant {
            grant_key: Key::of("grant", &[&key.to_string(), "role", "0"]),
            identity_key: key,
            policy_kind: "role".to_owned(),
            policy: role.to_owned(),
            actions: vec![value],
            resources: vec!["*".to_owned()],
            understood: true,
            ..self.grant("0")
        });
    }

    fn grant(&self, statement: &str) -> Grant {
        Grant {
            platform: "azure".to_owned(),
            policy_kind: "permission".to_owned(),
            statement: statement.to_owned(),
            effect: "allow".to_owned(),
            source_key: self.source,
            ..Grant::default()
        }
    }

    fn application(&mut self, item: &Value) -> Option<()> {
        let app = text(item, "/appId")?;
        let key = self.identity("application", &app, item);
        // With `$expand`.
        let federated = item.get("federatedIdentityCredentials").and_then(Value::as_array);
        for credential in federated.into_iter().flatten() {
            self.federated(credential, key)?;
        }
        Some(())
    }

    /// A subject of an issuer that may sign in as the application. Flexible credentials match
    /// it by an expression: `claims['sub'] matches 'repo:o/r:*'`.
    fn federated(&mut self, item: &Value, key: Key) -> Option<()> {
        let issuer = text(item, "/issuer")?;
        let expression = text(item, "/claimsMatchingExpression/value");
        let quoted = expression.as_deref().and_then(|text| text.split("'sub'").nth(1)?.split('\'').nth(1));
        let subject = text(item, "/subject").or_else(|| quoted.map(str::to_owned));
        let id = text(item, "/id").or_else(|| text(item, "/name"))?;
        self.evidence.trusts.push(Trust {
            trust_key: Key::of("trust", &[&key.to_string(), "federated_credential", &id]),
            identity_key: key,
            principal_kind: "federated".to_owned(),
            principal: issuer,
            principal_key: None,
            effect: "allow".to_owned(),
            actions: vec!["entra:SignIn".to_owned()],
            conditions: Some(
                json!({"audiences": item.get("audiences"), "expression": expression}).to_string(),
            ),
            subjects: subject.into_iter().collect(),
            source_key: self.source,
        });
        Some(())
    }

    /// A permission of an application on an API, given by an administrator.
    fn app_role(&mut self, item: &Value) -> Option<()> {
        let object = text(item, "/principalId")?;
        let role = format!("{}/{}", text(item, "/resourceId")?, text(item, "/appRoleId")?);
        let kind = text(item, "/principalType").unwrap_or_default();
        let mut row = principal(&kind, &object, None, self.source);
        row.name = text(item, "/principalDisplayName").unwrap_or(row.name);
        let key = row.identity_key;
        self.evidence.identities.push(row);
        let api = text(item, "/resourceDisplayName").unwrap_or_else(|| "*".to_owned());
        self.evidence.grants.push(Grant {
            grant_key: Key::of("grant", &[&key.to_string(), "app_role", &role]),
            identity_key: key,
            policy: role.clone(),
            actions: vec![role],
            resources: vec![api],
            ..self.grant("0")
        });
        Some(())
    }

    /// What an application may do in the name of all users or of one.
    fn delegated(&mut self, item: &Value) -> Option<()> {
        let row = principal("ServicePrincipal", &text(item, "/clientId")?, None, self.source);
        let key = row.identity_key;
        self.evidence.identities.push(row);
        let resource = text(item, "/resourceId")?;
        let user = text(item, "/principalId");
        let id = text(item, "/id").unwrap_or_default();
        self.evidence.grants.push(Grant {
            grant_key: Key::of("grant", &[&key.to_string(), "delegated", &resource, &id]),
            identity_key: key,
            policy: "oauth2_permission_grant".to_owned(),
            actions: text(item, "/scope")?.split_whitespace().map(str::to_owned).collect(),
            resources: vec![resource],
            // A user has to be signed in.
            conditions: Some(json!({"user": user.as_deref().unwrap_or("any")}).to_string()),
            understood: true,
            ..self.grant("0")
        });
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "11111111-2222-3333-4444-555555555555";
    const OBJECT: &str = "aaaaaaaa-2222-3333-4444-555555555555";
    const GRAPH: &str = "bbbbbbbb-2222-3333-4444-555555555555";
    const ROLE: &str = "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9";

    fn read(path: &str, value: &Value) -> Evidence {
        let kind = recognise(value).unwrap().kind;
        import(kind, &Document { path, source_key: Key::default(), part: 0, bytes: b"" }, value)
    }

    #[test]
    fn people_are_known_and_so_is_who_left() {
        let list = json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users", "value": [
            {"id": OBJECT, "displayName": "Ann", "userPrincipalName": "ann@acme.test", "accountEnabled": false},
            {"id": GRAPH, "displayName": "Ben", "userPrincipalName": "ben@acme.test", "accountEnabled": true},
            {"userPrincipalName": "nobody@acme.test", "accountEnabled": true}]});
        let evidence = read("users.json", &list);
        let people: Vec<_> = evidence
            .identities
            .iter()
            .map(|row| (row.unique_id.as_deref(), row.status.as_str(), row.is_nhi))
            .collect();
        assert_eq!(
            people,
            [
                (Some("ann@acme.test"), "disabled", Some(false)),
                (Some("ben@acme.test"), "enabled", Some(false))
            ]
        );
        assert_eq!(evidence.problems.len(), 1);
    }

    #[test]
    fn principals_and_applications_are_one_identity_with_credentials() {
        let principals = read(
            "sp.json",
            &json!({"value": [
            {"id": OBJECT, "appId": APP, "displayName": "Deploy", "servicePrincipalType": "Application", "accountEnabled": false,
                "keyCredentials": [{"keyId": "k-1", "startDateTime": "2024-01-01T00:00:00Z", "endDateTime": "2025-01-01T00:00:00Z"}], "passwordCredentials": []},
            {"id": "x", "servicePrincipalType": "Legacy"}]}),
        );
        let [row] = principals.identities.as_slice() else { panic!("one principal") };
        assert_eq!((row.status.as_str(), row.unique_id.as_deref()), ("disabled", Some(OBJECT)));
        let applications = read(
            "app.json",
            &json!([{"id": "cccccccc-2222-3333-4444-555555555555", "appId": APP, "displayName": "Deploy",
            "signInAudience": "AzureADMyOrg", "keyCredentials": [],
            "passwordCredentials": [{"keyId": "k-2", "hint": "abc", "startDateTime": "2024-01-01T00:00:00Z", "endDateTime": "2299-01-01T00:00:00Z"}]}]),
        );
        assert_eq!(applications.identities[0].identity_key, row.identity_key);
        let credentials: Vec<_> = principals
            .credentials
            .iter()
            .chain(&applications.credentials)
            .map(|row| (row.kind.as_str(), row.expires_at.is_some()))
            .collect();
        assert_eq!(credentials, [("certificate", true), ("client_secret", true)]);
        assert!(!format!("{applications:?}").contains("abc"), "the hint is the start of a secret");
    }

    #[test]
    fn federated_credentials_say_who_signs_in_as_whom() {
        let issuer = "https://token.actions.githubusercontent.com";
        let context = format!(
            "https://graph.microsoft.com/v1.0/$metadata#applications('{OBJECT}')/federatedIdentityCredentials"
        );
        let evidence = read(
            "f.json",
            &json!({"@odata.context": context, "value": [
            {"id": "1", "name": "main", "issuer": issuer, "subject": "repo:acme/shop:ref:refs/heads/main", "audiences": ["api://AzureADTokenExchange"]},
            {"id": "2", "name": "flexible", "issuer": issuer, "subject": null, "audiences": ["api://AzureADTokenExchange"],
                "claimsMatchingExpression": {"value": "claims['sub'] matches 'repo:acme/*'", "languageVersion": 1}}]}),
        );
        let subjects: Vec<_> = evidence.trusts.iter().map(|row| row.subjects.join(" ")).collect();
        assert_eq!(subjects, ["repo:acme/shop:ref:refs/heads/main", "repo:acme/*"]);
        assert!(evidence.trusts.iter().all(|row| row.identity_key == identity_key("azure", OBJECT)));
        let list = json!([{"id": "1", "issuer": issuer, "subject": "s", "audiences": []}]);
        assert_eq!(read(&format!("applications/{APP}/federated.json"), &list).trusts.len(), 1);
        assert_eq!(read("federated.json", &list).problems.len(), 1);
    }

    #[test]
    fn permissions_of_applications_are_named_by_the_api_that_offers_them() {
        let api = read(
            "sp.json",
            &json!([{"id": GRAPH, "appId": "00000003-0000-0000-c000-000000000000", "displayName": "Microsoft Graph", "servicePrincipalType": "Application",
            "appRoles": [{"id": ROLE, "value": "Application.ReadWrite.All"}]}]),
        );
        let assigned = read(
            "a.json",
            &json!({"value": [{"id": "x", "appRoleId": ROLE, "principalId": OBJECT, "principalType": "ServicePrincipal",
            "principalDisplayName": "Deploy", "resourceId": GRAPH, "resourceDisplayName": "Microsoft Graph"}]}),
        );
        let offered = &api.grants[0];
        assert_eq!(
            (offered.policy_kind.as_str(), offered.actions[0].as_str()),
            ("role", "Application.ReadWrite.All")
        );
        assert_eq!(role_key("azure", &assigned.grants[0].policy), offered.identity_key);
        let delegated = read(
            "o.json",
            &json!([{"id": "g", "clientId": OBJECT, "consentType": "AllPrincipals", "principalId": null, "resourceId": GRAPH, "scope": "User.Read Mail.Send"}]),
        );
        assert_eq!(delegated.grants[0].actions, ["User.Read", "Mail.Send"]);
        assert!(delegated.grants[0].conditions.is_some());
    }
}
