-- ---
-- id: boundary-crossing
-- severity: high
-- requires: boundary_crossings
-- rationale: In one job, code of users or third parties ran with privileged material in reach: it could read it from disk, environment or memory.
-- remediation: Move the credential to a job of its own, after the untrusted steps have ended, or pin the code to its content.
-- ---
WITH crossed AS (
  SELECT b.*, r.repo, j.started_at, replace(b.code_origin, '_', ' ') AS code,
         CASE b.class WHEN 'FULL' THEN 2 WHEN 'AMBIENT' THEN 1 ELSE 0 END AS reach
  FROM boundary_crossings b
  JOIN jobs j ON j.job_key = b.job_key
  LEFT JOIN runs r ON r.run_key = b.run_key
  WHERE b.step IS NOT NULL AND b.credential IS NOT NULL
    AND (b.class = 'FULL'
         OR b.class = 'AMBIENT' AND (b.bc >= 10 OR b.code_origin <> 'build')
         OR b.class = 'SHARED' AND (b.bc >= 30 OR b.code_origin IN ('outsider', 'expression', 'third_party_unpinned'))))
SELECT coalesce(repo, subject) AS subject, CAST(NULL AS BYTEA) AS subject_key, step || ' (' || code || ')' AS object,
       CASE WHEN max(bc) >= 30 OR max(reach) = 2 OR code IN ('outsider', 'expression') THEN 'high' WHEN max(reach) = 0 THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN max(CASE WHEN basis = 'observed' THEN reach END) >= 1 THEN 'high' ELSE 'medium' END AS confidence,
       step || ' (' || code || ') ran in ' || CAST(count(*) AS VARCHAR) || ' jobs of ' || coalesce(repo, 'an unknown repository') || ' with ' || min(credential) ||
       CASE max(reach) WHEN 2 THEN ' and all other secrets in its reach' WHEN 1 THEN ' in its reach' ELSE ' in its hands or in another step of the job' END AS message,
       'boundary_crossings:' || min(key(job_key)) || coalesce(',steps:' || min(key(step_key)), '') AS evidence,
       CASE WHEN min(basis) = 'declared' AND max(basis) = 'declared' THEN 'the workflow file declares it, no log shows it' ELSE 'whether the code reads it is not known' END AS gap,
       max(bc) AS rank_score, min(started_at) AS first_seen_at
FROM crossed
GROUP BY repo, coalesce(repo, subject), step, code
