//! Where in a job what it holds can be read: from which step to which, and how.

use super::code::hidden;
use crate::holding::{Holding, Holdings, Kind, is_job_token};
use crate::index::Index;
use leakgraph_model::Timestamp;
use leakgraph_model::tables::{IdentityUsed, Step, WorkflowDefinition};
use std::collections::{BTreeMap, BTreeSet};

/// How a step comes to material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// Handed to the step alone.
    Handed,
    /// In the environment, on disk or in a session.
    Ambient,
    /// All secrets at once.
    Full,
    /// The job got it; at which step is not on record.
    Unplaced,
}

/// One stretch of steps in which a holding can be read.
#[derive(Clone, Debug)]
pub(super) struct Span<'h, 'a> {
    pub(super) holding: &'h Holding<'a>,
    pub(super) way: Way,
    /// Positions of the first and the last step.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) since: Option<Timestamp>,
    /// Whether only the workflow's file tells that it is there.
    pub(super) declared: bool,
    pub(super) evidence: String,
}

/// Actions that leave what they are given to the steps after them: in the environment, in a
/// file or in an agent (their READMEs).
const LEAVING: [&str; 12] = [
    "aws-actions/configure-aws-credentials",
    "aws-actions/amazon-ecr-login",
    "azure/login",
    "azure/docker-login",
    "azure/setup-kubectl-credentials",
    "docker/login-action",
    "google-github-actions/auth",
    "hashicorp/vault-action",
    "redhat-actions/podman-login",
    "shimataro/ssh-key-action",
    "crazy-max/ghaction-import-gpg",
    "webfactory/ssh-agent",
];

fn leaves(step: &Step) -> bool {
    let uses = step.uses.as_deref().and_then(|uses| uses.split('@').next()).unwrap_or_default();
    LEAVING.contains(&uses.to_lowercase().as_str())
}

fn is_platforms(step: &Step) -> bool {
    matches!(step.kind.as_str(), "setup" | "post" | "complete")
}

/// Spans of everything a job holds.
pub(super) fn spans<'h, 'a>(
    index: &Index<'a>,
    steps: &[&'a Step],
    held: &'h Holdings<'a>,
    definitions: &[&WorkflowDefinition],
) -> Vec<Span<'h, 'a>> {
    let last = steps.len().saturating_sub(1);
    let bound = Bound::of(index, steps);
    let token = held.rows.iter().filter(|row| row.kind == Kind::JobToken);
    let heaviest = token.max_by(|a, b| a.low.total_cmp(&b.low).then_with(|| b.name.cmp(&a.name)));
    let mut spans = Vec::new();
    for holding in &held.rows {
        match holding.kind {
            Kind::JobToken => {}
            // Every step can ask for one (GitHub, "OpenID Connect": ACTIONS_ID_TOKEN_REQUEST_TOKEN).
            Kind::IdToken => spans.push(whole(holding, Way::Ambient, last)),
            Kind::AllSecrets => {
                spans.push(Span {
                    declared: holding.how == "yaml_reference",
                    ..whole(holding, Way::Full, last)
                });
            }
            Kind::Secret => spans.extend(secret(holding, &bound, steps, last)),
            Kind::Identity => {
                if let Some(used) = holding.used {
                    spans.extend(identity(holding, used, steps, last));
                }
            }
        }
    }
    if let Some(token) = heaviest {
        let names = bound.steps.iter().filter(|(name, _)| is_job_token(name));
        for (at, _) in names.flat_map(|(_, at)| at) {
            spans.push(handed(token, *at, steps));
        }
        spans.extend(persisted(index, token, steps, definitions, last));
    }
    spans
}

fn whole<'h, 'a>(holding: &'h Holding<'a>, way: Way, last: usize) -> Span<'h, 'a> {
    let evidence = holding.evidence.clone();
    Span { holding, way, from: 0, to: last, since: None, declared: false, evidence }
}

fn handed<'h, 'a>(holding: &'h Holding<'a>, at: usize, steps: &[&Step]) -> Span<'h, 'a> {
    let step = steps.get(at);
    Span {
        way: Way::Handed,
        from: at,
        to: at,
        since: step.and_then(|step| step.started_at),
        evidence: step.map_or_else(|| holding.evidence.clone(), |step| format!("steps:{}", step.step_key)),
        ..whole(holding, Way::Handed, at)
    }
}

/// Steps by the names of what they were handed, and whether as a variable.
struct Bound<'i> {
    steps: BTreeMap<&'i str, BTreeSet<(usize, bool)>>,
}

impl<'i> Bound<'i> {
    fn of(index: &'i Index<'_>, steps: &[&Step]) -> Self {
        let mut by_name: BTreeMap<&str, BTreeSet<(usize, bool)>> = BTreeMap::new();
        for (at, step) in steps.iter().enumerate() {
            let rows = Index::rows(&index.bindings, step.step_key);
            for name in hidden(index, step) {
                let as_variable = rows.iter().any(|row| row.name == name && row.place == "env");
                by_name.entry(name).or_default().insert((at, as_variable));
            }
        }
        Self { steps: by_name }
    }
}

fn secret<'h, 'a>(
    holding: &'h Holding<'a>,
    bound: &Bound<'_>,
    steps: &[&'a Step],
    last: usize,
) -> Vec<Span<'h, 'a>> {
    let Some(places) = bound.steps.get(holding.name.as_str()) else {
        // Sets of secrets and variables of a run are in the environment of every step.
        let is_everywhere = matches!(holding.how.as_str(), "context" | "run_variable");
        let way = if is_everywhere { Way::Ambient } else { Way::Unplaced };
        return vec![Span { declared: holding.how == "yaml_reference", ..whole(holding, way, last) }];
    };
    let first = places.first().map_or(0, |(at, _)| *at);
    let variable: BTreeSet<usize> = places.iter().filter(|(_, env)| *env).map(|(at, _)| *at).collect();
    // A log shows the whole environment at every step: what is there from one step to the end
    // was set for the job or left by a step.
    let after =
        |from: usize| (from..=last).filter(|at| steps.get(*at).is_some_and(|step| !is_platforms(step)));
    let since = variable
        .first()
        .filter(|from| after(**from).count() > 1 && after(**from).all(|at| variable.contains(&at)));
    let left = places.iter().map(|(at, _)| *at).find(|at| steps.get(*at).is_some_and(|step| leaves(step)));
    let mut spans: Vec<Span<'h, 'a>> = places.iter().map(|(at, _)| handed(holding, *at, steps)).collect();
    if let Some(from) = since.copied().into_iter().chain(left).min() {
        let from = from.max(first);
        spans.push(Span { way: Way::Ambient, to: last, ..handed(holding, from, steps) });
    }
    spans
}

/// A session is in the hands of the step that begins it, and there for those after it; one that
/// nobody asked for is there from the start.
fn identity<'h, 'a>(
    holding: &'h Holding<'a>,
    used: &IdentityUsed,
    steps: &[&Step],
    last: usize,
) -> Vec<Span<'h, 'a>> {
    let whole = whole(holding, Way::Ambient, last);
    if matches!(used.how.as_str(), "ambient" | "assigned" | "inherited") {
        return vec![whole];
    }
    let begins = |step: &&&Step| used.issued_at.is_some() && step.started_at == used.issued_at;
    let at =
        steps.iter().position(|step| begins(&step)).or_else(|| steps.iter().position(|step| leaves(step)));
    let Some(at) = at else { return vec![Span { way: Way::Unplaced, since: used.issued_at, ..whole }] };
    let mut spans = vec![handed(holding, at, steps)];
    if at < last {
        spans.push(Span { from: at + 1, since: used.issued_at, ..whole });
    }
    spans
}

/// actions/checkout leaves its token in `.git/config` unless told not to (its README,
/// `persist-credentials`); the log shows how long the input's word is, `true` or `false`.
fn persisted<'h, 'a>(
    index: &Index<'a>,
    token: &'h Holding<'a>,
    steps: &[&'a Step],
    definitions: &[&WorkflowDefinition],
    last: usize,
) -> Option<Span<'h, 'a>> {
    let declared = definitions.iter().find_map(|row| row.persists_credentials);
    let at = steps
        .iter()
        .position(|step| step.uses.as_deref().is_some_and(|uses| uses.starts_with("actions/checkout@")));
    let Some((at, step)) = at.and_then(|at| Some((at, steps.get(at)?))) else {
        let persists = declared == Some(true) && steps.is_empty();
        return persists.then(|| Span { declared: true, ..whole(token, Way::Ambient, last) });
    };
    let input = Index::rows(&index.bindings, step.step_key)
        .iter()
        .find(|row| row.name == "persist-credentials")
        .and_then(|row| row.value_bytes);
    let shown = input.map(|bytes| bytes == 4);
    let persists = shown.or(declared)?;
    persists.then(|| Span {
        way: Way::Ambient,
        to: last,
        declared: shown.is_none(),
        ..handed(token, at, steps)
    })
}
