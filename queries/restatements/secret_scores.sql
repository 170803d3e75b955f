-- table: secret_scores
-- key: secret_key
-- restates: blast radius of secrets whose identity is known, low, central and high, over the reach graph.
WITH RECURSIVE number AS (
  SELECT value AS max_cost FROM score_weights WHERE name = 'max_cost'
), arc AS (
  SELECT 'low' AS way, source_key, target_key, cost + unproven AS cost FROM reach_edges WHERE observed AND NOT unknown
  UNION ALL
  SELECT 'central', source_key, target_key, cost FROM reach_edges WHERE NOT unknown
  UNION ALL
  SELECT 'high', source_key, target_key, CASE WHEN unknown THEN 0 ELSE cost END FROM reach_edges
), reached AS (
  SELECT s.secret_key AS source, v.way, s.secret_key AS node, CAST(0 AS BIGINT) AS cost
  FROM secrets s JOIN reach_nodes n ON n.node_key = s.secret_key
  CROSS JOIN (VALUES ('low'), ('central'), ('high')) AS v(way)
  WHERE s.identity_key IS NOT NULL
  UNION
  SELECT r.source, r.way, a.target_key, r.cost + a.cost
  FROM reached r JOIN arc a ON a.source_key = r.node AND a.way = r.way CROSS JOIN number
  WHERE r.cost + a.cost <= number.max_cost
), nearest AS (
  SELECT source, way, node, min(cost) AS cost FROM reached GROUP BY 1, 2, 3
), score AS (
  SELECT r.source, r.way, 100 * ln(1 + sum(n.sensitivity * power(0.5, r.cost))) / ln(1 + max(t.total)) AS score
  FROM nearest r JOIN reach_nodes n ON n.node_key = r.node
  CROSS JOIN (SELECT sum(sensitivity) AS total FROM reach_nodes) t
  GROUP BY 1, 2
)
SELECT s.secret_key, max(x.score) FILTER (WHERE x.way = 'low') AS blast_low,
       max(x.score) FILTER (WHERE x.way = 'central') AS blast,
       max(x.score) FILTER (WHERE x.way = 'high') AS blast_high
FROM secrets s LEFT JOIN score x ON x.source = s.secret_key GROUP BY 1
