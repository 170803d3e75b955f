-- table: privilege_totals
-- key: platform, account
-- restates: Σ wX / Σ w over the identities whose use is known, w by the criticality of their environment.
WITH nhi AS (
  SELECT i.platform,
         coalesce(i.account, CASE WHEN i.native_id LIKE 'arn:%' THEN nullif(split_part(i.native_id, ':', 5), '') END) AS account,
         coalesce(w.value, 1) AS w, s.excess, s.excess_low, s.excess_high, s.inactive,
         s.excess IS NOT NULL AND s.excess_low IS NOT NULL AND s.excess_high IS NOT NULL AS is_known
  FROM nhi_scores s
  JOIN identities i ON i.identity_key = s.identity_key
  LEFT JOIN score_weights w ON w.name = concat('criticality.', lower(i.environment))
), place AS (
  SELECT * FROM nhi
  UNION ALL
  SELECT NULL, NULL, w, excess, excess_low, excess_high, inactive, is_known FROM nhi
)
SELECT platform, account, count(*) AS nhis,
       sum(CASE WHEN is_known THEN 1 ELSE 0 END) AS with_usage,
       sum(CASE WHEN is_known AND inactive THEN 1 ELSE 0 END) AS inactive,
       coalesce(sum(w) FILTER (WHERE is_known), 0) AS weight,
       sum(w * excess) FILTER (WHERE is_known) / sum(w) FILTER (WHERE is_known) AS excess,
       sum(w * excess_low) FILTER (WHERE is_known) / sum(w) FILTER (WHERE is_known) AS excess_low,
       sum(w * excess_high) FILTER (WHERE is_known) / sum(w) FILTER (WHERE is_known) AS excess_high
FROM place GROUP BY 1, 2
