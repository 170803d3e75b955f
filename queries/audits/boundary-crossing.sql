-- ---
-- id: boundary-crossing
-- severity: high
-- requires: steps, bindings
-- rationale: In one job, third-party code ran after a credential had been handed to the job: it could read it from disk, environment or memory.
-- remediation: Move the credential to a job of its own, after the untrusted steps have ended.
-- ---
WITH entered AS (
  SELECT b.job_key, min(s.ordinal) AS at, min(b.name) AS name
  FROM bindings b JOIN steps s ON s.step_key = b.step_key
  WHERE b.state = 'masked' AND b.guessed_kind IN ('cloud_key', 'ssh_key', 'registry') GROUP BY b.job_key)
SELECT coalesce(r.repo, j.name) AS subject, CAST(NULL AS BYTEA) AS subject_key, s.uses AS object,
       CAST(NULL AS VARCHAR) AS severity, 'medium' AS confidence,
       s.uses || ' (' || s.pinned || ') ran in job ' || j.name || ' of ' || coalesce(r.repo, 'an unknown repository') || ' after ' || e.name || ' was handed to it' AS message,
       'steps:' || min(key(s.step_key)) || ',jobs:' || min(key(j.job_key)) AS evidence, 'whether the action reads it is not known' AS gap,
       CAST(count(*) AS DOUBLE) AS rank_score, min(s.started_at) AS first_seen_at
FROM entered e
JOIN steps s ON s.job_key = e.job_key AND s.ordinal > e.at AND s.kind = 'action' AND s.pinned IN ('tag', 'branch')
JOIN jobs j ON j.job_key = e.job_key
LEFT JOIN runs r ON r.run_key = j.run_key
WHERE s.uses NOT LIKE 'actions/%' AND s.uses NOT LIKE 'github/%'
  AND (r.repo IS NULL OR lower(split_part(s.uses, '/', 1)) <> lower(split_part(r.repo, '/', 1)))
GROUP BY r.repo, coalesce(r.repo, j.name), j.name, s.uses, s.pinned, e.name
