//! AWS `iam get-account-authorization-details`: users, groups, roles, policies.
//!
//! Format: botocore `iam/2010-05-08/service-2.json`. Policy documents come as
//! objects (CLI) or percent-encoded JSON text (API). A boundary policy attached to
//! nobody is missing from `Policies`, and a filtered dump lacks groups: their effect is
//! then unknown, not absent.

use crate::Document;
use crate::importer::Recognised;
use crate::percent;
use leakgraph_model::tables::{Grant, Identity, Problem, Trust, identity_key};
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::HashMap;

const LISTS: [&str; 3] = ["RoleDetailList", "UserDetailList", "GroupDetailList"];

pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let has_list = LISTS.iter().any(|list| value.get(list).is_some_and(Value::is_array));
    has_list.then(|| {
        Recognised::new(
            "account_authorization_details",
            "one of the lists `RoleDetailList`, `UserDetailList` and `GroupDetailList`",
        )
    })
}

/// Rows of a dump, of which principals are dropped as soon as they are rows: an account of
/// thousands is not there twice.
pub(crate) fn import(document: &Document<'_>, value: &mut Value) -> Evidence {
    let mut taken = |name: &str| match value.get_mut(name).map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let [policies, groups] = [taken("Policies"), taken("GroupDetailList")];
    let mut importer = Importer {
        document,
        policies: policies.iter().filter_map(|policy| Some((text(policy, "Arn")?, policy))).collect(),
        groups: groups.iter().filter_map(|group| Some((text(group, "GroupName")?, group))).collect(),
        evidence: Evidence::default(),
    };
    for (list_name, kind, inline) in
        [("UserDetailList", "user", "UserPolicyList"), ("RoleDetailList", "role", "RolePolicyList")]
    {
        for principal in taken(list_name) {
            importer.principal(&principal, kind, inline);
        }
    }
    for group in &groups {
        importer.principal(group, "group", "GroupPolicyList");
    }
    importer.evidence
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

struct Importer<'a> {
    document: &'a Document<'a>,
    policies: HashMap<&'a str, &'a Value>,
    groups: HashMap<&'a str, &'a Value>,
    evidence: Evidence,
}

/// Who holds a policy, and as what.
struct Holder<'a> {
    key: Key,
    arn: &'a str,
    policy_kind: &'a str,
    /// The group it comes through.
    group: Option<&'a str>,
}

impl<'a> Importer<'a> {
    fn problem(&mut self, reason: String) {
        self.evidence.problems.push(Problem {
            path: self.document.path.to_owned(),
            offset: None,
            code: "malformed_policy".to_owned(),
            reason,
            lossy: true,
        });
    }

    fn principal(&mut self, value: &Value, kind: &str, inline: &str) {
        let Some(arn) = text(value, "Arn") else {
            return self.problem(format!("a {kind} without an ARN"));
        };
        let key = identity_key("aws", arn);
        let row = identity(value, kind, arn, key, self.document.source_key);
        self.evidence.identities.push(row);
        self.own_policies(value, inline, &Holder { key, arn, policy_kind: "identity", group: None });
        for name in list(value, "GroupList").filter_map(Value::as_str) {
            let holder = Holder { key, arn, policy_kind: "group", group: Some(name) };
            match self.groups.get(name).copied() {
                Some(group) => self.own_policies(group, "GroupPolicyList", &holder),
                None => self.grant(name, "missing", &holder, anything()),
            }
        }
        if let Some(boundary) =
            value.pointer("/PermissionsBoundary/PermissionsBoundaryArn").and_then(Value::as_str)
        {
            self.managed(boundary, &Holder { key, arn, policy_kind: "boundary", group: None });
        }
        if let Some(trust) = value.get("AssumeRolePolicyDocument") {
            self.trust(trust, key, arn);
        }
    }

    fn own_policies(&mut self, value: &Value, inline: &str, holder: &Holder<'_>) {
        for policy in list(value, inline) {
            let name = text(policy, "PolicyName").unwrap_or("inline");
            match policy.get("PolicyDocument") {
                Some(body) => self.policy(name, body, holder),
                None => self.problem(format!("policy {name} of {} has no document", holder.arn)),
            }
        }
        for attached in list(value, "AttachedManagedPolicies") {
            if let Some(arn) = text(attached, "PolicyArn") {
                self.managed(arn, holder);
            }
        }
    }

    fn managed(&mut self, arn: &str, holder: &Holder<'_>) {
        let body = self.policies.get(arn).and_then(|policy| {
            let default = text(policy, "DefaultVersionId");
            list(policy, "PolicyVersionList")
                .find(|version| {
                    version.get("IsDefaultVersion") == Some(&Value::Bool(true))
                        || default.is_some() && text(version, "VersionId") == default
                })
                .and_then(|version| version.get("Document"))
        });
        match body {
            Some(body) => self.policy(arn, body, holder),
            // Not in the dump: anything between nothing and everything.
            None => self.grant(arn, "missing", holder, anything()),
        }
    }

    fn policy(&mut self, name: &str, body: &Value, holder: &Holder<'_>) {
        let Some(body) = document_of(body) else {
            self.problem(format!("policy {name} of {} is not a JSON document", holder.arn));
            return self.grant(name, "unreadable", holder, anything());
        };
        for (ordinal, statement) in one_or_many(body.get("Statement")).into_iter().enumerate() {
            let sid = text(statement, "Sid").filter(|sid| !sid.is_empty());
            let place = format!("{ordinal}{}", sid.map(|sid| format!(":{sid}")).unwrap_or_default());
            match grant(statement) {
                Some(row) => self.grant(name, &place, holder, row),
                None => {
                    self.problem(format!(
                        "statement {place} of policy {name} of {} is malformed",
                        holder.arn
                    ));
                    self.grant(name, &place, holder, anything());
                }
            }
        }
    }

    fn grant(&mut self, policy: &str, statement: &str, holder: &Holder<'_>, row: Grant) {
        let understood = row.understood;
        // Inline policies of two groups may have the same name.
        let kind = match holder.group {
            Some(group) => format!("{}:{group}", holder.policy_kind),
            None => holder.policy_kind.to_owned(),
        };
        self.evidence.grants.push(Grant {
            grant_key: Key::of("grant", &[&holder.key.to_string(), &kind, policy, statement]),
            identity_key: holder.key,
            platform: "aws".to_owned(),
            policy_kind: holder.policy_kind.to_owned(),
            policy: policy.to_owned(),
            statement: statement.to_owned(),
            effect: if understood { row.effect } else { "allow".to_owned() },
            source_key: self.document.source_key,
            ..row
        });
    }

    fn trust(&mut self, body: &Value, key: Key, arn: &str) {
        let Some(body) = document_of(body) else {
            return self.problem(format!("the trust policy of {arn} is not a JSON document"));
        };
        for (ordinal, statement) in one_or_many(body.get("Statement")).into_iter().enumerate() {
            let excluded = statement.get("NotPrincipal");
            let principals = match (statement.get("Principal"), excluded) {
                (Some(principals), _) => principals_of(principals),
                // All but some: a condition on who calls.
                (None, Some(_)) => vec![("any", "*".to_owned())],
                (None, None) => {
                    self.problem(format!(
                        "statement {ordinal} of the trust policy of {arn} has no principal"
                    ));
                    continue;
                }
            };
            for (kind, principal) in principals {
                self.evidence.trusts.push(Trust {
                    trust_key: Key::of("trust", &[&key.to_string(), &ordinal.to_string(), kind, &principal]),
                    identity_key: key,
                    principal_kind: kind.to_owned(),
                    principal_key: (kind == "aws" && principal.starts_with("arn:"))
                        .then(|| identity_key("aws", &principal)),
                    principal,
                    effect: text(statement, "Effect").unwrap_or("Allow").to_ascii_lowercase(),
                    actions: strings(statement.get("Action")),
                    conditions: match excluded {
                        Some(excluded) => Some(
                            json!({"NotPrincipal": excluded, "Condition": statement.get("Condition")})
                                .to_string(),
                        ),
                        None => conditions(statement),
                    },
                    subjects: subjects(statement),
                    source_key: self.document.source_key,
                });
            }
        }
    }
}

/// What a document that is absent or unreadable may say.
pub(super) fn anything() -> Grant {
    Grant { actions: vec!["*".to_owned()], resources: vec!["*".to_owned()], ..Grant::default() }
}

/// A statement as a grant; `None` if it lacks effect, action or resource.
pub(super) fn grant(statement: &Value) -> Option<Grant> {
    let effect = match text(statement, "Effect")? {
        "Allow" => "allow",
        "Deny" => "deny",
        _ => return None,
    };
    let (actions, not_actions) = match (statement.get("Action"), statement.get("NotAction")) {
        (Some(actions), None) => (strings(Some(actions)), false),
        (None, Some(actions)) => (strings(Some(actions)), true),
        _ => return None,
    };
    let (resources, not_resources) = match (statement.get("Resource"), statement.get("NotResource")) {
        (Some(resources), None) => (strings(Some(resources)), false),
        (None, Some(resources)) => (strings(Some(resources)), true),
        _ => return None,
    };
    (!actions.is_empty()).then(|| Grant {
        effect: effect.to_owned(),
        actions,
        not_actions,
        resources,
        not_resources,
        conditions: conditions(statement),
        understood: true,
        ..Grant::default()
    })
}

/// The document itself, decoded if it came as text.
pub(super) fn document_of(value: &Value) -> Option<Cow<'_, Value>> {
    match value {
        Value::Object(_) => Some(Cow::Borrowed(value)),
        Value::String(text) => {
            let value: Option<Value> = serde_json::from_slice(&percent::decoded(text)).ok();
            value.filter(Value::is_object).map(Cow::Owned)
        }
        _ => None,
    }
}

pub(super) fn one_or_many(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(item) => vec![item],
        None => Vec::new(),
    }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let mut texts: Vec<String> =
        one_or_many(value).into_iter().filter_map(|item| item.as_str().map(str::to_owned)).collect();
    // Most lists have one item: room for four, times all statements of an account, is much.
    texts.shrink_to_fit();
    texts
}

fn conditions(statement: &Value) -> Option<String> {
    statement
        .get("Condition")
        .filter(|condition| condition.as_object().is_some_and(|members| !members.is_empty()))
        .map(Value::to_string)
}

/// Kind and text of each principal of a trust statement.
fn principals_of(value: &Value) -> Vec<(&'static str, String)> {
    match value {
        Value::String(text) => vec![("any", text.clone())],
        Value::Object(members) => members
            .iter()
            .flat_map(|(kind, values)| {
                let kind = match kind.as_str() {
                    "AWS" => "aws",
                    "Federated" => "federated",
                    "Service" => "service",
                    _ => "canonical",
                };
                strings(Some(values))
                    .into_iter()
                    .map(move |text| (if text == "*" { "any" } else { kind }, text))
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Patterns that conditions put on an OIDC `sub`.
fn subjects(statement: &Value) -> Vec<String> {
    statement.get("Condition").map(subjects_of).unwrap_or_default()
}

/// The same, of the conditions themselves.
pub(crate) fn subjects_of(conditions: &Value) -> Vec<String> {
    let operators = conditions.as_object().into_iter().flatten();
    operators
        .filter(|(operator, _)| operator.contains("String"))
        .flat_map(|(_, keys)| keys.as_object().into_iter().flatten())
        .filter(|(key, _)| key.to_ascii_lowercase().ends_with(":sub"))
        .flat_map(|(_, values)| strings(Some(values)))
        .collect()
}

fn identity(value: &Value, kind: &str, arn: &str, key: Key, source: Key) -> Identity {
    let name =
        text(value, "RoleName").or(text(value, "UserName")).or(text(value, "GroupName")).unwrap_or(arn);
    let path = text(value, "Path").unwrap_or("/");
    let tags: Vec<(String, String)> = list(value, "Tags")
        .filter_map(|tag| Some((text(tag, "Key")?.to_owned(), text(tag, "Value").unwrap_or("").to_owned())))
        .collect();
    let tag = |names: &[&str]| {
        tags.iter()
            .find(|(key, _)| names.iter().any(|name| key.eq_ignore_ascii_case(name)))
            .map(|(_, value)| value.clone())
    };
    let is_service_linked = path.starts_with("/aws-service-role/");
    Identity {
        identity_key: key,
        platform: "aws".to_owned(),
        kind: if is_service_linked { "service_linked_role" } else { kind }.to_owned(),
        name: name.to_owned(),
        native_id: arn.to_owned(),
        unique_id: text(value, "RoleId")
            .or(text(value, "UserId"))
            .or(text(value, "GroupId"))
            .map(str::to_owned),
        account: arn.split(':').nth(4).map(str::to_owned),
        is_nhi: is_nhi(value, kind, name, &tags),
        owner: tag(&["owner", "team", "contact"]),
        environment: tag(&["environment", "env", "stage"]).or_else(|| environment(name)),
        created_at: text(value, "CreateDate").and_then(Timestamp::parse),
        last_used_at: value
            .pointer("/RoleLastUsed/LastUsedDate")
            .and_then(Value::as_str)
            .and_then(Timestamp::parse),
        status: "enabled".to_owned(),
        tags: tags.iter().map(|(key, value)| format!("{key}={value}")).collect(),
        source_key: source,
    }
}

/// Roles are NHIs, except those people enter through (Identity Center, SAML). Users
/// need the credential report, unless name or tags tell; then it is undecided.
fn is_nhi(value: &Value, kind: &str, name: &str, tags: &[(String, String)]) -> Option<bool> {
    let lower = name.to_ascii_lowercase();
    match kind {
        "group" => Some(false),
        "role" => {
            let by_saml = value
                .get("AssumeRolePolicyDocument")
                .is_some_and(|trust| trust.to_string().contains("saml-provider"));
            Some(!(name.starts_with("AWSReservedSSO_") || by_saml))
        }
        _ => {
            let words = [
                "svc",
                "service",
                "bot",
                "ci-",
                "-ci",
                "deploy",
                "automation",
                "terraform",
                "jenkins",
                "github",
                "app-",
                "backup",
            ];
            let by_name = words.iter().any(|word| lower.contains(word))
                || text(value, "Path").is_some_and(|path| path.contains("service"));
            let by_tag = tags
                .iter()
                .any(|(key, value)| key.eq_ignore_ascii_case("type") && !value.eq_ignore_ascii_case("human"));
            (by_name || by_tag).then_some(true)
        }
    }
}

/// production, staging or development, where a name says so.
pub(super) fn environment(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let parts: Vec<&str> = lower.split(|letter: char| !letter.is_ascii_alphanumeric()).collect();
    let has = |names: &[&str]| parts.iter().any(|part| names.contains(part));
    if has(&["prod", "production", "prd"]) {
        Some("production".to_owned())
    } else if has(&["staging", "stage", "stg"]) {
        Some("staging".to_owned())
    } else {
        has(&["dev", "development", "test", "sandbox"]).then(|| "development".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &Value) -> Evidence {
        import(
            &Document { path: "gaad.json", source_key: Key::default(), part: 0, bytes: b"" },
            &mut value.clone(),
        )
    }

    #[test]
    fn statements_become_grants_and_groups_are_flattened() {
        let encoded = "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Deny%22%2C%22NotAction%22%3A%22iam%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%7D";
        let evidence = read(&json!({
            "UserDetailList": [{"Arn": "arn:aws:iam::1:user/ci-bot", "UserName": "ci-bot", "GroupList": ["g"],
                "PermissionsBoundary": {"PermissionsBoundaryArn": "arn:aws:iam::1:policy/absent"},
                "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": encoded}]}],
            "GroupDetailList": [{"Arn": "arn:aws:iam::1:group/g", "GroupName": "g",
                "GroupPolicyList": [{"PolicyName": "q", "PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": "*"}]}}]}],
        }));
        let user = identity_key("aws", "arn:aws:iam::1:user/ci-bot");
        let of: Vec<_> = evidence
            .grants
            .iter()
            .filter(|grant| grant.identity_key == user)
            .map(|grant| (grant.policy_kind.as_str(), grant.understood, grant.not_actions))
            .collect();
        assert_eq!(of, [("identity", true, true), ("group", true, false), ("boundary", false, false)]);
        assert_eq!(evidence.identities.first().and_then(|identity| identity.is_nhi), Some(true));
        assert!(evidence.problems.is_empty());
    }

    #[test]
    fn malformed_statements_are_named_and_count_as_unknown() {
        let evidence = read(&json!({"RoleDetailList": [{"Arn": "arn:aws:iam::1:role/r", "RoleName": "r",
            "AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"},
                "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:o/*"}}}]},
            "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": {"Statement": [{"Effect": "Maybe", "Action": "x"}]}}]}]}));
        assert!(
            evidence
                .problems
                .iter()
                .any(|problem| problem.code == "malformed_policy" && problem.reason.contains("role/r"))
        );
        assert!(!evidence.grants[0].understood);
        assert_eq!(evidence.trusts[0].subjects, ["repo:o/*"]);
    }
}
