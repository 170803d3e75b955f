//! Writes what fuzzing starts from: `corpus/TARGET/*` and `dictionaries/TARGET.dict`.
//!
//! Secrets are made from the rules and never committed. With `LEAKGRAPH_CORPUS`, pieces of
//! real files are added; they stay where they are written, too.

#![forbid(unsafe_code)]

use leakgraph_fuzz::wrap::WRAPPERS;
use leakgraph_fuzz::{scanner, secrets};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Pieces of real files that each target gets, and their bytes.
const REAL_PIECES: usize = 150;
const PIECE_BYTES: usize = 6 << 10;

const JOB_LOG: &str = "2026-10-01T10:00:00.0000000Z Current runner version: '2.328.0'\n\
2026-10-01T10:00:00.1000000Z ##[group]GITHUB_TOKEN Permissions\n\
2026-10-01T10:00:00.1000000Z Contents: read\n\
2026-10-01T10:00:00.1000000Z ##[endgroup]\n\
2026-10-01T10:00:00.2000000Z Secret source: Actions\n\
2026-10-01T10:00:00.2000000Z Uses: o/r/.github/workflows/w.yml@refs/heads/main (0123456789abcdef0123456789abcdef01234567)\n\
2026-10-01T10:00:00.3000000Z ##[group] Inputs\n\
2026-10-01T10:00:00.3000000Z   target: prod\n\
2026-10-01T10:00:00.3000000Z ##[endgroup]\n\
2026-10-01T10:00:01.0000000Z Complete job name: build / one\n\
2026-10-01T10:00:02.0000000Z ##[group]Run make\n\
2026-10-01T10:00:02.0000000Z \x1b[36;1mmake all\x1b[0m\n\
2026-10-01T10:00:02.0000000Z shell: /usr/bin/bash -e {0}\n\
2026-10-01T10:00:02.0000000Z env:\n\
2026-10-01T10:00:02.0000000Z   API_TOKEN: ***\n\
2026-10-01T10:00:02.0000000Z ##[endgroup]\n\
2026-10-01T10:00:03.0000000Z gh workflow run deploy.yml --ref main -f a=b\n\
2026-10-01T10:00:03.0000000Z curl -X POST https://api.github.com/repos/o/r/dispatches -d '{\"event_type\":\"x\"}'\n\
2026-10-01T10:00:03.5000000Z ##[group]Run actions/checkout@v4\n\
2026-10-01T10:00:03.5000000Z with:\n\
2026-10-01T10:00:03.5000000Z   token: ***\n\
2026-10-01T10:00:03.5000000Z ##[endgroup]\n\
2026-10-01T10:00:03.9000000Z Post job cleanup.\n\
2026-10-01T10:00:04.0000000Z Evaluate and set job outputs\n\
2026-10-01T10:00:04.0000000Z Set output 'x'\n\
2026-10-01T10:00:04.0000000Z Cleaning up orphan processes\n";

/// What logs and values that span lines are made of.
const SCAN_WORDS: &[&str] = &[
    "\x1b[36;1m",
    "\x1b[0m",
    "\x1b]8;;",
    "\r\n",
    "\u{feff}",
    "2026-11-02T09:14:07.1234567Z ",
    "2024-05-22T12:43:46.962646Z 00O ",
    "2024-05-22T12:43:46.962646Z 00O+",
    "00000000: 774a 616c  wJ",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    "password=",
    "secret: \"",
    "Authorization: Bearer ",
    "Authorization: Basic ",
    "export TOKEN=",
    "https://user:",
    "@host.test/",
    "kind: Secret\n",
    "data:\n  ",
    "H4sI",
    "eJ",
    "eyJ",
    "%25",
    "%3D",
    "\\u0041",
    "\\n",
    "\\\"",
    "\\x41",
    "0x",
    "==",
    "AKIA",
    "aws_secret_access_key",
    " | base64 -d",
    "+/",
    "-_",
    "***",
    "${{ secrets.X }}",
    "<?xml",
    "AccountKey=",
    "Server=;Password=",
    ":__",
];
const INGEST_WORDS: &[&str] = &[
    "##[group]",
    "##[endgroup]",
    "##[error]",
    "##[group]Run ",
    "with:\n",
    "env:\n",
    "shell: ",
    "Complete job name: ",
    "Uses: ",
    "##[group] Inputs",
    "Reusable workflow chain:",
    "-> ",
    "Download action repository '",
    "' (SHA:",
    "Secret source: ",
    "Job defined at: ",
    "Post job cleanup.",
    "gh workflow run ",
    "curl -X POST ",
    "/dispatches",
    "assumed-role/",
    "Cleaning up orphan processes",
    "section_start:1:x\r",
    "Running with gitlab-runner",
    "travis_fold:start:x",
    "[Pipeline]",
    "Started by ",
    "Requested labels: ",
    "Current runner version: '",
    "\0\x01",
    "PK\x03\x04",
    "PK\x05\x06",
    "---\n",
    "!reference [",
    "&a ",
    "*a",
    "<<: *a",
    "? ",
    "|\n",
    ">-\n",
];
const JSON_WORDS: &[&str] = &[
    "Records",
    "Events",
    "CloudTrailEvent",
    "eventSource",
    "eventName",
    "userIdentity",
    "sessionContext",
    "sessionIssuer",
    "UserDetailList",
    "RoleDetailList",
    "GroupDetailList",
    "Policies",
    "Arn",
    "PolicyVersionList",
    "Document",
    "AssumeRolePolicyDocument",
    "Statement",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
    "RolePolicyList",
    "UserPolicyList",
    "GroupPolicyList",
    "AttachedManagedPolicies",
    "PermissionsBoundary",
    "PolicyDocument",
    "Effect",
    "Allow",
    "Deny",
    "IsDefaultVersion",
    "workflow_runs",
    "jobs",
    "steps",
    "labels",
    "run_id",
    "id",
    "run_number",
    "workflow_id",
    "head_sha",
    "sender",
    "workflow_job",
    "workflow_run",
    "client_payload",
    "inputs",
    "ref",
    "workflow",
    "repository",
    "full_name",
    "deployment",
    "approver",
    "environments",
    "secrets",
    "total_count",
    "state",
    "installations",
    "permissions",
    "app_slug",
    "repository_selection",
    "leakgraph_bundle",
    "delivered_at",
    "request",
    "payload",
    "protection_rules",
    "name",
    "key",
    "read_only",
    "AccessKeyMetadata",
    "arn:aws:iam::123456789012:role/r",
    "arn:aws:iam::aws:policy/",
    ":oidc-provider/",
    "token.actions.githubusercontent.com:sub",
    "repo:o/r:*",
    "sts:AssumeRole",
    "iam:PassRole",
    "s3:Get*",
    "iam:*",
    "StringLike",
    "sts:ExternalId",
    "${aws:username}",
    "Federated",
    "Service",
    "AWS",
];
const RULE_WORDS: &[&str] = &[
    "[[rules]]\n",
    "[[rules.allowlists]]\n",
    "[allowlist]\n",
    "[extend]\n",
    "useDefault = true\n",
    "disabledRules = []\n",
    "id = \"a\"\n",
    "regex = '''",
    "'''\n",
    "secretGroup = 1\n",
    "entropy = 3.5\n",
    "keywords = [\"abc\"]\n",
    "path = '''\\.log$'''\n",
    "regexTarget = \"line\"\n",
    "condition = \"AND\"\n",
    "regexes = ['a']\n",
    "stopwords = ['a']\n",
    "targetRules = ['a']\n",
    "[[rules.required]]\n",
    "withinLines = 3\n",
    "skipReport = true\n",
    "disabled_rules = [\"generic-assignment\"]\n",
    "[[allow]]\n",
    "reason = \"r\"\n",
    "rules = [\"a\"]\n",
    "paths = [\"**/x?\"]\n",
    "values = ['^a']\n",
    "all = true\n",
    "until = \"2027-01-31\"\n",
    "provider = \"a\"\n",
    "kind = \"a\"\n",
    "pattern = '''",
    "lifetime = \"long\"\n",
    "severity = \"high\"\n",
    "context = [\"a\"]\n",
    "check = \"github_crc32\"\n",
    "(?P<secret>",
    "(?:",
    "(?i)",
    "(?s:.)",
    "{2,200}",
    "{1000}",
    "{0,1}",
    "[[:alnum:]]",
    "[^a-z]",
    "\\b",
    "\\x{10ffff}",
    "\\pL",
    "\\w",
    "\\d",
    "(?-u:\\xff)",
    "(?x)",
    "|",
    "*?",
    "+",
    "\\z",
    "\\A",
    "$",
];
const KNOWN_WORDS: &[&str] = &[
    "export ",
    "\"",
    "'",
    "`",
    "\\n",
    " #",
    "name,value,path\n",
    "NAME,VALUE\r\n",
    "\"\"",
    "data",
    "metadata",
    "SecretString",
    "SecretList",
    "Versions",
    "payload",
    "stringData",
    "items",
    "kind",
    "Secret",
    "fields",
    "value",
    "purpose",
    "CONCEALED",
    "attributes",
    "key_id",
    "secrets",
    "fingerprint",
    "names",
    "path",
    "until=2027-01-31",
    "reason=",
    "\u{feff}",
    "AAECAwQFBgcICQ==",
    "\t2026-10-01T10:00:00Z",
];

struct Out {
    root: PathBuf,
}

impl Out {
    fn seed(&self, target: &str, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let folder = self.root.join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{name}")), parts.concat())
    }

    fn dictionary(&self, target: &str, words: &[&str]) -> io::Result<()> {
        let folder = self.root.join("dictionaries");
        fs::create_dir_all(&folder)?;
        let spelled = |word: &&str| {
            let letters: String = word.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
            format!("\"{letters}\"\n")
        };
        let words: BTreeSet<String> = words.iter().map(spelled).collect();
        fs::write(folder.join(format!("{target}.dict")), words.into_iter().collect::<String>())
    }
}

fn main() -> io::Result<()> {
    let out = Out { root: PathBuf::from(env!("CARGO_MANIFEST_DIR")) };
    scans(&out)?;
    rule_files(&out)?;
    known(&out)?;
    logs(&out)?;
    inventories(&out)?;
    if let Some(folder) = std::env::var_os("LEAKGRAPH_CORPUS") {
        real(&out, Path::new(&folder))?;
    }
    Ok(())
}

fn scans(out: &Out) -> io::Result<()> {
    let keywords = scanner().rules().rules().iter().flat_map(|rule| &rule.keywords).map(String::as_str);
    let words: Vec<&str> = keywords.chain(SCAN_WORDS.iter().copied()).collect();
    for target in ["scan_text", "scan_decoded", "redact"] {
        out.dictionary(target, &words)?;
    }
    for (index, secret) in secrets().iter().enumerate() {
        let (id, text) = (&secret.rule.id, secret.text.as_slice());
        let half = text.len() / 2;
        let line: &[u8] = b"2026-11-02T09:14:07.1234567Z ";
        out.seed(
            "scan_text",
            id,
            &[line, b"value: ", text, b" end\n", line, b"next line\n", &text[..half], b"\n"],
        )?;
        let wrappers = [index as u8 % WRAPPERS, (index / 17) as u8 % WRAPPERS];
        out.seed(
            "scan_decoded",
            id,
            &[&[1 + index as u8 % 2], &wrappers[..1 + index % 2], &[index as u8], b"k: ", text],
        )?;
        out.seed("redact", id, &[&[index as u8, 128], b"Run deploy --token ", text, b" && true"])?;
    }
    let spanning: Vec<&[u8]> = SCAN_WORDS.iter().map(|word| word.as_bytes()).collect();
    out.seed("scan_text", "words", &[&spanning.join(&b'\n')])?;
    out.seed("scan_text", "log", &[JOB_LOG.as_bytes()])?;
    for unit in
        ["%25", "\\\\", "\\u005c", "-----BEGIN ", "eyJ", "://a:", "00000000: 41\n", "QUJD\n", "password="]
    {
        let name: String = unit.bytes().map(|byte| format!("{byte:02x}")).collect();
        out.seed("scan_text", &name, &[&unit.repeat(300).into_bytes()])?;
        out.seed("scan_decoded", &name, &[&[2, 14, 14, 0], &unit.repeat(40).into_bytes()])?;
    }
    Ok(())
}

fn rule_files(out: &Out) -> io::Result<()> {
    for target in ["gitleaks_toml", "user_rules"] {
        out.dictionary(target, RULE_WORDS)?;
    }
    let own = RULE_WORDS.iter().skip_while(|word| !word.starts_with("disabled_")).take(8).copied();
    out.seed("user_rules", "allow", &[b"\0", own.skip(1).collect::<String>().as_bytes()])?;
    let list = format!("key_id=0a0b0c0d\n# why\n{} until=2027-01-31 reason=test data\n", "0f".repeat(16));
    out.seed("user_rules", "fingerprints", &[b"\x01", list.as_bytes()])?;
    for rule in scanner().rules().rules() {
        let keyword = rule.keywords.first().map_or("token", String::as_str);
        let lines = format!("{}\n{keyword}\n{keyword}\n^a.b$\nlogs/**", rule.pattern);
        out.seed(
            "user_rules",
            &rule.id,
            &[if rule.context.is_empty() { b"\x02" } else { b"\x03" }, lines.as_bytes()],
        )?;
        if rule.keywords.len() > 1 {
            let lines = format!("(?i)\\b({})\\b\n{keyword}\nabc$\n.*\nexample", rule.pattern);
            out.seed("gitleaks_toml", &rule.id, &[b"\x01", lines.as_bytes()])?;
            let table = format!(
                "[[rules]]\nid = {:?}\nprovider = \"x\"\nkind = \"y\"\npattern = {:?}\nkeywords = {:?}\nlifetime = \"long\"\nseverity = \"low\"\n",
                rule.id, rule.pattern, rule.keywords
            );
            out.seed("user_rules", &format!("{}-table", rule.id), &[b"\0", table.as_bytes()])?;
        }
    }
    let config = "[extend]\nuseDefault = true\ndisabledRules = [\"x\"]\n[[rules]]\nid = \"acme\"\n\
        description = \"d\"\nregex = '''(?i)acme_([a-z0-9]{16})'''\nsecretGroup = 1\nentropy = 2.0\n\
        keywords = [\"acme_\"]\n[[rules.allowlists]]\ncondition = \"AND\"\nregexTarget = \"match\"\n\
        regexes = ['test']\npaths = ['''logs/.*''']\nstopwords = [\"example\"]\n\
        [[rules]]\nid = \"near\"\nregex = '''key-[0-9]{8}'''\n[[rules.required]]\nid = \"acme\"\nwithinLines = 4\n\
        [[allowlists]]\ntargetRules = [\"acme\"]\nregexes = ['''^x''']\n";
    out.seed("gitleaks_toml", "config", &[b"\0", config.as_bytes()])
}

fn known(out: &Out) -> io::Result<()> {
    out.dictionary("known_import", KNOWN_WORDS)?;
    let value =
        |index: usize| String::from_utf8_lossy(&secrets()[index * 7 % secrets().len()].value).into_owned();
    let dotenv =
        format!("# c\nexport A_KEY=\"{}\"\nB='{}'\nC={} # c\nD=`x\ny`\n", value(1), value(2), value(3));
    let csv = format!("name,value,path\nA,{},p/a\nB,\"{}\"\"x\",\n", value(4), value(5));
    let documents = [
        json!({"request_id": "r", "data": {"data": {"A": value(6)}, "metadata": {"version": 1}}}),
        json!({"ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a", "Name": "a", "SecretString": "{\"A\":\"abcdefghij0123\"}"}),
        json!({"kind": "List", "items": [{"kind": "Secret", "metadata": {"name": "n", "namespace": "s"}, "data": {"A": "YWJjZGVmZ2hpajAxMjM="}, "stringData": {"B": value(7)}}]}),
        json!([{"id": "i", "title": "t", "fields": [{"id": "password", "purpose": "PASSWORD", "type": "CONCEALED", "value": value(8)}]}]),
        json!({"value": value(9), "id": "https://v.vault.azure.net/secrets/s/1", "attributes": {"enabled": true}}),
        json!({"name": "projects/1/secrets/s/versions/1", "payload": {"data": "YWJjZGVmZ2hpajAxMjM=", "dataCrc32c": "1"}}),
        json!({"a": {"b": [value(10), 1, null, {"c": value(11)}]}}),
    ];
    out.seed("known_import", "dotenv", &[b"\0", dotenv.as_bytes()])?;
    out.seed("known_import", "csv", &[b"\x02", csv.as_bytes()])?;
    for (index, document) in documents.iter().enumerate() {
        out.seed("known_import", &format!("json{index}"), &[b"\x01", document.to_string().as_bytes()])?;
    }
    for index in 0..12 {
        out.seed("known_import", &format!("bytes{index}"), &[b"\x03", value(index).as_bytes()])?;
    }
    let list = json!({"key_id": "0a0b0c0d", "secrets": [{"fingerprint": "0f".repeat(16), "names": [{"name": "n", "path": "p"}]}]});
    out.seed("known_import", "list", &[b"\x04", list.to_string().as_bytes()])?;
    out.seed("known_import", "memo", &[b"\x05", &[0; 64]])
}

fn logs(out: &Out) -> io::Result<()> {
    let words: Vec<&str> = INGEST_WORDS.iter().chain(JSON_WORDS).copied().collect();
    out.dictionary("ingest_bytes", &words)?;
    let log = JOB_LOG.as_bytes();
    for mode in 0..5 {
        out.seed("ingest_bytes", &format!("log{mode}"), &[&[mode, 1], log])?;
        out.seed(
            "ingest_bytes",
            &format!("members{mode}"),
            &[
                &[mode, 1],
                log,
                b"\0\x01",
                log,
                b"\0\x01",
                b"Requested labels: x\n",
                b"\0\x01",
                log,
                b"\0\x01",
                b"{}",
            ],
        )?;
    }
    let yaml = "on: push\njobs:\n  a: &a\n    runs-on: x\n  b:\n    <<: *a\n    steps: !reference [a, b]\n---\n? [1]\n: |\n  x\n";
    out.seed("ingest_bytes", "yaml", &[&[0, 6], yaml.as_bytes()])?;
    let empty_zip = [b"PK\x05\x06".as_slice(), &[0; 18]].concat();
    out.seed("ingest_bytes", "zip", &[&[0, 7], &empty_zip])?;
    let documents = [
        json!({"workflow_runs": [{"id": 1, "name": "n", "run_number": 2, "workflow_id": 3, "head_sha": "a", "event": "push", "repository": {"full_name": "o/r"}, "actor": {"login": "u", "id": 4}}], "total_count": 1}),
        json!({"jobs": [{"id": 1, "run_id": 2, "name": "j", "labels": ["x"], "steps": [{"name": "s", "number": 1, "status": "completed"}]}]}),
        json!({"Records": [{"eventSource": "sts.amazonaws.com", "eventName": "AssumeRole", "eventTime": "2026-10-01T10:00:00Z", "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::123456789012:assumed-role/r/s", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::123456789012:role/r"}}}, "requestParameters": {"roleArn": "arn:aws:iam::123456789012:role/t"}}]}),
        json!({"action": "completed", "workflow_run": {"id": 1}, "repository": {"full_name": "o/r"}, "sender": {"login": "u", "type": "Bot"}}),
        json!({"ref": "refs/heads/main", "inputs": {"a": "b"}, "workflow": "w.yml", "repository": {"full_name": "o/r"}, "sender": {"login": "u"}}),
        json!({"leakgraph_bundle": 1, "delivered_at": "2026-10-01T10:00:00Z", "request": {"headers": {"X-GitHub-Event": "push"}, "payload": {}}}),
        json!({"AccessKeyMetadata": [{"UserName": "u", "AccessKeyId": "A", "Status": "Active", "CreateDate": "2026-10-01T10:00:00Z"}]}),
        json!({"secrets": [{"name": "N", "created_at": "2026-10-01T10:00:00Z"}], "total_count": 1}),
    ];
    for (index, document) in documents.iter().enumerate() {
        out.seed("ingest_bytes", &format!("json{index}"), &[&[0, 5], document.to_string().as_bytes()])?;
    }
    out.seed("ingest_bytes", "gaad", &[&[0, 5], gaad().as_bytes()])
}

fn gaad() -> String {
    let allow = |action: &str, resource: &str| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}, {"Effect": "Deny", "NotAction": ["iam:*"], "Resource": "*", "Condition": {"StringLike": {"aws:PrincipalTag/a": "b"}}}]});
    let trust = json!({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012", "Service": ["ec2.amazonaws.com"]}, "Action": "sts:AssumeRole"}, {"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringLike": {"token.actions.githubusercontent.com:sub": ["repo:o/r:*"]}}}]});
    let (role, policy) = ("arn:aws:iam::123456789012:role/r", "arn:aws:iam::123456789012:policy/p");
    json!({
        "RoleDetailList": [{"RoleName": "r", "Arn": role, "Path": "/", "AssumeRolePolicyDocument": trust, "RolePolicyList": [{"PolicyName": "i", "PolicyDocument": allow("s3:Get*", "arn:aws:s3:::b/*")}], "AttachedManagedPolicies": [{"PolicyName": "p", "PolicyArn": policy}], "PermissionsBoundary": {"PermissionsBoundaryArn": policy}}],
        "UserDetailList": [{"UserName": "u", "Arn": "arn:aws:iam::123456789012:user/u", "GroupList": ["g"], "UserPolicyList": [{"PolicyName": "i", "PolicyDocument": "%7B%22Statement%22%3A%5B%5D%7D"}]}],
        "GroupDetailList": [{"GroupName": "g", "Arn": "arn:aws:iam::123456789012:group/g", "GroupPolicyList": [{"PolicyName": "i", "PolicyDocument": allow("sts:AssumeRole", role)}]}],
        "Policies": [{"PolicyName": "p", "Arn": policy, "DefaultVersionId": "v1", "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true, "Document": allow("iam:PassRole", "*")}]}],
    })
    .to_string()
}

fn inventories(out: &Out) -> io::Result<()> {
    out.dictionary("policy", JSON_WORDS)?;
    out.seed("policy", "gaad", &[b"\0", gaad().as_bytes()])?;
    let statements = "a\ts3:*,iam:PassRole\t*\t\nb\ts3:GetObject\tarn:aws:s3:::b/${aws:username}\t{\"Bool\":{}}\n\
        @\trepo:o/r:*\tarn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com\t:aud\n\
        P\t\tarn:aws:iam::123456789012:root\t\n!\tsts:AssumeRole\t*\t\n";
    out.seed("policy", "statements", &[b"\x01", statements.as_bytes()])?;
    out.seed("policy", "pattern", &[b"\x02", b"repo:o/*:ref:?*/main\nrepo:o/r:ref:refs/heads/main"])
}

/// Pieces of real files, evenly chosen.
fn real(out: &Out, folder: &Path) -> io::Result<()> {
    for (below, targets) in [
        ("workflows", [("scan_text", &[][..]), ("ingest_bytes", &[0, 1]), ("redact", &[3, 99])].as_slice()),
        ("identities", [("ingest_bytes", [0, 5].as_slice()), ("policy", &[0])].as_slice()),
    ] {
        let mut files = Vec::new();
        collect(&folder.join(below), &mut files)?;
        files.sort();
        let step = files.len().div_ceil(REAL_PIECES).max(1);
        for (index, file) in files.iter().step_by(step).enumerate() {
            let bytes = fs::read(file)?;
            // A small file whole, else a piece from somewhere in it.
            let from = bytes.len().saturating_sub(PIECE_BYTES) / 7 * (index % 7);
            let piece = &bytes[from..bytes.len().min(from + PIECE_BYTES)];
            for (target, head) in targets {
                out.seed(target, &format!("real-{below}-{index}"), &[head, piece])?;
            }
        }
    }
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => collect(&entry.path(), files)?,
            kind if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    Ok(())
}
