//! From every root over every hop: the chains, cut where they come back to where they were.

use super::hops::{Hops, Unit};
use leakgraph_model::Key;
use rayon::prelude::*;
use std::collections::BTreeSet;

/// One chain of hops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    /// Run it begins with.
    pub(super) root: Key,
    /// Hop into the root whose sender nobody knows.
    pub(super) before: Option<usize>,
    /// Hops in order.
    pub(super) hops: Vec<usize>,
    /// Jobs in which it ends.
    pub(super) ends: Vec<Key>,
    /// The last hop's child is not known.
    pub(super) open: bool,
    /// The last hop leads back to the chain.
    pub(super) cycle: bool,
    /// Cut for its length.
    pub(super) too_long: bool,
}

/// All chains, and the runs from which there were more than the limit.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) chains: Vec<Chain>,
    /// Runs that are roots only because every run of their loop has a parent.
    pub(super) loops: BTreeSet<Key>,
    pub(super) cut: BTreeSet<Key>,
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) paths: usize,
    pub(super) links: usize,
}

/// Walks from every run in `runs` (each once, in a fixed order) that no other run started; then
/// from what that left unreached, which is in loops or behind them. `risk` is that of a hop:
/// the riskiest are walked first, so that a cut loses the least.
pub(super) fn walk(hops: &Hops<'_>, runs: &[Key], risk: &[f64], limits: Limits) -> Walked {
    let from = |root: Key| {
        let mut walker =
            Walker { hops, risk, limits, root, found: Vec::new(), reached: BTreeSet::new(), cut: false };
        walker.start();
        walker
    };
    let roots: Vec<Walker<'_>> =
        runs.par_iter().copied().filter(|run| !hops.started.contains(run)).map(from).collect();
    let mut walked = Walked::default();
    let mut reached: BTreeSet<Key> = BTreeSet::new();
    for walker in roots {
        walked.take(walker, &mut reached);
    }
    // What is left is in loops or behind them: loops first.
    let is_cut = !walked.cut.is_empty();
    for run in runs {
        if reached.contains(run) {
            continue;
        }
        let walker = from(*run);
        if walker.found.iter().any(|chain| chain.cycle && hops.child_run(chain) == Some(*run)) {
            walked.loops.insert(*run);
            walked.take(walker, &mut reached);
        }
    }
    // Behind a cut a run may have a root after all: it is not made one.
    for run in runs.iter().filter(|_| !is_cut) {
        if !reached.contains(run) {
            walked.take(from(*run), &mut reached);
        }
    }
    walked
}

impl Walked {
    fn take(&mut self, walker: Walker<'_>, reached: &mut BTreeSet<Key>) {
        if walker.cut {
            self.cut.insert(walker.root);
        }
        reached.insert(walker.root);
        reached.extend(walker.reached);
        self.chains.extend(walker.found);
    }
}

impl Hops<'_> {
    /// Run to which the last hop of a chain leads.
    fn child_run(&self, chain: &Chain) -> Option<Key> {
        Some(self.all.get(*chain.hops.last()?)?.child?.run)
    }
}

struct Walker<'a> {
    hops: &'a Hops<'a>,
    risk: &'a [f64],
    limits: Limits,
    root: Key,
    found: Vec<Chain>,
    reached: BTreeSet<Key>,
    cut: bool,
}

/// Where a chain stands.
struct State {
    run: Key,
    jobs: Vec<Key>,
    /// Whether it just came into the run, so that handoffs of the run itself go on.
    enters: bool,
}

/// What a chain has passed.
#[derive(Default)]
struct Trail {
    hops: Vec<usize>,
    runs: Vec<Key>,
    jobs: Vec<Key>,
}

impl Walker<'_> {
    fn start(&mut self) {
        let jobs = self.hops.entry.get(&self.root).cloned().unwrap_or_default();
        let mut trail = Trail { runs: vec![self.root], ..Trail::default() };
        self.go(&State { run: self.root, jobs, enters: true }, &mut trail);
    }

    fn emit(&mut self, trail: &Trail, chain: Chain) {
        if self.found.len() < self.limits.paths {
            let before = self.hops.parentless.get(&self.root).copied();
            self.found.push(Chain { root: self.root, before, hops: trail.hops.clone(), ..chain });
        } else {
            self.cut = true;
        }
    }

    fn go(&mut self, state: &State, trail: &mut Trail) {
        let mut onward: Vec<usize> = Vec::new();
        let mut ends = Vec::new();
        for job in &state.jobs {
            match self.hops.of_job.get(job) {
                Some(sent) => onward.extend(sent),
                None => ends.push(*job),
            }
        }
        if state.enters {
            onward.extend(self.hops.of_run.get(&state.run).into_iter().flatten());
        }
        let risk = |hop: &usize| self.risk.get(*hop).copied().unwrap_or(0.0);
        onward.sort_by(|left, right| risk(right).total_cmp(&risk(left)).then(left.cmp(right)));
        if !ends.is_empty() || onward.is_empty() {
            self.emit(trail, Chain { ends, ..Chain::default() });
        }
        if onward.is_empty() {
            return;
        }
        if trail.hops.len() >= self.limits.links {
            self.emit(trail, Chain { too_long: true, ..Chain::default() });
            return;
        }
        for hop in onward {
            if self.cut {
                return;
            }
            self.cross(state, hop, trail);
        }
    }

    fn cross(&mut self, state: &State, index: usize, trail: &mut Trail) {
        let Some(hop) = self.hops.all.get(index) else { return };
        let sender = hop.parent.and_then(|parent| parent.job);
        trail.hops.push(index);
        trail.jobs.extend(sender);
        match hop.child {
            None => self.emit(trail, Chain { open: true, ..Chain::default() }),
            Some(Unit { run, job }) => {
                let enters = run != state.run;
                let is_back = match job {
                    _ if enters => trail.runs.contains(&run),
                    Some(job) => trail.jobs.contains(&job),
                    None => true,
                };
                if is_back {
                    self.emit(trail, Chain { cycle: true, ..Chain::default() });
                } else {
                    let entry = || self.hops.entry.get(&run).cloned().unwrap_or_default();
                    let jobs = job.map_or_else(entry, |job| vec![job]);
                    let passed = trail.runs.len();
                    if enters {
                        trail.runs.push(run);
                        self.reached.insert(run);
                    }
                    self.go(&State { run, jobs, enters }, trail);
                    trail.runs.truncate(passed);
                }
            }
        }
        if sender.is_some() {
            trail.jobs.pop();
        }
        trail.hops.pop();
    }
}
