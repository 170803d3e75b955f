-- table: workflow_trust
-- key: trust_key
-- restates: verdicts from the controls, controls of a workflow from those of its last runs, trend and direction.
WITH number AS (
  SELECT value AS window_runs FROM score_weights WHERE name = 'trust.window_runs'
), run AS (
  SELECT trust_key, run_key, platform, lower(coalesce(repo, '')) AS place, workflow, conclusion, t1, t2, t3, t4, t5, t6, t7,
         CASE WHEN 'fail' IN (t1, t2, t3, t4, t5, t6, t7) THEN 'UNTRUSTWORTHY'
              WHEN t1 = 'pass' AND t2 = 'pass' AND t3 = 'pass' AND t4 = 'pass' AND t5 = 'pass' AND t6 = 'pass' AND t7 = 'pass' THEN 'TRUSTWORTHY'
              ELSE 'UNPROVEN' END AS verdict,
         row_number() OVER (PARTITION BY platform, lower(coalesce(repo, '')), workflow
                            ORDER BY CASE WHEN at IS NULL THEN 1 ELSE 0 END, at, trust_key) AS place_in
  FROM workflow_trust WHERE run_key IS NOT NULL
), last AS (
  SELECT platform, place, workflow, max(place_in) AS last FROM run WHERE workflow IS NOT NULL GROUP BY 1, 2, 3
), pair AS (
  SELECT r.trust_key, o.verdict, o.place_in,
         least(r.place_in, CAST(n.window_runs AS BIGINT)) AS seen,
         row_number() OVER (PARTITION BY r.trust_key ORDER BY o.place_in) AS nth
  FROM run r JOIN run o ON o.platform = r.platform AND o.place = r.place AND o.workflow = r.workflow
  CROSS JOIN number n
  WHERE o.place_in BETWEEN r.place_in - n.window_runs + 1 AND r.place_in
), trend AS (
  SELECT trust_key, array_agg(verdict ORDER BY place_in) AS trend, max(seen) AS seen,
         avg(CASE WHEN verdict = 'UNTRUSTWORTHY' THEN 1.0 ELSE 0.0 END) FILTER (WHERE nth <= seen / 2) AS older,
         avg(CASE WHEN verdict = 'UNTRUSTWORTHY' THEN 1.0 ELSE 0.0 END) FILTER (WHERE nth > seen / 2) AS newer
  FROM pair GROUP BY 1
), control AS (
  SELECT l.platform, l.place, l.workflow, c.control, count(*) AS runs,
         CASE WHEN bool_or(c.state = 'fail') THEN 'fail' WHEN bool_and(c.state = 'pass') THEN 'pass' ELSE 'unknown' END AS state
  FROM last l
  JOIN (
    SELECT platform, place, workflow, place_in, 1 AS control, t1 AS state FROM run
    UNION ALL SELECT platform, place, workflow, place_in, 2, t2 FROM run
    UNION ALL SELECT platform, place, workflow, place_in, 3, t3 FROM run
    UNION ALL SELECT platform, place, workflow, place_in, 4, t4 FROM run
    UNION ALL SELECT platform, place, workflow, place_in, 5, t5 FROM run
    UNION ALL SELECT platform, place, workflow, place_in, 6, t6 FROM run
    UNION ALL SELECT platform, place, workflow, place_in, 7, t7 FROM run
  ) c ON c.platform = l.platform AND c.place = l.place AND c.workflow = l.workflow
  CROSS JOIN number n
  WHERE c.place_in > l.last - n.window_runs
  GROUP BY 1, 2, 3, 4
), workflow AS (
  SELECT platform, place, workflow, max(runs) AS runs,
         max(state) FILTER (WHERE control = 1) AS t1, max(state) FILTER (WHERE control = 2) AS t2,
         max(state) FILTER (WHERE control = 3) AS t3, max(state) FILTER (WHERE control = 4) AS t4,
         max(state) FILTER (WHERE control = 5) AS t5, max(state) FILTER (WHERE control = 6) AS t6,
         max(state) FILTER (WHERE control = 7) AS t7
  FROM control GROUP BY 1, 2, 3
), whole AS (
  SELECT w.trust_key, r.conclusion, x.t1, x.t2, x.t3, x.t4, x.t5, x.t6, x.t7, x.runs, r.trust_key AS trend_key,
         CASE WHEN 'fail' IN (x.t1, x.t2, x.t3, x.t4, x.t5, x.t6, x.t7) THEN 'UNTRUSTWORTHY'
              WHEN x.t1 = 'pass' AND x.t2 = 'pass' AND x.t3 = 'pass' AND x.t4 = 'pass' AND x.t5 = 'pass' AND x.t6 = 'pass' AND x.t7 = 'pass' THEN 'TRUSTWORTHY'
              ELSE 'UNPROVEN' END AS verdict
  FROM workflow_trust w
  JOIN workflow x ON x.platform = w.platform AND x.place = lower(coalesce(w.repo, '')) AND x.workflow = w.workflow
  JOIN last l ON l.platform = x.platform AND l.place = x.place AND l.workflow = x.workflow
  JOIN run r ON r.platform = x.platform AND r.place = x.place AND r.workflow = x.workflow AND r.place_in = l.last
  WHERE w.run_key IS NULL
  UNION ALL
  SELECT trust_key, conclusion, t1, t2, t3, t4, t5, t6, t7, 1 AS runs, trust_key AS trend_key, verdict FROM run
)
SELECT w.trust_key, w.verdict, w.t1, w.t2, w.t3, w.t4, w.t5, w.t6, w.t7, w.runs,
       CASE WHEN w.conclusion IS NOT NULL THEN w.conclusion = 'success' AND w.verdict = 'UNTRUSTWORTHY' END AS succeeded_but_untrusted,
       coalesce(t.trend, make_array()) AS trend,
       CASE WHEN t.seen >= 4 THEN CASE WHEN t.newer < t.older THEN 'improving' WHEN t.newer > t.older THEN 'worsening' ELSE 'steady' END END AS direction
FROM whole w LEFT JOIN trend t ON t.trust_key = w.trend_key
