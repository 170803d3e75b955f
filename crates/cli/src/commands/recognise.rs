//! `ingest --explain`: what files are taken for, and why.

use crate::args::Format;
use crate::exit::Exit;
use crate::output;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use leakgraph_engine::{Config, Detection};
use leakgraph_ingest::{Limits, TextContext, TextSink, WorkItem};
use leakgraph_model::Evidence;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Takes texts and forgets them: nothing is scanned.
struct Unread;

impl TextSink for Unread {
    fn text(&mut self, _context: &TextContext, _bytes: &[u8]) {}

    fn fingerprint(&mut self, _value: &[u8]) -> Option<String> {
        None
    }
}

/// A part of an input: path, platform, kind and reason.
type Part = [String; 4];

/// Prints what every part of the inputs is taken for, and how many rows follow. Writes no lake.
pub(crate) fn explain(config: &Config, inputs: &[PathBuf], format: Format) -> anyhow::Result<Exit> {
    let limits = Limits::from(&config.limits);
    let detection = Detection::load_detached(config)?;
    let (items, problems) = leakgraph_ingest::discover(inputs, &limits);
    let mut evidence = Evidence { problems, ..Evidence::default() };
    let mut parts: Vec<Part> = Vec::new();
    for item in &items {
        let (known, more) = explain_item(item, &limits);
        parts.extend(known);
        evidence.append(more);
    }
    let mut lossy = false;
    for problem in &evidence.problems {
        lossy |= problem.lossy;
        let at = problem.offset.map(|offset| format!(" (byte {offset})")).unwrap_or_default();
        let reason = format!("{}{at}", problem.reason);
        parts.push([problem.path.clone(), String::new(), format!("problem: {}", problem.code), reason]);
    }
    parts.sort();
    for mut worker in detection.redactors() {
        parts.iter_mut().flatten().for_each(|text| *text = worker.redact(text));
    }
    output::rows(&[batch(&parts)?], format)?;
    if format == Format::Table {
        output::line(&format!("Rows: {}", rows(&evidence)?))?;
    }
    Ok(if lossy { Exit::Problems } else { Exit::Clean })
}

fn explain_item(item: &WorkItem, limits: &Limits) -> (Vec<Part>, Evidence) {
    let (recognised, evidence) = leakgraph_ingest::explain(item, limits, &mut Unread);
    let part = |known: leakgraph_ingest::Recognition| {
        [known.path, known.platform.to_owned(), known.kind.to_owned(), known.because.to_owned()]
    };
    (recognised.into_iter().map(part).collect(), evidence)
}

fn rows(evidence: &Evidence) -> anyhow::Result<String> {
    let counts: BTreeMap<&str, usize> = evidence
        .to_batches()?
        .into_iter()
        .filter(|(table, _)| !matches!(*table, "problems" | "source_files"))
        .map(|(table, batch)| (table, batch.num_rows()))
        .collect();
    let counts: Vec<String> = counts.iter().map(|(table, count)| format!("{table} {count}")).collect();
    Ok(if counts.is_empty() { "none".to_owned() } else { counts.join(", ") })
}

fn batch(parts: &[Part]) -> anyhow::Result<RecordBatch> {
    let column = |at: usize| -> ArrayRef {
        let text = |part: &Part| part.get(at).cloned().filter(|text| !text.is_empty());
        Arc::new(parts.iter().map(text).collect::<StringArray>())
    };
    let columns = ["path", "platform", "kind", "because"].into_iter().enumerate();
    Ok(RecordBatch::try_from_iter_with_nullable(columns.map(|(at, name)| (name, column(at), true)))?)
}
