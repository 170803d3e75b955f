-- ---
-- id: long-lived-credential
-- severity: medium
-- requires: bindings | identities_used
-- rationale: A static cloud key in a job lives until someone rotates it; workload identity (OIDC) lives minutes.
-- remediation: Trust the repository by OIDC and remove the stored key.
-- ---
SELECT coalesce(r.repo, j.name) AS subject, CAST(NULL AS BYTEA) AS subject_key, b.name AS object,
       CAST(NULL AS VARCHAR) AS severity, 'medium' AS confidence,
       'jobs of ' || coalesce(r.repo, 'an unknown repository') || ' authenticate to a cloud with the static secret ' || b.name || ' (' || CAST(count(*) AS VARCHAR) || ' bindings)' AS message,
       'bindings:' || min(key(b.binding_key)) AS evidence,
       'the secret''s name tells its kind; the value is masked' AS gap, CAST(count(*) AS DOUBLE) AS rank_score, min(r.created_at) AS first_seen_at
FROM bindings b
JOIN jobs j ON j.job_key = b.job_key
LEFT JOIN runs r ON r.run_key = j.run_key
WHERE b.state = 'masked' AND b.guessed_kind = 'cloud_key' AND lower(b.name) NOT LIKE '%session_token%'
  AND NOT EXISTS (SELECT 1 FROM identities_used u WHERE u.job_key = b.job_key AND u.how = 'oidc')
GROUP BY coalesce(r.repo, j.name), r.repo, b.name
UNION ALL
SELECT l.identity AS subject, l.identity_key AS subject_key, array_to_string(l.repositories, ', ') AS object,
       CAST(NULL AS VARCHAR) AS severity, 'high' AS confidence,
       'jobs of ' || array_to_string(l.repositories, ', ') || ' act as ' || l.identity || ', whose credentials never expire (' || CAST(l.without_expiry AS VARCHAR) || ')' AS message,
       array_to_string(l.evidence, ',') AS evidence, CAST(NULL AS VARCHAR) AS gap,
       CAST(array_length(l.workflows) AS DOUBLE) AS rank_score, l.oldest_credential_at AS first_seen_at
FROM nhi_lifecycle l
WHERE l.without_expiry > 0 AND coalesce(array_length(l.repositories), 0) > 0 AND l.platform IN ('aws', 'gcp', 'azure')
  AND EXISTS (SELECT 1 FROM identities_used u WHERE u.identity_key = l.identity_key AND u.how = 'static')
