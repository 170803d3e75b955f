//! Escalation primitives of a cluster (`datasets/catalogs/kubernetes-escalations.toml`).

use super::reach::{Cluster, Held, Name, Reach, reached};
use super::{PLATFORM, Scope};
use crate::Decision;
use crate::escalation::Escalation;
use crate::pattern::matches_wildcards;
use leakgraph_model::Key;
use leakgraph_model::tables::{Grant, Identity, Trust};
use rayon::prelude::*;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

const DATA: &str = include_str!("../../../../datasets/catalogs/kubernetes-escalations.toml");

#[derive(Deserialize)]
struct Primitives {
    primitive: Vec<Primitive>,
}

#[derive(Deserialize)]
pub(super) struct Primitive {
    pub(super) id: String,
    pub(super) reach: Reach,
    /// Every list needs one.
    all: Vec<Vec<Permission>>,
}

/// One permission of a primitive: `?action@object`.
#[derive(Deserialize)]
#[serde(from = "String")]
struct Permission {
    action: String,
    /// On what it must hold; anything if `None`.
    object: Option<String>,
    /// Whether it suffices.
    is_sure: bool,
    /// Its bit in a [`Mask`].
    bit: u32,
}

/// Which of all permissions of all primitives a grant's actions cover.
type Mask = u128;

impl From<String> for Permission {
    fn from(text: String) -> Self {
        let (is_sure, rest) = text.strip_prefix('?').map_or((true, text.as_str()), |rest| (false, rest));
        let (action, object) = match rest.split_once('@') {
            Some((action, object)) => (action, Some(object.to_owned())),
            None => (rest, None),
        };
        Self { action: action.to_owned(), object, is_sure, bit: 0 }
    }
}

impl Permission {
    /// Whether a request for it has no name of an object.
    fn is_nameless(&self) -> bool {
        self.action.ends_with(":create") && self.action.matches('/').count() == 1
    }
}

fn primitives() -> &'static [Primitive] {
    static PRIMITIVES: OnceLock<Vec<Primitive>> = OnceLock::new();
    PRIMITIVES.get_or_init(|| {
        let mut data: Primitives =
            toml::from_str(DATA).expect("the embedded catalog is valid: a test reads it");
        let all = data.primitive.iter_mut().flat_map(|primitive| primitive.all.iter_mut().flatten());
        all.zip(0..).for_each(|(permission, bit)| permission.bit = bit);
        data.primitive
    })
}

fn mask(actions: &[String]) -> Mask {
    let all = primitives().iter().flat_map(|primitive| primitive.all.iter().flatten());
    all.filter(|permission| actions.iter().any(|pattern| matches_wildcards(pattern, &permission.action)))
        .fold(0, |mask, permission| mask | 1 << permission.bit)
}

/// The primitives each holder of grants satisfies: subjects of bindings, groups among them.
///
/// `target` is `None` for the cluster's administrator. What reaches every namespace, or
/// kube-system with the accounts of its controllers, reaches the administrator.
pub(crate) fn escalations(identities: &[Identity], grants: &[Grant], trusts: &[Trust]) -> Vec<Escalation> {
    let mut masks: HashMap<&[String], Mask> = HashMap::new();
    let mut by_holder: BTreeMap<Key, Vec<(&Grant, Mask)>> = BTreeMap::new();
    for grant in grants.iter().filter(|grant| grant.platform == PLATFORM && grant.effect == "allow") {
        if matches!(grant.policy_kind.as_str(), "permission" | "group") {
            // Bindings of one role share its actions.
            let mask = *masks.entry(&grant.actions).or_insert_with_key(|actions| mask(actions));
            if mask != 0 {
                by_holder.entry(grant.identity_key).or_default().push((grant, mask));
            }
        }
    }
    if by_holder.is_empty() {
        return Vec::new();
    }
    let cluster = Cluster::of(identities, trusts);
    by_holder.into_par_iter().flat_map_iter(|(holder, grants)| of_holder(holder, &grants, &cluster)).collect()
}

fn of_holder(holder: Key, grants: &[(&Grant, Mask)], cluster: &Cluster<'_>) -> Vec<Escalation> {
    let mut found = Vec::new();
    for primitive in primitives() {
        let needs: Option<Vec<Need<'_>>> = primitive.all.iter().map(|any| Need::of(any, grants)).collect();
        let Some(needs) = needs else { continue };
        let actions: Vec<String> = needs.iter().map(|need| need.action.to_owned()).collect();
        // Names say whom these reach; for others a rule for names only perhaps suffices.
        let by_name = matches!(primitive.reach, Reach::Named | Reach::Tokens);
        let held = combined(&needs, !by_name);
        let names = needs.first().filter(|_| by_name).map_or(&[][..], |need| need.names.as_slice());
        let targets = reached(primitive, &held, names, &actions, cluster).into_iter();
        let others = targets.filter(|(target, decision)| *target != Some(holder) && *decision > Decision::No);
        found.extend(others.map(|(target, decision)| Escalation {
            identity_key: holder,
            primitive: primitive.id.clone(),
            actions: actions.clone(),
            target,
            decision,
        }));
    }
    found
}

/// What a holder has of one list of permissions.
struct Need<'a> {
    /// The permission that is held most widely, for the record.
    action: &'a str,
    held: Held<'a>,
    /// Where it holds on some names only: never more than perhaps enough.
    held_by_name: Held<'a>,
    /// These names: namespace (`None` is any) and name.
    names: Vec<Name<'a>>,
}

impl<'a> Need<'a> {
    /// `None` if none of the permissions is held anywhere.
    fn of(any: &'a [Permission], grants: &[(&'a Grant, Mask)]) -> Option<Self> {
        let mut need =
            Self { action: "", held: Held::default(), held_by_name: Held::default(), names: Vec::new() };
        let mut best = (Decision::No, false);
        for permission in any {
            for (grant, mask) in grants {
                if mask >> permission.bit & 1 == 0 {
                    continue;
                }
                let sure = if permission.is_sure && grant.understood { Decision::Yes } else { Decision::May };
                for resource in &grant.resources {
                    let decision = need.add(permission, resource, sure);
                    let rank = (decision, Scope::of(resource).namespace.is_none());
                    if decision > Decision::No && (need.action.is_empty() || rank > best) {
                        (need.action, best) = (&permission.action, rank);
                    }
                }
            }
        }
        (!need.action.is_empty()).then_some(need)
    }

    fn add(&mut self, permission: &'a Permission, resource: &'a str, sure: Decision) -> Decision {
        let scope = Scope::of(resource);
        if let Some(object) = &permission.object {
            // One object is as good as all of the cluster.
            let decision = if matches_wildcards(resource, object) { sure } else { Decision::No };
            self.held.add(None, decision);
            return decision;
        }
        match (scope.name, permission.is_nameless()) {
            (Some(_), true) => Decision::No,
            (Some(name), false) => {
                self.names.push((scope.namespace, name));
                self.held_by_name.add(scope.namespace, sure.min(Decision::May));
                sure.min(Decision::May)
            }
            (None, _) => {
                self.held.add(scope.namespace, sure);
                sure
            }
        }
    }
}

/// Where all needs are met at once.
fn combined<'a>(needs: &[Need<'a>], with_names: bool) -> Held<'a> {
    let least = |of: &dyn Fn(&Held<'a>) -> Decision| {
        let best = |need: &Need<'a>| match with_names {
            true => of(&need.held).max(of(&need.held_by_name)),
            false => of(&need.held),
        };
        needs.iter().map(best).min().unwrap_or_default()
    };
    let mut held = Held { everywhere: least(&|held| held.everywhere), ..Held::default() };
    let all = needs.iter().flat_map(|need| [&need.held, &need.held_by_name]);
    for namespace in all.flat_map(|held| held.namespaces.keys()) {
        let decision = least(&|held| held.within(namespace));
        if decision > Decision::No {
            held.namespaces.insert(*namespace, decision);
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;

    #[test]
    fn primitives_are_of_known_permissions() {
        let all: Primitives = toml::from_str(DATA).unwrap();
        assert!(all.primitive.len() >= 20);
        let permissions = all.primitive.iter().flat_map(|primitive| primitive.all.iter().flatten());
        assert!(permissions.count() <= Mask::BITS as usize);
        for primitive in &all.primitive {
            for permission in primitive.all.iter().flatten().filter(|one| !one.action.contains('*')) {
                assert!(Catalog::get().id(&permission.action).is_some(), "{}", permission.action);
            }
        }
    }
}
