//! What one identity used, and of what else it could have been seen to use.
//!
//! u(g), the chance that a grant is unneeded: 0 if used in the window W; 1 if it could be
//! observed, was not used and is older than W; age/W if it is younger; π where use cannot be
//! observed. Where records cover a share h of the time only, `u = h·min(age/W, 1) + (1−h)·π`.
//! Nothing tells when a grant was made: it is as old as its identity, unless that has no date.

use super::mass::Held;
use super::trail::{Recorded, Source, Trail, recorded, service};
use crate::relations::Use;
use crate::weights::Weights;
use leakgraph_model::tables::Identity;
use leakgraph_policy::Catalog;
use roaring::RoaringBitmap;
use std::collections::BTreeSet;

const DAY: f64 = 86_400e6;

/// How well use is known, least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Granularity {
    /// Not at all.
    #[default]
    None,
    /// By service.
    Service,
    /// By action, but for calls that are recorded on request only.
    Action,
    /// By action, with these.
    Observed,
}

impl Granularity {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Service => "service",
            Self::Action => "action",
            Self::Observed => "observed",
        }
    }
}

/// Whether a grant is needed, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Need {
    Used,
    /// Not used in the `seen` share of the time; `age` of the window old.
    Unused {
        seen: f64,
        age: f64,
    },
}

impl Need {
    pub(crate) const UNKNOWN: Self = Self::Unused { seen: 0.0, age: 1.0 };
    pub(crate) const NOT: Self = Self::Unused { seen: 1.0, age: 1.0 };

    /// u(g).
    pub(crate) fn unneeded(self, unobservable: f64) -> f64 {
        match self {
            Self::Used => 0.0,
            Self::Unused { seen, age } => seen * age + (1.0 - seen) * unobservable,
        }
    }

    /// Share of the time in which use would have been seen.
    pub(crate) fn seen(self) -> f64 {
        match self {
            Self::Used => 1.0,
            Self::Unused { seen, .. } => seen,
        }
    }
}

/// Use as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) granularity: Granularity,
    /// Actions used in the window.
    pub(crate) used: RoaringBitmap,
    /// What was used in the window, as logged.
    fresh: BTreeSet<String>,
    /// Tried and only ever refused, as logged.
    pub(crate) denied: Vec<String>,
    pub(crate) sources: BTreeSet<String>,
    /// First and last time of the evidence, microseconds.
    pub(crate) window: Option<(i64, i64)>,
    /// Idle all of the window.
    pub(crate) inactive: Option<bool>,
    /// Used, but only the service is known.
    services: RoaringBitmap,
    /// Access Analyzer says that they are unused.
    listed: RoaringBitmap,
    /// Access Analyzer lists others of their service: they are in use.
    tracked: RoaringBitmap,
    /// Share of the time (of the window, or since it was made) that records of calls cover.
    seen: f64,
    /// Age by W, at most 1.
    age: f64,
    /// Whether all services that it used are known.
    has_report: bool,
    data: BTreeSet<String>,
}

/// What usage is read from.
pub(crate) struct Record<'a> {
    pub(crate) identity: &'a Identity,
    /// Calls and attempts of the identity.
    pub(crate) uses: &'a [Use],
    /// Records of its account.
    pub(crate) trail: Option<&'a Trail>,
    /// Last time that somebody became it, microseconds.
    pub(crate) assumed: Option<i64>,
}

impl Usage {
    pub(crate) fn of(record: &Record<'_>, weights: &Weights) -> Self {
        let window = weights.window_days() * DAY;
        let mut usage = Self { age: 1.0, ..Self::default() };
        let last_own = record.uses.iter().filter_map(|used| used.last).max();
        let end = record.trail.and_then(|trail| trail.end).max(last_own).max(record.assumed);
        let start = end.map(|end| end - window as i64);
        let made = record.identity.created_at.map(|at| at.0);
        if let Some((end, made)) = end.zip(made) {
            usage.age = ((end - made) as f64 / window).clamp(0.0, 1.0);
        }
        usage.analysed(&record.identity.tags);
        usage.calls(record.uses, start);
        usage.observe(record, start, end, made);
        usage.idle(record, start, end);
        usage
    }

    /// Findings of Access Analyzer: what it lists is unused; of a service of which it lists
    /// actions the others are in use.
    fn analysed(&mut self, tags: &[String]) {
        let catalog = Catalog::get();
        for finding in tags.iter().filter_map(|tag| tag.strip_prefix("unused=")) {
            let Some((service, name)) = finding.split_once(':') else {
                // The role itself.
                self.inactive = (finding == "role").then_some(true).or(self.inactive);
                continue;
            };
            self.listed |= catalog.matching(finding);
            let is_whole = name == "*";
            if !is_whole {
                self.tracked |= catalog.matching(&format!("{service}:*"));
            }
            self.granularity =
                self.granularity.max(if is_whole { Granularity::Service } else { Granularity::Action });
            self.sources.insert("access_analyzer".to_owned());
        }
        let is_tracked = |id: &u32| !recorded(*id).is_data_plane && !recorded(*id).is_never;
        self.tracked = (&self.tracked - &self.listed).iter().filter(is_tracked).collect();
    }

    fn calls(&mut self, uses: &[Use], start: Option<i64>) {
        let catalog = Catalog::get();
        let mut refused: BTreeSet<&str> = BTreeSet::new();
        let mut allowed: BTreeSet<&str> = BTreeSet::new();
        for used in uses {
            if used.denied {
                refused.insert(&used.action);
                continue;
            }
            allowed.insert(&used.action);
            self.sources.insert(used.source.clone());
            let is_stale = used.last.zip(start).is_some_and(|(last, start)| last < start);
            if is_stale {
                continue;
            }
            self.fresh.insert(used.action.clone());
            if used.action.ends_with(":*") {
                self.services |= catalog.matching(&used.action);
            } else if let Some(id) = catalog.id(&used.action) {
                self.used.insert(id);
                // Only some actions are tracked: others of the service may be in use too.
                if used.source == "last_accessed" {
                    self.services |= catalog.matching(&format!("{}:*", service(&used.action)));
                }
            }
        }
        self.denied = refused.difference(&allowed).map(|action| (*action).to_owned()).collect();
    }

    /// Which share of the time its use was on record, and how finely.
    fn observe(&mut self, record: &Record<'_>, start: Option<i64>, end: Option<i64>, made: Option<i64>) {
        let reported = || record.uses.iter().filter(|used| Source::of(&used.source) == Source::Report);
        let mut spans: Vec<(i64, i64)> = Vec::new();
        if let Some(trail) = record.trail {
            spans.extend(trail.first.zip(trail.last));
            self.data.clone_from(&trail.data);
        }
        if !spans.is_empty() {
            let level = if self.data.is_empty() { Granularity::Action } else { Granularity::Observed };
            self.granularity = self.granularity.max(level);
        }
        // The period of an insight ends and begins with its rows.
        let insight = || reported().filter(|used| used.source == "gcp_insight");
        spans.extend(
            insight().filter_map(|used| used.first).min().zip(insight().filter_map(|used| used.last).max()),
        );
        let by_action = reported().any(|used| !used.action.ends_with(":*"));
        if by_action {
            self.granularity = self.granularity.max(Granularity::Action);
        } else if !record.uses.iter().all(|used| used.denied) {
            self.granularity = self.granularity.max(Granularity::Service);
        }
        // Last accesses cover the last 400 days.
        self.has_report = reported().any(|used| used.source == "last_accessed");
        let reported = self.has_report.then_some(start.zip(end)).flatten();
        let all = || spans.iter().copied().chain(reported);
        self.window = all().map(|span| span.0).min().zip(all().map(|span| span.1).max());
        let Some((start, end)) = start.zip(end) else { return };
        let from = start.max(made.unwrap_or(start));
        let life = (end - from) as f64;
        if life > 0.0 {
            let covered = spans.iter().map(|(first, last)| ((*last).min(end) - (*first).max(from)) as f64);
            self.seen = (covered.fold(0.0, f64::max) / life).clamp(0.0, 1.0);
        }
    }

    /// Idle: known by a time of last use before the window, or by records that cover it all.
    fn idle(&mut self, record: &Record<'_>, start: Option<i64>, end: Option<i64>) {
        let Some((start, end)) = start.zip(end) else { return self.settle() };
        let last_used = record.identity.last_used_at.map(|at| at.0);
        // Nobody knows when the inventory was made, but all it knows of was used before.
        let inventory = record.trail.and_then(|trail| trail.inventory).map(|made| made - (end - start));
        // A refused attempt is no use, but somebody is there.
        let acted = record.uses.iter().filter_map(|used| used.last).max();
        let last = last_used.max(acted).max(record.assumed);
        let is_old = self.age >= 1.0;
        self.inactive = match last {
            Some(last) if last >= start && last <= end => Some(false),
            _ if self.inactive == Some(true) => Some(true),
            Some(_) if is_old && last_used.is_some() && last_used < inventory => {
                self.sources.insert("inventory".to_owned());
                Some(true)
            }
            _ if is_old && (self.seen >= 1.0 || self.has_report) && self.would_show(record) => Some(true),
            _ => None,
        };
        self.settle();
    }

    /// Whether all it could do leaves a trace: a role has to be assumed, the keys of a user do
    /// not, and their data events may be off the record.
    fn would_show(&self, record: &Record<'_>) -> bool {
        let leaves_traces = record.identity.platform == "aws" && record.identity.kind == "role";
        self.has_report || !self.data.is_empty() || leaves_traces
    }

    fn settle(&mut self) {
        if self.inactive == Some(true) {
            self.granularity = self.granularity.max(Granularity::Service);
        }
    }

    /// Whether an action is needed.
    pub(crate) fn need(&self, id: u32) -> Need {
        if self.used.contains(id) {
            return Need::Used;
        }
        if self.inactive == Some(true) || self.listed.contains(id) {
            return Need::NOT;
        }
        if self.tracked.contains(id) {
            return Need::Used;
        }
        let recorded = recorded(id);
        if recorded.is_never || self.granularity == Granularity::None {
            return Need::UNKNOWN;
        }
        // A service that was not used at all was not used for data either.
        let seen = match (self.has_report && !self.services.contains(id), self.is_hidden(recorded)) {
            (true, _) => 1.0,
            (false, true) => 0.0,
            (false, false) => self.seen,
        };
        Need::Unused { seen, age: self.age }
    }

    /// Whether a logged action was used in the window.
    pub(crate) fn is_fresh(&self, action: &str) -> bool {
        self.fresh.contains(action)
    }

    fn is_hidden(&self, recorded: Recorded) -> bool {
        recorded.is_data_plane && !self.data.contains(recorded.service)
    }

    /// What the score of these grants lacks, each once.
    pub(crate) fn gaps(&self, held: &[Held]) -> BTreeSet<&'static str> {
        if self.granularity == Granularity::None {
            return BTreeSet::from(["no_usage"]);
        }
        let open = held.iter().filter(|held| held.need.seen() < 1.0);
        open.map(|held| match recorded(held.id) {
            Recorded { is_never: true, .. } => "unrecorded_calls",
            recorded if self.is_hidden(recorded) => "no_data_events",
            _ if self.services.contains(held.id) => "service_level_usage",
            _ => "short_window",
        })
        .collect()
    }
}
