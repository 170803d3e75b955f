//! Scenarios of triggers, each with the right answer and why.

use super::*;
use leakgraph_model::tables::{
    Approval, Handoff, Identity, IdentityUsed, SecretPassed, TokenPermission, Trigger, WorkflowDefinition,
    identity_key,
};
use leakgraph_model::{Evidence, Timestamp};
use proptest::prelude::*;

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

fn scenarios() -> Vec<Scenario> {
    vec![
        (
            "another person approved the only job after the run was made",
            Case::new("workflow_dispatch", "dev").approval("boss", at(30)),
            "APPROVED",
            &[],
            &[],
        ),
        (
            "who dispatched it approved it, too",
            Case::new("workflow_dispatch", "dev").approval("Dev", at(30)),
            "SELF",
            &["self_review"],
            &[],
        ),
        (
            "the one who re-ran it approved it: the first actor does not matter",
            Case::new("workflow_dispatch", "dev")
                .run(|run| run.triggering_actor = Some("boss".to_owned()))
                .approval("boss", at(30)),
            "SELF",
            &["rerun_by_other", "self_review"],
            &[],
        ),
        (
            "near miss: re-run by another, approved by a third",
            Case::new("workflow_dispatch", "dev")
                .run(|run| run.triggering_actor = Some("ops".to_owned()))
                .approval("boss", at(30)),
            "APPROVED",
            &["rerun_by_other"],
            &[],
        ),
        (
            "approved before the run was made: stale, so the dispatch alone decided",
            Case::new("workflow_dispatch", "dev").approval("boss", at(-3600)),
            "SELF",
            &["stale_approval"],
            &[],
        ),
        (
            "near miss: approved a second before, which is the clocks' difference",
            Case::new("workflow_dispatch", "dev").approval("boss", at(-1)),
            "APPROVED",
            &[],
            &[],
        ),
        (
            "the second attempt began after the only approval: replayed",
            Case::new("workflow_dispatch", "dev")
                .run(|run| (run.attempt, run.started_at) = (Some(2), at(7200)))
                .approval("boss", at(30)),
            "SELF",
            &["replayed_approval"],
            &[],
        ),
        (
            "an approval without a reviewer proves nothing",
            Case::new("workflow_dispatch", "dev").approval("", at(30)),
            "UNKNOWN",
            &[],
            &["no_reviewer"],
        ),
        (
            "a bot's approval of a bot's run is no person's",
            Case::new("workflow_dispatch", "ship[bot]").approval("gate[bot]", at(30)),
            "MACHINE",
            &["bot_approval"],
            &[],
        ),
        (
            "the review guards another environment than the job's",
            Case::new("workflow_dispatch", "dev").environment(&[]).approval("boss", at(30)).job(|job| {
                job.environment = Some("staging".to_owned());
            }),
            "SELF",
            &[],
            &["no_approvals"],
        ),
        (
            "two jobs, and which of them the review guards is not on record",
            {
                let mut case = Case::new("workflow_dispatch", "dev").approval("boss", at(30));
                case.evidence.jobs.push(Job { job_key: key("build"), run_key: key("run"), ..Job::default() });
                case
            },
            "UNKNOWN",
            &[],
            &["no_environment"],
        ),
        (
            "the environment asks for a review and none is on record: perhaps there was one",
            Case::new("schedule", "dev").environment(&["required_reviewers=1"]),
            "UNKNOWN",
            &["gate_without_review"],
            &["no_approvals"],
        ),
        (
            "only protected branches may deploy there",
            Case::new("push", "dev").environment(&["branch_policy=protected"]),
            "POLICY",
            &[],
            &[],
        ),
        (
            "near miss: the environment has no branch policy",
            Case::new("push", "dev").environment(&["branch_policy=none"]),
            "UNKNOWN",
            &[],
            &["no_branch_rules"],
        ),
        (
            "a schedule, and the file names no environment",
            Case::new("schedule", "dev").definition(None, None),
            "TIME_ONLY",
            &[],
            &[],
        ),
        (
            "a schedule; whether an environment guards the job is not on record",
            Case::new("schedule", "dev"),
            "TIME_ONLY",
            &[],
            &["no_approvals"],
        ),
        ("a bot dispatched it", Case::new("workflow_dispatch", "ship[bot]"), "MACHINE", &[], &[]),
        (
            "another run dispatched it with its token",
            Case::new("workflow_dispatch", "dev")
                .parent("workflow_dispatch", 1.0, |run| run.event = Some("push".to_owned())),
            "MACHINE",
            &[],
            &[],
        ),
        (
            "near miss: the link to the other run is a guess",
            Case::new("workflow_dispatch", "dev").parent("workflow_dispatch", 0.3, |_| {}),
            "SELF",
            &[],
            &[],
        ),
        (
            "workflow_run after the run of a fork: outsiders feed it",
            Case::new("workflow_run", "dev").parent("workflow_run", 1.0, |run| run.from_fork = Some(true)),
            "UNTRUSTED",
            &[],
            &["no_approvals"],
        ),
        (
            "near miss: workflow_run after a run of the repository's own branch",
            Case::new("workflow_run", "dev").parent("workflow_run", 1.0, |run| run.from_fork = Some(false)),
            "MACHINE",
            &[],
            &[],
        ),
        ("a comment starts it", Case::new("issue_comment", "anyone"), "UNTRUSTED", &[], &["no_condition"]),
        (
            "a comment starts it, of a member",
            Case::new("issue_comment", "anyone")
                .condition("contains('OWNER MEMBER', github.event.comment.author_association)"),
            "CONDITION_ONLY",
            &[],
            &[],
        ),
        (
            "near miss: the condition asks what was written, not who wrote it",
            Case::new("issue_comment", "anyone").condition("contains(github.event.comment.body, '/deploy')"),
            "UNTRUSTED",
            &[],
            &[],
        ),
        (
            "a fork's change, and another person approved it",
            Case::new("pull_request", "anyone")
                .run(|run| run.from_fork = Some(true))
                .approval("boss", at(30)),
            "APPROVED",
            &[],
            &[],
        ),
        (
            "a branch policy does not stop outsiders: pull_request_target runs at the base",
            Case::new("pull_request_target", "anyone")
                .run(|run| run.from_fork = Some(true))
                .environment(&["branch_policy=protected"]),
            "UNTRUSTED",
            &[],
            &[],
        ),
        ("an unmerged change of one's own branch", Case::new("pull_request", "dev"), "SELF", &[], &[]),
        (
            "a push, and the job asked for the branch",
            Case::new("push", "dev").condition("(success() && (github.ref == 'refs/heads/main'))"),
            "CONDITION_ONLY",
            &[],
            &[],
        ),
        (
            "a push; the condition is what every job has",
            Case::new("push", "dev").condition("success()"),
            "UNKNOWN",
            &[],
            &["no_branch_rules"],
        ),
        (
            "a push; the condition is true whatever happens",
            Case::new("push", "dev").condition("always()"),
            "UNKNOWN",
            &["condition_always_true"],
            &["no_branch_rules"],
        ),
        ("a merge queue", Case::new("merge_group", "dev"), "POLICY", &[], &[]),
        ("nothing but a log", Case::new("", ""), "UNKNOWN", &[], &["no_event"]),
        ("an event without an actor", Case::new("push", ""), "UNKNOWN", &[], &["no_actor"]),
    ]
}

#[test]
fn each_scenario_has_its_answer() {
    for (why, case, class, checks, gaps) in scenarios() {
        let row = case.deploy();
        assert_eq!(row.class, class, "{why}: {row:#?}");
        assert_eq!(row.checks, checks, "{why}");
        for gap in gaps {
            assert!(row.gaps.iter().any(|other| other == gap), "{why}: {gap} in {:?}", row.gaps);
        }
        assert_eq!(row.tp.is_none(), class == "UNKNOWN", "{why}");
        let tp = row.tp.unwrap_or(row.tp_low);
        assert!(row.tp_low <= tp && tp <= row.tp_high, "{why}: {row:?}");
        assert!(!row.reasons.is_empty() && row.evidence.contains(&format!("runs:{}", key("run"))), "{why}");
    }
}

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

proptest! {
    #[test]
    fn a_review_never_raises_and_a_secret_never_lowers(index in 0..scenarios().len(), who in 0..3_usize) {
        let case = || scenarios().swap_remove(index).1;
        let before = case().deploy();
        let reviewer = ["boss", "dev", ""][who];
        let reviewed = case().approval(reviewer, at(50)).deploy();
        prop_assert!(reviewed.tp_high <= before.tp_high + 1e-9, "{} {:?} {:?}", reviewer, before, reviewed);
        if let (Some(before), Some(after)) = (before.tp, reviewed.tp) {
            prop_assert!(after <= before + 1e-9);
        }
        let more = case().readonly().deploy();
        let secret = case().readonly().secret("MORE").deploy();
        prop_assert!(secret.tp_low >= more.tp_low && secret.tp_high >= more.tp_high && secret.tp >= more.tp);
    }

    #[test]
    fn order_and_repetition_of_rows_leave_no_trace(index in 0..scenarios().len(), seed in any::<u64>()) {
        let case = || scenarios().swap_remove(index).1;
        let mut other = case();
        let evidence = &mut other.evidence;
        let turn = |len: usize| if len == 0 { 0 } else { usize::try_from(seed % len as u64).unwrap() };
        evidence.approvals.extend(evidence.approvals.clone());
        evidence.triggers.extend(evidence.triggers.clone());
        evidence.secrets_passed.extend(evidence.secrets_passed.clone());
        evidence.token_permissions.extend(evidence.token_permissions.clone());
        let at = turn(evidence.runs.len());
        evidence.runs.rotate_left(at);
        let at = turn(evidence.jobs.len());
        evidence.jobs.rotate_left(at);
        evidence.handoffs.reverse();
        evidence.triggers.reverse();
        prop_assert_eq!(case().rows(), other.rows());
    }
}
