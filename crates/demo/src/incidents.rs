//! What happens to an organisation once in a while, as data: the scenarios that audits need
//! beyond the daily business, each beside one that differs in the fact that matters.

use crate::organisation::*;
use crate::workflows::NONE;

/// A coding agent, by the login its vendor documents.
const AGENT: &str = "copilot-swe-agent[bot]";

/// Hands work to the coding agent.
const fn to_agent(file: &'static str, inputs: &'static [(&'static str, &'static str)]) -> Option<Dispatch> {
    Some(Dispatch {
        mechanism: Mechanism::Workflow,
        repo: "docs-site",
        file,
        prints_url: true,
        sender: AGENT,
        inputs,
    })
}

/// Workflows that run once or twice a month.
pub(crate) const RARE: &[Workflow] = &[
    // The agent may write what the workflow that asked it may only read …
    Workflow {
        repo: "agent-runner",
        file: "docs.yml",
        name: "Docs upkeep",
        event: "schedule",
        actor: "github-actions[bot]",
        runs: 1,
        job: "ask",
        dispatches: to_agent("edit.yml", &[("task", "fix_links")]),
        ..NONE
    },
    Workflow {
        repo: "docs-site",
        file: "edit.yml",
        name: "Edit pages",
        event: "workflow_dispatch",
        actor: AGENT,
        job: "edit",
        permissions: RELEASE,
        ..NONE
    },
    // … and here it may less than the other.
    Workflow {
        repo: "agent-runner",
        file: "labels.yml",
        name: "Label upkeep",
        event: "schedule",
        actor: "github-actions[bot]",
        runs: 1,
        job: "ask",
        permissions: &[("Contents", "read"), ("Issues", "write"), ("Metadata", "read"), ("Packages", "read")],
        dispatches: to_agent("label.yml", &[("task", "sort_labels")]),
        ..NONE
    },
    Workflow {
        repo: "docs-site",
        file: "label.yml",
        name: "Label issues",
        event: "workflow_dispatch",
        actor: AGENT,
        job: "label",
        ..NONE
    },
    // Three calls deep, and two.
    Workflow {
        repo: "auth-service",
        file: "rotate.yml",
        name: "Rotate keys",
        event: "schedule",
        actor: "github-actions[bot]",
        runs: 1,
        job: "rotate",
        via: &["rotate.yml", "vault.yml"],
        calls: Some(("shared-workflows", "vault-write.yml", READ)),
        ..NONE
    },
    Workflow {
        repo: "auth-service",
        file: "backup.yml",
        name: "Back up",
        event: "schedule",
        actor: "github-actions[bot]",
        runs: 1,
        job: "backup",
        via: &["backup.yml"],
        calls: Some(("shared-workflows", "vault-read.yml", READ)),
        ..NONE
    },
    // Run again a day later: once on the review of the first attempt, once on a new one.
    Workflow {
        repo: "platform-deploy",
        file: "promote.yml",
        name: "Promote",
        runs: 2,
        job: "promote",
        environment: Some("production"),
        secrets: &["CLUSTER_CA"],
        // Pinned to its content.
        actions: &["acme-data/notify@4f1c0de9b7a2836551e0c4d8f7a9b3e2d6c81f05"],
        ..NONE
    },
];

/// A run that was started again.
pub(crate) struct Rerun {
    pub(crate) repo: &'static str,
    pub(crate) file: &'static str,
    pub(crate) run: u64,
    /// Whether somebody looked at the second attempt, too.
    pub(crate) reviewed_again: bool,
}

pub(crate) const RERUNS: &[Rerun] = &[
    Rerun { repo: "platform-deploy", file: "promote.yml", run: 1, reviewed_again: false },
    Rerun { repo: "platform-deploy", file: "promote.yml", run: 2, reviewed_again: true },
];

/// A run that was cancelled, by whom, and when: right after its last step or much later.
pub(crate) struct Cancelled {
    pub(crate) repo: &'static str,
    pub(crate) file: &'static str,
    pub(crate) run: u64,
    pub(crate) by: &'static str,
    pub(crate) after: u64,
}

pub(crate) const CANCELLED: &[Cancelled] = &[
    // What it dispatched went on.
    Cancelled { repo: "auth-service", file: "image.yml", run: 2, by: "joris-hendriks", after: 0 },
    // What it dispatched had ended.
    Cancelled { repo: "data-pipeline", file: "orchestrate.yml", run: 5, by: "joris-hendriks", after: 1800 },
];

/// A run whose logs somebody deleted.
pub(crate) const DELETED: (&str, &str, u64, &str) = ("billing-jobs", "reconcile.yml", 3, "tobias-falk");

/// Environments of jobs that the audit log names: repository, file, run, environment.
pub(crate) const PREPARED: &[(&str, &str, u64, &str)] = &[
    ("platform-deploy", "deploy.yml", 2, "production"),
    ("platform-deploy", "smoke.yml", 3, "staging"),
    ("auth-service", "deploy.yml", 4, "production"),
    ("auth-service", "deploy.yml", 6, "production"),
];
