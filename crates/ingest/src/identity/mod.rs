//! Identity inventories, one module per platform.

mod access_analyzer;
pub(crate) mod access_keys;
mod airiam;
mod aws;
mod azure;
mod azure_roles;
mod credential_report;
mod entra;
mod entra_activity;
mod gcp;
mod gcp_accounts;
mod gcp_policies;
mod gcp_recommender;
mod gcp_roles;
mod github;
mod gitlab;
pub(crate) mod kubernetes;
mod last_accessed;
pub(crate) mod oidc;
mod opengraph;
mod organizations;
mod spire;
mod vault;
mod vault_hcl;
mod vault_role;

pub(crate) use aws::subjects_of;
pub(crate) use gcp_policies::{ACTING, subjects};

use crate::importer::{Importer, Recognised, TextFile};
use crate::limits::Limits;
use crate::reader::source_file;
use crate::shapes::Shape;
use crate::{Document, TextContext, TextSink};
use leakgraph_model::Evidence;
use serde_json::Value;

/// What a path says of an inventory that does not say it itself: whose it is.
pub(crate) fn owner_of_path(path: &str) -> Option<String> {
    let file = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let is_of = |words: &[&str]| words.iter().any(|word| file.contains(word));
    last_accessed::arn_of_path(path)
        .or_else(|| {
            vault_role::mount_and_name(path).map(|(mount, name)| vault_role::native_id(&mount, &name))
        })
        .or_else(|| gitlab::owner_of_path(path).filter(|_| is_of(&["token", "deploy_key", "runner"])))
        .or_else(|| gcp_policies::resource_of_path(path).filter(|_| is_of(&["iam", "policy", "policies"])))
        .or_else(|| is_of(&["federated"]).then(|| entra::application_of_path(path)).flatten())
}

/// Rows of an inventory that is text, its `source_files` row included; the text is scanned.
fn of_text(
    platform: &str,
    kind: &str,
    file: TextFile<'_>,
    sink: &mut dyn TextSink,
    import: fn(&Document<'_>, &str) -> Evidence,
) -> Evidence {
    let TextFile { path, bytes, .. } = file;
    let content = file.content();
    let document = Document { path, source_key: content.key, part: 0, bytes };
    let mut evidence = import(&document, &String::from_utf8_lossy(bytes));
    let rows = evidence.rows();
    evidence.source_files.push(source_file(path, &content, platform, kind, rows));
    sink.text(&TextContext::of(path, content.key, "log"), bytes);
    evidence
}

/// IAM of Amazon Web Services.
pub(crate) struct Aws;

impl Importer for Aws {
    fn platform(&self) -> &'static str {
        "aws"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        aws::recognise(value)
            .or_else(|| access_keys::recognise(value))
            .or_else(|| credential_report::recognise(value))
            .or_else(|| last_accessed::recognise(value))
            .or_else(|| access_analyzer::recognise(value))
            .or_else(|| organizations::recognise(value))
            .or_else(|| airiam::recognise(value))
    }

    fn consume_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &mut Value,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        match kind {
            "aws_access_keys" => access_keys::import(document, value),
            "credential_report" => credential_report::import(document, value),
            "last_accessed" => last_accessed::import(document, value),
            "access_analyzer" => access_analyzer::import(document, value),
            "control_policies" => organizations::import(document, value),
            "airiam" => airiam::import(document, value),
            _ => aws::import(document, value),
        }
    }

    fn recognise_text(&self, file: TextFile<'_>) -> Option<Recognised> {
        credential_report::recognise_text(file.bytes)
    }

    fn import_text(
        &self,
        kind: &'static str,
        file: TextFile<'_>,
        _limits: &Limits,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        of_text(self.platform(), kind, file, sink, credential_report::of_csv)
    }
}

/// Apps, tokens, deploy keys and environments of GitHub.
pub(crate) struct GitHub;

impl Importer for GitHub {
    fn platform(&self) -> &'static str {
        "github"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        github::recognise(value)
    }

    fn scans_whole(&self, kind: &str) -> Option<&'static str> {
        // Variables are no secrets, and yet some are.
        (kind == "github_variables").then_some("json")
    }

    fn shapes(&self) -> &'static [Shape] {
        github::SHAPES
    }

    fn import_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        github::import(kind, document, value)
    }
}

/// IAM of Google Cloud.
pub(crate) struct GoogleCloud;

impl Importer for GoogleCloud {
    fn platform(&self) -> &'static str {
        "gcp"
    }

    fn recognise_value(&self, path: &str, value: &Value) -> Option<Recognised> {
        gcp::recognise(path, value)
    }

    fn import_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        gcp::import(kind, document, value)
    }
}

/// Entra ID and Azure RBAC.
pub(crate) struct Azure;

impl Importer for Azure {
    fn platform(&self) -> &'static str {
        "azure"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        azure::recognise(value)
    }

    fn import_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        azure::import(kind, document, value)
    }
}

/// Tokens, deploy keys and runners of GitLab.
pub(crate) struct GitLab;

impl Importer for GitLab {
    fn platform(&self) -> &'static str {
        "gitlab"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        gitlab::recognise(value)
    }

    fn import_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        gitlab::import(kind, document, value)
    }

    /// The answer to making a token has the token.
    fn scans_whole(&self, _kind: &str) -> Option<&'static str> {
        Some("json")
    }
}

/// Policies, auth methods, roles and tokens of HashiCorp Vault.
pub(crate) struct Vault;

impl Importer for Vault {
    fn platform(&self) -> &'static str {
        vault::PLATFORM
    }

    fn recognise_value(&self, path: &str, value: &Value) -> Option<Recognised> {
        vault::recognise(path, value)
    }

    fn import_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        vault::import(kind, document, value)
    }

    /// The answer to looking up one's own token has the token.
    fn scans_whole(&self, _kind: &str) -> Option<&'static str> {
        Some("json")
    }

    fn recognise_text(&self, file: TextFile<'_>) -> Option<Recognised> {
        // Blanks and comments before the first block aside, its head is enough.
        let head = file.bytes.get(..file.bytes.len().min(4096)).unwrap_or_default();
        let text = head.utf8_chunks().next()?.valid();
        vault_hcl::is_policy(text)
            .then(|| Recognised::new("vault_policy", "begins with a block `path \"…\" {`"))
    }

    fn import_text(
        &self,
        kind: &'static str,
        file: TextFile<'_>,
        _limits: &Limits,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        of_text(self.platform(), kind, file, sink, vault::import_policy)
    }
}

/// Registration entries of SPIRE.
pub(crate) struct Spire;

impl Importer for Spire {
    fn platform(&self) -> &'static str {
        "spiffe"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        spire::recognise(value)
    }

    fn import_value(
        &self,
        _kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        spire::import(document, value)
    }
}

/// Graphs of BloodHound and its collectors.
pub(crate) struct BloodHound;

impl Importer for BloodHound {
    fn platform(&self) -> &'static str {
        "bloodhound"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        opengraph::recognise(value)
    }

    fn import_value(
        &self,
        _kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        opengraph::import(document, value)
    }

    /// Nodes carry what collectors found: files of workflows, alerts, descriptions.
    fn scans_whole(&self, _kind: &str) -> Option<&'static str> {
        Some("json")
    }
}
