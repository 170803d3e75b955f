-- ---
-- id: secret-in-dispatch-input
-- severity: high
-- requires: handoff_inputs
-- rationale: Inputs of a dispatch are stored and shown in clear and are never registered as masks.
-- remediation: Let the child fetch its own secret under its own identity; revoke the forwarded one.
-- ---
WITH seen AS (
  SELECT g.secret_key, coalesce(h.child_repo || ' ' || h.child_workflow, h.child_repo, r.repo, g.path) AS place_name, count(*) AS times, min(key(g.sighting_key)) AS example,
         min(g.seen_at) AS first_seen_at, min(array_to_string(g.encodings, ' in ')) AS encoding, min(g.name) AS name
  FROM secret_sightings g
  LEFT JOIN handoffs h ON h.handoff_key = g.handoff_key
  LEFT JOIN runs r ON r.run_key = g.run_key
  WHERE g.place IN ('handoff_input', 'webhook')
  GROUP BY g.secret_key, coalesce(h.child_repo || ' ' || h.child_workflow, h.child_repo, r.repo, g.path))
SELECT replace(s.kind, '_', ' ') || ' ' || substr(s.fingerprint, 1, 8) AS subject, s.secret_key AS subject_key, n.place_name AS object,
       s.severity AS severity, s.confidence AS confidence,
       replace(s.kind, '_', ' ') || ' ' || 'in input ' || coalesce(n.name, '?') || ' of a dispatch to ' || n.place_name AS message,
       'secrets:' || key(s.secret_key) || ',secret_sightings:' || n.example AS evidence,
       CASE WHEN s.identity_key IS NULL THEN 'whose secret it is could not be resolved' END AS gap,
       CAST(x.blast AS DOUBLE) AS rank_score, n.first_seen_at AS first_seen_at
FROM seen n
JOIN secrets s ON s.secret_key = n.secret_key
LEFT JOIN secret_scores x ON x.secret_key = s.secret_key
