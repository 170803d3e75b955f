//! Evidence of trigger decisions for tests, and what single rows say.

mod laws;
mod scenarios;

use super::*;
use leakgraph_model::tables::{
    Approval, Handoff, Identity, IdentityUsed, SecretPassed, TokenPermission, Trigger, WorkflowDefinition,
    identity_key,
};
use leakgraph_model::{Evidence, Timestamp};

fn key(name: &str) -> Key {
    Key::of("test", &[name])
}

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp::from_seconds(1_000_000 + seconds))
}

/// A run `run` with one job `deploy` that may write packages and is given a secret.
struct Case {
    evidence: Evidence,
}

impl Case {
    fn new(event: &str, actor: &str) -> Self {
        let mut case = Self { evidence: Evidence::default() };
        case.add_run("run", event, actor);
        case.evidence.jobs.push(Job {
            job_key: key("deploy"),
            run_key: key("run"),
            name: "deploy".to_owned(),
            has_log: true,
            started_at: at(60),
            ..Job::default()
        });
        case.permission("packages", "write").secret("KEY")
    }

    fn add_run(&mut self, name: &str, event: &str, actor: &str) {
        self.evidence.runs.push(Run {
            run_key: key(name),
            platform: "github".to_owned(),
            repo: Some("o/r".to_owned()),
            platform_run_id: Some(name.to_owned()),
            attempt: Some(1),
            workflow_name: Some("CD".to_owned()),
            workflow_path: Some(".github/workflows/cd.yml".to_owned()),
            event: (!event.is_empty()).then(|| event.to_owned()),
            actor: (!actor.is_empty()).then(|| actor.to_owned()),
            actor_kind: Some(
                if actor.ends_with("[bot]") {
                    "bot"
                } else if actor.is_empty() {
                    "unknown"
                } else {
                    "user"
                }
                .to_owned(),
            ),
            created_at: at(0),
            started_at: at(0),
            ..Run::default()
        });
    }

    fn run(mut self, change: impl FnOnce(&mut Run)) -> Self {
        change(&mut self.evidence.runs[0]);
        self
    }

    fn job(mut self, change: impl FnOnce(&mut Job)) -> Self {
        change(&mut self.evidence.jobs[0]);
        self
    }

    fn permission(mut self, scope: &str, access: &str) -> Self {
        self.evidence.token_permissions.push(TokenPermission {
            job_key: key("deploy"),
            scope: scope.to_owned(),
            access: access.to_owned(),
            evidence: "log".to_owned(),
            ..TokenPermission::default()
        });
        self
    }

    fn secret(mut self, name: &str) -> Self {
        self.evidence.secrets_passed.push(SecretPassed {
            job_key: Some(key("deploy")),
            run_key: key("run"),
            name: name.to_owned(),
            how: "binding".to_owned(),
            ..SecretPassed::default()
        });
        self
    }

    fn readonly(mut self) -> Self {
        self.evidence.secrets_passed.clear();
        self.evidence.token_permissions.clear();
        self.permission("contents", "read")
    }

    fn approval(mut self, reviewer: &str, decided: Option<Timestamp>) -> Self {
        self.evidence.approvals.push(Approval {
            run_key: key("run"),
            environment: Some("production".to_owned()),
            reviewer: (!reviewer.is_empty()).then(|| reviewer.to_owned()),
            reviewer_kind: if reviewer.ends_with("[bot]") { "bot" } else { "user" }.to_owned(),
            state: "approved".to_owned(),
            decided_at: decided,
            ..Approval::default()
        });
        self
    }

    fn condition(mut self, text: &str) -> Self {
        self.evidence.triggers.push(Trigger {
            run_key: key("run"),
            job_key: Some(key("deploy")),
            kind: "condition".to_owned(),
            condition: Some(text.to_owned()),
            result: Some(true),
            ..Trigger::default()
        });
        self
    }

    fn environment(mut self, tags: &[&str]) -> Self {
        self.evidence.identities.push(Identity {
            identity_key: identity_key("github", "env:o/r/production"),
            platform: "github".to_owned(),
            kind: "environment".to_owned(),
            name: "production".to_owned(),
            native_id: "env:o/r/production".to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..Identity::default()
        });
        self.job(|job| job.environment = Some("production".to_owned()))
    }

    fn definition(mut self, environment: Option<&str>, condition: Option<&str>) -> Self {
        self.evidence.workflow_definitions.push(WorkflowDefinition {
            definition_key: key("definition"),
            repo: Some("O/R".to_owned()),
            path: Some(".github/workflows/cd.yml".to_owned()),
            job_id: Some("deploy".to_owned()),
            environment: environment.map(str::to_owned),
            condition: condition.map(str::to_owned),
            permissions_from: "default".to_owned(),
            ..WorkflowDefinition::default()
        });
        self
    }

    fn parent(mut self, mechanism: &str, confidence: f64, change: impl FnOnce(&mut Run)) -> Self {
        self.add_run("parent", "pull_request", "dev");
        change(&mut self.evidence.runs[1]);
        self.evidence.handoffs.push(Handoff {
            handoff_key: key("handoff"),
            parent_run_key: Some(key("parent")),
            child_run_key: Some(key("run")),
            mechanism: mechanism.to_owned(),
            credential_kind: "GITHUB_TOKEN".to_owned(),
            confidence,
            ..Handoff::default()
        });
        self
    }

    fn rows(&self) -> Vec<TriggerDecision> {
        decisions(&Index::of(&self.evidence, &[]), &Weights::builtin())
    }

    fn deploy(&self) -> TriggerDecision {
        self.rows().into_iter().find(|row| row.job_key == Some(key("deploy"))).unwrap()
    }
}

/// What a scenario says, its case, the class, the checks and the gaps that must be named.
type Scenario = (&'static str, Case, &'static str, &'static [&'static str], &'static [&'static str]);

#[test]
fn the_score_is_privilege_times_weakness() {
    let row = Case::new("workflow_dispatch", "ship[bot]").definition(None, None).deploy();
    // packages:write weighs 0.6, a machine's decision 0.2; the secret may open anything.
    assert_eq!((row.privilege, row.privilege_high, row.secrets), (Some(0.6), 1.0, 1));
    assert!((row.tp.unwrap() - 48.0).abs() < 1e-9 && (row.tp_low - 48.0).abs() < 1e-9);
    assert!((row.tp_high - 80.0).abs() < 1e-9);
    assert_eq!((row.holds_privilege, row.lag_s), (Some(true), Some(60.0)));
}

#[test]
fn reading_alone_is_no_privilege_and_silence_is_no_proof() {
    let read = Case::new("schedule", "dev").readonly().deploy();
    assert_eq!((read.holds_privilege, read.privilege), (Some(false), Some(0.2)));
    let mut silent = Case::new("schedule", "dev").readonly();
    silent.evidence.token_permissions.clear();
    silent.evidence.jobs[0].has_log = false;
    let silent = silent.deploy();
    assert_eq!((silent.holds_privilege, silent.privilege, silent.tp), (None, None, None));
    assert_eq!((silent.tp_low, silent.tp_high), (0.0, 80.0));
    assert!(["no_permissions", "no_secrets"].iter().all(|gap| silent.gaps.iter().any(|other| other == gap)));
}

#[test]
fn production_raises_what_a_write_weighs() {
    let row = Case::new("schedule", "dev").environment(&[]).deploy();
    assert_eq!(row.privilege, Some(0.8));
}

#[test]
fn jobs_that_did_not_start_had_no_decision() {
    let skipped = Case::new("push", "dev").job(|job| job.conclusion = Some("skipped".to_owned()));
    assert_eq!(skipped.rows().len(), 1);
    let refused = Case::new("push", "dev").job(|job| job.condition_result = Some(false));
    assert_eq!(refused.rows().len(), 1);
}

#[test]
fn identities_are_held_against_the_inventory() {
    let role = "arn:aws:iam::111122223333:role/deploy";
    let used = |account: &str| IdentityUsed {
        job_key: Some(key("deploy")),
        identity_key: Some(identity_key("aws", role)),
        how: "oidc".to_owned(),
        account: Some(account.to_owned()),
        ..IdentityUsed::default()
    };
    let known = |native: &str, name: &str, status: &str| Identity {
        identity_key: identity_key("aws", native),
        platform: if native.starts_with("arn") { "aws" } else { "github" }.to_owned(),
        kind: "role".to_owned(),
        name: name.to_owned(),
        native_id: native.to_owned(),
        status: status.to_owned(),
        ..Identity::default()
    };
    let state = |identities: Vec<Identity>, account: &str| {
        let mut case = Case::new("workflow_dispatch", "ship[bot]");
        case.evidence.identities_used.push(used(account));
        case.evidence.identities = identities;
        case.deploy().identity_state
    };
    let app = || known("app:ship", "ship", "enabled");
    assert_eq!(state(vec![app(), known(role, "deploy", "enabled")], "111122223333"), "approved");
    assert_eq!(state(vec![app(), known(role, "deploy", "disabled")], "111122223333"), "disabled");
    let other = "arn:aws:iam::111122223333:role/other";
    assert_eq!(state(vec![app(), known(other, "other", "enabled")], "111122223333"), "unregistered");
    assert_eq!(state(vec![app()], "111122223333"), "unknown");
}

#[test]
fn the_runs_own_row_tells_of_the_start() {
    let case = Case::new("workflow_dispatch", "dev").approval("boss", at(30));
    let row = case.rows().into_iter().find(|row| row.job_key.is_none()).unwrap();
    // The review guards an environment, and that is a matter of the job.
    assert_eq!((row.class.as_str(), row.privilege), ("SELF", Some(0.6)));
    assert_eq!(row.subject, "o/r CD / *");
}
