//! Handoffs: as whom the child runs, what changed hands, and the verdict on
//! "scope each child to a dedicated identity and validate every input".

use crate::Error;
use crate::forwarded::{Forwarded, forwarded};
use crate::relations::{self, Difference, Inputs};
use crate::sides::Sides;
use leakgraph_model::tables::{Handoff, Run, SecretPassed};
use leakgraph_model::{Evidence, Key};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What is known of the crossing itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Crossing {
    pub(crate) mode: &'static str,
    pub(crate) permissions_added: Vec<String>,
    pub(crate) permissions_dropped: Vec<String>,
    pub(crate) secrets_shared: Vec<String>,
    pub(crate) secrets_added: Vec<String>,
    pub(crate) secrets_dropped: Vec<String>,
    /// Identities that both sides acted as.
    pub(crate) identities_shared: Vec<Key>,
    pub(crate) forwarded: Forwarded,
    /// Names of secrets that the child got for the asking, `secrets: inherit`.
    pub(crate) inherited: Vec<String>,
    /// Whether both sides' permissions are known.
    pub(crate) permissions_known: bool,
    /// Null where no input was visible.
    pub(crate) validated: Option<f64>,
    pub(crate) verdict: &'static str,
    pub(crate) reasons: Vec<String>,
    pub(crate) cost: u8,
    pub(crate) unproven: u8,
    /// Checks with evidence: identity, scope, approval, freshness.
    pub(crate) checks: Vec<&'static str>,
    /// Evidence questions that were answered: child, both permission sets, inputs, gate, age of the credential.
    pub(crate) answered: u8,
    pub(crate) gaps: Vec<&'static str>,
}

/// Number of evidence questions.
pub(crate) const QUESTIONS: u8 = 6;

/// Credentials that end with the job or within an hour.
const SHORT: [&str; 5] = ["GITHUB_TOKEN", "job_token", "System.AccessToken", "app", "continuation_key"];
/// Credentials that stand until somebody ends them.
const STANDING: [&str; 4] = ["pat", "user", "service_account", "trigger_token"];
/// A child that starts later than this after it was sent may be a replay: microseconds.
const FRESH: i64 = 3_600_000_000;

/// How long what authorised a handoff lives, in the words of `secrets.lifetime`.
pub(crate) fn credential_lifetime(handoff: &Handoff) -> Option<&'static str> {
    match handoff.credential_kind.as_str() {
        "app" => Some("hours"),
        kind if SHORT.contains(&kind) => Some("ephemeral"),
        kind if STANDING.contains(&kind) => Some("long"),
        _ => None,
    }
}

struct Known<'a> {
    permissions: HashMap<Key, Difference>,
    secrets: HashMap<Key, Difference>,
    inputs: HashMap<Key, Inputs>,
    forwarded: HashMap<Key, Forwarded>,
    runs: HashMap<Key, &'a Run>,
    /// Secret names that a job got by inheritance.
    by_inheritance: HashMap<Key, BTreeSet<&'a str>>,
    with_permissions: HashSet<Key>,
    with_log: HashSet<Key>,
    inherits: HashSet<Key>,
    identities: HashMap<Key, BTreeSet<Key>>,
    ambient: HashSet<Key>,
    /// Runs that a person other than their cause approved.
    approved: HashSet<Key>,
    sides: &'a Sides,
}

/// Looks at every handoff.
pub(crate) fn crossings(evidence: &Evidence, sides: &Sides) -> Result<HashMap<Key, Crossing>, Error> {
    let mut identities: HashMap<Key, BTreeSet<Key>> = HashMap::new();
    for row in &evidence.identities_used {
        if let (Some(job), Some(identity)) = (row.job_key, row.identity_key) {
            identities.entry(job).or_default().insert(identity);
        }
    }
    let known = Known {
        permissions: relations::permissions(evidence, sides)?,
        secrets: relations::secrets(evidence, sides)?,
        inputs: relations::inputs(evidence)?,
        forwarded: forwarded(evidence),
        runs: evidence.runs.iter().map(|run| (run.run_key, run)).collect(),
        by_inheritance: by_inheritance(evidence),
        with_permissions: evidence.token_permissions.iter().map(|row| row.job_key).collect(),
        with_log: evidence.jobs.iter().filter(|job| job.has_log).map(|job| job.job_key).collect(),
        inherits: evidence
            .secrets_passed
            .iter()
            .filter(|row| row.how == "inherit_all")
            .filter_map(|row| row.job_key)
            .collect(),
        identities,
        ambient: evidence
            .identities_used
            .iter()
            .filter(|row| row.how == "ambient")
            .filter_map(|row| row.job_key)
            .collect(),
        approved: evidence
            .approvals
            .iter()
            .filter(|row| row.state == "approved" && row.self_review == Some(false))
            .map(|row| row.run_key)
            .collect(),
        sides,
    };
    Ok(evidence.handoffs.iter().map(|handoff| (handoff.handoff_key, known.crossing(handoff))).collect())
}

fn by_inheritance(evidence: &Evidence) -> HashMap<Key, BTreeSet<&str>> {
    let mut names: HashMap<Key, BTreeSet<&str>> = HashMap::new();
    let inherited = |row: &&SecretPassed| row.secret_scope == "inherited" || row.how == "inherit_all";
    for row in evidence.secrets_passed.iter().filter(inherited) {
        if let Some(job) = row.job_key {
            names.entry(job).or_default().insert(&row.name);
        }
    }
    names
}

impl Known<'_> {
    fn used(&self, jobs: &[Key]) -> BTreeSet<Key> {
        jobs.iter().filter_map(|job| self.identities.get(job)).flatten().copied().collect()
    }

    /// Whether the credential soon ends and this run is no replay of an old request.
    fn fresh(&self, handoff: &Handoff) -> Option<bool> {
        let kind = handoff.credential_kind.as_str();
        if handoff.mechanism == "workflow_call" || STANDING.contains(&kind) {
            return Some(false);
        }
        let child =
            handoff.child_run_key.and_then(|run| self.runs.get(&run)).filter(|_| SHORT.contains(&kind))?;
        if child.attempt? > 1 {
            return Some(false);
        }
        let age = child.created_at.or(child.started_at)?.0 - handoff.sent_at?.0;
        Some(age <= FRESH)
    }

    fn any(&self, jobs: &[Key], set: &HashSet<Key>) -> bool {
        jobs.iter().any(|job| set.contains(job))
    }

    fn crossing(&self, handoff: &Handoff) -> Crossing {
        let key = handoff.handoff_key;
        let (parents, children) = (self.sides.parents(key), self.sides.children(key));
        let permissions =
            self.any(parents, &self.with_permissions) && self.any(children, &self.with_permissions);
        let secrets = self.any(parents, &self.with_log) && self.any(children, &self.with_log);
        let mut crossing = Crossing::default();
        if let Some(difference) = self.permissions.get(&key).filter(|_| permissions) {
            for (scope, (parent, child)) in &difference.levels {
                let name = |level: i64| format!("{scope}:{}", if level == 2 { "write" } else { "read" });
                if child > parent {
                    crossing.permissions_added.push(name(*child));
                } else if parent > child {
                    crossing.permissions_dropped.push(name(*parent));
                }
            }
        }
        if let Some(difference) = self.secrets.get(&key) {
            for (name, (parent, child)) in &difference.levels {
                match (*parent > 0, *child > 0) {
                    (true, true) => crossing.secrets_shared.push(name.clone()),
                    (false, true) if secrets => crossing.secrets_added.push(name.clone()),
                    (true, false) if secrets => crossing.secrets_dropped.push(name.clone()),
                    _ => {}
                }
            }
        }
        crossing.permissions_known = permissions;
        crossing.forwarded = self.forwarded.get(&key).cloned().unwrap_or_default();
        let names = children.iter().filter_map(|job| self.by_inheritance.get(job)).flatten();
        let names: BTreeSet<&str> = names.copied().collect();
        crossing.inherited =
            crossing.secrets_shared.iter().filter(|name| names.contains(name.as_str())).cloned().collect();
        let (before, after) = (self.used(parents), self.used(children));
        crossing.identities_shared = before.intersection(&after).copied().collect();
        let inputs = self.inputs.get(&key).copied().unwrap_or_default();
        crossing.validated =
            (inputs.total > inputs.undecided).then(|| inputs.validated as f64 / inputs.total as f64);
        crossing.mode = self.mode(handoff, &crossing, permissions);
        self.cost(handoff, &mut crossing, permissions, inputs);
        judge(&mut crossing, inputs);
        crossing
    }

    fn mode(&self, handoff: &Handoff, crossing: &Crossing, permissions: bool) -> &'static str {
        let (parents, children) =
            (self.sides.parents(handoff.handoff_key), self.sides.children(handoff.handoff_key));
        let (before, after) = (self.used(parents), self.used(children));
        if children.is_empty() {
            return "unknown";
        }
        if self.any(children, &self.ambient) {
            return "ambient";
        }
        if !crossing.permissions_added.is_empty() || !crossing.secrets_added.is_empty() {
            return "widened";
        }
        if handoff.mechanism == "workflow_call" && self.any(children, &self.inherits) {
            return "inherited";
        }
        if !after.is_empty() && after.is_disjoint(&before) {
            return "own";
        }
        if !after.is_disjoint(&before) {
            return "inherited";
        }
        if !permissions {
            return "unknown";
        }
        // A separate run gets a token issued for itself.
        let separate = handoff.parent_run_key.is_some()
            && handoff.child_run_key.is_some()
            && handoff.parent_run_key != handoff.child_run_key;
        if separate && handoff.mechanism != "workflow_call" {
            "own"
        } else if crossing.permissions_dropped.is_empty() {
            "inherited"
        } else {
            "narrowed"
        }
    }

    fn cost(&self, handoff: &Handoff, crossing: &mut Crossing, permissions: bool, inputs: Inputs) {
        let linked = !self.sides.children(handoff.handoff_key).is_empty();
        let identity = match crossing.mode {
            "own" => Some(true),
            "unknown" => None,
            _ => Some(false),
        };
        let closed = (crossing.validated.is_some()).then_some(inputs.validated == inputs.total);
        let scope = match (crossing.mode == "narrowed" || (permissions && narrowed(crossing)), closed) {
            (true, _) | (_, Some(true)) => Some(true),
            (false, None) if !permissions => None,
            _ => Some(false),
        };
        let distinct = handoff.child_run_key.is_some_and(|run| self.approved.contains(&run));
        let approval = match handoff.gate.as_str() {
            "passed" => Some(true),
            _ if distinct => Some(true),
            "none" | "bypassed" | "waiting" => Some(false),
            _ => None,
        };
        let fresh = self.fresh(handoff);
        let checks = [(identity, "identity"), (scope, "scope"), (approval, "approval"), (fresh, "freshness")];
        for (check, name) in checks {
            crossing.cost += u8::from(check == Some(true));
            crossing.unproven += u8::from(check.is_none());
            crossing.checks.extend((check == Some(true)).then_some(name));
        }
        let perms = |jobs: &[Key]| self.any(jobs, &self.with_permissions);
        let (parents, children) =
            (self.sides.parents(handoff.handoff_key), self.sides.children(handoff.handoff_key));
        let questions = [
            (linked, "no_child"),
            (perms(parents), "no_permissions"),
            (perms(children), "no_permissions"),
            (crossing.validated.is_some(), "no_inputs"),
            (approval.is_some(), "no_gate"),
            (fresh.is_some(), "no_credential_age"),
        ];
        for (answered, gap) in questions {
            crossing.answered += u8::from(answered);
            if !answered && !crossing.gaps.contains(&gap) {
                crossing.gaps.push(gap);
            }
        }
    }
}

fn narrowed(crossing: &Crossing) -> bool {
    crossing.permissions_added.is_empty() && !crossing.permissions_dropped.is_empty()
}

fn judge(crossing: &mut Crossing, inputs: Inputs) {
    let mut failed = Vec::new();
    let mut open = Vec::new();
    match crossing.mode {
        "own" | "narrowed" => {}
        "unknown" => open.push("the child's identity is not known".to_owned()),
        "widened" => {
            let gained = crossing
                .permissions_added
                .iter()
                .chain(&crossing.secrets_added)
                .map(String::as_str)
                .collect::<Vec<_>>();
            failed.push(format!("the child has what the parent had not: {}", gained.join(", ")));
        }
        mode => failed.push(format!("the child's identity is {mode}, not its own")),
    }
    if crossing.forwarded.count() > 0 {
        let list = crossing.forwarded.list();
        failed.push(format!("{} of the inputs carry a secret: {}", list.len(), list.join(", ")));
    }
    if !crossing.inherited.is_empty() {
        failed.push(format!("the child inherits secrets it never named: {}", crossing.inherited.join(", ")));
    }
    let free = inputs.total - inputs.validated - inputs.undecided;
    if free > 0 {
        failed.push(format!("{free} of {} inputs are not validated", inputs.total));
    }
    if inputs.total == 0 || inputs.undecided > 0 {
        open.push("not every input was visible".to_owned());
    }
    crossing.verdict = match (failed.is_empty(), open.is_empty()) {
        (false, _) => "fail",
        (true, false) => "unknown",
        (true, true) => "pass",
    };
    crossing.reasons = failed.into_iter().chain(open).collect();
    if crossing.verdict == "pass" {
        crossing
            .reasons
            .push("own or narrowed identity, all inputs validated, no secret forwarded".to_owned());
    }
}
