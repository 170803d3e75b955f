//! `findings`, `nhis`, `handoffs`, `triggers`, `boundaries`, `trust`, `paths`, `secrets`:
//! ranked tables, worst first, by what is sure (the lower bound).

use super::{literal, reader};
use crate::args::{Findings, Rows};
use crate::exit::{Exit, Usage};
use crate::output;
use leakgraph_engine::Config;
use leakgraph_model::Severity;
use leakgraph_report::ranking::{BOUNDARIES, HANDOFFS, NHIS, PATHS, TRIGGERS, TRUST};

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

pub(crate) fn nhis(top: usize) -> String {
    let columns = "substr(key(identity_key), 1, 8) AS key, identity, round(excess, 1) AS excess, \
         round(excess_low, 1) AS low, round(excess_high, 1) AS high, round(granted_risk, 1) AS granted_risk, \
         round(blast, 1) AS blast, usage, actions_used AS used, actions_may AS granted, \
         array_to_string(top_grants, ', ') AS top_grants";
    NHIS.sql(columns, None, top)
}

pub(crate) fn handoffs(top: usize) -> String {
    let columns = "substr(key(handoff_key), 1, 8) AS key, parent, child, mechanism, identity_mode AS identity, verdict, times, \
         round(blast, 1) AS blast, round(blast_low, 1) AS low, round(blast_high, 1) AS high, \
         round(expansion, 1) AS expansion, top_target";
    HANDOFFS.sql(columns, None, top)
}

pub(crate) fn triggers(top: usize) -> String {
    let columns = "substr(key(decision_key), 1, 8) AS key, subject, event, class, decided_by AS by, times, \
         round(tp, 1) AS tp, round(tp_low, 1) AS low, round(tp_high, 1) AS high, secrets, \
         array_to_string(checks, ', ') AS wrong, array_to_string(reasons, '; ') AS why";
    TRIGGERS.sql(columns, None, top)
}

pub(crate) fn boundaries(top: usize) -> String {
    let columns = "substr(key(job_key), 1, 8) AS key, subject, class, times, round(bc, 1) AS bc, round(bc_low, 1) AS low, \
         round(bc_high, 1) AS high, step, code_origin AS code, credential, exposed_steps AS exposed, \
         round(window_s) AS seconds, runner_kind AS runner, basis";
    BOUNDARIES.sql(columns, None, top)
}

pub(crate) fn trust(top: usize) -> String {
    let columns = "substr(key(trust_key), 1, 8) AS key, concat_ws(' ', repo, workflow) AS workflow, verdict, \
         t1, t2, t3, t4, t5, t6, t7, runs, conclusion AS last, direction, \
         array_to_string(CASE WHEN verdict = 'UNTRUSTWORTHY' THEN failures ELSE unknowns END, '; ') AS why";
    TRUST.sql(columns, None, top)
}

pub(crate) fn paths(top: usize) -> String {
    let columns = "substr(key(path_key), 1, 8) AS key, path, root_kind AS begun_by, root_actor AS actor, times, \
         round(dp, 1) AS dp, round(dp_low, 1) AS low, round(dp_high, 1) AS high, handoffs, \
         round(lifetime_s) AS seconds, outlives_origin AS outlives, orphan, open, weakest_reason AS weakest";
    PATHS.sql(columns, None, top)
}

/// One row per secret that is more than possible.
pub(crate) fn secrets(top: usize) -> String {
    format!(
        "SELECT substr(key(s.secret_key), 1, 8) AS key, s.kind, s.preview, i.native_id AS identity, e.audience, \
         e.state, e.sightings, array_to_string(e.repos, ', ') AS repos, \
         e.reused_after_exposure AS reused, \
         round(x.blast, 1) AS blast, round(x.blast_low, 1) AS low, round(x.blast_high, 1) AS high \
         FROM secret_exposures e JOIN secrets s ON s.secret_key = e.secret_key \
         LEFT JOIN identities i ON i.identity_key = s.identity_key \
         LEFT JOIN secret_scores x ON x.secret_key = s.secret_key WHERE s.confidence <> 'possible' \
         ORDER BY CASE e.state WHEN 'alive' THEN 0 WHEN 'unknown' THEN 1 WHEN 'rotated' THEN 2 ELSE 3 END, \
         x.blast_low DESC NULLS LAST, e.sightings DESC, s.secret_key{}",
        limit(top)
    )
}

/// The cuts in the order in which to make them.
pub(crate) fn choke_points(top: usize) -> String {
    format!(
        "SELECT rank, substr(key(choke_key), 1, 8) AS key, kind, source, target, \
         round(reduction, 1) AS reduction, round(reduction_alone, 1) AS alone, \
         round(reduction_hardened, 1) AS hardened, entries \
         FROM choke_points ORDER BY rank{}",
        limit(top)
    )
}

pub(crate) fn findings(config: &Config, args: &Findings) -> anyhow::Result<Exit> {
    let sql = findings_sql(args.rows.top, args.severity.as_deref(), args.kind.as_deref())?;
    print(config, &args.rows, &sql)
}

/// Prints the table that `sql` asks for, given how many rows of it.
pub(crate) fn show(config: &Config, args: &Rows, sql: fn(usize) -> String) -> anyhow::Result<Exit> {
    print(config, args, &sql(args.top))
}

fn print(config: &Config, args: &Rows, sql: &str) -> anyhow::Result<Exit> {
    output::ranking(&reader(config)?.query(sql)?, args.format)?;
    Ok(Exit::Clean)
}
