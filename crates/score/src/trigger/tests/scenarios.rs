//! Scenarios of trigger decisions, each with the right answer and why.

use super::*;

pub(super) fn scenarios() -> Vec<Scenario> {
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
