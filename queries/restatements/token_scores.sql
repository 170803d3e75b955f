-- table: token_scores
-- key: token_score_key
-- restates: excess privilege of job tokens from the parts of the class masses; runs, grants and times from jobs.
WITH number AS (
  SELECT max(value) FILTER (WHERE name = 'unobservable') AS unobservable,
         max(value) FILTER (WHERE name = 'window_days') AS window_days
  FROM score_weights
), class AS (
  SELECT split_part(name, '.', 2) AS class,
         max(value) FILTER (WHERE name LIKE '%.ceiling') AS ceiling,
         max(value) FILTER (WHERE name LIKE '%.saturation') AS saturation
  FROM score_weights WHERE name LIKE 'class.%' GROUP BY 1
), job AS (
  -- Jobs of one name in one workflow share a token's score.
  SELECT t.token_score_key, j.job_key, coalesce(j.started_at, r.started_at, r.created_at) AS at
  FROM token_scores t
  JOIN jobs j ON j.name = t.job
  LEFT JOIN runs r ON r.run_key = j.run_key
  WHERE (r.repo IS NOT DISTINCT FROM t.repo)
    AND (coalesce(r.workflow_path, r.workflow_name) IS NOT DISTINCT FROM t.workflow)
    AND j.job_key IN (SELECT job_key FROM token_permissions WHERE token IN ('GITHUB_TOKEN', ''))
), shown AS (
  SELECT j.token_score_key, count(DISTINCT j.job_key) AS runs, min(j.at) AS first_at, max(j.at) AS last_at,
         count(s.step_key) > 0 AS has_steps
  FROM job j
  LEFT JOIN steps s ON s.job_key = j.job_key AND s.kind NOT IN ('setup', 'complete', 'post')
    AND (s.conclusion IS DISTINCT FROM 'skipped')
  GROUP BY 1
), granted AS (
  SELECT token_score_key, array_agg(permission ORDER BY permission) AS granted
  FROM (
    SELECT DISTINCT j.token_score_key, concat(replace(p.scope, '_', '-'), ':', p.access) AS permission
    FROM job j JOIN token_permissions p ON p.job_key = j.job_key
    WHERE p.access IN ('read', 'write') AND p.token IN ('GITHUB_TOKEN', '')
  ) GROUP BY 1
), part AS (
  -- A permission is as old as the first run that had it: the age is restated too.
  SELECT p.subject_key, p.class, p.breadth * p.condition * p.sensitivity AS extent,
         CASE WHEN p.used THEN 1 ELSE p.seen END AS seen,
         CASE WHEN p.used THEN 0
              WHEN p.seen > 0 THEN least((CAST(s.last_at AS BIGINT) - CAST(s.first_at AS BIGINT)) / 86400e6 / n.window_days, 1)
              ELSE n.unobservable END AS u,
         CASE WHEN p.used OR p.seen = 0 THEN 0 ELSE p.age END AS u_low,
         CASE WHEN p.used THEN 0 WHEN p.seen = 0 THEN 1 ELSE p.age END AS u_high
  FROM privilege_parts p JOIN shown s ON s.token_score_key = p.subject_key CROSS JOIN number n
), mass AS (
  SELECT subject_key, class, sum(extent) AS held, sum(u * extent) AS middle, sum(u_low * extent) AS low,
         sum(u_high * extent) AS high, sum(seen * extent) AS seen
  FROM part GROUP BY 1, 2
), score AS (
  SELECT m.subject_key, sum(m.held) AS held, sum(m.seen) AS seen,
         100 * (1 - exp(sum(ln(1 - least(c.ceiling * (1 - exp(-m.held / c.saturation)), 1 - 1e-12))))) AS granted_risk,
         100 * (1 - exp(sum(ln(1 - least(c.ceiling * (1 - exp(-m.middle / c.saturation)), 1 - 1e-12))))) AS middle,
         100 * (1 - exp(sum(ln(1 - least(c.ceiling * (1 - exp(-m.low / c.saturation)), 1 - 1e-12))))) AS low,
         100 * (1 - exp(sum(ln(1 - least(c.ceiling * (1 - exp(-m.high / c.saturation)), 1 - 1e-12))))) AS high
  FROM mass m JOIN class c ON c.class = m.class GROUP BY 1
)
SELECT s.token_score_key, s.runs, s.first_at, s.last_at, coalesce(g.granted, make_array()) AS granted,
       CASE WHEN s.has_steps THEN coalesce(x.middle, 0) END AS excess,
       CASE WHEN s.has_steps THEN coalesce(x.low, 0) END AS excess_low,
       CASE WHEN s.has_steps THEN coalesce(x.high, 0) END AS excess_high,
       coalesce(x.granted_risk, 0) AS granted_risk,
       CASE WHEN s.has_steps AND x.held > 0 THEN x.seen / x.held ELSE 0 END AS coverage
FROM shown s
LEFT JOIN score x ON x.subject_key = s.token_score_key
LEFT JOIN granted g ON g.token_score_key = s.token_score_key
