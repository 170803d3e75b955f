//! What a source of evidence is, and the list of those we know.
//!
//! To add one: a module with a type that implements [`Importer`], and its name in
//! [`IMPORTERS`]. CONTRIBUTING.md has a worked example.

use crate::archive::Entry;
use crate::limits::Limits;
use crate::reader::Content;
use crate::shapes::Shape;
use crate::{Document, TextSink, activity, identity, workflow};
use leakgraph_model::Evidence;
use serde_json::Value;
use std::sync::Arc;

/// What a file or a value was recognised as, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recognised {
    /// Written to `source_files.kind`.
    pub(crate) kind: &'static str,
    /// What tells it from everything else, for `ingest --explain`.
    pub(crate) because: &'static str,
}

impl Recognised {
    pub(crate) fn new(kind: &'static str, because: &'static str) -> Self {
        Self { kind, because }
    }
}

/// A text file, or a member of an archive, on its way to an importer.
#[derive(Clone, Copy)]
pub(crate) struct TextFile<'a> {
    /// Its path, members after `!/`.
    pub(crate) path: &'a str,
    /// Its bytes.
    pub(crate) bytes: &'a [u8],
    /// The same, and their SHA-256, hexadecimal, where the file was read as it is.
    pub(crate) whole: Option<(&'a Arc<Vec<u8>>, &'a str)>,
}

impl<'a> TextFile<'a> {
    /// The bytes and what names them.
    pub(crate) fn content(&self) -> Content<'a> {
        match self.whole {
            Some((_, sha256)) => Content::hashed(self.bytes, sha256.to_owned()),
            None => Content::of(self.bytes),
        }
    }

    /// The file as the one member of an archive.
    pub(crate) fn entry(&self) -> Entry {
        let (bytes, sha256) = match self.whole {
            Some((bytes, sha256)) => (Arc::clone(bytes), Some(sha256.to_owned())),
            None => (Arc::new(self.bytes.to_vec()), None),
        };
        Entry { name: String::new(), bytes, sha256 }
    }
}

/// Reads what one platform or its command line exports.
///
/// Importers never fail: what they cannot use becomes a row of `problems`.
pub(crate) trait Importer: Sync {
    /// Written to `source_files.platform`: `github`, `gitlab`, `aws`, …
    fn platform(&self) -> &'static str;

    /// What a value (of JSON, JSON Lines or YAML) is, by its shape. A page of several
    /// objects is one value.
    fn recognise_value(&self, _path: &str, _value: &Value) -> Option<Recognised> {
        None
    }

    /// Rows of a value that was recognised as `kind`. The reader adds the file itself.
    fn import_value(
        &self,
        _kind: &'static str,
        _document: &Document<'_>,
        _value: &Value,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        Evidence::default()
    }

    /// The same, of a value that nobody needs afterwards: what became rows can be dropped on the
    /// way.
    fn consume_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &mut Value,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        self.import_value(kind, document, value, sink)
    }

    /// Where the text of a value of `kind` leaks, if all of it is to be scanned; `None` if the
    /// importer hands over what is worth scanning.
    fn scans_whole(&self, _kind: &str) -> Option<&'static str> {
        None
    }

    /// Its kinds of values and the members these usually have, so that what is nearly one of
    /// them can be told what it is near to.
    fn shapes(&self) -> &'static [Shape] {
        &[]
    }

    /// Whether every value of `kind` is one call, so that equal calls of a file are to be
    /// joined.
    fn joins_calls(&self, _kind: &str) -> bool {
        false
    }

    /// What a text is, by its content.
    fn recognise_text(&self, _file: TextFile<'_>) -> Option<Recognised> {
        None
    }

    /// Whether a text of `kind` may be JSON itself, as a log in JSON Lines is, and the importer
    /// wants all of it at once: its values are then not looked at one by one.
    fn takes_json(&self, _kind: &str) -> bool {
        false
    }

    /// Rows of a text that was recognised as `kind`, its `source_files` row included; the
    /// text goes to `sink` once.
    fn import_text(
        &self,
        _kind: &'static str,
        _file: TextFile<'_>,
        _limits: &Limits,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        Evidence::default()
    }
}

/// Everything that can be imported. Of several that know a file the first one gets it.
pub(crate) static IMPORTERS: &[&dyn Importer] = &[
    &workflow::generic::Generic,
    &workflow::otel::OpenTelemetry,
    &identity::BloodHound,
    &identity::Aws,
    &identity::GitHub,
    &identity::kubernetes::Kubernetes,
    &identity::GoogleCloud,
    &identity::Azure,
    &identity::GitLab,
    &identity::Vault,
    &identity::Spire,
    &activity::CloudTrail,
    &activity::Entra,
    &activity::GoogleCloud,
    // Told by more than GitHub is, whose answers may be bare lists of `jobs`.
    &workflow::azure_devops::AzureDevOps,
    &workflow::buildkite::Buildkite,
    &workflow::circleci::CircleCi,
    &workflow::github::GitHub,
    &workflow::travis::Travis,
    &workflow::PodLogs,
    &workflow::Argo,
    &workflow::Tekton,
    &workflow::Airflow,
    &workflow::Temporal,
    &workflow::N8n,
    &workflow::StepFunctions,
    &workflow::gitlab::GitLab,
    &workflow::jenkins::Jenkins,
];
