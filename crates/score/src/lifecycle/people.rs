//! People in the inventories: owners, and those who work with an NHI.

use leakgraph_model::tables::Identity;
use leakgraph_model::{Evidence, Key};
use std::collections::HashMap;

/// People by what they are called, in lower case.
pub(super) struct People<'a> {
    by_name: HashMap<String, Vec<&'a Identity>>,
    by_key: HashMap<Key, &'a Identity>,
}

/// Whether an identity is a person, as far as its inventory tells.
fn is_person(identity: &Identity) -> bool {
    let is_holder = matches!(
        identity.kind.as_str(),
        "account"
            | "account_root"
            | "environment"
            | "group"
            | "organization"
            | "role_definition"
            | "service"
            | "public"
    );
    // Users of a cluster are people or what its certificates name.
    let of_cluster = identity.platform == "kubernetes"
        && identity.kind == "user"
        && identity.is_nhi.is_none()
        && !identity.name.starts_with("system:");
    (identity.is_nhi == Some(false) && !is_holder) || of_cluster
}

/// A name without what organisations put around it: `@`, `user:`, the domain of an address.
fn plain(name: &str) -> String {
    let name = name.trim().to_lowercase();
    let name = name.strip_prefix("user:").unwrap_or(&name);
    name.strip_prefix('@').unwrap_or(name).to_owned()
}

impl<'a> People<'a> {
    pub(super) fn of(identities: &'a [Identity]) -> Self {
        let mut by_name: HashMap<String, Vec<&Identity>> = HashMap::new();
        for person in identities.iter().filter(|identity| is_person(identity)) {
            let last = person.native_id.rsplit(['/', ':']).next().unwrap_or(&person.native_id);
            let mut names = vec![plain(&person.name), plain(&person.native_id), plain(last)];
            names.extend(person.unique_id.as_deref().map(plain));
            // An address without its domain is a login only where nobody else has it: see `owner`.
            names.extend(names.clone().iter().filter_map(|name| Some(name.split_once('@')?.0.to_owned())));
            names.retain(|name| name.len() >= 3);
            names.sort_unstable();
            names.dedup();
            for name in names {
                by_name.entry(name).or_default().push(person);
            }
        }
        let by_key = identities.iter().map(|identity| (identity.identity_key, identity)).collect();
        Self { by_name, by_key }
    }

    pub(super) fn is_person(&self, identity: &Identity) -> bool {
        is_person(identity)
    }

    /// Status of an owner and who it is: none, active, departed, unverified. One who is enabled
    /// anywhere has not left.
    pub(super) fn owner(&self, owner: Option<&str>) -> (&'static str, Option<Key>) {
        let Some(owner) = owner.map(plain).filter(|owner| !owner.is_empty()) else { return ("none", None) };
        let found = self.by_name.get(&owner).map(Vec::as_slice).unwrap_or_default();
        let of = |status: &str| {
            let keys =
                found.iter().filter(|person| person.status == status).map(|person| person.identity_key);
            keys.min()
        };
        match (of("enabled"), of("disabled")) {
            (Some(key), _) => ("active", Some(key)),
            // Somebody of that name whose status is unknown may be the owner.
            (None, Some(_)) if of("unknown").is_some() => ("unverified", of("unknown")),
            (None, Some(key)) => ("departed", Some(key)),
            (None, None) => ("unverified", of("unknown")),
        }
    }

    /// Calls `tell` with an NHI, how a person used it and the rows that prove it.
    pub(super) fn uses(&self, evidence: &Evidence, tell: &mut dyn FnMut(Key, String, Vec<String>)) {
        for row in evidence.assumptions.iter().filter(|row| !row.denied) {
            let source = row.source_identity_key.and_then(|key| self.by_key.get(&key));
            let is_person = match source {
                Some(identity) => is_person(identity) || identity.name.starts_with("AWSReservedSSO_"),
                // An address is a person's, unless it is a service account's.
                None => row.source.contains('@') && !row.source.ends_with(".gserviceaccount.com"),
            };
            if let Some(target) = row.target_identity_key.filter(|_| is_person) {
                let name = source.map_or(row.source.as_str(), |identity| identity.name.as_str());
                let proof = row.source_identity_key.filter(|_| source.is_some());
                let proof = proof.map(|key| format!("identities:{key}")).into_iter().collect();
                tell(target, format!("assumed by {name} ({})", row.mechanism), proof);
            }
        }
        for row in evidence.activity.iter().filter(|row| !row.denied) {
            let Some(key) = row.identity_key else { continue };
            if row.action.eq_ignore_ascii_case("signin:ConsoleLogin") {
                tell(key, "console sign-in".to_owned(), Vec::new());
            }
            if let Some(person) = row.session.as_deref().and_then(|session| self.named(session)) {
                tell(
                    key,
                    format!("session {}", person.name),
                    vec![format!("identities:{}", person.identity_key)],
                );
            }
        }
        for row in
            evidence.credentials.iter().filter(|row| row.kind == "password" && row.last_used_at.is_some())
        {
            if let Some(key) = row.identity_key {
                tell(key, "password".to_owned(), vec![format!("credentials:{}", row.credential_key)]);
            }
        }
    }

    /// The one person a session is named after.
    fn named(&self, session: &str) -> Option<&'a Identity> {
        match self.by_name.get(&plain(session)).map(Vec::as_slice) {
            Some([only]) => Some(only),
            _ => None,
        }
    }
}
