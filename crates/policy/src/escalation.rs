//! Escalation primitives: sets of actions with which one identity gains the power of
//! another (`datasets/catalogs/{aws,platform}-escalations.toml`; clusters: `kubernetes::escalation`).

use crate::Decision;
use crate::catalog::Catalog;
use crate::effective::Effective;
use crate::kubernetes;
use leakgraph_model::Key;
use leakgraph_model::tables::{Grant, Identity, Trust};
use rayon::prelude::*;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

const AWS: &str = include_str!("../../../datasets/catalogs/aws-escalations.toml");
const OTHER: &str = include_str!("../../../datasets/catalogs/platform-escalations.toml");

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
    #[serde(default = "aws")]
    platform: String,
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

fn aws() -> String {
    "aws".to_owned()
}

/// Primitives by platform.
fn primitives() -> &'static HashMap<String, Vec<Primitive>> {
    static PRIMITIVES: OnceLock<HashMap<String, Vec<Primitive>>> = OnceLock::new();
    PRIMITIVES.get_or_init(|| {
        let catalog = Catalog::get();
        let mut by_platform: HashMap<String, Vec<Primitive>> = HashMap::new();
        for text in [AWS, OTHER] {
            let data: Primitives =
                toml::from_str(text).expect("the embedded catalogs are valid: a test reads them");
            for mut primitive in data.primitive {
                // A primitive whose actions the action catalog does not know cannot be judged.
                let ids: Option<Vec<u32>> =
                    primitive.actions.iter().map(|action| catalog.id(action)).collect();
                let Some(ids) = ids.filter(|ids| !ids.is_empty()) else { continue };
                primitive.ids = ids;
                by_platform.entry(primitive.platform.clone()).or_default().push(primitive);
            }
        }
        by_platform
    })
}

/// The primitives each identity satisfies. Where all that one needs is sts:AssumeRole, it is
/// judged against trust policies instead, as an edge of [`crate::assume_edges`].
///
/// AWS: `target` is `None` throughout: a passed role, a stolen key or a rewritten policy can
/// be that of the account's administrator unless the resource pattern excludes it, which
/// breadth and [must, may] express; [`Decision::May`] where the reach is narrowed
/// (scoped resources, conditions, a primitive that needs an existing resource). Other clouds,
/// GitHub, GitLab and Vault: the same, by their permissions. Kubernetes:
/// `target` is the service account or user, `None` for the cluster's administrator.
pub fn escalations(
    effective: &[Effective],
    identities: &[Identity],
    grants: &[Grant],
    trusts: &[Trust],
) -> Vec<Escalation> {
    let platforms: HashMap<Key, &str> =
        identities.iter().map(|identity| (identity.identity_key, identity.platform.as_str())).collect();
    let allows = || trusts.iter().filter(|trust| trust.effect == "allow");
    let roles = Roles {
        has_passable: allows().any(|trust| trust.principal_kind == "service"),
        has_assumable: allows().any(|trust| matches!(trust.principal_kind.as_str(), "aws" | "any")),
        trusting: allows().filter_map(|trust| trust.principal_key).collect(),
    };
    let mut found: Vec<Escalation> = effective
        .par_iter()
        .filter_map(|effective| {
            Some((effective, primitives().get(*platforms.get(&effective.identity_key)?)?))
        })
        .flat_map_iter(|(effective, primitives)| of_identity(effective, primitives, &roles))
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

fn of_identity(effective: &Effective, primitives: &[Primitive], roles: &Roles) -> Vec<Escalation> {
    let is_trusted = roles.trusting.contains(&effective.identity_key);
    primitives
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
                Kind::Passrole => roles.has_passable || primitive.platform != "aws",
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
        for (text, count) in [(AWS, 67), (OTHER, 85)] {
            let all: Primitives = toml::from_str(text).unwrap();
            assert_eq!(all.primitive.len(), count);
            for primitive in &all.primitive {
                let catalog = Catalog::get();
                for action in &primitive.actions {
                    let id = catalog.id(action).unwrap_or_else(|| panic!("{}: {action}", primitive.id));
                    assert!(catalog.of(&primitive.platform).contains(id), "{}: {action}", primitive.id);
                }
            }
        }
    }

    #[test]
    fn roles_of_other_clouds_lead_to_others() {
        let with = |platform: &str, role: &str| -> Vec<(String, Decision)> {
            let identity = Identity { platform: platform.to_owned(), ..Identity::default() };
            let grant = Grant {
                platform: platform.to_owned(),
                policy_kind: "permission".to_owned(),
                policy: role.to_owned(),
                effect: "allow".to_owned(),
                actions: vec![role.to_owned()],
                resources: vec!["*".to_owned()],
                understood: !role.contains('/') && platform == "github",
                ..Grant::default()
            };
            let effective = crate::effective(std::slice::from_ref(&identity), std::slice::from_ref(&grant));
            let found = escalations(&effective, &[identity], &[grant], &[]);
            found.into_iter().map(|found| (found.primitive, found.decision)).collect()
        };
        let is =
            |found: &[(String, Decision)], id: &str, decision| found.contains(&(id.to_owned(), decision));
        let editor = with("gcp", "roles/editor");
        assert!(is(&editor, "gcp-function", Decision::Yes) && is(&editor, "gcp-build", Decision::May));
        assert!(!editor.iter().any(|(id, _)| id == "gcp-project-set-iam-policy"));
        assert!(with("gcp", "roles/storage.objectViewer").is_empty());
        assert!(is(&with("azure", "Owner"), "azure-role-assignment", Decision::Yes));
        assert!(is(&with("azure", "Contributor"), "azure-run-command", Decision::May));
        assert!(with("azure", "Reader").is_empty());
        assert!(is(
            &with("github", "organization_administration:write"),
            "github-organization-administration",
            Decision::Yes
        ));
        assert!(with("github", "contents:write").is_empty());
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
