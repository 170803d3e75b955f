//! Scenarios of delegation paths, each with the right answer and why.

use super::*;

/// One path each.
pub(super) fn scenarios() -> Vec<(&'static str, Evidence, Answer)> {
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

#[test]
fn each_scenario_has_its_answer() {
    for (why, evidence, answer) in scenarios() {
        let (path, links) = only(&evidence);
        assert!(answer(&path, &links), "{why}\n{path:#?}\n{links:#?}");
        assert!(path.dp_low <= path.dp && path.dp <= path.dp_high, "{why}");
        assert!((0.0..=1.0).contains(&path.coverage), "{why}");
    }
}
