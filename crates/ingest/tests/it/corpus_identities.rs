//! Real inventories and activity logs against counts of their JSON lists.

use crate::support::{corpus, files_below, read_path};
use leakgraph_model::Evidence;
use serde_json::Value;
use std::fs;
use std::path::Path;

const LISTS: [(&str, &str); 3] =
    [("UserDetailList", "user"), ("RoleDetailList", "role"), ("GroupDetailList", "group")];

fn json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn array<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Roles of services are a kind of their own.
fn of_kind(evidence: &Evidence, kind: &str) -> usize {
    evidence
        .identities
        .iter()
        .filter(|row| match row.kind.as_str() {
            "service_linked_role" => kind == "role",
            own => own == kind,
        })
        .count()
}

#[test]
fn account_inventories_have_as_many_identities_as_their_lists() {
    let Some(corpus) = corpus() else { return };
    let mut files = 0;
    let mut totals = [0; 3];
    for path in files_below(&corpus.join("identities")) {
        let Some(value) = json(&path) else { continue };
        if !LISTS.iter().any(|(list, _)| value.get(list).is_some_and(Value::is_array)) {
            continue;
        }
        files += 1;
        let (evidence, _) = read_path(&path);
        let kinds: Vec<_> = evidence.source_files.iter().map(|row| row.kind.as_str()).collect();
        assert_eq!(kinds, ["account_authorization_details"], "{}", path.display());
        for ((list, kind), total) in LISTS.iter().zip(&mut totals) {
            let members = array(&value, list).len();
            assert_eq!(of_kind(&evidence, kind), members, "{kind}s of {}", path.display());
            *total += members;
        }
        let held = array(&value, "UserDetailList").iter().chain(array(&value, "RoleDetailList"));
        let has_inline =
            held.flat_map(|who| array(who, "UserPolicyList").iter().chain(array(who, "RolePolicyList")));
        if has_inline.count() > 0 {
            assert!(!evidence.grants.is_empty(), "{} has policies but no grants", path.display());
        }
        let roles = array(&value, "RoleDetailList");
        let trusting = roles.iter().any(|role| {
            role.pointer("/AssumeRolePolicyDocument/Statement")
                .and_then(Value::as_array)
                .is_some_and(|s| !s.is_empty())
        });
        if trusting {
            assert!(!evidence.trusts.is_empty(), "{} has trust policies but no trusts", path.display());
        }
    }
    // Counted beforehand with a script: files that parse as JSON and hold one of the lists.
    assert_eq!((files, totals), (20, [65, 224, 15]));
}

/// The records of a CloudTrail file, however wrapped.
fn records(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(records).collect(),
        Value::Object(members) => members.get("Records").map_or_else(|| vec![value], records),
        _ => Vec::new(),
    }
}

/// A record that says what was done and by whom.
fn is_call(record: &Value) -> bool {
    let says = |pointer: &str| record.pointer(pointer).is_some_and(Value::is_string);
    says("/eventSource")
        && says("/eventName")
        && ["arn", "invokedBy", "userName", "accountId", "type"]
            .iter()
            .any(|name| says(&format!("/userIdentity/{name}")))
}

fn calls_of(folder: &Path) -> (usize, usize, i64) {
    let (mut files, mut found, mut read) = (0, 0, 0);
    for path in files_below(folder) {
        let Some(value) = json(&path) else { continue };
        let calls = records(&value).into_iter().filter(|record| is_call(record)).count();
        let (evidence, _) = read_path(&path);
        let sum: i64 = evidence.activity.iter().map(|row| row.calls).sum();
        assert_eq!(usize::try_from(sum).expect("a count"), calls, "{}", path.display());
        assert!(evidence.activity.iter().all(|row| row.first_at <= row.last_at && row.first_at.is_some()));
        if calls > 0 {
            assert_eq!(evidence.problems, [], "{}", path.display());
            files += 1;
        }
        found += calls;
        read += sum;
    }
    (files, found, read)
}

#[test]
fn every_cloudtrail_record_of_invictus_is_a_call() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("identities/invictus_aws_dataset/CloudTrail");
    // 55 files by `find -type f | wc -l`, 2,900 records by a script that sums `len(Records)`.
    assert_eq!(calls_of(&folder), (55, 2_900, 2_900));
}

#[test]
fn every_cloudtrail_record_of_stratus_is_a_call() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("identities/stratus-red-team/docs");
    assert_eq!(calls_of(&folder), (35, 310, 310));
}

#[test]
fn calls_of_web_identities_are_assumptions() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("workflows/cloudtrail-oidc");
    let (evidence, _) = read_path(&folder);
    assert_eq!(evidence.assumptions.len(), 2, "two files, one event each");
    assert!(evidence.assumptions.iter().all(|row| row.mechanism == "AssumeRoleWithWebIdentity"));
    let denied = evidence.assumptions.iter().filter(|row| row.denied).count();
    assert_eq!(denied, 1, "one file is named …_denied");
    assert!(
        evidence.assumptions.iter().any(|row| row.subject.as_deref().is_some_and(|s| s.starts_with("repo:")))
    );
}

#[test]
fn answers_of_the_github_api_have_a_row_per_item() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("identities/github-openapi-examples");
    let lists = ["installations", "secrets", "environments", "workflow_runs", "jobs"];
    let mut files = 0;
    for path in files_below(&folder) {
        let Some(value) = json(&path) else { continue };
        let (evidence, _) = read_path(&path);
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let rows = match name.trim_end_matches(".json") {
            "actions-secret-paginated" | "organization-actions-secret-paginated" => {
                evidence.credentials.len()
            }
            "installation-paginated" | "base-installation-for-auth-user-paginated" | "environments" => {
                evidence.identities.len()
            }
            "workflow-run-paginated" => evidence.runs.len(),
            "job-paginated" => evidence.jobs.len(),
            _ => continue,
        };
        files += 1;
        let items = lists.iter().map(|list| array(&value, list).len()).sum::<usize>();
        assert_eq!(rows, items, "{name}");
        assert_eq!(value.get("total_count").and_then(Value::as_u64), u64::try_from(items).ok(), "{name}");
        assert_eq!(evidence.problems, [], "{name}");
    }
    assert_eq!(files, 7);
}
