//! Policy documents, as inventories have them or statement by statement.

#![no_main]

use leakgraph_fuzz::{choice, scratch};
use leakgraph_ingest::{Limits, TextContext, TextSink, WorkItem, WorkKind, link, read};
use leakgraph_model::tables::{Grant, Identity, Trust, identity_key};
use leakgraph_policy::{Catalog, Decision, assume_edges, can, effective, escalations, matches_wildcards};
use libfuzzer_sys::fuzz_target;

const ROLE: &str = "arn:aws:iam::123456789012:role/holder";

struct Nowhere;

impl TextSink for Nowhere {
    fn text(&mut self, _context: &TextContext, _bytes: &[u8]) {}

    fn fingerprint(&mut self, _value: &[u8]) -> Option<String> {
        None
    }
}

/// An inventory, read as the program reads it.
fn inventory(bytes: &[u8]) {
    let path = scratch("inventory.json");
    std::fs::write(&path, bytes).expect("a scratch file");
    let item = WorkItem { path, display: "inventory.json".to_owned(), kind: WorkKind::File, bytes: 0 };
    let mut evidence = read(&item, &Limits::default(), &mut Nowhere);
    link(&mut evidence);
    check(&evidence.identities, &evidence.grants, &evidence.trusts);
}

fn list(text: &str) -> Vec<String> {
    text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn pick<'a>(from: &[&'a str], index: usize) -> String {
    from[index % from.len()].to_owned()
}

/// One statement per line: a byte that chooses, then actions, resources and conditions
/// between tabs.
fn statements(text: &str) {
    let role = identity_key("aws", ROLE);
    let (mut grants, mut trusts) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut fields = line.split('\t');
        let flags = fields.next().and_then(|field| field.bytes().next()).map_or(0, usize::from);
        let mut next = || fields.next().unwrap_or_default();
        let (actions, resources, conditions) = (next(), next(), next());
        let conditions = (!conditions.is_empty()).then(|| conditions.to_owned());
        let effect = pick(&["allow", "deny"], flags);
        if flags % 7 == 6 {
            // As the importer writes what it cannot read.
            let all = || vec!["*".to_owned()];
            let (actions, resources) = (all(), all());
            let policy_kind = pick(&["identity", "boundary"], flags >> 1);
            let (platform, effect) = ("aws".to_owned(), "allow".to_owned());
            let holding = Grant { identity_key: role, platform, effect, policy_kind, ..Grant::default() };
            grants.push(Grant { actions, resources, ..holding });
        } else if flags & 0x40 == 0 {
            grants.push(Grant {
                identity_key: role,
                platform: pick(&["aws", "aws", "aws", "github"], flags >> 4),
                policy_kind: pick(&["identity", "group", "boundary", "scp"], flags >> 1),
                effect,
                actions: list(actions),
                resources: list(resources),
                not_actions: flags & 8 != 0,
                not_resources: flags & 24 == 24,
                conditions,
                understood: true,
                ..Grant::default()
            });
        } else {
            trusts.push(Trust {
                identity_key: role,
                principal_kind: pick(&["aws", "federated", "service", "any"], flags >> 1),
                principal: resources.to_owned(),
                principal_key: (flags & 8 != 0).then_some(role),
                effect,
                subjects: list(actions),
                conditions,
                ..Trust::default()
            });
        }
    }
    let identity = Identity {
        identity_key: role,
        platform: "aws".to_owned(),
        kind: "role".to_owned(),
        native_id: ROLE.to_owned(),
        account: Some("123456789012".to_owned()),
        ..Identity::default()
    };
    check(&[identity], &grants, &trusts);
}

fn check(identities: &[Identity], grants: &[Grant], trusts: &[Trust]) {
    let found = effective(identities, grants);
    let mut turned = grants.to_vec();
    turned.reverse();
    let again = effective(identities, &turned);
    for (one, other) in found.iter().zip(&again) {
        assert!(one.must.is_subset(&one.may));
        assert!(one.breadth.values().all(|breadth| (0.0..=1.0).contains(breadth)));
        assert_eq!((&one.must, &one.may), (&other.must, &other.may), "order matters");
        agree(one, grants);
    }
    for edge in assume_edges(identities, grants, trusts) {
        assert!(edge.decision > Decision::No);
        assert!(identities.iter().any(|identity| identity.identity_key == edge.target));
    }
    for way in escalations(&found, identities, grants, trusts) {
        assert!(!way.actions.is_empty());
    }
}

/// What is possible on some resource is possible at all.
fn agree(found: &leakgraph_policy::Effective, grants: &[Grant]) {
    let own: Vec<Grant> =
        grants.iter().filter(|grant| grant.identity_key == found.identity_key).take(8).cloned().collect();
    if own.len() == 8 || own.iter().any(|grant| grant.platform != "aws") {
        return;
    }
    let things = own.iter().flat_map(|grant| &grant.resources).map(String::as_str).chain(["*", "thing"]);
    let things: Vec<&str> = things.take(12).collect();
    for action in
        own.iter().flat_map(|grant| &grant.actions).map(String::as_str).chain(["s3:GetObject"]).take(12)
    {
        // Other platforms have actions without a service, as GitHub's scope `user`.
        let is_of_aws = action.contains(':') && !action.contains(['*', '?']);
        let id = Catalog::get().id(action).filter(|_| is_of_aws);
        for thing in &things {
            let answer = can(found.identity_key, &own, action, thing);
            let is_possible = id.is_none_or(|id| found.may.contains(id));
            assert!(answer.decision == Decision::No || is_possible, "{action} on {thing}: {answer:?}");
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, bytes)) = choice(data) else { return };
    match (mode % 3, std::str::from_utf8(bytes)) {
        (0, _) => inventory(bytes),
        (1, Ok(text)) => statements(text),
        (_, Ok(text)) => {
            let (pattern, text) = text.split_once('\n').unwrap_or((text, text));
            let is_match = matches_wildcards(pattern, text);
            assert!(!is_match || matches_wildcards(&format!("*{pattern}*"), text));
            assert!(matches_wildcards(pattern, pattern));
            let _catalog = Catalog::get().matching(pattern);
        }
        _ => {}
    }
});
