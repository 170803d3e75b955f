//! Actions that principals used, against the saved answers of TrailScraper 0.10 on the same
//! CloudTrail files. Every difference has a reason.

use crate::support::{corpus, read_path};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Used = BTreeMap<String, BTreeSet<String>>;

fn theirs(path: &Path) -> Used {
    let saved: Value = serde_json::from_slice(&fs::read(path).expect("readable")).expect("JSON");
    let of = |actions: &Value| -> BTreeSet<String> {
        actions.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let used = saved["used_actions"].as_object().expect("principals");
    used.iter().map(|(principal, actions)| (principal.clone(), of(actions))).collect()
}

/// What was called, refused calls included: TrailScraper does not tell them apart.
fn ours(folder: &Path) -> Used {
    let mut used = Used::new();
    for row in read_path(folder).0.activity {
        used.entry(row.principal).or_default().insert(row.action);
    }
    used
}

/// Why a pair is in one answer only.
fn reason(principal: &str, action: &str, is_theirs: bool) -> Option<&'static str> {
    match (principal, action, is_theirs) {
        (_, "sts:GetCallerIdentity", false) => Some("they leave it out: it needs no permission"),
        ("unknown", _, true) => Some("no ARN: they name nobody"),
        (principal, _, false) if !principal.starts_with("arn:") => Some("no ARN: the user's name is known"),
        _ => None,
    }
}

/// How many pairs are the same, of how many of theirs, and how many differ for which reason.
fn compare(folder: &Path, oracle: &Path) -> (usize, usize, BTreeMap<&'static str, usize>) {
    let (theirs, ours) = (theirs(oracle), ours(folder));
    let pairs = |used: &Used| -> BTreeSet<(String, String)> {
        let flat = |(principal, actions): (&String, &BTreeSet<String>)| {
            actions.iter().map(|action| (principal.clone(), action.clone())).collect::<Vec<_>>()
        };
        used.iter().flat_map(flat).collect()
    };
    let (theirs, ours) = (pairs(&theirs), pairs(&ours));
    let mut explained: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut unexplained = Vec::new();
    let both = theirs.difference(&ours).map(|pair| (pair, true));
    for ((principal, action), is_theirs) in both.chain(ours.difference(&theirs).map(|pair| (pair, false))) {
        match reason(principal, action, is_theirs) {
            Some(reason) => *explained.entry(reason).or_default() += 1,
            None => unexplained
                .push(format!("{} {principal} {action}", if is_theirs { "theirs" } else { "ours" })),
        }
    }
    let same = theirs.intersection(&ours).count();
    assert!(unexplained.is_empty(), "{}: {unexplained:#?}", folder.display());
    (same, theirs.len(), explained)
}

#[test]
fn used_actions_are_trailscrapers() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("identities");
    let invictus = folder.join("invictus_aws_dataset");
    let stratus = folder.join("stratus-red-team");
    let of_invictus = compare(&invictus.join("CloudTrail"), &invictus.join("oracle/trailscraper.json"));
    let of_stratus = compare(&stratus.join("docs"), &stratus.join("oracle/trailscraper.json"));
    eprintln!("TrailScraper: invictus {of_invictus:?}, stratus {of_stratus:?}");
    // Pairs of principal and action by a script over the saved answers.
    assert_eq!((of_invictus.0, of_invictus.1), (293, 294));
    assert_eq!((of_stratus.0, of_stratus.1), (62, 62));
}
