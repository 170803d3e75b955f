//! Runs of one workflow in the order of time: the verdict on the workflow, and where it goes.

use super::{Facts, MAX_LISTED, judge, states};
use leakgraph_model::Key;
use leakgraph_model::scored::WorkflowTrust;
use std::collections::{BTreeMap, BTreeSet};

/// Fewer runs show no direction.
const LEAST_RUNS: usize = 4;

/// Fills the trends of runs and gives one row per workflow that has a name.
pub(super) fn workflows(rows: &mut [WorkflowTrust], facts: &Facts<'_>) -> Vec<WorkflowTrust> {
    let mut groups: BTreeMap<(String, String, String), Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        if let Some(workflow) = row.workflow.clone() {
            let repo = row.repo.clone().unwrap_or_default().to_lowercase();
            groups.entry((row.platform.clone(), repo, workflow)).or_default().push(index);
        }
    }
    let mut workflows = Vec::new();
    for ((platform, repo, workflow), mut members) in groups {
        members.sort_by_key(|index| rows.get(*index).map(|row| (row.at.is_none(), row.at, row.trust_key)));
        let verdicts: Vec<String> =
            members.iter().filter_map(|index| rows.get(*index)).map(|row| row.verdict.clone()).collect();
        for (place, index) in members.iter().enumerate() {
            let from = (place + 1).saturating_sub(facts.weights.window_runs);
            if let (Some(row), Some(trend)) = (rows.get_mut(*index), verdicts.get(from..=place)) {
                row.trend = trend.to_vec();
                row.direction = direction(trend).map(str::to_owned);
            }
        }
        let from = members.len().saturating_sub(facts.weights.window_runs);
        let window: Vec<&WorkflowTrust> =
            members.get(from..).unwrap_or_default().iter().filter_map(|index| rows.get(*index)).collect();
        let key = Key::of("workflow", &[&platform, &repo, &workflow]);
        workflows.extend(workflow_row(key, &window));
    }
    workflows
}

/// A control of a workflow fails where it failed in any of the runs, and passes where it did in all.
fn workflow_row(key: Key, window: &[&WorkflowTrust]) -> Option<WorkflowTrust> {
    let last = *window.last()?;
    let mut row = WorkflowTrust {
        trust_key: key,
        run_key: None,
        run: None,
        runs: i64::try_from(window.len()).unwrap_or(i64::MAX),
        failures: united(window, |row| &row.failures),
        unknowns: united(window, |row| &row.unknowns),
        failing_evidence: united(window, |row| &row.failing_evidence),
        passing_evidence: united(window, |row| &row.passing_evidence),
        ..last.clone()
    };
    let all: Vec<[&str; 7]> = window.iter().map(|row| states(row)).collect();
    let of = |control: usize| {
        let mut seen = all.iter().filter_map(|states| states.get(control));
        if seen.clone().any(|state| *state == "fail") {
            "fail"
        } else if seen.all(|state| *state == "pass") {
            "pass"
        } else {
            "unknown"
        }
    };
    let controls =
        [&mut row.t1, &mut row.t2, &mut row.t3, &mut row.t4, &mut row.t5, &mut row.t6, &mut row.t7];
    for (control, state) in controls.into_iter().enumerate() {
        of(control).clone_into(state);
    }
    judge(&mut row);
    Some(row)
}

fn united(window: &[&WorkflowTrust], of: fn(&WorkflowTrust) -> &Vec<String>) -> Vec<String> {
    let all: BTreeSet<&String> = window.iter().flat_map(|row| of(row)).collect();
    all.into_iter().take(MAX_LISTED).cloned().collect()
}

/// Share of untrustworthy runs in the older and the newer half.
pub(super) fn direction(verdicts: &[String]) -> Option<&'static str> {
    if verdicts.len() < LEAST_RUNS {
        return None;
    }
    let (older, newer) = verdicts.split_at(verdicts.len() / 2);
    let share = |half: &[String]| {
        half.iter().filter(|verdict| *verdict == "UNTRUSTWORTHY").count() as f64 / half.len() as f64
    };
    Some(match share(newer).total_cmp(&share(older)) {
        std::cmp::Ordering::Less => "improving",
        std::cmp::Ordering::Greater => "worsening",
        std::cmp::Ordering::Equal => "steady",
    })
}
