//! The scored tables: what leakgraph concludes.

mod boundary;
mod choke;
mod delegation;
mod exposure;
mod holding;
mod lifecycle;
mod privilege;
mod reach;
mod trigger;
mod trust;
mod weight;

pub use boundary::BoundaryCrossing;
pub use choke::ChokePoint;
pub use delegation::{DelegationLink, DelegationPath};
pub use exposure::SecretExposure;
pub use holding::{BoundaryStep, JobHolding};
pub use lifecycle::NhiLifecycle;
pub use privilege::{NhiUsage, PrivilegePart, PrivilegeTotal, TokenScore};
pub use reach::{ReachEdge, ReachNode};
pub use trigger::TriggerDecision;
pub use trust::WorkflowTrust;
pub use weight::{CatalogAction, ScoreWeight};

use crate::table::{Row, TableDoc};
use crate::tables::EvidenceGap;
use crate::{Key, Timestamp};

crate::table! {
    /// One row per NHI: what it may do that it never does.
    "nhi_scores" NhiScore {
        /// The identity.
        identity_key: Key,
        /// Natural id, for reading.
        identity: String,
        /// Excess privilege, 0 to 100; null without usage evidence.
        excess: Option<f64>,
        /// Lower bound: what cannot be observed counts as needed, what is only perhaps allowed as not allowed.
        excess_low: Option<f64>,
        /// Upper bound: what cannot be observed counts as unneeded, what is perhaps allowed as allowed.
        excess_high: Option<f64>,
        /// Granted risk: score of everything that is or may be granted, as if nothing were used.
        granted_risk: f64,
        /// The same of what is surely granted.
        granted_low: f64,
        /// Share of the class mass that usage evidence can see, 0 to 1.
        coverage: f64,
        /// none; service (services that were used are known); action (actions are known, but not those of data events or reads); observed (these too).
        usage: String,
        /// What the usage rests on: cloudtrail, last_accessed, access_analyzer, audit, inventory (a time of last use), …
        usage_sources: Vec<String>,
        /// First time of the usage evidence.
        window_from: Option<Timestamp>,
        /// Last time of the usage evidence.
        window_to: Option<Timestamp>,
        /// Days of usage evidence.
        window_days: Option<f64>,
        /// Whether it was idle all of the window: then `excess` is that of all grants. Null if that cannot be known.
        inactive: Option<bool>,
        /// Actions surely allowed.
        actions_must: i64,
        /// Actions perhaps allowed.
        actions_may: i64,
        /// Allowed actions that were used.
        actions_used: i64,
        /// Actions that were tried and only ever refused: no use, perhaps probing.
        denied: Vec<String>,
        /// low (0–33), medium (34–66), high (67–100); of the lower bound where there is usage, else of `granted_low`; unknown where no catalog knows what it is granted.
        band: String,
        /// Contribution of each class, as `ESC=41.2` in per cent.
        classes: Vec<String>,
        /// The heaviest unused grants, as `iam:PassRole`.
        top_grants: Vec<String>,
        /// Statements that give the top grants, as `grants:key`.
        evidence: Vec<String>,
        /// Blast radius of the identity itself, 0 to 100.
        blast: Option<f64>,
        /// Hash of the weights that were used.
        weights_hash: String,
    }
}

crate::table! {
    /// One row per handoff: identity, what changed hands, and reach.
    "handoff_scores" HandoffScore {
        /// The handoff.
        handoff_key: Key,
        /// Parent as `repo workflow / job`.
        parent: String,
        /// Child as `repo workflow / job`.
        child: String,
        /// Mechanism of the handoff.
        mechanism: String,
        /// inherited, narrowed, own, ambient, widened, unknown.
        identity_mode: String,
        /// Scopes the child has and the parent had not.
        permissions_added: Vec<String>,
        /// Scopes the parent had and the child has not.
        permissions_dropped: Vec<String>,
        /// Secret names both received.
        secrets_shared: Vec<String>,
        /// Secret names only the child received.
        secrets_added: Vec<String>,
        /// Secret names only the parent received.
        secrets_dropped: Vec<String>,
        /// Identities both sides acted as.
        identities_shared: Vec<String>,
        /// Inputs that carry a secret value.
        secrets_forwarded: i64,
        /// Those inputs as `TOKEN=value`: value (the fingerprint is that of a known secret), encoded:CHAIN, detected (by a rule), masked, token_like. Names the child inherited as `TOKEN=inherited`; they carry no value of their own and do not count above.
        forwarded: Vec<String>,
        /// Inputs whose class is closed (bool, enum, ref, version), of all inputs.
        inputs_validated: Option<f64>,
        /// pass, fail, unknown: the rule "dedicated identity, every input and secret validated".
        verdict: String,
        /// Why, one phrase each.
        verdict_reasons: Vec<String>,
        /// Blast radius 0 to 100 with the evidence at hand.
        blast: f64,
        /// Lower bound: only observed edges, unknown links left out.
        blast_low: f64,
        /// Upper bound: every unknown link taken as unconditional.
        blast_high: f64,
        /// What this handoff adds to the parent's reach, 0 to 100: the parent's score less its score without this handoff. Null where no parent is known, and beyond the thousand largest of a graph too large to search for each.
        expansion: Option<f64>,
        /// Share of all sensitivity within reach whatever the checks on the way, 0 to 100; null as `expansion`.
        impact: Option<f64>,
        /// Standard error of `blast` where the reach of a very large graph was estimated; else 0.
        blast_error: f64,
        /// Identities in reach; null beyond the thousand largest of a very large graph.
        reached_identities: Option<i64>,
        /// Resources and secrets in reach; null likewise.
        reached_resources: Option<i64>,
        /// Jobs that run because of it, over all further handoffs.
        descendants: i64,
        /// Re-validations with evidence: identity, scope, approval, freshness.
        checks: Vec<String>,
        /// The heaviest class of action in reach, by its ceiling, 0 to 1; null where the child is unknown.
        factor_privilege: Option<f64>,
        /// Resources in reach of all resources, logarithmic, 0 to 1; null where the child is unknown.
        factor_breadth: Option<f64>,
        /// The longest life among the credentials that the handoff and what follows use, 0 to 1; null without any.
        factor_persistence: Option<f64>,
        /// The worst exposure of a secret on the handoff and in what follows, 0 to 1; null without logs and inputs.
        factor_exposure: Option<f64>,
        /// What the child has more than the parent, 0 to 1; null where the permissions of a side are unknown.
        factor_widening: Option<f64>,
        /// How long the chain of handoffs below it is, `1 − 0.7^length`; null where the child is unknown.
        factor_depth: Option<f64>,
        /// What the controls with evidence leave of the risk, 0 to 1.
        control_factor: f64,
        /// Those controls: approval, pinned_child, closed_inputs, own_identity.
        controls: Vec<String>,
        /// Rows it rests on, as `table:key`.
        evidence: Vec<String>,
        /// Cheapest path to the heaviest target, node labels in order.
        top_path: Vec<String>,
        /// Label of the heaviest target.
        top_target: Option<String>,
        /// Share of the evidence questions that could be answered, 0 to 1.
        coverage: f64,
        /// Hash of the weights that were used.
        weights_hash: String,
    }
}

crate::table! {
    /// One row per secret: what it opens.
    "secret_scores" SecretScore {
        /// The secret.
        secret_key: Key,
        /// Identities it authenticates or that received it by name.
        identities: Vec<String>,
        /// Blast radius 0 to 100; null where nothing is known of whose it is.
        blast: Option<f64>,
        /// Lower bound.
        blast_low: Option<f64>,
        /// Upper bound.
        blast_high: Option<f64>,
        /// Cheapest path to the heaviest target.
        top_path: Vec<String>,
        /// Hash of the weights that were used.
        weights_hash: String,
    }
}

crate::table! {
    /// One row per thing that is wrong, as an audit query found it.
    "findings" Finding {
        /// Key of (kind, subject, object).
        finding_key: Key,
        /// Finding kind, as in `finding_kinds`.
        kind: String,
        /// info … critical.
        severity: String,
        /// verified-structure/likely/possible for secrets, else high/medium/low.
        confidence: String,
        /// What is affected, for reading.
        subject: String,
        /// Key of the subject.
        subject_key: Option<Key>,
        /// What it concerns (the secret, the role, the child), for reading.
        object: Option<String>,
        /// One sentence.
        message: String,
        /// Rows that prove it, as `table:key`.
        evidence: Vec<String>,
        /// What was missing to be sure, if anything.
        gap: Option<String>,
        /// Score that ranks findings of one severity, 0 to 100.
        rank_score: Option<f64>,
        /// First time the evidence shows it.
        first_seen_at: Option<Timestamp>,
    }
}

crate::table! {
    /// One row per kind of finding: whether its evidence was there and what its audit gave.
    "audit_runs" AuditRun {
        /// Finding kind.
        kind: String,
        /// assessed, not_assessed.
        status: String,
        /// Why it was not assessed, and which evidence it needs.
        reason: Option<String>,
        /// Findings it gave.
        findings: i64,
    }
}

crate::table! {
    /// One row per piece of evidence a score lacked, and what that costs.
    "score_gaps" ScoreGap {
        /// What lacks it.
        subject_key: Key,
        /// Table of the subject.
        subject_table: String,
        /// excess_privilege, blast_radius, handoff_identity, …
        analytic: String,
        /// no_child, no_permissions, no_usage, no_inventory, unknown_boundary, …; of excess_privilege also unrecorded_calls, no_data_events, service_level_usage, short_window, unknown_actions.
        gap: String,
        /// lower_bound_only, upper_bound_only, not_computed.
        effect: String,
    }
}

impl From<EvidenceGap> for ScoreGap {
    fn from(gap: EvidenceGap) -> Self {
        let EvidenceGap { subject_key, subject_table, analytic, gap, effect } = gap;
        Self { subject_key, subject_table, analytic, gap, effect }
    }
}

/// Documentation and schema of every scored table.
pub const TABLES: &[TableDoc] = &[
    NhiScore::TABLE,
    NhiUsage::TABLE,
    TokenScore::TABLE,
    PrivilegePart::TABLE,
    PrivilegeTotal::TABLE,
    NhiLifecycle::TABLE,
    HandoffScore::TABLE,
    SecretScore::TABLE,
    ReachNode::TABLE,
    ReachEdge::TABLE,
    ChokePoint::TABLE,
    TriggerDecision::TABLE,
    JobHolding::TABLE,
    BoundaryStep::TABLE,
    BoundaryCrossing::TABLE,
    Finding::TABLE,
    AuditRun::TABLE,
    ScoreGap::TABLE,
    DelegationPath::TABLE,
    DelegationLink::TABLE,
    WorkflowTrust::TABLE,
    SecretExposure::TABLE,
    ScoreWeight::TABLE,
];
