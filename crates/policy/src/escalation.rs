//! Escalation primitives: sets of actions with which one identity gains the power of
//! another (`datasets/catalogs/aws-escalations.toml`; clusters: `kubernetes::escalation`).

use crate::Decision;
use crate::catalog::Catalog;
use crate::effective::Effective;
use crate::kubernetes;
use leakgraph_model::Key;
use leakgraph_model::tables::{Grant, Identity, Trust};
use rayon::prelude::*;
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::OnceLock;

const DATA: &str = include_str!("../../../datasets/catalogs/aws-escalations.toml");

/// A way up that an identity has.
#[derive(Clone, Debug)]
pub struct Escalation {
    /// Who.
    pub identity_key: Key,
    /// Id of the primitive.
    pub primitive: String,
    /// Actions it uses.
    pub actions: Vec<String>,
    /// Whom it becomes; `None` for the account's administrator.
    pub target: Option<Key>,
    /// Whether it surely can.
    pub decision: Decision,
}

#[derive(Deserialize)]
struct Primitives {
    primitive: Vec<Primitive>,
}

#[derive(Deserialize)]
struct Primitive {
    id: String,
    kind: Kind,
    actions: Vec<String>,
    #[serde(skip)]
    ids: Vec<u32>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// Raises the identity's own permissions.
    #[serde(rename = "self")]
    Itself,
    /// Runs code as a role it passes to a new resource.
    Passrole,
    /// Runs code as the role of a resource that is already there.
    Existing,
    /// Acts as another principal (keys, passwords, trust policies).
    Assume,
}

fn primitives() -> &'static [Primitive] {
    static PRIMITIVES: OnceLock<Vec<Primitive>> = OnceLock::new();
    PRIMITIVES.get_or_init(|| {
        let data: Primitives = toml::from_str(DATA).expect("the embedded catalog is valid: a test reads it");
        let catalog = Catalog::get();
        data.primitive
            .into_iter()
            .filter_map(|mut primitive| {
                // A primitive whose actions the action catalog does not know cannot be judged.
                primitive.ids =
                    primitive.actions.iter().map(|action| catalog.id(action)).collect::<Option<_>>()?;
                (!primitive.ids.is_empty()).then_some(primitive)
            })
            .collect()
    })
}

/// The primitives each identity satisfies. Where all that one needs is sts:AssumeRole, it is
/// judged against trust policies instead, as an edge of [`crate::assume_edges`].
///
/// AWS: `target` is `None` throughout: a passed role, a stolen key or a rewritten policy can
/// be that of the account's administrator unless the resource pattern excludes it, which
/// breadth and [must, may] express; [`Decision::May`] where the reach is narrowed
/// (scoped resources, conditions, a primitive that needs an existing resource). Kubernetes:
/// `target` is the service account or user, `None` for the cluster's administrator.
pub fn escalations(
    effective: &[Effective],
    identities: &[Identity],
    grants: &[Grant],
    trusts: &[Trust],
) -> Vec<Escalation> {
    let aws: HashSet<Key> = identities
        .iter()
        .filter(|identity| identity.platform == "aws")
        .map(|identity| identity.identity_key)
        .collect();
    let allows = || trusts.iter().filter(|trust| trust.effect == "allow");
    let roles = Roles {
        has_passable: allows().any(|trust| trust.principal_kind == "service"),
        has_assumable: allows().any(|trust| matches!(trust.principal_kind.as_str(), "aws" | "any")),
        trusting: allows().filter_map(|trust| trust.principal_key).collect(),
    };
    let mut found: Vec<Escalation> = effective
        .par_iter()
        .filter(|effective| aws.contains(&effective.identity_key))
        .flat_map_iter(|effective| of_identity(effective, &roles))
        .collect();
    found.extend(kubernetes::escalations(identities, grants, trusts));
    found
}

const ASSUME: &str = "sts:AssumeRole";

/// What the trust policies of all roles offer.
struct Roles {
    /// One trusts a service.
    has_passable: bool,
    /// One trusts principals of AWS.
    has_assumable: bool,
    /// Whom one trusts by ARN: these need no policy to become it.
    trusting: HashSet<Key>,
}

fn of_identity(effective: &Effective, roles: &Roles) -> Vec<Escalation> {
    let is_trusted = roles.trusting.contains(&effective.identity_key);
    primitives()
        .iter()
        .filter(|primitive| primitive.actions != [ASSUME])
        .filter_map(|primitive| {
            let assumes = primitive.actions.iter().any(|action| action == ASSUME);
            let needed = || {
                let ids = primitive.actions.iter().zip(&primitive.ids);
                ids.filter(|(action, _)| !(is_trusted && *action == ASSUME)).map(|(_, id)| *id)
            };
            if !needed().all(|id| effective.may.contains(id)) {
                return None;
            }
            let is_sure = needed().all(|id| effective.must.contains(id));
            let is_broad =
                needed().all(|id| effective.breadth.get(&id).is_none_or(|breadth| *breadth >= 0.8));
            let is_ready = match primitive.kind {
                Kind::Assume if assumes => roles.has_assumable,
                Kind::Itself | Kind::Assume => true,
                Kind::Passrole => roles.has_passable,
                Kind::Existing => false,
            };
            Some(Escalation {
                identity_key: effective.identity_key,
                primitive: primitive.id.clone(),
                actions: primitive.actions.clone(),
                target: None,
                decision: if is_sure && is_broad && is_ready { Decision::Yes } else { Decision::May },
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_primitives_are_known_to_the_action_catalog() {
        let all: Primitives = toml::from_str(DATA).unwrap();
        assert_eq!((primitives().len(), all.primitive.len()), (67, 67));
    }

    #[test]
    fn an_administrator_satisfies_all_a_reader_none() {
        let identity =
            Identity { platform: "aws".to_owned(), kind: "role".to_owned(), ..Identity::default() };
        let with = |action: &str| {
            let grant = Grant {
                platform: "aws".to_owned(),
                policy_kind: "identity".to_owned(),
                effect: "allow".to_owned(),
                actions: vec![action.to_owned()],
                resources: vec!["*".to_owned()],
                understood: true,
                ..Grant::default()
            };
            let effective = crate::effective(std::slice::from_ref(&identity), std::slice::from_ref(&grant));
            escalations(&effective, std::slice::from_ref(&identity), &[grant], &[])
        };
        assert!(
            with("*").len() > 50 && with("*").iter().any(|escalation| escalation.decision == Decision::Yes)
        );
        assert!(with("s3:Get*").is_empty());
        assert!(
            with("iam:CreatePolicyVersion").iter().all(|escalation| escalation.decision == Decision::Yes)
        );
    }
}
