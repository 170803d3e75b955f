-- ---
-- id: trigger-without-approval
-- severity: high
-- requires: trigger_decisions
-- rationale: A privileged run that a schedule, a program or its own author started was let pass by nobody.
-- remediation: Let the job deploy to an environment with required reviewers who may not review their own runs, and allow protected branches only.
-- ---
SELECT coalesce(r.repo, '') || ' ' || coalesce(r.workflow_path, r.workflow_name, 'unknown workflow') AS subject, CAST(NULL AS BYTEA) AS subject_key, d.class AS object,
       CASE WHEN bool_or(coalesce(array_has(d.checks, 'gate_without_review'), false) OR lower(coalesce(d.environment, '')) LIKE '%prod%') THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN bool_or(array_has(d.gaps, 'no_approvals')) THEN 'medium' ELSE 'high' END AS confidence,
       coalesce(r.workflow_path, r.workflow_name, 'a workflow') || ' of ' || coalesce(r.repo, 'an unknown repository') || ' ran with privilege, and ' ||
       CASE d.class WHEN 'TIME_ONLY' THEN 'only a schedule' WHEN 'MACHINE' THEN 'only a program' WHEN 'CONDITION_ONLY' THEN 'only a condition' WHEN 'SELF' THEN 'only who made or dispatched it' ELSE 'no review on record, though the environment asks for one,' END ||
       ' let it start (' || CAST(count(DISTINCT d.run_key) AS VARCHAR) || ' runs)' AS message,
       'trigger_decisions:' || min(key(d.decision_key)) || ',runs:' || min(key(d.run_key)) AS evidence,
       CASE WHEN bool_or(array_has(d.gaps, 'no_approvals')) THEN 'a review that is not on record may have stood before it' END AS gap,
       coalesce(max(d.tp), max(d.tp_low)) AS rank_score, min(r.created_at) AS first_seen_at
FROM trigger_decisions d
JOIN runs r ON r.run_key = d.run_key
WHERE d.job_key IS NOT NULL AND d.holds_privilege
  AND NOT coalesce(array_has(d.checks, 'self_review'), false)
  AND (d.class IN ('TIME_ONLY', 'MACHINE', 'CONDITION_ONLY', 'SELF') OR array_has(d.checks, 'gate_without_review'))
GROUP BY r.repo, r.workflow_path, r.workflow_name, d.class
