-- table: handoff_scores
-- key: handoff_key
-- restates: blast radius with its bounds, expansion, impact and what is in reach, over the reach graph.
--
-- From the children of a handoff three times (low, central, high), from its parents twice: with
-- the handoff's own edges and without.
WITH RECURSIVE number AS (
  SELECT value AS max_cost FROM score_weights WHERE name = 'max_cost'
), total AS (
  SELECT sum(sensitivity) AS total, count(*) FILTER (WHERE kind = 'resource') AS resources FROM reach_nodes
), worth AS (
  SELECT n.node_key, coalesce(w.value, CASE n.kind WHEN 'admin' THEN 1 WHEN 'secret' THEN c.value ELSE 0 END) AS power
  FROM reach_nodes n
  LEFT JOIN score_weights w ON w.name = concat('class.', n.class, '.ceiling')
  LEFT JOIN score_weights c ON c.name = 'class.CRED.ceiling'
), side AS (
  SELECT handoff_key, child_job_key AS job_key, true AS child FROM handoffs WHERE child_job_key IS NOT NULL
  UNION ALL
  SELECT h.handoff_key, j.job_key, true FROM handoffs h JOIN jobs j ON j.run_key = h.child_run_key WHERE h.child_job_key IS NULL
  UNION ALL
  SELECT handoff_key, parent_job_key, false FROM handoffs WHERE parent_job_key IS NOT NULL
  UNION ALL
  SELECT h.handoff_key, j.job_key, false FROM handoffs h JOIN jobs j ON j.run_key = h.parent_run_key WHERE h.parent_job_key IS NULL
), start AS (
  SELECT s.handoff_key, s.job_key AS node, s.child FROM side s JOIN reach_nodes n ON n.node_key = s.job_key
  UNION ALL
  SELECT handoff_key, node_key, true FROM reach_nodes WHERE handoff_key IS NOT NULL
), arc AS (
  SELECT 'low' AS way, source_key, target_key, cost + unproven AS cost, kind, evidence_key FROM reach_edges
  WHERE observed AND NOT unknown
  UNION ALL
  SELECT v.way, source_key, target_key, cost, kind, evidence_key FROM reach_edges
  CROSS JOIN (VALUES ('central'), ('with'), ('without')) AS v(way) WHERE NOT unknown
  UNION ALL
  SELECT 'high', source_key, target_key, CASE WHEN unknown THEN 0 ELSE cost END, kind, evidence_key FROM reach_edges
), reached AS (
  SELECT s.handoff_key, v.way, s.node, CAST(0 AS BIGINT) AS cost
  FROM start s JOIN (VALUES ('low', true), ('central', true), ('high', true), ('with', false), ('without', false))
    AS v(way, child) ON v.child = s.child
  UNION
  SELECT r.handoff_key, r.way, a.target_key, r.cost + a.cost
  FROM reached r JOIN arc a ON a.source_key = r.node AND a.way = r.way CROSS JOIN number
  WHERE r.cost + a.cost <= number.max_cost
    AND NOT (r.way = 'without' AND a.kind = 'handoff' AND a.evidence_key = r.handoff_key)
), nearest AS (
  SELECT handoff_key, way, node, min(cost) AS cost FROM reached GROUP BY 1, 2, 3
), found AS (
  SELECT r.handoff_key, r.way,
         CASE WHEN max(t.total) > 0
              THEN 100 * ln(1 + sum(n.sensitivity * power(0.5, r.cost))) / ln(1 + max(t.total)) ELSE 0 END AS score,
         CASE WHEN max(t.total) > 0 THEN 100 * sum(n.sensitivity) / max(t.total) ELSE 0 END AS impact,
         count(*) FILTER (WHERE n.kind = 'identity') AS identities,
         count(*) FILTER (WHERE n.kind IN ('resource', 'secret', 'admin')) AS resources,
         max(p.power) AS power,
         ln(1 + count(*) FILTER (WHERE n.kind = 'resource')) / ln(1 + greatest(max(t.resources), 1)) AS breadth
  FROM nearest r
  JOIN reach_nodes n ON n.node_key = r.node
  JOIN worth p ON p.node_key = r.node
  CROSS JOIN total t
  GROUP BY 1, 2
), seen AS (
  SELECT DISTINCT s.handoff_key FROM side s JOIN reach_nodes n ON n.node_key = s.job_key WHERE s.child
)
SELECT h.handoff_key,
       coalesce(low.score, 0) AS blast_low, coalesce(mid.score, 0) AS blast, coalesce(high.score, 0) AS blast_high,
       coalesce(mid.impact, 0) AS impact,
       coalesce(mid.identities, 0) AS reached_identities, coalesce(mid.resources, 0) AS reached_resources,
       CASE WHEN seen.handoff_key IS NOT NULL THEN mid.power END AS factor_privilege,
       CASE WHEN seen.handoff_key IS NOT NULL THEN mid.breadth END AS factor_breadth,
       yes.score - no.score AS expansion
FROM handoffs h
LEFT JOIN found low ON low.handoff_key = h.handoff_key AND low.way = 'low'
LEFT JOIN found mid ON mid.handoff_key = h.handoff_key AND mid.way = 'central'
LEFT JOIN found high ON high.handoff_key = h.handoff_key AND high.way = 'high'
LEFT JOIN found yes ON yes.handoff_key = h.handoff_key AND yes.way = 'with'
LEFT JOIN found no ON no.handoff_key = h.handoff_key AND no.way = 'without'
LEFT JOIN seen ON seen.handoff_key = h.handoff_key
