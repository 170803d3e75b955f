//! Who is a person: the directory and the credential report of the AWS account.
//!
//! Shapes: Microsoft Graph, `GET /users`; `aws iam get-credential-report`.

use crate::aws::KEYS;
use crate::organisation::ORGANISATION;
use crate::random::Random;
use crate::vault::ACCOUNT;
use serde_json::{Value, json};

/// People in the directory: one of them has left.
pub(crate) fn users() -> Value {
    let user = |login: &str, name: &str, enabled: bool| {
        let id = Random::of(login).hex(32);
        let part = |from: usize, to: usize| id.get(from..to).unwrap_or_default();
        json!({
            "id": format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)),
            "displayName": name, "userPrincipalName": format!("{login}@{ORGANISATION}.example"), "accountEnabled": enabled,
        })
    };
    json!({
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users(id,displayName,userPrincipalName,accountEnabled)",
        "value": [user("joris.hendriks", "Joris Hendriks", true), user("tobias.falk", "Tobias Falk", false)],
    })
}

/// A user of the account: path and name, when it was made, its last sign-in with a password
/// (empty if it has none), and when its key was last used.
type User = (&'static str, &'static str, &'static str, Option<&'static str>, Option<&'static str>);

const USERS: [User; 6] = [
    ("ci", "svc-data-pipeline", "2024-03-18", Some("2026-10-15T12:00:00Z"), Some("2026-10-31T02:20:00Z")),
    ("ci", "svc-legacy-deployer", "2022-11-02", None, None),
    ("ci", "svc-backup", "2025-01-20", None, Some("2026-10-31T02:20:00Z")),
    ("ci", "svc-forgotten", "2021-04-04", None, None),
    ("people", "mara.lindqvist", "2022-01-10", Some("2026-10-29T08:15:00Z"), None),
    ("people", "joris.hendriks", "2022-01-11", Some("2026-10-30T09:02:00Z"), None),
];

/// The credential report, without what nobody here has: second keys and certificates.
pub(crate) fn credential_report() -> String {
    let mut text = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,\
        access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service\n"
        .to_owned();
    for (path, name, created, signed_in, used) in USERS {
        let password = match signed_in {
            Some(at) => format!("true,{at},2026-08-01T09:00:00Z,N/A,{}", path == "people"),
            None => "false,N/A,N/A,N/A,false".to_owned(),
        };
        let made = KEYS.iter().find(|(user, ..)| *user == name).map(|(.., made)| *made);
        let key = match (made, used) {
            (Some(made), Some(at)) => format!("true,{made},{at},eu-central-1,s3"),
            (Some(made), None) => format!("true,{made},N/A,N/A,N/A"),
            (None, _) => "false,N/A,N/A,N/A,N/A".to_owned(),
        };
        text.push_str(&format!(
            "{name},arn:aws:iam::{ACCOUNT}:user/{path}/{name},{created}T09:00:00Z,{password},{key}\n"
        ));
    }
    text
}
