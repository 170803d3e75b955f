//! How ranks move when a weight moves: which of them the conclusions hang on.

use crate::base::Base;
use crate::{Error, Scores, Weights};
use leakgraph_model::{Evidence, Key};
use rayon::prelude::*;
use std::collections::HashMap;

/// How one ranking moves when one weight moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensitivity {
    /// Weight, as `class.ESC.ceiling`.
    pub weight: String,
    /// 0.8 or 1.2; shares stay within 1.
    pub factor: f64,
    /// nhis (by excess, else granted risk), nhi_blast, handoffs or secrets (by blast radius).
    pub ranking: &'static str,
    /// Kendall's τ-b between the ranking with the weight as it is and as it is moved; 1 where
    /// nothing changes places. Null for fewer than two rows or where all are equal.
    pub tau: Option<f64>,
    /// Most places that one row moves.
    pub places: usize,
    /// Largest change of a score, in points.
    pub points: f64,
}

/// Moves every weight by ±20 % and compares the ranks. Rows by weight, factor and ranking.
///
/// # Errors
/// A relational step fails.
pub fn sensitivity(evidence: &Evidence, weights: &Weights) -> Result<Vec<Sensitivity>, Error> {
    let base = Base::of(evidence)?;
    let ranked = |weights: &Weights| {
        let graph = base.graph(evidence, weights);
        rankings(&base.ranked(evidence, &graph, weights).0)
    };
    let before = ranked(weights);
    let moves: Vec<(String, f64)> =
        weights.names().into_iter().flat_map(|name| [(name.clone(), 0.8), (name, 1.2)]).collect();
    let rows: Result<Vec<Vec<Sensitivity>>, Error> = moves
        .par_iter()
        .map(|(name, factor)| {
            let after = ranked(&weights.scaled(name, *factor)?);
            let compare = |((ranking, before), (_, after)): (&Ranking, &Ranking)| {
                let pairs: Vec<(f64, f64)> =
                    before.iter().filter_map(|(key, score)| Some((*score, *after.get(key)?))).collect();
                Sensitivity {
                    weight: name.clone(),
                    factor: *factor,
                    ranking,
                    tau: tau(&pairs),
                    places: places(&pairs),
                    points: pairs.iter().map(|(before, after)| (before - after).abs()).fold(0.0, f64::max),
                }
            };
            Ok(before.iter().zip(&after).map(compare).collect())
        })
        .collect();
    Ok(rows?.into_iter().flatten().collect())
}

type Ranking = (&'static str, HashMap<Key, f64>);

fn rankings(scores: &Scores) -> [Ranking; 4] {
    let nhis = &scores.nhi_scores;
    let excess = nhis.iter().map(|row| (row.identity_key, row.excess.unwrap_or(row.granted_risk)));
    let blast = nhis.iter().filter_map(|row| Some((row.identity_key, row.blast?)));
    let handoffs = scores.handoff_scores.iter().map(|row| (row.handoff_key, row.blast));
    let secrets = scores.secret_scores.iter().filter_map(|row| Some((row.secret_key, row.blast?)));
    [
        ("nhis", excess.collect()),
        ("nhi_blast", blast.collect()),
        ("handoffs", handoffs.collect()),
        ("secrets", secrets.collect()),
    ]
}

/// Kendall's τ-b, which counts ties: (M. G. Kendall, "The treatment of ties in ranking
/// problems", Biometrika 1945). By merge sort, `n log n`.
fn tau(pairs: &[(f64, f64)]) -> Option<f64> {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|l, r| l.0.total_cmp(&r.0).then(l.1.total_cmp(&r.1)));
    let count = |length: usize| (length * length.saturating_sub(1) / 2) as f64;
    let all = count(sorted.len());
    let tied_before: f64 = sorted.chunk_by(|l, r| l.0 == r.0).map(|group| count(group.len())).sum();
    let tied_both: f64 = sorted.chunk_by(|l, r| l == r).map(|group| count(group.len())).sum();
    let mut after: Vec<f64> = sorted.iter().map(|pair| pair.1).collect();
    let swaps = inversions(&mut after) as f64;
    let tied_after: f64 = after.chunk_by(|l, r| l == r).map(|group| count(group.len())).sum();
    let norm = ((all - tied_before) * (all - tied_after)).sqrt();
    (norm > 0.0).then(|| (all - tied_before - tied_after + tied_both - 2.0 * swaps) / norm)
}

/// Sorts; counts the pairs that stood the wrong way round.
fn inversions(values: &mut [f64]) -> usize {
    if values.len() < 2 {
        return 0;
    }
    let (left, right) = values.split_at_mut(values.len() / 2);
    let mut count = inversions(left) + inversions(right);
    let (left, right) = (left.to_vec(), right.to_vec());
    let (mut l, mut r) = (0, 0);
    for slot in values {
        if r == right.len() || (l < left.len() && left[l] <= right[r]) {
            *slot = left[l];
            l += 1;
        } else {
            *slot = right[r];
            r += 1;
            count += left.len() - l;
        }
    }
    count
}

/// Most places a row moves; rows with equal scores share the best place among them.
fn places(pairs: &[(f64, f64)]) -> usize {
    let ranks = |of: fn(&(f64, f64)) -> f64| {
        let mut scores: Vec<f64> = pairs.iter().map(of).collect();
        scores.sort_by(|l, r| r.total_cmp(l));
        move |score: f64| scores.partition_point(|other| *other > score)
    };
    let (before, after) = (ranks(|pair| pair.0), ranks(|pair| pair.1));
    pairs.iter().map(|pair| before(pair.0).abs_diff(after(pair.1))).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By its definition, over all pairs.
    fn by_pairs(pairs: &[(f64, f64)]) -> Option<f64> {
        let (mut sum, mut left, mut right) = (0.0, 0.0, 0.0);
        for (at, one) in pairs.iter().enumerate() {
            for two in &pairs[at + 1..] {
                let (x, y) = (
                    (one.0 - two.0).partial_cmp(&0.0).unwrap() as i32,
                    (one.1 - two.1).partial_cmp(&0.0).unwrap() as i32,
                );
                sum += f64::from(x * y);
                left += f64::from(x * x);
                right += f64::from(y * y);
            }
        }
        let norm = f64::sqrt(left * right);
        (norm > 0.0).then(|| sum / norm)
    }

    proptest! {
        #[test]
        fn tau_is_as_defined(pairs in prop::collection::vec((0u8..9, 0u8..9), 0..40)) {
            let pairs: Vec<(f64, f64)> = pairs.into_iter().map(|(x, y)| (f64::from(x), f64::from(y))).collect();
            match (tau(&pairs), by_pairs(&pairs)) {
                (Some(found), Some(expected)) => prop_assert!((found - expected).abs() < 1e-9),
                (found, expected) => prop_assert_eq!(found, expected),
            }
        }
    }

    #[test]
    fn places_count_ties_once() {
        assert_eq!(places(&[(3.0, 1.0), (2.0, 2.0), (1.0, 3.0)]), 2);
        assert_eq!(places(&[(3.0, 3.0), (3.0, 3.0), (1.0, 1.0)]), 0);
        assert_eq!(places(&[]), 0);
    }
}
