//! Job tokens, from what runs show.

use super::*;
use leakgraph_model::tables::{Binding, Handoff, IdentityUsed, TokenPermission};
use leakgraph_policy::Catalog;

const DAY_MICROS: i64 = 86_400_000_000;

fn key(name: &str) -> Key {
    Key::of("test", &[name])
}

/// A step: `owner/action@ref`, or a script.
fn step(name: &str) -> Step {
    let is_action = name.contains('@');
    Step {
        step_key: key(name),
        job_key: key("job"),
        kind: if is_action { "action" } else { "run" }.to_owned(),
        name: name.to_owned(),
        uses: is_action.then(|| name.to_owned()),
        ..Step::default()
    }
}

/// A job with these permissions and steps, which ran for `days` days.
fn evidence(permissions: &[&str], steps: &[&str], days: i64) -> Evidence {
    let run = |name: &str, at: i64| Run {
        run_key: key(name),
        repo: Some("o/r".to_owned()),
        workflow_path: Some(".github/workflows/ci.yml".to_owned()),
        created_at: Some(Timestamp(at * DAY_MICROS)),
        ..Run::default()
    };
    let job = |name: &str, run: &str| Job {
        job_key: key(name),
        run_key: key(run),
        name: "build".to_owned(),
        ..Job::default()
    };
    let mut evidence = Evidence {
        runs: vec![run("first", 0), run("last", days)],
        jobs: vec![job("job", "first"), job("again", "last")],
        steps: steps.iter().map(|name| step(name)).collect(),
        ..Evidence::default()
    };
    for name in ["job", "again"] {
        evidence.token_permissions.extend(permissions.iter().map(|permission| {
            let (scope, access) = permission.split_once(':').unwrap();
            TokenPermission {
                job_key: key(name),
                token: "GITHUB_TOKEN".to_owned(),
                scope: scope.to_owned(),
                access: access.to_owned(),
                ..TokenPermission::default()
            }
        }));
    }
    evidence
}

fn scored(evidence: &Evidence) -> TokenScore {
    let (mut rows, _) = scores(evidence, &Weights::builtin());
    assert_eq!(rows.len(), 1, "one job of one workflow");
    rows.remove(0)
}

/// Why, permissions, steps; what is used, unneeded and unobserved.
type Case = (&'static str, &'static [&'static str], &'static [&'static str], [&'static [&'static str]; 3]);

#[test]
fn permissions_are_used_unneeded_or_out_of_sight() {
    const CHECKOUT: &str = "actions/checkout@v4";
    let cases: [Case; 8] = [
        (
            "a known action needs what it says, and nothing else is there to use the rest",
            &["contents:read", "packages:write"],
            &[CHECKOUT],
            [&["contents:read"], &["packages:write"], &[]],
        ),
        (
            "reading is part of writing, writing is not part of reading",
            &["contents:write"],
            &[CHECKOUT],
            [&[], &["contents:write"], &[]],
        ),
        (
            "an unknown action has all of the token",
            &["contents:read", "packages:write"],
            &["o/own@v1"],
            [&[], &[], &["contents:read", "packages:write"]],
        ),
        (
            "a script without the token has the checkout's and that of OIDC",
            &["contents:write", "id-token:write", "issues:write"],
            &[CHECKOUT, "make"],
            [&[], &["issues:write"], &["contents:write", "id-token:write"]],
        ),
        (
            "an action that perhaps needs it hides it",
            &["id-token:write", "issues:write"],
            &["aws-actions/configure-aws-credentials@v4"],
            [&[], &["issues:write"], &["id-token:write"]],
        ),
        (
            "names of actions have no case",
            &["contents:read"],
            &["Actions/Checkout@v4"],
            [&["contents:read"], &[], &[]],
        ),
        (
            "scopes may be written with underscores",
            &["pull_requests:write"],
            &["actions/labeler@v5"],
            [&["pull-requests:write"], &[], &[]],
        ),
        (
            "what is not granted is not granted",
            &["contents:none", "issues:write"],
            &[CHECKOUT],
            [&[], &["issues:write"], &[]],
        ),
    ];
    for (because, permissions, steps, expected) in cases {
        let row = scored(&evidence(permissions, steps, 90));
        assert_eq!([&row.used[..], &row.unneeded[..], &row.unobserved[..]], expected, "{because}");
        let (low, middle, high) = (row.excess_low.unwrap(), row.excess.unwrap(), row.excess_high.unwrap());
        assert!(low <= middle && middle <= high && high <= row.granted_risk, "{because}");
        assert_eq!(
            (low > 0.0, high > 0.0),
            (!expected[1].is_empty(), expected[1].len() + expected[2].len() > 0),
            "{because}"
        );
        assert_eq!((row.runs, row.evidence.len()), (2, 2), "{because}");
    }
}

#[test]
fn a_script_that_is_handed_the_token_hides_all_of_it() {
    let mut handed = evidence(&["issues:write"], &["gh issue list"], 90);
    assert_eq!(scored(&handed).unneeded, ["issues:write"]);
    handed.bindings =
        vec![Binding { step_key: key("gh issue list"), name: "GH_TOKEN".to_owned(), ..Binding::default() }];
    assert_eq!(scored(&handed).unobserved, ["issues:write"]);
}

#[test]
fn dispatches_and_logins_are_use() {
    let mut used = evidence(&["actions:write", "id-token:write"], &["gh workflow run"], 90);
    used.handoffs = vec![Handoff {
        parent_job_key: Some(key("job")),
        mechanism: "workflow_dispatch".to_owned(),
        credential_kind: "GITHUB_TOKEN".to_owned(),
        ..Handoff::default()
    }];
    used.identities_used =
        vec![IdentityUsed { job_key: Some(key("job")), how: "oidc".to_owned(), ..IdentityUsed::default() }];
    let row = scored(&used);
    assert_eq!((row.used.len(), row.excess_high), (2, Some(0.0)));
}

#[test]
fn without_steps_there_is_granted_risk_only_and_a_young_permission_counts_by_age() {
    let row = scored(&evidence(&["contents:write"], &[], 90));
    assert_eq!((row.excess, row.coverage, row.used.len() + row.unobserved.len()), (None, 0.0, 0));
    assert!(row.granted_risk > 0.0);
    let excess =
        |days| scored(&evidence(&["issues:write"], &["actions/checkout@v4"], days)).excess_low.unwrap();
    assert!(excess(9) < excess(45) && excess(45) < excess(90));
    assert!((excess(90) - excess(400)).abs() < 1e-12);
}

#[test]
fn skipped_steps_use_nothing_and_the_list_of_actions_is_well_formed() {
    let mut skipped = evidence(&["contents:read"], &["actions/checkout@v4", "actions/cache@v4"], 90);
    skipped.steps[0].conclusion = Some("skipped".to_owned());
    assert_eq!(scored(&skipped).unneeded, ["contents:read"]);
    let known = |need: &str| {
        let need = need.trim_start_matches('?');
        Catalog::get().id(need).or_else(|| Catalog::get().id(&need.replace('-', "_"))).is_some()
    };
    assert!(actions().len() >= 45);
    assert!(actions().values().flatten().all(|need| known(need)), "{:?}", actions());
    assert!(actions().keys().all(|name| *name == name.to_lowercase()));
}
