//! What makes a handoff dangerous, factor by factor. These explain the score; they are no
//! second one.

use crate::handoffs::Crossing;
use crate::sides::Sides;
use crate::weights::Weights;
use leakgraph_model::tables::{Handoff, SecretSighting};
use leakgraph_model::{Evidence, Key};
use std::collections::{HashMap, HashSet};

/// Links that are less sure than this do not count as descent.
const CONFIDENCE: f64 = 0.5;
/// Jobs below one handoff that are looked at.
const MOST: usize = 4096;

/// What jobs and handoffs bring along, made ready to be asked for many handoffs.
pub(crate) struct Factors<'a> {
    sides: &'a Sides,
    crossings: &'a HashMap<Key, Crossing>,
    weights: &'a Weights,
    /// Handoffs by the job that hands on.
    below: HashMap<Key, Vec<Key>>,
    confidence: HashMap<Key, f64>,
    /// Longest life of a credential, by job.
    life: HashMap<Key, f64>,
    /// Worst exposure of a secret, by job and by handoff.
    exposure: HashMap<Key, f64>,
    logged: HashSet<Key>,
}

/// What follows from a handoff.
#[derive(Debug, Default)]
pub(crate) struct Descent {
    /// Jobs that run because of it.
    pub(crate) jobs: Vec<Key>,
    /// Handoffs on the longest of the shortest chains below it.
    pub(crate) depth: i32,
}

/// The factors that need no reach.
#[derive(Debug, Default)]
pub(crate) struct Explained {
    pub(crate) descendants: i64,
    pub(crate) persistence: Option<f64>,
    pub(crate) exposure: Option<f64>,
    pub(crate) widening: Option<f64>,
    pub(crate) depth: Option<f64>,
    pub(crate) controls: Vec<String>,
    pub(crate) control: f64,
}

fn raise(map: &mut HashMap<Key, f64>, key: Key, value: f64) {
    let slot = map.entry(key).or_insert(value);
    *slot = slot.max(value);
}

impl<'a> Factors<'a> {
    pub(crate) fn new(
        evidence: &'a Evidence,
        sides: &'a Sides,
        crossings: &'a HashMap<Key, Crossing>,
        weights: &'a Weights,
    ) -> Self {
        let mut below: HashMap<Key, Vec<Key>> = HashMap::new();
        for handoff in &evidence.handoffs {
            for job in sides.parents(handoff.handoff_key) {
                below.entry(*job).or_default().push(handoff.handoff_key);
            }
        }
        let confidence = evidence.handoffs.iter().map(|row| (row.handoff_key, row.confidence)).collect();
        let logged = evidence.jobs.iter().filter(|job| job.has_log).map(|job| job.job_key).collect();
        let (life, exposure) = (HashMap::new(), HashMap::new());
        let mut factors = Self { sides, crossings, weights, below, confidence, life, exposure, logged };
        factors.lives(evidence);
        factors.exposures(evidence);
        factors
    }

    fn lives(&mut self, evidence: &Evidence) {
        for row in &evidence.identities_used {
            let lifetime = match row.how.as_str() {
                "static" => "long",
                "oidc" | "app_token" => "hours",
                "job_token" => "ephemeral",
                _ => continue,
            };
            if let Some(job) = row.job_key {
                raise(&mut self.life, job, self.weights.lifetime(lifetime));
            }
        }
        let secrets: HashMap<Key, &str> =
            evidence.secrets.iter().map(|row| (row.secret_key, row.lifetime.as_str())).collect();
        for row in &evidence.secret_sightings {
            let value = self.weights.lifetime(secrets.get(&row.secret_key).unwrap_or(&"unknown"));
            for key in row.job_key.into_iter().chain(row.handoff_key) {
                raise(&mut self.life, key, value);
            }
        }
        for handoff in &evidence.handoffs {
            if let Some(lifetime) = crate::handoffs::credential_lifetime(handoff) {
                raise(&mut self.life, handoff.handoff_key, self.weights.lifetime(lifetime));
            }
        }
    }

    fn exposures(&mut self, evidence: &Evidence) {
        let weights = self.weights.exposure();
        let public: HashSet<Key> = evidence
            .runs
            .iter()
            .filter(|run| run.visibility.as_deref() == Some("public"))
            .map(|run| run.run_key)
            .collect();
        let of = |row: &SecretSighting| {
            let place = match row.place.as_str() {
                "handoff_input" => weights.input,
                _ if row.run_key.is_some_and(|run| public.contains(&run)) => weights.public_log,
                _ => weights.log,
            };
            if row.encodings.is_empty() { place } else { place * weights.encoded }
        };
        for row in evidence.secret_sightings.iter().filter(|row| row.confidence != "possible") {
            for key in row.job_key.into_iter().chain(row.handoff_key) {
                raise(&mut self.exposure, key, of(row));
            }
        }
        for row in evidence.bindings.iter().filter(|row| row.state == "masked") {
            raise(&mut self.exposure, row.job_key, weights.masked);
        }
        for (handoff, crossing) in self.crossings {
            if crossing.forwarded.count() > 0 {
                raise(&mut self.exposure, *handoff, weights.input);
            }
        }
    }

    /// The child and all that follows it, up to gates that another person keeps.
    pub(crate) fn descent(&self, handoff: Key) -> Descent {
        let mut jobs: Vec<Key> = self.sides.children(handoff).to_vec();
        let mut seen: HashSet<Key> = jobs.iter().copied().collect();
        let (mut next, mut depth, mut level) = (0, 0, jobs.len());
        while next < jobs.len() && jobs.len() < MOST {
            if next == level {
                (depth, level) = (depth + 1, jobs.len());
            }
            for further in self.below.get(&jobs[next]).into_iter().flatten() {
                let gated = self.crossings.get(further).is_some_and(|c| c.checks.contains(&"approval"));
                if gated || self.confidence.get(further).is_some_and(|sure| *sure < CONFIDENCE) {
                    continue;
                }
                jobs.extend(self.sides.children(*further).iter().filter(|job| seen.insert(**job)));
            }
            next += 1;
        }
        Descent { jobs, depth }
    }

    pub(crate) fn explain(&self, handoff: &Handoff, crossing: &Crossing) -> Explained {
        let descent = self.descent(handoff.handoff_key);
        let worst = |map: &HashMap<Key, f64>| {
            let keys = descent.jobs.iter().chain(std::iter::once(&handoff.handoff_key));
            keys.filter_map(|key| map.get(key)).copied().reduce(f64::max)
        };
        let known = !descent.jobs.is_empty();
        let seen = crossing.validated.is_some() || descent.jobs.iter().any(|job| self.logged.contains(job));
        let (controls, control) = self.controls(handoff, crossing);
        Explained {
            descendants: i64::try_from(descent.jobs.len()).unwrap_or(i64::MAX),
            persistence: worst(&self.life),
            exposure: worst(&self.exposure).or(seen.then_some(0.0)),
            widening: (crossing.permissions_known && known).then(|| self.widening(crossing)),
            depth: known.then(|| 1.0 - 0.7f64.powi(descent.depth)),
            controls,
            control,
        }
    }

    fn widening(&self, crossing: &Crossing) -> f64 {
        let scopes = crossing.permissions_added.iter().map(|scope| self.weights.scope(scope));
        let secret = self.weights.class(leakgraph_policy::Class::Cred).ceiling;
        let sum: f64 = scopes.sum::<f64>() + secret * crossing.secrets_added.len() as f64;
        sum / (sum + 1.0)
    }

    fn controls(&self, handoff: &Handoff, crossing: &Crossing) -> (Vec<String>, f64) {
        let weights = self.weights.control();
        let pinned = handoff
            .child_ref
            .as_deref()
            .is_some_and(|found| found.len() == 40 && found.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let all = [
            ("approval", crossing.checks.contains(&"approval"), weights.approval),
            ("pinned_child", pinned, weights.pinned_child),
            ("closed_inputs", crossing.validated == Some(1.0), weights.closed_inputs),
            ("own_identity", crossing.mode == "own", weights.own_identity),
        ];
        let held: Vec<_> = all.into_iter().filter(|(_, held, _)| *held).collect();
        (
            held.iter().map(|(name, ..)| (*name).to_owned()).collect(),
            held.iter().map(|(.., left)| left).product(),
        )
    }
}
