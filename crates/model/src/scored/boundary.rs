//! Where code of users and third parties meets privileged material.

use crate::Key;

crate::table! {
    /// One row per job: the first step where code of users or third parties runs with privileged material in reach.
    "boundary_crossings" BoundaryCrossing {
        /// The job.
        job_key: Key,
        /// Its run.
        run_key: Key,
        /// `repo workflow / job`, for reading.
        subject: String,
        /// NONE (no privileged material), MEDIATED (only in steps of trusted or pinned code), SHARED (untrusted code in the same job, or in the step that is handed it), AMBIENT (in the environment, on disk or in a session that untrusted code can read), FULL (all secrets at once), UNKNOWN.
        class: String,
        /// `100 · max(untrusted · privileged)` over the steps, by what a step can surely read; null if unknown.
        bc: Option<f64>,
        /// Lower bound.
        bc_low: f64,
        /// Least trusted code that any step may run, 0 to 1.
        untrusted_high: f64,
        /// Heaviest material that the job may hold, times the length of its life, 0 to 1.
        privileged_high: f64,
        /// Upper bound `100 · untrusted_high · privileged_high`: whatever the job holds counts as in reach of every step, unseen scripts as builds.
        bc_high: f64,
        /// The first crossing step of the class; null if there is none or only a definition tells of it. Where the score is of another step, `reasons` names it.
        step_key: Option<Key>,
        /// Name of that step, or the action it runs.
        step: Option<String>,
        /// Whose code it runs: outsider, expression (text of outsiders in a script), proposed (an unmerged change of the same repository), build (package managers and build scripts), agent_tool (chosen by a model), third_party_unpinned, third_party_pinned, platform, own.
        code_origin: Option<String>,
        /// How little that code is trusted, 0 to 1.
        untrusted: Option<f64>,
        /// The heaviest material in its reach, by name.
        credential: Option<String>,
        /// job_token, id_token, secret, identity, all_secrets.
        credential_kind: Option<String>,
        /// Weight of that material times the length of its life, 0 to 1.
        privileged: Option<f64>,
        /// Steps that ran from the entry of the credential until it left, the platform's own not counted; null where steps are not on record.
        exposed_steps: Option<i64>,
        /// Seconds from the entry of the credential to its end: of the step that alone has it, else of the job.
        window_s: Option<f64>,
        /// hosted, larger, self_hosted, unknown.
        runner_kind: String,
        /// observed (a log or an API shows it), declared (only the workflow's definition does), none.
        basis: String,
        /// How lines came to steps, the weakest of the job: file, order, time, api, unknown.
        attribution: Option<String>,
        /// Why, one phrase each.
        reasons: Vec<String>,
        /// Rows it rests on, as `table:key`.
        evidence: Vec<String>,
        /// What was missing: no_steps, no_log, no_permissions, no_bindings, no_script, no_runner, no_times, no_fork.
        gaps: Vec<String>,
        /// Hash of the weights that were used.
        weights_hash: String,
    }
}
