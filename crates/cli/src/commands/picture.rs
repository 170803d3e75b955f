//! `explain --svg`: a picture of what is explained, as a path or as its part of the reach graph.

use super::explain::{key_column, table_doc, texts};
use super::literal;
use crate::exit::Usage;
use crate::output;
use anyhow::Context;
use leakgraph_lake::Session;
use leakgraph_model::scored::ReachEdge;
use leakgraph_model::{Key, Row};
use leakgraph_score::export::{Neighbourhood, svg, svg_about};
use std::path::Path;

/// As far around a node as a picture stays readable.
const STEPS: usize = 2;
const MOST: usize = 36;

/// Draws a row of `table` to a file, or to stdout for `-`.
pub(super) fn draw(session: &Session, table: &str, key: &Key, file: &Path) -> anyhow::Result<()> {
    let Some(picture) = picture(session, table, key)? else {
        let hint = "`leakgraph export svg --around NODE` draws any part of it";
        return Err(Usage(format!("nothing of it is in the reach graph\nhint: {hint}")).into());
    };
    if file == Path::new("-") {
        return output::line(picture.trim_end());
    }
    std::fs::write(file, picture).with_context(|| format!("cannot write {}", file.display()))?;
    output::line(&format!("Wrote {}", file.display()))
}

fn picture(session: &Session, table: &str, key: &Key) -> anyhow::Result<Option<String>> {
    let column = |sql: String| -> anyhow::Result<Vec<String>> { texts(&session.query(&sql)?) };
    let all = |list: &str, table: &str, column_name: &str| {
        column(format!("SELECT unnest({list}) AS node FROM {table} WHERE key({column_name}) = '{key}'"))
    };
    let jobs = |filter: &str| {
        column(format!("SELECT DISTINCT subject FROM boundary_crossings WHERE {filter} ORDER BY subject"))
    };
    let nodes = match table {
        "findings" => return finding(session, key),
        "delegation_paths" => {
            let path = all("nodes", table, "path_key")?;
            return Ok((!path.is_empty()).then(|| leakgraph_report::path_svg(&path)));
        }
        "handoffs" | "handoff_scores" => {
            let path = all("top_path", "handoff_scores", "handoff_key")?;
            let part = Neighbourhood::along(&edges(session)?, &path);
            if !part.nodes.is_empty() {
                return Ok(Some(svg(&part)));
            }
            column(format!("SELECT parent FROM handoff_scores WHERE key(handoff_key) = '{key}'"))?
        }
        "identities" => {
            column(format!("SELECT native_id FROM identities WHERE key(identity_key) = '{key}'"))?
        }
        "secrets" => column(format!(
            "SELECT replace(kind, '_', ' ') || ' ' || substr(fingerprint, 1, 8) AS node FROM secrets WHERE key(secret_key) = '{key}'"
        ))?,
        "jobs" => jobs(&format!("key(job_key) = '{key}'"))?,
        "runs" => jobs(&format!("key(run_key) = '{key}'"))?,
        "trigger_decisions" => jobs(&format!(
            "run_key IN (SELECT d.run_key FROM trigger_decisions d WHERE key(d.decision_key) = '{key}')"
        ))?,
        "workflow_trust" => jobs(&format!(
            "run_key IN (SELECT r.run_key FROM runs r JOIN workflow_trust t ON t.repo = r.repo \
             AND t.workflow IN (r.workflow_name, r.workflow_path) WHERE key(t.trust_key) = '{key}')"
        ))?,
        _ => return by_reference(session, table, key),
    };
    let part = Neighbourhood::through(&edges(session)?, &nodes, STEPS, MOST);
    Ok((!part.nodes.is_empty()).then(|| svg_about(&part, &nodes)))
}

/// The first of its evidence that can be drawn, what says most first.
fn finding(session: &Session, key: &Key) -> anyhow::Result<Option<String>> {
    const TOLD: [&str; 7] =
        ["delegation_paths", "handoff_scores", "handoffs", "secrets", "nhi_scores", "identities", "jobs"];
    let sql = format!("SELECT unnest(evidence) AS row FROM findings WHERE key(finding_key) = '{key}'");
    let evidence = texts(&session.query(&sql)?)?;
    let mut rows: Vec<(&str, Key)> = evidence
        .iter()
        .filter_map(|row| row.split_once(':'))
        .filter_map(|(table, key)| Some((table, Key::from_hex(key)?)))
        .collect();
    rows.sort_by_key(|(table, _)| TOLD.iter().position(|told| told == table).unwrap_or(TOLD.len()));
    for (table, key) in rows {
        if let Some(picture) = picture(session, table, &key)? {
            return Ok(Some(picture));
        }
    }
    Ok(None)
}

/// What a row of another table is about: its identity, secret, job or run.
fn by_reference(session: &Session, table: &str, key: &Key) -> anyhow::Result<Option<String>> {
    let Some(column) = key_column(table) else { return Ok(None) };
    let Some(doc) = table_doc(table) else { return Ok(None) };
    for (about, target) in
        [("identity_key", "identities"), ("secret_key", "secrets"), ("job_key", "jobs"), ("run_key", "runs")]
    {
        if !doc.columns.iter().any(|column| column.name == about) {
            continue;
        }
        let sql = format!(
            "SELECT key({about}) AS k FROM {table} WHERE key({column}) = {} AND {about} IS NOT NULL",
            literal(&key.to_string())
        );
        for other in texts(&session.query(&sql)?)?.iter().filter_map(|text| Key::from_hex(text)).take(1) {
            if let Some(drawn) = picture(session, target, &other)? {
                return Ok(Some(drawn));
            }
        }
    }
    Ok(None)
}

/// The edges of the reach graph.
pub(super) fn edges(session: &Session) -> anyhow::Result<Vec<ReachEdge>> {
    let mut edges = Vec::new();
    for batch in session.query("SELECT * FROM reach_edges ORDER BY source, target, kind")? {
        edges.extend(ReachEdge::from_batch(&batch)?);
    }
    Ok(edges)
}
