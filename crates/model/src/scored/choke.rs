//! What to cut first.

use crate::Key;

crate::table! {
    /// One row per handoff, grant or secret whose removal lowers total exposure most, in the
    /// order in which to cut them: each row takes those before it as cut. Total exposure is
    /// the sum of `BR = Σσ·2^-d` over every job and every secret that was seen; of a very large
    /// graph, over an even sample of them, scaled up.
    "choke_points" ChokePoint {
        /// Key of (kind, source, target): what `cut --remove` and `--harden` take.
        choke_key: Key,
        /// From 1.
        rank: i64,
        /// handoff, trust (one identity becomes another), grant (an identity's permission), secret.
        kind: String,
        /// Node that controls; of a secret, the secret itself.
        source: String,
        /// Node that is controlled; of a secret, what it opens.
        target: String,
        /// Total exposure before this cut.
        exposure_before: f64,
        /// Total exposure after it.
        exposure_after: f64,
        /// What it takes off the exposure of the uncut graph, in per cent.
        reduction: f64,
        /// What the same cut alone takes off, in per cent.
        reduction_alone: f64,
        /// What one more check on it alone takes off, in per cent; null for secrets and grants, which have none.
        reduction_hardened: Option<f64>,
        /// Jobs and secrets whose reach it shortens.
        entries: i64,
        /// Rows it rests on, as `table:key`.
        evidence: Vec<String>,
        /// Hash of the weights that were used.
        weights_hash: String,
    }
}
