//! Verdicts on workflows: a control outcome, not an average.

use crate::{Key, Timestamp};

crate::table! {
    /// One row per run, and one per workflow over its last runs (`run_key` is null).
    "workflow_trust" WorkflowTrust {
        /// Key of the run, or of (platform, repo, workflow).
        trust_key: Key,
        /// The run; null in the row of the workflow.
        run_key: Option<Key>,
        /// github, gitlab, …
        platform: String,
        /// Repository.
        repo: Option<String>,
        /// Path of the workflow, else its name.
        workflow: Option<String>,
        /// The platform's run id and attempt, as `17#2`; null in the row of the workflow.
        run: Option<String>,
        /// When the run was created; of a workflow the last one.
        at: Option<Timestamp>,
        /// Conclusion of the run; of a workflow that of the last one.
        conclusion: Option<String>,
        /// UNTRUSTWORTHY if a control fails, TRUSTWORTHY if all pass with evidence, else UNPROVEN.
        verdict: String,
        /// Identity provenance: every identity is tied to a job, no static key is shared. pass, fail, unknown.
        t1: String,
        /// Least privilege: no identity holds much more than it uses, no handoff widens. pass, fail, unknown.
        t2: String,
        /// Secret hygiene: no leak, no static credential where workload identity is offered, none over age. pass, fail, unknown.
        t3: String,
        /// Approval integrity: privileged jobs were started by an approval or a policy. pass, fail, unknown.
        t4: String,
        /// Execution containment: credentials and foreign code kept apart, actions pinned. pass, fail, unknown.
        t5: String,
        /// Audit completeness: all attempts, jobs, children and decisions on record. pass, fail, unknown.
        t6: String,
        /// Revocation readiness: credentials end within hours or were rotated after the last exposure. pass, fail, unknown.
        t7: String,
        /// Why controls failed, as `T3: …`.
        failures: Vec<String>,
        /// What could not be decided and for want of what, as `T4: …`.
        unknowns: Vec<String>,
        /// Rows that show the failures, as `T3 table:key`.
        failing_evidence: Vec<String>,
        /// Rows that show the passes, as `T1 table:key`.
        passing_evidence: Vec<String>,
        /// Whether it succeeded and is untrustworthy; null without a conclusion.
        succeeded_but_untrusted: Option<bool>,
        /// Verdicts of the last runs of the workflow up to this one, oldest first.
        trend: Vec<String>,
        /// improving, worsening, steady: share of untrustworthy runs in the older and newer half of them; null below 4 runs.
        direction: Option<String>,
        /// Runs the row rests on.
        runs: i64,
        /// Hash of the weights that were used.
        weights_hash: String,
    }
}
