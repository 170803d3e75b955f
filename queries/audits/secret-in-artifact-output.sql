-- ---
-- id: secret-in-artifact-output
-- severity: high
-- requires: jobs[has_log]
-- rationale: Job outputs are stored with the run; the runner drops those it recognises, which shows that a secret was about to be handed on.
-- remediation: Do not pass secrets as job outputs; let the consuming job read them itself.
-- ---
SELECT j.name AS subject, j.job_key AS subject_key, i.name AS object,
       CAST(NULL AS VARCHAR) AS severity, 'high' AS confidence,
       'job ' || j.name || ' of ' || coalesce(r.repo, 'an unknown repository') || ' tried to hand on output ' || i.name || ', which holds a masked secret' AS message,
       'handoffs:' || key(h.handoff_key) || ',jobs:' || key(j.job_key) AS evidence,
       CAST(NULL AS VARCHAR) AS gap, CAST(NULL AS DOUBLE) AS rank_score, h.sent_at AS first_seen_at
FROM handoff_inputs i
JOIN handoffs h ON h.handoff_key = i.handoff_key AND h.mechanism = 'job_output'
JOIN jobs j ON j.job_key = h.parent_job_key
LEFT JOIN runs r ON r.run_key = j.run_key
WHERE i.value_class = 'masked'
