//! Wildcards: the actions of AWS-managed policies, against policy_sentry's expansion.

use crate::support::{aws, inventory_of, json_lines, json_of, role, role_arn, strings};
use leakgraph_policy::{Catalog, effective};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[test]
fn managed_policies_expand_as_policy_sentry_says() {
    let folder = identities!().join("iam-dataset");
    let expected = json_lines(&folder.join("oracle/policy_sentry.expanded.jsonl"));
    let name = |row: &Value| row["name"].as_str().unwrap().to_owned();
    let roles: Vec<Value> = expected
        .iter()
        .map(|row| {
            let policy = json_of(&folder.join(format!("aws/managedpolicies/{}.json", name(row))));
            role(&name(row), &[&policy["document"]])
        })
        .collect();
    let mut evidence = inventory_of(&json!({ "RoleDetailList": roles }));
    // The tool expands what policies allow and leaves out what they deny.
    evidence.grants.retain(|grant| grant.effect == "allow");
    let ours: HashMap<_, _> = effective(&evidence.identities, &evidence.grants)
        .into_iter()
        .map(|effective| (effective.identity_key, effective))
        .collect();
    let catalog = Catalog::get();
    let (mut equal, mut actions, mut missing, mut extra, mut unknown) = (0, 0, 0, 0, BTreeSet::new());
    let mut different: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for row in &expected {
        let theirs: BTreeSet<u32> = strings(&row["actions"])
            .into_iter()
            .filter_map(|action| {
                let id = catalog.id(action);
                if id.is_none() {
                    unknown.insert(action.to_owned());
                }
                id
            })
            .collect();
        let ours: BTreeSet<u32> =
            ours.get(&aws(&role_arn(&name(row)))).map(|found| found.may.iter().collect()).unwrap_or_default();
        let names = |ids: BTreeSet<u32>| -> Vec<String> {
            ids.into_iter().map(|id| catalog.action(id).name.clone()).collect()
        };
        let (lost, gained) = (&theirs - &ours, &ours - &theirs);
        actions += theirs.len();
        missing += lost.len();
        extra += gained.len();
        if lost.is_empty() && gained.is_empty() {
            equal += 1;
        } else {
            different.insert(name(row), (names(lost), names(gained)));
        }
    }
    eprintln!(
        "policy_sentry: {equal} of {} policies equal; of {actions} actions {missing} missing, {extra} extra; \
         {} actions are not in the catalog",
        expected.len(),
        unknown.len()
    );
    // policy_sentry does not expand `Discovery:*`: it compares services case-sensitively.
    let justified = different.remove("AWSAgentlessDiscoveryService").expect("differs while the tool does");
    assert!(justified.0.is_empty() && justified.1.iter().all(|action| action.starts_with("discovery:")));
    assert!(different.is_empty(), "missing and extra by policy: {different:#?}");
    assert!(expected.len() >= 400 && equal + 1 == expected.len() && actions > 30_000);
}
