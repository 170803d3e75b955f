//! Excess privilege of one identity: noisy-or over action classes,
//! `X = 100·(1 − Π_c [1 − σ_c·(1 − e^(−n_c/κ_c))])`, `n_c = Σ u·r·k·s`.
//!
//! `u` is the chance that a grant is unneeded: 0 if used; where it is unused
//! the observed share of the window `f` counts fully and the rest as π, so
//! `u = f + (1−f)·π`; where use cannot be observed `f` is 0.

use crate::relations::Use;
use crate::weights::{Weights, ordinal};
use leakgraph_model::scored::NhiScore;
use leakgraph_model::tables::{Activity, Identity};
use leakgraph_model::{Evidence, Key};
use leakgraph_policy::{Catalog, Class, Decision, Effective, Escalation};
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, HashMap};

/// What the activity of one account shows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    first: Option<i64>,
    last: Option<i64>,
    data_events: bool,
}

impl Window {
    /// Length in days; null where no event has a time.
    pub(crate) fn days(self) -> Option<f64> {
        Some((self.last? - self.first?) as f64 / 86_400e6)
    }
}

/// Account of an identity: as recorded, else from its ARN.
pub(crate) fn account(identity: &Identity) -> Option<String> {
    identity.account.clone().or_else(|| arn_account(&identity.native_id))
}

/// Fifth part of an ARN.
pub(crate) fn arn_account(arn: &str) -> Option<String> {
    let account = arn.strip_prefix("arn:")?.split(':').nth(3)?;
    (!account.is_empty()).then(|| account.to_owned())
}

/// Activity windows by account.
pub(crate) fn windows(evidence: &Evidence) -> HashMap<String, Window> {
    let accounts: HashMap<Key, String> = evidence
        .identities
        .iter()
        .filter_map(|identity| Some((identity.identity_key, account(identity)?)))
        .collect();
    let mut windows: HashMap<String, Window> = HashMap::new();
    for row in &evidence.activity {
        if let Some(account) = activity_account(row, &accounts) {
            let window = windows.entry(account).or_default();
            let first = row.first_at.map(|at| at.0);
            let last = row.last_at.or(row.first_at).map(|at| at.0);
            window.first = [window.first, first].into_iter().flatten().min();
            window.last = window.last.max(last);
            window.data_events |= row.data_event;
        }
    }
    windows
}

fn activity_account(row: &Activity, accounts: &HashMap<Key, String>) -> Option<String> {
    row.identity_key.and_then(|key| accounts.get(&key).cloned()).or_else(|| arn_account(&row.principal))
}

/// Everything that one identity's score depends on.
pub(crate) struct Subject<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) effective: &'a Effective,
    pub(crate) escalations: &'a [&'a Escalation],
    pub(crate) used: &'a [Use],
    /// Null where the account has no activity at all.
    pub(crate) window: Option<Window>,
}

/// Use as far as it is known.
struct Usage {
    actions: RoaringBitmap,
    /// Used, but only the service is known.
    services: RoaringBitmap,
    observed_share: f64,
    data_events: bool,
    level: &'static str,
}

impl Usage {
    fn of(subject: &Subject<'_>, weights: &Weights) -> Self {
        let catalog = Catalog::get();
        let (mut actions, mut services) = (RoaringBitmap::new(), RoaringBitmap::new());
        for used in subject.used {
            if used.action.ends_with(":*") {
                services |= catalog.matching(&used.action);
            } else if let Some(id) = catalog.id(&used.action) {
                actions.insert(id);
            }
        }
        let Some(window) = subject.window else {
            return Self { actions, services, observed_share: 0.0, data_events: false, level: "none" };
        };
        let age = subject
            .identity
            .created_at
            .zip(window.last)
            .map(|(made, last)| (last - made.0) as f64 / 86_400e6);
        let days = window.days().unwrap_or(0.0).min(age.unwrap_or(f64::INFINITY)).max(0.0);
        let level = if !services.is_empty() && actions.is_empty() {
            "service"
        } else if window.data_events {
            "observed"
        } else {
            "action"
        };
        let observed_share = (days / weights.window_days()).min(1.0);
        Self { actions, services, observed_share, data_events: window.data_events, level }
    }

    /// Share of the window in which a use of the action would have been seen.
    fn observable(&self, id: u32, action: &str, class: Class) -> f64 {
        let hidden = action.eq_ignore_ascii_case("iam:PassRole")
            || (class == Class::Data && !self.data_events)
            || self.services.contains(id);
        if hidden { 0.0 } else { self.observed_share }
    }

    fn unneeded(&self, id: u32, unobservable: f64) -> f64 {
        if self.actions.contains(id) {
            return 0.0;
        }
        let action = Catalog::get().action(id);
        let share = self.observable(id, &action.name, action.class);
        share + (1.0 - share) * unobservable
    }
}

/// Mass per class, in the order of `Class::ALL`.
pub(crate) type Masses = [f64; 8];

/// The noisy-or, 0 to 100, and what each class contributes to it in per cent.
pub(crate) fn noisy_or(masses: &Masses, weights: &Weights) -> (f64, Masses) {
    let mut shares = [0.0; 8];
    for class in Class::ALL {
        let weight = weights.class(class);
        let term = weight.ceiling * -(-masses[ordinal(class)] / weight.saturation).exp_m1();
        shares[ordinal(class)] = -(-term.min(1.0 - 1e-12)).ln_1p();
    }
    let sum: f64 = shares.iter().sum();
    let score = -100.0 * (-sum).exp_m1();
    if sum > 0.0 {
        shares.iter_mut().for_each(|share| *share *= 100.0 / sum);
    }
    (score.clamp(0.0, 100.0), shares)
}

/// Scope breadth × condition × sensitivity of a granted action.
fn extent(effective: &Effective, id: u32, weights: &Weights) -> f64 {
    let breadth = effective.breadth.get(&id).copied().map_or(1.0, f64::from);
    let condition = effective.condition.get(&id).copied().map_or(1.0, f64::from);
    breadth.clamp(0.0, 1.0) * condition.clamp(0.0, 1.0) * weights.permission(&Catalog::get().action(id).name)
}

/// ESC mass counts paths, not single actions: an ESC action weighs as PERM.
fn mass_class(class: Class) -> Class {
    if class == Class::Esc { Class::Perm } else { class }
}

fn masses(
    subject: &Subject<'_>,
    weights: &Weights,
    granted: &RoaringBitmap,
    least: Decision,
    unneeded: impl Fn(u32) -> f64,
) -> Masses {
    let catalog = Catalog::get();
    let mut masses = [0.0; 8];
    for id in granted {
        let class = mass_class(catalog.action(id).class);
        masses[ordinal(class)] += unneeded(id) * extent(subject.effective, id, weights);
    }
    // One path per primitive and target: policies that split it count once.
    let mut paths: BTreeMap<(&str, Option<Key>), f64> = BTreeMap::new();
    for path in
        subject.escalations.iter().filter(|path| path.decision >= least && path.decision != Decision::No)
    {
        let ids = || path.actions.iter().filter_map(|name| catalog.id(name));
        // The path falls with any of its actions, and is as broad as its narrowest.
        let unneeded =
            ids().map(&unneeded).fold(None, |most: Option<f64>, u| Some(most.map_or(u, |m| m.max(u))));
        let extent = ids().map(|id| extent(subject.effective, id, weights)).fold(1.0, f64::min);
        let mass = paths.entry((path.primitive.as_str(), path.target)).or_default();
        *mass = mass.max(unneeded.unwrap_or(1.0) * extent);
    }
    masses[ordinal(Class::Esc)] += paths.values().sum::<f64>();
    masses
}

/// Scores one identity. `blast` is left open.
pub(crate) fn score(subject: &Subject<'_>, weights: &Weights) -> NhiScore {
    let usage = Usage::of(subject, weights);
    let effective = subject.effective;
    let with = |granted: &RoaringBitmap, least, pi: f64| {
        noisy_or(&masses(subject, weights, granted, least, |id| usage.unneeded(id, pi)), weights)
    };
    let (granted_risk, granted_shares) =
        noisy_or(&masses(subject, weights, &effective.must, Decision::Yes, |_| 1.0), weights);
    let (middle, middle_shares) = with(&effective.must, Decision::Yes, weights.unobservable());
    let known = usage.level != "none";
    let low = known.then(|| with(&effective.must, Decision::Yes, 0.0).0);
    let high = known.then(|| with(&effective.may, Decision::May, 1.0).0);
    let shares = if known { middle_shares } else { granted_shares };
    NhiScore {
        identity_key: effective.identity_key,
        identity: subject.identity.native_id.clone(),
        excess: known.then_some(middle),
        excess_low: low,
        excess_high: high,
        granted_risk,
        coverage: coverage(subject, &usage, weights),
        usage: usage.level.to_owned(),
        window_days: subject.window.and_then(Window::days),
        actions_must: count(effective.must.len()),
        actions_may: count(effective.may.len()),
        actions_used: count(effective.may.intersection_len(&usage.actions)),
        band: band(low.unwrap_or(granted_risk)).to_owned(),
        classes: classes(&shares),
        top_grants: top_grants(subject, &usage, weights),
        blast: None,
        weights_hash: weights.hash(),
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Bands as the Permission Creep Index draws them.
fn band(score: f64) -> &'static str {
    if score < 34.0 {
        "low"
    } else if score < 67.0 {
        "medium"
    } else {
        "high"
    }
}

fn classes(shares: &Masses) -> Vec<String> {
    let mut listed: Vec<(Class, f64)> = Class::ALL
        .into_iter()
        .map(|class| (class, shares[ordinal(class)]))
        .filter(|(_, share)| *share >= 0.05)
        .collect();
    listed.sort_by(|left, right| right.1.total_cmp(&left.1));
    listed.into_iter().map(|(class, share)| format!("{}={share:.1}", class.as_str())).collect()
}

/// What a grant adds to its class before saturation.
fn pull(subject: &Subject<'_>, id: u32, weights: &Weights) -> f64 {
    let weight = weights.class(Catalog::get().action(id).class);
    weight.ceiling / weight.saturation * extent(subject.effective, id, weights)
}

fn coverage(subject: &Subject<'_>, usage: &Usage, weights: &Weights) -> f64 {
    let (mut seen, mut all) = (0.0, 0.0);
    for id in &subject.effective.must {
        let action = Catalog::get().action(id);
        let mass = pull(subject, id, weights);
        let share =
            if usage.actions.contains(id) { 1.0 } else { usage.observable(id, &action.name, action.class) };
        seen += mass * share;
        all += mass;
    }
    if all > 0.0 { seen / all } else { 0.0 }
}

fn top_grants(subject: &Subject<'_>, usage: &Usage, weights: &Weights) -> Vec<String> {
    let mut grants: Vec<(f64, &str)> = subject
        .effective
        .must
        .iter()
        .map(|id| {
            (
                pull(subject, id, weights) * usage.unneeded(id, weights.unobservable()),
                Catalog::get().action(id).name.as_str(),
            )
        })
        .filter(|(weight, _)| *weight > 0.0)
        .collect();
    grants.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
    grants.into_iter().take(5).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakgraph_model::Timestamp;
    use proptest::prelude::*;

    const DAY: i64 = 86_400_000_000;

    fn names() -> Vec<String> {
        let catalog = Catalog::get();
        let wanted = [
            "iam:PassRole",
            "secretsmanager:GetSecretValue",
            "s3:GetObject",
            "s3:PutBucketPolicy",
            "ec2:RunInstances",
            "ec2:DescribeInstances",
            "s3:PutObject",
            "s3:ListBucket",
        ];
        wanted.iter().filter(|name| catalog.id(name).is_some()).map(|name| (*name).to_owned()).collect()
    }

    fn scored(granted: &[usize], used: &[usize], breadth: f32) -> NhiScore {
        let names = names();
        let ids: RoaringBitmap =
            granted.iter().filter_map(|i| Catalog::get().id(&names[i % names.len()])).collect();
        let effective = Effective {
            identity_key: Key::default(),
            must: ids.clone(),
            may: ids.clone(),
            breadth: ids.iter().map(|id| (id, breadth)).collect(),
            condition: HashMap::new(),
            gaps: Vec::new(),
        };
        let used: Vec<Use> =
            used.iter().map(|i| Use { action: names[i % names.len()].to_lowercase() }).collect();
        let window = Window { first: Some(0), last: Some(100 * DAY), data_events: true };
        let identity = Identity { created_at: Some(Timestamp(-DAY)), ..Identity::default() };
        score(
            &Subject {
                identity: &identity,
                effective: &effective,
                escalations: &[],
                used: &used,
                window: Some(window),
            },
            &Weights::builtin(),
        )
    }

    proptest! {
        #[test]
        fn excess_is_monotone_and_bounded(granted in prop::collection::vec(0usize..8, 1..8), used in prop::collection::vec(0usize..8, 0..8), extra in 0usize..8) {
            let base = scored(&granted, &used, 0.8);
            let (low, x, high) = (base.excess_low.unwrap(), base.excess.unwrap(), base.excess_high.unwrap());
            prop_assert!(0.0 <= low && low <= x && x <= high && high <= 100.0);
            let more: Vec<usize> = granted.iter().copied().chain([extra]).collect();
            prop_assert!(scored(&more, &used, 0.8).excess.unwrap() >= x - 1e-9);
            let busier: Vec<usize> = used.iter().copied().chain([extra]).collect();
            prop_assert!(scored(&granted, &busier, 0.8).excess.unwrap() <= x + 1e-9);
            prop_assert!(scored(&granted, &used, 0.2).excess.unwrap() <= x + 1e-9);
            let reversed: Vec<usize> = granted.iter().rev().copied().collect();
            prop_assert_eq!(scored(&reversed, &used, 0.8), base);
        }

        #[test]
        fn class_shares_sum_to_all(masses in prop::array::uniform8(0.0f64..50.0)) {
            let (score, shares) = noisy_or(&masses, &Weights::builtin());
            prop_assert!((0.0..=100.0).contains(&score));
            if score > 0.0 {
                prop_assert!((shares.iter().sum::<f64>() - 100.0).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn all_used_is_no_excess() {
        let all: Vec<usize> = (0..8).collect();
        assert_eq!(scored(&all, &all, 1.0).excess, Some(0.0));
    }

    #[test]
    fn without_activity_excess_is_unknown() {
        let effective = Effective {
            identity_key: Key::default(),
            must: (0..3).collect(),
            may: (0..3).collect(),
            breadth: HashMap::new(),
            condition: HashMap::new(),
            gaps: Vec::new(),
        };
        let identity = Identity::default();
        let row = score(
            &Subject {
                identity: &identity,
                effective: &effective,
                escalations: &[],
                used: &[],
                window: None,
            },
            &Weights::builtin(),
        );
        assert_eq!((row.excess, row.usage.as_str(), row.coverage), (None, "none", 0.0));
        assert!(row.granted_risk > 0.0);
    }

    #[test]
    fn pass_role_is_never_observable() {
        let row = scored(&[0], &[], 1.0);
        assert_eq!(row.excess_low, Some(0.0));
        assert!(row.excess_high > Some(0.0));
    }
}
