//! Lifecycle facts, one scenario each.

use super::*;
use leakgraph_model::tables::{Activity, Assumption, Credential, IdentityUsed, Trust, identity_key};

const MICROS: i64 = 86_400_000_000;
const ROLE: &str = "arn:aws:iam::111122223333:role/deploy";
const SHADOW: &str = "arn:aws:iam::111122223333:role/shadow";

fn key(name: &str) -> Key {
    Key::of("test", &[name])
}

fn day(day: i64) -> Option<Timestamp> {
    Some(Timestamp(day * MICROS))
}

fn identity(platform: &str, kind: &str, native_id: &str, is_nhi: Option<bool>) -> Identity {
    Identity {
        identity_key: identity_key(platform, native_id),
        platform: platform.to_owned(),
        kind: kind.to_owned(),
        name: native_id.rsplit('/').next().unwrap_or(native_id).to_owned(),
        native_id: native_id.to_owned(),
        is_nhi,
        status: "enabled".to_owned(),
        created_at: day(0),
        ..Identity::default()
    }
}

fn role() -> Identity {
    identity("aws", "role", ROLE, Some(true))
}

fn person(login: &str, status: &str) -> Identity {
    Identity { status: status.to_owned(), ..identity("azure", "user", login, Some(false)) }
}

fn rows(evidence: &Evidence) -> Vec<NhiLifecycle> {
    lifecycle(evidence, &[], &Weights::builtin())
}

fn of(evidence: &Evidence, name: &str) -> NhiLifecycle {
    rows(evidence).into_iter().find(|row| row.identity == name).expect("a row")
}

#[test]
fn owners_are_active_departed_or_unverified() {
    let cases: [(&str, Option<&str>, &[Identity], &str); 9] = [
        ("no owner", None, &[], "none"),
        ("a blank owner", Some(" "), &[], "none"),
        ("nobody knows the owner", Some("ann"), &[], "unverified"),
        ("works here", Some("ann@acme.test"), &[person("ann@acme.test", "enabled")], "active"),
        ("left", Some("ann@acme.test"), &[person("ann@acme.test", "disabled")], "departed"),
        (
            "named by login, letter case aside",
            Some("@Ann"),
            &[person("ann@acme.test", "disabled")],
            "departed",
        ),
        (
            "left one place, works in another",
            Some("ann"),
            &[person("ann@a.test", "disabled"), person("ann@b.test", "enabled")],
            "active",
        ),
        ("somebody else left", Some("ann"), &[person("anna@acme.test", "disabled")], "unverified"),
        (
            "a machine of that name is no owner who left",
            Some("bot"),
            &[Identity { status: "disabled".to_owned(), ..identity("aws", "role", "bot", Some(true)) }],
            "unverified",
        ),
    ];
    for (because, owner, people, expected) in cases {
        let role = Identity { owner: owner.map(str::to_owned), ..role() };
        let evidence = Evidence { identities: [&[role], people].concat(), ..Evidence::default() };
        let row = of(&evidence, ROLE);
        assert_eq!(row.owner_status, expected, "{because}");
        assert_eq!(row.owner_key.is_some(), matches!(expected, "active" | "departed"), "{because}");
    }
}

#[test]
fn a_list_of_owners_beats_accounts_of_that_name() {
    let cases: [(&[&str], &str); 5] = [
        (&["owner_departed=ann"], "departed"),
        (&["owner_departed=ann", "owner_active=bob"], "active"),
        // Of one of them the list says nothing: the inventories may.
        (&["owner_departed=ann", "owner_unverified=bob"], "active"),
        (&["owner_unverified=ann"], "active"),
        (&[], "active"),
    ];
    for (tags, expected) in cases {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let role = Identity { owner: Some("ann".to_owned()), tags, ..role() };
        let evidence =
            Evidence { identities: vec![role, person("ann@a.test", "enabled")], ..Evidence::default() };
        assert_eq!(of(&evidence, ROLE).owner_status, expected);
    }
    let only_owned = Identity { kind: "unknown".to_owned(), ..role() };
    let evidence = Evidence { identities: vec![only_owned], ..Evidence::default() };
    assert_eq!(of(&evidence, ROLE).registered, None);
}

#[test]
fn last_use_is_the_latest_that_anybody_recorded() {
    let own = Some(identity_key("aws", ROLE));
    let mut evidence = Evidence { identities: vec![role()], ..Evidence::default() };
    assert_eq!((of(&evidence, ROLE).last_used_at, of(&evidence, ROLE).inactive), (None, None));
    evidence.identities[0].last_used_at = day(10);
    evidence.credentials =
        vec![Credential { identity_key: own, last_used_at: day(20), ..Credential::default() }];
    assert_eq!(of(&evidence, ROLE).last_used_by.as_deref(), Some("credential"));
    evidence.activity =
        vec![Activity { identity_key: own, denied: true, last_at: day(90), ..Activity::default() }];
    assert_eq!(of(&evidence, ROLE).last_used_at, day(20), "a refused call is no use");
    evidence.assumptions =
        vec![Assumption { target_identity_key: own, last_at: day(30), ..Assumption::default() }];
    let row = of(&evidence, ROLE);
    assert_eq!(
        (row.last_used_at, row.last_used_by.as_deref(), row.idle_days),
        (day(30), Some("assumption"), Some(0.0))
    );
    // Others of the account show how long ago that is.
    evidence
        .identities
        .push(Identity { last_used_at: day(200), ..identity("aws", "role", SHADOW, Some(true)) });
    let row = of(&evidence, ROLE);
    assert_eq!((row.idle_days, row.inactive), (Some(170.0), Some(true)));
}

#[test]
fn who_acts_and_is_in_no_inventory_is_unregistered() {
    let call = |principal: &str| Activity {
        identity_key: Some(identity_key("aws", principal)),
        principal: principal.to_owned(),
        last_at: day(1),
        ..Activity::default()
    };
    let person = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0";
    let elsewhere = "arn:aws:iam::999900001111:role/far";
    let acting = [ROLE, SHADOW, person, elsewhere, "arn:aws:iam::111122223333:user/ann"];
    let evidence =
        Evidence { identities: vec![role()], activity: acting.map(call).to_vec(), ..Evidence::default() };
    let found: Vec<_> = rows(&evidence).into_iter().map(|row| (row.identity, row.registered)).collect();
    // People are none of ours; of an account without inventory nobody can say.
    let expected = [(ROLE, Some(true)), (SHADOW, Some(false)), (elsewhere, None)];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    assert!(
        expected.iter().all(|(name, registered)| found.contains(&((*name).to_owned(), *registered))),
        "{found:?}"
    );
    let refused = Evidence {
        identities: vec![role()],
        activity: vec![Activity { denied: true, ..call(SHADOW) }],
        ..Evidence::default()
    };
    assert_eq!(rows(&refused).len(), 1, "whoever was only refused need not exist");
}

#[test]
fn people_who_work_as_an_nhi_are_named() {
    let target = Some(identity_key("aws", ROLE));
    let ann = person("ann@acme.test", "enabled");
    let base = || Evidence {
        identities: vec![role(), ann.clone(), identity("aws", "role", SHADOW, Some(true))],
        ..Evidence::default()
    };
    let uses = |change: &dyn Fn(&mut Evidence)| {
        let mut evidence = base();
        change(&mut evidence);
        of(&evidence, ROLE).human_uses
    };
    let assumed = |source: Option<Key>, name: &str, denied: bool| Assumption {
        source: name.to_owned(),
        source_identity_key: source,
        target_identity_key: target,
        mechanism: "AssumeRole".to_owned(),
        denied,
        ..Assumption::default()
    };
    let session = |name: &str| Activity {
        identity_key: target,
        session: Some(name.to_owned()),
        action: "s3:GetObject".to_owned(),
        ..Activity::default()
    };
    let by_person = Some(ann.identity_key);
    let machine = Some(identity_key("aws", SHADOW));
    let none: [&str; 0] = [];
    assert_eq!(
        uses(&|all| all.assumptions = vec![assumed(by_person, "x", false)]),
        ["assumed by ann@acme.test (AssumeRole)"]
    );
    assert_eq!(uses(&|all| all.assumptions = vec![assumed(by_person, "x", true)]), none);
    assert_eq!(uses(&|all| all.assumptions = vec![assumed(machine, SHADOW, false)]), none);
    assert_eq!(
        uses(&|all| all.assumptions = vec![assumed(None, "ben@acme.test", false)]),
        ["assumed by ben@acme.test (AssumeRole)"]
    );
    assert_eq!(
        uses(&|all| all.assumptions = vec![assumed(None, "ci@p.iam.gserviceaccount.com", false)]),
        none
    );
    assert_eq!(uses(&|all| all.activity = vec![session("ann@acme.test")]), ["session ann@acme.test"]);
    assert_eq!(uses(&|all| all.activity = vec![session("GitHubActions")]), none);
    assert_eq!(
        uses(&|all| all.activity =
            vec![Activity { action: "signin:ConsoleLogin".to_owned(), session: None, ..session("") }]),
        ["console sign-in"]
    );
    let password = Credential {
        identity_key: target,
        kind: "password".to_owned(),
        last_used_at: day(3),
        ..Credential::default()
    };
    assert_eq!(uses(&|all| all.credentials = vec![password.clone()]), ["password"]);
    assert_eq!(
        uses(&|all| all.credentials = vec![Credential { last_used_at: None, ..password.clone() }]),
        none
    );
}

#[test]
fn what_shares_an_identity_is_counted() {
    let mut evidence = Evidence { identities: vec![role()], ..Evidence::default() };
    for (repo, workflow, environment) in
        [("o/a", "cd.yml", "prod"), ("o/b", "cd.yml", "dev"), ("o/b", "cd.yml", "dev")]
    {
        let name = format!("{repo}{environment}{}", evidence.runs.len());
        evidence.runs.push(Run {
            run_key: key(&name),
            repo: Some(repo.to_owned()),
            workflow_path: Some(workflow.to_owned()),
            ..Run::default()
        });
        evidence.jobs.push(Job {
            job_key: key(&name),
            run_key: key(&name),
            environment: Some(environment.to_owned()),
            ..Job::default()
        });
        let used = |how: &str| IdentityUsed {
            job_key: Some(key(&name)),
            identity_key: Some(identity_key("aws", ROLE)),
            how: how.to_owned(),
            ..IdentityUsed::default()
        };
        evidence.identities_used.push(used("oidc"));
    }
    let row = of(&evidence, ROLE);
    assert_eq!((row.repositories.len(), row.workflows.len()), (2, 2));
    assert_eq!(row.environments, ["dev", "prod"]);
    assert_eq!(row.evidence.iter().filter(|proof| proof.starts_with("jobs:")).count(), 2);
    evidence.identities_used.iter_mut().for_each(|used| "job_token".clone_into(&mut used.how));
    assert!(of(&evidence, ROLE).workflows.is_empty(), "every job has a token of its own");
}

#[test]
fn others_who_control_it_and_its_credentials() {
    let app =
        Identity { name: "bot".to_owned(), ..identity("github", "app_installation", "app:bot", Some(true)) };
    let trust = |principal: &str| Trust {
        trust_key: key(principal),
        identity_key: identity_key("aws", ROLE),
        principal_kind: "aws".to_owned(),
        principal: principal.to_owned(),
        effect: "allow".to_owned(),
        ..Trust::default()
    };
    let credential = |name: &str, status: &str, rotated: i64, expires: Option<Timestamp>| Credential {
        credential_key: key(name),
        identity_key: Some(identity_key("aws", ROLE)),
        status: status.to_owned(),
        rotated_at: day(rotated),
        expires_at: expires,
        ..Credential::default()
    };
    let evidence = Evidence {
        identities: vec![app, role()],
        trusts: vec![
            trust("arn:aws:iam::111122223333:root"),
            trust("*"),
            trust("arn:aws:iam::444455556666:role/vendor"),
            trust("777788889999"),
        ],
        credentials: vec![
            credential("old", "active", 5, None),
            credential("new", "active", 50, day(100)),
            credential("gone", "inactive", 1, None),
        ],
        ..Evidence::default()
    };
    assert_eq!(of(&evidence, "app:bot").third_party.as_deref(), Some("app bot"));
    let row = of(&evidence, ROLE);
    assert_eq!(row.third_party.as_deref(), Some("account 444455556666, account 777788889999"));
    assert_eq!((row.credentials, row.without_expiry, row.oldest_credential_at), (2, 1, day(5)));
}

#[test]
fn applications_of_other_tenants_are_third_parties_where_the_own_is_known() {
    let app = |name: &str, tags: &[&str]| Identity {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..identity("azure", "service_principal", name, Some(true))
    };
    let microsoft = format!("owner_tenant={MICROSOFT}");
    let own = app("own", &["owner_tenant=us", "application_object=1"]);
    let others = [
        app("theirs", &["owner_tenant=them"]),
        app("graph", &[&microsoft]),
        app("ours", &["owner_tenant=us"]),
    ];
    let third = |own: &[Identity]| -> Vec<Option<String>> {
        let evidence = Evidence { identities: [own, &others].concat(), ..Evidence::default() };
        ["theirs", "graph", "ours"].map(|name| of(&evidence, name).third_party).to_vec()
    };
    assert_eq!(third(&[own]), [Some("tenant them".to_owned()), None, None]);
    assert_eq!(third(&[]), [None, None, None]);
}

#[test]
fn holders_and_people_have_no_lifecycle_and_order_leaves_no_trace() {
    let mut evidence = Evidence {
        identities: vec![
            role(),
            person("ann@acme.test", "enabled"),
            identity("aws", "group", "arn:aws:iam::1:group/g", None),
            identity("kubernetes", "user", "user:ann", None),
            identity("kubernetes", "service_account", "system:serviceaccount:ci:x", Some(true)),
        ],
        trusts: vec![Trust {
            identity_key: identity_key("kubernetes", "system:serviceaccount:ci:x"),
            principal_kind: "workload".to_owned(),
            principal: "Deployment/ci/x".to_owned(),
            effect: "allow".to_owned(),
            ..Trust::default()
        }],
        ..Evidence::default()
    };
    let forward = rows(&evidence);
    assert_eq!(forward.len(), 2);
    assert_eq!(of(&evidence, "system:serviceaccount:ci:x").workloads, ["Deployment/ci/x"]);
    evidence.identities.reverse();
    assert_eq!(rows(&evidence), forward);
}
