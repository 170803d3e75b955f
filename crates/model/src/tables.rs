//! The evidence tables: what importers and the scanner write.
//!
//! Columns follow the field's terms (run, job, step, handoff, grant, …). Text
//! that may hold a secret is never a column: only its keyed fingerprint, its
//! length and a masked preview. Enumerations are lower-case strings whose
//! values the column documentation lists. Unknown is null.

use crate::{Key, Timestamp};

crate::table! {
    /// One row per input file or archive member that was recognised.
    "source_files" SourceFile {
        /// Key of (content hash).
        source_key: Key,
        /// Path as given, archive members after `!/`.
        path: String,
        /// github, aws, cloudtrail, gitlab, …
        platform: String,
        /// What it was recognised as: run_archive, job_log, step_log, system_log, run_json, job_json, approval_json, webhook, account_authorization_details, cloudtrail, github_bundle, …
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
        /// Stable code: unreadable, unrecognised, malformed_json, truncated, bad_archive, too_large, too_deep, ratio_exceeded, invalid_utf8, unsupported_platform, mixed_runs, malformed_policy, …
        code: String,
        /// What is wrong, redacted, in one sentence.
        reason: String,
        /// Whether anything of the file was lost: a problem with `lossy = false` is only a note and does not change the exit code.
        lossy: bool,
    }
}

crate::table! {
    /// One row per attempt of a workflow run.
    "runs" Run {
        /// Key of (platform, repo, platform run id, attempt); where the id is unknown, of the source.
        run_key: Key,
        /// github, gitlab, …
        platform: String,
        /// `owner/name`.
        repo: Option<String>,
        /// The platform's run id.
        platform_run_id: Option<String>,
        /// Attempt, from 1.
        attempt: Option<i64>,
        /// Title of the workflow.
        workflow_name: Option<String>,
        /// Path of the workflow file.
        workflow_path: Option<String>,
        /// Ref the workflow file came from.
        workflow_ref: Option<String>,
        /// Commit of the workflow file.
        workflow_sha: Option<String>,
        /// Event that started it: push, pull_request, workflow_dispatch, …
        event: Option<String>,
        /// queued, in_progress, completed, …
        status: Option<String>,
        /// success, failure, cancelled, …
        conclusion: Option<String>,
        /// Branch or tag.
        head_ref: Option<String>,
        /// Commit.
        head_sha: Option<String>,
        /// Whether the head is in another repository.
        from_fork: Option<bool>,
        /// Who or what caused the event.
        actor: Option<String>,
        /// user, bot, app, system, unknown.
        actor_kind: Option<String>,
        /// Who re-ran it.
        triggering_actor: Option<String>,
        /// When it was created.
        created_at: Option<Timestamp>,
        /// When it started.
        started_at: Option<Timestamp>,
        /// When it ended.
        ended_at: Option<Timestamp>,
        /// Who can read its log: public, internal, private.
        visibility: Option<String>,
        /// log, rest, webhook.
        evidence: String,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per job execution.
    "jobs" Job {
        /// Key of (run key, job name or platform id).
        job_key: Key,
        /// Its run.
        run_key: Key,
        /// The platform's job id.
        platform_job_id: Option<String>,
        /// Name, reusable jobs as `caller / callee`.
        name: String,
        /// Deployment environment.
        environment: Option<String>,
        /// hosted, larger, self_hosted, unknown.
        runner_kind: Option<String>,
        /// Name of the runner.
        runner_name: Option<String>,
        /// Labels asked for.
        labels: Vec<String>,
        /// Version of the runner.
        runner_version: Option<String>,
        /// Actions, Dependabot, None: which secrets the server handed over.
        secret_source: Option<String>,
        /// success, failure, …
        conclusion: Option<String>,
        /// When it started.
        started_at: Option<Timestamp>,
        /// When it ended.
        ended_at: Option<Timestamp>,
        /// Path of the reusable workflow that defines it.
        job_workflow_path: Option<String>,
        /// Ref of that workflow.
        job_workflow_ref: Option<String>,
        /// Commit of that workflow.
        job_workflow_sha: Option<String>,
        /// How many workflow_call hops above it.
        chain_depth: i64,
        /// Condition of its `if:`.
        condition: Option<String>,
        /// What the condition gave.
        condition_result: Option<bool>,
        /// Whether a log of it was read.
        has_log: bool,
        /// log, rest, webhook.
        evidence: String,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per step of a job.
    "steps" Step {
        /// Key of (job key, number or order).
        step_key: Key,
        /// Its job.
        job_key: Key,
        /// The platform's number, not dense.
        number: Option<i64>,
        /// Order in the log, from 0.
        ordinal: i64,
        /// Name.
        name: String,
        /// setup, action, run, container_action, post, complete.
        kind: String,
        /// Action reference, as `owner/name@ref`.
        uses: Option<String>,
        /// Ref part of `uses`.
        uses_ref: Option<String>,
        /// Commit the ref resolved to.
        resolved_sha: Option<String>,
        /// sha, tag, branch, local, docker.
        pinned: Option<String>,
        /// Shell of a run step.
        shell: Option<String>,
        /// Bytes of the echoed script.
        script_bytes: Option<i64>,
        /// success, failure, …
        conclusion: Option<String>,
        /// When it started.
        started_at: Option<Timestamp>,
        /// When it ended.
        ended_at: Option<Timestamp>,
        /// How lines were attributed: file, order, time, unknown; api for steps without a log.
        attribution: String,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per value handed to a step: what a step could read.
    "bindings" Binding {
        /// Key of (step key, place, name, ordinal).
        binding_key: Key,
        /// Its step.
        step_key: Key,
        /// Its job.
        job_key: Key,
        /// env, with, docker_e, inputs.
        place: String,
        /// Variable or input name.
        name: String,
        /// masked (`***` only), partial (`***` inside other text), clear, empty.
        state: String,
        /// Bytes of the shown value.
        value_bytes: Option<i64>,
        /// cloud_key, registry, scm_token, ssh_key, webhook, ai_key, db, generic, none: by the name.
        guessed_kind: String,
        /// Byte offset of the line in its source.
        byte_offset: i64,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per scope of a job token.
    "token_permissions" TokenPermission {
        /// Its job.
        job_key: Key,
        /// GITHUB_TOKEN, CI_JOB_TOKEN, …
        token: String,
        /// Scope, as in workflow syntax (`contents`, `id-token`, …).
        scope: String,
        /// none, read, write.
        access: String,
        /// log, rest, yaml.
        evidence: String,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per named secret a run or job received.
    "secrets_passed" SecretPassed {
        /// Its job, where known.
        job_key: Option<Key>,
        /// Its run.
        run_key: Key,
        /// Secret name.
        name: String,
        /// repo, org, env, inherited, unknown.
        secret_scope: String,
        /// binding, audit_list, yaml_reference, inherit_all, tojson_all.
        how: String,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per handoff: work passed from a run or job to another.
    "handoffs" Handoff {
        /// Key of (parent, child or target, mechanism, ordinal).
        handoff_key: Key,
        /// The run that hands on; null where only the child is known.
        parent_run_key: Option<Key>,
        /// The job that hands on.
        parent_job_key: Option<Key>,
        /// The run that continues.
        child_run_key: Option<Key>,
        /// The job that continues (workflow_call, job_output).
        child_job_key: Option<Key>,
        /// Repository of the child.
        child_repo: Option<String>,
        /// Workflow of the child.
        child_workflow: Option<String>,
        /// workflow_call, workflow_dispatch, repository_dispatch, workflow_run, job_output, artifact, api_other.
        mechanism: String,
        /// GITHUB_TOKEN, app, pat, user, none, unknown: what authorised it.
        credential_kind: String,
        /// Login or NHI that authorised it.
        credential_subject: Option<String>,
        /// none, repo, org, platform: which boundary it crosses.
        crosses: String,
        /// explicit_id, chain, cause, correlation_input, url_in_log, temporal, unlinked.
        link_method: String,
        /// Confidence of the link, 0 to 1.
        confidence: f64,
        /// Ref the child ran at.
        child_ref: Option<String>,
        /// Commit the child ran at.
        child_sha: Option<String>,
        /// none, passed, bypassed, waiting, unknown: approval on the way.
        gate: String,
        /// When it was sent.
        sent_at: Option<Timestamp>,
        /// log, rest, webhook, inferred.
        evidence: String,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per input or output carried by a handoff.
    "handoff_inputs" HandoffInput {
        /// Its handoff.
        handoff_key: Key,
        /// Name of the input, output or payload field (dotted path).
        name: String,
        /// empty, bool, enum, ref, version, path, url, json, text, token_like, masked, unknown.
        value_class: String,
        /// Bytes of the value; null where it was not visible.
        value_bytes: Option<i64>,
        /// Shannon entropy in bits per byte.
        entropy: Option<f64>,
        /// Keyed fingerprint of the value where it is long enough to identify (8 bytes).
        value_fingerprint: Option<String>,
        /// webhook, log, api, none.
        visible: String,
        /// Whether its class restricts it to a closed set.
        validated: Option<bool>,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per event or condition that let a run or job start.
    "triggers" Trigger {
        /// Its run.
        run_key: Key,
        /// Its job, for conditions.
        job_key: Option<Key>,
        /// event, schedule, api, manual, upstream, comment, label, condition.
        kind: String,
        /// owner, member, collaborator, fork, bot, external, unknown.
        subject_trust: String,
        /// Text of the condition.
        condition: Option<String>,
        /// What it gave.
        result: Option<bool>,
        /// Who decided.
        decided_by: Option<String>,
        /// When.
        decided_at: Option<Timestamp>,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per review of a deployment.
    "approvals" Approval {
        /// Its run.
        run_key: Key,
        /// Environment that was guarded.
        environment: Option<String>,
        /// Who reviewed.
        reviewer: Option<String>,
        /// user, bot, unknown.
        reviewer_kind: String,
        /// approved, rejected, pending.
        state: String,
        /// Whether the reviewer also caused the run; null if the actor is unknown.
        self_review: Option<bool>,
        /// When it was decided.
        decided_at: Option<Timestamp>,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per identity a job acted as.
    "identities_used" IdentityUsed {
        /// Its job; null where only the run is known.
        job_key: Option<Key>,
        /// Its run.
        run_key: Option<Key>,
        /// The identity, where it is in an inventory or has a natural key.
        identity_key: Option<Key>,
        /// aws_role, aws_user, gcp_sa, azure_sp, github_app, github_token, …
        identity_kind: String,
        /// oidc, static, job_token, app_token, ambient.
        how: String,
        /// ARN, e-mail, OIDC subject or login.
        subject: Option<String>,
        /// Cloud session name.
        session_name: Option<String>,
        /// Cloud account or tenant.
        account: Option<String>,
        /// Time of issue.
        issued_at: Option<Timestamp>,
        /// exact_id, session_name, sub_time, inferred.
        join_method: String,
        /// Confidence of the join, 0 to 1.
        confidence: f64,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per identity, human or not.
    "identities" Identity {
        /// Key of (platform, natural id: ARN, app id, …). See [`identity_key`].
        identity_key: Key,
        /// aws, github, kubernetes, …
        platform: String,
        /// role, user, service_linked_role, group, account_root, service, app_installation, deploy_key, repository_token, environment, webhook, …
        kind: String,
        /// Short name.
        name: String,
        /// Natural id: ARN, `app:slug`, `repo:owner/name:token`, …
        native_id: String,
        /// Platform unique id (AROA…, app id).
        unique_id: Option<String>,
        /// Account, organisation or tenant.
        account: Option<String>,
        /// Whether it is a non-human identity; null if undecided.
        is_nhi: Option<bool>,
        /// Owner, from tags or metadata.
        owner: Option<String>,
        /// production, staging, development, … from tags or name.
        environment: Option<String>,
        /// When it was made.
        created_at: Option<Timestamp>,
        /// When it last acted, by the inventory.
        last_used_at: Option<Timestamp>,
        /// enabled, disabled, unknown.
        status: String,
        /// `key=value` tags.
        tags: Vec<String>,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per credential an identity can authenticate with.
    "credentials" Credential {
        /// Key of (platform, natural id).
        credential_key: Key,
        /// Whose it is.
        identity_key: Option<Key>,
        /// access_key, password, deploy_key, app_key, actions_secret, environment_secret, organization_secret, …
        kind: String,
        /// Public id or name (never the value).
        name: String,
        /// `owner/name`, environment or account it lives in.
        scope: Option<String>,
        /// active, inactive, unknown.
        status: String,
        /// When it was made.
        created_at: Option<Timestamp>,
        /// When it was last changed.
        rotated_at: Option<Timestamp>,
        /// When it was last used.
        last_used_at: Option<Timestamp>,
        /// When it ends.
        expires_at: Option<Timestamp>,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per policy statement or permission an identity holds.
    "grants" Grant {
        /// Key of (identity, policy, statement ordinal).
        grant_key: Key,
        /// Who holds it.
        identity_key: Key,
        /// aws, github, …
        platform: String,
        /// identity, group, boundary, scp, rcp, session, permission.
        policy_kind: String,
        /// Name or ARN of the policy.
        policy: String,
        /// Sid or position.
        statement: String,
        /// allow, deny.
        effect: String,
        /// Actions or scopes as written (`s3:Get*`, `contents:write`).
        actions: Vec<String>,
        /// Whether `actions` lists what is *not* covered (NotAction).
        not_actions: bool,
        /// Resources as written.
        resources: Vec<String>,
        /// Whether `resources` lists what is *not* covered (NotResource).
        not_resources: bool,
        /// Conditions as JSON text.
        conditions: Option<String>,
        /// false where the statement could not be understood and counts as "may".
        understood: bool,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per way to become an identity: trust statements and federation.
    "trusts" Trust {
        /// Key of (identity, statement ordinal, principal).
        trust_key: Key,
        /// The identity that can be assumed.
        identity_key: Key,
        /// aws, federated, service, canonical, any.
        principal_kind: String,
        /// ARN, provider, service or `*`.
        principal: String,
        /// The identity that is trusted, where it has a natural key.
        principal_key: Option<Key>,
        /// allow, deny.
        effect: String,
        /// sts:AssumeRole, …
        actions: Vec<String>,
        /// Conditions as JSON text.
        conditions: Option<String>,
        /// Patterns an OIDC `sub` must match; empty if unrestricted.
        subjects: Vec<String>,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per (identity, action, resource, denied): what an identity did.
    "activity" Activity {
        /// Who acted; null where no principal could be named.
        identity_key: Option<Key>,
        /// ARN or login as logged.
        principal: String,
        /// Session name or key id the call was signed with.
        session: Option<String>,
        /// IAM action, as `s3:GetObject`.
        action: String,
        /// Resource, where named.
        resource: Option<String>,
        /// Whether all calls were refused: an attempt, not a use.
        denied: bool,
        /// How often.
        calls: i64,
        /// First call.
        first_at: Option<Timestamp>,
        /// Last call.
        last_at: Option<Timestamp>,
        /// Whether it is a data event (only visible if the trail has them).
        data_event: bool,
        /// cloudtrail, audit, …
        evidence: String,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per assumption of an identity seen in activity: an observed edge.
    "assumptions" Assumption {
        /// Who assumed, as logged.
        source: String,
        /// Who assumed.
        source_identity_key: Option<Key>,
        /// ARN of the role.
        target: String,
        /// The role.
        target_identity_key: Option<Key>,
        /// AssumeRole, AssumeRoleWithWebIdentity, AssumeRoleWithSAML.
        mechanism: String,
        /// Session name.
        session_name: Option<String>,
        /// OIDC subject.
        subject: Option<String>,
        /// Whether it was refused.
        denied: bool,
        /// How often.
        calls: i64,
        /// First seen.
        first_at: Option<Timestamp>,
        /// Last seen.
        last_at: Option<Timestamp>,
        /// Where the row comes from.
        source_key: Key,
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
        /// no_log, no_child, no_permissions, no_usage, no_inventory, truncated, budget, unknown_boundary, …
        gap: String,
        /// lower_bound_only, upper_bound_only, not_computed.
        effect: String,
    }
}

crate::table! {
    /// One row per distinct secret value: its keyed fingerprint stands for it.
    "secrets" Secret {
        /// Key of (key id, fingerprint).
        secret_key: Key,
        /// HMAC-SHA-256 of the value under the installation key, 128 bits, hexadecimal.
        fingerprint: String,
        /// Which installation key made the fingerprint.
        key_id: String,
        /// Rule that recognised it.
        rule: String,
        /// aws, github, …
        provider: String,
        /// access_key_id, personal_access_token, private_key, …
        kind: String,
        /// Bytes of the value.
        value_bytes: i64,
        /// Masked preview: the rule's fixed prefix and at most the last 4 characters.
        preview: String,
        /// verified-structure, likely, possible: the best of its sightings.
        confidence: String,
        /// checksum_valid, structure_valid, unverified.
        verification: String,
        /// ephemeral, hours, long, unknown.
        lifetime: String,
        /// info … critical.
        severity: String,
        /// Identity it authenticates, where it says so itself.
        identity_key: Option<Key>,
        /// aws_access_key, aws_account, jwt_subject, gcp_service_account, github_token, known_name, …: how the identity was found.
        resolved_by: Option<String>,
        /// What the value says of its identity: account number, issuer and subject, e-mail (never the value itself).
        resolved_subject: Option<String>,
        /// When it ends, where it says so itself.
        expires_at: Option<Timestamp>,
        /// First sighting.
        first_seen_at: Option<Timestamp>,
        /// Last sighting.
        last_seen_at: Option<Timestamp>,
    }
}

crate::table! {
    /// One row per occurrence of a secret.
    "secret_sightings" SecretSighting {
        /// Key of (source, offset, fingerprint, rule).
        sighting_key: Key,
        /// The secret.
        secret_key: Key,
        /// Its run, where known.
        run_key: Option<Key>,
        /// Its job, where known.
        job_key: Option<Key>,
        /// Its step, where known.
        step_key: Option<Key>,
        /// The handoff whose input carries it.
        handoff_key: Option<Key>,
        /// The file.
        source_key: Key,
        /// Path of the file.
        path: String,
        /// Line from 1.
        line: i64,
        /// Byte offset of the occurrence in the file.
        byte_offset: i64,
        /// log, script_echo, env_binding, with_binding, job_output, system, handoff_input, webhook.
        place: String,
        /// Name of the variable, input or key it was assigned to, where known.
        name: Option<String>,
        /// Encodings from the outside in; empty if plain.
        encodings: Vec<String>,
        /// Whether the job also shows a masked binding of that name: the platform knew it as secret.
        masked_elsewhere: bool,
        /// verified-structure, likely, possible.
        confidence: String,
        /// Time of the line.
        seen_at: Option<Timestamp>,
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
