-- ---
-- id: credential-over-age
-- severity: medium
-- requires: credentials
-- rationale: A credential that was not rotated for long, or that never ends, has had time to leak unnoticed.
-- remediation: Rotate it, and set an expiry.
-- ---
SELECT c.name AS subject, c.credential_key AS subject_key, coalesce(c.scope, '') AS object,
       CASE WHEN coalesce(c.rotated_at, c.created_at) < t.now - INTERVAL '365' DAY THEN 'medium' ELSE 'low' END AS severity, 'high' AS confidence,
       replace(c.kind, '_', ' ') || ' ' || c.name || ' of ' || coalesce(c.scope, 'an unknown scope') ||
       CASE WHEN coalesce(c.rotated_at, c.created_at) < t.now - INTERVAL '365' DAY THEN ' was last rotated on ' || CAST(CAST(coalesce(c.rotated_at, c.created_at) AS DATE) AS VARCHAR) ELSE ' never expires' END AS message,
       'credentials:' || key(c.credential_key) AS evidence, CAST(NULL AS VARCHAR) AS gap,
       n.granted_low AS rank_score, coalesce(c.rotated_at, c.created_at) AS first_seen_at
FROM credentials c
LEFT JOIN nhi_scores n ON n.identity_key = c.identity_key, (SELECT max(at) AS now FROM (
  SELECT max(created_at) AS at FROM runs UNION ALL SELECT max(last_at) AS at FROM activity UNION ALL SELECT max(rotated_at) AS at FROM credentials)) t
WHERE c.status <> 'inactive'
  AND (coalesce(c.rotated_at, c.created_at) < t.now - INTERVAL '365' DAY
       -- Bearer tokens that could have an end and have none.
       OR c.expires_at IS NULL AND c.kind IN ('service_account_token', 'personal_access_token', 'access_token', 'deploy_token'))
