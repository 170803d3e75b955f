//! What Repokid (Netflix, Apache-2.0) would take away: services that were granted and not used.
//!
//! Roles, last accesses and expected services are those of its `test_commands.py`, policies those
//! of its `test_permissions.py`.

use crate::support::{aws, inventory_of, linked, role, role_arn};
use leakgraph_model::Evidence;
use leakgraph_policy::{Catalog, Coverage, Used, effective, least_privilege, matches_wildcards};
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

/// What Repokid leaves that least privilege does not, and why.
const LEFT: [(&str, &str); 3] = [
    ("deny iam:Create*", "nothing is left that it would take away"),
    ("ec2:Describe*", "a statement whose Sid begins with NOREPO is left alone: a mark of Repokid's own"),
    ("sqs:SendMessage", "the same statement"),
];

/// Policies, what may be taken away and what is left, of `test_permissions.py`
/// (`get_repoed_policies_v2`); its statements have no resources, here they are on any.
#[test]
fn what_is_left_is_what_repokid_leaves() {
    let statement = |sid: &str, effect: &str, actions: &[&str]| json!({"Effect": effect, "Sid": sid, "Action": actions, "Resource": "*"});
    let marked =
        || statement("NOREPOtestsid", "Allow", &["ec2:Describe*", "sqs:SendMessage", "sqs:GetMessage"]);
    let deny = || statement("testdeny", "Deny", &["iam:Create*"]);
    let cases = [
        (
            "partial",
            vec![
                statement(
                    "testsid",
                    "Allow",
                    &["ec2:Describe*", "sqs:SendMessage", "sqs:GetMessage", "sqs:Change*"],
                ),
                statement("testsid2", "Allow", &["sqs:SendMessage"]),
                marked(),
                deny(),
            ],
            vec![
                statement("testsid", "Allow", &["sqs:changemessagevisibility", "sqs:getmessage"]),
                marked(),
                deny(),
            ],
        ),
        ("full", vec![statement("testsid", "Allow", &["ec2:Describe*", "sqs:SendMessage"])], vec![]),
        (
            "none",
            vec![statement("testsid", "Allow", &["sqs:GetMessage"]), marked()],
            vec![statement("testsid", "Allow", &["sqs:getmessage"]), marked()],
        ),
    ];
    // All but what Repokid calls repoable: ec2, sqs:SendMessage, sqs:ChangeMessageVisibilityBatch.
    let used =
        ["sqs:ChangeMessageVisibility", "sqs:GetMessage"].map(|action| Used { action, resource: None });
    let holds = |statements: &[Value]| -> BTreeSet<u32> {
        let all =
            inventory_of(&json!({"RoleDetailList": [role("r", &[&json!({ "Statement": statements })])]}));
        effective(&all.identities, &all.grants)
            .first()
            .map(|row| row.must.iter().collect())
            .unwrap_or_default()
    };
    let catalog = Catalog::get();
    let explained = |id: &u32| {
        let name = &catalog.action(*id).name;
        LEFT.iter().any(|(pattern, _)| matches_wildcards(pattern, name))
    };
    for (name, before, theirs) in cases {
        let evidence =
            inventory_of(&json!({"RoleDetailList": [role("r", &[&json!({ "Statement": before })])]}));
        let identity = evidence.identities.iter().find(|row| row.kind == "role").unwrap();
        let trimmed =
            least_privilege(identity, &evidence.grants, &used, Coverage { data_events: true }).unwrap();
        let documents: Vec<Value> =
            trimmed.documents.iter().map(|document| serde_json::from_str(&document.text).unwrap()).collect();
        let statements: Vec<Value> =
            documents.iter().flat_map(|document| document["Statement"].as_array().unwrap().clone()).collect();
        let (ours, theirs) = (holds(&statements), holds(&theirs));
        assert!(ours.is_subset(&theirs), "{name}: {statements:?}");
        assert!(theirs.difference(&ours).all(explained), "{name}: {statements:?}");
        // An action that no catalog has is kept by its name, by both.
        let text = serde_json::to_string(&statements).unwrap().to_lowercase();
        assert_eq!(text.contains("sqs:getmessage"), name != "full", "{name}: {text}");
        assert!(!text.contains("\"deny\""), "{name}");
    }
}
