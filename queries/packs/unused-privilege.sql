-- What NHIs used, tried and no longer use: one row per identity and action, refused attempts first.
SELECT identity, action, usage, granted, class, calls, denied_calls, last_at, array_to_string(sources, ', ') AS sources
FROM nhi_usage
ORDER BY CASE usage WHEN 'denied' THEN 0 WHEN 'stale' THEN 1 ELSE 2 END, identity, action;
