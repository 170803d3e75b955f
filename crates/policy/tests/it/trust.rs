//! Trust policies as AWS evaluates them, from inventory documents.

use crate::support::{aws, inventory_of, role, role_arn};
use leakgraph_policy::{Decision, assume_edges};
use serde_json::{Value, json};

const ACTOR: &str = "arn:aws:iam::123456789012:role/actor";

fn allowing(principal: &Value) -> Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
}

/// Whether a role called actor, with these statements, becomes the role these trust.
fn becomes(own: &Value, trust: &Value) -> Decision {
    let mut target = role("target", &[]);
    target["AssumeRolePolicyDocument"] = json!({ "Statement": trust });
    let actor = role("actor", &[&json!({ "Statement": own })]);
    let evidence = inventory_of(&json!({ "RoleDetailList": [actor, target] }));
    assume_edges(&evidence.identities, &evidence.grants, &evidence.trusts)
        .into_iter()
        .filter(|edge| edge.source == Some(aws(ACTOR)) || edge.source.is_none())
        .filter(|edge| edge.target == aws(&role_arn("target")))
        .map(|edge| edge.decision)
        .max()
        .unwrap_or(Decision::No)
}

#[test]
fn a_named_principal_is_bound_by_its_own_denies() {
    let named = json!([allowing(&json!({ "AWS": ACTOR }))]);
    let deny = |condition: Value| json!([{"Effect": "Deny", "Action": "sts:*", "Resource": "*", "Condition": condition}]);
    assert_eq!(becomes(&json!([]), &named), Decision::Yes);
    assert_eq!(becomes(&deny(json!({})), &named), Decision::No);
    let outside = json!({"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}});
    assert_eq!(becomes(&deny(outside), &named), Decision::May);
}

#[test]
fn denies_of_a_trust_policy_close_or_unsettle_an_edge() {
    let able = json!([{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]);
    let root = json!({"AWS": "arn:aws:iam::123456789012:root"});
    let ask = |principal: Value, condition: Value| {
        let deny = json!({"Effect": "Deny", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition});
        becomes(&able, &json!([allowing(&root), deny]))
    };
    let no_mfa = json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}});
    assert_eq!(ask(json!({ "AWS": role_arn("other") }), json!({})), Decision::Yes);
    assert_eq!(ask(json!({ "AWS": ACTOR }), json!({})), Decision::No);
    assert_eq!(ask(json!("*"), json!({})), Decision::No);
    assert_eq!(ask(root.clone(), json!({})), Decision::No);
    let stranger = json!({"AWS": "arn:aws:iam::210987654321:root"});
    let deny = json!({"Effect": "Deny", "Principal": stranger.clone(), "Action": "sts:*"});
    assert_eq!(becomes(&able, &json!([allowing(&stranger)])), Decision::Yes);
    assert_eq!(becomes(&able, &json!([allowing(&stranger), deny])), Decision::No);
    assert_eq!(ask(json!("*"), no_mfa.clone()), Decision::May);
    assert_eq!(ask(json!({ "AWS": ACTOR }), no_mfa), Decision::May);
}

#[test]
fn a_deny_of_one_way_leaves_the_others() {
    let ask = |action: &str| {
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": action});
        becomes(&json!([]), &json!([allowing(&json!({ "AWS": ACTOR })), deny]))
    };
    assert_eq!(ask("sts:AssumeRoleWithWebIdentity"), Decision::Yes);
    assert_eq!(ask("sts:TagSession"), Decision::Yes);
    assert_eq!(ask("sts:Assume*"), Decision::No);
    let open = json!({"Effect": "Allow", "Principal": "*", "Action": "sts:*"});
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRoleWithSAML"});
    assert_eq!(becomes(&json!([]), &json!([open, deny])), Decision::May);
}

#[test]
fn all_principals_but_some_are_perhaps_this_one() {
    let able = json!([{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]);
    let root = json!({"AWS": "arn:aws:iam::123456789012:root"});
    let other = json!({ "AWS": role_arn("other") });
    let deny = json!({"Effect": "Deny", "NotPrincipal": other.clone(), "Action": "sts:AssumeRole"});
    assert_eq!(becomes(&able, &json!([allowing(&root), deny])), Decision::May);
    let allow = json!({"Effect": "Allow", "NotPrincipal": other, "Action": "sts:AssumeRole"});
    assert_eq!(becomes(&able, &json!([allow])), Decision::May);
}

#[test]
fn only_statements_about_assuming_open_a_way() {
    let ask = |action: Value| {
        becomes(&json!([]), &json!([{"Effect": "Allow", "Principal": {"AWS": ACTOR}, "Action": action}]))
    };
    assert_eq!(ask(json!("sts:AssumeRole")), Decision::Yes);
    assert_eq!(ask(json!(["sts:TagSession", "STS:Assume*"])), Decision::Yes);
    assert_eq!(ask(json!(["sts:TagSession", "sts:SetSourceIdentity"])), Decision::No);
}

#[test]
fn another_account_must_allow_it_too() {
    let become_with = |own: Value| {
        let mut target = role("target", &[]);
        let stranger = "arn:aws:iam::210987654321:role/stranger";
        target["AssumeRolePolicyDocument"] = json!({ "Statement": [allowing(&json!({ "AWS": stranger }))] });
        let policy = json!({"PolicyName": "p", "PolicyDocument": {"Statement": own}});
        let source = json!({"RoleName": "stranger", "Arn": stranger, "RolePolicyList": [policy]});
        let evidence = inventory_of(&json!({ "RoleDetailList": [source, target] }));
        let edges = assume_edges(&evidence.identities, &evidence.grants, &evidence.trusts);
        edges.iter().map(|edge| edge.decision).max().unwrap_or(Decision::No)
    };
    let statement = |action: &str| json!([{"Effect": "Allow", "Action": action, "Resource": "*"}]);
    assert_eq!(become_with(statement("sts:AssumeRole")), Decision::Yes);
    assert_eq!(become_with(statement("s3:*")), Decision::No);
    assert_eq!(become_with(json!([])), Decision::May);
}

/// Whether a role becomes one that trusts `principal`, where `limits` are members of the role
/// that becomes it and `policies` the managed policies there are.
fn bounded(principal: &str, limits: Value, policies: Value) -> Vec<Decision> {
    let mut target = role("target", &[]);
    target["AssumeRolePolicyDocument"] = json!({ "Statement": [allowing(&json!({ "AWS": principal }))] });
    let mut actor = role("actor", &[]);
    actor.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
    let evidence = inventory_of(&json!({ "RoleDetailList": [actor, target], "Policies": policies }));
    let edges = assume_edges(&evidence.identities, &evidence.grants, &evidence.trusts);
    assert!(edges.iter().all(|edge| edge.source == Some(aws(ACTOR))));
    edges.iter().map(|edge| edge.decision).collect()
}

fn boundary(action: &str) -> (Value, Value) {
    let arn = "arn:aws:iam::123456789012:policy/boundary";
    let document = json!({"Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]});
    let version = json!({"VersionId": "v1", "IsDefaultVersion": true, "Document": document});
    let policy = json!([{"PolicyName": "boundary", "Arn": arn, "PolicyVersionList": [version]}]);
    (json!({"PermissionsBoundary": {"PermissionsBoundaryArn": arn}}), policy)
}

#[test]
fn a_role_named_by_arn_is_within_its_boundary() {
    let ask = |action: &str| {
        let (limits, policies) = boundary(action);
        bounded(ACTOR, limits, policies)
    };
    assert_eq!(ask("sts:*"), [Decision::Yes]);
    assert_eq!(ask("s3:*"), []);
    let (limits, _) = boundary("*");
    assert_eq!(bounded(ACTOR, limits, json!([])), [Decision::May], "the boundary is not in the inventory");
}

#[test]
fn a_session_is_the_role_under_one_name_and_needs_no_boundary() {
    let session = "arn:aws:sts::123456789012:assumed-role/actor/deploy";
    assert_eq!(bounded(session, json!({}), json!([])), [Decision::May]);
    let (limits, policies) = boundary("s3:*");
    assert_eq!(bounded(session, limits, policies), [Decision::May]);
    let in_a_path = json!({"Arn": "arn:aws:iam::123456789012:role/ci/actor"});
    let mut target = role("target", &[]);
    target["AssumeRolePolicyDocument"] = json!({ "Statement": [allowing(&json!({ "AWS": session }))] });
    let mut actor = role("actor", &[]);
    actor.as_object_mut().unwrap().extend(in_a_path.as_object().unwrap().clone());
    let evidence = inventory_of(&json!({ "RoleDetailList": [actor, target] }));
    let edges = assume_edges(&evidence.identities, &evidence.grants, &evidence.trusts);
    let sources: Vec<_> = edges.iter().map(|edge| edge.source).collect();
    assert_eq!(sources, [Some(aws("arn:aws:iam::123456789012:role/ci/actor"))]);
    let stranger = "arn:aws:sts::210987654321:assumed-role/actor/deploy";
    let mut target = role("target", &[]);
    target["AssumeRolePolicyDocument"] = json!({ "Statement": [allowing(&json!({ "AWS": stranger }))] });
    let evidence = inventory_of(&json!({ "RoleDetailList": [role("actor", &[]), target] }));
    let edges = assume_edges(&evidence.identities, &evidence.grants, &evidence.trusts);
    let sources: Vec<_> = edges.iter().map(|edge| (edge.source, edge.decision)).collect();
    assert_eq!(sources, [(None, Decision::May)]);
}

#[test]
fn a_deny_of_one_session_leaves_the_others_of_the_role() {
    let session = |name: &str| format!("arn:aws:sts::123456789012:assumed-role/actor/{name}");
    let ask = |allow: &str, deny: &str| {
        let deny = json!({"Effect": "Deny", "Principal": {"AWS": deny}, "Action": "sts:AssumeRole"});
        becomes(&json!([]), &json!([allowing(&json!({ "AWS": allow })), deny]))
    };
    assert_eq!(ask(ACTOR, &session("a")), Decision::May);
    assert_eq!(ask(&session("a"), &session("a")), Decision::No);
    assert_eq!(ask(&session("a"), &session("b")), Decision::May);
    assert_eq!(ask(&session("a"), ACTOR), Decision::No);
}
