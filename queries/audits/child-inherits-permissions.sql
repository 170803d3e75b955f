-- ---
-- id: child-inherits-permissions
-- severity: high
-- requires: handoff_scores
-- rationale: A child that runs with its parents token and secrets widens what one compromise reaches.
-- remediation: Scope the child to a dedicated identity; pass named secrets and a narrower permissions block.
-- ---
SELECT s.child AS subject, s.handoff_key AS subject_key, s.parent AS object,
       CASE WHEN s.blast_low >= 40 THEN 'high' ELSE 'medium' END AS severity, 'high' AS confidence,
       s.child || ' runs with the identity of ' || s.parent || ' (' || s.mechanism || ')' AS message,
       'handoff_scores:' || key(s.handoff_key) || ',handoffs:' || key(s.handoff_key) AS evidence,
       CAST(NULL AS VARCHAR) AS gap, s.blast AS rank_score, h.sent_at AS first_seen_at
FROM handoff_scores s
JOIN handoffs h ON h.handoff_key = s.handoff_key
WHERE s.identity_mode = 'inherited'
