-- table: delegation_links
-- key: path_key, ordinal
-- restates: r = base·w·(1 − a·revalidated)·(1 − b·revocable)·(c if widened), its bounds, and elapsed time.
WITH number AS (
  SELECT max(value) FILTER (WHERE name = 'delegation.privilege') AS base,
         max(value) FILTER (WHERE name = 'delegation.revalidated') AS again,
         max(value) FILTER (WHERE name = 'delegation.revocable') AS mortal,
         max(value) FILTER (WHERE name = 'delegation.widened') AS widened
  FROM score_weights
), link AS (
  SELECT l.*, coalesce(l.privilege, 0) AS w,
         CASE WHEN l.scope_change = 'widened' THEN n.widened ELSE 1 END AS more,
         -- An event has no near side that a run could widen.
         CASE WHEN l.scope_change = 'widened' OR l.scope_change = 'unknown' AND l.kind <> 'trigger' THEN n.widened ELSE 1 END AS most,
         n.base, 1 - n.again AS checked, 1 - n.mortal AS dies
  FROM delegation_links l CROSS JOIN number n
)
SELECT l.path_key, l.ordinal,
       CASE WHEN l.kind = 'activity' THEN 0 ELSE
         least(l.base * l.w * CASE WHEN l.revalidated THEN l.checked ELSE 1 END * CASE WHEN l.revocable THEN l.dies ELSE 1 END * l.more, 1) END AS risk,
       CASE WHEN l.kind = 'activity' THEN 0 ELSE
         least(l.base * l.w * CASE WHEN coalesce(l.revalidated, true) THEN l.checked ELSE 1 END * CASE WHEN coalesce(l.revocable, true) THEN l.dies ELSE 1 END * l.more, 1) END AS risk_low,
       CASE WHEN l.kind = 'activity' THEN 0 ELSE
         least(l.base * CASE WHEN l.may_hold_more THEN 1 ELSE l.w END * CASE WHEN l.revalidated THEN l.checked ELSE 1 END * CASE WHEN l.revocable THEN l.dies ELSE 1 END * l.most, 1) END AS risk_high
FROM link l
