-- ---
-- id: no-audit-trail
-- severity: medium
-- requires: workflow_trust, jobs
-- rationale: What no log shows nobody can explain afterwards; a run that another started without a trace has no origin.
-- remediation: Keep the logs of all jobs and attempts, and record the run id of the sender with every dispatch.
-- ---
WITH logs AS (
  SELECT j.run_key, sum(CASE WHEN j.has_log THEN 1 ELSE 0 END) AS kept, min(CASE WHEN NOT j.has_log THEN j.name END) AS missing,
         sum(CASE WHEN j.has_log THEN 0 ELSE 1 END) AS lost, min(CASE WHEN NOT j.has_log THEN key(j.job_key) END) AS job
  FROM jobs j WHERE coalesce(j.conclusion, '') NOT IN ('skipped', 'cancelled') GROUP BY j.run_key),
orphans AS (
  SELECT p.root_run_key, min(key(p.path_key)) AS path, max(p.dp_low) AS dp FROM delegation_paths p WHERE p.orphan GROUP BY p.root_run_key)
SELECT coalesce(r.repo, 'an unknown repository') || ' ' || coalesce(r.workflow_name, r.workflow_path, '?') AS subject, r.run_key AS subject_key, 'logs' AS object,
       CAST(NULL AS VARCHAR) AS severity, 'medium' AS confidence,
       CAST(l.lost AS VARCHAR) || ' of ' || CAST(l.lost + l.kept AS VARCHAR) || ' jobs of run ' || coalesce(r.platform_run_id, '?') || ' have no log, among them ' || l.missing AS message,
       'runs:' || key(r.run_key) || ',jobs:' || l.job AS evidence, 'their logs may exist where they were not read' AS gap,
       CAST(l.lost AS DOUBLE) AS rank_score, r.created_at AS first_seen_at
FROM logs l
JOIN runs r ON r.run_key = l.run_key
WHERE l.kept > 0 AND l.lost > 0
UNION ALL
SELECT coalesce(r.repo, 'an unknown repository') || ' ' || coalesce(r.workflow_name, r.workflow_path, '?') AS subject, r.run_key AS subject_key, 'origin' AS object,
       CAST(NULL AS VARCHAR) AS severity, 'medium' AS confidence,
       'run ' || coalesce(r.platform_run_id, '?') || ' was started by another (' || coalesce(r.event, 'unknown event') || ') that no record names' AS message,
       'runs:' || key(r.run_key) || ',delegation_paths:' || o.path AS evidence, 'the sender may be on record where it was not read' AS gap,
       o.dp AS rank_score, r.created_at AS first_seen_at
FROM orphans o
JOIN runs r ON r.run_key = o.root_run_key
