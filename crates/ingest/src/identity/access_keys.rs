//! AWS `iam list-access-keys`: which user has which access key ids.
//!
//! Format: botocore `iam/2010-05-08/service-2.json`, `ListAccessKeysResponse`. The
//! answer names the user but no account; linking finds the user by name.

use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use leakgraph_model::tables::Credential;
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::Value;

/// One answer, or an array of the answers of several users.
pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let first = value.as_array().and_then(|pages| pages.first()).unwrap_or(value);
    let is_list = first.get("AccessKeyMetadata").is_some_and(Value::is_array);
    is_list.then(|| Recognised::new("aws_access_keys", "a list `AccessKeyMetadata`"))
}

pub(crate) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let pages = match value {
        Value::Array(pages) => pages.iter().collect(),
        page => vec![page],
    };
    let rows: Vec<&Value> = pages
        .iter()
        .flat_map(|page| page.get("AccessKeyMetadata").and_then(Value::as_array))
        .flatten()
        .collect();
    let credentials: Vec<_> = rows.iter().filter_map(|row| credential(document, row)).collect();
    let problem = incomplete(document, rows.len() - credentials.len(), "access keys have no id");
    Evidence { credentials, problems: problem.into_iter().collect(), ..Evidence::default() }
}

fn credential(document: &Document<'_>, row: &Value) -> Option<Credential> {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let created_at = text("CreateDate").and_then(Timestamp::parse);
    Some(Credential {
        scope: text("UserName").map(|user| format!("user/{user}")),
        status: match text("Status") {
            Some("Active") => "active",
            Some("Inactive") => "inactive",
            _ => "unknown",
        }
        .to_owned(),
        // A key cannot be changed, only replaced.
        rotated_at: created_at,
        created_at,
        ..access_key(text("AccessKeyId")?, document.source_key)
    })
}

/// The credential of an access key id, whoever names it.
pub(crate) fn access_key(id: &str, source_key: Key) -> Credential {
    Credential {
        credential_key: Key::of("credential", &["aws", "access_key", id]),
        kind: "access_key".to_owned(),
        name: id.to_owned(),
        status: "unknown".to_owned(),
        source_key,
        ..Credential::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_credentials_of_their_user() {
        let value = json!([{"AccessKeyMetadata": [
            {"UserName": "svc", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Inactive", "CreateDate": "2024-01-02T03:04:05+00:00"}]}]);
        assert_eq!(recognise(&value).unwrap().kind, "aws_access_keys");
        let evidence =
            import(&Document { path: "k.json", source_key: Key::default(), part: 0, bytes: b"" }, &value);
        let [row] = evidence.credentials.as_slice() else { panic!("one key") };
        assert_eq!((row.scope.as_deref(), row.status.as_str()), (Some("user/svc"), "inactive"));
        assert!(row.created_at.is_some());
    }
}
