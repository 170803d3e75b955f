//! The numbers behind the scores: embedded defaults, overridable as TOML.

use crate::Error;
use crate::boundary::BoundaryWeights;
use crate::holding::PrivilegeWeights;
use crate::path::DelegationWeights;
use crate::trigger::TriggerWeights;
use crate::trust::TrustWeights;
use leakgraph_model::scored::ScoreWeight;
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
    privilege: PrivilegeWeights,
    trigger: TriggerWeights,
    boundary: BoundaryWeights,
    criticality: BTreeMap<String, f64>,
    delegation: DelegationWeights,
    trust: TrustWeights,
    exposure: ExposureWeights,
    control: ControlWeights,
}

/// All weights, checked.
#[derive(Clone, Debug)]
pub struct Weights {
    table: Table,
    classes: [ClassWeight; 8],
    /// s(g) by the catalog's number of an action.
    sensitivity: Vec<f64>,
    hash: String,
    text: String,
}

pub(crate) const BUILTIN: &str = include_str!("weights.toml");

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
        for value in table.lifetime.values() {
            unit("lifetime", *value)?;
        }
        table.delegation.check()?;
        table.trust.check()?;
        table.privilege.check()?;
        table.trigger.check()?;
        table.boundary.check()?;
        for value in table.permission.values().chain(table.criticality.values()) {
            positive("permission or criticality", *value)?;
        }
        for value in table.permission.values() {
            unit("permission", *value)?;
        }
        let sensitivity = sensitivity(&table.permission);
        let ExposureWeights { public_log, log, input, masked, encoded } = table.exposure;
        let ControlWeights { approval, pinned_child, closed_inputs, own_identity } = table.control;
        for value in
            [public_log, log, input, masked, encoded, approval, pinned_child, closed_inputs, own_identity]
        {
            unit("exposure or control", value)?;
        }
        let digest = Sha256::digest(toml.as_bytes());
        let hash = leakgraph_model::hex(&digest[..8]);
        let classes = classes.try_into().map_err(|_| Error::Weights("class count".to_owned()))?;
        Ok(Self { table, classes, sensitivity, hash, text: toml.to_owned() })
    }

    /// The TOML they were read from.
    pub fn toml(&self) -> &str {
        &self.text
    }

    /// Names of all fractional weights in order, as `class.ESC.ceiling`.
    pub fn names(&self) -> Vec<String> {
        let is_float = |(name, value): (String, toml::Value)| value.is_float().then_some(name);
        self.numbers().into_iter().filter_map(is_float).collect()
    }

    /// All numbers, as rows.
    pub fn rows(&self) -> Vec<ScoreWeight> {
        let row = |(name, value): (String, toml::Value)| ScoreWeight {
            name,
            value: value.as_float().or(value.as_integer().map(|whole| whole as f64)).unwrap_or_default(),
            weights_hash: self.hash(),
        };
        self.numbers().into_iter().map(row).collect()
    }

    fn numbers(&self) -> Vec<(String, toml::Value)> {
        fn collect(prefix: &str, table: toml::Table, numbers: &mut Vec<(String, toml::Value)>) {
            for (name, value) in table {
                let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
                match value {
                    toml::Value::Float(_) | toml::Value::Integer(_) => numbers.push((name, value)),
                    toml::Value::Table(inner) => collect(&name, inner, numbers),
                    _ => {}
                }
            }
        }
        let mut numbers = Vec::new();
        collect("", self.text.parse().unwrap_or_default(), &mut numbers);
        numbers.sort_by(|left, right| left.0.cmp(&right.0));
        numbers
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

    pub(crate) fn delegation(&self) -> &DelegationWeights {
        &self.table.delegation
    }

    pub(crate) fn trust(&self) -> &TrustWeights {
        &self.table.trust
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

    pub(crate) fn privilege(&self) -> &PrivilegeWeights {
        &self.table.privilege
    }

    pub(crate) fn trigger(&self) -> &TriggerWeights {
        &self.table.trigger
    }

    pub(crate) fn boundary(&self) -> &BoundaryWeights {
        &self.table.boundary
    }

    /// s(g): sensitivity of an action of the catalog.
    pub(crate) fn permission(&self, id: u32) -> f64 {
        self.sensitivity.get(id as usize).copied().unwrap_or(1.0)
    }

    /// w: how much an identity of this environment counts in a total.
    pub(crate) fn criticality(&self, environment: Option<&str>) -> f64 {
        let environment = environment.unwrap_or_default().to_lowercase();
        self.table.criticality.get(&environment).copied().unwrap_or(1.0)
    }
}

/// Sensitivity by the catalog's numbers; of several patterns the longest counts.
fn sensitivity(patterns: &BTreeMap<String, f64>) -> Vec<f64> {
    let catalog = Catalog::get();
    let mut sensitivity = vec![1.0; catalog.len()];
    let mut patterns: Vec<(&String, &f64)> = patterns.iter().collect();
    patterns.sort_by_key(|(pattern, _)| pattern.len());
    for (pattern, weight) in patterns {
        for id in &catalog.matching(pattern) {
            if let Some(slot) = sensitivity.get_mut(id as usize) {
                *slot = *weight;
            }
        }
    }
    sensitivity
}

/// The catalog's number of a token's scope, as `contents:write`: workflows write with hyphens
/// what the API writes with underscores.
pub(crate) fn scope_id(scope: &str) -> Option<u32> {
    let catalog = Catalog::get();
    catalog.id(scope).or_else(|| catalog.id(&scope.replace('-', "_")))
}

/// Class of a token's scope; of scopes no catalog has, by their level.
pub(crate) fn scope_class(scope: &str) -> Class {
    let class = scope_id(scope).map(|id| Catalog::get().action(id).class);
    class.unwrap_or(if scope.ends_with(":write") { Class::Write } else { Class::Read })
}

/// Position of a class in [`Class::ALL`].
pub(crate) fn ordinal(class: Class) -> usize {
    Class::ALL.iter().position(|other| *other == class).unwrap_or(Class::ALL.len() - 1)
}

/// Refuses what is not 0 to 1.
pub(crate) fn unit(name: &str, value: f64) -> Result<(), Error> {
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
    fn the_longest_pattern_of_an_action_counts() {
        let weights = Weights::parse(
            &BUILTIN.replace("[permission]\n", "[permission]\n\"s3:Get*\" = 0.5\n\"s3:GetObject\" = 0.9\n"),
        )
        .unwrap();
        let of = |action: &str| weights.permission(Catalog::get().id(action).unwrap());
        assert_eq!((of("s3:GetBucketAcl"), of("s3:GetObject"), of("s3:PutObject")), (0.5, 0.9, 1.0));
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
        assert!(Weights::parse(&BUILTIN.replace("production = 3.0", "production = 0.0")).is_err());
        assert!(Weights::parse(&BUILTIN.replace("max_cost", "mox_cost")).is_err());
    }
}
