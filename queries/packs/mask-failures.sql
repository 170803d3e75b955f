-- Values that a job masked in one place and showed in another, with the encoding that let them through and what the
-- platform's masker would have done with it: `masked` means that it was not registered when the line was printed.
SELECT r.repo, r.workflow_name, g.name AS variable, s.kind, array_to_string(g.encodings, ' in ') AS encoding,
       g.mask_simulation, g.mask_form, g.place, g.path, g.line
FROM secret_sightings g
JOIN secrets s ON s.secret_key = g.secret_key
LEFT JOIN runs r ON r.run_key = g.run_key
WHERE g.masked_elsewhere OR g.mask_simulation = 'missed'
ORDER BY r.repo, g.path, g.line;
