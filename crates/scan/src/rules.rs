//! Detection rules: data, embedded, one file per kind of provider.
use crate::{Error, fingerprint::hex};
use leakgraph_model::Severity;
use sha2::{Digest, Sha256};

const FILES: &[&str] = &[
    include_str!("../rules/ai-1.toml"),
    include_str!("../rules/ai-2.toml"),
    include_str!("../rules/ci-1.toml"),
    include_str!("../rules/ci-2.toml"),
    include_str!("../rules/cloud-1.toml"),
    include_str!("../rules/cloud-2.toml"),
    include_str!("../rules/databases-1.toml"),
    include_str!("../rules/databases-2.toml"),
    include_str!("../rules/generic.toml"),
    include_str!("../rules/identity.toml"),
    include_str!("../rules/infrastructure.toml"),
    include_str!("../rules/keys.toml"),
    include_str!("../rules/messaging-1.toml"),
    include_str!("../rules/messaging-2.toml"),
    include_str!("../rules/observability-1.toml"),
    include_str!("../rules/observability-2.toml"),
    include_str!("../rules/payments.toml"),
    include_str!("../rules/registries.toml"),
    include_str!("../rules/source-control.toml"),
];

/// Raised when decoders, gates or checks change what is found.
const DETECTOR_VERSION: &[u8] = b"2";

/// Below this many bits per byte what stands under a provider's name is no token.
const CONTEXT_ENTROPY: f64 = 2.6;

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
    /// Words, one of which the name of the value must hold, for tokens without a form of
    /// their own: lower case, parts joined by `_`. The file's pattern is then that of the
    /// value; loading turns it into one of the whole assignment, and the words into
    /// keywords.
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
        let mut rules = Vec::new();
        let mut hash = Sha256::new();
        for text in FILES {
            rules.extend(toml::from_str::<File>(text)?.rules.into_iter().map(Rule::bound));
            hash.update(text);
        }
        // Detection outside of the rules counts as part of them.
        hash.update(DETECTOR_VERSION);
        Ok(Self { rules, hash: hex(&hash.finalize()) })
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

/// Words of which a name holds one if its value is a secret; `SECRET_WORD` as literals.
const SECRET_WORDS: [&str; 12] =
    ["key", "token", "secret", "pass", "pwd", "auth", "cred", "pat", "license", "login", "cert", "base64"];
const SECRET_WORD: &str = "(?i:key|token|secret|pass|pwd|auth|cred|pat|license|login|cert|base64)";

impl Rule {
    /// A rule with context words, as one whose pattern covers name, sign and value.
    pub(crate) fn bound(mut self) -> Self {
        if self.context.is_empty() {
            return self;
        }
        // `DATADOG_API_KEY`, but also `DD_SECRET`, whose word is already secret enough.
        let (announcing, plain): (Vec<&String>, Vec<&String>) =
            self.context.iter().partition(|word| SECRET_WORDS.iter().any(|secret| word.contains(secret)));
        let mut names = Vec::new();
        for (words, tail) in [
            (plain, format!("[0-9A-Za-z_.-]{{0,24}}?{SECRET_WORD}[0-9A-Za-z_.-]{{0,16}}")),
            (announcing, "[0-9A-Za-z_.-]{0,24}".to_owned()),
        ] {
            let spelled: Vec<String> = words.into_iter().flat_map(|word| spellings(word)).collect();
            if !spelled.is_empty() {
                let escaped: Vec<String> = spelled.iter().map(|word| word.replace('.', r"\.")).collect();
                names.push(format!("(?:{}){tail}", escaped.join("|")));
                self.keywords.extend(spelled);
            }
        }
        let sign = r#"["'\\]{0,3}[ \t]{0,3}(?:=>|:=|[=:]| )[ \t]{0,3}["'`\\]{0,3}"#;
        self.pattern = format!("(?:{}){sign}(?P<secret>{})", names.join("|"), self.pattern);
        self.entropy = self.entropy.or(Some(CONTEXT_ENTROPY));
        self
    }
}

/// The ways a name part is written: `dd_api`, `DD_API`, `dd-api`, `Dd-Api`, `ddApi`, `DdApi`.
fn spellings(word: &str) -> Vec<String> {
    let capital = |part: &str| {
        let mut letters = part.chars();
        letters
            .next()
            .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    let titled: Vec<String> = word.split('_').map(capital).collect();
    let camel = titled.concat();
    let mut all = vec![word.to_owned(), word.to_ascii_uppercase(), camel.clone()];
    if word.contains('_') {
        all.extend([word.replace('_', "-"), word.replace('_', "-").to_ascii_uppercase(), titled.join("-")]);
        let mut letters = camel.chars();
        all.extend(letters.next().map(|first| first.to_ascii_lowercase().to_string() + letters.as_str()));
    }
    all.sort_unstable();
    all.dedup();
    all.retain(|spelled| spelled.len() >= 3);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_people_do() {
        assert_eq!(spellings("dd_api"), ["DD-API", "DD_API", "Dd-Api", "DdApi", "dd-api", "ddApi", "dd_api"]);
        assert_eq!(spellings("okta"), ["OKTA", "Okta", "okta"]);
    }

    #[test]
    fn a_word_without_separator_is_not_spelled_twice() {
        assert_eq!(spellings("ab"), Vec::<String>::new());
    }
}
