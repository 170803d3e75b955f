//! Identities, grants, activity, trusts and owners in tables of the generic schema.

use crate::generic::{parquet, read, reasons, texts_batch};
use crate::support::read_path;
use leakgraph_ingest::link;
use leakgraph_model::tables::{Activity, Grant, Identity, Trust, identity_key};
use leakgraph_model::{Evidence, Key, Row, Timestamp};
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::111122223333:role/ci/deploy";
const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";

/// Reads several files as one input and joins them.
fn linked(files: &[(&str, &str)]) -> Evidence {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("write");
    }
    let (mut evidence, _) = read_path(folder.path());
    link(&mut evidence);
    evidence
}

fn account() -> Value {
    let condition = json!({"StringLike": {"token.actions.githubusercontent.com:sub": "repo:acme/api:*"}});
    json!({"RoleDetailList": [{
        "Arn": ROLE, "RoleName": "deploy", "RoleId": "AROA1", "Path": "/ci/", "CreateDate": "2026-01-01T00:00:00Z",
        "AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": {"Federated": PROVIDER},
            "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition}]},
        "RolePolicyList": [{"PolicyName": "site", "PolicyDocument": {"Statement": [
            {"Sid": "Read", "Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "arn:aws:s3:::site/*"},
            {"Effect": "Deny", "NotAction": "s3:*", "NotResource": ["a", "b"], "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        ]}}],
    }]})
}

fn trail() -> Value {
    let call = |time: &str, name: &str| {
        json!({"eventVersion": "1.08", "eventSource": "s3.amazonaws.com", "eventName": name, "eventTime": time,
            "eventID": time, "awsRegion": "eu-west-1", "eventType": "AwsApiCall", "eventCategory": "Management",
            "recipientAccountId": "111122223333",
            "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/deploy/s",
                "accessKeyId": "ASIAEXAMPLE", "sessionContext": {"sessionIssuer": {"type": "Role", "arn": ROLE}}}})
    };
    json!({"Records": [
        call("2026-10-01T10:00:00Z", "ListBuckets"),
        call("2026-10-02T10:00:00Z", "ListBuckets"),
        call("2026-10-02T11:00:00Z", "GetBucketAcl"),
    ]})
}

/// The same as tables, in JSON.
fn tables() -> String {
    let condition = json!({"StringLike": {"token.actions.githubusercontent.com:sub": "repo:acme/api:*"}});
    let session = "s";
    let rows = [
        json!({"leakgraph_schema": "identities", "native_id": ROLE, "kind": "role", "unique_id": "AROA1",
            "is_nhi": true, "created_at": "2026-01-01T00:00:00Z", "status": "enabled"}),
        json!({"leakgraph_schema": "grants", "native_id": ROLE, "policy": "site", "statement": "0:Read",
            "actions": ["s3:Get*", "s3:List*"], "resources": ["arn:aws:s3:::site/*"]}),
        json!({"leakgraph_schema": "grants", "native_id": ROLE, "policy": "site", "statement": "1", "effect": "Deny",
            "actions": ["s3:*"], "not_actions": true, "resources": ["a", "b"], "not_resources": true,
            "conditions": {"Bool": {"aws:SecureTransport": "false"}}}),
        json!({"leakgraph_schema": "trusts", "native_id": ROLE, "principal": PROVIDER, "statement": "0",
            "conditions": condition}),
        json!({"leakgraph_schema": "activity", "native_id": ROLE, "session": session, "action": "s3:ListAllMyBuckets",
            "first_at": "2026-10-01T10:00:00Z", "last_at": "2026-10-01T10:00:00Z", "evidence": "cloudtrail"}),
        json!({"leakgraph_schema": "activity", "native_id": ROLE, "session": session, "action": "s3:ListAllMyBuckets",
            "first_at": "2026-10-02T10:00:00Z", "last_at": "2026-10-02T10:00:00Z", "evidence": "cloudtrail"}),
        json!({"leakgraph_schema": "activity", "native_id": ROLE, "session": session, "action": "s3:GetBucketAcl",
            "first_at": "2026-10-02T11:00:00Z", "last_at": "2026-10-02T11:00:00Z", "evidence": "cloudtrail"}),
    ];
    rows.iter().map(|row| format!("{row}\n")).collect()
}

#[test]
fn a_table_of_an_account_is_the_dump_of_the_account() {
    let mut dump = linked(&[("account.json", &account().to_string()), ("trail.json", &trail().to_string())]);
    let mut table = linked(&[("any", &tables())]);
    assert_eq!(table.problems, []);
    for evidence in [&mut dump, &mut table] {
        let source = Key::default();
        evidence.identities.iter_mut().for_each(|row| row.source_key = source);
        evidence.grants.iter_mut().for_each(|row| row.source_key = source);
        evidence.trusts.iter_mut().for_each(|row| row.source_key = source);
        evidence.activity.iter_mut().for_each(|row| row.source_key = source);
        evidence.grants.sort_by_key(|row| row.grant_key);
        evidence.activity.sort_by(|one, other| one.action.cmp(&other.action));
    }
    assert_eq!(table.identities, dump.identities);
    assert_eq!(table.grants, dump.grants);
    assert_eq!(table.trusts, dump.trusts);
    assert_eq!(table.activity, dump.activity);
    assert_eq!((table.grants.len(), table.activity.len(), table.activity[1].calls), (2, 2, 2));
}

#[test]
fn grants_in_three_formats_are_the_same_rows() {
    let csv = "native_id;platform;policy;actions;conditions\nsvc@x;Gcp;p;\"[\"\"a.b\"\",\"\"c\"\"]\";{}\nsvc@x;gcp;p;d;\"{\"\"K\"\":1}\"\n";
    let json = concat!(
        r#"{"leakgraph_schema":"grants","native_id":"svc@x","platform":"gcp","policy":"p","actions":["a.b","c"],"conditions":{}}"#,
        "\n",
        r#"{"leakgraph_schema":"grants","native_id":"svc@x","platform":"gcp","policy":"p","actions":"d","conditions":"{\"K\":1}"}"#,
    );
    let batch = texts_batch(&[
        ("native_id", &["svc@x", "svc@x"]),
        ("platform", &["gcp", "gcp"]),
        ("policy", &["p", "p"]),
        ("actions", &["a.b; c", "d"]),
        ("conditions", &["", "{\"K\":1}"]),
    ]);
    let all = [read("any.txt", csv).0, read("b", json).0, read("c", parquet(&batch)).0];
    for evidence in &all {
        assert_eq!(evidence.problems, []);
        let rows: Vec<_> = evidence
            .grants
            .iter()
            .map(|row| (row.identity_key, row.grant_key, row.actions.join("+"), row.conditions.clone()))
            .collect();
        let key = identity_key("gcp", "svc@x");
        let first = &all[0].grants;
        let wanted = [
            (key, first[0].grant_key, "a.b+c".to_owned(), None),
            (key, first[1].grant_key, "d".to_owned(), Some("{\"K\":1}".to_owned())),
        ];
        assert_eq!(rows, wanted);
        assert_ne!(rows[0].1, rows[1].1, "statements without a name are told apart by what they say");
        assert!(evidence.grants.iter().all(|row| row.resources == ["*"] && row.understood));
    }
}

#[test]
fn every_table_is_told_by_its_header() {
    let files = [
        "platform,native_id,kind,owner\ngitlab,u/1,bot,ada\n",
        "native_id,principal,principal_platform\narn:aws:iam::1:role/r,svc@x,gcp\n",
        "platform,native_id,action,denied\ngitlab,u/1,api.read,1\ngitlab,u/1,api.read,0\n",
        "platform,native_id,owner,status\ngitlab,u/1,Bob,Active\n",
    ];
    let read = files.map(|text| read("any.csv", text).0);
    assert!(read.iter().all(|evidence| evidence.problems.is_empty()));
    assert_eq!(read[0].identities[0].identity_key, identity_key("gitlab", "u/1"));
    assert_eq!(read[1].trusts[0].principal_key, Some(identity_key("gcp", "svc@x")));
    assert_eq!(
        (read[1].trusts[0].principal_kind.as_str(), read[1].trusts[0].effect.as_str()),
        ("identity", "allow")
    );
    assert_eq!(read[1].trusts[0].actions, ["sts:AssumeRole"]);
    let calls: Vec<_> =
        read[2].activity.iter().map(|row| (row.denied, row.calls, row.evidence.as_str())).collect();
    assert_eq!(calls, [(false, 1, "export"), (true, 1, "export")]);
    assert_eq!(read[3].identities[0].owner.as_deref(), Some("Bob"));
}

#[test]
fn owners_are_written_to_the_identity_of_the_dump_whatever_comes_first() {
    let mut account = account();
    account["RoleDetailList"][0]["Tags"] = json!([{"Key": "owner", "Value": "cid"}]);
    let account = account.to_string();
    let owners = format!(
        "native_id,owner,status,departed_at\n{ROLE},ada,departed,2026-09-01T00:00:00Z\n{ROLE},eve,,2026-09-02T00:00:00Z\n"
    );
    let active = format!("native_id,owner,status\n{ROLE},zoe,active\n");
    let role = |files: &[(&str, &str)]| {
        let evidence = linked(files);
        let [role] = evidence.identities.as_slice() else { panic!("{:?}", evidence.identities) };
        assert_eq!((role.kind.as_str(), role.name.as_str()), ("role", "deploy"));
        role.clone()
    };
    for (first, second) in [("a", "b"), ("b", "a")] {
        let left = role(&[(first, &account), (second, &owners)]);
        assert_eq!(left.owner.as_deref(), Some("ada"), "a list of owners beats a tag");
        assert!(left.tags.contains(&"owner_departed=eve".to_owned()), "{:?}", left.tags);
        assert!(left.tags.iter().any(|tag| tag.starts_with("owner_departed_at=2026-09-01T00:00:00")));
        let there = role(&[(first, &account), (second, &owners), ("c", &active)]);
        assert_eq!(there.owner.as_deref(), Some("zoe"));
    }
    let alone = linked(&[("a", &owners)]);
    assert_eq!(alone.identities[0].kind, "unknown");
}

#[test]
fn what_is_no_statement_counts_as_may_and_is_named() {
    let json = format!(
        "{}\n{}\n{}\n{}\n",
        json!({"leakgraph_schema": "grants", "native_id": ROLE, "policy": "p", "statement": "0", "effect": "Maybe", "actions": ["s3:*"], "resources": ["*"]}),
        json!({"leakgraph_schema": "grants", "native_id": ROLE, "policy": "p", "statement": "1", "actions": ["s3:*"], "resources": ["*"], "conditions": "only on Mondays"}),
        json!({"leakgraph_schema": "grants", "native_id": ROLE, "policy": "p", "statement": "2", "actions": ["s3:*"]}),
        json!({"leakgraph_schema": "trusts", "native_id": ROLE, "principal": "*", "effect": "?"}),
    );
    let (evidence, _) = read("any", json);
    assert!(
        evidence.grants.len() == 3
            && evidence.grants.iter().all(|row| !row.understood && row.effect == "allow")
    );
    assert!(evidence.trusts[0].conditions.as_deref().unwrap().contains("neither allow nor deny"));
    let reasons = reasons(&evidence, "malformed_policy");
    let wanted = [
        format!(
            "row 1: statement 0 of policy p of {ROLE}: its effect is neither allow nor deny; it counts as may"
        ),
        format!(
            "row 2: statement 1 of policy p of {ROLE}: its conditions are no JSON object; it counts as may"
        ),
        format!("row 3: statement 2 of policy p of {ROLE}: it has no resources; it counts as may"),
        format!("row 4: the trust in * of {ROLE}: its effect is neither allow nor deny; it counts as may"),
    ];
    assert_eq!(reasons, wanted);
}

#[test]
fn what_is_missing_or_unknown_is_named_with_its_row() {
    let csv = "leakgraph_schema,platform,native_id,kind,colour,actions,action,principal,owner,status,calls,last_at\n\
        identities,p,a,,red,,,,,,,\n\
        identities,,b,bot,,,,,,,,\n\
        identities,p,c,bot,,,,,,,,\n\
        grants,p,,,,x,,,,,,\n\
        grants,,d,,,x,,,,,,\n\
        activity,p,a,,,,read,,,,many,today\n\
        activity,,,,,,read,bob,,,,\n\
        trusts,p,a,,,,,somebody,,,,\n\
        owners,p,a,,,,,,ada,gone,,\n";
    let (evidence, _) = read("any.csv", csv);
    assert_eq!(evidence.identities.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["c"]);
    assert_eq!((evidence.grants.len(), evidence.trusts.len(), evidence.activity.len()), (0, 0, 1));
    assert_eq!(evidence.activity[0].calls, 1);
    assert_eq!(
        reasons(&evidence, "missing_column"),
        [
            "1 of 2 rows of activity lack identity_key or platform, first row 7",
            "1 of 2 rows of grants lack identity_key or native_id, first row 4",
            "1 of 2 rows of grants lack identity_key, or platform and native_id, first row 5",
            "1 of 3 rows of identities lack kind, first row 1",
            "1 of 3 rows of identities lack platform, first row 2",
            "1 of 1 rows of owners lack a status that is active or departed, first row 9",
            "1 of 1 rows of trusts lack principal_kind, or a principal that tells it, first row 8",
        ]
    );
    assert_eq!(
        reasons(&evidence, "mistyped"),
        [
            "activity.calls is no whole number in 1 of 2 rows, first row 6",
            "activity.last_at is no time with an offset (RFC 3339) in 1 of 2 rows, first row 6",
        ]
    );
    assert!(reasons(&evidence, "unknown_column").iter().any(|reason| reason.ends_with(": colour")));
}

#[test]
fn rows_of_a_lake_come_back_as_they_were() {
    let at = Timestamp::parse("2026-10-01T10:00:00Z");
    let key = Key::of("identity", &["own"]);
    let identity = Identity {
        identity_key: key,
        platform: "vault".to_owned(),
        kind: "role".to_owned(),
        name: "n".to_owned(),
        native_id: "auth/x/role/n".to_owned(),
        is_nhi: Some(true),
        last_used_at: at,
        status: "enabled".to_owned(),
        tags: vec!["a=b".to_owned()],
        ..Identity::default()
    };
    let grant = Grant {
        grant_key: Key::of("grant", &["own"]),
        identity_key: key,
        platform: "gcp".to_owned(),
        policy_kind: "role".to_owned(),
        policy: "p".to_owned(),
        statement: "0".to_owned(),
        effect: "deny".to_owned(),
        actions: vec!["a".to_owned()],
        ..Grant::default()
    };
    let trust = Trust {
        trust_key: Key::of("trust", &["own"]),
        identity_key: key,
        principal_kind: "workload".to_owned(),
        principal: "p".to_owned(),
        effect: "deny".to_owned(),
        ..Trust::default()
    };
    let call = Activity {
        identity_key: Some(key),
        principal: "p".to_owned(),
        action: "a".to_owned(),
        calls: 7,
        last_at: at,
        evidence: "gcp_audit".to_owned(),
        ..Activity::default()
    };
    fn back<R: Row>(row: &R) -> Evidence {
        let (evidence, _) = read("any", parquet(&R::to_batch(std::slice::from_ref(row)).unwrap()));
        assert_eq!(evidence.problems, []);
        evidence
    }
    let source = |evidence: &Evidence| evidence.source_files[0].source_key;
    let read = back(&identity);
    assert_eq!(read.identities, [Identity { source_key: source(&read), ..identity }]);
    let read = back(&grant);
    assert_eq!(read.grants, [Grant { source_key: source(&read), ..grant }]);
    let read = back(&trust);
    assert_eq!(read.trusts, [Trust { source_key: source(&read), ..trust }]);
    let read = back(&call);
    assert_eq!(read.activity, [Activity { source_key: source(&read), ..call }]);
}

#[test]
fn near_misses_are_not_ours() {
    let foreign = [
        ("a.csv", "native,platform,actions\nx,aws,y\n"),
        ("b.csv", "native_id,colour\nx,red\n"),
        ("c.json", r#"{"identities": [{"native_id": "x", "platform": "aws"}]}"#),
        ("d.csv", "principal,action,calls\nx,read,1\n"),
    ];
    for (name, text) in foreign {
        let (evidence, texts) = read(name, text);
        assert!(evidence.source_files.iter().all(|file| file.platform != "generic"), "{name}");
        assert_eq!((evidence.identities.len(), texts.0.len()), (0, 1), "{name} is scanned once");
    }
}
