//! Detection rules: data, embedded, one file per kind of provider.
use crate::{Error, fingerprint::hex, user_rules::Custom};
use leakgraph_model::Severity;
use sha2::{Digest, Sha256};

/// Those of `rules/*.toml`, packed by the build script.
const EMBEDDED: &str = include_str!(concat!(env!("OUT_DIR"), "/rules.json"));

/// Raised when decoders, gates or checks change what is found.
const DETECTOR_VERSION: &[u8] = b"5";

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
    /// Literals, one of which every match holds; empty for rules without a pattern or with
    /// context words.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Byte pattern. A group named `secret` is the value, else the whole match is.
    #[serde(default)]
    pub pattern: String,
    /// For tokens without a form of their own: words, one of which the name that the value
    /// is assigned to must hold. Lower case, parts joined by `_`. They stand in for
    /// keywords, and the pattern is that of the value (src/check/context.rs).
    #[serde(default)]
    pub context: Vec<String>,
    /// Offline check.
    pub check: Option<String>,
    /// Values with fewer bits per byte are dropped.
    pub entropy: Option<f64>,
    /// Says where a secret stands and not what it looks like: gives way to rules that do.
    #[serde(default)]
    pub shape: bool,
    /// `ephemeral`, `hours`, `long` or `unknown`.
    pub lifetime: String,
    /// How bad a leak is.
    pub severity: Severity,
    /// How a value names its identity by itself: the method of [`crate::Resolved`].
    #[serde(default = "no_resolver")]
    pub resolver: String,
    /// The provider's documentation of the format or of the credential.
    #[serde(default)]
    pub docs: String,
}

fn no_resolver() -> String {
    "none".to_owned()
}

/// A set of rules and its hash.
pub struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    pub(crate) hash: String,
    /// What files of users add.
    pub(crate) custom: Custom,
    /// Whether no embedded rule is missing.
    pub(crate) holds_embedded: bool,
}

impl RuleSet {
    /// The embedded rules.
    ///
    /// # Errors
    /// When they do not parse.
    pub fn builtin() -> Result<Self, Error> {
        let rules = serde_json::from_str(EMBEDDED)?;
        let mut hash = Sha256::new();
        hash.update(EMBEDDED);
        // Detection outside of the rules counts as part of them.
        hash.update(DETECTOR_VERSION);
        Ok(Self { rules, hash: hex(&hash.finalize()), custom: Custom::default(), holds_embedded: true })
    }

    /// Whether no embedded rule is missing: files of users may replace them.
    pub fn holds_embedded(&self) -> bool {
        self.holds_embedded
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
