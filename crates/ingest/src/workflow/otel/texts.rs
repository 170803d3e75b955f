//! The texts of spans and log records, put together by job.

use super::proto::{Attributes, Record};
use super::tree::{Role, RunRef, Tree, named_run, text, trace_run};
use crate::{Mark, TextContext, TextSink};
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// What is handed over as one text.
#[derive(Default)]
struct Part {
    run_key: Option<Key>,
    job_key: Option<Key>,
    text: String,
    marks: Vec<Mark>,
}

/// Keys of the step and job of spans that are steps.
type Steps = BTreeMap<usize, (Key, Key)>;

/// Hands over all texts; gives the number of spans that follow no convention, nor belong to
/// one that does. Jobs that have logs are marked so.
pub(super) fn hand_over(
    tree: &Tree<'_>,
    steps: &Steps,
    path: &str,
    source_key: Key,
    evidence: &mut Evidence,
    sink: &mut dyn TextSink,
) -> usize {
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    for (index, attributes) in tree.telemetry.resources.iter().enumerate() {
        let part = parts.entry(format!("resource/{index}")).or_default();
        part.begin(None, "json", None);
        part.attributes(attributes);
    }
    let known: HashSet<Key> = evidence.runs.iter().map(|run| run.run_key).collect();
    let mut unknown = 0;
    for (index, span) in tree.telemetry.spans.iter().enumerate() {
        let place = Place::of(tree, steps, index, &known);
        unknown += usize::from(tree.role(index) == Role::Other && place.run_key.is_none());
        let part = place.part(&mut parts, &span.trace);
        part.begin(place.step_key, "json", span.start);
        part.line("name", &span.name);
        part.attributes(&span.attributes);
        for (name, attributes) in &span.events {
            part.line("event", name);
            part.attributes(attributes);
        }
    }
    let mut logged: HashSet<Key> = HashSet::new();
    for record in &tree.telemetry.records {
        let place = Place::of_record(tree, steps, record, &known);
        logged.extend(place.job_key);
        let label = record.trace.as_deref().unwrap_or("logs");
        let part = place.part(&mut parts, label);
        part.begin(place.step_key, "log", record.at);
        match &record.body {
            Value::String(body) => part.raw(body),
            Value::Null => {}
            body => part.value("body", body),
        }
        part.attributes(&record.attributes);
    }
    for job in evidence.jobs.iter_mut().filter(|job| logged.contains(&job.job_key)) {
        job.has_log = true;
    }
    for (label, part) in parts.into_iter().filter(|(_, part)| !part.text.is_empty()) {
        let Part { run_key, job_key, text, mut marks } = part;
        marks.retain(|mark| mark.offset < text.len());
        let context = TextContext {
            run_key,
            job_key,
            marks,
            ..TextContext::of(&format!("{path}!/{label}"), source_key, "json")
        };
        sink.text(&context, text.as_bytes());
    }
    unknown
}

/// Where a text belongs.
#[derive(Clone, Default)]
struct Place {
    run_key: Option<Key>,
    job_key: Option<Key>,
    step_key: Option<Key>,
}

impl Place {
    fn of(tree: &Tree<'_>, steps: &Steps, index: usize, known: &HashSet<Key>) -> Self {
        let chain = || std::iter::once(index).chain(tree.ancestors(index));
        let step = chain().find_map(|above| steps.get(&above));
        let job = tree.job(index).and_then(|job| tree.job_key(job));
        Self {
            run_key: tree.run(index).map(|run| run.key).filter(|run| known.contains(run)),
            job_key: step.map(|(_, job)| *job).or(job),
            step_key: step.map(|(step, _)| *step),
        }
    }

    /// A record names its span; else its trace or its resource names the run.
    fn of_record(tree: &Tree<'_>, steps: &Steps, record: &Record, known: &HashSet<Key>) -> Self {
        let span = record.trace.as_deref().zip(record.span.as_deref());
        if let Some(index) = span.and_then(|(trace, span)| tree.find(trace, span)) {
            return Self::of(tree, steps, index, known);
        }
        let resource = tree.telemetry.resources.get(record.resource);
        let told = |name: &str| text(&record.attributes, name).or_else(|| text(resource?, name));
        let run: Option<RunRef> = named_run(told)
            .or_else(|| record.trace.as_deref().map(trace_run).filter(|run| known.contains(&run.key)));
        Self { run_key: run.map(|run| run.key), ..Self::default() }
    }

    fn part<'p>(&self, parts: &'p mut BTreeMap<String, Part>, label: &str) -> &'p mut Part {
        let key = self.job_key.or(self.run_key);
        let label = key.map_or_else(|| label.to_owned(), |key| format!("{label}/{key}"));
        parts.entry(label).or_insert_with(|| Part {
            run_key: self.run_key,
            job_key: self.job_key,
            ..Part::default()
        })
    }
}

impl Part {
    fn begin(&mut self, step_key: Option<Key>, place: &'static str, at: Option<Timestamp>) {
        self.marks.push(Mark { offset: self.text.len(), step_key, place, name: None, at });
    }

    fn attributes(&mut self, attributes: &Attributes) {
        for (name, value) in attributes {
            self.value(name, value);
        }
    }

    /// Texts as they are, whatever they are inside of.
    fn value(&mut self, name: &str, value: &Value) {
        match value {
            Value::String(text) => self.line(name, text),
            Value::Array(items) => items.iter().for_each(|item| self.value(name, item)),
            Value::Object(members) => {
                for (inner, value) in members {
                    self.value(&format!("{name}.{inner}"), value);
                }
            }
            _ => {}
        }
    }

    fn line(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.text.push_str(name);
            self.text.push_str(": ");
            self.raw(value);
        }
    }

    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
        if !text.ends_with('\n') {
            self.text.push('\n');
        }
    }
}
