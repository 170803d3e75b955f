-- Every leaked secret with its owner, what the owner may do unused, and how far the secret reaches.
SELECT s.kind, s.preview, s.confidence, i.name AS identity, n.excess, n.excess_low, n.granted_risk,
       x.blast, x.blast_low, x.blast_high, array_to_string(x.top_path, ' > ') AS path, count(g.sighting_key) AS sightings
FROM secrets s
JOIN secret_scores x ON x.secret_key = s.secret_key
LEFT JOIN identities i ON i.identity_key = s.identity_key
LEFT JOIN nhi_scores n ON n.identity_key = s.identity_key
LEFT JOIN secret_sightings g ON g.secret_key = s.secret_key
WHERE s.confidence <> 'possible'
GROUP BY s.kind, s.preview, s.confidence, i.name, n.excess, n.excess_low, n.granted_risk, x.blast, x.blast_low, x.blast_high, array_to_string(x.top_path, ' > ')
ORDER BY x.blast DESC NULLS LAST, n.granted_risk DESC NULLS LAST, s.kind, s.preview;
