-- ---
-- id: third-party-action-with-secrets
-- severity: high
-- requires: steps[uses IS NOT NULL], bindings
-- rationale: Code behind a tag or branch can change between two runs and then reads every secret it is handed.
-- remediation: Pin the action to a commit, or hand it no secret.
-- ---
SELECT s.uses AS subject, CAST(NULL AS BYTEA) AS subject_key, coalesce(r.repo, j.name) AS object,
       CAST(NULL AS VARCHAR) AS severity, 'high' AS confidence,
       s.uses || ' is pinned to a ' || s.pinned || ' and receives ' || string_agg(DISTINCT b.name, ', ') || ' in ' || coalesce(r.repo, 'an unknown repository') AS message,
       'steps:' || min(key(s.step_key)) || ',bindings:' || min(key(b.binding_key)) AS evidence, CAST(NULL AS VARCHAR) AS gap,
       CAST(count(DISTINCT s.step_key) AS DOUBLE) AS rank_score, min(s.started_at) AS first_seen_at
FROM steps s
JOIN bindings b ON b.step_key = s.step_key AND b.state = 'masked'
JOIN jobs j ON j.job_key = s.job_key
LEFT JOIN runs r ON r.run_key = j.run_key
WHERE s.pinned IN ('tag', 'branch') AND s.uses NOT LIKE 'actions/%' AND s.uses NOT LIKE 'github/%'
  AND (r.repo IS NULL OR lower(split_part(s.uses, '/', 1)) <> lower(split_part(r.repo, '/', 1)))
GROUP BY s.uses, s.pinned, r.repo, coalesce(r.repo, j.name)
