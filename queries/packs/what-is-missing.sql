-- What could not be judged, and which evidence would settle it.
SELECT analytic, gap, effect, count(*) AS rows FROM score_gaps GROUP BY analytic, gap, effect
UNION ALL
SELECT analytic, gap, effect, count(*) AS rows FROM evidence_gaps GROUP BY analytic, gap, effect
ORDER BY rows DESC, analytic, gap;
