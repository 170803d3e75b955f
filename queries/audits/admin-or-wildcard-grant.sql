-- ---
-- id: admin-or-wildcard-grant
-- severity: critical
-- requires: grants, identities
-- rationale: An identity with every permission needs one leak to lose the account.
-- remediation: Replace the wildcard by the actions in use; keep administration for people, just in time.
-- ---
SELECT i.native_id AS subject, g.identity_key AS subject_key, g.policy AS object,
       CASE WHEN array_has(g.actions, '*') OR array_has(g.actions, '*:*') THEN 'critical' ELSE 'high' END AS severity, 'high' AS confidence,
       i.name || ' is granted ' || array_to_string(g.actions, ', ') || ' on every resource by ' || g.policy AS message,
       'grants:' || key(min(g.grant_key)) || ',identities:' || key(g.identity_key) AS evidence,
       CASE WHEN g.conditions IS NOT NULL THEN 'a condition may narrow it' END AS gap, max(n.granted_risk) AS rank_score, min(i.created_at) AS first_seen_at
FROM grants g
JOIN identities i ON i.identity_key = g.identity_key AND i.is_nhi
LEFT JOIN nhi_scores n ON n.identity_key = g.identity_key
WHERE g.effect = 'allow' AND g.understood AND g.policy_kind IN ('identity', 'group') AND NOT g.not_actions AND NOT g.not_resources
  AND array_has(g.resources, '*') AND (array_has(g.actions, '*') OR array_has(g.actions, '*:*') OR array_has(g.actions, 'iam:*'))
GROUP BY i.native_id, i.name, g.identity_key, g.policy, g.actions, g.conditions
