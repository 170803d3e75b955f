//! One question: may this identity do this to that?

use crate::Decision;
use crate::pattern::{covers, matches_wildcards};
use leakgraph_model::Key;
use leakgraph_model::tables::Grant;

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
    let mut deciding = Vec::new();
    let mut strongest = |effect: &str, kinds: &[&str]| -> Option<Decision> {
        let among: Vec<&&Grant> =
            own.iter().filter(|grant| kinds.contains(&grant.policy_kind.as_str())).collect();
        if among.is_empty() {
            return None;
        }
        let mut best = Decision::No;
        // What is not understood may be either.
        let is_concerned = |grant: &&&Grant| match effect {
            "deny" => may_deny(grant),
            effect => grant.effect == effect || !grant.understood,
        };
        for grant in among.into_iter().filter(is_concerned) {
            let decision = applies(grant, action, resource);
            if decision > Decision::No {
                deciding.push(grant.grant_key);
            }
            best = best.max(decision);
        }
        Some(best)
    };
    const ALL: [&str; 7] = ["identity", "group", "permission", "boundary", "scp", "rcp", "session"];
    let denied = strongest("deny", &ALL).unwrap_or(Decision::No);
    let mut decision = strongest("allow", &["identity", "group", "permission"]).unwrap_or(Decision::No);
    for ceiling in ["boundary", "scp", "rcp", "session"] {
        if let Some(limit) = strongest("allow", &[ceiling]) {
            decision = decision.min(limit);
        }
    }
    decision = match denied {
        Decision::Yes => Decision::No,
        Decision::May => decision.min(Decision::May),
        Decision::No => decision,
    };
    deciding.sort();
    deciding.dedup();
    Answer { decision, deciding }
}

/// Whether a statement denies, or may do so because it is not understood. RBAC has no denials.
pub(crate) fn may_deny(grant: &Grant) -> bool {
    grant.effect == "deny" || !grant.understood && grant.platform != crate::kubernetes::PLATFORM
}

/// Whether a statement applies to the action and the resource.
fn applies(grant: &Grant, action: &str, resource: &str) -> Decision {
    // What is not understood may say anything; of a rule of RBAC at least the scope is known.
    if !grant.understood && grant.platform != crate::kubernetes::PLATFORM {
        return Decision::May;
    }
    let action = action.to_ascii_lowercase();
    let names = grant.actions.iter().any(|pattern| matches_wildcards(&pattern.to_ascii_lowercase(), &action));
    if names == grant.not_actions {
        return Decision::No;
    }
    let best = grant.resources.iter().map(|pattern| covers(pattern, resource)).max().unwrap_or(Decision::No);
    let on = match (grant.not_resources, best) {
        (false, decision) => decision,
        (true, Decision::Yes) => Decision::No,
        (true, Decision::No) => Decision::Yes,
        (true, Decision::May) => Decision::May,
    };
    if grant.conditions.is_some() || !grant.understood { on.min(Decision::May) } else { on }
}

/// Whether an explicit deny keeps `identity` from doing `action` on `resource`.
pub(crate) fn denied(identity: Key, grants: &[Grant], action: &str, resource: &str) -> Decision {
    grants
        .iter()
        .filter(|grant| grant.identity_key == identity && may_deny(grant))
        .map(|grant| applies(grant, action, resource))
        .max()
        .unwrap_or(Decision::No)
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
}
