//! Audits: one SQL file per finding kind says when there is a finding.
//!
//! A file begins with front matter in comments:
//!
//! ```sql
//! -- ---
//! -- id: secret-in-log
//! -- severity: high
//! -- requires: secret_sightings, secrets
//! -- rationale: Why it matters.
//! -- remediation: What to do.
//! -- ---
//! SELECT … AS subject, … AS subject_key, …
//! ```
//!
//! and gives the columns of [`COLUMNS`]. If rows it requires are missing, the audit is not
//! assessed, which is not the same as clean; kinds that no audit can see never are. The
//! table `audit_runs` has a row for each kind and says which.

use crate::requirement::Requirement;
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use leakgraph_model::framework::Frameworks;
use leakgraph_model::scored::{AuditRun, Finding};
use leakgraph_model::{Column, Key, Severity, Timestamp};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The columns an audit must give, in any order.
pub const COLUMNS: [&str; 10] = [
    "subject",
    "subject_key",
    "object",
    "severity",
    "confidence",
    "message",
    "evidence",
    "gap",
    "rank_score",
    "first_seen_at",
];

/// An audit cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Its front matter is wrong.
    #[error("{name}: {message}")]
    Malformed {
        /// File name.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// Its query failed.
    #[error("audit {id} failed: {message}")]
    Query {
        /// Finding kind.
        id: String,
        /// What the lake said.
        message: String,
    },
    /// Its result lacks a column or has one of the wrong type.
    #[error("audit {id} must give {column}: see queries/README.md")]
    Column {
        /// Finding kind.
        id: String,
        /// The column.
        column: String,
    },
}

/// One audit.
#[derive(Clone, Debug)]
pub struct Audit {
    /// Finding kind.
    pub id: String,
    /// Default severity.
    pub severity: Severity,
    /// Why it matters.
    pub rationale: String,
    /// What to do.
    pub remediation: String,
    /// Rows that must exist.
    pub requires: Vec<Requirement>,
    /// The query.
    pub sql: String,
}

impl Audit {
    /// Parses an audit file; `name` is for errors.
    ///
    /// # Errors
    /// Front matter is missing, incomplete or has unknown keys.
    pub fn parse(name: &str, text: &str) -> Result<Self, AuditError> {
        let fail =
            |message: &str| AuditError::Malformed { name: name.to_owned(), message: message.to_owned() };
        let rest = text
            .trim_start()
            .strip_prefix("-- ---\n")
            .ok_or_else(|| fail("no front matter: expected `-- ---`"))?;
        let (front, sql) =
            rest.split_once("-- ---\n").ok_or_else(|| fail("the front matter does not end"))?;
        let mut values: BTreeMap<&str, String> = BTreeMap::new();
        for line in front.lines() {
            let line = line.strip_prefix("--").ok_or_else(|| fail("front matter lines begin with --"))?;
            let (key, value) =
                line.split_once(':').ok_or_else(|| fail("front matter lines are `-- key: value`"))?;
            values.insert(key.trim(), value.trim().to_owned());
        }
        let mut take =
            |key: &str| values.remove(key).ok_or_else(|| fail(&format!("front matter lacks {key}")));
        let audit = Self {
            id: take("id")?,
            severity: take("severity")?.parse().map_err(|error| fail(&format!("{error}")))?,
            rationale: take("rationale")?,
            remediation: take("remediation")?,
            requires: Requirement::parse_list(&take("requires")?)
                .ok_or_else(|| fail("requires is a list of `table`, `table[condition]` and `a | b`"))?,
            sql: sql.trim().trim_end_matches(';').to_owned(),
        };
        match values.keys().next() {
            Some(unknown) => Err(fail(&format!("unknown key {unknown}"))),
            None if audit.sql.is_empty() => Err(fail("no query")),
            None => Ok(audit),
        }
    }
}

macro_rules! embedded {
    ($($id:literal),+ $(,)?) => {
        /// Name and text of the audits in `queries/audits`.
        const EMBEDDED: &[(&str, &str)] =
            &[$( ($id, include_str!(concat!("../../../queries/audits/", $id, ".sql"))), )+];
    };
}

embedded![
    "admin-or-wildcard-grant",
    "agent-tool-use-out-of-scope",
    "blast-radius-over-threshold",
    "boundary-crossing",
    "child-inherits-permissions",
    "credential-over-age",
    "default-token-write",
    "departed-owner-nhi",
    "handoff-escalation",
    "human-uses-nhi",
    "log-integrity-gap",
    "long-lived-credential",
    "mask-residue",
    "mask-too-short",
    "no-audit-trail",
    "orphaned-nhi",
    "over-privileged-nhi",
    "replayed-trigger",
    "secret-in-artifact-output",
    "secret-in-dispatch-input",
    "secret-in-log",
    "secret-in-log-encoded",
    "secret-mask-bypassed",
    "secret-reuse-after-exposure",
    "secret-reuse-environment",
    "secret-reuse-nhi",
    "secrets-inherit",
    "self-approved-trigger",
    "shared-nhi",
    "shared-runner-across-trust-zones",
    "stale-delegation",
    "third-party-action-with-secrets",
    "third-party-nhi-over-scoped",
    "trigger-without-approval",
    "unbounded-dispatch-chain",
    "unregistered-nhi",
    "untrusted-trigger-with-secrets",
    "unused-nhi",
    "unvalidated-dispatch-input",
    "weak-oidc-trust",
];

/// The audits that come with leakgraph.
///
/// # Panics
/// Never: a test parses every embedded file.
pub fn builtin() -> Vec<Audit> {
    EMBEDDED
        .iter()
        .map(|(name, text)| Audit::parse(name, text).expect("embedded audits parse: a test reads each"))
        .collect()
}

/// How audits ask the lake.
pub type Query<'a, E> = dyn Fn(&str) -> Result<Vec<RecordBatch>, E> + 'a;

/// Runs audits; findings are sorted by severity, rank and key.
///
/// # Errors
/// A query fails or does not give the columns.
pub fn run<E: std::fmt::Display>(
    audits: &[Audit],
    query: &Query<'_, E>,
) -> Result<(Vec<Finding>, Vec<AuditRun>), AuditError> {
    let mut findings = Vec::new();
    let mut runs = Vec::new();
    // Audits need the same tables over and over.
    let mut has_rows: HashMap<String, bool> = HashMap::new();
    for audit in audits {
        let ask = |sql: &str| {
            query(sql).map_err(|error| AuditError::Query { id: audit.id.clone(), message: error.to_string() })
        };
        let mut missing = None;
        for requirement in &audit.requires {
            let mut is_met = false;
            for source in &requirement.0 {
                is_met |= match has_rows.entry(source.sql()) {
                    Entry::Occupied(known) => *known.get(),
                    Entry::Vacant(new) => {
                        let found = ask(new.key())?.iter().any(|batch| batch.num_rows() > 0);
                        *new.insert(found)
                    }
                };
            }
            if !is_met {
                missing = Some(requirement.missing());
                break;
            }
        }
        if missing.is_none() {
            for batch in ask(&audit.sql)? {
                read(audit, &batch, &mut findings)?;
            }
        }
        runs.push(AuditRun {
            kind: audit.id.clone(),
            status: if missing.is_none() { "assessed" } else { "not_assessed" }.to_owned(),
            reason: missing,
            findings: 0,
        });
    }
    findings.sort_by(|a, b| {
        order(a)
            .cmp(&order(b))
            .then_with(|| b.rank_score.unwrap_or(0.0).total_cmp(&a.rank_score.unwrap_or(0.0)))
            .then_with(|| a.finding_key.cmp(&b.finding_key))
            .then_with(|| (&a.message, &a.evidence).cmp(&(&b.message, &b.evidence)))
    });
    // Of equal subjects and objects the worst is told: they are sorted by it.
    let mut told = HashSet::new();
    findings.retain(|finding| told.insert(finding.finding_key));
    for run in &mut runs {
        run.findings = findings.iter().filter(|finding| finding.kind == run.kind).count() as i64;
    }
    Ok((findings, runs))
}

/// Kinds that none of the audits looks for, with the reason.
pub fn not_assessed(audits: &[Audit], frameworks: &Frameworks) -> Vec<AuditRun> {
    let has_audit = |kind: &str| audits.iter().any(|audit| audit.id == kind);
    let without = frameworks.kinds().iter().filter(|kind| !has_audit(&kind.id));
    without
        .map(|kind| AuditRun {
            kind: kind.id.clone(),
            status: "not_assessed".to_owned(),
            reason: Some(kind.not_assessed.clone().unwrap_or_else(|| "no audit looks for it".to_owned())),
            findings: 0,
        })
        .collect()
}

/// Worst first.
fn order(finding: &Finding) -> i32 {
    -finding.severity.parse::<Severity>().map_or(0, Severity::rank)
}

/// One result batch as findings.
fn read(audit: &Audit, batch: &RecordBatch, findings: &mut Vec<Finding>) -> Result<(), AuditError> {
    let missing = |column: &str| AuditError::Column { id: audit.id.clone(), column: column.to_owned() };
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(name));
    let [
        subject,
        subject_key,
        object,
        severity,
        confidence,
        message,
        evidence,
        gap,
        rank_score,
        first_seen_at,
    ] = COLUMNS.map(column);
    let (subject, subject_key, object, severity) = (subject?, subject_key?, object?, severity?);
    let (confidence, message, evidence, gap) = (confidence?, message?, evidence?, gap?);
    let (rank_score, first_seen_at) = (rank_score?, first_seen_at?);
    for row in 0..batch.num_rows() {
        let subject = text(subject, row).ok_or_else(|| missing("subject"))?;
        let object = text(object, row);
        let key = Key::of("finding", &[&audit.id, &subject, object.as_deref().unwrap_or("")]);
        findings.push(Finding {
            finding_key: key,
            kind: audit.id.clone(),
            severity: text(severity, row).unwrap_or_else(|| audit.severity.to_string()),
            confidence: text(confidence, row).unwrap_or_else(|| "high".to_owned()),
            subject,
            subject_key: binary(subject_key, row),
            object,
            message: text(message, row).ok_or_else(|| missing("message"))?,
            evidence: text(evidence, row)
                .map(|list| {
                    list.split(',')
                        .map(|item| item.trim().to_owned())
                        .filter(|item| !item.is_empty())
                        .collect()
                })
                .unwrap_or_default(),
            gap: text(gap, row),
            rank_score: number(rank_score, row),
            first_seen_at: time(first_seen_at, row),
        });
    }
    Ok(())
}

fn text(array: &dyn Array, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    let text = array
        .as_string_opt::<i32>()
        .map(|array| array.value(row))
        .or_else(|| array.as_string_view_opt().map(|array| array.value(row)))
        .or_else(|| array.as_string_opt::<i64>().map(|array| array.value(row)))?;
    Some(text.to_owned())
}

fn binary(array: &dyn Array, row: usize) -> Option<Key> {
    if array.is_null(row) {
        return None;
    }
    let bytes = array
        .as_binary_opt::<i32>()
        .map(|array| array.value(row))
        .or_else(|| array.as_binary_view_opt().map(|array| array.value(row)))?;
    bytes.try_into().ok().map(Key)
}

fn number(array: &dyn Array, row: usize) -> Option<f64> {
    <f64 as Column>::from_array(array, row)
}

fn time(array: &dyn Array, row: usize) -> Option<Timestamp> {
    <Option<Timestamp> as Column>::from_array(array, row).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_embedded_parses_and_is_a_known_kind() {
        let folder = std::path::Path::new("../../queries/audits");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".sql").map(str::to_owned))
            .collect();
        files.sort();
        let embedded: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
        assert_eq!(files, embedded);
        let frameworks = Frameworks::load().unwrap();
        for (audit, (name, _)) in builtin().iter().zip(EMBEDDED) {
            assert_eq!(audit.id, *name);
            assert!(frameworks.kind(&audit.id).is_some(), "{name} is no finding kind");
        }
    }

    #[test]
    fn a_kind_has_an_audit_or_a_reason_why_not() {
        let frameworks = Frameworks::load().unwrap();
        let audits = builtin();
        for kind in frameworks.kinds() {
            let has_audit = audits.iter().any(|audit| audit.id == kind.id);
            assert_ne!(has_audit, kind.not_assessed.is_some(), "{}: an audit or a reason", kind.id);
        }
        let missing = not_assessed(&audits, &frameworks);
        assert!(
            missing.iter().all(|run| run.reason.as_deref().is_some_and(|reason| reason.contains("needs")))
        );
        assert_eq!(audits.len() + missing.len(), frameworks.kinds().len());
    }

    #[test]
    fn front_matter_is_checked() {
        let good = "-- ---\n-- id: x\n-- severity: low\n-- requires: runs\n-- rationale: r\n-- remediation: m\n-- ---\nSELECT 1";
        assert_eq!(Audit::parse("x", good).unwrap().requires, Requirement::parse_list("runs").unwrap());
        assert!(Audit::parse("x", &good.replace("requires: runs", "requires: runs[")).is_err());
        assert!(Audit::parse("x", "SELECT 1").is_err());
        assert!(Audit::parse("x", &good.replace("low", "bad")).is_err());
        assert!(Audit::parse("x", &good.replace("-- id: x\n", "")).is_err());
        assert!(Audit::parse("x", &good.replace("-- id: x\n", "-- id: x\n-- colour: red\n")).is_err());
    }
}
