//! Inputs in, one committed batch of evidence out.

use crate::sink::{ScanSink, mark_masked};
use crate::{Config, Detection, Error, Event, Progress};
use leakgraph_ingest::{IMPORTER_VERSION, WorkItem};
use leakgraph_lake::{Batch, BatchKind, Lake};
use leakgraph_model::tables::Problem;
use leakgraph_model::{Evidence, Row};
use rayon::prelude::*;
use std::collections::HashSet;
use std::path::PathBuf;

/// Work items read before their rows go to the lake: bounds memory, not results.
const ITEMS_PER_WRITE: usize = 2048;

/// What an ingest did.
#[derive(Clone, Debug, Default)]
pub struct IngestSummary {
    /// Work items found.
    pub items: usize,
    /// Of these, how many were already in the lake.
    pub unchanged: usize,
    /// Bytes on disk of the items that were read.
    pub bytes: u64,
    /// Bytes of text scanned, uncompressed.
    pub scanned_bytes: u64,
    /// Rows written.
    pub rows: usize,
    /// Problems that lost evidence.
    pub problems: usize,
    /// Id of the batch, if anything was new.
    pub batch_id: Option<String>,
}

/// What one work item gave.
struct Gathered {
    evidence: Evidence,
    source: Option<String>,
    scanned_bytes: u64,
}

/// Reads and scans `inputs` and commits what is new as one batch.
///
/// Items whose content the lake already holds (same bytes, importer and rules)
/// are not read again.
///
/// # Errors
/// The lake or the fingerprint key cannot be used. Bad inputs are rows of
/// `problems`, not errors.
pub fn ingest(config: &Config, inputs: &[PathBuf], progress: &dyn Progress) -> Result<IngestSummary, Error> {
    let lake = Lake::open(&config.lake)?;
    let detection = Detection::load(config)?;
    detection.recall_clean_lines(config);
    let limits = leakgraph_ingest::Limits::from(&config.limits);
    progress.event(Event::Stage("discover"));
    let (items, problems) = leakgraph_ingest::discover(inputs, &limits);
    let known = lake.sources()?;
    let ruleset = detection.id().to_owned();
    let mut summary = IngestSummary { items: items.len(), ..IngestSummary::default() };
    let is_known =
        |sha: &str| known.contains(&(sha.to_owned(), i64::from(IMPORTER_VERSION), ruleset.clone()));
    progress
        .event(Event::Discovered { items: items.len(), bytes: items.iter().map(|item| item.bytes).sum() });
    progress.event(Event::Stage("ingest and scan"));

    let mut batch: Option<Batch<'_>> = None;
    let mut seen = HashSet::new();
    let mut loose = problems;
    for chunk in items.chunks(ITEMS_PER_WRITE) {
        let gathered: Vec<Option<Gathered>> = chunk
            .par_iter()
            .map(|item| {
                let gathered = gather(item, &limits, &detection, &is_known);
                progress.event(Event::ItemDone { bytes: item.bytes });
                gathered
            })
            .collect();
        let mut evidence = Evidence::default();
        let mut sources = Vec::new();
        for (item, gathered) in chunk.iter().zip(gathered) {
            match gathered {
                None => summary.unchanged += 1,
                // Without a content hash nothing was read but the reason why.
                Some(Gathered { evidence, source: None, .. }) => loose.extend(evidence.problems),
                // The same bytes under two paths are one source.
                Some(Gathered { source: Some(sha), .. }) if !seen.insert(sha.clone()) => {
                    summary.unchanged += 1;
                }
                Some(Gathered { evidence: rows, source: Some(sha), scanned_bytes }) => {
                    summary.bytes += item.bytes;
                    summary.scanned_bytes += scanned_bytes;
                    evidence.append(rows);
                    sources.push(sha);
                }
            }
        }
        if !sources.is_empty() {
            let batch = begun(&mut batch, &lake)?;
            for sha in sources {
                batch.source(&sha, i64::from(IMPORTER_VERSION), &ruleset);
            }
            write(batch, &evidence, &mut summary)?;
        }
    }
    if !loose.is_empty() {
        let mut evidence = Evidence { problems: loose, ..Evidence::default() };
        ScanSink::new(&detection).redact(&mut evidence);
        evidence.problems = unrecorded(&lake, evidence.problems)?;
        if !evidence.problems.is_empty() {
            write(begun(&mut batch, &lake)?, &evidence, &mut summary)?;
        }
    }
    progress.event(Event::Stage("commit"));
    if let Some(batch) = batch {
        summary.batch_id = Some(batch.commit()?.batch_id);
        detection.store_clean_lines(config);
    }
    progress.event(Event::StageDone);
    Ok(summary)
}

/// The open batch, begun on first need so that a run without news leaves no trace.
fn begun<'b, 'l>(batch: &'b mut Option<Batch<'l>>, lake: &'l Lake) -> Result<&'b mut Batch<'l>, Error> {
    match batch {
        Some(batch) => Ok(batch),
        none => Ok(none.insert(lake.begin(BatchKind::Ingest)?)),
    }
}

fn write(batch: &mut Batch<'_>, evidence: &Evidence, summary: &mut IngestSummary) -> Result<(), Error> {
    summary.rows += evidence.rows();
    summary.problems += evidence.problems.iter().filter(|problem| problem.lossy).count();
    for (table, rows) in evidence.to_batches()? {
        batch.write(table, rows)?;
    }
    Ok(())
}

/// Problems that no content hash stands for and that the lake does not hold yet:
/// an unreadable file is reported once, not at every run.
fn unrecorded(lake: &Lake, mut problems: Vec<Problem>) -> Result<Vec<Problem>, Error> {
    let mut known = HashSet::new();
    for batch in lake.session()?.query("SELECT * FROM problems")? {
        known.extend(Problem::from_batch(&batch)?.into_iter().map(|old| (old.path, old.code)));
    }
    problems.retain(|problem| known.insert((problem.path.clone(), problem.code.clone())));
    Ok(problems)
}

/// Reads one item; `None` if the lake already holds it.
fn gather(
    item: &WorkItem,
    limits: &leakgraph_ingest::Limits,
    detection: &Detection,
    is_known: &(dyn Fn(&str) -> bool + Sync),
) -> Option<Gathered> {
    let fetched = leakgraph_ingest::Fetched::of(item);
    let source = fetched.sha256();
    if source.as_ref().is_ok_and(|sha| is_known(sha)) {
        return None;
    }
    let mut sink = ScanSink::new(detection);
    let mut evidence = leakgraph_ingest::read_fetched(item, fetched, limits, &mut sink);
    mark_masked(&mut sink.sightings, &evidence.bindings);
    sink.simulate_masks(&evidence.source_files);
    evidence.secrets.append(&mut sink.secrets);
    evidence.secret_sightings.append(&mut sink.sightings);
    evidence.mask_anomalies.append(&mut sink.anomalies);
    evidence.evidence_gaps.append(&mut sink.gaps);
    sink.redact(&mut evidence);
    Some(Gathered { evidence, source: source.ok(), scanned_bytes: sink.bytes })
}
