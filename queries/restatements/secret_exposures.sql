-- table: secret_exposures
-- key: secret_key
-- restates: counts, times, audience and length of the exposure of secrets from their sightings.
WITH lived AS (
  SELECT secret_key, coalesce(ended_at, CASE WHEN state = 'alive' THEN as_of END) AS until FROM secret_exposures
), circle AS (
  SELECT r.run_key, r.platform, lower(r.repo) AS place,
         CASE r.visibility WHEN 'public' THEN 3 WHEN 'internal' THEN 2 WHEN 'private' THEN 1 ELSE 0 END AS circle
  FROM runs r
), told AS (
  -- Where runs differ, the repository's visibility was changed.
  SELECT r.platform, lower(r.repo) AS place, CASE WHEN count(DISTINCT r.visibility) = 1 THEN max(c.circle) ELSE 0 END AS circle
  FROM runs r JOIN circle c ON c.run_key = r.run_key WHERE r.visibility IS NOT NULL AND r.repo IS NOT NULL GROUP BY 1, 2
), sighted AS (
  SELECT s.*, CASE WHEN c.circle > 0 THEN c.circle WHEN t.circle > 0 THEN t.circle END AS circle,
         coalesce(c.circle, 0) = 0 AS is_inferred, d.subject_key AS deleted_run
  FROM secret_sightings s
  LEFT JOIN (SELECT DISTINCT subject_key FROM evidence_gaps WHERE gap = 'deleted_run') d ON d.subject_key = s.run_key
  LEFT JOIN circle c ON c.run_key = s.run_key
  LEFT JOIN told t ON t.platform = c.platform AND t.place = c.place
), carried AS (
  SELECT secret_key, handoff_key FROM secret_sightings WHERE handoff_key IS NOT NULL
  UNION
  SELECT s.secret_key, i.handoff_key FROM secrets s
  JOIN handoff_inputs i ON substr(i.value_fingerprint, 1, 16) = substr(s.fingerprint, 1, 16)
), handed AS (
  SELECT secret_key, count(*) AS handoffs FROM carried GROUP BY 1
), seen AS (
  SELECT s.secret_key, min(x.seen_at) AS first_at, max(x.seen_at) AS last_at, count(x.sighting_key) AS sightings,
         count(DISTINCT x.run_key) AS runs, count(DISTINCT x.source_key) AS sources,
         coalesce(max(x.circle), 0) AS widest, count(x.sighting_key) = 0 OR bool_or(x.circle IS NULL) AS is_open,
         coalesce(bool_or(x.is_inferred AND x.circle IS NOT NULL), false) AS is_inferred,
         count(x.deleted_run) AS deleted_logs
  FROM secrets s LEFT JOIN sighted x ON x.secret_key = s.secret_key GROUP BY 1
), told_of AS (
  SELECT s.secret_key, coalesce(x.first_at, s.first_seen_at) AS first_exposed_at, coalesce(x.last_at, s.last_seen_at) AS last_exposed_at,
         x.sightings, x.runs, x.sources, x.deleted_logs, x.widest, CASE WHEN x.is_open THEN 3 ELSE x.widest END AS widest_high,
         x.is_open, x.is_inferred, coalesce(h.handoffs, 0) AS handoffs
  FROM secrets s JOIN seen x ON x.secret_key = s.secret_key LEFT JOIN handed h ON h.secret_key = s.secret_key
)
SELECT r.secret_key, r.first_exposed_at, r.last_exposed_at, r.sightings, r.runs, r.sources, r.deleted_logs, r.handoffs,
       CASE r.widest WHEN 3 THEN 'anyone' WHEN 2 THEN 'organisation' WHEN 1 THEN 'repository' ELSE 'unknown' END AS audience,
       CASE r.widest_high WHEN 3 THEN 'anyone' WHEN 2 THEN 'organisation' WHEN 1 THEN 'repository' ELSE 'unknown' END AS audience_high,
       CASE WHEN r.is_open THEN 'unknown' WHEN r.is_inferred THEN 'repository' ELSE 'run' END AS audience_from,
       CASE WHEN e.until >= r.first_exposed_at
            THEN (CAST(e.until AS BIGINT) - CAST(r.first_exposed_at AS BIGINT)) / 1e6 END AS exposed_s
FROM told_of r JOIN lived e ON e.secret_key = r.secret_key
