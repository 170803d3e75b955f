-- ---
-- id: shared-runner-across-trust-zones
-- severity: high
-- requires: jobs[runner_name IS NOT NULL], trigger_decisions
-- rationale: What code of low trust leaves on a lasting runner meets the next job there, with its secrets.
-- remediation: Give each trust zone a runner group of its own, or make runners anew for each job.
-- ---
WITH used AS (
  SELECT r.platform, split_part(r.repo, '/', 1) AS owner, j.runner_name, r.repo, r.visibility, j.job_key, j.started_at,
         d.class = 'UNTRUSTED' AS of_outsiders,
         d.class = 'SELF' AND coalesce(d.event, '') IN ('pull_request', 'merge_request_event', 'pullRequest') AS unmerged,
         coalesce(d.holds_privilege, false) AS privileged, d.tp
  FROM jobs j
  JOIN runs r ON r.run_key = j.run_key
  JOIN trigger_decisions d ON d.job_key = j.job_key
  WHERE j.runner_kind = 'self_hosted' AND j.runner_name IS NOT NULL AND r.repo IS NOT NULL AND NOT coalesce(array_has(j.labels, 'ephemeral'), false)),
zones AS (
  SELECT platform, owner, runner_name, count(DISTINCT repo) AS repos, min(started_at) AS first_seen_at, max(tp) AS tp,
         bool_or(of_outsiders) AS outsiders, bool_or(unmerged) AS unmerged, bool_or(privileged AND NOT of_outsiders AND NOT unmerged) AS privileged,
         bool_or(coalesce(visibility, '') = 'public') AND bool_or(coalesce(visibility, '') IN ('private', 'internal')) AS mixed,
         min(CASE WHEN of_outsiders OR unmerged THEN key(job_key) END) AS low, min(CASE WHEN privileged AND NOT of_outsiders AND NOT unmerged THEN key(job_key) END) AS high,
         min(key(job_key)) AS any_job
  FROM used GROUP BY platform, owner, runner_name)
SELECT owner || ' ' || runner_name AS subject, CAST(NULL AS BYTEA) AS subject_key, CAST(NULL AS VARCHAR) AS object,
       CASE WHEN outsiders AND privileged THEN 'high' ELSE 'medium' END AS severity, 'medium' AS confidence,
       'runner ' || runner_name || ' of ' || owner || ' ran ' ||
       CASE WHEN outsiders AND privileged THEN 'what outsiders start and privileged jobs' WHEN unmerged AND privileged THEN 'unmerged changes and privileged jobs' ELSE 'jobs of public and of private repositories' END ||
       ' (' || CAST(repos AS VARCHAR) || CASE WHEN repos = 1 THEN ' repository)' ELSE ' repositories)' END AS message,
       'jobs:' || coalesce(low, any_job) || coalesce(',jobs:' || high, '') AS evidence, 'whether the runner is made anew for each job is not on record' AS gap,
       tp AS rank_score, first_seen_at
FROM zones
WHERE (outsiders OR unmerged) AND privileged OR mixed
