//! What identities authenticate with: sessions that were opened, credentials that stand.

use super::build::Builder;
use super::links::Link;
use leakgraph_model::Key;
use leakgraph_model::tables::IdentityUsed;

/// Node of a session by the id of its key, else by its own id.
fn session(access_key_id: Option<&str>, session_id: Option<&str>) -> Option<Key> {
    let parts = access_key_id.map(|id| ("key", id)).or(session_id.map(|id| ("id", id)));
    parts.map(|(form, id)| Key::of("session", &[form, id]))
}

fn label(name: Option<&str>, access_key_id: Option<&str>, session_id: Option<&str>) -> String {
    let id = access_key_id.or(session_id).unwrap_or("?");
    format!("session {} {id}", name.unwrap_or("?"))
}

impl Builder<'_> {
    /// The session in which a job acted as an identity, if it is on record. Between the two it
    /// changes no distance: who holds a session is the identity until it ends.
    pub(super) fn session(&mut self, used: &IdentityUsed, identity: Key) -> Option<Key> {
        if used.how == "static" {
            return None;
        }
        let (by_key, by_id) = (used.access_key_id.as_deref(), used.session_id.as_deref());
        let key = session(by_key, by_id)?;
        self.opened(key, label(used.session_name.as_deref(), by_key, by_id), identity);
        Some(key)
    }

    fn opened(&mut self, session: Key, label: String, identity: Key) {
        self.links.node(session, "session", label, 0.0);
        self.links.edge(
            session,
            identity,
            Link { kind: "session_of", observed: true, evidence: Some(identity), ..Link::default() },
        );
    }

    /// Sessions of the activity logs, and credentials of the inventory that nobody ended.
    pub(super) fn credentials(&mut self) {
        for row in self.evidence.assumptions.iter().filter(|row| !row.denied) {
            let (by_key, by_id) = (row.access_key_id.as_deref(), row.session_id.as_deref());
            let Some((key, target)) = session(by_key, by_id).zip(row.target_identity_key) else { continue };
            self.links.node(target, "identity", row.target.clone(), 0.0);
            self.opened(key, label(row.session_name.as_deref(), by_key, by_id), target);
        }
        for row in self.evidence.credentials.iter().filter(|row| row.status != "inactive") {
            let Some(identity) = row.identity_key else { continue };
            let name = format!("{} {}", row.kind.replace('_', " "), row.name);
            self.links.node(row.credential_key, "credential", name, 0.0);
            let link = Link { kind: "credential_of", evidence: Some(row.credential_key), ..Link::default() };
            self.links.edge(row.credential_key, identity, link);
        }
    }
}
