-- ---
-- id: mask-too-short
-- severity: low
-- requires: source_files[kind = 'text' OR kind LIKE '%log' OR kind IN ('console', 'job_trace')] | jobs[has_log]
-- rationale: A registered secret that is short or a common word is masked inside words and numbers, and the text around the mask gives it away.
-- remediation: Replace the secret by a long random value, and do not keep user names, ports and other words as secrets.
-- ---
WITH places AS (
  SELECT coalesce(r.repo, a.path) AS place_name, coalesce(j.name, a.path) AS job_name, j.job_key IS NULL AS is_loose,
         sum(a.occurrences) AS masks, min(key(a.mask_anomaly_key)) AS example, min(a.seen_at) AS first_seen_at
  FROM mask_anomalies a
  LEFT JOIN jobs j ON j.job_key = a.job_key
  LEFT JOIN runs r ON r.run_key = a.run_key
  WHERE a.kind = 'over_masking'
  GROUP BY coalesce(r.repo, a.path), coalesce(j.name, a.path), j.job_key IS NULL)
SELECT place_name AS subject, CAST(NULL AS BYTEA) AS subject_key, job_name AS object,
       'low' AS severity, CASE WHEN masks >= 5 THEN 'likely' ELSE 'possible' END AS confidence,
       'masks stand inside words or numbers ' || CAST(masks AS VARCHAR) || CASE WHEN masks = 1 THEN ' time' ELSE ' times' END ||
       CASE WHEN is_loose THEN ' in ' || place_name ELSE ' in job ' || job_name || ' of ' || place_name END || ': a registered secret is short or a common word' AS message,
       'mask_anomalies:' || example AS evidence, CAST(NULL AS VARCHAR) AS gap,
       CAST(masks AS DOUBLE) AS rank_score, first_seen_at AS first_seen_at
FROM places
