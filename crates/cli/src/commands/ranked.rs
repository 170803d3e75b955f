//! `findings`, `nhis`, `handoffs`: ranked tables.

use super::{literal, reader};
use crate::args::Ranked;
use crate::exit::{Exit, Usage};
use crate::output;
use leakgraph_engine::Config;
use leakgraph_model::Severity;

const SEVERITY_RANK: &str = "CASE severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END";

fn limit(top: usize) -> String {
    if top == 0 { String::new() } else { format!(" LIMIT {top}") }
}

pub(crate) fn findings_sql(top: usize, severity: Option<&str>, kind: Option<&str>) -> anyhow::Result<String> {
    let mut filters = vec!["confidence <> 'possible'".to_owned()];
    if let Some(severity) = severity {
        let severity: Severity = severity.parse().map_err(|error| Usage(format!("--severity: {error}")))?;
        filters.push(format!("{SEVERITY_RANK} >= {}", severity.rank()));
    }
    if let Some(kind) = kind {
        filters.push(format!("kind = {}", literal(kind)));
    }
    Ok(format!(
        "SELECT substr(key(finding_key), 1, 8) AS key, severity, kind, message \
         FROM findings WHERE {} ORDER BY {SEVERITY_RANK} DESC, rank_score DESC NULLS LAST, kind, message, finding_key{}",
        filters.join(" AND "),
        limit(top)
    ))
}

pub(crate) fn nhis_sql(top: usize) -> String {
    format!(
        "SELECT substr(key(identity_key), 1, 8) AS key, identity, round(excess, 1) AS excess, \
         round(excess_low, 1) AS low, round(excess_high, 1) AS high, round(granted_risk, 1) AS granted_risk, \
         round(blast, 1) AS blast, usage, actions_used AS used, actions_may AS granted, \
         array_to_string(top_grants, ', ') AS top_grants \
         FROM nhi_scores ORDER BY excess_low DESC NULLS LAST, granted_risk DESC, identity{}",
        limit(top)
    )
}

/// One row per pair of jobs: the worst of the handoffs between them.
pub(crate) fn handoffs_sql(top: usize) -> String {
    format!(
        "SELECT substr(key(handoff_key), 1, 8) AS key, parent, child, mechanism, identity_mode AS identity, verdict, times, \
         round(blast, 1) AS blast, round(blast_low, 1) AS low, round(blast_high, 1) AS high, \
         round(expansion, 1) AS expansion, top_target \
         FROM (SELECT *, count(*) OVER (PARTITION BY parent, child, mechanism) AS times, \
         row_number() OVER (PARTITION BY parent, child, mechanism ORDER BY blast_low DESC, blast DESC, handoff_key) AS place \
         FROM handoff_scores) WHERE place = 1 \
         ORDER BY blast_low DESC, blast DESC, parent, child, mechanism{}",
        limit(top)
    )
}

pub(crate) fn findings(config: &Config, args: &Ranked) -> anyhow::Result<Exit> {
    show(config, args, &findings_sql(args.top, args.severity.as_deref(), args.kind.as_deref())?)
}

pub(crate) fn nhis(config: &Config, args: &Ranked) -> anyhow::Result<Exit> {
    show(config, args, &nhis_sql(args.top))
}

pub(crate) fn handoffs(config: &Config, args: &Ranked) -> anyhow::Result<Exit> {
    show(config, args, &handoffs_sql(args.top))
}

fn show(config: &Config, args: &Ranked, sql: &str) -> anyhow::Result<Exit> {
    output::rows(&reader(config)?.query(sql)?, args.format)?;
    Ok(Exit::Clean)
}
