//! An identity of the lake by key, name or ARN, and what it holds.

use super::explain::keys;
use super::literal;
use crate::exit::Usage;
use leakgraph_lake::Session;
use leakgraph_model::Row;
use leakgraph_model::tables::{Activity, Grant, Identity};

/// The one identity that `id` names.
pub(crate) fn find(session: &Session, id: &str) -> anyhow::Result<Identity> {
    let hits = keys(session, "identities", "identity_key", id)?;
    let [key] = hits.as_slice() else {
        let text = match hits.len() {
            0 => format!("no identity is called {id:?}\nhint: `leakgraph nhis` shows identities"),
            many => format!("{id:?} names {many} identities; give the key or the ARN"),
        };
        return Err(Usage(text).into());
    };
    let found = rows(session, &format!("SELECT * FROM identities WHERE key(identity_key) = '{key}'"))?;
    found.into_iter().next().ok_or_else(|| anyhow::anyhow!("identity {key} vanished from the lake"))
}

pub(crate) fn grants(session: &Session, identity: &Identity) -> anyhow::Result<Vec<Grant>> {
    let key = identity.identity_key;
    rows(session, &format!("SELECT * FROM grants WHERE key(identity_key) = '{key}' ORDER BY grant_key"))
}

/// What it did: attempts that were refused are no use.
pub(crate) fn uses(session: &Session, identity: &Identity) -> anyhow::Result<Vec<Activity>> {
    let key = identity.identity_key;
    rows(session, &format!("SELECT * FROM activity WHERE key(identity_key) = '{key}' AND NOT denied"))
}

/// Whether the logs of its account have data events.
pub(crate) fn has_data_events(session: &Session, identity: &Identity) -> anyhow::Result<bool> {
    let account = match &identity.account {
        Some(account) => format!("= {}", literal(account)),
        None => "IS NULL".to_owned(),
    };
    let sql = format!(
        "SELECT 1 AS one FROM activity JOIN identities ON activity.identity_key = identities.identity_key \
         WHERE data_event AND platform = {} AND account {account} LIMIT 1",
        literal(&identity.platform)
    );
    Ok(session.query(&sql)?.iter().any(|batch| batch.num_rows() > 0))
}

fn rows<R: Row>(session: &Session, sql: &str) -> anyhow::Result<Vec<R>> {
    let mut rows = Vec::new();
    for batch in session.query(sql)? {
        rows.extend(R::from_batch(&batch)?);
    }
    Ok(rows)
}
