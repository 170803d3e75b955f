-- Workflows whose job token could write: what was granted, in how many jobs.
SELECT r.repo, r.workflow_name, p.scope, count(DISTINCT p.job_key) AS jobs
FROM token_permissions p
JOIN jobs j ON j.job_key = p.job_key
JOIN runs r ON r.run_key = j.run_key
WHERE p.access = 'write'
GROUP BY r.repo, r.workflow_name, p.scope
ORDER BY jobs DESC, r.repo, r.workflow_name, p.scope;
