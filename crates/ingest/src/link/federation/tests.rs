use super::*;
use leakgraph_model::tables::{TokenPermission, identity_key};

const ROLE: &str = "arn:aws:iam::123456789012:role/deploy";
const SUB: &str = "repo:acme@7/api@9:ref:refs/heads/main";

fn at(text: &str) -> Option<Timestamp> {
    Some(Timestamp::parse(&format!("2026-10-01T10:{text}Z")).unwrap())
}

fn run(id: &str) -> Run {
    Run {
        run_key: Key::of("run", &[id]),
        platform: "github".to_owned(),
        repo: Some("Acme/api".to_owned()),
        platform_run_id: Some(id.to_owned()),
        head_ref: Some("main".to_owned()),
        event: Some("push".to_owned()),
        ..Run::default()
    }
}

fn job(run: &str, name: &str, from: &str, to: &str) -> Job {
    let run_key = Key::of("run", &[run]);
    let job_key = leakgraph_model::tables::job_key(run_key, name);
    Job { job_key, run_key, name: name.to_owned(), started_at: at(from), ended_at: at(to), ..Job::default() }
}

fn session(name: &str, time: &str) -> Assumption {
    Assumption {
        target: ROLE.to_owned(),
        target_identity_key: Some(identity_key("aws", ROLE)),
        mechanism: "AssumeRoleWithWebIdentity".to_owned(),
        session_name: Some(name.to_owned()),
        session_id: Some(format!("AROAEXAMPLE:{name}")),
        access_key_id: Some(format!("ASIA{time}")),
        subject: Some(SUB.to_owned()),
        first_at: at(time),
        ..Assumption::default()
    }
}

fn printed(job: &Job, id: &str, time: &str) -> IdentityUsed {
    IdentityUsed {
        job_key: Some(job.job_key),
        run_key: Some(job.run_key),
        identity_kind: "aws_role".to_owned(),
        how: "oidc".to_owned(),
        session_id: Some(id.to_owned()),
        issued_at: at(time),
        join_method: "exact_id".to_owned(),
        confidence: 1.0,
        ..IdentityUsed::default()
    }
}

fn linked(mut evidence: Evidence) -> Vec<IdentityUsed> {
    link(&mut evidence);
    evidence.identities_used
}

#[test]
fn a_printed_session_id_is_exact_and_tells_the_role_and_its_key() {
    let job = job("1", "deploy", "00:00", "05:00");
    let rows = linked(Evidence {
        runs: vec![run("1")],
        identities_used: vec![printed(&job, "AROAEXAMPLE:ci", "01:00")],
        jobs: vec![job.clone()],
        assumptions: vec![session("ci", "01:02"), session("ci", "09:00")],
        ..Evidence::default()
    });
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(
        (row.identity_key, row.account.as_deref()),
        (Some(identity_key("aws", ROLE)), Some("123456789012"))
    );
    assert_eq!((row.join_method.as_str(), row.confidence), ("exact_id", 1.0));
    assert_eq!((row.access_key_id.as_deref(), row.issued_at), (Some("ASIA01:02"), at("01:02")));
}

#[test]
fn a_session_named_after_the_run_needs_no_log() {
    let jobs =
        vec![job("30797407173", "deploy", "00:00", "05:00"), job("30797407199", "deploy", "00:00", "05:00")];
    let rows = linked(Evidence {
        runs: vec![run("30797407173"), run("30797407199")],
        jobs: jobs.clone(),
        assumptions: vec![session("gha-30797407173", "01:00")],
        ..Evidence::default()
    });
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(
        (row.job_key, row.join_method.as_str(), row.confidence),
        (Some(jobs[0].job_key), "session_name", 0.95)
    );
}

#[test]
fn the_subject_and_the_time_name_the_only_job_that_fits() {
    let mut prod = job("1", "prod", "00:00", "05:00");
    prod.environment = Some("prod".to_owned());
    let jobs = vec![
        job("1", "build", "00:00", "05:00"),
        prod.clone(),
        job("2", "build", "06:00", "09:00"),
        job("1", "lint", "00:00", "05:00"),
    ];
    let evidence = Evidence {
        runs: vec![run("1"), run("2")],
        token_permissions: vec![TokenPermission {
            job_key: jobs[3].job_key,
            scope: "contents".to_owned(),
            access: "read".to_owned(),
            ..TokenPermission::default()
        }],
        jobs: jobs.clone(),
        assumptions: vec![session("GitHubActions", "01:00")],
        ..Evidence::default()
    };
    // Not the job with an environment, not that of another time, not that without a token.
    let rows = linked(evidence.clone());
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(
        (row.job_key, row.join_method.as_str(), row.confidence),
        (Some(jobs[0].job_key), "sub_time", 0.9)
    );
    let mut gated = evidence.clone();
    gated.assumptions[0].subject = Some("repo:acme/api:environment:prod".to_owned());
    gated.jobs.retain(|job| job.name == "prod");
    assert_eq!(linked(gated)[0].job_key, Some(prod.job_key));
    // Without permissions two jobs fit; both are kept, each half as sure, and get no key.
    let mut ambiguous = evidence;
    ambiguous.token_permissions.clear();
    let rows = linked(ambiguous);
    assert_eq!(rows.iter().map(|row| row.confidence).collect::<Vec<_>>(), [0.45, 0.45]);
    assert!(rows.iter().all(|row| row.access_key_id.is_none()));
}

#[test]
fn sessions_of_others_are_nobodys() {
    let base = Evidence {
        runs: vec![run("1")],
        jobs: vec![job("1", "build", "00:00", "05:00")],
        ..Evidence::default()
    };
    let with = |change: fn(&mut Assumption)| {
        let mut row = session("GitHubActions", "01:00");
        change(&mut row);
        linked(Evidence { assumptions: vec![row], ..base.clone() }).len()
    };
    assert_eq!(with(|_| {}), 1);
    assert_eq!(with(|row| row.denied = true), 0);
    assert_eq!(with(|row| row.first_at = at("07:00")), 0);
    assert_eq!(with(|row| row.subject = Some("repo:acme/other:ref:refs/heads/main".to_owned())), 0);
    assert_eq!(with(|row| row.subject = Some("repo:acme/api:ref:refs/heads/dev".to_owned())), 0);
    assert_eq!(
        with(|row| row.subject = Some("project_path:acme/api:ref_type:branch:ref:main".to_owned())),
        0
    );
    assert_eq!(with(|row| row.subject = Some("system:serviceaccount:acme:api".to_owned())), 0);
}

#[test]
fn a_printed_subject_is_joined_to_the_sign_in() {
    let job = job("1", "deploy", "00:00", "05:00");
    let app = "11111111-2222-3333-4444-555555555555";
    let used = IdentityUsed {
        identity_kind: "azure_sp".to_owned(),
        session_id: None,
        session_name: Some(SUB.to_owned()),
        ..printed(&job, "", "01:00")
    };
    let sign_in = |time: &str| Assumption {
        target: app.to_owned(),
        target_identity_key: Some(identity_key("azure", app)),
        mechanism: "FederatedSignIn".to_owned(),
        first_at: at(time),
        ..Assumption::default()
    };
    let rows = linked(Evidence {
        runs: vec![run("1")],
        jobs: vec![job],
        identities_used: vec![used],
        assumptions: vec![sign_in("01:04"), sign_in("04:00")],
        ..Evidence::default()
    });
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(
        (row.identity_key, row.subject.as_deref(), row.confidence),
        (Some(identity_key("azure", app)), Some(app), 0.9)
    );
}
