//! What holds of delegation paths whatever the evidence.

use super::*;
use proptest::prelude::*;

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
