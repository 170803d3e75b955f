//! RBAC of Kubernetes: additive, without denials. What a rule allows is written as
//! patterns of `group/resource:verb` on `namespace/name`, so that asking is matching
//! (`can`, `effective`); this module has what is particular to clusters.
//!
//! - Resources outside of namespaces are allowed only by grants of all the cluster; a
//!   namespace itself counts as inside of it.
//! - A rule for some names never allows to create or to delete a collection, because such
//!   requests have no name.

mod assume;
mod escalation;
mod reach;

pub(crate) use assume::assume_edges;
pub(crate) use escalation::escalations;

use crate::catalog::Catalog;
use leakgraph_model::tables::Grant;
use roaring::RoaringBitmap;

pub(crate) const PLATFORM: &str = "kubernetes";

/// The actions of a grant that its scope leaves; those of other platforms as they are.
pub(crate) fn within_scope(grant: &Grant, mut actions: RoaringBitmap) -> RoaringBitmap {
    if grant.platform != PLATFORM {
        return actions;
    }
    let catalog = Catalog::get();
    let scopes = || grant.resources.iter().map(|resource| Scope::of(resource));
    if scopes().all(|scope| scope.namespace.is_some()) {
        actions -= catalog.outside_namespaces();
    }
    if scopes().all(|scope| scope.name.is_some()) {
        actions -= catalog.nameless();
    }
    actions
}

/// r(g): 1 the cluster, .5 a namespace, .2 named objects.
pub(crate) fn breadth(resource: &str) -> f32 {
    match Scope::of(resource) {
        Scope { name: Some(_), .. } => 0.2,
        Scope { namespace: Some(_), .. } => 0.5,
        Scope { .. } => 1.0,
    }
}

/// What a resource pattern covers: `*`, `*/name`, `namespace/*` or `namespace/name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scope<'a> {
    /// `None` is all of the cluster.
    pub(crate) namespace: Option<&'a str>,
    /// `None` is any name, and requests without one.
    pub(crate) name: Option<&'a str>,
}

impl<'a> Scope<'a> {
    pub(crate) fn of(resource: &'a str) -> Self {
        // Names may hold slashes (signers), namespaces may not.
        let (namespace, name) = resource.split_once('/').unwrap_or((resource, "*"));
        let some = |text: &'a str| (text != "*").then_some(text);
        Self { namespace: some(namespace), name: some(name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decision, can, effective};

    fn grant(actions: &[&str], resource: &str) -> Grant {
        Grant {
            platform: PLATFORM.to_owned(),
            policy_kind: "permission".to_owned(),
            effect: "allow".to_owned(),
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            resources: vec![resource.to_owned()],
            understood: true,
            ..Grant::default()
        }
    }

    fn ask(actions: &[&str], on: &str, action: &str, resource: &str) -> Decision {
        can(leakgraph_model::Key::default(), &[grant(actions, on)], action, resource).decision
    }

    #[test]
    fn wildcards_cover_what_rbac_lets_them() {
        let cases = [
            ("*/*:get", "core/pods/log:get", true),
            ("core/*:get", "core/pods/exec:get", true),
            ("core/*:get", "apps/deployments:get", false),
            ("*/pods:get", "metrics.k8s.io/pods:get", true),
            ("core/pods:get", "core/pods/log:get", false),
            ("*/*/scale:get", "apps/deployments/scale:get", true),
            ("*/*/scale:get", "apps/deployments:get", false),
            ("core/pods:*", "core/pods:deletecollection", true),
            // A wildcard of resources is none of URLs.
            ("*/*:*", "get /healthz", false),
            ("get /healthz*", "get /healthz/etcd", true),
            ("* /*", "post /logs", true),
            ("* /*", "core/pods:get", false),
        ];
        for (pattern, action, expected) in cases {
            let decision = ask(&[pattern], "*", action, "default/x");
            assert_eq!(decision == Decision::Yes, expected, "{pattern} {action}");
        }
    }

    #[test]
    fn scopes_decide_on_what() {
        let cases = [
            ("*", "dev/a", true),
            ("*", "*", true),
            ("dev/*", "dev/a", true),
            ("dev/*", "dev/*", true),
            ("dev/*", "ops/a", false),
            ("dev/*", "*", false),
            ("dev/*", "/node-1", false),
            ("*/a", "dev/a", true),
            ("*/a", "/a", true),
            ("*/a", "dev/*", false),
            ("dev/a", "dev/b", false),
        ];
        for (pattern, resource, expected) in cases {
            let decision = ask(&["*/*:*"], pattern, "core/secrets:get", resource);
            assert_eq!(decision == Decision::Yes, expected, "{pattern} {resource}");
        }
    }

    #[test]
    fn namespaces_have_no_nodes_and_names_no_creation() {
        let may = |resource: &str, action: &str| {
            let found = effective(&[], &[grant(&["*/*:*"], resource)]);
            let id = Catalog::get().id(action).unwrap();
            found.iter().any(|row| row.must.contains(id) && row.may.contains(id))
        };
        assert!(may("*", "core/nodes:get") && !may("dev/*", "core/nodes:get"));
        assert!(may("dev/*", "core/namespaces:delete") && !may("dev/*", "core/namespaces:list"));
        assert!(may("dev/*", "core/pods:create") && !may("dev/a", "core/pods:create"));
        assert!(
            may("dev/a", "core/serviceaccounts/token:create") && !may("dev/a", "core/pods:deletecollection")
        );
    }

    #[test]
    fn what_is_not_understood_takes_nothing_away() {
        let mut unknown = grant(&["*/*:*"], "dev/*");
        unknown.understood = false;
        let grants = [grant(&["core/pods:get"], "dev/*"), unknown];
        let ask = |action| can(leakgraph_model::Key::default(), &grants, action, "dev/a").decision;
        assert_eq!(ask("core/pods:get"), Decision::Yes);
        assert_eq!(ask("core/pods:list"), Decision::May);
        let found = effective(&[], &grants);
        assert!(found[0].must.contains(Catalog::get().id("core/pods:get").unwrap()));
    }
}
