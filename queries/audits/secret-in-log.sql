-- ---
-- id: secret-in-log
-- severity: high
-- requires: source_files[kind = 'text' OR kind LIKE '%log' OR kind IN ('console', 'job_trace')] | jobs[has_log]
-- rationale: A run log is readable by everyone who can read the repository and is kept for months.
-- remediation: Revoke the credential, delete the log, and pass the value through a masked secret or replace it by workload identity.
-- ---
WITH seen AS (
  SELECT g.secret_key, coalesce(r.repo, g.path) AS place_name, count(*) AS times, min(key(g.sighting_key)) AS example,
         min(g.seen_at) AS first_seen_at, min(array_to_string(g.encodings, ' in ')) AS encoding, min(g.name) AS name
  FROM secret_sightings g LEFT JOIN runs r ON r.run_key = g.run_key
  WHERE (array_length(g.encodings) IS NULL OR array_length(g.encodings) = 0) AND (g.place NOT IN ('handoff_input', 'webhook', 'job_output'))
  GROUP BY g.secret_key, coalesce(r.repo, g.path))
SELECT replace(s.kind, '_', ' ') || ' ' || substr(s.fingerprint, 1, 8) AS subject, s.secret_key AS subject_key, n.place_name AS object,
       s.severity AS severity, s.confidence AS confidence,
       replace(s.kind, '_', ' ') || ' ' || 'in clear in logs of ' || n.place_name || ', ' || CAST(n.times AS VARCHAR) || CASE WHEN n.times = 1 THEN ' time' ELSE ' times' END || ' (' || s.preview || ')' AS message,
       'secrets:' || key(s.secret_key) || ',secret_sightings:' || n.example AS evidence,
       CASE WHEN s.identity_key IS NULL THEN 'whose secret it is could not be resolved' END AS gap,
       CAST(x.blast AS DOUBLE) AS rank_score, n.first_seen_at AS first_seen_at
FROM seen n
JOIN secrets s ON s.secret_key = n.secret_key
LEFT JOIN secret_scores x ON x.secret_key = s.secret_key
