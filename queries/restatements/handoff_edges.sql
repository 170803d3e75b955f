-- table: reach_edges
-- key: source_key, target_key, evidence_key
-- where: kind = 'handoff'
-- restates: the cost of a handoff: one for each check with evidence.
SELECT e.source_key, e.target_key, e.evidence_key, coalesce(array_length(s.checks), 0) AS cost
FROM reach_edges e JOIN handoff_scores s ON s.handoff_key = e.evidence_key
WHERE e.kind = 'handoff'
