//! What workflow runs did: runs, jobs, steps, what they were given and handed on.

use crate::{Key, Timestamp};

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
        /// log, rest, webhook, export (a table of the generic schema).
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
        /// log, rest, webhook, export (a table of the generic schema).
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
        /// setup, action, run, container_action, post, complete, tool, model.
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
        /// log, rest, yaml, export.
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
        /// workflow_call, workflow_dispatch, repository_dispatch, workflow_run, job_output, artifact, agent_call, span_link, api_other.
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
        /// log, rest, webhook, inferred, export.
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
        /// aws_role, aws_user, gcp_sa, gcp_principal, azure_sp, github_app, github_token, …
        identity_kind: String,
        /// oidc, static, job_token, app_token, ambient.
        how: String,
        /// ARN, e-mail, OIDC subject or login.
        subject: Option<String>,
        /// Cloud session name; for Entra, which has none, the OIDC subject that was presented.
        session_name: Option<String>,
        /// Cloud session id: `AROA…:name` (assumedRoleId) of AWS.
        session_id: Option<String>,
        /// Id of the session's temporary key, as `activity.session` of the calls it signed.
        access_key_id: Option<String>,
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
