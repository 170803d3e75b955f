-- table: nhi_scores
-- key: identity_key
-- restates: excess privilege and its bounds from the parts of the class masses; blast radius over the reach graph.
--
-- X = 100·(1 − Π_c [1 − σ_c·(1 − e^(−n_c/κ_c))]), n_c = Σ u·r·k·s.
-- Ways up (`path`) count once each, by the heaviest of their rows.
WITH RECURSIVE number AS (
  SELECT value AS unobservable FROM score_weights WHERE name = 'unobservable'
), most AS (
  SELECT value AS max_cost FROM score_weights WHERE name = 'max_cost'
), class AS (
  SELECT split_part(name, '.', 2) AS class,
         max(value) FILTER (WHERE name LIKE '%.ceiling') AS ceiling,
         max(value) FILTER (WHERE name LIKE '%.saturation') AS saturation
  FROM score_weights WHERE name LIKE 'class.%' GROUP BY 1
), part AS (
  SELECT p.subject_key, p.class, p.path, p.sure, p.actions, p.seen, p.used,
         coalesce(p.breadth * p.condition * p.sensitivity, p.extent) AS extent,
         CASE WHEN p.path IS NOT NULL THEN p.unneeded WHEN p.used THEN 0
              ELSE p.seen * p.age + (1 - p.seen) * n.unobservable END AS u,
         CASE WHEN p.path IS NOT NULL THEN p.unneeded_low WHEN p.used THEN 0
              ELSE p.seen * p.age END AS u_low,
         CASE WHEN p.path IS NOT NULL THEN p.unneeded_high WHEN p.used THEN 0
              ELSE p.seen * p.age + (1 - p.seen) END AS u_high
  FROM privilege_parts p CROSS JOIN number n
  WHERE p.permission IS NULL
), mass AS (
  SELECT subject_key, class,
         sum(actions * extent) AS all_may, sum(CASE WHEN sure THEN actions * extent ELSE 0 END) AS all_must,
         sum(CASE WHEN sure THEN actions * u * extent ELSE 0 END) AS middle,
         sum(CASE WHEN sure THEN actions * u_low * extent ELSE 0 END) AS low,
         sum(actions * u_high * extent) AS high
  FROM part WHERE path IS NULL GROUP BY 1, 2
  UNION ALL
  SELECT subject_key, class, sum(all_may), sum(all_must), sum(middle), sum(low), sum(high)
  FROM (
    SELECT subject_key, class, path,
           max(extent) AS all_may, max(CASE WHEN sure THEN extent ELSE 0 END) AS all_must,
           max(CASE WHEN sure THEN u * extent ELSE 0 END) AS middle,
           max(CASE WHEN sure THEN u_low * extent ELSE 0 END) AS low, max(u_high * extent) AS high
    FROM part WHERE path IS NOT NULL GROUP BY 1, 2, 3
  ) GROUP BY 1, 2
), score AS (
  SELECT m.subject_key,
         100 * (1 - exp(sum(ln(1 - least(c.ceiling * (1 - exp(-m.all_may / c.saturation)), 1 - 1e-12))))) AS all_may,
         100 * (1 - exp(sum(ln(1 - least(c.ceiling * (1 - exp(-m.all_must / c.saturation)), 1 - 1e-12))))) AS all_must,
         100 * (1 - exp(sum(ln(1 - least(c.ceiling * (1 - exp(-m.middle / c.saturation)), 1 - 1e-12))))) AS middle,
         100 * (1 - exp(sum(ln(1 - least(c.ceiling * (1 - exp(-m.low / c.saturation)), 1 - 1e-12))))) AS low,
         100 * (1 - exp(sum(ln(1 - least(c.ceiling * (1 - exp(-m.high / c.saturation)), 1 - 1e-12))))) AS high
  FROM mass m JOIN class c ON c.class = m.class GROUP BY 1
), counted AS (
  SELECT p.subject_key, sum(p.actions) AS actions_may,
         sum(CASE WHEN p.sure THEN p.actions ELSE 0 END) AS actions_must,
         sum(c.ceiling / c.saturation * p.actions * p.extent * CASE WHEN p.used THEN 1 ELSE p.seen END) AS seen,
         sum(c.ceiling / c.saturation * p.actions * p.extent) AS held
  FROM part p JOIN class c ON c.class = p.class WHERE p.path IS NULL GROUP BY 1
), reached AS (
  SELECT s.identity_key AS source, s.identity_key AS node, CAST(0 AS BIGINT) AS cost
  FROM nhi_scores s JOIN reach_nodes n ON n.node_key = s.identity_key
  UNION
  SELECT r.source, e.target_key, r.cost + e.cost
  FROM reached r JOIN reach_edges e ON e.source_key = r.node CROSS JOIN most
  WHERE NOT e.unknown AND r.cost + e.cost <= most.max_cost
), nearest AS (
  SELECT source, node, min(cost) AS cost FROM reached GROUP BY 1, 2
), radius AS (
  SELECT r.source, sum(n.sensitivity * power(0.5, r.cost)) AS radius
  FROM nearest r JOIN reach_nodes n ON n.node_key = r.node GROUP BY 1
), total AS (
  SELECT sum(sensitivity) AS total FROM reach_nodes
), known AS (
  -- Without any record of use, and of actions that no catalog knows, there is no excess.
  SELECT s.identity_key, s.usage <> 'none' AND s.band <> 'unknown' AS is_known, s.band = 'unknown' AS is_blind,
         coalesce(x.middle, 0) AS middle, coalesce(x.low, 0) AS low, coalesce(x.high, 0) AS high,
         coalesce(x.all_may, 0) AS all_may, coalesce(x.all_must, 0) AS all_must,
         c.actions_must, c.actions_may, c.seen, c.held
  FROM nhi_scores s
  LEFT JOIN score x ON x.subject_key = s.identity_key
  LEFT JOIN counted c ON c.subject_key = s.identity_key
)
SELECT k.identity_key,
       CASE WHEN k.is_known THEN k.middle END AS excess,
       CASE WHEN k.is_known THEN k.low END AS excess_low,
       CASE WHEN k.is_known THEN k.high END AS excess_high,
       k.all_may AS granted_risk, k.all_must AS granted_low,
       CASE WHEN k.is_known AND k.held > 0 THEN k.seen / k.held ELSE 0 END AS coverage,
       coalesce(k.actions_must, 0) AS actions_must, coalesce(k.actions_may, 0) AS actions_may,
       CASE WHEN k.is_blind THEN 'unknown'
            WHEN CASE WHEN k.is_known THEN k.low ELSE k.all_must END < 34 THEN 'low'
            WHEN CASE WHEN k.is_known THEN k.low ELSE k.all_must END < 67 THEN 'medium'
            ELSE 'high' END AS band,
       CASE WHEN t.total > 0 THEN 100 * ln(1 + r.radius) / ln(1 + t.total)
            WHEN r.radius IS NOT NULL THEN 0 END AS blast
FROM known k LEFT JOIN radius r ON r.source = k.identity_key CROSS JOIN total t
