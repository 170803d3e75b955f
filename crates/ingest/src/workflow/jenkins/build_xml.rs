//! `build.xml`, which Jenkins keeps beside a build's log: causes with those above them,
//! parameters, result.

use super::causes::{self, Cause, Caused};
use super::place::{self, JOB, Place};
use super::xml::{self, Element};
use super::{PLATFORM, conclusion};
use crate::importer::TextFile;
use crate::limits::Limits;
use crate::reader::source_file;
use crate::workflow::values::{Owner, Values};
use crate::{Document, TextContext, TextSink};
use leakgraph_model::tables::{Job, Problem, Run};
use leakgraph_model::{Evidence, Key};

const HEAD_BYTES: usize = 64 << 10;

/// Whether a text is a build as XStream writes it, of whatever kind of job.
pub(super) fn is_build(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    if !text.starts_with(b"<") {
        return false;
    }
    let head = text.get(..text.len().min(HEAD_BYTES)).unwrap_or_default();
    let has = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
    let is_root = has(b"<build>")
        || has(b"<build ")
        || has(b"<flow-build")
        || has(b"-build ")
        || has(b"-build>")
        || has(b"<matrix-run");
    is_root && has(b"<actions") && (has(b"<hudson.model.") || has(b"<queueId>") && has(b"<timestamp>"))
}

pub(super) fn import(file: TextFile<'_>, limits: &Limits, sink: &mut dyn TextSink) -> Evidence {
    let TextFile { path, bytes, .. } = file;
    let mut evidence = Evidence::default();
    let content = file.content();
    let problem = |code: &str, offset: Option<i64>, reason: String| Problem {
        path: path.to_owned(),
        offset,
        code: code.to_owned(),
        reason,
        lossy: true,
    };
    if bytes.len() as u64 > limits.max_json_bytes {
        let reason = format!("a structured file of more than {} bytes", limits.max_json_bytes);
        evidence.problems.push(problem("too_large", None, reason));
        return evidence;
    }
    let (root, malformed) = xml::parse(bytes);
    if let Some(malformed) = malformed {
        let offset = i64::try_from(malformed.offset).ok();
        evidence.problems.push(problem("malformed_xml", offset, "malformed XML: read up to here".to_owned()));
    }
    let place = Place::of_path(path);
    let source = content.key.to_string();
    let run_key = place.run_key().unwrap_or_else(|| Key::of("run", &["source", &source]));
    let mut build = Build { path, place, run_key, source_key: content.key, hidden: Vec::new() };
    if let Some(root) = &root {
        build.rows(root, &mut evidence, sink);
    }
    evidence.source_files.push(source_file(path, &content, PLATFORM, "build_xml", evidence.rows()));
    let context = TextContext {
        run_key: Some(run_key),
        job_key: Some(place::job_key(run_key)),
        ..TextContext::of(path, content.key, "xml")
    };
    sink.text(&context, &build.without_parameters(bytes));
    evidence
}

struct Build<'a> {
    path: &'a str,
    place: Place,
    run_key: Key,
    source_key: Key,
    /// Where values of parameters stand: they are scanned as inputs.
    hidden: Vec<std::ops::Range<usize>>,
}

impl Build<'_> {
    fn rows(&mut self, root: &Element, evidence: &mut Evidence, sink: &mut dyn TextSink) {
        let millis = |name: &str| root.text_of(name).and_then(|text| text.parse::<i64>().ok());
        let created = millis("timestamp").and_then(super::time);
        let start = millis("startTime").and_then(super::time).or(created);
        let ended = super::ended(start, millis("duration"));
        let result = root.text_of("result");
        let actions = root.child("actions").map(|actions| actions.children.as_slice()).unwrap_or_default();
        let causes: Vec<Cause> = actions
            .iter()
            .filter(|action| action.name == "hudson.model.CauseAction")
            .flat_map(of_action)
            .collect();
        let name = self.place.name.clone();
        let caused = Caused {
            run_key: self.run_key,
            name: name.as_deref(),
            at: created,
            evidence: "disk",
            source_key: self.source_key,
        };
        let handoff = causes::add(&causes, &caused, evidence);
        let parameters: Vec<&Element> = actions
            .iter()
            .filter(|action| action.name == "hudson.model.ParametersAction")
            .filter_map(|action| action.child("parameters"))
            .flat_map(|parameters| &parameters.children)
            .collect();
        if !parameters.is_empty() && handoff.is_none() {
            evidence.handoffs.push(causes::started(&caused, &causes));
        }
        let key = handoff.unwrap_or_else(|| causes::started_key(self.run_key));
        let document = Document { path: self.path, source_key: self.source_key, part: 0, bytes: &[] };
        let mut given = Values::new(&document, sink).seen_in("disk");
        for parameter in parameters {
            self.parameter(parameter, key, evidence, &mut given);
        }
        given.flush();
        let first = causes.first();
        evidence.runs.push(Run {
            run_key: self.run_key,
            platform: PLATFORM.to_owned(),
            repo: name.clone(),
            platform_run_id: self.place.number.clone().or_else(|| root.text_of("number")),
            attempt: self.place.number.as_ref().map(|_| 1),
            workflow_name: name,
            event: first.map(|cause| cause.event().to_owned()),
            status: result.as_ref().map(|_| "completed".to_owned()),
            conclusion: result.as_deref().and_then(conclusion).map(str::to_owned),
            actor: first.and_then(Cause::actor).map(str::to_owned),
            created_at: created,
            started_at: start,
            ended_at: ended,
            evidence: "disk".to_owned(),
            source_key: self.source_key,
            ..Run::default()
        });
        evidence.jobs.push(Job {
            job_key: place::job_key(self.run_key),
            run_key: self.run_key,
            name: JOB.to_owned(),
            runner_kind: Some("self_hosted".to_owned()),
            runner_name: root.text_of("builtOn"),
            conclusion: result.as_deref().and_then(conclusion).map(str::to_owned),
            started_at: start,
            ended_at: ended,
            evidence: "disk".to_owned(),
            source_key: self.source_key,
            ..Job::default()
        });
    }

    /// A parameter: passwords are encrypted here, so that only their names are known.
    fn parameter(
        &mut self,
        parameter: &Element,
        handoff_key: Key,
        evidence: &mut Evidence,
        given: &mut Values<'_, '_>,
    ) {
        let Some(name) = parameter.text_of("name") else { return };
        let is_secret = parameter.name.ends_with("PasswordParameterValue");
        let value = parameter.child("value");
        if let Some(value) = value.filter(|_| !is_secret) {
            self.hidden.push(value.content.clone());
        }
        let shown = value.map(|value| value.text.as_str()).filter(|_| !is_secret);
        let owner = Owner::run(self.run_key).job(place::job_key(self.run_key)).handoff(handoff_key);
        given.shown(owner, &name, shown, evidence);
    }

    /// The file with blanks where values of parameters stand: every byte is scanned once.
    fn without_parameters(&self, bytes: &[u8]) -> Vec<u8> {
        let mut rest = bytes.to_vec();
        for range in &self.hidden {
            for byte in rest.get_mut(range.clone()).into_iter().flatten().filter(|byte| **byte != b'\n') {
                *byte = b' ';
            }
        }
        rest
    }
}

/// The causes of a CauseAction: `causeBag` since 2.13, `causes` before.
fn of_action(action: &Element) -> Vec<Cause> {
    let bag =
        action.child("causeBag").into_iter().flat_map(|bag| &bag.children).flat_map(|entry| &entry.children);
    let list = action.child("causes").into_iter().flat_map(|list| &list.children);
    bag.chain(list).filter(|cause| cause.name != "int").map(of_element).collect()
}

fn of_element(element: &Element) -> Cause {
    let above = element.child("upstreamCauses").map(|above| above.children.as_slice()).unwrap_or_default();
    // XStream writes `$` as `_-` and `_` as `__`.
    let class = element.name.replace("_-", "$").replace("__", "_");
    Cause::of_class(&class, &|name| element.text_of(name), above.iter().map(of_element).collect())
}
