//! Whether a trigger is bound to identities that the inventory knows and allows.

use crate::index::Index;
use leakgraph_model::tables::{Identity, Job, Run};

/// The worst of who decided and the identities the job acts as: disabled, unregistered,
/// unknown, approved.
pub(super) fn identity_state(
    index: &Index<'_>,
    run: &Run,
    job: Option<&Job>,
    decided_by: Option<&str>,
) -> &'static str {
    let mut states = vec![decided_by.map_or("unknown", |who| state_of_login(index, &run.platform, who))];
    for used in job.into_iter().flat_map(|job| index.used_by(job)).filter(|used| used.how != "job_token") {
        let known = used.identity_key.and_then(|key| index.identities.get(&key).copied());
        states.push(match (known, &used.account) {
            (Some(row), _) => state_of(row),
            // The account is on record, and this identity is not in it.
            (None, Some(account)) if index.accounts.contains(account) => "unregistered",
            (None, _) => "unknown",
        });
    }
    ["disabled", "unregistered", "unknown"]
        .into_iter()
        .find(|state| states.contains(state))
        .unwrap_or("approved")
}

fn state_of(identity: &Identity) -> &'static str {
    match identity.status.as_str() {
        "disabled" => "disabled",
        "enabled" => "approved",
        _ => "unknown",
    }
}

/// A login in the inventory of its platform; apps act as `slug[bot]`.
fn state_of_login(index: &Index<'_>, platform: &str, login: &str) -> &'static str {
    let name = login.to_lowercase();
    let name = name.strip_suffix("[bot]").unwrap_or(&name);
    index.logins.get(&(platform.to_owned(), name.to_owned())).map_or("unknown", |row| state_of(row))
}
