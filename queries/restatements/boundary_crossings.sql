-- table: boundary_crossings
-- key: job_key
-- restates: BC = 100 · max over steps of distrust · weight · life, and its bounds.
--
-- Distrust by whose code a step runs, weight and life by what the job holds. Whether there is a
-- score at all is a rule on what is on record (`class`, `gaps`) and taken over.
WITH number AS (
  SELECT value AS privileged FROM score_weights WHERE name = 'boundary.privileged'
), material AS (
  SELECT h.job_key, h.name, max(h.weight * h.life) AS privileged
  FROM job_holdings h CROSS JOIN number n WHERE h.weight >= n.privileged GROUP BY 1, 2
), step AS (
  SELECT s.job_key, s.declared, 100 * coalesce(w.value, 0) * m.privileged AS product
  FROM boundary_steps s
  JOIN material m ON m.job_key = s.job_key AND m.name = s.credential
  LEFT JOIN score_weights w ON w.name = concat('boundary.code.', s.code_origin)
), worst AS (
  SELECT job_key, max(product) AS every, max(product) FILTER (WHERE NOT declared) AS observed FROM step GROUP BY 1
), most AS (
  SELECT job_key, max(weight_high * coalesce(life, 1)) AS privileged_high FROM job_holdings GROUP BY 1
)
SELECT b.job_key, CASE WHEN b.bc IS NOT NULL THEN coalesce(w.every, 0) END AS bc,
       coalesce(w.observed, 0) AS bc_low,
       greatest(100 * b.untrusted_high * b.privileged_high, coalesce(w.every, 0)) AS bc_high
FROM boundary_crossings b LEFT JOIN worst w ON w.job_key = b.job_key
