//! The `permissions:` block of a workflow, and the permissions of Apps and tokens alike.

use super::{Allowance, Coverage, Document, Trimmed, Used, file_name};
use crate::github::includes;
use leakgraph_model::tables::{Grant, Identity};
use std::collections::BTreeMap;

/// Scopes of `permissions:` that a job may not ask for, because it always has them.
const ALWAYS: &str = "metadata";

/// Audit logs have no reads: what is granted for reading is kept, and so is the request for an
/// OIDC token, which only its receiver sees.
pub(super) fn trim(identity: &Identity, own: &[&Grant], used: &[Used<'_>], _coverage: Coverage) -> Trimmed {
    let mut trimmed = Trimmed::default();
    // Name of the scope, rank of the level.
    let mut kept: BTreeMap<String, u8> = BTreeMap::new();
    let granted: Vec<&String> = own
        .iter()
        .filter(|grant| grant.effect == "allow" && grant.understood)
        .flat_map(|grant| &grant.actions)
        .collect();
    let mut keep = |permission: &str| -> bool {
        let Some((name, level)) = ranked(permission) else { return false };
        let held = kept.entry(name).or_insert(0);
        let is_more = level > *held;
        *held = level.max(*held);
        is_more
    };
    for row in used {
        let action = row.action.to_ascii_lowercase();
        if granted.iter().any(|held| includes(&held.to_ascii_lowercase(), &action)) {
            keep(&action);
        }
    }
    for held in &granted {
        let Some((name, level)) = ranked(held) else {
            trimmed.notes.push(format!(
                "{held} is a scope of a classic token: replace the token by a fine-grained one"
            ));
            continue;
        };
        let because = if name == "id-token" {
            "only the receiver of the token sees it"
        } else {
            "reads are not logged"
        };
        let unseen = if name == "id-token" { level } else { level.min(1) };
        let action = format!("{name}:{}", word(unseen));
        if keep(&action) {
            trimmed.allowance.push(Allowance { action, because });
        }
    }
    trimmed.removed = granted
        .iter()
        .filter_map(|held| Some((held, ranked(held)?)))
        .filter(|(_, (name, level))| kept.get(name).is_none_or(|own| own < level))
        .map(|(held, _)| (*held).clone())
        .collect();
    kept.remove(ALWAYS);
    let lines: Vec<String> =
        kept.iter().map(|(name, level)| format!("  {name}: {}\n", word(*level))).collect();
    let text = if lines.is_empty() {
        "permissions: {}\n".to_owned()
    } else {
        format!("permissions:\n{}", lines.concat())
    };
    trimmed.documents = vec![Document { name: format!("{}.yml", file_name(&identity.native_id)), text }];
    trimmed
}

/// The scope as workflows write it, and 1 read, 2 write, 3 admin.
fn ranked(permission: &str) -> Option<(String, u8)> {
    let (name, level) = permission.split_once(':')?;
    let rank = match level {
        "read" => 1,
        "write" => 2,
        "admin" => 3,
        _ => return None,
    };
    Some((name.to_ascii_lowercase().replace('_', "-"), rank))
}

fn word(level: u8) -> &'static str {
    match level {
        1 => "read",
        2 => "write",
        _ => "admin",
    }
}
