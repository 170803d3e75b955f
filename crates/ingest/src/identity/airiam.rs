//! What AirIAM saves of an account: the inventory, the credential report and the services each
//! principal used last, in one file.
//!
//! Format: bridgecrewio/AirIAM (Apache-2.0), `RuntimeIamScanner`.

use super::{aws, credential_report, last_accessed};
use crate::Document;
use crate::importer::Recognised;
use leakgraph_model::Evidence;
use serde_json::{Map, Value};

/// Its lists and what they are called in the account's authorization details.
const LISTS: [(&str, &str); 4] = [
    ("AccountUsers", "UserDetailList"),
    ("AccountRoles", "RoleDetailList"),
    ("AccountGroups", "GroupDetailList"),
    ("AccountPolicies", "Policies"),
];

pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let has = |name: &str| value.get(name).is_some_and(Value::is_array);
    (has("AccountRoles") && has("AccountUsers") && has("AccountPolicies"))
        .then(|| Recognised::new("airiam", "the lists `AccountUsers`, `AccountRoles` and `AccountPolicies`"))
}

pub(crate) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let details: Map<String, Value> =
        LISTS.iter().filter_map(|(own, name)| Some(((*name).to_owned(), value.get(*own)?.clone()))).collect();
    let mut evidence = aws::import(document, &mut Value::Object(details));
    let list = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned();
    let report = list(value, "CredentialReport").unwrap_or_default();
    let columns = |row: Value| match row {
        Value::Object(members) => {
            members.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
        }
        _ => Default::default(),
    };
    evidence.append(credential_report::of_rows(document, report.into_iter().map(columns)));
    for principal in ["AccountUsers", "AccountRoles"].iter().filter_map(|name| list(value, name)).flatten() {
        let arn = principal.get("Arn").and_then(Value::as_str);
        if let Some((arn, services)) = arn.zip(list(&principal, "LastAccessed")) {
            last_accessed::of_identity(arn, &services, document.source_key, &mut evidence);
        }
    }
    evidence
}
