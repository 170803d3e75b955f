//! Identities that a step's header and output show it acted as.

use super::dispatch::Place;
use super::steps::StepPart;
use leakgraph_model::Evidence;
use leakgraph_model::tables::{IdentityUsed, identity_key};

/// The first of these inputs or variables that is set.
pub(super) fn value<'a>(step: &'a StepPart, names: &[&str]) -> Option<&'a str> {
    step.bound
        .iter()
        .find(|bound| {
            names.iter().any(|name| bound.name.eq_ignore_ascii_case(name)) && !bound.value.is_empty()
        })
        .map(|bound| bound.value.as_str())
}

/// Adds the cloud identities that login actions announce.
pub(super) fn add(step: &StepPart, place: &Place<'_>, evidence: &mut Evidence) {
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
    fn printed_sessions_are_read() {
        let line = "Authenticated as assumedRoleId AROAUPVGPR723GUOXFF77:gha-30797407173";
        assert_eq!(assumed_role_id(line), Some("AROAUPVGPR723GUOXFF77:gha-30797407173"));
        assert_eq!(assumed_role_id("Authenticated as assumedRoleId ***"), None);
    }
}
