//! Managed policies of AWS.
//!
//! Statements keep their resources and conditions and lose actions; denies that concern what
//! is left are kept as they are. A policy is split where it would be longer than a managed
//! policy may be (IAM user guide, "IAM and AWS STS quotas": 6,144 characters).

use super::{Allowance, Coverage, Document, Trimmed, Used, file_name};
use crate::catalog::{Catalog, Class};
use crate::expansion::named;
use crate::pattern::matches_wildcards;
use leakgraph_model::tables::{Grant, Identity};
use roaring::RoaringBitmap;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Characters of a managed policy, white space not counted.
const MOST_CHARACTERS: usize = 6_144;
/// Managed policies that can be attached to an identity, by default.
const MOST_POLICIES: usize = 10;

/// No trail records these (CloudTrail user guide: passing a role is no call; what is written
/// by `rds-db`, `execute-api` and agents is no event of a trail).
const NEVER_RECORDED: [&str; 6] = [
    "iam:PassRole",
    "rds-db:connect",
    "execute-api:*",
    "logs:PutLogEvents",
    "ssmmessages:*",
    "ec2messages:*",
];

/// Data events, which a trail records only if it is told to (CloudTrail user guide, "Logging
/// data events"). What the catalog classes as reading data is one too.
const DATA_EVENTS: [&str; 33] = [
    "s3:*Object*",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:ListBucket",
    "s3-object-lambda:*Object*",
    "lambda:Invoke*",
    "dynamodb:*Item",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:PartiQL*",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "sqs:SendMessage",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sns:Publish",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:PutRecord*",
    "kinesis:SubscribeToShard",
    "firehose:PutRecord*",
    "cloudwatch:PutMetricData",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "events:PutEvents",
    "states:SendTask*",
    "ebs:*Snapshot*",
    "bedrock:Invoke*",
    "appsync:GraphQL",
    "iot:Publish",
    "kafka-cluster:*",
    "cognito-sync:*",
];

pub(super) fn trim(identity: &Identity, own: &[&Grant], used: &[Used<'_>], coverage: Coverage) -> Trimmed {
    let mut trimmed = Trimmed::default();
    let is_own = |grant: &&&Grant| matches!(grant.policy_kind.as_str(), "identity" | "group");
    let mut wanted = Wanted::of(used, coverage);
    let mut before = RoaringBitmap::new();
    let mut statements = Vec::new();
    for grant in own.iter().filter(is_own) {
        if !grant.understood {
            trimmed.notes.push(format!(
                "{} is missing or malformed and is not replaced: keep it if it is needed",
                grant.policy
            ));
        } else if grant.effect == "allow" {
            before |= named(grant);
            statements.extend(allow(grant, &mut wanted));
        }
    }
    for grant in own.iter().filter(is_own).filter(|grant| grant.understood && grant.effect == "deny") {
        if wanted.is_touched_by(grant) {
            statements.push(statement(grant, action_texts(&grant.actions), &grant.resources));
        }
    }
    if !wanted.unknown.is_empty() {
        let names: Vec<&str> = wanted.unknown.iter().map(String::as_str).collect();
        trimmed.notes.push(format!("kept by name, although no catalog has it: {}", names.join(", ")));
    }
    let catalog = Catalog::get();
    trimmed.removed = (&before - &wanted.kept).iter().map(|id| catalog.action(id).name.clone()).collect();
    trimmed.allowance = wanted.allowances();
    let documents = packed(statements, &mut trimmed.notes);
    let name = file_name(&identity.name);
    let several = documents.len() > 1;
    trimmed.documents = (1..)
        .zip(documents)
        .map(|(place, text)| Document {
            name: if several { format!("{name}-{place}.json") } else { format!("{name}.json") },
            text,
        })
        .collect();
    if trimmed.documents.len() > MOST_POLICIES {
        trimmed.notes.push(format!(
            "{} policies are more than can be attached by default ({MOST_POLICIES})",
            trimmed.documents.len()
        ));
    }
    trimmed.notes.sort();
    trimmed.notes.dedup();
    trimmed
}

/// What is to be kept.
struct Wanted {
    used: RoaringBitmap,
    /// Granted actions of services of which no more is known than that they are used.
    of_services: RoaringBitmap,
    never: RoaringBitmap,
    data: RoaringBitmap,
    /// Used, but not in the catalog.
    unknown: BTreeSet<String>,
    /// What statements keep.
    kept: RoaringBitmap,
}

impl Wanted {
    fn of(used: &[Used<'_>], coverage: Coverage) -> Self {
        let catalog = Catalog::get();
        let matching = |patterns: &[&str]| {
            let all = patterns.iter().map(|pattern| catalog.matching(pattern));
            all.fold(RoaringBitmap::new(), |all, some| all | some) & catalog.aws()
        };
        let mut wanted = Self {
            used: RoaringBitmap::new(),
            of_services: RoaringBitmap::new(),
            never: matching(&NEVER_RECORDED),
            data: RoaringBitmap::new(),
            unknown: BTreeSet::new(),
            kept: RoaringBitmap::new(),
        };
        if !coverage.data_events {
            let reads_data = |id: &u32| catalog.action(*id).class == Class::Data;
            wanted.data =
                matching(&DATA_EVENTS) | catalog.aws().iter().filter(reads_data).collect::<RoaringBitmap>();
        }
        for row in used {
            match (row.action.ends_with(":*"), catalog.id(row.action)) {
                (true, _) => wanted.of_services |= catalog.matching(row.action) & catalog.aws(),
                (false, Some(id)) => {
                    wanted.used.insert(id);
                }
                (false, None) => {
                    wanted.unknown.insert(row.action.to_owned());
                }
            }
        }
        wanted
    }

    fn all(&self) -> RoaringBitmap {
        &(&self.used | &self.of_services) | &(&self.never | &self.data)
    }

    fn is_touched_by(&self, deny: &Grant) -> bool {
        let patterns = || deny.actions.iter().map(|pattern| pattern.to_ascii_lowercase());
        let names = |action: &String| {
            patterns().any(|pattern| matches_wildcards(&pattern, &action.to_ascii_lowercase()))
                != deny.not_actions
        };
        !named(deny).is_disjoint(&self.kept) || self.unknown.iter().any(names)
    }

    fn allowances(&self) -> Vec<Allowance> {
        let because = |id: u32| match () {
            () if self.used.contains(id) => None,
            () if self.never.contains(id) => Some("no trail records it"),
            () if self.of_services.contains(id) => Some("only the use of its service is known"),
            () => Some("the trail has no data events"),
        };
        let of =
            |id| Some(Allowance { action: Catalog::get().action(id).name.clone(), because: because(id)? });
        self.kept.iter().filter_map(of).collect()
    }
}

/// What is left of an allow statement.
fn allow(grant: &Grant, wanted: &mut Wanted) -> Option<Value> {
    let catalog = Catalog::get();
    let mut ids = named(grant) & wanted.all();
    if !grant.not_resources && !grant.resources.iter().any(|resource| resource == "*") {
        // What acts on no resource of its own is allowed by `*` only.
        let acts = |id: &u32| !catalog.aws_resources(&catalog.action(*id).name).is_empty();
        ids = ids.iter().filter(acts).collect();
    }
    let mut texts = BTreeSet::new();
    let mut left = ids.clone();
    if !grant.not_actions {
        // A pattern of which everything is kept stays as it is.
        for pattern in &grant.actions {
            let all = catalog.matching(pattern) & catalog.aws();
            if all.len() > 1 && all.is_subset(&ids) && !pattern.starts_with('*') {
                left -= &all;
                texts.insert(pattern.clone());
            }
        }
    }
    texts.extend(left.iter().map(|id| catalog.action(id).name.clone()));
    let names = |action: &&String| {
        let action = action.to_ascii_lowercase();
        let mut patterns = grant.actions.iter().map(|pattern| pattern.to_ascii_lowercase());
        patterns.any(|pattern| matches_wildcards(&pattern, &action)) != grant.not_actions
    };
    texts.extend(wanted.unknown.iter().filter(names).cloned());
    wanted.kept |= &ids;
    let one = Grant { not_actions: false, ..grant.clone() };
    (!texts.is_empty() && !grant.resources.is_empty())
        .then(|| statement(&one, action_texts(texts.iter()), &grant.resources))
}

fn action_texts<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<Value> {
    texts.into_iter().map(|text| Value::from(text.as_str())).collect()
}

fn statement(grant: &Grant, actions: Vec<Value>, resources: &[String]) -> Value {
    let mut members = Map::new();
    members.insert("Effect".to_owned(), json!(if grant.effect == "deny" { "Deny" } else { "Allow" }));
    members.insert(if grant.not_actions { "NotAction" } else { "Action" }.to_owned(), Value::Array(actions));
    members.insert(if grant.not_resources { "NotResource" } else { "Resource" }.to_owned(), json!(resources));
    if let Some(condition) = grant.conditions.as_deref().and_then(|text| serde_json::from_str(text).ok()) {
        members.insert("Condition".to_owned(), condition);
    }
    Value::Object(members)
}

fn length(value: &Value) -> usize {
    value.to_string().chars().filter(|letter| !letter.is_whitespace()).count()
}

fn document(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Statements in as few documents as come of filling one after the other.
fn packed(statements: Vec<Value>, notes: &mut Vec<String>) -> Vec<String> {
    let room = MOST_CHARACTERS - length(&document(&[]));
    let mut parts: Vec<Value> = Vec::new();
    for statement in statements {
        if !parts.contains(&statement) {
            split(statement, room, &mut parts);
        }
    }
    if parts.iter().any(|part| length(part) > room) {
        notes.push("a statement is longer than a managed policy may be: it has to be inline".to_owned());
    }
    let mut documents: Vec<(usize, Vec<Value>)> = Vec::new();
    for part in parts {
        let size = length(&part) + 1;
        match documents.iter_mut().find(|(filled, _)| filled + size <= room) {
            Some((filled, list)) => {
                *filled += size;
                list.push(part);
            }
            None => documents.push((size, vec![part])),
        }
    }
    documents.iter().map(|(_, list)| format!("{:#}\n", document(list))).collect()
}

/// Halves a statement's list of actions, then of resources, until it fits; a list of what is
/// not covered means something else if it is halved.
fn split(statement: Value, room: usize, parts: &mut Vec<Value>) {
    let halves = |name: &str| {
        let list = statement.get(name)?.as_array().filter(|list| list.len() > 1)?;
        let (one, other) = list.split_at(list.len() / 2);
        Some([one, other].map(|half| {
            let mut part = statement.clone();
            if let Some(member) = part.get_mut(name) {
                *member = json!(half);
            }
            part
        }))
    };
    if length(&statement) > room
        && let Some(halves) = halves("Action").or_else(|| halves("Resource"))
    {
        halves.into_iter().for_each(|half| split(half, room, parts));
        return;
    }
    parts.push(statement);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_recorded_is_in_the_catalog() {
        for pattern in NEVER_RECORDED.iter().chain(&DATA_EVENTS) {
            assert!(!Catalog::get().matching(pattern).is_empty(), "{pattern}");
        }
    }

    #[test]
    fn statements_are_halved_where_that_keeps_their_meaning() {
        let long = |name: &str| json!({"Effect": "Deny", name: ["s3:A", "s3:B"], "Resource": ["*"]});
        let parts = |statement| {
            let mut parts = Vec::new();
            split(statement, 40, &mut parts);
            parts.len()
        };
        assert_eq!((parts(long("Action")), parts(long("NotAction"))), (2, 1));
    }
}
