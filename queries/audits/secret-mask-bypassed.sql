-- ---
-- id: secret-mask-bypassed
-- severity: high
-- requires: bindings
-- rationale: The platform knew the value as a secret and masked it elsewhere, yet it was printed.
-- remediation: Revoke the credential; find the transformation (JSON field, encoding, multi-line value) that escapes the mask, and register what is derived from secrets with add-mask before it is used.
-- ---
-- Bindings shown as a mask, by the name of the variable in the job.
WITH named AS (
  SELECT b.job_key, lower(b.name) AS name, min(s.started_at) AS started_at
  FROM bindings b JOIN steps s ON s.step_key = b.step_key
  WHERE b.state = 'masked' AND b.place <> 'with' GROUP BY b.job_key, lower(b.name)),
given AS (
  SELECT step_key, min(name) AS name FROM bindings WHERE state = 'masked' AND guessed_kind <> 'none' GROUP BY step_key),
-- 1: a form that the masker misses. 2: before the mask was set. 3: encoded, by a step that was given a masked secret.
-- 5: a value that the masker would have caught, so the masked one of that name is another.
judged AS (
  SELECT g.*, w.name AS given_name,
         CASE WHEN g.masked_elsewhere AND coalesce(g.mask_simulation, 'missed') <> 'masked' THEN 1
              WHEN g.masked_elsewhere AND g.seen_at < n.started_at THEN 2
              WHEN NOT g.masked_elsewhere AND array_length(g.encodings) > 0 AND g.mask_simulation = 'missed' AND w.name IS NOT NULL THEN 3
              WHEN g.masked_elsewhere THEN 5 END AS how
  FROM secret_sightings g
  LEFT JOIN named n ON n.job_key = g.job_key AND n.name = lower(g.name)
  LEFT JOIN given w ON w.step_key = g.step_key
  WHERE g.place NOT IN ('handoff_input', 'webhook', 'job_output')),
-- 4: in another place the same value is known to be masked.
registered AS (SELECT secret_key, min(name) AS name FROM judged WHERE how IN (1, 2) GROUP BY secret_key),
placed AS (
  SELECT j.secret_key, coalesce(r.repo, j.path) AS place_name, j.sighting_key, j.seen_at, coalesce(j.how, 4) AS how, j.mask_form AS form,
         array_to_string(j.encodings, ' in ') AS encoding, CASE WHEN j.how = 3 THEN j.given_name WHEN j.how IS NULL THEN k.name ELSE j.name END AS name
  FROM judged j LEFT JOIN registered k ON k.secret_key = j.secret_key LEFT JOIN runs r ON r.run_key = j.run_key
  WHERE j.how IS NOT NULL OR k.secret_key IS NOT NULL),
-- Of each secret and place the surest sighting.
ranked AS (
  SELECT p.*, min(seen_at) OVER (PARTITION BY secret_key, place_name) AS first_seen_at,
         row_number() OVER (PARTITION BY secret_key, place_name ORDER BY how, seen_at, sighting_key) AS turn
  FROM placed p)
SELECT replace(s.kind, '_', ' ') || ' ' || substr(s.fingerprint, 1, 8) AS subject, s.secret_key AS subject_key, n.place_name AS object,
       CASE WHEN n.how = 5 THEN 'medium' ELSE s.severity END AS severity,
       CASE WHEN n.how = 5 OR n.how = 3 AND s.confidence = 'possible' THEN 'possible' WHEN n.how = 3 THEN 'likely' ELSE s.confidence END AS confidence,
       replace(s.kind, '_', ' ') || ' printed by a job of ' || n.place_name ||
       CASE n.how
         WHEN 1 THEN ' that shows ' || coalesce(n.name, 'it') || ' masked elsewhere' || CASE WHEN n.form IS NULL THEN '' ELSE ': the masker misses ' || replace(n.form, '_', ' ') END
         WHEN 2 THEN ' before ' || coalesce(n.name, 'it') || ' was masked'
         WHEN 3 THEN ' as ' || n.encoding || ', by a step that was given ' || n.name || ' masked'
         WHEN 4 THEN ', and masked as ' || coalesce(n.name, 'a secret') || ' in another place'
         ELSE ' that shows ' || coalesce(n.name, 'it') || ' masked elsewhere: the masker would have caught it, so it is another value of that name' END AS message,
       'secrets:' || key(s.secret_key) || ',secret_sightings:' || key(n.sighting_key) AS evidence,
       CASE WHEN s.identity_key IS NULL THEN 'whose secret it is could not be resolved' END AS gap,
       CAST(x.blast AS DOUBLE) AS rank_score, n.first_seen_at AS first_seen_at
FROM ranked n
JOIN secrets s ON s.secret_key = n.secret_key
LEFT JOIN secret_scores x ON x.secret_key = s.secret_key
WHERE n.turn = 1
