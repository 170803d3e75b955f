//! Excess privilege beside `nhi_scores`: what was used, job tokens, totals.

use crate::{Key, Timestamp};

crate::table! {
    /// One row per identity and action in activity: what was used of what is granted.
    "nhi_usage" NhiUsage {
        /// The identity.
        identity_key: Key,
        /// The identity, for reading.
        identity: String,
        /// Action as in the catalog; `service:*` where only the service is known.
        action: String,
        /// used (within the window), stale (before it), denied (tried, and only ever refused).
        usage: String,
        /// yes, may, no (used or tried without a grant in the inventory), unknown (not in the catalog of actions).
        granted: String,
        /// Class of the action: ESC, CRED, PERM, DATA, WRITE, READ, TAG, LIST; null if it is not in the catalog.
        class: Option<String>,
        /// Calls that were not refused.
        calls: i64,
        /// Calls that were refused.
        denied_calls: i64,
        /// First call, refused or not.
        first_at: Option<Timestamp>,
        /// Last call, refused or not.
        last_at: Option<Timestamp>,
        /// What saw it, as in `activity.evidence`.
        sources: Vec<String>,
    }
}

crate::table! {
    /// One row per job of a workflow: what its job token may do and what its runs show in use.
    "token_scores" TokenScore {
        /// Key of (repository, workflow, job).
        token_score_key: Key,
        /// `owner/name`.
        repo: Option<String>,
        /// Path of the workflow, else its title.
        workflow: Option<String>,
        /// Name of the job.
        job: String,
        /// Runs of the job whose permissions were seen.
        runs: i64,
        /// Permissions as `contents:write`.
        granted: Vec<String>,
        /// Permissions in use, by what steps, handoffs and logins show.
        used: Vec<String>,
        /// Permissions that nothing in the job could have used without being seen.
        unneeded: Vec<String>,
        /// Permissions whose use cannot be observed: scripts and unknown actions may use them.
        unobserved: Vec<String>,
        /// Excess privilege, 0 to 100; null where no step of any run is known.
        excess: Option<f64>,
        /// Lower bound: what cannot be observed counts as needed.
        excess_low: Option<f64>,
        /// Upper bound: what cannot be observed counts as unneeded.
        excess_high: Option<f64>,
        /// Score of everything granted, as if nothing were used.
        granted_risk: f64,
        /// Share of the class mass whose use can be seen, 0 to 1.
        coverage: f64,
        /// First run.
        first_at: Option<Timestamp>,
        /// Last run.
        last_at: Option<Timestamp>,
        /// A job of each end of the window, as `jobs:key`.
        evidence: Vec<String>,
        /// Hash of the weights that were used.
        weights_hash: String,
    }
}

crate::table! {
    /// One row per kind of privilege that an identity or a job token holds: what the masses
    /// `n = Σ actions·u·extent` of its classes are sums of. Actions that are alike in all
    /// columns share a row. Of several rows with one `path` the heaviest counts.
    "privilege_parts" PrivilegePart {
        /// `nhi_scores.identity_key` or `token_scores.token_score_key`.
        subject_key: Key,
        /// Class that it adds to; actions of class ESC add to PERM, ways up to ESC.
        class: String,
        /// Permission of a job token; null for actions of an identity.
        permission: Option<String>,
        /// Way up, as `primitive target`; null for actions.
        path: Option<String>,
        /// Whether it is surely allowed.
        sure: bool,
        /// Actions that are alike.
        actions: i64,
        /// r: how much of its resources it reaches, 0 to 1; null for a way up.
        breadth: Option<f64>,
        /// k: what its condition leaves of it, 0 to 1; null for a way up.
        condition: Option<f64>,
        /// s: sensitivity of the action, 0 to 1; null for a way up.
        sensitivity: Option<f64>,
        /// r·k·s; of a way up the least of what it needs.
        extent: f64,
        /// Whether it was used within the window; null for a way up.
        used: Option<bool>,
        /// h: share of the time in which use would have been seen; null for a way up.
        seen: Option<f64>,
        /// Age by window, at most 1; null for a way up.
        age: Option<f64>,
        /// u, the chance that it is unneeded: 0 if used, else `h·age + (1 − h)·unobservable`; of a way up the highest of what it needs.
        unneeded: f64,
        /// u where what cannot be observed counts as needed.
        unneeded_low: f64,
        /// u where what cannot be observed counts as unneeded.
        unneeded_high: f64,
    }
}

crate::table! {
    /// One row per account, and one for all: the weighted mean of excess privilege.
    "privilege_totals" PrivilegeTotal {
        /// Platform; null in the row for all.
        platform: Option<String>,
        /// Account, organisation, project or cluster; null in the row for all and where identities name none.
        account: Option<String>,
        /// NHIs with grants.
        nhis: i64,
        /// Of these, how many have usage evidence: only they count in the means.
        with_usage: i64,
        /// Of these, how many were idle all of the window.
        inactive: i64,
        /// Σ w of the NHIs with usage evidence, by criticality of their environment.
        weight: f64,
        /// Σ wX / Σ w, 0 to 100; null where no NHI has usage evidence.
        excess: Option<f64>,
        /// The same of the lower bounds.
        excess_low: Option<f64>,
        /// The same of the upper bounds.
        excess_high: Option<f64>,
        /// Hash of the weights that were used.
        weights_hash: String,
    }
}
