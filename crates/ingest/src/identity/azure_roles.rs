//! Azure RBAC: role definitions and who is assigned which role on what.
//!
//! Formats: `az role definition list`, `az role assignment list --all --include-groups` and the
//! pages of the REST API (Microsoft.Authorization 2022-04-01), whose members are below
//! `properties`. `notActions` is taken away from what the same role grants and is no deny
//! ("Understand Azure role definitions"): another role may grant it.

use super::azure::{ends_with_guid, is_guid, items, principal};
use crate::Document;
use crate::importer::Recognised;
use crate::link::role_key;
use crate::reader::incomplete;
use crate::value::{strings, text};
use leakgraph_model::tables::{Grant, Identity, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::{Value, json};

pub(super) fn recognise(value: &Value) -> Option<Recognised> {
    let first = properties(items(value).into_iter().next()?);
    let has = |name: &str| first.get(name).is_some();
    let has_actions = first.pointer("/permissions/0/actions").is_some();
    let (kind, because) = if has("roleName") && has_actions {
        ("azure_role_definitions", "`roleName` with `permissions` of `actions`")
    } else if has("roleDefinitionId") && has("principalId") && has("scope") {
        ("azure_role_assignments", "`roleDefinitionId` with `principalId` and `scope`")
    } else {
        return None;
    };
    Some(Recognised::new(kind, because))
}

fn properties(item: &Value) -> &Value {
    item.get("properties").filter(|inner| inner.is_object()).unwrap_or(item)
}

pub(super) fn import(kind: &str, document: &Document<'_>, value: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    let mut unusable = 0;
    for item in items(value) {
        let kept = match kind {
            "azure_role_definitions" => definition(item, document.source_key, &mut evidence),
            _ => assignment(item, document.source_key, &mut evidence),
        };
        unusable += usize::from(kept.is_none());
    }
    let what = "roles or assignments lack a name, principal, role or scope";
    evidence.problems.extend(incomplete(document, unusable, what));
    evidence
}

fn definition(item: &Value, source: Key, evidence: &mut Evidence) -> Option<()> {
    let inner = properties(item);
    let id =
        text(item, "/name").filter(|name| is_guid(name)).or_else(|| ends_with_guid(&text(item, "/id")?))?;
    let key = role_key("azure", &id);
    evidence.identities.push(Identity {
        identity_key: key,
        platform: "azure".to_owned(),
        kind: "role_definition".to_owned(),
        name: text(inner, "/roleName")?,
        native_id: format!("role:{}", id.to_ascii_lowercase()),
        is_nhi: Some(false),
        status: "enabled".to_owned(),
        source_key: source,
        ..Identity::default()
    });
    let permissions = inner.get("permissions").and_then(Value::as_array);
    for (place, permission) in permissions.into_iter().flatten().enumerate() {
        for (plane, allowed, excluded) in
            [("actions", "/actions", "/notActions"), ("data", "/dataActions", "/notDataActions")]
        {
            let statements = statements(&strings(permission, allowed), &strings(permission, excluded));
            for (part, (actions, not_actions, conditions)) in statements.into_iter().enumerate() {
                let statement = format!("{place}:{plane}:{part}");
                evidence.grants.push(Grant {
                    grant_key: Key::of("grant", &[&key.to_string(), "role", &statement]),
                    identity_key: key,
                    platform: "azure".to_owned(),
                    policy_kind: "role".to_owned(),
                    policy: id.clone(),
                    statement,
                    effect: "allow".to_owned(),
                    actions,
                    not_actions,
                    resources: vec!["*".to_owned()],
                    conditions,
                    understood: true,
                    source_key: source,
                    ..Grant::default()
                });
            }
        }
    }
    Some(())
}

/// Actions, whether they are all but these, and a condition.
type Statement = (Vec<String>, bool, Option<String>);

/// Everything but some is exactly that; of other patterns those that may overlap an exclusion
/// are conditional, the rest is not.
fn statements(allowed: &[String], excluded: &[String]) -> Vec<Statement> {
    if allowed.is_empty() {
        return Vec::new();
    }
    if excluded.is_empty() {
        return vec![(allowed.to_vec(), false, None)];
    }
    if allowed == ["*"] {
        return vec![(excluded.to_vec(), true, None)];
    }
    let (unsure, sure): (Vec<String>, Vec<String>) =
        allowed.iter().cloned().partition(|action| excluded.iter().any(|other| may_overlap(action, other)));
    let without = json!({ "notActions": excluded }).to_string();
    let statement =
        |actions: Vec<String>, conditions| (!actions.is_empty()).then_some((actions, false, conditions));
    [statement(sure, None), statement(unsure, Some(without))].into_iter().flatten().collect()
}

/// Whether two patterns may match the same action: what stands before their first wildcard
/// does not tell them apart.
fn may_overlap(one: &str, other: &str) -> bool {
    let fixed = |pattern: &str| {
        let lower = pattern.to_ascii_lowercase();
        let start = lower.split('*').next().unwrap_or_default().to_owned();
        (start, lower.contains('*'))
    };
    match (fixed(one), fixed(other)) {
        ((one, false), (other, false)) => one == other,
        ((one, _), (other, _)) => one.starts_with(&other) || other.starts_with(&one),
    }
}

fn assignment(item: &Value, source: Key, evidence: &mut Evidence) -> Option<()> {
    let inner = properties(item);
    let object = text(inner, "/principalId")?;
    let scope = text(inner, "/scope")?;
    let id = ends_with_guid(&text(inner, "/roleDefinitionId")?)?;
    let named = text(inner, "/roleDefinitionName").filter(|name| !name.is_empty());
    let role = named.unwrap_or_else(|| id.clone());
    let kind = text(inner, "/principalType").unwrap_or_default();
    let row = principal(&kind, &object, text(inner, "/principalName").as_deref(), source);
    let key = row.identity_key;
    evidence.identities.push(row);
    let condition = text(inner, "/condition").filter(|condition| !condition.is_empty());
    evidence.grants.push(Grant {
        grant_key: Key::of(
            "grant",
            &[&identity_key("azure", &object).to_string(), "permission", &id, &scope],
        ),
        identity_key: key,
        platform: "azure".to_owned(),
        policy_kind: "permission".to_owned(),
        policy: role.clone(),
        statement: id,
        effect: "allow".to_owned(),
        actions: vec![role],
        resources: below(&scope),
        conditions: condition.map(|expression| json!({ "expression": expression }).to_string()),
        // Linking knows what the role contains, if a file says it.
        understood: false,
        source_key: source,
        ..Grant::default()
    });
    Some(())
}

/// A scope and all below it.
fn below(scope: &str) -> Vec<String> {
    match scope.trim_end_matches('/') {
        "" => vec!["*".to_owned()],
        scope => vec![scope.to_owned(), format!("{scope}/*")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
    const APP: &str = "11111111-2222-3333-4444-555555555555";
    const OBJECT: &str = "aaaaaaaa-2222-3333-4444-555555555555";

    fn read(value: &Value) -> Evidence {
        let kind = recognise(value).unwrap().kind;
        import(kind, &Document { path: "a.json", source_key: Key::default(), part: 0, bytes: b"" }, value)
    }

    #[test]
    fn exclusions_are_taken_away_as_exactly_as_patterns_tell() {
        let list =
            |actions: &[&str]| -> Vec<String> { actions.iter().map(|action| (*action).to_owned()).collect() };
        assert_eq!(
            statements(&list(&["*"]), &list(&["Microsoft.Authorization/*/Write"])),
            [(list(&["Microsoft.Authorization/*/Write"]), true, None)]
        );
        let found = statements(
            &list(&["Microsoft.Sql/servers/*", "Microsoft.Insights/alertRules/*"]),
            &list(&["Microsoft.Sql/servers/delete"]),
        );
        let sure: Vec<_> =
            found.iter().map(|(actions, _, condition)| (actions.len(), condition.is_none())).collect();
        assert_eq!(sure, [(1, true), (1, false)]);
        assert!(!may_overlap("Microsoft.Web/sites/read", "Microsoft.Web/sites/readall"));
    }

    #[test]
    fn assignments_name_principals_as_the_command_line_and_the_api_do() {
        let by_cli = read(
            &json!([{"id": "/subscriptions/s/providers/Microsoft.Authorization/roleAssignments/x", "principalId": OBJECT, "principalName": APP,
            "principalType": "ServicePrincipal", "roleDefinitionId": format!("/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{OWNER}"),
            "roleDefinitionName": "Owner", "scope": "/subscriptions/s", "condition": null}]),
        );
        assert_eq!(by_cli.grants[0].identity_key, identity_key("azure", APP));
        assert_eq!(by_cli.grants[0].resources, ["/subscriptions/s", "/subscriptions/s/*"]);
        let by_api = read(
            &json!({"value": [{"properties": {"principalId": OBJECT, "principalType": "ServicePrincipal",
            "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{OWNER}"), "scope": "/", "condition": "@Resource[x] StringEquals 'y'"}}]}),
        );
        let grant = &by_api.grants[0];
        assert_eq!(grant.identity_key, identity_key("azure", OBJECT));
        assert_eq!(
            (grant.policy.as_str(), grant.resources[0].as_str(), grant.conditions.is_some()),
            (OWNER, "*", true)
        );
        assert!(!grant.understood);
    }

    #[test]
    fn a_definition_has_statements_for_control_and_data() {
        let evidence = read(&json!([{"name": OWNER, "roleName": "Half", "roleType": "CustomRole",
            "permissions": [{"actions": ["*/read"], "notActions": [], "dataActions": ["Microsoft.KeyVault/vaults/secrets/*"], "notDataActions": []}]}, {"roleName": "x"}]));
        let parts: Vec<_> = evidence.grants.iter().map(|grant| grant.statement.as_str()).collect();
        assert_eq!(parts, ["0:actions:0", "0:data:0"]);
        assert_eq!(evidence.problems.len(), 1);
    }
}
