-- Permissions of job tokens that no run shows in use, and those whose use nothing could show: what to cut from `permissions:` first.
SELECT repo, workflow, job, runs, array_to_string(granted, ', ') AS granted, array_to_string(used, ', ') AS used,
       array_to_string(unneeded, ', ') AS unneeded, array_to_string(unobserved, ', ') AS unobserved,
       round(excess_low, 1) AS excess_low, round(excess_high, 1) AS excess_high
FROM token_scores
WHERE coalesce(array_length(unneeded), 0) > 0 OR coalesce(array_length(unobserved), 0) > 0
ORDER BY excess_low DESC NULLS LAST, excess_high DESC NULLS LAST, repo, workflow, job;
