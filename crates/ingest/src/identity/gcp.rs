//! Google Cloud: what its exports have in common.
//!
//! Natural ids: the e-mail of service accounts, users and groups; the URI of federated
//! principals; the name of pools, providers and roles.

use super::{aws, gcp_accounts, gcp_policies, gcp_recommender, gcp_roles};
use crate::Document;
use crate::importer::Recognised;
use leakgraph_model::tables::{Identity, identity_key};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;

pub(super) fn recognise(path: &str, value: &Value) -> Option<Recognised> {
    gcp_accounts::recognise(value)
        .or_else(|| gcp_policies::recognise(path, value))
        .or_else(|| gcp_roles::recognise(value))
        .or_else(|| gcp_recommender::recognise(value))
}

pub(super) fn import(kind: &str, document: &Document<'_>, value: &Value) -> Evidence {
    match kind {
        "gcp_iam_policies" => gcp_policies::import(document, value),
        "gcp_roles" => gcp_roles::import(document, value),
        "gcp_insights" => gcp_recommender::import(document, value),
        _ => gcp_accounts::import(document, value),
    }
}

/// An identity of Google Cloud by its natural id.
pub(super) fn holder(kind: &str, native_id: &str, source: Key) -> Identity {
    let is_person = matches!(kind, "user" | "group" | "domain" | "public");
    let is_holder = matches!(kind, "workload_identity_pool" | "workload_identity_provider");
    Identity {
        identity_key: identity_key("gcp", native_id),
        platform: "gcp".to_owned(),
        kind: kind.to_owned(),
        name: native_id.split('@').next().unwrap_or(native_id).to_owned(),
        native_id: native_id.to_owned(),
        account: project_of_email(native_id),
        is_nhi: Some(!is_person && !is_holder),
        environment: environment_of(native_id),
        status: "enabled".to_owned(),
        source_key: source,
        ..Identity::default()
    }
}

/// A member of a policy binding (IAM, "Principal identifiers"): kind and natural id.
pub(super) fn member(text: &str) -> Option<(&'static str, String)> {
    if matches!(text, "allUsers" | "allAuthenticatedUsers") {
        return Some(("public", text.to_owned()));
    }
    if text.starts_with("principalSet://") {
        return Some(("federated_principals", text.to_owned()));
    }
    if text.starts_with("principal://") {
        return Some(("federated_principal", text.to_owned()));
    }
    let text = text.strip_prefix("deleted:").unwrap_or(text);
    let (kind, name) = text.split_once(':')?;
    // `?uid=` follows the e-mail of what was deleted.
    let name = name.split('?').next().unwrap_or(name).to_owned();
    let kind = match kind {
        "serviceAccount" => "service_account",
        "user" => "user",
        "group" | "projectOwner" | "projectEditor" | "projectViewer" => "group",
        "domain" => "domain",
        _ => return None,
    };
    // Basic roles of a project are groups of their own: `projectOwner:p`.
    let is_basic = text.starts_with("project");
    Some((kind, if is_basic { text.to_owned() } else { name }))
}

/// The e-mail in `projects/p/serviceAccounts/EMAIL/…`.
pub(super) fn account_of_name(name: &str) -> Option<String> {
    let rest = name.split_once("/serviceAccounts/")?.1;
    let email = rest.split('/').next()?;
    email.contains('@').then(|| email.to_owned())
}

/// The project of `name@PROJECT.iam.gserviceaccount.com`.
pub(super) fn project_of_email(email: &str) -> Option<String> {
    let (name, domain) = email.split_once('@')?;
    match domain {
        "appspot.gserviceaccount.com" => Some(name.to_owned()),
        _ => domain.strip_suffix(".iam.gserviceaccount.com").map(str::to_owned),
    }
}

pub(super) fn environment_of(name: &str) -> Option<String> {
    aws::environment(name)
}
