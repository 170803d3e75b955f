//! What an inventory says must not get lost; what it does not say leaves everything
//! possible and nothing sure.

use crate::support::{aws, inventory_of};
use leakgraph_policy::{Decision, can};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const USER: &str = "arn:aws:iam::123456789012:user/someone";

/// What a user may do, who has one inline policy for S3 and what `members` add.
fn asked(members: Value, action: &str) -> Decision {
    let policy = json!({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}});
    let mut user = json!({"UserName": "someone", "Arn": USER,
        "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": policy}]});
    user.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let evidence = inventory_of(&json!({ "UserDetailList": [user] }));
    can(aws(USER), &evidence.grants, action, "arn:aws:s3:::b/k").decision
}

#[test]
fn all_documents_are_there() {
    assert_eq!(asked(json!({}), "s3:GetObject"), Decision::Yes);
    assert_eq!(asked(json!({}), "ec2:RunInstances"), Decision::No);
}

#[test]
fn a_managed_policy_is_absent() {
    let attached =
        json!({"AttachedManagedPolicies": [{"PolicyName": "q", "PolicyArn": "arn:aws:iam::aws:policy/q"}]});
    assert_eq!(asked(attached.clone(), "s3:GetObject"), Decision::May);
    assert_eq!(asked(attached, "ec2:RunInstances"), Decision::May);
}

#[test]
fn a_boundary_is_absent() {
    let bound = json!({"PermissionsBoundary": {"PermissionsBoundaryArn": "arn:aws:iam::aws:policy/q"}});
    assert_eq!(asked(bound.clone(), "s3:GetObject"), Decision::May);
    assert_eq!(asked(bound, "ec2:RunInstances"), Decision::No);
}

#[test]
fn a_group_is_absent() {
    let grouped = json!({"GroupList": ["admins"]});
    assert_eq!(asked(grouped.clone(), "s3:GetObject"), Decision::May);
    assert_eq!(asked(grouped, "ec2:RunInstances"), Decision::May);
}

/// Names of inline policies are unique within one group only.
#[test]
fn groups_have_policies_of_the_same_name() {
    let group = |name: &str, action: &str| {
        let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
        json!({"GroupName": name, "Arn": format!("arn:aws:iam::123456789012:group/{name}"),
            "GroupPolicyList": [{"PolicyName": "inline", "PolicyDocument": {"Statement": statement}}]})
    };
    let evidence = inventory_of(&json!({
        "UserDetailList": [{"UserName": "someone", "Arn": USER, "GroupList": ["a", "b"]}],
        "GroupDetailList": [group("a", "s3:GetObject"), group("b", "s3:PutObject")],
    }));
    let grants: Vec<_> = evidence.grants.iter().filter(|grant| grant.identity_key == aws(USER)).collect();
    let keys: BTreeSet<_> = grants.iter().map(|grant| grant.grant_key).collect();
    assert_eq!((grants.len(), keys.len()), (2, 2));
}
