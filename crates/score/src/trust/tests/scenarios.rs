//! Scenarios of trust in workflows, each with the right answer and why.

use super::*;

/// Scenario, and states of T1 to T7: p, f or u.
pub(super) fn scenarios() -> Vec<(&'static str, World, &'static str)> {
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
