//! From registration to offboarding: what is known of an NHI's life.

use crate::{Key, Timestamp};

crate::table! {
    /// One row per NHI that acts or can act: its owner, its use, its credentials.
    "nhi_lifecycle" NhiLifecycle {
        /// The identity.
        identity_key: Key,
        /// The identity, for reading.
        identity: String,
        /// aws, github, …
        platform: String,
        /// As in `identities`; of an unregistered one as in `identities_used`, else unknown.
        kind: String,
        /// enabled, disabled, unknown.
        status: String,
        /// Whether an inventory lists it; null where no inventory of its platform and account is there.
        registered: Option<bool>,
        /// When it was made.
        created_at: Option<Timestamp>,
        /// Last successful use anybody recorded.
        last_used_at: Option<Timestamp>,
        /// What recorded it: inventory, credential, activity, assumption, job.
        last_used_by: Option<String>,
        /// Days from the last use to the end of the evidence on its account; null if no use is known.
        idle_days: Option<f64>,
        /// Whether it was idle all of the window; null if that cannot be known.
        inactive: Option<bool>,
        /// Owner, from tags or metadata.
        owner: Option<String>,
        /// none (the inventory names none), active (is in an inventory), departed (is in an inventory, disabled), unverified (in no inventory).
        owner_status: String,
        /// The owner, where an inventory has it.
        owner_key: Option<Key>,
        /// Repositories whose runs act as it.
        repositories: Vec<String>,
        /// Workflows (`repository workflow`) whose runs act as it.
        workflows: Vec<String>,
        /// Workloads of a cluster that run as it.
        workloads: Vec<String>,
        /// Environments of the jobs and workloads that act as it.
        environments: Vec<String>,
        /// How people use it: `assumed by NAME`, `console sign-in`, `password`, `session NAME`.
        human_uses: Vec<String>,
        /// Who else controls it: `app NAME`, `account 1`, `tenant T`; null if nobody is known to.
        third_party: Option<String>,
        /// Active credentials that it has.
        credentials: i64,
        /// Of these, how many never expire.
        without_expiry: i64,
        /// Last rotation of the oldest one.
        oldest_credential_at: Option<Timestamp>,
        /// Rows that prove it, as `table:key`.
        evidence: Vec<String>,
    }
}
