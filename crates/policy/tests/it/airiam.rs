//! AirIAM (Bridgecrew, Apache-2.0) on its own test account: who is not used, and which groups it
//! would make of the others (`test_recommend_groups.py`).

use crate::support::{inventory, inventory_of, json_of, role};
use leakgraph_model::tables::{Grant, Identity};
use leakgraph_model::{Key, Timestamp};
use leakgraph_policy::{Catalog, Effective, Level, effective};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Its test counts as unused what was last used ten days before this.
const NOW: &str = "2020-03-11T11:41:00Z";

/// The three groups that it makes, by how much their members may do. It tells them by the names
/// of managed policies, we by what these allow: the same three, with these differences.
///
/// | AirIAM | here |
/// |---|---|
/// | Admins hold a policy that is called or written like AdministratorAccess | may do every action of the catalog |
/// | ReadOnly hold read-only policies only | beside `ReadOnlyAccess`, of which the reference lists some actions as writing, nothing that changes anything |
/// | Powerusers are all others | the same |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Admins,
    Powerusers,
    ReadOnly,
}

/// One who may do everything.
fn administrator() -> Effective {
    let all = json!({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let evidence = inventory_of(&json!({"RoleDetailList": [role("admin", &[&all])]}));
    effective(&evidence.identities, &evidence.grants).remove(0)
}

#[test]
fn users_fall_into_its_groups() {
    let folder = identities!();
    let path = folder.join("airiam/tests/iam_data.json");
    let evidence = inventory(&path);
    let mut last: HashMap<Key, Option<Timestamp>> = HashMap::new();
    for row in &evidence.identities {
        let seen = last.entry(row.identity_key).or_default();
        *seen = (*seen).max(row.last_used_at);
    }
    for row in &evidence.activity {
        if let Some(seen) = row.identity_key.and_then(|key| last.get_mut(&key)) {
            *seen = (*seen).max(row.last_at);
        }
    }
    let now = Timestamp::parse(NOW);
    let users = evidence.identities.iter().filter(|row| row.kind == "user");
    let (used, unused): (Vec<_>, Vec<_>) = users.partition(|row| last[&row.identity_key] >= now);
    let names =
        |rows: &[&Identity]| -> BTreeSet<String> { rows.iter().map(|row| row.name.clone()).collect() };
    assert_eq!(unused.len(), 1, "{:?}", names(&unused));

    let catalog = Catalog::get();
    let all = effective(&evidence.identities, &evidence.grants);
    let beside: Vec<Grant> =
        evidence.grants.iter().filter(|row| !row.policy.ends_with("/ReadOnlyAccess")).cloned().collect();
    let beside = effective(&evidence.identities, &beside);
    let of = |rows: &[Effective], key: Key| {
        rows.iter().find(|row| row.identity_key == key).map(|row| row.may.clone()).unwrap_or_default()
    };
    let every = administrator().may.len() as usize;
    let mut groups: BTreeMap<Group, BTreeSet<String>> = BTreeMap::new();
    for user in &used {
        let own = of(&beside, user.identity_key);
        let changes = |id: u32| !matches!(catalog.action(id).level, Level::Read | Level::List);
        let group = if of(&all, user.identity_key).len() as usize == every {
            Group::Admins
        } else if own.iter().any(changes) {
            Group::Powerusers
        } else {
            Group::ReadOnly
        };
        groups.entry(group).or_default().insert(user.name.clone());
    }
    eprintln!("AirIAM: {groups:?}, unused {:?}", names(&unused));
    assert_eq!(groups.len(), 3, "{groups:?}");
    assert_eq!(groups[&Group::Admins].len(), 2, "Expected to have 2 admins");
    // Of the members of the others the test says nothing.
    let of_file = json_of(&path)["AccountUsers"].as_array().unwrap().len();
    assert_eq!(groups.values().map(BTreeSet::len).sum::<usize>() + unused.len(), of_file);
}
