//! AWS `iam get-credential-report`: passwords, access keys and certificates of all users.
//!
//! Format: IAM user guide, "Getting credential reports for your AWS account": CSV, as the
//! console saves it, or base64 in `Content`, as the API answers. The report has no ids of
//! access keys, only their places; linking finds the id by the time of creation.

use super::aws::environment;
use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use leakgraph_model::tables::{Activity, Credential, Identity, Problem, identity_key};
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::Value;
use std::collections::HashMap;

const HEADER: &str = "user,arn,user_creation_time,password_enabled";

pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let is_csv = value.get("ReportFormat").and_then(Value::as_str) == Some("text/csv");
    let has_report = is_csv && value.get("Content").is_some_and(Value::is_string);
    has_report.then(|| Recognised::new("credential_report", "`Content` with `ReportFormat` text/csv"))
}

pub(crate) fn recognise_text(bytes: &[u8]) -> Option<Recognised> {
    let header = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    header
        .starts_with(HEADER.as_bytes())
        .then(|| Recognised::new("credential_report", "the header of a credential report"))
}

/// The answer of the API.
pub(crate) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let content = value.get("Content").and_then(Value::as_str).unwrap_or_default();
    let compact: String = content.split_ascii_whitespace().collect();
    match STANDARD.decode(compact).ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(text) => of_csv(document, &text),
        None => Evidence {
            problems: vec![Problem {
                path: document.path.to_owned(),
                code: "malformed_report".to_owned(),
                reason: "`Content` of a credential report is not text in base64".to_owned(),
                lossy: true,
                ..Problem::default()
            }],
            ..Evidence::default()
        },
    }
}

/// A report in CSV.
pub(crate) fn of_csv(document: &Document<'_>, text: &str) -> Evidence {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let header = lines.next().map(fields).unwrap_or_default();
    let rows = lines
        .filter(|line| !line.trim().is_empty())
        .map(|line| header.iter().cloned().zip(fields(line)).collect());
    of_rows(document, rows)
}

/// Rows by the names of their columns.
pub(super) fn of_rows(
    document: &Document<'_>,
    rows: impl Iterator<Item = HashMap<String, String>>,
) -> Evidence {
    let mut evidence = Evidence::default();
    let mut nameless = 0;
    for columns in rows {
        match User::of(&columns) {
            Some(user) => user.rows(document.source_key, &mut evidence),
            None => nameless += 1,
        }
    }
    evidence.problems.extend(incomplete(document, nameless, "rows of a credential report have no ARN"));
    evidence
}

/// Fields of a line (RFC 4180): a name may hold a comma.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    for letter in line.chars() {
        match (letter, is_quoted) {
            ('"', _) => is_quoted = !is_quoted,
            (',', false) => fields.push(String::new()),
            _ => fields.last_mut().into_iter().for_each(|field| field.push(letter)),
        }
    }
    fields
}

/// One row of the report.
struct User<'a> {
    columns: &'a HashMap<String, String>,
    arn: &'a str,
    key: Key,
}

impl<'a> User<'a> {
    fn of(columns: &'a HashMap<String, String>) -> Option<Self> {
        let arn = columns.get("arn").map(String::as_str).filter(|arn| arn.starts_with("arn:"))?;
        Some(Self { columns, arn, key: identity_key("aws", arn) })
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        let value = self.columns.get(name)?.trim();
        let is_absent = matches!(value, "" | "N/A" | "no_information" | "not_supported");
        (!is_absent).then_some(value)
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        self.text(name).and_then(Timestamp::parse)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        match self.text(name)?.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    fn rows(&self, source: Key, evidence: &mut Evidence) {
        evidence.identities.push(self.identity(source));
        let is_root = self.arn.ends_with(":root");
        // The report does not say whether the root has a password: it does unless removed.
        if is_root || self.flag("password_enabled") == Some(true) {
            evidence.credentials.push(Credential {
                rotated_at: self.time("password_last_changed"),
                last_used_at: self.time("password_last_used"),
                status: if is_root { "unknown" } else { "active" }.to_owned(),
                ..self.credential("password", "password", source)
            });
        }
        for place in ["1", "2"] {
            let column = |name: &str| format!("access_key_{place}_{name}");
            let made = self.time(&column("last_rotated"));
            if made.is_some() || self.flag(&column("active")) == Some(true) {
                evidence.credentials.push(Credential {
                    // A key cannot be changed, only replaced.
                    created_at: made,
                    rotated_at: made,
                    last_used_at: self.time(&column("last_used_date")),
                    status: self.status(&column("active")),
                    ..self.credential("access_key", &format!("access_key_{place}"), source)
                });
            }
            evidence.activity.extend(self.activity(place, source));
            let column = |name: &str| format!("cert_{place}_{name}");
            let made = self.time(&column("last_rotated"));
            if made.is_some() || self.flag(&column("active")) == Some(true) {
                evidence.credentials.push(Credential {
                    created_at: made,
                    rotated_at: made,
                    status: self.status(&column("active")),
                    ..self.credential("signing_certificate", &format!("cert_{place}"), source)
                });
            }
        }
    }

    fn status(&self, column: &str) -> String {
        match self.flag(column) {
            Some(true) => "active",
            Some(false) => "inactive",
            None => "unknown",
        }
        .to_owned()
    }

    fn credential(&self, kind: &str, name: &str, source: Key) -> Credential {
        Credential {
            credential_key: Key::of("credential", &["aws", kind, self.arn, name]),
            identity_key: Some(self.key),
            kind: kind.to_owned(),
            name: name.to_owned(),
            scope: Some(self.arn.to_owned()),
            source_key: source,
            ..Credential::default()
        }
    }

    /// The last use of a key, of which the report knows the service only.
    fn activity(&self, place: &str, source: Key) -> Option<Activity> {
        let at = self.time(&format!("access_key_{place}_last_used_date"))?;
        let service = self.text(&format!("access_key_{place}_last_used_service"))?;
        Some(Activity {
            identity_key: Some(self.key),
            principal: self.arn.to_owned(),
            session: Some(format!("access_key_{place}")),
            action: format!("{service}:*"),
            calls: 1,
            first_at: Some(at),
            last_at: Some(at),
            evidence: "credential_report".to_owned(),
            source_key: source,
            ..Activity::default()
        })
    }

    fn identity(&self, source: Key) -> Identity {
        let is_root = self.arn.ends_with(":root");
        let name = match self.text("user") {
            Some(name) if !is_root => name,
            _ => "root",
        };
        let uses = ["password_last_used", "access_key_1_last_used_date", "access_key_2_last_used_date"];
        Identity {
            identity_key: self.key,
            platform: "aws".to_owned(),
            kind: if is_root { "account_root" } else { "user" }.to_owned(),
            name: name.to_owned(),
            native_id: self.arn.to_owned(),
            account: self.arn.split(':').nth(4).map(str::to_owned),
            is_nhi: self.is_nhi(is_root),
            environment: environment(name),
            created_at: self.time("user_creation_time"),
            last_used_at: uses.iter().filter_map(|name| self.time(name)).max(),
            status: "enabled".to_owned(),
            tags: self.flag("mfa_active").map(|active| format!("mfa_active={active}")).into_iter().collect(),
            source_key: source,
            ..Identity::default()
        }
    }

    /// Who has keys and no password is no person, who has a password and no keys is one.
    fn is_nhi(&self, is_root: bool) -> Option<bool> {
        let has_key =
            ["access_key_1_active", "access_key_2_active"].iter().any(|name| self.flag(name) == Some(true));
        match (self.flag("password_enabled"), has_key) {
            _ if is_root => Some(false),
            (Some(false), true) => Some(true),
            (Some(true), false) => Some(false),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Columns and forms of the IAM user guide.
    const REPORT: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated,additional_credentials_info\n\
<root_account>,arn:aws:iam::123456789012:root,2019-03-21T09:00:10+00:00,not_supported,no_information,not_supported,not_supported,true,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A,\n\
\"ci,deploy\",\"arn:aws:iam::123456789012:user/ci,deploy\",2020-01-02T03:04:05+00:00,false,N/A,N/A,N/A,false,true,2020-01-02T03:04:05+00:00,2024-05-06T07:08:09+00:00,us-east-1,s3,false,2021-01-01T00:00:00+00:00,N/A,N/A,N/A,true,2020-02-02T00:00:00+00:00,false,N/A,\n\
ann,arn:aws:iam::123456789012:user/ann,2020-01-02T03:04:05+00:00,TRUE,2024-01-01T00:00:00+00:00,2023-01-01T00:00:00+00:00,N/A,TRUE,FALSE,N/A,N/A,N/A,N/A,FALSE,N/A,N/A,N/A,N/A,FALSE,N/A,FALSE,N/A,\n\
broken,no-arn\n";

    fn read() -> Evidence {
        of_csv(&Document { path: "r.csv", source_key: Key::default(), part: 0, bytes: b"" }, REPORT)
    }

    #[test]
    fn rows_are_users_with_their_credentials() {
        let evidence = read();
        let users: Vec<_> = evidence
            .identities
            .iter()
            .map(|row| (row.name.as_str(), row.kind.as_str(), row.is_nhi, row.last_used_at.is_some()))
            .collect();
        assert_eq!(
            users,
            [
                ("root", "account_root", Some(false), false),
                ("ci,deploy", "user", Some(true), true),
                ("ann", "user", Some(false), true),
            ]
        );
        let credentials: Vec<_> = evidence
            .credentials
            .iter()
            .map(|row| (row.name.as_str(), row.status.as_str(), row.rotated_at.is_some()))
            .collect();
        assert_eq!(
            credentials,
            [
                ("password", "unknown", false),
                ("access_key_1", "active", true),
                ("cert_1", "active", true),
                ("access_key_2", "inactive", true),
                ("password", "active", true),
            ]
        );
        let [used] = evidence.activity.as_slice() else { panic!("one use") };
        assert_eq!(
            (used.action.as_str(), used.principal.as_str()),
            ("s3:*", "arn:aws:iam::123456789012:user/ci,deploy")
        );
        let [problem] = evidence.problems.as_slice() else { panic!("one row has no ARN") };
        assert_eq!(problem.code, "incomplete");
    }

    #[test]
    fn the_answer_of_the_api_holds_the_same() {
        let value = json!({"Content": STANDARD.encode(REPORT), "ReportFormat": "text/csv", "GeneratedTime": "2024-06-01T00:00:00+00:00"});
        assert_eq!(recognise(&value).unwrap().kind, "credential_report");
        let document = Document { path: "r.json", source_key: Key::default(), part: 0, bytes: b"" };
        assert_eq!(import(&document, &value), read_as("r.json"));
        let torn = json!({"Content": "?", "ReportFormat": "text/csv"});
        assert_eq!(import(&document, &torn).problems.len(), 1);
    }

    fn read_as(path: &str) -> Evidence {
        of_csv(&Document { path, source_key: Key::default(), part: 0, bytes: b"" }, REPORT)
    }
}
