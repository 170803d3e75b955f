//! Policies made of CloudTrail: an administrator keeps what TrailScraper says was used.

use crate::support::{activity_of, aws, inventory_of, json_of, role, role_arn, strings};
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

/// Why a name that TrailScraper makes of a call is no action of ours either: service, and what
/// is special about it.
const UNNAMED: [(&str, &str); 11] = [
    ("api", "the first part of an endpoint (api.pricing): the source of the event says the rest"),
    ("data", "the first part of an endpoint (data.iot, data.mediastore): the source says the rest"),
    ("entitlement", "the first part of an endpoint (entitlement.marketplace): the source says the rest"),
    ("metering", "the first part of an endpoint (metering.marketplace): the source says the rest"),
    ("runtime", "the first part of an endpoint (runtime.sagemaker): the source says the rest"),
    ("mobile", "Mobile Hub has ended, and no action of it is documented"),
    ("lambda", "operations of the API of 2014, which has ended"),
    ("cloudsearch", "operations of the API of 2011, which has ended"),
    ("cloud9", "TrailScraper cuts the digits of CreateEnvironmentEC2"),
    ("machinelearning", "TrailScraper cuts the digits of CreateDataSourceFromS3"),
    ("rds", "TrailScraper cuts the digits of RestoreDBClusterFromS3 and RestoreDBInstanceFromS3"),
];

/// Names that TrailScraper gives calls and that its own sources of documentation did not have
/// (`map_to_iam_sanity_test.py`): what the catalog has by now, what our names make known, and
/// what stays unknown, each with its reason.
#[test]
fn calls_that_trailscraper_cannot_name() {
    let folder = identities!();
    let path = folder.join("trailscraper/tests/cloudtrail/map_to_iam_sanity_test.py");
    let text = std::fs::read_to_string(path).unwrap();
    let names: BTreeSet<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\",")?.split_once(':'))
        .collect();
    assert_eq!(names.len(), 1156);
    let catalog = Catalog::get();
    let (mut known, mut by_us, mut unnamed) = (0, 0, BTreeSet::new());
    for (service, name) in &names {
        let action = activity_of(service, name);
        if catalog.id(&format!("{service}:{name}")).is_some() {
            known += 1;
        } else if catalog.id(&action).is_some() {
            by_us += 1;
        } else if let Some((service, _)) = UNNAMED.iter().find(|(known, _)| known == service) {
            unnamed.insert(*service);
        } else if (*service, *name) == ("cloudfront", "DeleteServiceLinkedRole") {
            // Done by the service itself; nobody is permitted it.
        } else {
            // They write what the documentation of the time called the action.
            assert_eq!((*service, *name), ("s3", "DeleteReplicationConfiguration"), "{action}");
        }
        if catalog.id(&format!("{service}:{name}")).is_some() {
            assert!(catalog.id(&action).is_some(), "{service}:{name} became {action}, which is none");
        }
    }
    eprintln!("TrailScraper: {known} in the catalog by now, {by_us} by our names");
    assert_eq!(unnamed.len(), UNNAMED.len(), "a reason that nothing needs: {unnamed:?}");
    assert!(by_us >= 150, "{by_us}");
}

/// What another action is, and why.
type Other = Option<(&'static str, &'static str)>;

/// Source and name of an event, and the action by `record_test.py`; ours where it is another.
const RECORDS: [(&str, &str, &str, Other); 11] = [
    ("autoscaling", "DescribeLaunchConfigurations", "autoscaling:DescribeLaunchConfigurations", None),
    ("monitoring", "DescribeLogStreams", "cloudwatch:DescribeLogStreams", None),
    ("lambda", "ListVersionsByFunction20150331", "lambda:ListVersionsByFunction", None),
    ("lambda", "GetFunctionConfiguration20150331v2", "lambda:GetFunctionConfiguration", None),
    ("cloudfront", "UpdateDistribution2016_11_25", "cloudfront:UpdateDistribution", None),
    ("apigateway", "CreateRestApi", "apigateway:POST", None),
    ("apigateway", "UpdateMethod", "apigateway:PATCH", None),
    ("autoscaling", "DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingGroups", None),
    ("s3", "PutBucketCors", "s3:PutBucketCORS", None),
    ("s3", "DeleteBucketCors", "s3:PutBucketCORS", None),
    (
        "sts",
        "GetCallerIdentity",
        "",
        Some(("sts:GetCallerIdentity", "it needs no permission, and is use all the same")),
    ),
];

#[test]
fn calls_are_named_as_trailscraper_names_them() {
    for (source, event, theirs, other) in RECORDS {
        let wanted = other.map_or(theirs, |(ours, _)| ours);
        assert_eq!(activity_of(source, event), wanted, "{source} {event}");
    }
}
