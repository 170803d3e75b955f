-- ---
-- id: secrets-inherit
-- severity: high
-- requires: handoff_scores, secrets_passed
-- rationale: A child that receives every secret of its parent can leak or use secrets it has no need of.
-- remediation: Pass named secrets only, or let the child use its own environment secrets.
-- ---
SELECT s.child AS subject, s.handoff_key AS subject_key, s.parent AS object,
       CAST(NULL AS VARCHAR) AS severity, 'medium' AS confidence,
       s.child || ' received ' || CAST(array_length(s.secrets_shared) AS VARCHAR) || ' secrets that ' || s.parent || ' also has: ' || array_to_string(s.secrets_shared, ', ') AS message,
       'handoff_scores:' || key(s.handoff_key) || ',handoffs:' || key(s.handoff_key) AS evidence,
       'names are a lower bound: logs show only what steps were handed' AS gap,
       s.blast AS rank_score, h.sent_at AS first_seen_at
FROM handoff_scores s
JOIN handoffs h ON h.handoff_key = s.handoff_key
WHERE s.mechanism = 'workflow_call' AND array_length(s.secrets_shared) >= 2
