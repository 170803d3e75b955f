//! AWS `iam get-service-last-accessed-details`: what one identity tried last, by service and,
//! for the services that track them, by action.
//!
//! Format: botocore `iam/2010-05-08/service-2.json`, `GetServiceLastAccessedDetailsResponse`.
//! The answer does not name the identity it is about: it is wrapped (`{"Arn": …, "Details":
//! {…}}`, as scripts save it), beside the answer, or in the file's path. Aardvark (Netflix,
//! Apache-2.0) saves the services of many: `{ARN: [{"serviceNamespace", "lastAuthenticated":
//! milliseconds or 0}]}`. AWS counts attempts ("including the unsuccessful"), so a use may have
//! been refused.

use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::{text, time};
use leakgraph_model::tables::{Activity, EvidenceGap, Identity, identity_key};
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::{Map, Value};

/// Names under which scripts keep the ARN and the answer.
const ARNS: [&str; 5] = ["/Arn", "/arn", "/EntityArn", "/entityArn", "/principal"];
const ANSWERS: [&str; 4] = ["/details", "/Details", "/LastAccessed", "/lastAccessed"];

pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let first = value.as_array().and_then(|pages| pages.first()).unwrap_or(value);
    services(answer_of(first))
        .map(|_| Recognised::new("last_accessed", "a list `ServicesLastAccessed`"))
        .or_else(|| aardvark(value).map(|_| Recognised::new("last_accessed", "ARNs with `serviceNamespace`")))
}

/// Lists of services by ARN.
fn aardvark(value: &Value) -> Option<&Map<String, Value>> {
    let members = value.as_object().filter(|members| !members.is_empty())?;
    let is_list = |(name, list): (&String, &Value)| {
        let mut services = list.as_array().into_iter().flatten();
        name.starts_with("arn:")
            && list.is_array()
            && services.all(|service| service.get("serviceNamespace").is_some())
    };
    members.iter().all(is_list).then_some(members)
}

/// One answer, wrapped or not; an array of answers, of one identity or of several.
pub(crate) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    let mut nameless = 0;
    for (arn, services) in aardvark(value).into_iter().flatten() {
        let services = services.as_array().map(Vec::as_slice).unwrap_or_default();
        of_identity(arn, services, document.source_key, &mut evidence);
    }
    let pages = value.as_array().map_or_else(|| vec![value], |pages| pages.iter().collect());
    for page in pages {
        let Some(services) = services(answer_of(page)) else { continue };
        let named = ARNS.iter().find_map(|name| text(page, name)).or_else(|| arn_of_path(document.path));
        match named {
            Some(arn) => of_identity(&arn, services, document.source_key, &mut evidence),
            None => nameless += 1,
        }
    }
    let what = "answers do not say, nor does their path, whose last accesses they are";
    evidence.problems.extend(incomplete(document, nameless, what));
    evidence
}

fn answer_of(page: &Value) -> &Value {
    ANSWERS.iter().find_map(|name| page.pointer(name)).filter(|answer| answer.is_object()).unwrap_or(page)
}

fn services(answer: &Value) -> Option<&Vec<Value>> {
    answer.get("ServicesLastAccessed").and_then(Value::as_array)
}

/// The ARN in a path: `…/arn:aws:iam::1:role/ci/deploy.json`, or with `_` for what file names
/// cannot hold, `arn_aws_iam__123456789012_role_deploy.json`.
pub(crate) fn arn_of_path(path: &str) -> Option<String> {
    let path = path.strip_suffix(".json").unwrap_or(path);
    let path = path.strip_suffix(".json.gz").unwrap_or(path);
    if let Some((_, rest)) = path.rsplit_once("arn:aws") {
        return Some(format!("arn:aws{rest}"));
    }
    let (_, rest) = path.rsplit_once("arn_aws_iam__")?;
    let (account, resource) = rest.split_once('_')?;
    let (kind, name) = resource.split_once('_')?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (is_account && matches!(kind, "role" | "user")).then(|| format!("arn:aws:iam::{account}:{kind}/{name}"))
}

/// Rows of the services that one identity tried.
pub(super) fn of_identity(arn: &str, services: &[Value], source: Key, evidence: &mut Evidence) {
    let key = identity_key("aws", arn);
    let before = evidence.activity.len();
    for service in services {
        let prefix = text(service, "/ServiceNamespace").or_else(|| text(service, "/serviceNamespace"));
        let Some(prefix) = prefix else { continue };
        let actions = service.get("TrackedActionsLastAccessed").and_then(Value::as_array);
        let mut last = None;
        for action in actions.into_iter().flatten() {
            let Some(at) = time(action, "/LastAccessedTime") else { continue };
            let Some(name) = text(action, "/ActionName") else { continue };
            last = last.max(Some(at));
            evidence.activity.push(row(arn, key, &format!("{prefix}:{name}"), at, source));
        }
        // AirIAM calls it `LastAccessed`.
        let at = ["/LastAuthenticated", "/LastAccessed"].iter().find_map(|name| time(service, name));
        let at = at.or_else(|| epoch(service.get("lastAuthenticated")?.as_i64()?));
        // What was used after the last tracked action is some other action of the service.
        if let Some(at) = at.filter(|at| last.is_none_or(|last| last < *at)) {
            evidence.activity.push(row(arn, key, &format!("{prefix}:*"), at, source));
        }
    }
    let used = evidence.activity.get(before..).unwrap_or_default();
    if let Some(identity) = identity(arn, key, used.iter().filter_map(|row| row.last_at).max(), source) {
        evidence.identities.push(identity);
    }
    evidence.evidence_gaps.push(EvidenceGap {
        subject_key: key,
        subject_table: "identities".to_owned(),
        analytic: "excess_privilege".to_owned(),
        gap: "attempts_count_as_use".to_owned(),
        effect: "lower_bound_only".to_owned(),
    });
}

/// Seconds or milliseconds since 1970, as Repokid tells them apart; 0 is never.
fn epoch(number: i64) -> Option<Timestamp> {
    match number {
        1_000_000_000..=9_999_999_999 => Some(Timestamp::from_seconds(number)),
        1_000_000_000_000..=9_999_999_999_999 => Some(Timestamp(number * 1_000)),
        _ => None,
    }
}

fn row(arn: &str, key: Key, action: &str, at: Timestamp, source: Key) -> Activity {
    Activity {
        identity_key: Some(key),
        principal: arn.to_owned(),
        action: action.to_owned(),
        calls: 1,
        first_at: Some(at),
        last_at: Some(at),
        evidence: "last_accessed".to_owned(),
        source_key: source,
        ..Activity::default()
    }
}

/// The identity an ARN names, as far as the ARN tells.
pub(super) fn identity(
    arn: &str,
    key: Key,
    last_used_at: Option<Timestamp>,
    source: Key,
) -> Option<Identity> {
    let (kind, path) = arn.splitn(6, ':').nth(5)?.split_once('/')?;
    let kind = match (kind, path.starts_with("aws-service-role/")) {
        ("role", true) => "service_linked_role",
        ("role" | "user", _) => kind,
        _ => return None,
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_person = name.starts_with("AWSReservedSSO_");
    Some(Identity {
        identity_key: key,
        platform: "aws".to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        native_id: arn.to_owned(),
        account: arn.split(':').nth(4).map(str::to_owned),
        is_nhi: (kind != "user").then_some(!is_person),
        last_used_at,
        status: "enabled".to_owned(),
        source_key: source,
        ..Identity::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ARN: &str = "arn:aws:iam::123456789012:role/ci/deploy";

    /// The example of the API reference, at the level of actions.
    fn answer() -> Value {
        json!({"JobStatus": "COMPLETED", "JobType": "ACTION_LEVEL", "IsTruncated": false,
            "JobCreationDate": "2024-06-01T00:00:00+00:00",
            "ServicesLastAccessed": [
                {"ServiceName": "Amazon S3", "ServiceNamespace": "s3", "LastAuthenticated": "2024-05-02T00:00:00+00:00", "TotalAuthenticatedEntities": 1,
                    "TrackedActionsLastAccessed": [
                        {"ActionName": "PutBucketPolicy"},
                        {"ActionName": "ListAllMyBuckets", "LastAccessedTime": "2024-05-01T00:00:00+00:00", "LastAccessedRegion": "us-east-1"}]},
                {"ServiceName": "AWS Lambda", "ServiceNamespace": "lambda", "LastAuthenticated": "2024-04-01T00:00:00+00:00",
                    "TrackedActionsLastAccessed": [{"ActionName": "GetFunction", "LastAccessedTime": "2024-04-01T00:00:00+00:00"}]},
                {"ServiceName": "Amazon EC2", "ServiceNamespace": "ec2", "TotalAuthenticatedEntities": 0}]})
    }

    fn read(path: &str, value: &Value) -> Evidence {
        assert_eq!(recognise(value).unwrap().kind, "last_accessed");
        import(&Document { path, source_key: Key::default(), part: 0, bytes: b"" }, value)
    }

    #[test]
    fn services_and_actions_that_were_used_are_activity() {
        let evidence = read("x.json", &json!([{"Arn": ARN, "Details": answer()}]));
        let used: Vec<_> = evidence.activity.iter().map(|row| row.action.as_str()).collect();
        // S3 was used after its last tracked action, Lambda was not.
        assert_eq!(used, ["s3:ListAllMyBuckets", "s3:*", "lambda:GetFunction"]);
        let [role] = evidence.identities.as_slice() else { panic!("one role") };
        assert_eq!((role.name.as_str(), role.is_nhi), ("deploy", Some(true)));
        assert_eq!(role.last_used_at, Timestamp::parse("2024-05-02T00:00:00Z"));
        assert_eq!(evidence.evidence_gaps.len(), 1);
    }

    /// The cases of Repokid's `test_get_epoch_authenticated`.
    #[test]
    fn times_of_aardvark_are_seconds_or_milliseconds() {
        let second = Timestamp::from_seconds(1_545_787_620);
        for (number, expected) in
            [(1_545_787_620_000, Some(second)), (1_545_787_620, Some(second)), (154_578_762, None), (0, None)]
        {
            assert_eq!(epoch(number), expected, "{number}");
        }
    }

    #[test]
    fn the_identity_is_named_beside_the_answer_or_in_the_path() {
        let named = |path: &str| read(path, &answer()).activity.first().map(|row| row.principal.clone());
        assert_eq!(named("la/arn:aws:iam::123456789012:role/ci/deploy.json").as_deref(), Some(ARN));
        assert_eq!(
            named("la/arn_aws_iam__123456789012_user_ci_bot.json").as_deref(),
            Some("arn:aws:iam::123456789012:user/ci_bot")
        );
        let mut beside = answer();
        beside["arn"] = json!(ARN);
        assert_eq!(read("x.json", &beside).activity[0].principal, ARN);
        let evidence = read("deploy.json", &answer());
        assert!(evidence.activity.is_empty() && evidence.problems.len() == 1);
    }
}
