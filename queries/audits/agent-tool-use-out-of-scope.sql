-- ---
-- id: agent-tool-use-out-of-scope
-- severity: high
-- requires: delegation_links, steps
-- rationale: An AI agent that is given more than its caller had, without a check on the way, or that tries what it may not do, acts outside the scope it was asked to work in.
-- remediation: Give each agent an identity of its own with the tools of its task, and put a policy decision before each handoff to it.
-- ---
SELECT l.source AS subject, min(l.identity_key) AS subject_key, l.target AS object,
       CAST(NULL AS VARCHAR) AS severity, CASE WHEN min(l.confidence) < 0.9 OR bool_or(l.revalidated IS NULL) THEN 'medium' ELSE 'high' END AS confidence,
       l.source || ' handed ' || l.target || ', an AI agent, more than it had itself (' || min(array_to_string(l.privileges, ', ')) || ')' || CASE WHEN bool_or(l.revalidated IS NULL) THEN ', and no check is on record' ELSE ' without a check' END AS message,
       'delegation_paths:' || min(key(l.path_key)) || coalesce(',handoffs:' || min(key(l.handoff_key)), '') || coalesce(',jobs:' || min(key(l.job_key)), '') AS evidence,
       CASE WHEN bool_or(l.revalidated IS NULL) THEN 'a policy may have decided where it was not recorded' END AS gap,
       100 * max(l.risk) AS rank_score, min(l.at) AS first_seen_at
FROM delegation_links l
WHERE l.agent AND l.kind IN ('handoff', 'credential') AND l.scope_change = 'widened' AND coalesce(l.revalidated, false) = false
GROUP BY l.source, l.target
UNION ALL
SELECT l.source AS subject, min(l.identity_key) AS subject_key, l.target AS object,
       CAST(NULL AS VARCHAR) AS severity, 'high' AS confidence,
       'an AI agent that acts as ' || l.source || ' was refused ' || CAST(max(l.denied_calls) AS VARCHAR) || ' calls, among ' || l.target AS message,
       'delegation_paths:' || min(key(l.path_key)) || coalesce(',identities:' || min(key(l.identity_key)), '') || coalesce(',jobs:' || min(key(l.job_key)), '') AS evidence,
       CAST(NULL AS VARCHAR) AS gap, CAST(max(l.denied_calls) AS DOUBLE) AS rank_score, min(l.at) AS first_seen_at
FROM delegation_links l
WHERE l.agent AND l.kind = 'activity' AND l.denied_calls > 0
GROUP BY l.source, l.target
