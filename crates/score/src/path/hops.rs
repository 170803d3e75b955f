//! Handoffs as hops between runs and jobs: rows of one crossing joined, likely parents told apart.

use leakgraph_model::tables::Handoff;
use leakgraph_model::{Evidence, Key};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A run, or one job of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Unit {
    pub(super) run: Key,
    pub(super) job: Option<Key>,
}

/// One crossing, whatever number of rows tell of it.
#[derive(Clone, Debug)]
pub(super) struct Hop<'a> {
    /// The row that knows most.
    pub(super) handoff: &'a Handoff,
    /// The other rows.
    pub(super) also: Vec<Key>,
    pub(super) parent: Option<Unit>,
    pub(super) child: Option<Unit>,
    /// What authorised it, by the row that knows.
    pub(super) credential: &'a str,
    /// Shared among the likely parents of one child.
    pub(super) confidence: f64,
    pub(super) ambiguous: bool,
}

impl Hop<'_> {
    /// Whether it leads into another run, or may.
    pub(super) fn enters(&self) -> bool {
        self.parent.map(|unit| unit.run) != self.child.map(|unit| unit.run)
    }
}

/// Hops and where they start.
pub(super) struct Hops<'a> {
    pub(super) all: Vec<Hop<'a>>,
    /// Hops that a job sends.
    pub(super) of_job: HashMap<Key, Vec<usize>>,
    /// Hops of a run that name no job.
    pub(super) of_run: HashMap<Key, Vec<usize>>,
    /// Hops into a run whose parent nobody knows.
    pub(super) parentless: HashMap<Key, usize>,
    /// Runs that another run started.
    pub(super) started: BTreeSet<Key>,
    /// Jobs in which a run begins: none of its own handoffs leads to them.
    pub(super) entry: HashMap<Key, Vec<Key>>,
}

impl<'a> Hops<'a> {
    /// `rank` orders the hops of one sender, the riskiest first.
    pub(super) fn of(evidence: &'a Evidence) -> Self {
        let jobs: HashMap<Key, Key> = evidence.jobs.iter().map(|job| (job.job_key, job.run_key)).collect();
        let mut all = crossings(evidence, &jobs);
        absorb_parentless(&mut all);
        share_confidence(&mut all);
        let mut hops = Self {
            all,
            of_job: HashMap::new(),
            of_run: HashMap::new(),
            parentless: HashMap::new(),
            started: BTreeSet::new(),
            entry: HashMap::new(),
        };
        hops.index(evidence);
        hops
    }

    fn index(&mut self, evidence: &Evidence) {
        let mut inner: BTreeSet<Key> = BTreeSet::new();
        for (index, hop) in self.all.iter().enumerate() {
            match (hop.parent, hop.child) {
                (Some(Unit { job: Some(job), .. }), _) => self.of_job.entry(job).or_default().push(index),
                (Some(Unit { run, job: None }), _) => self.of_run.entry(run).or_default().push(index),
                (None, Some(child)) => {
                    self.parentless.entry(child.run).or_insert(index);
                }
                (None, None) => {}
            }
            match hop.child {
                Some(child) if hop.enters() && hop.parent.is_some() => {
                    self.started.insert(child.run);
                }
                Some(Unit { job: Some(job), .. }) if !hop.enters() => {
                    inner.insert(job);
                }
                _ => {}
            }
        }
        let mut of_run: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
        for job in &evidence.jobs {
            of_run.entry(job.run_key).or_default().push(job.job_key);
        }
        for (run, mut jobs) in of_run {
            jobs.sort_unstable();
            jobs.dedup();
            let outer: Vec<Key> = jobs.iter().copied().filter(|job| !inner.contains(job)).collect();
            // Jobs that only call each other in a loop have no beginning: all count.
            self.entry
                .insert(run, if outer.is_empty() && !self.of_run.contains_key(&run) { jobs } else { outer });
        }
    }
}

fn unit(run: Option<Key>, job: Option<Key>, jobs: &HashMap<Key, Key>) -> Option<Unit> {
    let run = job.and_then(|job| jobs.get(&job).copied()).or(run)?;
    Some(Unit { run, job })
}

/// One hop per crossing, in the order of keys.
fn crossings<'a>(evidence: &'a Evidence, jobs: &HashMap<Key, Key>) -> Vec<Hop<'a>> {
    let mut rows: Vec<Hop<'a>> = evidence
        .handoffs
        .iter()
        .map(|handoff| Hop {
            handoff,
            also: Vec::new(),
            parent: unit(handoff.parent_run_key, handoff.parent_job_key, jobs),
            child: unit(handoff.child_run_key, handoff.child_job_key, jobs),
            credential: &handoff.credential_kind,
            confidence: handoff.confidence,
            ambiguous: false,
        })
        .filter(|hop| hop.parent.is_some() || hop.child.is_some())
        .filter(|hop| hop.parent != hop.child)
        .collect();
    // What knows most comes first and is kept.
    rows.sort_by(|left, right| {
        let known = |hop: &Hop<'_>| {
            let job = |unit: Option<Unit>| unit.map_or(0, |unit| 1 + u8::from(unit.job.is_some()));
            job(hop.parent) + job(hop.child)
        };
        known(right)
            .cmp(&known(left))
            .then(right.confidence.total_cmp(&left.confidence))
            .then(left.handoff.handoff_key.cmp(&right.handoff.handoff_key))
            .then(left.credential.cmp(right.credential))
            .then(left.handoff.sent_at.cmp(&right.handoff.sent_at))
    });
    let mut kept: Vec<Hop<'a>> = Vec::new();
    let mut by_key: HashMap<Key, usize> = HashMap::new();
    let mut by_ends: HashMap<Ends<'a>, usize> = HashMap::new();
    for hop in rows {
        let ends = hop
            .parent
            .zip(hop.child)
            .map(|(parent, child)| (parent.run, parent.job, child, hop.handoff.mechanism.as_str()));
        // A row that names the run only says the same as one that names its job.
        let same = by_key
            .get(&hop.handoff.handoff_key)
            .or_else(|| by_ends.get(&ends?))
            .or_else(|| ends.filter(|ends| ends.1.is_none()).and_then(|ends| any_job(&by_ends, ends)))
            .copied();
        match same.and_then(|index| kept.get_mut(index)) {
            Some(first) => join(first, &hop),
            None => {
                by_key.insert(hop.handoff.handoff_key, kept.len());
                if let Some(ends) = ends {
                    by_ends.insert(ends, kept.len());
                    by_ends.entry((ends.0, Some(Key::default()), ends.2, ends.3)).or_insert(kept.len());
                }
                kept.push(hop);
            }
        }
    }
    kept.sort_by_key(|hop| hop.handoff.handoff_key);
    kept
}

type Ends<'a> = (Key, Option<Key>, Unit, &'a str);

/// A kept crossing between the same runs, whichever job sent it: kept under a job that is none.
fn any_job<'m, 'a>(by_ends: &'m HashMap<Ends<'a>, usize>, ends: Ends<'a>) -> Option<&'m usize> {
    by_ends.get(&(ends.0, Some(Key::default()), ends.2, ends.3))
}

fn join<'a>(first: &mut Hop<'a>, other: &Hop<'a>) {
    if other.handoff.handoff_key != first.handoff.handoff_key {
        first.also.push(other.handoff.handoff_key);
        first.also.extend(&other.also);
    }
    if matches!(first.credential, "unknown" | "") {
        first.credential = other.credential;
    }
}

/// The audit log tells of a dispatch without its sender: where another row knows the sender,
/// it is the same dispatch.
fn absorb_parentless(all: &mut Vec<Hop<'_>>) {
    let mut known: HashMap<(Key, &str), usize> = HashMap::new();
    for (index, hop) in all.iter().enumerate() {
        if let (Some(_), Some(child)) = (hop.parent, hop.child) {
            known.entry((child.run, hop.handoff.mechanism.as_str())).or_insert(index);
        }
    }
    let mut absorbed = BTreeSet::new();
    for index in 0..all.len() {
        let Some(hop) = all.get(index).filter(|hop| hop.parent.is_none()).cloned() else { continue };
        let into = hop.child.and_then(|child| known.get(&(child.run, hop.handoff.mechanism.as_str())));
        if let Some(first) = into.and_then(|into| all.get_mut(*into)) {
            join(first, &hop);
            absorbed.insert(index);
        }
    }
    let mut index = 0;
    all.retain(|_| {
        index += 1;
        !absorbed.contains(&(index - 1))
    });
}

/// A run has one sender. Where likeness gives several, each is as likely as the others.
fn share_confidence(all: &mut [Hop<'_>]) {
    let is_likely = |hop: &Hop<'_>| {
        matches!(hop.handoff.link_method.as_str(), "temporal" | "correlation_input")
            && hop.parent.is_some()
            && hop.enters()
    };
    let mut parents: HashMap<Key, BTreeSet<Unit>> = HashMap::new();
    for hop in all.iter().filter(|hop| is_likely(hop)) {
        if let (Some(parent), Some(child)) = (hop.parent, hop.child) {
            parents.entry(child.run).or_default().insert(parent);
        }
    }
    for hop in all.iter_mut() {
        let likely = hop.child.and_then(|child| parents.get(&child.run)).map_or(1, BTreeSet::len);
        // One row, but the importer saw other runs fit.
        let fitted = usize::try_from(hop.handoff.candidates.unwrap_or(1)).unwrap_or(1);
        if is_likely(hop) && likely.max(fitted) > 1 {
            hop.ambiguous = true;
            hop.confidence /= likely.max(1) as f64;
        }
    }
}
