//! Platforms other than AWS.

use super::tests::{END, ROLE, WRITE, active, call, grant, scores};
use leakgraph_model::Evidence;
use leakgraph_model::tables::{Activity, Grant, Identity, identity_key};

/// No catalog knows what these may do: that is no reason to call them harmless.
#[test]
fn actions_of_platforms_without_a_catalog_are_unknown_and_not_nothing() {
    let mut evidence = active(90, false, WRITE);
    for grant in &mut evidence.grants {
        (grant.platform, grant.policy_kind) = ("robots".to_owned(), "permission".to_owned());
        grant.actions = vec!["robots.arms.move".to_owned()];
    }
    let all = scores(&evidence);
    let row = all.nhi_scores.iter().find(|row| row.identity == ROLE).unwrap();
    assert_eq!((row.excess_low, row.excess, row.excess_high), (None, None, None));
    assert_eq!((row.coverage, row.band.as_str()), (0.0, "unknown"));
    let gap = all.evidence_gaps.iter().find(|gap| gap.gap == "unknown_actions").unwrap();
    assert_eq!((gap.subject_key, gap.effect.as_str()), (row.identity_key, "not_computed"));
}

/// A service account of a cluster and its audit log.
#[test]
fn service_accounts_are_scored_by_the_audit_log() {
    let name = "system:serviceaccount:ci:runner";
    let key = identity_key("kubernetes", name);
    let of = |audited: &[(&str, bool)]| {
        let identity = |native_id: &str| Identity {
            identity_key: identity_key("kubernetes", native_id),
            platform: "kubernetes".to_owned(),
            kind: "service_account".to_owned(),
            native_id: native_id.to_owned(),
            account: Some("kubernetes".to_owned()),
            ..Identity::default()
        };
        let grant = |actions: &[&str]| Grant {
            platform: "kubernetes".to_owned(),
            policy_kind: "permission".to_owned(),
            identity_key: key,
            ..grant("ci", actions, "ci/*")
        };
        let audit = |who: &str, action: &str, at: i64, data_event: bool| Activity {
            identity_key: Some(identity_key("kubernetes", who)),
            data_event,
            ..call(who, action, at, "audit")
        };
        let mut evidence = Evidence {
            identities: vec![identity(name), identity("system:serviceaccount:ops:x")],
            grants: vec![grant(&["core/secrets:get", "core/configmaps:update"])],
            ..Evidence::default()
        };
        let others = [END - 90, END]
            .map(|at| audit("system:serviceaccount:ops:x", "apps/deployments:update", at, false));
        evidence.activity.extend(others);
        evidence.activity.extend(audited.iter().map(|(action, data)| audit(name, action, END, *data)));
        let row = scores(&evidence).nhi_scores.into_iter().find(|row| row.identity == name).unwrap();
        (row.usage, row.actions_used, row.excess_low.unwrap(), row.excess_high.unwrap())
    };
    // Reads are off the record until one is on it.
    let (usage, used, low, high) = of(&[("core/configmaps:update", false)]);
    assert_eq!((usage.as_str(), used, low), ("action", 1, 0.0));
    assert!(high > 0.0);
    let (usage, used, low, _) = of(&[("core/configmaps:update", false), ("core/pods:list", true)]);
    assert_eq!((usage.as_str(), used), ("observed", 1));
    assert!(low > 0.0);
    let (_, used, _, high) = of(&[("core/configmaps:update", false), ("core/secrets:get", true)]);
    assert_eq!((used, high), (2, 0.0));
}
