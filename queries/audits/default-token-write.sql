-- ---
-- id: default-token-write
-- severity: medium
-- requires: token_permissions
-- rationale: A job token that may write everywhere turns any compromised step into a change of the repository.
-- remediation: Set the default to read and grant per job in `permissions:`.
-- ---
SELECT coalesce(r.repo, j.name) AS subject, CAST(NULL AS BYTEA) AS subject_key, j.name AS object,
       CAST(NULL AS VARCHAR) AS severity, 'high' AS confidence,
       'job ' || j.name || ' of ' || coalesce(r.repo, 'an unknown repository') || ' has write access to ' || CAST(max(p.writes) AS VARCHAR) || ' scopes: ' || min(p.scopes) AS message,
       'jobs:' || key(min(j.job_key)) AS evidence, CAST(NULL AS VARCHAR) AS gap, CAST(max(p.writes) AS DOUBLE) AS rank_score, min(r.created_at) AS first_seen_at
FROM (SELECT job_key, count(*) AS writes, string_agg(scope, ', ' ORDER BY scope) AS scopes FROM token_permissions WHERE access = 'write' GROUP BY job_key) p
JOIN jobs j ON j.job_key = p.job_key
LEFT JOIN runs r ON r.run_key = j.run_key
WHERE p.writes >= 6
GROUP BY coalesce(r.repo, j.name), r.repo, j.name
