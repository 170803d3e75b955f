//! One question: may this identity do this to that?

use crate::Decision;
use crate::condition::never_holds;
use crate::pattern::{covers, matches_wildcards};
use crate::{github, roles};
use leakgraph_model::Key;
use leakgraph_model::tables::Grant;
use std::collections::{BTreeMap, HashMap};

/// The answer and the statements it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// No, May or Yes.
    pub decision: Decision,
    /// Keys of the grants that decide.
    pub deciding: Vec<Key>,
}

/// Whether `identity` may do `action` on `resource`, from its grants.
///
/// The identity's side only: a policy of the resource may allow or deny it too, and must
/// allow it where the resource belongs to another account.
pub fn can(identity: Key, grants: &[Grant], action: &str, resource: &str) -> Answer {
    let own: Vec<&Grant> = grants.iter().filter(|grant| grant.identity_key == identity).collect();
    let contents = roles::contents(&own);
    decide(&resolved(&own, &contents), action, resource)
}

/// Grants, with the contents of the roles they name.
pub(crate) fn resolved<'g>(own: &[&'g Grant], contents: &'g HashMap<Key, Vec<Grant>>) -> Vec<&'g Grant> {
    let rows = |grant: &&'g Grant| {
        contents.get(&grant.grant_key).map_or(std::slice::from_ref(*grant), Vec::as_slice)
    };
    own.iter().flat_map(rows).collect()
}

/// Policies that allow of themselves.
pub(crate) const OWN: [&str; 3] = ["identity", "group", "permission"];
/// Policies that only limit what others allow.
pub(crate) const CEILINGS: [&str; 4] = ["boundary", "scp", "rcp", "session"];

/// [`can`], from the grants of one identity.
pub(crate) fn decide(own: &[&Grant], action: &str, resource: &str) -> Answer {
    let mut deciding = Vec::new();
    let mut strongest = |effect: &str, grants: &[&Grant]| {
        // What is not understood may be either.
        let is_concerned = |grant: &&&Grant| match effect {
            "deny" => may_deny(grant),
            effect => grant.effect == effect || !grant.understood,
        };
        let decisions = grants.iter().filter(is_concerned).map(|grant| {
            let decision = applies(grant, action, resource);
            if decision > Decision::No {
                deciding.push(grant.grant_key);
            }
            decision
        });
        decisions.max().unwrap_or(Decision::No)
    };
    let of = |kinds: &[&str]| -> Vec<&Grant> {
        own.iter().copied().filter(|grant| kinds.contains(&grant.policy_kind.as_str())).collect()
    };
    let mut decision = strongest("allow", &of(&OWN));
    for limits in CEILINGS.iter().flat_map(|ceiling| levels(of(&[ceiling]))) {
        decision = decision.min(strongest("allow", &limits));
    }
    let denied = strongest("deny", &[of(&OWN), of(&CEILINGS)].concat());
    decision = decision.min(unless(denied));
    deciding.sort();
    deciding.dedup();
    Answer { decision, deciding }
}

/// What is left where a deny applies.
fn unless(denied: Decision) -> Decision {
    match denied {
        Decision::Yes => Decision::No,
        Decision::May => Decision::May,
        Decision::No => Decision::Yes,
    }
}

/// The statements of one kind of ceiling, level by level: root, units and account have to
/// allow each.
pub(crate) fn levels(grants: Vec<&Grant>) -> Vec<Vec<&Grant>> {
    let mut levels: BTreeMap<Option<&str>, Vec<&Grant>> = BTreeMap::new();
    for grant in grants {
        levels.entry(grant.level.as_deref()).or_default().push(grant);
    }
    levels.into_values().collect()
}

/// What these ceilings and all denies leave of an allow that comes from elsewhere.
pub(crate) fn left(own: &[&Grant], ceilings: &[&str], action: &str, resource: &str) -> Decision {
    let strongest = |grants: &[&Grant], is_concerned: fn(&Grant) -> bool| {
        let concerned = grants.iter().filter(|grant| is_concerned(grant));
        concerned.map(|grant| applies(grant, action, resource)).max().unwrap_or(Decision::No)
    };
    let may_allow = |grant: &Grant| grant.effect == "allow" || !grant.understood;
    let limits = ceilings.iter().flat_map(|ceiling| {
        levels(own.iter().copied().filter(|grant| grant.policy_kind == *ceiling).collect())
    });
    let least = limits.map(|limits| strongest(&limits, may_allow)).min().unwrap_or(Decision::Yes);
    least.min(unless(strongest(own, may_deny)))
}

/// Whether a statement denies, or may do so because it is not understood. Roles of
/// Kubernetes, Google Cloud and Azure only ever permit.
pub(crate) fn may_deny(grant: &Grant) -> bool {
    let only_permits = matches!(grant.platform.as_str(), crate::kubernetes::PLATFORM | "gcp" | "azure");
    grant.effect == "deny" || !grant.understood && !only_permits
}

/// Whether a statement applies to the action and the resource.
pub(crate) fn applies(grant: &Grant, action: &str, resource: &str) -> Decision {
    // What is not understood may say anything; of a rule of RBAC at least the scope is known.
    if !grant.understood && grant.platform != crate::kubernetes::PLATFORM {
        return Decision::May;
    }
    let action = action.to_ascii_lowercase();
    let is_github = grant.platform == github::PLATFORM;
    let names = grant.actions.iter().any(|pattern| {
        let pattern = pattern.to_ascii_lowercase();
        matches_wildcards(&pattern, &action) || is_github && github::includes(&pattern, &action)
    });
    if names == grant.not_actions || never_holds(grant) {
        return Decision::No;
    }
    let covers = if is_github { github::covers } else { covers };
    let best = grant.resources.iter().map(|pattern| covers(pattern, resource)).max().unwrap_or(Decision::No);
    let on = match (grant.not_resources, best) {
        (false, decision) => decision,
        (true, Decision::Yes) => Decision::No,
        (true, Decision::No) => Decision::Yes,
        (true, Decision::May) => Decision::May,
    };
    if grant.conditions.is_some() || !grant.understood { on.min(Decision::May) } else { on }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_and_denies_decide() {
        let grant = |effect: &str, action: &str, resource: &str| Grant {
            policy_kind: "identity".to_owned(),
            effect: effect.to_owned(),
            actions: vec![action.to_owned()],
            resources: vec![resource.to_owned()],
            understood: true,
            grant_key: Key::of("grant", &[effect, action, resource]),
            ..Grant::default()
        };
        let grants =
            [grant("allow", "s3:Get*", "arn:aws:s3:::a/*"), grant("deny", "s3:*", "arn:aws:s3:::a/secret/*")];
        let ask = |resource: &str| can(Key::default(), &grants, "s3:GetObject", resource).decision;
        assert_eq!(ask("arn:aws:s3:::a/x"), Decision::Yes);
        assert_eq!(ask("arn:aws:s3:::a/secret/x"), Decision::No);
        assert_eq!(ask("arn:aws:s3:::b/x"), Decision::No);
        assert_eq!(can(Key::default(), &grants, "s3:GetObject", "arn:aws:s3:::a/x").deciding.len(), 1);
    }

    /// A role that no file defines takes nothing away from another one.
    #[test]
    fn an_unknown_role_of_a_cloud_denies_nothing() {
        let grant = |platform: &str, action: &str, understood: bool| Grant {
            policy_kind: "permission".to_owned(),
            platform: platform.to_owned(),
            effect: "allow".to_owned(),
            actions: vec![action.to_owned()],
            resources: vec!["*".to_owned()],
            understood,
            ..Grant::default()
        };
        for (platform, expected) in
            [("gcp", Decision::Yes), ("azure", Decision::Yes), ("vault", Decision::May)]
        {
            let grants = [grant(platform, "a.get", true), grant(platform, "roles/unknown", false)];
            assert_eq!(can(Key::default(), &grants, "a.get", "r").decision, expected, "{platform}");
            assert_eq!(can(Key::default(), &grants, "b.get", "r").decision, Decision::May, "{platform}");
        }
    }

    #[test]
    fn every_level_has_to_allow() {
        let grant = |kind: &str, level: Option<&str>, action: &str| Grant {
            policy_kind: kind.to_owned(),
            level: level.map(str::to_owned),
            effect: "allow".to_owned(),
            actions: vec![action.to_owned()],
            resources: vec!["*".to_owned()],
            understood: true,
            ..Grant::default()
        };
        let ask = |at_account: &str| {
            let grants = [
                grant("identity", None, "*"),
                grant("scp", Some("r-root"), "*"),
                grant("scp", Some("123456789012"), at_account),
            ];
            can(Key::default(), &grants, "s3:GetObject", "arn:aws:s3:::a/x").decision
        };
        assert_eq!(ask("*"), Decision::Yes);
        assert_eq!(ask("ec2:*"), Decision::No);
    }
}
