//! Policies that one thing holds for others: control policies of accounts for the identities in
//! them, and what roles of Google Cloud and Azure and policies of Vault contain for those they
//! are granted to.

use crate::identity::{ACTING, subjects};
use leakgraph_model::tables::{Grant, Identity, Trust, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

pub(super) fn link(evidence: &mut Evidence) {
    control_policies(evidence);
    objects(evidence);
    impersonation(evidence);
    roles(evidence);
}

/// A role with which one acts as service accounts, granted on a project, is a trust of each
/// service account there (IAM, "Roles for service account authentication").
fn impersonation(evidence: &mut Evidence) {
    const PROJECT: &str = "//cloudresourcemanager.googleapis.com/projects/";
    let mut known: HashSet<Key> = evidence.trusts.iter().map(|trust| trust.trust_key).collect();
    let mut accounts: HashMap<&str, Vec<&Identity>> = HashMap::new();
    for identity in
        evidence.identities.iter().filter(|row| row.platform == "gcp" && row.kind == "service_account")
    {
        if let Some(project) = identity.account.as_deref() {
            accounts.entry(project).or_default().push(identity);
        }
    }
    let holders: HashMap<Key, &Identity> =
        evidence.identities.iter().map(|row| (row.identity_key, row)).collect();
    let mut trusts = Vec::new();
    for grant in evidence.grants.iter().filter(|grant| grant.platform == "gcp") {
        let Some((_, action)) = ACTING.iter().find(|(role, _)| *role == grant.policy) else { continue };
        let project = grant.resources.first().and_then(|resource| resource.strip_prefix(PROJECT));
        let (Some(project), Some(holder)) = (project, holders.get(&grant.identity_key)) else { continue };
        for account in accounts.get(project).into_iter().flatten() {
            let parts = [account.identity_key.to_string(), grant.grant_key.to_string()];
            let trust_key = Key::of("trust", &parts.each_ref().map(String::as_str));
            if account.identity_key != grant.identity_key && known.insert(trust_key) {
                trusts.push(Trust {
                    trust_key,
                    identity_key: account.identity_key,
                    conditions: grant.conditions.clone(),
                    source_key: grant.source_key,
                    ..acting(holder, action)
                });
            }
        }
    }
    evidence.trusts.append(&mut trusts);
}

fn acting(holder: &Identity, action: &str) -> Trust {
    let (principal_kind, principal_key) = match holder.kind.as_str() {
        "public" => ("any", None),
        "federated_principal" | "federated_principals" => ("federated", None),
        _ => ("identity", Some(holder.identity_key)),
    };
    Trust {
        principal_kind: principal_kind.to_owned(),
        principal: holder.native_id.clone(),
        principal_key,
        effect: "allow".to_owned(),
        actions: vec![action.to_owned()],
        subjects: if principal_kind == "federated" { subjects(&holder.native_id) } else { Vec::new() },
        ..Trust::default()
    }
}

/// Entra names principals by the id of their object where it does not say their application,
/// Google Cloud service accounts by their number: one identity has one row, by its natural id.
fn objects(evidence: &mut Evidence) {
    let mut known: HashMap<Key, Key> = HashMap::new();
    let has_other_id = |row: &&Identity| matches!(row.platform.as_str(), "azure" | "gcp");
    for identity in evidence.identities.iter().filter(has_other_id) {
        let of_application = identity.tags.iter().find_map(|tag| tag.strip_prefix("application_object="));
        for object in identity.unique_id.as_deref().into_iter().chain(of_application) {
            if object != identity.native_id {
                known.insert(identity_key(&identity.platform, object), identity.identity_key);
            }
        }
    }
    evidence.identities.retain(|identity| !known.contains_key(&identity.identity_key));
    let rename = |key: &mut Key| *key = known.get(key).copied().unwrap_or(*key);
    evidence.grants.iter_mut().for_each(|grant| rename(&mut grant.identity_key));
    evidence.trusts.iter_mut().for_each(|trust| rename(&mut trust.identity_key));
}

/// Service control policies bind all identities of an account but service-linked roles
/// (AWS Organizations user guide, "Service control policies").
fn control_policies(evidence: &mut Evidence) {
    let mut known: HashSet<Key> = evidence.grants.iter().map(|grant| grant.grant_key).collect();
    let accounts: HashMap<Key, &str> = evidence
        .identities
        .iter()
        .filter(|identity| identity.platform == "aws" && identity.kind == "account")
        .filter_map(|identity| Some((identity.identity_key, identity.account.as_deref()?)))
        .collect();
    let mut held: HashMap<&str, Vec<&Grant>> = HashMap::new();
    for grant in &evidence.grants {
        if let Some(account) = accounts.get(&grant.identity_key) {
            held.entry(account).or_default().push(grant);
        }
    }
    let mut copies = Vec::new();
    for identity in evidence.identities.iter().filter(|identity| identity.platform == "aws") {
        if matches!(identity.kind.as_str(), "account" | "group" | "service_linked_role") {
            continue;
        }
        let Some(grants) = identity.account.as_deref().and_then(|account| held.get(account)) else {
            continue;
        };
        for grant in grants {
            let parts = [identity.identity_key.to_string(), grant.grant_key.to_string()];
            let grant_key = Key::of("grant", &parts.each_ref().map(String::as_str));
            if known.insert(grant_key) {
                let identity_key = identity.identity_key;
                copies.push(Grant { grant_key, identity_key, ..(*grant).clone() });
            }
        }
    }
    evidence.grants.append(&mut copies);
}

/// Key of what a role contains.
pub(crate) fn role_key(platform: &str, role: &str) -> Key {
    identity_key(platform, &format!("role:{}", role.to_ascii_lowercase()))
}

/// Grants that name a role, by the statements of the role. What a role contains that no file
/// defines stays unknown.
fn roles(evidence: &mut Evidence) {
    let mut statements: HashMap<Key, Vec<Grant>> = HashMap::new();
    // What roles of Kubernetes hold, bindings say.
    let is_held = |grant: &&Grant| grant.policy_kind == "role" && grant.platform != "kubernetes";
    for grant in evidence.grants.iter().filter(is_held) {
        statements.entry(grant.identity_key).or_default().push(grant.clone());
    }
    if statements.is_empty() {
        return;
    }
    // Assignments in Azure name a role by its name, too.
    for role in
        evidence.identities.iter().filter(|row| row.platform == "azure" && row.kind == "role_definition")
    {
        if let Some(own) = statements.get(&role.identity_key).cloned() {
            statements.entry(role_key("azure", &role.name)).or_insert(own);
        }
    }
    // Several files may define the same role.
    for list in statements.values_mut() {
        list.sort_by_key(|grant| grant.grant_key);
        list.dedup_by_key(|grant| grant.grant_key);
    }
    evidence.grants = std::mem::take(&mut evidence.grants)
        .into_iter()
        .flat_map(|grant| {
            let names_role = grant.policy_kind == "permission" && grant.actions == [grant.policy.as_str()];
            match statements.get(&role_key(&grant.platform, &grant.policy)).filter(|_| names_role) {
                Some(statements) => statements.iter().map(|own| contained(&grant, own)).collect(),
                None => vec![grant],
            }
        })
        .collect();
}

/// One statement of a role, as the grant of it gives it.
fn contained(grant: &Grant, own: &Grant) -> Grant {
    let parts = [grant.grant_key.to_string(), own.grant_key.to_string()];
    Grant {
        grant_key: Key::of("grant", &parts.each_ref().map(String::as_str)),
        statement: own.statement.clone(),
        effect: own.effect.clone(),
        // Policies of Vault name paths themselves.
        resources: if grant.resources == ["*"] { own.resources.clone() } else { grant.resources.clone() },
        actions: own.actions.clone(),
        not_actions: own.not_actions,
        conditions: both(grant.conditions.as_deref(), own.conditions.as_deref()),
        understood: own.understood,
        ..grant.clone()
    }
}

fn both(one: Option<&str>, other: Option<&str>) -> Option<String> {
    match (one, other) {
        (Some(one), Some(other)) => {
            let value = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!(text));
            Some(json!([value(one), value(other)]).to_string())
        }
        (one, other) => one.or(other).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(kind: &str, native_id: &str, account: &str) -> Identity {
        Identity {
            identity_key: identity_key("aws", native_id),
            platform: "aws".to_owned(),
            kind: kind.to_owned(),
            native_id: native_id.to_owned(),
            account: Some(account.to_owned()),
            ..Identity::default()
        }
    }

    #[test]
    fn control_policies_reach_the_identities_of_their_account_once() {
        let role = identity("role", "arn:aws:iam::1:role/a", "1");
        let grant = Grant {
            grant_key: Key::of("grant", &["scp"]),
            identity_key: identity_key("aws", "account:1"),
            policy_kind: "scp".to_owned(),
            level: Some("r-ab".to_owned()),
            ..Grant::default()
        };
        let mut evidence = Evidence {
            identities: vec![
                identity("account", "account:1", "1"),
                role.clone(),
                identity("service_linked_role", "arn:aws:iam::1:role/aws-service-role/b", "1"),
                identity("role", "arn:aws:iam::2:role/c", "2"),
            ],
            grants: vec![grant],
            ..Evidence::default()
        };
        link(&mut evidence);
        link(&mut evidence);
        let bound: Vec<_> = evidence.grants.iter().skip(1).map(|grant| grant.identity_key).collect();
        assert_eq!(bound, [role.identity_key]);
        assert_eq!(evidence.grants[1].level.as_deref(), Some("r-ab"));
    }

    #[test]
    fn a_grant_of_a_role_is_what_the_role_contains() {
        let own = |ordinal: &str, actions: &[&str]| Grant {
            grant_key: Key::of("grant", &[ordinal]),
            identity_key: role_key("gcp", "roles/Viewer"),
            platform: "gcp".to_owned(),
            policy_kind: "role".to_owned(),
            statement: ordinal.to_owned(),
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            understood: true,
            ..Grant::default()
        };
        let granted = |role: &str| Grant {
            grant_key: Key::of("grant", &[role]),
            platform: "gcp".to_owned(),
            policy_kind: "permission".to_owned(),
            policy: role.to_owned(),
            actions: vec![role.to_owned()],
            conditions: Some("{\"expression\":\"x\"}".to_owned()),
            ..Grant::default()
        };
        let mut evidence = Evidence {
            grants: vec![
                own("0", &["a.get"]),
                own("1", &["a.list"]),
                granted("roles/viewer"),
                granted("roles/other"),
            ],
            ..Evidence::default()
        };
        link(&mut evidence);
        let found: Vec<_> = evidence
            .grants
            .iter()
            .filter(|grant| grant.policy_kind == "permission")
            .map(|grant| (grant.actions[0].as_str(), grant.understood, grant.conditions.is_some()))
            .collect();
        assert_eq!(found, [("a.get", true, true), ("a.list", true, true), ("roles/other", false, true)]);
    }
}
