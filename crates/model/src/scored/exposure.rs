//! Where a secret was exposed, to whom, and whether it still lives.

use crate::{Key, Timestamp};

crate::table! {
    /// One row per secret that was seen: where it occurs, who could read it, whether it lives.
    "secret_exposures" SecretExposure {
        /// The secret.
        secret_key: Key,
        /// First time it was seen.
        first_exposed_at: Option<Timestamp>,
        /// Last time it was seen.
        last_exposed_at: Option<Timestamp>,
        /// Sightings.
        sightings: i64,
        /// Distinct runs that show it.
        runs: i64,
        /// Distinct files that show it.
        sources: i64,
        /// Repositories whose runs show it.
        repos: Vec<String>,
        /// Workflows whose runs show it, as `repo workflow`.
        workflows: Vec<String>,
        /// Places, as in `secret_sightings.place`.
        places: Vec<String>,
        /// Variables, inputs and keys it was assigned to.
        names: Vec<String>,
        /// Handoffs that carried it on, by sighting or by fingerprint.
        handoffs: i64,
        /// Deployment environments of the jobs that show it.
        environments: Vec<String>,
        /// Whether it stands in production and elsewhere too; null where no environment is known.
        crosses_environment: Option<bool>,
        /// Who could read it, the widest: anyone (public), organisation (internal), repository (private), unknown.
        audience: String,
        /// The same if every unknown place were public.
        audience_high: String,
        /// run (every place's run tells its visibility), repository (other runs of the repository do), unknown.
        audience_from: String,
        /// Sightings in runs whose log was deleted since.
        deleted_logs: i64,
        /// Whether it was seen again in another run after it had been exposed.
        reused_after_exposure: Option<bool>,
        /// expired, revoked (at its provider), rotated (where it is stored; its old value may live on), alive, unknown.
        state: String,
        /// Why, in one phrase.
        state_reason: String,
        /// When it stopped (expiry, rotation); null if it did not or the time is not known.
        ended_at: Option<Timestamp>,
        /// Seconds from first exposure to its end, or to the last evidence while it is alive.
        exposed_s: Option<f64>,
        /// Whether the inventory shows use after the first exposure.
        used_after_exposure: Option<bool>,
        /// Latest time of any evidence: what `state` refers to.
        as_of: Option<Timestamp>,
        /// Rows that prove it, as `table:key`.
        evidence: Vec<String>,
        /// no_time, no_visibility, no_environment, no_expiry, no_inventory, several_credentials.
        gaps: Vec<String>,
    }
}
