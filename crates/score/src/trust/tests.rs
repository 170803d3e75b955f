//! Evidence of trust in workflows for tests, and what single rows say.

mod laws;
mod scenarios;

use super::*;
use crate::Weights;
use crate::sides::Sides;
use leakgraph_model::Timestamp;
use leakgraph_model::tables::{
    Approval, Credential, Handoff, IdentityUsed, Job, Problem, Secret, SecretPassed, SecretSighting,
    SourceFile, Step, TokenPermission, WorkflowDefinition,
};

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
    let index = crate::index::Index::of(&world.evidence, &world.scores);
    let facts = Facts {
        index: &index,
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
            &Facts {
                index: &crate::index::Index::of(&Evidence::default(), &[]),
                crossings: &HashMap::new(),
                nhi_scores: &[],
                exposures: &[],
                orphans: &HashSet::new(),
                classes: &Classes::default(),
                weights: Weights::builtin().trust(),
                weights_hash: "w",
            },
        )
        .0
        .is_empty()
    );
}

/// Worse is greater.
fn badness(state: &str) -> u8 {
    match state {
        "pass" => 0,
        "unknown" => 1,
        _ => 2,
    }
}
