//! Inventories of clouds, GitLab, Vault and SPIRE as files that meet in linking.
//!
//! Real files are read where there are some; the others have the form of the pages that their
//! importers name.

use crate::support::{Inputs, corpus, read_path};
use leakgraph_ingest::{Fetched, Limits, discover, link};
use leakgraph_model::tables::{Grant, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Reads files by their names and links them; nothing may be lost.
fn linked(files: &[(&str, String)]) -> Evidence {
    let inputs = Inputs::new();
    for (name, text) in files {
        inputs.add(name, text);
    }
    let (mut evidence, _) = inputs.read(&Limits::default());
    assert!(evidence.problems.iter().all(|problem| !problem.lossy), "{:#?}", evidence.problems);
    link(&mut evidence);
    evidence
}

fn held(evidence: &Evidence, key: Key) -> Vec<&Grant> {
    evidence.grants.iter().filter(|grant| grant.identity_key == key).collect()
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("readable")).expect("JSON")
}

const DEPLOY: &str = "deploy@p.iam.gserviceaccount.com";

#[test]
fn bindings_of_google_cloud_are_the_permissions_of_their_roles() {
    let account = format!("serviceAccount:{DEPLOY}");
    let evidence = linked(&[
        (
            "projects/p/iam-policy.json",
            json!({"bindings": [{"role": "projects/p/roles/own", "members": [account]},
                {"role": "roles/editor", "members": [account]}], "etag": "x"})
            .to_string(),
        ),
        (
            "roles.json",
            json!([{"name": "projects/p/roles/own", "stage": "GA", "title": "Own",
                "includedPermissions": ["storage.objects.get", "storage.objects.list"]}])
            .to_string(),
        ),
        (
            "accounts.json",
            json!([{"name": format!("projects/p/serviceAccounts/{DEPLOY}"), "email": DEPLOY, "projectId": "p", "uniqueId": "1", "disabled": false}])
                .to_string(),
        ),
    ]);
    let grants: BTreeMap<&str, (usize, bool)> = held(&evidence, identity_key("gcp", DEPLOY))
        .into_iter()
        .map(|grant| (grant.policy.as_str(), (grant.actions.len(), grant.understood)))
        .collect();
    // What an editor may do no file says.
    assert_eq!(grants, [("projects/p/roles/own", (2, true)), ("roles/editor", (1, false))].into());
    let own: Vec<_> = evidence.identities.iter().filter(|row| row.native_id == DEPLOY).collect();
    assert_eq!((own.len(), own[0].unique_id.as_deref()), (1, Some("1")));
}

#[test]
fn the_predefined_roles_of_google_cloud_are_known_by_name() {
    let Some(corpus) = corpus() else { return };
    let (evidence, _) = read_path(&corpus.join("identities/iam-dataset/gcp/predefined_roles.json"));
    // 2,390 by `len(json.load(…))`; the list has no permissions.
    assert_eq!((evidence.identities.len(), evidence.grants.len()), (2_390, 0));
    assert!(evidence.problems.iter().all(|problem| !problem.lossy) && evidence.problems.len() == 1);
}

#[test]
fn the_built_in_roles_of_azure_are_what_assignments_grant() {
    let Some(corpus) = corpus() else { return };
    let path = corpus.join("identities/iam-dataset/azure/built-in-roles-raw.json");
    let roles = json_of(&path);
    let (app, object) = ("11111111-2222-3333-4444-555555555555", "aaaaaaaa-2222-3333-4444-555555555555");
    let assigned = |role: &str| {
        let found = roles.as_array().expect("a list").iter().find(|row| row["roleName"] == role).expect(role);
        let id = format!(
            "/providers/Microsoft.Authorization/roleDefinitions/{}",
            found["name"].as_str().unwrap_or("")
        );
        json!({"principalId": object, "principalType": "ServicePrincipal", "principalName": app, "roleDefinitionId": id, "roleDefinitionName": role, "scope": "/subscriptions/s"})
    };
    let evidence = linked(&[
        ("roles.json", fs::read_to_string(&path).expect("readable")),
        ("assignments.json", json!([assigned("Contributor"), assigned("Reader")]).to_string()),
        ("sp.json", json!([{"id": object, "appId": app, "displayName": "Deploy", "servicePrincipalType": "Application", "accountEnabled": true}]).to_string()),
    ]);
    let definitions = evidence.identities.iter().filter(|row| row.kind == "role_definition").count();
    assert_eq!(definitions, 928, "by `len(json.load(…))`");
    let grants = held(&evidence, identity_key("azure", app));
    assert!(grants.iter().all(|grant| grant.understood && grant.resources[1] == "/subscriptions/s/*"));
    let contributor: Vec<_> = grants.iter().filter(|grant| grant.policy == "Contributor").collect();
    assert!(contributor.iter().all(|grant| grant.not_actions) && contributor.len() == 1);
    assert!(contributor[0].actions.iter().any(|action| action == "Microsoft.Authorization/*/Write"));
    let reader: Vec<_> = grants.iter().filter(|grant| grant.policy == "Reader").collect();
    assert_eq!((reader.len(), reader[0].actions.as_slice()), (1, ["*/read".to_owned()].as_slice()));
}

#[test]
fn an_application_is_one_identity_whatever_names_it() {
    let (app, object, registration) = (
        "11111111-2222-3333-4444-555555555555",
        "aaaaaaaa-2222-3333-4444-555555555555",
        "cccccccc-2222-3333-4444-555555555555",
    );
    let evidence = linked(&[
        ("app.json", json!([{"id": registration, "appId": app, "displayName": "Deploy", "signInAudience": "AzureADMyOrg", "passwordCredentials": [], "keyCredentials": []}]).to_string()),
        ("sp.json", json!([{"id": object, "appId": app, "displayName": "Deploy", "servicePrincipalType": "Application"}]).to_string()),
        (&format!("applications/{registration}/federatedIdentityCredentials.json"), json!({"value": [{"id": "f", "issuer": "https://token.actions.githubusercontent.com", "subject": "repo:acme/shop:environment:prod", "audiences": ["api://AzureADTokenExchange"]}]}).to_string()),
        ("assignments.json", json!([{"principalId": object, "principalType": "ServicePrincipal", "roleDefinitionId": "/x/8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "scope": "/"}]).to_string()),
    ]);
    let key = identity_key("azure", app);
    assert_eq!(evidence.identities.iter().filter(|row| row.platform == "azure").count(), 1);
    assert_eq!((held(&evidence, key).len(), evidence.trusts[0].identity_key), (1, key));
    assert!(!held(&evidence, key)[0].understood, "no file says what the role contains");
}

#[test]
fn policies_of_vault_are_what_roles_and_tokens_hold() {
    let hcl = "path \"secret/data/app/*\" {\n  capabilities = [\"read\"]\n}\npath \"sys/*\" { capabilities = [\"deny\"] }\n";
    let role = json!({"data": {"bound_service_account_names": ["app"], "bound_service_account_namespaces": ["prod"], "token_policies": ["app"]}});
    let token = json!({"data": {"accessor": "a-1", "path": "auth/kubernetes/login", "meta": {"role": "app"}, "policies": ["app"], "orphan": true, "creation_time": 1_700_000_000}});
    let evidence = linked(&[
        ("policies/app.hcl", hcl.to_owned()),
        ("auth/kubernetes/role/app.json", role.to_string()),
        ("tokens/a-1.json", token.to_string()),
    ]);
    let key = identity_key("vault", "auth/kubernetes/role/app");
    let mut grants: Vec<_> = held(&evidence, key)
        .into_iter()
        .map(|grant| {
            (grant.effect.as_str(), grant.actions.join(","), grant.resources.join(","), grant.understood)
        })
        .collect();
    grants.sort();
    assert_eq!(
        grants,
        [
            ("allow", "read".to_owned(), "secret/data/app/*".to_owned(), true),
            ("deny", "*".to_owned(), "sys/*".to_owned(), true)
        ]
    );
    assert_eq!(evidence.credentials[0].identity_key, Some(key));
}

#[test]
fn what_is_named_by_its_path_only_is_read_for_each_path() {
    let inputs = Inputs::new();
    let empty = json!({"JobStatus": "COMPLETED", "ServicesLastAccessed": []}).to_string();
    let hash = |name: &str| {
        let path = inputs.add(name, &empty);
        let (items, _) = discover(&[path], &Limits::default());
        Fetched::of(&items[0]).sha256().expect("readable")
    };
    let one = hash("a/arn_aws_iam__123456789012_role_one.json");
    assert_eq!(one, hash("b/arn_aws_iam__123456789012_role_one.json"));
    assert_ne!(one, hash("a/arn_aws_iam__123456789012_role_two.json"));
}

/// AirIAM's own test data: an inventory, a credential report and last accesses in one file.
#[test]
fn the_file_of_airiam_is_all_three() {
    let Some(corpus) = corpus() else { return };
    let path = corpus.join("identities/airiam/tests/iam_data.json");
    let value = json_of(&path);
    let (mut evidence, _) = read_path(&path);
    assert_eq!(evidence.source_files[0].kind, "airiam");
    assert_eq!(evidence.problems, []);
    link(&mut evidence);
    let list = |name: &str| value[name].as_array().expect("a list");
    let principals: Vec<&Value> = list("AccountUsers").iter().chain(list("AccountRoles")).collect();
    let services: usize =
        principals.iter().map(|row| row["LastAccessed"].as_array().map_or(0, Vec::len)).sum();
    let of = |evidence: &Evidence, source: &str| {
        evidence.activity.iter().filter(|row| row.evidence == source).count()
    };
    assert_eq!(of(&evidence, "last_accessed"), services);
    let columns = |name: &str| {
        let has = |row: &&Value| row[name].as_str().is_some_and(|text| text.starts_with("20"));
        list("CredentialReport").iter().filter(has).count()
    };
    let used = columns("access_key_1_last_used_date") + columns("access_key_2_last_used_date");
    assert_eq!(of(&evidence, "credential_report"), used);
    let keys = evidence.credentials.iter().filter(|row| row.kind == "access_key").count();
    assert_eq!(keys, columns("access_key_1_last_rotated") + columns("access_key_2_last_rotated"));
    let users: BTreeSet<&str> =
        list("CredentialReport").iter().filter_map(|row| row["arn"].as_str()).collect();
    let known: BTreeSet<&str> = evidence.identities.iter().map(|row| row.native_id.as_str()).collect();
    assert!(users.is_subset(&known));
    eprintln!(
        "AirIAM: {} identities, {services} services used, {used} uses of keys, {} credentials",
        evidence.identities.len(),
        evidence.credentials.len()
    );
}
