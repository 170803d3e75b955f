//! From natural ids to keys: the same ids in any file give the same keys.

use super::identities;
use super::record::{Cell, Cells, Members, int, is_given, key, text};
use super::schema::Table;
use leakgraph_model::Key;
use leakgraph_model::tables::{identity_key, job_key, run_key};

/// Names of the columns that say which run and job a row is of.
pub(super) struct Side {
    pub(super) run_key: &'static str,
    pub(super) job_key: &'static str,
    pub(super) platform: &'static str,
    pub(super) repo: &'static str,
    pub(super) run_id: &'static str,
    pub(super) attempt: &'static str,
    pub(super) job: &'static str,
}

/// The run and job of a row.
pub(super) const OWN: Side = Side {
    run_key: "run_key",
    job_key: "job_key",
    platform: "platform",
    repo: "repo",
    run_id: "platform_run_id",
    attempt: "attempt",
    job: "job",
};

/// The run and job that hand on.
const PARENT: Side = Side {
    run_key: "parent_run_key",
    job_key: "parent_job_key",
    platform: "platform",
    repo: "parent_repo",
    run_id: "parent_run_id",
    attempt: "parent_attempt",
    job: "parent_job",
};

/// The run and job that continue.
const CHILD: Side = Side {
    run_key: "child_run_key",
    job_key: "child_job_key",
    platform: "child_platform",
    repo: "child_repo",
    run_id: "child_run_id",
    attempt: "child_attempt",
    job: "child_job",
};

impl Side {
    fn platform(&self, members: &Members) -> Option<String> {
        text(members, self.platform).or_else(|| text(members, "platform"))
    }

    /// The run's own ids, as far as they are given.
    pub(super) fn run_id(&self, members: &Members) -> Option<RunId> {
        Some(RunId {
            platform: self.platform(members)?,
            repo: text(members, self.repo),
            id: text(members, self.run_id)?,
            attempt: int(members, self.attempt).unwrap_or(1),
        })
    }

    pub(super) fn run(&self, members: &Members) -> Option<Key> {
        key(members, self.run_key).or_else(|| Some(self.run_id(members)?.key()))
    }

    pub(super) fn job(&self, members: &Members) -> Option<Key> {
        let named = || Some(job_key(self.run(members)?, &text(members, self.job)?));
        key(members, self.job_key).or_else(named)
    }
}

/// The natural id of a run.
pub(super) struct RunId {
    pub(super) platform: String,
    pub(super) repo: Option<String>,
    pub(super) id: String,
    pub(super) attempt: i64,
}

impl RunId {
    /// Repositories differ by more than case on no platform.
    pub(super) fn key(&self) -> Key {
        let repo = self.repo.as_deref().unwrap_or_default().to_lowercase();
        run_key(&self.platform, &repo, &self.id, self.attempt)
    }
}

/// Fills the key columns of a row, and what else follows from its ids. Returns why a statement
/// counts as "may".
///
/// # Errors
/// Names the columns without which there is no key.
pub(super) fn fill(
    table: &Table,
    members: &Members,
    cells: &mut Cells,
) -> Result<Option<String>, &'static str> {
    match table.name {
        "identities" | "grants" | "activity" | "trusts" => {
            return identities::fill(table.name, members, cells);
        }
        "runs" => {
            put(cells, "run_key", OWN.run(members));
        }
        "jobs" => {
            let run = OWN.run(members).ok_or(NO_RUN)?;
            let name = text(members, "name").ok_or("name")?;
            put(cells, "run_key", Some(run));
            put(cells, "job_key", Some(job_key(run, &name)));
        }
        "steps" => step(members, cells)?,
        "handoffs" => handoff(members, cells),
        "handoff_inputs" => put(cells, "handoff_key", handoff_id(members)),
        "token_permissions" => put(cells, "job_key", Some(OWN.job(members).ok_or(NO_JOB)?)),
        "identities_used" => {
            own(members, cells);
            put(cells, "identity_key", identity(members));
        }
        _ => own(members, cells),
    }
    Ok(None)
}

const NO_RUN: &str = "run_key, or platform and platform_run_id";
const NO_JOB: &str = "job_key, or job and the ids of its run";

/// A key that the file itself gives is kept.
fn put(cells: &mut Cells, column: &'static str, key: Option<Key>) {
    if let Some(key) = key {
        cells.entry(column).or_insert(Cell::Key(key));
    }
}

fn own(members: &Members, cells: &mut Cells) {
    put(cells, "run_key", OWN.run(members));
    put(cells, "job_key", OWN.job(members));
}

/// Keys as the importers of platforms make them: by number, else by order.
fn step(members: &Members, cells: &mut Cells) -> Result<(), &'static str> {
    let job = OWN.job(members).ok_or(NO_JOB)?;
    put(cells, "job_key", Some(job));
    let number = int(members, "number");
    let ordinal = int(members, "ordinal").or(number).ok_or("number or ordinal")?;
    cells.entry("ordinal").or_insert(Cell::Int(ordinal));
    put(cells, "step_key", Some(step_key(job, number, ordinal)));
    Ok(())
}

pub(super) fn step_key(job: Key, number: Option<i64>, ordinal: i64) -> Key {
    match number {
        Some(number) => Key::of("step", &[&job.to_string(), "number", &number.to_string()]),
        None => Key::of("step", &[&job.to_string(), "ordinal", &ordinal.to_string()]),
    }
}

fn handoff_id(members: &Members) -> Option<Key> {
    let id = text(members, "handoff_id")?;
    let platform = text(members, "platform").unwrap_or_default();
    Some(Key::of("handoff", &["export", &platform, &id]))
}

fn handoff(members: &Members, cells: &mut Cells) {
    let (parent, child) = (PARENT.run(members), CHILD.run(members));
    put(cells, "parent_run_key", parent);
    put(cells, "child_run_key", child);
    put(cells, "parent_job_key", PARENT.job(members));
    put(cells, "child_job_key", CHILD.job(members));
    let shown = |column: &str| match cells.get(column) {
        Some(Cell::Key(key)) => key.to_string(),
        _ => text(members, column).unwrap_or_default(),
    };
    let parts = [
        "parent_run_key",
        "parent_job_key",
        "child_run_key",
        "child_job_key",
        "child_repo",
        "child_workflow",
        "mechanism",
        "sent_at",
    ]
    .map(shown);
    let by_ends = Key::of("handoff", &parts.each_ref().map(String::as_str));
    put(cells, "handoff_key", Some(handoff_id(members).unwrap_or(by_ends)));
    let is_linked = cells.contains_key("child_run_key");
    let (method, confidence) = if is_linked { ("explicit_id", 1.0) } else { ("unlinked", 0.0) };
    cells.entry("link_method").or_insert_with(|| Cell::Text(method.to_owned()));
    cells.entry("confidence").or_insert(Cell::Float(confidence));
    cells.entry("crosses").or_insert_with(|| Cell::Text(crosses(members).to_owned()));
}

/// Which boundary lies between the two sides, as far as they are named.
fn crosses(members: &Members) -> &'static str {
    if PARENT.platform(members) != CHILD.platform(members) {
        return "platform";
    }
    let owner = |repo: &str| repo.split('/').next().unwrap_or_default().to_lowercase();
    match (text(members, PARENT.repo), text(members, CHILD.repo)) {
        (Some(parent), Some(child)) if parent.eq_ignore_ascii_case(&child) => "none",
        (Some(parent), Some(child)) if owner(&parent) == owner(&child) => "repo",
        (Some(_), Some(_)) => "org",
        _ => "none",
    }
}

/// An identity by its subject, where that is its natural id.
fn identity(members: &Members) -> Option<Key> {
    let subject = text(members, "subject")?;
    if subject.starts_with("arn:") {
        return Some(identity_key("aws", &subject));
    }
    let kind = text(members, "identity_kind")?;
    let platform = ["aws", "gcp", "azure", "github", "gitlab", "kubernetes"]
        .into_iter()
        .find(|platform| kind.strip_prefix(platform).is_some_and(|rest| rest.starts_with('_')))?;
    Some(identity_key(platform, &subject))
}

/// Run and job of a row that only refers to them, for rows of their own.
pub(super) fn referred(members: &Members) -> Option<RunId> {
    // A key of the file's own need not be the one that its ids give.
    OWN.run_id(members).filter(|_| !is_given(members, "run_key"))
}
