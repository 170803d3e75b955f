//! What the records of one account can show: from when to when, and whether calls that are
//! recorded only on request are among them.

use super::account;
use leakgraph_model::tables::Activity;
use leakgraph_model::{Evidence, Key};
use leakgraph_policy::{Action, Catalog, Class, Level};
use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

/// Evidence that says when something was last used and nothing of what was not.
const GLIMPSES: [&str; 5] =
    ["credential_report", "entra_sign_in", "entra_sign_in_activity", "export", "gcp_authentication"];
/// Evidence that says of one identity all it used in a period.
const REPORTS: [&str; 2] = ["last_accessed", "gcp_insight"];

/// How a source of activity records use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Every recorded call of an account, between its first and its last.
    Trail,
    /// All that one identity used.
    Report,
    /// Some use; silence means nothing.
    Glimpse,
}

impl Source {
    pub(super) fn of(evidence: &str) -> Self {
        if REPORTS.contains(&evidence) {
            Self::Report
        } else if GLIMPSES.contains(&evidence) {
            Self::Glimpse
        } else {
            Self::Trail
        }
    }
}

/// What the activity of one account shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trail {
    /// First recorded call, microseconds.
    pub(super) first: Option<i64>,
    /// Last recorded call.
    pub(super) last: Option<i64>,
    /// End of all evidence on the account: "now" as far as anybody knows.
    pub(super) end: Option<i64>,
    /// Last use that an inventory of the account knows of.
    pub(super) inventory: Option<i64>,
    /// Services whose data events are recorded.
    pub(super) data: BTreeSet<String>,
}

/// Trails by account.
pub(crate) fn trails(evidence: &Evidence) -> HashMap<String, Trail> {
    let mut trails: HashMap<String, Trail> = HashMap::new();
    let mut accounts: HashMap<Key, String> = HashMap::new();
    for identity in &evidence.identities {
        let Some(account) = account(identity) else { continue };
        accounts.insert(identity.identity_key, account.clone());
        if let Some(used) = identity.last_used_at {
            let trail = trails.entry(account).or_default();
            trail.end = trail.end.max(Some(used.0));
            trail.inventory = trail.inventory.max(Some(used.0));
        }
    }
    for row in &evidence.activity {
        if let Some(account) = activity_account(row, &accounts) {
            trails.entry(account).or_default().add(row);
        }
    }
    trails
}

impl Trail {
    fn add(&mut self, row: &Activity) {
        let (first, last) =
            (row.first_at.or(row.last_at).map(|at| at.0), row.last_at.or(row.first_at).map(|at| at.0));
        self.end = self.end.max(last);
        if Source::of(&row.evidence) != Source::Trail {
            return;
        }
        self.first = [self.first, first].into_iter().flatten().min();
        self.last = self.last.max(last);
        if row.data_event {
            self.data.insert(service(&row.action.to_lowercase()).to_owned());
        }
    }
}

fn activity_account(row: &Activity, accounts: &HashMap<Key, String>) -> Option<String> {
    row.identity_key
        .and_then(|key| accounts.get(&key).cloned())
        .or_else(|| super::arn_account(&row.principal))
}

/// Service of an action: `s3` of `s3:GetObject`, `storage` of `storage.objects.get`; a cluster
/// has one audit log, and one service with it.
pub(super) fn service(action: &str) -> &str {
    if action.contains('/') {
        return "kubernetes";
    }
    action.split([':', '.']).next().unwrap_or(action)
}

/// Calls of the data plane of AWS that are data events ("Logging data events", CloudTrail user
/// guide, and the services' own pages on what they log), beside the reads of data that the
/// catalog knows. Prefixes, lower case.
const DATA_PLANE: [&str; 41] = [
    "s3:getobject",
    "s3:putobject",
    "s3:deleteobject",
    "s3:abortmultipartupload",
    "s3:listmultipartuploadparts",
    "s3:restoreobject",
    "s3:replicate",
    "s3express:createsession",
    "lambda:invoke",
    "dynamodb:putitem",
    "dynamodb:getitem",
    "dynamodb:deleteitem",
    "dynamodb:updateitem",
    "dynamodb:batch",
    "dynamodb:query",
    "dynamodb:scan",
    "dynamodb:partiql",
    "dynamodb:conditioncheckitem",
    "dynamodb:getrecords",
    "sqs:sendmessage",
    "sqs:receivemessage",
    "sqs:deletemessage",
    "sqs:changemessagevisibility",
    "sns:publish",
    "kinesis:putrecord",
    "kinesis:getrecords",
    "kinesis:subscribetoshard",
    "kinesisvideo:getmedia",
    "kinesisvideo:putmedia",
    "ebs:getsnapshotblock",
    "ebs:putsnapshotblock",
    "ebs:list",
    "cognito-identity:getid",
    "cognito-identity:getcredentialsforidentity",
    "cognito-identity:getopenidtoken",
    "cognito-sync:",
    "bedrock:invoke",
    "bedrock:retrieve",
    "sagemaker:invokeendpoint",
    "states:invokehttpendpoint",
    "execute-api:",
];

/// What of an action's use gets on record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recorded {
    /// Whether it is on record only where data events or reads are asked for.
    pub(super) is_data_plane: bool,
    /// Whether no record ever has it: `iam:PassRole` is a permission and no call.
    pub(super) is_never: bool,
    /// As in [`Trail::data`].
    pub(super) service: &'static str,
}

/// By the catalog's number.
pub(super) fn recorded(id: u32) -> Recorded {
    static ALL: OnceLock<Vec<Recorded>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let aws = Catalog::get().matching("*");
        let ids = 0..u32::try_from(Catalog::get().len()).unwrap_or(u32::MAX);
        ids.map(|id| Recorded::of(Catalog::get().action(id), aws.contains(id))).collect()
    });
    const UNKNOWN: Recorded = Recorded { is_data_plane: true, is_never: true, service: "" };
    all.get(id as usize).copied().unwrap_or(UNKNOWN)
}

impl Recorded {
    fn of(action: &'static Action, is_aws: bool) -> Self {
        let name = action.name.to_lowercase();
        let is_data_plane = action.class == Class::Data
            || if is_aws {
                DATA_PLANE.iter().any(|prefix| name.starts_with(prefix))
            } else {
                matches!(action.level, Level::Read | Level::List)
            };
        // Services are written in lower case.
        Self { is_data_plane, is_never: name == "iam:passrole", service: service(&action.name) }
    }
}
