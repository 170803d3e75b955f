//! Trimmed policies keep what was used and allow nothing that was not allowed.

use crate::laws::{ASKED, OWN, THINGS, holder, statement};
use crate::support::{aws, inventory, inventory_of, linked, role, role_arn};
use leakgraph_model::tables::{Grant, Identity, identity_key};
use leakgraph_model::{Evidence, Key};
use leakgraph_policy::{
    Catalog, Coverage, Decision, Trimmed, Untrimmed, Used, can, effective, least_privilege,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

const BLIND: Coverage = Coverage { data_events: false };
const SEEING: Coverage = Coverage { data_events: true };

fn used<'a>(action: &'a str) -> Used<'a> {
    Used { action, resource: None }
}

fn of_aws() -> Identity {
    Identity {
        identity_key: holder(),
        platform: "aws".to_owned(),
        name: "holder".to_owned(),
        ..Identity::default()
    }
}

/// The grants that the documents give a role instead of its own.
fn applied(trimmed: &Trimmed) -> Vec<Grant> {
    let documents: Vec<Value> =
        trimmed.documents.iter().map(|document| serde_json::from_str(&document.text).unwrap()).collect();
    let policies: Vec<&Value> = documents.iter().collect();
    let evidence = inventory_of(&json!({"RoleDetailList": [role("holder", &policies)]}));
    assert_eq!(evidence.grants.iter().filter(|grant| !grant.understood).count(), 0);
    evidence.grants
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_was_used_stays_and_nothing_is_added(
        grants in prop::collection::vec(statement(OWN, &["allow", "deny"]), 1..6),
        picks in prop::collection::vec(prop::sample::select(&ASKED[..]), 1..5),
        data_events in prop::bool::ANY,
    ) {
        let uses: Vec<Used<'_>> = picks.iter().copied().map(used).collect();
        let trimmed = least_privilege(&of_aws(), &grants, &uses, Coverage { data_events }).unwrap();
        let known: Vec<Grant> = grants.iter().filter(|grant| grant.understood).cloned().collect();
        let after = if trimmed.documents.is_empty() { Vec::new() } else { applied(&trimmed) };
        for action in ASKED {
            let is_whole = Catalog::get().aws_resources(action).is_empty();
            for thing in THINGS.iter().copied().chain(["*"]) {
                let before = can(holder(), &known, action, thing).decision;
                let now = can(aws(&role_arn("holder")), &after, action, thing).decision;
                prop_assert!(now <= before, "{action} on {thing}: {before:?}, now {now:?}");
                // What acts on no resource of its own is authorised on all.
                if picks.contains(&action) && (thing == "*") == is_whole {
                    prop_assert_eq!(now, before, "{} on {}", action, thing);
                }
            }
        }
        for document in &trimmed.documents {
            let size = document.text.chars().filter(|letter| !letter.is_whitespace()).count();
            prop_assert!(size <= 6_144 || !trimmed.notes.is_empty(), "{size} characters");
        }
    }

    #[test]
    fn more_use_never_takes_away(
        grants in prop::collection::vec(statement(OWN, &["allow", "deny"]), 1..5),
        picks in prop::collection::vec(prop::sample::select(&ASKED[..]), 1..4),
        more in prop::sample::select(&ASKED[..]),
    ) {
        let uses: Vec<Used<'_>> = picks.iter().copied().map(used).collect();
        let removed = |uses: &[Used<'_>]| least_privilege(&of_aws(), &grants, uses, SEEING).unwrap().removed;
        let before = removed(&uses);
        let after = removed(&[uses, vec![used(more)]].concat());
        let before: BTreeSet<String> = before.into_iter().collect();
        prop_assert!(after.iter().all(|action| before.contains(action)));
    }
}

fn allowing(actions: &[&str]) -> Vec<Grant> {
    let statement = json!({"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]});
    let mut grants = inventory_of(&json!({"RoleDetailList": [role("holder", &[&statement])]})).grants;
    grants.iter_mut().for_each(|grant| grant.identity_key = holder());
    grants
}

#[test]
fn what_cannot_be_seen_is_kept_and_said() {
    let grants =
        allowing(&["iam:PassRole", "iam:CreateUser", "s3:GetObject", "s3:CreateBucket", "ec2:RunInstances"]);
    let trim = |coverage| least_privilege(&of_aws(), &grants, &[used("ec2:RunInstances")], coverage).unwrap();
    let reasons = |trimmed: &Trimmed| -> Vec<(String, &'static str)> {
        trimmed.allowance.iter().map(|row| (row.action.clone(), row.because)).collect()
    };
    let passing = ("iam:PassRole".to_owned(), "no trail records it");
    assert_eq!(reasons(&trim(SEEING)), std::slice::from_ref(&passing));
    assert_eq!(reasons(&trim(BLIND)), [passing, ("s3:GetObject".to_owned(), "the trail has no data events")]);
    assert_eq!(trim(BLIND).removed, ["iam:CreateUser", "s3:CreateBucket"]);
    assert!(trim(BLIND).documents[0].text.contains("ec2:RunInstances"));
}

#[test]
fn services_of_which_only_the_use_is_known_stay_whole() {
    let trimmed =
        least_privilege(&of_aws(), &allowing(&["sqs:*", "ec2:*"]), &[used("sqs:*")], SEEING).unwrap();
    let policy: Value = serde_json::from_str(&trimmed.documents[0].text).unwrap();
    assert_eq!(policy["Statement"][0]["Action"], json!(["sqs:*"]));
    assert!(trimmed.allowance.iter().all(|row| row.because == "only the use of its service is known"));
}

#[test]
fn long_policies_are_split() {
    let catalog = Catalog::get();
    let names: Vec<String> =
        catalog.matching("ec2:*").iter().step_by(2).map(|id| catalog.action(id).name.clone()).collect();
    let uses: Vec<Used<'_>> = names.iter().map(|name| used(name)).collect();
    let trimmed = least_privilege(&of_aws(), &allowing(&["*"]), &uses, SEEING).unwrap();
    assert!(trimmed.documents.len() > 2 && trimmed.notes.is_empty());
    let after = applied(&trimmed);
    let own = Identity { identity_key: aws(&role_arn("holder")), ..of_aws() };
    let may = effective(&[own], &after).remove(0).may;
    assert!(names.iter().all(|name| may.contains(catalog.id(name).unwrap())));
    assert!(!may.contains(catalog.id("iam:CreateUser").unwrap()));
}

#[test]
fn without_use_nothing_is_trimmed() {
    let trim = |platform: &str, grants: &[Grant], uses: &[Used<'_>]| {
        let identity = Identity { platform: platform.to_owned(), ..of_aws() };
        least_privilege(&identity, grants, uses, SEEING).unwrap_err()
    };
    let grants = allowing(&["s3:*"]);
    assert_eq!(trim("aws", &grants, &[]), Untrimmed::NoUsage);
    assert_eq!(trim("aws", &[], &[used("s3:GetObject")]), Untrimmed::NoGrants);
    assert_eq!(trim("gitlab", &grants, &[used("api")]), Untrimmed::Platform);
}

fn cluster() -> Evidence {
    let rule = |resources: &[&str], verbs: &[&str]| json!({"apiGroups": [""], "resources": resources, "verbs": verbs});
    let subject = json!([{"kind": "ServiceAccount", "name": "ci", "namespace": "build"}]);
    let reference =
        |kind: &str, name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
    linked(&[(
        "rbac.json",
        json!({"kind": "List", "apiVersion": "v1", "items": [
            {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "ci", "namespace": "build"}},
            {"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "wide"},
                "rules": [rule(&["pods", "secrets"], &["*"]), rule(&["nodes"], &["list"]), {"nonResourceURLs": ["/metrics*"], "verbs": ["get"]}]},
            {"kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "one", "namespace": "build"},
                "rules": [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["a:b"], "verbs": ["get", "update"]},
                    {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "verbs": ["bind"]}]},
            {"kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "wide"}, "roleRef": reference("ClusterRole", "wide"), "subjects": subject},
            {"kind": "RoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "one", "namespace": "build"}, "roleRef": reference("Role", "one"), "subjects": subject},
        ]}),
    )])
}

fn account() -> Key {
    identity_key("kubernetes", "system:serviceaccount:build:ci")
}

fn trimmed_cluster(uses: &[(&str, Option<&str>)], coverage: Coverage) -> (Trimmed, Evidence) {
    let before = cluster();
    let identity = before.identities.iter().find(|row| row.identity_key == account()).unwrap();
    let uses: Vec<Used<'_>> =
        uses.iter().map(|(action, resource)| Used { action, resource: *resource }).collect();
    let trimmed = least_privilege(identity, &before.grants, &uses, coverage).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for document in &trimmed.documents {
        std::fs::write(folder.path().join(&document.name), &document.text).unwrap();
    }
    let after = inventory(folder.path());
    (trimmed, after)
}

#[test]
fn roles_of_clusters_shrink_to_where_they_were_used() {
    let uses = [
        ("core/pods:create", Some("build/*")),
        ("core/configmaps:update", Some("build/a%3Ab")),
        ("core/nodes:list", Some("*")),
        ("get /metrics/cadvisor", None),
    ];
    let (trimmed, after) = trimmed_cluster(&uses, SEEING);
    let text = &trimmed.documents[0].text;
    let ask = |action: &str, resource: &str| can(account(), &after.grants, action, resource).decision;
    assert_eq!(ask("core/pods:create", "build/*"), Decision::Yes, "{text}");
    assert_eq!(ask("core/pods:create", "prod/*"), Decision::No, "{text}");
    assert_eq!(ask("core/configmaps:update", "build/a%3Ab"), Decision::Yes, "{text}");
    assert_eq!(ask("core/configmaps:update", "build/other"), Decision::No, "{text}");
    assert_eq!(ask("core/nodes:list", "*"), Decision::Yes, "{text}");
    assert_eq!(ask("get /metrics/cadvisor", "*"), Decision::Yes, "{text}");
    assert_eq!(ask("get /metrics", "*"), Decision::No, "{text}");
    assert_eq!(ask("core/secrets:get", "build/x"), Decision::No, "{text}");
    // Whoever binds is asked whether it may; no log says that it was.
    let bind = ask("rbac.authorization.k8s.io/clusterroles:bind", "build/x");
    assert_eq!((bind, trimmed.allowance[0].because), (Decision::Yes, "it is checked, not logged"));
    assert!(trimmed.removed.iter().any(|row| row == "core/secrets:* on *"), "{:?}", trimmed.removed);
}

#[test]
fn reads_that_no_audit_log_has_are_kept() {
    let (trimmed, after) = trimmed_cluster(&[("core/pods:create", Some("build/*"))], BLIND);
    let ask = |action: &str, resource: &str| can(account(), &after.grants, action, resource).decision;
    assert_eq!(ask("core/secrets:get", "prod/x"), Decision::Yes);
    assert_eq!(ask("core/secrets:delete", "prod/x"), Decision::No);
    assert!(trimmed.allowance.iter().any(|row| row.because == "the audit log has no reads"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn clusters_keep_what_was_used_and_get_nothing_new(
        picks in prop::collection::vec((0usize..CLUSTER_ACTIONS.len(), 0usize..CLUSTER_THINGS.len()), 1..4),
        data_events in prop::bool::ANY,
    ) {
        let before = cluster();
        let uses: Vec<(&str, Option<&str>)> =
            picks.iter().map(|(action, thing)| (CLUSTER_ACTIONS[*action], Some(CLUSTER_THINGS[*thing]))).collect();
        let identity = before.identities.iter().find(|row| row.identity_key == account()).unwrap();
        let rows: Vec<Used<'_>> = uses.iter().map(|(action, resource)| Used { action, resource: *resource }).collect();
        let trimmed = least_privilege(identity, &before.grants, &rows, Coverage { data_events }).unwrap();
        prop_assume!(!trimmed.documents.is_empty());
        let (_, after) = trimmed_cluster(&uses, Coverage { data_events });
        for action in CLUSTER_ACTIONS {
            for thing in CLUSTER_THINGS {
                let was = can(account(), &before.grants, action, thing).decision;
                let now = can(account(), &after.grants, action, thing).decision;
                prop_assert!(now <= was, "{action} on {thing}");
                prop_assert!(!uses.contains(&(action, Some(thing))) || now == was, "{action} on {thing}");
            }
        }
    }
}

const CLUSTER_ACTIONS: [&str; 7] = [
    "core/pods:create",
    "core/pods:get",
    "core/secrets:list",
    "core/configmaps:get",
    "core/configmaps:update",
    "core/nodes:list",
    "apps/deployments:get",
];
const CLUSTER_THINGS: [&str; 6] = ["*", "build/*", "build/a%3Ab", "build/x", "prod/x", "/node-1"];

#[test]
fn jobs_ask_for_what_they_use() {
    let token =
        Identity { platform: "github".to_owned(), native_id: "repo:acme/shop:token".to_owned(), ..of_aws() };
    let granted = |actions: &[&str]| Grant {
        identity_key: holder(),
        platform: "github".to_owned(),
        policy_kind: "permission".to_owned(),
        effect: "allow".to_owned(),
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
        resources: vec!["repo:acme/shop".to_owned()],
        understood: true,
        ..Grant::default()
    };
    let grants = [granted(&[
        "contents:write",
        "pull_requests:write",
        "id-token:write",
        "metadata:read",
        "issues:read",
    ])];
    let uses = [used("pull-requests:write"), used("packages:write")];
    let trimmed = least_privilege(&token, &grants, &uses, BLIND).unwrap();
    assert_eq!(
        trimmed.documents[0].text,
        "permissions:\n  contents: read\n  id-token: write\n  issues: read\n  pull-requests: write\n"
    );
    assert_eq!(trimmed.removed, ["contents:write"]);
    let reasons: BTreeMap<_, _> =
        trimmed.allowance.iter().map(|row| (row.action.as_str(), row.because)).collect();
    assert_eq!(reasons["id-token:write"], "only the receiver of the token sees it");
    assert_eq!(reasons["contents:read"], "reads are not logged");
}

/// Accounts of which all principals get a trimmed policy.
const ACCOUNTS: [&str; 5] = [
    "cloudsplaining/examples/files/example.json",
    "cloudsplaining/test/files/example-authz-details.json",
    "airiam/gaad.json",
    "synthetic-gaad/gaad-20.json",
    "synthetic-gaad/gaad-100.json",
];

/// Reads policies, one per line, and writes their findings, one list per line.
const LINT: &str = "
import json, sys
from parliament import analyze_policy_string
for line in sys.stdin:
    policy = analyze_policy_string(json.loads(line))
    print(json.dumps([[f.issue, str(f.detail)] for f in policy.findings]), flush=True)
";

/// Findings of Parliament that are no errors of what was written.
const TOLERATED: [(&str, &str); 8] = [
    ("INVALID_ARN", "the account number of the original is a placeholder"),
    ("MISMATCHED_TYPE", "the condition of the original gives ArnLike a name"),
    ("RESOURCE_STAR", "the statement had `*` before; advice of the lowest severity"),
    ("UNKNOWN_PREFIX", "its table of services is older than ours"),
    ("RESOURCE_MISMATCH", "the statement had this action and these resources before"),
    ("RESOURCE_EFFECTIVELY_STAR", "the statement had these resources before"),
    ("UNKNOWN_ACTION", "its table of actions is older than ours"),
    ("UNKNOWN_CONDITION_FOR_ACTION", "the condition is the original's; its table of keys is older"),
];

/// Trimmed policies of every principal, with up to a third of its actions taken for used, pass
/// Parliament (PyPI, 1.6.4), which the Python of `LEAKGRAPH_PARLIAMENT` has.
#[test]
fn parliament_finds_no_errors() {
    let folder = identities!();
    let Some(python) = std::env::var_os("LEAKGRAPH_PARLIAMENT") else {
        eprintln!("SKIPPED: LEAKGRAPH_PARLIAMENT (a Python that has parliament 1.6.4) is not set");
        return;
    };
    let catalog = Catalog::get();
    let mut policies: Vec<(String, String)> = Vec::new();
    let mut principals = 0;
    for account in ACCOUNTS {
        let evidence = inventory(&folder.join(account));
        let identities: BTreeMap<Key, &Identity> =
            evidence.identities.iter().map(|row| (row.identity_key, row)).collect();
        for found in effective(&evidence.identities, &evidence.grants) {
            // Of an administrator not thousands: one policy more tells nothing new.
            let step = (found.must.len() / 100).max(3);
            let names: Vec<&str> =
                found.must.iter().step_by(step as usize).map(|id| catalog.action(id).name.as_str()).collect();
            let uses: Vec<Used<'_>> = names.into_iter().map(used).collect();
            let Some(identity) = identities.get(&found.identity_key) else { continue };
            let Ok(trimmed) = least_privilege(identity, &evidence.grants, &uses, BLIND) else { continue };
            principals += 1;
            for document in trimmed.documents {
                let size = document.text.chars().filter(|letter| !letter.is_whitespace()).count();
                assert!(size <= 6_144, "{}: {size}", identity.native_id);
                policies.push((format!("{account} {}", identity.native_id), document.text));
            }
        }
    }
    // Members of a group and holders of a managed policy have the same.
    let mut texts: Vec<&String> = policies.iter().map(|(_, text)| text).collect();
    texts.sort();
    texts.dedup();
    let findings = lint(&python, &texts);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut errors = Vec::new();
    for list in &findings {
        for finding in list.as_array().unwrap() {
            let issue = finding[0].as_str().unwrap();
            match TOLERATED.iter().find(|(known, _)| *known == issue) {
                Some((known, _)) => *counts.entry(known).or_default() += 1,
                None => errors.push(finding.to_string()),
            }
        }
    }
    eprintln!(
        "Parliament: {} policies ({} distinct) of {principals} principals; tolerated {counts:?}, errors {}",
        policies.len(),
        texts.len(),
        errors.len()
    );
    assert_eq!(findings.len(), texts.len());
    errors.sort();
    errors.dedup();
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(principals > 240 && texts.len() > 180, "{principals}, {}", texts.len());
}

#[expect(clippy::disallowed_methods, reason = "the linter is a program of Python")]
fn lint(python: &std::ffi::OsStr, texts: &[&String]) -> Vec<Value> {
    let mut child = Command::new(python)
        .args(["-W", "ignore", "-c", LINT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines: String = texts.iter().map(|text| format!("{}\n", Value::from(text.as_str()))).collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "parliament did not run");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
