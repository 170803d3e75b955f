//! Least privilege: what an identity keeps if it keeps what it used, and what nobody could
//! have seen it use.
//!
//! The result replaces the identity's own policies (of AWS: inline, attached and those of its
//! groups). It allows nothing that these did not allow; boundaries and the organisation's
//! policies are left as they are.

mod aws;
mod github;
mod kubernetes;

use crate::answer::resolved;
use crate::roles;
use leakgraph_model::tables::{Grant, Identity};

/// Something an identity did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used<'a> {
    /// As grants name it; `service:*` where only the service is known.
    pub action: &'a str,
    /// On what, if it is known.
    pub resource: Option<&'a str>,
}

/// What the evidence of use would have shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Data events of AWS, reads of Kubernetes.
    pub data_events: bool,
}

/// A file to apply instead of the identity's own policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Suggested file name.
    pub name: String,
    /// A managed policy of AWS, manifests of Kubernetes, a `permissions:` block of GitHub.
    pub text: String,
}

/// Something that is kept although no use of it is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allowance {
    /// What is kept.
    pub action: String,
    /// Why its use could not have been seen.
    pub because: &'static str,
}

/// The trimmed policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Empty if nothing is kept.
    pub documents: Vec<Document>,
    /// Actions or permissions that fall away, sorted.
    pub removed: Vec<String>,
    /// What is kept unseen, sorted.
    pub allowance: Vec<Allowance>,
    /// What a person has to know before applying it.
    pub notes: Vec<String>,
}

/// Why nothing can be trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrimmed {
    /// No use is known of the identity, which is not the same as none.
    #[error("no activity of this identity is known: everything would fall away")]
    NoUsage,
    /// The identity has no policy of its own.
    #[error("this identity has no policy that could be trimmed")]
    NoGrants,
    /// Policies of this platform are not written.
    #[error("policies are written for AWS, Kubernetes and GitHub only")]
    Platform,
}

/// The least privilege that keeps what was used.
///
/// `grants` are those of all identities, `used` what this one did (denied attempts are no use).
///
/// # Errors
/// There is nothing to trim, or nothing to trim it by.
pub fn least_privilege(
    identity: &Identity,
    grants: &[Grant],
    used: &[Used<'_>],
    coverage: Coverage,
) -> Result<Trimmed, Untrimmed> {
    let own: Vec<&Grant> =
        grants.iter().filter(|grant| grant.identity_key == identity.identity_key).collect();
    let contents = roles::contents(&own);
    let own = resolved(&own, &contents);
    let trim = match identity.platform.as_str() {
        "aws" => aws::trim,
        crate::kubernetes::PLATFORM => kubernetes::trim,
        crate::github::PLATFORM => github::trim,
        _ => return Err(Untrimmed::Platform),
    };
    if own.is_empty() {
        return Err(Untrimmed::NoGrants);
    }
    if used.is_empty() {
        return Err(Untrimmed::NoUsage);
    }
    let mut trimmed = trim(identity, &own, used, coverage);
    trimmed.removed.sort();
    trimmed.removed.dedup();
    trimmed.allowance.sort();
    trimmed.allowance.dedup();
    Ok(trimmed)
}

/// A name with letters, digits and hyphens only.
fn file_name(name: &str) -> String {
    let safe = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let text: String = name.chars().map(safe).collect();
    let text = text.trim_matches('-');
    if text.is_empty() { "identity".to_owned() } else { text.to_owned() }
}
