-- Values that a job masked in one place and showed in another, with the encoding that let them through.
SELECT r.repo, r.workflow_name, g.name AS variable, s.kind, array_to_string(g.encodings, ' in ') AS encoding, g.place, g.path, g.line
FROM secret_sightings g
JOIN secrets s ON s.secret_key = g.secret_key
LEFT JOIN runs r ON r.run_key = g.run_key
WHERE g.masked_elsewhere
ORDER BY r.repo, g.path, g.line;
