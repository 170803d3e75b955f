-- table: delegation_paths
-- key: path_key
-- restates: DP = 100·(1 − Π (1 − r)) and its bounds, the noisy-or of privileges, confidence, coverage.
WITH link AS (
  SELECT *, CASE WHEN kind = 'trigger' THEN 3 ELSE 5 END AS asked,
         CASE WHEN array_has(gaps, 'no_permissions') OR array_has(gaps, 'no_child') THEN 0 ELSE 1 END
         + CASE WHEN revalidated IS NOT NULL THEN 1 ELSE 0 END
         + CASE WHEN elapsed_s IS NOT NULL THEN 1 ELSE 0 END
         + CASE WHEN kind <> 'trigger' AND revocable IS NOT NULL THEN 1 ELSE 0 END
         + CASE WHEN kind <> 'trigger' AND scope_change <> 'unknown' THEN 1 ELSE 0 END AS answered
  FROM delegation_links WHERE kind <> 'activity'
), named AS (
  SELECT path_key, kind, privilege, unnest(privileges) AS name FROM link
), weighed AS (
  SELECT n.path_key, n.name,
         max(CASE WHEN n.kind = 'credential' THEN coalesce(n.privilege, 0)
                  WHEN n.name LIKE 'secret:%' THEN s.value
                  ELSE coalesce(w.value, a.value, 1) END) AS weight
  FROM named n
  CROSS JOIN (SELECT value FROM score_weights WHERE name = 'delegation.secret') s
  LEFT JOIN score_weights w ON w.name = concat('delegation.scope.', n.name)
  LEFT JOIN score_weights a ON a.name = concat('delegation.scope.',
    CASE split_part(n.name, ':', 2) WHEN 'admin' THEN 'write' ELSE split_part(n.name, ':', 2) END)
  GROUP BY 1, 2
), held AS (
  SELECT path_key, 1 - exp(sum(ln(1 - weight))) AS privilege FROM weighed GROUP BY 1
)
SELECT l.path_key, count(*) AS links,
       100 * (1 - exp(sum(ln(1 - l.risk)))) AS dp,
       100 * (1 - exp(sum(ln(1 - l.risk_low)))) AS dp_low,
       100 * (1 - exp(sum(ln(1 - l.risk_high)))) AS dp_high,
       CASE WHEN count(l.privilege) > 0 THEN coalesce(max(h.privilege), 0) END AS privilege,
       exp(sum(ln(l.confidence))) AS confidence,
       CAST(sum(l.answered) AS DOUBLE) / sum(l.asked) AS coverage
FROM link l LEFT JOIN held h ON h.path_key = l.path_key GROUP BY 1
