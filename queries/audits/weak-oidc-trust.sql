-- ---
-- id: weak-oidc-trust
-- severity: high
-- requires: trusts
-- rationale: A federated trust without a subject bound to one repository lets any repository of the provider, or of the organisation, become the role.
-- remediation: Bind `sub` to repository and ref or environment, and `aud` to the cloud.
-- ---
SELECT i.name AS subject, t.identity_key AS subject_key, coalesce(array_to_string(t.subjects, ' '), '') AS object,
       CASE WHEN array_length(t.subjects) IS NULL OR array_length(t.subjects) = 0 THEN 'critical' ELSE 'high' END AS severity, 'high' AS confidence,
       replace(i.kind, '_', ' ') || ' ' || i.name || ' trusts ' || t.principal || CASE WHEN array_length(t.subjects) IS NULL OR array_length(t.subjects) = 0 THEN ' without restricting the subject' ELSE ' for subjects ' || array_to_string(t.subjects, ', ') END AS message,
       'trusts:' || key(t.trust_key) || ',identities:' || key(t.identity_key) AS evidence,
       CASE WHEN i.platform <> 'aws' AND t.conditions IS NOT NULL THEN 'a condition may narrow it' END AS gap,
       n.granted_risk AS rank_score, i.created_at AS first_seen_at
FROM trusts t
JOIN identities i ON i.identity_key = t.identity_key
LEFT JOIN nhi_scores n ON n.identity_key = t.identity_key
WHERE t.principal_kind = 'federated' AND t.effect = 'allow' AND (t.principal LIKE '%oidc-provider/%' OR t.principal LIKE 'https://%' OR t.principal LIKE '%workloadIdentityPools/%')
  AND (array_length(t.subjects) IS NULL OR array_length(t.subjects) = 0
       OR array_to_string(t.subjects, ' ') LIKE '%/*%' OR array_to_string(t.subjects, ' ') LIKE '%system:serviceaccount:*%' OR array_to_string(t.subjects, ' ') LIKE '%repo:*%' OR array_has(t.subjects, '*'))
