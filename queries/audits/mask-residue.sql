-- ---
-- id: mask-residue
-- severity: low
-- requires: source_files[kind = 'text' OR kind LIKE '%log' OR kind IN ('console', 'job_trace')] | jobs[has_log]
-- rationale: What stands beside a mask tells of the secret: base 64 that was encoded with it, the address of a masked host, the length of the value.
-- remediation: Do not print what is derived from secrets, encoded or shortened; where user and password were encoded together, treat the user as known.
-- ---
WITH places AS (
  SELECT coalesce(r.repo, a.path) AS place_name, coalesce(j.name, a.path) AS job_name, j.job_key IS NULL AS is_loose, a.kind AS kind,
         sum(a.occurrences) AS masks, min(key(a.mask_anomaly_key)) AS example, min(a.seen_at) AS first_seen_at
  FROM mask_anomalies a
  LEFT JOIN jobs j ON j.job_key = a.job_key
  LEFT JOIN runs r ON r.run_key = a.run_key
  WHERE a.kind IN ('residue', 'alias', 'length_kept')
  GROUP BY coalesce(r.repo, a.path), coalesce(j.name, a.path), j.job_key IS NULL, a.kind)
SELECT place_name AS subject, CAST(NULL AS BYTEA) AS subject_key, job_name || ': ' || replace(kind, '_', ' ') AS object,
       'low' AS severity, 'likely' AS confidence,
       CASE kind WHEN 'residue' THEN 'base 64 is left beside a mask' WHEN 'alias' THEN 'the address of a masked name is shown' ELSE 'a mask is as long as its secret' END ||
       ', ' || CAST(masks AS VARCHAR) || CASE WHEN masks = 1 THEN ' time' ELSE ' times' END ||
       CASE WHEN is_loose THEN ' in ' || place_name ELSE ' in job ' || job_name || ' of ' || place_name END AS message,
       'mask_anomalies:' || example AS evidence, CAST(NULL AS VARCHAR) AS gap,
       CAST(masks AS DOUBLE) AS rank_score, first_seen_at AS first_seen_at
FROM places
