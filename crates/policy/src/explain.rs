//! The statements on which an answer rests, and what is not known about them.

use crate::answer::{CEILINGS, OWN, applies, decide, levels, may_deny, resolved};
use crate::catalog::Catalog;
use crate::{Decision, roles};
use leakgraph_model::Key;
use leakgraph_model::tables::Grant;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// A statement that decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deciding {
    /// Name or ARN of the policy, binding or kind of token.
    pub policy: String,
    /// identity, group, permission, boundary, scp, rcp, session.
    pub policy_kind: String,
    /// Root, unit or account a control policy is attached to.
    pub level: Option<String>,
    /// Sid or position.
    pub statement: String,
    /// allow, deny.
    pub effect: String,
    /// Whether it surely applies.
    #[serde(serialize_with = "as_word")]
    pub applies: Decision,
    /// Why it is not sure; empty if it is.
    pub because: Vec<String>,
}

/// An answer, with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// No, May or Yes.
    #[serde(serialize_with = "as_word")]
    pub decision: Decision,
    /// The action as it was understood.
    pub action: String,
    /// The resource as it was understood.
    pub resource: String,
    /// What decides, denies first.
    pub statements: Vec<Deciding>,
    /// What no statement says, and what the inventory does not show.
    pub notes: Vec<String>,
}

fn as_word<S: serde::Serializer>(decision: &Decision, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(decision.as_str())
}

/// Whether `identity`, of a platform, may do `action` on `resource`, and which statements say so.
///
/// AWS: `s3:GetObject` on an ARN; what acts on no resource of its own is asked of `*`.
/// Kubernetes: `get secrets`, `create deployments.apps/scale`, `core/secrets:get` on
/// `namespace/name`, `namespace/*` or `*`; `get /healthz` for URLs. GitHub: `contents:write` or
/// a scope on `owner/name`. See [`crate::can`] for what is not looked at.
pub fn explain(identity: Key, platform: &str, grants: &[Grant], action: &str, resource: &str) -> Explanation {
    let (action, resource) = understood(platform, action, resource);
    let own: Vec<&Grant> = grants.iter().filter(|grant| grant.identity_key == identity).collect();
    let contents = roles::contents(&own);
    let own = resolved(&own, &contents);
    let decision = decide(&own, &action, &resource).decision;
    let mut found: Vec<(bool, Decision, &Grant)> = own
        .iter()
        .filter(|grant| {
            OWN.contains(&grant.policy_kind.as_str()) || CEILINGS.contains(&grant.policy_kind.as_str())
        })
        .map(|grant| (grant.effect == "deny", applies(grant, &action, &resource), *grant))
        .filter(|(_, applies, _)| *applies > Decision::No)
        .collect();
    let is_denied = found.iter().any(|(deny, applies, _)| *deny && *applies == Decision::Yes);
    if is_denied {
        found.retain(|(deny, applies, _)| *deny && *applies == Decision::Yes);
    } else if decision == Decision::Yes {
        found.retain(|(_, applies, _)| *applies == Decision::Yes);
    }
    found.sort_by_key(|(deny, applies, grant)| (!*deny, std::cmp::Reverse(*applies), grant.grant_key));
    let mut notes = if is_denied { Vec::new() } else { silent(&own, &action, &resource) };
    if own.is_empty() {
        notes.push("the inventory has no policy of this identity".to_owned());
    }
    if platform == "aws" {
        notes.push("policies of the resource are not looked at".to_owned());
    }
    let statements =
        found.into_iter().map(|(_, applies, grant)| deciding(grant, applies, &resource)).collect();
    Explanation { decision, action, resource, statements, notes }
}

/// Kinds of policies that would have to allow it and of which no statement does.
fn silent(own: &[&Grant], action: &str, resource: &str) -> Vec<String> {
    let allows = |grants: &[&Grant]| {
        let mut concerned = grants.iter().filter(|grant| grant.effect == "allow" || !grant.understood);
        concerned.any(|grant| applies(grant, action, resource) > Decision::No)
    };
    let of = |kinds: &[&str]| -> Vec<&Grant> {
        own.iter().copied().filter(|grant| kinds.contains(&grant.policy_kind.as_str())).collect()
    };
    let mut notes = Vec::new();
    if !own.is_empty() && !allows(&of(&OWN)) {
        notes.push("no statement of its own or of its groups allows it".to_owned());
    }
    for ceiling in CEILINGS {
        for limits in levels(of(&[ceiling])) {
            if !allows(&limits) {
                let level = limits.first().and_then(|grant| grant.level.as_deref());
                let at = level.map(|level| format!(" at {level}")).unwrap_or_default();
                notes.push(format!("nothing of the {ceiling}{at} allows it"));
            }
        }
    }
    notes
}

fn deciding(grant: &Grant, applies: Decision, resource: &str) -> Deciding {
    let unknown_effect = !grant.understood && may_deny(grant) && grant.effect != "deny";
    Deciding {
        policy: grant.policy.clone(),
        policy_kind: grant.policy_kind.clone(),
        level: grant.level.clone(),
        statement: grant.statement.clone(),
        effect: if unknown_effect { "unknown" } else { &grant.effect }.to_owned(),
        applies,
        because: if applies == Decision::Yes { Vec::new() } else { because(grant, resource) },
    }
}

fn because(grant: &Grant, resource: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if !grant.understood {
        reasons.push("its document is missing or malformed".to_owned());
    }
    if let Some(text) = &grant.conditions {
        let keys = condition_keys(text);
        reasons.push(if keys.is_empty() {
            "a condition".to_owned()
        } else {
            format!("depends on {}", keys.join(", "))
        });
    }
    let variables = grant.resources.iter().any(|pattern| pattern.contains("${"));
    if variables {
        reasons.push("a variable in the resource".to_owned());
    }
    if grant.platform == crate::github::PLATFORM
        && grant.resources.iter().any(|pattern| crate::github::covers(pattern, resource) == Decision::May)
    {
        reasons.push("which repositories are selected is not in the inventory".to_owned());
    }
    reasons
}

/// Keys of an AWS condition block, `{"StringEquals": {"aws:PrincipalTag/team": …}}`; the members
/// of any other object; each once.
fn condition_keys(text: &str) -> Vec<String> {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let mut keys = BTreeSet::new();
    let blocks = match &value {
        Value::Array(list) => list.iter().collect(),
        other => vec![other],
    };
    for (name, inner) in blocks.into_iter().filter_map(Value::as_object).flatten() {
        match inner.as_object() {
            Some(inner) => keys.extend(inner.keys().cloned()),
            None => {
                keys.insert(name.clone());
            }
        }
    }
    keys.into_iter().collect()
}

/// The question in the words of grants.
fn understood(platform: &str, action: &str, resource: &str) -> (String, String) {
    match platform {
        "aws" => {
            let catalog = Catalog::get();
            // Such requests are authorised on `*` only.
            let is_whole = catalog.id(action).is_some() && catalog.aws_resources(action).is_empty();
            (action.to_owned(), if is_whole { "*" } else { resource }.to_owned())
        }
        crate::kubernetes::PLATFORM => (of_cluster(action), resource.to_owned()),
        crate::github::PLATFORM if !resource.contains(':') && resource != "*" => {
            (action.to_owned(), format!("repo:{resource}"))
        }
        _ => (action.to_owned(), resource.to_owned()),
    }
}

/// `get secrets` as `core/secrets:get`, `create deployments.apps/scale` as
/// `apps/deployments/scale:create`; URLs and what has a colon stay.
fn of_cluster(action: &str) -> String {
    let Some((verb, object)) = action.split_once(' ') else { return action.to_owned() };
    let object = object.trim();
    if object.starts_with('/') || action.contains(':') {
        return action.to_owned();
    }
    let (kind, subresource) = match object.split_once('/') {
        Some((kind, subresource)) => (kind, format!("/{subresource}")),
        None => (object, String::new()),
    };
    let (resource, group) = kind.split_once('.').unwrap_or((kind, "core"));
    format!("{group}/{resource}{subresource}:{}", verb.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(effect: &str, action: &str, resource: &str, conditions: Option<&str>) -> Grant {
        Grant {
            grant_key: Key::of("grant", &[effect, action, resource]),
            platform: "aws".to_owned(),
            policy_kind: "identity".to_owned(),
            policy: "p".to_owned(),
            statement: effect.to_owned(),
            effect: effect.to_owned(),
            actions: vec![action.to_owned()],
            resources: vec![resource.to_owned()],
            conditions: conditions.map(str::to_owned),
            understood: true,
            ..Grant::default()
        }
    }

    fn ask(grants: &[Grant], action: &str, resource: &str) -> Explanation {
        explain(Key::default(), "aws", grants, action, resource)
    }

    #[test]
    fn the_statements_that_decide_are_named() {
        let mfa = r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}"#;
        let grants = [
            grant("allow", "s3:*", "*", None),
            grant("deny", "s3:DeleteBucket", "*", None),
            grant("deny", "s3:PutObject", "*", Some(mfa)),
        ];
        let yes = ask(&grants, "s3:GetObject", "arn:aws:s3:::b/k");
        assert_eq!((yes.decision, yes.statements.len()), (Decision::Yes, 1));
        let no = ask(&grants, "s3:DeleteBucket", "arn:aws:s3:::b");
        let effects: Vec<_> = no.statements.iter().map(|row| row.effect.as_str()).collect();
        assert_eq!((no.decision, effects), (Decision::No, vec!["deny"]));
        let may = ask(&grants, "s3:PutObject", "arn:aws:s3:::b/k");
        assert_eq!(may.decision, Decision::May);
        assert_eq!(may.statements[0].because, ["depends on aws:MultiFactorAuthPresent"]);
        let none = ask(&grants, "ec2:RunInstances", "*");
        assert!(none.statements.is_empty());
        assert_eq!(none.notes[0], "no statement of its own or of its groups allows it");
    }

    #[test]
    fn what_acts_on_no_resource_needs_all() {
        let narrow = grant("allow", "ec2:DescribeInstances", "arn:aws:ec2:*:*:instance/*", None);
        let answer = ask(&[narrow], "ec2:DescribeInstances", "arn:aws:ec2:eu-west-1:1:instance/i-1");
        assert_eq!((answer.decision, answer.resource.as_str()), (Decision::No, "*"));
    }

    #[test]
    fn ceilings_that_are_silent_or_missing_are_named() {
        let ceiling = |kind: &str, action: &str, understood| Grant {
            policy_kind: kind.to_owned(),
            level: (kind == "scp").then(|| "r-ab".to_owned()),
            understood,
            ..grant("allow", action, "*", None)
        };
        let own = grant("allow", "*", "*", None);
        let no = ask(&[own.clone(), ceiling("scp", "s3:*", true)], "iam:PassRole", "arn:aws:iam::1:role/x");
        assert_eq!(
            (no.decision, no.notes[0].as_str()),
            (Decision::No, "nothing of the scp at r-ab allows it")
        );
        let may = ask(&[own, ceiling("boundary", "*", false)], "iam:PassRole", "arn:aws:iam::1:role/x");
        assert_eq!(may.decision, Decision::May);
        assert!(may.statements.iter().any(|row| row.because == ["its document is missing or malformed"]));
    }

    #[test]
    fn questions_are_understood_in_the_words_of_each_platform() {
        let cases = [
            ("get secrets", "core/secrets:get"),
            ("create deployments.apps/scale", "apps/deployments/scale:create"),
            ("core/pods:get", "core/pods:get"),
            ("get /healthz", "get /healthz"),
        ];
        for (asked, expected) in cases {
            assert_eq!(understood("kubernetes", asked, "x").0, expected);
        }
        assert_eq!(understood("github", "contents:write", "acme/shop").1, "repo:acme/shop");
    }
}
