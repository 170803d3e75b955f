-- ---
-- id: secret-reuse-environment
-- severity: high
-- requires: secret_sightings, jobs
-- rationale: A secret that works in test and in production opens production to whoever reads a test log.
-- remediation: Issue one credential per environment, and rotate this one.
-- ---
WITH seen AS (
  SELECT g.secret_key, g.sighting_key, g.seen_at, j.job_key, j.environment,
         lower(j.environment) LIKE '%prod%' AND lower(j.environment) NOT LIKE '%non%prod%' AND lower(j.environment) NOT LIKE '%pre%prod%' OR lower(j.environment) IN ('live', 'prd') AS is_production
  FROM secret_sightings g
  JOIN jobs j ON j.job_key = g.job_key
  WHERE j.environment IS NOT NULL AND j.environment <> '')
SELECT replace(s.kind, '_', ' ') || ' ' || substr(s.fingerprint, 1, 8) AS subject, s.secret_key AS subject_key, CAST(NULL AS VARCHAR) AS object,
       CASE WHEN s.lifetime = 'long' THEN 'high' ELSE 'medium' END AS severity, s.confidence AS confidence,
       'the same ' || replace(s.kind, '_', ' ') || ' is used in ' || min(p.environment) || ' and in ' || min(t.environment) AS message,
       'secrets:' || key(s.secret_key) || ',secret_sightings:' || min(key(p.sighting_key)) || ',secret_sightings:' || min(key(t.sighting_key)) AS evidence,
       CAST(NULL AS VARCHAR) AS gap, max(CAST(x.blast AS DOUBLE)) AS rank_score, min(t.seen_at) AS first_seen_at
FROM secrets s
JOIN seen p ON p.secret_key = s.secret_key AND p.is_production
JOIN seen t ON t.secret_key = s.secret_key AND NOT t.is_production
LEFT JOIN secret_scores x ON x.secret_key = s.secret_key
GROUP BY s.kind, s.fingerprint, s.secret_key, s.lifetime, s.confidence
