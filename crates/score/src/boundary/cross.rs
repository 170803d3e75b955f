//! One job: its steps, whose code they run and what they can read.

use super::code::{Checkout, Code, attribution, code};
use super::reach::{Span, Way, spans};
use crate::holding::{Holding, Holdings, Kind, holdings};
use crate::index::Index;
use crate::trigger::is_outsiders_event;
use crate::weights::Weights;
use leakgraph_model::scored::{BoundaryCrossing, BoundaryStep, JobHolding};
use leakgraph_model::tables::{Job, Run, Step, WorkflowDefinition};
use std::collections::BTreeSet;

/// What is known of a job while its row is made.
struct Look<'h, 'a> {
    index: &'h Index<'a>,
    job: &'a Job,
    weights: &'h Weights,
    steps: Vec<&'a Step>,
    /// Code of each step; null for the platform's.
    codes: Vec<Option<Code>>,
    spans: Vec<Span<'h, 'a>>,
    definitions: Vec<&'a WorkflowDefinition>,
}

/// A step of untrusted code and the heaviest material in its reach.
struct Crossing<'s, 'h, 'a> {
    at: usize,
    span: &'s Span<'h, 'a>,
}

/// The order of holdings by weight and life, then by name.
fn heavier(a: &Holding<'_>, b: &Holding<'_>) -> std::cmp::Ordering {
    (a.low * a.life).total_cmp(&(b.low * b.life)).then_with(|| b.name.cmp(&a.name))
}

/// The row of a job, and what its scores rest on.
pub(super) struct Looked {
    pub(super) crossing: BoundaryCrossing,
    pub(super) steps: Vec<BoundaryStep>,
    pub(super) holdings: Vec<JobHolding>,
}

pub(super) fn row(index: &Index<'_>, job: &Job, weights: &Weights, hash: &str) -> Looked {
    let run = index.runs.get(&job.run_key).copied();
    let steps = Index::rows(&index.steps, job.job_key).to_vec();
    let definitions = index.definitions(job);
    let checkout = Checkout::of(run, &definitions);
    let held = holdings(index, job, weights);
    let mut row = BoundaryCrossing {
        job_key: job.job_key,
        run_key: job.run_key,
        subject: index.label(job.run_key, Some(job)),
        runner_kind: job.runner_kind.clone().unwrap_or_else(|| "unknown".to_owned()),
        attribution: attribution(&steps),
        weights_hash: hash.to_owned(),
        ..BoundaryCrossing::default()
    };
    let look = Look {
        index,
        job,
        weights,
        codes: steps.iter().map(|step| code(run, step, &checkout)).collect(),
        spans: spans(index, &steps, &held, &definitions),
        steps,
        definitions,
    };
    let mut gaps = missing(&look, &held, &checkout);
    let mut steps = look.in_reach();
    look.bounds(&mut row, &steps, &held, run);
    steps.extend(look.class(&mut row, &held, run, &mut gaps));
    row.gaps = gaps.into_iter().map(str::to_owned).collect();
    row.evidence.push(format!("jobs:{}", job.job_key));
    row.evidence.sort();
    row.evidence.dedup();
    Looked { crossing: row, steps, holdings: held.table(job.job_key) }
}

/// What is not on record and would matter.
fn missing(look: &Look<'_, '_>, held: &Holdings<'_>, checkout: &Checkout) -> BTreeSet<&'static str> {
    let mut gaps = BTreeSet::new();
    let mut lacks = |is: bool, gap| {
        if is {
            gaps.insert(gap);
        }
    };
    lacks(look.steps.is_empty(), "no_steps");
    lacks(!look.job.has_log, "no_log");
    lacks(!held.permissions_known, "no_permissions");
    lacks(look.spans.iter().any(|span| span.way == Way::Unplaced), "no_bindings");
    lacks(matches!(look.job.runner_kind.as_deref(), None | Some("unknown")), "no_runner");
    lacks(checkout.fork_unknown && !look.spans.is_empty(), "no_fork");
    let is_open = |code: &Code| code.origin == "own" && code.worst == "build";
    lacks(!look.spans.is_empty() && look.codes.iter().flatten().any(is_open), "no_script");
    gaps
}

impl<'h, 'a> Look<'h, 'a> {
    /// Weight and life of a span, if it counts as privileged.
    fn privileged(&self, span: &Span<'_, '_>) -> f64 {
        if span.holding.low >= self.weights.boundary().privileged {
            span.holding.low * span.holding.life
        } else {
            0.0
        }
    }

    fn distrust(&self, at: usize) -> f64 {
        let code = self.codes.get(at).and_then(Option::as_ref);
        code.map_or(0.0, |code| self.weights.boundary().distrust(code.origin))
    }

    /// Spans that a step can surely read: of a container only what it was handed and what lies in
    /// the working copy it is given.
    fn readable<'s>(&'s self, at: usize) -> impl Iterator<Item = &'s Span<'h, 'a>> {
        let is_container = self.steps.get(at).is_some_and(|step| {
            Index::rows(&self.index.bindings, step.step_key).iter().any(|row| row.place == "docker_e")
        });
        self.spans.iter().filter(move |span| {
            let is_inside = match (is_container, span.way) {
                (true, Way::Ambient) => span.holding.kind == Kind::JobToken,
                (_, Way::Unplaced) => false,
                _ => true,
            };
            is_inside && (span.from..=span.to).contains(&at)
        })
    }

    /// The heaviest span a step can read, of one way or of all.
    fn heaviest(&self, at: usize, way: Option<Way>) -> Option<&Span<'h, 'a>> {
        let spans = self.readable(at).filter(|span| self.privileged(span) > 0.0);
        let spans = spans.filter(|span| way.is_none_or(|way| span.way == way));
        spans.max_by(|a, b| {
            let order = self.privileged(a).total_cmp(&self.privileged(b)).then(a.way.cmp(&b.way));
            order.then_with(|| b.holding.name.cmp(&a.holding.name))
        })
    }

    /// Steps that can read something, with the heaviest of it.
    fn in_reach(&self) -> Vec<BoundaryStep> {
        let steps = (0..).zip(&self.steps).filter_map(|(at, step)| {
            let span = self.heaviest(at, None)?;
            let code = self.codes.get(at).and_then(Option::as_ref);
            Some(BoundaryStep {
                job_key: self.job.job_key,
                step_key: Some(step.step_key),
                code_origin: code.map(|code| code.origin.to_owned()),
                untrusted: self.distrust(at),
                credential: span.holding.name.clone(),
                privileged: self.privileged(span),
                declared: span.declared || self.is_declared(at),
            })
        });
        steps.collect()
    }

    fn bounds(
        &self,
        row: &mut BoundaryCrossing,
        steps: &[BoundaryStep],
        held: &Holdings<'_>,
        run: Option<&Run>,
    ) {
        let weights = self.weights.boundary();
        let product = |step: &BoundaryStep| 100.0 * step.untrusted * step.privileged;
        let all = steps.iter().map(product).fold(0.0, f64::max);
        row.bc_low = steps.iter().filter(|step| !step.declared).map(product).fold(0.0, f64::max);
        let worst = self.codes.iter().flatten().map(|code| weights.distrust(code.worst));
        let declared = self.declared_code(run).map(|(origin, _)| weights.distrust(origin));
        let unseen = if self.steps.is_empty() && self.definitions.is_empty() { 1.0 } else { 0.0 };
        let code = worst.chain(declared).fold(unseen, f64::max);
        let life = held.rows.iter().map(|row| row.high * row.life).fold(0.0, f64::max);
        let material =
            if held.permissions_known && held.secrets_known { life } else { held.high().max(life) };
        (row.untrusted_high, row.privileged_high) = (code, material);
        row.bc_high = (100.0 * code * material).max(all);
        row.bc = Some(all);
    }

    fn is_declared(&self, at: usize) -> bool {
        self.codes.get(at).and_then(Option::as_ref).is_some_and(|code| code.declared)
    }

    fn is_untrusted(&self, at: usize) -> bool {
        self.distrust(at) >= self.weights.boundary().untrusted
    }

    /// Whether a step may run untrusted code for all that is on record.
    fn may_be_untrusted(&self) -> bool {
        let weights = self.weights.boundary();
        // A file does not tell what its scripts run.
        self.steps.is_empty()
            || self.codes.iter().flatten().any(|code| weights.distrust(code.worst) >= weights.untrusted)
    }

    /// Untrusted code that only the definition tells of: text of outsiders in a script, and
    /// without steps the actions it names.
    fn declared_code(&self, run: Option<&Run>) -> Option<(&'static str, String)> {
        let by_outsiders = is_outsiders_event(run.and_then(|run| run.event.as_deref()));
        let open = self.definitions.iter().filter(|_| by_outsiders);
        let expression = open.clone().find_map(|row| row.untrusted_expressions.first());
        if let Some(expression) = expression {
            return Some(("expression", expression.clone()));
        }
        if !self.steps.is_empty() {
            return None;
        }
        let checkout = open.clone().find_map(|row| row.untrusted_checkouts.first());
        if let Some(reference) = checkout {
            return Some(("outsider", reference.clone()));
        }
        let is_foreign = |uses: &&String| {
            let owner = uses.split('/').next().unwrap_or_default();
            let own = run.and_then(|run| run.repo.as_deref()?.split('/').next());
            !matches!(owner, "actions" | "github" | ".")
                && !own.is_some_and(|own| own.eq_ignore_ascii_case(owner))
        };
        let action = self.definitions.iter().find_map(|row| row.unpinned_uses.iter().find(is_foreign));
        action.map(|uses| ("third_party_unpinned", uses.clone()))
    }

    fn class(
        &self,
        row: &mut BoundaryCrossing,
        held: &Holdings<'_>,
        run: Option<&Run>,
        gaps: &mut BTreeSet<&'static str>,
    ) -> Option<BoundaryStep> {
        let counts = self.weights.boundary().privileged;
        let mut only_declared = None;
        let material = held.rows.iter().any(|row| row.low >= counts);
        row.basis = match (self.steps.is_empty(), self.definitions.is_empty()) {
            (false, _) => "observed",
            (true, false) => "declared",
            (true, true) => "none",
        }
        .to_owned();
        let untrusted: Vec<usize> = (0..self.steps.len()).filter(|at| self.is_untrusted(*at)).collect();
        // The first step that can read something, by the widest way.
        let crossing = [Way::Full, Way::Ambient, Way::Handed].into_iter().find_map(|way| {
            untrusted.iter().find_map(|at| Some(Crossing { at: *at, span: self.heaviest(*at, Some(way))? }))
        });
        let declared = self.declared_code(run);
        if row.basis == "none" {
            row.class = "UNKNOWN".to_owned();
            row.bc = None;
            row.reasons.push("neither its steps nor its definition are on record".to_owned());
        } else if !material {
            // Without log or permissions there may be more than is on record.
            let is_sure = held.permissions_known && held.secrets_known;
            row.class = if is_sure { "NONE" } else { "UNKNOWN" }.to_owned();
            row.bc = row.bc.filter(|_| is_sure);
            row.reasons.push(if is_sure {
                "it holds nothing that counts as privileged".to_owned()
            } else {
                "what it holds is not on record".to_owned()
            });
        } else if let Some(crossing) = crossing {
            row.class = match crossing.span.way {
                Way::Full => "FULL",
                Way::Ambient => "AMBIENT",
                _ => "SHARED",
            }
            .to_owned();
            self.describe(row, &crossing, gaps);
            self.heaviest_of_all(row);
        } else if let Some((origin, what)) = declared {
            only_declared = self.declared(row, origin, &what, held);
        } else if let Some(at) = untrusted.first() {
            self.shared(row, *at, held);
            row.bc = row.bc.filter(|_| self.job.has_log);
        } else if self.may_be_untrusted() {
            row.class = "UNKNOWN".to_owned();
            row.bc = row.bc.filter(|_| self.job.has_log);
            row.reasons
                .push("it holds material, and what some of its scripts run is not on record".to_owned());
        } else {
            row.class = "MEDIATED".to_owned();
            row.reasons.push("only trusted or pinned code runs where it holds material".to_owned());
            row.evidence.extend(held.rows.iter().map(|row| row.evidence.clone()));
        }
        self.runner(row);
        only_declared
    }

    /// The crossing that was seen.
    fn describe(
        &self,
        row: &mut BoundaryCrossing,
        crossing: &Crossing<'_, '_, '_>,
        gaps: &mut BTreeSet<&'static str>,
    ) {
        let Crossing { at, span } = crossing;
        self.step(row, *at);
        let holding = span.holding;
        row.credential = Some(holding.name.clone());
        row.credential_kind = Some(holding.kind.as_str().to_owned());
        row.privileged = Some(self.privileged(span));
        row.reasons.push(match span.way {
            Way::Full => "all secrets are in its reach".to_owned(),
            Way::Ambient => format!("{} can be read by every step from its entry on", holding.name),
            _ => format!("{} is handed to it", holding.name),
        });
        if span.declared || self.is_declared(*at) {
            row.reasons.push("in part as the workflow's file declares it".to_owned());
        }
        row.evidence.extend([holding.evidence.clone(), span.evidence.clone()]);
        let exposed =
            (span.from..=span.to).filter(|at| self.codes.get(*at).is_some_and(Option::is_some)).count();
        row.exposed_steps = i64::try_from(exposed).ok();
        let entry = self.steps.get(span.from);
        let since = span.since.or_else(|| entry.and_then(|step| step.started_at)).or(self.job.started_at);
        let of_step = self.steps.get(span.to).and_then(|step| step.ended_at);
        let until = match span.way {
            Way::Handed => of_step,
            _ => self.job.ended_at.or(of_step),
        };
        row.window_s = since.zip(until).map(|(since, until)| until.seconds_since(since).max(0.0));
        if row.window_s.is_none() {
            gaps.insert("no_times");
        }
    }

    /// The score may be of another step than the first that crosses.
    fn heaviest_of_all(&self, row: &mut BoundaryCrossing) {
        let product = |at: usize| Some((self.distrust(at) * self.privileged(self.heaviest(at, None)?), at));
        let best = (0..self.steps.len())
            .filter_map(product)
            .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(&a.1)));
        let Some((_, at)) = best else { return };
        let (Some(step), Some(span)) = (self.steps.get(at), self.heaviest(at, None)) else { return };
        if row.step_key != Some(step.step_key) || row.credential.as_ref() != Some(&span.holding.name) {
            let name = step.uses.as_deref().unwrap_or(&step.name);
            row.reasons.push(format!("the score is that of {name} with {}", span.holding.name));
            row.evidence.extend([format!("steps:{}", step.step_key), span.holding.evidence.clone()]);
        }
    }

    /// Untrusted code beside material that it cannot surely read.
    fn shared(&self, row: &mut BoundaryCrossing, at: usize, held: &Holdings<'_>) {
        row.class = "SHARED".to_owned();
        self.step(row, at);
        let counts = self.weights.boundary().privileged;
        let heaviest = held.rows.iter().filter(|row| row.low >= counts).max_by(|a, b| heavier(a, b));
        if let Some(holding) = heaviest {
            row.credential = Some(holding.name.clone());
            row.credential_kind = Some(holding.kind.as_str().to_owned());
            row.privileged = Some(holding.low * holding.life);
            row.reasons.push(format!("{} is in another step of the same job", holding.name));
            row.evidence.push(holding.evidence.clone());
        }
    }

    /// Untrusted code that only the file tells of.
    fn declared(
        &self,
        row: &mut BoundaryCrossing,
        origin: &'static str,
        what: &str,
        held: &Holdings<'_>,
    ) -> Option<BoundaryStep> {
        let weights = self.weights.boundary();
        let all = self.spans.iter().any(|span| span.way == Way::Full);
        let ambient = self.spans.iter().any(|span| span.way == Way::Ambient && self.privileged(span) > 0.0);
        row.class = if all {
            "FULL"
        } else if ambient {
            "AMBIENT"
        } else {
            "SHARED"
        }
        .to_owned();
        "declared".clone_into(&mut row.basis);
        row.step = Some(what.to_owned());
        row.code_origin = Some(origin.to_owned());
        row.untrusted = Some(weights.distrust(origin));
        // Which step it is, is not known: what all steps can read, and without steps all there is.
        let in_reach = |holding: &&Holding<'_>| {
            self.steps.is_empty()
                || self.spans.iter().any(|span| {
                    matches!(span.way, Way::Ambient | Way::Full) && std::ptr::eq(span.holding, *holding)
                })
        };
        let counted = held.rows.iter().filter(|row| row.low >= weights.privileged).filter(in_reach);
        let heaviest = counted.max_by(|a, b| heavier(a, b));
        if let Some(holding) = heaviest {
            row.credential = Some(holding.name.clone());
            row.credential_kind = Some(holding.kind.as_str().to_owned());
            row.privileged = Some(holding.low * holding.life);
            row.evidence.push(holding.evidence.clone());
            let product = 100.0 * weights.distrust(origin) * holding.low * holding.life;
            row.bc = Some(row.bc.unwrap_or(0.0).max(product));
        }
        row.bc_high = row.bc_high.max(row.bc.unwrap_or(0.0));
        row.reasons.push(format!("the workflow's file declares {what}; no step shows it"));
        let files = self.definitions.iter().map(|row| format!("workflow_definitions:{}", row.definition_key));
        row.evidence.extend(files);
        heaviest.map(|holding| BoundaryStep {
            job_key: self.job.job_key,
            step_key: None,
            code_origin: Some(origin.to_owned()),
            untrusted: weights.distrust(origin),
            credential: holding.name.clone(),
            privileged: holding.low * holding.life,
            declared: true,
        })
    }

    fn step(&self, row: &mut BoundaryCrossing, at: usize) {
        let (Some(step), Some(Some(code))) = (self.steps.get(at), self.codes.get(at)) else { return };
        row.step_key = Some(step.step_key);
        row.step = Some(step.uses.clone().unwrap_or_else(|| step.name.clone()));
        row.code_origin = Some(code.origin.to_owned());
        row.untrusted = Some(self.weights.boundary().distrust(code.origin));
        row.reasons.push(code.reason.clone());
        row.evidence.push(format!("steps:{}", step.step_key));
    }

    /// A runner of one's own outlives the job.
    fn runner(&self, row: &mut BoundaryCrossing) {
        let crosses = matches!(row.class.as_str(), "SHARED" | "AMBIENT" | "FULL");
        if crosses && row.runner_kind == "self_hosted" {
            let is_ephemeral = self.job.labels.iter().any(|label| label.eq_ignore_ascii_case("ephemeral"));
            row.reasons.push(if is_ephemeral {
                "the runner is labelled ephemeral".to_owned()
            } else {
                "what the code leaves on the self-hosted runner meets the next job".to_owned()
            });
        }
        if row.attribution.as_deref().is_some_and(|how| !matches!(how, "file" | "api")) {
            row.reasons.push("steps were told apart by the order or time of lines".to_owned());
        }
    }
}
