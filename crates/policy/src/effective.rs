//! Effective actions of every identity.

use crate::answer::{CEILINGS, OWN, may_deny};
use crate::condition::never_holds;
use crate::expansion::{Expansions, Lists, Place};
use crate::{kubernetes, roles};
use leakgraph_model::Key;
use leakgraph_model::tables::{Grant, Identity};
use rayon::prelude::*;
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What an identity is able to do on some resource.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The identity.
    pub identity_key: Key,
    /// Actions it surely can do.
    pub must: RoaringBitmap,
    /// Actions it perhaps can do; contains `must`.
    pub may: RoaringBitmap,
    /// Breadth r(g) of the widest statement per action: 1 any resource, .8 a service's
    /// all, .5 a prefix, .2 exact. What is not here is 1.
    pub breadth: HashMap<u32, f32>,
    /// Condition factor k(g) per action where conditions pin caller or network; what is
    /// not here is 1.
    pub condition: HashMap<u32, f32>,
    /// What made the interval wide: unknown_boundary, malformed_policy, missing_role,
    /// partly_known_role.
    pub gaps: Vec<String>,
}

/// Condition keys that pin who calls or from where (halve the risk of a leaked credential).
const PINNING: [&str; 8] = [
    "aws:principaltag",
    "aws:sourcevpce",
    "aws:sourcevpc",
    "aws:sourceip",
    "aws:principalorgid",
    "sts:externalid",
    "aws:multifactorauthpresent",
    "aws:sourcearn",
];
/// Factor of a pinned grant.
const PINNED: f32 = 0.5;

/// One interval of actions.
#[derive(Clone, Default)]
struct Span {
    must: RoaringBitmap,
    may: RoaringBitmap,
}

/// Effective actions of each identity that has grants, by key. Groups' statements are
/// already flattened onto their users (`policy_kind` group), those of the organisation onto
/// the identities of its accounts (`scp`, `rcp`).
pub fn effective(identities: &[Identity], grants: &[Grant]) -> Vec<Effective> {
    let all: Vec<&Grant> = grants.iter().collect();
    let contents = roles::contents(&all);
    let mut lists = Lists::default();
    let mut by_identity: BTreeMap<Key, Vec<Held<'_>>> = BTreeMap::new();
    for grant in grants {
        let rows = contents.get(&grant.grant_key).map_or(std::slice::from_ref(grant), Vec::as_slice);
        let held = rows.iter().map(|grant| Held { grant, place: lists.place(grant) });
        by_identity.entry(grant.identity_key).or_default().extend(held);
    }
    // These hold policies for others and never act.
    let holders: HashSet<Key> = identities
        .iter()
        .filter(|identity| matches!(identity.kind.as_str(), "group" | "account" | "role_definition"))
        .map(|identity| identity.identity_key)
        .collect();
    by_identity.retain(|key, _| !holders.contains(key));
    let expansions = lists.expanded();
    by_identity.into_par_iter().map(|(key, held)| of_identity(key, &held, &expansions)).collect()
}

/// A statement and where its actions are.
struct Held<'g> {
    grant: &'g Grant,
    place: Place,
}

fn of_identity(identity_key: Key, held: &[Held<'_>], expansions: &Expansions) -> Effective {
    let mut result = Effective {
        identity_key,
        must: RoaringBitmap::new(),
        may: RoaringBitmap::new(),
        breadth: HashMap::new(),
        condition: HashMap::new(),
        gaps: Vec::new(),
    };
    let own: Vec<&Held<'_>> =
        held.iter().filter(|held| OWN.contains(&held.grant.policy_kind.as_str())).collect();
    let extents = allowed(&own, expansions, &mut result);
    for ceiling in CEILINGS {
        let mut levels: BTreeMap<Option<&str>, Vec<&Held<'_>>> = BTreeMap::new();
        for held in held.iter().filter(|held| held.grant.policy_kind == ceiling) {
            levels.entry(held.grant.level.as_deref()).or_default().push(held);
        }
        for limits in levels.into_values() {
            let limit = limit(&limits, expansions, &mut result);
            result.must &= &limit.must;
            result.may &= &limit.may;
        }
    }
    extents.note(&mut result);
    result.must.optimize();
    result.may.optimize();
    result.gaps.sort();
    result.gaps.dedup();
    result
}

/// What allow statements have in common: breadth and condition factor.
#[derive(Clone, Copy, PartialEq)]
struct Extent {
    breadth: f32,
    condition: f32,
}

/// Allowed actions by extent.
#[derive(Default)]
struct Extents(Vec<(Extent, RoaringBitmap)>);

impl Extents {
    fn add(&mut self, extent: Extent, actions: &RoaringBitmap) {
        match self.0.iter_mut().find(|(known, _)| *known == extent) {
            Some((_, all)) => *all |= actions,
            None => self.0.push((extent, actions.clone())),
        }
    }

    /// The widest and the least conditional of each action that may be done; 1 is not written.
    fn note(mut self, result: &mut Effective) {
        let mut best = |of: fn(&Extent) -> f32, into: &mut HashMap<u32, f32>| {
            self.0.sort_by(|(one, _), (other, _)| of(other).total_cmp(&of(one)));
            let mut seen = RoaringBitmap::new();
            for (extent, actions) in &self.0 {
                if of(extent) < 1.0 {
                    let narrow = (actions - &seen) & &result.may;
                    into.extend(narrow.iter().map(|action| (action, of(extent))));
                }
                seen |= actions;
            }
        };
        best(|extent| extent.breadth, &mut result.breadth);
        best(|extent| extent.condition, &mut result.condition);
    }
}

/// Allows minus denies, into the result; breadth and conditions of the allows.
fn allowed(own: &[&Held<'_>], expansions: &Expansions, result: &mut Effective) -> Extents {
    let mut extents = Extents::default();
    let mut span = Span::default();
    for held in own.iter().filter(|held| held.grant.effect == "allow" && !never_holds(held.grant)) {
        let grant = held.grant;
        let actions = expansions.named(grant, held.place);
        let mut is_sure = false;
        if !grant.understood {
            // What a binding names, but no dump holds (`link::bindings`).
            let is_missing = grant.statement.ends_with("#missing");
            result.gaps.push(if is_missing { "missing_role" } else { "malformed_policy" }.to_owned());
        } else {
            if grant.conditions.as_deref().is_some_and(|text| text.contains(roles::PARTLY_KNOWN)) {
                result.gaps.push("partly_known_role".to_owned());
            }
            // A condition may or may not hold; so may a variable in the resource.
            is_sure = grant.conditions.is_none() && has_sure_resource(grant);
        }
        if is_sure {
            span.must |= actions.as_ref();
        }
        extents.add(Extent { breadth: breadth(grant), condition: condition(grant) }, &actions);
    }
    for (_, actions) in &extents.0 {
        span.may |= actions;
    }
    deny(own, expansions, &mut span);
    (result.must, result.may) = (span.must, span.may);
    extents
}

/// A ceiling: what it allows, from nothing to everything where its document is missing.
fn limit(limits: &[&Held<'_>], expansions: &Expansions, result: &mut Effective) -> Span {
    let mut span = Span::default();
    for held in limits.iter().filter(|held| held.grant.effect == "allow" && !never_holds(held.grant)) {
        let actions = expansions.named(held.grant, held.place);
        if !held.grant.understood {
            result.gaps.push("unknown_boundary".to_owned());
        } else if held.grant.conditions.is_none() && covers_all(held.grant) {
            span.must |= actions.as_ref();
        }
        span.may |= actions.as_ref();
    }
    deny(limits, expansions, &mut span);
    span
}

/// An unconditional deny on all resources removes the action; any other deny removes
/// only the certainty, and so does what is not understood: it may be a deny.
fn deny(held: &[&Held<'_>], expansions: &Expansions, span: &mut Span) {
    for held in held.iter().filter(|held| may_deny(held.grant) && !never_holds(held.grant)) {
        let grant = held.grant;
        let actions = expansions.named(grant, held.place);
        span.must -= actions.as_ref();
        if grant.understood && grant.conditions.is_none() && covers_all(grant) {
            span.may -= actions.as_ref();
        }
    }
}

fn covers_all(grant: &Grant) -> bool {
    if grant.platform == "github" {
        return true;
    }
    !grant.not_resources && grant.resources.iter().any(|resource| resource == "*")
}

fn has_sure_resource(grant: &Grant) -> bool {
    if grant.not_resources {
        // Everything but everything is nothing; `**` is `*`.
        return !grant.resources.iter().any(|resource| resource.chars().all(|letter| letter == '*'));
    }
    grant.resources.iter().any(|resource| !resource.contains("${"))
}

/// r(g), privilege scores: how much of the resource space a statement covers.
fn breadth(grant: &Grant) -> f32 {
    if grant.not_resources {
        return 1.0;
    }
    let of_pattern = match grant.platform.as_str() {
        kubernetes::PLATFORM => kubernetes::breadth,
        "gcp" | "azure" => of_container,
        _ => of_pattern,
    };
    grant.resources.iter().map(|resource| of_pattern(resource)).fold(0.0, f32::max)
}

/// Of Google Cloud and Azure: a project or a subscription is as an account of AWS, and so is
/// all of an API of Entra.
fn of_container(resource: &str) -> f32 {
    let path = resource.trim_end_matches("/*").trim_end_matches('/');
    let parts = path.split('/').filter(|part| !part.is_empty()).count();
    let is_container = match path.strip_prefix("//cloudresourcemanager.googleapis.com/") {
        Some(_) => true,
        None if path.starts_with("/subscriptions/") => parts == 2,
        None => {
            !path.starts_with('/') || path.starts_with("/providers/Microsoft.Management/managementGroups/")
        }
    };
    match (is_container, path.to_ascii_lowercase().contains("/resourcegroups/") && parts == 4) {
        (true, _) => 1.0,
        (false, true) => 0.5,
        (false, false) => 0.2,
    }
}

fn of_pattern(resource: &str) -> f32 {
    if resource == "*" {
        return 1.0;
    }
    if let Some(repo) = resource.strip_prefix("repo:") {
        return if repo.ends_with('*') { 1.0 } else { 0.2 };
    }
    if !resource.contains(['*', '?']) {
        return 0.2;
    }
    // arn:partition:service:region:account:resource
    let mut parts = resource.splitn(6, ':').skip(2);
    let (service, last) = (parts.next().unwrap_or(""), parts.nth(2).unwrap_or("*"));
    // S3 resources begin with a bucket's name, others with their type (`role/…`, `function:…`).
    let name = match last.split_once(['/', ':']) {
        Some((_, name)) if service != "s3" => name,
        _ => last,
    };
    if name.starts_with('*') { 0.8 } else { 0.5 }
}

/// k(g): halved where the condition pins the caller or the network.
fn condition(grant: &Grant) -> f32 {
    let Some(text) = &grant.conditions else { return 1.0 };
    let text = text.to_ascii_lowercase();
    if PINNING.iter().any(|key| text.contains(key)) { PINNED } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;
    use proptest::prelude::*;

    fn grant(kind: &str, effect: &str, actions: &[&str], resource: &str, conditions: Option<&str>) -> Grant {
        Grant {
            platform: "aws".to_owned(),
            policy_kind: kind.to_owned(),
            effect: effect.to_owned(),
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            resources: vec![resource.to_owned()],
            conditions: conditions.map(str::to_owned),
            understood: true,
            ..Grant::default()
        }
    }

    fn span(grants: &[Grant]) -> (RoaringBitmap, RoaringBitmap) {
        let found = effective(&[], grants).into_iter().next();
        found.map(|found| (found.must, found.may)).unwrap_or_default()
    }

    fn id(name: &str) -> u32 {
        Catalog::get().id(name).unwrap()
    }

    #[test]
    fn a_condition_that_cannot_hold_is_as_no_statement() {
        let never = Some(r#"{"StringEquals":{"k":"a"},"Null":{"k":"true"}}"#);
        let of = |grants: &[Grant]| effective(&[], grants).remove(0);
        let get = Catalog::get().id("s3:GetObject").unwrap();
        let alone = of(&[grant("identity", "allow", &["s3:GetObject"], "*", never)]);
        assert!(alone.may.is_empty());
        let denied = [
            grant("identity", "allow", &["s3:GetObject"], "*", None),
            grant("identity", "deny", &["s3:GetObject"], "*", never),
        ];
        assert!(of(&denied).must.contains(get));
        // A ceiling of such statements lets nothing through.
        let limited = [
            grant("identity", "allow", &["s3:GetObject"], "*", None),
            grant("boundary", "allow", &["s3:*"], "*", never),
        ];
        assert!(of(&limited).may.is_empty());
    }

    #[test]
    fn deny_wins_and_conditions_make_it_uncertain() {
        let (must, may) = span(&[
            grant("identity", "allow", &["s3:*"], "*", None),
            grant("group", "allow", &["ec2:RunInstances"], "*", Some("{}")),
            grant("identity", "deny", &["s3:DeleteBucket"], "*", None),
            grant("identity", "deny", &["s3:GetObject"], "arn:aws:s3:::private/*", None),
        ]);
        assert!(!may.contains(id("s3:DeleteBucket")));
        assert!(may.contains(id("s3:GetObject")) && !must.contains(id("s3:GetObject")));
        assert!(must.contains(id("s3:PutObject")));
        assert!(may.contains(id("ec2:RunInstances")) && !must.contains(id("ec2:RunInstances")));
    }

    #[test]
    fn an_unknown_boundary_leaves_everything_possible_and_nothing_sure() {
        let mut boundary = grant("boundary", "allow", &["*"], "*", None);
        boundary.understood = false;
        let grants = [grant("identity", "allow", &["s3:GetObject"], "*", None), boundary];
        let (must, may) = span(&grants);
        assert!(must.is_empty() && may.contains(id("s3:GetObject")));
        assert_eq!(effective(&[], &grants)[0].gaps, ["unknown_boundary"]);
    }

    #[test]
    fn breadth_follows_the_resource() {
        let cases = [
            ("*", 1.0),
            ("arn:aws:s3:::*", 0.8),
            ("arn:aws:s3:::b/*", 0.5),
            ("arn:aws:s3:::b/k", 0.2),
            ("arn:aws:lambda:*:*:function:*", 0.8),
            ("arn:aws:iam::1:role/ci-*", 0.5),
        ];
        for (resource, expected) in cases {
            assert_eq!(of_pattern(resource), expected, "{resource}");
        }
    }

    fn any_grant() -> impl Strategy<Value = Grant> {
        let actions =
            prop::sample::select(vec!["*", "s3:*", "s3:Get*", "iam:PassRole", "ec2:Describe*", "lambda:*"]);
        let resource = prop::sample::select(vec!["*", "arn:aws:s3:::b/*", "arn:aws:s3:::${aws:username}"]);
        let kind = prop::sample::select(vec!["identity", "group", "boundary", "scp"]);
        (kind, prop::bool::ANY, actions, resource, prop::bool::ANY, prop::bool::ANY).prop_map(
            |(kind, deny, action, resource, condition, not)| {
                let mut grant = grant(
                    kind,
                    if deny { "deny" } else { "allow" },
                    &[action],
                    resource,
                    condition.then_some("{}"),
                );
                grant.not_actions = not && action != "*";
                grant
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn bounds_are_ordered_and_monotone(grants in prop::collection::vec(any_grant(), 1..6)) {
            let (must, may) = span(&grants);
            prop_assert!(must.is_subset(&may));
            let mut more = grants.clone();
            more.push(grant("identity", "allow", &["s3:GetObject"], "*", None));
            prop_assert!(may.is_subset(&span(&more).1));
            let mut less = grants.clone();
            less.push(grant("identity", "deny", &["s3:*"], "*", None));
            prop_assert!(span(&less).1.is_subset(&may));
            let mut turned = grants;
            turned.reverse();
            prop_assert_eq!((must, may), span(&turned));
        }
    }
}
