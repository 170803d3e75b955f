//! Who can become whom: trust policies against identity policies.

use crate::Decision;
use crate::answer::{CEILINGS, OWN, decide, left};
use crate::condition::cannot_be_met;
use crate::pattern::matches_wildcards;
use leakgraph_model::Key;
use leakgraph_model::tables::{Grant, Identity, Trust};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};

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
/// A principal named by ARN in the role's own account needs no policy of its own, but is
/// bound by its denies, and a role by its boundary too; account roots delegate to the identities of that account whose
/// policies allow it, and principals of other accounts need such a policy always.
pub fn assume_edges(identities: &[Identity], grants: &[Grant], trusts: &[Trust]) -> Vec<AssumeEdge> {
    let inventory = Inventory::of(identities, grants, trusts);
    let mut found: Vec<AssumeEdge> = trusts
        .par_iter()
        .filter(|trust| trust.effect == "allow" && is_about_assuming(trust) && can_apply(trust))
        .filter_map(|trust| Some((trust, *inventory.by_key.get(&trust.identity_key)?)))
        .flat_map_iter(|(trust, role)| edges(trust, role, &inventory))
        .collect();
    found.extend(crate::kubernetes::assume_edges(identities, trusts));
    found
}

/// A trust whose conditions contradict each other is none.
fn can_apply(trust: &Trust) -> bool {
    !trust.conditions.as_deref().is_some_and(cannot_be_met)
}

/// What edges depend on, by key.
struct Inventory<'a> {
    by_key: HashMap<Key, &'a Identity>,
    /// Users and roles that can act, by account.
    by_account: BTreeMap<&'a str, Vec<&'a Identity>>,
    /// Those of them that a policy of their own perhaps lets assume a role.
    able: BTreeMap<&'a str, Vec<&'a Identity>>,
    /// Grants of the identities that have a statement about sts:AssumeRole, or a ceiling,
    /// which limits it by its silence.
    assuming: HashMap<Key, Vec<&'a Grant>>,
    /// Roles by account and name.
    roles: HashMap<(&'a str, &'a str), Key>,
    /// Identities whose policies are known.
    known: HashSet<Key>,
    /// Deny statements of trust policies, by role.
    denies: HashMap<Key, Vec<&'a Trust>>,
}

impl<'a> Inventory<'a> {
    fn of(identities: &'a [Identity], grants: &'a [Grant], trusts: &'a [Trust]) -> Self {
        let mut by_account: BTreeMap<&str, Vec<&Identity>> = BTreeMap::new();
        for identity in
            identities.iter().filter(|identity| identity.platform == "aws" && identity.kind != "group")
        {
            by_account.entry(identity.account.as_deref().unwrap_or("")).or_default().push(identity);
        }
        let of_aws = || grants.iter().filter(|grant| grant.platform == "aws");
        let is_ceiling = |grant: &Grant| CEILINGS.contains(&grant.policy_kind.as_str());
        let concerned: HashSet<Key> = of_aws()
            .filter(|grant| may_assume(grant) || is_ceiling(grant))
            .map(|grant| grant.identity_key)
            .collect();
        let mut assuming: HashMap<Key, Vec<&Grant>> = HashMap::new();
        for grant in of_aws().filter(|grant| concerned.contains(&grant.identity_key)) {
            assuming.entry(grant.identity_key).or_default().push(grant);
        }
        let allows = |grant: &&&Grant| {
            OWN.contains(&grant.policy_kind.as_str())
                && (grant.effect == "allow" && may_assume(grant) || !grant.understood)
        };
        let allowed: HashSet<Key> = assuming
            .iter()
            .filter(|(_, grants)| grants.iter().any(|grant| allows(&grant)))
            .map(|(key, _)| *key)
            .collect();
        let able = by_account
            .iter()
            .map(|(account, members)| {
                let members = members.iter().copied();
                (*account, members.filter(|member| allowed.contains(&member.identity_key)).collect())
            })
            .collect();
        let roles = by_account
            .values()
            .flatten()
            .filter_map(|identity| Some((role_name(&identity.native_id)?, identity.identity_key)))
            .collect();
        let mut denies: HashMap<Key, Vec<&Trust>> = HashMap::new();
        let is_deny = |trust: &&Trust| trust.effect == "deny" && is_about_assuming(trust) && can_apply(trust);
        for trust in trusts.iter().filter(is_deny) {
            denies.entry(trust.identity_key).or_default().push(trust);
        }
        Self {
            by_key: identities.iter().map(|identity| (identity.identity_key, identity)).collect(),
            by_account,
            able,
            assuming,
            roles,
            known: of_aws().map(|grant| grant.identity_key).collect(),
            denies,
        }
    }

    fn grants_of(&self, identity: Key) -> &[&'a Grant] {
        self.assuming.get(&identity).map(Vec::as_slice).unwrap_or_default()
    }

    /// The identity behind a principal that is named by ARN: of a session, its role.
    fn named(&self, trust: &Trust) -> Option<&'a Identity> {
        let by_key = trust.principal_key.and_then(|key| self.by_key.get(&key).copied());
        by_key.or_else(|| self.by_key.get(self.roles.get(&session_of(&trust.principal)?)?).copied())
    }
}

/// Account and name of a role, without its path.
fn role_name(arn: &str) -> Option<(&str, &str)> {
    let resource = arn.splitn(6, ':').nth(5)?.strip_prefix("role/")?;
    Some((arn.split(':').nth(4)?, resource.rsplit('/').next()?))
}

/// Account and role of a session, `arn:aws:sts::1:assumed-role/ROLE/SESSION`.
fn session_of(arn: &str) -> Option<(&str, &str)> {
    let resource = arn.splitn(6, ':').nth(5)?.strip_prefix("assumed-role/")?;
    Some((arn.split(':').nth(4)?, resource.split_once('/')?.0))
}

fn may_assume(grant: &Grant) -> bool {
    grant.not_actions || covers_assuming(&grant.actions, "sts:assumerole")
}

/// Whether the statement is about becoming the role, not only about tagging sessions or the like.
fn is_about_assuming(trust: &Trust) -> bool {
    !ways(trust).is_empty()
}

/// The actions with which the statement's principal becomes the role, lower-case. Platforms
/// other than AWS have trusts for nothing else.
fn ways(trust: &Trust) -> Vec<&'static str> {
    const OTHER: &str = "becomes";
    if is_of_another_platform(trust) {
        return vec![OTHER];
    }
    const ROLE: &str = "sts:assumerole";
    const WEB: &str = "sts:assumerolewithwebidentity";
    const SAML: &str = "sts:assumerolewithsaml";
    let ways: &[&str] = match trust.principal_kind.as_str() {
        "federated" if trust.principal.contains("saml-provider/") => &[SAML],
        "federated" => &[WEB],
        "any" => &[ROLE, WEB, SAML],
        _ => &[ROLE],
    };
    ways.iter().copied().filter(|way| covers_way(trust, way)).collect()
}

/// Issuers and principals of Google Cloud and Entra are URIs, auth methods of Vault are paths.
fn is_of_another_platform(trust: &Trust) -> bool {
    match trust.principal_kind.as_str() {
        "identity" | "spiffe_workload" => true,
        "federated" => trust.principal.contains("://") || trust.principal.starts_with("auth/"),
        "any" => trust.actions.iter().any(|action| action.starts_with("iam.serviceAccount")),
        _ => false,
    }
}

fn covers_way(trust: &Trust, way: &str) -> bool {
    is_of_another_platform(trust) || trust.actions.is_empty() || covers_assuming(&trust.actions, way)
}

fn covers_assuming(actions: &[String], way: &str) -> bool {
    actions.iter().any(|action| matches_wildcards(&action.to_ascii_lowercase(), way))
}

fn edges(trust: &Trust, role: &Identity, inventory: &Inventory<'_>) -> Vec<AssumeEdge> {
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
    let edges = match trust.principal_kind.as_str() {
        "federated" => federated(trust, base),
        "service" => vec![AssumeEdge { source_principal: format!("service:{}", trust.principal), ..base }],
        "any" => vec![base],
        // A reader of policies of the platform has decided already.
        "identity" => vec![AssumeEdge {
            source: trust.principal_key.filter(|key| inventory.by_key.contains_key(key)),
            ..base
        }],
        "spiffe_workload" => {
            vec![AssumeEdge { source_principal: format!("workload:{}", trust.principal), ..base }]
        }
        "aws" => match account_root(&trust.principal) {
            Some(account) => delegated(account, role, inventory, &base),
            None => named(trust, role, inventory, base).into_iter().collect(),
        },
        _ => Vec::new(),
    };
    let denies = inventory.denies.get(&role.identity_key).map(Vec::as_slice).unwrap_or_default();
    edges
        .into_iter()
        .filter_map(|edge| {
            let who = if trust.principal_kind == "aws" { &edge.source_principal } else { &trust.principal };
            let limit = left_by(denies, trust, who);
            limited(edge, limit)
        })
        .collect()
}

/// The edge, no surer than `limit`.
fn limited(edge: AssumeEdge, limit: Decision) -> Option<AssumeEdge> {
    let decision = edge.decision.min(limit);
    (decision > Decision::No).then(|| AssumeEdge {
        decision,
        assumed: edge.assumed || limit == Decision::May,
        ..edge
    })
}

/// What the deny statements of a trust policy leave to a principal of an allow statement.
fn left_by(denies: &[&Trust], trust: &Trust, principal: &str) -> Decision {
    let concerns = |deny: &&&Trust| {
        deny.principal_kind == "any"
            || deny.principal_kind == trust.principal_kind
                && (deny.principal == trust.principal
                    || deny.principal == principal
                    || names_a_session_of(deny, principal)
                    || names_a_session_of(trust, &deny.principal)
                    || account_root(&deny.principal)
                        .is_some_and(|account| principal.split(':').nth(4) == Some(account)))
    };
    let ways = ways(trust);
    let left = |deny: &&Trust| {
        let closed = ways.iter().filter(|way| covers_way(deny, way)).count();
        // Other sessions of the role are not denied.
        let is_whole = deny.principal == trust.principal || !names_a_session_of(deny, principal);
        match (closed, deny.conditions.is_none() && is_whole) {
            (0, _) => Decision::Yes,
            (closed, true) if closed == ways.len() => Decision::No,
            _ => Decision::May,
        }
    };
    denies.iter().filter(concerns).map(left).min().unwrap_or(Decision::Yes)
}

/// Whether a statement names one session of a role.
fn names_a_session_of(trust: &Trust, role: &str) -> bool {
    session_of(&trust.principal).is_some_and(|session| role_name(role) == Some(session))
}

/// A principal named by ARN: a user, a role, or one session of a role.
///
/// In the same account it needs no policy of its own. A role is limited by what its
/// permission boundary and session policies leave out, a user and a session are not: only
/// denies and the organisation's policies limit these (IAM user guide, "Policy evaluation
/// logic", on resource-based policies and implicit denies).
fn named(trust: &Trust, role: &Identity, inventory: &Inventory<'_>, base: AssumeEdge) -> Option<AssumeEdge> {
    let session = session_of(&trust.principal);
    // Whoever becomes the role chooses the session's name, who is in it cannot.
    let sure = if session.is_some() { Decision::May } else { Decision::Yes };
    let Some(source) = inventory.named(trust) else {
        let source = trust.principal_key.filter(|_| session.is_none());
        return limited(AssumeEdge { source, ..base }, sure);
    };
    let key = source.identity_key;
    let grants = inventory.grants_of(key);
    let limit = if source.account == role.account {
        let is_role = session.is_none() && source.kind != "user";
        let ceilings: &[&str] = if is_role { &CEILINGS } else { &["scp", "rcp"] };
        left(grants, ceilings, "sts:AssumeRole", &role.native_id)
    } else if inventory.known.contains(&key) {
        decide(grants, "sts:AssumeRole", &role.native_id).decision
    } else {
        Decision::May
    };
    limited(AssumeEdge { source: Some(key), ..base }, limit.min(sure))
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
    inventory: &Inventory<'_>,
    base: &AssumeEdge,
) -> Vec<AssumeEdge> {
    if !inventory.by_account.contains_key(account) {
        return vec![AssumeEdge { source_principal: format!("account:{account}"), ..base.clone() }];
    }
    inventory
        .able
        .get(account)
        .into_iter()
        .flatten()
        .filter(|member| member.identity_key != role.identity_key)
        .filter_map(|member| {
            let grants = inventory.grants_of(member.identity_key);
            let answer = decide(grants, "sts:AssumeRole", &role.native_id);
            let edge = AssumeEdge {
                source: Some(member.identity_key),
                source_principal: member.native_id.clone(),
                ..base.clone()
            };
            limited(edge, answer.decision)
        })
        .collect()
}

/// OIDC federation: what the `sub` patterns pin.
fn federated(trust: &Trust, base: AssumeEdge) -> Vec<AssumeEdge> {
    let provider = trust.principal.rsplit("oidc-provider/").next().unwrap_or(&trust.principal);
    if !trust.principal.contains("oidc-provider/") && !is_of_another_platform(trust) {
        return vec![AssumeEdge { source_principal: format!("federated:{}", trust.principal), ..base }];
    }
    // Pools of Google Cloud check the audience themselves.
    let has_audience = trust.principal.starts_with("principal")
        || trust.conditions.as_deref().is_some_and(|text| {
            [":aud", "\"audiences\"", "\"bound_audiences\""].iter().any(|name| text.contains(name))
        });
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
        let never = Some(r#"{"StringEquals":{"k":"a"},"StringNotEquals":{"k":"a"}}"#.to_owned());
        let void = Trust {
            conditions: never,
            principal: "*".to_owned(),
            principal_kind: "any".to_owned(),
            ..trust.clone()
        };
        let edges = assume_edges(&[role, able.clone(), unable], &[grant], &[trust, void]);
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
