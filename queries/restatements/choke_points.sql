-- table: choke_points
-- key: choke_key
-- where: rank <= 1
-- restates: total exposure before and after each cut, what the cut and one more check do alone.
--
-- Exposure is Σ BR over all entries. `prefix` k takes the first k cuts as made, `alone` k only
-- the k-th, `harder` k adds a check to it. Each is a closure of its own, from every entry: of
-- more cuts it takes longer, hence the first only; change each `rank <= 1` to see others.
WITH RECURSIVE most AS (
  SELECT value AS max_cost FROM score_weights WHERE name = 'max_cost'
), arc AS (
  SELECT e.source_key, e.target_key, e.cost, coalesce(c.rank, 0) AS rank
  FROM reach_edges e LEFT JOIN choke_points c ON c.choke_key = e.choke_key AND c.rank <= 1
  WHERE NOT e.unknown
), scenario AS (
  SELECT 'prefix' AS what, CAST(0 AS BIGINT) AS k
  UNION ALL
  SELECT w.what, c.rank FROM choke_points c CROSS JOIN (VALUES ('prefix'), ('alone'), ('harder')) AS w(what) WHERE c.rank <= 1
), reached AS (
  SELECT s.what, s.k, n.node_key AS entry, n.node_key AS node, CAST(0 AS BIGINT) AS cost
  FROM reach_nodes n CROSS JOIN scenario s WHERE n.entry
  UNION
  SELECT r.what, r.k, r.entry, a.target_key,
         r.cost + a.cost + CASE WHEN r.what = 'harder' AND a.rank = r.k THEN 1 ELSE 0 END
  FROM reached r JOIN arc a ON a.source_key = r.node CROSS JOIN most
  WHERE r.cost + a.cost + CASE WHEN r.what = 'harder' AND a.rank = r.k THEN 1 ELSE 0 END <= most.max_cost
    AND NOT (r.what = 'prefix' AND a.rank BETWEEN 1 AND r.k)
    AND NOT (r.what = 'alone' AND a.rank = r.k)
), nearest AS (
  SELECT what, k, entry, node, min(cost) AS cost FROM reached GROUP BY 1, 2, 3, 4
), radius AS (
  SELECT r.what, r.k, r.entry, sum(n.sensitivity * power(0.5, r.cost)) AS radius
  FROM nearest r JOIN reach_nodes n ON n.node_key = r.node GROUP BY 1, 2, 3
), exposure AS (
  SELECT what, k, sum(radius) AS exposure FROM radius GROUP BY 1, 2
), shorter AS (
  SELECT after.k, count(*) AS entries
  FROM radius before JOIN radius after ON after.entry = before.entry AND after.k = before.k + 1
  WHERE before.what = 'prefix' AND after.what = 'prefix' AND after.radius < before.radius - 1e-12
  GROUP BY 1
)
SELECT c.choke_key, before.exposure AS exposure_before, after.exposure AS exposure_after,
       100 * (before.exposure - after.exposure) / uncut.exposure AS reduction,
       100 * (uncut.exposure - alone.exposure) / uncut.exposure AS reduction_alone,
       CASE WHEN c.kind IN ('handoff', 'trust') THEN 100 * (uncut.exposure - harder.exposure) / uncut.exposure END AS reduction_hardened,
       shorter.entries
FROM choke_points c
JOIN exposure uncut ON uncut.what = 'prefix' AND uncut.k = 0
JOIN exposure before ON before.what = 'prefix' AND before.k = c.rank - 1
JOIN exposure after ON after.what = 'prefix' AND after.k = c.rank
JOIN exposure alone ON alone.what = 'alone' AND alone.k = c.rank
JOIN exposure harder ON harder.what = 'harder' AND harder.k = c.rank
LEFT JOIN shorter ON shorter.k = c.rank
