//! OpenTelemetry: traces and logs in OTLP/JSON, as the file exporter writes them (JSON Lines)
//! or as one object.
//!
//! Formats: "OTLP/JSON Protobuf Encoding" (opentelemetry-proto, `examples/`), and the semantic
//! conventions for CI/CD spans (`cicd.pipeline.*`) and GenAI agents (`gen_ai.*`):
//!
//! | span | row |
//! |---|---|
//! | pipeline run; a trace with agents and no pipeline | run |
//! | outermost task; `invoke_agent` | job |
//! | task in a task; `execute_tool`; `chat` and other calls of models | step |
//! | agent called by a job, pipeline started by one, span link | handoff |
//!
//! A pipeline run whose URL is one of GitHub Actions is that run. Other spans are read for
//! their texts: names, text attributes, events, log bodies.

mod handoffs;
mod proto;
mod rows;
mod texts;
mod tree;

use crate::importer::{Importer, Recognised, TextFile};
use crate::limits::Limits;
use crate::reader::{Content, source_file};
use crate::workflow::github::log::BOM;
use crate::{TextSink, documents};
use leakgraph_model::Evidence;
use leakgraph_model::tables::Problem;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Telemetry of OpenTelemetry.
pub(crate) struct OpenTelemetry;

/// What of the first value tells.
#[derive(Deserialize)]
struct Export {
    #[serde(rename = "resourceSpans")]
    spans: Option<Vec<IgnoredAny>>,
    #[serde(rename = "resourceLogs")]
    logs: Option<Vec<IgnoredAny>>,
    #[serde(rename = "resourceMetrics")]
    metrics: Option<Vec<IgnoredAny>>,
}

fn recognise(bytes: &[u8]) -> Option<Recognised> {
    let start = bytes.strip_prefix(BOM).unwrap_or(bytes).trim_ascii_start();
    let words = ["\"resourceSpans\"", "\"resourceLogs\"", "\"resourceMetrics\""];
    let has_word = || words.iter().any(|word| memchr::memmem::find(start, word.as_bytes()).is_some());
    if !start.starts_with(b"{") || !has_word() {
        return None;
    }
    let first = serde_json::Deserializer::from_slice(start).into_iter::<Export>().next()?.ok()?;
    let is_export = first.spans.is_some() || first.logs.is_some() || first.metrics.is_some();
    is_export.then(|| Recognised::new("otlp_json", "`resourceSpans`, `resourceLogs` or `resourceMetrics`"))
}

impl Importer for OpenTelemetry {
    fn platform(&self) -> &'static str {
        "otel"
    }

    fn recognise_text(&self, file: TextFile<'_>) -> Option<Recognised> {
        recognise(file.bytes)
    }

    fn takes_json(&self, _kind: &str) -> bool {
        true
    }

    fn import_text(
        &self,
        kind: &'static str,
        file: TextFile<'_>,
        limits: &Limits,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        let content = file.content();
        let mut evidence = if file.bytes.len() as u64 > limits.max_json_bytes {
            let reason = format!("a structured file of more than {} bytes", limits.max_json_bytes);
            let problems = vec![problem(file.path, "too_large", reason, true)];
            Evidence { problems, ..Evidence::default() }
        } else {
            import(file, &content, sink)
        };
        let row = source_file(file.path, &content, self.platform(), kind, evidence.rows());
        evidence.source_files.push(row);
        evidence
    }
}

fn import(file: TextFile<'_>, content: &Content<'_>, sink: &mut dyn TextSink) -> Evidence {
    let mut telemetry = proto::Telemetry::default();
    let mut problems = Vec::new();
    let mut unread = None;
    let mut is_first = true;
    for value in documents::json(file.bytes) {
        match value {
            Ok(value) => telemetry.add(&value),
            Err(malformed) => {
                let before = file.bytes.get(..malformed.offset).unwrap_or_default();
                // Exports are a line each: from the broken one on there are only texts.
                let line = memchr::memrchr(b'\n', before).filter(|_| !is_first).map_or(0, |end| end + 1);
                unread = file.bytes.get(line..);
                problems.push(malformed.problem(file.path));
            }
        }
        is_first = false;
    }
    let mut evidence = rows::rows(&telemetry, file.path, content.key, sink);
    if let Some(rest) = unread {
        sink.text(&crate::TextContext::of(file.path, content.key, "json"), rest);
    }
    for (count, what) in [
        (telemetry.incomplete, "spans have no trace and span id"),
        (telemetry.other, "values are no spans and no logs: metrics are not read"),
    ] {
        if count > 0 {
            problems.push(problem(
                file.path,
                "incomplete",
                format!("{count} {what}"),
                count == telemetry.incomplete,
            ));
        }
    }
    evidence.problems.extend(problems);
    evidence
}

fn problem(path: &str, code: &str, reason: String, lossy: bool) -> Problem {
    Problem { path: path.to_owned(), offset: None, code: code.to_owned(), reason, lossy }
}
