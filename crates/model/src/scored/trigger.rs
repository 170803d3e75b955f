//! What let runs and jobs start.

use crate::{Key, Timestamp};

crate::table! {
    /// One row per run and per job that started: the decision that let it, and whether it was one.
    "trigger_decisions" TriggerDecision {
        /// Key of (run, job).
        decision_key: Key,
        /// The run.
        run_key: Key,
        /// The job; null in the row of the run itself.
        job_key: Option<Key>,
        /// `repo workflow / job`, for reading; `*` stands for the run.
        subject: String,
        /// Event that started the run.
        event: Option<String>,
        /// APPROVED (another person approved it after its last change), POLICY (a rule of the environment or of a merge queue let it pass), CONDITION_ONLY (only an `if:` that was true), TIME_ONLY (a schedule), SELF (who made or dispatched the change approved it, or nobody else did), MACHINE (a bot, an app or the token of another run), UNTRUSTED (a fork, a comment, whoever can write an issue), UNKNOWN.
        class: String,
        /// Login, app, run or environment that decided; null if nobody did or nobody is on record.
        decided_by: Option<String>,
        /// When.
        decided_at: Option<Timestamp>,
        /// Seconds from the decision to the start of the run or job.
        lag_s: Option<f64>,
        /// Text of the job's condition.
        condition: Option<String>,
        /// Deployment environment the job is guarded by, as recorded or declared.
        environment: Option<String>,
        /// Who decided and the identities the job acts as, against the inventory, the worst of them: disabled, unregistered, unknown, approved.
        identity_state: String,
        /// What is wrong with the decision: stale_approval (older than the run), replayed_approval (of an earlier attempt), self_review, bypassed, bot_approval, gate_without_review (the environment asks for a review and none is on record), rerun_by_other, condition_always_true.
        checks: Vec<String>,
        /// Heaviest privilege the job surely holds, 0 to 1 (weight of the permission); of a run, of its jobs. Null where nothing is on record.
        privilege: Option<f64>,
        /// The same at worst.
        privilege_high: f64,
        /// Named secrets it received, the job's own token not counted.
        secrets: i64,
        /// Whether it holds privilege: a write that matters, a session or a secret. Null where neither yes nor no is on record.
        holds_privilege: Option<bool>,
        /// d: strength of the decision that is on record, 0 to 1.
        strength: f64,
        /// The same with every gate that cannot be ruled out taken as passed.
        strength_high: f64,
        /// Trigger score `100·privilege·(1 − strength of the decision)`; null if class or privilege is unknown.
        tp: Option<f64>,
        /// Lower bound: the least privilege, and every gate that cannot be ruled out taken as passed.
        tp_low: f64,
        /// Upper bound: the most privilege, and no gate but those on record.
        tp_high: f64,
        /// Why, one phrase each.
        reasons: Vec<String>,
        /// Rows it rests on, as `table:key`.
        evidence: Vec<String>,
        /// What was missing: no_event, no_actor, no_branch_rules, no_reviewer, no_approvals, no_attempt, no_environment, no_condition, no_permissions, no_secrets, no_inventory.
        gaps: Vec<String>,
        /// Hash of the weights that were used.
        weights_hash: String,
    }
}
