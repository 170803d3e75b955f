//! Handoffs and identities that a step's header and output show.

use super::run_path::RunPath;
use super::steps::StepPart;
use crate::TextSink;
use leakgraph_model::tables::{Handoff, HandoffInput, IdentityUsed, identity_key};
use leakgraph_model::{Evidence, Key, entropy};

/// Where a step stands.
pub(crate) struct Place<'a> {
    pub(crate) run_key: Key,
    pub(crate) job_key: Key,
    pub(crate) step: usize,
    pub(crate) repo: Option<&'a str>,
    pub(crate) source_key: Key,
}

/// A dispatch as a step describes it.
#[derive(Default)]
struct Sent {
    mechanism: &'static str,
    repo: Option<String>,
    workflow: Option<String>,
    reference: Option<String>,
    credential_kind: &'static str,
    inputs: Vec<(String, String)>,
}

/// Adds the handoffs and identities of one step.
pub(crate) fn add(step: &StepPart, place: &Place<'_>, evidence: &mut Evidence, sink: &mut dyn TextSink) {
    if let Some(sent) = by_action(step).or_else(|| by_script(step)) {
        handoff(step, place, sent, evidence, sink);
    }
    identities(step, place, evidence);
}

fn value<'a>(step: &'a StepPart, names: &[&str]) -> Option<&'a str> {
    step.bound
        .iter()
        .find(|bound| {
            names.iter().any(|name| bound.name.eq_ignore_ascii_case(name)) && !bound.value.is_empty()
        })
        .map(|bound| bound.value.as_str())
}

/// Actions that dispatch, by their published inputs.
fn by_action(step: &StepPart) -> Option<Sent> {
    let uses = step.uses.as_deref()?.split('@').next()?.to_ascii_lowercase();
    let text = |names: &[&str]| value(step, names).map(str::to_owned);
    let mut sent = match uses.as_str() {
        "peter-evans/repository-dispatch" => Sent {
            mechanism: "repository_dispatch",
            repo: text(&["repository"]),
            workflow: text(&["event-type"]),
            inputs: text(&["client-payload"]).map(|json| flatten(&json)).unwrap_or_default(),
            ..Sent::default()
        },
        "benc-uk/workflow-dispatch" => Sent {
            mechanism: "workflow_dispatch",
            repo: text(&["repo"]),
            workflow: text(&["workflow"]),
            reference: text(&["ref"]),
            inputs: text(&["inputs"]).map(|json| flatten(&json)).unwrap_or_default(),
            ..Sent::default()
        },
        "convictional/trigger-workflow-and-wait" => Sent {
            mechanism: "workflow_dispatch",
            repo: value(step, &["owner"])
                .zip(value(step, &["repo"]))
                .map(|(owner, repo)| format!("{owner}/{repo}")),
            workflow: text(&["workflow_file_name"]),
            reference: text(&["ref"]),
            inputs: text(&["client_payload"]).map(|json| flatten(&json)).unwrap_or_default(),
            ..Sent::default()
        },
        _ => return None,
    };
    sent.credential_kind = credential(step, &["token", "github_token", "github-token"]);
    Some(sent)
}

/// Scripts that dispatch with `gh` or the REST API.
fn by_script(step: &StepPart) -> Option<Sent> {
    let script = step.script.as_str();
    let credential_kind = credential(step, &["GH_TOKEN", "GITHUB_TOKEN"]);
    if let Some((_, rest)) = script.split_once("gh workflow run ") {
        let words: Vec<&str> = rest
            .lines()
            .next()
            .unwrap_or("")
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'']))
            .collect();
        let after = |flags: &[&str]| {
            let at = words.iter().position(|word| flags.contains(word))?;
            words.get(at + 1).map(|word| (*word).to_owned())
        };
        let inputs = words
            .windows(2)
            .filter(|pair| matches!(pair.first(), Some(&"-f" | &"-F" | &"--field" | &"--raw-field")))
            .filter_map(|pair| pair.get(1)?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        return Some(Sent {
            mechanism: "workflow_dispatch",
            repo: after(&["-R", "--repo"]),
            workflow: words.first().map(|word| (*word).to_owned()),
            reference: after(&["-r", "--ref"]),
            credential_kind,
            inputs,
        });
    }
    let at = script.find("/dispatches")?;
    let before = script.get(..at)?;
    let path = before.rsplit("repos/").next()?;
    let parts: Vec<&str> = path.split('/').collect();
    let repo = parts.first().zip(parts.get(1)).map(|(owner, name)| format!("{owner}/{name}"));
    let workflow = parts
        .iter()
        .position(|part| *part == "workflows")
        .and_then(|at| parts.get(at + 1))
        .map(|name| (*name).to_owned());
    let mechanism = if workflow.is_some() { "workflow_dispatch" } else { "repository_dispatch" };
    Some(Sent { mechanism, repo, workflow, credential_kind, ..Sent::default() })
}

/// What kind of token stands behind a binding. The value is masked, so only its
/// absence or an app action's name tells.
fn credential(step: &StepPart, names: &[&str]) -> &'static str {
    match step.bound.iter().find(|bound| names.iter().any(|name| bound.name.eq_ignore_ascii_case(name))) {
        Some(bound) if bound.state == "empty" => "none",
        _ => "unknown",
    }
}

/// The members of a JSON object as dotted names and texts.
pub(crate) fn flatten(json: &str) -> Vec<(String, String)> {
    fn walk(prefix: &str, value: &serde_json::Value, found: &mut Vec<(String, String)>) {
        match value {
            serde_json::Value::Object(members) => {
                for (name, value) in members {
                    let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    walk(&path, value, found);
                }
            }
            serde_json::Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    walk(&format!("{prefix}[{index}]"), value, found);
                }
            }
            serde_json::Value::String(text) => found.push((prefix.to_owned(), text.clone())),
            serde_json::Value::Null => found.push((prefix.to_owned(), String::new())),
            other => found.push((prefix.to_owned(), other.to_string())),
        }
    }
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str(json) {
        walk("", &value, &mut found);
    }
    found
}

fn handoff(step: &StepPart, place: &Place<'_>, sent: Sent, evidence: &mut Evidence, sink: &mut dyn TextSink) {
    let repo = sent
        .repo
        .filter(|repo| repo.contains('/') && !repo.contains(['$', '{', '*']))
        .or_else(|| place.repo.map(str::to_owned));
    let child = step.notable.iter().find_map(|line| child_run(line)).filter(|child| child.repo.is_some());
    let child_key = child.as_ref().and_then(RunPath::key);
    let crosses = match (&repo, place.repo) {
        (Some(child), Some(parent)) if child.eq_ignore_ascii_case(parent) => "none",
        (Some(child), Some(parent)) if owner(child) == owner(parent) => "repo",
        (Some(_), Some(_)) => "org",
        _ => "none",
    };
    let handoff_key =
        Key::of("handoff", &[&place.job_key.to_string(), &place.step.to_string(), sent.mechanism]);
    evidence.handoffs.push(Handoff {
        handoff_key,
        parent_run_key: Some(place.run_key),
        parent_job_key: Some(place.job_key),
        child_run_key: child_key,
        child_repo: child.and_then(|child| child.repo).or(repo),
        child_workflow: sent.workflow,
        mechanism: sent.mechanism.to_owned(),
        credential_kind: sent.credential_kind.to_owned(),
        crosses: crosses.to_owned(),
        link_method: if child_key.is_some() { "url_in_log" } else { "unlinked" }.to_owned(),
        confidence: if child_key.is_some() { 1.0 } else { 0.0 },
        child_ref: sent.reference,
        gate: "unknown".to_owned(),
        sent_at: step.started_at,
        evidence: "log".to_owned(),
        source_key: place.source_key,
        ..Handoff::default()
    });
    for (name, value) in sent.inputs {
        evidence.handoff_inputs.push(input(handoff_key, &name, &value, "log", place.source_key, sink));
    }
}

fn owner(repo: &str) -> String {
    repo.split('/').next().unwrap_or("").to_ascii_lowercase()
}

/// The run a printed URL names.
fn child_run(line: &str) -> Option<RunPath> {
    let (before, after) = line.split_once("/actions/runs/")?;
    let id: String = after.chars().take_while(char::is_ascii_digit).collect();
    let mut parts = before.rsplit('/');
    let (name, owner) = (parts.next()?, parts.next()?);
    let repo = Some(format!("{owner}/{name}")).filter(|_| !owner.is_empty());
    (!id.is_empty()).then_some(RunPath { repo, run_id: Some(id), attempt: Some(1) })
}

/// One input of a handoff: its class and fingerprint, never its value.
pub(crate) fn input(
    handoff_key: Key,
    name: &str,
    value: &str,
    visible: &str,
    source_key: Key,
    sink: &mut dyn TextSink,
) -> HandoffInput {
    let class = class(value);
    HandoffInput {
        handoff_key,
        name: name.to_owned(),
        value_class: class.to_owned(),
        value_bytes: i64::try_from(value.len()).ok(),
        entropy: Some(entropy(value.as_bytes())),
        value_fingerprint: sink.fingerprint(value.as_bytes()),
        visible: visible.to_owned(),
        validated: match class {
            "bool" | "enum" | "version" | "ref" | "empty" => Some(true),
            "masked" => None,
            _ => Some(false),
        },
        source_key,
    }
}

/// empty, bool, enum, ref, version, path, url, json, text, token_like or masked.
pub(crate) fn class(value: &str) -> &'static str {
    let is_word = |extra: &str| {
        value.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.as_bytes().contains(&byte))
    };
    let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
    let is_sha = matches!(value.len(), 40 | 64) && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if value.is_empty() {
        "empty"
    } else if value.contains("***") {
        "masked"
    } else if matches!(value, "true" | "false") {
        "bool"
    } else if value.contains("://") {
        "url"
    } else if value.starts_with(['{', '[']) {
        "json"
    } else if is_sha || value.starts_with("refs/") {
        "ref"
    } else if has_digit
        && is_word(".-+")
        && value.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit())
        && value.len() < 32
    {
        "version"
    } else if value.len() >= 20 && is_word("_-+/=.~") && has_digit && entropy(value.as_bytes()) > 3.5 {
        "token_like"
    } else if value.contains('/') && is_word("/._-") {
        "path"
    } else if value.len() <= 32 && is_word("_-") {
        "enum"
    } else {
        "text"
    }
}

/// Cloud identities that login actions announce.
fn identities(step: &StepPart, place: &Place<'_>, evidence: &mut Evidence) {
    let uses =
        step.uses.as_deref().and_then(|uses| uses.split('@').next()).unwrap_or("").to_ascii_lowercase();
    let row = |kind: &str, platform: &str, how: &str, subject: &str| IdentityUsed {
        job_key: Some(place.job_key),
        run_key: Some(place.run_key),
        identity_key: Some(identity_key(platform, subject)),
        identity_kind: kind.to_owned(),
        how: how.to_owned(),
        subject: Some(subject.to_owned()),
        issued_at: step.started_at,
        join_method: "exact_id".to_owned(),
        confidence: 1.0,
        source_key: place.source_key,
        ..IdentityUsed::default()
    };
    if uses.starts_with("aws-actions/configure-aws-credentials") {
        if let Some(arn) =
            value(step, &["role-to-assume"]).filter(|arn| arn.starts_with("arn:") && !arn.contains("***"))
        {
            let has_key =
                step.bound.iter().any(|bound| bound.name == "aws-access-key-id" && bound.state != "empty");
            let mut used = row("aws_role", "aws", if has_key { "static" } else { "oidc" }, arn);
            used.session_name =
                Some(value(step, &["role-session-name"]).unwrap_or("GitHubActions").to_owned());
            used.account = arn.split(':').nth(4).map(str::to_owned);
            evidence.identities_used.push(used);
        }
    } else if uses.starts_with("google-github-actions/auth") {
        if let Some(account) = value(step, &["service_account"]).filter(|account| account.contains('@')) {
            evidence.identities_used.push(row("gcp_sa", "gcp", "oidc", account));
        }
    } else if uses.starts_with("azure/login")
        && let Some(client) = value(step, &["client-id"]).filter(|client| !client.contains("***"))
    {
        evidence.identities_used.push(row("azure_sp", "azure", "oidc", client));
    }
    announced(step, place, evidence);
    for (arn, session) in step.notable.iter().filter_map(|line| instance_session(line)) {
        let mut used = row("aws_role", "aws", "ambient", &arn);
        used.account = arn.split(':').nth(4).map(str::to_owned);
        used.session_name = Some(session);
        evidence.identities_used.push(used);
    }
}

/// Sessions that login actions print: `Authenticated as assumedRoleId AROA…:name` of
/// aws-actions/configure-aws-credentials, ` subject claim - repo:…` of azure/login. What the
/// step's inputs told already is completed, as far as they were not masked.
fn announced(step: &StepPart, place: &Place<'_>, evidence: &mut Evidence) {
    let session = step.notable.iter().find_map(|line| assumed_role_id(line));
    let subject = step.notable.iter().find_map(|line| Some(line.split_once("subject claim - ")?.1.trim()));
    let (kind, session_id, name) = match (session, subject) {
        (Some(id), _) => ("aws_role", Some(id.to_owned()), id.split_once(':').map(|(_, name)| name)),
        (None, Some(subject)) => ("azure_sp", None, Some(subject)),
        (None, None) => return,
    };
    let of_step = |used: &&mut IdentityUsed| {
        used.job_key == Some(place.job_key) && used.identity_kind == kind && used.issued_at == step.started_at
    };
    if let Some(used) = evidence.identities_used.iter_mut().rev().find(of_step) {
        used.session_id = session_id;
        used.session_name = name.map(str::to_owned);
        return;
    }
    let has_key = step.bound.iter().any(|bound| bound.name == "aws-access-key-id" && bound.state != "empty");
    evidence.identities_used.push(IdentityUsed {
        job_key: Some(place.job_key),
        run_key: Some(place.run_key),
        identity_kind: kind.to_owned(),
        how: if has_key { "static" } else { "oidc" }.to_owned(),
        session_name: name.map(str::to_owned),
        session_id,
        issued_at: step.started_at,
        join_method: "exact_id".to_owned(),
        confidence: 1.0,
        source_key: place.source_key,
        ..IdentityUsed::default()
    });
}

/// The id of a role session; `AROA` begins the ids of roles (AWS, "IAM identifiers").
fn assumed_role_id(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("assumedRoleId")?;
    let id = rest.trim_start_matches([':', ' ']).split_whitespace().next()?;
    let (role, name) = id.split_once(':')?;
    let is_role = role.starts_with("AROA") && role.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_role && !name.is_empty()).then_some(id)
}

/// Role and session of a machine: EC2 names the sessions of instance profiles by the
/// instance id (AWS, "Use an IAM role to grant permissions to applications running on
/// Amazon EC2 instances").
fn instance_session(line: &str) -> Option<(String, String)> {
    let (before, after) = line.split_once(":assumed-role/")?;
    let (role, rest) = after.split_once('/')?;
    let session: String =
        rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
    let account: String = before.rsplit(':').next()?.to_owned();
    let is_instance = session
        .strip_prefix("i-")
        .is_some_and(|id| matches!(id.len(), 8 | 17) && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    is_instance.then(|| (format!("arn:aws:iam::{account}:role/{role}"), session))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_classed_by_form() {
        let cases = [
            ("", "empty"),
            ("true", "bool"),
            ("production", "enum"),
            ("v1.2.3", "version"),
            ("refs/heads/main", "ref"),
            ("https://example.test/x", "url"),
            ("a b c", "text"),
            ("Zx81hGk2Lq9Vt4Rw7Yb3", "token_like"),
            ("***", "masked"),
        ];
        for (value, expected) in cases {
            assert_eq!(class(value), expected, "{value}");
        }
    }

    #[test]
    fn printed_sessions_are_read() {
        let line = "Authenticated as assumedRoleId AROAUPVGPR723GUOXFF77:gha-30797407173";
        assert_eq!(assumed_role_id(line), Some("AROAUPVGPR723GUOXFF77:gha-30797407173"));
        assert_eq!(assumed_role_id("Authenticated as assumedRoleId ***"), None);
    }

    #[test]
    fn printed_urls_name_the_child() {
        let child = child_run("see https://github.com/acme/deploy/actions/runs/17000123 for it").unwrap();
        assert_eq!((child.repo.as_deref(), child.run_id.as_deref()), (Some("acme/deploy"), Some("17000123")));
    }

    #[test]
    fn instance_profiles_are_told_by_their_session() {
        let line = "arn:aws:sts::123456789012:assumed-role/runner/i-0a1b2c3d4e5f60718";
        let (arn, session) = instance_session(line).unwrap();
        assert_eq!(
            (arn.as_str(), session.as_str()),
            ("arn:aws:iam::123456789012:role/runner", "i-0a1b2c3d4e5f60718")
        );
        assert_eq!(instance_session("arn:aws:sts::1:assumed-role/runner/GitHubActions"), None);
    }

    #[test]
    fn payloads_are_flattened() {
        assert_eq!(
            flatten(r#"{"a":{"b":1},"c":"x"}"#),
            [("a.b".to_owned(), "1".to_owned()), ("c".to_owned(), "x".to_owned())]
        );
    }
}
