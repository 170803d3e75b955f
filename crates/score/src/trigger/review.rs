//! What reviews say: whether another person looked at this run, and when.

use leakgraph_model::Timestamp;
use leakgraph_model::tables::{Approval, Run};

/// Clocks of different records differ by this much.
const SKEW_SECONDS: f64 = 2.0;

/// Outcome of the reviews that apply to a run or job, best first.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Review<'a> {
    /// A person other than who caused the run approved it.
    Distinct(&'a Approval),
    /// Who caused the run approved it.
    Own(&'a Approval),
    /// Whoever may passed by the rule.
    Bypassed(&'a Approval),
    /// Approved before the run was what it is now.
    Stale(&'a Approval),
    /// Approved for an earlier attempt.
    Replayed(&'a Approval),
    /// Approved for an earlier attempt or for this one: the record does not tell.
    Attempt(&'a Approval),
    /// Approved, but by whom or for whom is not on record.
    Unproven(&'a Approval),
    /// Approved by a program.
    Bot(&'a Approval),
    /// Waits, or waited when the record was made; or was refused.
    Open(&'a Approval),
    /// None on record.
    None,
}

/// Judges the reviews of `run` and those of its earlier attempts.
pub(super) fn review<'a>(run: &Run, own: &[&'a Approval], earlier: &[&'a Approval]) -> Review<'a> {
    let mut best = Review::None;
    let mut found: Vec<Review<'a>> = own.iter().map(|row| one(run, row)).collect();
    found.extend(earlier.iter().filter(|row| row.state == "approved").map(|row| of_earlier(run, row)));
    for review in found {
        if (rank(&review), when(&review)) < (rank(&best), when(&best)) {
            best = review;
        }
    }
    best
}

fn rank(review: &Review<'_>) -> u8 {
    match review {
        Review::Distinct(_) => 0,
        // A bypass is told even if somebody approved themselves, too.
        Review::Bypassed(_) => 1,
        Review::Own(_) => 2,
        Review::Attempt(_) => 3,
        Review::Unproven(_) => 4,
        Review::Replayed(_) => 5,
        Review::Stale(_) => 6,
        Review::Bot(_) => 7,
        Review::Open(_) => 8,
        Review::None => 9,
    }
}

/// The latest first; of equal ones by name, so that the order of rows leaves no trace.
fn when<'a>(review: &Review<'a>) -> (std::cmp::Reverse<Option<Timestamp>>, Option<&'a str>) {
    match review {
        Review::None => (std::cmp::Reverse(None), None),
        Review::Distinct(row)
        | Review::Own(row)
        | Review::Bypassed(row)
        | Review::Stale(row)
        | Review::Replayed(row)
        | Review::Attempt(row)
        | Review::Unproven(row)
        | Review::Bot(row)
        | Review::Open(row) => (std::cmp::Reverse(row.decided_at), row.reviewer.as_deref()),
    }
}

fn is_before(decided: Option<Timestamp>, start: Option<Timestamp>) -> bool {
    decided.zip(start).is_some_and(|(decided, start)| start.seconds_since(decided) > SKEW_SECONDS)
}

fn one<'a>(run: &Run, row: &'a Approval) -> Review<'a> {
    match row.state.as_str() {
        "bypassed" => return Review::Bypassed(row),
        "approved" => {}
        _ => return Review::Open(row),
    }
    // Of a repeated run, `created_at` is that of the first attempt.
    let is_repeated = run.attempt.is_some_and(|attempt| attempt > 1);
    if is_repeated && is_before(row.decided_at, run.started_at) {
        return Review::Replayed(row);
    }
    if is_before(row.decided_at, run.created_at) {
        return Review::Stale(row);
    }
    let same = |login: &Option<String>| {
        login.as_deref().zip(row.reviewer.as_deref()).map(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    let (actor, again) = (same(&run.actor), same(&run.triggering_actor));
    if row.self_review == Some(true) || actor == Some(true) || again == Some(true) {
        Review::Own(row)
    } else if row.reviewer_kind == "bot" {
        Review::Bot(row)
    } else if row.self_review == Some(false) || actor == Some(false) {
        Review::Distinct(row)
    } else {
        Review::Unproven(row)
    }
}

fn of_earlier<'a>(run: &Run, row: &'a Approval) -> Review<'a> {
    match (row.decided_at, run.started_at) {
        (Some(_), Some(_)) if is_before(row.decided_at, run.started_at) => Review::Replayed(row),
        (Some(_), Some(_)) => one(run, row),
        _ => Review::Attempt(row),
    }
}
