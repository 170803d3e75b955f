//! What jobs hold and which of their steps meet it: the parts of trigger and boundary scores.

use crate::Key;

crate::table! {
    /// One row per thing that a job holds: scopes of its token, secrets, sessions.
    "job_holdings" JobHolding {
        /// The job.
        job_key: Key,
        /// job_token, id_token, secret, identity, all_secrets.
        kind: String,
        /// Scope, name of the secret, id of the identity; `?` for what may be there beside what is on record.
        name: String,
        /// Weight for sure, 0 to 1, by how much of a system it opens.
        weight: f64,
        /// Weight at worst.
        weight_high: f64,
        /// How long it stays good after the job, 0 to 1; null for what is not on record.
        life: Option<f64>,
        /// How it reached the job: log, rest, yaml, binding, audit_list, oidc, …; unknown for what is not on record.
        how: String,
        /// Row that shows it, as `table:key`; null for what is not on record.
        evidence: Option<String>,
    }
}

crate::table! {
    /// One row per step that can surely read material which counts as privileged, and one per
    /// job (without a step) where only the workflow's file tells of untrusted code.
    "boundary_steps" BoundaryStep {
        /// The job.
        job_key: Key,
        /// The step; null for code that only a definition tells of.
        step_key: Option<Key>,
        /// Whose code it runs, as in `boundary_crossings.code_origin`; null for the platform's own steps.
        code_origin: Option<String>,
        /// How little that code is trusted, 0 to 1.
        untrusted: f64,
        /// The heaviest material in its reach, by name.
        credential: String,
        /// Weight of that material times the length of its life, 0 to 1.
        privileged: f64,
        /// Whether only the workflow's file tells of the code or the material.
        declared: bool,
    }
}
