-- ---
-- id: stale-delegation
-- severity: high
-- requires: delegation_paths, handoffs
-- rationale: Work that goes on after its origin was cancelled, failed or lost its approval acts on an authority that is gone.
-- remediation: Bind the handoff to a credential that ends with its sender, and check approval and identity again at each link.
-- ---
SELECT p.root AS subject, p.root_run_key AS subject_key, array_to_string(p.nodes, ' > ') AS object,
       CASE WHEN max(p.privilege) < 0.4 THEN 'medium' END AS severity, CASE WHEN min(p.confidence) < 0.9 THEN 'medium' ELSE 'high' END AS confidence,
       'what ' || coalesce(min(p.root_actor), 'an unknown actor') || ' began outlived its origin (' || array_to_string(p.nodes, ' > ') || '): ' || min(array_to_string(p.outlives_reasons, '; ')) AS message,
       min('delegation_paths:' || key(p.path_key) || ',runs:' || key(p.root_run_key)) AS evidence,
       CASE WHEN max(p.privilege) IS NULL THEN 'what the last jobs may do is not known' END AS gap,
       max(p.dp_low) AS rank_score, min(p.root_at) AS first_seen_at
FROM delegation_paths p
WHERE p.outlives_origin
GROUP BY p.root, p.root_run_key, p.nodes
