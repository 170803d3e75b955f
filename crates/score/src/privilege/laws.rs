//! What holds of the score whatever is granted and used.

use super::mass::noisy_or;
use super::tests::{END, ROLE, account_of, call, day, grant, keeps, scored, scores};
use crate::weights::Weights;
use leakgraph_model::scored::NhiScore;
use leakgraph_model::tables::Grant;
use leakgraph_model::{Evidence, Key};
use proptest::prelude::*;

const ACTIONS: [&str; 12] = [
    "iam:PassRole",
    "iam:CreatePolicyVersion",
    "iam:AttachRolePolicy",
    "lambda:CreateFunction",
    "secretsmanager:GetSecretValue",
    "s3:GetObject",
    "s3:PutBucketPolicy",
    "ec2:RunInstances",
    "ec2:CreateTags",
    "ec2:DescribeInstances",
    "s3:ListAllMyBuckets",
    "sqs:GetQueueAttributes",
];
/// Broadest first.
const SCOPES: [&str; 4] = ["*", "arn:aws:s3:::*", "arn:aws:s3:::b*", "arn:aws:s3:::b"];

#[derive(Clone, Debug)]
struct Case {
    grants: Vec<(usize, usize, bool)>,
    used: Vec<usize>,
    days: i64,
    age: i64,
    has_data: bool,
}

fn evidence_of(case: &Case) -> Evidence {
    let grants = case.grants.iter().enumerate().map(|(place, (action, scope, pinned))| Grant {
        conditions: pinned.then(|| r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#.to_owned()),
        grant_key: Key::of("grant", &[&place.to_string()]),
        ..grant(&format!("p{place}"), &[ACTIONS[action % ACTIONS.len()]], SCOPES[scope % SCOPES.len()])
    });
    let mut evidence = account_of(case.days, case.has_data, grants.collect());
    keeps(&mut evidence);
    evidence.identities[0].created_at = day(END - case.age);
    evidence.activity.extend(
        case.used.iter().map(|action| call(ROLE, ACTIONS[action % ACTIONS.len()], END, "cloudtrail")),
    );
    evidence
}

fn bounds(case: &Case) -> [f64; 3] {
    let row = scored(&evidence_of(case));
    [row.excess_low, row.excess, row.excess_high].map(Option::unwrap)
}

fn case() -> impl Strategy<Value = Case> {
    (
        prop::collection::vec((0usize..12, 0usize..4, prop::bool::weighted(0.2)), 1..8),
        prop::collection::vec(0usize..12, 0..8),
        1i64..200,
        1i64..400,
        prop::bool::ANY,
    )
        .prop_map(|(grants, used, days, age, has_data)| Case { grants, used, days, age, has_data })
}

fn no_more(left: [f64; 3], right: [f64; 3]) -> bool {
    left.into_iter().zip(right).all(|(left, right)| left <= right + 1e-9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn bounds_are_ordered_and_below_100(case in case()) {
        let row = scored(&evidence_of(&case));
        let [low, middle, high] = bounds(&case);
        prop_assert!(0.0 <= low && low <= middle && middle <= high && high <= row.granted_risk + 1e-9);
        prop_assert!(row.granted_risk <= 100.0 && row.granted_low <= row.granted_risk + 1e-9);
        prop_assert!((0.0..=1.0).contains(&row.coverage));
    }

    #[test]
    fn nothing_unneeded_is_no_excess_and_anything_is_some(case in case()) {
        let mut used = case.clone();
        used.used = (0..ACTIONS.len()).collect();
        prop_assert_eq!(bounds(&used), [0.0; 3]);
        // Scoped and pinned as it may be: what is granted and not used counts.
        let is_used = |(action, ..): &(usize, usize, bool)| case.used.iter().any(|used| used % 12 == action % 12);
        prop_assert_eq!(bounds(&case)[2] > 0.0, !case.grants.iter().all(is_used));
    }

    #[test]
    fn an_unused_grant_never_lowers(case in case(), action in 0usize..12, scope in 0usize..4, pinned: bool) {
        let mut more = case.clone();
        more.grants.push((action, scope, pinned));
        prop_assert!(no_more(bounds(&case), bounds(&more)));
    }

    #[test]
    fn use_never_raises(case in case(), action in 0usize..12) {
        let mut busier = case.clone();
        busier.used.push(action);
        prop_assert!(no_more(bounds(&busier), bounds(&case)));
    }

    #[test]
    fn a_narrower_scope_or_a_condition_never_raises(case in case(), which in 0usize..8) {
        let mut narrower = case.clone();
        let which = which % narrower.grants.len();
        narrower.grants[which].1 = (narrower.grants[which].1 + 1).min(3);
        prop_assert!(no_more(bounds(&narrower), bounds(&case)));
        narrower.grants[which].2 = true;
        prop_assert!(no_more(bounds(&narrower), bounds(&case)));
    }

    #[test]
    fn order_and_splitting_leave_no_trace(case in case()) {
        let whole = evidence_of(&case);
        let mut turned = whole.clone();
        turned.grants.reverse();
        turned.activity.reverse();
        turned.identities.reverse();
        prop_assert_eq!(scores(&whole), scores(&turned));
        // One policy with all statements of one scope, or a policy for each: the same number.
        let mut merged = whole.clone();
        let mut kept: Vec<Grant> = Vec::new();
        for grant in std::mem::take(&mut merged.grants) {
            match kept.iter_mut().find(|one| one.resources == grant.resources && one.conditions == grant.conditions) {
                Some(one) => one.actions.extend(grant.actions),
                None => kept.push(grant),
            }
        }
        merged.grants = kept;
        let (split, merged) = (scored(&whole), scored(&merged));
        let numbers = |row: &NhiScore| [row.excess_low, row.excess, row.excess_high, Some(row.granted_risk), Some(row.coverage)];
        prop_assert_eq!(numbers(&split), numbers(&merged));
        prop_assert_eq!((split.classes, split.top_grants), (merged.classes, merged.top_grants));
    }

    #[test]
    fn contributions_sum_to_all(masses in prop::array::uniform8(0.0f64..50.0)) {
        let (score, shares) = noisy_or(&masses, &Weights::builtin());
        prop_assert!((0.0..=100.0).contains(&score));
        let sum: f64 = shares.iter().sum();
        let expected = if score > 0.0 { 100.0 } else { 0.0 };
        prop_assert!((sum - expected).abs() < 1e-6);
    }

    #[test]
    fn more_of_what_is_on_record_never_widens_the_bounds(case in case(), more in 1i64..100) {
        let mut longer = case.clone();
        longer.days += more;
        let ([low, _, high], [longer_low, _, longer_high]) = (bounds(&case), bounds(&longer));
        prop_assert!(longer_high - longer_low <= high - low + 1e-9);
    }
}
