-- ---
-- id: unused-nhi
-- severity: medium
-- requires: nhi_lifecycle
-- rationale: An identity that nobody uses is watched by nobody and still opens doors.
-- remediation: Disable it, wait, delete it.
-- ---
SELECT l.identity AS subject, l.identity_key AS subject_key, CAST(NULL AS VARCHAR) AS object,
       CAST(NULL AS VARCHAR) AS severity, CASE WHEN l.inactive THEN 'high' ELSE 'medium' END AS confidence,
       l.identity || CASE WHEN l.last_used_at IS NULL THEN ' has no recorded use' ELSE ' was last used on ' || CAST(CAST(l.last_used_at AS DATE) AS VARCHAR) END || ' and may do ' || CAST(coalesce(n.actions_may, 0) AS VARCHAR) || ' actions' AS message,
       'nhi_lifecycle:' || key(l.identity_key) || ',identities:' || key(l.identity_key) AS evidence,
       CASE WHEN l.inactive IS NULL THEN 'no use may also mean use before the record began' END AS gap,
       n.granted_risk AS rank_score, coalesce(l.last_used_at, l.created_at) AS first_seen_at
FROM nhi_lifecycle l
LEFT JOIN nhi_scores n ON n.identity_key = l.identity_key,
     (SELECT max(at) AS now FROM (SELECT max(created_at) AS at FROM runs UNION ALL SELECT max(last_at) AS at FROM activity UNION ALL SELECT max(last_used_at) AS at FROM identities)) t
WHERE l.registered AND l.status = 'enabled'
  AND (l.inactive
       -- Inventories of these say when they were last used, if they ever were.
       OR l.inactive IS NULL AND l.last_used_at IS NULL AND l.kind IN ('role', 'user', 'deploy_key', 'personal_access_token')
          AND l.created_at < t.now - INTERVAL '90' DAY)
