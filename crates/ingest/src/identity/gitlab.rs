//! GitLab: access tokens, deploy tokens, deploy keys and runners.
//!
//! Formats: GitLab REST API ("Personal access tokens", "Project access tokens", "Group access
//! tokens", "Deploy tokens", "Deploy keys", "Runners"). Lists do not say of which project or
//! group they are: the path does, as the request was (`projects/group%2Fname/…`). Scope and
//! allowlist of job tokens are read with the pipelines' settings.

use crate::Document;
use crate::importer::Recognised;
use crate::percent;
use crate::reader::incomplete;
use crate::value::{strings, text, time};
use leakgraph_model::tables::{Credential, Grant, Identity, identity_key};
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::Value;

const PLATFORM: &str = "gitlab";

pub(super) fn recognise(value: &Value) -> Option<Recognised> {
    let first = items(value).into_iter().next()?;
    let has = |name: &str| first.get(name).is_some();
    let (kind, because) = if has("scopes") && has("revoked") && has("username") {
        ("gitlab_deploy_tokens", "`scopes`, `revoked` and `username`")
    } else if has("scopes") && has("revoked") && has("user_id") {
        ("gitlab_access_tokens", "`scopes`, `revoked` and `user_id`")
    } else if has("key") && has("title") && (has("can_push") || has("projects_with_write_access")) {
        ("gitlab_deploy_keys", "`key` and `title` with `can_push` or the projects")
    } else if has("runner_type") && (has("is_shared") || has("paused")) {
        ("gitlab_runners", "`runner_type` with `is_shared` or `paused`")
    } else {
        return None;
    };
    Some(Recognised::new(kind, because))
}

fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        other => vec![other],
    }
}

pub(super) fn import(kind: &str, document: &Document<'_>, value: &Value) -> Evidence {
    let owner = Owner::of_path(document.path);
    let mut importer = Importer { source: document.source_key, owner, evidence: Evidence::default() };
    let mut nameless = 0;
    for item in items(value) {
        let kept = match kind {
            "gitlab_deploy_tokens" => importer.deploy_token(item),
            "gitlab_access_tokens" => importer.access_token(item),
            "gitlab_deploy_keys" => importer.deploy_key(item),
            _ => importer.runner(item),
        };
        nameless += usize::from(kept.is_none());
    }
    importer.evidence.problems.extend(incomplete(document, nameless, "tokens, keys or runners have no id"));
    importer.evidence
}

/// The project or group that a list belongs to.
enum Owner {
    Project(String),
    Group(String),
    Unknown,
}

impl Owner {
    /// `projects/5/…`, `groups/acme%2Fteam/…`.
    fn of_path(path: &str) -> Self {
        let parts: Vec<&str> = path.split(['/', '\\']).collect();
        // Not the file itself.
        let found = parts.windows(3).rev().find_map(|window| match window {
            [kind @ ("projects" | "groups"), name, _] if !name.is_empty() => {
                Some((*kind, percent::decoded_text(name)))
            }
            _ => None,
        });
        match found {
            Some(("projects", name)) => Self::Project(name),
            Some((_, name)) => Self::Group(name),
            None => Self::Unknown,
        }
    }

    /// What a token of the owner reaches; of an id, only the id is known.
    fn resource(&self) -> Option<String> {
        match self {
            Self::Project(name) if name.contains('/') => Some(format!("repo:{name}")),
            Self::Project(id) => Some(format!("project:{id}")),
            Self::Group(name) if name.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(format!("group:{name}"))
            }
            Self::Group(name) => Some(format!("repo:{name}/*")),
            Self::Unknown => None,
        }
    }

    /// The top group.
    fn account(&self) -> Option<String> {
        let (Self::Project(name) | Self::Group(name)) = self else { return None };
        let top = name.split('/').next().filter(|top| !top.bytes().all(|byte| byte.is_ascii_digit()));
        top.map(str::to_owned)
    }
}

pub(super) fn owner_of_path(path: &str) -> Option<String> {
    Owner::of_path(path).resource()
}

struct Importer {
    source: Key,
    owner: Owner,
    evidence: Evidence,
}

impl Importer {
    fn identity(
        &mut self,
        kind: &str,
        native_id: &str,
        name: String,
        is_enabled: bool,
        row: Identity,
    ) -> Key {
        let key = identity_key(PLATFORM, native_id);
        self.evidence.identities.push(Identity {
            identity_key: key,
            platform: PLATFORM.to_owned(),
            kind: kind.to_owned(),
            name,
            native_id: native_id.to_owned(),
            account: self.owner.account(),
            is_nhi: Some(true),
            status: if is_enabled { "enabled" } else { "disabled" }.to_owned(),
            source_key: self.source,
            ..row
        });
        key
    }

    fn grant(
        &mut self,
        holder: Key,
        policy: &str,
        statement: &str,
        actions: Vec<String>,
        resources: Vec<String>,
    ) {
        if actions.is_empty() || resources.is_empty() {
            return;
        }
        let place = resources.join(",");
        self.evidence.grants.push(Grant {
            grant_key: Key::of("grant", &[&holder.to_string(), "permission", policy, statement, &place]),
            identity_key: holder,
            platform: PLATFORM.to_owned(),
            policy_kind: "permission".to_owned(),
            policy: policy.to_owned(),
            statement: statement.to_owned(),
            effect: "allow".to_owned(),
            actions,
            resources,
            understood: true,
            source_key: self.source,
            ..Grant::default()
        });
    }

    fn credential(&mut self, owner: Key, kind: &str, id: &str, name: &str, item: &Value) {
        let revoked = item.get("revoked") == Some(&Value::Bool(true));
        let expired = item.get("expired") == Some(&Value::Bool(true));
        let inactive = item.get("active") == Some(&Value::Bool(false));
        let made = time(item, "/created_at");
        self.evidence.credentials.push(Credential {
            credential_key: Key::of("credential", &[PLATFORM, kind, id]),
            identity_key: Some(owner),
            kind: kind.to_owned(),
            name: name.to_owned(),
            scope: self.owner.resource(),
            status: if revoked || expired || inactive { "inactive" } else { "active" }.to_owned(),
            created_at: made,
            rotated_at: made,
            last_used_at: time(item, "/last_used_at"),
            expires_at: day(item, "/expires_at"),
            source_key: self.source,
        });
    }

    /// A token of a user, or of the bot of a project or group.
    fn access_token(&mut self, item: &Value) -> Option<()> {
        let id = text(item, "/id")?;
        let name = text(item, "/name").unwrap_or_else(|| id.clone());
        let level = item.get("access_level").and_then(Value::as_i64);
        let kind = match (level, &self.owner) {
            (Some(_), Owner::Group(_)) => "group_access_token",
            (Some(_), _) => "project_access_token",
            (None, _) => "personal_access_token",
        };
        let user = text(item, "/user_id");
        let active = item.get("active") != Some(&Value::Bool(false))
            && item.get("revoked") != Some(&Value::Bool(true));
        let row = Identity {
            unique_id: Some(id.clone()),
            // A personal token acts as its user.
            owner: user.filter(|_| level.is_none()).map(|user| format!("user:{user}")),
            created_at: time(item, "/created_at"),
            last_used_at: time(item, "/last_used_at"),
            tags: level.map(|level| format!("access_level={}", access_level(level))).into_iter().collect(),
            ..Identity::default()
        };
        let key = self.identity(kind, &format!("access_token:{id}"), name.clone(), active, row);
        let resources = match level {
            Some(_) => self.owner.resource(),
            None => Some("*".to_owned()),
        };
        let place = level.map_or("user", access_level);
        self.grant(key, kind, place, strings(item, "/scopes"), resources.into_iter().collect());
        self.credential(key, kind, &id, &name, item);
        Some(())
    }

    fn deploy_token(&mut self, item: &Value) -> Option<()> {
        let id = text(item, "/id")?;
        let name = text(item, "/name").unwrap_or_else(|| id.clone());
        let active = item.get("revoked") != Some(&Value::Bool(true))
            && item.get("expired") != Some(&Value::Bool(true));
        let row = Identity { unique_id: text(item, "/username"), ..Identity::default() };
        let key = self.identity("deploy_token", &format!("deploy_token:{id}"), name.clone(), active, row);
        let resources = self.owner.resource().into_iter().collect();
        self.grant(key, "deploy_token", "0", strings(item, "/scopes"), resources);
        self.credential(key, "deploy_token", &id, &name, item);
        Some(())
    }

    /// A key of a project, or of the instance with the projects that take it.
    fn deploy_key(&mut self, item: &Value) -> Option<()> {
        let id = text(item, "/id")?;
        let name = text(item, "/title").unwrap_or_else(|| id.clone());
        let row = Identity { created_at: time(item, "/created_at"), ..Identity::default() };
        let key = self.identity("deploy_key", &format!("deploy_key:{id}"), name.clone(), true, row);
        let action =
            |can_push: bool| vec![if can_push { "write_repository" } else { "read_repository" }.to_owned()];
        if let Some(can_push) = item.get("can_push").and_then(Value::as_bool) {
            let resources = self.owner.resource().into_iter().collect();
            self.grant(key, "deploy_key", "0", action(can_push), resources);
        }
        for (list, can_push) in
            [("projects_with_write_access", true), ("projects_with_readonly_access", false)]
        {
            let projects = item.get(list).and_then(Value::as_array).into_iter().flatten();
            let resources = projects
                .filter_map(|project| Some(format!("repo:{}", text(project, "/path_with_namespace")?)));
            self.grant(key, "deploy_key", list, action(can_push), resources.collect());
        }
        self.credential(key, "deploy_key", &id, &name, item);
        Some(())
    }

    /// Who runs a job sees its secrets.
    fn runner(&mut self, item: &Value) -> Option<()> {
        let id = text(item, "/id")?;
        let name = text(item, "/description").filter(|name| !name.is_empty()).unwrap_or_else(|| id.clone());
        let paused =
            item.get("paused") == Some(&Value::Bool(true)) || item.get("active") == Some(&Value::Bool(false));
        let mut tags: Vec<String> = ["runner_type", "access_level", "run_untagged", "locked"]
            .iter()
            .filter_map(|name| match item.get(*name)? {
                Value::Null => None,
                Value::String(value) => Some(format!("{name}={value}")),
                value => Some(format!("{name}={value}")),
            })
            .collect();
        tags.extend(strings(item, "/tag_list").into_iter().map(|tag| format!("tag={tag}")));
        let row = Identity {
            created_at: time(item, "/created_at"),
            last_used_at: time(item, "/contacted_at"),
            tags,
            ..Identity::default()
        };
        let key = self.identity("runner", &format!("runner:{id}"), name, !paused, row);
        let projects = item.get("projects").and_then(Value::as_array).into_iter().flatten();
        let mut resources: Vec<String> = projects
            .filter_map(|project| Some(format!("repo:{}", text(project, "/path_with_namespace")?)))
            .collect();
        match text(item, "/runner_type").as_deref() {
            Some("instance_type") => resources = vec!["*".to_owned()],
            _ if resources.is_empty() => resources.extend(self.owner.resource()),
            _ => {}
        }
        self.grant(key, "runner", "0", vec!["run_jobs".to_owned()], resources);
        Some(())
    }
}

/// A time, or a day: a token ends at its begin.
fn day(item: &Value, pointer: &str) -> Option<Timestamp> {
    time(item, pointer).or_else(|| Timestamp::parse(&format!("{}T00:00:00Z", text(item, pointer)?)))
}

/// GitLab, "Roles and permissions".
fn access_level(level: i64) -> &'static str {
    match level {
        5 => "minimal",
        10 => "guest",
        15 => "planner",
        20 => "reporter",
        30 => "developer",
        40 => "maintainer",
        50 => "owner",
        60 => "admin",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(path: &str, value: &Value) -> Evidence {
        let kind = recognise(value).unwrap().kind;
        import(kind, &Document { path, source_key: Key::default(), part: 0, bytes: b"" }, value)
    }

    /// The examples of the API's pages.
    #[test]
    fn tokens_of_projects_groups_and_users() {
        let token = json!([{"user_id": 141, "scopes": ["api"], "name": "token", "expires_at": "2021-01-31", "id": 42, "active": true,
            "created_at": "2021-01-20T22:11:48.151Z", "last_used_at": null, "revoked": false, "access_level": 40}]);
        let evidence = read("projects/acme%2Fshop/access_tokens.json", &token);
        assert_eq!(evidence.identities[0].kind, "project_access_token");
        assert_eq!(
            (evidence.grants[0].resources[0].as_str(), evidence.grants[0].statement.as_str()),
            ("repo:acme/shop", "maintainer")
        );
        assert_eq!(evidence.credentials[0].expires_at, Timestamp::parse("2021-01-31T00:00:00Z"));
        let of_group = read("groups/acme/access_tokens.json", &token);
        assert_eq!(
            (of_group.identities[0].kind.as_str(), of_group.grants[0].resources[0].as_str()),
            ("group_access_token", "repo:acme/*")
        );
        assert_eq!(read("tokens.json", &token).grants.len(), 0, "of which project is not known");
        let own = read(
            "personal_access_tokens.json",
            &json!([{"id": 4, "name": "Test Token", "revoked": true, "created_at": "2020-07-23T14:31:47.729Z",
            "scopes": ["read_api"], "user_id": 24, "active": false, "expires_at": null}]),
        );
        assert_eq!(
            (own.identities[0].kind.as_str(), own.identities[0].owner.as_deref()),
            ("personal_access_token", Some("user:24"))
        );
        assert_eq!(own.credentials[0].status, "inactive");
    }

    #[test]
    fn deploy_tokens_keys_and_runners() {
        let tokens = read(
            "projects/1/deploy_tokens.json",
            &json!([{"id": 1, "name": "MyToken", "username": "gitlab+deploy-token-1",
            "expires_at": "2020-02-14T00:00:00.000Z", "revoked": false, "expired": false, "scopes": ["read_repository", "read_registry"]}]),
        );
        assert_eq!(tokens.grants[0].resources, ["project:1"]);
        let keys = read(
            "deploy_keys.json",
            &json!([{"id": 1, "title": "Public key", "key": "ssh-rsa x", "created_at": "2013-10-02T10:12:29Z",
            "projects_with_write_access": [{"path_with_namespace": "a/b"}], "projects_with_readonly_access": [{"path_with_namespace": "a/c"}]}]),
        );
        let held: Vec<_> =
            keys.grants.iter().map(|row| (row.actions[0].as_str(), row.resources[0].as_str())).collect();
        assert_eq!(held, [("write_repository", "repo:a/b"), ("read_repository", "repo:a/c")]);
        let runners = read(
            "runners/6.json",
            &json!({"active": true, "paused": false, "description": "test-1", "id": 6, "is_shared": false,
            "runner_type": "project_type", "contacted_at": "2016-01-25T16:39:48.066Z", "tag_list": ["ruby"], "run_untagged": true,
            "projects": [{"path_with_namespace": "a/b"}]}),
        );
        assert_eq!(runners.identities[0].tags, ["runner_type=project_type", "run_untagged=true", "tag=ruby"]);
        assert_eq!(runners.grants[0].resources, ["repo:a/b"]);
    }
}
