//! Scenarios: each says in a line what the right answer is and why.

use super::*;
use crate::Weights;
use crate::sides::Sides;
use leakgraph_model::Timestamp;
use leakgraph_model::tables::{
    Approval, Credential, Handoff, IdentityUsed, Job, Problem, Secret, SecretPassed, SecretSighting,
    SourceFile, Step, TokenPermission, WorkflowDefinition,
};
use proptest::prelude::*;

fn key(name: &str) -> Key {
    Key::of("test", &[name])
}

fn day(days: i64) -> Option<Timestamp> {
    Some(Timestamp::from_seconds(100_000_000 + days * 86_400))
}

fn run(name: &str, days: i64) -> Run {
    Run {
        run_key: key(name),
        platform: "github".to_owned(),
        repo: Some("o/r".to_owned()),
        platform_run_id: Some(name.to_owned()),
        attempt: Some(1),
        workflow_path: Some("cd.yml".to_owned()),
        event: Some("push".to_owned()),
        conclusion: Some("success".to_owned()),
        created_at: day(days),
        ..Run::default()
    }
}

fn job(run: &str) -> Job {
    Job {
        job_key: key(&format!("{run}-job")),
        run_key: key(run),
        name: "deploy".to_owned(),
        has_log: true,
        ..Job::default()
    }
}

fn used(how: &str) -> IdentityUsed {
    IdentityUsed {
        job_key: Some(key("a-job")),
        identity_key: Some(key("role")),
        identity_kind: "aws_role".to_owned(),
        how: how.to_owned(),
        subject: Some("role".to_owned()),
        join_method: "exact_id".to_owned(),
        ..IdentityUsed::default()
    }
}

/// Evidence and the answers of others, on which every control passes.
#[derive(Clone)]
struct World {
    evidence: Evidence,
    classes: Classes,
    scores: Vec<NhiScore>,
    orphans: HashSet<Key>,
}

fn scored(low: f64, high: f64) -> NhiScore {
    NhiScore {
        identity_key: key("role"),
        excess_low: Some(low),
        excess_high: Some(high),
        ..NhiScore::default()
    }
}

fn permission(scope: &str, access: &str) -> TokenPermission {
    let (scope, access) = (scope.to_owned(), access.to_owned());
    TokenPermission { job_key: key("a-job"), scope, access, ..TokenPermission::default() }
}

fn started(class: &str) -> TriggerClass {
    TriggerClass {
        class: class.to_owned(),
        privileged: Some(true),
        evidence: "trigger_decisions:x".to_owned(),
        ..TriggerClass::default()
    }
}

fn bounded(class: &str) -> BoundaryClass {
    BoundaryClass { class: class.to_owned(), evidence: "boundary_crossings:x".to_owned() }
}

/// One approved run whose one job takes a role by OIDC, all of it on record.
fn good() -> World {
    World {
        evidence: Evidence {
            runs: vec![run("a", 0)],
            jobs: vec![job("a")],
            identities_used: vec![used("oidc")],
            token_permissions: vec![permission("contents", "read"), permission("id-token", "write")],
            ..Evidence::default()
        },
        classes: Classes {
            triggers: HashMap::from([(key("a"), started("APPROVED"))]),
            boundaries: HashMap::from([(key("a-job"), bounded("MEDIATED"))]),
        },
        scores: vec![scored(0.0, 20.0)],
        orphans: HashSet::new(),
    }
}

fn rows(world: &World) -> Vec<WorkflowTrust> {
    let crossings = crate::handoffs::crossings(&world.evidence, &Sides::of(&world.evidence)).unwrap();
    let weights = Weights::builtin();
    let (exposures, _) = crate::secret_exposure::exposures(&world.evidence, weights.trust());
    let facts = Facts {
        crossings: &crossings,
        nhi_scores: &world.scores,
        exposures: &exposures,
        orphans: &world.orphans,
        classes: &world.classes,
        weights: weights.trust(),
        weights_hash: "w",
    };
    trust(&world.evidence, &facts).0
}

fn of_run(world: &World, name: &str) -> WorkflowTrust {
    rows(world).into_iter().find(|row| row.run_key == Some(key(name))).unwrap()
}

fn leak(world: &mut World, lifetime: &str) {
    world.evidence.secrets.push(Secret {
        secret_key: key("s"),
        provider: "aws".to_owned(),
        identity_key: Some(key("user")),
        lifetime: lifetime.to_owned(),
        ..Secret::default()
    });
    world.evidence.secret_sightings.push(SecretSighting {
        sighting_key: key("seen"),
        secret_key: key("s"),
        run_key: Some(key("a")),
        job_key: Some(key("a-job")),
        place: "log".to_owned(),
        confidence: "likely".to_owned(),
        seen_at: day(0),
        ..SecretSighting::default()
    });
}

fn stored(changed: i64) -> Credential {
    Credential {
        credential_key: key("stored"),
        kind: "actions_secret".to_owned(),
        name: "NPM".to_owned(),
        scope: Some("o/r".to_owned()),
        rotated_at: day(changed),
        ..Credential::default()
    }
}

fn passed(name: &str) -> SecretPassed {
    SecretPassed {
        job_key: Some(key("a-job")),
        run_key: key("a"),
        name: name.to_owned(),
        ..SecretPassed::default()
    }
}

fn handed(name: &str) -> SecretPassed {
    SecretPassed { how: "binding".to_owned(), ..passed(name) }
}

fn defined(secrets: &[&str]) -> WorkflowDefinition {
    WorkflowDefinition {
        repo: Some("O/r".to_owned()),
        path: Some("cd.yml".to_owned()),
        secrets: secrets.iter().map(|name| (*name).to_owned()).collect(),
        ..WorkflowDefinition::default()
    }
}

fn dispatch() -> Handoff {
    Handoff {
        handoff_key: key("h"),
        parent_job_key: Some(key("a-job")),
        child_run_key: Some(key("b")),
        mechanism: "workflow_dispatch".to_owned(),
        gate: "unknown".to_owned(),
        ..Handoff::default()
    }
}

/// The child of `dispatch` may write what its parent may not.
fn widen(world: &mut World) {
    world.evidence.runs.push(run("b", 1));
    world.evidence.jobs.push(job("b"));
    world
        .evidence
        .token_permissions
        .push(TokenPermission { job_key: key("b-job"), ..permission("packages", "write") });
    world.evidence.handoffs.push(dispatch());
}

fn step(uses: &str, pinned: &str) -> Step {
    Step {
        step_key: key(uses),
        job_key: key("a-job"),
        uses: Some(uses.to_owned()),
        pinned: Some(pinned.to_owned()),
        ..Step::default()
    }
}

/// Scenario, and states of T1 to T7: p, f or u.
fn scenarios() -> Vec<(&'static str, World, &'static str)> {
    let with = |change: fn(&mut World)| {
        let mut world = good();
        change(&mut world);
        world
    };
    vec![
        ("all on record, approved, OIDC, contained: trustworthy", with(|_| ()), "ppppppp"),
        (
            "no trigger decision was computed: unproven, never trustworthy",
            with(|w| w.classes.triggers.clear()),
            "pppuppp",
        ),
        ("no boundary was computed: unproven", with(|w| w.classes.boundaries.clear()), "ppppupp"),
        (
            "a privileged run was started by the clock alone",
            with(|w| {
                w.classes.triggers.insert(key("a"), started("TIME_ONLY"));
            }),
            "pppfppp",
        ),
        (
            "near miss: by the clock, but it holds no privilege",
            with(|w| {
                w.classes
                    .triggers
                    .insert(key("a"), TriggerClass { privileged: Some(false), ..started("TIME_ONLY") });
            }),
            "ppppppp",
        ),
        (
            "approved, but the approval was older than the commit",
            with(|w| {
                w.classes.triggers.insert(
                    key("a"),
                    TriggerClass { faults: vec!["stale".to_owned()], ..started("APPROVED") },
                );
            }),
            "pppfppp",
        ),
        (
            "by the clock, and whether it holds privilege is not known",
            with(|w| {
                w.classes
                    .triggers
                    .insert(key("a"), TriggerClass { privileged: None, ..started("TIME_ONLY") });
            }),
            "pppuppp",
        ),
        (
            "a credential in reach of foreign code",
            with(|w| {
                w.classes.boundaries.insert(key("a-job"), bounded("SHARED"));
            }),
            "ppppfpp",
        ),
        (
            "a foreign action by its tag",
            with(|w| w.evidence.steps.push(step("acme/deploy@v1", "tag"))),
            "ppppfpp",
        ),
        (
            "near miss: GitHub's own action by its tag",
            with(|w| w.evidence.steps.push(step("actions/checkout@v4", "tag"))),
            "ppppppp",
        ),
        (
            "near miss: a foreign action by its commit",
            with(|w| w.evidence.steps.push(step("acme/deploy@c0ffee", "sha"))),
            "ppppppp",
        ),
        (
            "a job without a log: neither identities nor leaks are known",
            with(|w| w.evidence.jobs[0].has_log = false),
            "upuppuu",
        ),
        (
            "near miss: a job that was skipped needs none",
            with(|w| {
                w.evidence.jobs.push(Job {
                    job_key: key("skip"),
                    has_log: false,
                    conclusion: Some("skipped".to_owned()),
                    ..job("a")
                });
            }),
            "ppppppp",
        ),
        (
            "an identity tied by its time only",
            with(|w| w.evidence.identities_used[0].join_method = "sub_time".to_owned()),
            "upppppp",
        ),
        (
            "the role holds much that it does not use",
            with(|w| w.scores = vec![scored(55.0, 80.0)]),
            "pfppppp",
        ),
        (
            "perhaps it does: the bounds span the limit",
            with(|w| w.scores = vec![scored(10.0, 80.0)]),
            "puppppp",
        ),
        ("nobody scored the role", with(|w| w.scores.clear()), "puppppp"),
        (
            "a token that may write, and nobody saw it write",
            with(|w| w.evidence.token_permissions.push(permission("packages", "write"))),
            "puppppp",
        ),
        (
            "the token's permissions are not on record",
            with(|w| w.evidence.token_permissions.clear()),
            "puppppp",
        ),
        ("a dispatch gives more than its sender had", with(widen), "pfppppp"),
        (
            "near miss: a gate stands on the way",
            with(|w| {
                widen(w);
                w.evidence.handoffs[0].gate = "passed".to_owned();
            }),
            "ppppppp",
        ),
        ("a key of AWS in clear, alive or dead nobody knows", with(|w| leak(w, "long")), "ppfpppu"),
        (
            "the same, and the inventory has it as active: not revoked",
            with(|w| {
                leak(w, "long");
                w.evidence.credentials.push(Credential {
                    identity_key: Some(key("user")),
                    kind: "access_key".to_owned(),
                    status: "active".to_owned(),
                    created_at: day(-9),
                    ..Credential::default()
                });
            }),
            "ppfpppf",
        ),
        (
            "near miss: what is merely possible is no leak",
            with(|w| {
                leak(w, "long");
                w.evidence.secret_sightings[0].confidence = "possible".to_owned();
            }),
            "ppppppp",
        ),
        (
            "a static key where OIDC is offered; the scope to ask for OIDC is not used",
            with(|w| w.evidence.identities_used[0].how = "static".to_owned()),
            "pufpppf",
        ),
        (
            "the static key serves two repositories",
            with(|w| {
                w.evidence.identities_used[0].how = "static".to_owned();
                w.evidence.runs.push(Run { repo: Some("o/other".to_owned()), ..run("b", 1) });
                w.evidence.jobs.push(job("b"));
                w.evidence
                    .identities_used
                    .push(IdentityUsed { job_key: Some(key("b-job")), ..used("static") });
            }),
            "fufpppf",
        ),
        (
            "a stored secret of unknown age",
            with(|w| w.evidence.secrets_passed.push(passed("NPM"))),
            "ppupppu",
        ),
        (
            "a stored secret older than a year",
            with(|w| {
                w.evidence.secrets_passed.push(passed("NPM"));
                w.evidence.credentials.push(stored(-400));
            }),
            "ppfpppu",
        ),
        (
            "near miss: the job's own token is no stored secret",
            with(|w| w.evidence.secrets_passed.push(passed("github_token"))),
            "ppppppp",
        ),
        (
            "a step was handed some token, and no workflow file tells which",
            with(|w| w.evidence.secrets_passed.push(handed("token"))),
            "ppupppu",
        ),
        (
            "near miss: the workflow file names no secret, so it was the job's own",
            with(|w| {
                w.evidence.secrets_passed.push(handed("token"));
                w.evidence.workflow_definitions.push(defined(&[]));
            }),
            "ppppppp",
        ),
        (
            "the workflow file names another secret, which the token may be",
            with(|w| {
                w.evidence.secrets_passed.push(handed("token"));
                w.evidence.workflow_definitions.extend([defined(&[]), defined(&["PAT"])]);
            }),
            "ppupppu",
        ),
        (
            "its logs were deleted",
            with(|w| {
                w.evidence.evidence_gaps.push(EvidenceGap {
                    subject_key: key("a"),
                    gap: "deleted_run".to_owned(),
                    ..EvidenceGap::default()
                });
            }),
            "pppppfp",
        ),
        (
            "its log ends early",
            with(|w| {
                w.evidence.source_files.push(SourceFile {
                    source_key: Key::default(),
                    path: "log".to_owned(),
                    ..SourceFile::default()
                });
                w.evidence.problems.push(Problem {
                    path: "log".to_owned(),
                    code: "truncated".to_owned(),
                    lossy: true,
                    ..Problem::default()
                });
            }),
            "pppppfp",
        ),
        ("a second attempt without its first", with(|w| w.evidence.runs[0].attempt = Some(2)), "pppppup"),
        (
            "the child of a dispatch is not on record",
            with(|w| {
                w.evidence.handoffs.push(Handoff { child_run_key: None, ..dispatch() });
            }),
            "pupppup",
        ),
        (
            "what started it is not on record",
            with(|w| {
                w.orphans.insert(key("a"));
            }),
            "pppppup",
        ),
        (
            "nothing but the run's own row",
            with(|w| {
                *w = World {
                    evidence: Evidence { runs: vec![run("a", 0)], ..Evidence::default() },
                    classes: Classes::default(),
                    scores: Vec::new(),
                    orphans: HashSet::new(),
                }
            }),
            "uuuuuuu",
        ),
    ]
}

#[test]
fn each_scenario_has_its_answer() {
    for (why, world, answer) in scenarios() {
        let row = of_run(&world, "a");
        let found: String = states(&row).iter().filter_map(|state| state.chars().next()).collect();
        assert_eq!(found, answer, "{why}\n{row:#?}");
        let verdict = match (answer.contains('f'), answer.contains('u')) {
            (true, _) => "UNTRUSTWORTHY",
            (false, true) => "UNPROVEN",
            (false, false) => "TRUSTWORTHY",
        };
        assert_eq!(row.verdict, verdict, "{why}");
        assert_eq!(row.succeeded_but_untrusted, Some(verdict == "UNTRUSTWORTHY"), "{why}");
        for (name, state) in NAMES.iter().zip(states(&row)) {
            let says = |texts: &[String]| texts.iter().any(|text| text.starts_with(name));
            assert_eq!(says(&row.failures) && says(&row.failing_evidence), state == "fail", "{why} {name}");
            assert_eq!(says(&row.passing_evidence), state == "pass", "{why} {name}");
            assert!(state != "unknown" || says(&row.unknowns), "{why} {name}");
        }
    }
}

#[test]
fn a_workflow_is_as_good_as_its_last_runs_together() {
    let mut world = good();
    leak(&mut world, "long");
    for number in 1..=3 {
        let name = format!("later{number}");
        world.evidence.runs.push(run(&name, number));
        world.evidence.jobs.push(job(&name));
    }
    let rows = rows(&world);
    let workflow = rows.iter().find(|row| row.run_key.is_none()).unwrap();
    assert_eq!(
        (workflow.runs, workflow.verdict.as_str(), workflow.t3.as_str()),
        (4, "UNTRUSTWORTHY", "fail")
    );
    assert_eq!(workflow.direction.as_deref(), Some("improving"));
    assert_eq!(workflow.trend, ["UNTRUSTWORTHY", "UNPROVEN", "UNPROVEN", "UNPROVEN"]);
    assert_eq!(of_run(&world, "later1").trend.len(), 2);
    assert_eq!(of_run(&world, "later1").direction, None);
}

#[test]
fn beyond_the_window_a_failure_is_past() {
    let mut world = good();
    leak(&mut world, "long");
    let window = i64::try_from(Weights::builtin().trust().window_runs).unwrap();
    for number in 1..=window {
        world.evidence.runs.push(run(&format!("later{number}"), number));
    }
    let rows = rows(&world);
    let workflow = rows.iter().find(|row| row.run_key.is_none()).unwrap();
    assert_eq!((workflow.runs, workflow.verdict.as_str()), (window, "UNPROVEN"));
}

#[test]
fn directions() {
    let of = |letters: &str| {
        let verdicts: Vec<String> = letters
            .chars()
            .map(|letter| if letter == 'f' { "UNTRUSTWORTHY" } else { "UNPROVEN" }.to_owned())
            .collect();
        trend::direction(&verdicts)
    };
    assert_eq!(
        [of("fff"), of("ffpp"), of("ppff"), of("fpfp")],
        [None, Some("improving"), Some("worsening"), Some("steady")]
    );
}

#[test]
fn runs_without_a_workflow_make_no_workflow() {
    let mut world = good();
    world.evidence.runs[0].workflow_path = None;
    assert_eq!(rows(&world).len(), 1);
    assert!(
        trust(
            &Evidence::default(),
            &empty(&Classes::default(), &HashMap::new(), &HashSet::new(), &Weights::builtin())
        )
        .0
        .is_empty()
    );
}

fn empty<'a>(
    classes: &'a Classes,
    crossings: &'a HashMap<Key, Crossing>,
    orphans: &'a HashSet<Key>,
    weights: &'a Weights,
) -> Facts<'a> {
    Facts {
        crossings,
        nhi_scores: &[],
        exposures: &[],
        orphans,
        classes,
        weights: weights.trust(),
        weights_hash: "w",
    }
}

/// Worse is greater.
fn badness(state: &str) -> u8 {
    match state {
        "pass" => 0,
        "unknown" => 1,
        _ => 2,
    }
}

proptest! {
    #[test]
    fn a_click_changes_nothing_of_t1_to_t3(which in 0usize..40, own in prop::option::of(any::<bool>())) {
        let all = scenarios();
        let mut world = all[which % all.len()].1.clone();
        let before = of_run(&world, "a");
        for name in ["a", "b"] {
            world.evidence.approvals.push(Approval { run_key: key(name), state: "approved".to_owned(), self_review: own, ..Approval::default() });
        }
        let after = of_run(&world, "a");
        prop_assert_eq!((before.t1, before.t2, before.t3), (after.t1, after.t2, after.t3));
    }

    #[test]
    fn less_evidence_never_makes_trust(which in 0usize..40, drop in 0usize..6) {
        let all = scenarios();
        let mut world = all[which % all.len()].1.clone();
        let before = of_run(&world, "a");
        match drop {
            0 => world.classes.triggers.clear(),
            1 => world.classes.boundaries.clear(),
            2 => world.scores.clear(),
            3 => world.evidence.token_permissions.clear(),
            4 => world.evidence.jobs.iter_mut().for_each(|job| job.has_log = false),
            _ => world.evidence.credentials.clear(),
        }
        let after = of_run(&world, "a");
        prop_assert!(before.verdict == "TRUSTWORTHY" || after.verdict != "TRUSTWORTHY");
    }

    #[test]
    fn a_leak_never_helps_and_order_leaves_no_trace(which in 0usize..40, turn in 0usize..5) {
        let all = scenarios();
        let world = all[which % all.len()].1.clone();
        let mut leaking = world.clone();
        leak(&mut leaking, "long");
        for (before, after) in states(&of_run(&world, "a")).into_iter().zip(states(&of_run(&leaking, "a"))).filter(|_| !world.evidence.jobs.is_empty()) {
            prop_assert!(badness(after) >= badness(before));
        }
        let mut other = leaking.clone();
        other.evidence.runs.reverse();
        other.evidence.jobs.reverse();
        let turn = turn % other.evidence.token_permissions.len().max(1);
        other.evidence.token_permissions.rotate_left(turn);
        prop_assert_eq!(rows(&leaking), rows(&other));
    }
}
