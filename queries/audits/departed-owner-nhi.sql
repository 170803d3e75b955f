-- ---
-- id: departed-owner-nhi
-- severity: high
-- requires: nhi_lifecycle, identities[is_nhi = false AND status IN ('enabled', 'disabled')]
-- rationale: Who left may still know its credentials, and nobody answers for it.
-- remediation: Rotate its credentials and give it an owner, or retire it.
-- ---
SELECT l.identity AS subject, l.identity_key AS subject_key, l.owner AS object,
       CASE WHEN l.inactive THEN 'medium' ELSE 'high' END AS severity, 'high' AS confidence,
       l.identity || ' belongs to ' || l.owner || ', who is disabled' || CASE WHEN l.last_used_at IS NOT NULL THEN ', and was last used on ' || CAST(CAST(l.last_used_at AS DATE) AS VARCHAR) ELSE '' END AS message,
       array_to_string(l.evidence, ',') AS evidence, CAST(NULL AS VARCHAR) AS gap,
       n.granted_low AS rank_score, coalesce(l.last_used_at, l.created_at) AS first_seen_at
FROM nhi_lifecycle l
LEFT JOIN nhi_scores n ON n.identity_key = l.identity_key
WHERE l.owner_status = 'departed' AND l.status <> 'disabled'
