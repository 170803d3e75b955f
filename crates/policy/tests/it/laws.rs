//! Laws that hold for any set of statements.

use crate::support::aws;
use leakgraph_model::Key;
use leakgraph_model::tables::{Grant, Identity};
use leakgraph_policy::{Catalog, Decision, can, effective};
use proptest::prelude::*;
use roaring::RoaringBitmap;
use std::collections::HashMap;

const ACTIONS: [&str; 12] = [
    "*",
    "s3:*",
    "S3:get*",
    "s3:GetObject",
    "s3:*Object*",
    "iam:PassRole",
    "iam:*",
    "ec2:Describe*",
    "profile:*",
    "*:List*",
    "sts:AssumeRole",
    "nosuch:Thing",
];
const RESOURCES: [&str; 8] = [
    "*",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::b/k",
    "arn:aws:s3:::?/secret/*",
    "arn:aws:s3:::${aws:username}",
    "arn:aws:iam::123456789012:role/*",
    "arn:aws:iam::123456789012:role/ci",
    "arn:*",
];
/// Things to ask about; every pattern above without a variable covers one of them.
pub(crate) const THINGS: [&str; 6] = [
    "arn:aws:s3:::b/k",
    "arn:aws:s3:::b/secret/k",
    "arn:aws:s3:::c",
    "arn:aws:iam::123456789012:role/ci",
    "arn:aws:iam::123456789012:role/x",
    "elsewhere",
];
pub(crate) const ASKED: [&str; 8] = [
    "s3:GetObject",
    "s3:PutObject",
    "s3:ListBucket",
    "iam:PassRole",
    "iam:ListRoles",
    "ec2:DescribeInstances",
    "sts:AssumeRole",
    "profile:CreateDomain",
];

pub(crate) fn holder() -> Key {
    aws("arn:aws:iam::123456789012:role/holder")
}

pub(crate) fn statement(
    kinds: &'static [&'static str],
    effects: &'static [&'static str],
) -> impl Strategy<Value = Grant> {
    let some = |words: &'static [&'static str], most| {
        prop::collection::vec(prop::sample::select(words).prop_map(str::to_owned), 1..most)
    };
    (
        prop::sample::select(kinds),
        prop::sample::select(effects),
        (some(&ACTIONS, 4), prop::bool::weighted(0.2)),
        (some(&RESOURCES, 3), prop::bool::weighted(0.2)),
        prop::bool::weighted(0.25),
        prop::bool::weighted(0.9),
        any::<u64>(),
    )
        .prop_map(
            |(
                kind,
                effect,
                (actions, not_actions),
                (resources, not_resources),
                conditional,
                understood,
                at,
            )| {
                let holding = Grant {
                    grant_key: Key::of("grant", &[&at.to_string()]),
                    identity_key: holder(),
                    platform: "aws".to_owned(),
                    policy_kind: kind.to_owned(),
                    ..Grant::default()
                };
                if !understood {
                    // As the importer writes what it cannot read.
                    let all = || vec!["*".to_owned()];
                    return Grant { effect: "allow".to_owned(), actions: all(), resources: all(), ..holding };
                }
                Grant {
                    effect: effect.to_owned(),
                    actions,
                    not_actions,
                    resources,
                    not_resources,
                    conditions: conditional.then(|| r#"{"Bool":{"aws:SecureTransport":"true"}}"#.to_owned()),
                    understood,
                    ..holding
                }
            },
        )
}

pub(crate) const OWN: &[&str] = &["identity", "group"];
const CEILINGS: &[&str] = &["boundary", "scp", "session"];
const BOTH: &[&str] = &["allow", "deny"];

/// Statements of all kinds.
fn statements() -> impl Strategy<Value = Vec<Grant>> {
    let own = prop::collection::vec(statement(OWN, BOTH), 0..5);
    let ceilings = prop::collection::vec(statement(CEILINGS, BOTH), 0..3);
    (own, ceilings).prop_map(|(own, ceilings)| [own, ceilings].concat())
}

fn span(grants: &[Grant]) -> (RoaringBitmap, RoaringBitmap) {
    let identity = Identity { identity_key: holder(), platform: "aws".to_owned(), ..Identity::default() };
    let found = effective(&[identity], grants).into_iter().next();
    found.map(|found| (found.must, found.may)).unwrap_or_default()
}

/// The decision on every question.
fn decisions(grants: &[Grant]) -> HashMap<(&'static str, &'static str), Decision> {
    let ask = |action, thing| ((action, thing), can(holder(), grants, action, thing).decision);
    ASKED.iter().flat_map(|action| THINGS.iter().map(move |thing| ask(*action, *thing))).collect()
}

fn with(grants: &[Grant], one: Grant) -> Vec<Grant> {
    [grants, &[one]].concat()
}

fn allow(actions: &[&str], resources: &[&str]) -> Grant {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Grant {
        identity_key: holder(),
        platform: "aws".to_owned(),
        policy_kind: "identity".to_owned(),
        effect: "allow".to_owned(),
        actions: owned(actions),
        resources: owned(resources),
        understood: true,
        ..Grant::default()
    }
}

#[test]
fn statements_of_aws_name_actions_of_aws_only() {
    let catalog = Catalog::get();
    let (_, may) = span(&[allow(&["profile:*", "*:write"], &["*"])]);
    assert!(may.contains(catalog.id("profile:CreateDomain").unwrap()));
    assert!(!may.contains(catalog.id("profile:write").unwrap()), "a permission of GitHub");
}

#[test]
fn all_resources_but_all_are_none() {
    let none = Grant { not_resources: true, ..allow(&["s3:*"], &["*"]) };
    let some = Grant { not_resources: true, ..allow(&["s3:*"], &["arn:aws:s3:::b/*"]) };
    assert!(span(&[none]).0.is_empty());
    assert!(!span(&[some]).0.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_must_be_may_be(grants in statements()) {
        let (must, may) = span(&grants);
        prop_assert!(must.is_subset(&may));
    }

    #[test]
    fn a_deny_never_enlarges(grants in statements(), deny in statement(OWN, &["deny"])) {
        prop_assume!(deny.effect == "deny");
        let more = with(&grants, deny);
        let (before, after) = (span(&grants), span(&more));
        prop_assert!(after.0.is_subset(&before.0) && after.1.is_subset(&before.1));
        let before = decisions(&grants);
        for (question, decision) in decisions(&more) {
            prop_assert!(decision <= before[&question], "{question:?}");
        }
    }

    #[test]
    fn an_allow_never_takes_away(grants in statements(), allow in statement(OWN, &["allow"])) {
        prop_assume!(allow.understood);
        let more = with(&grants, allow);
        let (before, after) = (span(&grants), span(&more));
        prop_assert!(before.0.is_subset(&after.0) && before.1.is_subset(&after.1));
        let before = decisions(&grants);
        for (question, decision) in decisions(&more) {
            prop_assert!(decision >= before[&question], "{question:?}");
        }
    }

    #[test]
    fn a_first_boundary_never_enlarges(
        own in prop::collection::vec(statement(OWN, BOTH), 0..5),
        boundary in prop::collection::vec(statement(CEILINGS, BOTH), 1..4),
    ) {
        let more = [own.clone(), boundary].concat();
        let (before, after) = (span(&own), span(&more));
        prop_assert!(after.0.is_subset(&before.0) && after.1.is_subset(&before.1));
        let before = decisions(&own);
        for (question, decision) in decisions(&more) {
            prop_assert!(decision <= before[&question], "{question:?}");
        }
    }

    /// The two evaluators agree: what is possible on some resource is possible at all, and
    /// what must be possible is sure on some resource.
    #[test]
    fn actions_and_questions_agree(grants in statements()) {
        let (must, may) = span(&grants);
        let decisions = decisions(&grants);
        for action in ASKED {
            let id = Catalog::get().id(action).unwrap();
            let best = THINGS.iter().map(|thing| decisions[&(action, *thing)]).max().unwrap();
            prop_assert!(best == Decision::No || may.contains(id), "{action} is possible");
            prop_assert!(best == Decision::Yes || !must.contains(id), "{action} is not sure anywhere");
        }
    }

    /// Whatever conditions turn out to be, and whatever a missing document says, the answer
    /// lies within the interval.
    #[test]
    fn resolving_what_is_unknown_stays_inside(
        grants in statements(),
        holds in prop::collection::vec(prop::bool::ANY, 8),
        documents in prop::collection::vec(statement(OWN, BOTH), 8),
    ) {
        let resolved: Vec<Grant> = grants
            .iter()
            .zip(holds)
            .zip(documents)
            .map(|((grant, holds), document)| {
                let known = if grant.understood { grant.clone() } else {
                    Grant { policy_kind: grant.policy_kind.clone(), ..document }
                };
                match known.conditions {
                    Some(_) if !holds => Grant { actions: vec!["nosuch:Thing".to_owned()], not_actions: false, conditions: None, ..known },
                    _ => Grant { conditions: None, ..known },
                }
            })
            .collect();
        let ((must, may), (more, less)) = (span(&grants), span(&resolved));
        prop_assert!(must.is_subset(&more), "surely");
        prop_assert!(less.is_subset(&may), "possibly");
        let after = decisions(&resolved);
        for (question, decision) in decisions(&grants) {
            prop_assert!(decision == Decision::May || after[&question] == decision || after[&question] == Decision::May, "{question:?}");
        }
    }

    #[test]
    fn order_does_not_matter(grants in statements()) {
        let mut turned = grants.clone();
        turned.reverse();
        prop_assert_eq!(span(&grants), span(&turned));
        prop_assert_eq!(decisions(&grants), decisions(&turned));
    }
}
