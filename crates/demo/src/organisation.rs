//! Who works at northwind-labs: repositories, workflows, dispatches and leaks, as data.

use crate::shape::Shape;

pub(crate) const ORGANISATION: &str = "northwind-labs";

/// A repository.
pub(crate) struct Repository {
    pub(crate) name: &'static str,
    pub(crate) is_public: bool,
    /// Default permissions of its job token.
    pub(crate) default_write: bool,
    pub(crate) environments: &'static [&'static str],
    /// Names of its secrets and the day they were last rotated.
    pub(crate) secrets: &'static [(&'static str, &'static str)],
}

/// What the job token of a workflow may do, as the runner prints it.
pub(crate) type Permissions = &'static [(&'static str, &'static str)];

pub(crate) const READ: Permissions = &[("Contents", "read"), ("Metadata", "read"), ("Packages", "read")];
pub(crate) const RELEASE: Permissions = &[("Contents", "write"), ("Metadata", "read"), ("Packages", "write")];
pub(crate) const HOTFIX: Permissions = &[("Contents", "write"), ("IdToken", "write"), ("Metadata", "read")];
pub(crate) const OIDC: Permissions = &[("Contents", "read"), ("IdToken", "write"), ("Metadata", "read")];
pub(crate) const EVERYTHING: Permissions = &[
    ("Actions", "write"),
    ("Attestations", "write"),
    ("Checks", "write"),
    ("Contents", "write"),
    ("Deployments", "write"),
    ("Discussions", "write"),
    ("Issues", "write"),
    ("Metadata", "read"),
    ("Packages", "write"),
    ("Pages", "write"),
    ("PullRequests", "write"),
    ("SecurityEvents", "write"),
    ("Statuses", "write"),
];

/// How a workflow starts another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mechanism {
    /// `gh workflow run` or an action: `workflow_dispatch`.
    Workflow,
    /// `POST /dispatches`: `repository_dispatch`.
    Repository,
}

/// A dispatch that a workflow's run sends.
pub(crate) struct Dispatch {
    pub(crate) mechanism: Mechanism,
    pub(crate) repo: &'static str,
    pub(crate) file: &'static str,
    /// Whether the parent prints the URL of the child run.
    pub(crate) prints_url: bool,
    /// Login the dispatch is authorised as.
    pub(crate) sender: &'static str,
    /// Names and values; `secret:NAME` forwards a secret.
    pub(crate) inputs: &'static [(&'static str, &'static str)],
}

/// A workflow and how often it ran in the month.
pub(crate) struct Workflow {
    pub(crate) repo: &'static str,
    pub(crate) file: &'static str,
    pub(crate) name: &'static str,
    pub(crate) event: &'static str,
    pub(crate) actor: &'static str,
    pub(crate) runs: u64,
    pub(crate) job: &'static str,
    pub(crate) permissions: Permissions,
    pub(crate) self_hosted: bool,
    /// Role of the machine, used without being asked for.
    pub(crate) ambient_role: Option<&'static str>,
    /// Actions besides checkout.
    pub(crate) actions: &'static [&'static str],
    /// Masked variables of its main step.
    pub(crate) secrets: &'static [&'static str],
    /// Role assumed by OIDC.
    pub(crate) role: Option<&'static str>,
    pub(crate) environment: Option<&'static str>,
    /// Reusable workflows of `shared-workflows` between it and the one it calls.
    pub(crate) via: &'static [&'static str],
    /// Reusable workflow its second job calls: repository, file, permissions of the called job.
    pub(crate) calls: Option<(&'static str, &'static str, Permissions)>,
    pub(crate) dispatches: Option<Dispatch>,
}

/// A leak: the secret and form that the n-th run of a workflow prints.
pub(crate) struct Leak {
    pub(crate) repo: &'static str,
    pub(crate) file: &'static str,
    pub(crate) run: u64,
    pub(crate) secret: &'static str,
    pub(crate) shape: Shape,
    /// Whether the step also binds the value under that name, which the runner masks.
    pub(crate) masked_binding: bool,
}

const fn leak(
    repo: &'static str,
    file: &'static str,
    run: u64,
    secret: &'static str,
    shape: Shape,
    masked_binding: bool,
) -> Leak {
    Leak { repo, file, run, secret, shape, masked_binding }
}

pub(crate) const LEAKS: &[Leak] = &[
    leak("storefront", "release.yml", 3, "RELEASE_PAT", Shape::Trace, false),
    leak("storefront", "release.yml", 5, "RELEASE_PAT", Shape::Base64, true),
    leak("storefront", "preview.yml", 2, "AUTOMATION_PAT", Shape::Plain, false),
    leak("storefront", "ci.yml", 7, "NPM_TOKEN", Shape::Npmrc, true),
    leak("payments-api", "ci.yml", 4, "STRIPE_KEY", Shape::StackTrace, false),
    leak("payments-api", "deploy.yml", 2, "CLUSTER_TOKEN", Shape::Kubeconfig, false),
    leak("payments-api", "hotfix.yml", 1, "JOB_TOKEN", Shape::GitRemote, false),
    leak("data-pipeline", "nightly.yml", 9, "PIPELINE_SECRET", Shape::EnvDump, false),
    leak("data-pipeline", "nightly.yml", 21, "DB_PASSWORD", Shape::Uri, false),
    leak("data-pipeline", "backfill.yml", 3, "DATABRICKS_TOKEN", Shape::Percent, true),
    leak("infra-terraform", "apply.yml", 6, "OIDC_TOKEN", Shape::Plain, false),
    leak("infra-terraform", "plan.yml", 11, "ADMIN_PASSWORD", Shape::TerraformOutput, false),
    leak("infra-terraform", "drift.yml", 5, "PULUMI_TOKEN", Shape::Hex, true),
    leak("mobile-app", "publish.yml", 2, "DEPLOY_KEY", Shape::Block, false),
    leak("mobile-app", "build.yml", 8, "SLACK_BOT_TOKEN", Shape::Ansi, false),
    leak("mobile-app", "build.yml", 12, "MIRROR_TOKEN", Shape::Utf16, true),
    leak("ml-training", "train.yml", 4, "HF_TOKEN", Shape::Gzip, true),
    leak("ml-training", "train.yml", 7, "OPENAI_API_KEY", Shape::CurlHeader, false),
    leak("ml-training", "evaluate.yml", 3, "GCP_KEY", Shape::ServiceAccount, false),
    leak("auth-service", "deploy.yml", 4, "DO_TOKEN", Shape::Reversed, true),
    leak("auth-service", "ci.yml", 6, "DOCKER_PAT", Shape::CommandLine, false),
    leak("auth-service", "image.yml", 3, "DOCKER_PAT", Shape::DockerConfig, false),
    leak("billing-jobs", "invoice.yml", 14, "SENDGRID_KEY", Shape::JsonInJson, false),
    leak("billing-jobs", "reconcile.yml", 2, "LEGACY_SECRET", Shape::EnvDump, false),
    leak("docs-site", "pages.yml", 5, "ANTHROPIC_API_KEY", Shape::Base64Twice, true),
    leak("agent-runner", "triage.yml", 6, "AGENT_PAT", Shape::QueryParameter, false),
    // One key for two repositories.
    leak("agent-runner", "triage.yml", 3, "ANTHROPIC_API_KEY", Shape::CurlHeader, false),
    // One token for production and staging, and one for production alone.
    leak("platform-deploy", "deploy.yml", 2, "REGISTRY_PAT", Shape::CommandLine, false),
    leak("platform-deploy", "smoke.yml", 3, "REGISTRY_PAT", Shape::CommandLine, false),
    leak("auth-service", "deploy.yml", 6, "DO_TOKEN", Shape::Hex, true),
];

/// Lines with masks that the n-th run of a workflow prints.
pub(crate) struct Masks {
    pub(crate) repo: &'static str,
    pub(crate) file: &'static str,
    pub(crate) run: u64,
    /// What is odd about them, as the scanner names it; `None` if nothing is.
    pub(crate) kind: Option<&'static str>,
    pub(crate) lines: &'static [&'static str],
}

pub(crate) const MASKS: &[Masks] = &[
    // A port is kept as a secret.
    Masks {
        repo: "infra-terraform",
        file: "drift.yml",
        run: 7,
        kind: Some("over_masking"),
        lines: &[
            "Connection to bastion port *** [tcp/ssh] succeeded!",
            "Welcome to Ubuntu ***.04.5 LTS (GNU/Linux 6.8.0-1017-aws x86_64)",
            "openssh-server is already the newest version (1:9.6p1-3ubuntu13.***)",
        ],
    },
    // `northwind:` and two characters of the password are left of a header.
    Masks {
        repo: "storefront",
        file: "ci.yml",
        run: 9,
        kind: Some("residue"),
        lines: &["> GET /v2/ HTTP/1.1", "> authorization: Basic bm9ydGh3aW5kOmFi***", "< HTTP/1.1 200 OK"],
    },
    // Stars of tools, and masks where they should be.
    Masks {
        repo: "payments-api",
        file: "ci.yml",
        run: 6,
        kind: None,
        lines: &[
            "make: *** [Makefile:84: test] Error 1",
            "***ERROR: 3 tests are flaky",
            "The push refers to repository [docker.io/***/payments-api]",
            "key sk-test-***9xYz is used for sandbox payments",
            "https://x-access-token:***@github.com/northwind-labs/payments-api",
        ],
    },
];

pub(crate) const REPOSITORIES: &[Repository] = &[
    Repository {
        name: "storefront",
        is_public: true,
        default_write: false,
        environments: &["preview"],
        secrets: &[
            ("RELEASE_PAT", "2025-02-11"),
            ("NPM_TOKEN", "2026-08-02"),
            ("AUTOMATION_PAT", "2026-06-20"),
        ],
    },
    Repository {
        name: "payments-api",
        is_public: false,
        default_write: false,
        environments: &["production"],
        secrets: &[("STRIPE_KEY", "2025-07-01"), ("SENTRY_DSN", "2026-01-15")],
    },
    Repository {
        name: "platform-deploy",
        is_public: false,
        default_write: false,
        environments: &["production", "staging"],
        secrets: &[("CLUSTER_CA", "2026-05-05")],
    },
    Repository {
        name: "shared-workflows",
        is_public: false,
        default_write: false,
        environments: &[],
        secrets: &[],
    },
    Repository {
        name: "infra-terraform",
        is_public: false,
        default_write: false,
        environments: &["production"],
        secrets: &[("PULUMI_TOKEN", "2025-11-30")],
    },
    Repository {
        name: "data-pipeline",
        is_public: false,
        default_write: true,
        environments: &[],
        secrets: &[
            ("AWS_ACCESS_KEY_ID", "2024-03-18"),
            ("AWS_SECRET_ACCESS_KEY", "2024-03-18"),
            ("DATABASE_URL", "2025-01-09"),
            ("DATABRICKS_TOKEN", "2026-07-07"),
        ],
    },
    Repository {
        name: "mobile-app",
        is_public: false,
        default_write: false,
        environments: &[],
        secrets: &[
            ("DEPLOY_KEY", "2025-04-22"),
            ("SLACK_BOT_TOKEN", "2026-02-02"),
            ("MIRROR_TOKEN", "2026-03-03"),
        ],
    },
    Repository {
        name: "docs-site",
        is_public: true,
        default_write: false,
        environments: &["github-pages"],
        secrets: &[("ANTHROPIC_API_KEY", "2026-09-01")],
    },
    Repository {
        name: "ml-training",
        is_public: false,
        default_write: false,
        environments: &[],
        secrets: &[("HF_TOKEN", "2026-01-20"), ("OPENAI_API_KEY", "2026-04-04"), ("GCP_KEY", "2025-08-08")],
    },
    Repository {
        name: "auth-service",
        is_public: false,
        default_write: false,
        environments: &["production"],
        secrets: &[("DO_TOKEN", "2026-05-28"), ("DOCKER_PAT", "2025-10-10")],
    },
    Repository {
        name: "billing-jobs",
        is_public: false,
        default_write: true,
        environments: &[],
        secrets: &[
            ("AWS_ACCESS_KEY_ID", "2023-11-02"),
            ("AWS_SECRET_ACCESS_KEY", "2023-11-02"),
            ("SENDGRID_KEY", "2026-06-16"),
        ],
    },
    Repository {
        name: "agent-runner",
        is_public: false,
        default_write: true,
        environments: &[],
        secrets: &[("AGENT_PAT", "2026-08-30"), ("ANTHROPIC_API_KEY", "2026-08-30")],
    },
];
