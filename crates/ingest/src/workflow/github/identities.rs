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
    for (arn, session) in step.notable.iter().filter_map(|line| instance_session(line)) {
        let mut used = row("aws_role", "aws", "ambient", &arn);
        used.account = arn.split(':').nth(4).map(str::to_owned);
        used.session_name = Some(session);
        evidence.identities_used.push(used);
    }
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
}
