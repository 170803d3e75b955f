//! Scenarios: each says in a line what the right answer is and why.

use super::*;
use crate::Weights;
use crate::sides::Sides;
use leakgraph_model::Timestamp;
use leakgraph_model::tables::{
    Activity, Approval, Handoff, IdentityUsed, Job, Run, SecretPassed, Step, TokenPermission,
};
use proptest::prelude::*;

pub(crate) fn key(name: &str) -> Key {
    Key::of("test", &[name])
}

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp::from_seconds(1_000_000 + seconds))
}

/// A run of a person that lasts from `from` to `from + 60`.
fn run(name: &str, event: &str, from: i64) -> Run {
    Run {
        run_key: key(name),
        platform: "github".to_owned(),
        repo: Some("o/r".to_owned()),
        workflow_name: Some(name.to_owned()),
        event: Some(event.to_owned()),
        actor: Some("cat".to_owned()),
        actor_kind: Some("user".to_owned()),
        conclusion: Some("success".to_owned()),
        created_at: at(from),
        started_at: at(from),
        ended_at: at(from + 60),
        ..Run::default()
    }
}

fn job(run: &str, name: &str) -> Job {
    Job { job_key: key(name), run_key: key(run), name: name.to_owned(), has_log: true, ..Job::default() }
}

fn scope(job: &str, scope: &str, access: &str) -> TokenPermission {
    let (scope, access) = (scope.to_owned(), access.to_owned());
    TokenPermission { job_key: key(job), scope, access, ..TokenPermission::default() }
}

/// A handoff from a job to a run.
fn handoff(name: &str, parent: Option<&str>, child: Option<&str>, sent: i64) -> Handoff {
    Handoff {
        handoff_key: key(name),
        parent_job_key: parent.map(key),
        child_run_key: child.map(key),
        mechanism: "workflow_dispatch".to_owned(),
        credential_kind: "GITHUB_TOKEN".to_owned(),
        link_method: "explicit_id".to_owned(),
        confidence: 1.0,
        gate: "unknown".to_owned(),
        sent_at: at(sent),
        ..Handoff::default()
    }
}

fn approval(run: &str, own: bool, decided: i64) -> Approval {
    Approval {
        run_key: key(run),
        reviewer: Some("dog".to_owned()),
        reviewer_kind: "user".to_owned(),
        state: "approved".to_owned(),
        self_review: Some(own),
        decided_at: at(decided),
        ..Approval::default()
    }
}

fn used(job: &str, how: &str) -> IdentityUsed {
    IdentityUsed {
        job_key: Some(key(job)),
        identity_key: Some(key("role")),
        identity_kind: "aws_role".to_owned(),
        subject: Some("arn:aws:iam::1:role/deploy".to_owned()),
        how: how.to_owned(),
        access_key_id: Some("session-key".to_owned()),
        issued_at: at(15),
        confidence: 1.0,
        ..IdentityUsed::default()
    }
}

/// A push starts `ci`, whose job `build` dispatches `cd`, whose job `deploy` acts as a role.
fn chain() -> Evidence {
    Evidence {
        runs: vec![
            run("ci", "push", 0),
            Run { actor_kind: Some("bot".to_owned()), ..run("cd", "workflow_dispatch", 12) },
        ],
        jobs: vec![job("ci", "build"), job("cd", "deploy")],
        token_permissions: vec![scope("build", "contents", "read"), scope("deploy", "contents", "write")],
        handoffs: vec![handoff("h", Some("build"), Some("cd"), 10)],
        identities_used: vec![used("deploy", "oidc")],
        ..Evidence::default()
    }
}

fn scored(risk: f64) -> NhiScore {
    NhiScore { identity_key: key("role"), granted_risk: risk, ..NhiScore::default() }
}

fn walked_with(evidence: &Evidence, weights: &DelegationWeights) -> Delegation {
    let crossings = crate::handoffs::crossings(evidence, &Sides::of(evidence)).unwrap();
    let nhi_scores = [scored(80.0)];
    delegation(
        evidence,
        &Facts { crossings: &crossings, nhi_scores: &nhi_scores, weights, weights_hash: "w" },
    )
}

fn walked(evidence: &Evidence) -> Delegation {
    walked_with(evidence, Weights::builtin().delegation())
}

fn only(evidence: &Evidence) -> (DelegationPath, Vec<DelegationLink>) {
    let mut found = walked(evidence);
    assert_eq!(found.paths.len(), 1, "{:?}", found.paths);
    (found.paths.remove(0), found.links)
}

type Answer = fn(&DelegationPath, &[DelegationLink]) -> bool;

/// One path each.
fn scenarios() -> Vec<(&'static str, Evidence, Answer)> {
    let with = |change: fn(&mut Evidence)| {
        let mut evidence = chain();
        change(&mut evidence);
        evidence
    };
    vec![
        (
            "a push that ends in a role: trigger, handoff, credential; a person is the root and nothing outlives it",
            with(|_| ()),
            |path, links| {
                let kinds: Vec<&str> = links.iter().map(|link| link.kind.as_str()).collect();
                kinds == ["trigger", "handoff", "credential"]
                    && (path.root_kind.as_str(), path.root_actor.as_deref()) == ("human", Some("cat"))
                    && path.outlives_origin == Some(false)
                    && path.orphan == Some(false)
                    && path.identities == ["arn:aws:iam::1:role/deploy"]
                    && path.nodes == ["o/r ci", "o/r cd"]
                    && links[1].scope_change == "widened"
                    && links[1].elapsed_s == Some(10.0)
                    && (links[2].revalidated, links[2].revocable) == (Some(true), Some(true))
            },
        ),
        (
            "another person approves the child after it was sent: the handoff is re-validated",
            with(|e| e.approvals.push(approval("cd", false, 20))),
            |_, links| {
                (links[1].revalidated, links[1].revalidated_by.as_deref()) == (Some(true), Some("approval"))
            },
        ),
        (
            "near miss: the approval is older than the handoff, so it was given for something else",
            with(|e| e.approvals.push(approval("cd", false, 2))),
            |path, links| links[1].revalidated == Some(false) && path.weakest_link == Some(1),
        ),
        (
            "near miss: who caused the child approved it, which checks nothing",
            with(|e| e.approvals.push(approval("cd", true, 20))),
            |_, links| links[1].revalidated == Some(false),
        ),
        (
            "no reviews are on record: whether it was checked is unknown, and the bounds differ",
            with(|e| e.approvals.clear()),
            |path, links| {
                links[1].revalidated.is_none()
                    && path.dp_low < path.dp
                    && path.gaps.contains(&"no_revalidation".to_owned())
            },
        ),
        (
            "a condition that asks for the actor held: re-validated",
            with(|e| {
                e.jobs[1].condition = Some("github.actor == 'cat'".to_owned());
                e.jobs[1].condition_result = Some(true);
            }),
            |_, links| links[1].revalidated_by.as_deref() == Some("condition"),
        ),
        (
            "near miss: a condition that always holds asks for nobody",
            with(|e| {
                e.jobs[1].condition = Some("always()".to_owned());
                e.jobs[1].condition_result = Some(true);
            }),
            |_, links| links[1].revalidated.is_none(),
        ),
        (
            "a personal token sends it: it stays when its origin goes",
            with(|e| e.handoffs[0].credential_kind = "pat".to_owned()),
            |_, links| links[1].revocable == Some(false),
        ),
        (
            "a static key: not re-validated, not revocable, the weakest link",
            with(|e| e.identities_used[0].how = "static".to_owned()),
            |path, _| {
                path.weakest_reason.as_deref() == Some("not revalidated, not revocable")
                    && path.weakest_link == Some(2)
            },
        ),
        (
            "the parent was cancelled and the child went on: it outlives its origin",
            with(|e| e.runs[0].conclusion = Some("cancelled".to_owned())),
            |path, _| path.outlives_origin == Some(true),
        ),
        (
            "near miss: the parent was cancelled when the child had ended",
            with(|e| {
                e.runs[0].conclusion = Some("cancelled".to_owned());
                e.runs[0].ended_at = at(500);
            }),
            |path, _| path.outlives_origin == Some(false),
        ),
        (
            "how the parent ended is not on record: whether it was outlived is unknown",
            with(|e| e.runs[0].conclusion = None),
            |path, _| path.outlives_origin.is_none() && path.gaps.contains(&"no_conclusion".to_owned()),
        ),
        (
            "the root's approval lapsed a day before the session's last call",
            with(|e| {
                e.approvals.push(approval("ci", false, 0));
                e.activity.push(call("session-key", 90_000, false));
            }),
            |path, _| path.outlives_origin == Some(true) && path.resources == ["bucket"],
        ),
        (
            "the session was used after its job had ended, and was refused once",
            with(|e| {
                e.jobs[1].ended_at = at(70);
                e.activity.push(call("session-key", 100, true));
            }),
            |path, links| {
                path.outlives_reasons == ["arn:aws:iam::1:role/deploy was used after its job had ended"]
                    && (links[3].kind.as_str(), links[3].denied_calls) == ("activity", Some(3))
                    && path.resources.is_empty()
            },
        ),
        (
            "near miss: calls of another session of the same role are not this job's",
            with(|e| e.activity.push(call("other-key", 100, false))),
            |path, links| links.len() == 3 && path.resources.is_empty(),
        ),
        (
            "the child of the handoff is not known: the path is open, its end may hold anything",
            with(|e| {
                e.handoffs[0].child_run_key = None;
                e.runs.truncate(1);
                e.jobs.truncate(1);
                e.identities_used.clear();
            }),
            |path, links| {
                path.open
                    && links[1].privilege.is_none()
                    && path.dp_high > path.dp
                    && path.outlives_origin.is_none()
                    && path.gaps.contains(&"no_child".to_owned())
            },
        ),
        (
            "a program dispatched it and nobody knows whence: an orphan",
            with(|e| {
                e.runs.remove(0);
                e.jobs.remove(0);
                e.handoffs.clear();
            }),
            |path, _| (path.orphan, path.root_kind.as_str()) == (Some(true), "upstream"),
        ),
        (
            "near miss: a person dispatched it by hand, which needs no parent",
            with(|e| {
                e.runs.remove(0);
                e.jobs.remove(0);
                e.handoffs.clear();
                e.runs[0].actor_kind = Some("user".to_owned());
            }),
            |path, _| (path.orphan, path.root_kind.as_str()) == (Some(false), "human"),
        ),
        (
            "dispatched, but by whom is not on record: orphan or not is unknown",
            with(|e| {
                e.runs.remove(0);
                e.jobs.remove(0);
                e.handoffs.clear();
                e.runs[0].actor_kind = None;
            }),
            |path, _| path.orphan.is_none(),
        ),
        (
            "the audit log tells of a token that dispatched it: an orphan with a credential",
            with(|e| {
                e.runs.remove(0);
                e.jobs.remove(0);
                e.handoffs = vec![Handoff {
                    credential_kind: "pat".to_owned(),
                    ..handoff("audit", None, Some("cd"), 10)
                }];
            }),
            |path, links| {
                path.orphan == Some(true)
                    && (links[0].kind.as_str(), links[0].credential_kind.as_str()) == ("handoff", "pat")
                    && path.evidence.contains(&format!("handoffs:{}", key("audit")))
            },
        ),
        (
            "near miss: the log names the sender of that dispatch, so both rows are one link",
            with(|e| {
                e.handoffs[0].credential_kind = "unknown".to_owned();
                e.handoffs.push(Handoff {
                    credential_kind: "pat".to_owned(),
                    ..handoff("audit", None, Some("cd"), 10)
                });
            }),
            |path, links| {
                path.orphan == Some(false)
                    && links[1].credential_kind == "pat"
                    && links[1].evidence.len() == 2
            },
        ),
        (
            "a coding agent of GitHub pushed: an agent is the root",
            with(|e| e.runs[0].actor = Some("copilot-swe-agent[bot]".to_owned())),
            |path, links| {
                path.root_kind == "agent" && path.agents == ["copilot-swe-agent[bot]"] && links[0].agent
            },
        ),
        ("an agent calls another within a trace: both are agents on the path", agents(), |path, links| {
            path.agents == ["planner", "worker"]
                && (links[1].agent, links[1].actor_changed) == (true, Some(true))
                && path.orphan == Some(false)
        }),
        (
            "clocks differ by a second: no time has passed",
            with(|e| e.handoffs[0].sent_at = at(-1)),
            |_, links| links[1].elapsed_s == Some(0.0),
        ),
        (
            "near miss: clocks differ by a minute, so that no time can be told",
            with(|e| e.handoffs[0].sent_at = at(-60)),
            |path, links| links[1].elapsed_s.is_none() && path.gaps.contains(&"clock_skew".to_owned()),
        ),
    ]
}

fn call(session: &str, last: i64, denied: bool) -> Activity {
    Activity {
        identity_key: Some(key("role")),
        session: Some(session.to_owned()),
        action: "s3:GetObject".to_owned(),
        resource: Some("bucket".to_owned()),
        denied,
        calls: 3,
        first_at: at(16),
        last_at: at(last),
        ..Activity::default()
    }
}

/// A trace of OpenTelemetry: the agent `planner` calls the agent `worker`, which uses a tool.
fn agents() -> Evidence {
    let trace = Run {
        platform: "otel".to_owned(),
        actor: None,
        actor_kind: None,
        event: None,
        ..run("trace", "", 0)
    };
    let step = |job: &str, kind: &str| Step {
        step_key: key(kind),
        job_key: key(job),
        kind: kind.to_owned(),
        ..Step::default()
    };
    Evidence {
        runs: vec![trace],
        jobs: vec![job("trace", "planner"), job("trace", "worker")],
        steps: vec![step("planner", "model"), step("worker", "tool")],
        handoffs: vec![Handoff {
            child_job_key: Some(key("worker")),
            mechanism: "agent_call".to_owned(),
            ..handoff("call", Some("planner"), Some("trace"), 1)
        }],
        ..Evidence::default()
    }
}

#[test]
fn each_scenario_has_its_answer() {
    for (why, evidence, answer) in scenarios() {
        let (path, links) = only(&evidence);
        assert!(answer(&path, &links), "{why}\n{path:#?}\n{links:#?}");
        assert!(path.dp_low <= path.dp && path.dp <= path.dp_high, "{why}");
        assert!((0.0..=1.0).contains(&path.coverage), "{why}");
    }
}

#[test]
fn likely_parents_share_the_child() {
    let mut evidence = chain();
    evidence.runs.push(run("other", "push", 1));
    evidence.jobs.push(job("other", "twin"));
    evidence.handoffs.push(handoff("h2", Some("twin"), Some("cd"), 11));
    for row in &mut evidence.handoffs {
        row.link_method = "temporal".to_owned();
        row.confidence = 0.6;
    }
    let found = walked(&evidence);
    assert_eq!(found.paths.len(), 2);
    for path in &found.paths {
        assert!(path.ambiguous && (path.confidence - 0.3).abs() < 1e-9);
        assert!(path.gaps.contains(&"ambiguous_parent".to_owned()));
    }
}

#[test]
fn several_parents_that_are_certain_are_a_join_and_not_ambiguous() {
    let mut evidence = chain();
    evidence.jobs.push(job("ci", "test"));
    evidence.handoffs.push(handoff("h2", Some("test"), Some("cd"), 11));
    let found = walked(&evidence);
    assert_eq!(found.paths.len(), 2);
    assert!(found.paths.iter().all(|path| !path.ambiguous && path.confidence == 1.0));
}

#[test]
fn jobs_that_hand_nothing_on_end_a_path_of_their_own() {
    let mut evidence = chain();
    evidence.jobs.push(job("ci", "lint"));
    evidence
        .identities_used
        .push(IdentityUsed { subject: Some("lint-role".to_owned()), ..used("lint", "static") });
    let found = walked(&evidence);
    let ends: Vec<(i64, &[String])> =
        found.paths.iter().map(|path| (path.handoffs, path.identities.as_slice())).collect();
    assert_eq!(ends.len(), 2);
    assert!(ends.iter().any(|(handoffs, identities)| *handoffs == 0 && identities == &["lint-role"]));
}

#[test]
fn a_loop_of_runs_is_walked_once_and_said_to_be_one() {
    let mut evidence = chain();
    evidence.handoffs.push(handoff("back", Some("deploy"), Some("ci"), 20));
    let (path, _) = only(&evidence);
    assert!(path.cycle && path.root_kind == "cycle");
    assert_eq!((path.handoffs, path.root_run_key), (2, Some(key("ci"))));
}

#[test]
fn a_workflow_that_starts_itself_anew_is_a_cycle_too() {
    let mut evidence = chain();
    evidence.runs[0].workflow_path = Some("same.yml".to_owned());
    evidence.runs[1].workflow_path = Some("same.yml".to_owned());
    assert!(only(&evidence).0.cycle);
    evidence.runs[1].repo = Some("o/other".to_owned());
    assert!(!only(&evidence).0.cycle);
}

/// Layers of jobs, each handing to every job of the next: many paths.
fn layers(width: usize, depth: usize) -> Evidence {
    let mut evidence = Evidence { runs: vec![run("ci", "push", 0)], ..Evidence::default() };
    let name = |layer: usize, place: usize| format!("j{layer}-{place}");
    for layer in 0..depth {
        for place in 0..width {
            evidence.jobs.push(job("ci", &name(layer, place)));
            for next in (0..width).filter(|_| layer + 1 < depth) {
                evidence.handoffs.push(Handoff {
                    child_job_key: Some(key(&name(layer + 1, next))),
                    mechanism: "job_output".to_owned(),
                    credential_kind: "none".to_owned(),
                    ..handoff(&format!("h{layer}-{place}-{next}"), Some(&name(layer, place)), Some("ci"), 1)
                });
            }
        }
    }
    evidence
}

#[test]
fn very_many_paths_are_cut_and_the_cut_is_recorded() {
    let found = walked(&layers(4, 12));
    assert_eq!(found.paths.len(), Weights::builtin().delegation().max_paths);
    let cut: Vec<&EvidenceGap> = found.gaps.iter().filter(|gap| gap.gap == "too_many_paths").collect();
    assert_eq!((cut.len(), cut[0].subject_key), (1, key("ci")));
    assert_eq!(walked(&layers(2, 3)).paths.len(), 8);
    assert!(walked(&layers(2, 3)).gaps.iter().all(|gap| gap.gap != "too_many_paths"));
}

#[test]
fn a_path_beyond_the_limit_is_cut_and_says_so() {
    let weights = DelegationWeights { max_links: 3, ..Weights::builtin().delegation().clone() };
    let found = walked_with(&layers(1, 9), &weights);
    assert_eq!((found.paths.len(), found.paths[0].handoffs), (1, 3));
    assert!(found.paths[0].gaps.contains(&"too_long".to_owned()));
}

#[test]
fn links_continue_each_other_and_belong_to_a_path() {
    let found = walked(&layers(3, 4));
    let paths: BTreeSet<Key> = found.paths.iter().map(|path| path.path_key).collect();
    assert_eq!(paths.len(), found.paths.len(), "keys are distinct");
    for link in &found.links {
        assert!(paths.contains(&link.path_key));
        assert_eq!(link.after.is_none(), link.ordinal == 0);
        assert!(link.after.is_none_or(|after| after < link.ordinal));
    }
}

#[test]
fn nothing_gives_nothing() {
    assert_eq!(walked(&Evidence::default()), Delegation::default());
}

fn most(evidence: &Evidence) -> [f64; 3] {
    let found = walked(evidence);
    let of = |value: fn(&DelegationPath) -> f64| found.paths.iter().map(value).fold(0.0, f64::max);
    [of(|path| path.dp_low), of(|path| path.dp), of(|path| path.dp_high)]
}

/// Runs of one job each; dispatches lead from run to run, forward or back.
fn graph(edges: &[(usize, usize)], scopes: &[usize]) -> Evidence {
    let mut evidence = Evidence::default();
    for number in 0..6 {
        evidence.runs.push(run(&format!("r{number}"), "push", number * 10));
        evidence.jobs.push(job(&format!("r{number}"), &format!("j{number}")));
    }
    for (index, (from, to)) in edges.iter().enumerate() {
        let (from, to) = (format!("j{}", from % 6), format!("r{}", to % 6));
        evidence.handoffs.push(handoff(&format!("h{index}"), Some(&from), Some(&to), 5));
    }
    for number in scopes {
        evidence.token_permissions.push(scope(&format!("j{}", number % 6), "contents", "write"));
    }
    evidence
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn order_leaves_no_trace(edges in prop::collection::vec((0usize..6, 0usize..6), 0..9), scopes in prop::collection::vec(0usize..6, 0..6), turn in 0usize..9) {
        let forward = graph(&edges, &scopes);
        let mut other = forward.clone();
        other.runs.rotate_left(turn % 6);
        other.jobs.reverse();
        other.handoffs.reverse();
        other.token_permissions.reverse();
        prop_assert_eq!(walked(&forward), walked(&other));
    }

    #[test]
    fn every_known_handoff_is_on_a_path(edges in prop::collection::vec((0usize..6, 0usize..6), 0..9)) {
        let evidence = graph(&edges, &[]);
        let found = walked(&evidence);
        prop_assume!(found.gaps.iter().all(|gap| gap.gap != "too_many_paths"));
        let on_paths: BTreeSet<Key> = found.links.iter().flat_map(|link| link.evidence.iter()).filter_map(|text| Key::from_hex(text.strip_prefix("handoffs:")?)).collect();
        for row in &evidence.handoffs {
            prop_assert!(on_paths.contains(&row.handoff_key) || row.parent_job_key.is_none());
        }
    }

    #[test]
    fn checks_never_raise_and_privilege_never_lowers(edges in prop::collection::vec((0usize..6, 0usize..6), 1..7), scopes in prop::collection::vec(0usize..6, 0..6), target in 0usize..6, secret in 0usize..6) {
        let base = graph(&edges, &scopes);
        let before = most(&base);
        let mut checked = base.clone();
        checked.approvals.push(approval(&format!("r{target}"), false, 1000));
        for (after, before) in most(&checked).into_iter().zip(before).skip(1) {
            prop_assert!(after <= before + 1e-9);
        }
        let mut heavier = base.clone();
        heavier.secrets_passed.push(SecretPassed { job_key: Some(key(&format!("j{secret}"))), run_key: key(&format!("r{secret}")), name: "KEY".to_owned(), ..SecretPassed::default() });
        for (after, before) in most(&heavier).into_iter().zip(before) {
            prop_assert!(after >= before - 1e-9);
        }
    }
}
