-- ---
-- id: human-uses-nhi
-- severity: high
-- requires: nhi_lifecycle, activity | assumptions | credentials[kind = 'password']
-- rationale: What a person does under a machine's name cannot be traced to the person, and skips what protects people's sign-ins.
-- remediation: Give people roles of their own; let only workloads become this identity.
-- ---
SELECT l.identity AS subject, l.identity_key AS subject_key, array_to_string(l.human_uses, ', ') AS object,
       CASE WHEN n.granted_low >= 67 THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN array_to_string(l.human_uses, ' ') LIKE '%assumed by%' OR array_has(l.human_uses, 'console sign-in') OR array_has(l.human_uses, 'password') THEN 'high' ELSE 'medium' END AS confidence,
       l.identity || ' is used by people: ' || array_to_string(l.human_uses, ', ') AS message,
       array_to_string(l.evidence, ',') AS evidence, CAST(NULL AS VARCHAR) AS gap,
       n.granted_low AS rank_score, l.last_used_at AS first_seen_at
FROM nhi_lifecycle l
LEFT JOIN nhi_scores n ON n.identity_key = l.identity_key
WHERE coalesce(array_length(l.human_uses), 0) > 0
