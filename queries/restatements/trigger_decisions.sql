-- table: trigger_decisions
-- key: decision_key
-- restates: TP = 100·privilege·(1 − strength) and its bounds, privilege from what the jobs hold.
WITH number AS (
  SELECT max(value) FILTER (WHERE name = 'privilege.admin') AS admin,
         max(value) FILTER (WHERE name = 'trigger.privileged') AS privileged
  FROM score_weights
), job AS (
  -- Null where neither the token's permissions nor the secrets are on record, and nothing was seen.
  SELECT d.run_key, d.job_key,
         CASE WHEN count(*) FILTER (WHERE h.how = 'unknown') = 2 AND count(h.evidence) = 0 THEN NULL
              ELSE coalesce(max(h.weight), 0) END AS low,
         coalesce(max(h.weight_high), 0) AS high,
         coalesce(bool_or(h.weight >= n.privileged OR h.evidence IS NOT NULL AND h.kind IN ('secret', 'identity', 'all_secrets')), false) AS is_privileged,
         count(*) FILTER (WHERE h.how = 'unknown') = 0 AS is_known
  FROM trigger_decisions d LEFT JOIN job_holdings h ON h.job_key = d.job_key CROSS JOIN number n
  WHERE d.job_key IS NOT NULL GROUP BY 1, 2
), unit AS (
  SELECT run_key, job_key, low, high, is_privileged, is_known FROM job
  UNION ALL
  SELECT run_key, NULL, max(low), max(high), bool_or(is_privileged), bool_and(is_known) FROM job GROUP BY 1
), named AS (
  SELECT d.decision_key, count(DISTINCT h.name) AS secrets
  FROM trigger_decisions d
  JOIN job j ON j.run_key = d.run_key AND (d.job_key IS NULL OR d.job_key = j.job_key)
  JOIN job_holdings h ON h.job_key = j.job_key AND h.kind = 'secret' AND h.evidence IS NOT NULL
  GROUP BY 1
)
SELECT d.decision_key, u.low AS privilege, coalesce(u.high, n.admin) AS privilege_high,
       CASE WHEN u.is_privileged THEN true WHEN u.is_known THEN false END AS holds_privilege,
       coalesce(s.secrets, 0) AS secrets,
       CASE WHEN d.class <> 'UNKNOWN' THEN 100 * u.low * (1 - d.strength) END AS tp,
       100 * coalesce(u.low, 0) * (1 - d.strength_high) AS tp_low,
       100 * coalesce(u.high, n.admin) * (1 - d.strength) AS tp_high
FROM trigger_decisions d
LEFT JOIN unit u ON u.run_key = d.run_key AND u.job_key IS NOT DISTINCT FROM d.job_key
LEFT JOIN named s ON s.decision_key = d.decision_key
CROSS JOIN number n
