//! AWS Organizations: the control policies that bind accounts, level by level.
//!
//! Formats: the tree that IAMSpy's `download-scps.py` saves (units with `Policies` and
//! `Children`), and a bundle of the answers of `list-accounts`, `list-roots`,
//! `list-organizational-units-for-parent`, `describe-policy` and `list-targets-for-policy`
//! (botocore `organizations/2016-11-28`): `{"Accounts": [… with "ParentId"],
//! "OrganizationalUnits": […], "Roots": […], "Policies": [{"PolicySummary", "Content",
//! "Targets"}]}`.
//!
//! Policies are held by accounts, one grant per level; linking hands them to the identities of
//! the account. They do not bind the account that manages the organisation, whose id is in
//! every ARN. Where resource control policies deny, they do so for resources of the account
//! only, which may not be the resource at hand.

use super::aws::{anything, document_of, grant, one_or_many};
use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::text;
use leakgraph_model::tables::{Grant, Identity, Problem, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Deeper trees than this are none: organisations have five levels of units.
const MAX_DEPTH: usize = 16;

pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let has = |name: &str| value.get(name).is_some_and(Value::is_array);
    let is_root = text(value, "/Id").is_some_and(|id| id.starts_with("r-"));
    if is_root && has("Policies") && has("Children") {
        return Some(Recognised::new("control_policies", "a root with `Policies` and `Children`"));
    }
    let describes = value.pointer("/Policies/0/PolicySummary").is_some();
    (describes && has("Accounts"))
        .then(|| Recognised::new("control_policies", "`Accounts`, and `Policies` with `PolicySummary`"))
}

pub(crate) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let mut importer = Importer { document, evidence: Evidence::default(), nameless: 0 };
    match value.get("Children") {
        Some(_) => importer.tree(value, &mut Vec::new()),
        None => importer.bundle(value),
    }
    let problem = incomplete(document, importer.nameless, "units or accounts have no id");
    importer.evidence.problems.extend(problem);
    importer.evidence
}

/// A policy at the root, unit or account it is attached to.
#[derive(Clone)]
struct Attached<'a> {
    level: String,
    name: String,
    kind: &'static str,
    content: &'a Value,
}

/// scp, rcp; other types of policies (tags, backups) permit and forbid nothing.
fn kind(policy_type: Option<&str>) -> Option<&'static str> {
    match policy_type {
        Some("SERVICE_CONTROL_POLICY") | None => Some("scp"),
        Some("RESOURCE_CONTROL_POLICY") => Some("rcp"),
        Some(_) => None,
    }
}

struct Importer<'a> {
    document: &'a Document<'a>,
    evidence: Evidence,
    nameless: usize,
}

impl Importer<'_> {
    fn tree<'v>(&mut self, unit: &'v Value, above: &mut Vec<Attached<'v>>) {
        let Some(id) = text(unit, "/Id") else {
            self.nameless += 1;
            return;
        };
        let before = above.len();
        for policy in one_or_many(unit.get("Policies")) {
            let name = text(policy, "/Name").or_else(|| text(policy, "/Id")).unwrap_or_default();
            let Some(kind) = kind(text(policy, "/Type").as_deref()) else { continue };
            let content = policy.get("Content").unwrap_or(&Value::Null);
            above.push(Attached { level: id.clone(), name, kind, content });
        }
        if is_account(&id) {
            self.account(unit, &id, above);
        }
        let depth = above.iter().map(|policy| &policy.level).collect::<BTreeSet<_>>().len();
        for child in one_or_many(unit.get("Children")).into_iter().filter(|_| depth < MAX_DEPTH) {
            self.tree(child, above);
        }
        above.truncate(before);
    }

    fn bundle(&mut self, value: &Value) {
        let list = |name: &str| one_or_many(value.get(name)).into_iter();
        let mut attached: BTreeMap<String, Vec<Attached<'_>>> = BTreeMap::new();
        for policy in list("Policies") {
            let Some(kind) = kind(text(policy, "/PolicySummary/Type").as_deref()) else { continue };
            let name = text(policy, "/PolicySummary/Name")
                .or_else(|| text(policy, "/PolicySummary/Id"))
                .unwrap_or_default();
            let content = policy.get("Content").unwrap_or(&Value::Null);
            for target in one_or_many(policy.get("Targets")) {
                let Some(level) = text(target, "/TargetId") else {
                    self.nameless += 1;
                    continue;
                };
                let row = Attached { level: level.clone(), name: name.clone(), kind, content };
                attached.entry(level).or_default().push(row);
            }
        }
        let parents: BTreeMap<String, String> = list("OrganizationalUnits")
            .chain(list("Accounts"))
            .filter_map(|unit| Some((text(unit, "/Id")?, text(unit, "/ParentId")?)))
            .collect();
        for account in list("Accounts") {
            let Some(id) = text(account, "/Id") else {
                self.nameless += 1;
                continue;
            };
            let above: Vec<String> =
                std::iter::successors(Some(id.clone()), |unit| parents.get(unit).cloned())
                    .take(MAX_DEPTH)
                    .collect();
            let is_whole = above.last().is_some_and(|unit| unit.starts_with("r-"));
            let policies: Vec<_> =
                above.iter().filter_map(|unit| attached.get(unit)).flatten().cloned().collect();
            self.account(account, &id, &policies);
            if !is_whole {
                self.unknown_levels(&id);
            }
        }
    }

    /// An account and what is attached to it and above it.
    fn account(&mut self, value: &Value, id: &str, policies: &[Attached<'_>]) {
        let key = account_key(id);
        let manager = text(value, "/Arn").and_then(|arn| arn.split(':').nth(4).map(str::to_owned));
        let is_manager = manager.as_deref() == Some(id);
        self.evidence.identities.push(Identity {
            identity_key: key,
            platform: "aws".to_owned(),
            kind: "account".to_owned(),
            name: text(value, "/Name").unwrap_or_else(|| id.to_owned()),
            native_id: format!("account:{id}"),
            account: Some(id.to_owned()),
            is_nhi: Some(false),
            status: match text(value, "/Status").as_deref() {
                Some("ACTIVE") => "enabled",
                Some(_) => "disabled",
                None => "unknown",
            }
            .to_owned(),
            tags: is_manager.then(|| "organization=management".to_owned()).into_iter().collect(),
            source_key: self.document.source_key,
            ..Identity::default()
        });
        if !is_manager {
            policies.iter().for_each(|policy| self.policy(key, id, policy));
        }
    }

    fn policy(&mut self, key: Key, account: &str, policy: &Attached<'_>) {
        let Some(body) = document_of(policy.content) else {
            self.malformed(format!(
                "control policy {} of {} is not a JSON document",
                policy.name, policy.level
            ));
            return self.grant(key, account, policy, "unreadable", anything());
        };
        for (ordinal, statement) in one_or_many(body.get("Statement")).into_iter().enumerate() {
            let sid = text(statement, "/Sid").filter(|sid| !sid.is_empty());
            let place = format!("{ordinal}{}", sid.map(|sid| format!(":{sid}")).unwrap_or_default());
            // Resource control policies name principals: all of them.
            let row = grant(statement).unwrap_or_else(|| {
                let (name, level) = (&policy.name, &policy.level);
                self.malformed(format!("statement {place} of control policy {name} of {level} is malformed"));
                anything()
            });
            self.grant(key, account, policy, &place, row);
        }
    }

    fn grant(&mut self, key: Key, account: &str, policy: &Attached<'_>, statement: &str, row: Grant) {
        let Attached { level, name, kind, .. } = policy;
        let effect = if row.understood { row.effect.clone() } else { "allow".to_owned() };
        let own_resources = json!({"StringEquals": {"aws:ResourceAccount": account}}).to_string();
        let is_bound = *kind == "rcp" && effect == "deny" && row.conditions.is_none();
        self.evidence.grants.push(Grant {
            grant_key: Key::of("grant", &[&key.to_string(), kind, level, name, statement]),
            identity_key: key,
            platform: "aws".to_owned(),
            policy_kind: (*kind).to_owned(),
            level: Some(level.clone()),
            policy: name.clone(),
            statement: statement.to_owned(),
            effect,
            conditions: if is_bound { Some(own_resources) } else { row.conditions.clone() },
            source_key: self.document.source_key,
            ..row
        });
    }

    /// Units between the account and the root are not in the bundle: they may limit anything.
    fn unknown_levels(&mut self, account: &str) {
        let place = Attached {
            level: "unknown".to_owned(),
            name: "unknown".to_owned(),
            kind: "scp",
            content: &Value::Null,
        };
        self.malformed(format!("the units above account {account} are not in the file"));
        self.grant(account_key(account), account, &place, "missing", anything());
    }

    fn malformed(&mut self, reason: String) {
        self.evidence.problems.push(Problem {
            path: self.document.path.to_owned(),
            offset: None,
            code: "malformed_policy".to_owned(),
            reason,
            lossy: true,
        });
    }
}

/// Key of an account, which holds the policies that bind its identities.
pub(crate) fn account_key(id: &str) -> Key {
    identity_key("aws", &format!("account:{id}"))
}

fn is_account(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &Value) -> Evidence {
        assert_eq!(recognise(value).unwrap().kind, "control_policies");
        import(&Document { path: "o.json", source_key: Key::default(), part: 0, bytes: b"" }, value)
    }

    fn statement(effect: &str, action: &str) -> Value {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": "*"}]})
    }

    fn levels(evidence: &Evidence, account: &str) -> Vec<(String, String)> {
        let held = evidence.grants.iter().filter(|grant| grant.identity_key == account_key(account));
        held.map(|grant| (grant.level.clone().unwrap(), grant.policy.clone())).collect()
    }

    #[test]
    fn every_level_above_an_account_is_kept_and_the_managing_account_is_free() {
        let arn = |id: &str| format!("arn:aws:organizations::111111111111:account/o-abc/{id}");
        let full = json!({"PolicySummary": {"Id": "p-FullAWSAccess", "Name": "FullAWSAccess", "Type": "SERVICE_CONTROL_POLICY", "AwsManaged": true},
            "Content": statement("Allow", "*").to_string(), "Targets": [{"TargetId": "r-ab", "Type": "ROOT"}, {"TargetId": "ou-ab-1", "Type": "ORGANIZATIONAL_UNIT"}]});
        let own = json!({"PolicySummary": {"Id": "p-1", "Name": "own", "Type": "RESOURCE_CONTROL_POLICY"},
            "Content": {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}]}, "Targets": [{"TargetId": "222222222222"}]});
        let tags = json!({"PolicySummary": {"Id": "p-2", "Type": "TAG_POLICY"}, "Content": "{}", "Targets": [{"TargetId": "r-ab"}]});
        let evidence = read(&json!({"Policies": [full, own, tags],
            "Roots": [{"Id": "r-ab"}], "OrganizationalUnits": [{"Id": "ou-ab-1", "ParentId": "r-ab"}],
            "Accounts": [{"Id": "111111111111", "Arn": arn("111111111111"), "ParentId": "r-ab", "Status": "ACTIVE"},
                {"Id": "222222222222", "Arn": arn("222222222222"), "ParentId": "ou-ab-1", "Status": "ACTIVE"},
                {"Id": "333333333333", "Arn": arn("333333333333"), "ParentId": "ou-ab-9", "Status": "ACTIVE"}]}));
        let at = |level: &str, policy: &str| (level.to_owned(), policy.to_owned());
        assert_eq!(levels(&evidence, "111111111111"), []);
        assert_eq!(
            levels(&evidence, "222222222222"),
            [at("222222222222", "own"), at("ou-ab-1", "FullAWSAccess"), at("r-ab", "FullAWSAccess")]
        );
        assert_eq!(levels(&evidence, "333333333333"), [at("unknown", "unknown")]);
        assert!(evidence.problems.iter().any(|row| row.reason.contains("333333333333")));
        let rcp = evidence.grants.iter().find(|grant| grant.policy_kind == "rcp").unwrap();
        assert!(rcp.conditions.as_deref().is_some_and(|text| text.contains("222222222222")));
    }

    #[test]
    fn a_malformed_policy_of_a_tree_is_unknown() {
        let evidence = read(
            &json!({"Id": "r-ab", "Arn": "arn:aws:organizations::111111111111:root/o-abc/r-ab", "Type": "ROOT",
            "Policies": [{"Id": "p-1", "Name": "broken", "Content": "{"}],
            "Children": [{"Id": "ou-ab-1", "Policies": [], "Children": [
                {"Id": "222222222222", "Arn": "arn:aws:organizations::111111111111:account/o-abc/222222222222", "Policies": [{"Id": "p-2", "Name": "half", "Content": {"Statement": [{"Effect": "Allow"}]}}]}]}]}),
        );
        let understood: Vec<_> = evidence.grants.iter().map(|grant| grant.understood).collect();
        assert_eq!(understood, [false, false]);
        let reasons: Vec<_> = evidence.problems.iter().map(|row| row.reason.as_str()).collect();
        assert_eq!(
            reasons,
            [
                "control policy broken of r-ab is not a JSON document",
                "statement 0 of control policy half of 222222222222 is malformed"
            ]
        );
    }
}
