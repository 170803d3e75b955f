//! The organisation's AWS account: who there is, what they may do, what they did.
//!
//! Shapes: `aws iam get-account-authorization-details`, `aws iam list-access-keys`,
//! CloudTrail log files.

use crate::clock::Moment;
use crate::random::{DIGITS, Random};
use crate::runs::{Run, role_arn, session};
use crate::vault::{ACCOUNT, secret};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PROVIDER: &str = "token.actions.githubusercontent.com";
/// Account of a partner.
const PARTNER: u64 = 620_455_118_903;

/// Roles that workflows assume: name, trusted subjects, statements, calls of one session.
type CiRole = (&'static str, &'static [&'static str], fn() -> Value, &'static [&'static str]);

const CI_ROLES: &[CiRole] = &[
    (
        "github-deploy-production",
        &["repo:northwind-labs/platform-deploy:environment:production"],
        deploy,
        &["ecs:DescribeServices", "ecs:UpdateService", "ecr:GetAuthorizationToken", "ecs:DescribeTasks"],
    ),
    // Any branch of any repository: whoever can open a pull request can be this role.
    (
        "github-preview",
        &["repo:northwind-labs/*"],
        preview,
        &["s3:ListBuckets", "cloudfront:CreateInvalidation"],
    ),
    (
        "github-deploy-auth",
        &["repo:northwind-labs/auth-service:environment:production"],
        deploy,
        &["ecs:UpdateService", "ecs:DescribeServices"],
    ),
    (
        "terraform-plan",
        &["repo:northwind-labs/infra-terraform:*"],
        read_only,
        &["ec2:DescribeInstances", "iam:GetRole", "s3:ListBuckets", "rds:DescribeDBInstances"],
    ),
    (
        "terraform-apply",
        &["repo:northwind-labs/infra-terraform:ref:refs/heads/main"],
        administrator,
        &[
            "ec2:DescribeInstances",
            "ec2:CreateTags",
            "iam:GetRole",
            "s3:ListBuckets",
            "rds:DescribeDBInstances",
        ],
    ),
];

fn statement(sid: &str, actions: Value, resources: Value) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources})
}

fn administrator() -> Value {
    json!([statement("Everything", json!("*"), json!("*"))])
}

fn deploy() -> Value {
    json!([
        statement("Deploy", json!(["ecs:*", "ecr:*", "logs:*"]), json!("*")),
        statement("Pass", json!("iam:PassRole"), json!(format!("arn:aws:iam::{ACCOUNT}:role/*"))),
        statement(
            "Run",
            json!(["lambda:CreateFunction", "lambda:InvokeFunction", "lambda:UpdateFunctionCode"]),
            json!("*")
        ),
        statement("Config", json!(["ssm:GetParameter*", "secretsmanager:GetSecretValue"]), json!("*")),
    ])
}

fn preview() -> Value {
    json!([
        statement(
            "Site",
            json!([
                "s3:GetObject",
                "s3:PutObject",
                "s3:DeleteObject",
                "s3:ListBucket",
                "s3:ListAllMyBuckets"
            ]),
            json!("*")
        ),
        statement(
            "Cache",
            json!(["cloudfront:CreateInvalidation", "cloudfront:UpdateDistribution"]),
            json!("*")
        ),
        statement("Next", json!("sts:AssumeRole"), json!(role_arn("site-publisher"))),
    ])
}

fn read_only() -> Value {
    json!([statement(
        "Read",
        json!([
            "ec2:Describe*",
            "iam:Get*",
            "iam:List*",
            "s3:Get*",
            "s3:List*",
            "rds:Describe*",
            "kms:Describe*",
            "ecs:Describe*"
        ]),
        json!("*")
    )])
}

fn pipeline() -> Value {
    json!([
        statement("Lake", json!("s3:*"), json!("*")),
        statement("Load", json!(["glue:*", "athena:*", "redshift-data:*"]), json!("*")),
        statement("Roles", json!(["sts:AssumeRole", "iam:PassRole"]), json!("*")),
        statement("Secrets", json!("secretsmanager:*"), json!("*")),
    ])
}

fn backup() -> Value {
    json!([statement(
        "Copy",
        json!(["s3:GetObject", "s3:PutObject", "s3:ListBucket"]),
        json!(["arn:aws:s3:::northwind-backup", "arn:aws:s3:::northwind-backup/*"])
    )])
}

/// An application's own role: reads its queue and its table, not much else.
fn application(name: &str) -> Value {
    json!([
        statement(
            "Queue",
            json!(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:SendMessage"]),
            json!(format!("arn:aws:sqs:eu-central-1:{ACCOUNT}:{name}"))
        ),
        statement(
            "Table",
            json!(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]),
            json!(format!("arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/{name}"))
        ),
    ])
}

/// Id of a role or user as IAM gives them.
pub(crate) fn unique_id(prefix: &str, name: &str) -> String {
    format!("{prefix}{}", Random::of(name).text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 17))
}

fn trust(principal: Value, action: &str, condition: Option<Value>) -> Value {
    let mut statement = json!({"Effect": "Allow", "Principal": principal, "Action": action});
    if let (Some(condition), Some(members)) = (condition, statement.as_object_mut()) {
        members.insert("Condition".to_owned(), condition);
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn role(
    path: &str,
    name: &str,
    created: &str,
    trust: &Value,
    statements: &Value,
    tags: &[(&str, &str)],
) -> Value {
    let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    json!({
        "Path": path, "RoleName": name, "RoleId": unique_id("AROA", name), "Arn": format!("arn:aws:iam::{ACCOUNT}:role{path}{name}"),
        "CreateDate": created, "AssumeRolePolicyDocument": trust, "InstanceProfileList": [],
        "RolePolicyList": [{"PolicyName": format!("{name}-policy"), "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}],
        "AttachedManagedPolicies": [], "Tags": tags, "RoleLastUsed": {},
    })
}

fn user(path: &str, name: &str, created: &str, statements: Option<Value>, groups: &[&str]) -> Value {
    let policies = statements
        .map(|statements| json!([{"PolicyName": format!("{name}-policy"), "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}]))
        .unwrap_or_else(|| json!([]));
    json!({
        "Path": path, "UserName": name, "UserId": unique_id("AIDA", name), "Arn": format!("arn:aws:iam::{ACCOUNT}:user{path}{name}"),
        "CreateDate": created, "UserPolicyList": policies, "GroupList": groups, "AttachedManagedPolicies": [], "Tags": [],
    })
}

const APPLICATIONS: [&str; 14] = [
    "catalog",
    "checkout",
    "ledger",
    "sessions",
    "search",
    "webhooks",
    "exports",
    "thumbnails",
    "mailer",
    "fraud",
    "recommender",
    "audit-sink",
    "feature-flags",
    "geo",
];

/// Answer of `get-account-authorization-details`.
pub(crate) fn account() -> Value {
    let service = |name: &str| trust(json!({"Service": name}), "sts:AssumeRole", None);
    let root = trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}), "sts:AssumeRole", None);
    let mut roles = Vec::new();
    for (name, subjects, statements, _) in CI_ROLES {
        let condition = json!({
            "StringEquals": {format!("{PROVIDER}:aud"): "sts.amazonaws.com"},
            "StringLike": {format!("{PROVIDER}:sub"): subjects},
        });
        let provider = json!({"Federated": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{PROVIDER}")});
        let trust = trust(provider, "sts:AssumeRoleWithWebIdentity", Some(condition));
        roles.push(role(
            "/",
            name,
            "2025-02-03T10:00:00Z",
            &trust,
            &statements(),
            &[("owner", "platform"), ("env", "production")],
        ));
    }
    for name in APPLICATIONS {
        roles.push(role(
            "/app/",
            &format!("{name}-task"),
            "2024-09-12T10:00:00Z",
            &service("ecs-tasks.amazonaws.com"),
            &application(name),
            &[("owner", name)],
        ));
    }
    roles.push(role(
        "/",
        "site-publisher",
        "2024-11-20T10:00:00Z",
        &trust(json!({"AWS": role_arn("github-preview")}), "sts:AssumeRole", None),
        &json!([statement(
            "Publish",
            json!(["s3:*", "cloudfront:*", "route53:ChangeResourceRecordSets"]),
            json!("*")
        )]),
        &[],
    ));
    roles.push(role(
        "/",
        "data-runner-instance",
        "2024-06-01T10:00:00Z",
        &service("ec2.amazonaws.com"),
        &json!([statement("Lake", json!(["s3:*", "glue:*", "kms:Decrypt"]), json!("*"))]),
        &[("owner", "data")],
    ));
    roles.push(role(
        "/",
        "warehouse-admin",
        "2024-01-15T10:00:00Z",
        &root,
        &json!([
            statement("Warehouse", json!(["redshift:*", "s3:*", "iam:PassRole"]), json!("*")),
            statement("Users", json!(["iam:CreateAccessKey", "iam:AttachUserPolicy"]), json!("*"))
        ]),
        // Who has left.
        &[("owner", "tobias.falk")],
    ));
    roles.push(role(
        "/",
        "break-glass",
        "2023-05-05T10:00:00Z",
        &root,
        &administrator(),
        &[("owner", "joris.hendriks")],
    ));
    roles.push(role(
        "/aws-service-role/ecs.amazonaws.com/",
        "AWSServiceRoleForECS",
        "2023-01-01T00:00:00Z",
        &service("ecs.amazonaws.com"),
        &json!([statement(
            "Service",
            json!(["ec2:AttachNetworkInterface", "ec2:CreateNetworkInterface", "elasticloadbalancing:*"]),
            json!("*")
        )]),
        &[],
    ));
    let users = json!([
        user("/ci/", "svc-data-pipeline", "2024-03-18T09:00:00Z", Some(pipeline()), &[]),
        user("/ci/", "svc-legacy-deployer", "2022-11-02T09:00:00Z", Some(administrator()), &[]),
        user("/ci/", "svc-backup", "2025-01-20T09:00:00Z", Some(backup()), &[]),
        user(
            "/ci/",
            "svc-forgotten",
            "2021-04-04T09:00:00Z",
            Some(json!([statement("Mail", json!(["ses:*", "sns:*"]), json!("*"))])),
            &[]
        ),
        user("/people/", "mara.lindqvist", "2022-01-10T09:00:00Z", None, &["engineers"]),
        user("/people/", "joris.hendriks", "2022-01-11T09:00:00Z", None, &["engineers", "on-call"]),
    ]);
    let group = |name: &str, statements: Value| {
        json!({"Path": "/", "GroupName": name, "GroupId": unique_id("AGPA", name), "Arn": format!("arn:aws:iam::{ACCOUNT}:group/{name}"), "CreateDate": "2022-01-01T00:00:00Z",
            "GroupPolicyList": [{"PolicyName": format!("{name}-policy"), "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}], "AttachedManagedPolicies": []})
    };
    json!({
        "UserDetailList": users,
        "GroupDetailList": [group("engineers", read_only()), group("on-call", json!([statement("Emergency", json!("sts:AssumeRole"), json!(role_arn("break-glass")))]))],
        "RoleDetailList": roles,
        "Policies": [],
        "IsTruncated": false,
    })
}

/// Users with keys: name of the key in the vault, day it was made.
pub(crate) const KEYS: [(&str, &str, &str); 3] = [
    ("svc-data-pipeline", "PIPELINE_KEY_ID", "2024-03-18T09:05:00Z"),
    ("svc-legacy-deployer", "LEGACY_KEY_ID", "2022-11-02T09:05:00Z"),
    ("svc-backup", "BACKUP_KEY_ID", "2026-07-20T09:05:00Z"),
];

/// Answers of `list-access-keys`, one per user.
pub(crate) fn access_keys() -> Value {
    KEYS.iter()
        .map(|(user, key, created)| {
            json!({"AccessKeyMetadata": [{"UserName": user, "AccessKeyId": secret(key).value, "Status": "Active", "CreateDate": created}], "IsTruncated": false})
        })
        .collect()
}

/// The account's trail: one file per day, named by the day.
pub(crate) fn trail(runs: &[Run]) -> BTreeMap<u64, Value> {
    let mut days: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    for run in runs {
        let Some(name) = run.workflow.role else { continue };
        let Some((.., calls)) = CI_ROLES.iter().find(|(role, ..)| *role == name) else { continue };
        let at = run.created.plus(6);
        let events = days.entry(at.day()).or_default();
        events.push(assumption(run, name, at));
        for (number, call) in calls.iter().enumerate() {
            events.push(event(&assumed(name, &session(run)), call, at.plus(2 + number as u64), None));
        }
        if name == "github-preview" {
            events.push(event(
                &assumed(name, &session(run)),
                "iam:ListRoles",
                at.plus(9),
                Some("AccessDenied"),
            ));
        }
    }
    for day in 0..31 {
        let night = Moment::at(day * 86_400 + 2 * 3600 + 1200);
        let events = days.entry(day).or_default();
        for (user, key, calls) in [
            (
                "svc-data-pipeline",
                "PIPELINE_KEY_ID",
                &["s3:ListBuckets", "glue:StartJobRun", "athena:StartQueryExecution"][..],
            ),
            ("svc-backup", "BACKUP_KEY_ID", &["s3:ListBuckets"][..]),
        ] {
            let who = json!({"type": "IAMUser", "principalId": unique_id("AIDA", user), "arn": format!("arn:aws:iam::{ACCOUNT}:user/ci/{user}"), "accountId": ACCOUNT.to_string(), "accessKeyId": secret(key).value, "userName": user});
            events.extend(
                calls
                    .iter()
                    .enumerate()
                    .map(|(number, call)| event(&who, call, night.plus(number as u64), None)),
            );
        }
        for name in APPLICATIONS.iter().take(6) {
            events.push(event(
                &assumed(&format!("{name}-task"), "task"),
                "sts:GetCallerIdentity",
                night.plus(300),
                None,
            ));
        }
    }
    // Someone tried the leaked pipeline key from elsewhere.
    let stranger = json!({"type": "IAMUser", "principalId": unique_id("AIDA", "svc-data-pipeline"), "arn": format!("arn:aws:iam::{ACCOUNT}:user/ci/svc-data-pipeline"), "accountId": ACCOUNT.to_string(), "accessKeyId": secret("PIPELINE_KEY_ID").value, "userName": "svc-data-pipeline"});
    let events = days.entry(12).or_default();
    events.push(event(&stranger, "sts:GetCallerIdentity", Moment::at(12 * 86_400 + 40_000), None));
    events.push(event(&stranger, "iam:ListUsers", Moment::at(12 * 86_400 + 40_010), Some("AccessDenied")));
    days.entry(14).or_default().extend(strange());
    days.into_iter().map(|(day, records)| (day, json!({"Records": records}))).collect()
}

/// What should not be there: a person at the console as a user of machines, one who was
/// refused, a role that no inventory lists, and a role of another account.
fn strange() -> Vec<Value> {
    let noon = Moment::at(14 * 86_400 + 12 * 3600);
    let sign_in = |user: &str, at: Moment, result: &str| {
        let who = json!({"type": "IAMUser", "principalId": unique_id("AIDA", user), "arn": format!("arn:aws:iam::{ACCOUNT}:user/ci/{user}"), "accountId": ACCOUNT.to_string(), "userName": user});
        let mut event = event(&who, "signin:ConsoleLogin", at, None);
        if let Some(members) = event.as_object_mut() {
            members.insert("eventType".to_owned(), "AwsConsoleSignIn".into());
            members.insert("responseElements".to_owned(), json!({"ConsoleLogin": result}));
            if result != "Success" {
                members.insert("errorMessage".to_owned(), "Failed authentication".into());
            }
        }
        event
    };
    let mut partner = assumed("inventory-reader", "audit");
    if let Some(members) = partner.as_object_mut() {
        members.insert(
            "arn".to_owned(),
            format!("arn:aws:sts::{PARTNER}:assumed-role/inventory-reader/audit").into(),
        );
        members.insert("accountId".to_owned(), PARTNER.to_string().into());
        members.remove("sessionContext");
    }
    vec![
        sign_in("svc-data-pipeline", noon, "Success"),
        sign_in("svc-backup", noon.plus(60), "Failure"),
        event(&assumed("rollback-tmp", "cli"), "ecs:DescribeServices", noon.plus(120), None),
        event(&partner, "s3:ListBuckets", noon.plus(180), None),
    ]
}

fn assumed(role: &str, session: &str) -> Value {
    let id = unique_id("AROA", role);
    json!({
        "type": "AssumedRole", "principalId": format!("{id}:{session}"), "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"),
        "accountId": ACCOUNT.to_string(),
        "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": id, "arn": role_arn(role), "accountId": ACCOUNT.to_string(), "userName": role}},
    })
}

fn event(who: &Value, action: &str, at: Moment, error: Option<&str>) -> Value {
    let (service, name) = action.split_once(':').unwrap_or(("sts", action));
    let mut event = json!({
        "eventVersion": "1.09", "userIdentity": who, "eventTime": at.seconds(), "eventSource": format!("{service}.amazonaws.com"), "eventName": name,
        "awsRegion": "eu-central-1", "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2", "requestParameters": Value::Null, "responseElements": Value::Null,
        "eventID": Random::of(&format!("{action}{}{who}", at.seconds())).hex(32), "readOnly": true, "eventType": "AwsApiCall", "managementEvent": true,
        "recipientAccountId": ACCOUNT.to_string(), "eventCategory": "Management",
    });
    if let (Some(error), Some(members)) = (error, event.as_object_mut()) {
        members.insert("errorCode".to_owned(), error.into());
    }
    event
}

fn assumption(run: &Run, role: &str, at: Moment) -> Value {
    let place = run
        .workflow
        .environment
        .map_or_else(|| "ref:refs/heads/main".to_owned(), |name| format!("environment:{name}"));
    let subject = format!("repo:{}:{place}", run.repo());
    let who = json!({"type": "WebIdentityUser", "principalId": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{PROVIDER}:sts.amazonaws.com:{subject}"), "userName": subject, "identityProvider": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{PROVIDER}")});
    let mut event = event(&who, "sts:AssumeRoleWithWebIdentity", at, None);
    if let Some(members) = event.as_object_mut() {
        let temporary =
            format!("ASIA{}", Random::of(&session(run)).text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16));
        members.insert(
            "requestParameters".to_owned(),
            json!({"roleArn": role_arn(role), "roleSessionName": session(run), "durationSeconds": 3600}),
        );
        members.insert(
            "responseElements".to_owned(),
            json!({
                "subjectFromWebIdentityToken": subject, "provider": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{PROVIDER}"), "audience": "sts.amazonaws.com",
                "credentials": {"accessKeyId": temporary, "expiration": "Oct 1, 2026, 11:00:00 AM"},
                "assumedRoleUser": {"assumedRoleId": format!("{}:{}", unique_id("AROA", role), session(run)), "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{}", session(run))},
            }),
        );
        members.insert("sharedEventID".to_owned(), Random::of(&session(run)).text(DIGITS, 12).into());
    }
    event
}
