//! What the identities of the organisation may do: the GitHub bundle.

use crate::organisation::{ORGANISATION, REPOSITORIES, Repository};
use crate::random::Random;
use crate::runs::full_name;
use serde_json::{Value, json};

/// The bundle of REST answers that leakgraph reads as one file.
pub(crate) fn bundle() -> Value {
    json!({
        "leakgraph_bundle": "github",
        "organization": ORGANISATION,
        "repositories": REPOSITORIES.iter().map(repository).collect::<Vec<_>>(),
        "installations": {"total_count": 4, "installations": [
            app(11, "northwind-release", "selected", &json!({"contents": "write", "actions": "write", "metadata": "read"})),
            app(12, "northwind-agent", "all", &json!({"contents": "write", "issues": "write", "pull_requests": "write", "actions": "write", "workflows": "write", "administration": "write", "secrets": "write", "metadata": "read"})),
            app(13, "renovate", "all", &json!({"contents": "write", "pull_requests": "write", "workflows": "write", "metadata": "read"})),
            app(14, "status-board", "all", &json!({"checks": "read", "statuses": "read", "metadata": "read"})),
        ]},
        "organization_secrets": {"total_count": 2, "secrets": [
            {"name": "ARTIFACTORY_TOKEN", "visibility": "all", "created_at": "2024-05-14T08:00:00Z", "updated_at": "2024-05-14T08:00:00Z"},
            {"name": "SLACK_WEBHOOK", "visibility": "all", "created_at": "2025-12-01T08:00:00Z", "updated_at": "2025-12-01T08:00:00Z"},
        ]},
        "personal_access_tokens": [
            {"id": 501, "token_id": 9001, "token_name": "automation", "owner": {"login": "mara-lindqvist"}, "repository_selection": "all",
             "permissions": {"repository": {"contents": "write", "actions": "write", "workflows": "write", "metadata": "read"}, "organization": {}},
             "access_granted_at": "2026-06-20T09:00:00Z", "token_last_used_at": "2026-10-30T10:00:00Z", "token_expires_at": "2027-06-20T09:00:00Z"},
            {"id": 502, "token_id": 9002, "token_name": "old-dashboard", "owner": {"login": "joris-hendriks"}, "repository_selection": "all",
             "permissions": {"repository": {"contents": "read", "metadata": "read"}, "organization": {"members": "read"}},
             "access_granted_at": "2025-01-10T09:00:00Z", "token_last_used_at": "2025-03-02T10:00:00Z", "token_expires_at": "2027-01-10T09:00:00Z"},
        ],
    })
}

fn repository(repository: &Repository) -> Value {
    let secrets: Vec<Value> = repository
        .secrets
        .iter()
        .map(|(name, day)| json!({"name": name, "created_at": format!("{day}T09:00:00Z"), "updated_at": format!("{day}T09:00:00Z")}))
        .collect();
    let environments: Vec<Value> = repository
        .environments
        .iter()
        .map(|name| {
            let rules = if *name == "production" { json!([{"id": 1, "type": "required_reviewers", "reviewers": [{"type": "User", "reviewer": {"login": "joris-hendriks"}}]}]) } else { json!([]) };
            json!({"id": Random::of(name).below(9_000_000), "name": name, "created_at": "2025-06-01T00:00:00Z", "updated_at": "2025-06-01T00:00:00Z", "protection_rules": rules})
        })
        .collect();
    let deploy_keys = match repository.name {
        "mobile-app" => {
            json!([{"id": 7101, "title": "release mirror", "read_only": false, "verified": true, "key": "ssh-ed25519 demo", "created_at": "2023-04-22T09:00:00Z", "last_used": "2026-10-28T09:00:00Z"}])
        }
        "docs-site" => {
            json!([{"id": 7102, "title": "old preview host", "read_only": false, "verified": true, "key": "ssh-ed25519 demo", "created_at": "2022-02-02T09:00:00Z", "last_used": Value::Null}])
        }
        _ => json!([]),
    };
    json!({
        "full_name": full_name(repository.name),
        "visibility": if repository.is_public { "public" } else { "private" },
        "default_workflow_permissions": {"default_workflow_permissions": if repository.default_write { "write" } else { "read" }, "can_approve_pull_request_reviews": repository.default_write},
        "actions_secrets": {"total_count": secrets.len(), "secrets": secrets},
        "environments": {"total_count": environments.len(), "environments": environments},
        "deploy_keys": deploy_keys,
    })
}

fn app(id: u64, slug: &str, selection: &str, permissions: &Value) -> Value {
    json!({"id": id, "app_id": id * 100, "app_slug": slug, "target_type": "Organization", "repository_selection": selection,
        "permissions": permissions, "events": [], "created_at": "2025-03-01T00:00:00Z", "updated_at": "2026-09-01T00:00:00Z", "suspended_at": Value::Null})
}
