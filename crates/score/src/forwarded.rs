//! Which secrets a handoff forwards: by value, by what they look like, or by name.

use leakgraph_model::tables::Secret;
use leakgraph_model::{Evidence, Key};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What one handoff forwards.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Forwarded {
    /// How each input that carries a secret gives it away, by name.
    inputs: BTreeMap<String, String>,
    /// Secrets whose value was recognised.
    pub(crate) secrets: BTreeSet<Key>,
}

impl Forwarded {
    /// Inputs that carry a secret.
    pub(crate) fn count(&self) -> i64 {
        i64::try_from(self.inputs.len()).unwrap_or(i64::MAX)
    }

    /// Whether an input shows a secret, clear or encoded, to whoever reads it.
    pub(crate) fn is_shown(&self) -> bool {
        let is_shown =
            |how: &String| ["value", "encoded", "detected"].iter().any(|form| how.starts_with(form));
        self.inputs.values().any(is_shown)
    }

    /// As `TOKEN=value`.
    pub(crate) fn list(&self) -> Vec<String> {
        self.inputs.iter().map(|(name, how)| format!("{name}={how}")).collect()
    }

    /// The surest way to know it stays: value, encoded, detected, masked, token_like.
    fn add(&mut self, name: &str, how: String) {
        let rank = |how: &str| {
            ["value", "encoded", "detected", "masked", "token_like"]
                .iter()
                .position(|known| how.starts_with(known))
                .unwrap_or(usize::MAX)
        };
        let slot = self.inputs.entry(name.to_owned()).or_insert_with(|| how.clone());
        if (rank(&how), &how) < (rank(slot), slot) {
            *slot = how;
        }
    }
}

/// Inputs that carry a secret, by handoff.
pub(crate) fn forwarded(evidence: &Evidence) -> HashMap<Key, Forwarded> {
    let mut found: HashMap<Key, Forwarded> = HashMap::new();
    let prints = by_print(&evidence.secrets);
    for input in &evidence.handoff_inputs {
        let print = input.value_fingerprint.as_deref().and_then(|print| print.get(..16));
        if let Some(secret) = print.and_then(|print| prints.get(print)) {
            let slot = found.entry(input.handoff_key).or_default();
            slot.add(&input.name, "value".to_owned());
            slot.secrets.insert(secret.secret_key);
        } else if matches!(input.value_class.as_str(), "token_like" | "masked") {
            found.entry(input.handoff_key).or_default().add(&input.name, input.value_class.clone());
        }
    }
    for row in &evidence.secret_sightings {
        let Some(handoff) = row.handoff_key else { continue };
        let how = match row.encodings.as_slice() {
            [] => "detected".to_owned(),
            chain => format!("encoded:{}", chain.join("+")),
        };
        let slot = found.entry(handoff).or_default();
        slot.add(row.name.as_deref().unwrap_or("?"), how);
        slot.secrets.insert(row.secret_key);
    }
    found
}

/// Secrets by the half of their fingerprint that inputs carry: enough to match, too little
/// to be one.
pub(crate) fn by_print(secrets: &[Secret]) -> HashMap<&str, &Secret> {
    secrets.iter().filter_map(|secret| Some((secret.fingerprint.get(..16)?, secret))).collect()
}
