//! Which jobs stand on the two sides of each handoff.

use leakgraph_model::{Evidence, Key};
use std::collections::HashMap;

/// One job on one side of a handoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Side {
    pub(crate) handoff: Key,
    pub(crate) job: Key,
    pub(crate) child: bool,
}

/// Sides of all handoffs. Where only a run is known, all its jobs stand for it.
#[derive(Debug, Default)]
pub(crate) struct Sides {
    pub(crate) rows: Vec<Side>,
    parents: HashMap<Key, Vec<Key>>,
    children: HashMap<Key, Vec<Key>>,
}

impl Sides {
    pub(crate) fn of(evidence: &Evidence) -> Self {
        let mut jobs_of_run: HashMap<Key, Vec<Key>> = HashMap::new();
        for job in &evidence.jobs {
            jobs_of_run.entry(job.run_key).or_default().push(job.job_key);
        }
        let resolve = |job: Option<Key>, run: Option<Key>| match (job, run) {
            (Some(job), _) => vec![job],
            (None, Some(run)) => jobs_of_run.get(&run).cloned().unwrap_or_default(),
            (None, None) => Vec::new(),
        };
        let mut sides = Self::default();
        for handoff in &evidence.handoffs {
            let key = handoff.handoff_key;
            let parents = resolve(handoff.parent_job_key, handoff.parent_run_key);
            let children = resolve(handoff.child_job_key, handoff.child_run_key);
            sides.rows.extend(parents.iter().map(|job| Side { handoff: key, job: *job, child: false }));
            sides.rows.extend(children.iter().map(|job| Side { handoff: key, job: *job, child: true }));
            sides.parents.insert(key, parents);
            sides.children.insert(key, children);
        }
        sides
    }

    /// Jobs that hand on.
    pub(crate) fn parents(&self, handoff: Key) -> &[Key] {
        self.parents.get(&handoff).map_or(&[], Vec::as_slice)
    }

    /// Jobs that continue.
    pub(crate) fn children(&self, handoff: Key) -> &[Key] {
        self.children.get(&handoff).map_or(&[], Vec::as_slice)
    }
}
