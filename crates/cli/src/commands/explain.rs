//! `explain`: the evidence chain of a finding, an identity, a handoff, a secret, a run, a job,
//! a decision, a path or a verdict.

use super::{literal, picture, reader};
use crate::args::Explain;
use crate::exit::{Exit, Usage};
use crate::output;
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use leakgraph_engine::Config;
use leakgraph_lake::Session;
use leakgraph_model::{Key, Row, TableDoc, scored::Finding};

/// Where a key may be looked up: table, key column.
const SUBJECTS: [(&str, &str); 9] = [
    ("findings", "finding_key"),
    ("handoff_scores", "handoff_key"),
    ("identities", "identity_key"),
    ("secrets", "secret_key"),
    ("runs", "run_key"),
    ("jobs", "job_key"),
    ("trigger_decisions", "decision_key"),
    ("delegation_paths", "path_key"),
    ("workflow_trust", "trust_key"),
];

pub(crate) fn explain(config: &Config, args: &Explain) -> anyhow::Result<Exit> {
    let session = reader(config)?;
    let mut hits: Vec<(&str, Key)> = Vec::new();
    for (table, column) in SUBJECTS {
        for key in keys(&session, table, column, &args.id)? {
            // The verdict on a run has the run's key, and the run shows it.
            if !hits.iter().any(|(_, found)| *found == key) {
                hits.push((table, key));
            }
        }
    }
    match hits.as_slice() {
        [] => {
            Err(Usage(format!("nothing is called {:?}\nhint: `leakgraph findings` shows keys", args.id))
                .into())
        }
        [(table, key)] => {
            if let Some(file) = &args.svg {
                picture::draw(&session, table, key, file)?;
                return Ok(Exit::Clean);
            }
            match *table {
                "findings" => finding(&session, key)?,
                "handoff_scores" => handoff(&session, key)?,
                "identities" => identity(&session, key)?,
                "secrets" => secret(&session, key)?,
                "jobs" => job(&session, key)?,
                "trigger_decisions" => with_evidence(&session, "Decision", table, "decision_key", key)?,
                "delegation_paths" => {
                    section(&session, "Path", table, "path_key", key)?;
                    section(&session, "Link", "delegation_links", "path_key", key)?;
                }
                "workflow_trust" => section(&session, "Verdict", table, "trust_key", key)?,
                _ => run(&session, key)?,
            }
            Ok(Exit::Clean)
        }
        many => {
            let list: Vec<String> =
                many.iter().take(10).map(|(table, key)| format!("  {key} ({table})")).collect();
            Err(Usage(format!("{:?} is ambiguous; give more digits:\n{}", args.id, list.join("\n"))).into())
        }
    }
}

/// Keys of `table` that begin with `id`, or whose name or ARN is `id`.
pub(super) fn keys(session: &Session, table: &str, column: &str, id: &str) -> anyhow::Result<Vec<Key>> {
    let mut filter = Vec::new();
    if id.len() >= 4 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let digits = id.to_ascii_lowercase();
        filter.push(format!("starts_with(key({column}), '{digits}')"));
    }
    if table == "identities" {
        filter.push(format!("native_id = {0} OR name = {0}", literal(id)));
    }
    if filter.is_empty() {
        return Ok(Vec::new());
    }
    let sql =
        format!("SELECT DISTINCT key({column}) AS k FROM {table} WHERE {} ORDER BY k", filter.join(" OR "));
    Ok(texts(&session.query(&sql)?)?.iter().filter_map(|text| Key::from_hex(text)).collect())
}

/// The first column as texts.
pub(super) fn texts(batches: &[RecordBatch]) -> anyhow::Result<Vec<String>> {
    let options = FormatOptions::default();
    let mut texts = Vec::new();
    for batch in batches {
        let formatter = ArrayFormatter::try_new(batch.column(0), &options)?;
        texts.extend((0..batch.num_rows()).map(|row| formatter.value(row).to_string()));
    }
    Ok(texts)
}

fn finding(session: &Session, key: &Key) -> anyhow::Result<()> {
    section(session, "Finding", "findings", "finding_key", key)?;
    let sql = format!("SELECT * FROM findings WHERE key(finding_key) = '{key}'");
    for batch in session.query(&sql)? {
        for finding in Finding::from_batch(&batch)? {
            let controls = format!(
                "SELECT control FROM mappings WHERE kind = {} ORDER BY control",
                literal(&finding.kind)
            );
            output::line(&format!("\nControls: {}", texts(&session.query(&controls)?)?.join(", ")))?;
            references(session, finding.evidence.iter())?;
        }
    }
    Ok(())
}

/// A table of evidence or of scores.
pub(super) fn table_doc(table: &str) -> Option<&'static TableDoc> {
    let tables = leakgraph_model::Evidence::TABLES.iter().chain(leakgraph_model::scored::TABLES);
    tables.into_iter().find(|doc| doc.name == table)
}

/// The key column of a table, by the naming rule of the model.
pub(super) fn key_column(table: &str) -> Option<&'static str> {
    let table = table_doc(table)?;
    table.columns.first().map(|column| column.name).filter(|name| name.ends_with("_key"))
}

fn handoff(session: &Session, key: &Key) -> anyhow::Result<()> {
    section(session, "Handoff score", "handoff_scores", "handoff_key", key)?;
    section(session, "Handoff", "handoffs", "handoff_key", key)?;
    section(session, "Input", "handoff_inputs", "handoff_key", key)
}

fn identity(session: &Session, key: &Key) -> anyhow::Result<()> {
    section(session, "Identity", "identities", "identity_key", key)?;
    section(session, "Score", "nhi_scores", "identity_key", key)?;
    section(session, "Lifecycle", "nhi_lifecycle", "identity_key", key)?;
    section(session, "Usage", "nhi_usage", "identity_key", key)?;
    section(session, "Credential", "credentials", "identity_key", key)?;
    section(session, "Leaked secret", "secrets", "identity_key", key)?;
    section(session, "Trust", "trusts", "identity_key", key)?;
    section(session, "Grant", "grants", "identity_key", key)?;
    section(session, "Activity", "activity", "identity_key", key)
}

fn secret(session: &Session, key: &Key) -> anyhow::Result<()> {
    section(session, "Secret", "secrets", "secret_key", key)?;
    section(session, "Score", "secret_scores", "secret_key", key)?;
    section(session, "Exposure", "secret_exposures", "secret_key", key)?;
    section(session, "Sighting", "secret_sightings", "secret_key", key)
}

fn run(session: &Session, key: &Key) -> anyhow::Result<()> {
    section(session, "Run", "runs", "run_key", key)?;
    section(session, "Verdict", "workflow_trust", "run_key", key)?;
    section(session, "Decision", "trigger_decisions", "run_key", key)?;
    section(session, "Approval", "approvals", "run_key", key)?;
    section(session, "Job", "jobs", "run_key", key)
}

fn job(session: &Session, key: &Key) -> anyhow::Result<()> {
    section(session, "Job", "jobs", "job_key", key)?;
    with_evidence(session, "Boundary", "boundary_crossings", "job_key", key)?;
    section(session, "Decision", "trigger_decisions", "job_key", key)?;
    section(session, "Token", "token_permissions", "job_key", key)?;
    section(session, "Identity used", "identities_used", "job_key", key)
}

/// A row of an analytic and the rows it rests on.
fn with_evidence(session: &Session, title: &str, table: &str, column: &str, key: &Key) -> anyhow::Result<()> {
    section(session, title, table, column, key)?;
    let sql = format!(
        "SELECT DISTINCT unnest(evidence) AS row FROM {table} WHERE key({column}) = '{key}' ORDER BY row"
    );
    references(session, texts(&session.query(&sql)?)?.iter())
}

/// Prints the rows that `table:key` names.
fn references<'a>(session: &Session, rows: impl Iterator<Item = &'a String>) -> anyhow::Result<()> {
    for reference in rows {
        let Some((table, key)) = reference.split_once(':') else { continue };
        let (Some(key), Some(column)) = (Key::from_hex(key), key_column(table)) else { continue };
        section(session, &format!("Evidence: {table}"), table, column, &key)?;
    }
    Ok(())
}

/// Prints the rows of `table` whose `column` is `key`, one block per row, without empty columns.
fn section(session: &Session, title: &str, table: &str, column: &str, key: &Key) -> anyhow::Result<()> {
    const MOST: usize = 20;
    let rows = session.query(&format!("SELECT * FROM {table} WHERE key({column}) = '{key}'"))?;
    let options = FormatOptions::default();
    let mut shown = 0;
    for batch in &rows {
        let formatters: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options))
            .collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            shown += 1;
            if shown > MOST {
                continue;
            }
            output::line(&format!("\n{title}"))?;
            for (field, formatter) in batch.schema().fields().iter().zip(&formatters) {
                let text = formatter.value(row).to_string();
                if !text.is_empty() && text != "[]" && field.name() != "batch_id" {
                    let safe: String =
                        text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
                    output::line(&format!("  {:<20} {safe}", field.name()))?;
                }
            }
        }
    }
    if shown > MOST {
        output::line(&format!("\n… and {} more rows of {table}", shown - MOST))?;
    }
    Ok(())
}
