//! Delegated execution: who set work going, and how far it went.

use crate::{Key, Timestamp};

crate::table! {
    /// One row per chain of handoffs from the event that set it going to where it ends.
    "delegation_paths" DelegationPath {
        /// Key of (root run, handoffs in order, end).
        path_key: Key,
        /// Run the path begins with; where only a child is known, that one.
        root_run_key: Option<Key>,
        /// Run and workflow it begins with, as `repo workflow`.
        root: String,
        /// human, agent, bot, schedule, change (a push or pull request whose author is not known), webhook, upstream (another run that is not known), cycle (every run of a loop has a parent), unknown.
        root_kind: String,
        /// Who caused the root event.
        root_actor: Option<String>,
        /// When the root run was created.
        root_at: Option<Timestamp>,
        /// Labels from the root to the end, in order.
        nodes: Vec<String>,
        /// Handoffs on the path.
        handoffs: i64,
        /// Rows of `delegation_links` that are not API calls.
        links: i64,
        /// Last sign of life of any of its runs, jobs or sessions.
        last_activity_at: Option<Timestamp>,
        /// Seconds from the root event to the last sign of life.
        lifetime_s: Option<f64>,
        /// Risk 0 to 100 with the evidence at hand: privilege nobody showed counts as none, a check nobody showed as not made.
        dp: f64,
        /// Lower bound: checks nobody showed count as made.
        dp_low: f64,
        /// Upper bound: privilege nobody showed counts as full.
        dp_high: f64,
        /// Noisy-or of the distinct privileges on the path, 0 to 1; null where none is known.
        privilege: Option<f64>,
        /// Whether it acted after its origin had ended or its approval had lapsed; null if that cannot be told.
        outlives_origin: Option<bool>,
        /// Why, one phrase each.
        outlives_reasons: Vec<String>,
        /// Whether the first run must have a parent that nobody knows; null if that cannot be told.
        orphan: Option<bool>,
        /// Whether it ends in a handoff whose child is not known.
        open: bool,
        /// Whether it comes back to a run, or to a workflow under another run, that it had been at.
        cycle: bool,
        /// Whether one of its children has several likely parents.
        ambiguous: bool,
        /// Product of the confidences of its links, 0 to 1.
        confidence: f64,
        /// Ordinal of the link that holds least: not re-validated, then not revocable, then least sure.
        weakest_link: Option<i64>,
        /// What it lacks, as `not revalidated, not revocable`.
        weakest_reason: Option<String>,
        /// AI agents that took part.
        agents: Vec<String>,
        /// Identities the jobs on it acted as, beside their job tokens.
        identities: Vec<String>,
        /// Resources its sessions were seen to touch, at most 20.
        resources: Vec<String>,
        /// Share of the evidence questions that could be answered, 0 to 1.
        coverage: f64,
        /// Rows that prove it, as `table:key`.
        evidence: Vec<String>,
        /// no_child, no_parent, ambiguous_parent, no_permissions, no_revalidation, no_credential, clock_skew, no_conclusion, no_actor, no_offboarding, cycle, too_long.
        gaps: Vec<String>,
        /// Hash of the weights that were used.
        weights_hash: String,
    }
}

crate::table! {
    /// One row per link of a delegated execution path.
    "delegation_links" DelegationLink {
        /// Its path.
        path_key: Key,
        /// Position on the path, from 0.
        ordinal: i64,
        /// Link it continues; null for the first.
        after: Option<i64>,
        /// trigger (root event to run), handoff, credential (job to identity), activity (identity to API calls).
        kind: String,
        /// Mechanism of the handoff; event of the trigger; how the identity was taken.
        mechanism: String,
        /// The handoff.
        handoff_key: Option<Key>,
        /// Where it starts, for reading.
        source: String,
        /// Where it ends, for reading.
        target: String,
        /// Run it ends in.
        run_key: Option<Key>,
        /// Job it ends in, where one is named.
        job_key: Option<Key>,
        /// Identity it ends in.
        identity_key: Option<Key>,
        /// What authorised it: words of `handoffs.credential_kind`, of a credential link those of `identities_used.how`.
        credential_kind: String,
        /// widened, same, narrowed, unknown: what the far side holds, against the near one.
        scope_change: String,
        /// Weight of the heaviest privilege the link hands over, 0 to 1; null if not known.
        privilege: Option<f64>,
        /// Whether it may hand over more than that: the upper bound takes 1.
        may_hold_more: bool,
        /// What it hands over, as `contents:write`, `secret:NAME` or the identity.
        privileges: Vec<String>,
        /// When it was crossed.
        at: Option<Timestamp>,
        /// Seconds from the root event; null where a time is missing or clocks differ by more than 2 s.
        elapsed_s: Option<f64>,
        /// Whether another actor stands on the far side.
        actor_changed: Option<bool>,
        /// Whether an AI agent stands on the far side.
        agent: bool,
        /// Whether identity, approval or condition was checked again after the link.
        revalidated: Option<bool>,
        /// What was checked (or bypassed): approval, gate, oidc, condition.
        revalidated_by: Option<String>,
        /// Whether what authorised it dies with its origin; a standing credential does not.
        revocable: Option<bool>,
        /// `0.5·w·(1−0.6·revalidated)·(1−0.4·revocable)·(1.25 if widened)` with the numbers of the weights, 0 to 1.
        risk: f64,
        /// Lower bound.
        risk_low: f64,
        /// Upper bound.
        risk_high: f64,
        /// Confidence of the link, 0 to 1, shared among likely parents.
        confidence: f64,
        /// API calls seen; null unless activity.
        calls: Option<i64>,
        /// API calls refused; null unless activity.
        denied_calls: Option<i64>,
        /// Rows that prove it, as `table:key`.
        evidence: Vec<String>,
        /// What was missing, as in `delegation_paths`.
        gaps: Vec<String>,
    }
}
