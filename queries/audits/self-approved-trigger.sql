-- ---
-- id: self-approved-trigger
-- severity: high
-- requires: approvals
-- rationale: Who starts a deployment and approves it is one person with no check.
-- remediation: Set prevent self-review on the environment.
-- ---
SELECT coalesce(r.repo, '') || ' ' || coalesce(a.environment, '') AS subject, a.run_key AS subject_key, a.reviewer AS object,
       CAST(NULL AS VARCHAR) AS severity, 'high' AS confidence,
       a.reviewer || ' approved the own run of ' || coalesce(r.workflow_name, r.workflow_path, 'a workflow') || ' in ' || coalesce(r.repo, 'an unknown repository') || ' for ' || coalesce(a.environment, 'an environment') AS message,
       'runs:' || key(a.run_key) AS evidence, CAST(NULL AS VARCHAR) AS gap, CAST(NULL AS DOUBLE) AS rank_score, coalesce(a.decided_at, r.created_at) AS first_seen_at
FROM approvals a
JOIN runs r ON r.run_key = a.run_key
WHERE a.state = 'approved' AND (a.self_review OR a.reviewer = r.actor)
