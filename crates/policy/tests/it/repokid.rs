//! What Repokid (Netflix, Apache-2.0) would take away: services that were granted and not used.
//!
//! Roles, last accesses and expected services are those of its `test_commands.py`.

use crate::support::{aws, linked, role, role_arn};
use leakgraph_model::Evidence;
use leakgraph_policy::{Catalog, Coverage, Used, effective, least_privilege};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const IAM: [&str; 2] = ["iam:AddRoleToInstanceProfile", "iam:AttachRolePolicy"];
const S3: [&str; 2] = ["s3:CreateBucket", "s3:DeleteBucket"];
const EC2: [&str; 2] = ["ec2:AllocateHosts", "ec2:AssociateAddress"];

fn policy(actions: &[&str]) -> Value {
    json!({"Statement": [{"Effect": "Allow", "Action": actions, "Resource": ["*"]}]})
}

/// Actions that a role surely has and of whose service no use is known.
fn unused(evidence: &Evidence, name: &str) -> BTreeSet<String> {
    let key = aws(&role_arn(name));
    let own =
        effective(&evidence.identities, &evidence.grants).into_iter().find(|row| row.identity_key == key);
    let used: BTreeSet<&str> = evidence
        .activity
        .iter()
        .filter(|row| row.identity_key == Some(key) && row.action.ends_with(":*"))
        .filter_map(|row| row.action.split(':').next())
        .collect();
    let granted = own.unwrap().must;
    let names = granted.iter().map(|id| Catalog::get().action(id).name.clone());
    names.filter(|name| !used.contains(name.split(':').next().unwrap())).collect()
}

#[test]
fn unused_services_are_repokids() {
    let used =
        |service: &str| json!({"lastAuthenticated": 1_700_000_000_000_i64, "serviceNamespace": service});
    let never = |service: &str| json!({"lastAuthenticated": 0, "serviceNamespace": service});
    let of = |name: &str, services: Vec<Value>| (role_arn(name), Value::Array(services));
    let aardvark = Value::Object(
        [
            of("all_services_used", vec![used("iam"), used("s3")]),
            of("unused_ec2", vec![used("iam"), never("ec2")]),
            of(
                "additional_unused_ec2",
                vec![used("iam"), never("ec2"), never("unsupported_service"), never("supported_service")],
            ),
            of("unused_iam", vec![never("iam"), used("ec2")]),
        ]
        .into_iter()
        .collect(),
    );
    let with = |name: &str, other: &[&str]| role(name, &[&policy(&IAM), &policy(other)]);
    let roles = json!({"RoleDetailList": [with("all_services_used", &S3), with("unused_ec2", &EC2),
        with("additional_unused_ec2", &EC2), with("unused_iam", &EC2)]});
    let evidence = linked(&[("gaad.json", roles), ("aardvark.json", aardvark)]);
    let expected =
        |actions: &[&str]| actions.iter().map(|action| (*action).to_owned()).collect::<BTreeSet<_>>();
    for (name, actions) in [
        ("all_services_used", &[] as &[&str]),
        ("unused_ec2", &EC2),
        ("additional_unused_ec2", &EC2),
        // No expectation of theirs: the row they display for it was written by hand.
        ("unused_iam", &IAM),
    ] {
        assert_eq!(unused(&evidence, name), expected(actions), "{name}");
    }
}

/// `test_get_repoed_policy` of its `test_roledata.py`: three of four actions are taken away.
#[test]
fn the_repoed_policy_is_theirs() {
    let evidence =
        linked(&[("gaad.json", json!({"RoleDetailList": [role("r", &[&policy(&IAM), &policy(&S3)])]}))]);
    let key = aws(&role_arn("r"));
    let identity = evidence.identities.iter().find(|row| row.identity_key == key).unwrap();
    let used = [Used { action: "s3:DeleteBucket", resource: None }];
    let trimmed = least_privilege(identity, &evidence.grants, &used, Coverage { data_events: true }).unwrap();
    assert_eq!(trimmed.removed, ["iam:AddRoleToInstanceProfile", "iam:AttachRolePolicy", "s3:CreateBucket"]);
    let ours: Value = serde_json::from_str(&trimmed.documents[0].text).unwrap();
    // Theirs is in lower case, and the other policy is named as empty.
    let theirs = json!({"Version": "2012-10-17", "Statement": [{"Action": ["s3:DeleteBucket"], "Resource": ["*"], "Effect": "Allow"}]});
    assert_eq!((ours, trimmed.documents.len()), (theirs, 1));
}
