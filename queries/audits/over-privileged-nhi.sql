-- ---
-- id: over-privileged-nhi
-- severity: high
-- requires: nhi_scores[usage <> 'none']
-- rationale: What an identity may do and never does serves only whoever steals it.
-- remediation: Cut the policy to what was used, plus what cannot be observed and is needed.
-- ---
SELECT n.identity AS subject, n.identity_key AS subject_key, CAST(NULL AS VARCHAR) AS object,
       CASE WHEN n.excess_low >= 67 THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN n.coverage >= 0.5 THEN 'high' ELSE 'medium' END AS confidence,
       n.identity || CASE WHEN n.inactive THEN ' was idle all of the window: excess privilege ' ELSE ' has excess privilege ' END || CAST(round(n.excess_low, 1) AS VARCHAR) || ' to ' || CAST(round(n.excess_high, 1) AS VARCHAR) || ': used ' || CAST(n.actions_used AS VARCHAR) || ' of ' || CAST(n.actions_may AS VARCHAR) || ' actions; never used ' || array_to_string(n.top_grants, ', ') AS message,
       'nhi_scores:' || key(n.identity_key) || ',identities:' || key(n.identity_key) || CASE WHEN coalesce(array_length(n.evidence), 0) > 0 THEN ',' || array_to_string(n.evidence, ',') ELSE '' END AS evidence,
       CASE WHEN n.coverage < 1 THEN 'not all use can be observed' END AS gap, n.excess_low AS rank_score, n.window_from AS first_seen_at
FROM nhi_scores n
WHERE n.excess_low >= 34 AND n.usage <> 'none'
