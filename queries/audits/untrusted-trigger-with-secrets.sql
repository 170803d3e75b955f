-- ---
-- id: untrusted-trigger-with-secrets
-- severity: critical
-- requires: trigger_decisions
-- rationale: A run that an outsider can start must not hold secrets: its inputs are the attackers.
-- remediation: Use pull_request without secrets, or require an approval before secrets are handed over.
-- ---
SELECT coalesce(r.repo, '') || ' ' || coalesce(r.workflow_path, r.workflow_name, 'unknown workflow') AS subject, CAST(NULL AS BYTEA) AS subject_key, r.event AS object,
       CASE WHEN max(d.secrets) > 0 THEN 'critical' ELSE 'high' END AS severity, CASE WHEN r.from_fork THEN 'high' ELSE 'medium' END AS confidence,
       coalesce(r.workflow_path, r.workflow_name, 'a workflow') || ' of ' || coalesce(r.repo, 'an unknown repository') || ' ran on ' || coalesce(r.event, 'an unknown event') || CASE WHEN r.from_fork THEN ' from a fork' ELSE '' END || CASE WHEN max(d.secrets) > 0 THEN ' with secrets (' ELSE ' with a token that may write (' END || CAST(count(DISTINCT r.run_key) AS VARCHAR) || ' runs)' AS message,
       'trigger_decisions:' || min(key(d.decision_key)) || ',runs:' || min(key(r.run_key)) AS evidence,
       CASE WHEN bool_or(array_has(d.gaps, 'no_approvals')) THEN 'whether a review stood before it is not on record' END AS gap,
       max(d.tp) AS rank_score, min(r.created_at) AS first_seen_at
FROM trigger_decisions d
JOIN runs r ON r.run_key = d.run_key
WHERE d.job_key IS NOT NULL AND d.class = 'UNTRUSTED' AND (d.secrets > 0 OR d.privilege >= 0.6)
GROUP BY r.repo, r.workflow_path, r.workflow_name, r.event, r.from_fork
