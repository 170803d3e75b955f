//! Risky actions and ways up of single policies, against Cloudsplaining's findings.

use crate::support::{aws, inventory_of, json_of, role, role_arn, strings};
use leakgraph_model::Key;
use leakgraph_policy::{Catalog, effective, escalations};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Its findings.
const RESULTS: [&str; 5] = [
    "cloudsplaining/oracle/cloudsplaining.example.noexcl.json",
    // With its default exclusions: no more than without.
    "cloudsplaining/oracle/cloudsplaining.example.json",
    "cloudsplaining/oracle/cloudsplaining.example-authz-details.json",
    "airiam/oracle/cloudsplaining.noexcl.json",
    "synthetic-gaad/oracle/cloudsplaining.gaad-100.noexcl.json",
];

/// Findings that list actions.
const LISTS: [&str; 4] =
    ["InfrastructureModification", "ResourceExposure", "CredentialsExposure", "DataExfiltration"];

/// The document in force of each policy, with its findings, by id.
fn policies(results: &Value) -> BTreeMap<&str, (&Value, &Value)> {
    let inline = results["inline_policies"].as_object().into_iter().flatten();
    let managed = ["customer_managed_policies", "aws_managed_policies"]
        .into_iter()
        .flat_map(|kind| results[kind].as_object().into_iter().flatten())
        .map(|(id, policy)| {
            let versions = policy["PolicyVersionList"].as_array().unwrap();
            let default = versions.iter().find(|version| version["IsDefaultVersion"] == true).unwrap();
            (id.as_str(), (&default["Document"], policy))
        });
    inline.map(|(id, policy)| (id.as_str(), (&policy["PolicyDocument"], policy))).chain(managed).collect()
}

/// Ways up that the catalog of primitives does not have, and why.
const WITHOUT: [(&str, &str); 1] =
    [("PassExistingRoleToNewDataPipeline", "the pipeline must also be defined and activated")];

/// The tool leaves out what depends on conditions or is limited to resources: what it
/// names is sure, and so are the ways up that these actions are.
#[test]
fn findings_are_sure() {
    let folder = identities!();
    let catalog = Catalog::get();
    let (mut actions, mut unknown, mut missing) = (0, BTreeSet::new(), Vec::new());
    let (mut ways, mut same, mut without) = (0, 0, BTreeSet::new());
    for file in RESULTS {
        let results = json_of(&folder.join(file));
        let policies = policies(&results["results"]);
        let roles: Vec<Value> = policies.iter().map(|(id, (document, _))| role(id, &[*document])).collect();
        let mut evidence = inventory_of(&json!({ "RoleDetailList": roles }));
        // The tool looks at what a policy allows only.
        evidence.grants.retain(|grant| grant.effect == "allow");
        let found = effective(&evidence.identities, &evidence.grants);
        let mut ours: HashMap<Key, Vec<BTreeSet<String>>> = HashMap::new();
        for way in escalations(&found, &evidence.identities, &evidence.grants, &evidence.trusts) {
            ours.entry(way.identity_key).or_default().push(folded(way.actions.iter().map(String::as_str)));
        }
        let found: HashMap<Key, _> = found.into_iter().map(|found| (found.identity_key, found)).collect();
        for (id, (_, policy)) in &policies {
            let key = aws(&role_arn(id));
            for action in LISTS.iter().flat_map(|list| strings(&policy[*list]["findings"])) {
                let Some(number) = catalog.id(action) else {
                    unknown.insert(action.to_owned());
                    continue;
                };
                actions += 1;
                if !found.get(&key).is_some_and(|found| found.must.contains(number)) {
                    missing.push(format!("{file}: {id} {action}"));
                }
            }
            for finding in policy["PrivilegeEscalation"]["findings"].as_array().into_iter().flatten() {
                let theirs = folded(strings(&finding["actions"]));
                let ours = ours.get(&key).map(Vec::as_slice).unwrap_or_default();
                ways += 1;
                same += usize::from(ours.contains(&theirs));
                if !ours.iter().any(|way| way.is_subset(&theirs)) {
                    without.insert(finding["type"].as_str().unwrap().to_owned());
                }
            }
        }
    }
    eprintln!(
        "Cloudsplaining: {actions} risky actions, {} missing, {} unknown; {ways} ways up, {same} with the same \
         actions, kinds without a primitive {without:?}",
        missing.len(),
        unknown.len()
    );
    assert!(missing.is_empty(), "{missing:#?}");
    assert_eq!(without, WITHOUT.iter().map(|(kind, _)| (*kind).to_owned()).collect());
    assert!(actions > 90_000 && ways > 400 && same * 10 > ways * 8, "{actions}, {ways}, {same}");
}

fn folded<'a>(actions: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    actions.into_iter().map(str::to_ascii_lowercase).collect()
}
