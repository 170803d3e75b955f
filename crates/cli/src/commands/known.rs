//! `known`: secrets the organisation knows.

use crate::args::{Format, Known};
use crate::exit::{Exit, Usage};
use crate::output;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use leakgraph_engine::{Config, detection};
use leakgraph_scan::known::KnownName;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) fn known(config: &Config, command: &Known) -> anyhow::Result<Exit> {
    match command {
        Known::Import { files } => import(config, files),
        Known::List { format } => list(config, *format),
    }
}

fn import(config: &Config, files: &[PathBuf]) -> anyhow::Result<Exit> {
    if let Some(missing) = files.iter().find(|path| *path != Path::new("-") && !path.exists()) {
        return Err(Usage(format!("no such file: {}", missing.display())).into());
    }
    std::fs::create_dir_all(&config.lake)?;
    let known = detection::known(files)?;
    for refused in known.refused() {
        tracing::warn!("{} is not looked for: {}", refused.name.place(), refused.reason);
    }
    let all = detection::remember(config, &known)?;
    output::line(&format!(
        "Remembered {} secrets ({all} in all) by keyed fingerprint and name; {} refused. \
         `leakgraph score` names their leaks, `leakgraph run --known FILE` looks for the values themselves.",
        known.len(),
        known.refused().len()
    ))?;
    Ok(Exit::Clean)
}

fn list(config: &Config, format: Format) -> anyhow::Result<Exit> {
    let Some(list) = detection::remembered(config)? else {
        let text = "no known secrets are remembered\nhint: `leakgraph known import FILE`";
        return Err(Usage(text.to_owned()).into());
    };
    let places = list
        .secrets
        .iter()
        .map(|secret| secret.names.iter().map(KnownName::place).collect::<Vec<_>>().join(", "));
    let fingerprints = list.secrets.iter().map(|secret| secret.fingerprint.as_str());
    let batch = RecordBatch::try_from_iter([
        ("fingerprint", Arc::new(StringArray::from_iter_values(fingerprints)) as ArrayRef),
        ("kept_as", Arc::new(StringArray::from_iter_values(places)) as ArrayRef),
    ])?;
    output::rows(&[batch], format)?;
    Ok(Exit::Clean)
}
