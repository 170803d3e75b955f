-- Excess privilege of accounts, weighted by environment, and how many NHIs it rests on: those without usage evidence are counted apart.
SELECT coalesce(platform, 'all') AS platform, account, nhis, with_usage, inactive,
       round(excess_low, 1) AS excess_low, round(excess, 1) AS excess, round(excess_high, 1) AS excess_high
FROM privilege_totals
ORDER BY excess_low DESC NULLS LAST, platform, account;
