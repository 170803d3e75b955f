-- ---
-- id: untrusted-trigger-with-secrets
-- severity: critical
-- requires: runs, jobs
-- rationale: A run that an outsider can start must not hold secrets: its inputs are the attackers.
-- remediation: Use pull_request without secrets, or require an approval before secrets are handed over.
-- ---
SELECT coalesce(r.repo, '') || ' ' || coalesce(r.workflow_path, r.workflow_name, 'unknown workflow') AS subject, CAST(NULL AS BYTEA) AS subject_key, r.event AS object,
       CAST(NULL AS VARCHAR) AS severity, CASE WHEN r.from_fork THEN 'high' ELSE 'medium' END AS confidence,
       coalesce(r.workflow_path, r.workflow_name, 'a workflow') || ' of ' || coalesce(r.repo, 'an unknown repository') || ' ran on ' || r.event || CASE WHEN r.from_fork THEN ' from a fork' ELSE '' END || ' with secrets (' || CAST(count(DISTINCT r.run_key) AS VARCHAR) || ' runs)' AS message,
       'runs:' || min(key(r.run_key)) || ',jobs:' || min(key(j.job_key)) AS evidence, CAST(NULL AS VARCHAR) AS gap,
       CAST(count(DISTINCT r.run_key) AS DOUBLE) AS rank_score, min(r.created_at) AS first_seen_at
FROM runs r
JOIN jobs j ON j.run_key = r.run_key
WHERE (r.event IN ('pull_request_target', 'issue_comment', 'issues', 'workflow_run') AND (r.from_fork OR r.event IN ('issue_comment', 'issues')) OR r.from_fork AND r.event = 'pull_request')
  AND EXISTS (SELECT 1 FROM secrets_passed p WHERE p.run_key = r.run_key AND lower(p.name) NOT IN ('token', 'github_token', 'gh_token', 'github-token'))
GROUP BY r.repo, r.workflow_path, r.workflow_name, r.event, r.from_fork
