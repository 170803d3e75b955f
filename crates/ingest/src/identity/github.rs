//! GitHub inventories: REST answers as single files, or one bundle of them.

use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::shapes::Shape;
use leakgraph_model::tables::{Credential, Grant, Identity, identity_key};
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::Value;

pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let first = match value {
        Value::Array(items) => return items.iter().find_map(recognise),
        other => other,
    };
    let has = |name: &str| first.get(name).is_some();
    let (kind, because) = if first.get("leakgraph_bundle").and_then(Value::as_str) == Some("github") {
        ("github_bundle", "`leakgraph_bundle` is `github`")
    } else if has("installations") || has("app_slug") && has("permissions") && has("repository_selection") {
        ("github_installations", "`installations`, or an app with `permissions` and `repository_selection`")
    } else if has("read_only") && has("key") && has("verified") {
        ("github_deploy_keys", "keys with `read_only` and `verified`")
    } else if has("default_workflow_permissions") {
        ("github_workflow_permissions", "`default_workflow_permissions`")
    } else if has("environments") && has("total_count") || has("protection_rules") && has("name") {
        ("github_environments", "`environments`, or a name with `protection_rules`")
    } else if has("secrets") && has("total_count") {
        ("github_secrets", "`secrets` and `total_count`")
    } else if has("include_claim_keys") {
        ("github_oidc_subject", "`include_claim_keys`")
    } else if has("variables") && has("total_count") {
        ("github_variables", "`variables` and `total_count`")
    } else if has("token_id") && has("token_name") && has("permissions") {
        ("github_pats", "tokens with `token_id` and `permissions`")
    } else {
        return None;
    };
    Some(Recognised::new(kind, because))
}

/// Repository and organisation a single answer belongs to, from its path.
fn owner_of(path: &str) -> (Option<String>, Option<String>) {
    let parts: Vec<&str> = path.split('/').collect();
    let after = |name: &str, offset: usize| {
        parts
            .iter()
            .position(|part| *part == name)
            .and_then(|at| parts.get(at + offset))
            .map(|part| (*part).to_owned())
    };
    let repo = after("repos", 1)
        .zip(after("repos", 2))
        .map(|(owner, name)| format!("{owner}/{}", name.trim_end_matches(".json")));
    (repo, after("orgs", 1))
}

/// What kind of secrets a list has and where they live, by its path in the API:
/// `repos/O/N/environments/E/secrets`, `orgs/O/dependabot/secrets`, `repos/O/N/actions/secrets`.
fn scope_of(path: &str, repo: &str) -> (&'static str, String) {
    let parts: Vec<&str> = path.split('/').collect();
    let after = |name: &str| parts.iter().position(|part| *part == name).and_then(|at| parts.get(at + 1));
    let (of_repo, of_organisation) = owner_of(path);
    let has = |name: &str| parts.contains(&name);
    match (after("environments"), of_repo, of_organisation) {
        (Some(environment), Some(repo), _) => ("environment_secret", format!("{repo}/{environment}")),
        (_, Some(repo), _) if has("dependabot") => ("dependabot_secret", repo),
        (_, Some(repo), _) if has("codespaces") => ("codespaces_secret", repo),
        (_, None, Some(organisation)) => {
            ("organization_secret", organisation.trim_end_matches(".json").to_owned())
        }
        _ => ("actions_secret", repo.to_owned()),
    }
}

/// Repository that the address of an object names.
fn repo_of(value: &Value) -> Option<String> {
    owner_of(value.get("url")?.as_str()?).0
}

/// What guards an environment, as tags (REST API, "Deployment environments").
fn protection(environment: &Value) -> Vec<String> {
    let mut tags = Vec::new();
    for rule in environment.get("protection_rules").and_then(Value::as_array).into_iter().flatten() {
        match text(rule, "type").as_deref() {
            Some("wait_timer") => {
                tags.extend(text(rule, "wait_timer").map(|minutes| format!("wait_timer={minutes}")))
            }
            Some("required_reviewers") => {
                let reviewers = rule.get("reviewers").and_then(Value::as_array).map_or(0, Vec::len);
                let prevents = rule.get("prevent_self_review").and_then(Value::as_bool);
                tags.push(format!("required_reviewers={reviewers}"));
                tags.extend(prevents.map(|prevents| format!("prevent_self_review={prevents}")));
            }
            Some("branch_policy") | None => {}
            // Rules of apps.
            Some(other) => tags.push(format!("protection_rule={other}")),
        }
    }
    let policy = environment.get("deployment_branch_policy");
    let is = |name: &str| policy.and_then(|policy| policy.get(name)).and_then(Value::as_bool) == Some(true);
    tags.extend(policy.map(|_| match (is("protected_branches"), is("custom_branch_policies")) {
        (true, _) => "branch_policy=protected".to_owned(),
        (_, true) => "branch_policy=custom".to_owned(),
        _ => "branch_policy=none".to_owned(),
    }));
    let bypass = environment.get("can_admins_bypass").and_then(Value::as_bool);
    tags.extend(bypass.map(|bypass| format!("can_admins_bypass={bypass}")));
    tags
}

pub(crate) fn import(kind: &str, document: &Document<'_>, value: &Value) -> Evidence {
    let mut importer = Importer { document, evidence: Evidence::default(), nameless: 0 };
    let (repo, organisation) = owner_of(document.path);
    let repo = repo.unwrap_or_else(|| "unknown/unknown".to_owned());
    let organisation = organisation.unwrap_or_else(|| repo.split('/').next().unwrap_or("unknown").to_owned());
    match kind {
        "github_bundle" => importer.bundle(value),
        "github_installations" => importer.installations(value, &organisation),
        "github_deploy_keys" => importer.deploy_keys(value, &repo),
        "github_workflow_permissions" => importer.job_token(value, &repo),
        "github_environments" => importer.environments(value, &repo),
        "github_secrets" => {
            let (kind, scope) = scope_of(document.path, &repo);
            importer.secrets(value, kind, &scope);
        }
        "github_oidc_subject" => importer.oidc_subject(value, document.path, &repo),
        // Their values are scanned; no table has variables.
        "github_variables" => {}
        _ => importer.tokens(value, &organisation),
    }
    let problem = incomplete(document, importer.nameless, "items have no id or name");
    importer.evidence.problems.extend(problem);
    importer.evidence
}

fn text(value: &Value, name: &str) -> Option<String> {
    match value.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn time(value: &Value, name: &str) -> Option<Timestamp> {
    Timestamp::parse(value.get(name)?.as_str()?)
}

/// The objects of a list, a page (`member` names its list) or a bare object.
fn items<'v>(value: &'v Value, member: &str) -> Vec<&'v Value> {
    match value {
        Value::Array(pages) => pages.iter().flat_map(|page| items(page, member)).collect(),
        Value::Object(members) => match members.get(member).and_then(Value::as_array) {
            Some(list) => list.iter().collect(),
            None => vec![value],
        },
        _ => Vec::new(),
    }
}

struct Importer<'a> {
    document: &'a Document<'a>,
    evidence: Evidence,
    /// Items that could not be kept.
    nameless: usize,
}

impl Importer<'_> {
    fn identity(
        &mut self,
        kind: &str,
        name: &str,
        native_id: &str,
        organisation: &str,
        value: &Value,
    ) -> Key {
        let key = identity_key("github", native_id);
        self.evidence.identities.push(Identity {
            identity_key: key,
            platform: "github".to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            native_id: native_id.to_owned(),
            unique_id: text(value, "id"),
            account: Some(organisation.to_owned()),
            is_nhi: Some(!matches!(kind, "environment" | "organization")),
            created_at: time(value, "created_at"),
            last_used_at: time(value, "last_used").or_else(|| time(value, "token_last_used_at")),
            status: if value.get("suspended_at").is_some_and(|at| !at.is_null()) {
                "disabled"
            } else {
                "enabled"
            }
            .to_owned(),
            source_key: self.document.source_key,
            ..Identity::default()
        });
        key
    }

    /// Who made the identity that was added last.
    fn owner(&mut self, login: Option<String>) {
        if let Some(row) = self.evidence.identities.last_mut() {
            row.owner = login;
        }
    }

    fn grant(&mut self, holder: Key, policy: &str, actions: Vec<String>, resources: Vec<String>) {
        if actions.is_empty() {
            return;
        }
        self.evidence.grants.push(Grant {
            grant_key: Key::of("grant", &[&holder.to_string(), "permission", policy, &resources.join(",")]),
            identity_key: holder,
            platform: "github".to_owned(),
            policy_kind: "permission".to_owned(),
            policy: policy.to_owned(),
            statement: "0".to_owned(),
            effect: "allow".to_owned(),
            actions,
            resources,
            understood: true,
            source_key: self.document.source_key,
            ..Grant::default()
        });
    }

    fn credential(&mut self, owner: Option<Key>, kind: &str, name: &str, scope: &str, value: &Value) {
        self.evidence.credentials.push(Credential {
            credential_key: Key::of("credential", &["github", kind, scope, name]),
            identity_key: owner,
            kind: kind.to_owned(),
            name: name.to_owned(),
            scope: Some(scope.to_owned()),
            status: "active".to_owned(),
            created_at: time(value, "created_at"),
            rotated_at: time(value, "updated_at"),
            last_used_at: time(value, "last_used").or_else(|| time(value, "token_last_used_at")),
            expires_at: time(value, "token_expires_at"),
            source_key: self.document.source_key,
        });
    }

    fn bundle(&mut self, value: &Value) {
        let organisation = text(value, "organization").unwrap_or_else(|| "unknown".to_owned());
        for repository in value.get("repositories").and_then(Value::as_array).into_iter().flatten() {
            let Some(repo) = text(repository, "full_name") else {
                self.nameless += 1;
                continue;
            };
            let member = |name: &str| repository.get(name).filter(|value| !value.is_null());
            if let Some(value) = member("default_workflow_permissions") {
                self.job_token(value, &repo);
            }
            if let Some(value) = member("actions_secrets") {
                self.secrets(value, "actions_secret", &repo);
            }
            if let Some(value) = member("environments") {
                self.environments(value, &repo);
            }
            if let Some(value) = member("deploy_keys") {
                self.deploy_keys(value, &repo);
            }
        }
        if let Some(value) = value.get("installations") {
            self.installations(value, &organisation);
        }
        if let Some(value) = value.get("organization_secrets") {
            self.secrets(value, "organization_secret", &organisation);
        }
        if let Some(value) = value.get("personal_access_tokens") {
            self.tokens(value, &organisation);
        }
    }

    /// Apps: their permissions hold on all or on selected repositories.
    fn installations(&mut self, value: &Value, organisation: &str) {
        for app in items(value, "installations") {
            let Some(slug) = text(app, "app_slug") else {
                self.nameless += 1;
                continue;
            };
            let key = self.identity("app_installation", &slug, &format!("app:{slug}"), organisation, app);
            let resources = match text(app, "repository_selection").as_deref() {
                Some("all") => vec![format!("repo:{organisation}/*")],
                _ => vec![format!("repo:{organisation}/selected")],
            };
            self.grant(key, "installation", permissions(app.get("permissions")), resources);
        }
    }

    /// The default permissions of a repository's job token.
    fn job_token(&mut self, value: &Value, repo: &str) {
        let organisation = repo.split('/').next().unwrap_or(repo).to_owned();
        let key = self.identity(
            "repository_token",
            "GITHUB_TOKEN",
            &format!("repo:{repo}:token"),
            &organisation,
            value,
        );
        let is_write = text(value, "default_workflow_permissions").as_deref() == Some("write");
        // The two presets of "Setting the permissions of the GITHUB_TOKEN" in GitHub's documentation.
        let scopes: &[&str] = if is_write {
            &[
                "actions",
                "checks",
                "contents",
                "deployments",
                "discussions",
                "issues",
                "packages",
                "pages",
                "pull_requests",
                "security_events",
                "statuses",
            ]
        } else {
            &["contents", "packages"]
        };
        let access = if is_write { "write" } else { "read" };
        let mut actions: Vec<String> = scopes.iter().map(|scope| format!("{scope}:{access}")).collect();
        actions.push("metadata:read".to_owned());
        self.grant(key, "default_workflow_permissions", actions, vec![format!("repo:{repo}")]);
    }

    fn environments(&mut self, value: &Value, repo: &str) {
        for environment in items(value, "environments") {
            let Some(name) = text(environment, "name") else {
                self.nameless += 1;
                continue;
            };
            let of_url = repo_of(environment);
            let repo = of_url.as_deref().unwrap_or(repo);
            let organisation = repo.split('/').next().unwrap_or(repo).to_owned();
            self.identity("environment", &name, &format!("env:{repo}/{name}"), &organisation, environment);
            if let Some(row) = self.evidence.identities.last_mut() {
                row.tags = protection(environment);
            }
            if let Some(secrets) = environment.get("secrets") {
                self.secrets(secrets, "environment_secret", &format!("{repo}/{name}"));
            }
        }
    }

    /// Which claims the subject of a job's OIDC token has, as tags of that token (REST API,
    /// "GitHub Actions OIDC"); those of an organisation hold where a repository asks for them.
    fn oidc_subject(&mut self, value: &Value, path: &str, repo: &str) {
        let (of_repo, of_organisation) = owner_of(path);
        let organisation =
            of_organisation.clone().unwrap_or_else(|| repo.split('/').next().unwrap_or(repo).to_owned());
        match (of_repo, of_organisation) {
            (None, Some(organisation)) => self.identity(
                "organization",
                &organisation,
                &format!("org:{organisation}"),
                &organisation,
                value,
            ),
            (of_repo, _) => {
                let native_id = format!("repo:{}:token", of_repo.as_deref().unwrap_or(repo));
                self.identity("repository_token", "GITHUB_TOKEN", &native_id, &organisation, value)
            }
        };
        let claims: Vec<&str> = value
            .get("include_claim_keys")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let is_default = value.get("use_default").and_then(Value::as_bool);
        if let Some(row) = self.evidence.identities.last_mut() {
            row.tags = vec![format!("oidc_sub_claims={}", claims.join(","))];
            row.tags.extend(is_default.map(|is| format!("oidc_sub_default={is}")));
        }
    }

    fn secrets(&mut self, value: &Value, kind: &str, scope: &str) {
        for secret in items(value, "secrets") {
            match text(secret, "name") {
                Some(name) => self.credential(None, kind, &name, scope, secret),
                None => self.nameless += 1,
            }
        }
    }

    fn deploy_keys(&mut self, value: &Value, repo: &str) {
        let organisation = repo.split('/').next().unwrap_or(repo).to_owned();
        for item in items(value, "keys") {
            let (Some(id), Some(title)) = (text(item, "id"), text(item, "title")) else {
                self.nameless += 1;
                continue;
            };
            let key = self.identity("deploy_key", &title, &format!("deploykey:{id}"), &organisation, item);
            self.owner(text(item, "added_by"));
            let access = if item.get("read_only") == Some(&Value::Bool(false)) { "write" } else { "read" };
            self.grant(key, "deploy_key", vec![format!("contents:{access}")], vec![format!("repo:{repo}")]);
            self.credential(Some(key), "deploy_key", &title, repo, item);
        }
    }

    /// Fine-grained personal access tokens of an organisation's members.
    fn tokens(&mut self, value: &Value, organisation: &str) {
        for item in items(value, "personal_access_tokens") {
            let (Some(id), Some(name)) = (text(item, "token_id"), text(item, "token_name")) else {
                self.nameless += 1;
                continue;
            };
            let key = self.identity("personal_access_token", &name, &format!("pat:{id}"), organisation, item);
            self.owner(item.get("owner").and_then(|owner| text(owner, "login")));
            let resources = match text(item, "repository_selection").as_deref() {
                Some("all") => vec![format!("repo:{organisation}/*")],
                _ => vec![format!("repo:{organisation}/selected")],
            };
            let mut actions = permissions(item.pointer("/permissions/repository"));
            actions.extend(permissions(item.pointer("/permissions/organization")));
            self.grant(key, "personal_access_token", actions, resources);
            self.credential(Some(key), "personal_access_token", &name, organisation, item);
        }
    }
}

/// `{"contents": "write"}` as `contents:write`.
fn permissions(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, access)| Some(format!("{name}:{}", access.as_str()?)))
        .collect()
}

/// Members that tell the kinds apart.
pub(super) const SHAPES: &[Shape] = &[
    (
        "github_installations",
        &[
            "id",
            "app_id",
            "app_slug",
            "account",
            "permissions",
            "events",
            "repository_selection",
            "installations",
        ],
    ),
    ("github_deploy_keys", &["id", "key", "title", "verified", "read_only", "added_by", "last_used"]),
    ("github_workflow_permissions", &["default_workflow_permissions", "can_approve_pull_request_reviews"]),
    ("github_environments", &["id", "name", "protection_rules", "deployment_branch_policy", "environments"]),
    ("github_secrets", &["name", "created_at", "updated_at", "visibility", "secrets", "total_count"]),
    (
        "github_pats",
        &["id", "owner", "token_id", "token_name", "token_expires_at", "permissions", "repository_selection"],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_bundle_gives_identities_grants_and_secret_names() {
        let value = json!({"leakgraph_bundle": "github", "organization": "acme",
            "repositories": [{"full_name": "acme/shop", "default_workflow_permissions": {"default_workflow_permissions": "write"},
                "actions_secrets": {"total_count": 1, "secrets": [{"name": "NPM_TOKEN", "updated_at": "2026-01-01T00:00:00Z"}]},
                "deploy_keys": [{"id": 7, "title": "mirror", "read_only": false, "added_by": "ann", "key": "ssh-ed25519 x", "verified": true}]}],
            "personal_access_tokens": [{"token_id": 9, "token_name": "ci", "owner": {"login": "ben"}, "permissions": {}}],
            "installations": {"installations": [{"app_slug": "robot", "permissions": {"contents": "write"}, "repository_selection": "all"}]}});
        assert_eq!(recognise(&value).unwrap().kind, "github_bundle");
        let evidence = import(
            "github_bundle",
            &Document { path: "b.json", source_key: Key::default(), part: 0, bytes: b"" },
            &value,
        );
        let ids: Vec<_> = evidence.identities.iter().map(|identity| identity.native_id.as_str()).collect();
        assert_eq!(ids, ["repo:acme/shop:token", "deploykey:7", "app:robot", "pat:9"]);
        let owners: Vec<_> = evidence.identities.iter().map(|identity| identity.owner.as_deref()).collect();
        assert_eq!(owners, [None, Some("ann"), None, Some("ben")]);
        assert!(
            evidence
                .grants
                .iter()
                .any(|grant| grant.actions == ["contents:write"] && grant.resources == ["repo:acme/*"])
        );
        assert!(evidence.credentials.iter().any(|credential| credential.name == "NPM_TOKEN"));
    }
}
