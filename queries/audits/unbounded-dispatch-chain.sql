-- ---
-- id: unbounded-dispatch-chain
-- severity: medium
-- requires: jobs
-- rationale: Long chains of workflows lose sight of who asked and what was approved.
-- remediation: Shorten the chain, or re-validate identity and approval at each link.
-- ---
SELECT coalesce(r.repo, '') || ' ' || j.name AS subject, j.job_key AS subject_key, CAST(NULL AS VARCHAR) AS object,
       CAST(NULL AS VARCHAR) AS severity, 'high' AS confidence,
       'job ' || j.name || ' of ' || coalesce(r.repo, 'an unknown repository') || ' is ' || CAST(j.chain_depth AS VARCHAR) || ' calls away from the workflow that was started' AS message,
       'jobs:' || key(j.job_key) AS evidence, CAST(NULL AS VARCHAR) AS gap, CAST(j.chain_depth AS DOUBLE) AS rank_score, j.started_at AS first_seen_at
FROM jobs j
LEFT JOIN runs r ON r.run_key = j.run_key
WHERE j.chain_depth >= 3
