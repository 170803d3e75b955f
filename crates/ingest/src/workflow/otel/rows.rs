//! Runs, jobs and steps of a tree of spans.

use super::proto::{Span, Telemetry};
use super::tree::{Role, RunRef, Tree, repository, text};
use super::{handoffs, texts};
use crate::TextSink;
use leakgraph_model::tables::{Job, Problem, Run, Step, job_key};
use leakgraph_model::{Evidence, Key, Timestamp};
use std::collections::{BTreeMap, HashSet};

/// The evidence of a file; its texts go to the sink.
pub(super) fn rows(telemetry: &Telemetry, path: &str, source_key: Key, sink: &mut dyn TextSink) -> Evidence {
    let tree = Tree::of(telemetry);
    let mut rows = Rows {
        tree: &tree,
        source_key,
        evidence: Evidence::default(),
        runs: BTreeMap::new(),
        jobs: HashSet::new(),
        ordinals: BTreeMap::new(),
        steps: BTreeMap::new(),
    };
    // In the order of time, so that steps are.
    let mut order: Vec<usize> = (0..telemetry.spans.len()).collect();
    order.sort_by_key(|index| tree.span(*index).map(|span| (span.start, &span.id)));
    for index in order {
        rows.span(index);
    }
    handoffs::add(&tree, source_key, &mut rows.evidence, sink);
    let Rows { mut evidence, runs, steps, .. } = rows;
    evidence.runs.extend(runs.into_values());
    let unknown = texts::hand_over(&tree, &steps, path, source_key, &mut evidence, sink);
    if unknown > 0 {
        evidence.problems.push(Problem {
            path: path.to_owned(),
            offset: None,
            code: "unrecognised".to_owned(),
            reason: format!("{unknown} spans follow no convention of CI/CD or GenAI: scanned only"),
            lossy: false,
        });
    }
    evidence
}

struct Rows<'a> {
    tree: &'a Tree<'a>,
    source_key: Key,
    evidence: Evidence,
    runs: BTreeMap<Key, Run>,
    jobs: HashSet<Key>,
    ordinals: BTreeMap<Key, i64>,
    /// Keys of the steps of spans.
    steps: BTreeMap<usize, (Key, Key)>,
}

impl Rows<'_> {
    fn span(&mut self, index: usize) {
        let role = self.tree.role(index);
        let (Some(span), Some(run)) = (self.tree.span(index), self.tree.run(index)) else { return };
        if role == Role::Other {
            return;
        }
        self.run(span, &run, role);
        if self.tree.is_job(index) {
            self.job(index, span, &run);
        } else if role != Role::Pipeline {
            self.step(index, span, &run, role);
        }
    }

    /// A pipeline span is its run; the run of a trace without one lasts as long as its spans.
    fn run(&mut self, span: &Span, run: &RunRef, role: Role) {
        let told = |name: &str| self.tree.told(span, name);
        let row = self.runs.entry(run.key).or_insert_with(|| Run {
            run_key: run.key,
            platform: run.platform.to_owned(),
            repo: run.repo.clone().or_else(|| repository(&told)),
            platform_run_id: Some(run.id.clone()),
            attempt: Some(run.attempt),
            workflow_name: told("cicd.pipeline.name"),
            head_ref: told("vcs.ref.head.name"),
            head_sha: told("vcs.ref.head.revision"),
            evidence: "export".to_owned(),
            source_key: self.source_key,
            ..Run::default()
        });
        if row.workflow_name.is_none() && span.parent.is_none() {
            row.workflow_name = Some(span.name.clone());
        }
        row.started_at = earliest(row.started_at, span.start);
        row.ended_at = row.ended_at.max(span.end);
        if role == Role::Pipeline || span.parent.is_none() {
            let conclusion = conclusion(span, "cicd.pipeline.result");
            row.conclusion = row.conclusion.take().or(conclusion);
        }
        if role == Role::Pipeline {
            let is_over = span.attributes.contains_key("cicd.pipeline.result");
            row.status = is_over.then(|| "completed".to_owned()).or_else(|| told("cicd.pipeline.run.state"));
        }
    }

    fn job(&mut self, index: usize, span: &Span, run: &RunRef) {
        let Some(job_key) = self.tree.job_key(index) else { return };
        if !self.jobs.insert(job_key) {
            return;
        }
        let depth = self.tree.ancestors(index).filter(|above| self.tree.is_job(*above)).count();
        self.evidence.jobs.push(Job {
            job_key,
            run_key: run.key,
            platform_job_id: text(&span.attributes, "cicd.pipeline.task.run.id")
                .or_else(|| text(&span.attributes, "gen_ai.agent.id"))
                .or_else(|| Some(span.id.clone())),
            name: self.tree.job_name(span),
            environment: text(&span.attributes, "deployment.environment.name"),
            runner_name: self.tree.told(span, "cicd.worker.name"),
            conclusion: conclusion(span, "cicd.pipeline.task.run.result"),
            started_at: span.start,
            ended_at: span.end,
            chain_depth: i64::try_from(depth).unwrap_or(i64::MAX),
            evidence: "export".to_owned(),
            source_key: self.source_key,
            ..Job::default()
        });
    }

    fn step(&mut self, index: usize, span: &Span, run: &RunRef, role: Role) {
        let above = self.tree.job_above(index).and_then(|job| self.tree.job_key(job));
        let Some(job_key) = above.or_else(|| self.service(span, run)) else { return };
        let ordinal = self.ordinals.entry(job_key).or_default();
        let step_key = Key::of("step", &[&job_key.to_string(), "span", &span.id]);
        self.evidence.steps.push(Step {
            step_key,
            job_key,
            ordinal: *ordinal,
            name: ["cicd.pipeline.task.name", "gen_ai.tool.name"]
                .iter()
                .find_map(|name| text(&span.attributes, name))
                .unwrap_or_else(|| span.name.clone()),
            kind: match role {
                Role::Tool => "tool",
                Role::Model => "model",
                _ => "run",
            }
            .to_owned(),
            conclusion: conclusion(span, "cicd.pipeline.task.run.result"),
            started_at: span.start,
            ended_at: span.end,
            attribution: "api".to_owned(),
            source_key: self.source_key,
            ..Step::default()
        });
        *ordinal += 1;
        self.steps.insert(index, (step_key, job_key));
    }

    /// The job of tools and models that no agent called: the service that did.
    fn service(&mut self, span: &Span, run: &RunRef) -> Option<Key> {
        let name = self.tree.told(span, "service.name").unwrap_or_else(|| "unknown".to_owned());
        let job_key = job_key(run.key, &name);
        if self.jobs.insert(job_key) {
            self.evidence.jobs.push(Job {
                job_key,
                run_key: run.key,
                name,
                evidence: "export".to_owned(),
                source_key: self.source_key,
                ..Job::default()
            });
        }
        Some(job_key)
    }
}

fn earliest(left: Option<Timestamp>, right: Option<Timestamp>) -> Option<Timestamp> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (left, right) => left.or(right),
    }
}

/// What the convention's result, else the span's status, is called elsewhere.
fn conclusion(span: &Span, result: &str) -> Option<String> {
    let told = text(&span.attributes, result);
    let word = match told.as_deref() {
        Some("failure" | "error") => "failure",
        Some("cancellation") => "cancelled",
        Some("skip" | "skipped") => "skipped",
        Some("timeout") => "timed_out",
        Some(other) => other,
        None if span.has_failed? => "failure",
        None => "success",
    };
    Some(word.to_owned())
}
