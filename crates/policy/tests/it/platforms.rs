//! Trusts and control policies of inventories, as edges and ceilings.

use crate::support::{aws, inventory_of, linked, role, role_arn};
use leakgraph_model::tables::identity_key;
use leakgraph_policy::{Decision, assume_edges, can, effective};
use serde_json::{Value, json};

const APP: &str = "11111111-2222-3333-4444-555555555555";
const DEPLOY: &str = "deploy@p.iam.gserviceaccount.com";

/// Who becomes whom, whether surely, whether the identity and the scope are checked.
fn edges(files: &[(&str, Value)]) -> Vec<(String, Decision, bool, bool)> {
    let evidence = linked(files);
    assume_edges(&evidence.identities, &evidence.grants, &evidence.trusts)
        .into_iter()
        .map(|edge| (edge.source_principal, edge.decision, edge.identity_checked, edge.scope_checked))
        .collect()
}

#[test]
fn subjects_of_ci_become_applications_of_entra() {
    let issuer = "https://token.actions.githubusercontent.com";
    let credential = |subject: &str| json!({"id": subject, "issuer": issuer, "subject": subject, "audiences": ["api://AzureADTokenExchange"]});
    let found = edges(&[(
        "app.json",
        json!([{"id": "x", "appId": APP, "displayName": "Deploy", "signInAudience": "AzureADMyOrg", "passwordCredentials": [],
            "federatedIdentityCredentials": [credential("repo:acme/shop:environment:prod")]}]),
    )]);
    let source = format!("oidc:{issuer}:repo:acme/shop:environment:prod");
    assert_eq!(found, [(source, Decision::Yes, true, true)]);
}

#[test]
fn subjects_of_ci_become_service_accounts_of_google_cloud() {
    let pool = "iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/github";
    let owner = format!("principalSet://{pool}/attribute.repository_owner/acme");
    // Cloud Asset Inventory names service accounts by their number.
    let policy = json!([{"resource": "//iam.googleapis.com/projects/p/serviceAccounts/112233", "policy": {"bindings": [
        {"role": "roles/iam.workloadIdentityUser", "members": [owner]},
        {"role": "roles/iam.serviceAccountTokenCreator", "members": ["serviceAccount:ci@p.iam.gserviceaccount.com", "allUsers"]}]}}]);
    let accounts = json!([{"name": format!("projects/p/serviceAccounts/{DEPLOY}"), "email": DEPLOY, "uniqueId": "112233", "projectId": "p"}]);
    // On all service accounts of the project.
    let project = json!({"etag": "x", "bindings": [
        {"role": "roles/iam.serviceAccountUser", "members": ["group:ops@acme.test"]}]});
    let found = edges(&[
        ("policy.json", policy),
        ("accounts.json", accounts),
        ("projects/p/iam-policy.json", project),
    ]);
    assert_eq!(
        found,
        [
            (format!("oidc:{owner}:repo:acme/*"), Decision::Yes, false, false),
            ("ci@p.iam.gserviceaccount.com".to_owned(), Decision::Yes, false, false),
            ("allUsers".to_owned(), Decision::Yes, false, false),
            // Both that the files know: the account `ci` is of the project, too.
            ("ops@acme.test".to_owned(), Decision::Yes, false, false),
            ("ops@acme.test".to_owned(), Decision::Yes, false, false),
        ]
    );
}

#[test]
fn service_accounts_of_clusters_become_roles_of_vault() {
    let role = json!({"data": {"bound_service_account_names": ["app"], "bound_service_account_namespaces": ["prod"], "token_policies": ["app"]}});
    let found = edges(&[("auth/kubernetes/role/app.json", role)]);
    let sources: Vec<_> = found.iter().map(|edge| edge.0.as_str()).collect();
    assert_eq!(sources, ["oidc:auth/kubernetes:system:serviceaccount:prod:app"]);
}

/// The root allows everything, the unit S3 only, the account everything: what the unit leaves
/// out nobody has.
#[test]
fn levels_of_control_policies_intersect() {
    let allow = |action: &str| {
        json!({"Id": action, "Name": action, "Type": "SERVICE_CONTROL_POLICY",
        "Content": {"Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}})
    };
    let organisation = json!({"Id": "r-ab", "Arn": "arn:aws:organizations::999999999999:root/o-1/r-ab", "Policies": [allow("*")], "Children": [
        {"Id": "ou-ab-1", "Arn": "arn:aws:organizations::999999999999:ou/o-1/ou-ab-1", "Policies": [allow("s3:*")], "Children": [
            {"Id": "123456789012", "Arn": "arn:aws:organizations::999999999999:account/o-1/123456789012", "Policies": [allow("*")]}]}]});
    let own = json!({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let linked_role = json!({"RoleName": "AWSServiceRoleForX", "Path": "/aws-service-role/x.amazonaws.com/", "Arn": "arn:aws:iam::123456789012:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX",
        "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": own}]});
    let account = json!({"RoleDetailList": [role("actor", &[&own]), linked_role]});
    let evidence = linked(&[("organisation.json", organisation), ("gaad.json", account.clone())]);
    let ask = |arn: &str, action: &str| can(aws(arn), &evidence.grants, action, "arn:aws:s3:::b/k").decision;
    let actor = role_arn("actor");
    assert_eq!((ask(&actor, "s3:GetObject"), ask(&actor, "ec2:RunInstances")), (Decision::Yes, Decision::No));
    let free = "arn:aws:iam::123456789012:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX";
    assert_eq!(ask(free, "ec2:RunInstances"), Decision::Yes, "service-linked roles are not bound");
    let names = |evidence: &leakgraph_model::Evidence| -> Vec<u64> {
        let found = effective(&evidence.identities, &evidence.grants);
        assert!(found.iter().all(|row| row.identity_key != identity_key("aws", "account:123456789012")));
        found.iter().filter(|row| row.identity_key == aws(&actor)).map(|row| row.must.len()).collect()
    };
    assert!(names(&evidence)[0] < 500 && names(&inventory_of(&account))[0] > 20_000);
}
