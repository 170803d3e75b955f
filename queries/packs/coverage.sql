-- What evidence each run lacks, and which analytic suffers (evidence matrix of the design): one row per run and gap.
WITH logs AS (
  SELECT run_key, bool_or(has_log) AS has_log, count(environment) AS environments FROM jobs GROUP BY run_key
), permissions AS (
  SELECT DISTINCT j.run_key FROM token_permissions t JOIN jobs j ON j.job_key = t.job_key
), steps_of AS (
  SELECT DISTINCT j.run_key FROM steps s JOIN jobs j ON j.job_key = s.job_key
), reviews AS (
  SELECT DISTINCT run_key FROM approvals
), lacks AS (
  SELECT r.run_key, 'the log of a job' AS missing, 'leaks, bindings, boundary' AS suffers
  FROM runs r LEFT JOIN logs l ON l.run_key = r.run_key WHERE NOT coalesce(l.has_log, FALSE)
  UNION ALL
  SELECT run_key, 'who or what started it', 'trigger decision' FROM runs WHERE event IS NULL OR actor IS NULL
  UNION ALL
  SELECT r.run_key, 'permissions of its token', 'handoff identity, excess privilege'
  FROM runs r LEFT ANTI JOIN permissions p ON p.run_key = r.run_key WHERE r.platform = 'github'
  UNION ALL
  SELECT r.run_key, 'steps', 'boundary, attribution of leaks'
  FROM runs r LEFT ANTI JOIN steps_of s ON s.run_key = r.run_key
  UNION ALL
  SELECT l.run_key, 'reviews of its environments', 'trigger decision'
  FROM logs l LEFT ANTI JOIN reviews v ON v.run_key = l.run_key WHERE l.environments > 0
  UNION ALL
  SELECT parent_run_key, 'a child it dispatched', 'blast radius, delegation path'
  FROM handoffs WHERE parent_run_key IS NOT NULL AND child_run_key IS NULL AND child_job_key IS NULL
)
SELECT DISTINCT r.platform, r.repo, r.platform_run_id AS run, r.attempt, l.missing, l.suffers
FROM lacks l JOIN runs r ON r.run_key = l.run_key
ORDER BY r.platform, r.repo, run, r.attempt, l.missing;
