//! HashiCorp Vault: policies, auth methods, their roles, and token accessors.
//!
//! Formats: Vault HTTP API and `vault … -format=json`: `sys/policies/acl/:name` (`policy`),
//! `sys/auth`, `auth/:mount/role/:name`, `auth/token/lookup-accessor`; policy documents as
//! files. Roles and policy files do not name themselves: their path does
//! (`auth/kubernetes/role/app.json`, `policies/app.hcl`). The id of a token, which is the token,
//! is never read.

use super::vault_hcl::{Block, blocks, of_json};
use super::vault_role;
use crate::Document;
use crate::importer::Recognised;
use crate::link::role_key;
use crate::reader::incomplete;
use crate::value::{text, time};
use leakgraph_model::tables::{Credential, Grant, Identity, Problem, identity_key};
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::{Map, Value, json};

pub(super) const PLATFORM: &str = "vault";

pub(super) fn recognise(path: &str, value: &Value) -> Option<Recognised> {
    let data = data(value);
    let has = |name: &str| data.get(name).is_some();
    let is_method = |method: &Value| method.get("accessor").is_some() && method.get("type").is_some();
    let (kind, because) =
        if data.get("policy").is_some_and(Value::is_string) && named_policy(path, data).is_some()
            || is_policy_object(data)
        {
            ("vault_policy", "`policy` of a name, or paths with `capabilities`")
        } else if has("accessor") && has("policies") && has("orphan") {
            ("vault_token", "`accessor` with `policies` and `orphan`")
        } else if data.as_object().is_some_and(|methods| {
            methods.iter().any(|(name, method)| name.ends_with('/') && is_method(method))
        }) {
            ("vault_auth_methods", "mounts with `accessor` and `type`")
        } else if vault_role::mount_and_name(path).is_some() && vault_role::is_role(data) {
            ("vault_role", "a role of an auth method, by its path")
        } else {
            return None;
        };
    Some(Recognised::new(kind, because))
}

/// An answer's `data`, or the answer itself.
fn data(value: &Value) -> &Value {
    value.get("data").filter(|data| data.is_object()).unwrap_or(value)
}

fn is_policy_object(data: &Value) -> bool {
    let paths = data.get("path").and_then(Value::as_object).into_iter().flatten();
    let mut permits =
        paths.map(|(_, body)| body.get("capabilities").or_else(|| body.get("policy")).is_some());
    permits.any(|permits| permits)
}

/// The name of a policy: its own, or that of its file.
fn named_policy(path: &str, data: &Value) -> Option<String> {
    let of_file = || {
        let (folder, file) = path.rsplit_once('/')?;
        let is_folder = folder.ends_with("policies") || folder.ends_with("policy") || folder.ends_with("acl");
        is_folder.then(|| stem(file))
    };
    text(data, "/name").or_else(of_file)
}

fn stem(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file).to_owned()
}

pub(super) fn import(kind: &str, document: &Document<'_>, value: &Value) -> Evidence {
    let data = data(value);
    let mut evidence = Evidence::default();
    match kind {
        "vault_policy" => {
            let name = named_policy(document.path, data).unwrap_or_else(|| stem(document.path));
            let found = match text(data, "/policy") {
                Some(policy) => blocks(&policy),
                None => of_json(data.clone()),
            };
            policy(document, &name, found, &mut evidence);
        }
        "vault_token" => token(data, document.source_key, &mut evidence),
        "vault_auth_methods" => methods(document, data, &mut evidence),
        _ => vault_role::import(document, data, &mut evidence),
    }
    evidence
}

/// A policy document of its own.
pub(super) fn import_policy(document: &Document<'_>, text: &str) -> Evidence {
    let mut evidence = Evidence::default();
    policy(document, &stem(document.path), blocks(text), &mut evidence);
    evidence
}

pub(super) fn identity(kind: &str, native_id: &str, name: &str, source: Key) -> Identity {
    Identity {
        identity_key: identity_key(PLATFORM, native_id),
        platform: PLATFORM.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        native_id: native_id.to_owned(),
        status: "enabled".to_owned(),
        source_key: source,
        ..Identity::default()
    }
}

fn policy(document: &Document<'_>, name: &str, found: Result<Vec<Block>, usize>, evidence: &mut Evidence) {
    let key = role_key(PLATFORM, name);
    evidence.identities.push(Identity {
        is_nhi: Some(false),
        identity_key: key,
        ..identity(
            "role_definition",
            &format!("role:{}", name.to_ascii_lowercase()),
            name,
            document.source_key,
        )
    });
    let mut add = |statement: String, row: Grant| {
        evidence.grants.push(Grant {
            grant_key: Key::of("grant", &[&key.to_string(), "role", &statement]),
            identity_key: key,
            platform: PLATFORM.to_owned(),
            policy_kind: "role".to_owned(),
            policy: name.to_owned(),
            statement,
            source_key: document.source_key,
            ..row
        });
    };
    match found {
        Ok(found) => {
            for (place, block) in found.iter().enumerate() {
                for (part, row) in statements(block, &found).into_iter().enumerate() {
                    add(format!("{place}:{part}"), row);
                }
            }
        }
        Err(offset) => {
            add("unreadable".to_owned(), anything());
            evidence.problems.push(Problem {
                path: document.path.to_owned(),
                offset: None,
                code: "malformed_policy".to_owned(),
                reason: format!("policy {name} is no policy from its byte {offset} on"),
                lossy: true,
            });
        }
    }
}

fn anything() -> Grant {
    let all = || vec!["*".to_owned()];
    Grant { effect: "allow".to_owned(), actions: all(), resources: all(), ..Grant::default() }
}

/// Capabilities of a block, in statements: what a more specific path of the policy takes back
/// is conditional (the most specific path decides alone), and so is what parameters limit.
fn statements((path, members): &Block, all: &[Block]) -> Vec<Grant> {
    let own = capabilities(members);
    let narrower: Vec<&Block> =
        all.iter().filter(|(other, _)| other != path && is_below(other, path)).collect();
    let (kept, shadowed): (Vec<String>, Vec<String>) = own.iter().cloned().partition(|capability| {
        *capability == "deny" || narrower.iter().all(|(_, other)| capabilities(other).contains(capability))
    });
    let limits: Map<String, Value> = members
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "capabilities" | "policy" | "description"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut shadows = limits.clone();
    shadows.insert("narrower".to_owned(), narrower.iter().map(|(other, _)| other.clone()).collect());
    let mut rows = vec![statement(path, kept, limits), statement(path, shadowed, shadows)];
    rows.retain(|row| !row.actions.is_empty());
    rows
}

/// `+` stands for one segment, which no other wildcard does: the statement is conditional.
fn statement(path: &str, capabilities: Vec<String>, mut limits: Map<String, Value>) -> Grant {
    if path.contains('+') {
        limits.insert("path".to_owned(), json!(path));
    }
    let is_denied = capabilities.iter().any(|capability| capability == "deny");
    Grant {
        effect: if is_denied { "deny" } else { "allow" }.to_owned(),
        actions: if is_denied { vec!["*".to_owned()] } else { capabilities },
        resources: vec![path.replace('+', "*")],
        conditions: (!limits.is_empty()).then(|| Value::Object(limits).to_string()),
        understood: true,
        ..Grant::default()
    }
}

/// Whether the pattern `path` covers the path or pattern `other`.
fn is_below(other: &str, path: &str) -> bool {
    match path.strip_suffix('*') {
        Some(start) if !start.contains('+') => other.starts_with(start),
        _ => false,
    }
}

fn capabilities(members: &Map<String, Value>) -> Vec<String> {
    let list = members.get("capabilities").and_then(Value::as_array);
    let listed = list.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned));
    // The form of before 0.5.
    let old: &[&str] = match members.get("policy").and_then(Value::as_str) {
        Some("read") => &["read", "list"],
        Some("write") => &["create", "read", "update", "delete", "list"],
        Some("sudo") => &["create", "read", "update", "delete", "list", "sudo"],
        Some("deny") => &["deny"],
        _ => &[],
    };
    listed.chain(old.iter().map(|name| (*name).to_owned())).collect()
}

fn methods(document: &Document<'_>, data: &Value, evidence: &mut Evidence) {
    let mounts =
        data.as_object().into_iter().flatten().filter(|(_, method)| method.get("accessor").is_some());
    for (mount, method) in mounts {
        let mount = mount.trim_end_matches('/');
        let tags = [("type", "/type"), ("accessor", "/accessor"), ("token_type", "/config/token_type")];
        evidence.identities.push(Identity {
            unique_id: text(method, "/accessor"),
            is_nhi: Some(false),
            tags: tags
                .iter()
                .filter_map(|(name, pointer)| Some(format!("{name}={}", text(method, pointer)?)))
                .collect(),
            ..identity("auth_method", &format!("auth/{mount}"), mount, document.source_key)
        });
    }
}

/// What a holder of policies may do.
pub(super) fn holds(holder: Key, policies: &[String], source: Key, evidence: &mut Evidence) {
    for policy in policies {
        let root = policy == "root";
        evidence.grants.push(Grant {
            grant_key: Key::of("grant", &[&holder.to_string(), "permission", policy]),
            identity_key: holder,
            platform: PLATFORM.to_owned(),
            policy_kind: "permission".to_owned(),
            policy: policy.clone(),
            statement: "0".to_owned(),
            // The root policy permits everything and has no document.
            actions: vec![if root { "*".to_owned() } else { policy.clone() }],
            understood: root,
            source_key: source,
            ..anything()
        });
    }
}

/// A token by its accessor: the role that it was issued by, else an identity of its own.
fn token(data: &Value, source: Key, evidence: &mut Evidence) {
    let Some(accessor) = text(data, "/accessor") else { return };
    let role =
        text(data, "/meta/role_name").or_else(|| text(data, "/meta/role")).or_else(|| text(data, "/role"));
    let mount = text(data, "/path").and_then(|path| {
        let (mount, _) = path.strip_prefix("auth/")?.split_once("/login")?;
        Some(mount.to_owned())
    });
    let strings = |name: &str| -> Vec<String> {
        let list = data.get(name).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let made = data.get("creation_time").and_then(Value::as_i64).map(Timestamp::from_seconds);
    let key = match mount.zip(role) {
        Some((mount, role)) => identity_key(PLATFORM, &vault_role::native_id(&mount, &role)),
        None => {
            let name = text(data, "/display_name").unwrap_or_else(|| accessor.clone());
            let tags = ["entity_id", "type", "orphan", "num_uses", "period", "path"];
            let row = Identity {
                is_nhi: None,
                created_at: made,
                tags: tags
                    .iter()
                    .filter_map(|tag| match data.get(*tag)? {
                        Value::Null => None,
                        Value::String(value) if value.is_empty() => None,
                        Value::String(value) => Some(format!("{tag}={value}")),
                        value => Some(format!("{tag}={value}")),
                    })
                    .collect(),
                ..identity("token", &format!("token:{accessor}"), &name, source)
            };
            let key = row.identity_key;
            evidence.identities.push(row);
            let mut policies = strings("policies");
            policies.extend(strings("identity_policies"));
            holds(key, &policies, source, evidence);
            key
        }
    };
    evidence.credentials.push(Credential {
        credential_key: Key::of("credential", &[PLATFORM, "vault_token", &accessor]),
        identity_key: Some(key),
        kind: "vault_token".to_owned(),
        name: accessor,
        scope: text(data, "/path"),
        status: "active".to_owned(),
        created_at: made,
        rotated_at: made,
        last_used_at: time(data, "/last_renewal"),
        expires_at: time(data, "/expire_time"),
        source_key: source,
    });
}

/// Tokens that have no accessor cannot be named.
pub(super) fn nameless(document: &Document<'_>, evidence: &mut Evidence, count: usize) {
    evidence.problems.extend(incomplete(
        document,
        count,
        "roles do not say, nor does their path, what they are",
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, value: &Value) -> Evidence {
        let kind = recognise(path, value).unwrap().kind;
        import(kind, &Document { path, source_key: Key::default(), part: 0, bytes: b"" }, value)
    }

    fn rows(evidence: &Evidence) -> Vec<(&str, String, &str, bool)> {
        let row = |grant: &'_ Grant| grant.actions.join(",");
        evidence
            .grants
            .iter()
            .map(|grant| {
                (grant.effect.as_str(), row(grant), grant.resources[0].as_str(), grant.conditions.is_some())
            })
            .collect()
    }

    #[test]
    fn a_policy_is_the_same_in_hcl_json_and_the_api() {
        let hcl = "path \"secret/*\" { capabilities = [\"read\", \"list\"] }\npath \"secret/team/*\" { capabilities = [\"read\"] }\npath \"secret/+/key\" { capabilities = [\"deny\"] }";
        let of_file = import_policy(
            &Document { path: "policies/app.hcl", source_key: Key::default(), part: 0, bytes: b"" },
            hcl,
        );
        let expected = [
            ("allow", "list".to_owned(), "secret/*", true),
            ("allow", "read".to_owned(), "secret/team/*", false),
            ("deny", "*".to_owned(), "secret/*/key", true),
        ];
        // `secret/team/*` has no list, and the deny may be of any path below `secret/`.
        let found: Vec<_> = rows(&of_file);
        assert_eq!(found[1..], expected[1..], "{found:?}");
        assert_eq!((found[0].0, found[0].3), ("allow", true));
        let of_api = read("x.json", &json!({"request_id": "r", "data": {"name": "app", "policy": hcl}}));
        assert_eq!(of_api.grants, of_file.grants);
        let as_json =
            json!({"path": {"sys/health": {"capabilities": ["read", "sudo"]}, "kv/*": {"policy": "write"}}});
        assert_eq!(read("policies/ops.json", &as_json).grants.len(), 2);
        let torn = import_policy(
            &Document { path: "policies/torn.hcl", source_key: Key::default(), part: 0, bytes: b"" },
            "path \"a\" {",
        );
        assert!(!torn.grants[0].understood && torn.problems[0].reason.contains("torn"));
    }

    #[test]
    fn auth_methods_and_tokens() {
        let methods = read(
            "auth.json",
            &json!({"approle/": {"accessor": "auth_approle_1", "type": "approle", "config": {"default_lease_ttl": 0}},
            "token/": {"accessor": "auth_token_1", "type": "token"}}),
        );
        let ids: Vec<_> = methods.identities.iter().map(|row| row.native_id.as_str()).collect();
        assert_eq!(ids, ["auth/approle", "auth/token"]);
        let token = |path: &str, meta: Value, policies: Value| {
            read(
                "t.json",
                &json!({"data": {"accessor": "8609694a", "creation_time": 1_700_000_000, "display_name": "approle", "entity_id": "", "expire_time": "2024-01-01T00:00:00Z",
                "id": "never", "meta": meta, "num_uses": 0, "orphan": true, "path": path, "policies": policies, "ttl": 1, "type": "service"}}),
            )
        };
        let of_role =
            token("auth/approle/login", json!({"role_name": "deploy"}), json!(["default", "deploy"]));
        assert_eq!(
            of_role.credentials[0].identity_key,
            Some(identity_key(PLATFORM, "auth/approle/role/deploy"))
        );
        assert!(of_role.identities.is_empty() && !format!("{of_role:?}").contains("never"));
        let root = token("auth/token/root", Value::Null, json!(["root"]));
        assert_eq!((root.grants[0].actions[0].as_str(), root.grants[0].understood), ("*", true));
    }
}
