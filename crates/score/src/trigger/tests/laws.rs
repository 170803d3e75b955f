//! What holds of trigger decisions whatever the evidence.

use super::scenarios::scenarios;
use super::*;
use proptest::prelude::*;

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
