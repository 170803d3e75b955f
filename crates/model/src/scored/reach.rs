//! The reach graph: who controls what.

use crate::Key;

crate::table! {
    /// One row per node of the reach graph.
    "reach_nodes" ReachNode {
        /// Key of the node: that of the row it stands for, where there is one.
        node_key: Key,
        /// Label, as in `reach_edges`.
        label: String,
        /// job, run, workflow (a file, or all files of a repository), code (of a repository), identity, session, human, credential, secret, resource, admin.
        kind: String,
        /// σ: what reaching the node is worth.
        sensitivity: f64,
        /// Class of the actions allowed on a resource: ESC, CRED, PERM, DATA, WRITE, READ, TAG, LIST.
        class: Option<String>,
        /// Whether total exposure counts from here (see `choke_points`): a job, or a secret that was seen.
        entry: bool,
        /// The handoff whose child nobody saw, if the node stands for such a child.
        handoff_key: Option<Key>,
    }
}

crate::table! {
    /// One row per edge of the reach graph: who controls the source can control or read the
    /// target. Reach is the least sum of `cost` over a path; what is `max_cost` or less away
    /// counts `sensitivity · 2^-sum`. The lower bound follows edges that are observed and not
    /// unknown, at `cost + unproven`; the central value those that are not unknown, at `cost`;
    /// the upper bound all, the unknown ones at 0.
    "reach_edges" ReachEdge {
        /// Key of the source in `reach_nodes`.
        source_key: Key,
        /// Node that controls.
        source: String,
        /// Kind of the source node.
        source_kind: String,
        /// Key of the target in `reach_nodes`.
        target_key: Key,
        /// Node that is controlled or read.
        target: String,
        /// Kind of the target node.
        target_kind: String,
        /// handoff, runs_as, session_of, trust, assumed, secret_forward, secret_of, credential_of, permission, pass_role, starts (who caused a run), runs (a workflow's runs, a run's jobs), change_code (may change what a repository's workflows run), defines (a repository's workflows), stores (secrets that its workflows may ask for).
        kind: String,
        /// Re-validations on the way: the edge passes 2^-cost of the weight.
        cost: i64,
        /// Re-validations that may exist but have no evidence; only the lower bound counts them.
        unproven: i64,
        /// Whether it was seen in a log (true) or follows from configuration (false).
        observed: bool,
        /// Whether the link itself is uncertain: only the upper bound follows it.
        unknown: bool,
        /// Whether the cost had to be assumed for want of evidence.
        assumed: bool,
        /// Row it comes from.
        evidence_key: Option<Key>,
        /// What takes it away, as in `choke_points`; null where no single cut does.
        choke_key: Option<Key>,
    }
}
