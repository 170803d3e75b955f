//! The numbers behind the scores: embedded defaults, overridable as TOML.

use crate::Error;
use leakgraph_policy::{Catalog, Class};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Ceiling, saturation and resource sensitivity of one action class.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassWeight {
    /// σ: the most the class can contribute, 0 to 1.
    pub ceiling: f64,
    /// κ: mass at which the class reaches 63 % of its ceiling.
    pub saturation: f64,
    /// Sensitivity of a resource on which the class is allowed.
    pub sensitivity: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeWeights {
    pub(crate) job: f64,
    pub(crate) identity: f64,
    pub(crate) secret: f64,
    pub(crate) admin: f64,
}

/// How exposed a secret is by where it stands.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExposureWeights {
    pub(crate) public_log: f64,
    pub(crate) log: f64,
    pub(crate) input: f64,
    pub(crate) masked: f64,
    pub(crate) encoded: f64,
}

/// What a control leaves of the risk.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ControlWeights {
    pub(crate) approval: f64,
    pub(crate) pinned_child: f64,
    pub(crate) closed_inputs: f64,
    pub(crate) own_identity: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    window_days: f64,
    unobservable: f64,
    max_cost: u8,
    class: BTreeMap<String, ClassWeight>,
    node: NodeWeights,
    lifetime: BTreeMap<String, f64>,
    permission: BTreeMap<String, f64>,
    exposure: ExposureWeights,
    control: ControlWeights,
}

/// All weights, checked.
#[derive(Clone, Debug)]
pub struct Weights {
    table: Table,
    classes: [ClassWeight; 8],
    permission: BTreeMap<String, f64>,
    hash: String,
    text: String,
}

const BUILTIN: &str = include_str!("weights.toml");

impl Weights {
    /// The embedded weights.
    pub fn builtin() -> Self {
        Self::parse(BUILTIN).expect("the embedded weights are checked by a test")
    }

    /// Reads weights from TOML; every key of the embedded file must be present.
    ///
    /// # Errors
    /// Malformed TOML, an unknown or missing key, or a number out of its bounds.
    pub fn parse(toml: &str) -> Result<Self, Error> {
        let table: Table =
            toml::from_str(toml).map_err(|error| Error::Weights(error.message().to_owned()))?;
        let mut classes = Vec::with_capacity(8);
        for class in Class::ALL {
            let name = class.as_str();
            let weight = table.class.get(name).ok_or_else(|| Error::Weights(format!("no class {name}")))?;
            unit("ceiling", weight.ceiling)?;
            positive("saturation", weight.saturation)?;
            not_negative("sensitivity", weight.sensitivity)?;
            classes.push(*weight);
        }
        if table.class.len() != Class::ALL.len() {
            return Err(Error::Weights("unknown class".to_owned()));
        }
        unit("unobservable", table.unobservable)?;
        positive("window_days", table.window_days)?;
        if table.max_cost > 16 {
            return Err(Error::Weights("max_cost must be at most 16".to_owned()));
        }
        for value in [table.node.job, table.node.identity, table.node.secret, table.node.admin] {
            not_negative("node", value)?;
        }
        for value in table.lifetime.values().chain(table.permission.values()) {
            unit("lifetime or permission", *value)?;
        }
        let ExposureWeights { public_log, log, input, masked, encoded } = table.exposure;
        let ControlWeights { approval, pinned_child, closed_inputs, own_identity } = table.control;
        for value in
            [public_log, log, input, masked, encoded, approval, pinned_child, closed_inputs, own_identity]
        {
            unit("exposure or control", value)?;
        }
        let permission = table.permission.iter().map(|(name, w)| (name.to_lowercase(), *w)).collect();
        let digest = Sha256::digest(toml.as_bytes());
        let hash = leakgraph_model::hex(&digest[..8]);
        let classes = classes.try_into().map_err(|_| Error::Weights("class count".to_owned()))?;
        Ok(Self { table, classes, permission, hash, text: toml.to_owned() })
    }

    /// The TOML they were read from.
    pub fn toml(&self) -> &str {
        &self.text
    }

    /// Names of all fractional weights in order, as `class.ESC.ceiling`.
    pub fn names(&self) -> Vec<String> {
        fn collect(prefix: &str, table: &toml::Table, names: &mut Vec<String>) {
            for (name, value) in table {
                let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                match value {
                    toml::Value::Float(_) => names.push(name),
                    toml::Value::Table(inner) => collect(&name, inner, names),
                    _ => {}
                }
            }
        }
        let mut names = Vec::new();
        collect("", &self.text.parse::<toml::Table>().unwrap_or_default(), &mut names);
        names.sort();
        names
    }

    /// The same with one weight multiplied; where that is more than it may be, 1 instead.
    ///
    /// # Errors
    /// There is no such weight, or even 1 is out of its bounds.
    pub fn scaled(&self, name: &str, factor: f64) -> Result<Self, Error> {
        let with = |change: &dyn Fn(f64) -> f64| {
            let mut root = toml::Value::Table(self.text.parse().unwrap_or_default());
            let (mut slot, mut rest) = (&mut root, name);
            // Names of permissions hold dots nowhere, but may one day: the longest key wins.
            while !rest.is_empty() {
                let table = slot.as_table_mut().ok_or_else(|| Error::Weights(format!("no weight {name}")))?;
                let fits = |key: &&String| {
                    rest.strip_prefix(key.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('.'))
                };
                let key = table.keys().filter(fits).max_by_key(|key| key.len()).cloned();
                let key = key.ok_or_else(|| Error::Weights(format!("no weight {name}")))?;
                rest = rest.strip_prefix(key.as_str()).unwrap_or_default();
                rest = rest.strip_prefix('.').unwrap_or(rest);
                slot = table.get_mut(&key).ok_or_else(|| Error::Weights(format!("no weight {name}")))?;
            }
            let old = slot.as_float().ok_or_else(|| Error::Weights(format!("{name} is no number")))?;
            *slot = toml::Value::Float(change(old));
            let text = toml::to_string(&root).map_err(|error| Error::Weights(error.to_string()))?;
            Self::parse(&text)
        };
        with(&|old| old * factor).or_else(|_| with(&|_| 1.0))
    }

    /// First 16 hexadecimal digits of the SHA-256 of the TOML text.
    pub fn hash(&self) -> String {
        self.hash.clone()
    }

    /// Weights of a class.
    pub fn class(&self, class: Class) -> ClassWeight {
        self.classes[ordinal(class)]
    }

    pub(crate) fn window_days(&self) -> f64 {
        self.table.window_days
    }

    pub(crate) fn unobservable(&self) -> f64 {
        self.table.unobservable
    }

    pub(crate) fn max_cost(&self) -> u8 {
        self.table.max_cost
    }

    pub(crate) fn node(&self) -> &NodeWeights {
        &self.table.node
    }

    /// Ceiling of the class of a token's scope, as `contents:write`.
    pub(crate) fn scope(&self, scope: &str) -> f64 {
        self.class(scope_class(scope)).ceiling
    }

    pub(crate) fn exposure(&self) -> ExposureWeights {
        self.table.exposure
    }

    pub(crate) fn control(&self) -> ControlWeights {
        self.table.control
    }

    pub(crate) fn lifetime(&self, lifetime: &str) -> f64 {
        self.table.lifetime.get(lifetime).copied().unwrap_or(1.0)
    }

    pub(crate) fn permission(&self, action: &str) -> f64 {
        self.permission.get(&action.to_lowercase()).copied().unwrap_or(1.0)
    }
}

/// Class of a token's scope, as `contents:write`; of scopes no catalog has, by their level.
pub(crate) fn scope_class(scope: &str) -> Class {
    let class = Catalog::get().id(scope).map(|id| Catalog::get().action(id).class);
    class.unwrap_or(if scope.ends_with(":write") { Class::Write } else { Class::Read })
}

/// Position of a class in [`Class::ALL`].
pub(crate) fn ordinal(class: Class) -> usize {
    Class::ALL.iter().position(|other| *other == class).unwrap_or(Class::ALL.len() - 1)
}

fn unit(name: &str, value: f64) -> Result<(), Error> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(Error::Weights(format!("{name} must be 0 to 1"))) }
}

fn positive(name: &str, value: f64) -> Result<(), Error> {
    if value.is_finite() && value > 0.0 {
        Ok(())
    } else {
        Err(Error::Weights(format!("{name} must be above 0")))
    }
}

fn not_negative(name: &str, value: f64) -> Result<(), Error> {
    if value.is_finite() && value >= 0.0 {
        Ok(())
    } else {
        Err(Error::Weights(format!("{name} must not be negative")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_weights_are_valid_and_hashed() {
        let weights = Weights::builtin();
        assert_eq!(weights.hash().len(), 16);
        assert_eq!(weights.max_cost(), 4);
        let other = Weights::parse(&BUILTIN.replace("unobservable = 0.5", "unobservable = 0.4")).unwrap();
        assert_ne!(weights.hash(), other.hash());
    }

    #[test]
    fn one_weight_moves_and_shares_stay_shares() {
        let weights = Weights::builtin();
        let names = weights.names();
        assert!(
            names.contains(&"class.ESC.ceiling".to_owned())
                && names.contains(&"permission.contents:read".to_owned())
        );
        for name in &names {
            for factor in [0.8, 1.2] {
                assert!(weights.scaled(name, factor).is_ok(), "{name}");
            }
        }
        let moved = weights.scaled("class.ESC.ceiling", 0.5).unwrap();
        assert!((moved.class(Class::Esc).ceiling - 0.475).abs() < 1e-12);
        assert_eq!(moved.class(Class::Cred).ceiling, weights.class(Class::Cred).ceiling);
        let most = weights.scaled("class.ESC.ceiling", 1.2).unwrap();
        assert_eq!(most.class(Class::Esc).ceiling, 1.0);
        assert!(weights.scaled("class.NONE.ceiling", 1.2).is_err());
    }

    #[test]
    fn out_of_bounds_is_refused() {
        assert!(Weights::parse(&BUILTIN.replace("unobservable = 0.5", "unobservable = 1.5")).is_err());
        assert!(Weights::parse(&BUILTIN.replace("window_days = 90.0", "window_days = 0.0")).is_err());
        assert!(Weights::parse(&BUILTIN.replace("max_cost", "mox_cost")).is_err());
    }
}
