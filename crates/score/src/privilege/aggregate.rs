//! Totals: `Σ w·X / Σ w` over the identities whose use is known, as in US 11,818,175 (an
//! organisation's score is the weighted sum of its identities' over the possible maximum).

use super::account;
use crate::weights::Weights;
use leakgraph_model::Key;
use leakgraph_model::scored::{NhiScore, PrivilegeTotal};
use leakgraph_model::tables::Identity;
use std::collections::{BTreeMap, HashMap};

#[derive(Default)]
struct Sums {
    total: PrivilegeTotal,
    /// Of X_low, X and X_high.
    weighted: [f64; 3],
}

/// One row for all, then one per account. Granted risk without usage is no excess: such
/// identities are counted and leave the means alone.
pub(crate) fn totals(
    scores: &[NhiScore],
    identities: &HashMap<Key, &Identity>,
    weights: &Weights,
) -> Vec<PrivilegeTotal> {
    let mut sums: BTreeMap<(Option<String>, Option<String>), Sums> = BTreeMap::new();
    // Sums of floats depend on their order.
    let mut scores: Vec<&NhiScore> = scores.iter().collect();
    scores.sort_by_key(|score| score.identity_key);
    for score in scores {
        let Some(identity) = identities.get(&score.identity_key) else { continue };
        let weight = weights.criticality(identity.environment.as_deref());
        for place in [(None, None), (Some(identity.platform.clone()), account(identity))] {
            sums.entry(place).or_default().add(score, weight);
        }
    }
    sums.into_iter()
        .map(|((platform, account), sums)| PrivilegeTotal {
            platform,
            account,
            weights_hash: weights.hash(),
            ..sums.mean()
        })
        .collect()
}

impl Sums {
    fn add(&mut self, score: &NhiScore, weight: f64) {
        self.total.nhis += 1;
        let bounds = score.excess_low.zip(score.excess).zip(score.excess_high);
        let Some(((low, excess), high)) = bounds else { return };
        self.total.with_usage += 1;
        self.total.inactive += i64::from(score.inactive == Some(true));
        self.total.weight += weight;
        for (sum, bound) in self.weighted.iter_mut().zip([low, excess, high]) {
            *sum += weight * bound;
        }
    }

    fn mean(self) -> PrivilegeTotal {
        let weight = self.total.weight;
        let mean = |sum: f64| (weight > 0.0).then(|| sum / weight);
        let [low, excess, high] = self.weighted.map(mean);
        PrivilegeTotal { excess_low: low, excess, excess_high: high, ..self.total }
    }
}
