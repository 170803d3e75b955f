//! What the spans of a file are to each other.

use super::proto::{Attributes, Span, Telemetry};
use crate::workflow::github::RunPath;
use leakgraph_model::Key;
use leakgraph_model::tables::{job_key, run_key};
use serde_json::Value;
use std::collections::HashMap;

/// What a span stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Pipeline,
    Task,
    Agent,
    Tool,
    Model,
    Other,
}

/// Ancestors beyond this are not looked at: nobody nests so deep, and parents may form a loop.
const MAX_DEPTH: usize = 200;

/// A run as spans name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunRef {
    pub(super) key: Key,
    pub(super) platform: &'static str,
    pub(super) repo: Option<String>,
    pub(super) id: String,
    pub(super) attempt: i64,
}

/// The spans of a file by their ids.
pub(super) struct Tree<'a> {
    pub(super) telemetry: &'a Telemetry,
    by_id: HashMap<(&'a str, &'a str), usize>,
    /// By index: the span above, what it stands for, whether it is a job.
    parents: Vec<Option<usize>>,
    roles: Vec<Role>,
    jobs: Vec<bool>,
}

/// A text attribute that says something.
pub(super) fn text(attributes: &Attributes, name: &str) -> Option<String> {
    match attributes.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn role(span: &Span) -> Role {
    let has = |name: &str| span.attributes.contains_key(name);
    if ["cicd.pipeline.task.name", "cicd.pipeline.task.run.id", "cicd.pipeline.task.run.result"]
        .iter()
        .any(|name| has(name))
    {
        return Role::Task;
    }
    if ["cicd.pipeline.result", "cicd.pipeline.name", "cicd.pipeline.run.id"].iter().any(|name| has(name)) {
        return Role::Pipeline;
    }
    match text(&span.attributes, "gen_ai.operation.name").as_deref() {
        Some("invoke_agent") => Role::Agent,
        Some("execute_tool") => Role::Tool,
        Some(_) => Role::Model,
        None if has("gen_ai.tool.name") => Role::Tool,
        None if has("gen_ai.request.model") || has("gen_ai.system") => Role::Model,
        None => Role::Other,
    }
}

impl<'a> Tree<'a> {
    pub(super) fn of(telemetry: &'a Telemetry) -> Self {
        let spans = telemetry.spans.iter().enumerate();
        let by_id: HashMap<_, usize> =
            spans.map(|(index, span)| ((span.trace.as_str(), span.id.as_str()), index)).collect();
        let parent = |span: &'a Span| by_id.get(&(span.trace.as_str(), span.parent.as_deref()?)).copied();
        let parents = telemetry.spans.iter().map(parent).collect();
        let roles = telemetry.spans.iter().map(role).collect();
        let mut tree = Self { telemetry, by_id, parents, roles, jobs: Vec::new() };
        tree.jobs = (0..telemetry.spans.len()).map(|index| tree.makes_job(index)).collect();
        tree
    }

    pub(super) fn span(&self, index: usize) -> Option<&'a Span> {
        self.telemetry.spans.get(index)
    }

    pub(super) fn role(&self, index: usize) -> Role {
        self.roles.get(index).copied().unwrap_or(Role::Other)
    }

    pub(super) fn find(&self, trace: &str, id: &str) -> Option<usize> {
        self.by_id.get(&(trace, id)).copied()
    }

    pub(super) fn resource(&self, span: &Span) -> Option<&'a Attributes> {
        self.telemetry.resources.get(span.resource)
    }

    /// The spans above one, nearest first.
    pub(super) fn ancestors(&self, index: usize) -> impl Iterator<Item = usize> {
        let parent = |index: &usize| self.parents.get(*index).copied().flatten();
        std::iter::successors(parent(&index), parent).take(MAX_DEPTH)
    }

    /// Agents, and tasks that are in no other task.
    fn makes_job(&self, index: usize) -> bool {
        match self.role(index) {
            Role::Agent => true,
            Role::Task => !self.ancestors(index).any(|above| self.role(above) == Role::Task),
            _ => false,
        }
    }

    pub(super) fn is_job(&self, index: usize) -> bool {
        self.jobs.get(index).copied().unwrap_or(false)
    }

    /// The job that a span is or belongs to.
    pub(super) fn job(&self, index: usize) -> Option<usize> {
        if self.is_job(index) {
            return Some(index);
        }
        self.job_above(index)
    }

    /// The job that called a span, within its pipeline run.
    pub(super) fn job_above(&self, index: usize) -> Option<usize> {
        self.ancestors(index).find(|above| self.is_job(*above))
    }

    /// An attribute of the span, else of its resource.
    pub(super) fn told(&self, span: &Span, name: &str) -> Option<String> {
        text(&span.attributes, name).or_else(|| text(self.resource(span)?, name))
    }

    /// The run of a span: of the pipeline above it, of its resource, else its trace.
    pub(super) fn run(&self, index: usize) -> Option<RunRef> {
        let is_pipeline = |above: &usize| self.role(*above) == Role::Pipeline;
        let pipeline = Some(index).filter(is_pipeline).or_else(|| self.ancestors(index).find(is_pipeline));
        let span = self.span(pipeline.unwrap_or(index))?;
        Some(self.pipeline_run(span).unwrap_or_else(|| trace_run(&span.trace)))
    }

    /// The run that attributes name, if they do.
    fn pipeline_run(&self, span: &Span) -> Option<RunRef> {
        named_run(|name| self.told(span, name))
    }

    /// Key of the job at `index`: tasks of runs of GitHub are named as there.
    pub(super) fn job_key(&self, index: usize) -> Option<Key> {
        let (span, run) = (self.span(index)?, self.run(index)?);
        let name = self.job_name(span);
        match run.platform {
            "github" if self.role(index) == Role::Task => Some(job_key(run.key, &name)),
            _ => Some(job_key(run.key, &format!("{name}#{}", span.id))),
        }
    }

    pub(super) fn job_name(&self, span: &Span) -> String {
        ["cicd.pipeline.task.name", "gen_ai.agent.name"]
            .iter()
            .find_map(|name| text(&span.attributes, name))
            .unwrap_or_else(|| span.name.clone())
    }
}

/// The run of a trace that names none.
pub(super) fn trace_run(trace: &str) -> RunRef {
    RunRef {
        key: run_key("otel", "", trace, 1),
        platform: "otel",
        repo: None,
        id: trace.to_owned(),
        attempt: 1,
    }
}

/// The run that attributes of a span or resource name: by its URL, else by its id.
pub(super) fn named_run(told: impl Fn(&str) -> Option<String>) -> Option<RunRef> {
    if let Some(run) = told("cicd.pipeline.run.url.full").and_then(|url| github_run(&url)) {
        return Some(run);
    }
    let id = told("cicd.pipeline.run.id")?;
    let repo = repository(&told);
    let key = run_key("otel", &repo.clone().unwrap_or_default().to_lowercase(), &id, 1);
    Some(RunRef { key, platform: "otel", repo, id, attempt: 1 })
}

/// `https://github.com/o/r/actions/runs/1/attempts/2?pr=3`.
fn github_run(url: &str) -> Option<RunRef> {
    let url = url.strip_prefix("https://")?.split(['?', '#']).next()?;
    let path = RunPath::of(url.strip_prefix("github.com/")?);
    let (repo, id) = (path.repo?, path.run_id?);
    let attempt = path.attempt.unwrap_or(1);
    let key = run_key("github", &repo.to_lowercase(), &id, attempt);
    Some(RunRef { key, platform: "github", repo: Some(repo), id, attempt })
}

/// `owner/name` of the repository, else the service.
pub(super) fn repository(told: &impl Fn(&str) -> Option<String>) -> Option<String> {
    if let Some((owner, name)) = told("vcs.owner.name").zip(told("vcs.repository.name")) {
        return Some(format!("{owner}/{name}"));
    }
    let of_url = told("vcs.repository.url.full").and_then(|url| {
        let path = url.split_once("://")?.1.split_once('/')?.1.trim_end_matches('/').trim_end_matches(".git");
        (!path.is_empty()).then(|| path.to_owned())
    });
    of_url.or_else(|| told("service.name"))
}
