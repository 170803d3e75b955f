//! From grants to a number: `n_c = Σ u·r·k·s` per class, and
//! `X = 100·(1 − Π_c [1 − σ_c·(1 − e^(−n_c/κ_c))])`.

use super::usage::{Need, Usage};
use crate::weights::{Weights, ordinal};
use leakgraph_model::Key;
use leakgraph_model::scored::PrivilegePart;
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
    /// r, k and s.
    factors: [f64; 3],
    /// r·k·s.
    pub(crate) extent: f64,
    /// Whether it is surely allowed.
    pub(crate) is_sure: bool,
    pub(crate) need: Need,
}

/// One permission as a row of `privilege_parts`.
pub(crate) struct Part {
    pub(crate) subject: Key,
    pub(crate) class: Class,
    /// r, k and s.
    pub(crate) factors: [f64; 3],
    pub(crate) need: Need,
}

impl Part {
    pub(crate) fn row(&self, weights: &Weights) -> PrivilegePart {
        let [breadth, condition, sensitivity] = self.factors;
        let (used, seen, age) = match self.need {
            Need::Used => (true, None, None),
            Need::Unused { seen, age } => (false, Some(seen), Some(age)),
        };
        PrivilegePart {
            subject_key: self.subject,
            class: self.class.as_str().to_owned(),
            actions: 1,
            breadth: Some(breadth),
            condition: Some(condition),
            sensitivity: Some(sensitivity),
            extent: breadth * condition * sensitivity,
            used: Some(used),
            seen,
            age,
            unneeded: self.need.unneeded(weights.unobservable()),
            unneeded_low: self.need.unneeded(0.0),
            unneeded_high: self.need.unneeded(1.0),
            ..PrivilegePart::default()
        }
    }
}

/// Class, sureness, factors and need of an action, numbers by their bits.
type Alike = (usize, bool, [u64; 3], Option<[u64; 2]>);

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
            .map(|id| {
                let (breadth, condition) = (factor(&effective.breadth, id), factor(&effective.condition, id));
                let sensitivity = weights.permission(id);
                Held {
                    id,
                    class: mass_class(catalog.action(id).class),
                    factors: [breadth, condition, sensitivity],
                    extent: breadth * condition * sensitivity,
                    is_sure: effective.must.contains(id),
                    need: usage.need(id),
                }
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

    /// What the masses are sums of, alike actions together.
    pub(crate) fn parts(&self, subject: Key, weights: &Weights) -> Vec<PrivilegePart> {
        // Equal bits are equal numbers; NaN does not occur.
        let mut alike: BTreeMap<Alike, (&Held, i64)> = BTreeMap::new();
        for held in &self.held {
            let need = match held.need {
                Need::Used => None,
                Need::Unused { seen, age } => Some([seen, age].map(f64::to_bits)),
            };
            let key = (ordinal(held.class), held.is_sure, held.factors.map(f64::to_bits), need);
            alike.entry(key).or_insert((held, 0)).1 += 1;
        }
        let views = [weights.unobservable(), 0.0, 1.0].map(View::Unneeded);
        let actions = alike.into_values().map(|(held, actions)| {
            let part = Part { subject, class: held.class, factors: held.factors, need: held.need };
            PrivilegePart { sure: held.is_sure, actions, ..part.row(weights) }
        });
        let paths = self.paths.iter().map(|path| {
            let [middle, low, high] = views.map(|view| self.most(path, &|held| view.of(held.need)));
            let target = path.target.map(|key| key.to_string()).unwrap_or_default();
            PrivilegePart {
                subject_key: subject,
                class: Class::Esc.as_str().to_owned(),
                path: Some(format!("{} {target}", path.primitive).trim_end().to_owned()),
                sure: path.is_sure,
                actions: 1,
                extent: self.extent(path),
                unneeded: middle,
                unneeded_low: low,
                unneeded_high: high,
                ..PrivilegePart::default()
            }
        });
        actions.chain(paths).collect()
    }

    /// A path falls with any of its actions, and is as broad as its narrowest: `max u · min rks`.
    fn path(&self, path: &Path<'_>, view: View) -> f64 {
        self.most(path, &|held| view.of(held.need)) * self.extent(path)
    }

    fn of_any(&self, positions: &[usize], number: &dyn Fn(&Held) -> f64) -> f64 {
        positions.iter().filter_map(|position| self.held.get(*position)).map(number).fold(0.0, f64::max)
    }

    fn most(&self, path: &Path<'_>, unneeded: &dyn Fn(&Held) -> f64) -> f64 {
        path.needs.iter().map(|any| self.of_any(any, unneeded)).reduce(f64::max).unwrap_or(1.0)
    }

    fn extent(&self, path: &Path<'_>) -> f64 {
        path.needs.iter().map(|any| self.of_any(any, &|held| held.extent)).fold(1.0, f64::min)
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
