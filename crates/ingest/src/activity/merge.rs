//! Joins rows of equal calls: logs with a value per line give a row per line.

use leakgraph_model::Timestamp;
use leakgraph_model::tables::{Activity, Assumption};
use std::collections::BTreeMap;

/// Rows that say the same of different calls become one, from row `from` on. The order of
/// rows no longer depends on the order of calls.
pub(crate) fn merge(activity: &mut Vec<Activity>, assumptions: &mut Vec<Assumption>, from: (usize, usize)) {
    let call = |row: &Activity| {
        (
            (row.identity_key, row.principal.clone()),
            row.session.clone(),
            row.action.clone(),
            row.resource.clone(),
            (row.denied, row.data_event, row.evidence.clone(), row.source_key),
        )
    };
    joined(activity, from.0, call, |row| (&mut row.calls, &mut row.first_at, &mut row.last_at));
    let change = |row: &Assumption| {
        (
            row.source.clone(),
            row.target.clone(),
            row.mechanism.clone(),
            (row.session_name.clone(), row.subject.clone()),
            (row.denied, row.source_key),
        )
    };
    joined(assumptions, from.1, change, |row| (&mut row.calls, &mut row.first_at, &mut row.last_at));
}

/// Count, first and last time of a row.
type Span<'a> = (&'a mut i64, &'a mut Option<Timestamp>, &'a mut Option<Timestamp>);

/// Makes rows of one key one row, from row `from` on.
fn joined<R, K: Ord>(rows: &mut Vec<R>, from: usize, key: impl Fn(&R) -> K, span: fn(&mut R) -> Span<'_>) {
    if rows.len() <= from + 1 {
        return;
    }
    let mut kept: BTreeMap<K, R> = BTreeMap::new();
    for mut row in rows.split_off(from) {
        let key = key(&row);
        match kept.get_mut(&key) {
            Some(first) => add(span(first), span(&mut row)),
            None => {
                kept.insert(key, row);
            }
        }
    }
    rows.extend(kept.into_values());
}

fn add(kept: Span<'_>, other: Span<'_>) {
    *kept.0 += *other.0;
    *kept.1 = [*kept.1, *other.1].into_iter().flatten().min();
    *kept.2 = (*kept.2).max(*other.2);
}
