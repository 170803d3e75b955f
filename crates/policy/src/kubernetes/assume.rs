//! Who runs as a service account, and which cloud identity the account can become.

use super::PLATFORM;
use crate::Decision;
use crate::assume::AssumeEdge;
use crate::pattern::matches_wildcards;
use leakgraph_model::Key;
use leakgraph_model::tables::{Identity, Trust};
use std::collections::{HashMap, HashSet};

/// Edges of trusts that name workloads or service accounts.
///
/// A cloud identity whose own trust statements are known and admit the account's subject
/// surely trusts it if the account is annotated with it. Without the annotation it perhaps
/// does: pods can ask for tokens of any audience, but the issuer may be another cluster.
pub(crate) fn assume_edges(identities: &[Identity], trusts: &[Trust]) -> Vec<AssumeEdge> {
    let by_key: HashMap<Key, &Identity> = identities.iter().map(|row| (row.identity_key, row)).collect();
    let admits: Vec<&Trust> = trusts
        .iter()
        .filter(|trust| trust.principal_kind == "federated" && trust.effect == "allow")
        .filter(|trust| trust.subjects.iter().any(|subject| subject.starts_with("system:serviceaccount:")))
        .collect();
    let mut edges: Vec<AssumeEdge> = trusts
        .iter()
        .filter_map(|trust| {
            let target = *by_key.get(&trust.identity_key)?;
            match trust.principal_kind.as_str() {
                "workload" if target.platform == PLATFORM => workload(trust, target),
                "service_account" => Some(annotated(trust, &admits)),
                _ => None,
            }
        })
        .collect();
    let annotated: HashSet<(Option<Key>, Key)> =
        edges.iter().map(|edge| (edge.source, edge.target)).collect();
    for trust in admits.iter().filter(|trust| by_key.contains_key(&trust.identity_key)) {
        let accounts = identities.iter().filter(|row| {
            row.platform == PLATFORM && row.kind == "service_account" && is_admitted(trust, &row.native_id)
        });
        edges.extend(
            accounts
                .filter(|row| !annotated.contains(&(Some(row.identity_key), trust.identity_key)))
                .map(|row| federated(trust, Some(row.identity_key), &row.native_id, Decision::May)),
        );
    }
    edges
}

/// A pod holds the account's token, unless the account keeps it back.
fn workload(trust: &Trust, account: &Identity) -> Option<AssumeEdge> {
    let asks = trust.actions.iter().any(|action| action == "mount");
    let keeps = account.tags.iter().any(|tag| tag == "automountServiceAccountToken=false");
    // Of an account that is only mentioned nobody knows whether it does.
    let decision = match (asks, keeps, account.status == "unknown") {
        (true, ..) | (false, false, false) => Decision::Yes,
        (false, true, _) => return None,
        (false, false, true) => Decision::May,
    };
    Some(AssumeEdge {
        source: trust.principal_key,
        source_principal: trust.principal.clone(),
        target: trust.identity_key,
        decision,
        identity_checked: false,
        scope_checked: false,
        freshness_checked: false,
        assumed: decision == Decision::May,
        trust_key: trust.trust_key,
    })
}

fn annotated(trust: &Trust, admits: &[&Trust]) -> AssumeEdge {
    let both_agree = admits
        .iter()
        .any(|other| other.identity_key == trust.identity_key && is_admitted(other, &trust.principal));
    let decision = if both_agree { Decision::Yes } else { Decision::May };
    federated(trust, trust.principal_key, &trust.principal, decision)
}

fn federated(trust: &Trust, source: Option<Key>, principal: &str, decision: Decision) -> AssumeEdge {
    AssumeEdge {
        source,
        source_principal: principal.to_owned(),
        target: trust.identity_key,
        decision,
        // The subject names one account, the audience one cloud.
        identity_checked: true,
        scope_checked: false,
        freshness_checked: false,
        assumed: decision == Decision::May,
        trust_key: trust.trust_key,
    }
}

fn is_admitted(trust: &Trust, subject: &str) -> bool {
    trust.subjects.iter().any(|pattern| matches_wildcards(pattern, subject))
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakgraph_model::tables::identity_key;

    const ROLE: &str = "arn:aws:iam::123456789012:role/app";
    const ACCOUNT: &str = "system:serviceaccount:shop:app";

    fn identity(platform: &str, kind: &str, id: &str) -> Identity {
        Identity {
            identity_key: identity_key(platform, id),
            platform: platform.to_owned(),
            kind: kind.to_owned(),
            native_id: id.to_owned(),
            status: "enabled".to_owned(),
            ..Identity::default()
        }
    }

    fn trust(kind: &str, principal: &str, target: Key, action: &str) -> Trust {
        Trust {
            identity_key: target,
            principal_kind: kind.to_owned(),
            principal: principal.to_owned(),
            principal_key: Some(identity_key("kubernetes", principal)),
            effect: "allow".to_owned(),
            actions: vec![action.to_owned()],
            ..Trust::default()
        }
    }

    #[test]
    fn annotation_and_trust_policy_together_are_sure() {
        let role = identity("aws", "role", ROLE);
        let account = identity("kubernetes", "service_account", ACCOUNT);
        let annotation =
            trust("service_account", ACCOUNT, role.identity_key, "sts:AssumeRoleWithWebIdentity");
        let mut policy = trust("federated", "oidc-provider/x", role.identity_key, "");
        policy.subjects = vec!["system:serviceaccount:shop:*".to_owned()];
        let decisions = |trusts: &[Trust]| -> Vec<_> {
            let edges = assume_edges(&[role.clone(), account.clone()], trusts);
            edges.into_iter().map(|edge| (edge.source == Some(account.identity_key), edge.decision)).collect()
        };
        assert_eq!(decisions(std::slice::from_ref(&annotation)), [(true, Decision::May)]);
        assert_eq!(decisions(std::slice::from_ref(&policy)), [(true, Decision::May)]);
        assert_eq!(decisions(&[annotation, policy]), [(true, Decision::Yes)]);
    }

    #[test]
    fn accounts_may_keep_their_tokens_from_pods() {
        let mut account = identity("kubernetes", "service_account", ACCOUNT);
        let decision = |account: &Identity, action: &str| {
            let trust = trust("workload", "Pod/shop/web", account.identity_key, action);
            assume_edges(std::slice::from_ref(account), &[trust]).first().map(|edge| edge.decision)
        };
        assert_eq!(decision(&account, "automount"), Some(Decision::Yes));
        account.tags = vec!["automountServiceAccountToken=false".to_owned()];
        assert_eq!(decision(&account, "automount"), None);
        assert_eq!(decision(&account, "mount"), Some(Decision::Yes));
    }
}
