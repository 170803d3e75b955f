//! The `sub` claim of OIDC tokens that CI systems and clusters present to clouds.
//!
//! GitHub ("OpenID Connect reference"): `repo:OWNER/REPO:` and a context, which is
//! `environment:NAME` where the job has one, else `pull_request`, else `ref:REF`. Repositories of
//! 2026 on, and those that opted in, carry immutable ids: `repo:OWNER@ID/REPO@ID:…`. A template
//! may list claims instead, as `name:value` pairs; colons in values are percent-encoded.
//! GitLab ("OpenID Connect (OIDC) Authentication Using ID Tokens"):
//! `project_path:GROUP/PROJECT:ref_type:TYPE:ref:NAME`. Kubernetes ("Service account token"):
//! `system:serviceaccount:NAMESPACE:NAME`.

/// What a subject says of the job that presented it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    /// github, gitlab or kubernetes.
    pub(crate) platform: &'static str,
    /// `owner/name` or project path, without ids.
    pub(crate) repo: Option<String>,
    /// Immutable id of the owner.
    pub(crate) owner_id: Option<String>,
    /// Immutable id of the repository.
    pub(crate) repo_id: Option<String>,
    /// Deployment environment.
    pub(crate) environment: Option<String>,
    /// Branch or tag, without `refs/heads/` and `refs/tags/`.
    pub(crate) head_ref: Option<String>,
    /// Whether a pull request started the run.
    pub(crate) is_pull_request: bool,
    /// `owner/name/path@ref` of the (reusable) workflow that defines the job.
    pub(crate) job_workflow_ref: Option<String>,
    /// Namespace and name of a service account.
    pub(crate) service_account: Option<(String, String)>,
}

/// Claims that a template of GitHub may list.
const CLAIMS: [&str; 28] = [
    "repo",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "repository_visibility",
    "environment",
    "environment_node_id",
    "ref",
    "ref_type",
    "ref_protected",
    "head_ref",
    "base_ref",
    "job_workflow_ref",
    "job_workflow_sha",
    "workflow",
    "workflow_ref",
    "workflow_sha",
    "actor",
    "actor_id",
    "event_name",
    "sha",
    "run_id",
    "run_number",
    "run_attempt",
    "runner_environment",
    "enterprise",
    "enterprise_id",
];

/// Reads a subject; `None` for those of other issuers.
pub(crate) fn parse(subject: &str) -> Option<Subject> {
    if let Some(account) = subject.strip_prefix("system:serviceaccount:") {
        let (namespace, name) = account.split_once(':')?;
        let is_name = |text: &str| !text.is_empty() && !text.contains(':');
        return (is_name(namespace) && is_name(name)).then(|| Subject {
            platform: "kubernetes",
            service_account: Some((namespace.to_owned(), name.to_owned())),
            ..Subject::default()
        });
    }
    if let Some(rest) = subject.strip_prefix("project_path:") {
        return gitlab(rest);
    }
    github(subject)
}

fn gitlab(rest: &str) -> Option<Subject> {
    let (path, rest) = rest.split_once(':').unwrap_or((rest, ""));
    let mut parts = rest.split(':');
    let mut found = Subject { platform: "gitlab", repo: Some(path.to_owned()), ..Subject::default() };
    while let Some(name) = parts.next() {
        match name {
            "ref" => found.head_ref = parts.next().map(decoded),
            "environment" => found.environment = parts.next().map(decoded),
            "ref_type" => found.is_pull_request |= parts.next() == Some("merge_request"),
            _ => {}
        }
    }
    path.contains('/').then_some(found)
}

fn github(subject: &str) -> Option<Subject> {
    let mut found = Subject { platform: "github", ..Subject::default() };
    let mut parts = subject.split(':');
    let mut claims = 0;
    while let Some(name) = parts.next() {
        if name == "pull_request" {
            found.is_pull_request = true;
            continue;
        }
        // Anything else is the subject of another issuer.
        CLAIMS.contains(&name).then_some(())?;
        let value = parts.next().map(decoded)?;
        claims += 1;
        match name {
            "repo" | "repository" => found.repository(&value)?,
            "repository_id" => found.repo_id = Some(value),
            "repository_owner_id" => found.owner_id = Some(value),
            "environment" => found.environment = Some(value),
            "ref" => found.head_ref = Some(short(&value).to_owned()),
            "job_workflow_ref" => found.job_workflow_ref = Some(value),
            "event_name" => found.is_pull_request |= value == "pull_request",
            _ => {}
        }
    }
    (claims > 0).then_some(found)
}

impl Subject {
    /// `owner/name`, each with `@id` in the immutable form.
    fn repository(&mut self, value: &str) -> Option<()> {
        let (owner, name) = value.split_once('/')?;
        let (owner, owner_id) = identified(owner);
        let (name, repo_id) = identified(name);
        self.repo = Some(format!("{owner}/{name}"));
        self.owner_id = owner_id.or(self.owner_id.take());
        self.repo_id = repo_id.or(self.repo_id.take());
        Some(())
    }
}

/// Name and id of `name@id`; neither owners nor repositories may have an `@`.
fn identified(text: &str) -> (&str, Option<String>) {
    match text.split_once('@') {
        Some((name, id)) => (name, Some(id.to_owned())),
        None => (text, None),
    }
}

/// A ref as runs name it.
pub(crate) fn short(reference: &str) -> &str {
    let branch = reference.strip_prefix("refs/heads/");
    branch.or_else(|| reference.strip_prefix("refs/tags/")).unwrap_or(reference)
}

/// Colons in values come as `%3A`.
fn decoded(value: &str) -> String {
    value.replace("%3A", ":").replace("%3a", ":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_forms_of_github_are_read() {
        let classic = parse("repo:ccbrown/cloud-snitch:ref:refs/heads/main").unwrap();
        assert_eq!(
            (classic.repo.as_deref(), classic.head_ref.as_deref()),
            (Some("ccbrown/cloud-snitch"), Some("main"))
        );
        assert_eq!((classic.owner_id, classic.repo_id), (None, None));
        let immutable = parse("repo:octo-org@321004801/octo-repo@1346757509:pull_request").unwrap();
        assert_eq!(immutable.repo.as_deref(), Some("octo-org/octo-repo"));
        let ids = (immutable.owner_id.as_deref(), immutable.repo_id.as_deref());
        assert_eq!((ids, immutable.is_pull_request), ((Some("321004801"), Some("1346757509")), true));
        let gated = parse("repo:o/r:environment:Prod%3AEU").unwrap();
        assert_eq!((gated.environment.as_deref(), gated.head_ref), (Some("Prod:EU"), None));
        assert_eq!(parse("repo:o/r:ref:refs/tags/v1").unwrap().head_ref.as_deref(), Some("v1"));
    }

    #[test]
    fn templates_list_claims_in_any_order() {
        let subject = "repository_owner_id:1234:repository_id:99:environment:prod:job_workflow_ref:o/shared/.github/workflows/deploy.yml@refs/heads/main";
        let found = parse(subject).unwrap();
        assert_eq!(
            (found.owner_id.as_deref(), found.repo_id.as_deref(), found.repo),
            (Some("1234"), Some("99"), None)
        );
        assert_eq!(
            found.job_workflow_ref.as_deref(),
            Some("o/shared/.github/workflows/deploy.yml@refs/heads/main")
        );
        assert_eq!(found.environment.as_deref(), Some("prod"));
    }

    #[test]
    fn other_issuers_are_told_apart() {
        let gitlab = parse("project_path:acme/platform/api:ref_type:branch:ref:main").unwrap();
        assert_eq!(
            (gitlab.platform, gitlab.repo.as_deref(), gitlab.head_ref.as_deref()),
            ("gitlab", Some("acme/platform/api"), Some("main"))
        );
        let pod = parse("system:serviceaccount:argo:awf-aws-executor-plugin").unwrap();
        assert_eq!(pod.service_account, Some(("argo".to_owned(), "awf-aws-executor-plugin".to_owned())));
        for other in [
            "",
            "ada@example.com",
            "system:serviceaccount:argo",
            "organization:acme:pipeline:x",
            "repo:",
            "repo:norepo:ref:x",
            "auth0|5f",
            "project_path:x",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_subject_is_survived(text in "(repo:|project_path:|system:serviceaccount:|environment:)?[a-z@/:%3A_]{0,40}") {
            if let Some(found) = parse(&text) {
                prop_assert!(["github", "gitlab", "kubernetes"].contains(&found.platform));
            }
        }
    }
}
