//! What each section of the page asks.

use crate::ranking::{BOUNDARIES, HANDOFFS, NHIS, PATHS, Ranking, TRIGGERS, TRUST};

/// Section name (as the template knows it) and its SQL.
const SECTIONS: &[(&str, &str)] = &[
    ("totals", "\
SELECT (SELECT count(*) FROM runs) AS runs, (SELECT count(*) FROM jobs) AS jobs,
       (SELECT count(DISTINCT repo) FROM runs) AS repos,
       (SELECT count(*) FROM secrets WHERE confidence <> 'possible') AS secrets,
       (SELECT count(*) FROM secrets WHERE confidence <> 'possible' AND identity_key IS NOT NULL) AS resolved,
       (SELECT count(*) FROM nhi_scores) AS nhis, (SELECT count(*) FROM handoff_scores) AS handoffs,
       (SELECT count(*) FROM handoff_scores WHERE verdict = 'fail') AS handoffs_failed,
       (SELECT max(committed_at) FROM batches) AS as_of,
       (SELECT count(*) FROM problems WHERE lossy) AS problems"),
    ("severities", "\
SELECT severity, count(*) AS findings FROM findings WHERE confidence <> 'possible' GROUP BY severity"),
    ("leaks", "\
WITH seen AS (
  SELECT s.secret_key, count(*) AS sightings, count(DISTINCT s.run_key) AS runs,
         count(DISTINCT r.repo) AS repos, min(r.repo) AS repo, min(s.path) AS path,
         max(array_to_string(s.encodings, ' in ')) AS encoding, min(s.place) AS place
  FROM secret_sightings s LEFT JOIN runs r ON r.run_key = s.run_key GROUP BY s.secret_key)
SELECT substr(key(s.secret_key), 1, 8) AS key, s.kind, s.preview, s.severity, s.confidence, s.lifetime,
       n.sightings, n.runs, n.repos, n.repo, n.path, n.encoding, n.place,
       i.native_id AS identity, s.resolved_subject AS subject, s.resolved_by AS how,
       e.excess_low, e.granted_risk, x.blast, x.blast_low, x.blast_high, x.top_path AS steps,
       p.audience, p.state, p.state_reason
FROM secrets s JOIN seen n ON n.secret_key = s.secret_key
LEFT JOIN identities i ON i.identity_key = s.identity_key
LEFT JOIN nhi_scores e ON e.identity_key = s.identity_key
LEFT JOIN secret_scores x ON x.secret_key = s.secret_key
LEFT JOIN secret_exposures p ON p.secret_key = s.secret_key
WHERE s.confidence <> 'possible'
ORDER BY CASE s.severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END DESC,
         x.blast_low DESC NULLS LAST, (s.identity_key IS NOT NULL) DESC, n.sightings DESC, s.secret_key
LIMIT 25"),
    ("trigger_classes", "\
SELECT class, count(*) AS jobs, sum(CASE WHEN holds_privilege THEN 1 ELSE 0 END) AS privileged
FROM trigger_decisions WHERE job_key IS NOT NULL GROUP BY class ORDER BY jobs DESC, class"),
    ("untrusted_successes", "\
SELECT count(*) AS runs, sum(CASE WHEN succeeded_but_untrusted THEN 1 ELSE 0 END) AS untrusted
FROM workflow_trust WHERE run_key IS NOT NULL AND conclusion = 'success'"),
    ("kinds", "\
SELECT f.kind, k.title, f.severity, count(*) AS findings, min(f.message) AS example
FROM findings f LEFT JOIN finding_kinds k ON k.kind = f.kind WHERE f.confidence <> 'possible'
GROUP BY f.kind, k.title, f.severity
ORDER BY CASE f.severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END DESC,
         findings DESC, f.kind"),
    ("controls", "\
SELECT c.framework, c.control, c.title, count(a.kind) AS audits,
       sum(CASE WHEN a.status = 'assessed' THEN 1 ELSE 0 END) AS assessed, sum(a.findings) AS findings
FROM controls c JOIN mappings m ON m.control = c.control LEFT JOIN audit_runs a ON a.kind = m.kind
WHERE c.framework LIKE 'owasp-nhi%' OR c.framework = 'nist-csf-2.0'
GROUP BY c.framework, c.control, c.title ORDER BY c.framework DESC, c.control"),
    ("gaps", "\
SELECT analytic, gap, effect, count(*) AS subjects
FROM (SELECT analytic, gap, effect FROM evidence_gaps UNION ALL SELECT analytic, gap, effect FROM score_gaps)
GROUP BY analytic, gap, effect ORDER BY subjects DESC, analytic, gap LIMIT 20"),
    ("problems", "\
SELECT code, count(*) AS files, min(path) AS example FROM problems WHERE lossy GROUP BY code ORDER BY files DESC, code"),
    ("sources", "\
SELECT platform, kind, count(*) AS files, sum(bytes) AS bytes FROM source_files GROUP BY platform, kind ORDER BY platform, kind"),
    ("unassessed", "\
SELECT a.kind, k.title, a.reason FROM audit_runs a LEFT JOIN finding_kinds k ON k.kind = a.kind
WHERE a.status = 'not_assessed' ORDER BY a.kind"),
];

/// Section, ranking, columns, further condition and number of rows.
type Ranked = (&'static str, Ranking, &'static str, Option<&'static str>, usize);

const RANKED: &[Ranked] = &[
    (
        "nhis",
        NHIS,
        "\
         substr(key(identity_key), 1, 8) AS key, identity, excess, excess_low, excess_high, granted_risk, blast, usage, band, \
         actions_used, actions_may, top_grants, classes",
        None,
        15,
    ),
    (
        "handoffs",
        HANDOFFS,
        "\
         substr(key(handoff_key), 1, 8) AS key, parent, child, mechanism, identity_mode, verdict, verdict_reasons, \
         blast, blast_low, blast_high, expansion, secrets_forwarded, permissions_added, secrets_added, \
         reached_identities, reached_resources, top_path AS steps, top_target, times",
        None,
        10,
    ),
    (
        "triggers",
        TRIGGERS,
        "\
         substr(key(decision_key), 1, 8) AS key, subject, event, class, decided_by, times, tp, tp_low, tp_high, secrets, checks, reasons",
        Some("holds_privilege IS NOT FALSE"),
        12,
    ),
    (
        "boundaries",
        BOUNDARIES,
        "\
         substr(key(job_key), 1, 8) AS key, subject, class, times, bc, bc_low, bc_high, step, code_origin, credential, \
         exposed_steps, window_s, runner_kind, basis, reasons",
        Some("class <> 'NONE'"),
        12,
    ),
    (
        "trust",
        TRUST,
        "\
         substr(key(trust_key), 1, 8) AS key, concat_ws(' ', repo, workflow) AS workflow, verdict, t1, t2, t3, t4, t5, t6, t7, \
         runs, conclusion, direction, failures, unknowns",
        None,
        20,
    ),
    (
        "paths",
        PATHS,
        "\
         substr(key(path_key), 1, 8) AS key, nodes, root_kind, root_actor, times, dp, dp_low, dp_high, handoffs, lifetime_s, \
         outlives_origin, orphan, open, weakest_reason, identities, agents",
        None,
        8,
    ),
];

/// Every section and its SQL.
pub(crate) fn sections() -> impl Iterator<Item = (&'static str, String)> {
    let ranked =
        RANKED.iter().map(|(name, ranking, columns, also, top)| (*name, ranking.sql(columns, *also, *top)));
    SECTIONS.iter().map(|(name, sql)| (*name, (*sql).to_owned())).chain(ranked)
}
