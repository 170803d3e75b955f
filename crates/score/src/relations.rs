//! The relational part of scoring, in Polars: usage per identity and action,
//! permission and secret differences between the two sides of a handoff,
//! and how many of its inputs are validated.

use crate::Error;
use crate::bridge::to_polars;
use crate::holding::may_be_own_token;
use crate::sides::Sides;
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, Int64Array, RecordBatch, StringArray};
use leakgraph_model::tables::Activity;
use leakgraph_model::{Evidence, Key, Timestamp};
use polars::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Calls of one action by one identity, by what recorded them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Use {
    /// Lower-cased action.
    pub(crate) action: String,
    /// As `activity.evidence`.
    pub(crate) source: String,
    /// Whether all were refused: attempts, no use.
    pub(crate) denied: bool,
    pub(crate) calls: i64,
    /// Microseconds of the first call.
    pub(crate) first: Option<i64>,
    /// Microseconds of the last call.
    pub(crate) last: Option<i64>,
}

/// What both sides of a handoff hold, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Difference {
    /// Name to (parent level, child level); 0 is absent.
    pub(crate) levels: BTreeMap<String, (i64, i64)>,
}

/// Inputs of one handoff.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Inputs {
    pub(crate) total: i64,
    pub(crate) validated: i64,
    pub(crate) undecided: i64,
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<DataFrame, Error> {
    to_polars(&RecordBatch::try_from_iter(columns)?)
}

fn keys<'a>(keys: impl Iterator<Item = &'a Key>) -> ArrayRef {
    Arc::new(BinaryArray::from_iter_values(keys.map(|key| key.0)))
}

fn read_keys(frame: &DataFrame, name: &str) -> Result<Vec<Key>, Error> {
    let column = frame.column(name)?.binary()?.clone();
    Ok(column.iter().map(|bytes| Key(bytes.and_then(|b| b.try_into().ok()).unwrap_or_default())).collect())
}

fn read_numbers(frame: &DataFrame, name: &str) -> Result<Vec<i64>, Error> {
    Ok(frame.column(name)?.i64()?.iter().map(Option::unwrap_or_default).collect())
}

fn read_texts(frame: &DataFrame, name: &str) -> Result<Vec<String>, Error> {
    Ok(frame.column(name)?.str()?.iter().map(|text| text.unwrap_or_default().to_owned()).collect())
}

fn read_times(frame: &DataFrame, name: &str) -> Result<Vec<Option<i64>>, Error> {
    Ok(frame.column(name)?.i64()?.iter().collect())
}

/// What each identity did and tried, by action and source.
pub(crate) fn usage(evidence: &Evidence) -> Result<HashMap<Key, Vec<Use>>, Error> {
    let rows: Vec<_> = evidence.activity.iter().filter_map(|row| Some((row.identity_key?, row))).collect();
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let times = |of: fn(&Activity) -> Option<Timestamp>| -> ArrayRef {
        Arc::new(Int64Array::from_iter(rows.iter().map(|(_, row)| of(row).map(|at| at.0))))
    };
    let texts = |of: fn(&Activity) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, row)| of(row))))
    };
    let frame = batch(vec![
        ("identity", keys(rows.iter().map(|(key, _)| key))),
        ("action", texts(|row| row.action.to_lowercase())),
        ("source", texts(|row| row.evidence.clone())),
        ("denied", Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, row)| i64::from(row.denied))))),
        ("calls", Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, row)| row.calls)))),
        ("first", times(|row| row.first_at.or(row.last_at))),
        ("last", times(|row| row.last_at.or(row.first_at))),
    ])?;
    let by = ["identity", "action", "source", "denied"];
    let used = frame
        .lazy()
        .group_by(by.map(col))
        .agg([col("calls").sum(), col("first").min(), col("last").max()])
        .sort(by, SortMultipleOptions::default())
        .collect()?;
    let (actions, sources) = (read_texts(&used, "action")?, read_texts(&used, "source")?);
    let (denied, calls) = (read_numbers(&used, "denied")?, read_numbers(&used, "calls")?);
    let (first, last) = (read_times(&used, "first")?, read_times(&used, "last")?);
    let mut by_identity: HashMap<Key, Vec<Use>> = HashMap::new();
    let texts = read_keys(&used, "identity")?.into_iter().zip(actions.into_iter().zip(sources));
    let numbers = denied.into_iter().zip(calls).zip(first.into_iter().zip(last));
    for ((key, (action, source)), ((denied, calls), (first, last))) in texts.zip(numbers) {
        let denied = denied != 0;
        by_identity.entry(key).or_default().push(Use { action, source, denied, calls, first, last });
    }
    Ok(by_identity)
}

/// Rows (job, name, level) compared between the sides of every handoff.
fn difference(sides: &Sides, rows: &[(Key, &str, i64)]) -> Result<HashMap<Key, Difference>, Error> {
    if rows.is_empty() || sides.rows.is_empty() {
        return Ok(HashMap::new());
    }
    let held = batch(vec![
        ("job", keys(rows.iter().map(|row| &row.0))),
        ("name", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1)))),
        ("level", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2)))),
    ])?;
    let sided = batch(vec![
        ("handoff", keys(sides.rows.iter().map(|row| &row.handoff))),
        ("job", keys(sides.rows.iter().map(|row| &row.job))),
        ("child", Arc::new(BooleanArray::from_iter(sides.rows.iter().map(|row| Some(row.child))))),
    ])?;
    let compared = sided
        .lazy()
        .join(held.lazy(), [col("job")], [col("job")], JoinArgs::new(JoinType::Inner))
        .with_columns([
            when(col("child")).then(lit(0i64)).otherwise(col("level")).alias("parent_level"),
            when(col("child")).then(col("level")).otherwise(lit(0i64)).alias("child_level"),
        ])
        .group_by([col("handoff"), col("name")])
        .agg([col("parent_level").max(), col("child_level").max()])
        .sort(["handoff", "name"], SortMultipleOptions::default())
        .collect()?;
    let levels =
        read_numbers(&compared, "parent_level")?.into_iter().zip(read_numbers(&compared, "child_level")?);
    let names = read_texts(&compared, "name")?;
    let mut by_handoff: HashMap<Key, Difference> = HashMap::new();
    for ((key, name), level) in read_keys(&compared, "handoff")?.into_iter().zip(names).zip(levels) {
        by_handoff.entry(key).or_default().levels.insert(name, level);
    }
    Ok(by_handoff)
}

/// Job token scopes of parent and child; levels 0 none, 1 read, 2 write.
pub(crate) fn permissions(evidence: &Evidence, sides: &Sides) -> Result<HashMap<Key, Difference>, Error> {
    let rows: Vec<_> = evidence
        .token_permissions
        .iter()
        .map(|row| (row.job_key, row.scope.as_str(), access_level(&row.access)))
        .collect();
    difference(sides, &rows)
}

/// Read 1, write 2, anything else none.
pub(crate) fn access_level(access: &str) -> i64 {
    match access {
        "write" | "admin" => 2,
        "read" => 1,
        _ => 0,
    }
}

/// Secret names of parent and child; level 1 is held. The job's token is no named secret, nor is
/// the masked `token` that actions are handed: each side has its own, and no evidence tells
/// them from another value.
pub(crate) fn secrets(evidence: &Evidence, sides: &Sides) -> Result<HashMap<Key, Difference>, Error> {
    let mut jobs_of_run: HashMap<Key, Vec<Key>> = HashMap::new();
    for job in &evidence.jobs {
        jobs_of_run.entry(job.run_key).or_default().push(job.job_key);
    }
    let mut rows = Vec::new();
    for row in evidence.secrets_passed.iter().filter(|row| !may_be_own_token(row)) {
        match row.job_key {
            Some(job) => rows.push((job, row.name.as_str(), 1)),
            None => rows.extend(
                jobs_of_run.get(&row.run_key).into_iter().flatten().map(|job| (*job, row.name.as_str(), 1)),
            ),
        }
    }
    difference(sides, &rows)
}

/// Totals of inputs per handoff.
pub(crate) fn inputs(evidence: &Evidence) -> Result<HashMap<Key, Inputs>, Error> {
    let rows = &evidence.handoff_inputs;
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let frame = batch(vec![
        ("handoff", keys(rows.iter().map(|row| &row.handoff_key))),
        (
            "validated",
            Arc::new(Int64Array::from_iter_values(
                rows.iter().map(|row| i64::from(row.validated == Some(true))),
            )),
        ),
        (
            "undecided",
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| i64::from(row.validated.is_none())))),
        ),
        ("total", Arc::new(Int64Array::from_iter_values(rows.iter().map(|_| 1)))),
    ])?;
    let counted = frame
        .lazy()
        .group_by([col("handoff")])
        .agg([col("validated").sum(), col("undecided").sum(), col("total").sum()])
        .collect()?;
    let validated = read_numbers(&counted, "validated")?;
    let undecided = read_numbers(&counted, "undecided")?;
    let total = read_numbers(&counted, "total")?;
    let numbers = validated.into_iter().zip(undecided).zip(total);
    Ok(read_keys(&counted, "handoff")?
        .into_iter()
        .zip(numbers)
        .map(|(key, ((validated, undecided), total))| (key, Inputs { total, validated, undecided }))
        .collect())
}
