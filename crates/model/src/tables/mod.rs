//! The evidence tables: what importers and the scanner write.
//!
//! Columns follow the field's terms (run, job, step, handoff, grant, …). Text
//! that may hold a secret is never a column: only its keyed fingerprint, its
//! length and a masked preview. Enumerations are lower-case strings whose
//! values the column documentation lists. Unknown is null.

mod detected;
mod identity;
mod workflow;

pub use detected::*;
pub use identity::*;
pub use workflow::*;

use crate::Key;

crate::table! {
    /// One row per input file or archive member that was recognised.
    "source_files" SourceFile {
        /// Key of (content hash).
        source_key: Key,
        /// Path as given, archive members after `!/`.
        path: String,
        /// github, aws, cloudtrail, gitlab, …
        platform: String,
        /// What it was recognised as: run_archive, job_log, step_log, system_log, run_json, job_json, approval_json, webhook, workflow_yaml, action_yaml, github_audit, account_authorization_details, cloudtrail, github_bundle, job_trace, trigger_job_json, variable_json, deployment_json, ci_yaml, console, build_json, build_xml, …
        kind: String,
        /// SHA-256 of the content, hexadecimal.
        content_sha256: String,
        /// Size in bytes, uncompressed.
        bytes: i64,
        /// GitHub log layout: A (split), B (consolidated), C (one job), D (partial or mixed).
        layout: Option<String>,
        /// Number of lines, for text.
        lines: Option<i64>,
        /// Rows of evidence it gave.
        rows: i64,
    }
}

crate::table! {
    /// One row per thing that could not be read or not be read fully.
    "problems" Problem {
        /// Path as given, archive members after `!/`.
        path: String,
        /// Byte offset of the trouble, where known.
        offset: Option<i64>,
        /// Stable code: unreadable, unrecognised, api_error, empty, unused, malformed_json, truncated, bad_archive, too_large, too_deep, ratio_exceeded, invalid_utf8, unsupported_platform, mixed_runs, malformed_policy, malformed_xml, unknown_column, missing_column, mistyped, …
        code: String,
        /// What is wrong, redacted, in one sentence.
        reason: String,
        /// Whether anything of the file was lost: a problem with `lossy = false` is only a note and does not change the exit code.
        lossy: bool,
    }
}

crate::table! {
    /// One row per piece of evidence that is missing, and what that costs.
    "evidence_gaps" EvidenceGap {
        /// What lacks it.
        subject_key: Key,
        /// Table of the subject.
        subject_table: String,
        /// excess_privilege, blast_radius, handoff_identity, scan, …
        analytic: String,
        /// no_log, no_child, no_attempt, deleted_run, no_permissions, no_usage, no_inventory, truncated, budget, unknown_boundary, no_run_id, encoded_payload, …
        gap: String,
        /// lower_bound_only, upper_bound_only, not_computed.
        effect: String,
    }
}

/// Key of an identity by its platform and natural id (for AWS the ARN, for a
/// repository's job token `repo:owner/name:token`, for an app `app:slug`).
///
/// Session ARNs are first mapped to their role: `…:assumed-role/R/S` carries no
/// path, so such identities are matched by account and role *name*.
pub fn identity_key(platform: &str, native_id: &str) -> Key {
    Key::of("identity", &[platform, native_id])
}

/// Key of a run by its platform, repository, id and attempt.
pub fn run_key(platform: &str, repo: &str, run_id: &str, attempt: i64) -> Key {
    Key::of("run", &[platform, repo, run_id, &attempt.to_string()])
}

/// Key of a job by its run and full name (`caller / callee` for reusable jobs).
pub fn job_key(run: Key, name: &str) -> Key {
    Key::of("job", &[&run.to_string(), name])
}
