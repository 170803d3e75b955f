//! Excess privilege of one identity: noisy-or over action classes of what it is granted and
//! does not need (`mass`), by what is known of its use (`usage`).
//!
//! Always with bounds: the lower one counts what is surely allowed and takes what cannot be
//! observed as needed, the upper one counts what may be allowed and takes it as unneeded.
//! Without any usage evidence there is no excess, only granted risk. An identity that was idle
//! all of the window needs nothing.

mod aggregate;
#[cfg(test)]
mod calibration;
#[cfg(test)]
mod laws;
pub(crate) mod mass;
#[cfg(test)]
mod platforms;
#[cfg(test)]
mod tests;
mod trail;
pub(crate) mod usage;

pub(crate) use aggregate::totals;
pub(crate) use trail::{Trail, trails};

use crate::relations::Use;
use crate::weights::Weights;
use leakgraph_model::scored::{NhiScore, NhiUsage, PrivilegePart};
use leakgraph_model::tables::{Grant, Identity};
use leakgraph_model::{Key, Timestamp};
use leakgraph_policy::{Catalog, Class, Effective, Escalation, matches_wildcards};
use mass::{Holdings, Masses, View, noisy_or};
use std::collections::{BTreeMap, BTreeSet};
use usage::{Granularity, Record, Usage};

/// Grants that `top_grants` names.
const TOP: usize = 5;

/// Account of an identity: as recorded, else from its ARN.
pub(crate) fn account(identity: &Identity) -> Option<String> {
    identity.account.clone().or_else(|| arn_account(&identity.native_id))
}

/// Fifth part of an ARN.
pub(crate) fn arn_account(arn: &str) -> Option<String> {
    let account = arn.strip_prefix("arn:")?.split(':').nth(3)?;
    (!account.is_empty()).then(|| account.to_owned())
}

/// Everything that one identity's score depends on.
pub(crate) struct Subject<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) effective: &'a Effective,
    pub(crate) escalations: &'a [&'a Escalation],
    /// Its statements.
    pub(crate) grants: &'a [&'a Grant],
    pub(crate) uses: &'a [Use],
    /// Records of its account.
    pub(crate) trail: Option<&'a Trail>,
    /// Last time that somebody became it, microseconds.
    pub(crate) assumed: Option<i64>,
}

/// Scores of one identity.
pub(crate) struct Scored {
    /// `blast` is left open.
    pub(crate) score: NhiScore,
    pub(crate) usage: Vec<NhiUsage>,
    pub(crate) parts: Vec<PrivilegePart>,
    /// What is missing, and what that costs.
    pub(crate) gaps: Vec<(&'static str, &'static str)>,
}

/// Scores one identity.
pub(crate) fn score(subject: &Subject<'_>, weights: &Weights) -> Scored {
    let Subject { identity, effective, escalations, uses, trail, assumed, .. } = *subject;
    let usage = Usage::of(&Record { identity, uses, trail, assumed }, weights);
    let holdings = Holdings::of(effective, escalations, &usage, weights);
    let of = |is_sure, view| noisy_or(&holdings.masses(is_sure, view), weights);
    let (granted_risk, granted_shares) = of(false, View::All);
    let granted_low = of(true, View::All).0;
    let has_unknown = has_unknown_actions(subject.grants);
    // Of actions that no catalog knows nobody can say what they are worth.
    let is_blind = has_unknown && effective.may.is_empty();
    let is_known = usage.granularity > Granularity::None && !is_blind;
    let (middle, middle_shares) = of(true, View::Unneeded(weights.unobservable()));
    let low = is_known.then(|| of(true, View::Unneeded(0.0)).0);
    let high = is_known.then(|| of(false, View::Unneeded(1.0)).0);
    let view = if is_known { View::Unneeded(weights.unobservable()) } else { View::All };
    let top = top(&holdings, view, weights);
    let (from, to) = usage.window.map_or((None, None), |(from, to)| (Some(from), Some(to)));
    let score = NhiScore {
        identity_key: effective.identity_key,
        identity: identity.native_id.clone(),
        excess: is_known.then_some(middle),
        excess_low: low,
        excess_high: high,
        granted_risk,
        granted_low,
        coverage: if is_known { holdings.coverage(weights) } else { 0.0 },
        usage: usage.granularity.as_str().to_owned(),
        usage_sources: usage.sources.iter().filter(|source| !source.is_empty()).cloned().collect(),
        window_from: from.map(Timestamp),
        window_to: to.map(Timestamp),
        window_days: from.zip(to).map(|(from, to)| (to - from) as f64 / 86_400e6),
        inactive: usage.inactive,
        actions_must: count(effective.must.len()),
        actions_may: count(effective.may.len()),
        actions_used: count(effective.may.intersection_len(&usage.used)),
        denied: usage.denied.clone(),
        band: if is_blind { "unknown" } else { band(low.unwrap_or(granted_low)) }.to_owned(),
        classes: classes(if is_known { &middle_shares } else { &granted_shares }),
        evidence: statements(subject.grants, &top),
        top_grants: top,
        blast: None,
        weights_hash: weights.hash(),
    };
    let mut gaps: Vec<(&str, &str)> = Vec::new();
    if has_unknown {
        gaps.push(("unknown_actions", if is_blind { "not_computed" } else { "lower_bound_only" }));
    }
    let effect = |gap| if gap == "no_usage" { "not_computed" } else { "lower_bound_only" };
    gaps.extend(usage.gaps(&holdings.held).into_iter().map(|gap| (gap, effect(gap))));
    let parts = holdings.parts(effective.identity_key, weights);
    Scored { usage: used(subject, &usage), parts, gaps, score }
}

/// Whether a statement allows something that is not in the catalog. That of AWS is whole:
/// what it does not know does not exist.
fn has_unknown_actions(grants: &[&Grant]) -> bool {
    let catalog = Catalog::get();
    let is_unknown = |pattern: &String| {
        catalog.matching(pattern).is_empty() && catalog.id(&pattern.replace('-', "_")).is_none()
    };
    let mut others = grants.iter().filter(|grant| is_allow(grant) && grant.platform != "aws");
    others.any(|grant| grant.actions.iter().any(is_unknown))
}

/// Whether a statement allows of itself.
fn is_allow(grant: &Grant) -> bool {
    grant.effect == "allow" && matches!(grant.policy_kind.as_str(), "identity" | "group" | "permission")
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
    let mut listed: Vec<(Class, f64)> =
        Class::ALL.into_iter().zip(shares.iter().copied()).filter(|(_, share)| *share >= 0.05).collect();
    listed.sort_by(|left, right| right.1.total_cmp(&left.1));
    listed.into_iter().map(|(class, share)| format!("{}={share:.1}", class.as_str())).collect()
}

/// The actions whose loss would lower the score most: sure ones first, what may be allowed
/// where nothing is sure.
fn top(holdings: &Holdings<'_>, view: View, weights: &Weights) -> Vec<String> {
    let pulls = holdings.pulls(view, weights);
    let has_sure = holdings.held.iter().zip(&pulls).any(|(held, pull)| held.is_sure && *pull > 0.0);
    let catalog = Catalog::get();
    let mut best: Vec<(f64, &str)> = Vec::with_capacity(TOP + 1);
    for (held, pull) in holdings.held.iter().zip(&pulls) {
        let is_light = best.len() == TOP && best.last().is_some_and(|(least, _)| pull < least);
        if *pull <= 0.0 || has_sure && !held.is_sure || is_light {
            continue;
        }
        best.push((*pull, &catalog.action(held.id).name));
        best.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
        best.truncate(TOP);
    }
    best.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// Statements that name an action, as `grants:key`.
fn statements(grants: &[&Grant], actions: &[String]) -> Vec<String> {
    let actions: Vec<String> = actions.iter().map(|action| action.to_lowercase()).collect();
    let names = |grant: &Grant, action: &str| {
        let is_named = grant.actions.iter().any(|pattern| {
            let pattern = pattern.to_lowercase();
            // Workflows write scopes of GitHub with hyphens.
            matches_wildcards(&pattern, action)
                || grant.platform == "github" && pattern.replace('-', "_") == *action
        });
        is_named != grant.not_actions
    };
    let mut found: BTreeSet<Key> = BTreeSet::new();
    for action in &actions {
        let of_action = grants.iter().filter(|grant| is_allow(grant) && names(grant, action));
        found.extend(of_action.map(|grant| grant.grant_key).min());
    }
    found.into_iter().map(|key| format!("grants:{key}")).collect()
}

/// What was used and tried, action by action.
fn used(subject: &Subject<'_>, usage: &Usage) -> Vec<NhiUsage> {
    let catalog = Catalog::get();
    let effective = subject.effective;
    let mut rows: BTreeMap<&str, NhiUsage> = BTreeMap::new();
    for used in subject.uses {
        let row = rows.entry(&used.action).or_insert_with(|| {
            let id = catalog.id(&used.action);
            let ids = catalog.matching(&used.action);
            let granted = match (&ids & &effective.must, &ids & &effective.may) {
                _ if ids.is_empty() => "unknown",
                (must, _) if !must.is_empty() => "yes",
                (_, may) if !may.is_empty() => "may",
                _ => "no",
            };
            NhiUsage {
                identity_key: effective.identity_key,
                identity: subject.identity.native_id.clone(),
                action: id.map_or_else(|| used.action.clone(), |id| catalog.action(id).name.clone()),
                granted: granted.to_owned(),
                class: id.map(|id| catalog.action(id).class.as_str().to_owned()),
                ..NhiUsage::default()
            }
        });
        *(if used.denied { &mut row.denied_calls } else { &mut row.calls }) += used.calls;
        row.first_at = [row.first_at, used.first.map(Timestamp)].into_iter().flatten().min();
        row.last_at = row.last_at.max(used.last.map(Timestamp));
        if !row.sources.contains(&used.source) {
            row.sources.push(used.source.clone());
        }
    }
    for (action, row) in &mut rows {
        let is_fresh = usage.is_fresh(action);
        row.usage = match (row.calls > 0, is_fresh) {
            (false, _) => "denied",
            (true, true) => "used",
            (true, false) => "stale",
        }
        .to_owned();
    }
    rows.into_values().collect()
}
