-- ---
-- id: shared-nhi
-- severity: medium
-- requires: nhi_lifecycle
-- rationale: An identity that several workloads share has the union of what they need, and its use cannot be told apart.
-- remediation: Give each workload an identity of its own, with its own permissions.
-- ---
SELECT l.identity AS subject, l.identity_key AS subject_key, CAST(NULL AS VARCHAR) AS object,
       CASE WHEN coalesce(array_length(l.repositories), 0) > 1 OR coalesce(array_length(l.environments), 0) > 1 THEN 'medium' ELSE 'low' END AS severity,
       'high' AS confidence,
       l.identity || ' serves ' ||
       CASE WHEN coalesce(array_length(l.workflows), 0) > 1 THEN CAST(array_length(l.workflows) AS VARCHAR) || ' workflows of ' || array_to_string(l.repositories, ', ')
            WHEN coalesce(array_length(l.repositories), 0) > 1 THEN 'the repositories ' || array_to_string(l.repositories, ', ')
            ELSE CAST(array_length(l.workloads) AS VARCHAR) || ' workloads: ' || array_to_string(l.workloads, ', ') END ||
       CASE WHEN coalesce(array_length(l.environments), 0) > 1 THEN ' in ' || array_to_string(l.environments, ', ') ELSE '' END AS message,
       array_to_string(l.evidence, ',') AS evidence, CAST(NULL AS VARCHAR) AS gap,
       n.granted_low AS rank_score, l.last_used_at AS first_seen_at
FROM nhi_lifecycle l
LEFT JOIN nhi_scores n ON n.identity_key = l.identity_key
WHERE coalesce(array_length(l.workflows), 0) > 1 OR coalesce(array_length(l.repositories), 0) > 1 OR coalesce(array_length(l.workloads), 0) > 1
