//! Identities used, activity and credentials to the identities of the inventories.

use leakgraph_model::tables::Credential;
use leakgraph_model::{Evidence, Key};
use std::collections::{BTreeMap, HashMap, HashSet};

pub(super) fn link(evidence: &mut Evidence) {
    join_identities(evidence);
    join_credentials(evidence);
}

/// Identities by ARN; sessions and trails know no path, so roles also by account and name.
fn join_identities(evidence: &mut Evidence) {
    let mut by_name: HashMap<(String, String), Key> = HashMap::new();
    let mut known: HashSet<Key> = HashSet::new();
    let mut by_unique_id: HashMap<String, (Key, String)> = HashMap::new();
    for identity in &evidence.identities {
        known.insert(identity.identity_key);
        if let Some(id) = &identity.unique_id {
            by_unique_id.insert(id.clone(), (identity.identity_key, identity.native_id.clone()));
        }
        if let Some((account, name)) = role_name(&identity.native_id) {
            by_name.insert((account, name), identity.identity_key);
        }
    }
    let resolve = |key: Option<Key>, arn: Option<&str>| {
        if key.is_some_and(|key| known.contains(&key)) {
            return key;
        }
        arn.and_then(role_name).and_then(|name| by_name.get(&name).copied()).or(key)
    };
    for used in &mut evidence.identities_used {
        // A printed session id begins with the unique id of its role.
        let role = used.session_id.as_deref().and_then(|id| id.split(':').next());
        if let (None, Some((key, arn))) = (used.identity_key, role.and_then(|role| by_unique_id.get(role))) {
            used.identity_key = Some(*key);
            used.subject = Some(arn.clone());
        }
        used.identity_key = resolve(used.identity_key, used.subject.as_deref());
    }
    for row in &mut evidence.activity {
        row.identity_key = resolve(row.identity_key, Some(&row.principal));
    }
    for row in &mut evidence.assumptions {
        row.source_identity_key = resolve(row.source_identity_key, Some(&row.source));
        row.target_identity_key = resolve(row.target_identity_key, Some(&row.target));
    }
}

/// Account and name of a role or role session.
fn role_name(arn: &str) -> Option<(String, String)> {
    let mut parts = arn.splitn(6, ':');
    let account = parts.nth(4)?;
    let resource = parts.next()?;
    let name = match resource.split_once('/')? {
        ("role", path) => path.rsplit('/').next()?,
        ("assumed-role", session) => session.split('/').next()?,
        _ => return None,
    };
    Some((account.to_owned(), name.to_owned()))
}

/// One row per credential; `list-access-keys` names users without account or path, so
/// they are found by name where one account has it.
fn join_credentials(evidence: &mut Evidence) {
    let mut users: HashMap<&str, Vec<Key>> = HashMap::new();
    for identity in evidence.identities.iter().filter(|row| row.platform == "aws" && row.kind == "user") {
        users.entry(&identity.name).or_default().push(identity.identity_key);
    }
    let mut kept: BTreeMap<Key, Credential> = BTreeMap::new();
    for mut row in std::mem::take(&mut evidence.credentials) {
        let user = row.scope.as_deref().and_then(|scope| scope.strip_prefix("user/"));
        if let (None, Some([only])) =
            (row.identity_key, user.and_then(|user| users.get(user)).map(Vec::as_slice))
        {
            row.identity_key = Some(*only);
        }
        match kept.get_mut(&row.credential_key) {
            Some(first) => {
                first.identity_key = first.identity_key.or(row.identity_key);
                first.created_at = first.created_at.or(row.created_at);
                first.rotated_at = first.rotated_at.or(row.rotated_at);
                first.last_used_at = first.last_used_at.max(row.last_used_at);
                if first.status == "unknown" {
                    first.status = row.status;
                }
            }
            None => {
                kept.insert(row.credential_key, row);
            }
        }
    }
    evidence.credentials = kept.into_values().collect();
    join_places(evidence);
}

/// The credential report calls a key by its place (`access_key_1`): it is the user's key that
/// was made at the same time.
fn join_places(evidence: &mut Evidence) {
    let is_place = |row: &Credential| row.kind == "access_key" && row.name.starts_with("access_key_");
    let (places, mut rows): (Vec<_>, Vec<_>) =
        std::mem::take(&mut evidence.credentials).into_iter().partition(is_place);
    for place in places {
        let mut named = rows.iter_mut().filter(|row| {
            row.kind == "access_key"
                && row.created_at.is_some()
                && (row.identity_key, row.created_at) == (place.identity_key, place.created_at)
        });
        match (named.next(), named.next()) {
            (Some(row), None) => {
                row.last_used_at = row.last_used_at.max(place.last_used_at);
                if row.status == "unknown" {
                    row.status = place.status;
                }
            }
            _ => rows.push(place),
        }
    }
    evidence.credentials = rows;
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakgraph_model::tables::Identity;

    #[test]
    fn sessions_are_matched_to_roles_with_paths() {
        assert_eq!(
            role_name("arn:aws:sts::1:assumed-role/Deploy/s"),
            role_name("arn:aws:iam::1:role/ci/Deploy")
        );
        assert_eq!(role_name("arn:aws:iam::1:user/Deploy"), None);
    }

    #[test]
    fn a_place_of_the_credential_report_is_the_key_of_that_age() {
        let key = |name: &str, made: i64| Credential {
            credential_key: Key::of("credential", &[name]),
            identity_key: Some(Key::of("identity", &["svc"])),
            kind: "access_key".to_owned(),
            name: name.to_owned(),
            status: "unknown".to_owned(),
            created_at: Some(leakgraph_model::Timestamp(made)),
            ..Credential::default()
        };
        let used = leakgraph_model::Timestamp(9);
        let place = |number: &str, made: i64| Credential {
            last_used_at: Some(used),
            status: "active".to_owned(),
            ..key(&format!("access_key_{number}"), made)
        };
        let mut evidence = Evidence {
            credentials: vec![key("one", 1), place("1", 1), place("2", 2)],
            ..Evidence::default()
        };
        link(&mut evidence);
        let rows: Vec<_> = evidence
            .credentials
            .iter()
            .map(|row| (row.name.as_str(), row.status.as_str(), row.last_used_at))
            .collect();
        assert_eq!(rows, [("one", "active", Some(used)), ("access_key_2", "active", Some(used))]);
    }

    #[test]
    fn keys_of_a_user_are_found_by_a_unique_name() {
        let user = |account: &str| Identity {
            identity_key: Key::of("identity", &["aws", account]),
            platform: "aws".to_owned(),
            kind: "user".to_owned(),
            name: "svc".to_owned(),
            ..Identity::default()
        };
        let key = Credential { scope: Some("user/svc".to_owned()), ..Credential::default() };
        let mut one =
            Evidence { identities: vec![user("1")], credentials: vec![key.clone()], ..Evidence::default() };
        link(&mut one);
        assert_eq!(one.credentials[0].identity_key, Some(user("1").identity_key));
        let mut two = Evidence {
            identities: vec![user("1"), user("2")],
            credentials: vec![key],
            ..Evidence::default()
        };
        link(&mut two);
        assert_eq!(two.credentials[0].identity_key, None);
    }
}
