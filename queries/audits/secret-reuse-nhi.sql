-- ---
-- id: secret-reuse-nhi
-- severity: medium
-- requires: runs[repo IS NOT NULL]
-- rationale: One value in several repositories means one leak opens all of them and rotation breaks all of them.
-- remediation: Give each repository its own credential or its own workload identity.
-- ---
SELECT replace(s.kind, '_', ' ') || ' ' || substr(s.fingerprint, 1, 8) AS subject, s.secret_key AS subject_key, CAST(NULL AS VARCHAR) AS object,
       CAST(NULL AS VARCHAR) AS severity, s.confidence AS confidence,
       'the same ' || replace(s.kind, '_', ' ') || ' is used in ' || CAST(count(DISTINCT r.repo) AS VARCHAR) || ' repositories, among them ' || min(r.repo) || ' and ' || max(r.repo) AS message,
       'secrets:' || key(s.secret_key) || ',secret_sightings:' || min(key(g.sighting_key)) || ',secret_sightings:' || max(key(g.sighting_key)) AS evidence,
       CAST(NULL AS VARCHAR) AS gap, CAST(count(DISTINCT r.repo) AS DOUBLE) AS rank_score, min(g.seen_at) AS first_seen_at
FROM secret_sightings g
JOIN secrets s ON s.secret_key = g.secret_key
JOIN runs r ON r.run_key = g.run_key
GROUP BY s.provider, s.kind, s.fingerprint, s.secret_key, s.confidence
HAVING count(DISTINCT r.repo) > 1
