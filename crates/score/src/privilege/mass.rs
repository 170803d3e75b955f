//! From grants to a number: `n_c = Σ u·r·k·s` per class, and
//! `X = 100·(1 − Π_c [1 − σ_c·(1 − e^(−n_c/κ_c))])`.

use super::usage::{Need, Usage};
use crate::weights::{Weights, ordinal};
use leakgraph_model::Key;
use leakgraph_policy::{Catalog, Class, Decision, Effective, Escalation};
use std::collections::{BTreeMap, HashMap};

/// Mass per class, in the order of `Class::ALL`.
pub(crate) type Masses = [f64; 8];

/// The noisy-or, 0 to 100, and what each class contributes to it in per cent.
pub(crate) fn noisy_or(masses: &Masses, weights: &Weights) -> (f64, Masses) {
    let mut shares = [0.0; 8];
    for class in Class::ALL {
        let weight = weights.class(class);
        let term = weight.ceiling * -(-masses[ordinal(class)] / weight.saturation).exp_m1();
        shares[ordinal(class)] = -(-term.min(1.0 - 1e-12)).ln_1p();
    }
    let sum: f64 = shares.iter().sum();
    let score = -100.0 * (-sum).exp_m1();
    if sum > 0.0 {
        shares.iter_mut().for_each(|share| *share *= 100.0 / sum);
    }
    (score.clamp(0.0, 100.0), shares)
}

/// ESC mass counts paths, not single actions: an ESC action weighs as PERM.
pub(crate) fn mass_class(class: Class) -> Class {
    if class == Class::Esc { Class::Perm } else { class }
}

/// One action that is or may be allowed.
pub(crate) struct Held {
    pub(crate) id: u32,
    /// Class it adds to.
    pub(crate) class: Class,
    /// r·k·s.
    pub(crate) extent: f64,
    /// Whether it is surely allowed.
    pub(crate) is_sure: bool,
    pub(crate) need: Need,
}

/// One way up.
struct Path<'a> {
    primitive: &'a str,
    target: Option<Key>,
    is_sure: bool,
    /// Positions in the list of actions that it needs; a path that names none cannot be judged.
    needs: Vec<Vec<usize>>,
}

/// How grants count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum View {
    /// By need; what cannot be observed is unneeded with this chance.
    Unneeded(f64),
    /// All, as if nothing were used.
    All,
}

impl View {
    fn of(self, need: Need) -> f64 {
        match self {
            Self::Unneeded(chance) => need.unneeded(chance),
            Self::All => 1.0,
        }
    }
}

/// All that one identity holds.
pub(crate) struct Holdings<'a> {
    pub(crate) held: Vec<Held>,
    paths: Vec<Path<'a>>,
}

impl<'a> Holdings<'a> {
    pub(crate) fn of(
        effective: &Effective,
        escalations: &[&'a Escalation],
        usage: &Usage,
        weights: &Weights,
    ) -> Self {
        let catalog = Catalog::get();
        let factor = |factors: &HashMap<u32, f32>, id| {
            factors.get(&id).copied().map_or(1.0, f64::from).clamp(0.0, 1.0)
        };
        let held: Vec<Held> = effective
            .may
            .iter()
            .map(|id| Held {
                id,
                class: mass_class(catalog.action(id).class),
                extent: factor(&effective.breadth, id)
                    * factor(&effective.condition, id)
                    * weights.permission(id),
                is_sure: effective.must.contains(id),
                need: usage.need(id),
            })
            .collect();
        let position = |id: u32| held.binary_search_by_key(&id, |held| held.id).ok();
        // A path may name an action by a pattern (`*/*:*`).
        let positions =
            |name: &String| catalog.matching(name).iter().filter_map(position).collect::<Vec<usize>>();
        let paths = escalations
            .iter()
            .filter(|path| path.decision != Decision::No)
            .map(|path| Path {
                primitive: &path.primitive,
                target: path.target,
                is_sure: path.decision == Decision::Yes,
                needs: path.actions.iter().map(positions).filter(|found| !found.is_empty()).collect(),
            })
            .collect();
        Self { held, paths }
    }

    /// Mass per class, of what is surely allowed or of all that may be.
    pub(crate) fn masses(&self, is_sure: bool, view: View) -> Masses {
        let mut masses = [0.0; 8];
        for held in self.held.iter().filter(|held| held.is_sure || !is_sure) {
            masses[ordinal(held.class)] += view.of(held.need) * held.extent;
        }
        // One path per primitive and target: policies that split it count once.
        let mut paths: BTreeMap<(&str, Option<Key>), f64> = BTreeMap::new();
        for path in self.paths.iter().filter(|path| path.is_sure || !is_sure) {
            let mass = paths.entry((path.primitive, path.target)).or_default();
            *mass = mass.max(self.path(path, view));
        }
        masses[ordinal(Class::Esc)] += paths.values().sum::<f64>();
        masses
    }

    /// A path falls with any of its actions, and is as broad as its narrowest: `max u · min rks`.
    fn path(&self, path: &Path<'_>, view: View) -> f64 {
        let of = |positions: &Vec<usize>, number: &dyn Fn(&Held) -> f64| {
            let numbers = positions.iter().filter_map(|position| self.held.get(*position)).map(number);
            numbers.fold(0.0, f64::max)
        };
        let unneeded = path.needs.iter().map(|any| of(any, &|held| view.of(held.need))).reduce(f64::max);
        let extent = path.needs.iter().map(|any| of(any, &|held| held.extent)).fold(1.0, f64::min);
        unneeded.unwrap_or(1.0) * extent
    }

    /// What each action adds to its class and to the paths it is part of, before saturation.
    pub(crate) fn pulls(&self, view: View, weights: &Weights) -> Vec<f64> {
        let pull = |class: Class| weights.class(class).ceiling / weights.class(class).saturation;
        let mut pulls: Vec<f64> =
            self.held.iter().map(|held| pull(held.class) * held.extent * view.of(held.need)).collect();
        for path in &self.paths {
            let share = pull(Class::Esc) * self.path(path, view) / path.needs.len().max(1) as f64;
            // Whatever is needed anyhow gives nothing to cut.
            for position in path.needs.iter().filter_map(|any| any.first()) {
                let is_used = self.held.get(*position).is_none_or(|held| held.need == Need::Used);
                if let Some(slot) = pulls.get_mut(*position).filter(|_| !is_used || view == View::All) {
                    *slot += share;
                }
            }
        }
        pulls
    }

    /// Share of the class mass whose use can be seen.
    pub(crate) fn coverage(&self, weights: &Weights) -> f64 {
        let (mut seen, mut all) = (0.0, 0.0);
        for held in &self.held {
            let weight = weights.class(held.class);
            let mass = weight.ceiling / weight.saturation * held.extent;
            seen += mass * held.need.seen();
            all += mass;
        }
        if all > 0.0 { seen / all } else { 0.0 }
    }
}
