-- ---
-- id: unvalidated-dispatch-input
-- severity: high
-- requires: handoff_inputs
-- rationale: Free text in a dispatch reaches scripts of a more privileged child.
-- remediation: Restrict inputs to enumerations, booleans and versions, and check them in the child before use.
-- ---
SELECT coalesce(h.child_repo, '') || ' ' || coalesce(h.child_workflow, 'unknown workflow') AS subject, CAST(NULL AS BYTEA) AS subject_key, i.name AS object,
       CASE WHEN i.value_class IN ('text', 'json', 'url', 'token_like') THEN 'high' ELSE 'medium' END AS severity, 'medium' AS confidence,
       'input ' || i.name || ' of ' || coalesce(h.child_repo, '') || ' ' || coalesce(h.child_workflow, 'a child workflow') || ' takes any ' || replace(i.value_class, '_', ' ') || ' (' || h.mechanism || ', ' || CAST(count(*) AS VARCHAR) || ' times)' AS message,
       'handoffs:' || min(key(h.handoff_key)) AS evidence, 'the child may check it itself' AS gap, CAST(count(*) AS DOUBLE) AS rank_score, min(h.sent_at) AS first_seen_at
FROM handoff_inputs i
JOIN handoffs h ON h.handoff_key = i.handoff_key
WHERE h.mechanism IN ('workflow_dispatch', 'repository_dispatch', 'workflow_call') AND i.validated = false
GROUP BY h.child_repo, h.child_workflow, i.name, i.value_class, h.mechanism
