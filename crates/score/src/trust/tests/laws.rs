//! What holds of trust in workflows whatever the evidence.

use super::scenarios::scenarios;
use super::*;
use proptest::prelude::*;

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
