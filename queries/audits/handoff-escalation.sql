-- ---
-- id: handoff-escalation
-- severity: critical
-- requires: handoff_scores
-- rationale: A handoff that gives the child more than the parent had lets a weak workflow act with the power of a strong one.
-- remediation: Require an approval on the way, or give the dispatcher a credential that can start this child only.
-- ---
SELECT s.child AS subject, s.handoff_key AS subject_key, s.parent AS object,
       CASE WHEN h.gate = 'passed' THEN 'medium' WHEN s.blast >= 30 THEN 'critical' ELSE 'high' END AS severity, CASE WHEN h.confidence >= 0.9 THEN 'high' ELSE 'medium' END AS confidence,
       s.child || ' gains over ' || s.parent || ': ' || array_to_string(array_concat(s.permissions_added, s.secrets_added), ', ') AS message,
       'handoff_scores:' || key(s.handoff_key) || ',handoffs:' || key(s.handoff_key) AS evidence,
       CASE WHEN h.confidence < 0.9 THEN 'the child was linked by time, not by id' END AS gap, s.blast AS rank_score, h.sent_at AS first_seen_at
FROM handoff_scores s
JOIN handoffs h ON h.handoff_key = s.handoff_key
WHERE s.identity_mode = 'widened'
