//! What predefined roles of Google Cloud and built-in roles of Azure contain, for grants of a
//! role that no file of the inventory defines (`datasets/catalogs/{gcp,azure}-roles.tsv`).

use leakgraph_model::Key;
use leakgraph_model::tables::Grant;
use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

const GCP: &str = include_str!("../../../datasets/catalogs/gcp-roles.tsv");
const AZURE: &str = include_str!("../../../datasets/catalogs/azure-roles.tsv");

/// The condition of what a role perhaps contains.
pub(crate) const PARTLY_KNOWN: &str = r#"{"contents":"of this role only what leads to others is known"}"#;

/// One statement of a role.
struct Statement {
    actions: Vec<&'static str>,
    /// Taken away from `actions`.
    excluded: Vec<&'static str>,
    is_conditional: bool,
}

/// A role of Google Cloud: its permissions, and whether these are all.
type GcpRole = (bool, Vec<&'static str>);

struct Roles {
    gcp: HashMap<&'static str, GcpRole>,
    /// By id and by lower-case name.
    azure: HashMap<String, Vec<Statement>>,
    /// The permissions whose holders are known for every role of Google Cloud.
    mapped: Vec<&'static str>,
}

fn words(column: &'static str) -> Vec<&'static str> {
    column.split(' ').filter(|word| !word.is_empty()).collect()
}

fn roles() -> &'static Roles {
    static ROLES: OnceLock<Roles> = OnceLock::new();
    ROLES.get_or_init(|| {
        let mut gcp = HashMap::new();
        let mut mapped = BTreeSet::new();
        for (name, permissions) in GCP.lines().filter_map(|line| line.split_once('\t')) {
            let (is_whole, permissions) = (name.starts_with('+'), words(permissions));
            if !is_whole {
                mapped.extend(permissions.iter().copied());
            }
            gcp.insert(name.trim_start_matches(['+', '-']), (is_whole, permissions));
        }
        Roles { gcp, azure: azure(), mapped: mapped.into_iter().collect() }
    })
}

fn azure() -> HashMap<String, Vec<Statement>> {
    let mut found: HashMap<String, Vec<Statement>> = HashMap::new();
    for line in AZURE.lines() {
        let columns: Vec<&'static str> = line.split('\t').collect();
        let [id, name, _plane, allowed, excluded, condition] = columns.as_slice() else { continue };
        for key in [id.to_ascii_lowercase(), name.to_ascii_lowercase()] {
            found.entry(key).or_default().push(Statement {
                actions: words(allowed),
                excluded: words(excluded),
                is_conditional: !condition.is_empty(),
            });
        }
    }
    found
}

/// Statements instead of grants that only name a role, by the key of the grant.
pub(crate) fn contents(grants: &[&Grant]) -> HashMap<Key, Vec<Grant>> {
    grants.iter().filter_map(|grant| Some((grant.grant_key, of_grant(grant)?))).collect()
}

fn of_grant(grant: &Grant) -> Option<Vec<Grant>> {
    let is_role =
        !grant.understood && grant.policy_kind == "permission" && grant.actions == [grant.policy.as_str()];
    let statements = match grant.platform.as_str() {
        "gcp" if is_role => of_gcp(grant),
        "azure" if is_role => of_azure(grant),
        _ => None,
    }?;
    let keyed = statements.into_iter().enumerate().map(|(place, row)| Grant {
        grant_key: if place == 0 {
            grant.grant_key
        } else {
            Key::of("grant", &[&grant.grant_key.to_string(), &place.to_string()])
        },
        statement: place.to_string(),
        ..row
    });
    Some(keyed.collect())
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn both(one: Option<&str>, other: &str) -> Option<String> {
    Some(one.map_or_else(|| other.to_owned(), |one| format!("[{one},{other}]")))
}

fn of_gcp(grant: &Grant) -> Option<Vec<Grant>> {
    let roles = roles();
    let (is_whole, permissions) = roles.gcp.get(grant.policy.strip_prefix("roles/")?)?;
    let mut rows = vec![Grant { actions: owned(permissions), understood: true, ..grant.clone() }];
    if !is_whole {
        rows.push(Grant {
            actions: owned(&roles.mapped),
            not_actions: true,
            understood: true,
            conditions: both(grant.conditions.as_deref(), PARTLY_KNOWN),
            ..grant.clone()
        });
    }
    Some(rows)
}

/// What a role leaves out it takes from its own actions only (Azure, "Understand role
/// definitions"): everything but some is exactly that, of other patterns all is conditional
/// that an exclusion may touch.
fn of_azure(grant: &Grant) -> Option<Vec<Grant>> {
    let roles = roles();
    let of = |name: &str| roles.azure.get(&name.to_ascii_lowercase());
    let statements = of(&grant.statement).or_else(|| of(&grant.policy))?;
    let mut rows = Vec::new();
    for statement in statements {
        let condition = |text: &str| both(grant.conditions.as_deref(), text);
        let own = if statement.is_conditional {
            condition(r#"{"role":"has a condition"}"#)
        } else {
            grant.conditions.clone()
        };
        let row = |actions: &[&str], not_actions, conditions| Grant {
            actions: owned(actions),
            not_actions,
            conditions,
            understood: true,
            ..grant.clone()
        };
        if statement.excluded.is_empty() {
            rows.push(row(&statement.actions, false, own));
        } else if statement.actions == ["*"] {
            rows.push(row(&statement.excluded, true, own));
        } else {
            let (unsure, sure): (Vec<&str>, Vec<&str>) = statement
                .actions
                .iter()
                .partition(|action| statement.excluded.iter().any(|other| may_overlap(action, other)));
            let without = condition(&serde_json::json!({ "notActions": statement.excluded }).to_string());
            rows.extend((!sure.is_empty()).then(|| row(&sure, false, own)));
            rows.extend((!unsure.is_empty()).then(|| row(&unsure, false, without)));
        }
    }
    Some(rows)
}

/// Whether two patterns may match the same action: what stands before their first wildcard
/// does not tell them apart.
fn may_overlap(one: &str, other: &str) -> bool {
    let fixed = |pattern: &str| pattern.split('*').next().unwrap_or_default().to_ascii_lowercase();
    let (start, other_start) = (fixed(one), fixed(other));
    match (one.contains('*'), other.contains('*')) {
        (false, false) => start == other_start,
        _ => start.starts_with(&other_start) || other_start.starts_with(&start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decision, can, effective};

    fn granted(platform: &str, role: &str, statement: &str) -> Grant {
        Grant {
            grant_key: Key::of("grant", &[role]),
            platform: platform.to_owned(),
            policy_kind: "permission".to_owned(),
            policy: role.to_owned(),
            statement: statement.to_owned(),
            effect: "allow".to_owned(),
            actions: vec![role.to_owned()],
            resources: vec!["*".to_owned()],
            ..Grant::default()
        }
    }

    fn ask(grant: &Grant, action: &str) -> Decision {
        can(Key::default(), std::slice::from_ref(grant), action, "x").decision
    }

    #[test]
    fn predefined_roles_hold_what_google_says() {
        let creator = granted("gcp", "roles/iam.serviceAccountTokenCreator", "0");
        assert_eq!(ask(&creator, "iam.serviceAccounts.getAccessToken"), Decision::Yes);
        assert_eq!(ask(&creator, "storage.objects.get"), Decision::No);
        // Of these what leads to others is known, the rest is open.
        let editor = granted("gcp", "roles/editor", "0");
        assert_eq!(ask(&editor, "iam.serviceAccounts.actAs"), Decision::Yes);
        assert_eq!(ask(&editor, "resourcemanager.projects.setIamPolicy"), Decision::No);
        assert_eq!(ask(&editor, "storage.buckets.get"), Decision::May);
        let own = granted("gcp", "projects/p/roles/own", "0");
        assert_eq!(ask(&own, "storage.buckets.get"), Decision::May, "a custom role may hold anything");
        let found = effective(&[], &[editor]);
        assert_eq!(found[0].gaps, ["partly_known_role"]);
        assert!(found[0].must.len() > 50 && found[0].may.len() > 10_000);
    }

    #[test]
    fn built_in_roles_hold_what_microsoft_says() {
        let owner = granted("azure", "Owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635");
        let write = "Microsoft.Authorization/roleAssignments/write";
        assert_eq!(ask(&owner, write), Decision::Yes);
        let contributor = granted("azure", "Contributor", "0");
        assert_eq!(
            (ask(&contributor, write), ask(&contributor, "Microsoft.Web/sites/write")),
            (Decision::No, Decision::Yes)
        );
        let reader = granted("azure", "Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7");
        assert_eq!(ask(&reader, "Microsoft.Web/sites/read"), Decision::Yes);
        assert_eq!(ask(&reader, "Microsoft.Storage/storageAccounts/listKeys/action"), Decision::No);
        let must = |grant| effective(&[], &[grant])[0].must.len();
        assert!(must(owner.clone()) > must(contributor) && must(owner) > 3_000 && must(reader) > 900);
        assert_eq!(ask(&granted("azure", "Acme Deployer", "0"), write), Decision::May);
    }
}
