//! Policies made of CloudTrail: an administrator keeps what TrailScraper says was used.

use crate::support::{aws, inventory_of, json_of, role, role_arn, strings};
use leakgraph_policy::{Catalog, Coverage, Used, effective, least_privilege};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const RESULTS: [&str; 2] =
    ["invictus_aws_dataset/oracle/trailscraper.json", "stratus-red-team/oracle/trailscraper.json"];

#[test]
fn an_administrator_keeps_what_was_used() {
    let folder = identities!();
    let catalog = Catalog::get();
    let all = json!({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let before = inventory_of(&json!({"RoleDetailList": [role("admin", &[&all])]}));
    let identity = before.identities.iter().find(|row| row.identity_key == aws(&role_arn("admin"))).unwrap();
    let (mut principals, mut kept, mut unknown) = (0, 0, BTreeSet::new());
    for file in RESULTS {
        let results = json_of(&folder.join(file));
        for (principal, actions) in results["used_actions"].as_object().unwrap() {
            let actions = strings(actions);
            let used: Vec<Used<'_>> = actions.iter().map(|action| Used { action, resource: None }).collect();
            let trimmed =
                least_privilege(identity, &before.grants, &used, Coverage { data_events: true }).unwrap();
            let documents: Vec<Value> = trimmed
                .documents
                .iter()
                .map(|document| serde_json::from_str(&document.text).unwrap())
                .collect();
            let policies: Vec<&Value> = documents.iter().collect();
            let after = inventory_of(&json!({"RoleDetailList": [role("admin", &policies)]}));
            let may = effective(&after.identities, &after.grants).remove(0).must;
            let expected: BTreeSet<u32> = actions.iter().filter_map(|action| catalog.id(action)).collect();
            unknown.extend(
                actions.iter().filter(|action| catalog.id(action).is_none()).map(|a| (*a).to_owned()),
            );
            // Actions that the catalog does not know are kept by name.
            for action in actions.iter().filter(|action| catalog.id(action).is_none()) {
                assert!(trimmed.documents.iter().any(|document| document.text.contains(action)), "{action}");
            }
            let unseen: BTreeSet<u32> =
                trimmed.allowance.iter().filter_map(|row| catalog.id(&row.action)).collect();
            let ours: BTreeSet<u32> = may.iter().filter(|id| !unseen.contains(id)).collect();
            assert_eq!(ours, expected, "{file}: {principal}");
            principals += 1;
            kept += ours.len();
        }
    }
    eprintln!(
        "TrailScraper: {kept} actions of {principals} principals kept and no others; not in our catalog {unknown:?}"
    );
    assert!(principals >= 60 && kept > 300, "{principals}, {kept}");
}
