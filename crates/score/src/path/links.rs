//! The rows of `delegation_links`.

use super::DelegationWeights;
use super::facts::{Held, Known, SKEW_SECONDS};
use super::hops::{Hop, Unit};
use crate::graph::build::{job_label, run_label, workflow_label};
use leakgraph_model::scored::DelegationLink;
use leakgraph_model::tables::{Activity, IdentityUsed};
use leakgraph_model::{Evidence, Key, Timestamp};
use std::collections::{BTreeSet, HashMap};

/// Session name that aws-actions/configure-aws-credentials gives all its sessions, so that it
/// names none.
const COMMON_SESSION: &str = "GitHubActions";

/// Risk of a link and its bounds, each 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Risk {
    pub(super) low: f64,
    pub(super) central: f64,
    pub(super) high: f64,
}

/// What a risk depends on.
pub(super) struct Handed {
    /// Heaviest privilege that is known.
    pub(super) weight: Option<f64>,
    /// Whether there may be more than is known.
    pub(super) may_hold_more: bool,
    pub(super) revalidated: Option<bool>,
    pub(super) revocable: Option<bool>,
    pub(super) scope_change: &'static str,
}

impl Handed {
    pub(super) fn risk(&self, weights: &DelegationWeights) -> Risk {
        let risk = |weight: f64, revalidated: bool, revocable: bool, widened: bool| {
            let checked = if revalidated { 1.0 - weights.revalidated } else { 1.0 };
            let mortal = if revocable { 1.0 - weights.revocable } else { 1.0 };
            let more = if widened { weights.widened } else { 1.0 };
            (weights.privilege * weight * checked * mortal * more).clamp(0.0, 1.0)
        };
        let known = self.weight.unwrap_or(0.0);
        let (again, mortal) = (self.revalidated, self.revocable);
        let widened = self.scope_change == "widened";
        let most = if self.may_hold_more { 1.0 } else { known };
        Risk {
            low: risk(known, again.unwrap_or(true), mortal.unwrap_or(true), widened),
            central: risk(known, again == Some(true), mortal == Some(true), widened),
            high: risk(
                most,
                again == Some(true),
                mortal == Some(true),
                widened || self.scope_change == "unknown",
            ),
        }
    }
}

fn handed(known: &Known<'_>, hop: &Hop<'_>, held: &Held) -> Handed {
    Handed {
        weight: held.heaviest(),
        may_hold_more: !held.is_known,
        revalidated: known.revalidated(hop).0,
        revocable: Known::revocable(hop),
        scope_change: known.scope_change(hop),
    }
}

/// Risk of a hop, whatever path it stands on.
pub(super) fn hop_risk(known: &Known<'_>, hop: &Hop<'_>) -> Risk {
    let held = hop.child.map(|child| known.held(child)).unwrap_or_default();
    handed(known, hop, &held).risk(known.weights)
}

/// API calls by the identity and session that signed them.
pub(super) struct Calls<'a>(HashMap<Key, HashMap<&'a str, Vec<&'a Activity>>>);

impl<'a> Calls<'a> {
    pub(super) fn of(evidence: &'a Evidence) -> Self {
        let mut calls: HashMap<Key, HashMap<&str, Vec<&Activity>>> = HashMap::new();
        for row in &evidence.activity {
            if let (Some(identity), Some(session)) = (row.identity_key, row.session.as_deref()) {
                calls.entry(identity).or_default().entry(session).or_default().push(row);
            }
        }
        Self(calls)
    }

    fn signed(&self, identity: Key, session: Option<&str>) -> Option<&[&'a Activity]> {
        self.0.get(&identity)?.get(session?).map(Vec::as_slice)
    }

    /// Calls of one use of an identity: by the id of its key, else by a session name of its own,
    /// not before it was issued.
    fn by(&self, used: &IdentityUsed, since: Option<Timestamp>) -> Vec<&'a Activity> {
        let Some(identity) = used.identity_key else { return Vec::new() };
        if let Some(rows) =
            self.signed(identity, used.access_key_id.as_deref()).filter(|_| used.how != "static")
        {
            return rows.to_vec();
        }
        let own = used.session_name.as_deref().filter(|name| *name != COMMON_SESSION);
        let is_after = |row: &&&Activity| match (row.first_at, since) {
            (Some(first), Some(since)) => first.seconds_since(since) >= -SKEW_SECONDS,
            _ => false,
        };
        self.signed(identity, own).into_iter().flatten().filter(is_after).copied().collect()
    }
}

/// Builds the links of one path.
pub(super) struct Links<'k, 'a> {
    pub(super) known: &'k Known<'a>,
    pub(super) calls: &'k Calls<'a>,
    pub(super) path_key: Key,
    pub(super) root_at: Option<Timestamp>,
    pub(super) rows: Vec<DelegationLink>,
    /// Last call of each activity link and what it touched.
    pub(super) touched: BTreeSet<String>,
}

impl Links<'_, '_> {
    fn push(&mut self, mut row: DelegationLink, risk: Risk) -> i64 {
        row.path_key = self.path_key;
        row.ordinal = i64::try_from(self.rows.len()).unwrap_or(i64::MAX);
        (row.risk_low, row.risk, row.risk_high) = (risk.low, risk.central, risk.high);
        if let (Some(at), Some(root)) = (row.at, self.root_at) {
            let elapsed = at.seconds_since(root);
            row.elapsed_s = (elapsed >= -SKEW_SECONDS).then(|| elapsed.max(0.0));
            if row.elapsed_s.is_none() {
                row.gaps.push("clock_skew".to_owned());
            }
        }
        row.gaps.sort_unstable();
        row.gaps.dedup();
        let ordinal = row.ordinal;
        self.rows.push(row);
        ordinal
    }

    /// From the root event to the run it started.
    pub(super) fn trigger(&mut self, run: Key, source: String, event: Option<&str>) -> i64 {
        let unit = Unit { run, job: None };
        let held = self.known.held(unit);
        let (revalidated, by) = self.known.approved(unit, None, true);
        let handed = Handed {
            weight: held.heaviest(),
            may_hold_more: !held.is_known,
            revalidated,
            revocable: None,
            scope_change: "unknown",
        };
        // There is no near side that it could widen.
        let risk = Handed { scope_change: "same", ..handed }.risk(self.known.weights);
        let row = DelegationLink {
            kind: "trigger".to_owned(),
            mechanism: event.unwrap_or("unknown").to_owned(),
            source,
            target: label(self.known, unit),
            run_key: Some(run),
            credential_kind: "unknown".to_owned(),
            scope_change: "unknown".to_owned(),
            privilege: held.heaviest(),
            may_hold_more: !held.is_known,
            privileges: names(&held),
            at: self.root_at,
            agent: self.known.agent(unit).is_some(),
            revalidated,
            revalidated_by: by.map(str::to_owned),
            confidence: 1.0,
            evidence: vec![format!("runs:{run}")],
            gaps: open_questions(&held, revalidated, Some(true)),
            ..DelegationLink::default()
        };
        self.push(row, risk)
    }

    pub(super) fn handoff(&mut self, hop: &Hop<'_>, after: Option<i64>) -> i64 {
        let known = self.known;
        let held = hop.child.map(|child| known.held(child)).unwrap_or_default();
        let handed = handed(known, hop, &held);
        let mut gaps = open_questions(&held, handed.revalidated, handed.revocable);
        gaps.extend(hop.child.is_none().then(|| "no_child".to_owned()));
        gaps.extend(hop.parent.is_none().then(|| "no_parent".to_owned()));
        gaps.extend(hop.ambiguous.then(|| "ambiguous_parent".to_owned()));
        let actors = hop
            .parent
            .zip(hop.child)
            .and_then(|(parent, child)| Some(known.actor(parent)? != known.actor(child)?));
        let rows = std::iter::once(&hop.handoff.handoff_key).chain(&hop.also);
        let row = DelegationLink {
            after,
            kind: "handoff".to_owned(),
            mechanism: hop.handoff.mechanism.clone(),
            handoff_key: Some(hop.handoff.handoff_key),
            source: hop.parent.map_or_else(|| "?".to_owned(), |unit| label(known, unit)),
            target: hop.child.map_or_else(|| unseen(hop), |unit| label(known, unit)),
            run_key: hop.child.map(|unit| unit.run),
            job_key: hop.child.and_then(|unit| unit.job),
            credential_kind: hop.credential.to_owned(),
            scope_change: handed.scope_change.to_owned(),
            privilege: held.heaviest(),
            may_hold_more: handed.may_hold_more,
            privileges: names(&held),
            at: known.crossed_at(hop),
            actor_changed: actors,
            agent: hop.child.is_some_and(|child| known.agent(child).is_some()),
            revalidated: handed.revalidated,
            revalidated_by: known.revalidated(hop).1.map(str::to_owned),
            revocable: handed.revocable,
            confidence: hop.confidence,
            evidence: rows.map(|key| format!("handoffs:{key}")).collect(),
            gaps,
            ..DelegationLink::default()
        };
        self.push(row, handed.risk(known.weights))
    }

    /// Identities that jobs acted as, and the calls they made.
    pub(super) fn credentials(&mut self, jobs: &[Key], after: i64) {
        let mut uses: Vec<&IdentityUsed> =
            jobs.iter().filter_map(|job| self.known.index.used.get(job)).flatten().copied().collect();
        uses.sort_by(|left, right| {
            let order = |row: &IdentityUsed| {
                (row.identity_key, row.subject.clone(), row.job_key, row.how.clone(), row.issued_at)
            };
            order(left).cmp(&order(right))
        });
        uses.dedup_by_key(|row| (row.identity_key, row.subject.clone(), row.job_key, row.how.clone()));
        for used in uses {
            // The job's own token was counted where the job was reached.
            if used.how == "job_token" {
                continue;
            }
            let ordinal = self.credential(used, after);
            self.activity(used, ordinal);
        }
    }

    fn credential(&mut self, used: &IdentityUsed, after: i64) -> i64 {
        let known = self.known;
        let weight = used.identity_key.and_then(|key| known.index.granted.get(&key)).copied();
        let before = used.job_key.and_then(|job| {
            let run = known.jobs.get(&job)?.run_key;
            known.held(Unit { run, job: Some(job) }).heaviest()
        });
        let scope_change = match before.zip(weight) {
            Some((before, after)) if after > before => "widened",
            Some((before, after)) if after < before => "narrowed",
            Some(_) => "same",
            None => "unknown",
        };
        // Exchanging an OIDC token asks the trust policy anew; a key that lies there asks nobody.
        let (revalidated, revocable) = match used.how.as_str() {
            "oidc" => (Some(true), Some(true)),
            "app_token" => (None, Some(true)),
            "static" | "ambient" => (Some(false), Some(false)),
            _ => (None, None),
        };
        let handed = Handed { weight, may_hold_more: weight.is_none(), revalidated, revocable, scope_change };
        let mut gaps = Vec::new();
        gaps.extend(weight.is_none().then(|| "no_permissions".to_owned()));
        gaps.extend(revalidated.is_none().then(|| "no_revalidation".to_owned()));
        gaps.extend(revocable.is_none().then(|| "no_credential".to_owned()));
        let subject = used.subject.clone().unwrap_or_else(|| used.identity_kind.clone());
        let unit =
            used.job_key.and_then(|job| Some(Unit { run: known.jobs.get(&job)?.run_key, job: Some(job) }));
        let row = DelegationLink {
            after: Some(after),
            kind: "credential".to_owned(),
            mechanism: used.how.clone(),
            source: unit.map_or_else(|| "?".to_owned(), |unit| label(known, unit)),
            target: subject.clone(),
            run_key: used.run_key.or_else(|| unit.map(|unit| unit.run)),
            job_key: used.job_key,
            identity_key: used.identity_key,
            credential_kind: used.how.clone(),
            scope_change: scope_change.to_owned(),
            privilege: weight,
            may_hold_more: weight.is_none(),
            privileges: vec![subject],
            at: used.issued_at.or_else(|| unit.and_then(|unit| known.begin(unit))),
            actor_changed: Some(true),
            agent: unit.is_some_and(|unit| known.agent(unit).is_some()),
            revalidated,
            revalidated_by: (revalidated == Some(true)).then(|| "oidc".to_owned()),
            revocable,
            confidence: used.confidence,
            evidence: used
                .identity_key
                .map(|key| format!("identities:{key}"))
                .into_iter()
                .chain(used.job_key.map(|key| format!("jobs:{key}")))
                .collect(),
            gaps,
            ..DelegationLink::default()
        };
        self.push(row, handed.risk(known.weights))
    }

    fn activity(&mut self, used: &IdentityUsed, after: i64) {
        let from = self.rows.last();
        let (since, agent) = (from.and_then(|row| row.at), from.is_some_and(|row| row.agent));
        let calls = self.calls.by(used, since);
        if calls.is_empty() {
            return;
        }
        let count =
            |denied: bool| calls.iter().filter(|row| row.denied == denied).map(|row| row.calls).sum::<i64>();
        let actions: BTreeSet<&str> = calls.iter().map(|row| row.action.as_str()).collect();
        self.touched.extend(calls.iter().filter(|row| !row.denied).filter_map(|row| row.resource.clone()));
        let target: Vec<&str> = actions.iter().copied().take(5).collect();
        let more = if actions.len() > target.len() { ", …" } else { "" };
        let row = DelegationLink {
            after: Some(after),
            kind: "activity".to_owned(),
            mechanism: "api".to_owned(),
            source: used.subject.clone().unwrap_or_else(|| used.identity_kind.clone()),
            target: format!("{}{more}", target.join(", ")),
            run_key: used.run_key,
            job_key: used.job_key,
            identity_key: used.identity_key,
            credential_kind: used.how.clone(),
            scope_change: "same".to_owned(),
            privilege: Some(0.0),
            at: calls.iter().filter_map(|row| row.last_at.or(row.first_at)).max(),
            actor_changed: Some(false),
            agent,
            confidence: used.confidence,
            calls: Some(count(false) + count(true)),
            denied_calls: Some(count(true)),
            evidence: used.identity_key.map(|key| format!("identities:{key}")).into_iter().collect(),
            ..DelegationLink::default()
        };
        self.push(row, Risk { low: 0.0, central: 0.0, high: 0.0 });
    }
}

fn open_questions(held: &Held, revalidated: Option<bool>, revocable: Option<bool>) -> Vec<String> {
    let mut gaps = Vec::new();
    gaps.extend((!held.is_known).then(|| "no_permissions".to_owned()));
    gaps.extend(revalidated.is_none().then(|| "no_revalidation".to_owned()));
    gaps.extend(revocable.is_none().then(|| "no_credential".to_owned()));
    gaps
}

fn names(held: &Held) -> Vec<String> {
    held.privileges.keys().cloned().collect()
}

/// `repo workflow`, or `repo workflow / job`.
pub(super) fn label(known: &Known<'_>, unit: Unit) -> String {
    let run = known.index.runs.get(&unit.run).copied();
    match unit.job {
        Some(job) => job_label(run, known.jobs.get(&job).map_or("?", |job| job.name.as_str())),
        None => run_label(run),
    }
}

fn unseen(hop: &Hop<'_>) -> String {
    workflow_label(hop.handoff.child_repo.as_deref(), hop.handoff.child_workflow.as_deref())
}
