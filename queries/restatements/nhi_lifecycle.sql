-- table: nhi_lifecycle
-- key: identity_key
-- restates: standing credentials of each NHI, how many never expire, and the oldest.
SELECT l.identity_key, count(c.credential_key) AS credentials,
       count(*) FILTER (WHERE c.credential_key IS NOT NULL AND c.expires_at IS NULL) AS without_expiry,
       min(coalesce(c.rotated_at, c.created_at)) AS oldest_credential_at
FROM nhi_lifecycle l
LEFT JOIN credentials c ON c.identity_key = l.identity_key AND c.status <> 'inactive'
GROUP BY 1
