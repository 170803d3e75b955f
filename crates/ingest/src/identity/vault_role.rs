//! HashiCorp Vault: roles of auth methods, who may log in as them and what they hold.
//!
//! Formats: Vault HTTP API, `auth/:mount/role/:name` of AppRole, Kubernetes, JWT/OIDC, AWS, GCP,
//! Azure and the token store. A role that binds nothing lets everyone of its method in.

use super::vault::{PLATFORM, holds, identity, nameless};
use crate::Document;
use crate::percent;
use crate::value::text;
use leakgraph_model::tables::{Identity, Trust, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::{Map, Value};

/// Members that only roles have.
const BINDINGS: [&str; 12] = [
    "bind_secret_id",
    "bound_service_account_names",
    "bound_claims",
    "bound_subject",
    "bound_audiences",
    "bound_iam_principal_arn",
    "bound_service_accounts",
    "bound_service_principal_ids",
    "allowed_policies",
    "token_policies",
    "role_type",
    "auth_type",
];
/// Members that say how long and from where a role's tokens and secret ids work.
const TAGS: [&str; 10] = [
    "role_type",
    "token_ttl",
    "token_max_ttl",
    "token_period",
    "token_num_uses",
    "token_bound_cidrs",
    "bind_secret_id",
    "secret_id_ttl",
    "secret_id_num_uses",
    "secret_id_bound_cidrs",
];

pub(super) fn is_role(data: &Value) -> bool {
    BINDINGS.iter().any(|name| data.get(*name).is_some())
}

/// `auth/kubernetes/role/app.json`: mount and name.
pub(super) fn mount_and_name(path: &str) -> Option<(String, String)> {
    let parts: Vec<&str> = path.split(['/', '\\']).collect();
    let at = parts.iter().rposition(|part| matches!(*part, "role" | "roles"))?;
    let auth = parts.get(..at)?.iter().rposition(|part| *part == "auth")?;
    let mount = parts.get(auth + 1..at)?.join("/");
    let file = parts.get(at + 1)?;
    let name = percent::decoded_text(file.strip_suffix(".json").unwrap_or(file));
    (!mount.is_empty() && !name.is_empty()).then_some((mount, name))
}

pub(super) fn native_id(mount: &str, name: &str) -> String {
    format!("auth/{mount}/role/{name}")
}

pub(super) fn import(document: &Document<'_>, data: &Value, evidence: &mut Evidence) {
    let Some((mount, name)) = mount_and_name(document.path) else {
        return nameless(document, evidence, 1);
    };
    let source = document.source_key;
    let tags = TAGS.iter().filter_map(|tag| match data.get(*tag)? {
        Value::Null => None,
        Value::String(value) => Some(format!("{tag}={value}")),
        value => Some(format!("{tag}={value}")),
    });
    let row = Identity {
        account: Some(format!("auth/{mount}")),
        is_nhi: Some(text(data, "/role_type").as_deref() != Some("oidc")),
        tags: tags.collect(),
        ..identity("auth_role", &native_id(&mount, &name), &name, source)
    };
    let key = row.identity_key;
    evidence.identities.push(row);
    let policies: Vec<String> = ["token_policies", "policies", "allowed_policies"]
        .iter()
        .map(|member| strings(data, member))
        .find(|policies| !policies.is_empty())
        .unwrap_or_default();
    holds(key, &policies, source, evidence);
    let role = Role { key, mount, data, source };
    evidence.trusts.extend(role.trusts());
}

/// A list, or names with commas between.
fn strings(data: &Value, name: &str) -> Vec<String> {
    match data.get(name) {
        Some(Value::Array(list)) => list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect(),
        Some(Value::String(text)) => {
            text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

struct Role<'a> {
    key: Key,
    mount: String,
    data: &'a Value,
    source: Key,
}

impl Role<'_> {
    fn trusts(&self) -> Vec<Trust> {
        let of = |name: &str| strings(self.data, name);
        let arns = of("bound_iam_principal_arn");
        let accounts = of("bound_service_accounts");
        let principals = of("bound_service_principal_ids");
        let known = arns.iter().map(|arn| ("aws", arn)).chain(accounts.iter().map(|email| ("gcp", email)));
        let known = known.chain(principals.iter().map(|id| ("azure", id)));
        let mut trusts: Vec<Trust> = known
            .map(|(platform, id)| Trust {
                principal_key: (!id.contains('*')).then(|| identity_key(platform, id)),
                ..self.trust("identity", id, Vec::new())
            })
            .collect();
        if self.data.get("bound_service_account_names").is_some() {
            let subjects = self.service_accounts();
            trusts.push(self.trust("federated", &format!("auth/{}", self.mount), subjects));
        } else if self.is_by_claims() {
            trusts.push(self.trust("federated", &format!("auth/{}", self.mount), self.subjects()));
        }
        trusts
    }

    fn is_by_claims(&self) -> bool {
        ["bound_claims", "bound_subject", "bound_audiences", "user_claim"]
            .iter()
            .any(|name| self.data.get(*name).is_some())
    }

    /// Subjects of the tokens that clusters issue.
    fn service_accounts(&self) -> Vec<String> {
        let names = strings(self.data, "bound_service_account_names");
        let namespaces = strings(self.data, "bound_service_account_namespaces");
        let pairs = namespaces.iter().flat_map(|namespace| names.iter().map(move |name| (namespace, name)));
        pairs.map(|(namespace, name)| format!("system:serviceaccount:{namespace}:{name}")).collect()
    }

    /// Patterns of `sub`; of a repository or a project that is bound instead, all its subjects.
    fn subjects(&self) -> Vec<String> {
        let claims = self.data.get("bound_claims");
        let claim = |name: &str| claims.map(|claims| strings(claims, name)).unwrap_or_default();
        let bound = text(self.data, "/bound_subject").filter(|subject| !subject.is_empty());
        let mut subjects: Vec<String> = bound.into_iter().chain(claim("sub")).collect();
        if subjects.is_empty() {
            subjects.extend(claim("repository").into_iter().map(|repo| format!("repo:{repo}:*")));
            subjects.extend(claim("repository_owner").into_iter().map(|owner| format!("repo:{owner}/*")));
            subjects
                .extend(claim("project_path").into_iter().map(|project| format!("project_path:{project}:*")));
        }
        subjects
    }

    fn trust(&self, kind: &str, principal: &str, subjects: Vec<String>) -> Trust {
        Trust {
            trust_key: Key::of("trust", &[&self.key.to_string(), kind, principal]),
            identity_key: self.key,
            principal_kind: kind.to_owned(),
            principal: principal.to_owned(),
            principal_key: None,
            effect: "allow".to_owned(),
            actions: vec![format!("{PLATFORM}:login")],
            conditions: self.conditions(),
            subjects,
            source_key: self.source,
        }
    }

    /// All that a login has to meet.
    fn conditions(&self) -> Option<String> {
        let members = self.data.as_object().into_iter().flatten();
        let bound: Map<String, Value> = members
            .filter(|(name, value)| {
                let is_empty = value.is_null()
                    || value.as_array().is_some_and(Vec::is_empty)
                    || value.as_str().is_some_and(str::is_empty);
                name.starts_with("bound_") && !is_empty
            })
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        (!bound.is_empty()).then(|| Value::Object(bound).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(path: &str, data: &Value) -> Evidence {
        assert!(is_role(data));
        let mut evidence = Evidence::default();
        import(&Document { path, source_key: Key::default(), part: 0, bytes: b"" }, data, &mut evidence);
        evidence
    }

    #[test]
    fn a_role_holds_policies_and_binds_subjects() {
        let kubernetes = read(
            "auth/kubernetes/role/app.json",
            &json!({"bound_service_account_names": ["app", "web"], "bound_service_account_namespaces": ["prod"],
            "token_policies": ["app"], "token_ttl": 3600}),
        );
        assert_eq!(kubernetes.identities[0].native_id, "auth/kubernetes/role/app");
        assert_eq!(
            kubernetes.trusts[0].subjects,
            ["system:serviceaccount:prod:app", "system:serviceaccount:prod:web"]
        );
        assert_eq!((kubernetes.grants[0].policy.as_str(), kubernetes.grants[0].understood), ("app", false));
        let jwt = |claims: Value| {
            read(
                "vault/auth/ci/jwt/role/gha.json",
                &json!({"role_type": "jwt", "user_claim": "sub", "bound_claims": claims, "policies": "a, b"}),
            )
        };
        let by_repo = jwt(json!({"repository": "acme/shop", "repository_owner": "acme"}));
        assert_eq!(by_repo.identities[0].native_id, "auth/ci/jwt/role/gha");
        assert_eq!(by_repo.trusts[0].subjects, ["repo:acme/shop:*", "repo:acme/*"]);
        assert_eq!(by_repo.grants.len(), 2);
        assert_eq!(jwt(json!({"sub": ["repo:acme/shop:ref:refs/heads/main"]})).trusts[0].subjects.len(), 1);
        assert!(jwt(Value::Null).trusts[0].subjects.is_empty(), "everyone of the method");
        let aws = read(
            "auth/aws/role/ec2.json",
            &json!({"auth_type": "iam", "bound_iam_principal_arn": ["arn:aws:iam::1:role/app"], "token_policies": []}),
        );
        assert_eq!(aws.trusts[0].principal_key, Some(identity_key("aws", "arn:aws:iam::1:role/app")));
        let approle = read(
            "auth/approle/role/deploy.json",
            &json!({"bind_secret_id": true, "secret_id_ttl": 0, "token_policies": ["deploy"]}),
        );
        assert!(approle.trusts.is_empty());
        assert_eq!(approle.identities[0].tags, ["bind_secret_id=true", "secret_id_ttl=0"]);
    }
}
