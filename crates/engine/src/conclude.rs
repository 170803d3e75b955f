//! Committed evidence in, one committed batch of links, scores and findings out.

use crate::audit::{self, Audit};
use crate::detection::remembered;
use crate::resolve::{name_known, resolve_secrets};
use crate::{Config, Error, Event, Progress};
use arrow_array::RecordBatch;
use leakgraph_lake::{BatchKind, LINKED, Lake, Session};
use leakgraph_model::framework::Frameworks;
use leakgraph_model::scored::{AuditRun, CatalogAction, Finding, ScoreGap, ScoreWeight};
use leakgraph_model::{Evidence, Row, Severity};
use leakgraph_policy::{Action, Catalog};
use leakgraph_scan::FingerprintKey;
use leakgraph_score::{Scores, Sensitivity, Weights, WhatIf};

/// What scoring found.
#[derive(Clone, Debug, Default)]
pub struct ScoreSummary {
    /// Findings that are more than possible, by severity, least first (see [`Severity::ALL`]).
    pub findings: [usize; 5],
    /// NHIs scored.
    pub nhis: usize,
    /// Handoffs scored.
    pub handoffs: usize,
    /// Distinct secrets that are more than possible.
    pub secrets: usize,
    /// Problems in the whole lake that lost evidence.
    pub problems: usize,
    /// Kinds of findings that could not be assessed.
    pub not_assessed: usize,
    /// Id of the batch.
    pub batch_id: String,
}

impl ScoreSummary {
    /// Whether a finding of at least this severity exists.
    pub fn has_at_least(&self, severity: Severity) -> bool {
        self.findings.iter().skip(severity as usize).any(|count| *count > 0)
    }
}

/// Links, scores and audits everything the lake holds and commits the result.
///
/// # Errors
/// The lake, the weights or an audit cannot be used.
pub fn score(config: &Config, progress: &dyn Progress) -> Result<ScoreSummary, Error> {
    let lake = Lake::open(&config.lake)?;
    let weights = weights(config)?;
    let audits = audits(config)?;
    progress.event(Event::Stage("link"));
    let evidence = linked(config, &lake)?;
    progress.event(Event::Stage("score"));
    let scores = leakgraph_score::score(&evidence, &weights)?;
    progress.event(Event::Stage("audit"));
    let mut tables = linked_batches(&evidence)?;
    tables.extend(score_batches(&scores)?);
    tables.push((ScoreWeight::TABLE.name, ScoreWeight::to_batch(&weights.rows())?));
    let session = overlay(&lake, &tables)?;
    let (findings, mut runs) = audit::run(&audits, &|sql| session.query(sql))?;
    runs.extend(audit::not_assessed(&audits, &Frameworks::load()?));
    let not_assessed = runs.iter().filter(|run| run.status == "not_assessed").count();
    tables.push((Finding::TABLE.name, Finding::to_batch(&findings)?));
    tables.push((AuditRun::TABLE.name, AuditRun::to_batch(&runs)?));
    progress.event(Event::Stage("commit"));
    let mut batch = lake.begin(BatchKind::Score)?;
    for (table, rows) in tables {
        batch.write(table, rows)?;
    }
    let info = batch.commit()?;
    progress.event(Event::StageDone);
    Ok(ScoreSummary { not_assessed, ..summarise(&evidence, &scores, &findings, info.batch_id) })
}

/// What the lake knows, linked and resolved: what scores rest on.
fn linked(config: &Config, lake: &Lake) -> Result<Evidence, Error> {
    let key = FingerprintKey::load_or_create(&config.key_path())?;
    let mut evidence = lake.evidence()?;
    leakgraph_ingest::link(&mut evidence);
    resolve_secrets(&mut evidence, &key);
    if let Some(list) = remembered(config)? {
        name_known(&mut evidence.secrets, &list);
    }
    Ok(evidence)
}

/// What removing or hardening edges would do to the reach of everything. Commits nothing.
///
/// # Errors
/// The lake or the weights cannot be used, or an edge does not exist.
pub fn what_if(config: &Config, changes: &[leakgraph_score::Change]) -> Result<WhatIf, Error> {
    let lake = Lake::open(&config.lake)?;
    let evidence = linked(config, &lake)?;
    Ok(leakgraph_score::what_if(&evidence, &weights(config)?, changes)?)
}

/// How the ranks move when each weight moves by ±20 %. Commits nothing.
///
/// # Errors
/// The lake or the weights cannot be used.
pub fn sensitivity(config: &Config) -> Result<Vec<Sensitivity>, Error> {
    let lake = Lake::open(&config.lake)?;
    let evidence = linked(config, &lake)?;
    Ok(leakgraph_score::sensitivity(&evidence, &weights(config)?)?)
}

/// A session that sees `tables` before they are committed, beside the reference tables.
fn overlay(lake: &Lake, tables: &[(&'static str, RecordBatch)]) -> Result<Session, Error> {
    let session = reader(lake)?;
    for (name, batch) in tables {
        session.register(name, batch.clone())?;
    }
    Ok(session)
}

/// A read-only session with the reference tables (`finding_kinds`, `controls`, `mappings`,
/// `catalog_actions`).
///
/// # Errors
/// The lake cannot be read or the framework data is inconsistent.
pub fn reader(lake: &Lake) -> Result<Session, Error> {
    let session = lake.session()?;
    let frameworks = Frameworks::load()?;
    session.register("finding_kinds", frameworks.finding_kinds_batch()?)?;
    session.register("controls", frameworks.controls_batch()?)?;
    session.register("mappings", frameworks.mappings_batch()?)?;
    session.register(CatalogAction::TABLE.name, catalog_actions()?)?;
    Ok(session)
}

fn catalog_actions() -> Result<RecordBatch, Error> {
    let row = |(action, known): (&str, &Action)| CatalogAction {
        action: action.to_owned(),
        class: known.class.as_str().to_owned(),
    };
    Ok(CatalogAction::to_batch(&Catalog::get().named().map(row).collect::<Vec<_>>())?)
}

/// The evidence tables that linking rewrites.
fn linked_batches(evidence: &Evidence) -> Result<Vec<(&'static str, RecordBatch)>, Error> {
    let mut tables = evidence.to_batches()?;
    tables.retain(|(table, _)| LINKED.contains(table));
    Ok(tables)
}

fn score_batches(scores: &Scores) -> Result<Vec<(&'static str, RecordBatch)>, Error> {
    fn one<R: Row>(rows: &[R]) -> Result<(&'static str, RecordBatch), Error> {
        Ok((R::TABLE.name, R::to_batch(rows)?))
    }
    let Scores { nhi_scores, handoff_scores, secret_scores, reach_edges, evidence_gaps, .. } = scores;
    let gaps: Vec<ScoreGap> = evidence_gaps.iter().cloned().map(ScoreGap::from).collect();
    Ok(vec![
        one(nhi_scores)?,
        one(&scores.nhi_usage)?,
        one(&scores.token_scores)?,
        one(&scores.privilege_parts)?,
        one(&scores.privilege_totals)?,
        one(&scores.nhi_lifecycle)?,
        one(handoff_scores)?,
        one(secret_scores)?,
        one(&scores.reach_nodes)?,
        one(reach_edges)?,
        one(&scores.choke_points)?,
        one(&scores.trigger_decisions)?,
        one(&scores.job_holdings)?,
        one(&scores.boundary_steps)?,
        one(&scores.boundary_crossings)?,
        one(&scores.delegation_paths)?,
        one(&scores.delegation_links)?,
        one(&scores.workflow_trust)?,
        one(&scores.secret_exposures)?,
        one(&gaps)?,
    ])
}

fn weights(config: &Config) -> Result<Weights, Error> {
    let Some(path) = &config.weights else { return Ok(Weights::builtin()) };
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::Read { path: path.display().to_string(), source })?;
    Ok(Weights::parse(&text)?)
}

/// The built-in audits and those of the configured folder.
fn audits(config: &Config) -> Result<Vec<Audit>, Error> {
    let mut audits = audit::builtin();
    let Some(folder) = &config.audits else { return Ok(audits) };
    let read = |source| Error::Read { path: folder.display().to_string(), source };
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .map_err(read)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(read)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    paths.sort();
    for path in paths {
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(&path).map_err(|source| Error::Read { path: name.clone(), source })?;
        audits.push(Audit::parse(&name, &text)?);
    }
    Ok(audits)
}

fn summarise(evidence: &Evidence, scores: &Scores, findings: &[Finding], batch_id: String) -> ScoreSummary {
    let mut by_severity = [0; 5];
    // What is merely possible is kept for those who ask, and fails no build.
    for finding in findings.iter().filter(|finding| finding.confidence != "possible") {
        if let Ok(severity) = finding.severity.parse::<Severity>() {
            by_severity[severity as usize] += 1;
        }
    }
    ScoreSummary {
        findings: by_severity,
        nhis: scores.nhi_scores.len(),
        handoffs: scores.handoff_scores.len(),
        secrets: evidence.secrets.iter().filter(|secret| secret.confidence != "possible").count(),
        problems: evidence.problems.iter().filter(|problem| problem.lossy).count(),
        not_assessed: 0,
        batch_id,
    }
}
