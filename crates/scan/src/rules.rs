//! Detection rules: data, embedded.
use crate::{Error, fingerprint::hex};
use leakgraph_model::Severity;
use sha2::{Digest, Sha256};

const PROVIDERS: &str = include_str!("../rules/providers.toml");

/// One detection rule.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique name.
    pub id: String,
    /// Who issues the secret.
    pub provider: String,
    /// Secret kind.
    pub kind: String,
    /// Literals, one of which every match holds.
    pub keywords: Vec<String>,
    /// Byte pattern.
    pub pattern: String,
    /// Offline check.
    pub check: Option<String>,
    /// `ephemeral`, `hours` or `long`.
    pub lifetime: String,
    /// How bad a leak is.
    pub severity: Severity,
}
#[derive(serde::Deserialize)]
struct File {
    rules: Vec<Rule>,
}
/// A set of rules and its hash.
pub struct RuleSet {
    rules: Vec<Rule>,
    hash: String,
}
impl RuleSet {
    /// The embedded rules.
    ///
    /// # Errors
    /// When an embedded file does not parse.
    pub fn builtin() -> Result<Self, Error> {
        let file: File = toml::from_str(PROVIDERS)?;
        Ok(Self { rules: file.rules, hash: hex(&Sha256::digest(PROVIDERS)) })
    }
    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
    /// SHA-256 of the rule text, hex.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}
