//! Evidence of delegation paths for tests, and what single rows say.

mod laws;
mod scenarios;

use super::*;
use crate::Weights;
use crate::sides::Sides;
use leakgraph_model::Timestamp;
use leakgraph_model::scored::NhiScore;
use leakgraph_model::tables::{
    Activity, Approval, Handoff, IdentityUsed, Job, Run, SecretPassed, Step, TokenPermission,
};

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
        &Facts {
            index: &Index::of(evidence, &nhi_scores),
            crossings: &crossings,
            weights,
            weights_hash: "w",
        },
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
