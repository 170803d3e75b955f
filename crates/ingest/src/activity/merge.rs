//! Joins rows of equal calls: logs with a value per line give a row per line.

use leakgraph_model::tables::{Activity, Assumption};
use std::collections::BTreeMap;

/// Rows that say the same of different calls become one, from row `from` on. The order of
/// rows no longer depends on the order of calls.
pub(crate) fn merge(activity: &mut Vec<Activity>, assumptions: &mut Vec<Assumption>, from: (usize, usize)) {
    if activity.len() > from.0 + 1 {
        let mut kept: BTreeMap<_, Activity> = BTreeMap::new();
        for row in activity.split_off(from.0) {
            let key = (
                row.principal.clone(),
                row.session.clone(),
                row.action.clone(),
                row.resource.clone(),
                (row.denied, row.data_event, row.evidence.clone(), row.source_key),
            );
            match kept.get_mut(&key) {
                Some(first) => add(
                    (&mut first.calls, &mut first.first_at, &mut first.last_at),
                    (row.calls, row.first_at, row.last_at),
                ),
                None => {
                    kept.insert(key, row);
                }
            }
        }
        activity.extend(kept.into_values());
    }
    if assumptions.len() > from.1 + 1 {
        let mut kept: BTreeMap<_, Assumption> = BTreeMap::new();
        for row in assumptions.split_off(from.1) {
            let key = (
                row.source.clone(),
                row.target.clone(),
                row.mechanism.clone(),
                (row.session_name.clone(), row.subject.clone()),
                (row.denied, row.source_key),
            );
            match kept.get_mut(&key) {
                Some(first) => add(
                    (&mut first.calls, &mut first.first_at, &mut first.last_at),
                    (row.calls, row.first_at, row.last_at),
                ),
                None => {
                    kept.insert(key, row);
                }
            }
        }
        assumptions.extend(kept.into_values());
    }
}

/// Count, first and last time.
type Span<'a, T> = (&'a mut i64, &'a mut Option<T>, &'a mut Option<T>);

fn add<T: Ord + Copy>(kept: Span<'_, T>, other: (i64, Option<T>, Option<T>)) {
    *kept.0 += other.0;
    *kept.1 = match (*kept.1, other.1) {
        (Some(kept), Some(other)) => Some(kept.min(other)),
        (kept, other) => kept.or(other),
    };
    *kept.2 = (*kept.2).max(other.2);
}
