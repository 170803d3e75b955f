-- ---
-- id: orphaned-nhi
-- severity: medium
-- requires: nhi_lifecycle
-- rationale: An identity nobody owns is reviewed by nobody and outlives its purpose.
-- remediation: Name an owner in a tag or label, or retire it.
-- ---
SELECT l.identity AS subject, l.identity_key AS subject_key, CAST(NULL AS VARCHAR) AS object,
       CASE WHEN n.granted_low >= 67 THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN o.platform IS NOT NULL THEN 'high' ELSE 'low' END AS confidence,
       l.identity || ' (' || replace(l.kind, '_', ' ') || ') names no owner' || CASE WHEN n.actions_must > 0 THEN ' and may do ' || CAST(n.actions_must AS VARCHAR) || ' actions' ELSE '' END AS message,
       array_to_string(l.evidence, ',') AS evidence,
       CASE WHEN o.platform IS NULL THEN 'no inventory of ' || l.platform || ' names an owner of anything: owners may be kept elsewhere' END AS gap,
       n.granted_low AS rank_score, l.created_at AS first_seen_at
FROM nhi_lifecycle l
LEFT JOIN nhi_scores n ON n.identity_key = l.identity_key
LEFT JOIN (SELECT DISTINCT platform FROM nhi_lifecycle WHERE owner_status <> 'none') o ON o.platform = l.platform
WHERE l.registered AND l.owner_status = 'none' AND l.status <> 'disabled'
  AND l.kind NOT IN ('repository_token', 'service_linked_role', 'agent') AND l.identity NOT LIKE 'system:serviceaccount:kube-%'
