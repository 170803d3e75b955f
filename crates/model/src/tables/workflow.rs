//! What workflow runs did: runs, jobs, steps, what they were given and handed on.

use crate::{Key, Timestamp};

crate::table! {
    /// One row per attempt of a workflow run.
    "runs" Run {
        /// Key of (platform, repo, platform run id, attempt); where the id is unknown, of the source.
        run_key: Key,
        /// github, gitlab, azure_devops, circleci, buildkite, travis, argo, tekton, airflow, temporal, n8n, step_functions, jenkins, kubernetes (a log of pods of no known run), …
        platform: String,
        /// `owner/name`; a GitLab project's path, the full name of a Jenkins job.
        repo: Option<String>,
        /// The platform's run id.
        platform_run_id: Option<String>,
        /// Attempt, from 1.
        attempt: Option<i64>,
        /// Title of the workflow; name of the DAG, pipeline or state machine.
        workflow_name: Option<String>,
        /// Path of the workflow file.
        workflow_path: Option<String>,
        /// Ref the workflow file came from.
        workflow_ref: Option<String>,
        /// Commit of the workflow file.
        workflow_sha: Option<String>,
        /// Event that started it: push, pull_request, workflow_dispatch, …; child_run, continued_run, schedule, start, … of orchestrators; upstream, remote, replay or the class of the cause of Jenkins.
        event: Option<String>,
        /// queued, in_progress, completed, …
        status: Option<String>,
        /// success, failure, cancelled, partial, abandoned, timed_out, continued (as another run), …
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
        /// Its title: a commit's, a pull request's or the workflow's `run-name`.
        display_title: Option<String>,
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
        /// log, rest, webhook, audit, disk (a file of the server), export (a table of the generic schema).
        evidence: String,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per job execution.
    "jobs" Job {
        /// Key of (run key, job name or platform id). GitLab: of (project, job id).
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
        /// log, rest, webhook, audit, disk (a file of the server), export (a table of the generic schema).
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
        /// setup, action, run, container_action, post, complete; section (GitLab), stage (Jenkins), tool and model (agents).
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
        /// env, with, docker_e, withCredentials, inputs (parameters of an orchestrator's task).
        place: String,
        /// Variable or input name.
        name: String,
        /// masked (`***` or the platform's mask only), partial (a mask inside other text), clear, empty, hidden (the name only is shown).
        state: String,
        /// Bytes of the shown value.
        value_bytes: Option<i64>,
        /// cloud_key, registry, scm_token, ssh_key, webhook, ai_key, db, generic, none: by the name.
        guessed_kind: String,
        /// Byte offset of the line in its source; 0 in structured files.
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
        /// Its run; of a definition, the key of its source.
        run_key: Key,
        /// Secret name; of credential_id, the credential's id or description.
        name: String,
        /// repo, org, env, namespace, job, external (a vault), inherited, unknown.
        secret_scope: String,
        /// binding, audit_list, yaml_reference, inherit_all, tojson_all, run_variable (a secret variable of the run), context (a named set of secrets, by the set's name), id_token (an OIDC token made for the job), credential_id (Jenkins names the credential), interpolated (pasted into a command by Groovy).
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
        /// workflow_call, workflow_dispatch, repository_dispatch, workflow_run, deployment, job_output, artifact, api_other; trigger_child, trigger_multi, remote_exec (GitLab), upstream_cause, build_step (Jenkins), build_completion (Azure DevOps), trigger_job and rebuild (Buildkite), pipeline and continuation (CircleCI: a pipeline to its workflows, a setup workflow to the others), child_run (a run an orchestrator started as another's child), continued_run (a retry, or the run that goes on for it), agent_call and span_link (OpenTelemetry), signal and update (Temporal), error_workflow (n8n: started with the failure of another), callback (work that is answered with a token).
        mechanism: String,
        /// GITHUB_TOKEN, job_token, trigger_token, System.AccessToken, continuation_key, app, pat, user, service_account, task_token (whoever holds it answers for the task), none, unknown: what authorised it.
        credential_kind: String,
        /// Login or NHI that authorised it.
        credential_subject: Option<String>,
        /// none, repo (or namespace), org (or account), platform: which boundary it crosses.
        crosses: String,
        /// explicit_id, chain, cause, correlation_input, url_in_log, temporal, unlinked.
        link_method: String,
        /// Confidence of the link, 0 to 1.
        confidence: f64,
        /// How many runs fitted, where the child was found by likeness.
        candidates: Option<i64>,
        /// Run id among its inputs: by convention that of the run which sent it.
        carried_run_id: Option<String>,
        /// Ref the child ran at.
        child_ref: Option<String>,
        /// Commit the child ran at.
        child_sha: Option<String>,
        /// none, passed, bypassed, waiting, unknown: approval on the way.
        gate: String,
        /// When it was sent.
        sent_at: Option<Timestamp>,
        /// log, rest, webhook, audit, disk (a file of the server), yaml (a definition), inferred, export.
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
        /// webhook, log, api, yaml, disk, none.
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
        /// aws_role, aws_user, gcp_sa, azure_sp, k8s_sa, github_app, github_token, gitlab_user, jenkins_user, service_connection, gcp_principal, …
        identity_kind: String,
        /// oidc, static, job_token, app_token, inherited, assigned (the definition names it), ambient (all on that machine or in that namespace have it), unknown.
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

crate::table! {
    /// One row per job of a workflow file as it is written, and one per action file: what
    /// runs were allowed to do, not what they did.
    "workflow_definitions" WorkflowDefinition {
        /// Key of (repository, path, content, job id).
        definition_key: Key,
        /// github, gitlab, azure_devops.
        platform: String,
        /// workflow, reusable_workflow (can be called), composite_action, node_action, docker_action; zizmor_findings (what a report of zizmor says of a job, beside the row of its file).
        kind: String,
        /// `owner/name`, where the path tells.
        repo: Option<String>,
        /// Path in the repository from `.github/` on; without one, and of GitLab, the file's name.
        path: Option<String>,
        /// Branch, tag or commit the file was taken from, where the path tells.
        definition_ref: Option<String>,
        /// Title of the workflow or action.
        workflow_name: Option<String>,
        /// Events that start it: push, pull_request_target, workflow_call, …; of GitLab the pipeline sources that its rules name.
        triggers: Vec<String>,
        /// Filters of the events, as `push.branches=main` or `workflow_run.workflows=CI`; of GitLab `rules.if=…`, `only.refs=main`.
        trigger_filters: Vec<String>,
        /// Declared inputs and secrets, as `event.name:type[:required][:option|option]`; of an action `action.name:string`, of GitLab `spec.name:…`, of Azure DevOps `queue.name:string`.
        inputs: Vec<String>,
        /// Names of the inputs that take any text.
        free_inputs: Vec<String>,
        /// Id of the job; null for an action, and for what a file of GitLab includes for all its jobs.
        job_id: Option<String>,
        /// Name of the job as written, with its expressions.
        job_name: Option<String>,
        /// Ids of the jobs it waits for.
        needs: Vec<String>,
        /// Its `if:`; of GitLab the conditions of its rules, or `when: manual`.
        condition: Option<String>,
        /// Labels of the runner it asks for.
        runs_on: Vec<String>,
        /// Deployment environment.
        environment: Option<String>,
        /// Group of the job's concurrency, or else of the workflow's.
        concurrency: Option<String>,
        /// Permissions of the job's token as `scope:access`, `*:read` or `*:write` for all; none if empty and declared. Of GitLab `id-token:write` alone, if it asks for one; of Azure DevOps `scope:project` or `scope:projectCollection`, as far as its token reaches.
        permissions: Vec<String>,
        /// Where they are declared: job, workflow, default (nowhere: the repository's setting holds), unknown.
        permissions_from: String,
        /// Permissions declared for the whole workflow.
        workflow_permissions: Vec<String>,
        /// Reusable workflow the job calls; of GitLab the project or file whose pipeline it triggers.
        calls: Option<String>,
        /// Whether the call hands on all secrets (`secrets: inherit`), or all variables of the pipeline.
        inherits_secrets: bool,
        /// Whether all secrets reach a step as one text (`toJSON(secrets)`).
        reads_all_secrets: bool,
        /// Names of the secrets it refers to; of GitLab also its id tokens, as `NAME@audience`; of Azure DevOps those of groups as `group/NAME`.
        secrets: Vec<String>,
        /// Actions and workflows it uses, as written; of GitLab `group/name:file@ref`, components, and images as `docker://image`.
        uses: Vec<String>,
        /// Those of them that a tag or a branch names, so that their owner may change them.
        unpinned_uses: Vec<String>,
        /// Expressions in scripts that take text of outsiders, as `steps[2].run: github.event.issue.title`.
        untrusted_expressions: Vec<String>,
        /// Expressions in scripts that take inputs of any text, as `steps[0].run: inputs.tag`.
        input_expressions: Vec<String>,
        /// Refs by which steps check out code of outsiders in a run that has secrets (pull_request_target, workflow_run, issue_comment).
        untrusted_checkouts: Vec<String>,
        /// Whether a checkout leaves its token in the working copy; null without a checkout.
        persists_credentials: Option<bool>,
        /// Dispatches its steps send, as `mechanism repository workflow`; an empty part is not written out.
        dispatches: Vec<String>,
        /// Number of steps.
        steps: i64,
        /// Where the row comes from.
        source_key: Key,
    }
}
