-- ---
-- id: unused-nhi
-- severity: medium
-- requires: identities
-- rationale: An identity that nobody uses is watched by nobody and still opens doors.
-- remediation: Disable it, wait, delete it.
-- ---
SELECT i.native_id AS subject, i.identity_key AS subject_key, CAST(NULL AS VARCHAR) AS object,
       CAST(NULL AS VARCHAR) AS severity, CASE WHEN i.last_used_at IS NOT NULL THEN 'high' ELSE 'medium' END AS confidence,
       i.name || CASE WHEN i.last_used_at IS NULL THEN ' has no recorded use' ELSE ' was last used on ' || CAST(CAST(i.last_used_at AS DATE) AS VARCHAR) END || ' and may do ' || CAST(coalesce(n.actions_may, 0) AS VARCHAR) || ' actions' AS message,
       'identities:' || key(i.identity_key) AS evidence,
       CASE WHEN i.last_used_at IS NULL THEN 'no use may also mean use before the record began' END AS gap,
       n.granted_risk AS rank_score, coalesce(i.last_used_at, i.created_at) AS first_seen_at
FROM identities i
LEFT JOIN nhi_scores n ON n.identity_key = i.identity_key,
     (SELECT max(at) AS now FROM (SELECT max(created_at) AS at FROM runs UNION ALL SELECT max(last_at) AS at FROM activity UNION ALL SELECT max(last_used_at) AS at FROM identities)) t
WHERE i.is_nhi AND i.status = 'enabled' AND i.kind IN ('role', 'user', 'deploy_key', 'personal_access_token')
  AND coalesce(i.last_used_at, i.created_at) < t.now - INTERVAL '90' DAY
  AND NOT EXISTS (SELECT 1 FROM activity a WHERE a.identity_key = i.identity_key AND NOT a.denied)
