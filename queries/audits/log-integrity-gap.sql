-- ---
-- id: log-integrity-gap
-- severity: high
-- requires: runs, workflow_trust
-- rationale: A log that was deleted or cut cannot show what was done, and taking traces away is what intruders do.
-- remediation: Find out who deleted it and why; stream audit events and logs to a store that those who run workflows cannot change.
-- ---
SELECT coalesce(r.repo, 'an unknown repository') || ' ' || coalesce(r.workflow_name, r.workflow_path, '?') AS subject, r.run_key AS subject_key, coalesce(r.platform_run_id, key(r.run_key)) AS object,
       CAST(NULL AS VARCHAR) AS severity, 'high' AS confidence,
       'the logs of run ' || coalesce(r.platform_run_id, '?') || ' were deleted' AS message,
       'runs:' || key(r.run_key) AS evidence, 'what it did is known only from elsewhere' AS gap,
       CAST(NULL AS DOUBLE) AS rank_score, r.created_at AS first_seen_at
FROM runs r
WHERE r.run_key IN (SELECT g.subject_key FROM evidence_gaps g WHERE g.gap = 'deleted_run')
UNION ALL
SELECT coalesce(t.repo, 'an unknown repository') || ' ' || coalesce(t.workflow, '?') AS subject, t.run_key AS subject_key, coalesce(t.run, key(t.run_key)) AS object,
       'medium' AS severity, 'high' AS confidence,
       'a log of run ' || coalesce(t.run, '?') || ' is not whole' AS message,
       'runs:' || key(t.run_key) || ',workflow_trust:' || key(t.trust_key) AS evidence, 'it may have been cut on the way to us' AS gap,
       CAST(NULL AS DOUBLE) AS rank_score, t.at AS first_seen_at
FROM workflow_trust t
WHERE t.run_key IS NOT NULL AND array_has(t.failures, 'T6: a log is not whole')
