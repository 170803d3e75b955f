//! What holds of execution boundaries whatever the evidence.

use super::scenarios::scenarios;
use proptest::prelude::*;

proptest! {
    #[test]
    fn more_code_and_more_material_never_lower(index in 0..scenarios().len()) {
        let case = || scenarios().swap_remove(index).1;
        let before = case().row();
        if case().evidence.steps.is_empty() {
            return Ok(());
        }
        let more = case().action("acme/more@main").bound("MORE", "with").row();
        prop_assert!(more.bc_low >= before.bc_low && more.bc_high >= before.bc_high, "{:?} {:?}", before, more);
        prop_assert!(more.bc.unwrap_or(100.0) >= before.bc.unwrap_or(0.0));
    }

    #[test]
    fn pinning_never_raises(index in 0..scenarios().len()) {
        let case = || scenarios().swap_remove(index).1;
        let mut pinned = case();
        for step in pinned.evidence.steps.iter_mut().filter(|step| step.pinned.as_deref() == Some("tag")) {
            step.pinned = Some("sha".to_owned());
        }
        let (before, after) = (case().row(), pinned.row());
        prop_assert!(after.bc_low <= before.bc_low && after.bc_high <= before.bc_high);
    }

    #[test]
    fn order_of_rows_leaves_no_trace(index in 0..scenarios().len()) {
        let case = || scenarios().swap_remove(index).1;
        let mut other = case();
        other.evidence.steps.reverse();
        other.evidence.bindings.reverse();
        other.evidence.secrets_passed.extend(other.evidence.secrets_passed.clone());
        other.evidence.secrets_passed.reverse();
        other.evidence.token_permissions.reverse();
        prop_assert_eq!(case().row(), other.row());
    }
}
