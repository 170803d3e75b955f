//! Detection rules: data, embedded.
use crate::{Error, fingerprint::hex, user_rules::Custom};
use leakgraph_model::Severity;
use sha2::{Digest, Sha256};

const FILES: [&str; 2] = [include_str!("../rules/providers.toml"), include_str!("../rules/generic.toml")];

/// Raised when decoders, gates or checks change what is found.
const DETECTOR_VERSION: &[u8] = b"1";

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
    /// Literals, one of which every match holds; empty for rules without a pattern.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Byte pattern. A group named `secret` is the value, else the whole match is.
    #[serde(default)]
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
    pub(crate) rules: Vec<Rule>,
    pub(crate) hash: String,
    /// What files of users add.
    pub(crate) custom: Custom,
}
impl RuleSet {
    /// The embedded rules.
    ///
    /// # Errors
    /// When an embedded file does not parse.
    pub fn builtin() -> Result<Self, Error> {
        let mut rules = Vec::new();
        let mut hash = Sha256::new();
        for text in FILES {
            rules.extend(toml::from_str::<File>(text)?.rules);
            hash.update(text);
        }
        // Detection outside of the rules counts as part of them.
        hash.update(DETECTOR_VERSION);
        Ok(Self { rules, hash: hex(&hash.finalize()), custom: Custom::default() })
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
