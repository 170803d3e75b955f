-- ---
-- id: secret-reuse-after-exposure
-- severity: critical
-- requires: runs
-- rationale: A secret that was exposed and shows up again later was not rotated: whoever read the first log still has access.
-- remediation: Revoke it now, then rotate; alert on its use since the first exposure.
-- ---
WITH exposed AS (
  SELECT secret_key, min(seen_at) AS first_at, max(seen_at) AS last_at, count(DISTINCT run_key) AS runs,
         min(key(sighting_key)) AS a, max(key(sighting_key)) AS b
  FROM secret_sightings WHERE seen_at IS NOT NULL GROUP BY secret_key)
SELECT replace(s.kind, '_', ' ') || ' ' || substr(s.fingerprint, 1, 8) AS subject, s.secret_key AS subject_key, CAST(NULL AS VARCHAR) AS object,
       CASE WHEN s.lifetime = 'long' THEN 'critical' ELSE 'medium' END AS severity, s.confidence AS confidence,
       replace(s.kind, '_', ' ') || ' (' || s.preview || ') was exposed on ' || CAST(CAST(e.first_at AS DATE) AS VARCHAR) || ' and is still in use on ' || CAST(CAST(e.last_at AS DATE) AS VARCHAR) || ', in ' || CAST(e.runs AS VARCHAR) || ' runs' AS message,
       'secrets:' || key(s.secret_key) || ',secret_sightings:' || e.a || ',secret_sightings:' || e.b AS evidence,
       CAST(NULL AS VARCHAR) AS gap, CAST(x.blast AS DOUBLE) AS rank_score, e.first_at AS first_seen_at
FROM exposed e
JOIN secrets s ON s.secret_key = e.secret_key
LEFT JOIN secret_scores x ON x.secret_key = s.secret_key
WHERE e.runs > 1 AND CAST(e.first_at AS DATE) < CAST(e.last_at AS DATE)
