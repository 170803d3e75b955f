//! `rules profile`: what the rules cost on one's own logs.

use crate::args::Format;
use crate::exit::Exit;
use crate::output;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use leakgraph_engine::{Config, Detection};
use leakgraph_ingest::{Limits, TextContext, TextSink};
use leakgraph_scan::{Profile, Scanner, Stage, Worker};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Measures one thread: sums of several would say more about the machine.
struct Measured<'s> {
    worker: Worker<'s>,
}

impl TextSink for Measured<'_> {
    fn text(&mut self, context: &TextContext, bytes: &[u8]) {
        self.worker.scan_at(&context.path, bytes);
    }

    fn fingerprint(&mut self, _value: &[u8]) -> Option<String> {
        None
    }
}

pub(crate) fn profile(
    config: &Config,
    inputs: &[PathBuf],
    top: usize,
    format: Format,
) -> anyhow::Result<Exit> {
    let detection = Detection::load_detached(config)?;
    let limits = Limits::from(&config.limits);
    let mut sink = Measured { worker: detection.scanner().worker() };
    sink.worker.start_profile();
    let (items, _) = leakgraph_ingest::discover(inputs, &limits);
    for item in &items {
        leakgraph_ingest::texts(item, &limits, &mut sink);
    }
    let profile = sink.worker.take_profile().unwrap_or_default();
    output::rows(&[rows(&profile, detection.scanner(), top)?], format)?;
    Ok(Exit::Clean)
}

/// Stages in the order they run, then the dearest rules.
fn rows(profile: &Profile, scanner: &Scanner, top: usize) -> anyhow::Result<RecordBatch> {
    let megabytes = profile.bytes.max(1) as f64 / 1e6;
    let cost = |time: Duration| (time.as_nanos() as f64 / megabytes).round() as i64;
    let mut rules: Vec<_> = scanner.rules().rules().iter().zip(profile.rules()).collect();
    rules.retain(|(_, spent)| spent.tried > 0);
    rules.sort_by_key(|(rule, spent)| (std::cmp::Reverse(spent.time), rule.id.clone()));
    rules.truncate(if top == 0 { usize::MAX } else { top });
    let stages = Stage::ALL.map(|stage| ("stage", stage.as_str(), cost(profile.time(stage)), None));
    let rules = rules.iter().map(|(rule, spent)| {
        ("rule", rule.id.as_str(), cost(spent.time), Some((spent.tried as i64, spent.matched as i64)))
    });
    let all: Vec<_> = stages.into_iter().chain(rules).collect();
    Ok(RecordBatch::try_from_iter([
        ("what", Arc::new(StringArray::from_iter_values(all.iter().map(|row| row.0))) as ArrayRef),
        ("name", Arc::new(StringArray::from_iter_values(all.iter().map(|row| row.1)))),
        ("ns_per_mb", Arc::new(Int64Array::from_iter_values(all.iter().map(|row| row.2)))),
        ("tried", Arc::new(Int64Array::from_iter(all.iter().map(|row| row.3.map(|counts| counts.0))))),
        ("matched", Arc::new(Int64Array::from_iter(all.iter().map(|row| row.3.map(|counts| counts.1))))),
    ])?)
}
