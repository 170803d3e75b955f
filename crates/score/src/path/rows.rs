//! The rows of `delegation_paths`: what the links of one path come to.

use super::facts::{Known, SKEW_SECONDS};
use super::hops::{Hop, Hops, Unit};
use super::links::{Calls, Links, label};
use super::root::{Root, root};
use super::walk::Chain;
use leakgraph_model::scored::{DelegationLink, DelegationPath};
use leakgraph_model::{Key, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Most resources that a path names.
const MAX_RESOURCES: usize = 20;

pub(super) fn path(
    known: &Known<'_>,
    hops: &Hops<'_>,
    calls: &Calls<'_>,
    chain: &Chain,
    is_loop: bool,
    weights_hash: &str,
) -> (DelegationPath, Vec<DelegationLink>) {
    let at = |index: &usize| hops.all.get(*index);
    let before = chain.before.as_ref().and_then(at).filter(|_| !is_loop);
    let passed: Vec<&Hop<'_>> = chain.hops.iter().filter_map(at).collect();
    let run = known.index.runs.get(&chain.root).copied();
    let origin =
        root(known, chain.root, is_loop, before.map(|hop| hop.handoff.credential_subject.as_deref()));
    let root_at = run.and_then(|run| run.created_at.or(run.started_at)).or_else(|| before?.handoff.sent_at);
    let mut links = Links {
        known,
        calls,
        path_key: key(chain, &passed),
        root_at,
        rows: Vec::new(),
        touched: BTreeSet::new(),
    };
    let first = match before {
        Some(hop) => links.handoff(hop, None),
        None => {
            let source = origin.actor.clone().unwrap_or_else(|| origin.kind.to_owned());
            links.trigger(chain.root, source, run.and_then(|run| run.event.as_deref()))
        }
    };
    let mut stands = first;
    for hop in &passed {
        links.credentials(&senders(hop), stands);
        stands = links.handoff(hop, Some(stands));
    }
    // Where only the run is known to have taken an identity, it stands for its jobs.
    let mut ends = chain.ends.clone();
    ends.push(passed.last().and_then(|hop| hop.child).map_or(chain.root, |unit| unit.run));
    if !chain.open && !chain.cycle {
        links.credentials(&ends, stands);
    }
    let Links { rows, touched, path_key, .. } = links;
    let mut row = DelegationPath {
        path_key,
        root_run_key: Some(chain.root),
        root: label(known, Unit { run: chain.root, job: None }),
        root_kind: origin.kind.to_owned(),
        root_actor: origin.actor.clone(),
        root_at,
        handoffs: count(passed.len() + usize::from(before.is_some())),
        orphan: origin.orphan,
        open: chain.open,
        resources: touched.into_iter().take(MAX_RESOURCES).collect(),
        weights_hash: weights_hash.to_owned(),
        ..DelegationPath::default()
    };
    ends.pop();
    let walked = Walked { known, chain, passed: &passed, ends: &ends };
    walked.fill(&mut row, &rows, &origin);
    (row, rows)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn key(chain: &Chain, passed: &[&Hop<'_>]) -> Key {
    let mut parts = vec![chain.root.to_string()];
    parts.extend(passed.iter().map(|hop| hop.handoff.handoff_key.to_string()));
    // Of one chain, one path goes on and another ends in the jobs that hand nothing on.
    parts.push(if chain.too_long { "cut" } else { "end" }.to_owned());
    Key::of("path", &parts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The job that sends a hop. What a whole run sends is no job's.
fn senders(hop: &Hop<'_>) -> Vec<Key> {
    hop.parent.and_then(|parent| parent.job).into_iter().collect()
}

struct Walked<'w, 'a> {
    known: &'w Known<'a>,
    chain: &'w Chain,
    passed: &'w [&'w Hop<'a>],
    ends: &'w [Key],
}

impl Walked<'_, '_> {
    fn fill(&self, row: &mut DelegationPath, links: &[DelegationLink], origin: &Root) {
        let handing: Vec<&DelegationLink> = links.iter().filter(|link| link.kind != "activity").collect();
        row.links = count(handing.len());
        let any = |risk: fn(&DelegationLink) -> f64| {
            100.0 * (1.0 - handing.iter().map(|link| 1.0 - risk(link)).product::<f64>())
        };
        row.dp = any(|link| link.risk);
        row.dp_low = any(|link| link.risk_low);
        row.dp_high = any(|link| link.risk_high);
        row.privilege = self.privilege(&handing);
        row.confidence = handing.iter().map(|link| link.confidence).product();
        row.ambiguous = self.passed.iter().any(|hop| hop.ambiguous);
        row.nodes = std::iter::once(row.root.clone())
            .chain(
                links
                    .iter()
                    .filter(|link| link.kind == "handoff" && link.after.is_some())
                    .map(|link| link.target.clone()),
            )
            .collect();
        row.identities =
            distinct(links.iter().filter(|link| link.kind == "credential").map(|link| link.target.clone()));
        row.agents = self.agents(origin);
        row.cycle = self.chain.cycle || self.repeats();
        weakest(row, &handing);
        row.evidence = distinct(handing.iter().flat_map(|link| link.evidence.clone()));
        row.last_activity_at = self.last_activity(links);
        row.lifetime_s = row
            .last_activity_at
            .zip(row.root_at)
            .map(|(last, root)| last.seconds_since(root))
            .filter(|seconds| *seconds >= -SKEW_SECONDS)
            .map(|seconds| seconds.max(0.0));
        let mut gaps: BTreeSet<String> = links.iter().flat_map(|link| link.gaps.clone()).collect();
        self.outlives(row, links, &mut gaps);
        gaps.extend((origin.orphan == Some(true)).then(|| "no_parent".to_owned()));
        gaps.extend((origin.actor.is_none()).then(|| "no_actor".to_owned()));
        gaps.extend(self.chain.cycle.then(|| "cycle".to_owned()));
        gaps.extend(self.chain.too_long.then(|| "too_long".to_owned()));
        row.gaps = gaps.into_iter().collect();
        row.coverage = coverage(&handing);
    }

    fn privilege(&self, links: &[&DelegationLink]) -> Option<f64> {
        let mut held: BTreeMap<&str, f64> = BTreeMap::new();
        for link in links {
            for name in &link.privileges {
                let weight = match link.kind.as_str() {
                    "credential" => link.privilege.unwrap_or(0.0),
                    _ if name.starts_with("secret:") => self.known.weights.secret,
                    _ => self.known.weights.scope(name),
                };
                let most = held.entry(name).or_default();
                *most = most.max(weight);
            }
        }
        let is_known = links.iter().any(|link| link.privilege.is_some());
        is_known.then(|| 1.0 - held.values().map(|weight| 1.0 - weight).product::<f64>())
    }

    fn agents(&self, origin: &Root) -> Vec<String> {
        let units = self.passed.iter().flat_map(|hop| [hop.parent, hop.child]).flatten();
        let root = Unit { run: self.chain.root, job: None };
        let ends = self.ends.iter().map(|job| Unit { run: self.last_run(), job: Some(*job) });
        let own = origin.actor.clone().filter(|actor| self.known.is_agent(actor));
        let name = |unit: Unit| {
            self.known.agent(unit).filter(|name| unit.job.is_some() || self.known.is_agent(name))
        };
        // A trace that only agents work in is named by them.
        distinct(std::iter::once(root).chain(units).chain(ends).filter_map(name).chain(own))
    }

    fn last_run(&self) -> Key {
        self.passed.last().and_then(|hop| hop.child).map_or(self.chain.root, |unit| unit.run)
    }

    /// Units of the path in order, the root first.
    fn units(&self) -> Vec<Unit> {
        let root = Unit { run: self.chain.root, job: None };
        std::iter::once(root).chain(self.passed.iter().filter_map(|hop| hop.child)).collect()
    }

    /// Whether a workflow occurs under two runs.
    fn repeats(&self) -> bool {
        let mut seen: BTreeMap<(&str, &str), Key> = BTreeMap::new();
        self.units().iter().any(|unit| {
            let Some(run) = self.known.index.runs.get(&unit.run) else { return false };
            let workflow = run.workflow_path.as_deref().or(run.workflow_name.as_deref());
            let Some(name) = run.repo.as_deref().zip(workflow) else { return false };
            *seen.entry(name).or_insert(unit.run) != unit.run
        })
    }

    /// Last sign of life of a unit: the end of its job, else of its run, else their beginning.
    fn last_seen(&self, unit: Unit) -> Option<Timestamp> {
        let job = unit.job.and_then(|job| self.known.jobs.get(&job));
        let of_job = job.and_then(|job| job.ended_at.or(job.started_at));
        let run = || self.known.index.runs.get(&unit.run);
        of_job.or_else(|| run().and_then(|run| run.ended_at.or(run.started_at).or(run.created_at)))
    }

    fn last_activity(&self, links: &[DelegationLink]) -> Option<Timestamp> {
        let ends = self.ends.iter().map(|job| Unit { run: self.last_run(), job: Some(*job) });
        let units = self.units().into_iter().chain(ends).filter_map(|unit| self.last_seen(unit)).max();
        units.max(links.iter().filter_map(|link| link.at).max())
    }

    fn outlives(&self, row: &mut DelegationPath, links: &[DelegationLink], gaps: &mut BTreeSet<String>) {
        let mut reasons = BTreeSet::new();
        let mut is_open = self.chain.open;
        let last = row.last_activity_at;
        let after = |since: Option<Timestamp>| {
            Some(last?.seconds_since(since?)).filter(|seconds| *seconds > SKEW_SECONDS)
        };
        for hop in self.passed.iter().filter(|hop| hop.enters()) {
            let parent = hop.parent.and_then(|unit| self.known.index.runs.get(&unit.run));
            let acted = hop.child.and_then(|child| self.last_seen(child));
            match parent.and_then(|run| run.conclusion.as_deref().zip(run.ended_at)) {
                Some((conclusion, ended)) => {
                    // A workflow_run follows the end of its parent, whatever it was; what was
                    // cancelled should start nothing.
                    let is_bad = match conclusion {
                        "cancelled" => true,
                        "failure" | "timed_out" => hop.handoff.mechanism != "workflow_run",
                        _ => false,
                    };
                    if is_bad && acted.is_some_and(|acted| acted.seconds_since(ended) > SKEW_SECONDS) {
                        reasons.insert(format!("went on after its parent had ended as {conclusion}"));
                    }
                    is_open |= acted.is_none() && is_bad;
                }
                None => {
                    gaps.insert("no_conclusion".to_owned());
                    is_open = true;
                }
            }
        }
        self.lapsed(&mut reasons, &after);
        for link in links.iter().filter(|link| link.kind == "activity") {
            let ended = link.job_key.and_then(|job| self.known.jobs.get(&job)).and_then(|job| job.ended_at);
            let late = link.at.zip(ended).map(|(at, ended)| at.seconds_since(ended));
            if late.is_some_and(|seconds| seconds > SKEW_SECONDS) {
                reasons.insert(format!("{} was used after its job had ended", link.source));
            }
        }
        // Inventories tell that somebody left, not when.
        if row.root_kind == "human" {
            gaps.insert("no_offboarding".to_owned());
        }
        row.outlives_origin = match (reasons.is_empty(), is_open || last.is_none()) {
            (false, _) => Some(true),
            (true, true) => None,
            (true, false) => Some(false),
        };
        row.outlives_reasons = reasons.into_iter().collect();
    }

    /// The root's approval held for some hours only.
    fn lapsed(&self, reasons: &mut BTreeSet<String>, after: &dyn Fn(Option<Timestamp>) -> Option<f64>) {
        let hours = self.known.weights.approval_hours;
        let lapsed =
            after(self.known.approved_at(self.chain.root)).is_some_and(|seconds| seconds > hours * 3600.0);
        if lapsed {
            reasons.insert(format!("acted more than {hours} hours after its approval"));
        }
    }
}

fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    texts.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The link that holds least. What is not known is better than what is known to be missing.
fn weakest(row: &mut DelegationPath, links: &[&DelegationLink]) {
    let rank = |answer: Option<bool>| match answer {
        Some(false) => 0,
        None => 1,
        Some(true) => 2,
    };
    let link = links.iter().min_by(|left, right| {
        let checks = |link: &DelegationLink| (rank(link.revalidated), rank(link.revocable));
        checks(left)
            .cmp(&checks(right))
            .then(left.confidence.total_cmp(&right.confidence))
            .then(right.risk.total_cmp(&left.risk))
            .then(left.ordinal.cmp(&right.ordinal))
    });
    let Some(link) = link else { return };
    let say = |answer: Option<bool>, what: &str| match answer {
        Some(false) => Some(format!("not {what}")),
        None => Some(format!("{what}: unknown")),
        Some(true) => None,
    };
    let mut lacks: Vec<String> = [say(link.revalidated, "revalidated"), say(link.revocable, "revocable")]
        .into_iter()
        .flatten()
        .collect();
    match link.confidence {
        none if none <= 0.0 => lacks.push("what it led to: unknown".to_owned()),
        some if some < 1.0 => lacks.push(format!("confidence {some:.2}")),
        _ => {}
    }
    row.weakest_link = Some(link.ordinal);
    row.weakest_reason = (!lacks.is_empty()).then(|| lacks.join(", "));
}

/// Privilege, checks, credential, time and, of handoffs, both sides: how much of it is known.
fn coverage(links: &[&DelegationLink]) -> f64 {
    let (mut answered, mut asked) = (0.0, 0.0);
    for link in links {
        let missing = |gap: &str| link.gaps.iter().any(|other| other == gap);
        let mut answers = vec![
            !missing("no_permissions") && !missing("no_child"),
            link.revalidated.is_some(),
            link.elapsed_s.is_some(),
        ];
        if link.kind != "trigger" {
            answers.push(link.revocable.is_some());
            answers.push(link.scope_change != "unknown");
        }
        asked += answers.len() as f64;
        answered += answers.into_iter().filter(|known| *known).count() as f64;
    }
    if asked > 0.0 { answered / asked } else { 0.0 }
}
