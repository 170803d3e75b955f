//! `scan`: secrets in files, straight to stdout.

use crate::args;
use crate::exit::{Exit, Usage};
use crate::output;
use crate::progress::Bars;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use leakgraph_engine::{Config, Detection, Event, Progress};
use leakgraph_ingest::{Limits, TextContext, TextSink, WorkItem};
use leakgraph_model::Severity;
use leakgraph_model::tables::Problem;
use leakgraph_scan::known::KnownName;
use leakgraph_scan::{Confidence, Scan, Sighting, Worker};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

/// Sightings of one file, with the text's path inside it.
struct Collect<'s> {
    worker: Worker<'s>,
    least: Confidence,
    found: Vec<(String, Sighting)>,
}

impl Collect<'_> {
    fn keep(&mut self, context: &TextContext, scan: Scan) {
        let kept = scan.sightings.into_iter().filter(|sighting| sighting.confidence >= self.least);
        self.found.extend(kept.map(|sighting| (context.path.clone(), sighting)));
    }
}

impl TextSink for Collect<'_> {
    fn text(&mut self, context: &TextContext, bytes: &[u8]) {
        let scan = self.worker.scan_at(&context.path, bytes);
        self.keep(context, scan);
    }

    fn stream(&mut self, context: &TextContext, reader: &mut dyn io::Read) -> io::Result<()> {
        let scan = self.worker.scan_stream(&context.path, reader)?;
        self.keep(context, scan);
        Ok(())
    }

    fn fingerprint(&mut self, _value: &[u8]) -> Option<String> {
        None
    }
}

pub(crate) fn scan(config: &Config, args: &args::Scan) -> anyhow::Result<Exit> {
    let least = match args.confidence.as_str() {
        "verified-structure" => Confidence::VerifiedStructure,
        "likely" => Confidence::Likely,
        "possible" => Confidence::Possible,
        other => {
            let text = format!("--confidence {other:?}: expected verified-structure, likely or possible");
            return Err(Usage(text).into());
        }
    };
    let limits = Limits::from(&config.limits);
    let config = &args.detect.merged(config);
    let detection = Detection::load_detached(config)?;
    let bars = Bars::new();
    bars.event(Event::Stage("scan"));
    let (items, mut problems) = leakgraph_ingest::discover(&args.inputs, &limits);
    bars.event(Event::Discovered { items: items.len(), bytes: items.iter().map(|item| item.bytes).sum() });
    let results: Vec<_> = items
        .par_iter()
        .map(|item| {
            let result = scan_item(item, &limits, detection.scanner().worker(), least);
            bars.event(Event::ItemDone { bytes: item.bytes });
            result
        })
        .collect();
    bars.event(Event::StageDone);
    let mut found = Vec::new();
    for (sightings, more) in results {
        found.extend(sightings);
        problems.extend(more);
    }
    redact(&detection, &mut found, &mut problems);
    output::rows(&[batch(&found)?], args.format)?;
    // A file of another platform was scanned all the same; only unread bytes count here.
    let unread = problems.iter().filter(|problem| {
        problem.lossy && problem.code != "unsupported_platform" && problem.code != "unrecognised"
    });
    let mut unread_count = 0;
    for problem in unread {
        tracing::warn!("{}: {}", problem.path, problem.reason);
        unread_count += 1;
    }
    Ok(match (found.is_empty(), unread_count) {
        (false, _) if is_failure(config, &found) => Exit::Findings,
        (_, 1..) => Exit::Problems,
        _ => Exit::Clean,
    })
}

/// Whether something is as severe as `--fail-on` says.
fn is_failure(config: &Config, found: &[(String, Sighting)]) -> bool {
    let least = config.fail_on.parse::<Severity>().ok();
    least.is_some_and(|least| found.iter().any(|(_, sighting)| sighting.severity >= least))
}

type Scanned = (Vec<(String, Sighting)>, Vec<Problem>);

/// Archives hold the log of a job twice, as a whole and step by step: one sighting tells both.
fn once_per_job(found: &mut Vec<(String, Sighting)>) {
    let mut whole = HashSet::new();
    for (path, sighting) in found.iter() {
        if let Some(job) = leakgraph_ingest::whole_job(path) {
            whole.insert((job.to_owned(), sighting.fingerprint.clone()));
        }
    }
    found.retain(|(path, sighting)| {
        let step = leakgraph_ingest::member(path).split_once('/');
        step.is_none_or(|(job, _)| !whole.contains(&(job.to_owned(), sighting.fingerprint.clone())))
    });
}

fn scan_item(item: &WorkItem, limits: &Limits, worker: Worker<'_>, least: Confidence) -> Scanned {
    let mut sink = Collect { worker, least, found: Vec::new() };
    let problems = leakgraph_ingest::texts(item, limits, &mut sink);
    once_per_job(&mut sink.found);
    (sink.found, problems)
}

/// Takes secrets out of paths, names and reasons. Many sightings share theirs.
fn redact(detection: &Detection, found: &mut [(String, Sighting)], problems: &mut [Problem]) {
    let mut workers = detection.redactors();
    let mut clean = HashMap::new();
    let mut redact = |text: &mut String| {
        let without = || workers.iter_mut().fold(text.clone(), |text, worker| worker.redact(&text));
        text.clone_from(clean.entry(text.clone()).or_insert_with(without));
    };
    for (path, sighting) in found {
        redact(path);
        sighting.name.iter_mut().for_each(&mut redact);
    }
    for problem in problems {
        redact(&mut problem.path);
        redact(&mut problem.reason);
    }
}

/// Where a known secret is kept.
fn places(sighting: &Sighting) -> String {
    sighting.known.iter().map(KnownName::place).collect::<Vec<_>>().join(", ")
}

fn batch(found: &[(String, Sighting)]) -> anyhow::Result<RecordBatch> {
    let text = |of: &dyn Fn(&(String, Sighting)) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(found.iter().map(of)))
    };
    let number = |of: &dyn Fn(&Sighting) -> usize| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            found.iter().map(|(_, s)| i64::try_from(of(s)).unwrap_or(i64::MAX)),
        ))
    };
    Ok(RecordBatch::try_from_iter([
        ("path", text(&|(path, _)| path.clone())),
        ("line", number(&|sighting| sighting.line)),
        ("byte_offset", number(&|sighting| sighting.offset)),
        ("rule", text(&|(_, sighting)| sighting.rule.clone())),
        ("confidence", text(&|(_, sighting)| sighting.confidence.as_str().to_owned())),
        ("encodings", text(&|(_, sighting)| sighting.encodings.join(" > "))),
        ("name", text(&|(_, sighting)| sighting.name.clone().unwrap_or_default())),
        ("kept_as", text(&|(_, sighting)| places(sighting))),
        ("preview", text(&|(_, sighting)| sighting.preview.clone())),
        ("fingerprint", text(&|(_, sighting)| sighting.fingerprint.clone())),
    ])?)
}
