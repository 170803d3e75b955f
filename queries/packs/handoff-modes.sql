-- How child workflows come by their identity, per mechanism: how many, how many fail, the widest reach.
SELECT mechanism, identity_mode, count(*) AS handoffs, sum(CASE WHEN verdict = 'fail' THEN 1 ELSE 0 END) AS failing,
       sum(secrets_forwarded) AS secrets_forwarded, max(blast) AS widest_blast
FROM handoff_scores
GROUP BY mechanism, identity_mode
ORDER BY widest_blast DESC, mechanism, identity_mode;
