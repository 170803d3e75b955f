-- ---
-- id: replayed-trigger
-- severity: medium
-- requires: trigger_decisions, approvals
-- rationale: An approval that was given for an earlier attempt, or before the run was made, approves what nobody looked at.
-- remediation: Ask for a new approval with every attempt and every change; do not run approved runs anew.
-- ---
WITH reused AS (
  SELECT d.*, coalesce(array_has(d.checks, 'replayed_approval'), false) AS replayed
  FROM trigger_decisions d
  WHERE d.job_key IS NOT NULL AND (array_has(d.checks, 'replayed_approval') OR array_has(d.checks, 'stale_approval')))
SELECT coalesce(r.repo, '') || ' ' || coalesce(r.workflow_path, r.workflow_name, 'unknown workflow') AS subject, d.run_key AS subject_key,
       coalesce(r.platform_run_id, key(d.run_key)) || ' attempt ' || CAST(coalesce(r.attempt, 1) AS VARCHAR) AS object,
       CASE WHEN bool_or(coalesce(d.holds_privilege, true)) THEN 'medium' ELSE 'low' END AS severity, 'high' AS confidence,
       min(d.subject) || ' ran on an approval ' || CASE WHEN bool_or(d.replayed) THEN 'of an earlier attempt' ELSE 'older than the run' END AS message,
       'trigger_decisions:' || min(key(d.decision_key)) || ',runs:' || key(d.run_key) AS evidence, CAST(NULL AS VARCHAR) AS gap,
       max(d.tp) AS rank_score, min(coalesce(r.started_at, r.created_at)) AS first_seen_at
FROM reused d
JOIN runs r ON r.run_key = d.run_key
GROUP BY r.repo, r.workflow_path, r.workflow_name, d.run_key, r.platform_run_id, r.attempt
