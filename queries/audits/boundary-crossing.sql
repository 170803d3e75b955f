-- ---
-- id: boundary-crossing
-- severity: high
-- requires: boundary_crossings
-- rationale: In one job, code of users or third parties ran with privileged material in reach: it could read it from disk, environment or memory.
-- remediation: Move the credential to a job of its own, after the untrusted steps have ended, or pin the code to its content.
-- ---
SELECT coalesce(r.repo, b.subject) AS subject, CAST(NULL AS BYTEA) AS subject_key, b.step AS object,
       CASE WHEN max(b.bc) >= 30 OR b.class = 'FULL' OR b.code_origin IN ('outsider', 'expression') THEN 'high' WHEN b.class = 'SHARED' THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN b.class = 'SHARED' OR b.basis <> 'observed' THEN 'medium' ELSE 'high' END AS confidence,
       b.step || ' (' || replace(b.code_origin, '_', ' ') || ') ran in ' || CAST(count(*) AS VARCHAR) || ' jobs of ' || coalesce(r.repo, 'an unknown repository') || ' with ' || min(b.credential) ||
       CASE b.class WHEN 'FULL' THEN ' and all other secrets in its reach' WHEN 'AMBIENT' THEN ' in its reach' ELSE ' in its hands or in another step of the job' END AS message,
       'boundary_crossings:' || min(key(b.job_key)) || coalesce(',steps:' || min(key(b.step_key)), '') AS evidence,
       CASE WHEN b.basis = 'declared' THEN 'the workflow file declares it, no log shows it' ELSE 'whether the code reads it is not known' END AS gap,
       max(b.bc) AS rank_score, min(j.started_at) AS first_seen_at
FROM boundary_crossings b
JOIN jobs j ON j.job_key = b.job_key
LEFT JOIN runs r ON r.run_key = b.run_key
WHERE b.step IS NOT NULL AND b.credential IS NOT NULL
  AND (b.class = 'FULL'
       OR b.class = 'AMBIENT' AND (b.bc >= 10 OR b.code_origin <> 'build')
       OR b.class = 'SHARED' AND (b.bc >= 30 OR b.code_origin IN ('outsider', 'expression', 'third_party_unpinned')))
GROUP BY r.repo, coalesce(r.repo, b.subject), b.class, b.step, b.code_origin, b.basis
