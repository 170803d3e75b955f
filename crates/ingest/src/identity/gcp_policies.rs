//! Google Cloud: who has which role on what.
//!
//! Formats: `gcloud projects|folders|organizations get-iam-policy` and those of single
//! resources (IAM, "Policy": `bindings[]`), which do not name their resource: the path may
//! (`…/projects/p/iam-policy.json`); `gcloud asset search-all-iam-policies` and `gcloud asset
//! export --content-type=iam-policy` (Cloud Asset API v1, "IamPolicySearchResult", "Asset");
//! answers of `effectiveIamPolicies:batchGet`.
//!
//! A role that lets its members act as service accounts, granted on one, is a trust of it too.

use super::gcp::{holder, member};
use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::text;
use leakgraph_model::tables::{Grant, Problem, Trust, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;
use std::collections::BTreeSet;

/// Roles with which one acts as a service account (IAM, "Roles for service account
/// authentication"), and how.
pub(crate) const ACTING: [(&str, &str); 5] = [
    ("roles/iam.serviceAccountTokenCreator", "iam.serviceAccounts.getAccessToken"),
    ("roles/iam.workloadIdentityUser", "iam.serviceAccounts.getAccessToken"),
    ("roles/iam.serviceAccountOpenIdTokenCreator", "iam.serviceAccounts.getOpenIdToken"),
    ("roles/iam.serviceAccountUser", "iam.serviceAccounts.actAs"),
    ("roles/iam.serviceAccountKeyAdmin", "iam.serviceAccountKeys.create"),
];

/// A policy and the resource it is attached to.
struct Attached<'v> {
    resource: Option<String>,
    policy: &'v Value,
}

pub(super) fn recognise(path: &str, value: &Value) -> Option<Recognised> {
    let first = policies(path, value).into_iter().next()?;
    let bindings = first.policy.get("bindings")?.as_array()?;
    let is_binding = bindings.iter().all(|binding| {
        binding.get("role").is_some_and(Value::is_string)
            && binding.get("members").is_some_and(Value::is_array)
    });
    let is_policy = !bindings.is_empty() || first.policy.get("etag").is_some();
    (is_binding && is_policy)
        .then(|| Recognised::new("gcp_iam_policies", "`bindings` of `role` and `members`"))
}

/// The policies of any wrapper.
fn policies<'v>(path: &str, value: &'v Value) -> Vec<Attached<'v>> {
    if let Value::Array(items) = value {
        return items.iter().flat_map(|item| policies(path, item)).collect();
    }
    let list = |names: &[&str]| names.iter().find_map(|name| value.get(*name)?.as_array());
    if let Some(results) = list(&["results", "assets", "policyResults", "policy_results"]) {
        return results.iter().flat_map(|item| policies(path, item)).collect();
    }
    // Effective policies: those of the resource and of all above it.
    if let Some(all) = list(&["policies"]) {
        return all.iter().flat_map(|item| policies(path, item)).collect();
    }
    let named = ["/resource", "/name", "/attachedResource", "/attached_resource", "/fullResourceName"]
        .iter()
        .find_map(|name| text(value, name));
    let inner = ["policy", "iamPolicy", "iam_policy"].iter().find_map(|name| value.get(*name));
    match inner {
        Some(policy) => vec![Attached { resource: named, policy }],
        None if value.get("bindings").is_some() => {
            vec![Attached { resource: resource_of_path(path), policy: value }]
        }
        None => Vec::new(),
    }
}

/// `//cloudresourcemanager.googleapis.com/projects/p` for a path with `projects/p`.
pub(super) fn resource_of_path(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    let (kind, name) = parts.iter().zip(parts.iter().skip(1)).rev().find(|(kind, name)| {
        matches!(**kind, "projects" | "folders" | "organizations") && !name.is_empty()
    })?;
    let name = name.split('.').next().unwrap_or(name);
    Some(format!("//cloudresourcemanager.googleapis.com/{kind}/{name}"))
}

pub(super) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let mut importer = Importer {
        document,
        evidence: Evidence::default(),
        known: BTreeSet::new(),
        unnamed: 0,
        malformed: 0,
    };
    for attached in policies(document.path, value) {
        importer.policy(&attached);
    }
    let Importer { mut evidence, unnamed, malformed, .. } = importer;
    let what = "policies do not say, nor does their path, of which resource they are";
    evidence.problems.extend(incomplete(document, unnamed, what));
    evidence.problems.extend(incomplete(
        document,
        malformed,
        "bindings have no role, or members that are none",
    ));
    evidence
}

struct Importer<'a> {
    document: &'a Document<'a>,
    evidence: Evidence,
    /// Identities that have a row.
    known: BTreeSet<Key>,
    unnamed: usize,
    malformed: usize,
}

impl Importer<'_> {
    fn policy(&mut self, attached: &Attached<'_>) {
        self.unnamed += usize::from(attached.resource.is_none());
        let bindings = attached.policy.get("bindings").and_then(Value::as_array);
        for (place, binding) in bindings.into_iter().flatten().enumerate() {
            let members = binding.get("members").and_then(Value::as_array);
            let (Some(role), Some(members)) = (text(binding, "/role"), members) else {
                self.unknown(attached, place);
                continue;
            };
            for written in members {
                match written.as_str().and_then(member) {
                    Some((kind, native_id)) => self.binding(attached, binding, &role, kind, &native_id),
                    None => self.malformed += 1,
                }
            }
        }
    }

    fn unknown(&mut self, attached: &Attached<'_>, place: usize) {
        let resource = attached.resource.as_deref().unwrap_or("an unknown resource");
        self.evidence.problems.push(Problem {
            path: self.document.path.to_owned(),
            code: "malformed_policy".to_owned(),
            reason: format!("binding {place} of {resource} has no role or no members"),
            lossy: true,
            ..Problem::default()
        });
    }

    fn binding(&mut self, attached: &Attached<'_>, binding: &Value, role: &str, kind: &str, native_id: &str) {
        let row = holder(kind, native_id, self.document.source_key);
        let key = row.identity_key;
        if self.known.insert(key) {
            self.evidence.identities.push(row);
        }
        let condition = binding.get("condition").filter(|condition| !condition.is_null());
        let conditions = condition.map(Value::to_string);
        let resource = attached.resource.clone().unwrap_or_else(|| "*".to_owned());
        let place = conditions.as_deref().unwrap_or("");
        self.evidence.grants.push(Grant {
            grant_key: Key::of("grant", &[&key.to_string(), "permission", role, &resource, place]),
            identity_key: key,
            platform: "gcp".to_owned(),
            policy_kind: "permission".to_owned(),
            policy: role.to_owned(),
            statement: "0".to_owned(),
            effect: "allow".to_owned(),
            actions: vec![role.to_owned()],
            resources: covered(&resource),
            conditions: conditions.clone(),
            // Linking knows what the role contains, if a file says it.
            understood: false,
            source_key: self.document.source_key,
            ..Grant::default()
        });
        let acting = ACTING.iter().find(|(acting, _)| *acting == role);
        if let Some(((_, action), account)) = acting.zip(account_of_resource(&resource)) {
            self.trust(&account, role, action, kind, native_id, conditions);
        }
    }

    /// Who may act as a service account.
    fn trust(
        &mut self,
        account: &str,
        role: &str,
        action: &str,
        kind: &str,
        native_id: &str,
        conditions: Option<String>,
    ) {
        let key = identity_key("gcp", account);
        let (principal_kind, subjects) = match kind {
            "public" => ("any", Vec::new()),
            "federated_principal" | "federated_principals" => ("federated", subjects(native_id)),
            _ => ("identity", Vec::new()),
        };
        self.evidence.trusts.push(Trust {
            trust_key: Key::of(
                "trust",
                &[&key.to_string(), role, native_id, conditions.as_deref().unwrap_or("")],
            ),
            identity_key: key,
            principal_kind: principal_kind.to_owned(),
            principal: native_id.to_owned(),
            principal_key: (principal_kind == "identity").then(|| identity_key("gcp", native_id)),
            effect: "allow".to_owned(),
            actions: vec![action.to_owned()],
            conditions,
            subjects,
            source_key: self.document.source_key,
        });
    }
}

/// The service account that a resource is, by its e-mail or its number (linking replaces that).
fn account_of_resource(resource: &str) -> Option<String> {
    let rest = resource.strip_prefix("//iam.googleapis.com/")?.split_once("/serviceAccounts/")?.1;
    rest.split('/').next().filter(|account| !account.is_empty()).map(str::to_owned)
}

/// The resource, and what is below it where that can be told by its name.
fn covered(resource: &str) -> Vec<String> {
    let is_container = resource.starts_with("//cloudresourcemanager.googleapis.com/");
    let mut resources = vec![resource.to_owned()];
    if is_container {
        resources.push(format!("{resource}/*"));
    }
    resources
}

/// OIDC subjects that a federated principal stands for, as patterns (IAM, "Principal
/// identifiers"): `…/subject/SUB`; attributes as they are mapped by custom from GitHub's and
/// GitLab's claims. Those of a whole pool are unrestricted.
pub(crate) fn subjects(principal: &str) -> Vec<String> {
    if let Some((_, subject)) = principal.split_once("/subject/") {
        return vec![subject.to_owned()];
    }
    let attribute = principal.split_once("/attribute.").and_then(|(_, rest)| rest.split_once('/'));
    match attribute {
        Some(("repository", repo)) => vec![format!("repo:{repo}:*")],
        Some(("repository_owner", owner)) => vec![format!("repo:{owner}/*")],
        Some(("project_path", project)) => vec![format!("project_path:{project}:*")],
        Some((name, value)) => vec![format!("{name}={value}")],
        None => principal
            .split_once("/group/")
            .map(|(_, group)| vec![format!("group={group}")])
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DEPLOY: &str = "deploy@p.iam.gserviceaccount.com";

    fn read(path: &str, value: &Value) -> Evidence {
        assert_eq!(recognise(path, value).unwrap().kind, "gcp_iam_policies");
        import(&Document { path, source_key: Key::default(), part: 0, bytes: b"" }, value)
    }

    fn bindings(role: &str, members: &[&str]) -> Value {
        json!([{"role": role, "members": members}])
    }

    #[test]
    fn a_policy_is_of_the_resource_its_path_names() {
        let policy = json!({"bindings": [
            {"role": "roles/editor", "members": [format!("serviceAccount:{DEPLOY}"), "user:ann@acme.test", "allUsers", "deleted:serviceAccount:old@p.iam.gserviceaccount.com?uid=1", "nonsense"]},
            {"role": "roles/viewer", "members": [format!("serviceAccount:{DEPLOY}")], "condition": {"title": "office", "expression": "request.time < timestamp(\"2030-01-01T00:00:00Z\")"}},
        ], "etag": "x", "version": 3});
        let evidence = read("inventory/projects/p/iam-policy.json", &policy);
        let kinds: Vec<_> = evidence.identities.iter().map(|row| (row.kind.as_str(), row.is_nhi)).collect();
        assert_eq!(
            kinds,
            [
                ("service_account", Some(true)),
                ("user", Some(false)),
                ("public", Some(false)),
                ("service_account", Some(true))
            ]
        );
        let own: Vec<_> = evidence
            .grants
            .iter()
            .filter(|grant| grant.identity_key == identity_key("gcp", DEPLOY))
            .map(|grant| (grant.policy.as_str(), grant.conditions.is_some(), grant.understood))
            .collect();
        assert_eq!(own, [("roles/editor", false, false), ("roles/viewer", true, false)]);
        assert_eq!(evidence.grants[0].resources[0], "//cloudresourcemanager.googleapis.com/projects/p");
        assert_eq!(evidence.problems.len(), 1, "one member is none");
        assert_eq!(read("policy.json", &policy).grants[0].resources, ["*"]);
        assert_eq!(read("policy.json", &policy).problems.len(), 2);
    }

    #[test]
    fn roles_on_a_service_account_are_trusts() {
        let pool = "iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/github";
        let subject = format!("principal://{pool}/subject/repo:acme/shop:ref:refs/heads/main");
        let owner = format!("principalSet://{pool}/attribute.repository_owner/acme");
        let whole = format!("principalSet://{pool}/*");
        let resource = format!("//iam.googleapis.com/projects/p/serviceAccounts/{DEPLOY}");
        let members = [subject.as_str(), &owner, &whole, "serviceAccount:ci@p.iam.gserviceaccount.com"];
        let found = read(
            "a.json",
            &json!([{"resource": resource, "assetType": "iam.googleapis.com/ServiceAccount", "project": "projects/1",
            "policy": {"bindings": bindings("roles/iam.workloadIdentityUser", &members)}}]),
        );
        let trusts: Vec<_> = found
            .trusts
            .iter()
            .map(|row| (row.principal_kind.as_str(), row.subjects.clone(), row.principal_key.is_some()))
            .collect();
        assert_eq!(
            trusts,
            [
                ("federated", vec!["repo:acme/shop:ref:refs/heads/main".to_owned()], false),
                ("federated", vec!["repo:acme/*".to_owned()], false),
                ("federated", vec![], false),
                ("identity", vec![], true),
            ]
        );
        assert!(found.trusts.iter().all(|row| row.identity_key == identity_key("gcp", DEPLOY)));
    }

    #[test]
    fn exports_and_effective_policies_hold_the_same() {
        let bound = bindings("roles/owner", &["user:ann@acme.test"]);
        let name = "//cloudresourcemanager.googleapis.com/projects/p";
        for value in [
            json!({"name": name, "asset_type": "cloudresourcemanager.googleapis.com/Project", "iam_policy": {"bindings": bound}}),
            json!({"results": [{"resource": name, "policy": {"bindings": bound}}]}),
            json!({"policyResults": [{"fullResourceName": name, "policies": [{"attachedResource": name, "policy": {"bindings": bound}}]}]}),
        ] {
            let evidence = read("x.json", &value);
            assert_eq!((evidence.grants.len(), evidence.problems.len()), (1, 0), "{value}");
            assert_eq!(evidence.grants[0].resources[0], name);
        }
    }
}
