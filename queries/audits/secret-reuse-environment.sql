-- ---
-- id: secret-reuse-environment
-- severity: high
-- requires: jobs[environment IS NOT NULL]
-- rationale: One value in production and elsewhere makes production as safe as the weakest of them.
-- remediation: Give each environment its own credential, and keep production's in a protected environment.
-- ---
SELECT replace(s.kind, '_', ' ') || ' ' || substr(s.fingerprint, 1, 8) AS subject, s.secret_key AS subject_key, CAST(NULL AS VARCHAR) AS object,
       CASE WHEN s.lifetime = 'long' THEN 'high' ELSE 'medium' END AS severity, s.confidence AS confidence,
       'the same ' || replace(s.kind, '_', ' ') || ' (' || s.preview || ') is used in the environments ' || array_to_string(e.environments, ', ') AS message,
       array_to_string(e.evidence, ',') AS evidence,
       CAST(NULL AS VARCHAR) AS gap, CAST(x.blast AS DOUBLE) AS rank_score, e.first_exposed_at AS first_seen_at
FROM secret_exposures e
JOIN secrets s ON s.secret_key = e.secret_key
LEFT JOIN secret_scores x ON x.secret_key = s.secret_key
WHERE e.crosses_environment
