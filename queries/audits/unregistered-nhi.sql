-- ---
-- id: unregistered-nhi
-- severity: high
-- requires: nhi_lifecycle[last_used_at IS NOT NULL], identities
-- rationale: What acts and is in no inventory is governed by nobody.
-- remediation: Find who made it, register it with an owner, or remove it.
-- ---
SELECT l.identity AS subject, l.identity_key AS subject_key, CAST(NULL AS VARCHAR) AS object,
       CAST(NULL AS VARCHAR) AS severity, 'medium' AS confidence,
       replace(l.kind, '_', ' ') || ' ' || l.identity || ' acted' || CASE WHEN l.last_used_at IS NOT NULL THEN ' on ' || CAST(CAST(l.last_used_at AS DATE) AS VARCHAR) ELSE '' END || ' and is not in the inventory of its account' AS message,
       CASE WHEN coalesce(array_length(l.evidence), 0) > 0 THEN array_to_string(l.evidence, ',') ELSE 'nhi_lifecycle:' || key(l.identity_key) END AS evidence,
       'the inventory may be older than the identity, or the identity may be gone' AS gap,
       CAST(NULL AS DOUBLE) AS rank_score, l.last_used_at AS first_seen_at
FROM nhi_lifecycle l
WHERE l.registered = false
