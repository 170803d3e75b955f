//! The workflows of northwind-labs, as data.

use crate::incidents::RARE;
use crate::organisation::*;

pub(crate) const NONE: Workflow = Workflow {
    repo: "",
    file: "",
    name: "",
    event: "push",
    actor: "mara-lindqvist",
    runs: 0,
    job: "build",
    permissions: READ,
    self_hosted: false,
    ambient_role: None,
    actions: &[],
    secrets: &[],
    role: None,
    environment: None,
    via: &[],
    calls: None,
    dispatches: None,
};

const DAILY: &[Workflow] = &[
    Workflow {
        repo: "storefront",
        file: "ci.yml",
        name: "CI",
        event: "pull_request",
        runs: 30,
        secrets: &["NPM_TOKEN"],
        actions: &["actions/setup-node@v4"],
        ..NONE
    },
    Workflow {
        repo: "storefront",
        file: "release.yml",
        name: "Release",
        runs: 8,
        permissions: RELEASE,
        job: "release",
        secrets: &["RELEASE_PAT", "NPM_TOKEN"],
        // Another repository is started with a person's token: the child has what the parent had not.
        dispatches: Some(Dispatch {
            mechanism: Mechanism::Workflow,
            repo: "platform-deploy",
            file: "deploy.yml",
            prints_url: true,
            sender: "mara-lindqvist",
            inputs: &[
                ("environment", "production"),
                ("version", "v4.18.2"),
                ("registry_token", "secret:NPM_TOKEN"),
            ],
        }),
        ..NONE
    },
    Workflow {
        repo: "storefront",
        file: "preview.yml",
        name: "Preview",
        event: "pull_request",
        runs: 14,
        job: "preview",
        role: Some("github-preview"),
        permissions: OIDC,
        actions: &["northstar/preview-action@main"],
        secrets: &["AUTOMATION_PAT"],
        environment: Some("preview"),
        ..NONE
    },
    Workflow {
        repo: "storefront",
        file: "stale.yml",
        name: "Stale issues",
        event: "schedule",
        actor: "github-actions[bot]",
        runs: 10,
        job: "stale",
        permissions: &[("Issues", "write"), ("Metadata", "read"), ("PullRequests", "write")],
        ..NONE
    },
    Workflow {
        repo: "payments-api",
        file: "ci.yml",
        name: "CI",
        event: "pull_request",
        runs: 24,
        job: "test",
        actions: &["actions/setup-go@v5", "codecov/codecov-action@v4"],
        secrets: &["STRIPE_KEY"],
        ..NONE
    },
    // The called workflow declares less than its caller has.
    Workflow {
        repo: "payments-api",
        file: "deploy.yml",
        name: "Deploy",
        runs: 12,
        job: "deploy",
        permissions: EVERYTHING,
        secrets: &["STRIPE_KEY", "SENTRY_DSN"],
        calls: Some(("shared-workflows", "deploy.yml", READ)),
        environment: Some("production"),
        ..NONE
    },
    Workflow {
        repo: "payments-api",
        file: "hotfix.yml",
        name: "Hotfix",
        event: "workflow_dispatch",
        actor: "northwind-agent[bot]",
        job: "hotfix",
        permissions: HOTFIX,
        secrets: &["STRIPE_KEY"],
        dispatches: Some(Dispatch {
            mechanism: Mechanism::Repository,
            repo: "platform-deploy",
            file: "rollback.yml",
            prints_url: false,
            sender: "northwind-agent[bot]",
            inputs: &[("reason", "error budget spent, see the incident channel"), ("target", "payments-api")],
        }),
        ..NONE
    },
    Workflow {
        repo: "platform-deploy",
        file: "deploy.yml",
        name: "Deploy service",
        event: "workflow_dispatch",
        runs: 6,
        job: "deploy",
        permissions: OIDC,
        role: Some("github-deploy-production"),
        environment: Some("production"),
        secrets: &["CLUSTER_CA"],
        ..NONE
    },
    Workflow {
        repo: "platform-deploy",
        file: "rollback.yml",
        name: "Roll back",
        event: "repository_dispatch",
        runs: 2,
        job: "rollback",
        permissions: OIDC,
        role: Some("github-deploy-production"),
        environment: Some("production"),
        ..NONE
    },
    Workflow {
        repo: "platform-deploy",
        file: "smoke.yml",
        name: "Smoke tests",
        event: "workflow_dispatch",
        actor: "northwind-release[bot]",
        job: "smoke",
        ..NONE
    },
    Workflow {
        repo: "shared-workflows",
        file: "lint.yml",
        name: "Lint workflows",
        event: "pull_request",
        runs: 10,
        job: "lint",
        ..NONE
    },
    Workflow {
        repo: "infra-terraform",
        file: "plan.yml",
        name: "Plan",
        event: "pull_request",
        runs: 22,
        job: "plan",
        permissions: OIDC,
        role: Some("terraform-plan"),
        actions: &["hashicorp/setup-terraform@v3"],
        ..NONE
    },
    Workflow {
        repo: "infra-terraform",
        file: "apply.yml",
        name: "Apply",
        runs: 11,
        job: "apply",
        permissions: OIDC,
        role: Some("terraform-apply"),
        environment: Some("production"),
        actions: &["hashicorp/setup-terraform@v3"],
        ..NONE
    },
    Workflow {
        repo: "infra-terraform",
        file: "drift.yml",
        name: "Drift",
        event: "schedule",
        actor: "github-actions[bot]",
        runs: 30,
        job: "drift",
        permissions: OIDC,
        role: Some("terraform-plan"),
        secrets: &["PULUMI_TOKEN"],
        ..NONE
    },
    Workflow {
        repo: "data-pipeline",
        file: "nightly.yml",
        name: "Nightly load",
        event: "schedule",
        actor: "github-actions[bot]",
        runs: 31,
        job: "load",
        permissions: EVERYTHING,
        self_hosted: true,
        secrets: &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL"],
        actions: &["acme-data/notify@v2"],
        ..NONE
    },
    Workflow {
        repo: "data-pipeline",
        file: "orchestrate.yml",
        name: "Orchestrate",
        runs: 8,
        job: "plan",
        permissions: RELEASE,
        secrets: &["DATABRICKS_TOKEN"],
        dispatches: Some(Dispatch {
            mechanism: Mechanism::Workflow,
            repo: "data-pipeline",
            file: "backfill.yml",
            prints_url: false,
            sender: "github-actions[bot]",
            inputs: &[("day", "2026-10-04"), ("dry_run", "false")],
        }),
        ..NONE
    },
    Workflow {
        repo: "data-pipeline",
        file: "backfill.yml",
        name: "Backfill",
        event: "workflow_dispatch",
        actor: "github-actions[bot]",
        job: "backfill",
        permissions: READ,
        self_hosted: true,
        ambient_role: Some("data-runner-instance"),
        secrets: &["DATABRICKS_TOKEN"],
        ..NONE
    },
    Workflow {
        repo: "mobile-app",
        file: "build.yml",
        name: "Build",
        event: "pull_request",
        runs: 26,
        permissions: READ,
        self_hosted: true,
        secrets: &["SLACK_BOT_TOKEN", "MIRROR_TOKEN"],
        ..NONE
    },
    Workflow {
        repo: "mobile-app",
        file: "publish.yml",
        name: "Publish",
        runs: 6,
        job: "publish",
        permissions: RELEASE,
        // On the machine that also builds pull requests.
        self_hosted: true,
        secrets: &["DEPLOY_KEY"],
        actions: &["fastlane-tools/deploy@v1"],
        ..NONE
    },
    Workflow {
        repo: "docs-site",
        file: "pages.yml",
        name: "Pages",
        runs: 14,
        job: "pages",
        permissions: &[("Contents", "read"), ("IdToken", "write"), ("Metadata", "read"), ("Pages", "write")],
        secrets: &["ANTHROPIC_API_KEY"],
        environment: Some("github-pages"),
        ..NONE
    },
    Workflow {
        repo: "docs-site",
        file: "links.yml",
        name: "Check links",
        event: "schedule",
        actor: "github-actions[bot]",
        runs: 8,
        job: "links",
        ..NONE
    },
    Workflow {
        repo: "ml-training",
        file: "train.yml",
        name: "Train",
        runs: 10,
        job: "train",
        permissions: READ,
        self_hosted: true,
        secrets: &["HF_TOKEN", "OPENAI_API_KEY"],
        ..NONE
    },
    Workflow {
        repo: "ml-training",
        file: "evaluate.yml",
        name: "Evaluate",
        runs: 9,
        job: "evaluate",
        self_hosted: true,
        secrets: &["GCP_KEY", "HF_TOKEN"],
        ..NONE
    },
    Workflow {
        repo: "auth-service",
        file: "ci.yml",
        name: "CI",
        event: "pull_request",
        runs: 20,
        job: "test",
        secrets: &["DOCKER_PAT"],
        actions: &["actions/setup-java@v4"],
        ..NONE
    },
    Workflow {
        repo: "auth-service",
        file: "deploy.yml",
        name: "Deploy",
        runs: 10,
        job: "deploy",
        permissions: OIDC,
        calls: Some(("shared-workflows", "deploy.yml", OIDC)),
        role: Some("github-deploy-auth"),
        environment: Some("production"),
        secrets: &["DO_TOKEN"],
        ..NONE
    },
    Workflow {
        repo: "auth-service",
        file: "image.yml",
        name: "Image",
        runs: 9,
        job: "image",
        permissions: RELEASE,
        secrets: &["DOCKER_PAT"],
        dispatches: Some(Dispatch {
            mechanism: Mechanism::Workflow,
            repo: "platform-deploy",
            file: "smoke.yml",
            prints_url: true,
            sender: "northwind-release[bot]",
            inputs: &[("image", "v1.4.0")],
        }),
        ..NONE
    },
    Workflow {
        repo: "billing-jobs",
        file: "invoice.yml",
        name: "Invoices",
        event: "schedule",
        actor: "github-actions[bot]",
        runs: 20,
        job: "invoice",
        permissions: EVERYTHING,
        secrets: &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SENDGRID_KEY"],
        ..NONE
    },
    Workflow {
        repo: "billing-jobs",
        file: "reconcile.yml",
        name: "Reconcile",
        event: "schedule",
        actor: "github-actions[bot]",
        runs: 5,
        job: "reconcile",
        permissions: EVERYTHING,
        secrets: &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        ..NONE
    },
    Workflow {
        repo: "agent-runner",
        file: "triage.yml",
        name: "Agent triage",
        event: "issue_comment",
        actor: "passer-by",
        runs: 9,
        job: "triage",
        permissions: EVERYTHING,
        secrets: &["AGENT_PAT", "ANTHROPIC_API_KEY"],
        actions: &["agentic-tools/claude-triage@main"],
        dispatches: Some(Dispatch {
            mechanism: Mechanism::Workflow,
            repo: "payments-api",
            file: "hotfix.yml",
            prints_url: true,
            sender: "northwind-agent[bot]",
            inputs: &[
                ("instructions", "roll back the last change; the customer says checkout fails"),
                ("ref", "refs/heads/main"),
            ],
        }),
        ..NONE
    },
    Workflow {
        repo: "agent-runner",
        file: "evals.yml",
        name: "Agent evals",
        event: "schedule",
        actor: "github-actions[bot]",
        runs: 12,
        job: "evals",
        secrets: &["ANTHROPIC_API_KEY"],
        // Outside of what was collected: its child stays unknown.
        dispatches: Some(Dispatch {
            mechanism: Mechanism::Repository,
            repo: "northwind-partners/bench",
            file: "evals",
            prints_url: false,
            sender: "northwind-agent[bot]",
            inputs: &[("suite", "nightly")],
        }),
        ..NONE
    },
];

/// Every workflow. New ones come last: ids of runs count them.
pub(crate) fn all() -> impl Iterator<Item = &'static Workflow> {
    DAILY.iter().chain(RARE)
}

/// The workflow `file` of `repo`.
pub(crate) fn workflow(repo: &str, file: &str) -> Option<&'static Workflow> {
    all().find(|workflow| workflow.repo == repo && workflow.file == file)
}
