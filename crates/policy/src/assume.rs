//! Who can become whom: trust policies against identity policies.

use crate::Decision;
use crate::answer::can;
use leakgraph_model::Key;
use leakgraph_model::tables::{Grant, Identity, Trust};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// One way to become an identity.
#[derive(Clone, Debug)]
pub struct AssumeEdge {
    /// Who can, if it is in the inventory.
    pub source: Option<Key>,
    /// Who can: ARN, `oidc:<provider>:<sub pattern>`, `service:<name>`, `account:<id>` or `*`.
    pub source_principal: String,
    /// Who it becomes.
    pub target: Key,
    /// Whether it surely can.
    pub decision: Decision,
    /// The caller's identity is checked anew (OIDC subject bound to a repository, external id).
    pub identity_checked: bool,
    /// The scope is checked anew (subject bound to a ref or an environment).
    pub scope_checked: bool,
    /// The age of the evidence is checked (tokens that live an hour at most).
    pub freshness_checked: bool,
    /// Conditions could not be evaluated.
    pub assumed: bool,
    /// The trust statement.
    pub trust_key: Key,
}

/// All ways to become an identity that trust statements allow.
///
/// A principal named by ARN in the role's own account needs no policy of its own;
/// account roots delegate to the identities of that account whose policies allow it.
pub fn assume_edges(identities: &[Identity], grants: &[Grant], trusts: &[Trust]) -> Vec<AssumeEdge> {
    let by_key: HashMap<Key, &Identity> =
        identities.iter().map(|identity| (identity.identity_key, identity)).collect();
    let mut by_account: BTreeMap<&str, Vec<&Identity>> = BTreeMap::new();
    for identity in
        identities.iter().filter(|identity| identity.platform == "aws" && identity.kind != "group")
    {
        by_account.entry(identity.account.as_deref().unwrap_or("")).or_default().push(identity);
    }
    // Only holders of an sts:AssumeRole grant can use a delegation to their account.
    let mut assuming: HashMap<Key, Vec<Grant>> = HashMap::new();
    for grant in grants.iter().filter(|grant| grant.platform == "aws") {
        assuming.entry(grant.identity_key).or_default().push(grant.clone());
    }
    assuming.retain(|_, grants| grants.iter().any(|grant| grant.effect == "allow" && may_assume(grant)));
    let denied: std::collections::HashSet<Key> = trusts
        .iter()
        .filter(|trust| trust.effect == "deny" && trust.principal_kind == "any")
        .map(|trust| trust.identity_key)
        .collect();
    trusts
        .par_iter()
        .filter(|trust| trust.effect == "allow" && !denied.contains(&trust.identity_key))
        .filter_map(|trust| Some((trust, *by_key.get(&trust.identity_key)?)))
        .flat_map_iter(|(trust, role)| edges(trust, role, &by_account, &assuming))
        .collect()
}

fn may_assume(grant: &Grant) -> bool {
    grant.not_actions
        || grant.actions.iter().any(|action| {
            let action = action.to_ascii_lowercase();
            action == "*" || action.starts_with("sts:")
        })
}

fn edges(
    trust: &Trust,
    role: &Identity,
    by_account: &BTreeMap<&str, Vec<&Identity>>,
    assuming: &HashMap<Key, Vec<Grant>>,
) -> Vec<AssumeEdge> {
    let conditional = trust.conditions.is_some();
    let base = AssumeEdge {
        source: None,
        source_principal: trust.principal.clone(),
        target: role.identity_key,
        decision: if conditional { Decision::May } else { Decision::Yes },
        identity_checked: trust
            .conditions
            .as_deref()
            .is_some_and(|text| text.to_ascii_lowercase().contains("sts:externalid")),
        scope_checked: false,
        freshness_checked: false,
        assumed: conditional,
        trust_key: trust.trust_key,
    };
    match trust.principal_kind.as_str() {
        "federated" => federated(trust, base),
        "service" => vec![AssumeEdge { source_principal: format!("service:{}", trust.principal), ..base }],
        "any" => vec![base],
        "aws" => match account_root(&trust.principal) {
            Some(account) => delegated(account, role, by_account, assuming, &base),
            None => vec![AssumeEdge { source: trust.principal_key, ..base }],
        },
        _ => Vec::new(),
    }
}

/// The account of a root principal (`arn:aws:iam::1:root` or a bare number).
fn account_root(principal: &str) -> Option<&str> {
    if principal.len() == 12 && principal.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(principal);
    }
    principal.ends_with(":root").then(|| principal.split(':').nth(4)).flatten()
}

fn delegated(
    account: &str,
    role: &Identity,
    by_account: &BTreeMap<&str, Vec<&Identity>>,
    assuming: &HashMap<Key, Vec<Grant>>,
    base: &AssumeEdge,
) -> Vec<AssumeEdge> {
    let Some(members) = by_account.get(account) else {
        return vec![AssumeEdge { source_principal: format!("account:{account}"), ..base.clone() }];
    };
    members
        .iter()
        .filter(|member| member.identity_key != role.identity_key)
        .filter_map(|member| {
            let grants = assuming.get(&member.identity_key)?;
            let answer = can(member.identity_key, grants, "sts:AssumeRole", &role.native_id);
            let decision = answer.decision.min(base.decision);
            (decision > Decision::No).then(|| AssumeEdge {
                source: Some(member.identity_key),
                source_principal: member.native_id.clone(),
                decision,
                assumed: base.assumed || answer.decision == Decision::May,
                ..base.clone()
            })
        })
        .collect()
}

/// OIDC federation: what the `sub` patterns pin.
fn federated(trust: &Trust, base: AssumeEdge) -> Vec<AssumeEdge> {
    let provider = trust.principal.rsplit("oidc-provider/").next().unwrap_or(&trust.principal);
    if !trust.principal.contains("oidc-provider/") {
        return vec![AssumeEdge { source_principal: format!("federated:{}", trust.principal), ..base }];
    }
    let has_audience = trust.conditions.as_deref().is_some_and(|text| text.contains(":aud"));
    let patterns: Vec<&str> = if trust.subjects.is_empty() {
        vec!["*"]
    } else {
        trust.subjects.iter().map(String::as_str).collect()
    };
    patterns
        .into_iter()
        .map(|pattern| {
            let (repo, rest) = split_subject(pattern);
            let pins_repo = repo.is_some_and(|repo| !repo.contains(['*', '?']));
            let pins_scope = pins_repo && rest.is_some_and(|rest| !rest.starts_with('*'));
            AssumeEdge {
                source_principal: format!("oidc:{provider}:{pattern}"),
                identity_checked: has_audience && pins_repo,
                scope_checked: pins_scope,
                // Web-identity sessions are asked for with a token that lives minutes.
                freshness_checked: true,
                assumed: false,
                decision: Decision::Yes,
                ..base.clone()
            }
        })
        .collect()
}

/// `repo:o/r:ref:refs/heads/main` in repository and rest.
fn split_subject(pattern: &str) -> (Option<&str>, Option<&str>) {
    let Some(rest) = pattern.strip_prefix("repo:") else { return (None, None) };
    match rest.split_once(':') {
        Some((repo, rest)) => (Some(repo), Some(rest)),
        None => (Some(rest), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakgraph_model::tables::identity_key;

    fn identity(arn: &str) -> Identity {
        Identity {
            identity_key: identity_key("aws", arn),
            platform: "aws".to_owned(),
            native_id: arn.to_owned(),
            account: Some("123456789012".to_owned()),
            kind: "role".to_owned(),
            ..Identity::default()
        }
    }

    #[test]
    fn roots_delegate_only_to_those_who_may() {
        let [role, able, unable] = ["role/target", "role/able", "role/unable"]
            .map(|name| identity(&format!("arn:aws:iam::123456789012:{name}")));
        let grant = Grant {
            identity_key: able.identity_key,
            platform: "aws".to_owned(),
            policy_kind: "identity".to_owned(),
            effect: "allow".to_owned(),
            actions: vec!["sts:AssumeRole".to_owned()],
            resources: vec!["arn:aws:iam::123456789012:role/target".to_owned()],
            understood: true,
            ..Grant::default()
        };
        let trust = Trust {
            identity_key: role.identity_key,
            principal_kind: "aws".to_owned(),
            principal: "arn:aws:iam::123456789012:root".to_owned(),
            effect: "allow".to_owned(),
            ..Trust::default()
        };
        let edges = assume_edges(&[role, able.clone(), unable], &[grant], &[trust]);
        let sources: Vec<_> = edges.iter().map(|edge| (edge.source, edge.decision)).collect();
        assert_eq!(sources, [(Some(able.identity_key), Decision::Yes)]);
    }

    #[test]
    fn subjects_pin_repository_and_ref() {
        let role = identity("arn:aws:iam::123456789012:role/deploy");
        let trust = |subject: &str| Trust {
            identity_key: role.identity_key,
            principal_kind: "federated".to_owned(),
            principal: "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
                .to_owned(),
            effect: "allow".to_owned(),
            conditions: Some(
                "{\"StringLike\":{\"token.actions.githubusercontent.com:aud\":\"sts.amazonaws.com\"}}"
                    .to_owned(),
            ),
            subjects: vec![subject.to_owned()],
            ..Trust::default()
        };
        let checks = |subject: &str| {
            let edges = assume_edges(std::slice::from_ref(&role), &[], &[trust(subject)]);
            edges.first().map(|edge| (edge.identity_checked, edge.scope_checked))
        };
        assert_eq!(checks("repo:o/r:ref:refs/heads/main"), Some((true, true)));
        assert_eq!(checks("repo:o/r:*"), Some((true, false)));
        assert_eq!(checks("repo:o/*"), Some((false, false)));
    }
}
