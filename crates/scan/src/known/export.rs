//! Keyed fingerprints of known secrets, for looking them up where the values are not.

use super::{KnownName, KnownSecrets};
use crate::fingerprint::hex;
use crate::{FingerprintKey, Sighting};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// One known secret without its value.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedFingerprint {
    /// Keyed fingerprint, 32 hex digits.
    pub fingerprint: String,
    /// Where it is kept.
    pub names: Vec<KnownName>,
}

/// Fingerprints under one key.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FingerprintList {
    /// The key they were made with: fingerprints under another key never match.
    pub key_id: String,
    /// By fingerprint.
    pub secrets: Vec<ExportedFingerprint>,
}

impl KnownSecrets {
    /// The fingerprints of all known secrets.
    pub fn export(&self, key: &FingerprintKey) -> FingerprintList {
        let mut secrets: Vec<ExportedFingerprint> = self
            .entries
            .iter()
            .map(|entry| ExportedFingerprint {
                fingerprint: key.of(&entry.value),
                names: entry.names.clone(),
            })
            .collect();
        secrets.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
        FingerprintList { key_id: key.key_id().to_owned(), secrets }
    }

    /// Names this set of values, as `RuleSet::hash` names rules: what was found clean under
    /// another set has to be looked at again. Tells nothing without the key.
    pub fn digest(&self, key: &FingerprintKey) -> String {
        let mut digest = Sha256::new();
        for secret in self.export(key).secrets {
            digest.update(secret.fingerprint);
        }
        hex(&digest.finalize())
    }
}

impl FingerprintList {
    /// As JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings are JSON")
    }

    /// From JSON.
    ///
    /// # Errors
    /// When the text is not such a list.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Where each secret is kept, by fingerprint.
    pub fn by_fingerprint(&self) -> BTreeMap<&str, &[KnownName]> {
        self.secrets.iter().map(|secret| (secret.fingerprint.as_str(), secret.names.as_slice())).collect()
    }

    /// Names those sightings whose fingerprint is listed, and says how many. Sightings made
    /// under another key stay as they are.
    pub fn name(&self, key_id: &str, sightings: &mut [Sighting]) -> usize {
        if key_id != self.key_id {
            return 0;
        }
        let names = self.by_fingerprint();
        let mut count = 0;
        for seen in sightings {
            if let Some(names) = names.get(seen.fingerprint.as_str()) {
                seen.known = names.to_vec();
                count += 1;
            }
        }
        count
    }
}
