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
