-- ---
-- id: third-party-nhi-over-scoped
-- severity: high
-- requires: nhi_lifecycle, nhi_scores
-- rationale: What others control and is over-privileged is as safe as they are: their breach is yours.
-- remediation: Cut it to the repositories and permissions it uses, require an external id, or remove it.
-- ---
SELECT l.identity AS subject, l.identity_key AS subject_key, l.third_party AS object,
       CASE WHEN n.excess_low >= 67 OR n.granted_low >= 67 THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN n.excess_low >= 34 THEN 'high' ELSE 'medium' END AS confidence,
       l.identity || ' is controlled by ' || l.third_party || ' and ' ||
       CASE WHEN n.excess_low IS NULL THEN 'may do ' || CAST(n.actions_must AS VARCHAR) || ' actions' ELSE 'uses ' || CAST(n.actions_used AS VARCHAR) || ' of ' || CAST(n.actions_may AS VARCHAR) || ' actions' END ||
       ', among them ' || array_to_string(n.top_grants, ', ') AS message,
       'nhi_scores:' || key(l.identity_key) || ',' || array_to_string(l.evidence, ',') AS evidence,
       CASE WHEN l.kind = 'app_installation' THEN 'the app may be your own' WHEN n.excess_low IS NULL THEN 'what it uses is not known' END AS gap,
       coalesce(n.excess_low, n.granted_low) AS rank_score, l.created_at AS first_seen_at
FROM nhi_lifecycle l
JOIN nhi_scores n ON n.identity_key = l.identity_key
WHERE l.third_party IS NOT NULL AND l.status <> 'disabled'
  AND (coalesce(n.excess_low, n.granted_low) >= 34
       OR l.kind = 'app_installation' AND EXISTS (
         SELECT 1 FROM grants g WHERE g.identity_key = l.identity_key AND g.effect = 'allow'
           AND array_to_string(g.resources, ' ') LIKE 'repo:%/*%' AND array_to_string(g.actions, ' ') LIKE '%:write%'))
