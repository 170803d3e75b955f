//! Lists of action patterns as sets of actions, each list expanded once: identities share
//! policies.

use crate::catalog::Catalog;
use crate::kubernetes;
use leakgraph_model::tables::Grant;
use rayon::prelude::*;
use roaring::RoaringBitmap;
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};

/// What decides on a list's actions.
#[derive(Clone, Copy, PartialEq, Eq)]
struct List<'g> {
    platform: &'g str,
    not_actions: bool,
    actions: &'g [String],
}

/// Equal lists are mostly told from others by their length and ends.
impl Hash for List<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.not_actions.hash(state);
        self.actions.len().hash(state);
        self.actions.iter().map(String::len).sum::<usize>().hash(state);
        self.actions.first().hash(state);
        self.actions.last().hash(state);
    }
}

/// Place of a list in [`Expansions`].
pub(crate) type Place = usize;

/// Lists that are to be expanded.
#[derive(Default)]
pub(crate) struct Lists<'g> {
    places: HashMap<List<'g>, Place>,
}

impl<'g> Lists<'g> {
    pub(crate) fn place(&mut self, grant: &'g Grant) -> Place {
        let list =
            List { platform: &grant.platform, not_actions: grant.not_actions, actions: &grant.actions };
        let next = self.places.len();
        *self.places.entry(list).or_insert(next)
    }

    pub(crate) fn expanded(self) -> Expansions {
        let mut lists: Vec<(Place, List<'_>)> =
            self.places.into_iter().map(|(list, place)| (place, list)).collect();
        lists.sort_unstable_by_key(|(place, _)| *place);
        Expansions(lists.into_par_iter().map(|(_, list)| expand(list)).collect())
    }
}

/// Actions by place.
pub(crate) struct Expansions(Vec<RoaringBitmap>);

impl Expansions {
    /// Actions that a statement names and its scope leaves.
    pub(crate) fn named(&self, grant: &Grant, place: Place) -> Cow<'_, RoaringBitmap> {
        match self.0.get(place) {
            Some(actions) if grant.platform == kubernetes::PLATFORM => {
                Cow::Owned(kubernetes::within_scope(grant, actions.clone()))
            }
            Some(actions) => Cow::Borrowed(actions),
            None => Cow::Owned(named(grant)),
        }
    }
}

/// Actions a statement names; NotAction is everything of its platform else. Wildcards never
/// cover actions of another platform: some of GitHub's permissions look like actions of AWS
/// services (`profile:write`).
pub(crate) fn named(grant: &Grant) -> RoaringBitmap {
    let list = List { platform: &grant.platform, not_actions: grant.not_actions, actions: &grant.actions };
    let actions = expand(list);
    if grant.platform == kubernetes::PLATFORM { kubernetes::within_scope(grant, actions) } else { actions }
}

fn expand(list: List<'_>) -> RoaringBitmap {
    let catalog = Catalog::get();
    let all = catalog.of(list.platform);
    let mut actions = RoaringBitmap::new();
    for pattern in list.actions {
        if pattern == "*" {
            actions |= all;
        } else {
            actions |= catalog.matching(&normal(list.platform, pattern));
        }
    }
    if list.not_actions { all - &actions } else { actions & all }
}

/// GitHub writes scopes with hyphens in workflows, with underscores in its API.
fn normal<'p>(platform: &str, pattern: &'p str) -> Cow<'p, str> {
    let is_known = platform != crate::github::PLATFORM || Catalog::get().id(pattern).is_some();
    if is_known { Cow::Borrowed(pattern) } else { Cow::Owned(pattern.replace('-', "_")) }
}
