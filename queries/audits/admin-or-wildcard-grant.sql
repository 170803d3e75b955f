-- ---
-- id: admin-or-wildcard-grant
-- severity: critical
-- requires: grants, identities
-- rationale: An identity with every permission needs one leak to lose the account.
-- remediation: Replace the wildcard by the actions in use; keep administration for people, just in time.
-- ---
-- A wildcard of AWS counts on every resource, one of a cluster in all of it or in a namespace,
-- a basic role of Google Cloud or Azure where it is granted.
WITH wide AS (
  SELECT g.*,
         CASE WHEN g.platform = 'kubernetes' THEN array_has(g.resources, '*')
              WHEN g.platform = 'gcp' THEN g.policy = 'roles/owner'
              ELSE array_has(g.actions, '*') OR array_has(g.actions, '*:*') END AS is_admin
  FROM grants g
  WHERE g.effect = 'allow' AND g.understood AND NOT g.not_actions AND NOT g.not_resources
    AND (g.policy_kind IN ('identity', 'group') AND g.platform NOT IN ('kubernetes', 'gcp', 'azure') AND array_has(g.resources, '*')
           AND (array_has(g.actions, '*') OR array_has(g.actions, '*:*') OR array_has(g.actions, 'iam:*'))
         OR g.policy_kind IN ('permission', 'group') AND g.platform = 'kubernetes' AND array_has(g.actions, '*/*:*')
         OR g.policy_kind = 'permission' AND g.platform = 'gcp' AND g.policy IN ('roles/owner', 'roles/editor')
         OR g.policy_kind = 'permission' AND g.platform = 'azure' AND array_has(g.actions, '*')))
SELECT i.native_id AS subject, g.identity_key AS subject_key, g.policy AS object,
       CASE WHEN bool_or(g.is_admin) THEN 'critical' ELSE 'high' END AS severity, 'high' AS confidence,
       i.name || ' is granted ' ||
       CASE WHEN g.platform = 'gcp' THEN g.policy ELSE array_to_string(g.actions, ', ') END || ' on ' ||
       CASE WHEN array_has(g.resources, '*') THEN 'every resource' ELSE array_to_string(g.resources, ', ') END || ' by ' || g.policy AS message,
       'grants:' || key(min(g.grant_key)) || ',identities:' || key(g.identity_key) AS evidence,
       CASE WHEN g.conditions IS NOT NULL THEN 'a condition may narrow it' END AS gap, max(n.granted_risk) AS rank_score, min(i.created_at) AS first_seen_at
FROM wide g
JOIN identities i ON i.identity_key = g.identity_key AND i.is_nhi
LEFT JOIN nhi_scores n ON n.identity_key = g.identity_key
GROUP BY i.native_id, i.name, g.identity_key, g.platform, g.policy, CASE WHEN g.platform = 'gcp' THEN g.policy ELSE array_to_string(g.actions, ', ') END, CASE WHEN array_has(g.resources, '*') THEN 'every resource' ELSE array_to_string(g.resources, ', ') END, g.conditions
