//! `run`, `ingest` and `score`: the pipeline.

use super::{ranked, reader, recognise, report};
use crate::args::{Format, Ingest, Inputs, Score};
use crate::exit::{Exit, Usage};
use crate::output;
use crate::progress::Bars;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use leakgraph_engine::{Config, IngestSummary, ScoreSummary};
use leakgraph_model::Severity;
use leakgraph_score::Sensitivity;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Ingest + scan + score + summary.
pub(crate) fn run(config: &Config, args: &Inputs) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let config = &args.detect.merged(config);
    let inputs = inputs(config, args)?;
    let bars = Bars::new();
    let ingested = leakgraph_engine::ingest(config, &inputs, &bars)?;
    let scored = leakgraph_engine::score(config, &bars)?;
    tell_ingest(&ingested)?;
    let session = reader(config)?;
    output::line("\nWorst findings")?;
    output::rows(&session.query(&ranked::findings_sql(args.top, None, None)?)?, Format::Table)?;
    output::line("\nNon-human identities by excess privilege")?;
    output::rows(&session.query(&ranked::nhis(args.top))?, Format::Table)?;
    output::line("\nHandoffs by blast radius")?;
    output::rows(&session.query(&ranked::handoffs(args.top))?, Format::Table)?;
    if let Some(path) = &args.report {
        report::write(&session, path)?;
    }
    tell_score(&scored)?;
    output::line(&format!(
        "Took {:.1} s. Next: `leakgraph explain KEY`, `leakgraph report`, `leakgraph sql`.",
        started.elapsed().as_secs_f64()
    ))?;
    Ok(exit(config, &scored))
}

/// Ingest + scan only.
pub(crate) fn ingest(config: &Config, args: &Ingest) -> anyhow::Result<Exit> {
    let config = &args.inputs.detect.merged(config);
    let inputs = inputs(config, &args.inputs)?;
    if args.explain {
        return recognise::explain(config, &inputs, args.format);
    }
    let summary = leakgraph_engine::ingest(config, &inputs, &Bars::new())?;
    tell_ingest(&summary)?;
    Ok(if summary.problems > 0 { Exit::Problems } else { Exit::Clean })
}

/// Score what the lake holds.
pub(crate) fn score(config: &Config, args: &Score) -> anyhow::Result<Exit> {
    reader(config)?;
    let mut config = config.clone();
    if let Some(weights) = &args.weights {
        config.weights = Some(weights.clone());
    }
    let config = &config;
    if args.sensitivity {
        return sensitivity(config, args.format);
    }
    let summary = leakgraph_engine::score(config, &Bars::new())?;
    tell_score(&summary)?;
    Ok(exit(config, &summary))
}

/// How ranks hang on the weights, those that move most first.
fn sensitivity(config: &Config, format: Format) -> anyhow::Result<Exit> {
    let mut moves = leakgraph_engine::conclude::sensitivity(config)?;
    moves.sort_by(|a, b| {
        let tau = |row: &Sensitivity| row.tau.unwrap_or(1.0);
        tau(a).total_cmp(&tau(b)).then(b.places.cmp(&a.places)).then(b.points.total_cmp(&a.points))
    });
    let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let columns: [(&str, ArrayRef); 6] = [
        ("weight", Arc::new(StringArray::from_iter_values(moves.iter().map(|row| &row.weight)))),
        ("factor", Arc::new(Float64Array::from_iter_values(moves.iter().map(|row| row.factor)))),
        ("ranking", Arc::new(StringArray::from_iter_values(moves.iter().map(|row| row.ranking)))),
        ("tau", Arc::new(Float64Array::from_iter(moves.iter().map(|row| row.tau)))),
        ("places", Arc::new(Int64Array::from_iter_values(moves.iter().map(|row| whole(row.places))))),
        ("points", Arc::new(Float64Array::from_iter_values(moves.iter().map(|row| row.points)))),
    ];
    output::rows(&[RecordBatch::try_from_iter(columns)?], format)?;
    Ok(Exit::Clean)
}

/// The inputs as given, or the demo organisation written beside the lake.
fn inputs(config: &Config, args: &Inputs) -> anyhow::Result<Vec<PathBuf>> {
    if let Some(missing) = args.inputs.iter().find(|path| !path.exists()) {
        return Err(Usage(format!("no such file or folder: {}", missing.display())).into());
    }
    if !args.inputs.is_empty() {
        return Ok(args.inputs.clone());
    }
    let folder = config.lake.join("demo");
    leakgraph_demo::generate(&folder)?;
    tracing::info!("no inputs given: using the demo organisation in {}", folder.display());
    Ok(vec![folder])
}

fn tell_ingest(summary: &IngestSummary) -> anyhow::Result<()> {
    let IngestSummary { items, unchanged, bytes, scanned_bytes, rows, problems, batch_id } = summary;
    if batch_id.is_none() {
        return output::line(&format!("Ingested: nothing new ({unchanged} of {items} inputs unchanged)"));
    }
    let mib = |bytes: &u64| *bytes as f64 / f64::from(1 << 20);
    output::line(&format!(
        "Ingested: {} new inputs ({unchanged} unchanged), {:.1} MiB on disk, {:.1} MiB of text scanned, {rows} rows, {problems} problems",
        items - unchanged,
        mib(bytes),
        mib(scanned_bytes),
    ))
}

fn tell_score(summary: &ScoreSummary) -> anyhow::Result<()> {
    let counts: Vec<String> = Severity::ALL
        .iter()
        .rev()
        .map(|severity| format!("{} {severity}", summary.findings[*severity as usize]))
        .collect();
    output::line(&format!(
        "Scored: {} secrets, {} NHIs, {} handoffs; findings: {}",
        summary.secrets,
        summary.nhis,
        summary.handoffs,
        counts.join(", ")
    ))?;
    if summary.not_assessed > 0 {
        let kinds = if summary.not_assessed == 1 { "kind" } else { "kinds" };
        output::line(&format!(
            "Not assessed: {} {kinds} of findings: `leakgraph doctor` says why",
            summary.not_assessed
        ))?;
    }
    if summary.problems > 0 {
        output::line(&format!(
            "{} inputs could not be read fully: `leakgraph sql -c 'SELECT * FROM problems'`",
            summary.problems
        ))?;
    }
    Ok(())
}

fn exit(config: &Config, summary: &ScoreSummary) -> Exit {
    match config.fail_on.parse::<Severity>() {
        Ok(severity) if summary.has_at_least(severity) => Exit::Findings,
        _ if summary.problems > 0 => Exit::Problems,
        _ => Exit::Clean,
    }
}
