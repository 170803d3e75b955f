//! Excess privilege from statements and calls, as the whole score sees them.

use super::*;
use crate::{Scores, score as score_all};
use leakgraph_model::Evidence;
use leakgraph_model::tables::{Activity, Assumption, Trust, identity_key};

pub(super) const DAY: i64 = 86_400_000_000;
/// Day on which the evidence ends.
pub(super) const END: i64 = 1_000;
pub(super) const ROLE: &str = "arn:aws:iam::111122223333:role/deploy";
pub(super) const OTHER: &str = "arn:aws:iam::111122223333:role/other";

pub(super) fn day(day: i64) -> Option<Timestamp> {
    Some(Timestamp(day * DAY))
}

pub(super) fn role(arn: &str, made: Option<i64>) -> Identity {
    Identity {
        identity_key: identity_key("aws", arn),
        platform: "aws".to_owned(),
        kind: "role".to_owned(),
        name: arn.rsplit('/').next().unwrap_or(arn).to_owned(),
        native_id: arn.to_owned(),
        is_nhi: Some(true),
        created_at: made.and_then(day),
        status: "enabled".to_owned(),
        ..Identity::default()
    }
}

pub(super) fn grant(policy: &str, actions: &[&str], resource: &str) -> Grant {
    Grant {
        grant_key: Key::of("grant", &[policy, &actions.join(","), resource]),
        identity_key: identity_key("aws", ROLE),
        platform: "aws".to_owned(),
        policy_kind: "identity".to_owned(),
        policy: policy.to_owned(),
        effect: "allow".to_owned(),
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
        resources: vec![resource.to_owned()],
        understood: true,
        ..Grant::default()
    }
}

pub(super) fn call(arn: &str, action: &str, at: i64, source: &str) -> Activity {
    Activity {
        identity_key: Some(identity_key("aws", arn)),
        principal: arn.to_owned(),
        action: action.to_owned(),
        calls: 1,
        first_at: day(at),
        last_at: day(at),
        evidence: source.to_owned(),
        ..Activity::default()
    }
}

/// An account with a trail of `days` days, data events of S3 in it or not, and the role.
pub(super) fn account_of(days: i64, has_data: bool, grants: Vec<Grant>) -> Evidence {
    let mut activity = vec![
        call(OTHER, "ec2:DescribeInstances", END - days, "cloudtrail"),
        call(OTHER, "ec2:DescribeInstances", END, "cloudtrail"),
    ];
    if has_data {
        let object = call(OTHER, "s3:GetObject", END, "cloudtrail");
        activity.push(Activity { data_event: true, ..object });
    }
    Evidence {
        identities: vec![role(ROLE, Some(0)), role(OTHER, Some(0))],
        grants,
        activity,
        ..Evidence::default()
    }
}

pub(super) fn scores(evidence: &Evidence) -> Scores {
    score_all(evidence, &Weights::builtin()).unwrap()
}

pub(super) fn scored(evidence: &Evidence) -> NhiScore {
    let rows = scores(evidence).nhi_scores;
    rows.into_iter().find(|row| row.identity == ROLE).expect("the role has grants")
}

/// `u` of the only granted action of a class of its own, read back from its score.
fn unneeded(excess: Option<f64>, all: f64) -> f64 {
    let mass = |score: f64| -(1.0 - score / 100.0 / 0.40).ln();
    mass(excess.unwrap()) / mass(all)
}

pub(super) const WRITE: &str = "ec2:RunInstances";

pub(super) fn keeps(evidence: &mut Evidence) {
    // The role is at work, so that it is not idle; nobody grants it this.
    evidence.activity.push(call(ROLE, "sts:GetCallerIdentity", END, "cloudtrail"));
}

struct Scenario {
    /// The right answer, and why.
    because: &'static str,
    evidence: Evidence,
    usage: &'static str,
    /// u of the one granted action with π at 0, ½ and 1; nothing where excess is unknown.
    unneeded: Option<[f64; 3]>,
    inactive: Option<bool>,
    gaps: &'static [&'static str],
}

fn scenario(
    because: &'static str,
    usage: &'static str,
    unneeded: Option<[f64; 3]>,
    evidence: Evidence,
) -> Scenario {
    Scenario { because, evidence, usage, unneeded, inactive: Some(false), gaps: &[] }
}

pub(super) fn active(days: i64, has_data: bool, action: &str) -> Evidence {
    let mut evidence = account_of(days, has_data, vec![grant("p", &[action], "*")]);
    keeps(&mut evidence);
    evidence
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn scenarios() -> Vec<Scenario> {
    let with = |mut evidence: Evidence, change: &dyn Fn(&mut Evidence)| {
        change(&mut evidence);
        evidence
    };
    let made = |at: i64| move |evidence: &mut Evidence| evidence.identities[0].created_at = day(at);
    let calls = |action: &'static str, at: i64, source: &'static str| {
        move |evidence: &mut Evidence| evidence.activity.push(call(ROLE, action, at, source))
    };
    let tags =
        |tag: &'static str| move |evidence: &mut Evidence| evidence.identities[0].tags.push(tag.to_owned());
    let no_trail = || Evidence {
        identities: vec![role(ROLE, Some(0))],
        grants: vec![grant("p", &[WRITE], "*")],
        ..Evidence::default()
    };
    vec![
        scenario(
            "never used in 90 recorded days: unneeded",
            "action",
            Some([1.0; 3]),
            active(90, false, WRITE),
        ),
        scenario(
            "used: needed",
            "action",
            Some([0.0; 3]),
            with(active(90, false, WRITE), &calls("ec2:runinstances", END - 1, "cloudtrail")),
        ),
        scenario(
            "used before the window only: as unused",
            "action",
            Some([1.0; 3]),
            with(active(400, false, WRITE), &calls(WRITE, END - 91, "cloudtrail")),
        ),
        Scenario {
            gaps: &["short_window"],
            ..scenario(
                "a third of the window on record: the rest is open",
                "action",
                Some([1.0 / 3.0, 2.0 / 3.0, 1.0]),
                active(30, false, WRITE),
            )
        },
        scenario(
            "made 30 days ago: age/W, as nobody can say more",
            "action",
            Some([1.0 / 3.0; 3]),
            with(active(90, false, WRITE), &made(END - 30)),
        ),
        Scenario {
            gaps: &["unrecorded_calls"],
            ..scenario(
                "PassRole is no call: π",
                "action",
                Some([0.0, 0.5, 1.0]),
                active(90, false, "iam:PassRole"),
            )
        },
        Scenario {
            gaps: &["no_data_events"],
            ..scenario(
                "data events off the record are not unused: π",
                "action",
                Some([0.0, 0.5, 1.0]),
                active(90, false, "s3:PutObject"),
            )
        },
        scenario(
            "data events on the record: unneeded",
            "observed",
            Some([1.0; 3]),
            active(90, true, "s3:PutObject"),
        ),
        Scenario {
            gaps: &["no_data_events"],
            ..scenario(
                "data events of another service show nothing: π",
                "observed",
                Some([0.0, 0.5, 1.0]),
                active(90, true, "sqs:SendMessage"),
            )
        },
        scenario(
            "a service that last-accessed does not name is unneeded",
            "service",
            Some([1.0; 3]),
            with(no_trail(), &calls("s3:*", END, "last_accessed")),
        ),
        Scenario {
            gaps: &["service_level_usage"],
            ..scenario(
                "last-accessed names its service: π for each action",
                "service",
                Some([0.0, 0.5, 1.0]),
                with(no_trail(), &calls("ec2:*", END, "last_accessed")),
            )
        },
        Scenario {
            gaps: &["service_level_usage"],
            ..scenario(
                "a tracked action of its service: π for the others",
                "action",
                Some([0.0, 0.5, 1.0]),
                with(no_trail(), &calls("ec2:DescribeInstances", END, "last_accessed")),
            )
        },
        scenario(
            "a full trail knows more than last-accessed of its service",
            "action",
            Some([1.0; 3]),
            with(active(90, false, WRITE), &calls("ec2:*", END, "last_accessed")),
        ),
        Scenario {
            gaps: &["short_window"],
            ..scenario(
                "a credential report shows a use and hides others: π",
                "service",
                Some([0.0, 0.5, 1.0]),
                with(no_trail(), &calls("s3:*", END, "credential_report")),
            )
        },
        Scenario {
            inactive: None,
            ..scenario(
                "Access Analyzer lists it: unneeded, without any trail",
                "action",
                Some([1.0; 3]),
                with(no_trail(), &tags("unused=ec2:RunInstances")),
            )
        },
        Scenario {
            inactive: None,
            ..scenario(
                "Access Analyzer lists another of its service: needed",
                "action",
                Some([0.0; 3]),
                with(no_trail(), &tags("unused=ec2:StopInstances")),
            )
        },
        Scenario {
            inactive: None,
            ..scenario(
                "Access Analyzer lists its service: unneeded",
                "service",
                Some([1.0; 3]),
                with(no_trail(), &tags("unused=ec2:*")),
            )
        },
        Scenario {
            inactive: None,
            gaps: &["no_usage"],
            ..scenario("no evidence of use: no excess, only granted risk", "none", None, no_trail())
        },
        scenario(
            "refused attempts only: still unneeded, and somebody is there",
            "action",
            Some([1.0; 3]),
            with(account_of(90, false, vec![grant("p", &[WRITE], "*")]), &|evidence| {
                evidence.activity.push(Activity { denied: true, ..call(ROLE, WRITE, END, "cloudtrail") });
            }),
        ),
        Scenario {
            inactive: Some(true),
            ..scenario(
                "idle all of the window: all of it, even what cannot be observed",
                "action",
                Some([1.0; 3]),
                account_of(90, false, vec![grant("p", &["iam:PassRole"], "*")]),
            )
        },
        scenario(
            "assumed, though no call of it is on record: not idle",
            "action",
            Some([1.0; 3]),
            with(account_of(90, false, vec![grant("p", &[WRITE], "*")]), &|evidence| {
                let target_identity_key = Some(identity_key("aws", ROLE));
                evidence.assumptions.push(Assumption {
                    target_identity_key,
                    last_at: day(END),
                    ..Assumption::default()
                });
            }),
        ),
        Scenario {
            inactive: None,
            ..scenario(
                "a user's keys leave no trace without data events: not surely idle",
                "action",
                Some([1.0; 3]),
                with(account_of(90, false, vec![grant("p", &[WRITE], "*")]), &|evidence| {
                    evidence.identities[0].kind = "user".to_owned();
                }),
            )
        },
        Scenario {
            inactive: Some(true),
            ..scenario(
                "last used long before others of its inventory: idle",
                "service",
                Some([1.0; 3]),
                with(no_trail(), &|evidence| {
                    evidence.identities[0].last_used_at = day(END - 200);
                    evidence.identities.push(Identity { last_used_at: day(END), ..role(OTHER, Some(0)) });
                }),
            )
        },
    ]
}

#[test]
fn use_is_known_as_far_as_the_evidence_goes() {
    for Scenario { because, evidence, usage, unneeded: expected, inactive, gaps } in scenarios() {
        let all = scores(&evidence);
        let row = all.nhi_scores.iter().find(|row| row.identity == ROLE).unwrap();
        assert_eq!((row.usage.as_str(), row.inactive), (usage, inactive), "{because}");
        let own = |gap: &&leakgraph_model::tables::EvidenceGap| {
            gap.subject_key == row.identity_key && gap.analytic == "excess_privilege"
        };
        let found: Vec<&str> = all.evidence_gaps.iter().filter(own).map(|gap| gap.gap.as_str()).collect();
        assert_eq!(found, gaps, "{because}");
        let Some(expected) = expected else {
            assert_eq!((row.excess_low, row.excess, row.excess_high), (None, None, None), "{because}");
            assert!(row.granted_risk > 0.0 && row.coverage == 0.0, "{because}");
            continue;
        };
        let bounds = [row.excess_low, row.excess, row.excess_high];
        let is_write =
            row.classes.iter().any(|class| class.starts_with("WRITE")) || row.excess_high == Some(0.0);
        for (bound, expected) in bounds.into_iter().zip(expected) {
            if is_write {
                let found = unneeded(bound, row.granted_risk);
                assert!((found - expected).abs() < 1e-6, "{because}: {found} instead of {expected}");
            } else {
                // PassRole: PERM, and no path of its own.
                assert_eq!(bound.unwrap() > 0.0, expected > 0.0, "{because}");
            }
        }
    }
}

#[test]
fn attempts_are_kept_apart() {
    let mut evidence = active(90, false, WRITE);
    evidence.activity.push(Activity {
        denied: true,
        calls: 7,
        ..call(ROLE, "iam:CreateUser", END, "cloudtrail")
    });
    evidence.activity.push(call(ROLE, WRITE, END - 100, "cloudtrail"));
    let all = scores(&evidence);
    let row = all.nhi_scores.iter().find(|row| row.identity == ROLE).unwrap();
    assert_eq!(row.denied, ["iam:createuser"]);
    let rows: Vec<_> = all
        .nhi_usage
        .iter()
        .filter(|row| row.identity == ROLE)
        .map(|row| {
            (row.action.as_str(), row.usage.as_str(), row.granted.as_str(), row.calls, row.denied_calls)
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("ec2:RunInstances", "stale", "yes", 1, 0),
            ("iam:CreateUser", "denied", "no", 0, 7),
            ("sts:GetCallerIdentity", "used", "no", 1, 0),
        ]
    );
    // Tried is not used: the score is that of somebody who never tried.
    assert_eq!(row.excess, scored(&active(90, false, WRITE)).excess);
}

#[test]
fn reasons_name_what_to_cut_and_where_it_stands() {
    let grants = vec![
        grant("admin", &["iam:*"], "*"),
        grant("read", &["ec2:Describe*"], "*"),
        grant("deploy", &["lambda:UpdateFunctionCode"], "*"),
    ];
    let row = scored(&{
        let mut evidence = account_of(90, false, grants.clone());
        keeps(&mut evidence);
        evidence
    });
    assert!(row.top_grants.iter().all(|action| action.starts_with("iam:")), "{:?}", row.top_grants);
    assert_eq!(row.evidence, [format!("grants:{}", grants[0].grant_key)]);
    assert!(row.classes[0].starts_with("ESC="), "{:?}", row.classes);
    assert_eq!(
        (row.band.as_str(), row.usage_sources.as_slice()),
        ("high", ["cloudtrail".to_owned()].as_slice())
    );
    assert_eq!((row.window_from, row.window_to), (day(END - 90), day(END)));
}

/// What is used of a way up is needed with it, but the way falls with any part that is not.
#[test]
fn a_way_up_in_use_is_no_excess() {
    let trust = Trust {
        identity_key: identity_key("aws", OTHER),
        principal_kind: "service".to_owned(),
        effect: "allow".to_owned(),
        ..Trust::default()
    };
    let of = |used: &[&str]| {
        let mut evidence = account_of(90, false, vec![grant("p", &["iam:CreatePolicyVersion"], "*")]);
        evidence.trusts.push(trust.clone());
        evidence.activity.extend(used.iter().map(|action| call(ROLE, action, END, "cloudtrail")));
        scored(&evidence)
    };
    let (unused, used) = (of(&["sts:GetCallerIdentity"]), of(&["iam:CreatePolicyVersion"]));
    assert!(unused.excess_low > Some(60.0) && unused.classes[0].starts_with("ESC="), "{unused:?}");
    assert_eq!((used.excess_low, used.excess, used.excess_high), (Some(0.0), Some(0.0), Some(0.0)));
}

#[test]
fn totals_weigh_environments_and_leave_out_what_is_unknown() {
    let mut evidence = active(90, false, "iam:*");
    evidence.identities[0].environment = Some("Production".to_owned());
    evidence.grants.push(Grant {
        identity_key: identity_key("aws", OTHER),
        ..grant("q", &["ec2:DescribeInstances"], "*")
    });
    let far = "arn:aws:iam::999900001111:role/far";
    evidence.identities.push(role(far, Some(0)));
    evidence.grants.push(Grant { identity_key: identity_key("aws", far), ..grant("r", &["*"], "*") });
    let all = scores(&evidence);
    let x = |arn: &str| all.nhi_scores.iter().find(|row| row.identity == arn).unwrap().excess;
    assert_eq!((x(OTHER), x(far)), (Some(0.0), None));
    let [total, near, unknown] = all.privilege_totals.as_slice() else {
        panic!("{:?}", all.privilege_totals)
    };
    assert_eq!((total.nhis, total.with_usage, total.weight), (3, 2, 4.0));
    assert_eq!(total.excess, x(ROLE).map(|excess| excess * 3.0 / 4.0));
    assert_eq!((near.account.as_deref(), near.nhis), (Some("111122223333"), 2));
    assert_eq!((unknown.nhis, unknown.with_usage, unknown.excess), (1, 0, None));
}
