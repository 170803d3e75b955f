//! What a principal may do, answered as an interval: what it *must* be able to do
//! and what it *may* be able to do, given the documents at hand.
//!
//! AWS semantics: explicit deny wins; an allow of the identity's own policies (groups
//! included) must also be within its boundary and the organisation's control
//! policies. Kubernetes: RBAC is additive. What cannot be decided from documents (conditions, resources that may or
//! may not match, missing documents) widens the interval, never moves it.

mod answer;
mod assume;
mod catalog;
mod condition;
mod effective;
mod escalation;
mod expansion;
mod explain;
mod github;
mod kubernetes;
mod least_privilege;
mod pattern;
mod roles;

pub use answer::{Answer, can};
pub use assume::{AssumeEdge, assume_edges};
pub use catalog::{Action, Catalog, Class, Level};
pub use effective::{Effective, effective};
pub use escalation::{Escalation, escalations};
pub use explain::{Deciding, Explanation, explain};
pub use least_privilege::{Allowance, Coverage, Document, Trimmed, Untrimmed, Used, least_privilege};
pub use pattern::matches_wildcards;

/// Whether something is allowed, as far as the evidence goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// Surely not.
    #[default]
    No,
    /// Perhaps.
    May,
    /// Surely.
    Yes,
}

impl Decision {
    /// no, may, yes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::May => "may",
            Self::Yes => "yes",
        }
    }
}
