-- table: handoff_scores
-- key: handoff_key
-- restates: the explanatory factors, controls and coverage of handoffs from what was seen of jobs, secrets and reviews.
WITH RECURSIVE life AS (
  SELECT split_part(name, '.', 2) AS lifetime, value FROM score_weights WHERE name LIKE 'lifetime.%'
), side AS (
  SELECT handoff_key, child_job_key AS job_key, true AS child FROM handoffs WHERE child_job_key IS NOT NULL
  UNION ALL
  SELECT h.handoff_key, j.job_key, true FROM handoffs h JOIN jobs j ON j.run_key = h.child_run_key WHERE h.child_job_key IS NULL
  UNION ALL
  SELECT handoff_key, parent_job_key, false FROM handoffs WHERE parent_job_key IS NOT NULL
  UNION ALL
  SELECT h.handoff_key, j.job_key, false FROM handoffs h JOIN jobs j ON j.run_key = h.parent_run_key WHERE h.parent_job_key IS NULL
), step AS (
  -- From a job to the jobs of the handoffs it sends on, but for what another person gates.
  SELECT p.job_key AS above, c.job_key AS below
  FROM handoff_scores s
  JOIN handoffs h ON h.handoff_key = s.handoff_key
  JOIN side p ON p.handoff_key = s.handoff_key AND NOT p.child
  JOIN side c ON c.handoff_key = s.handoff_key AND c.child
  WHERE NOT array_has(s.checks, 'approval') AND h.confidence >= 0.5
), walked AS (
  SELECT handoff_key, job_key, CAST(0 AS BIGINT) AS depth FROM side WHERE child
  UNION
  SELECT w.handoff_key, s.below, w.depth + 1 FROM walked w JOIN step s ON s.above = w.job_key WHERE w.depth < 64
), descent AS (
  SELECT handoff_key, job_key, min(depth) AS depth FROM walked GROUP BY 1, 2
), kind AS (
  SELECT handoff_key,
         CASE WHEN credential_kind = 'app' THEN 'hours'
              WHEN credential_kind IN ('GITHUB_TOKEN', 'job_token', 'System.AccessToken', 'continuation_key') THEN 'ephemeral'
              WHEN credential_kind IN ('pat', 'user', 'service_account', 'trigger_token') THEN 'long' END AS lifetime
  FROM handoffs
), lived AS (
  SELECT job_key AS at,
         CASE how WHEN 'static' THEN 'long' WHEN 'oidc' THEN 'hours' WHEN 'app_token' THEN 'hours' WHEN 'job_token' THEN 'ephemeral' END AS lifetime
  FROM identities_used WHERE how IN ('static', 'oidc', 'app_token', 'job_token')
  UNION ALL
  SELECT x.job_key, coalesce(s.lifetime, 'unknown') FROM secret_sightings x LEFT JOIN secrets s ON s.secret_key = x.secret_key
  UNION ALL
  SELECT x.handoff_key, coalesce(s.lifetime, 'unknown') FROM secret_sightings x LEFT JOIN secrets s ON s.secret_key = x.secret_key
  UNION ALL
  SELECT handoff_key, lifetime FROM kind WHERE lifetime IS NOT NULL
), weight AS (
  SELECT max(value) FILTER (WHERE name = 'exposure.public_log') AS public_log, max(value) FILTER (WHERE name = 'exposure.log') AS log,
         max(value) FILTER (WHERE name = 'exposure.input') AS input, max(value) FILTER (WHERE name = 'exposure.masked') AS masked,
         max(value) FILTER (WHERE name = 'exposure.encoded') AS encoded,
         max(value) FILTER (WHERE name = 'control.approval') AS approval, max(value) FILTER (WHERE name = 'control.pinned_child') AS pinned_child,
         max(value) FILTER (WHERE name = 'control.closed_inputs') AS closed_inputs, max(value) FILTER (WHERE name = 'control.own_identity') AS own_identity,
         max(value) FILTER (WHERE name = 'class.CRED.ceiling') AS secret
  FROM score_weights
), sighted AS (
  SELECT x.job_key, x.handoff_key,
         CASE WHEN x.place = 'handoff_input' THEN w.input WHEN r.visibility = 'public' THEN w.public_log ELSE w.log END
         * CASE WHEN array_length(x.encodings) > 0 THEN w.encoded ELSE 1 END AS exposure
  FROM secret_sightings x LEFT JOIN runs r ON r.run_key = x.run_key CROSS JOIN weight w
  WHERE x.confidence <> 'possible'
), exposed AS (
  SELECT job_key AS at, exposure FROM sighted
  UNION ALL SELECT handoff_key, exposure FROM sighted
  UNION ALL SELECT b.job_key, w.masked FROM bindings b CROSS JOIN weight w WHERE b.state = 'masked'
  UNION ALL SELECT s.handoff_key, w.input FROM handoff_scores s CROSS JOIN weight w WHERE s.secrets_forwarded > 0
), place AS (
  SELECT handoff_key, job_key AS at FROM descent
  UNION SELECT handoff_key, handoff_key AS at FROM handoffs
), worst_life AS (
  SELECT p.handoff_key, max(coalesce(l.value, 1)) AS worst
  FROM place p JOIN lived x ON x.at = p.at LEFT JOIN life l ON l.lifetime = x.lifetime GROUP BY 1
), worst_exposure AS (
  SELECT p.handoff_key, max(x.exposure) AS worst FROM place p JOIN exposed x ON x.at = p.at GROUP BY 1
), below AS (
  SELECT d.handoff_key, count(*) AS descendants, max(d.depth) AS depth, bool_or(coalesce(j.has_log, false)) AS logged
  FROM descent d LEFT JOIN jobs j ON j.job_key = d.job_key GROUP BY 1
), input AS (
  SELECT handoff_key,
         CASE WHEN count(validated) > 0 THEN CAST(count(*) FILTER (WHERE validated) AS DOUBLE) / count(*) END AS validated
  FROM handoff_inputs GROUP BY 1
), permitted AS (
  SELECT s.handoff_key, bool_or(s.child AND p.job_key IS NOT NULL) AS child, bool_or(NOT s.child AND p.job_key IS NOT NULL) AS parent
  FROM side s LEFT JOIN (SELECT DISTINCT job_key FROM token_permissions) p ON p.job_key = s.job_key GROUP BY 1
), gained AS (
  SELECT g.handoff_key, sum(w.value) AS weight
  FROM (SELECT handoff_key, unnest(permissions_added) AS scope FROM handoff_scores) g
  LEFT JOIN catalog_actions a ON a.action = lower(g.scope)
  LEFT JOIN catalog_actions b ON b.action = replace(lower(g.scope), '-', '_')
  JOIN score_weights w ON w.name = concat('class.',
    coalesce(a.class, b.class, CASE WHEN g.scope LIKE '%:write' THEN 'WRITE' ELSE 'READ' END), '.ceiling')
  GROUP BY 1
), asked AS (
  SELECT h.handoff_key,
         h.gate = 'passed' OR a.run_key IS NOT NULL AS approved,
         h.gate IN ('passed', 'none', 'bypassed', 'waiting') AS gate_known,
         h.mechanism = 'workflow_call' OR k.lifetime = 'long'
           OR (k.lifetime IN ('ephemeral', 'hours') AND r.attempt IS NOT NULL
               AND (r.attempt > 1 OR (coalesce(r.created_at, r.started_at) IS NOT NULL AND h.sent_at IS NOT NULL))) AS age_known,
         regexp_like(h.child_ref, '^[0-9a-fA-F]{40}$') AS pinned
  FROM handoffs h JOIN kind k ON k.handoff_key = h.handoff_key LEFT JOIN runs r ON r.run_key = h.child_run_key
  LEFT JOIN (SELECT DISTINCT run_key FROM approvals WHERE state = 'approved' AND NOT self_review) a ON a.run_key = h.child_run_key
)
SELECT s.handoff_key, coalesce(b.descendants, 0) AS descendants, i.validated AS inputs_validated,
       l.worst AS factor_persistence,
       coalesce(e.worst, CASE WHEN i.validated IS NOT NULL OR b.logged THEN 0 END) AS factor_exposure,
       CASE WHEN p.child AND p.parent AND b.descendants > 0 THEN
         (coalesce(g.weight, 0) + w.secret * coalesce(array_length(s.secrets_added), 0))
         / (coalesce(g.weight, 0) + w.secret * coalesce(array_length(s.secrets_added), 0) + 1) END AS factor_widening,
       CASE WHEN b.descendants > 0 THEN 1 - power(0.7, b.depth) END AS factor_depth,
       CASE WHEN a.approved THEN w.approval ELSE 1 END * CASE WHEN a.pinned THEN w.pinned_child ELSE 1 END
       * CASE WHEN i.validated = 1 THEN w.closed_inputs ELSE 1 END
       * CASE WHEN s.identity_mode = 'own' THEN w.own_identity ELSE 1 END AS control_factor,
       (CASE WHEN b.descendants > 0 THEN 1 ELSE 0 END + CASE WHEN p.parent THEN 1 ELSE 0 END + CASE WHEN p.child THEN 1 ELSE 0 END
        + CASE WHEN i.validated IS NOT NULL THEN 1 ELSE 0 END + CASE WHEN a.gate_known OR a.approved THEN 1 ELSE 0 END
        + CASE WHEN a.age_known THEN 1 ELSE 0 END) / 6.0 AS coverage
FROM handoff_scores s
JOIN asked a ON a.handoff_key = s.handoff_key
CROSS JOIN weight w
LEFT JOIN below b ON b.handoff_key = s.handoff_key
LEFT JOIN input i ON i.handoff_key = s.handoff_key
LEFT JOIN worst_life l ON l.handoff_key = s.handoff_key
LEFT JOIN worst_exposure e ON e.handoff_key = s.handoff_key
LEFT JOIN permitted p ON p.handoff_key = s.handoff_key
LEFT JOIN gained g ON g.handoff_key = s.handoff_key
