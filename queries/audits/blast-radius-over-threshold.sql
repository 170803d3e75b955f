-- ---
-- id: blast-radius-over-threshold
-- severity: high
-- requires: handoff_scores
-- rationale: One compromise at this handoff reaches most of what matters.
-- remediation: Harden the cheapest step of the path: dedicated identity, narrower scope, approval or short life.
-- ---
SELECT s.child AS subject, s.handoff_key AS subject_key, s.parent AS object,
       CASE WHEN s.blast_low >= 60 THEN 'critical' ELSE 'high' END AS severity, CASE WHEN s.coverage >= 0.5 THEN 'high' ELSE 'medium' END AS confidence,
       s.parent || ' to ' || s.child || ' has blast radius ' || CAST(round(s.blast, 1) AS VARCHAR) || ' (' || CAST(round(s.blast_low, 1) AS VARCHAR) || ' to ' || CAST(round(s.blast_high, 1) AS VARCHAR) || '), up to ' || coalesce(s.top_target, 'nothing known') AS message,
       'handoff_scores:' || key(s.handoff_key) || ',handoffs:' || key(s.handoff_key) AS evidence,
       CASE WHEN s.coverage < 1 THEN 'bounds: evidence is incomplete' END AS gap, s.blast AS rank_score, h.sent_at AS first_seen_at
FROM handoff_scores s
JOIN handoffs h ON h.handoff_key = s.handoff_key
WHERE s.blast >= 40
