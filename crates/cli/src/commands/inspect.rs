//! `config`, `doctor` and `completions`.

use super::reader;
use crate::args::{Args, Format};
use crate::exit::Exit;
use crate::output;
use clap::CommandFactory;
use leakgraph_engine::Config;

/// What evidence each run lacks.
const COVERAGE: &str = include_str!("../../../../queries/packs/coverage.sql");

pub(crate) fn config(config: &Config) -> anyhow::Result<Exit> {
    output::line(toml::to_string_pretty(config)?.trim_end())?;
    Ok(Exit::Clean)
}

/// What is in the lake, what could not be read, which analytics lack evidence.
pub(crate) fn doctor(config: &Config) -> anyhow::Result<Exit> {
    let session = reader(config)?;
    output::line(&format!("leakgraph {}", env!("CARGO_PKG_VERSION")))?;
    output::line(&format!("lake             {}", config.lake.display()))?;
    output::line(&format!("fingerprint key  {} ({})", config.key_path().display(), key_state(config)))?;
    let coverage = format!(
        "SELECT missing, suffers, count(*) AS runs, min(coalesce(repo || '/', '') || coalesce(run, '?')) AS example FROM ({}) GROUP BY missing, suffers ORDER BY runs DESC, missing",
        COVERAGE.trim_end().trim_end_matches(';')
    );
    for (title, sql) in [
        (
            "Sources",
            "SELECT platform, kind, count(*) AS files, sum(bytes) AS bytes, sum(rows) AS rows FROM source_files GROUP BY platform, kind ORDER BY platform, kind",
        ),
        (
            "Problems",
            "SELECT code, lossy, count(*) AS files, min(path) AS example FROM problems GROUP BY code, lossy ORDER BY files DESC, code",
        ),
        (
            "Gaps in the evidence",
            "SELECT analytic, gap, effect, count(*) AS subjects FROM (SELECT analytic, gap, effect FROM evidence_gaps UNION ALL SELECT analytic, gap, effect FROM score_gaps) GROUP BY analytic, gap, effect ORDER BY subjects DESC, analytic, gap",
        ),
        ("Runs that lack evidence", &coverage),
        ("Not assessed", "SELECT kind, reason FROM audit_runs WHERE status = 'not_assessed' ORDER BY kind"),
    ] {
        output::line(&format!("\n{title}"))?;
        output::rows(&session.query(sql)?, Format::Table)?;
    }
    Ok(Exit::Clean)
}

fn key_state(config: &Config) -> &'static str {
    use std::os::unix::fs::PermissionsExt;
    match std::fs::metadata(config.key_path()) {
        Err(_) => "missing: made at the next run",
        Ok(data) if data.permissions().mode() & 0o077 != 0 => "readable by others: run chmod 600",
        Ok(_) => "present, private",
    }
}

pub(crate) fn completions(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "leakgraph", &mut script);
    output::line(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Clean)
}
